# SPDX-License-Identifier: MIT
"""Tiles over real links, in virtual time: what is put arrives on the other side, or comes back.

Rules: as in helpers_bus. East is side 0's; the link is on the east of 0 and on the west of 1.
"""

import unittest

from helpers_bus import START_MS, Pair
from helpers_tile import Recorder, taken, text
from limpet import Bus
from limpet.header import EROR, NONE, OVRN
from limpet.liveness import Liveness
from limpet.neighbour import CONNECTED, DISCONNECTED
from limpet.rand import Random
from limpet.transport.loopback import loopback

EAST, WEST = 2, 6
TO_EAST, TO_WEST = 0x82, 0x86  # a service packet's byte 0
HELD = 0x50  # reliable, service 16
LOOSE = 0x10  # not reliable


def bounced(packet, bit):
    return bytes([packet[0] | bit]) + packet[1:]


class Two:
    """A pair of buses with their tiles, and service 16 open on both; up."""

    def __init__(self, seed=1, capacity=512, **line):
        sides = {"join_a": {"direction": EAST}, "join_b": {"direction": WEST}}
        self.pair = Pair(seed, line=line, **sides)
        self.tiles = [bus.tile for bus in self.pair.buses]
        self.channels = [tile.open(16, capacity) for tile in self.tiles]
        self.neighbours = [tile.neighbours[0] for tile in self.tiles]
        assert self.pair.until(self.pair.up) >= 0

    def cut(self, cut=True):
        for driver in self.pair.drivers:
            driver.mute = cut

    def stats(self, i):
        return self.neighbours[i].stats


