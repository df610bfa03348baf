# SPDX-License-Identifier: MIT
"""Two whole buses joined by a line in virtual time: what their limpets get over it.

Rules: the buses are as a user makes them, but for their window of 16 frames and the clock, which
is the line's. Their driver takes a frame when the wire is free, and nothing else is different
from a driver of the library.
"""

from __future__ import annotations

from collections.abc import Callable

from limpet import Bus
from limpet.ticks import MS_MAX, ticks_add
from limpet.transport.pump import Driver

from .line import Kind, Line

START_MS = 0x3FFFFFFF - 5000  # every run crosses the wrap of the clock
WINDOW = 16
_CONNECT_US = 20_000_000


class LineDriver(Driver):
    """The driver at one end."""

    def __init__(self, line: Line, side: int) -> None:
        Driver.__init__(self, line.kind.baud)
        self.datagrams = line.kind.datagrams
        self.arrived: list[bytes] = []
        self.waits = False  # for the wire to be free
        self._line = line
        self._side = side

    def due(self, now_ms: int) -> int:
        """Do as Driver.due, but have the line end the wait for the wire."""
        ms = self._link.poll(now_ms)
        self.waits = ms <= 0 and not self._line.is_free(self._side)
        return MS_MAX if self.waits else ms

    def _open(self) -> None:
        pass

    def _close(self) -> None:
        pass

    def _read(self, buf: bytearray) -> int:
        if not self.arrived:
            return 0
        frame = self.arrived.pop(0)
        buf[: len(frame)] = frame
        return len(frame)

    def _write(self, buf: bytearray, start: int, count: int) -> int:
        self._line.put(self._side, bytes(buf[start : start + count]))
        return count

    def _room(self) -> bool:
        return self._line.is_free(self._side)


class BusEnd:
    """A bus at one end."""

    def __init__(self, line: Line, side: int, seed: int, **join: int) -> None:
        self.bus = Bus(slot_count=128, slot_size=256, queue_size=64, node=11 + side, seed=seed)
        self.bus.runner.now = self.now_ms
        self.line = line
        self.side = side
        self.wake_us = 0
        self.apps: list[Callable[[], None]] = []  # called in each turn, before and after it
        self.driver = LineDriver(line, side)
        self.limpet = self.bus.join(self.driver, window=WINDOW, **join)
        self.link = self.limpet.link

    def now_ms(self) -> int:
        """Return the time as the bus sees it."""
        return ticks_add(START_MS, self.line.now_us // 1000)

    def arrive(self, frame: bytes) -> None:
        """Take a frame from the line."""
        self.driver.arrived.append(frame)

    def turn(self) -> None:
        """Do all that can be done now."""
        for app in self.apps:
            app()
        due = self.bus.runner.step(self.now_ms())
        for app in self.apps:
            app()
        now = self.line.now_us
        self.wake_us = now if due <= 0 else (now // 1000 + due) * 1000
        if self.driver.waits:
            self.wake_us = min(self.wake_us, self.line.wires[self.side].free_us)


class Pair:
    """Two buses on a line."""

    def __init__(self, kind: Kind, seed: int, **join: int) -> None:
        self.line = Line(kind, seed)
        self.sides = [BusEnd(self.line, side, seed * 2 + side, **join) for side in range(2)]
        self.line.ends = list(self.sides)

    def connect(self) -> None:
        """Run until side 0 knows what is bound at side 1."""
        if not self.line.run(_CONNECT_US, lambda: bool(self.sides[0].limpet.hot.bound)):
            raise RuntimeError("the two buses do not come together")
        self.line.run(1_000_000)

    def close(self) -> None:
        """Close both buses."""
        for side in self.sides:
            side.bus.close()
