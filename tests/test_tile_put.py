# SPDX-License-Identifier: MIT
"""What is put goes out or comes back; what is sent to a neighbour is taken or refused."""

import unittest

from helpers_tile import PACKET_SIZE, End, Recorder, taken, text, tile_with
from limpet.errors import AlreadyBound, BusError
from limpet.header import EROR, NONE, OVRN
from limpet.rand import Random

LARGEST = PACKET_SIZE  # of a T2 packet that is not reliable


def put_all(tile, packets):
    for packet in packets:
        assert tile.put(packet) == len(packet)


def bounced(packet, bit):
    """Return the packet as it comes back."""
    return bytes([packet[0] | bit]) + packet[1:]


class Sides(unittest.TestCase):
    """A packet goes to a link on the side that its DIR names, and to no other."""

    def setUp(self):
        self.ends = [End(0, 2), End(1, 6), End(2, 2), End(3, NONE), End(4, 0)]
        self.tile = tile_with(*self.ends)
        self.channel = self.tile.open(16)

    def out(self):
        return [end.all_sent() for end in self.ends]

    def test_to_the_side(self):
        for end in self.ends:
            end.begin()
        for direction, index in ((2, 0), (6, 1), (0, 4)):
            packet = bytes([0x80 | direction, 16]) + b"data"
            self.assertEqual(self.tile.put(packet), 6)
            expected = [[], [], [], [], []]
            expected[index] = [packet]
            self.assertEqual(self.out(), expected)
        self.assertEqual(taken(self.channel), [])

    def test_nobody_there(self):
        """No link on that side, none that is up: it comes back at once, with EROR."""
        self.ends[1].begin()
        self.ends[3].begin()
        for direction in (0, 1, 2, 7):
            packet = bytes([0x80 | direction, 0xD0]) + b"data"
            self.assertEqual(self.tile.put(packet), 6)
            self.assertEqual(taken(self.channel), [bounced(packet, EROR)])
            self.assertEqual(self.channel.via, 255)
        self.assertEqual(self.out(), [[], [], [], [], []])

    def test_of_several_the_first_that_is_up(self):
        packet = b"\x82\x10data"
        self.ends[2].begin()
        self.tile.put(packet)
        self.assertEqual(self.out(), [[], [], [packet], [], []])
        self.ends[0].begin()
        self.tile.put(packet)
        self.assertEqual(self.out(), [[packet], [], [], [], []])
        self.ends[0].end()
        self.tile.put(packet)
        self.assertEqual(self.out(), [[], [], [packet], [], []])

    def test_of_several_one_that_has_room(self):
        """When the first is full, the second; when both are, it comes back with OVRN."""
        self.ends[0].begin()
        self.ends[2].begin()
        packets = [b"\x82\x10" + text(88, i) for i in range(12)]
        put_all(self.tile, packets)
        self.assertEqual(self.out(), [packets[:5], [], packets[5:10], [], []])
        self.assertEqual(taken(self.channel), [bounced(p, OVRN) for p in packets[10:]])

    def test_of_several_one_that_takes_such_large_ones(self):
        self.ends[0].begin()
        self.ends[2].begin(packet_size=200)
        packet = b"\x82\x10" + text(150)
        self.tile.put(packet)
        self.assertEqual(self.out(), [[], [], [packet], [], []])

    def test_neighbour(self):
        tile = self.tile
        self.assertIs(tile.neighbour(2), self.ends[0])
        self.ends[2].begin()
        self.assertIs(tile.neighbour(2), self.ends[2])
        self.ends[0].begin()
        self.assertIs(tile.neighbour(2), self.ends[0])
        self.assertIs(tile.neighbour(5), None)
        self.assertEqual([n.index for n in tile.neighbours], [0, 1, 2, 3, 4])