class Passing(unittest.TestCase):
    """What arrives is what was put, with the side that it came from in byte 0."""

    def test_every_class(self):
        two = Two()
        for byte1 in (LOOSE, HELD, 0x80 | LOOSE, 0x80 | HELD):
            for size in (0, 1, 100, 251):
                data = text(size)
                sent = two.tiles[0].put(bytes([TO_EAST, byte1]) + data)
                self.assertEqual(sent, size + 2)
                number, bulk = byte1 & 63, byte1 > 127
                self.assertEqual(
                    two.tiles[1].send(two.neighbours[1], number, data, -1, bulk), size
                )
                two.pair.run(100)
                there = taken(two.channels[1])
                self.assertEqual(there, [bytes([TO_WEST, byte1]) + data])
                back = taken(two.channels[0])
                self.assertEqual(back, [bytes([TO_EAST, byte1 | 0x40]) + data])
        self.assertEqual([two.stats(i).tx_dropped for i in range(2)], [0, 0])

    def test_no_such_service(self):
        """Those of the link itself, the limpet's, and what is no number of a service."""
        two = Two()
        for number in (-1, 0, 2, 64, 0x81, 256):
            self.assertEqual(two.tiles[0].send(two.neighbours[0], number, b"data"), -22)

    def test_events_of_all_links(self):
        """A channel has what each neighbour object has, and can be waited for as any other."""
        two = Two()
        events = two.tiles[0].events
        buf = bytearray(8)
        two.tiles[1].set_compatibility("another")
        two.pair.run(500)
        two.tiles[1].set_compatibility("another")  # the same: nothing happens
        two.pair.run(500)
        self.assertEqual(events.count, 2)
        self.assertEqual((events.take(buf), bytes(buf[:2]), events.via), (2, b"\xc4\x02", 0))
        self.assertEqual((events.take(buf), bytes(buf[:2]), events.via), (2, b"\xc4\x01", 0))
        self.assertEqual(events.take(buf), 0)

    def test_the_largest(self):
        """253 bytes of data if it is not reliable, two less if it is; more comes back."""
        two = Two()
        for byte1, size in ((LOOSE, 255), (HELD, 253)):
            packet = bytes([TO_EAST, byte1]) + text(size - 2)
            self.assertEqual(two.tiles[0].put(packet), size)
            two.pair.run(100)
            self.assertEqual(taken(two.channels[1]), [bytes([TO_WEST]) + packet[1:]])
        packet = bytes([TO_EAST, HELD]) + text(252)
        two.tiles[0].put(packet)
        self.assertEqual(taken(two.channels[0]), [bounced(packet, OVRN)])
        self.assertEqual(two.tiles[0].put(bytes([TO_EAST, LOOSE]) + text(254)), -90)

    def test_soon(self):
        """A lone packet is there as soon as the line has carried it."""
        two = Two(delay_ms=3)
        two.pair.run(700)
        for byte1 in (LOOSE, HELD, 0x80 | LOOSE, 0x80 | HELD):
            two.tiles[0].put(bytes([TO_EAST, byte1]) + b"x")
            spent = two.pair.until(lambda: two.channels[1].count > 0)
            self.assertTrue(0 <= spent <= 4, spent)
            taken(two.channels[1])
            two.pair.run(50)

    def test_unknown_services(self):
        """They are counted where they arrive, and hold nothing up."""
        two = Two()
        two.tiles[0].open(40)
        for byte1 in (0x40 | 40, 40, 0x80 | 40, 0xC0 | 40):
            two.tiles[0].put(bytes([TO_EAST, byte1]) + b"x")
        two.tiles[0].send(two.neighbours[0], 3, b"x")
        two.tiles[0].put(bytes([TO_EAST, HELD]) + b"x")
        two.pair.run(200)
        self.assertEqual(two.stats(1).rx_unknown, 5)
        self.assertEqual(len(taken(two.channels[1])), 1)
        self.assertTrue(two.pair.up())

    def test_without_a_tile(self):
        """Where nobody asked for the tile, all services are unknown."""
        pair = Pair(join_a={"direction": EAST})
        tile = pair.buses[0].tile
        tile.open(16)
        self.assertGreaterEqual(pair.until(pair.up), 0)
        tile.put(bytes([TO_EAST, HELD]) + b"x")
        pair.run(100)
        self.assertEqual(pair.limpets[1].link.stats.rx_unknown, 1)
        self.assertTrue(pair.up())

    def test_a_tile_made_late(self):
        """Its services hear of the sessions that run."""
        two = Two()
        recorder = Recorder(9)
        two.tiles[0].add(recorder)
        self.assertEqual(recorder.log, [("connected", 0)])
        pair = Pair(join_a={"direction": EAST})
        self.assertGreaterEqual(pair.until(pair.up), 0)
        pair.buses[0].tile.add(recorder)
        self.assertEqual(recorder.log, [("connected", 0)] * 2)

    def test_beside_the_limpet(self):
        """Announcements and service packets share the link; both arrive, each in order."""
        two = Two(loss=0.02)
        listener = two.pair.buses[1].ksock(64)
        listener.bind("$.A")
        sender = two.pair.buses[0].ksock()
        two.pair.run(500)
        numbers = []
        heard = []
        for i in range(60):
            sender.announce("$.A", b"%d" % i)
            two.tiles[0].put(bytes([TO_EAST, HELD, i]))
            two.pair.run(20)
            numbers += [p[2] for p in taken(two.channels[1])]
            heard += [int(message.data) for message in listener.messages(0)]
        two.pair.run(1000)
        numbers += [p[2] for p in taken(two.channels[1])]
        heard += [int(message.data) for message in listener.messages(0)]
        self.assertEqual(numbers, list(range(60)))
        self.assertEqual(heard, list(range(60)))


