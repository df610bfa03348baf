# SPDX-License-Identifier: MIT
"""What a bus sleeps on: its streams, a time, and wake() from anywhere.

Rule 1: a wake-up is never lost: wake() leaves a flag that the next wait takes, returning at once.
Rule 2: wake() is one store, so an interrupt handler may call it. The flag is polled like a stream:
a sleep ends at once on a board, within 1 ms on Unix, where the VM looks at such things that often.
Rule 3: one task or thread pumps a bus; the lock does nothing.
"""

import io
import select
import time

from micropython import const

_MASK = const(0x3FFFFFFF)
_MP_STREAM_POLL = const(3)
_EINVAL = const(22)
_ENOSYS = const(38)
_TICK_MS = const(2)  # the longest sleep of wait_async between two looks at the streams


class _Flag(io.IOBase):
    """Readable once set: what makes a sleeping poll look at a plain Python flag."""

    def __init__(self):
        self.is_set = False

    def ioctl(self, request, arg):  # hot:
        if request != _MP_STREAM_POLL:
            return -_EINVAL  # no file number either: 0 would be that of the standard input
        return arg & select.POLLIN if self.is_set else 0


class _Lock:
    """Guards nothing: there is one thread."""

    def acquire(self):
        return True

    def release(self):
        pass

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        pass


class Waiter:
    """Sleeps until a stream is ready, wake() is called or a time has passed."""

    def __init__(self):
        self.lock = _Lock()
        self._flag = _Flag()
        self._streams = []
        self._wakes = 0  # wake-ups that a wait has taken
        self._napping = []  # tasks between two looks in wait_async
        self._closed = False
        self._aim_all()

    def add(self, stream) -> None:
        """Sleep on `stream` too: of open_device, or whatever poll takes. None is ignored."""
        if stream is not None and stream not in self._streams:
            self._streams.append(stream)
            self._aim_all()

    def remove(self, stream) -> None:
        """Sleep on `stream` no more. Call it before the stream is closed. Unknown: ignored."""
        if stream in self._streams:
            self._streams.remove(stream)
            self._aim_all()

    def _aim_all(self) -> None:
        """Make the poll objects: one only to read, and one for each stream that may be blocked.

        poll.modify() would do with one object, but allocates on a 32-bit VM.
        """
        self._reading = self._aim(None)
        self._writing = [self._aim(stream) for stream in self._streams]

    def _aim(self, blocked):
        poll = select.poll()
        poll.register(self._flag, select.POLLIN)
        for stream in self._streams:
            mask = select.POLLIN | select.POLLOUT if stream is blocked else select.POLLIN
            poll.register(getattr(stream, "pollable", stream), mask)
        return poll

    def own(self) -> None:
        """Make the caller the pump: here there is no other."""

    def disown(self) -> None:
        """End own()."""

    def owned(self) -> bool:  # hot:
        """Return True: there is one thread."""
        return True

    def wake(self) -> None:  # hot:
        """End the sleep at hand, or the next one. From any thread, task or interrupt."""
        self._flag.is_set = True

    def wait(self, timeout_ms, writing) -> bool:  # hot:
        """Sleep until a stream is readable, wake() was called or `timeout_ms` passed.

        timeout_ms: None = no limit.
        writing: also until a stream that is `blocked` takes bytes again; with several such streams
        the sleep is a short one. Returns False if nothing was there when it ended, else True; at
        once when the Waiter is closed.
        """
        if timeout_ms is None:
            timeout_ms = -1
        poll = self._reading
        if writing:
            index = self._blocked(0)
            if index >= 0:
                poll = self._writing[index]
                if self._blocked(index + 1) >= 0 and not 0 <= timeout_ms <= _TICK_MS:
                    timeout_ms = _TICK_MS
        return self._sleep(poll, timeout_ms)

    def _blocked(self, start) -> int:  # hot:
        """Return the index of the first stream from `start` on that waits for room, or -1."""
        streams = self._streams
        for index in range(start, len(streams)):
            if getattr(streams[index], "blocked", True):
                return index
        return -1

    def _sleep(self, poll, timeout_ms) -> bool:  # hot:
        ready = False
        for _ in poll.ipoll(timeout_ms):
            ready = True
        return self._take_flag() or ready

    def _take_flag(self) -> bool:  # hot:
        if self._flag.is_set:
            self._flag.is_set = self._closed
            self._wakes = (self._wakes + 1) & _MASK
            return True
        return False

    async def wait_async(self, timeout_ms, writing) -> bool:
        """Do as wait() does, while other tasks run."""
        import asyncio

        start = time.ticks_ms() & _MASK
        wakes = self._wakes  # one wake-up is for every task that sleeps here
        while True:
            # On Unix a look at the streams takes 1 ms.
            ready = self._take_flag() or self._wakes != wakes
            if ready or (self._streams and self.wait(0, writing)):
                await asyncio.sleep_ms(0)
                return True
            left = _TICK_MS
            if timeout_ms is not None:
                left = timeout_ms - ((time.ticks_ms() - start) & _MASK)
                if left <= 0:
                    await asyncio.sleep_ms(0)
                    return False
            task = asyncio.current_task()
            self._napping.append(task)
            try:
                await asyncio.sleep_ms(left if left < _TICK_MS else _TICK_MS)
            finally:
                if task in self._napping:
                    self._napping.remove(task)

    def rouse(self) -> None:
        """Have those who are in wait_async look now if there was a wake(). From a task."""
        if self._napping and self._flag.is_set:
            from asyncio import core

            while self._napping:
                task = self._napping.pop()
                core._task_queue.remove(task)
                core._task_queue.push(task)

    def attend(self, pump):
        """Call pump.turn() in the running loop: soon, and then until its tasks have ended.

        These are the tasks that call join() of what this returns. Again after as many ms as
        turn() returned (None: no limit; -1: no more), and sooner after wake() or when a stream is
        ready, which pump.writing() may say more about. In the end pump.end() is called.
        """
        from .tasks import Attendant

        return Attendant(self, pump)

    def bell(self, watched):
        """Return what tasks wait at for `watched`, whose `watch` it is until it rings."""
        from .tasks import Bell

        return Bell(watched, self)

    def gate(self, readable, writable):
        """Refuse: there is no select for what is not a stream of the system."""
        raise OSError(_ENOSYS, "no fileno() here: use next(), wait_for_msg() or await recv()")

    def start(self, function) -> None:
        """Refuse: a board pumps its bus with bus.run() or bus.serve()."""
        raise OSError(_ENOSYS, "no pump thread on MicroPython: use bus.run() or await bus.serve()")

    def close(self) -> None:
        """End every sleep, now and later, and forget the streams. Twice does no harm."""
        while self._streams:
            self.remove(self._streams[-1])
        self._closed = True
        self.wake()