class Limits(unittest.TestCase):
    """Sizes and forms: the largest, one byte more, the smallest, one byte less."""

    def setUp(self):
        self.end = End(0, 2)
        self.tile = tile_with(self.end)
        self.end.begin()
        self.channel = self.tile.open(16)

    def test_largest(self):
        """A reliable packet has two bytes less, for its numbers; what is larger has no room."""
        for byte1, size in ((0x10, LARGEST), (0x90, LARGEST), (0x50, LARGEST - 2), (0xD0, 98)):
            packet = bytes([0x82, byte1]) + text(size - 2)
            self.assertEqual(self.tile.put(packet), size)
            self.assertEqual(self.end.all_sent(), [packet])
            self.assertEqual(self.tile.put(packet + b"x"), size + 1)
            self.assertEqual(self.end.all_sent(), [])
            self.assertEqual(taken(self.channel), [bounced(packet + b"x", OVRN)])

    def test_header_alone(self):
        self.assertEqual(self.tile.put(b"\x82\x10"), 2)
        self.assertEqual(self.end.all_sent(), [b"\x82\x10"])

    def test_part_of_a_buffer(self):
        buf = bytearray(b"\x82\x10abcdef")
        self.assertEqual(self.tile.put(buf, 5), 5)
        for i in range(8):
            buf[i] = 0
        self.assertEqual(self.end.all_sent(), [b"\x82\x10abc"])
        self.assertEqual(self.tile.put(memoryview(b"\x82\x10abc"), 4), 4)
        self.assertEqual(self.end.all_sent(), [b"\x82\x10ab"])

    def test_refused(self):
        """What is no packet, or nobody's, goes nowhere and comes back from nowhere."""
        for packet, size, code in (
            (b"", -1, -22),
            (b"\x82\x10", 0, -22),
            (b"\x82", -1, -22),  # a service packet has two bytes at least
            (b"\x82\x10ab", 5, -90),
            (b"\x82\x10" + text(254), -1, -90),
            (b"P\x10ab", -1, -22),  # a command for T2's link engine
            (b"\x7f\xff", -1, -22),
            (b"\x82\x11ab", -1, -9),
            (b"\x82\x00ab", -1, -9),
            (b"\x82\x02ab", -1, -9),  # the limpet's
            (b"\xa2ab", -1, -9),  # MFMT that nobody here reads
            (b"\xc1ab", -1, -9),
        ):
            self.assertEqual(self.tile.put(packet, size), code, packet[:2])
        self.assertEqual(self.end.all_sent(), [])
        self.assertEqual(taken(self.channel), [])

    def test_nobody_puts_for_a_library_service(self):
        self.tile.add(Recorder(4))
        self.assertEqual(self.tile.put(b"\x82\x04ab"), -9)

    def test_put_again(self):
        """What came back may be put as it is: the bits that say why are not sent."""
        self.end.end()
        self.tile.put(b"\x82\x10ab")
        back = taken(self.channel)[0]
        self.assertEqual(back, b"\x8a\x10ab")
        self.end.begin()
        self.assertEqual(self.tile.put(back), 4)
        self.assertEqual(self.tile.put(bounced(back, OVRN)), 4)
        self.assertEqual(self.end.all_sent(), [b"\x82\x10ab"] * 2)

    def test_open(self):
        for number in (-1, 0, 1, 3, 15, 48, 56, 63, 64, 65):
            with self.assertRaises(BusError) as caught:
                self.tile.open(number)
            self.assertEqual(caught.exception.errno, 22)
            self.assertIn(str(number), str(caught.exception))
        with self.assertRaises(BusError):
            self.tile.open(20, 97)
        self.tile.open(20, 98)
        self.tile.open(47)
        with self.assertRaises(AlreadyBound):
            self.tile.open(16)
        self.end.hear(16, b"x")
        self.assertEqual(taken(self.channel), [b"\x82\x10x"])


