# SPDX-License-Identifier: MIT
"""The same scripts, made from seeds, give the same transcripts on every VM, and never differ from
the model.

Rules: tests/vectors/bus_scripts.txt says what the transcripts are. After a wanted change of what
the bus does, and of the model, it is made anew: `python tests/bus_script.py`, with build/cpython
on the path. To see where two VMs part, let both print the transcript of a seed and compare.
"""

import unittest

from bus_script import begin, digest, play
from bus_twin import Difference

HERE = __file__.rsplit("/", 1)[0] if "/" in __file__ else "."


def vectors():
    """Return the rows of the table: seed, steps, digest."""
    with open(HERE + "/vectors/bus_scripts.txt") as table:
        rows = [line.split() for line in table if not line.startswith("#")]
    return [(int(seed), int(steps), wanted) for seed, steps, wanted in rows]


class TestScripts(unittest.TestCase):
    def test_transcripts(self):
        """A script's transcript is the one in the table; in the end nothing is left."""
        for seed, steps, wanted in vectors():
            with self.subTest(seed=seed):
                twin = play(begin(seed), steps)
                self.assertEqual(digest(twin), wanted)
                twin.close(self)

    def test_table(self):
        """There are scripts in it."""
        self.assertTrue(len(vectors()) >= 10)

    def test_difference(self):
        """A bus that does something else than the model is found."""
        from bus_twin import Twin

        twin = Twin((8, 24, 8, 8, 8, 16, 0, 0, 0))
        twin.do(("open", 3))
        twin.do(("bind", 1, "$.A", 0))
        twin.model.bindings.pop()
        with self.assertRaises(Difference):
            twin.do(("announce", 1, "$.A", b"", 0, ()))


if __name__ == "__main__":
    unittest.main()
