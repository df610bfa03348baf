# SPDX-License-Identifier: MIT
"""Two links joined by a line in virtual time, byte-accurate, with faults decided by one seed.

Rules: integers only, no clock, no hash order, so a run is the same on every VM; times inside are
us, the links see ms that start just below the wrap. A frame is built when the wire becomes free
and arrives `prop_us` plus a receiver's delay of `work_us` plus up to `jitter_us` after its last
byte.
"""

from limpet.link import UP, Link
from limpet.rand import Random
from limpet.ticks import ticks_add

START_MS = 0x3FFFFFFF - 700  # every run crosses the wrap
NEVER = 1 << 60


class App:
    """A client that keeps `queue` filled and remembers what came."""

    def __init__(self) -> None:
        self.queue: list[bytes] = []
        self.got: list[bytes] = []
        self.log: list[str] = []
        self.given: list[bytes] = []  # handed to the driver in this session
        self.source = None  # called for one more payload when the queue is empty

    def ready(self) -> bool:
        return bool(self.queue) or self.source is not None

    def fill(self, buf: bytearray, start: int, end: int) -> int:
        if self.queue:
            data = self.queue.pop(0)
        elif self.source is not None:
            data = self.source()
        else:
            return 0
        if len(data) > end - start:
            raise ValueError("payload too large for the link")
        buf[start : start + len(data)] = data
        self.given.append(data)
        return len(data)

    def receive(self, buf: bytearray, start: int, end: int) -> None:
        self.got.append(bytes(buf[start:end]))
        self.log.append("received")

    def connected(self) -> None:
        self.given = []
        self.log.append("connected")

    def disconnected(self) -> None:
        self.log.append("disconnected")


class Wire:
    """One direction of the line."""

    def __init__(self) -> None:
        self.free_at = 0  # when the next frame may be built
        self.arrived_at = 0  # of the latest frame
        self.flight: list[tuple[int, int, bytes]] = []  # due, count, bytes; sorted
        self.bytes = 0
        self.frames = 0
        self.damaged = 0
        self.loss = 0  # per mille of frames that are damaged on a stream, lost in datagrams
        self.double = 0  # per mille that come twice
        self.late = 0  # per mille that are overtaken
        self.cut = False
        self.script = None  # callable(frame index, bytes) -> bytes or None = lost


