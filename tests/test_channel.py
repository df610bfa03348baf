# SPDX-License-Identifier: MIT
"""Packets in queues: all bytes come out as they went in, in order, and never more than fit."""

import unittest

from helpers_tile import End, taken, text, tile_with
from limpet.channel import Outgoing, Packets
from limpet.rand import Random

HEAD = b"\x82\x50"


class Bell:
    def __init__(self):
        self.count = 0

    def wake(self):
        self.count += 1


def popped(queue, at=2):
    """Take the oldest packet out, as bytes, with something behind it that must stay."""
    out = bytearray([0xEE] * 300)
    size = queue.peek(0)
    end = queue.pop(out, at)
    assert end == size + at - 2
    assert out[max(end, 2) :] == bytes([0xEE] * (300 - max(end, 2)))
    return bytes(out[: min(2, size)] + out[at : max(end, at)])


class Queues(unittest.TestCase):
    """A queue of packets in one piece of memory."""

    def test_sizes(self):
        """From one byte to 255, the header before the data, wherever that stood."""
        queue = Packets(600)
        data = b"..." + text(260)
        for size in (1, 2, 3, 4, 98, 254, 255):
            self.assertTrue(queue.add(HEAD, data, 3, 1 + size))
            self.assertEqual(queue.count, 1)
            self.assertEqual(queue.peek(0), size)
            self.assertEqual(queue.peek(2), 0x82)
            if size > 1:
                self.assertEqual(queue.peek(3), 0x50)
            self.assertEqual(popped(queue, 4 if size > 1 else 2), (HEAD + text(253))[:size])
            self.assertEqual(queue.count, 0)
        self.assertEqual(queue.peek(0), 0)

    def test_exactly_full(self):
        """A packet takes its size and two; one byte more is refused, and changes nothing."""
        bell = Bell()
        queue = Packets(100, bell)
        self.assertTrue(queue.fits(98))
        self.assertFalse(queue.fits(99))
        self.assertFalse(queue.add(HEAD, text(99), 0, 97))
        self.assertEqual((queue.count, bell.count), (0, 0))
        self.assertTrue(queue.add(HEAD, text(99), 0, 96))
        self.assertEqual((queue.count, bell.count), (1, 1))
        for size in (1, 2):
            self.assertFalse(queue.fits(size))
            self.assertFalse(queue.add(HEAD, b"", 0, size - 2))
        self.assertEqual((queue.count, bell.count), (1, 1))
        self.assertEqual(popped(queue), HEAD + text(96))
        for _ in range(25):
            self.assertTrue(queue.add(HEAD, b"", 0, -1))
        self.assertFalse(queue.add(HEAD, b"", 0, -1))
        self.assertEqual([popped(queue) for _ in range(25)], [b"\x82"] * 25)

    def test_no_memory(self):
        queue = Packets(0)
        self.assertFalse(queue.add(HEAD, b"", 0, -1))
        self.assertEqual(queue.peek(0), 0)

    def test_against_a_list(self):
        """A long run of chance, seldom empty, often full: the same as a list of packets."""
        random = Random(5)
        queue = Packets(300)
        model = []
        full = 0
        for i in range(3000):
            if random.below(100) < 55:
                size = 1 + random.below(120)
                queue.index = i & 127
                head = bytes([i & 255, i * 7 & 255])
                data = text(size, i)
                start = random.below(3)
                fits = sum(max(2, len(p)) + 2 for p, _ in model) + max(2, size) + 2 <= 300
                self.assertEqual(queue.fits(size), fits)
                end = start + size - 2
                self.assertEqual(queue.add(head, bytes(start) + data, start, end), fits)
                if fits:
                    model.append(((head + data[: max(0, size - 2)])[:size], i & 127))
                full += not fits
            elif model:
                packet, index = model.pop(0)
                self.assertEqual(queue.peek(1), index)
                self.assertEqual(
                    popped(queue, 2 + random.below(4) if len(packet) > 1 else 2), packet
                )
            self.assertEqual(queue.count, len(model))
            for direction in range(8):
                there = any(p[0] & 7 == direction for p, _ in model)
                self.assertEqual(queue.has(direction), there)
        self.assertGreater(full, 300)


class ForALink(unittest.TestCase):
    """Outgoing: three ranks, each in order, each with its own room."""

    def test_ranks(self):
        out = Outgoing(200)
        heads = (b"\xa2\xc3", b"\x82\x50", b"\x82\x10", b"\x82\xd0", b"\x82\x90")
        ranks = (0, 1, 1, 2, 2)
        reliable = (False, True, False, True, False)
        for rank in range(3):
            self.assertEqual(out.waiting(rank), 0)
            self.assertFalse(out.is_reliable(rank))
        for i in range(5):
            self.assertTrue(out.put(heads[i], text(10, i), 0, 10))
            self.assertEqual(out.total, i + 1)
        buf = bytearray(300)
        for i in range(5):
            self.assertEqual(out.waiting(ranks[i]), 12)
            self.assertEqual(out.is_reliable(ranks[i]), reliable[i])
            at = 4 if reliable[i] else 2
            self.assertEqual(out.take(ranks[i], buf, at), at + 10)
            self.assertEqual(bytes(buf[:2]), heads[i])
            self.assertEqual(bytes(buf[at : at + 10]), text(10, i))
            self.assertEqual(out.total, 4 - i)
        self.assertEqual([out.waiting(rank) for rank in range(3)], [0, 0, 0])

    def test_one_full_rank_leaves_the_others_alone(self):
        bell = Bell()
        out = Outgoing(60, bell)
        while out.put(b"\x82\x90", text(10), 0, 10):
            pass
        self.assertEqual((out.total, bell.count), (4, 4))
        self.assertFalse(out.put(b"\x82\xd0", text(10), 0, 10))
        self.assertTrue(out.put(b"\x82\x10", text(10), 0, 10))
        self.assertTrue(out.put(b"\xa2\x90", text(10), 0, 10))
        self.assertEqual((out.total, bell.count), (6, 6))

    def test_one_byte(self):
        """MFMT: a packet may be of one byte, and byte 1 means nothing here."""
        out = Outgoing(60)
        self.assertTrue(out.put(b"\xa3\xff", b"", 2, 1))
        self.assertTrue(out.put(b"\xa3\xff", b"", 0, 0))
        buf = bytearray(4)
        self.assertEqual((out.waiting(0), out.is_reliable(0)), (1, False))
        self.assertEqual(out.take(0, buf, 2), 1)
        self.assertEqual(buf[0], 0xA3)
        self.assertEqual(out.waiting(0), 2)
        self.assertEqual(out.take(0, buf, 2), 2)
        self.assertEqual(bytes(buf[:2]), b"\xa3\xff")
        self.assertEqual(out.total, 0)


