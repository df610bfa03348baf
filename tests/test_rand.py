# SPDX-License-Identifier: MIT
"""Our own randomness: the same numbers everywhere, well spread, never stuck."""

import unittest

from costs import cost
from limpet.rand import Random

KNOWN = (
    (0, (286040836, 998583015, 59741223, 429414487)),
    (1, (442594599, 194517647, 721711797, 40890479)),
    (12345, (1047219714, 855763976, 47694665, 145504017)),
    (1073741823, (1061039194, 491649635, 855969432, 953393684)),
)
CHECKSUM = 976452
SEEDS = (0, 1, 2, 12345, 0x7FFF, 0x8000, (1 << 30) - 1)


class TestRandom(unittest.TestCase):
    def test_known_answers(self):
        """Each VM gives these numbers: what a seed decides must replay anywhere."""
        for seed, expected in KNOWN:
            random = Random(seed)
            self.assertEqual([random.next() for _ in range(4)], list(expected), seed)
        random = Random(7)
        total = 0
        for _ in range(1000):
            total = (total * 31 + random.next()) % 1000003
        self.assertEqual(total, CHECKSUM)

    def test_range(self):
        """Numbers are 0..2**30-1, below(n) is 0..n-1."""
        for seed in SEEDS:
            random = Random(seed)
            for _ in range(200):
                self.assertTrue(0 <= random.next() < 1 << 30)
            for n in (1, 2, 3, 511, 512, 513, 32768):
                for _ in range(50):
                    self.assertTrue(0 <= random.below(n) < n)

    def test_never_stuck(self):
        """From each seed the numbers go on changing, and two seeds differ."""
        seen = set()
        for seed in SEEDS:
            random = Random(seed)
            first = [random.next() for _ in range(100)]
            self.assertTrue(len(set(first)) > 95, seed)
            seen.add(tuple(first))
        self.assertEqual(len(seen), len(SEEDS))

    def test_every_bit_of_the_seed_counts(self):
        """Seeds that differ in one of their 30 bits give different numbers."""
        for seed in SEEDS:
            for bit in range(30):
                a, b = Random(seed), Random(seed ^ (1 << bit))
                self.assertNotEqual([a.next(), a.next()], [b.next(), b.next()], (seed, bit))

    def test_similar_seeds_share_no_part(self):
        """The low, middle and high bits of neighbouring seeds' numbers go their own ways."""
        for shift in (0, 7, 15, 22):
            same = 0
            for seed in range(500):
                same += (Random(seed).next() ^ Random(seed + 1).next()) >> shift & 0xFF == 0
            self.assertTrue(same < 10, (shift, same))

    def test_similar_seeds_differ_at_once(self):
        """Nodes with neighbouring seeds do not draw the same first number."""
        first = {Random(seed).next() for seed in range(500)}
        self.assertTrue(len(first) > 490)

    def test_spread(self):
        """below() gives each value about equally often."""
        for n in (2, 3, 10, 100):
            random = Random(n)
            counts = [0] * n
            for _ in range(200 * n):
                counts[random.below(n)] += 1
            self.assertTrue(min(counts) > 100 and max(counts) < 300, repr(counts))

    def test_bits(self):
        """Each of the 30 bits is set in about half of the numbers."""
        random = Random(99)
        counts = [0] * 30
        for _ in range(2000):
            number = random.next()
            for bit in range(30):
                counts[bit] += number >> bit & 1
        self.assertTrue(min(counts) > 850 and max(counts) < 1150, repr(counts))

    def test_no_allocation(self):
        """Drawing allocates nothing."""
        random = Random(1)
        self.assertEqual(cost(random.next), "")
        self.assertEqual(cost(lambda: random.below(1000)), "")
        self.assertEqual(cost(lambda: random.below(100)), "")


if __name__ == "__main__":
    unittest.main()
