# SPDX-License-Identifier: MIT
"""Records: numbers of up to 30 bits as varints, and a cursor that never leaves its bounds."""

import unittest

from limpet import record
from limpet.rand import Random
from limpet.record import Cursor

MAX = 0x3FFFFFFF
EDGES = (0, 1, 0x7F, 0x80, 0x3FFF, 0x4000, 0x1FFFFF, 0x200000, 0xFFFFFFF, 0x10000000, MAX - 1, MAX)

# As docs/wire.md has them.
VECTORS = (
    (0, b"\x00"),
    (127, b"\x7f"),
    (128, b"\x80\x01"),
    (300, b"\xac\x02"),
    (16383, b"\xff\x7f"),
    (16384, b"\x80\x80\x01"),
    (MAX, b"\xff\xff\xff\xff\x03"),
)


def over(data, start=0, end=None):
    """Return a cursor that reads `data`."""
    cursor = Cursor()
    cursor.over(bytearray(data), start, len(data) if end is None else end)
    return cursor


def written(value, room=8):
    cursor = over(bytes(room))
    cursor.put_varint(value)
    return cursor


class TestVarint(unittest.TestCase):
    def test_vectors(self):
        """The bytes are those of the wire's description, both ways."""
        for value, data in VECTORS:
            cursor = written(value)
            self.assertEqual(bytes(cursor.buf[: cursor.i]), data)
            self.assertFalse(cursor.bad)
            cursor = over(data + b"\x55")
            self.assertEqual(cursor.get_varint(), value)
            self.assertEqual(cursor.i, len(data))
            self.assertFalse(cursor.bad)

    def test_round_trip(self):
        """Every number of 30 bits comes back, and takes five bytes at the most."""
        random = Random(30)
        values = list(EDGES) + [random.next() >> random.below(30) for _ in range(500)]
        for value in values:
            cursor = written(value)
            size = cursor.i
            self.assertLessEqual(size, 5)
            cursor.over(cursor.buf, 0, size)
            self.assertEqual(cursor.get_varint(), value)
            self.assertEqual((cursor.i, cursor.bad), (size, False))

    def test_too_many_bits(self):
        """What is no small number of a board is refused, not computed."""
        for data in (
            b"\xff\xff\xff\xff\x04",
            b"\xff\xff\xff\xff\x7f",
            b"\x80\x80\x80\x80\x80\x01",
            b"\xff\xff\xff\xff\xff",
            b"\xff" * 20,
        ):
            cursor = over(data)
            self.assertEqual(cursor.get_varint(), 0)
            self.assertTrue(cursor.bad)

    def test_cut_off(self):
        """A number whose end is missing is bad, wherever cut, and nothing behind it is read."""
        for value, data in VECTORS:
            for size in range(len(data)):
                cursor = over(data + b"\x01", 0, size)
                got = cursor.get_varint()
                self.assertTrue(cursor.bad, value)
                self.assertEqual(cursor.i, size)
                self.assertTrue(0 <= got <= MAX)


class TestCursor(unittest.TestCase):
    def test_reads_no_further_than_its_end(self):
        """At the end get() gives 0 and tells, and stays where it is."""
        cursor = over(b"\x01\x02\x03\x04", 1, 3)
        self.assertEqual((cursor.left(), cursor.get(), cursor.get()), (2, 2, 3))
        self.assertFalse(cursor.bad)
        self.assertEqual((cursor.get(), cursor.bad, cursor.i, cursor.left()), (0, True, 3, 0))

    def test_writes_no_further_than_its_end(self):
        """What does not fit is left out and told, and nothing behind is touched."""
        cursor = over(b"\xee" * 6, 1, 4)
        for value in (1, 2, 3, 4, 5):
            cursor.put(value)
        self.assertTrue(cursor.bad)
        self.assertEqual(bytes(cursor.buf), b"\xee\x01\x02\x03\xee\xee")
        cursor.over(cursor.buf, 4, 6)
        self.assertFalse(cursor.bad)
        cursor.put_varint(MAX)
        self.assertTrue(cursor.bad)
        self.assertEqual(bytes(cursor.buf), b"\xee\x01\x02\x03\xff\xff")

    def test_over_starts_anew(self):
        """A cursor that was bad is good again over something else."""
        cursor = over(b"")
        cursor.get()
        cursor.over(bytearray(b"\x05"), 0, 1)
        self.assertEqual((cursor.bad, cursor.get()), (False, 5))

    def test_random_bytes(self):
        """Whatever is read, from whatever bytes, stays in bounds and within 30 bits."""
        random = Random(5)
        for _ in range(300):
            size = random.below(24)
            data = bytes([random.below(256) for _ in range(size)])
            start = random.below(size + 1)
            end = start + random.below(size - start + 1)
            cursor = over(data, start, end)
            while not cursor.bad:
                if random.below(2):
                    self.assertTrue(0 <= cursor.get() <= 255)
                else:
                    self.assertTrue(0 <= cursor.get_varint() <= MAX)
                self.assertTrue(start <= cursor.i <= end)


class TestLayout(unittest.TestCase):
    def test_the_head_holds_kind_length_and_operation_apart(self):
        """No two meanings of a head share a bit."""
        kinds = (record.ANNOUNCEMENT, record.REQUEST, record.ANSWER, record.CONTROL)
        self.assertEqual(len(set(kinds)), 4)
        for kind in kinds:
            self.assertEqual(kind & record.KIND, kind)
        self.assertEqual(record.KIND | record.LENGTH | record.OPERATION, 0xFF)
        self.assertEqual(record.KIND & record.LENGTH, 0)
        self.assertEqual(record.KIND & record.OPERATION, 0)

    def test_what_undoes_an_operation_follows_it(self):
        self.assertEqual(record.UNLISTEN, record.LISTEN + 1)
        self.assertEqual(record.UNREPLY, record.REPLY + 1)

    def test_the_largest_head_is_counted_right(self):
        """Head, length, context, tag and two numbers of 30 bits fit HEAD_SIZE_MAX."""
        number = written(MAX).i
        self.assertLessEqual(4 + 2 * number, record.HEAD_SIZE_MAX)


if __name__ == "__main__":
    unittest.main()
