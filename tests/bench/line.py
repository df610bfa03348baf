# SPDX-License-Identifier: MIT
"""A line in virtual time, accurate to the byte: what carries frames between the ends of a link.

Rules: no clock; chance only from the seed, so a run gives the same figures everywhere. Inside,
times are microseconds; the ends see milliseconds, as on a machine. An end is asked for its next
frame when the wire is free, never before. A frame takes ten bits a byte, arrives `prop_us` after
its last byte, and waits for its receiver, which is busy for `work_us` plus up to `jitter_us`.
Chance decides per frame, whatever its length: on a stream one of its bytes is changed, a datagram
does not arrive, may come twice (`double`) or up to `late_us` later than it should (`late`).
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from typing import NamedTuple, Protocol

NEVER = 1 << 60
_TURNS_MAX = 1000  # of one end at one time; more is a fault of the end


class Kind(NamedTuple):
    """What a line is like. loss, double, late: the share of frames."""

    baud: int = 115200
    loss: float = 0.0
    prop_us: int = 100
    work_us: int = 1000
    jitter_us: int = 1000
    datagrams: bool = False
    double: float = 0.0
    late: float = 0.0
    late_us: int = 0


class End(Protocol):
    """What sits at one side of a line. wake_us: when its next turn is due at the latest."""

    wake_us: int

    def arrive(self, frame: bytes) -> None: ...
    def turn(self) -> None: ...


class _Wire:
    """One direction."""

    def __init__(self) -> None:
        self.free_us = 0  # when the last byte of the last frame has gone
        self.arrived_us = 0
        self.flight: list[tuple[int, int, bytes]] = []  # (when, number, frame), a heap
        self.bytes = 0
        self.frames = 0
        self.damaged = 0


class Line:
    """Two ends, 0 and 1. Set `ends` before run(); an end sends by put()."""

    def __init__(self, kind: Kind, seed: int = 1) -> None:
        self.kind = kind
        self.random = random.Random(seed)
        self.now_us = 0
        self.wires = (_Wire(), _Wire())  # wires[i] carries what end i sends
        self.ends: list[End] = []
        self.hooks: list[tuple[int, int, Callable[[], None]]] = []
        self._number = 0

    def is_free(self, side: int) -> bool:
        """Tell whether end `side` may send now."""
        return self.wires[side].free_us <= self.now_us

    def put(self, side: int, frame: bytes) -> None:
        """Send a frame from end `side`."""
        kind = self.kind
        wire = self.wires[side]
        wire.bytes += len(frame)
        wire.frames += 1
        done = max(self.now_us, wire.free_us) + len(frame) * 10_000_000 // kind.baud
        wire.free_us = done
        if kind.loss and self.random.random() < kind.loss:
            wire.damaged += 1
            if kind.datagrams:
                return
            frame = self._damage(frame)
        for _ in range(2 if kind.double and self.random.random() < kind.double else 1):
            self._deliver(wire, frame, done)

    def _damage(self, frame: bytes) -> bytes:
        """Change one byte of a frame, not to its delimiter, which stays as it is."""
        broken = bytearray(frame)
        at = self.random.randrange(len(broken) - 1)
        broken[at] = (broken[at] ^ self.random.randrange(1, 256)) or 1
        return bytes(broken)

    def _deliver(self, wire: _Wire, frame: bytes, done: int) -> None:
        kind = self.kind
        due = done + kind.prop_us + kind.work_us + self.random.randint(0, kind.jitter_us)
        if kind.late:
            if self.random.random() < kind.late:
                due += self.random.randint(0, kind.late_us)
        else:
            due = wire.arrived_us = max(due, wire.arrived_us)
        self._number += 1
        heapq.heappush(wire.flight, (due, self._number, frame))

    def after(self, delay_us: int, action: Callable[[], None]) -> None:
        """Call `action` in `delay_us`."""
        self._number += 1
        heapq.heappush(self.hooks, (self.now_us + delay_us, self._number, action))

    def _serve(self, side: int) -> None:
        """Give an end its turns until nothing is due for it now."""
        end = self.ends[side]
        for _ in range(_TURNS_MAX):
            end.turn()
            if end.wake_us > self.now_us:
                return
        raise RuntimeError("an end is due for ever at one time")

    def _next(self) -> tuple[int, int]:
        """Return when something happens next, and what: 0, 1 an arrival, 2, 3 a turn, 4 a hook."""
        when = self.hooks[0][0] if self.hooks else NEVER
        what = 4
        for side in range(2):
            flight = self.wires[1 - side].flight
            if flight and flight[0][0] < when:
                when, what = flight[0][0], side
            if self.ends[side].wake_us < when:
                when, what = self.ends[side].wake_us, side + 2
        return when, what

    def run(self, duration_us: int, condition: Callable[[], bool] | None = None) -> bool:
        """Let time pass, until condition() if there is one; return whether it came true."""
        until = self.now_us + duration_us
        while condition is None or not condition():
            when, what = self._next()
            if when > until:
                self.now_us = until
                return False
            self.now_us = max(self.now_us, when)
            if what < 2:
                self.ends[what].arrive(heapq.heappop(self.wires[1 - what].flight)[2])
                self._serve(what)
            elif what < 4:
                self._serve(what - 2)
            else:
                heapq.heappop(self.hooks)[2]()
        return True
