# SPDX-License-Identifier: MIT
"""The tile: this node as its neighbours see it, with eight sides and services known by number.

Rules: a packet for a service that nobody has here is counted and ignored, and a service ignores
bytes behind those that it knows. The library's services send to a neighbour, and send again what
was refused, if they still want to. A program has a channel for each service of its own, for MFMT
and for local packets, and may also put whole packets, to a side: what it has put goes out, or
comes back into that channel, with OVRN if there was no room or it is too long, with EROR if there
was no way, also when the session ended before the link took it for a frame. Once taken, it is out.
MFMT passes only between tiles with the same compatibility string. Links on no side cannot be put
to, and carry no MFMT.

    byte 0: see header.py    byte 1: BULK RELIABLE service(6); of MFMT it is the application's
"""

from .errors import AlreadyBound, BusError
from .header import EROR, OVRN
from .port import const, print_exception
from .ticks import ticks_add, ticks_diff

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Protocol

    from .bus import Bus
    from .channel import Channel, Outgoing
    from .neighbour import Neighbour
    from .port import Waiter
    from .send import Data

    class Service(Protocol):
        """Who has a service number: a Channel, or a part of the library."""

        number: int

        # A packet: header packet[0:2], data packet[start:end], valid until return.
        def receive(
            self, neighbour: "Neighbour", packet: bytearray, start: int, end: int
        ) -> None: ...
        # May a reliable packet come now, of `size` bytes with its header?
        def room(self, packet: bytearray, size: int) -> bool: ...
        # A session has begun; has ended, and what the link did not take before is lost.
        def connected(self, neighbour: "Neighbour") -> None: ...
        def disconnected(self, neighbour: "Neighbour") -> None: ...
        # Do what is due; return the ms until something is again.
        def poll(self, now_ms: int) -> int: ...


_ROUTED = const(0x80)
_LOCL = const(0x40)
_MFMT = const(0x20)
_DIR = const(0x07)
_BULK = const(0x80)
_RELIABLE = const(0x40)
_SERVICE = const(0x3F)
_LIMPET = const(2)

# Of channels that have no service number.
_MFMT_NUMBER = const(64)
_LOCAL_NUMBER = const(65)
_EVENT_NUMBER = const(66)

_UP = const(1)
_UP_EVENT = bytearray(b"\xc4\x01")  # as neighbour.py
_DOWN_EVENT = bytearray(b"\xc4\x02")
_NO_LINK = const(255)
_PACKET_MAX = const(255)
_TEXT_MAX = const(45)
_CAPACITY = const(512)
_CAPACITY_MIN = const(98)  # of a channel: the largest packet that every node takes, and two

_MS_MAX = const(0x1FFFFFFF)
_AGAIN_MS = const(1000)  # a service whose poll() has raised is polled again

_EBADF = const(9)
_EAGAIN = const(11)
_EINVAL = const(22)
_EMSGSIZE = const(90)
_EHOSTUNREACH = const(113)


