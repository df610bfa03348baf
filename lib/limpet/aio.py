# SPDX-License-Identifier: MIT
"""Waiting with asyncio, on both VMs: the only file of the library with `await`.

Rules: as everywhere, whoever waits pumps. serve() does it for all. Where nobody does, an event
loop takes the turns (Crew) for those of its tasks that have waited, until the last one has ended.
What comes to a Ksock wakes the tasks that wait for it, and nobody else: they rest at its Bell.
Before, they let the other tasks run once, which is all it takes if one of these answers. An
AsyncKsock is for tasks of one event loop at a time.
"""

from .ksock import DEADLINE_MS, Ksock
from .message import Message
from .port import const, ticks_ms
from .ticks import MS_MAX, check_ms, ticks_diff
from .watch import unwatch, watch

_UNLUCKY = const(16)  # after a recv() for which one round was too short, so many go without it

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from .bus import Bus
    from .send import Data
    from .watch import Watched

    T = TypeVar("T")
    from .port.tasks import Attendant


async def serve(bus: "Bus") -> None:
    """Pump until bus.stop(), from when nobody else does. Raises RuntimeError if serve() runs."""
    runner = bus.runner
    runner.check_open()
    if runner.serving:
        raise RuntimeError("serve() is running already")
    runner.serving = True
    mine = False
    try:
        while not runner.stopped and not bus.closed:
            due = None
            with bus.waiter.lock:
                mine = mine or runner.enter()
                if mine:
                    due = _turn(bus)
            await bus.waiter.wait_async(due, mine and runner.writing())
    finally:
        runner.serving = runner.stopped = False
        if mine:
            runner.leave()


def _turn(bus: "Bus") -> "int | None":
    """Take a turn; returns the ms until the next one is due, None: no limit."""
    try:
        due = bus.runner.turn()
    except Exception as e:
        bus.runner.failed(e)
        return 0
    return None if due >= MS_MAX else due


class Crew:
    """The tasks of one event loop that have waited for one bus: they pump if nobody else does."""

    def __init__(self, bus: "Bus", loop: object) -> None:
        self.loop = loop
        self.attendant: Attendant | None = None  # who calls turn() in that loop
        self._bus = bus
        self._mine = False  # this crew pumps, and nobody else

    def turn(self) -> "int | None":
        """Take a turn, if nobody else does; returns when the next one is due, -1: never."""
        bus = self._bus
        if bus.closed:
            return -1
        with bus.waiter.lock:
            self._mine = self._mine or bus.runner.enter()
            return _turn(bus) if self._mine else None

    def writing(self) -> bool:
        """Tell whether a device is waited for that takes no bytes now."""
        return self._mine and self._bus.runner.writing()

    def bury(self) -> None:
        """End, if the loop was closed around it."""
        if self.attendant is not None and self.attendant.is_dead():
            self.end()

    def end(self) -> None:
        """Let somebody else pump. Twice does no harm."""
        self.attendant = None
        if self._mine:
            self._mine = False
            self._bus.runner.leave()


def _crew(bus: "Bus", loop: object) -> Crew:
    """Return the crew of the running loop, at work."""
    with bus.waiter.lock:
        for crew in bus.runner.crews:
            crew.bury()
        crews = [crew for crew in bus.runner.crews if crew.attendant is not None]
        for crew in crews:
            if crew.loop is loop:
                return crew
        crew = Crew(bus, loop)
        crew.attendant = bus.waiter.attend(crew)
        bus.runner.crews = crews + [crew]
        return crew


