# SPDX-License-Identifier: MIT
"""MFMT and local packets, services by number, and the forms that a packet can have."""

import unittest

from helpers_tile import End, Recorder, taken, text, tile_with
from limpet.errors import AlreadyBound
from limpet.header import (
    DEBUG_TAG,
    DIRECTIONS,
    EROR,
    LABELLED_VALUE,
    LOCAL,
    NON_STANDARD,
    NONE,
    OVRN,
    ROUTED,
    ROUTED_MFMT,
    THREAD_STATUS,
    form,
    opposite,
)
from limpet.port import Waiter
from limpet.tile import Tile


class Forms(unittest.TestCase):
    """Each first byte has one form; each side has a name and an opposite."""

    def test_every_byte(self):
        for byte0 in range(256):
            expected = NON_STANDARD
            if byte0 >= 0xC0:
                expected = LOCAL  # bit 5 is reserved there, to be ignored
            elif byte0 >= 0xA0:
                expected = ROUTED_MFMT
            elif byte0 >= 0x80:
                expected = ROUTED
            self.assertEqual(form(byte0), expected, byte0)
        self.assertEqual(form(ord("P")), NON_STANDARD)
        self.assertEqual(len({NON_STANDARD, ROUTED, ROUTED_MFMT, LOCAL}), 4)
        self.assertEqual((OVRN, EROR), (0x10, 0x08))

    def test_sides(self):
        self.assertEqual(len(DIRECTIONS), 8)
        for a, b in (("NT", "ST"), ("NE", "SW"), ("ET", "WT"), ("SE", "NW")):
            self.assertEqual(opposite(DIRECTIONS.index(a)), DIRECTIONS.index(b))
            self.assertEqual(opposite(DIRECTIONS.index(b)), DIRECTIONS.index(a))
        self.assertEqual(opposite(NONE), NONE)


class ByNumber(unittest.TestCase):
    """A packet reaches the service that has its number, whatever its class."""

    def setUp(self):
        self.end = End(0, 6)
        self.tile = tile_with(self.end)
        self.four = Recorder(4)
        self.eight = Recorder(8)
        self.tile.add(self.four)
        self.tile.add(self.eight)

    def test_receive(self):
        for byte1, at in ((0x04, 2), (0x84, 2), (0x44, 4), (0xC4, 4)):
            self.assertIs(self.end.hear(byte1, b"data", at), True)
            self.assertEqual(self.four.log.pop(), (0, bytes([0x86, byte1]), b"data"))
        self.assertIs(self.end.hear(0x08, b""), True)
        self.assertEqual(self.eight.log, [(0, b"\x86\x08", b"")])
        self.assertEqual(self.four.log, [])

    def test_unknown(self):
        """The link counts it; a reliable one is let in, so that it blocks nothing."""
        for number in range(64):
            if number not in (4, 8):
                self.assertIs(self.end.hear(number, b"data"), False)
                self.assertIs(self.end.hear(0x40 | number, b"data", 4), False)
        self.assertIs(self.end.hear_mfmt(b"data"), False)
        self.assertEqual(self.four.log + self.eight.log, [])

    def test_a_number_has_one_service(self):
        with self.assertRaises(AlreadyBound):
            self.tile.add(Recorder(4))
        self.end.hear(4, b"x")
        self.assertEqual(len(self.four.log), 1)

    def test_room_is_the_services_to_tell(self):
        self.four.open = False
        self.assertIs(self.end.hear(0x44, b"x", 4), None)
        self.assertIs(self.end.hear(0x48, b"x", 4), True)
        self.assertIs(self.end.hear(0x04, b"x"), True)

    def test_sessions_are_told(self):
        """To each service, also to one that comes when a session runs, and of a late link."""
        self.end.begin()
        late = Recorder(9)
        self.tile.add(late)
        self.assertEqual(late.log, [("connected", 0)])
        self.end.end()
        events = [("connected", 0), ("disconnected", 0)]
        self.assertEqual([s.log for s in (self.four, self.eight, late)], [events] * 3)
        other = End(1, 3)
        other.state = 1
        self.tile.attach(other)
        self.assertEqual(late.log, events + [("connected", 1)])
        self.assertIs(other.tile, self.tile)

    def test_due(self):
        """The tile is due when the first of its services is."""
        self.four.due = 70
        self.eight.due = 30
        self.assertEqual(self.tile.poll(5), 30)
        self.eight.due = 0
        self.assertEqual(self.tile.poll(5), 0)
        self.assertEqual(Tile(Waiter(), 1, 2).poll(5), 0x1FFFFFFF)


