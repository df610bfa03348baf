# SPDX-License-Identifier: MIT
"""Liveness: how long a packet takes, and what a neighbour runs, known while its session lasts."""

import unittest

from helpers_tile import End, tile_with
from limpet import __version__
from limpet.liveness import Liveness
from limpet.rand import Random
from limpet.ticks import ticks_add

START = 0x3FFFFFFF - 3000  # the clock wraps within each test


class Pair:
    """Two tiles with the service; what one sends the other hears after a while."""

    def __init__(self, delay_ms=7, seeds=(1, 2)):
        self.ends = [End(0, 2), End(0, 6)]
        self.tiles = [tile_with(self.ends[0]), tile_with(self.ends[1])]
        self.services = [Liveness(self.tiles[i], Random(seeds[i])) for i in range(2)]
        for i in range(2):
            self.tiles[i].add(self.services[i])
        self.now = START
        self.delay_ms = delay_ms
        self.flight = []
        self.count = 0
        self.asked = [[], []]
        self.lossy = lambda packet: False

    def begin(self):
        for end in self.ends:
            end.begin()

    def end(self):
        for end in self.ends:
            end.end()

    def run(self, ms):
        for _ in range(ms):
            self.now = ticks_add(self.now, 1)
            while self.flight and self.flight[0][0] == self.now:
                _, i, packet = self.flight.pop(0)
                self.ends[i].heard_ms = self.now
                if self.ends[i].state:
                    assert self.ends[i].hear(packet[1], packet[2:]) is True
            for i in range(2):
                self.tiles[i].poll(self.now)
                self.collect(i)

    def collect(self, i):
        found = self.ends[i].sent(2)
        while found is not None:
            reliable, packet = found
            assert not reliable and packet[1] == 0x81
            self.count += 1
            if packet[2] == 1:
                self.asked[i].append(self.now)
            if not self.lossy(packet):
                self.flight.append((ticks_add(self.now, self.delay_ms), 1 - i, packet))
            found = self.ends[i].sent(2)


def packet_of(operation=2, token=0, version=b"9.8.7", stamp=b"\0\0\0\0", more=b""):
    return bytes([operation, token, 1]) + stamp + bytes([len(version)]) + version + more


