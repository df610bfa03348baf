# SPDX-License-Identifier: MIT
"""Who runs a bus: turns under a clock that wraps, timers on their grid, run and stop, waiting."""

import asyncio
import unittest

import limpet.run
from buses import SERIAL_MAX, Tracebacks, closed_clean, make_bus, names
from limpet import Closed, NoReplier
from limpet.errors import EADDRNOTAVAIL
from limpet.port import ticks_ms
from limpet.ticks import MS_MAX, ticks_add, ticks_diff
from limpet.transport.loopback import loopback


class Case(unittest.TestCase):
    """The runner's clock stands still until a test moves it; the wrap lies 100 ms ahead."""

    def setUp(self):
        self.now = SERIAL_MAX - 99
        self.saved = limpet.run.ticks_ms
        limpet.run.ticks_ms = lambda: self.now
        self.bus = make_bus()
        self.ks = self.bus.ksock()
        self.calls = []

    def tearDown(self):
        limpet.run.ticks_ms = self.saved
        closed_clean(self, self.bus)

    def step(self, ms):
        """Let `ms` pass, and take a turn."""
        self.now = ticks_add(self.now, ms)
        return self.bus.runner.step(self.now)

    def called(self, what):
        """Return a function that notes when it was called."""
        return lambda: self.calls.append((what, self.now))


class TestEvery(Case):
    def test_on_the_grid_across_the_wrap(self):
        """A function is called once each period, and step tells how long until then."""
        start = self.now
        self.bus.every(30, self.called("a"))
        for _ in range(200):
            left = self.step(1)
            self.assertTrue(0 < left <= 30)
        times = [ticks_diff(now, start) for _, now in self.calls]
        self.assertEqual(times, [30, 60, 90, 120, 150, 180])

    def test_cancel(self):
        """A cancelled timer is not called again, also by itself and twice; others go on."""
        first = self.bus.every(10, self.called("first"))
        second = self.bus.every(10, lambda: (self.called("second")(), second.cancel()))
        self.bus.every(10, self.called("third"))
        self.step(10)
        first.cancel()
        first.cancel()
        for _ in range(20):
            self.step(1)
        self.assertEqual(
            [what for what, _ in self.calls], ["first", "second", "third", "third", "third"]
        )

    def test_sleeping_as_long_as_told(self):
        """Steps taken exactly when they are due are enough, for several periods at once."""
        start = self.now
        self.bus.every(30, self.called("a"))
        self.bus.every(50, self.called("b"))
        left = self.step(0)
        while ticks_diff(self.now, start) < 150:
            left = self.step(left)
        times = [(what, ticks_diff(now, start)) for what, now in self.calls]
        expected = [("a", t) for t in (30, 60, 90, 120, 150)] + [("b", t) for t in (50, 100, 150)]
        self.assertEqual(sorted(times), sorted(expected))

    def test_missed_turns_are_left_out(self):
        """After a long pause there is one call, and the grid stays."""
        start = self.now
        self.bus.every(30, self.called("a"))
        self.assertEqual(self.step(100), 20)  # at 100: 30, 60 and 90 in one
        self.assertEqual(self.step(19), 1)
        self.assertEqual(self.step(1), 30)  # at 120
        self.assertEqual([ticks_diff(now, start) for _, now in self.calls], [100, 120])

    def test_exactly_one_period_late(self):
        """At the moment of the next turn there is one call, for both."""
        self.bus.every(30, self.called("a"))
        self.assertEqual(self.step(60), 30)
        self.assertEqual(len(self.calls), 1)

    def test_after_days(self):
        """Whatever pause the clock can tell, there is one call and one period to wait."""
        self.bus.every(7, self.called("a"))
        for pause in (1 << 20, (1 << 29) - 8):
            count = len(self.calls)
            self.assertTrue(0 < self.step(pause) <= 7)
            self.assertEqual(len(self.calls), count + 1)

    def test_a_period_that_makes_no_sense(self):
        """Below 1 ms, longer than the clock can tell, or not whole: refused."""
        for bad in (0, -1, 1 << 29, 1 << 30):
            self.assertRaises(ValueError, self.bus.every, bad, len)
        for bad in (100.0, "100"):
            self.assertRaises(TypeError, self.bus.every, bad, len)
        self.bus.every(1, self.called("a"))
        for _ in range(3):
            self.step(1)
        self.assertEqual(len(self.calls), 3)

    def test_a_long_period(self):
        """Periods of days work as well."""
        self.bus.every(1 << 28, self.called("a"))
        self.assertEqual(self.step(5), (1 << 28) - 5)
        self.step((1 << 28) - 6)
        self.assertEqual(self.calls, [])
        self.step(1)
        self.assertEqual(len(self.calls), 1)

    def test_every_in_every(self):
        """A function may add others, and send."""
        self.ks.bind("$.A")
        self.bus.every(10, lambda: self.bus.every(10, lambda: self.ks.announce("$.A")))
        self.step(10)
        self.assertEqual(names(self.ks), [])
        self.step(10)
        self.assertEqual(names(self.ks), ["$.A"])


