# SPDX-License-Identifier: MIT
"""A model of T-MIN, the transport of the MIN protocol, to stand beside our link on one line.

T-MIN is on no package index, so its rules are written here anew, after what its host program does:
a frame is three 0xAA, id, sequence number, length, payload, CRC-32, 0x55, with a 0x55 stuffed
behind each two 0xAA of the middle. Frames in order are acknowledged one by one, in frames of their
own that carry one byte; of those that come early the first asks once for what is missing, which
its sender does not heed. Each poll sends a new frame if the window has room, else the frame that
was sent longest ago, if that was more than `resend_ms` ago. What poll sends goes to the serial
port, which queues it: T-MIN does not look at the line.

Rules: the defaults of the original: window 8, 16 to receive, 50 ms until a frame and 25 ms until
an ack is repeated. No ids, no resets, no connection that ends: the figures need none. The model is
kept to account by what was measured of the original (tests/cpython/test_bench_tmin.py).
"""

from __future__ import annotations

from binascii import crc32
from collections import deque
from collections.abc import Callable

from .line import NEVER, Kind, Line

_ACK = 0xFF
_DATA = 0x80
_PORT = 15_000  # what a serial port and the system behind it were seen to queue


def frame(kind: int, number: int, payload: bytes) -> bytes:
    """Return a frame as it is on the wire."""
    body = bytes((kind, number, len(payload))) + payload
    body += crc32(body).to_bytes(4, "big")
    out = bytearray(b"\xaa\xaa\xaa")
    run = 0
    for byte in body:
        out.append(byte)
        run = run + 1 if byte == 0xAA else 0
        if run == 2:
            out.append(0x55)
            run = 0
    out.append(0x55)
    return bytes(out)


def parse(wire: bytes) -> tuple[int, int, bytes] | None:
    """Return (kind, number, payload) of a whole frame; None if it is not as it was sent."""
    if wire[:3] != b"\xaa\xaa\xaa" or wire[-1:] != b"\x55":
        return None
    body = bytearray()
    run = 0
    for byte in wire[3:-1]:
        if run == 2:
            run = 0
            if byte != 0x55:
                return None
            continue
        body.append(byte)
        run = run + 1 if byte == 0xAA else 0
    size = len(body) - 7
    if size < 0 or body[2] != size or crc32(body[:-4]) != int.from_bytes(body[-4:], "big"):
        return None
    return body[0], body[1], bytes(body[3:-4])