class Rest:
    """Where the tasks of one event loop at a time wait for what comes to a Ksock or channel."""

    def __init__(self, bus: "Bus", watched: "Watched") -> None:
        self._bus = bus
        self._watched = watched
        self._runner = bus.runner
        self._lock = bus.waiter.lock
        self._bell = bus.waiter.bell(watched)  # rings when something comes
        self._crew = Crew(bus, None)  # of the loop in which a task waited last
        self._luck = 0  # below 0: so many more recv() do not try whether one round is enough

    async def watch_for(
        self, look: "Callable[..., T]", timeout_ms: "int | None", *what: int
    ) -> "T":
        """Look for `what` until it is found; return that, or the last look's nothing."""
        check_ms("timeout_ms", timeout_ms)
        start = ticks_ms()
        left = timeout_ms
        while True:
            with self._lock:
                found = look(*what)
                if found or self._watched.closed or (left is not None and left < 0):
                    return found
                self._watch()
            await self._rest(left)
            if timeout_ms is not None:
                left = timeout_ms - ticks_diff(ticks_ms(), start) or -1

    def _watch(self) -> None:
        """See to it that the next arrival rings the bell, beside who watches already."""
        if self._watched.watch is not self._bell:
            unwatch(self._watched, self._bell)
            watch(self._watched, self._bell)
        self._bell.woken = False

    async def _rest(self, timeout_ms: "int | None") -> None:
        """Wait until the bell rings; meanwhile, turns are taken."""
        try:
            self._join()
            await self._bell.rest(timeout_ms)
        finally:
            if self._luck < 0:
                self._luck += 1
            if self._watched.watch is not None:  # the bell did not ring, or is not alone there
                with self._lock:
                    if not self._bell.is_awaited():
                        unwatch(self._watched, self._bell)

    def _join(self) -> None:
        """See that the running loop takes turns while this task lives; the bell rings there."""
        if not self._bell.is_here():
            self._bell.move()
        crew = self._crew
        if crew.attendant is None or crew.loop is not self._bell.loop:
            crew = self._crew = _crew(self._bus, self._bell.loop)
        assert crew.attendant is not None
        crew.attendant.join()


class AsyncKsock(Rest):
    """A Ksock whose waiting calls are awaited.

    Everything else is on `ks.sync`, the Ksock itself.
    """

    def __init__(self, ksock: Ksock) -> None:
        self.sync = ksock
        self.id = ksock.id
        # Calls that do not wait are the same.
        self.bind = ksock.bind
        self.unbind = ksock.unbind
        self.listener = ksock.listener
        self.replier = ksock.replier
        self.announce = ksock.announce
        self.request = ksock.request
        self.reply = ksock.reply
        self.close = ksock.close
        self._hot = ksock.hot
        self._next = ksock.next
        Rest.__init__(self, ksock.bus, ksock.hot)

    async def recv(self, timeout_ms: "int | None" = None) -> "Message | None":
        """Return the next message.

        None when timeout_ms have passed without one, or it was closed.
        """
        if self._runner.inside:
            self._runner.check_may_wait()
        hot = self._hot
        if hot.count or hot.cursor.next is not None:
            message = self._next()
            if message is not None:
                return message
        if self._luck >= 0 and self._crew.attendant is not None:
            await self._bell.pause()
            if hot.count or hot.cursor.next is not None:
                message = self._next()
                if message is not None:
                    return message
            self._luck = -_UNLUCKY
        return await self.watch_for(self._next, timeout_ms)

    async def call(
        self,
        name: str,
        data: "Data | str" = b"",
        deadline_ms: "int | None" = DEADLINE_MS,
        to: int = 0,
    ) -> Message:
        """Send a request and wait for its end; as Ksock.call, several tasks may at once."""
        if self._runner.inside:
            self._runner.check_may_wait()
        ks = self.sync
        serial = ks.ask(name, data, deadline_ms, to, 0, True)
        try:
            if self._crew.attendant is None:
                self._join()
            await self._bell.pause()
            message = ks.find_answer(serial, name)
            if message is None:
                await self.watch_for(self._is_answered, None, serial)
                message = ks.take_answer(serial, name)
            return message
        finally:
            if serial in ks.calls:
                ks.end_call(serial)

    def _is_answered(self, serial: int) -> bool:
        return self._hot.find_answer(serial) >= 0

    async def wait_writable(self, timeout_ms: "int | None" = None) -> bool:
        """Wait until a send is possible; as Ksock.wait_writable."""
        self._runner.check_may_wait()
        return await self.watch_for(self._hot.poll_pending, timeout_ms)

    def __aiter__(self) -> "AsyncKsock":
        return self

    async def __anext__(self) -> Message:
        message = await self.recv()
        if message is None:
            raise StopAsyncIteration
        return message
