# SPDX-License-Identifier: MIT
"""The counter: a number in a file, told to the neighbours, and theirs."""

import os
import unittest

from helpers_tile import End, tile_with
from limpet.counter import Counter
from limpet.rand import Random
from limpet.ticks import ticks_add

START = 0x3FFFFFFF - 5000
PATH = "/tmp/limpet_test_counter_%d"


class Case:
    """A tile with a counter; the file is written by the test."""

    made = 0

    def __init__(self):
        Case.made += 1
        self.path = PATH % (Random(id(self) & 0xFFFFFF).next() + Case.made)
        self.ends = [End(0, 2), End(1, 6)]
        self.tile = tile_with(*self.ends)
        self.counter = Counter(self.tile, self.path, Random(4))
        self.tile.add(self.counter)
        self.now = START

    def write(self, text):
        """Write the file; a change within one second may be seen by its size only."""
        with open(self.path, "w") as file:
            file.write(text)

    def run(self, ms):
        """Let time pass; return what both ends were told, as (ms, end, packet)."""
        found = []
        end = ticks_add(self.now, ms)
        passed = 0
        while self.now != end:
            self.now = ticks_add(self.now, 100)
            passed += 100
            self.tile.poll(self.now)
            for i in range(2):
                found += [(passed, i, packet) for packet in self.ends[i].all_sent()]
        return found

    def remove(self):
        try:
            os.remove(self.path)
        except OSError:
            pass


def told(value):
    return b"\x82\x83\x01" + value.to_bytes(4, "big")


class Counting(unittest.TestCase):
    def setUp(self):
        self.case = Case()
        self.addCleanup(self.case.remove)
        self.counter = self.case.counter

    def test_file(self):
        """Read at once, and again when it has changed; trouble keeps the number."""
        case, counter = self.case, self.counter
        case.run(1000)
        self.assertEqual((counter.value, counter.bad), (0, 0))
        for text, value, bad in (
            ("7", 7, 0),
            ("4294967295\n", 0xFFFFFFFF, 0),
            (" 12 ", 12, 0),
            ("", 12, 1),
            ("x", 12, 2),
            ("4294967296", 12, 3),
            ("-1", 12, 4),
            ("12345678901234567890123", 12, 5),
            ("123", 123, 5),
        ):
            case.write(text)
            case.run(1100)
            self.assertEqual((counter.value, counter.bad), (value, bad), text)
        case.remove()
        case.run(1100)
        self.assertEqual((counter.value, counter.bad), (123, 5))

    def test_a_change_that_its_time_does_not_show(self):
        """Same size, same second: found when the number is told again."""
        self.case.write("1")
        self.case.run(1000)
        self.case.write("2")
        self.case.run(76000)
        self.assertEqual(self.counter.value, 2)

    def test_told(self):
        """To each neighbour that is up: when it comes, when it changes, each minute."""
        case = self.case
        case.write("5")
        self.assertEqual(case.run(3000), [])
        case.ends[0].begin()
        self.assertEqual(case.run(100), [(100, 0, told(5))])
        case.ends[1].begin()
        self.assertEqual([f[1] for f in case.run(100)], [0, 1])
        case.write("61")
        found = case.run(1100)
        self.assertEqual([f[2] for f in found], [told(61), b"\x86" + told(61)[1:]])
        found = case.run(600000)
        times = [f[0] for f in found if f[1] == 0]
        gaps = [b - a for a, b in zip([0] + times, times)]
        self.assertTrue(all(44000 <= gap <= 75100 for gap in gaps), gaps)
        self.assertGreater(len({gap // 1000 for gap in gaps}), 4)
        self.assertEqual(len(found), 2 * len(times))

    def test_heard(self):
        """Of each neighbour its own, until the session ends; garbage and more bytes do no harm."""
        case, counter = self.case, self.counter
        for end in case.ends:
            end.begin()
        case.ends[0].hear(0x83, b"\x01\x00\x00\x01\x00")
        case.ends[1].hear(0x83, b"\x01\xff\xff\xff\xffmore")
        self.assertEqual(counter.heard, {0: 256, 1: 0xFFFFFFFF})
        for data in (b"", b"\x01", b"\x01\0\0\0", b"\x02\0\0\0\0", b"\0\0\0\0\0"):
            case.ends[0].hear(0x83, data)
        self.assertEqual(counter.heard, {0: 256, 1: 0xFFFFFFFF})
        case.ends[1].end()
        self.assertEqual(counter.heard, {0: 256})
        case.ends[0].end()
        case.ends[0].begin()
        case.ends[0].end()
        self.assertEqual(counter.heard, {})

    def test_due(self):
        wait = self.case.tile.poll(START)
        self.assertEqual(wait, 1000)
        self.assertEqual(self.case.tile.poll(ticks_add(START, 400)), 600)


if __name__ == "__main__":
    unittest.main()
