# SPDX-License-Identifier: MIT
"""In steady state nothing allocates: every hot function, with the heap locked, on MicroPython.

Rules: HOT names every function marked `# hot:` (the structure check compares). The alloc_*.py
files make calls that reach each of them with each outcome; on CPython test_alloc_reach.py checks
that they do. As a program it ends with `alloc: N calls checked, M allocate`, status 1 if M is not
0.
"""

import sys

if "/" in __file__:
    sys.path.insert(0, __file__.rsplit("/", 1)[0])

import unittest

import alloc_limpet
import alloc_transport

import alloc_bus
import alloc_link
from costs import cost

SOURCES = (alloc_bus, alloc_link, alloc_limpet, alloc_transport)

HOT = ()


def check():
    """Make every call; return how many there were and a line for each that allocates."""
    count = 0
    bad = []
    for source in SOURCES:
        for call in source.calls():
            count += 1
            found = cost(call[-1])
            if found:
                bad.append("%s: %s: %s" % (source.__name__, call[-2], found))
    return count, bad


class TestNothingAllocates(unittest.TestCase):
    """Every hot call runs to its end with the heap locked."""

    def test_hot_calls(self):
        count, bad = check()
        self.assertEqual(bad, [])
        self.assertGreater(count, 30)


if __name__ == "__main__":
    checked, allocating = check()
    for line in allocating:
        print(line)
    print("alloc: %d calls checked, %d allocate" % (checked, len(allocating)))
    sys.exit(1 if allocating else 0)