class FullChannels(unittest.TestCase):
    """Accepted is: it goes out or comes back. A channel that can take no more refuses."""

    def setUp(self):
        self.end = End(0, 2)
        self.tile = tile_with(self.end)
        self.channel = self.tile.open(16, 110)

    def test_no_room_to_come_back(self):
        packet = b"\x82\x10" + text(50)
        self.assertEqual(self.tile.put(packet), 52)
        self.assertEqual(self.tile.put(packet), 52)
        self.assertEqual(self.tile.put(packet), -11)
        self.assertEqual(taken(self.channel), [bounced(packet, EROR)] * 2)
        self.assertEqual(self.channel.dropped, 0)
        self.assertEqual(self.tile.put(packet), 52)

    def test_no_overtaking(self):
        """While an older packet waits for room, none comes back before it, however small."""
        large = b"\x82\x10" + text(60)
        self.end.begin()
        put_all(self.tile, [large, large])
        self.end.end()
        self.assertEqual(self.channel.count, 1)
        self.assertEqual(self.tile.put(b"\x82\x10"), -11)
        self.assertEqual(taken(self.channel), [bounced(large, EROR)])
        self.tile.poll(5)
        self.tile.put(b"\x82\x10")
        self.assertEqual(taken(self.channel), [bounced(large, EROR), b"\x8a\x10"])

    def test_full_with_incoming(self):
        self.end.begin()
        self.end.hear(16, text(96))
        self.assertEqual(self.tile.put(b"\x82\x10" + text(200)), -11)
        self.assertEqual(self.tile.put(b"\x82\x10ab"), 4)  # this one goes out
        self.assertEqual(self.end.all_sent(), [b"\x82\x10ab"])


class SessionsEnd(unittest.TestCase):
    """What the link has not taken when a session ends comes back, the oldest first."""

    def setUp(self):
        self.end = End(3, 2)
        self.tile = tile_with(End(0, 1), End(1, 1), End(2, 1), self.end)
        self.channel = self.tile.open(16)
        self.other = self.tile.open(17)
        self.service = Recorder(4)
        self.tile.add(self.service)
        self.end.begin()

    def test_in_order(self):
        """Each to its own channel; what the link took does not come back."""
        tile = self.tile
        mine = [b"\x82\x10" + text(9, i) for i in range(5)]
        others = [b"\x82\xd1" + text(9, i) for i in range(3)]
        mfmt = [b"\xa2", b"\xa2\x10x"]
        tile.mfmt  # noqa: B018
        put_all(tile, [mine[0], others[0], mfmt[0], mine[1], mine[2]])
        put_all(tile, [others[1], mfmt[1], mine[3], others[2], mine[4]])
        self.assertEqual(self.end.sent(1), (False, mine[0]))
        self.assertEqual(self.end.sent(2), (True, others[0]))
        self.end.end()
        self.assertEqual(taken(self.channel), [bounced(p, EROR) for p in mine[1:]])
        self.assertEqual(self.channel.via, 3)
        self.assertEqual(taken(self.other), [bounced(p, EROR) for p in others[1:]])
        self.assertEqual(taken(tile.mfmt), [bounced(p, EROR) for p in mfmt])
        self.assertEqual(self.end.out.total, 0)
        self.assertEqual(self.end.stats.tx_dropped, 8)
        self.end.begin()
        self.assertEqual(self.end.all_sent(), [])

    def test_before_the_services_hear_of_it(self):
        """When a service is told, nothing of it waits any more."""
        tile = self.tile
        tile.send(self.end, 4, b"x")
        left = []
        self.service.disconnected = lambda n: left.append(n.out.total)
        self.end.end()
        self.assertEqual(left, [0])
        self.assertEqual(self.service.log, [("connected", 3)])
        self.assertEqual(self.end.stats.tx_dropped, 1)

    def test_with_the_time_a_reader_needs(self):
        """What finds no room in the channel comes when there is, until the next session."""
        self.channel = self.tile.open(30, 170)
        packets = [b"\x82\x1e" + text(50, i) for i in range(9)]
        put_all(self.tile, packets)
        self.end.end()
        found = []
        for _ in range(2):
            woken = self.tile.waiter.woken
            found += taken(self.channel)
            self.assertGreater(self.tile.waiter.woken, woken)
            self.tile.poll(7)
        found += taken(self.channel)
        self.assertEqual(found, [bounced(p, EROR) for p in packets])
        self.assertEqual((self.end.out.total, self.channel.dropped), (0, 0))

    def test_but_no_longer_than_that(self):
        """With the next session what still has no room is lost and counted: it is not sent."""
        self.channel = self.tile.open(30, 170)
        packets = [b"\x82\x1e" + text(50, i) for i in range(9)]
        put_all(self.tile, packets)
        self.end.end()
        self.end.begin()
        self.assertEqual(self.end.all_sent(), [])
        self.assertEqual(taken(self.channel), [bounced(p, EROR) for p in packets[:3]])
        self.assertEqual(self.channel.dropped, 6)
        self.assertEqual(self.end.stats.tx_dropped, 9)

    def test_nothing_is_lost_or_doubled_in_many_sessions(self):
        """Put, take, end, begin in any order: each accepted packet went out or came back, once."""
        random = Random(11)
        tile, end = self.tile, self.end
        accepted = []
        gone = []
        back = []
        for i in range(4000):
            what = random.below(100)
            if what < 60:
                packet = b"\x82" + bytes([0x50 if i & 1 else 0x10, i >> 8, i & 255])
                if tile.put(packet + text(random.below(60))) > 0:
                    accepted.append(i)
            elif what < 85:
                packet = end.sent(1)
                if packet is not None:
                    gone.append(packet[1][2] << 8 | packet[1][3])
            elif what < 93:
                back += [p[2] << 8 | p[3] for p in taken(self.channel)]
            elif what < 96:
                tile.poll(i)
            elif end.state:
                end.end()
            else:
                while end.out is not None and end.out.total:  # the reader keeps up
                    back += [p[2] << 8 | p[3] for p in taken(self.channel)]
                    tile.poll(i)
                end.begin()
        if end.state:
            end.end()
        for _ in range(9):
            back += [p[2] << 8 | p[3] for p in taken(self.channel)]
            tile.poll(i)
        self.assertEqual(sorted(gone + back), accepted)
        self.assertEqual(gone, sorted(gone))
        self.assertEqual(self.channel.dropped, 0)
        self.assertGreater(len(gone), 300)
        self.assertGreater(len(back), 300)


