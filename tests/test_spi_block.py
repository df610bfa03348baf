# SPDX-License-Identifier: MIT
"""Blocks of an SPI: no byte lost, doubled or changed between two ends, whatever is damaged."""

import unittest

from limpet.transport.spi_block import Blocks

BOTH = 0  # outcomes of an exchange: both blocks come,
TO_PERIPHERAL = 1  # only one of them,
TO_CONTROLLER = 2
NEITHER = 3


class Pair:
    """A controller's and a peripheral's blocks, exchanged with the outcome that a test wants."""

    def __init__(self, size=16):
        self.ends = [Blocks(size, False), Blocks(size, True)]
        self.got = [b"", b""]
        self.counts = [0, 0]

    def put(self, i, data):
        return self.ends[i].put(bytearray(data), 0, len(data))

    def exchange(self, outcome=BOTH):
        sent = [bytearray(end.build()) for end in self.ends]
        if outcome in (TO_CONTROLLER, NEITHER):
            sent[0][5] ^= 4
            sent[0][0] ^= 1
        if outcome in (TO_PERIPHERAL, NEITHER):
            sent[1][3] = 255
        for i in range(2):
            end = self.ends[i]
            end.into[:] = sent[1 - i]
            self.counts[i] = end.took()
            if self.counts[i] > 0:
                self.got[i] += bytes(end.into[4 : 4 + self.counts[i]])


def text(count, begin=0):
    return bytes([begin + i & 255 for i in range(count)])


class TestLayout(unittest.TestCase):
    """The bytes of a block are those of docs/spi.md."""

    def test_bytes(self):
        pair = Pair()
        pair.put(0, b"Limpet")
        block = pair.ends[0].build()
        self.assertEqual(bytes(block[2:10]), b"\x50\x06Limpet")
        self.assertEqual(bytes(block[:2]), check(block[2:10], 0xFFFF ^ 16))
        self.assertEqual(len(block), 16)
        block = pair.ends[1].build()
        self.assertEqual(bytes(block[2:4]), b"\xa0\x00")
        self.assertEqual(bytes(block[:2]), check(block[2:4], 0xFFFF ^ 16))

    def test_golden(self):
        """As a second implementation would have it, from the document."""
        end = Blocks(64, False)
        end.put(bytearray(b"\x01\x02\x00"), 0, 3)
        self.assertEqual(bytes(end.build()[:7]).hex(), GOLDEN_CONTROLLER)
        end = Blocks(64, True)
        self.assertEqual(bytes(end.build()[:4]).hex(), GOLDEN_PERIPHERAL)

    def test_sizes(self):
        for size in (16, 17, 64, 256):
            pair = Pair(size)
            self.assertEqual(pair.put(0, text(600)), 2 * (size - 4))
            self.assertFalse(pair.ends[0].has_room())
            for _ in range(3):
                pair.exchange()
            self.assertEqual(pair.got[1], text(2 * (size - 4)))
        for size in (0, 15, 257):
            with self.assertRaises(ValueError):
                Blocks(size, False)


GOLDEN_CONTROLLER = "a02c5003010200"
GOLDEN_PERIPHERAL = "48b5a000"


def check(data, crc):
    """CRC-16, polynomial 0x1021, bit by bit."""
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ 0x1021 if crc & 0x8000 else crc << 1) & 0xFFFF
    return bytes([crc >> 8, crc & 255])


class TestStream(unittest.TestCase):
    """Whatever comes of the exchanges, the stream arrives: whole, once and in order."""

    def test_every_outcome(self):
        """Every sequence of five outcomes, with data both ways, of several sizes."""
        for number in range(4**5):
            pair = Pair()
            sent = [b"", b""]
            for turn in range(12):
                for i in range(2):
                    data = text(1 + (turn * 5 + i * 3) % 17, turn * 16 + i)
                    sent[i] += data[: pair.put(i, data)]
                pair.exchange(number >> 2 * turn & 3 if turn < 5 else BOTH)
            for _ in range(4):
                pair.exchange()
            for i in range(2):
                if pair.got[1 - i] != sent[i]:
                    self.fail("outcomes %o: end %d got %s" % (number, 1 - i, pair.got[1 - i]))
                self.assertFalse(pair.ends[i].wants() and pair.ends[i].is_waiting())

    def test_without_faults_nothing_is_repeated(self):
        pair = Pair()
        for _ in range(50):
            for i in range(2):
                pair.put(i, text(20))
            pair.exchange()
        for end in pair.ends:
            self.assertEqual((end.bad, end.repeated, end.renumbered, end.good), (0, 0, 0, 50))

    def test_one_way_for_long(self):
        """While nothing comes back, the oldest block goes again and again, and nothing is lost."""
        pair = Pair()
        data = text(100)
        taken = pair.put(0, data)
        for _ in range(20):
            pair.exchange(TO_PERIPHERAL)
            taken += pair.put(0, data[taken:])
        self.assertEqual(pair.got[1], data[:12])
        self.assertEqual(taken, 24)
        while taken < 100:
            pair.exchange()
            taken += pair.put(0, data[taken:])
        for _ in range(3):
            pair.exchange()
        self.assertEqual(pair.got[1], data)

    def test_what_is_to_be_told(self):
        """An end knows whether the other one waits to hear from it."""
        pair = Pair()
        a, b = pair.ends
        self.assertFalse(a.wants() or b.wants() or a.is_waiting())
        pair.put(0, b"x")
        self.assertTrue(a.wants() and a.has_fresh())
        pair.exchange()
        self.assertTrue(a.is_waiting() and b.wants())
        self.assertFalse(a.has_fresh() or b.has_fresh())
        pair.exchange()
        self.assertFalse(a.is_waiting() or a.wants() or b.wants())
        pair.exchange(NEITHER)
        self.assertTrue(a.wants() and b.wants())

    def test_recall(self):
        """A block that was built and did not go is built again, with what has been added."""
        pair = Pair()
        a = pair.ends[0]
        a.build()
        a.recall()
        pair.put(0, b"ab")
        self.assertEqual(a.build()[3], 2)
        a.recall()
        self.assertEqual(a.build()[3], 2)
        a.recall()
        self.assertFalse(a.is_waiting())
        pair.exchange()
        pair.exchange()
        self.assertEqual(pair.got[1], b"ab")
        pair.put(1, b"cd")
        pair.exchange()
        self.assertTrue(a.news)
        a.build()
        self.assertFalse(a.news)
        a.recall()
        self.assertTrue(a.news)