class Line:
    """Two ends, 0 and 1; `make(i, random)` builds an end's link."""

    def __init__(self, seed, make, baud=115200, prop_us=100, work_us=1000, jitter_us=1000):
        self.random = Random(seed)
        self.make = make
        self.baud = baud
        self.prop_us = prop_us
        self.work_us = work_us
        self.jitter_us = jitter_us
        self.now_us = 0
        self.wires = [Wire(), Wire()]  # wire i carries what end i sends
        self.links: list[Link] = [make(0, self.random), make(1, self.random)]
        self.wake = [0, 0]
        self.out = bytearray(300)
        self.count = 0
        self.trace = 0
        self.datagrams = False
        self.hooks: list[tuple[int, object]] = []  # (when, callable), sorted

    def now(self) -> int:
        return ticks_add(START_MS, self.now_us // 1000)

    def restart(self, i: int) -> None:
        """Put a fresh link at end i, as a reset does."""
        self.links[i] = self.make(i, self.random)
        self.wake[i] = self.now_us

    def at(self, delay_us: int, action) -> None:
        """Call `action` after `delay_us`."""
        when = self.now_us + delay_us
        k = len(self.hooks)
        while k and self.hooks[k - 1][0] > when:
            k -= 1
        self.hooks.insert(k, (when, action))

    def _note(self, a: int, b: int) -> None:
        self.trace = (self.trace * 31 + a * 7 + b + self.now_us) & 0xFFFFFF

    def _transmit(self, i: int) -> bool:
        wire = self.wires[i]
        if self.now_us < wire.free_at:
            return False
        size = self.links[i].take(self.out, self.now())
        if not size:
            return False
        data = bytes(self.out[:size])
        self._note(i, size)
        wire.bytes += size
        done = self.now_us + size * 10000000 // self.baud
        wire.free_at = done
        self._carry(i, wire, data, done)
        return True

    def _carry(self, i, wire, data, done) -> None:
        index = wire.frames
        wire.frames += 1
        if wire.script is not None:
            data = wire.script(index, data)
        if wire.cut or data is None:
            return
        if wire.loss and self.random.below(1000) < wire.loss:
            wire.damaged += 1
            if self.datagrams:
                return
            broken = bytearray(data)
            k = self.random.below(len(data) - 1)
            broken[k] = (broken[k] ^ (1 + self.random.below(255))) or 1
            data = bytes(broken)
        copies = 2 if wire.double and self.random.below(1000) < wire.double else 1
        for _ in range(copies):
            due = done + self.prop_us + self.work_us + self.random.below(self.jitter_us + 1)
            if wire.late:
                if self.random.below(1000) < wire.late:
                    due += self.random.below(20 * self.prop_us + 1)
            elif due < wire.arrived_at:
                due = wire.arrived_at
            wire.arrived_at = due
            self.count += 1
            k = len(wire.flight)
            while k and wire.flight[k - 1][0] > due:
                k -= 1
            wire.flight.insert(k, (due, self.count, data))

    def _arrive(self, i: int) -> None:
        data = bytearray(self.wires[1 - i].flight.pop(0)[2])
        self._note(i + 2, len(data))
        self.links[i].feed(data, len(data), self.now())
        self.wake[i] = self.now_us

    def _serve(self, i: int) -> None:
        """Run end i until it has nothing to do now, and note when it has."""
        while self._transmit(i):
            pass
        wait = self.links[i].poll(self.now())
        while self._transmit(i):
            wait = self.links[i].poll(self.now())
        ms = self.now_us // 1000
        self.wake[i] = (ms + max(wait, 1)) * 1000
        if self.wires[i].free_at > self.now_us and wait <= 0:
            self.wake[i] = self.wires[i].free_at

    def step(self, until_us: int) -> bool:
        """Do what is due next, not after `until_us`; return False if nothing is."""
        when = NEVER
        what = -1
        for i in range(2):
            flight = self.wires[1 - i].flight
            if flight and flight[0][0] < when:
                when = flight[0][0]
                what = i
            due = max(self.wake[i], self.wires[i].free_at)
            if due < when:
                when = due
                what = i + 2
        if self.hooks and self.hooks[0][0] <= when:
            when = self.hooks[0][0]
            what = 4
        if when > until_us:
            return False
        if when > self.now_us:
            self.now_us = when
        if what < 2:
            self._arrive(what)
            self._serve(what)
        elif what < 4:
            self._serve(what - 2)
        else:
            self.hooks.pop(0)[1]()
        return True

    def run(self, ms: int) -> None:
        """Let `ms` pass."""
        until = self.now_us + ms * 1000
        while self.step(until):
            pass
        self.now_us = until

    def until(self, condition, limit_ms: int = 20000) -> bool:
        """Run until `condition()`; return False if it did not come true within `limit_ms`."""
        until = self.now_us + limit_ms * 1000
        while not condition():
            if not self.step(until):
                self.now_us = until
                return condition()
        return True

    def up(self) -> bool:
        """Return whether both ends are in one session."""
        return self.links[0].state == UP and self.links[1].state == UP


def pair(seed=1, options=None, line=None):
    """Return (line, app 0, app 1): two links with their clients, not connected yet."""
    apps = [App(), App()]

    def make(i, random):
        arguments = {"window": 8}
        if options:
            arguments.update(options)
        return Link(11 + i, random.next(), Random(random.next()), apps[i], **arguments)

    return Line(seed, make, **(line or {})), apps[0], apps[1]
