# SPDX-License-Identifier: MIT
"""What links have died of, each by its name: resets, acks, cuts and noise at the worst moment.

All in virtual time. link_checker.py judges every payload that comes.
"""

import unittest

from limpet.link import DOWN, UP
from link_checker import STEP, Bench


class Case(unittest.TestCase):
    def good(self, bench, what=None, within_ms=2500):
        """Check that all is well and that payloads flow both ways now."""
        self.assertEqual(bench.judge.faults, [], what)
        self.assertEqual(bench.flows(within_ms), "", what)


class Resets(Case):
    def session(self, act=None, options=None):
        """Run a short session of every kind of frame; return (bench, frames on both wires).

        act(bench, k): is called when the k-th frame of all is on the line.
        """
        bench = Bench(21, options or {"window": 4, "silence_ms": 400})
        line = bench.line
        count = [0]

        def script(index, data):
            k = count[0]
            count[0] += 1
            if act:
                data = act(bench, k, data)
            return data

        for wire in line.wires:
            wire.script = script
        line.run(120)
        bench.say(0, 10)
        line.run(5)
        bench.say(1, 7, 100)
        line.run(250)
        return bench, count[0]

    def test_a_peer_that_resets_at_every_packet_boundary(self):
        """Whoever resets, after whichever packet of either direction: no lie, and it goes on.

        The packet is lost with the reset, arrives after it, or has arrived before it.
        """
        bench, frames = self.session()
        self.good(bench)
        self.assertTrue(frames > 25, frames)
        for case in range(0, 9 * frames, STEP):
            boundary = case // 9
            victims = ((0,), (1,), (0, 1))[case % 3]
            self.boundary(boundary, victims, (-1, 0, 20000)[case // 3 % 3])

    def boundary(self, boundary, victims, delay_us):
        def act(bench, k, data):
            if k == boundary:
                for i in victims:
                    bench.line.at(max(delay_us, 0), lambda i=i: bench.line.restart(i))
                if delay_us < 0:
                    return None
            return data

        bench, _ = self.session(act)
        self.good(bench, (boundary, victims, delay_us))

    def test_a_packet_that_is_cut_off_by_the_reset(self):
        """Half of any packet comes, then the peer starts anew on the same wire."""
        _, frames = self.session()
        for boundary in range(0, frames, STEP):

            def act(bench, k, data, boundary=boundary):
                if k == boundary:
                    side = bench.line.side
                    bench.line.at(0, lambda: bench.line.restart(side))
                    return data[: len(data) // 2]
                return data

            bench, _ = self.session(act)
            self.good(bench, boundary)

    def test_a_restart_faster_than_the_silence_limit(self):
        """The other side hears of it from the newcomer, not from its own timer."""
        for seed in range(10):
            self.restarts(seed)

    def restarts(self, seed):
        bench = Bench(seed, {"silence_ms": 60000}).connect()
        line = bench.line
        for n in range(8):
            for i in range(2):
                bench.say(i, -1)
            line.run(5 + bench.random.below(60))
            line.restart(n & 1)
            self.assertFalse(line.up())
            self.assertTrue(line.until(line.up, 100), seed)
        self.good(bench, seed)
        # Each restart ended the other side's session before the next one began.
        for app in bench.apps:
            told = "".join(app.log)
            self.assertEqual((told.count("-"), told.count("+")), (4, 9))

    def test_both_reset_at_once(self):
        for seed in range(10):
            bench = Bench(seed, {"silence_ms": 60000}).connect()
            for gap_us in (0, 300, 1000, 2500, 5000, 20000):
                for i in range(2):
                    bench.say(i, -1)
                bench.line.run(30 + bench.random.below(30))
                bench.line.restart(0)
                bench.line.at(gap_us, lambda b=bench: b.line.restart(1))
                bench.line.run(21)
                self.assertTrue(bench.line.until(bench.line.up, 100), (seed, gap_us))
            self.good(bench, seed)


class Acks(Case):
    """Acks are frames like others: lost, doubled, late, they cost time and nothing else."""

    def busy(self, seed, share, fate, options=None, ms=2400):
        """Let both ends talk for `ms` while `fate(data)` befalls `share` of 100 null frames."""
        bench = Bench(seed, options).connect()
        line = bench.line

        def script(index, data):
            if len(data) <= 14 and bench.random.below(100) < share:
                return fate(data)
            return data

        for wire in line.wires:
            wire.script = script
        bench.say(0, -1, 100)
        line.run(ms // 2)
        bench.say(1, -1, 60)
        line.run(ms // 2)
        bench.hush()
        self.assertTrue(line.until(bench.arrived, 3000), (seed, share))
        self.assertEqual([app.log for app in bench.apps], [["+"], ["+"]])
        self.assertEqual(line.links[0].stats.rx_bad + line.links[1].stats.rx_bad, 0)
        return bench

    def test_lost_acks(self):
        for share in (10, 50, 90):
            for window in (1, 4, 16):
                options = {"window": window, "silence_ms": 5000}
                bench = self.busy(share, share, lambda data: None, options)
                self.good(bench, share)

    def test_duplicated_acks(self):
        """An ack that comes twice, or five times, confirms nothing new and resends nothing."""
        for copies in (2, 5):
            bench = self.busy(copies, 60, lambda data, n=copies: data * n)
            for link in bench.line.links:
                self.assertEqual(link.stats.tx_retransmit, 0)
            self.good(bench)

    def test_delayed_acks(self):
        """An ack that comes 30 ms late, behind newer ones, takes nothing back."""
        for late_us in (5000, 30000, 200000):
            self.delayed(late_us)

    def delayed(self, late_us):
        bench = Bench(5, {"window": 8}).connect()
        line = bench.line

        def script(index, data):
            if len(data) > 14 or bench.random.below(2):
                return data
            target = 1 - line.side
            line.at(late_us, lambda: bench.feed(target, data))
            return None

        for wire in line.wires:
            wire.script = script
        for i in range(2):
            bench.say(i, -1, 40 + 60 * i)
            line.run(1500)
        bench.say(0, -1, 20)
        bench.apps[1].left = 0
        line.run(1500)
        bench.hush()
        self.assertTrue(line.until(bench.arrived, 3000), late_us)
        self.assertEqual([app.log for app in bench.apps], [["+"], ["+"]])
        self.good(bench, late_us)

    def test_acks_that_are_suddenly_late(self):
        """Only what timers ask for is sent again: a late ack is not for the latest sending."""
        for late_us in (150_000, 300_000):
            for window in (8, 16):
                self.late(late_us, window)

    def late(self, late_us, window):
        bench = Bench(6, {"window": window, "silence_ms": 4000}, {"baud": 1_000_000}).connect()
        line = bench.line
        bench.say(0, 30)
        line.run(300)
        again = line.links[0].stats.tx_retransmit

        def script(index, data):
            line.at(late_us, lambda: bench.feed(0, data))
            return None

        line.wires[1].script = script
        bench.say(0, window, 100)
        line.run(800)
        line.wires[1].script = None
        stats = line.links[0].stats
        self.assertTrue(stats.tx_timeout > 0)
        self.assertEqual(stats.tx_retransmit - again, stats.tx_timeout)
        self.good(bench)

    def test_what_comes_twice_is_acknowledged_at_once(self):
        """The only ack of a lone frame is lost: the next try brings another one."""
        bench = Bench(7, {"silence_ms": 8000}).connect()
        line = bench.line
        for n in range(10):
            bench.say(0, 3)
            line.run(200)
            lost = line.wires[1].frames
            line.wires[1].script = lambda index, data, n=lost: None if index == n else data
            before = line.links[1].stats.rx_duplicate
            bench.say(0, 1)
            self.assertTrue(line.until(bench.arrived, 20), n)
            acked = line.until(lambda: line.links[0].unacked() == 0, 100)
            self.assertTrue(acked, n)
            self.assertEqual(line.links[1].stats.rx_duplicate, before + 1)
        self.good(bench)

    def test_all_acks_stop_for_a_while(self):
        """No ack for most of the limit: the window fills, nothing is lost, all goes on."""
        bench = Bench(6, {"silence_ms": 1000}).connect()
        bench.say(0, 100)
        bench.line.run(100)
        for _ in range(3):
            bench.line.wires[1].cut = True
            bench.line.run(700)
            bench.line.wires[1].cut = False
            bench.line.run(300)
        self.assertTrue(bench.line.until(bench.arrived, 2000))
        self.assertEqual([app.log for app in bench.apps], [["+"], ["+"]])
        self.good(bench)


class HalfOpen(Case):
    """A line that is broken in one direction: both sides learn it, in bounded time."""

    def test_a_half_open_line_is_found_by_both_sides(self):
        for mine, theirs in ((1000, 1000), (300, 5000), (5000, 300)):
            for talks in ((), (0,), (1,), (0, 1)):
                for dead in range(2):
                    self.half(mine, theirs, talks, dead)

    def half(self, mine, theirs, talks, dead):
        """Cut what side `dead` sends."""
        bench = Bench(7, [{"silence_ms": mine}, {"silence_ms": theirs}]).connect()
        line = bench.line
        line.run(100)
        for i in talks:
            bench.say(i, -1)
        line.run(50)
        bench.cut(dead)
        ends = []
        limits = (mine, theirs)
        # Who hears nothing knows after its limit; the other one after its own, behind that.
        for i, limit in ((1 - dead, limits[1 - dead]), (dead, sum(limits))):
            start = line.now_us
            down = line.until(lambda i=i: line.links[i].state != UP, limit + 100)
            self.assertTrue(down, (mine, theirs, talks, dead, i))
            ends.append(line.now_us - start)
        line.run(3000)
        self.assertEqual([link.state for link in line.links], [DOWN, DOWN])
        # And neither takes the other for connected while the line stays so.
        self.assertEqual([app.log for app in bench.apps], [["+", "-"], ["+", "-"]])
        bench.cut()
        self.good(bench, (mine, theirs, talks, dead))

    def test_a_line_that_is_cut_often(self):
        """Cuts of any length in one direction or both: told in order, and never stuck."""
        bench = Bench(8, {"silence_ms": 200})
        line = bench.line
        for _ in range(150):
            for i in range(2):
                bench.say(i, -1)
            line.run(bench.random.below(300))
            bench.cut(*((), (0,), (1,), (0, 1))[bench.random.below(4)])
        bench.cut()
        self.good(bench)
        for app in bench.apps:
            told = "".join(app.log)
            self.assertTrue(told.count("-") > 15, told)
            self.assertEqual(told, "+-" * (len(told) // 2) + "+" * (len(told) & 1))


class Noise(Case):
    """Random bytes amid the frames, in both directions, for a minute."""

    def minute(self, every_us, talks, options=None, most=30, ms=60000):
        bench = Bench(9, options, {"baud": 57600}).connect()
        line = bench.line
        until = line.now_us + ms * 1000
        for i in range(2):
            bench.noise(i, every_us, most, until)
            if talks:
                bench.say(i, -1, 100)
        line.run(ms)
        bench.hush()
        for link in line.links:
            self.assertTrue(link.stats.rx_bad > 40, link.stats.rx_bad)
        return bench

    def test_noise_for_a_minute_on_an_idle_link(self):
        """20 bursts a second stand before each frame, and behind a delimiter of its own."""
        bench = self.minute(50_000, False)
        self.assertEqual([app.log for app in bench.apps], [["+"], ["+"]])
        self.good(bench)

    def test_noise_for_a_minute_on_a_busy_link(self):
        bench = self.minute(100_000, True)
        self.assertEqual([app.log for app in bench.apps], [["+"], ["+"]])
        for app in bench.apps:
            self.assertTrue(app.total > 2000, app.total)
        for link in bench.line.links:
            self.assertTrue(link.stats.tx_retransmit > 400, link.stats.tx_retransmit)
        self.good(bench)

    def test_noise_that_leaves_no_frame_alone(self):
        """Sessions may end; what comes is right all the same, and afterwards all is well."""
        for talks in (False, True):
            bench = self.minute(2_000, talks, {"silence_ms": 300}, 8, 60000 // STEP // STEP)
            self.good(bench)

    def test_a_break_on_the_line(self):
        """Zeros without end, as a line that is held down gives, are no frames at all."""
        bench = Bench(10).connect()
        line = bench.line
        bad = line.links[0].stats.rx_bad
        zeros = bytearray(64)
        for _ in range(1000):
            line.side = 0
            line.links[0].feed(zeros, 64, line.now())
            line.run(1)
        self.assertEqual(line.links[0].stats.rx_bad, bad)
        self.assertEqual(bench.apps[0].log, ["+"])
        self.good(bench)

    def test_ones_without_end(self):
        """A line without delimiters costs no memory and one frame."""
        bench = Bench(10).connect()
        line = bench.line
        ones = bytearray(b"\xff" * 64)
        for _ in range(1000):
            line.side = 0
            line.links[0].feed(ones, 64, line.now())
        self.assertEqual(line.links[0].stats.rx_overlong, 1)
        self.good(bench)


if __name__ == "__main__":
    unittest.main()
