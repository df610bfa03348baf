# SPDX-License-Identifier: MIT
"""A thread that sleeps in a Waiter: itself in wait(), or the tasks of its event loop.

Rule 1: `asleep` is set before `woken` and `over` are looked at, and `woken` before `asleep` is: of
one that lies down and one that wakes or ends it, at least one sees the other.
Rule 2: futures and what is watched are touched by that thread only, or when it has ended.
"""

import asyncio
import os
import select
import threading


class Sleeper:
    """A thread's record, with the pipe that ends its sleep."""

    def __init__(self) -> None:
        self.thread = threading.current_thread()
        self.woken = True  # the first wait returns at once: a wake may have come before it
        self.asleep = False  # in wait(), or tasks are in wait_async()
        self.over = False  # it sleeps no more; the last one to use the pipe closes it
        self.reader, self.writer = os.pipe()
        os.set_blocking(self.reader, False)
        os.set_blocking(self.writer, False)
        self._pipe = [(self.reader, self.writer)]  # empty once taken by who closes it
        self._wakers: list[None] = []  # one for each wake() that may be writing
        self._waiting = False  # in wait()
        self.futures: dict[asyncio.Future[bool], bool] = {}  # tasks that sleep: to write, too?
        self._loop: asyncio.AbstractEventLoop | None = None  # theirs
        self.watched: dict[int, int] = {}  # {file number: poll mask}: what the loop watches
        self._stale = False  # a file number in there may be another file's by now

    def wake(self) -> None:
        """End the sleep, or the next one."""
        self.woken = True
        if self.asleep:
            self._wakers.append(None)
            try:
                if self.asleep and self._pipe:
                    os.write(self.writer, b"\0")
            except OSError:
                pass  # full: it wakes anyway
            finally:
                self._wakers.pop()
                self._free()

    def lie_down(self) -> bool:
        """Begin a sleep in wait(); False if there is none any more."""
        self._waiting = self.asleep = True
        if not self.over:
            return True
        self.get_up()
        return False

    def get_up(self) -> None:
        """End a sleep in wait()."""
        self._waiting = False
        self.settle()

    def settle(self) -> None:
        """Note whether it is still asleep. If not, the pipe may be closed from now on."""
        self.asleep = self._waiting or bool(self.futures)
        self._free()

    def rest(self, ready: bool) -> bool:
        """Take the flag and empty the pipe (`ready`: it may hold a byte); true if it was woken."""
        ready = ready or self.woken
        self.woken = False
        if ready:
            try:
                os.read(self.reader, 4096)
            except OSError:
                pass
        return ready

    def end(self) -> None:
        """Let this sleep be the last one. From any thread."""
        self.over = True
        if not self.thread.is_alive() or (self._loop is not None and self._loop.is_closed()):
            self.futures.clear()  # nobody will
            self.asleep = self._waiting and self.thread.is_alive()
        self.wake()
        self._free()

    def _free(self) -> None:
        """Close the pipe if nobody uses it any more. Whoever uses it calls this afterwards."""
        if self.over and not self.asleep and not self._wakers:
            try:
                reader, writer = self._pipe.pop()
            except IndexError:
                return  # somebody else did
            os.close(reader)
            os.close(writer)

    # The tasks of an event loop.

    def enter(self, loop: asyncio.AbstractEventLoop, writing: bool) -> "asyncio.Future[bool]":
        """Let a task begin a sleep; what it awaits is done at once if it was woken before."""
        if loop is not self._loop:
            self._leave_loop()
            self._loop = loop
        future: asyncio.Future[bool] = loop.create_future()
        self.futures[future] = writing
        self.asleep = True
        if self.woken or self.over:
            self.fire()  # the wake-up is for every task that sleeps here
        return future

    def _leave_loop(self) -> None:
        """Leave the tasks of another loop. If it is not closed, they look again when it runs."""
        if self._loop is None or self._loop.is_closed():
            self.futures.clear()
            self.watched = {}
        else:
            self.watch({})
            self.release()

    def fire(self) -> None:
        """Take the flag for all tasks, and end the sleep of each."""
        if not self.over:
            self.rest(True)
        self.release()

    def release(self) -> None:
        """End the sleep of every task."""
        for future in self.futures:
            if not future.done():
                future.set_result(True)

    def forget(self) -> None:
        """Watch no stream, for one of them is about to be closed; tasks that look again do."""
        if threading.current_thread() is self.thread:
            self.watch({self.reader: select.POLLIN} if self.futures else {})
        else:
            self._stale = True

    def watch(self, wanted: "dict[int, int]") -> None:
        """Have the loop watch just these: {file number: poll mask}."""
        if self._loop is None or self._loop.is_closed():
            return
        if self._stale:
            self._stale = False
            self.watch({})
        for fd, mask in self.watched.items():
            gone = mask & ~wanted.get(fd, 0)
            if gone & select.POLLIN:
                self._loop.remove_reader(fd)
            if gone & select.POLLOUT:
                self._loop.remove_writer(fd)
        for fd, mask in wanted.items():
            fresh = mask & ~self.watched.get(fd, 0)
            if fresh & select.POLLIN:
                self._loop.add_reader(fd, self.fire)
            if fresh & select.POLLOUT:
                self._loop.add_writer(fd, self.fire)
        self.watched = wanted