class Faults(unittest.TestCase):
    """Reliable packets arrive once and in order, others at most once; or they are back."""

    def exchange(self, seed, faults, cuts):
        """Return what was accepted, has arrived and come back, of each class."""
        two = Two(seed, **faults)
        random = Random(seed)
        accepted = {HELD: [], 0x80 | HELD: [], LOOSE: []}
        there = {HELD: [], 0x80 | HELD: [], LOOSE: []}
        back = {HELD: [], 0x80 | HELD: [], LOOSE: []}
        for i in range(800):
            byte1 = (HELD, 0x80 | HELD, LOOSE)[random.below(3)]
            number = bytes([i >> 8, i & 255])
            packet = bytes([TO_EAST, byte1]) + number + text(random.below(40), i)
            if two.tiles[0].put(packet) > 0:
                accepted[byte1].append(i)
            if random.below(4) == 0:
                two.pair.run(random.below(30))
            if cuts and random.below(60) == 0:
                two.cut()
                two.pair.run(1500 if random.below(2) else 200)
                two.cut(False)
            self.collect(two, there, back)
        for _ in range(40):
            two.pair.run(100)
            self.collect(two, there, back)
        self.assertEqual(two.channels[0].dropped, 0)
        self.assertTrue(two.pair.up())
        return accepted, there, back

    def collect(self, two, there, back):
        for packet in taken(two.channels[1]):
            assert packet[0] == TO_WEST
            there[packet[1]].append(packet[2] << 8 | packet[3])
        for packet in taken(two.channels[0]):
            assert packet[0] in (TO_EAST | OVRN, TO_EAST | EROR)
            back[packet[1]].append(packet[2] << 8 | packet[3])

    def test_a_bad_line(self):
        accepted, there, back = self.exchange(3, {"loss": 0.1, "corrupt": 0.02}, False)
        for byte1 in (HELD, 0x80 | HELD):
            self.assertEqual(there[byte1], sorted(there[byte1]))
            self.assertEqual(sorted(there[byte1] + back[byte1]), accepted[byte1])
            self.assertGreater(len(there[byte1]), 50)
        arrived = len(there[LOOSE])
        self.assertEqual(there[LOOSE], sorted(set(there[LOOSE])))
        self.assertTrue(set(there[LOOSE]) <= set(accepted[LOOSE]))
        self.assertTrue(len(accepted[LOOSE]) // 3 < arrived < len(accepted[LOOSE]))

    def test_a_perfect_line(self):
        """Nothing is lost, reliable or not."""
        accepted, there, back = self.exchange(4, {}, False)
        for byte1 in (HELD, 0x80 | HELD, LOOSE):
            self.assertEqual(sorted(there[byte1] + back[byte1]), accepted[byte1])

    def test_cuts(self):
        """A session that ends costs what the link had taken, no more; nothing comes twice."""
        accepted, there, back = self.exchange(5, {"loss": 0.02}, True)
        lost = 0
        for byte1 in (HELD, 0x80 | HELD):
            self.assertEqual(there[byte1], sorted(set(there[byte1])))
            self.assertEqual(len(back[byte1]), len(set(back[byte1])))
            self.assertEqual(set(there[byte1]) & set(back[byte1]), set())
            self.assertTrue(set(there[byte1] + back[byte1]) <= set(accepted[byte1]))
            lost += len(accepted[byte1]) - len(there[byte1]) - len(back[byte1])
            self.assertGreater(len(back[byte1]), 10)
        self.assertTrue(0 < lost < 100, lost)  # a window each time

    def test_a_session_that_ends(self):
        """While the line is cut, what the window does not take waits, and comes back in order."""
        two = Two()
        two.cut()
        packets = [bytes([TO_EAST, HELD, i]) + text(30) for i in range(20)]
        for packet in packets:
            self.assertEqual(two.tiles[0].put(packet), 33)
            two.pair.step()
        waiting = two.neighbours[0].out.total
        self.assertEqual((waiting, two.channels[0].count), (12, 0))  # a window of 8 is on its way
        spent = two.pair.until(lambda: two.channels[0].count > 0, 2000)
        self.assertTrue(500 <= spent <= 1010, spent)
        self.assertEqual(taken(two.channels[0]), [bounced(p, EROR) for p in packets[8:]])
        self.assertEqual(two.stats(0).tx_dropped, 12)
        self.assertEqual(two.tiles[0].put(packets[0]), 33)
        self.assertEqual(taken(two.channels[0]), [bounced(packets[0], EROR)])
        self.assertEqual(two.tiles[0].send(two.neighbours[0], 16, b"x"), -113)
        two.cut(False)
        self.assertGreaterEqual(two.pair.until(two.pair.up), 0)
        two.pair.run(300)
        self.assertEqual(taken(two.channels[1]), [])

    def test_a_restart(self):
        """Of the other side, faster than its silence is noticed: the same, and events tell."""
        two = Two()
        recorder = Recorder(9)
        two.tiles[0].add(recorder)
        out = bytearray(4)
        self.assertEqual((two.neighbours[0].take(out), out[1]), (2, CONNECTED))
        packets = [bytes([TO_EAST, HELD, i]) + text(30) for i in range(14)]
        for packet in packets:
            two.tiles[0].put(packet)
        two.pair.buses[0].runner.step(two.pair.now)
        self.assertEqual(two.neighbours[0].out.total, 10)  # four frames in a turn
        two.pair.reset(1)
        found = []
        for _ in range(30):
            two.pair.run(10)
            found += taken(two.channels[0])
        self.assertEqual(found, [bounced(p, EROR) for p in packets[-len(found) :]])
        self.assertTrue(6 <= len(found) <= 10, len(found))
        self.assertEqual(recorder.log, [("connected", 0), ("disconnected", 0), ("connected", 0)])
        events = []
        while two.neighbours[0].take(out):
            events.append(out[1])
        self.assertEqual(events, [DISCONNECTED, CONNECTED])


class FullReaders(unittest.TestCase):
    """A program that does not read stops its sender, and loses nothing that is reliable."""

    def test_push_back(self):
        """The far channel fills, then the window, then what waits here; then it comes back."""
        two = Two(capacity=200)
        there = []
        accepted = []
        refused = []
        for i in range(120):
            packet = bytes([TO_EAST, HELD, i]) + text(40)
            self.assertEqual(two.tiles[0].put(packet), 43)
            two.pair.run(5)
            came = taken(two.channels[0])
            if came:
                self.assertEqual(came, [bounced(packet, OVRN)])
                refused.append(i)
            else:
                accepted.append(i)
        self.assertTrue(10 < len(accepted) < 40, len(accepted))
        self.assertEqual(accepted + refused, list(range(120)))
        self.assertEqual(two.channels[1].count, 4)
        for _ in range(200):
            there += [p[2] for p in taken(two.channels[1])]
            two.pair.run(10)
        self.assertEqual(there, accepted)
        self.assertEqual(two.stats(1).rx_dropped, 0)
        self.assertTrue(two.pair.up())

    def test_what_is_not_reliable_is_dropped_there(self):
        two = Two(capacity=200)
        for i in range(10):
            two.tiles[0].put(bytes([TO_EAST, LOOSE, i]) + text(40))
            two.pair.run(5)
        self.assertEqual([p[2] for p in taken(two.channels[1])], [0, 1, 2, 3])
        self.assertEqual(two.channels[1].dropped, 6)

    def test_five_seconds(self):
        """Then the frame at the head is dropped and counted, and others get their turn."""
        two = Two(capacity=200)
        other = two.tiles[1].open(17)
        two.tiles[0].open(17)
        for i in range(6):
            two.tiles[0].put(bytes([TO_EAST, HELD, i]) + text(40))
        two.tiles[0].put(bytes([TO_EAST, HELD + 1]))
        two.pair.run(4000)
        self.assertEqual((other.count, two.stats(1).rx_dropped), (0, 0))
        two.pair.run(7500)
        self.assertEqual((other.count, two.stats(1).rx_dropped), (1, 2))
        self.assertEqual([p[2] for p in taken(two.channels[1])], [0, 1, 2, 3])
        self.assertTrue(two.pair.up())


class Compatibility(unittest.TestCase):
    """MFMT passes between tiles with the same string; services pass between all."""

    def test_gate(self):
        two = Two()
        mfmt = [tile.mfmt for tile in two.tiles]
        packet = b"\xa2\x42any"
        self.assertTrue(two.tiles[0].writable(EAST))
        two.tiles[0].put(packet)
        two.pair.run(50)
        self.assertEqual(taken(mfmt[1]), [b"\xa6\x42any"])

        two.tiles[0].set_compatibility("physics 8")
        two.pair.run(500)
        self.assertTrue(two.pair.up())
        self.assertFalse(two.tiles[0].writable(EAST))
        two.tiles[0].put(packet)
        two.tiles[1].put(b"\xa6x")
        two.tiles[0].put(bytes([TO_EAST, HELD]) + b"upgrade")
        two.pair.run(100)
        self.assertEqual([taken(m) for m in mfmt], [[bounced(packet, EROR)], [b"\xaex"]])
        self.assertEqual(taken(two.channels[1]), [bytes([TO_WEST, HELD]) + b"upgrade"])

        two.tiles[1].set_compatibility("physics 8")
        two.pair.run(500)
        self.assertTrue(two.tiles[0].writable(EAST))
        two.tiles[0].put(packet)
        two.pair.run(50)
        self.assertEqual(taken(mfmt[1]), [b"\xa6\x42any"])
        self.assertFalse(two.tiles[1].readable(WEST))

    def test_of_all_sizes(self):
        two = Two()
        mfmt = two.tiles[1].mfmt
        two.tiles[0].mfmt  # noqa: B018
        for size in (1, 2, 3, 100, 254, 255):
            packet = (b"\xa2" + text(254, 7))[:size]
            self.assertEqual(two.tiles[0].put(packet), size)
            two.pair.run(50)
            self.assertEqual(taken(mfmt), [b"\xa6" + packet[1:]])

    def test_before_everything_else(self):
        """What is put last passes all that waits."""
        two = Two()
        two.tiles[0].mfmt  # noqa: B018
        order = []
        two.tiles[1].mfmt.on_packet = lambda p: order.append("mfmt")
        two.channels[1].on_packet = lambda p: order.append(p[1])
        for i in range(9):
            two.tiles[0].put(bytes([TO_EAST, 0x80 | HELD, i]) + text(40))
        two.tiles[0].put(bytes([TO_EAST, HELD]))
        two.tiles[0].put(b"\xa2")
        two.pair.run(200)
        self.assertEqual(sorted([str(o) for o in order]), ["208"] * 9 + ["80", "mfmt"])
        self.assertLess(order.index("mfmt"), 4)
        self.assertLess(order.index(HELD), 6)


class Hub:
    """A bus in the middle of several others: links on sides `directions`, in virtual time."""

    def __init__(self, directions):
        self.now = START_MS
        self.hub = Bus(node=1, seed=1)
        self.buses = [self.hub]
        self.drivers = []
        self.arms = []
        for i in range(len(directions)):
            bus = Bus(node=10 + i, seed=20 + i)
            ends = loopback(seed=i)
            side = directions[i]
            self.hub.join(ends[0], direction=side)
            bus.join(ends[1], direction=None if side is None else (side + 4) & 7)
            self.arms.append(bus.tile.open(16))
            self.buses.append(bus)
            self.drivers += ends
        self.channel = self.hub.tile.open(16)

    def run(self, ms):
        for _ in range(ms):
            for _ in range(3):
                for bus in self.buses:
                    bus.runner.step(self.now)
            self.now = (self.now + 1) & 0x3FFFFFFF
        return [taken(arm) for arm in self.arms]


class Sides(unittest.TestCase):
    """Several links: on different sides, on one side, on none."""

    def test_many(self):
        hub = Hub([EAST, WEST, EAST, None, 0])
        tile = hub.hub.tile
        hub.run(100)
        self.assertEqual([n.state for n in tile.neighbours], [1] * 5)
        self.assertEqual([n.direction for n in tile.neighbours], [2, 6, 2, NONE, 0])
        tile.put(b"\x86\x50west")
        tile.put(b"\x80\x50north")
        tile.put(b"\x82\x50east")
        tile.send(tile.neighbours[3], 16, b"none")
        self.assertEqual(
            hub.run(20),
            [[b"\x86\x50east"], [b"\x82\x50west"], [], [b"\x80\x50none"], [b"\x84\x50north"]],
        )
        for i in range(5):
            other = hub.buses[1 + i].tile
            other.send(other.neighbours[0], 16, b"%d" % i)
        hub.run(20)
        found = []
        while hub.channel.count:
            packet = hub.channel.read()
            found.append((packet, hub.channel.via))
        self.assertEqual(
            sorted(found),
            [
                (b"\x80\x503", 3),  # on no side: `via` tells it from the one of the north
                (b"\x80\x504", 4),
                (b"\x82\x500", 0),
                (b"\x82\x502", 2),
                (b"\x86\x501", 1),
            ],
        )

    def test_the_second_of_a_side(self):
        """When the first link of a side is cut, the other one takes its place."""
        hub = Hub([EAST, EAST])
        tile = hub.hub.tile
        hub.run(100)
        tile.put(b"\x82\x50a")
        self.assertEqual(hub.run(20), [[b"\x86\x50a"], []])
        hub.drivers[0].mute = hub.drivers[1].mute = True
        hub.run(1100)
        self.assertIs(tile.neighbour(EAST), tile.neighbours[1])
        tile.put(b"\x82\x50b")
        self.assertEqual(hub.run(20), [[], [b"\x86\x50b"]])
        self.assertEqual(taken(hub.channel), [])


class Times(unittest.TestCase):
    """Liveness over a link: the round trip, the other's version."""

    def test_round_trip(self):
        two = Two(delay_ms=12)
        for i in range(2):
            two.tiles[i].add(Liveness(two.tiles[i], Random(i)))
        two.pair.run(700)
        for neighbour in two.neighbours:
            self.assertTrue(24 <= neighbour.rtt_ms <= 27, neighbour.rtt_ms)
            self.assertNotEqual(neighbour.version, "")
        self.assertEqual([two.stats(i).rx_unknown for i in range(2)], [0, 0])
        two.cut()
        two.pair.run(1500)
        self.assertEqual([n.rtt_ms for n in two.neighbours], [-1, -1])


if __name__ == "__main__":
    unittest.main()
