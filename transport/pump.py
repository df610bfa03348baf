# SPDX-License-Identifier: MIT
"""The base of all drivers: moves bytes between a stream and a link, device present or not.

Rule 1: a driver knows bytes and its link's feed, take and poll; it never looks into a frame.
Rule 2: a frame is built (link.take) only when the device can take it soon, so that what is urgent
does not wait behind what is queued. A frame taken in part is finished before anything else.
Rule 3: one call of pump() does a bounded amount of work, however busy the line is.
Rule 4: a device that has gone is tried again every 500 ms. A short absence costs a few frames and
no session: the link decides, by its silence limit, or at once where the wire counts as reliable.
Rule 5: no turn waits for a device: only a user's own open() may block.
"""

from ..port import const
from ..ticks import ticks_add, ticks_diff

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..link import Link
    from ..port import Waiter
    from ..stats import Stats

_READ_SIZE = const(512)
_READS = const(4)  # reads of one pump(), at most
_FRAMES = const(4)  # frames built in one pump(), at most
_REOPEN_MS = const(500)
_OPENING_MS = const(50)  # how often to look at what is under way
_LOOKS = const(40)  # so often, at most
_STUCK_MS = const(50)  # how often the timers run while the device takes nothing
_GONE = const(-5)  # -EIO


def merged(port: "str | dict[str, Any] | None", settings: "dict[str, Any]") -> "dict[str, Any]":
    """Return a device's settings: of a dict, or with its name as "port", and what else is said."""
    if isinstance(port, dict):
        given = dict(port)
        given.update(settings)
        return given
    if port is not None:
        settings["port"] = port
    return settings


