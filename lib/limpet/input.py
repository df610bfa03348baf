# SPDX-License-Identifier: MIT
"""What a link hears: the part of Link that takes frames apart. Its partners: output.py, link.py.

Rules: nothing from the wire raises; what is broken, strange or for nobody is counted. A reliable
packet is handed over in order and once, the limpet's to the client, others to the tile; one that
finds no room there is held, and costs the neighbour credit, for 5 s at the most. Who has let that
pass is deaf: what follows for the same service is dropped at once while there is no room for it.
"""

from .port import const, crc16
from .ticks import ticks_diff

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from .auth import Auth
    from .counted import Counted
    from .frame import Splitter
    from .neighbour import Neighbour
    from .output import Client
    from .reception import Receiver
    from .session import Session
    from .stats import Stats
    from .stream import StreamReceiver, StreamSender
    from .window import Sender

_HELO_START = const(0xFFFF)
_RESIDUE = const(0x1D0F)  # frame.RESIDUE
_UP = const(1)

# Byte 0: STND set, LOCL and MFMT clear; OVRN and EROR are local, they are never sent; then DIR.
_KIND = const(0xE0)
_ROUTED = const(0x80)
_MFMT = const(0xA0)
# Byte 1: BULK (bit 7), RELIABLE (bit 6), service.
_RELIABLE = const(0x40)
_SERVICE = const(0x3F)
_HELO = const(0x01)
_LIMPET = const(0x02)
_PROBE = const(0x80)  # of a null packet
_TWICE = const(0x40)

_HEAD = const(4)  # header of a reliable packet: two bytes, sequence number, ack
_ONCE_HEAD = const(2)  # of another one
_MFMT_HEAD = const(1)
_NULL_ACK = const(2)  # where the ack is in a null packet, then a credit and the bits
_NULL_END = const(12)
_CHECK = const(2)

_HELD_MS = const(5000)  # a packet that nobody has room for is held so long


