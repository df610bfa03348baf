# SPDX-License-Identifier: MIT
"""Who runs a bus: whoever waits, pumps.

Rules: this is the only file of the library that reads the clock, and it sleeps only in the port's
Waiter. step() is one turn: drivers move bytes, what is due is run, handlers are called. run(), a
blocking call and serve() (aio.py) are loops around it. One thread pumps at a time; the others
sleep until it wakes them. A call that waits inside a handler would wait for itself, and is
refused.
"""

from .errors import Closed, NoReplier, WouldDeadlock
from .handlers import dispatch
from .port import const, print_exception, ticks_ms
from .ticks import MS_MAX, check_ms, ticks_add, ticks_diff
from .watch import unwatch, watch

_CLOSE_MS = const(1000)  # how long close() lets a thread that pumps finish its turn

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    from .aio import Crew
    from .bus import Bus
    from .ksock import Ksock
    from .limpet import Limpet
    from .link import Link
    from .port import Waiter
    from .tile import Tile
    from .watch import Watched

    class Driver(Protocol):
        """What the runner needs of a driver (transport/pump.py)."""

        baud: int
        writing: bool
        datagrams: bool
        reliable: bool

        def open(self) -> None: ...
        def attach(self, link: Link, waiter: Waiter) -> None: ...
        def pump(self, now_ms: int) -> bool: ...
        def due(self, now_ms: int) -> int: ...
        def close(self) -> None: ...


class Timer:
    """What Bus.every() returns."""

    def __init__(self, runner: "Runner", period_ms: int, function: "Callable[[], object]") -> None:
        self.due = ticks_add(runner.now(), period_ms)
        self.period_ms = period_ms
        self.function = function
        self._runner = runner

    def cancel(self) -> None:
        """Call the function no more; twice does no harm."""
        self._runner.cancel(self)