class Driver:
    """Moves bytes. A subclass gives _open, _close, _read, _write.

    If it can tell, also _room; and _reopen, if _open may block.
    """

    datagrams = False  # bytes may overtake each other: the link finds a loss by time
    reliable = False  # no byte is ever lost, doubled or changed: the link needs no acks

    def __init__(self, baud: int = 0) -> None:
        self.baud = baud  # line speed in bits/s, 0 = unknown
        self.stream: Any = None  # what the Waiter sleeps on while open, or None
        self.writing = False  # bytes wait for the device
        self.is_open = False
        # None, or called with all bytes that are read and written: tap(0 in | 1 out, buf, start,
        # count, now_ms). It copies what it keeps, and raises nothing.
        self.tap: Callable[[int, bytearray, int, int, int], None] | None = None
        self._waiter: Waiter | None = None
        self._in = bytearray(_READ_SIZE)
        self._at = self._got = 0  # what the link has not taken yet: _in[_at:_got]
        self._deaf = False  # it takes nothing now
        self._start = 0  # of the frame in _out, what the device has not taken: _out[_start:_size]
        self._size = 0
        self._retry_at = 0  # while not open: when to try again, ticks_ms
        self._looks = 0  # while it is opened again and not open yet: how often that was seen
        # How often to look whether there is room again, which no stream tells.
        self.room_ms = 4 if 0 < baud <= 115200 else 1

    def open(self) -> None:
        """Open the device, if it is not open. Raises OSError with a sentence on what to do."""
        if not self.is_open:
            self.close()
            self._open()
            self._use()

    def _use(self) -> None:
        self.is_open = True
        self._looks = 0
        if self._waiter is not None:
            self._waiter.add(self.stream)

    def close(self) -> None:
        """Close the device, if it is open or on its way to be."""
        if self._looks:
            self._looks = 0
            self._close()
        if self.is_open:
            self.is_open = False
            self.writing = False
            self._start = self._size = self._at = self._got = 0
            if not self._deaf:
                self._listen(False)
            self._deaf = False
            self._close()
            self.stream = None

    def attach(self, link: "Link", waiter: "Waiter | None" = None) -> None:
        """Open the device and serve `link` from now on; called once. Its stats count the bytes.

        waiter: told of the stream, also when the device goes and comes.
        """
        self.open()
        self._link = link
        self._stats: Stats = link.stats
        self._out = bytearray(link.wire_size)
        if waiter is not None:
            self._waiter = waiter
            waiter.add(self.stream)

    def pump(self, now_ms: int) -> bool:  # hot:
        """Feed the link with what is there and write what it has; return whether bytes moved."""
        if not self.is_open and not self._reopened(now_ms):
            return False
        moved = self._receive(now_ms)
        if self.is_open and self._send(now_ms):
            moved = True
        return moved

    def due(self, now_ms: int) -> int:  # hot:
        """Run the link's timers; return the ms after which pump() is due, were no stream ready.

        It is 0 only if a pump() can do something now.
        """
        ms = self._link.poll(now_ms)
        if not self.is_open:
            left = ticks_diff(self._retry_at, now_ms)
            if left < 0:
                return 0
            return left if left < ms or ms <= 0 else ms
        if ms > 0:
            return ms
        if self.writing:
            return _STUCK_MS
        return 0 if self._room() else self.room_ms

    def _receive(self, now_ms: int) -> bool:  # hot:
        left = _READS
        while left:
            if self._at == self._got:
                n = self._fetch()
                if n <= 0:
                    if n < 0:
                        self._lose(now_ms)
                    return left < _READS
                self._heard(n, now_ms)
            n = self._at
            self._at = self._got  # should feed() raise, these bytes do not come again
            self._at = self._link.feed(self._in, self._got, now_ms, n)
            if (self._at < self._got) != self._deaf:
                self._listen(self._deaf)
            if self._deaf:
                return False
            if self._got < _READ_SIZE:
                break
            left -= 1
        return True

    def _heard(self, count: int, now_ms: int) -> None:  # hot:
        self._at = 0
        self._got = count
        self._stats.count("rx_bytes", count)
        if self.tap is not None:
            self.tap(0, self._in, 0, count, now_ms)

    def _listen(self, listen: bool) -> None:
        """Sleep on the stream, or not: while the link takes nothing (reliable streams only)."""
        self._deaf = not listen
        if self._waiter is not None:
            if listen:
                self._waiter.add(self.stream)
            else:
                self._waiter.remove(self.stream)

    def _send(self, now_ms: int) -> bool:  # hot:
        moved = False
        for _ in range(_FRAMES):
            if self._start == self._size:
                self.writing = False
                if not self._room():
                    break
                self._start = 0
                self._size = self._link.take(self._out, now_ms)
                if not self._size:
                    break
            n = self._offer()
            if n < 0:
                self._lose(now_ms)
                break
            if n:
                moved = True
                self._stats.count("tx_bytes", n)
                if self.tap is not None:
                    self._tell(n, now_ms)
                self._start += n
            if self._start < self._size:
                self.writing = True
                break
        return moved

    def _tell(self, count: int, now_ms: int) -> None:  # hot:
        """Let the tap see what was taken of the bytes to write; for _send, which has no words."""
        if self.tap is not None:
            self.tap(1, self._out, self._start, count, now_ms)

    # A `try` costs words of the frame, so it stands where there are few locals.

    def _fetch(self) -> int:  # hot:
        try:
            return self._read(self._in)
        except OSError:
            return _GONE

    def _offer(self) -> int:  # hot:
        try:
            return self._write(self._out, self._start, self._size - self._start)
        except OSError:
            return _GONE

    def _lose(self, now_ms: int) -> None:
        """Note that the device has gone."""
        self._stats.count("device_lost")
        self.close()
        self._link.break_off(now_ms)
        self._retry_at = ticks_add(now_ms, _REOPEN_MS)

    def _reopened(self, now_ms: int) -> bool:
        """Try to open the device again when it is time to; return whether it is open."""
        if ticks_diff(self._retry_at, now_ms) > 0:
            return False
        if not self._tried():
            self._retry_at = ticks_add(now_ms, _OPENING_MS if self._looks else _REOPEN_MS)
            return False
        self._use()
        if not self.datagrams:
            # A delimiter first: what was cut off before must not spoil the first frame.
            self._out[0] = 0
            self._start = 0
            self._size = 1
        return True

    def _tried(self) -> bool:
        """Try to open the device; return whether it is open. If it is under way, count that."""
        try:
            if self._reopen():
                return True
        except OSError:
            self._looks = 0
            return False
        self._looks += 1
        if self._looks > _LOOKS:
            self.close()
        return False

    def _open(self) -> None:
        """Open the device and set `stream`, or raise OSError."""
        raise NotImplementedError

    def _reopen(self) -> bool:
        """Do as _open, after _open and _close, without blocking; return whether it is open now.

        If it is not, this is called again soon, or _close. After an OSError, it begins anew.
        """
        self._open()
        return True

    def _close(self) -> None:
        """Close what _open or _reopen has opened."""
        raise NotImplementedError

    def _read(self, buf: bytearray) -> int:
        """Read into buf from its start; return the size, 0 = none now, < 0 or OSError = gone."""
        raise NotImplementedError

    def _write(self, buf: bytearray, start: int, count: int) -> int:
        """Offer buf[start:start+count]; return how many were taken, < 0 or OSError = gone."""
        raise NotImplementedError

    def _room(self) -> bool:  # hot:
        """Return whether a frame written now would be on the line soon."""
        return True
