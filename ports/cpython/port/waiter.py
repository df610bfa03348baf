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
Rule 5: a pipe is closed by whoever uses it last: close(), the thread that it woke, or a wake()
that was about to write. Before that its file numbers cannot be another file's.
"""

import asyncio
import select
import threading

from .gate import Gate
from .sleeper import Sleeper
from .tasks import Attendant, Bell, expire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    from .tasks import Pump, Watched

    class Stream(Protocol):
        """What can be slept on. Only a `blocked` one is waited for to take bytes."""

        def fileno(self) -> int: ...


class Waiter:
    """Sleeps until a stream is ready, wake() is called or a time has passed."""

    def __init__(self) -> None:
        self.lock = threading.RLock()  # guards the bus, for whoever asks for it
        self._guard = threading.Lock()  # guards what is below, never taken by wake()
        self._streams: list[Stream] = []
        self._sleepers: list[Sleeper] = []
        self._owner = 0
        self._closed = False

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
        for sleeper in self._sleepers:
            sleeper.forget()
        self.wake()

    def own(self) -> None:
        """Make the calling thread the pump: the one that sleeps on the streams."""
        with self._guard:
            self._owner = threading.get_ident()

    def disown(self) -> None:
        """End own(), if no other thread has called it since: whoever waits, pumps."""
        with self._guard:
            mine = self.owned()
            if mine:
                self._owner = 0
        if mine:
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
        Returns False if the time has passed, else True; at once when the Waiter is closed.
        """
        sleeper = self._sleeper()
        if sleeper is None or not sleeper.lie_down():
            return True
        try:
            poller = select.poll()
            poller.register(sleeper.reader, select.POLLIN)
            for fd, mask in self._wanted(writing).items():
                poller.register(fd, mask)
            ended = sleeper.rest(bool(poller.poll(0 if sleeper.woken else timeout_ms)))
            if ended:
                sleeper.release()  # what ends this sleep ends that of the thread's tasks
            return ended
        finally:
            sleeper.get_up()

    async def wait_async(self, timeout_ms: int | None, writing: bool) -> bool:
        """Do as wait() does, while the event loop runs on. Several tasks may."""
        nap = self.nap(asyncio.get_running_loop(), timeout_ms, writing)
        if nap is None:
            await asyncio.sleep(0)
            return True
        try:
            if nap.future.done():
                await asyncio.sleep(0)
                return True
            return await nap.future
        finally:
            nap.end()

    def nap(
        self, loop: asyncio.AbstractEventLoop, timeout_ms: int | None, writing: bool
    ) -> "Nap | None":
        """Begin a sleep in the running `loop`; None when closed."""
        sleeper = self._sleeper()
        return None if sleeper is None else Nap(self, sleeper, loop, timeout_ms, writing)

    def attend(self, pump: "Pump") -> Attendant:
        """Call pump.turn() in the running loop: soon, and then until its tasks have ended.

        These are the tasks that call join() of what this returns. Again after as many ms as
        turn() returned (None: no limit; -1: no more), and sooner after wake() or when a stream is
        ready, which pump.writing() may say more about. In the end pump.end() is called.
        """
        return Attendant(self, pump)

    def bell(self, watched: "Watched") -> Bell:
        """Return what tasks wait at for `watched`, whose `watch` it is until it rings."""
        return Bell(watched)

    def gate(self, readable: "Callable[[], bool]", writable: "Callable[[], bool]") -> Gate:
        """Return a file descriptor, for select and poll, that shows what these functions say."""
        return Gate(readable, writable)

    def start(self, function: "Callable[[], None]") -> None:
        """Run `function` in a daemon thread."""
        threading.Thread(target=function, name="limpet", daemon=True).start()

    def close(self) -> None:
        """End every sleep, now and later, and give the pipes back. Twice does no harm."""
        with self._guard:
            self._closed = True
            sleepers, self._sleepers = self._sleepers, []
            self._streams = []
        for sleeper in sleepers:
            sleeper.end()

    def _sleeper(self) -> Sleeper | None:
        """Return the calling thread's record; a new one clears away those of dead threads.

        None when closed.
        """
        me = threading.current_thread()
        for sleeper in self._sleepers:
            if sleeper.thread is me:
                return sleeper
        with self._guard:
            if self._closed:
                return None
            dead = [s for s in self._sleepers if not s.thread.is_alive()]
            made = Sleeper()
            self._sleepers = [s for s in self._sleepers if s not in dead] + [made]
        for sleeper in dead:
            sleeper.end()
        return made

    def _wanted(self, writing: bool) -> "dict[int, int]":
        """Return {file number: poll mask} of the streams that the calling thread sleeps on."""
        wanted: dict[int, int] = {}
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
                wanted[fd] = mask
        return wanted

    def watch(self, sleeper: Sleeper) -> None:
        """Have the loop watch what the tasks that sleep now want, and no more."""
        wanted: dict[int, int] = {}
        if sleeper.over:
            sleeper.release()
        elif sleeper.futures:
            wanted = self._wanted(any(sleeper.futures.values()))
            wanted[sleeper.reader] = select.POLLIN
        sleeper.watch(wanted)


class Nap:
    """A sleep of a task, or of an Attendant, in an event loop."""

    def __init__(
        self,
        waiter: Waiter,
        sleeper: Sleeper,
        loop: asyncio.AbstractEventLoop,
        timeout_ms: int | None,
        writing: bool,
    ) -> None:
        self.sleeper = sleeper
        self.future = sleeper.enter(loop, writing)  # done when the sleep is over
        self._waiter = waiter
        self._timer: asyncio.TimerHandle | None = None
        if not self.future.done():
            waiter.watch(sleeper)
            if timeout_ms is not None:
                self._timer = loop.call_later(timeout_ms / 1000, expire, self.future)

    def end(self) -> None:
        """Leave. Of a loop that was closed, this may come when another one is in use."""
        if self._timer is not None:
            self._timer.cancel()
        if self.future in self.sleeper.futures:
            del self.sleeper.futures[self.future]
            self._waiter.watch(self.sleeper)
            self.sleeper.settle()
