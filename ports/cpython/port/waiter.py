# SPDX-License-Identifier: MIT
"""What a bus sleeps on: its streams, a time, and wake() from anywhere.

Rule 1: a wake-up is never lost. wake() sets a flag for every thread that ever waited here; a wait
takes its thread's flag and, if it was set, returns at once. So check, then wait: nothing
that comes between is missed.
Rule 2: while one thread is the pump (`own`), only that one sleeps on the streams; the others sleep
until somebody calls wake().
Rule 3: wake() neither blocks nor takes a lock, so a signal handler may call it. It writes one
byte, and only for a thread that sleeps.
Rule 4: wait() and wait_async() are called without the lock.
"""

import asyncio
import os
import select
import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    class Stream(Protocol):
        """What can be slept on. Only a `blocked` one is waited for to take bytes."""

        def fileno(self) -> int: ...


class _Sleeper:
    """One thread that waits, with the pipe that ends its sleep."""

    def __init__(self) -> None:
        self.thread = threading.current_thread()
        self.woken = True  # the first wait returns at once: a wake may have come before it
        self.asleep = False
        self.reader, self.writer = os.pipe()
        os.set_blocking(self.reader, False)
        os.set_blocking(self.writer, False)
        self.futures: list[asyncio.Future[bool]] = []  # tasks of this thread's loop that sleep
        self.fds: list[int] = []  # what the loop watches for them

    def wake(self) -> None:
        self.woken = True
        if self.asleep:
            try:
                os.write(self.writer, b"\0")
            except OSError:
                pass  # full: it wakes anyway; closed: nobody sleeps

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

    def close(self) -> None:
        os.close(self.reader)
        os.close(self.writer)


class Waiter:
    """Sleeps until a stream is ready, wake() is called or a time has passed."""

    def __init__(self) -> None:
        self.lock = threading.RLock()  # guards the bus, for whoever asks for it
        self._guard = threading.Lock()  # guards the two lists, never taken by wake()
        self._streams: list[Stream] = []
        self._sleepers: list[_Sleeper] = []
        self._owner = 0

    def add(self, stream: "Stream | None") -> None:
        """Sleep on `stream` too: something with fileno(); None is ignored."""
        if stream is None:
            return
        with self._guard:
            if stream not in self._streams:
                self._streams = self._streams + [stream]
        self.wake()

    def remove(self, stream: "Stream | None") -> None:
        """Sleep on `stream` no more. Call it before the stream is closed. Unknown: ignored."""
        with self._guard:
            self._streams = [s for s in self._streams if s is not stream]
        self.wake()

    def own(self) -> None:
        """Make the calling thread the pump: the one that sleeps on the streams."""
        self._owner = threading.get_ident()

    def disown(self) -> None:
        """End own(): no thread is the pump now; whoever waits, pumps."""
        if self.owned():
            self._owner = 0
            self.wake()

    def owned(self) -> bool:
        """Return True if the calling thread is the one that last called own()."""
        return self._owner == threading.get_ident()

    def wake(self) -> None:
        """End the sleep of every thread that waits here, or its next one. From any thread."""
        for sleeper in self._sleepers:
            sleeper.wake()

    def wait(self, timeout_ms: int | None, writing: bool) -> bool:
        """Sleep until a stream is readable, wake() was called or `timeout_ms` passed.

        timeout_ms: None = no limit.
        writing: also until a stream that is `blocked` takes bytes again.
        Returns False if the time has passed, else True.
        """
        sleeper = self._sleeper()
        poller = select.poll()
        poller.register(sleeper.reader, select.POLLIN)
        for fd, mask in self._wanted(writing):
            poller.register(fd, mask)
        sleeper.asleep = True
        try:
            ready = poller.poll(0 if sleeper.woken else timeout_ms)
        finally:
            sleeper.asleep = bool(sleeper.futures)
        if not sleeper.rest(bool(ready)):
            return False
        if sleeper.futures:
            _fire(sleeper)  # what ended this sleep ends that of the thread's tasks
        return True

    async def wait_async(self, timeout_ms: int | None, writing: bool) -> bool:
        """Do as wait() does, while the event loop runs on. Several tasks may."""
        sleeper = self._sleeper()
        if sleeper.woken:
            _fire(sleeper)  # the wake-up is for every task that sleeps here
            await asyncio.sleep(0)
            return True
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        sleeper.futures.append(future)
        self._watch(loop, sleeper, writing)
        sleeper.asleep = True
        timer = None
        if timeout_ms is not None:
            timer = loop.call_later(timeout_ms / 1000, _expire, future)
        try:
            return bool(await future)
        finally:
            if timer is not None:
                timer.cancel()
            sleeper.futures.remove(future)
            if not sleeper.futures:
                sleeper.asleep = False
                self._unwatch(loop, sleeper)

    def start(self, function: "Callable[[], None]") -> None:
        """Run `function` in a daemon thread, which owns this Waiter until it returns."""

        def run() -> None:
            self.own()
            try:
                function()
            finally:
                self.disown()

        threading.Thread(target=run, name="limpet", daemon=True).start()

    def close(self) -> None:
        """Give the pipes back. Nobody may be waiting."""
        with self._guard:
            sleepers, self._sleepers = self._sleepers, []
            self._streams = []
        for sleeper in sleepers:
            sleeper.close()

    def _sleeper(self) -> _Sleeper:
        """Return the calling thread's record; a new one clears away those of dead threads."""
        me = threading.current_thread()
        for sleeper in self._sleepers:
            if sleeper.thread is me:
                return sleeper
        with self._guard:
            kept = []
            for sleeper in self._sleepers:
                if sleeper.thread.is_alive():
                    kept.append(sleeper)
                else:
                    sleeper.close()
            sleeper = _Sleeper()
            self._sleepers = kept + [sleeper]
        return sleeper

    def _wanted(self, writing: bool) -> "list[tuple[int, int]]":
        """Return (file number, poll mask) of the streams that the calling thread sleeps on."""
        wanted: list[tuple[int, int]] = []
        if self._owner and not self.owned():
            return wanted
        for stream in self._streams:
            mask = select.POLLIN
            if writing and getattr(stream, "blocked", True):
                mask |= select.POLLOUT
            try:
                fd = stream.fileno()
            except (OSError, ValueError):
                continue  # closed just now: whoever closed it says remove() and wake()
            if fd >= 0:
                wanted.append((fd, mask))
        return wanted

    def _watch(self, loop: asyncio.AbstractEventLoop, sleeper: _Sleeper, writing: bool) -> None:
        """Have the loop watch the pipe and the streams for this thread's tasks."""
        loop.add_reader(sleeper.reader, _fire, sleeper)
        sleeper.fds.append(sleeper.reader)
        for fd, mask in self._wanted(writing):
            loop.add_reader(fd, _fire, sleeper)
            if mask & select.POLLOUT:
                loop.add_writer(fd, _fire, sleeper)
            sleeper.fds.append(fd)

    def _unwatch(self, loop: asyncio.AbstractEventLoop, sleeper: _Sleeper) -> None:
        for fd in sleeper.fds:
            loop.remove_reader(fd)
            loop.remove_writer(fd)
        sleeper.fds.clear()


def _fire(sleeper: _Sleeper) -> None:
    """End the sleep of every task of this thread."""
    sleeper.rest(True)
    for future in sleeper.futures:
        if not future.done():
            future.set_result(True)


def _expire(future: "asyncio.Future[bool]") -> None:
    if not future.done():
        future.set_result(False)