class MFMT(unittest.TestCase):
    """The application's packets: before all others, and only between compatible tiles."""

    def setUp(self):
        self.ends = [End(0, 2), End(1, 6), End(2, 6), End(3, NONE)]
        self.tile = tile_with(*self.ends)
        self.mfmt = self.tile.mfmt

    def test_made_once(self):
        self.assertIs(self.tile.mfmt, self.mfmt)

    def test_of_all_sizes(self):
        """From one byte to a whole packet; byte 1 is the application's, whatever it says."""
        end = self.ends[0].begin()
        for data in (b"", b"\x02", b"\xff", b"\x90x", b"\x42" + text(98)):
            packet = b"\xa2" + data
            self.assertEqual(self.tile.put(packet), len(packet))
            self.assertEqual(end.sent(0), (False, packet))
            self.assertIs(end.hear_mfmt(data), True)
            self.assertEqual(self.mfmt.read(), packet)
        packet = b"\xa2" + text(100)
        self.assertEqual(self.tile.put(packet), 101)
        self.assertEqual(end.all_sent(), [])
        self.assertEqual(self.mfmt.read(), b"\xb2" + text(100))

    def test_gate(self):
        """To an incompatible neighbour it comes back; services go all the same."""
        end = self.ends[0].begin(compatible=False)
        channel = self.tile.open(16)
        self.assertEqual(self.tile.put(b"\xa2x"), 2)
        self.assertEqual(self.mfmt.read(), b"\xaax")
        self.assertEqual(self.tile.put(b"\x82\x10x"), 3)
        self.assertEqual(end.all_sent(), [b"\x82\x10x"])
        end.end()
        end.begin()
        self.tile.put(b"\xa2x")
        self.assertEqual(end.all_sent(), [b"\xa2x"])
        self.assertEqual(taken(channel), [])

    def test_a_compatible_one_on_the_same_side(self):
        self.ends[1].begin(compatible=False)
        self.ends[2].begin()
        self.tile.put(b"\xa6x")
        self.assertEqual([end.all_sent() for end in self.ends], [[], [], [b"\xa6x"], []])

    def test_writable(self):
        """As long as the largest packet would go out, for each side by itself."""
        tile = self.tile
        self.assertEqual([tile.writable(d) for d in range(9)], [False] * 9)
        self.ends[0].begin()
        self.ends[1].begin(compatible=False)
        self.ends[3].begin()
        self.assertEqual([d for d in range(10) if tile.writable(d)], [2])
        self.ends[2].begin()
        self.assertEqual([d for d in range(10) if tile.writable(d)], [2, 6])
        north = End(4, 0)
        tile.attach(north)
        north.begin()
        self.assertEqual([d for d in range(10) if tile.writable(d)], [0, 2, 6])
        north.end()
        while tile.writable(2):
            tile.put(b"\xa2" + text(99))
        self.assertEqual(self.mfmt.count, 0)
        self.assertEqual([d for d in range(10) if tile.writable(d)], [6])
        tile.put(b"\xa2" + text(99))
        self.assertEqual(self.mfmt.read()[:1], b"\xb2")
        self.ends[0].sent(0)
        self.assertTrue(tile.writable(2))
        self.ends[0].end()
        self.assertFalse(tile.writable(2))

    def test_writable_by_a_byte(self):
        """There is room for the largest, or for all but the largest two."""
        self.ends[0].begin()
        for size in (100, 100, 100, 100, 2):
            self.assertTrue(self.tile.writable(2))
            self.tile.put(b"\xa2" + text(size - 1))
        self.assertFalse(self.tile.writable(2))
        self.ends[0].all_sent()
        for size in (100, 100, 100, 100):
            self.tile.put(b"\xa2" + text(size - 1))
        self.assertTrue(self.tile.writable(2))
        self.assertEqual(self.tile.put(b"\xa2" + text(99)), 100)
        self.assertEqual(self.mfmt.count, 0)

    def test_readable(self):
        """By side: what is from there, and what could not be sent there."""
        tile = self.tile
        self.assertEqual([d for d in range(9) if tile.readable(d)], [])
        self.ends[1].begin()
        self.ends[1].hear_mfmt(b"one")
        tile.put(b"\xa3two")
        self.assertEqual([d for d in range(9) if tile.readable(d)], [3, 6])
        self.assertEqual(self.mfmt.read(), b"\xa6one")
        self.assertEqual([d for d in range(9) if tile.readable(d)], [3])
        self.assertEqual(self.mfmt.read(), b"\xabtwo")
        self.assertEqual([d for d in range(9) if tile.readable(d)], [])

    def test_no_side_no_mfmt(self):
        """A packet that nobody can tell from one of the NT side is not let in."""
        end = self.ends[3].begin()
        self.assertIs(end.hear_mfmt(b"x"), False)
        self.assertEqual(self.mfmt.count, 0)

    def test_no_side_in_byte_0(self):
        """A link on no side is not reached by DIR 0."""
        end = self.ends[3].begin()
        self.tile.put(b"\xa0x")
        self.assertEqual(end.all_sent(), [])
        self.assertEqual(self.mfmt.read(), b"\xa8x")

    def test_compatibility(self):
        """Another string is told to all links, those that come later included."""
        late = End(4, 1)
        self.tile.set_compatibility("physics 7")
        self.tile.attach(late)
        self.assertEqual([end.texts for end in self.ends], [["physics 7"]] * 4)
        self.assertEqual(late.texts, ["physics 7"])
        self.tile.set_compatibility("x" * 45)
        with self.assertRaises(ValueError):
            self.tile.set_compatibility("x" * 46)
        self.assertEqual(late.texts, ["physics 7", "x" * 45])