class Times(unittest.TestCase):
    """The round trip is measured, of each session anew."""

    def test_round_trip(self):
        pair = Pair()
        self.assertEqual([end.rtt_ms for end in pair.ends], [-1, -1])
        pair.begin()
        pair.run(600)
        self.assertEqual([end.rtt_ms for end in pair.ends], [14, 14])
        pair.delay_ms = 20
        pair.run(13000)
        self.assertEqual([end.rtt_ms for end in pair.ends], [40, 40])

    def test_about_every_ten_seconds_and_never_in_step(self):
        """Both sides ask at their own times, across the wrap of the clock."""
        pair = Pair()
        pair.begin()
        pair.run(100000)
        for times in pair.asked:
            gaps = [(b - a) & 0x3FFFFFFF for a, b in zip(times, times[1:])]
            self.assertTrue(8 <= len(gaps) <= 13, gaps)
            self.assertTrue(all(7500 <= gap <= 12500 for gap in gaps), gaps)
            self.assertGreater(len({gap // 100 for gap in gaps}), 4)
        self.assertNotEqual(pair.asked[0][3], pair.asked[1][3])
        self.assertEqual(pair.count, 2 * (len(pair.asked[0]) + len(pair.asked[1])))

    def test_only_in_a_session(self):
        pair = Pair()
        pair.run(20000)
        self.assertEqual(pair.count, 0)
        pair.begin()
        pair.run(600)
        pair.end()
        count = pair.count
        pair.run(20000)
        self.assertEqual(pair.count, count)
        self.assertEqual([end.rtt_ms for end in pair.ends], [-1, -1])
        self.assertEqual([end.version for end in pair.ends], ["", ""])

    def test_a_stale_answer_is_none(self):
        """An answer counts once, and only the one to the latest question."""
        end = End(0, 2)
        tile = tile_with(end)
        service = Liveness(tile, Random(3))
        tile.add(service)
        end.begin()
        end.heard_ms = START
        end.hear(0x81, packet_of(2, 0))
        self.assertEqual(end.rtt_ms, -1)
        tile.poll(START)
        tile.poll(ticks_add(START, 600))
        token = end.sent(2)[1][3]
        end.heard_ms = ticks_add(START, 650)
        end.hear(0x81, packet_of(2, token ^ 1))
        self.assertEqual(end.rtt_ms, -1)
        end.hear(0x81, packet_of(2, token))
        self.assertEqual(end.rtt_ms, 50)
        end.heard_ms = ticks_add(START, 900)
        end.hear(0x81, packet_of(2, token))
        self.assertEqual(end.rtt_ms, 50)

    def test_lost_packets_are_not_missed(self):
        pair = Pair()
        random = Random(5)
        pair.lossy = lambda packet: random.below(3) == 0
        pair.begin()
        pair.run(60000)
        self.assertEqual([end.rtt_ms for end in pair.ends], [14, 14])

    def test_due(self):
        """poll() says when it is due, no sooner and no later."""
        pair = Pair()
        pair.begin()
        tile = pair.tiles[0]
        now = START
        tile.poll(now)
        pair.ends[0].all_sent()
        for _ in range(8):
            wait = tile.poll(now)
            self.assertTrue(0 < wait <= 12500)
            self.assertEqual(tile.poll(ticks_add(now, wait - 1)), 1)
            self.assertEqual(pair.ends[0].all_sent(), [])
            now = ticks_add(now, wait)
            self.assertGreater(tile.poll(now), 7000)
            self.assertEqual(len(pair.ends[0].all_sent()), 1)


class Versions(unittest.TestCase):
    """What a neighbour says of itself."""

    def setUp(self):
        self.end = End(0, 2)
        self.tile = tile_with(self.end)
        self.tile.add(Liveness(self.tile, Random(3)))
        self.end.begin()

    def test_both_learn(self):
        pair = Pair()
        pair.services[0].set_stamp(0xA1FFFFFF)  # 32 bits
        pair.services[1].set_stamp(5)
        pair.begin()
        pair.run(600)
        self.assertEqual([end.stamp for end in pair.ends], [5, 0xA1FFFFFF])
        self.assertEqual([end.version for end in pair.ends], [__version__] * 2)
        pair.services[1].set_stamp(0)
        pair.run(13000)
        self.assertEqual(pair.ends[0].stamp, 0)

    def test_the_packet(self):
        """As it is on the wire; the answer to a question repeats its token."""
        self.end.hear(0x81, packet_of(1, 77))
        version = __version__.encode()
        head = bytes([2, 77, 1, 0, 0, 0, 0, len(version)])
        self.assertEqual(self.end.all_sent(), [b"\x82\x81" + head + version])
        self.assertEqual((self.end.version, self.end.stamp), ("9.8.7", 0))

    def test_more_and_less(self):
        """Later versions may append; what is cut off, unknown or no text does no harm."""
        self.end.hear(0x81, packet_of(2, 0, b"1.2", b"\0\0\1\0", b"more"))
        self.assertEqual((self.end.version, self.end.stamp), ("1.2", 256))
        for size in range(8):
            self.end.hear(0x81, packet_of(1)[:size])
        self.end.hear(0x81, packet_of(3, 0, b"3"))
        self.end.hear(0x81, packet_of(0, 0, b"0"))
        self.assertEqual(self.end.all_sent(), [])
        self.assertEqual(self.end.version, "1.2")
        self.end.hear(0x81, packet_of(2, 0, b"\xff\0a\n"))
        self.assertEqual(self.end.version, "??a?")
        self.end.hear(0x81, packet_of(2, 0, b"v" * 90))
        self.assertEqual(self.end.version, "v" * 24)
        self.end.hear(0x81, packet_of(2, 0, b"ab")[:-1] + b"")
        self.assertEqual(self.end.version, "a")
        self.end.hear(0x81, packet_of(2, 0, b""))
        self.assertEqual(self.end.version, "")

    def test_garbage(self):
        """Whatever comes, nothing raises, and nothing but an answer is sent."""
        random = Random(9)
        for _ in range(3000):
            data = bytes([random.below(256) for _ in range(random.below(40))])
            self.end.hear(0x81, data)
            self.assertEqual(len(self.end.all_sent()), len(data) >= 8 and data[0] == 1)

    def test_a_full_link(self):
        """Questions that find no room are simply not answered."""
        while self.tile.send(self.end, 4, bytes(80), bulk=True) > 0:
            pass
        self.end.hear(0x81, packet_of(1))
        self.tile.poll(START)
        self.tile.poll(ticks_add(START, 500))
        self.assertTrue(all(p[1] == 0xC4 for p in self.end.all_sent()))


if __name__ == "__main__":
    unittest.main()