class Runner:
    """The turns of one bus."""

    def __init__(self, bus: "Bus") -> None:
        self.now = ticks_ms  # the clock
        self.inside = False  # a handler is being called
        self.pumping = False  # somebody does
        self.serving = False  # serve() runs
        self.stopped = False
        self.crews: list[Crew] = []  # of aio.py: whose tasks wait
        self.tile: Tile | None = None  # made when somebody asks the bus for it
        self._bus = bus
        self._waiter = bus.waiter
        self._drivers: list[Driver] = []
        self._timers: list[Timer] = []

    def add(self, driver: "Driver", limpet: "Limpet") -> None:
        """Let a driver move the bytes of a limpet's link."""
        driver.attach(limpet.link, self._waiter)
        limpet.driver = driver
        limpet.hot.watch = self._waiter
        self.attend(driver)

    def attend(self, pump: "Driver") -> None:
        """Call its pump() at each turn from now on."""
        self._drivers.append(pump)
        self._waiter.wake()

    def every(self, period_ms: int, function: "Callable[[], object]") -> Timer:
        """See Bus.every."""
        self.check_open()
        check_ms("period_ms", period_ms)
        if not period_ms:
            raise ValueError(f"period_ms is {period_ms}, at least 1 is needed")
        with self._waiter.lock:
            timer = Timer(self, period_ms, function)
            self._timers.append(timer)
        self._waiter.wake()
        return timer

    def cancel(self, timer: Timer) -> None:
        """See Timer.cancel."""
        with self._waiter.lock:
            if timer in self._timers:
                self._timers.remove(timer)
        self._waiter.wake()  # the turn at hand may have passed over the next timer

    def step(self, now_ms: int) -> int:  # hot:
        """Take one turn at the time now_ms; return the ms for which nothing else is due."""
        self.inside = False  # an exception may have ended the turn before
        moved = self._pump_drivers(now_ms)
        due = MS_MAX if self.tile is None else self.tile.poll(now_ms)
        due = min(due, self._bus.poll(now_ms))  # the links, too: after what services have queued
        moved = self._call_handlers() or moved
        due = self._run_timers(now_ms, due)
        return 0 if moved else due

    def writing(self) -> bool:  # hot:
        """Tell whether a driver has bytes that its device did not take yet."""
        for driver in self._drivers:
            if driver.writing:
                return True
        return False

    def _pump_drivers(self, now_ms: int) -> bool:  # hot:
        moved = False
        for driver in self._drivers:
            moved = driver.pump(now_ms) or moved
        return moved

    def _call_handlers(self) -> bool:  # hot:
        called = False
        i = 0
        while i < len(self._bus.ksocks):  # a handler may open and close Ksocks
            if self._bus.ksocks[i].waits:
                self._bus.ksocks[i].waits = not self._bus.ksocks[i].hot.poll_pending()
            if self._bus.ksocks[i].handled and self._dispatch(self._bus.ksocks[i]):
                called = True
            i += 1
        return called

    def _dispatch(self, ksock: "Ksock") -> bool:  # hot:
        if ksock.hot.count == 0:
            return False
        self.inside = True
        called = dispatch(ksock)
        self.inside = False
        return called

    def _run_timers(self, now_ms: int, due: int) -> int:  # hot:
        i = 0
        while i < len(self._timers):
            due = min(due, self._run_timer(self._timers[i], now_ms))
            i += 1
        return due

    def _run_timer(self, timer: Timer, now_ms: int) -> int:  # hot:
        left = ticks_diff(timer.due, now_ms)
        if left > 0:
            return left
        # What was missed is left out: turns stay on their grid and never come in a burst.
        left = (-left // timer.period_ms + 1) * timer.period_ms
        timer.due = ticks_add(timer.due, left)
        self.inside = True
        timer.function()  # what it raises ends the turn; whoever pumps prints it
        self.inside = False
        return ticks_diff(timer.due, now_ms)

    def check_open(self) -> None:
        """Raise Closed if the bus is."""
        if self._bus.closed:
            raise Closed("this bus is closed")

    def failed(self, e: Exception) -> None:
        """Print what a function given to every() has raised; its turn has ended there."""
        self.inside = False
        print_exception(e)

    def check_may_wait(self) -> None:
        """Raise WouldDeadlock inside a handler."""
        if self.inside and self._waiter.owned():
            raise WouldDeadlock(
                "a call that waits, inside a handler: use ks.request and a handler"
            )

    def wait(
        self, ready: "Callable[[], bool]", timeout_ms: "int | None", hot: "Watched | None" = None
    ) -> bool:
        """Pump, or let the thread that pumps do it, until ready().

        hot: what is to tell when something comes. False if the time ran out first, or the bus
        was closed.
        """
        self.check_may_wait()
        check_ms("timeout_ms", timeout_ms)
        start = self.now()
        mine = False
        if hot is not None:
            with self._waiter.lock:
                watch(hot, self._waiter)
        try:
            while True:
                with self._waiter.lock:
                    mine = self.enter() or mine
                    # Where this thread's event loop pumps (serve), it can't while we wait.
                    due = MS_MAX
                    if self._waiter.owned():
                        try:
                            due = self.turn()
                        except Exception as e:
                            self.failed(e)
                            due = 0
                    if ready():
                        return True
                if self._bus.closed:
                    return False
                left = MS_MAX
                if timeout_ms is not None:
                    left = timeout_ms - ticks_diff(self.now(), start)
                    if left <= 0:
                        return False
                due = min(due, left)
                if due > 0:
                    self._waiter.wait(None if due >= MS_MAX else due, self.writing())
        finally:
            if hot is not None:
                with self._waiter.lock:
                    unwatch(hot, self._waiter)
            if mine:
                self.leave()

    def enter(self) -> bool:
        """Become the one who pumps; False if there is one already."""
        if self.pumping:
            for crew in self.crews:
                crew.bury()
            if self.pumping:
                return False
        self.pumping = True
        self.inside = False
        self._waiter.own()
        return True

    def leave(self) -> None:
        """Stop pumping; whoever waits takes over."""
        with self._waiter.lock:
            self.pumping = self.inside = False  # also after an interrupt in a handler
            self._waiter.disown()
        self._waiter.wake()

    def turn(self) -> int:  # hot:
        """Take a turn now, and wake who may have waited for it; returns as step()."""
        due = self.step(self.now())
        if due == 0:
            self._waiter.wake()
        return due

    def run(self) -> None:
        """See Bus.run. A stop() counts for one run, also one that is about to begin."""
        self.check_open()
        try:
            self.wait(lambda: self.stopped, None)
        finally:
            self.stopped = False

    def start(self) -> None:
        """See Bus.start."""
        self.check_open()
        self._waiter.start(self._run_unless_closed)

    def _run_unless_closed(self) -> None:
        if not self._bus.closed:
            self.run()

    def stop(self) -> None:
        """See Bus.stop."""
        self.stopped = True
        self._waiter.wake()

    def wait_for_replier(self, text: str, timeout_ms: "int | None") -> None:
        """See Bus.wait_for_replier."""
        bindings = self._bus.bindings
        if not self.wait(lambda: bindings.replier_of(text) is not None, timeout_ms):
            self.check_open()
            raise NoReplier(self.no_replier(text, timeout_ms))

    def no_replier(self, text: str, timeout_ms: "int | None") -> str:
        """Return a sentence that says why there is no replier: what each link is doing."""
        links = [limpet.describe() for limpet in self._bus.limpets]
        return f"no replier for {text} within {timeout_ms} ms; " + ("; ".join(links) or "no links")

    def close(self) -> None:
        """Wait until nobody pumps, and give the drivers back; the bus is closed already."""
        self.stop()
        start = self.now()
        while self.pumping and not self._waiter.owned():  # in another thread: let it end
            if ticks_diff(self.now(), start) > _CLOSE_MS:
                break
            self._waiter.wait(1, False)
        with self._waiter.lock:
            for limpet in self._bus.limpets:
                limpet.close()
            for driver in self._drivers:
                driver.pump(self.now())  # the neighbour is told, if the device takes it now
                driver.close()
            self._drivers = []
            self._timers = []
