# SPDX-License-Identifier: MIT
"""A link over long times: started whenever, dead for hours, idle for a day, under any clock.

All in virtual time. link_checker.py judges every payload that comes.
"""

import unittest

from limpet.link import DOWN
from link_checker import STEP, Bench

_HALF = 0x20000000  # ticks: half of the clock's range
_MINUTE = 60_000


class Case(unittest.TestCase):
    def good(self, bench, what=None, within_ms=2500):
        """Check that all is well and that payloads flow both ways now."""
        self.assertEqual(bench.judge.faults, [], what)
        self.assertEqual(bench.flows(within_ms), "", what)

    def unbroken(self, bench, what=None):
        self.assertEqual([app.log for app in bench.apps], [["+"], ["+"]], what)


class Starts(Case):
    def test_either_side_starts_first_up_to_10_s_before_the_other(self):
        """Who comes second is heard at once: its HELO is answered, whatever the back-off says."""
        for late in range(2):
            for apart_ms in (0, 1, 3, 20, 49, 50, 51, 100, 777, 1600, 2400, 5000, 9999, 10000):
                bench = Bench(apart_ms + late)
                bench.remove(late)
                bench.line.run(apart_ms)
                bench.line.restart(late)
                self.assertTrue(bench.line.until(bench.line.up, 60), (late, apart_ms))
                self.good(bench, (late, apart_ms))

    def test_both_start_on_a_line_that_comes_later(self):
        """Nobody is told that the line is there now: the next HELO finds out."""
        for apart_ms in range(0, 10000, 333 * STEP):
            bench = Bench(apart_ms)
            bench.cut(0, 1)
            bench.line.run(apart_ms)
            bench.cut()
            self.good(bench, apart_ms, 2100)

    def test_a_peer_that_comes_and_goes_for_ever(self):
        bench = Bench(3, {"silence_ms": 300})
        for n in range(0, 120, STEP):
            bench.remove(1)
            bench.line.run(bench.random.below(4000))
            bench.line.restart(1)
            self.assertTrue(bench.line.until(bench.line.up, 60), n)
            bench.line.run(bench.random.below(100))
        self.good(bench)