class Local(unittest.TestCase):
    """Local standard packets reach the local channel of this board, and no link ever."""

    def setUp(self):
        self.ends = [End(i, i) for i in range(8)]
        self.tile = tile_with(*self.ends)
        for end in self.ends:
            end.begin()

    def test_all_types(self):
        """The reserved bit is cleared when written."""
        local = self.tile.local
        self.assertIs(self.tile.local, local)
        self.assertEqual((LABELLED_VALUE, DEBUG_TAG, THREAD_STATUS), (0xC1, 0xC2, 0xC3))
        for byte0 in range(0xC0, 0x100):
            self.assertEqual(self.tile.put(bytes([byte0]) + b"text"), 5)
            self.assertEqual(local.read(), bytes([byte0 & 0xDF]) + b"text")
        self.assertEqual(self.tile.put(b"\xc1"), 1)
        self.assertEqual(local.read(), b"\xc1")
        self.assertEqual([end.all_sent() for end in self.ends], [[]] * 8)

    def test_full(self):
        """It is refused, not dropped, and without a bit that says otherwise."""
        local = self.tile.local
        count = 0
        while self.tile.put(b"\xc1" + text(100)) == 101:
            count += 1
        self.assertEqual(self.tile.put(b"\xc1" + text(100)), -11)
        self.assertEqual(taken(local), [b"\xc1" + text(100)] * count)
        self.assertEqual((count, local.dropped), (4, 0))


if __name__ == "__main__":
    unittest.main()