class Reading(unittest.TestCase):
    """A program takes what came for its service."""

    def setUp(self):
        self.ends = [End(0, 2), End(1, 8)]
        self.tile = tile_with(*self.ends)
        for end in self.ends:
            end.begin()
        self.channel = self.tile.open(16, 120)

    def test_take(self):
        """Header and data, of which link; what the link does with its buffer then is its own."""
        out = bytearray(96)
        self.assertEqual(self.channel.take(out), 0)
        self.assertTrue(self.ends[0].hear(16, b"abc"))
        self.assertTrue(self.ends[1].hear(0x80 | 16, b""))
        self.assertTrue(self.ends[0].hear(0x40 | 16, b"z", 4))
        self.assertEqual(self.channel.count, 3)
        self.assertTrue(self.channel.is_readable())
        self.assertEqual(self.channel.take(out), 5)
        self.assertEqual((bytes(out[:5]), self.channel.via), (b"\x82\x10abc", 0))
        self.assertEqual(self.channel.take(out), 2)
        self.assertEqual((bytes(out[:2]), self.channel.via), (b"\x80\x90", 1))
        self.assertEqual(self.channel.read(), b"\x82\x50z")
        self.assertEqual(self.channel.via, 0)
        self.assertIs(self.channel.read(), None)
        self.assertFalse(self.channel.is_readable())

    def test_very_many_links(self):
        """Beyond the first 255 their packets come all the same, and are of none in particular."""
        for index, via in ((254, 254), (255, 255), (256, 255), (70000, 255)):
            self.ends[0].index = index
            self.ends[0].hear(16, b"abc")
            self.channel.read()
            self.assertEqual(self.channel.via, via)

    def test_small_buffer(self):
        """The packet stays, and nothing is written behind the buffer's end or into it."""
        self.ends[0].hear(16, b"abc")
        for size in (0, 1, 2, 4):
            out = bytearray(size)
            self.assertEqual(self.channel.take(out), -90)
            self.assertEqual(out, bytes(size))
        out = bytearray(5)
        self.assertEqual(self.channel.take(out), 5)

    def test_full_drops_and_counts_what_is_unreliable(self):
        self.assertTrue(self.ends[0].hear(16, text(50)))
        self.assertTrue(self.ends[0].hear(16, text(60)))
        self.assertTrue(self.ends[0].hear(16, text(61)))
        self.assertTrue(self.ends[0].hear(16, b""))
        self.assertEqual(self.channel.dropped, 2)
        self.assertEqual([len(p) for p in taken(self.channel)], [52, 62])
        self.assertTrue(self.ends[0].hear(16, b""))
        self.assertEqual(taken(self.channel), [b"\x82\x10"])

    def test_full_holds_what_is_reliable_until_a_take(self):
        """The link is told that there is no room, and woken when there is."""
        hear = self.ends[0].hear
        waiter = self.tile.waiter
        self.assertTrue(hear(0x50, text(50), 4))
        self.assertTrue(hear(0x50, text(50), 4))
        woken = waiter.woken
        self.assertIs(hear(0x50, text(50), 4), None)
        self.assertEqual((self.channel.dropped, self.channel.count), (0, 2))
        self.assertEqual(waiter.woken, woken)
        out = bytearray(260)
        self.channel.take(out)
        self.assertEqual(waiter.woken, woken + 1)
        self.assertTrue(hear(0x50, text(50, 9), 4))
        self.channel.take(out)
        self.assertEqual(waiter.woken, woken + 1)  # nothing was refused since
        self.assertEqual(taken(self.channel), [b"\x82\x50" + text(50, 9)])

    def test_what_never_fits_holds_nobody_up(self):
        """A reliable packet larger than the channel is dropped, instead of waiting for ever."""
        self.assertTrue(self.ends[0].hear(0x50, text(117), 4))
        self.assertEqual((self.channel.dropped, self.channel.count), (1, 0))
        self.assertTrue(self.ends[0].hear(0x50, text(116), 4))
        self.assertEqual((self.channel.dropped, self.channel.count), (1, 1))

    def test_watch(self):
        bell = Bell()
        self.channel.set_watch(bell)
        self.ends[0].hear(16, b"abc")
        self.ends[0].hear(16, text(117))  # dropped: there is nothing to be told of
        self.assertEqual(bell.count, 1)


if __name__ == "__main__":
    unittest.main()