class Input:
    """What comes over one link. Its attributes are made by Link."""

    neighbour: "Neighbour"
    stats: "Stats"
    state: int
    _guard: "Auth | Counted | None"
    _now_ms: int
    _byte0: int
    _closed: bool
    _client: "Client"
    _session: "Session"
    _in: "Splitter"
    _tx: "Sender | StreamSender"
    _rx: "Receiver | StreamReceiver"

    def __init__(self) -> None:
        self.heard_ms = 0  # when the last frame of this session came
        self._held_at = -1  # since when a packet waits for room, -1 = none does
        self._deaf: bytearray | None = None  # by service: lately it had none for too long

    def feed(self, buf: bytearray, count: int, now_ms: int, at: int = 0) -> int:  # hot:
        """Take buf[at:count] from the wire; return the index behind what was taken.

        That is `count`, but over a reliable stream it may be less: then feed the rest later.
        """
        self._now_ms = now_ms
        while at < count and not self._rx.paused:
            at = self._in.push(buf, at, count)
            if self._in.size and not self._closed:
                self._frame(self._in.buffer, self._in.size)
        return at

    def _frame(self, packet: bytearray, size: int) -> None:  # hot:
        if self.state != _UP or not self._in.right:
            self._strange(packet, size)
            return
        size -= _CHECK
        if self._guard is not None:
            size = self._opened(packet, size, False)
        if size > 0:
            self._right(packet, size)

    def _right(self, packet: bytearray, size: int) -> None:  # hot:
        """Take a packet of the session."""
        self.heard_ms = self._now_ms
        self.stats.count("rx_frames")
        packet[0] = packet[0] & _KIND | self._byte0 & 7  # DIR is the source now
        if packet[0] & _KIND == _ROUTED and packet[1] & _RELIABLE and size >= _HEAD:
            if packet[1] & _SERVICE:
                if self._guard is None or self._guard.newest:
                    self._tx.acked(packet, _HEAD - 1, 0, self._now_ms)
                self._accept(packet, size)
                return
        self._packet(packet, size)

    def _strange(self, packet: bytearray, size: int) -> None:  # hot:
        """Take a frame that is not of the session: a HELO, or the first of the next one."""
        if packet[1] == _HELO and self._is_helo(packet, size):
            self._helo(packet, size - _CHECK)
        elif self._session.fits(packet, size):
            size -= _CHECK
            if self._guard is not None:
                size = self._opened(packet, size, True)
            if size > 0:
                self._establish(self._now_ms)
                if self.state == _UP:
                    self._right(packet, size)
        else:
            self.stats.count("rx_bad")

    def _is_helo(self, packet: bytearray, size: int) -> bool:  # hot:
        if size <= _HEAD + _CHECK or packet[0] & _KIND != _ROUTED:
            return False
        if self.state != _UP:
            return self._in.right
        return crc16(packet, 0, size, _HELO_START) == _RESIDUE

    def _opened(self, packet: bytearray, size: int, candidate: bool) -> int:  # hot:
        """Return the size of a packet that is authentic, or in time; or count why not, and 0."""
        assert self._guard is not None
        size = self._guard.open(packet, size, candidate)
        if size < 0:
            self.stats.count("rx_forged" if size == -1 else "rx_replayed")
            return 0
        return size

    def _packet(self, packet: bytearray, size: int) -> None:  # hot:
        """Take a packet that is not reliable."""
        if packet[0] & _KIND == _MFMT:
            if self.neighbour.compatible:
                self._serve(packet, _MFMT_HEAD, size)
            else:
                self.stats.count("rx_closed")
        elif packet[0] & _KIND != _ROUTED or size < _ONCE_HEAD:
            self.stats.count("rx_unknown")
        elif packet[1] & _RELIABLE and packet[1] & _SERVICE:
            self.stats.count("rx_unknown")  # too short for its numbers
        elif packet[1] & _SERVICE:
            self._serve(packet, _ONCE_HEAD, size)
        elif size > _NULL_ACK:
            self._null_came(packet, size)

    def _null_came(self, packet: bytearray, size: int) -> None:  # hot:
        if size > _NULL_END:
            self.stats.count("rx_trailing")
        if packet[1] & _TWICE:
            self._tx.came_twice()
        if packet[1] & _PROBE:
            self._rx.asked()
        if self._guard is None or self._guard.newest:
            self._tx.acked(packet, _NULL_ACK, size, self._now_ms)

    def _accept(self, packet: bytearray, size: int) -> None:  # hot:
        room = self._has_room(packet, size)
        if self._rx.accept(packet, size, self._now_ms, room):
            self._deliver(packet, size)
        elif self._rx.twice:
            self._tx.doubt(self._now_ms)
        if self._rx.next != self._rx.expected:
            self._hand_over(self._now_ms)

    def _has_room(self, packet: bytearray, size: int) -> bool:  # hot:
        service = packet[1] & _SERVICE
        if service == _LIMPET or self._deaf is not None and self._deaf[service]:
            return True
        tile = self.neighbour.tile
        return tile is None or tile.room(packet, size)

    def _deliver(self, packet: bytearray, size: int) -> None:  # hot:
        service = packet[1] & _SERVICE
        if service == _LIMPET:
            self._client.receive(packet, _HEAD, size)
            return
        if self._deaf is not None and self._deaf[service]:
            self._deaf[service] = 0
            if not self._has_room(packet, size):
                self._deaf[service] = 1
                self.stats.count("rx_dropped")
                return
        self._serve(packet, _HEAD, size)

    def _serve(self, packet: bytearray, start: int, size: int) -> None:  # hot:
        tile = self.neighbour.tile
        if tile is None or not tile.receive(self.neighbour, packet, start, size):
            self.stats.count("rx_unknown")

    def _hand_over(self, now_ms: int) -> None:  # hot:
        """Hand over what is kept, as far as there is room for it."""
        size = self._rx.kept()
        while size and self._has_room(self._rx.packet, size):
            self._rx.done()  # first: whoever raises does not get it again
            self._held_at = -1
            self._deliver(self._rx.packet, size)
            size = self._rx.kept()
        if not size:
            self._held_at = -1
        elif self._held_at < 0:
            self._held_at = now_ms
        elif ticks_diff(now_ms, self._held_at) >= _HELD_MS:
            self._give_up(self._rx.packet[1] & _SERVICE)

    def _give_up(self, service: int) -> None:
        # It has had no room for 5 s.
        if self._deaf is None:
            self._deaf = bytearray(64)
        self._deaf[service] = 1
        self._rx.done()
        self._held_at = -1
        self.stats.count("rx_dropped")

    def _helo(self, packet: bytearray, size: int) -> None:
        raise NotImplementedError

    def _establish(self, now_ms: int) -> None:
        raise NotImplementedError