class Tile:
    """The sides, services and channels of one node; `bus.tile`.

    Context: the bus's thread, or with the bus locked (waiter.lock), unless a call locks it itself.
    """

    bus: "Bus"  # whose it is, and who sets it

    def __init__(self, waiter: "Waiter", node: int, epoch: int) -> None:
        self.waiter = waiter
        self.node = node
        self.epoch = epoch
        self.neighbours: list[Neighbour] = []  # by index of their links
        # Bytes for what waits to be sent: of each link, for MFMT, urgent and bulk; at least 257.
        self.capacity = _CAPACITY
        self.now_ms = 0  # of the latest poll()
        self._compatibility = ""
        self._services: dict[int, Service] = {}
        self._list: list[Service] = []  # the same
        self._channels: dict[int, Channel] = {}  # those that are channels
        self._head = bytearray(2)  # header of what is being sent
        self._to: Neighbour | None = None  # ... and where to
        self._for: Service | None = None  # for whom a packet has come
        # Who is being polled; those that raised then, and when it is their turn again.
        self._polled: Service | None = None
        self._resting: list[Service] = []
        self._again_at = 0

    # Neighbours and services

    def attach(self, neighbour: "Neighbour") -> None:
        """Serve a link from now on."""
        self.neighbours.append(neighbour)
        neighbour.tile = self
        if self._compatibility:
            neighbour.link.change_compatibility(self._compatibility, self.now_ms)
        if neighbour.state == _UP:
            self.connected(neighbour)

    def neighbour(self, direction: int) -> "Neighbour | None":
        """Return the neighbour on that side: of several the first that is up, else the first."""
        found = None
        for one in self.neighbours:
            if one.direction == direction:
                if one.state == _UP:
                    return one
                found = found or one
        return found

    def set_compatibility(self, text: str) -> None:
        """Tell all neighbours, now and later, another string: MFMT passes where both are the same.

        text: up to 45 bytes (else ValueError). Another one than before ends the sessions, and new
        ones follow.
        """
        if len(text.encode()) > _TEXT_MAX:
            raise ValueError(f"a compatibility string has up to {_TEXT_MAX} bytes")
        with self.waiter.lock:
            if text == self._compatibility:
                return
            self._compatibility = text
            for neighbour in self.neighbours:
                neighbour.link.change_compatibility(text, self.now_ms)

    def add(self, service: "Service") -> None:
        """Serve service.number by it; it hears of the sessions that run. Raises AlreadyBound."""
        if service.number in self._services:
            raise AlreadyBound(f"there is a service {service.number} already")
        self._services[service.number] = service
        self._list.append(service)
        for neighbour in self.neighbours:
            if neighbour.state == _UP:
                service.connected(neighbour)

    def open(self, service: int, capacity: int = _CAPACITY) -> "Channel":
        """Open a service of your own, 16 to 47. Raises BusError (EINVAL), AlreadyBound.

        capacity: bytes for what waits to be read, where each packet takes its size and two.
        """
        if not 16 <= service < 48:
            raise BusError(f"service {service}: 16 to 47 are for programs")
        if capacity < _CAPACITY_MIN:
            raise BusError(f"capacity is {capacity}, at least {_CAPACITY_MIN} is needed")
        return self._open(service, capacity)

    def _open(self, number: int, capacity: int) -> "Channel":
        from .channel import Channel

        with self.waiter.lock:
            channel = Channel(self, number, capacity)
            self.add(channel)
            self._channels[number] = channel
            return channel

    @property
    def mfmt(self) -> "Channel":
        """The application's packets from all sides; open from its first use on."""
        return self._channels.get(_MFMT_NUMBER) or self._open(_MFMT_NUMBER, _CAPACITY)

    @property
    def local(self) -> "Channel":
        """Local standard packets, of anybody on this board; open from its first use on."""
        return self._channels.get(_LOCAL_NUMBER) or self._open(_LOCAL_NUMBER, _CAPACITY)

    @property
    def events(self) -> "Channel":
        """Tile Event Packets of all links (`via` tells which); open from its first use on."""
        return self._channels.get(_EVENT_NUMBER) or self._open(_EVENT_NUMBER, _CAPACITY)

    def readable(self, direction: int) -> bool:
        """Tell whether an MFMT packet is there that is from that side, or back from it."""
        return self.mfmt.has(direction)

    def writable(self, direction: int) -> bool:
        """Tell whether an MFMT packet of any size that is put to that side now would go out."""
        if direction > _DIR:
            return False
        self._head[0] = _ROUTED | _MFMT | direction
        for one in self.neighbours:
            if self._leads(one) and self._out(one).rank(self._head).fits(one.payload_max + 4):
                return True
        return False

    def close(self) -> None:
        """End what waits at channels, as the bus is closed."""
        for channel in self._channels.values():
            channel.close()

    def receive(  # hot:
        self, neighbour: "Neighbour", packet: bytearray, start: int, end: int
    ) -> bool:
        """Give a packet to its service; False: nobody has that number."""
        self._for = self._services.get(self._number(packet))
        if self._for is None or (packet[0] & _MFMT and neighbour.direction > _DIR):
            return False
        self._for.receive(neighbour, packet, start, end)
        return True

    def _number(self, packet: "Data") -> int:  # hot:
        if packet[0] & _LOCL:
            return _LOCAL_NUMBER
        return _MFMT_NUMBER if packet[0] & _MFMT else packet[1] & _SERVICE

    def room(self, packet: bytearray, size: int) -> bool:  # hot:
        """Tell whether the service of a reliable packet takes it now."""
        service = self._services.get(packet[1] & _SERVICE)
        return service is None or service.room(packet, size)

    def connected(self, neighbour: "Neighbour") -> None:
        """A session has begun: what had no room to come back is lost, so that nobody sends it."""
        self._tell(neighbour, True)

    def disconnected(self, neighbour: "Neighbour") -> None:
        """It has ended: what the link did not take goes back to its senders."""
        self._tell(neighbour, False)

    def _tell(self, neighbour: "Neighbour", up: bool) -> None:
        self._give_back(neighbour, up)
        if _EVENT_NUMBER in self._channels:
            self._channels[_EVENT_NUMBER].receive(
                neighbour, _UP_EVENT if up else _DOWN_EVENT, 2, 2
            )
        for service in self._list:
            try:
                if up:
                    service.connected(neighbour)
                else:
                    service.disconnected(neighbour)
            except Exception as e:
                print_exception(e)

    def send(  # hot:
        self,
        neighbour: "Neighbour",
        service: int,
        data: "Data",
        size: int = -1,
        bulk: bool = False,
        reliable: bool = True,
    ) -> int:
        """Send data[0:size] (-1: all of it) to a service of a neighbour's; return the size.

        -EHOSTUNREACH: the link is down. -EAGAIN: no room now. -EMSGSIZE: more than there is, or
        than neighbour.payload_max. -EINVAL: no such service, or the limpet's. Context: the bus's
        thread, or with the bus locked.
        """
        if not 0 < service <= _SERVICE or service == _LIMPET:
            return -_EINVAL
        if bulk:
            service |= _BULK
        if reliable:
            service |= _RELIABLE
        self._head[1] = service
        self._to = neighbour
        return self._send(data, size)

    def _send(self, data: "Data", size: int) -> int:  # hot:
        neighbour = self._to
        assert neighbour is not None
        if neighbour.state != _UP:
            return -_EHOSTUNREACH
        self._head[0] = _ROUTED | neighbour.direction & _DIR
        if size < 0:
            size = len(data)
        if size > min(len(data), self._limit(neighbour)):
            return -_EMSGSIZE
        return size if self._out(neighbour).put(self._head, data, 0, size) else -_EAGAIN

    def _limit(self, neighbour: "Neighbour") -> int:  # hot:
        """Return how many bytes may stand behind the header; unreliable packets need less."""
        if self._head[1] & _RELIABLE and not self._head[0] & _MFMT:
            return neighbour.payload_max
        return neighbour.payload_max + 2

    def _out(self, neighbour: "Neighbour") -> "Outgoing":  # hot:
        if neighbour.out is None:
            from .channel import Outgoing

            neighbour.out = Outgoing(self.capacity, self.waiter)
        return neighbour.out

    def put(self, packet: "Data", size: int = -1) -> int:  # hot:
        """Send a whole packet, packet[0:size], to the side that byte 0 names; return the size.

        Its channel has to be open: the packet goes out, or comes back there. Local standard
        packets go to `local`. What came back can be put again as it is. -EMSGSIZE: more than there
        is, or than 255; -EINVAL: no such form; -EBADF: no channel; -EAGAIN: it can neither go out
        nor come back. Context: the bus's thread, or with the bus locked.
        """
        if size < 0:
            size = len(packet)
        if size > min(len(packet), _PACKET_MAX):
            return -_EMSGSIZE
        if size < 2 and (size < 1 or not packet[0] & (_LOCL | _MFMT)) or packet[0] < _ROUTED:
            return -_EINVAL
        channel = self._channels.get(self._number(packet))
        if channel is None:
            return -_EBADF
        self._head[0] = packet[0] & 0xA7
        self._head[1] = packet[1] if size > 1 else 0
        if packet[0] & _LOCL:
            self._head[0] = packet[0] & 0xDF
        elif self._offer(packet, size):
            return size
        channel.index = _NO_LINK
        if channel.holding or not channel.add(self._head, packet, 2, size):
            return -_EAGAIN
        return size

    def _offer(self, packet: "Data", size: int) -> bool:  # hot:
        """Let a link have a packet, or say in its header why none can."""
        bit = EROR
        i = 0
        while i < len(self.neighbours):
            if self._leads(self.neighbours[i]):
                bit = OVRN
                if self._queue(self.neighbours[i], packet, size):
                    return True
            i += 1
        self._head[0] |= bit
        return False

    def _leads(self, neighbour: "Neighbour") -> bool:  # hot:
        """Tell whether what is being sent may go to that neighbour."""
        if neighbour.state != _UP or neighbour.direction != self._head[0] & _DIR:
            return False
        return neighbour.compatible or not self._head[0] & _MFMT

    def _queue(self, neighbour: "Neighbour", packet: "Data", size: int) -> bool:  # hot:
        if size - 2 > self._limit(neighbour):
            return False
        return self._out(neighbour).put(self._head, packet, 2, size)

    def poll(self, now_ms: int) -> int:  # hot:
        """Let services do what is due; return the ms until something is again."""
        self.now_ms = now_ms
        due = _MS_MAX
        if self._polled is not None:  # it raised in the turn before: the others go on without it
            self._resting.append(self._polled)
            self._again_at = ticks_add(now_ms, _AGAIN_MS)
        i = len(self._list)
        while i:
            i -= 1
            self._polled = self._list[i]
            due = min(due, self._run(self._polled))
        self._polled = None
        i = len(self.neighbours)
        while i:
            i -= 1
            if self.neighbours[i].state != _UP:
                self._give_back(self.neighbours[i], False)
        return due

    def _give_back(self, neighbour: "Neighbour", last: bool) -> None:  # hot:
        """Return what waits for a link to its senders, with EROR; last: or drop it."""
        if neighbour.out is not None and neighbour.out.total:
            neighbour.out.give_back(neighbour, self._channels, last)

    def _run(self, service: "Service") -> int:  # hot:
        if service in self._resting:
            if ticks_diff(self._again_at, self.now_ms) > 0:
                return _AGAIN_MS
            self._resting.remove(service)
        return service.poll(self.now_ms)