class Anything(unittest.TestCase):
    """Whatever bytes are put or come: nothing raises, each packet is accounted for."""

    def setUp(self):
        self.ends = [End(0, 2), End(1, 5), End(2, NONE)]
        self.tile = tile_with(*self.ends)
        self.channels = [self.tile.open(16), self.tile.open(47), self.tile.mfmt, self.tile.local]
        self.tile.add(Recorder(4))
        self.ends[0].begin()
        self.ends[2].begin(compatible=False)
        self.random = Random(21)

    def draw(self, size):
        return bytes([self.random.below(256) for _ in range(size)])

    def collect(self):
        found = []
        for channel in self.channels:
            found += taken(channel)
        return found

    def test_put(self):
        """Refused, out, back or local; and the same bytes but for byte 0."""
        refused = {}
        gone = 0
        back = 0
        for i in range(3000):
            packet = self.draw(self.random.below(110))
            if i & 1 and len(packet) > 1:
                packet = bytes([packet[0] | 0x80, (16, 47, 4)[i % 3]]) + packet[2:]
            code = self.tile.put(packet)
            out = []
            for end in self.ends:
                out += end.all_sent()
            came = self.collect()
            if code < 0:
                refused[code] = refused.get(code, 0) + 1
                self.assertEqual(out + came, [])
                continue
            self.assertEqual(code, len(packet))
            self.assertEqual(len(out) + len(came), 1)
            self.assertEqual((out + came)[0][1:], packet[1:])
            gone += len(out)
            back += len(came)
            for found in out:
                self.assertEqual(found[0], packet[0] & 0xA7)
                self.assertEqual(found[0] & 7, 2)
        self.assertEqual(sorted(refused), [-22, -9])
        self.assertTrue(gone > 50 and back > 300, (gone, back))

    def test_hear(self):
        """Kept, dropped and counted, or nobody's."""
        kept = 0
        nobody = 0
        read = 0
        for i in range(3000):
            data = self.draw(self.random.below(90))
            end = self.ends[i % 3]
            number = (16, 47, 4, 63)[self.random.below(4)]
            if self.random.below(4):
                found = end.hear(number | self.random.below(2) << 7, data)
            else:
                found = end.hear_mfmt(data)
                number = 64 if end.direction != NONE else 63
            self.assertIs(found, number != 63)
            nobody += number == 63
            kept += number not in (4, 63)
            if self.random.below(20) == 0:
                read += len(self.collect())
        read += len(self.collect())
        lost = sum([channel.dropped for channel in self.channels])
        self.assertEqual(kept, read + lost)
        self.assertTrue(lost > 50 and nobody > 300, (lost, nobody))


