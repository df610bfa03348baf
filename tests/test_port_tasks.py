# SPDX-License-Identifier: MIT
"""The seam for asyncio: bells that tasks wait at, turns that are taken meanwhile, gates."""

import _thread
import asyncio
import unittest

from limpet import port
from limpet.port import Waiter, ticks_ms
from limpet.ticks import ticks_diff

LONG_MS = 5000  # nothing here sleeps for so long, unless it is broken


def elapsed(start):
    return ticks_diff(ticks_ms(), start)


class Pump:
    """Counts turns; says when the next one is due."""

    def __init__(self, due=None):
        self.due = due
        self.turns = 0
        self.ended = 0
        self.called = asyncio.Event()

    def turn(self):
        self.turns += 1
        self.called.set()
        return self.due

    def writing(self):
        return False

    def end(self):
        self.ended += 1


class Watched:
    watch = None


class TestTasks(unittest.TestCase):
    """What lets tasks wait: a bell, and somebody who takes turns meanwhile."""

    def setUp(self):
        self.waiter = Waiter()
        self.addCleanup(self.waiter.close)
        self.watched = Watched()

    def run_here(self, coroutine):
        async def limited():
            return await asyncio.wait_for(coroutine, LONG_MS / 1000)

        return asyncio.run(limited())

    def bell(self):
        """Return a bell in the running loop, which watches."""
        self.watched.watch = bell = self.waiter.bell(self.watched)
        bell.move()
        return bell

    def test_a_bell_wakes_all(self):
        """And is nobody's watch from then on."""

        async def body():
            bell = self.bell()
            ended = []

            async def wait(i):
                await bell.rest()
                ended.append(i)

            tasks = [asyncio.create_task(wait(i)) for i in range(3)]
            await asyncio.sleep(0)
            self.assertTrue(bell.is_here() and bell.is_awaited())
            bell.wake()
            self.assertIsNone(self.watched.watch)
            for task in tasks:
                await task
            self.assertFalse(bell.is_awaited())
            return sorted(ended)

        self.assertEqual(self.run_here(body()), [0, 1, 2])

    def test_another_watch_is_left_alone(self):
        async def body():
            bell = self.bell()
            self.watched.watch = other = object()
            bell.wake()
            self.assertTrue(self.watched.watch is other)

        self.run_here(body())

    def test_a_wake_before_the_rest_counts(self):
        """The rest is over at once, but other tasks have run."""

        async def body():
            bell = self.bell()
            ran = []

            async def other():
                ran.append(1)

            bell.wake()
            task = asyncio.create_task(other())
            await bell.rest()
            await task
            return ran

        self.assertEqual(self.run_here(body()), [1])

    def test_the_time_passes(self):
        async def body():
            bell = self.bell()
            start = ticks_ms()
            await bell.rest(10)
            self.assertFalse(bell.woken)
            return elapsed(start)

        self.assertTrue(9 <= self.run_here(body()) < LONG_MS)

    def test_a_wake_from_another_thread(self):
        """While a task rests, or before; it does not sleep through it."""

        async def body():
            for pause_ms in (0, 5):
                bell = self.bell()
                bell.woken = False
                _thread.start_new_thread(wake_after, (bell, pause_ms))
                await bell.rest()

        def wake_after(bell, pause_ms):
            start = ticks_ms()
            while elapsed(start) < pause_ms:
                pass
            bell.wake()

        if port.NAME == "cpython":  # elsewhere one thread has it all
            self.run_here(body())

    def test_a_cancelled_rest(self):
        """It leaves the others alone, and is not counted."""

        async def body():
            bell = self.bell()
            tasks = [asyncio.create_task(self.rest(bell)) for _ in range(2)]
            await asyncio.sleep(0)
            tasks[0].cancel()
            try:
                await tasks[0]
            except asyncio.CancelledError:
                pass
            self.assertTrue(bell.is_awaited())
            bell.wake()
            await tasks[1]
            return bell.is_awaited()

        self.assertFalse(self.run_here(body()))

    async def rest(self, bell):
        await bell.rest()

    def test_one_loop_after_the_other(self):
        """A bell goes along."""
        bells = []

        async def body():
            if not bells:
                bells.append(self.waiter.bell(self.watched))
            bell = bells[0]
            self.assertFalse(bell.is_here())
            bell.move()
            bell.woken = False
            task = asyncio.create_task(self.rest(bell))
            await asyncio.sleep(0)
            bell.wake()
            await task

        for _ in range(3):
            self.run_here(body())
            new_loop()

    def test_turns_are_taken(self):
        """Soon, when they are due, and after a wake-up; as long as a task lives that joined."""

        async def body():
            for due, wake in ((0, False), (2, False), (None, True)):
                pump = Pump(due)
                task = asyncio.create_task(self.attended(pump, wake))
                await task
                turns = pump.turns
                self.assertTrue(turns >= 4)
                while not pump.ended:
                    await asyncio.sleep(0)
                self.assertTrue(pump.turns <= turns + 1)

        self.run_here(body())

    async def attended(self, pump, wake):
        self.waiter.attend(pump).join()
        for _ in range(4):
            await pump.called.wait()
            pump.called.clear()
            if wake:
                self.waiter.wake()

    def test_a_turn_that_is_the_last(self):
        """It says so, or the Waiter is closed."""

        async def body():
            for end in (False, True):
                pump = Pump(None if end else -1)
                self.waiter.attend(pump).join()
                if end:
                    await pump.called.wait()
                    self.waiter.close()
                    pump.due = -1  # as a bus that is closed says, too
                while not pump.ended:
                    await asyncio.sleep(0)
                self.assertTrue(pump.turns <= 2)

        self.run_here(body())

    def test_a_loop_that_ends(self):
        """Whoever asks is told that no more turns are taken there."""
        found = []

        async def body():
            found.append(self.waiter.attend(Pump()))
            found[0].join()
            self.assertFalse(found[0].is_dead())

        self.run_here(body())
        new_loop()
        self.assertTrue(found[0].is_dead())

    def test_a_gate_where_there_is_one(self):
        """A file descriptor, or an OSError that says what to do instead."""
        if port.NAME == "cpython":
            gate = self.waiter.gate(lambda: False, lambda: True)
            self.assertTrue(gate.fileno() >= 0)
            gate.close()
            return
        with self.assertRaises(OSError) as caught:
            self.waiter.gate(lambda: False, lambda: True)
        self.assertIn("wait_for_msg", str(caught.exception))


def new_loop():
    """Let the next asyncio.run() have a new loop, as it always has on CPython."""
    if port.NAME != "cpython":
        asyncio.new_event_loop()


if __name__ == "__main__":
    unittest.main()
