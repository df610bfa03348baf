# SPDX-License-Identifier: MIT
"""The limits of every argument of a Link work; one past them is refused with a sentence."""

import unittest

from limpet.link import Link
from limpet.rand import Random
from link_checker import Bench, Talker

_MASK30 = 0x3FFFFFFF
FAST = {"baud": 1_000_000, "work_us": 0, "jitter_us": 0}
GOOD = (
    ("window", (1, 2, 4, 8, 16, 32, 64)),
    ("packet_size", (96, 97, 254, 255)),
    ("silence_ms", (20, 21, 59999, 60000)),
    ("ack_delay_ms", (0, 1, 255)),
    ("direction", (0, 7, 8)),
    ("compatibility", ("", "x" * 45, "\u00e4" * 22)),
    ("index", (0, 255)),
    ("reliable", (True,)),
    ("datagrams", (True,)),
)
BAD = (
    ("window", (-1, 0, 3, 5, 63, 65, 128)),
    ("packet_size", (0, 95, 256)),
    ("silence_ms", (0, 19, 60001, -1)),
    ("ack_delay_ms", (-1, 256)),
    ("direction", (-1, 9)),
    ("compatibility", ("x" * 46, "\u00e4" * 23)),
)


class Limits(unittest.TestCase):
    def works(self, options, what):
        bench = Bench(3, options, FAST).connect()
        line = bench.line
        for i in range(2):
            bench.say(i, 20, 255)  # cut to the largest
        self.assertTrue(line.until(bench.arrived, 3000), what)
        line.run(300)
        self.assertEqual(bench.judge.faults, [], what)
        self.assertTrue(line.up(), what)
        return bench

    def test_good(self):
        for name, values in GOOD:
            for value in values:
                bench = self.works({name: value}, (name, value))
                link = bench.line.links[0]
                if hasattr(link, name) and name != "direction":
                    self.assertEqual(getattr(link, name), value)
                if name in ("direction", "index"):
                    self.assertEqual(getattr(link.neighbour, name), value)

    def test_one_past_them(self):
        for name, values in BAD:
            for value in values:
                with self.assertRaises(ValueError):
                    Link(1, 2, Random(3), Talker(0, None), **{name: value})

    def test_nodes(self):
        """Ids and epochs have 30 bits; a node has an id, an epoch may be 0."""
        for node, epoch in ((1, 0), (_MASK30, _MASK30), (2, 1)):
            bench = Bench(3)
            bench.line.links[1] = Link(node, epoch, Random(3), bench.apps[1])
            bench.connect()
            link = bench.line.links[0]
            self.assertEqual((link.peer_node, link.peer_epoch), (node, epoch))

    def test_the_extremes_together(self):
        """Each end at another end of the range: what both can do is used."""
        small = {"window": 1, "packet_size": 96, "ack_delay_ms": 255, "silence_ms": 20}
        large = {"window": 64, "packet_size": 255, "ack_delay_ms": 0, "silence_ms": 60000}
        for options in ([small, large], [large, small], [small, small], [large, large]):
            bench = self.works(options, options)
            for link in bench.line.links:
                both = small in options
                self.assertEqual(link.window, 1 if both else 64)
                self.assertEqual(link.payload_max, 92 if both else 251)


if __name__ == "__main__":
    unittest.main()
