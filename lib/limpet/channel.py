# SPDX-License-Identifier: MIT
"""Tile packets that wait: for a program to read them (Channel), for a link to take (Outgoing).

Rules: everything has its memory from its constructor on, but for the rings of Outgoing, which are
made for the first packet. A packet is copied in and copied out. What is full refuses, and says so
to whoever can do something about it: a reliable packet that finds no room in a Channel waits at
the link, and the neighbour sends no more; any other is dropped and counted.

    in memory, for each packet:  its size, the index of its link, byte 0, byte 1, data
"""

from .errors import Closed
from .port import const, copy, print_exception
from .watch import watch

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    from .aio import Rest
    from .neighbour import Neighbour
    from .port.gate import Gate
    from .send import Data
    from .tile import Tile
    from .watch import Watcher

_HEAD = const(4)

_MFMT = const(0x20)  # in byte 0
_EROR = const(0x08)
_RELIABLE = const(0x40)  # in byte 1
_SERVICE = const(0x3F)
_MFMT_NUMBER = const(64)  # of tile.py
_PACKET_MAX = const(255)
_NO_LINK = const(255)

_EMSGSIZE = const(90)
_MS_MAX = const(0x1FFFFFFF)


class Packets:
    """A queue of packets in one piece of memory, the oldest at its start."""

    def __init__(self, capacity: int, watch: "Watcher | None" = None) -> None:
        self.count = 0  # packets
        self.watch = watch  # told when one comes
        self.index = 0  # of the link that the next add() is about
        self._memory = bytearray(capacity)
        self._used = 0  # bytes

    def fits(self, size: int) -> bool:  # hot:
        """Tell whether there is room for a packet of that size."""
        return self._used + max(size, 2) + 2 <= len(self._memory)

    def add(  # hot:
        self, head: "Data", data: "Data", start: int, end: int
    ) -> bool:
        """Append the packet of head[0:2] and data[start:end]; False if there is no room.

        end: start - 1 for a packet of one byte, head[0].
        """
        end -= start
        if not self.fits(end + 2):
            return False
        self._memory[self._used] = end + 2
        self._memory[self._used + 1] = self.index
        self._memory[self._used + 2] = head[0]
        if end >= 0:
            self._memory[self._used + 3] = head[1]
            copy(self._memory, self._used + _HEAD, data, start, end)
        self._used += max(end, 0) + _HEAD
        self.count += 1
        if self.watch is not None:
            self.watch.wake()
        return True

    def peek(self, i: int) -> int:  # hot:
        """Return a byte of the oldest: 0 its size, 1 its link, 2 byte 0, 3 byte 1; 0 if none."""
        return self._memory[i] if self.count else 0

    def pop(self, out: bytearray, at: int) -> int:  # hot:
        """Remove the oldest packet, which is there: its header to out[0:2], data to out[at:].

        Returns where it ends in `out`, which has the room; 1 for a packet of one byte, if `at` is
        2.
        """
        out[0] = self._memory[2]
        out[1] = self._memory[3]
        size = self._memory[0] - 2
        count = max(size, 0)
        copy(out, at, self._memory, _HEAD, count)
        count += _HEAD
        self._used -= count
        self.count -= 1
        copy(self._memory, 0, self._memory, count, self._used)
        return at + size

    def has(self, direction: int) -> bool:
        """Tell whether there is a packet with that DIR."""
        at = 0
        while at < self._used:
            if self._memory[at + 2] & 7 == direction:
                return True
            at += max(self._memory[at], 2) + 2
        return False


_NOTHING = Packets(0)


class Outgoing:
    """What services have to send over one link. Ranks: 0 MFMT, 1 urgent, 2 bulk.

    capacity: bytes for each of them. watch: told of each packet.
    """

    def __init__(self, capacity: int, watch: "Watcher | None" = None) -> None:
        self.total = 0  # packets
        self.ranks = [_NOTHING, _NOTHING, _NOTHING]
        self._capacity = capacity
        self._watch = watch

    def rank(self, head: "Data") -> Packets:  # hot:
        """Return where packets with that header wait. Allocates at its first packet."""
        rank = 0 if head[0] & _MFMT else 1 + (head[1] >> 7)
        if self.ranks[rank] is _NOTHING:
            self.ranks[rank] = Packets(self._capacity, self._watch)
        return self.ranks[rank]

    def put(  # hot:
        self, head: "Data", data: "Data", start: int, end: int
    ) -> bool:
        """Append a packet, as Packets.add."""
        if self.rank(head).add(head, data, start, end):
            self.total += 1
            return True
        return False

    def waiting(self, rank: int) -> int:  # hot:
        """Return the size of a rank's oldest packet with its header, 0: there is none."""
        return self.ranks[rank].peek(0)

    def is_reliable(self, rank: int) -> bool:  # hot:
        """Tell whether a rank's oldest packet is for the reliable channel."""
        return rank > 0 and self.ranks[rank].peek(3) & _RELIABLE > 0

    def take(self, rank: int, buf: bytearray, at: int) -> int:  # hot:
        """Remove a rank's oldest packet, which is there, as Packets.pop."""
        self.total -= 1
        return self.ranks[rank].pop(buf, at)

    def give_back(
        self, neighbour: "Neighbour", channels: "dict[int, Channel]", last: bool
    ) -> None:
        """Put what waits into its senders' channels, with EROR, the oldest of each rank first.

        Where one has no room, the rest of the rank waits; last: it is dropped.
        """
        buf = None
        for rank in range(3):
            while self.waiting(rank):
                number = self.ranks[rank].peek(3) & _SERVICE if rank else _MFMT_NUMBER
                channel = channels.get(number)
                if channel and not last and not channel.room(None, self.waiting(rank)):
                    break
                neighbour.stats.count("tx_dropped")
                buf = buf or bytearray(_PACKET_MAX)
                size = self.take(rank, buf, 2)
                buf[0] |= _EROR
                if channel:
                    channel.receive(neighbour, buf, 2, size)


