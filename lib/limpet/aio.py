# SPDX-License-Identifier: MIT
"""Waiting with asyncio, on both VMs: the only file of the library with `await`.

Rules: as everywhere, whoever waits pumps: serve() does it for all; where it is not running, recv()
and call() do it themselves. All of it is for tasks of one event loop.
"""

from .ksock import DEADLINE_MS, Ksock
from .message import Message
from .port import const, ticks_ms
from .ticks import MS_MAX, check_ms, ticks_diff

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from collections.abc import Callable

    from .bus import Bus
    from .send import Data


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
            mine = mine or runner.enter()
            if mine:
                await _turn(bus, MS_MAX)
            else:
                await bus.waiter.wait_async(None, False)
    finally:
        runner.serving = runner.stopped = False
        if mine:
            runner.leave()


async def _turn(bus: "Bus", left_ms: int) -> None:
    with bus.waiter.lock:
        try:
            due = min(bus.runner.turn(), left_ms)
        except Exception as e:
            bus.runner.failed(e)
            due = 0
    await bus.waiter.wait_async(None if due >= MS_MAX else due, bus.runner.writing())


async def wait(bus: "Bus", ready: "Callable[[], bool]", timeout_ms: "int | None") -> bool:
    """Wait until ready(). Pumps if nobody else does.

    False if the time ran out first, or the bus was closed.
    """
    bus.runner.check_may_wait()
    check_ms("timeout_ms", timeout_ms)
    start = ticks_ms()
    mine = False
    try:
        while not ready():
            if bus.closed:
                return False
            left = MS_MAX
            if timeout_ms is not None:
                left = timeout_ms - ticks_diff(ticks_ms(), start)
                if left <= 0:
                    return False
            mine = bus.runner.enter() or mine
            if mine:
                await _turn(bus, left)
            else:
                await bus.waiter.wait_async(None if left >= MS_MAX else left, False)
        return True
    finally:
        if mine:
            bus.runner.leave()


class AsyncKsock:
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
        ksock.hot.set_watch(ksock.bus.waiter)

    async def recv(self, timeout_ms: "int | None" = None) -> "Message | None":
        """Return the next message.

        None when timeout_ms have passed without one, or it was closed.
        """
        ks = self.sync
        await wait(ks.bus, lambda: ks.find_next() >= 0 or ks.hot.closed, timeout_ms)
        return ks.next()

    async def call(
        self,
        name: str,
        data: "Data | str" = b"",
        deadline_ms: "int | None" = DEADLINE_MS,
        to: int = 0,
    ) -> Message:
        """Send a request and wait for its end; as Ksock.call, several tasks may at once."""
        ks = self.sync
        ks.bus.runner.check_may_wait()
        serial = ks.begin_call(name, data, deadline_ms, to)
        queue = ks.hot
        try:
            await wait(ks.bus, lambda: queue.find_answer(serial) >= 0 or ks.hot.closed, None)
            return ks.take_answer(serial, name)
        finally:
            ks.end_call(serial)

    def __aiter__(self) -> "AsyncKsock":
        return self

    async def __anext__(self) -> Message:
        message = await self.recv()
        if message is None:
            raise StopAsyncIteration
        return message
