# SPDX-License-Identifier: MIT
"""What the tasks of an event loop wait at, and who takes a bus's turns meanwhile.

Rule 1: a Bell's `woken` is set before its futures are looked at, and a task's future is there
before `woken` is: of one that rests and one that wakes, at least one sees the other.
Rule 2: futures belong to the loop's thread. Others hand over through call_soon_threadsafe.
Rule 3: an Attendant is callbacks, not a task: a loop that ends leaves nothing to be cancelled.
"""

import asyncio
from functools import partial
from threading import get_ident

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol

    from .waiter import Nap, Waiter

    class Watched(Protocol):
        """A Ksock's queue, which calls `watch`, if there is one, when something comes."""

        watch: Any

    class Pump(Protocol):
        """Whose turns are taken."""

        def turn(self) -> int | None: ...
        def writing(self) -> bool: ...
        def end(self) -> None: ...


class Pause:
    """As asyncio.sleep(0), but made once, and all of it in C: an iterator that yields one None."""

    __await__ = staticmethod(partial(iter, (None,)))


_PAUSE = Pause()


class Bell:
    """What tasks wait at until wake(); of one event loop at a time."""

    def __init__(self, watched: "Watched") -> None:
        self.woken = False  # wake() was called since a task that waits has set it to False
        self._watched = watched
        self._futures: list[asyncio.Future[bool]] = []  # one for each task that rests
        self.loop: asyncio.AbstractEventLoop | None = None  # theirs; to be compared with `is`
        self._thread = 0  # and that loop's

    def wake(self) -> None:
        """End the rest of every task, and be the watch no more.

        From any thread, but not from a signal handler.
        """
        self.woken = True
        if self._watched.watch is self:
            self._watched.watch = None
        if self._futures:
            if get_ident() == self._thread:
                self._ring()
            else:
                self._ring_soon()

    def is_here(self) -> bool:
        """Tell whether it belongs to the event loop that runs now; if not, move() it there."""
        return get_ident() == self._thread and self.loop is not None and self.loop.is_running()

    def move(self) -> None:
        """Go to the running loop. Tasks that rest in another one look again when it runs."""
        loop = asyncio.get_running_loop()
        if loop is not self.loop:
            left = Bell(self._watched)
            left._futures, self._futures = self._futures, []
            left.loop, self.loop = self.loop, loop
            left._ring_soon()
        self._thread = get_ident()

    def rest(self, timeout_ms: int | None = None) -> "asyncio.Future[bool]":
        """Return what to await, here: True after a wake(), False when `timeout_ms` have passed.

        After a wake() that found nobody at rest, it lets other tasks run once.
        """
        loop = self.loop
        assert loop is not None
        future: asyncio.Future[bool] = loop.create_future()
        if self._futures:  # one that was cancelled stays behind
            self._futures = [f for f in self._futures if not f.done()]
        self._futures.append(future)
        if self.woken:
            loop.call_soon(self._ring)
        elif timeout_ms is not None:
            timer = loop.call_later(timeout_ms / 1000, expire, future)
            future.add_done_callback(lambda _: timer.cancel())
        return future

    def is_awaited(self) -> bool:
        """Tell whether a task rests."""
        return any(not future.done() for future in self._futures)

    def pause(self) -> "Pause":
        """Return what to await to let other tasks run once."""
        return _PAUSE

    def _ring(self) -> None:
        self.woken = False  # whoever is woken looks later than this
        futures, self._futures = self._futures, []
        try:
            for future in futures:
                if not future.done():
                    future.set_result(True)
        except RuntimeError:
            pass  # their loop was closed around them: they rest for ever

    def _ring_soon(self) -> None:
        try:
            if self.loop is not None:
                self.loop.call_soon_threadsafe(self._ring)
        except RuntimeError:
            self._futures = []  # the same


class Attendant:
    """Takes the turns of `pump` in the running event loop, as Waiter.attend says."""

    def __init__(self, waiter: "Waiter", pump: "Pump") -> None:
        self._waiter = waiter
        self._pump = pump
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[object]] = set()
        self._nap: Nap | None = None
        self._over = False
        self._loop.call_soon(self._turn)

    def join(self) -> None:
        """Go on for as long as the running task lives, too."""
        task = asyncio.current_task()
        if task is not None and task not in self._tasks:
            self._tasks.add(task)
            task.add_done_callback(self._left)

    def is_dead(self) -> bool:
        """Tell whether its loop was closed around it, so that it takes no more turns."""
        return self._loop.is_closed()

    def _left(self, task: "asyncio.Task[object]") -> None:
        self._tasks.discard(task)
        if not self._tasks:
            self._end()

    def _turn(self, future: object = None) -> None:
        if self._over or (self._nap is not None and future is not self._nap.future):
            return  # of a nap that is over
        due: int | None = -1
        try:
            due = self._pump.turn()
        finally:
            if due is not None and due < 0:
                self._end()
        if not self._over:
            self._sleep(due)

    def _sleep(self, due: int | None) -> None:
        nap = self._waiter.nap(self._loop, due, self._pump.writing())
        if self._nap is not None:
            self._nap.end()
        self._nap = nap
        if nap is None:  # the Waiter is closed
            self._end()
        else:
            nap.future.add_done_callback(self._turn)

    def _end(self) -> None:
        self._over = True
        if self._nap is not None:
            self._nap.end()
            self._nap = None
        self._pump.end()


def expire(future: "asyncio.Future[bool]") -> None:
    """End a rest or a nap whose time has passed."""
    if not future.done():
        future.set_result(False)