class Channel(Packets):
    """What has come for a program's service; made by Tile.open(), or Tile.mfmt or Tile.local.

    count: how many packets wait here; via: index, in tile.neighbours, of the neighbour that the
    packet taken last came from, or should have gone to; 255: none in particular.
    """

    def __init__(self, tile: "Tile", number: int, capacity: int) -> None:
        Packets.__init__(self, capacity)
        self.number = number
        self.via = _NO_LINK
        self.dropped = 0  # packets that found no room
        self.holding = False  # something waits for room, to be tried again after a take()
        self.closed = False
        self.on_packet: Callable[[bytes], object] | None = None  # called in the bus's turns
        self._tile = tile
        self._gate: Gate | None = None  # what fileno() has made
        self._rest: Rest | None = None  # where tasks wait

    # What the tile calls, as of any service

    def receive(  # hot:
        self, neighbour: "Neighbour", packet: bytearray, start: int, end: int
    ) -> None:
        """Keep a packet, or drop and count it."""
        self.index = min(neighbour.index, _NO_LINK)
        start = max(start, 2)
        if not self.add(packet, packet, start, end):
            self.dropped += 1

    def room(self, packet: "Data | None", size: int) -> bool:  # hot:
        """Tell whether a packet of that size may come. One too large for ever: to be dropped."""
        if self.count and not self.fits(size):
            self.holding = True
            return False
        return True

    def connected(self, neighbour: "Neighbour") -> None:
        """Nothing: the neighbour has events."""

    disconnected = connected

    def poll(self, now_ms: int) -> int:  # hot:
        """Call the handler for what is there."""
        if self.count and self.on_packet is not None:
            self._handle(self.on_packet)
        return _MS_MAX

    def _handle(self, function: "Callable[[bytes], object]") -> None:
        runner = self._tile.bus.runner
        runner.inside = True
        for _ in range(self.count):
            packet = self.read()
            if packet is not None:  # the function may have read, too
                try:
                    function(packet)
                except Exception as e:
                    print_exception(e)
        runner.inside = False

    # Reading and waiting

    def take(self, out: bytearray) -> int:  # hot:
        """Put the oldest packet into `out`, from its start; return its size, 0: there is none.

        out: at least 2 bytes. -EMSGSIZE: it is too small, and the packet stays. Context: the
        bus's thread, or with the bus locked.
        """
        if not self.count:
            return 0
        if len(out) < max(2, self.peek(0)):
            return -_EMSGSIZE
        self.via = self.peek(1)
        if self.holding:
            self.holding = False
            self._tile.waiter.wake()
        size = self.pop(out, 2)
        if self._gate is not None:
            self._gate.update()
        return size

    def read(self) -> "bytes | None":
        """Return the oldest packet, None: there is none. Allocates."""
        with self._tile.waiter.lock:
            if not self.count:
                return None
            out = bytearray(max(2, self.peek(0)))
            return bytes(out[: self.take(out)])

    def set_watch(self, watch: "Watcher | None") -> None:
        """Have watch.wake() called when a packet comes."""
        self.watch = watch

    def is_readable(self) -> bool:
        """Tell whether a packet is there."""
        return self.count > 0

    def wait(self, timeout_ms: "int | None" = None) -> bool:
        """Wait for a packet, and pump the bus meanwhile.

        False when timeout_ms have passed without one, or the bus was closed.
        """
        return self._tile.bus.runner.wait(self.is_readable, timeout_ms, self)

    def wait_async(self, timeout_ms: "int | None" = None) -> "Coroutine[Any, Any, bool]":
        """Do as wait(): `await channel.wait_async()`."""
        from .aio import Rest

        self._rest = self._rest or Rest(self._tile.bus, self)
        return self._rest.watch_for(self.is_readable, timeout_ms)

    def fileno(self) -> int:
        """Return a file descriptor that is readable while a packet is there (hosts only)."""
        waiter = self._tile.waiter
        with waiter.lock:
            if self.closed:
                raise Closed("the bus of this channel is closed")
            if self._gate is None:
                self._gate = waiter.gate(self.is_readable, lambda: True)
                watch(self, self._gate)
            return self._gate.fileno()

    def close(self) -> None:
        """End what waits here: the bus is closed."""
        self.closed = True
        if self._gate is not None:
            self._gate.close()
        if self.watch is not None:
            self.watch.wake()
