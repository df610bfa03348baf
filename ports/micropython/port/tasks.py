# SPDX-License-Identifier: MIT
"""What asyncio's tasks wait at, and who takes a bus's turns meanwhile.

Rules: a task waits at an asyncio.Event; what looks for streams and wake-ups (Waiter.wait_async)
looks at once when a task begins to wait, else every 2 ms. An event loop is known by its queue of
tasks: where that is another one, the loop has ended, and its tasks never run again.
"""

import asyncio
from asyncio import core

from micropython import const

_LOOK_MS = const(100)  # how often an attendant looks whether its tasks have ended


class Bell:
    """What tasks wait at until wake()."""

    def __init__(self, watched, waiter):
        self.woken = False  # wake() was called since a task that waits has set it to False
        self.loop = None  # to be compared with `is`
        self._watched = watched
        self._waiter = waiter
        self._event = asyncio.Event()

    def wake(self) -> None:  # hot:
        """End the rest of every task, and be the watch no more. Not from an interrupt handler."""
        self.woken = True
        if self._watched.watch is self:
            self._watched.watch = None
        self._event.set()

    def is_here(self) -> bool:
        """Tell whether it belongs to the event loop that runs now; if not, move() it there."""
        return self.loop is core._task_queue

    def move(self) -> None:
        """Go to the running loop. Tasks that rest in another one never run again."""
        self.loop = core._task_queue
        self._event = asyncio.Event()

    def rest(self, timeout_ms=None):
        """Return what to await: until a wake(), or until `timeout_ms` have passed.

        After a wake() that found nobody at rest, it lets other tasks run once.
        """
        if self.woken:
            return self.pause()
        self._waiter.rouse()
        self._event.clear()
        if timeout_ms is None:
            return self._event.wait()
        return self._rest_within(timeout_ms)

    async def _rest_within(self, timeout_ms):
        try:
            await asyncio.wait_for_ms(self._event.wait(), timeout_ms)
        except asyncio.TimeoutError:
            pass

    def is_awaited(self) -> bool:
        """Tell whether a task rests."""
        return self._event.waiting.peek() is not None

    def pause(self):
        """Return what to await to let other tasks run once."""
        self._waiter.rouse()
        return asyncio.sleep_ms(0)


class Attendant:
    """Takes the turns of `pump` in the running event loop, as Waiter.attend says."""

    def __init__(self, waiter, pump):
        self._waiter = waiter
        self._pump = pump
        self._loop = core._task_queue
        self._tasks = []
        asyncio.create_task(self._run())

    def join(self) -> None:
        """Go on for as long as the running task lives, too."""
        task = asyncio.current_task()
        if task not in self._tasks:
            self._tasks = [t for t in self._tasks if not t.done()]
            self._tasks.append(task)

    def is_dead(self) -> bool:
        """Tell whether its loop has ended, so that it takes no more turns."""
        return self._loop is not core._task_queue

    async def _run(self):
        try:
            while not all(task.done() for task in self._tasks):
                due = self._pump.turn()
                if due is None or due > _LOOK_MS:
                    due = _LOOK_MS
                if due < 0:
                    return
                await self._waiter.wait_async(due, self._pump.writing())
        finally:
            self._pump.end()