class TestResets(unittest.TestCase):
    """An end that has forgotten everything is understood after a few exchanges."""

    def test_at_any_point(self):
        for who in range(2):
            for before in range(12):
                for outcome in range(4):
                    pair = Pair()
                    for turn in range(before):
                        pair.put(0, text(9, turn))
                        pair.put(1, text(14, turn))
                        pair.exchange(outcome if turn == before - 1 else BOTH)
                    pair.ends[who] = Blocks(16, who == 1)
                    for _ in range(6):
                        pair.exchange()
                    pair.got = [b"", b""]
                    for turn in range(4):
                        self.assertEqual(pair.put(0, text(7, turn)), 7)
                        self.assertEqual(pair.put(1, text(7, turn)), 7)
                        pair.exchange()
                    for _ in range(4):
                        pair.exchange()
                    all_of_it = b"".join([text(7, turn) for turn in range(4)])
                    self.assertEqual(pair.got, [all_of_it, all_of_it], (who, before, outcome))

    def test_what_cannot_be_an_answer_is_none(self):
        """A new end's first block is not taken for acknowledged by a number from before."""
        for before in range(1, 4):
            pair = Pair()
            for turn in range(before):
                pair.put(0, text(3, turn))
                pair.exchange()
            pair.exchange()
            pair.ends[0] = Blocks(16, False)
            pair.got[1] = b""
            pair.put(0, b"first")
            for _ in range(4):
                pair.exchange()
            self.assertEqual(pair.got[1], b"first", before)
            self.assertEqual(pair.ends[0].renumbered, 1)


class TestDamage(unittest.TestCase):
    """A block that is not as it was sent is refused, or what was changed means nothing."""

    def judge(self, block, count, data):
        end = Blocks(len(block), True)
        end.into[:] = block
        got = end.took()
        if got >= 0 and (got != count or bytes(end.into[4 : 4 + got]) != data):
            self.fail("took %s" % bytes(block).hex())
        return got < 0

    def test_every_bit(self):
        for count in (0, 5, 12):
            end = Blocks(16, False)
            end.put(bytearray(text(count, 77)), 0, count)
            block = end.build()
            refused = 0
            for bit in range(128):
                broken = bytearray(block)
                broken[bit >> 3] ^= 0x80 >> (bit & 7)
                refused += self.judge(broken, count, text(count, 77))
            self.assertEqual(refused, 8 * (4 + count))

    def test_every_slip(self):
        """One clock too few or too many anywhere in a block, whatever fills it up."""
        for count in (0, 5, 12):
            end = Blocks(16, False)
            end.put(bytearray(text(count, 5)), 0, count)
            whole = int.from_bytes(end.build(), "big")
            for at in range(129):
                high = whole >> (128 - at) << (128 - at)
                low = whole & (1 << 128 - at) - 1
                for filler in range(2):
                    less = high | low << 1 & (1 << 128 - at) - 1 | (filler if at < 128 else 0)
                    self.judge(less.to_bytes(16, "big"), count, text(count, 5))
                    more = high | low >> 1 | (filler << 127 - at if at < 128 else 0)
                    self.judge(more.to_bytes(16, "big"), count, text(count, 5))

    def test_not_ours(self):
        """Nothing, one's own echo and blocks of another size are no blocks."""
        end = Blocks(64, True)
        for fill in (0, 255, 0x55, 0xAA):
            self.assertTrue(self.judge(bytes([fill] * 64), -1, b""))
        self.assertTrue(self.judge(end.build(), -1, b""))
        other = Blocks(32, False).build()
        self.assertTrue(self.judge(bytes(other) + bytes(32), -1, b""))

    def test_the_block_before_is_not_taken_again(self):
        """build() clears the head of what came: an exchange without a clock brings nothing."""
        pair = Pair()
        pair.put(0, b"once")
        pair.exchange()
        peripheral = pair.ends[1]
        peripheral.build()
        self.assertEqual(peripheral.took(), -1)
        self.assertEqual(peripheral.bad, 1)


if __name__ == "__main__":
    unittest.main()
