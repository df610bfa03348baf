# SPDX-License-Identifier: MIT
"""A link over datagrams: what is overtaken is not lost, and what is lost is not waited for.

All in virtual time; link_checker.py judges every payload that comes.
"""

import unittest

from link_checker import STEP, Bench

FAST = {"baud": 12_000_000, "prop_us": 100, "work_us": 100, "jitter_us": 0}


class Case(unittest.TestCase):
    def weather(self, options, line, late, loss, double=0, ms=1000, seed=3):
        """Send full frames one way for a while; return the bench, in which all has arrived."""
        bench = Bench(seed, options, line).connect()
        bench.line.datagrams = True
        bench.line.run(100)
        for wire in bench.line.wires:
            wire.late = late
            wire.loss = loss
            wire.double = double
        bench.say(0, -1, 200)
        bench.line.run(ms // STEP)
        bench.hush()
        self.assertTrue(bench.line.until(bench.arrived, 3000))
        self.assertEqual(bench.judge.faults, [])
        self.assertEqual([app.log for app in bench.apps], [["+"], ["+"]])
        return bench

    def in_vain(self, bench):
        """Return (frames sent again though they had come, frames) of 0 to 1."""
        link = bench.line.links[0]
        return link.stats.tx_retransmit - bench.line.wires[0].damaged, bench.apps[1].total


class Overtaken(Case):
    def test_only_what_is_late_by_round_trips_is_sent_in_vain(self):
        """5 % come up to 2 ms late, where a round trip takes 1: none waits for a time-out."""
        for window in (8, 16, 64):
            bench = self.weather({"window": window, "datagrams": True}, FAST, 50, 0)
            vain, frames = self.in_vain(bench)
            self.assertTrue(frames > 4000 // STEP, frames)
            self.assertTrue(vain <= frames // 18, (window, vain))
            self.assertEqual(bench.line.links[0].stats.tx_timeout, 0)

    def test_a_stream_takes_them_for_lost(self):
        """So the figures above mean something: the rule for streams resends each of them."""
        vain, frames = self.in_vain(self.weather({"window": 64}, FAST, 50, 0))
        self.assertTrue(vain > frames // 20, (vain, frames))

    def test_the_time_grows_with_what_comes_late(self):
        """Up to 10 ms late where a round trip takes 8: it learns from what has come twice."""
        line = {"baud": 4_000_000, "prop_us": 500, "work_us": 3000, "jitter_us": 0}
        vain = []
        for learns in (True, False):
            bench = Bench(3, {"window": 64, "datagrams": True}, line).connect()
            if not learns:
                bench.line.links[0]._tx.came_twice = lambda: None
            bench.line.run(100)
            bench.line.wires[0].late = bench.line.wires[1].late = 50
            bench.say(0, -1, 200)
            bench.line.run(2000)
            vain.append(self.in_vain(bench)[0])
            self.assertTrue(bench.apps[1].total > 3000, bench.apps[1].total)
        self.assertTrue(0 < vain[0] * 3 < vain[1], vain)


class Lost(Case):
    def test_no_time_out_is_waited_for(self):
        """A lost datagram is sent again once later ones are acknowledged and it is not late."""
        for late in (0, 50):
            bench = self.weather({"window": 64, "datagrams": True}, FAST, late, 10)
            stats = bench.line.links[0].stats
            self.assertTrue(bench.line.wires[0].damaged > 20 // STEP)
            self.assertTrue(stats.tx_timeout <= 1, stats.tx_timeout)
            vain, frames = self.in_vain(bench)
            self.assertTrue(vain <= frames // (20 if late else 700), (late, vain))
            self.assertTrue(frames > 5000 // STEP, (late, frames))

    def test_how_long_a_lost_one_takes(self):
        """With others behind it: the time of an ack and a quarter of a round trip, no time-out."""
        bench = Bench(4, {"window": 16, "datagrams": True}, FAST).connect()
        line = bench.line
        line.run(100)
        bench.say(0, -1, 200)
        line.run(100)
        for _ in range(20):
            lost = line.wires[0].frames
            line.wires[0].script = lambda index, data, n=lost: None if index == n else data
            again = line.links[0].stats.tx_retransmit
            start = line.now_us
            self.assertTrue(line.until(lambda n=again: line.links[0].stats.tx_retransmit > n, 100))
            self.assertTrue(line.now_us - start < 8000, line.now_us - start)
            line.run(30)
        self.assertEqual(line.links[0].stats.tx_timeout, 0)
        self.assertEqual(bench.judge.faults, [])

    def test_with_nothing_more_behind_it(self):
        """Two later ones are acknowledged, then nothing comes: a quarter of a round trip on."""
        for window in (4, 16):
            slow = {"baud": 12_000_000, "prop_us": 10_000, "work_us": 100, "jitter_us": 0}
            bench = Bench(5, {"window": window, "datagrams": True}, slow).connect()
            line = bench.line
            bench.say(0, 40, 200)
            line.run(500)
            for _ in range(10):
                lost = line.wires[0].frames
                line.wires[0].script = lambda index, data, n=lost: None if index == n else data
                bench.say(0, 3, 200)
                self.assertTrue(line.until(bench.arrived, 45))
                line.run(250)
            stats = line.links[0].stats
            self.assertEqual((stats.tx_retransmit, stats.tx_timeout), (10, 0))


class All(Case):
    def test_lost_twice_late_and_doubled_at_once(self):
        for seed in range(0, 9, STEP):
            options = {"window": (2, 16, 64)[seed % 3], "datagrams": True}
            line = {"baud": 2_000_000, "prop_us": (100, 1000, 3000)[seed // 3]}
            bench = self.weather(options, line, 200, 100, 200, 1000, seed)
            self.assertTrue(bench.apps[1].total > 30, (seed, bench.apps[1].total))

    def test_acks_that_overtake_each_other(self):
        """Traffic both ways: old acks, old credit and old bits take nothing back."""
        bench = Bench(6, {"window": 16, "datagrams": True}, FAST).connect()
        bench.line.datagrams = True
        for wire in bench.line.wires:
            wire.late = 300
        for i in range(2):
            bench.say(i, -1, 100)
        bench.line.run(1000 // STEP)
        bench.hush()
        self.assertTrue(bench.line.until(bench.arrived, 1000))
        self.assertEqual(bench.judge.faults, [])
        self.assertEqual([app.log for app in bench.apps], [["+"], ["+"]])


if __name__ == "__main__":
    unittest.main()