class TestStep(Case):
    def test_nothing_to_do(self):
        """With nothing at all due, it says so."""
        self.assertEqual(self.step(0), MS_MAX)

    def test_the_first_thing_due(self):
        """Deadlines and timers: the sooner one counts."""
        self.ks.bind("$.A", True)
        self.bus.every(50, self.called("a"))
        other = self.bus.ksock()
        self.step(0)
        other.request("$.A", deadline_ms=20)
        self.assertEqual(self.step(0), 20)
        self.assertEqual(self.step(15), 5)
        self.assertEqual(self.step(5), 30)
        self.assertEqual(len(names(other)), 1)

    def test_handlers_mean_another_turn(self):
        """After a handler was called it is 0: there may be more to do at once."""
        self.ks.listener("$.A")(lambda msg: None)
        self.ks.announce("$.A")
        self.assertEqual(self.step(0), 0)
        self.assertEqual(self.step(0), MS_MAX)

    def test_a_deadline_counts_from_the_send(self):
        """Not from the poll before, however long ago that was."""
        self.ks.bind("$.A", True)
        other = self.bus.ksock()
        self.step(0)
        self.now = ticks_add(self.now, 1000)
        other.request("$.A", deadline_ms=20)
        self.assertEqual(self.step(0), 20)
        self.assertEqual(names(other), [])


class TestRun(unittest.TestCase):
    """With the real clock; whatever waits here has something to wait for."""

    def setUp(self):
        self.bus = make_bus()
        self.ks = self.bus.ksock()
        self.count = 0

    def tearDown(self):
        closed_clean(self, self.bus)

    def test_stop_inside_every(self):
        """run() returns after the turn in which stop() was called; it may be run again."""

        def work():
            self.count += 1
            if self.count % 3 == 0:
                self.bus.stop()

        self.bus.every(1, work)
        for total in (3, 6):
            self.bus.run()
            self.assertEqual(self.count, total)

    def test_a_function_that_raises(self):
        """It is printed; run() goes on, and so does everything else."""

        def fails():
            self.count += 1
            if self.count == 3:
                self.bus.stop()
            raise ValueError

        others = []
        self.bus.every(1, fails)
        self.bus.every(1, lambda: others.append(1))
        with Tracebacks() as printed:
            self.bus.run()
        self.assertEqual([type(e) for e in printed.found], [ValueError] * 3)
        self.assertTrue(len(others) >= 1)
        self.assertIsNone(self.ks.wait_for_msg(0))  # nothing says that a handler is at work

    def test_stop_before_run(self):
        """A stop() counts for the run that is about to begin, and for no other one."""
        self.called = []
        self.bus.every(1, lambda: (self.called.append(1), self.bus.stop()))
        self.bus.stop()
        self.bus.run()
        self.assertEqual(self.called, [])
        self.bus.run()
        self.assertEqual(self.called, [1])

    def test_a_closed_bus(self):
        """Whatever would go on with a closed bus is refused at once."""
        bus = make_bus()
        bus.close()
        bus.close()
        self.assertRaises(Closed, bus.run)
        self.assertRaises(Closed, bus.every, 5, len)
        self.assertRaises(Closed, bus.join, loopback()[0])
        self.assertRaises(Closed, bus.wait_for_replier, "$.A")
        self.assertRaises(Closed, asyncio.run, bus.serve())

    def test_close_inside_every(self):
        """bus.close() ends run()."""
        self.bus.every(1, self.bus.close)
        self.bus.run()
        self.assertTrue(self.ks.hot.closed)

    def test_timers_go_on_while_one_waits(self):
        """Whoever waits, pumps."""
        self.ks.bind("$.A")
        sender = self.bus.ksock()
        self.bus.every(1, lambda: sender.announce("$.A"))
        start = ticks_ms()
        for _ in range(3):
            self.assertEqual(self.ks.wait_for_msg(5000).name, "$.A")
        self.assertTrue(ticks_diff(ticks_ms(), start) < 5000)


class TestWaitForReplier(unittest.TestCase):
    def setUp(self):
        self.bus = make_bus()
        self.ks = self.bus.ksock()

    def tearDown(self):
        closed_clean(self, self.bus)

    def test_there_already(self):
        """It returns at once, also for a pattern that covers the name."""
        self.ks.bind("$.A.*", True)
        self.bus.wait_for_replier("$.A.B", 0)
        self.bus.wait_for_replier("$.A.B")

    def test_it_comes(self):
        """It returns when somebody binds."""
        self.bus.every(1, lambda: self.ks.handled or self.ks.replier("$.A")(lambda msg: b""))
        self.bus.wait_for_replier("$.A", 5000)
        self.assertEqual(self.ks.call("$.A").data, b"")

    def test_none_comes(self):
        """NoReplier after the time, saying what there is of links; a listener does not count."""
        self.ks.bind("$.A")
        for timeout_ms in (0, 3):
            with self.assertRaises(NoReplier) as caught:
                self.bus.wait_for_replier("$.A", timeout_ms)
            self.assertEqual(caught.exception.errno, EADDRNOTAVAIL)
            self.assertIn("no links", str(caught.exception))


if __name__ == "__main__":
    unittest.main()