class Sending(unittest.TestCase):
    """tile.send: to a neighbour, whatever its side; refused with an errno, never bounced."""

    def setUp(self):
        self.ends = [End(0, 5), End(1, NONE)]
        self.tile = tile_with(*self.ends)

    def test_header(self):
        """Of each class, reliable or not, to a side or to none."""
        for end in self.ends:
            end.begin()
            byte0 = 0x80 | end.direction & 7
            for bulk, reliable, byte1, rank in (
                (False, True, 0x44, 1),
                (False, False, 0x04, 1),
                (True, True, 0xC4, 2),
                (True, False, 0x84, 2),
            ):
                done = self.tile.send(end, 4, b"data!", 3, bulk=bulk, reliable=reliable)
                self.assertEqual(done, 3)
                self.assertEqual(end.sent(rank), (reliable, bytes([byte0, byte1]) + b"dat"))

    def test_limits(self):
        end = self.ends[0].begin()
        self.assertEqual(self.tile.send(end, 4, b""), 0)
        self.assertEqual(self.tile.send(end, 4, text(96)), 96)
        self.assertEqual(self.tile.send(end, 4, text(97)), -90)
        self.assertEqual(self.tile.send(end, 4, text(98), reliable=False), 98)
        self.assertEqual(self.tile.send(end, 4, text(99), reliable=False), -90)
        self.assertEqual(self.tile.send(end, 4, text(9), 10), -90)
        self.assertEqual([len(p) for p in end.all_sent()], [2, 98, 100])

    def test_refused(self):
        end = self.ends[0]
        self.assertEqual(self.tile.send(end, 4, b"x"), -113)
        self.assertIs(end.out, None)
        end.begin()
        count = 0
        while self.tile.send(end, 4, text(80)) == 80:
            count += 1
        self.assertEqual(count, 6)
        self.assertEqual(self.tile.send(end, 4, text(80)), -11)
        self.assertEqual(self.tile.send(end, 4, text(80), bulk=True), 80)
        self.assertEqual(self.tile.send(self.ends[1], 4, text(80)), -113)
        end.state = 2  # REFUSED
        self.assertEqual(self.tile.send(end, 4, b""), -113)

    def test_of_a_channel(self):
        """What a program sends to a neighbour on no side comes back with the session's end."""
        channel = self.tile.open(40)
        end = self.ends[1].begin()
        self.tile.send(end, 40, b"abc")
        end.end()
        self.assertEqual(taken(channel), [b"\x88\x68abc"])
        self.assertEqual(channel.via, 1)

    def test_memory_is_taken_when_it_is_needed(self):
        end = self.ends[0].begin()
        self.assertIs(end.out, None)
        self.tile.send(end, 4, b"x")
        self.assertEqual([p.fits(300) for p in end.out.ranks], [False, True, False])

    def test_the_pump_is_woken(self):
        end = self.ends[0].begin()
        woken = self.tile.waiter.woken
        self.tile.send(end, 4, b"x")
        self.assertEqual(self.tile.waiter.woken, woken + 1)
        self.tile.open(16)
        self.tile.put(b"\x85\x10x")
        self.assertEqual(self.tile.waiter.woken, woken + 2)


if __name__ == "__main__":
    unittest.main()
