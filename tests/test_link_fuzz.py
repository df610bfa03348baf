# SPDX-License-Identifier: MIT
"""Strings that are no frames, or nearly, into links in every state; a smaller part, on every VM.

After each string and one delimiter the next good frame is understood, and each run of bytes is in
exactly one of the counters (link_scenes.py). cpython/test_link_fuzz_many.py does much more of it.
"""

import gc
import unittest

from limpet.link import DOWN, UP
from limpet.ticks import MS_MAX
from link_checker import STEP, Bench
from link_fuzz import Dice, said
from link_scenes import SCENES, Meter, Victim, fuzz

STRINGS = 100


class Fuzz(unittest.TestCase):
    def all_scenes(self, sealed):
        """Run all scenes; return how many strings were frames that the link took."""
        frames = said()
        dice = Dice(7 + sealed)
        read = 0
        for scene in sorted(SCENES):
            for reliable in (False, True):
                options = {"reliable": reliable}
                wrong, count = fuzz(scene, dice, frames, STRINGS, sealed, options)
                self.assertEqual(wrong, "", (scene, sealed, reliable))
                read += count
        return read

    def test_random_and_changed_strings(self):
        self.all_scenes(0)

    def test_changed_frames_with_a_right_check(self):
        read = self.all_scenes(60)
        self.assertTrue(read > 2 * STRINGS * len(SCENES) // 4, read)

    def test_a_closed_link(self):
        """It is deaf: nothing that comes makes it speak, or connects it."""
        dice = Dice(8)
        victim = Victim("idle", dice, said())
        link = victim.link
        link.close(victim.now())
        out = bytearray(300)
        while link.take(out, victim.now()):
            pass
        for _ in range(STRINGS):
            victim.hit(50)
            self.assertEqual(link.take(out, victim.now()), 0)
            self.assertEqual((link.poll(victim.now()), link.state), (MS_MAX, DOWN))

    def test_nothing_grows(self):
        """Memory in use is the same after more of it."""
        if not hasattr(gc, "mem_alloc"):
            self.assertEqual(STEP, 1)  # CPython: see test_link_fuzz_many.py
            return
        frames = said()
        used = []
        for _ in range(4):
            fuzz("idle", Dice(9), frames, 40, 60)
            gc.collect()
            used.append(gc.mem_alloc())
        self.assertTrue(abs(used[3] - used[1]) < 1024, used)


class Counters(unittest.TestCase):
    """What is counted adds up, on both sides and between them."""

    def sums(self, loss, double=0):
        bench = Bench(5).connect()
        line = bench.line
        line.run(100)  # nothing is on its way
        meters = [Meter(link) for link in line.links]
        before = [link.stats.tx_frames for link in line.links]
        came = [link.stats.rx_frames for link in line.links]
        wires = [wire.frames for wire in line.wires]
        for wire in line.wires:
            wire.loss = loss
            wire.double = double
        for i in range(2):
            bench.say(i, 300, 40 + 100 * i)
        self.assertTrue(line.until(bench.arrived, 30000))
        line.run(400)
        for i in range(2):
            mine = line.links[i].stats
            sent = mine.tx_frames - before[i]
            self.assertEqual(sent, line.wires[i].frames - wires[i])
            self.assertEqual(
                mine.tx_frames, mine.helo_sent + mine.acks_sent + 300 + mine.tx_retransmit
            )
            theirs = line.links[1 - i].stats
            if not double:
                self.assertEqual(theirs.rx_bad, line.wires[i].damaged)
                # All that was sent has come, or waits on the line.
                flying = len(line.wires[i].flight)
                read = theirs.rx_frames - came[1 - i]
                self.assertEqual(read + line.wires[i].damaged + flying, sent)
            self.assertEqual(meters[i].wrong(), "")
            self.assertEqual(line.links[i].state, UP)
        return line.links

    def test_on_a_clean_line(self):
        for link in self.sums(0):
            stats = link.stats
            self.assertEqual((stats.rx_bad, stats.rx_duplicate, stats.tx_retransmit), (0, 0, 0))

    def test_on_a_bad_line(self):
        for link in self.sums(100):
            self.assertTrue(link.stats.tx_retransmit > 10)
            self.assertTrue(link.stats.tx_timeout <= link.stats.tx_retransmit)

    def test_on_a_line_that_doubles(self):
        for link in self.sums(0, 100):
            self.assertTrue(link.stats.rx_duplicate > 10)
            self.assertEqual(link.stats.tx_retransmit, 0)


if __name__ == "__main__":
    unittest.main()
