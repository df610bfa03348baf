# SPDX-License-Identifier: MIT
"""Times that wrap: differences and sums are right on both sides of the wrap, in small ints."""

import unittest

from costs import cost
from limpet.ticks import MS_MAX, ticks_add, ticks_diff

PERIOD = 1 << 30
HALF = 1 << 29
TIMES = (0, 1, 2, HALF - 1, HALF, HALF + 1, PERIOD - 2, PERIOD - 1)
SPANS = (0, 1, 2, 1000, HALF - 2, HALF - 1)


class TestTicks(unittest.TestCase):
    def test_add(self):
        """A sum is a time: 0..2**30-1."""
        for t in TIMES:
            for ms in SPANS:
                self.assertEqual(ticks_add(t, ms), (t + ms) % PERIOD)

    def test_diff_undoes_add(self):
        """What was added is the difference, up to the longest span, and its negative backwards."""
        for t in TIMES:
            for ms in SPANS:
                self.assertEqual(ticks_diff(ticks_add(t, ms), t), ms)
                self.assertEqual(ticks_diff(t, ticks_add(t, ms)), -ms)

    def test_the_longest_span(self):
        """MS_MAX is told as later; one more is told as earlier."""
        self.assertEqual(MS_MAX, HALF - 1)
        self.assertEqual(ticks_diff(MS_MAX, 0), MS_MAX)
        self.assertEqual(ticks_diff(MS_MAX + 1, 0), -HALF)
        self.assertEqual(ticks_add(PERIOD - 1, MS_MAX), MS_MAX - 1)

    def test_no_allocation(self):
        """No intermediate value leaves the small ints of a board."""

        for t in TIMES:
            for u in TIMES + SPANS:
                self.assertEqual(cost(lambda: ticks_diff(t, u)), "")  # noqa: B023
            for ms in SPANS:
                self.assertEqual(cost(lambda: ticks_add(t, ms)), "")  # noqa: B023


if __name__ == "__main__":
    unittest.main()