class TminEnd:
    """One end. `queue`: payloads to be sent; `got`: payloads received, in order."""

    def __init__(
        self, line: Line, side: int, window: int = 8, resend_ms: int = 50, queued_max: int = _PORT
    ) -> None:
        """queued_max: bytes that the serial port queues; full, a write waits for room."""
        self.queue: deque[bytes] = deque()
        self.got: list[bytes] = []
        self.app: Callable[[], None] | None = None
        self.wake_us = 0
        self.repeated = 0
        self._line = line
        self._side = side
        self._window = window
        self._resend_ms = resend_ms
        self._queued_max = queued_max
        self._base = self._next = 0  # numbers of the oldest frame on its way, of the next new one
        self._flight: deque[list] = deque()  # [when last sent (ms), payload]
        self._expected = 0
        self._early: dict[int, bytes] = {}
        self._asked: int | None = None  # up to which early frame what is missing was asked for
        self._acked_ms = 0
        self._heard_ms = -NEVER

    def _now_ms(self) -> int:
        return self._line.now_us // 1000

    def _queued(self) -> int:
        """Return how many bytes the serial port holds."""
        left = self._line.wires[self._side].free_us - self._line.now_us
        return max(0, left * self._line.kind.baud // 10_000_000)

    def _send(self, kind: int, number: int, payload: bytes) -> None:
        self._line.put(self._side, frame(kind, number, payload))

    def _send_ack(self) -> None:
        self._acked_ms = self._now_ms()
        self._send(_ACK, self._expected & 255, bytes((self._expected & 255,)))

    def arrive(self, wire: bytes) -> None:
        """Take a frame from the line."""
        found = parse(wire)
        if found is None:
            return
        kind, number, payload = found
        if kind != _ACK:
            self._take(number, payload)
            return
        count = (number - self._base) & 255
        if count <= len(self._flight):
            self._base += count
            for _ in range(count):
                self._flight.popleft()

    def _take(self, number: int, payload: bytes) -> None:
        self._heard_ms = self._now_ms()
        ahead = (number - self._expected) & 255
        if ahead:
            if ahead < 16:
                if self._asked is None:
                    self._asked = number
                    self._send(_ACK, self._expected & 255, bytes((number,)))
                self._early[number] = payload
            return
        self.got.append(payload)
        self._expected += 1
        while self._expected & 255 in self._early:
            self.got.append(self._early.pop(self._expected & 255))
            self._expected += 1
            if self._expected & 255 == self._asked:
                self._asked = None
        if self._early and self._asked is None:
            self._asked = min(self._early)
            self._send(_ACK, self._expected & 255, bytes((self._asked,)))
        else:
            self._send_ack()

    def turn(self) -> None:
        """Poll: one frame at the most, and an ack if it is time."""
        if self.app is not None:
            self.app()
        now = self._now_ms()
        busy = self._flight or self.queue
        self.wake_us = (now + 1 if busy else max(now + 1, self._acked_ms + 26)) * 1000
        if self._queued() >= self._queued_max:
            return
        if self._poll(now):
            self.wake_us = self._line.now_us
        if now - self._acked_ms > 25 and now - self._heard_ms < 3000:
            self._send_ack()

    def _poll(self, now: int) -> bool:
        """Send a frame, if one is due; return whether one was."""
        if len(self._flight) < self._window and self.queue:
            payload = self.queue.popleft()
            self._flight.append([now, payload])
            self._send(_DATA, self._next & 255, payload)
            self._next += 1
            return True
        if self._flight:
            i = min(range(len(self._flight)), key=lambda i: self._flight[i][0])
            if now - self._flight[i][0] > self._resend_ms:
                self._flight[i][0] = now
                self._send(_DATA, (self._base + i) & 255, self._flight[i][1])
                self.repeated += 1
                return True
        return False


class Pair:
    """Two ends on a line: `one` sends, `two` receives."""

    def __init__(self, kind: Kind, seed: int, **options: int) -> None:
        self.line = Line(kind, seed)
        self.one, self.two = (TminEnd(self.line, side, **options) for side in range(2))
        self.line.ends = [self.one, self.two]


def saturated(kind: Kind, size: int, us: int, seed: int = 1, **options: int) -> float:
    """Return the share of the line that payloads of `size` bytes get, sent as fast as it goes."""
    pair = Pair(kind, seed, **options)
    payload = bytes((i * 7 + 1) & 255 for i in range(size))

    def fill() -> None:
        pair.one.queue.extend([payload] * (40 - len(pair.one.queue)))

    pair.one.app = fill
    pair.line.run(1_000_000)
    before = len(pair.two.got)
    pair.line.run(us)
    return (len(pair.two.got) - before) * size * 10_000_000 / (us * kind.baud)


def paced(
    kind: Kind, size: int, period_us: int, us: int, seed: int = 1, **options: int
) -> tuple[float, float]:
    """Return bytes per payload forward, beyond its own, and back; a payload each `period_us`."""
    pair = Pair(kind, seed, **options)
    payload = bytes(range(1, size + 1))

    def say() -> None:
        pair.one.queue.append(payload)
        pair.one.wake_us = pair.line.now_us
        pair.line.after(period_us, say)

    say()
    pair.line.run(us)
    count = len(pair.two.got)
    forward, back = (wire.bytes for wire in pair.line.wires)
    return forward / count - size, back / count


def requests(
    kind: Kind, size: int, count: int, pause_us: tuple[int, int], seed: int = 1, **options: int
) -> list[int]:
    """Return the microseconds from a payload sent to one sent back, one at a time, sorted."""
    pair = Pair(kind, seed, **options)
    line, one, two = pair.line, pair.one, pair.two
    took: list[int] = []
    asked = [0, 0]  # when; how many

    def ask() -> None:
        one.queue.append(bytes(range(1, size + 1)))
        asked[0] = one.wake_us = line.now_us
        asked[1] += 1

    def read() -> None:
        if len(one.got) > len(took):
            took.append(line.now_us - asked[0])
            line.after(line.random.randint(*pause_us), ask)

    def reply() -> None:
        two.queue.extend(two.got)
        two.got.clear()

    one.app, two.app = read, reply
    ask()
    if not line.run(count * (pause_us[1] + 1_000_000), lambda: len(took) >= count):
        raise RuntimeError("payloads were not sent back")
    return sorted(took)