class Dead(Case):
    def test_reconnect_for_ever_with_jitter(self):
        """HELO goes on over 24 hours without a line, in jittered pauses; then all is up in 2 s."""
        bench = Bench(4)
        line = bench.line
        bench.cut(0, 1)
        times = [[], []]

        def keep(i):
            def script(index, data):
                times[i].append(line.now_us // 1000)
                return data

            line.wires[i].script = script

        for i in range(2):
            keep(i)
        line.run(24 * 60 * _MINUTE // STEP // STEP)
        for i in range(2):
            gaps = [times[i][k + 1] - times[i][k] for k in range(len(times[i]) - 1)]
            gaps = gaps[8:]
            self.assertTrue(1150 <= min(gaps) and max(gaps) <= 2050, (min(gaps), max(gaps)))
            # All over the range, not always the same: two sides, or two boards, do not march.
            for low in range(1250, 1950, 100):
                share = len([gap for gap in gaps if low <= gap < low + 100])
                self.assertTrue(share > len(gaps) // 20, (low, share, len(gaps)))
            self.assertEqual(line.links[i].stats.tx_frames, line.links[i].stats.helo_sent)
        both = len(set(times[0]) & set(times[1]))
        self.assertTrue(both < len(times[0]) // 10, both)
        bench.cut()
        self.good(bench, None, 2000)

    def test_a_line_that_is_dead_in_one_direction_for_hours(self):
        """The side that hears HELO answers each, and no more: both stay bounded."""
        for dead in range(2):
            bench = Bench(5).connect()
            bench.cut(dead)
            line = bench.line
            line.run(10000)
            before = [link.stats.tx_frames for link in line.links]
            line.run(60 * _MINUTE // STEP)
            for i in range(2):
                sent = line.links[i].stats.tx_frames - before[i]
                self.assertTrue(sent < 3600 * 2 // STEP, (dead, i, sent))
                self.assertEqual(line.links[i].state, DOWN)
            bench.cut()
            self.good(bench, dead, 2000)


class Idle(Case):
    def test_a_link_idle_for_a_day(self):
        """No session is lost, and hardly anything is sent: a frame each quarter of the limit."""
        for silence_ms, ms in ((60000, 24 * 60 * _MINUTE), (1000, 10 * _MINUTE)):
            ms //= STEP
            bench = Bench(6, {"silence_ms": silence_ms}).connect()
            line = bench.line
            before = [wire.frames for wire in line.wires]
            line.run(ms)
            self.unbroken(bench)
            for i in range(2):
                frames = line.wires[i].frames - before[i]
                wanted = ms // (silence_ms // 4)
                self.assertTrue(wanted * 9 // 10 <= frames <= wanted + 5, (frames, wanted))
            self.good(bench, None, 0)
            self.unbroken(bench)

    def test_a_link_idle_for_a_day_on_a_bad_line(self):
        """5 % of the keep-alive frames are lost: no session is."""
        bench = Bench(7, {"silence_ms": 60000}).connect()
        for wire in bench.line.wires:
            wire.loss = 50
        bench.line.run(24 * 60 * _MINUTE // STEP)
        self.unbroken(bench)
        self.good(bench, None, 0)

    def test_a_payload_each_hour(self):
        """What a long pause leaves behind, timers and round trips, is right for the next one."""
        bench = Bench(8, {"silence_ms": 60000}).connect()
        line = bench.line
        for n in range(24 // STEP):
            line.run(60 * _MINUTE)
            bench.say(n & 1, 1)
            self.assertTrue(line.until(bench.arrived, 20), n)
            line.run(100)
        for link in line.links:
            self.assertEqual(link.stats.tx_retransmit, 0)
        self.unbroken(bench)


def story(clocks):
    """Run through every state of a link, the clocks beginning at these values; return a trace.

    The faults are at fixed times, so the trace tells apart whatever a clock has an influence on.
    """
    bench = Bench(31, {"silence_ms": 300, "window": 4})
    line = bench.line
    line.clocks = clocks
    marks = []

    def mark():
        marks.append((line.trace, line.now_us, line.wires[0].frames, line.wires[1].frames))

    bench.cut(0)  # HELO with back-off, one side answers
    line.run(400)
    bench.cut()
    line.run(150)  # a session, idle
    mark()
    bench.say(0, 1)  # a lone frame, its ack after a pause
    line.run(60)
    bench.say(0, 12)  # a full window
    bench.say(1, 5, 200)
    line.run(60)
    lost = line.wires[0].frames + 1
    line.wires[0].script = lambda index, data: None if index == lost else data
    bench.say(0, 6)  # a gap, told with bits
    line.run(60)
    mark()
    tail = line.wires[0].frames
    line.wires[0].script = lambda index, data: None if index == tail else data
    bench.say(0, 1)  # a lost last frame: its timer
    line.run(150)
    line.wires[0].script = None
    bench.cut(1)
    bench.say(0, 8)  # no acks: time-outs, doubled
    line.run(200)
    bench.cut()
    line.run(150)
    mark()
    bench.say(0, -1)
    line.run(20)
    line.restart(1)  # a session that ends another
    line.run(50)
    bench.cut(0, 1)  # silence on both sides
    line.run(400)
    mark()
    bench.cut()
    line.run(1000)
    bench.hush()
    line.run(200)
    mark()
    marks.append(bench.flows(0))
    marks.append("".join(bench.apps[0].log))
    marks.append([app.total for app in bench.apps])
    return marks, line.now_us // 1000


class Counts(Case):
    def test_the_count_of_transmissions_wraps(self):
        """After 65536 frames nothing is taken for lost, or waited for, that would not be else."""
        for before in range(1, 40, 1 + STEP):
            for window in (4, 16):
                bench = Bench(11, {"window": window}).connect()
                line = bench.line
                line.run(200)
                sender = line.links[0]._tx
                sender._count = sender._seen = 65536 - before
                first = line.wires[0].frames
                lost = (first + 6, first + 21)
                line.wires[0].script = lambda index, data, n=lost: None if index in n else data
                bench.say(0, 60)
                self.assertTrue(line.until(bench.arrived, 2000))
                stats = line.links[0].stats
                self.assertEqual((stats.tx_retransmit, stats.tx_timeout), (2, 0), before)
                self.assertEqual(bench.judge.faults, [])


class Clock(Case):
    def test_the_clock_wraps_in_every_state(self):
        """A wrap, or the middle of the range, changes nothing, whenever it comes at either end."""
        plain, ms = story([1000, 1000])
        self.assertEqual(plain[-3:-1], ["", "+-+-+"])
        self.assertTrue(2800 < ms < 4000, ms)
        for at in range(0, ms, 17 * STEP):
            first = ((0x40000000, _HALF)[at & 1] - at) & 0x3FFFFFFF
            clocks = ([first, first], [first, 5], [77777777, first])[at % 3]
            self.assertEqual(story(clocks)[0], plain, (at, clocks))

    def jumps(self, ms, sides, act):
        """Let clocks jump amid what act(bench) begins; return the bench after 3 s."""
        bench = Bench(9, {"silence_ms": 600}).connect()
        bench.line.run(200)
        act(bench)
        for i in sides:
            bench.line.jump(i, ms)
        bench.line.run(3000)
        return bench

    def test_clock_jumps(self):
        """A clock that jumps, ahead or back, costs at most the session: all is up in seconds."""

        def idle(bench):
            pass

        def busy(bench):
            for i in range(2):
                bench.say(i, -1)
            bench.line.run(100)

        def waiting(bench):
            bench.cut(1)
            bench.say(0, 20)
            bench.line.run(100)
            bench.cut()

        def losing(bench):
            for i in range(2):
                bench.say(i, -1)
            bench.line.run(100)
            bench.cut(0)
            bench.line.run(60)
            bench.line.at(1000, bench.cut)

        def dead(bench):
            bench.cut(0, 1)
            bench.line.run(8000)
            bench.cut()

        ahead = (1, 90, 500, 5000, 3_600_000, _HALF - 1, _HALF, _HALF + 1)
        back = (-1, -90, -5000, -100_000, 9000 - _HALF)
        for act in (idle, busy, waiting, losing, dead):
            jumps = ahead + back
            for k in range(0, len(jumps), 1 + STEP // 2):
                for sides in ((0,), (1,), (0, 1)):
                    bench = self.jumps(jumps[k], sides, act)
                    self.good(bench, (act, jumps[k], sides), 2000)
                    if abs(jumps[k]) < 100 and act is not dead:
                        self.unbroken(bench, (act, jumps[k], sides))

    def test_clocks_that_run_at_different_rates(self):
        """One clock is 20 % fast: the sessions hold all the same."""
        for fast in range(2):
            bench = Bench(10, {"silence_ms": 300}).connect()
            for n in range(600 // STEP):
                bench.line.run(50)
                bench.line.jump(fast, 10)
                if n % 7 == 0:
                    bench.say(n & 1, 3)
            self.unbroken(bench)
            self.good(bench, None, 0)

    def test_the_clocks_of_the_bench(self):
        """Each end has its own, and it wraps as a board's does."""
        bench = Bench(1)
        bench.line.clocks = [0x3FFFFFFF, 5]
        bench.line.run(3)
        for side, now_ms in ((0, 2), (1, 8)):
            bench.line.side = side
            self.assertEqual(bench.line.now(), now_ms)


if __name__ == "__main__":
    unittest.main()
