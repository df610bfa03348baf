# SPDX-License-Identifier: MIT
"""Two drivers joined in memory, with the faults that a test asks for.

Rule 1: time comes only from pump(now_ms), chance only from the seed: runs can be repeated.
Rule 2: each frame, a run of bytes up to its 0x00, meets one fate, decided when its last byte is
written. Lone delimiters have none; a frame longer than the capacity passes in pieces, unharmed.
Rule 3: what arrives keeps its order, as on any line of bytes.
"""

from ..port import const, copy
from ..rand import Random
from ..ticks import MS_MAX, ticks_add, ticks_diff
from .pump import Driver

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from collections.abc import Callable

# The fates, as they stand in a table: b"..x" loses the third frame.
DELIVER = const(0x2E)  # .
LOSE = const(0x78)  # x
CORRUPT = const(0x63)  # c  one byte changed, maybe the delimiter
DUPLICATE = const(0x64)  # d
TRUNCATE = const(0x74)  # t  the tail is missing, so it runs into the next frame

_DELIVER = const(0x2E)
_LOSE = const(0x78)
_CORRUPT = const(0x63)
_DUPLICATE = const(0x64)
_TRUNCATE = const(0x74)

_CHUNKS = const(256)  # pieces on their way with a time each
_SHARES = const(10000)
_ZERO = b"\0"


class _Pipe:
    """One direction: a ring of bytes, and a ring of when its pieces arrive.

    One side writes and one reads, perhaps in two threads: each index has a single writer.
    """

    def __init__(self, seed: int, shares: "list[int]", delay_ms: int, capacity: int) -> None:
        self.faults: bytes | Callable[[int], int] | None = None
        self.cut = False
        self.frames = 0  # frames that met their fate
        self.faulted = 0  # of these, not just delivered
        self._shares = shares  # of frames lost, corrupted, duplicated: of 10000
        self._random = Random(seed)
        self._delay_ms = delay_ms
        self._ring = bytearray(capacity + 1)
        self._begin = 0  # where the frame being written begins
        self._head = 0  # where the next byte goes
        self._tail = 0  # the next byte to read
        self._ends = [0] * _CHUNKS  # where the pieces end
        self._dues = [0] * _CHUNKS  # when they arrive
        self._chunk_in = 0
        self._chunk_out = 0
        self._arrived = 0  # bytes up to here may be read
        # The writer's: what it is writing, up to where, and when.
        self._source = self._ring
        self._until = 0
        self._now_ms = 0

    def write(self, buf: bytearray, start: int, count: int, now_ms: int) -> int:  # hot:
        """Take buf[start:start+count] as far as there is room; return how many."""
        self._source = buf
        self._until = start + count
        self._now_ms = now_ms
        at = start
        while at < self._until:
            size = self._take(at)
            if not size:
                if self._head != self._begin and self.due_in(now_ms) == MS_MAX:
                    self._commit()  # a frame that fills the ring: let it through in pieces
                break
            at += size
        return at - start

    def _take(self, at: int) -> int:  # hot:
        """Take what is left of a frame, from `at` on, as far as there is room; return how many."""
        end = self._source.find(_ZERO, at, self._until)
        size = (end + 1 if end >= 0 else self._until) - at
        if self._room() < size:
            size = self._room()
            end = -1
        if size:
            self._put(at, size)
        if end >= 0:
            self._decide()
        return size

    def _put(self, at: int, count: int) -> None:  # hot:
        first = min(count, len(self._ring) - self._head)
        copy(self._ring, self._head, self._source, at, first)
        self._head = (self._head + count) % len(self._ring)
        count -= first
        copy(self._ring, 0, self._source, at + first, count)

    def read(self, buf: bytearray, now_ms: int) -> int:  # hot:
        """Move what has arrived into buf; return its size."""
        while self._chunk_out != self._chunk_in:
            if ticks_diff(self._dues[self._chunk_out], now_ms) > 0:
                break
            self._arrived = self._ends[self._chunk_out]
            self._chunk_out = (self._chunk_out + 1) % _CHUNKS
        return self._get(buf)

    def _get(self, buf: bytearray) -> int:  # hot:
        size = 0
        while self._tail != self._arrived and size < len(buf):
            n = (self._arrived if self._arrived > self._tail else len(self._ring)) - self._tail
            n = min(n, len(buf) - size)
            copy(buf, size, self._ring, self._tail, n)
            size += n
            self._tail = (self._tail + n) % len(self._ring)
        return size

    def due_in(self, now_ms: int) -> int:  # hot:
        """Return the ms until something can be read, MS_MAX if nothing is on its way."""
        if self._tail != self._arrived:
            return 0
        if self._chunk_out == self._chunk_in:
            return MS_MAX
        return max(0, ticks_diff(self._dues[self._chunk_out], now_ms))

    def _room(self) -> int:  # hot:
        if (self._chunk_in + 2) % _CHUNKS == self._chunk_out:
            return 0
        return (self._tail - self._head - 1) % len(self._ring)

    def _decide(self) -> None:  # hot:
        """Let the frame that has just ended meet its fate."""
        size = (self._head - self._begin) % len(self._ring)
        if self.cut:
            self._head = self._begin
            return
        if size > 1:
            fate = self._fate()
            self.frames += 1
            if fate != _DELIVER:
                self.faulted += 1
                self._harm(fate, size)
        self._commit()

    def _fate(self) -> int:  # hot:
        """Return the next frame's: from the table or the function, then by chance."""
        faults = self.faults
        if faults is not None:
            if not isinstance(faults, bytes):
                return faults(self.frames)
            return faults[self.frames] if self.frames < len(faults) else _DELIVER
        shares = self._shares
        if shares[0] and self._random.below(_SHARES) < shares[0]:
            return _LOSE
        if shares[1] and self._random.below(_SHARES) < shares[1]:
            return _CORRUPT
        if shares[2] and self._random.below(_SHARES) < shares[2]:
            return _DUPLICATE
        return _DELIVER

    def _harm(self, fate: int, size: int) -> None:  # hot:
        if fate == _LOSE:
            self._head = self._begin
        elif fate == _TRUNCATE:
            self._head = (self._begin + 1 + self._random.below(size - 1)) % len(self._ring)
        elif fate == _CORRUPT:
            at = (self._begin + self._random.below(size)) % len(self._ring)
            self._ring[at] ^= 1 + self._random.below(255)
        elif fate == _DUPLICATE and self._room() >= size:
            self._double(size)

    def _double(self, size: int) -> None:  # hot:
        at = self._begin
        while size:
            self._ring[self._head] = self._ring[at]
            self._head = (self._head + 1) % len(self._ring)
            at = (at + 1) % len(self._ring)
            size -= 1

    def _commit(self) -> None:  # hot:
        """Send what has been written on its way."""
        if self._head != self._begin:
            self._begin = self._head
            self._ends[self._chunk_in] = self._head
            self._dues[self._chunk_in] = ticks_add(self._now_ms, self._delay_ms)
            self._chunk_in = (self._chunk_in + 1) % _CHUNKS


class LoopbackDriver(Driver):
    """One end of a line in memory; made in pairs by loopback()."""

    def __init__(self, outgoing: _Pipe, incoming: _Pipe) -> None:
        Driver.__init__(self)
        self.peer: LoopbackDriver | None = None  # the other end
        self._outgoing = outgoing
        self._incoming = incoming
        self._now_ms = 0

    @property
    def faults(self) -> "bytes | Callable[[int], int] | None":
        """The fates of the frames that this end sends: a table of b".xcdt", or a function.

        A table tells of the first frames, the rest are delivered; the function gets the frame's
        index and returns one of DELIVER, LOSE, CORRUPT, DUPLICATE, TRUNCATE. None: by chance.
        """
        return self._outgoing.faults

    @faults.setter
    def faults(self, faults: "bytes | Callable[[int], int] | None") -> None:
        self._outgoing.faults = faults

    @property
    def mute(self) -> bool:
        """True: everything that this end sends is lost, but what the other one sends arrives."""
        return self._outgoing.cut

    @mute.setter
    def mute(self, mute: bool) -> None:
        self._outgoing.cut = mute

    @property
    def cut(self) -> bool:
        """True: everything that either end sends is lost."""
        return self._outgoing.cut and self._incoming.cut

    @cut.setter
    def cut(self, cut: bool) -> None:
        self._outgoing.cut = self._incoming.cut = cut

    @property
    def sent(self) -> int:
        """Frames that this end has sent while the line was whole."""
        return self._outgoing.frames

    @property
    def faulted(self) -> int:
        """How many of them were lost, corrupted, duplicated or truncated."""
        return self._outgoing.faulted

    def pump(self, now_ms: int) -> bool:  # hot:
        """Do as Driver.pump does, with this as the line's time."""
        self._now_ms = now_ms
        return Driver.pump(self, now_ms)

    def due(self, now_ms: int) -> int:  # hot:
        """Do as Driver.due does, and look at what is on its way."""
        ms = Driver.due(self, now_ms)
        if self._deaf or not self.is_open:
            return ms
        return min(ms, self._incoming.due_in(now_ms))

    def _open(self) -> None:
        pass

    def _close(self) -> None:
        pass

    def _read(self, buf: bytearray) -> int:  # hot:
        return self._incoming.read(buf, self._now_ms)

    def _write(self, buf: bytearray, start: int, count: int) -> int:  # hot:
        n = self._outgoing.write(buf, start, count, self._now_ms)
        if n and self.peer is not None and self.peer._waiter is not None:
            self.peer._waiter.wake()
        return n


def loopback(
    seed: int = 1,
    loss: float = 0.0,
    corrupt: float = 0.0,
    duplicate: float = 0.0,
    delay_ms: int = 0,
    capacity: int = 4096,
) -> "tuple[LoopbackDriver, LoopbackDriver]":
    """Return the two ends of a line.

    loss, corrupt, duplicate: the share of frames, each way. delay_ms: between a frame's last byte
    and its arrival. capacity: bytes on their way in one direction; a full line takes no more.
    """
    for share in (loss, corrupt, duplicate):
        if not 0 <= share <= 1:
            raise ValueError("a share of frames is within 0..1")
    if capacity < 1 or not 0 <= delay_ms <= MS_MAX:
        raise ValueError("capacity is at least 1, delay_ms at least 0")
    shares = [int(share * _SHARES + 0.5) for share in (loss, corrupt, duplicate)]
    there = _Pipe(seed, shares, delay_ms, capacity)
    back = _Pipe(seed ^ 0x15555555, shares, delay_ms, capacity)
    a = LoopbackDriver(there, back)
    b = LoopbackDriver(back, there)
    a.peer = b
    b.peer = a
    return a, b
