# SPDX-License-Identifier: MIT
"""A link: one neighbour, one session, one reliable channel beside one that is not. No I/O.

Rules: bytes and time are arguments. feed() takes bytes from the wire, take() gives the next frame
just in time, poll() runs the timers; none raises, whatever comes. The client hears that a session
came up, that it ended, and payloads, each once and in order. What client.fill() has given counts
as handed to the driver. Packets of services go to the tile; one that finds no room there is held,
and costs the neighbour credit, for 5 s at the most. Remote garbage is dropped and counted.
Sessions: session.py (with a key: keyed.py); frames out: output.py; acks: window.py, reception.py.

    DOWN <-> REFUSED     a HELO of a twin, of another protocol version, key or kind of wire
    DOWN, REFUSED -> UP  the peer has echoed our epoch
    UP -> DOWN           silence, CLOSE, or another epoch of the peer's (and UP again at once)
"""

from .frame import Splitter, wire_size
from .neighbour import Neighbour
from .output import Output
from .port import const, crc16
from .rand import Random
from .reception import Receiver
from .session import Session
from .stats import Stats
from .ticks import MS_MAX, ticks_diff
from .window import Sender

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from .auth import Auth
    from .output import Client

# What Session.heard() has found; 2 = nothing to do.
_BAD = const(0)
_REFUSED = const(1)
_ADOPT = const(3)
_CLOSED = const(4)
_FORGED = const(5)
_HELO_START = const(0xFFFF)
_RESIDUE = const(0x1D0F)  # frame.RESIDUE

DOWN = const(0)
UP = const(1)
REFUSED = const(2)

# Byte 0: STND set, LOCL and MFMT clear; OVRN and EROR are local, they are never sent; then DIR.
_KIND = const(0xE0)
_ROUTED = const(0x80)
_MFMT = const(0xA0)
# Byte 1: BULK (bit 7), RELIABLE (bit 6), service.
_NULL = const(0x00)
_HELO = const(0x01)
_RELIABLE = const(0x40)
_SERVICE = const(0x3F)
_LIMPET = const(0x02)
_PROBE = const(0x80)  # of a null packet
_TWICE = const(0x40)

# Events of neighbour.py.
_CONNECTED = const(1)
_DISCONNECTED = const(2)

_HEAD = const(4)  # header of a reliable packet: two bytes, sequence number, ack
_ONCE_HEAD = const(2)  # of another one
_MFMT_HEAD = const(1)
_NULL_ACK = const(2)  # where the ack is in a null packet, then a credit and the bits
_CHECK = const(2)
_TRAILER = const(10)  # of a keyed frame
_STREAM = const(8)  # HELO flag
_NO_SIDE = const(8)

_HELD_MS = const(5000)  # a packet that nobody has room for is held so long
_LOOK_MS = const(10)  # how often to look whether there is room
_LEAVING = const(2)  # HELOs that say that the session is over: one may be lost


def _check(good: bool) -> None:
    if not good:
        raise ValueError(
            "window is 1, 2, 4 .. 64, packet_size 96..255, silence_ms 20..60000, "
            "ack_delay_ms 0..255, direction 0..8"
        )


class Link(Output):
    """One neighbour over one wire.

    node, node_epoch: 30 bits. window: frames on their way, a power of two up to 64.
    packet_size: the largest packet taken and sent, 96..255 bytes. silence_ms: without a frame
    for so long the session ends, 20..60000. direction: 0..7, 8 = on no side. compatibility: up to
    45 bytes. reliable: the wire is a reliable stream (TCP, Unix), no ARQ. datagrams: frames may
    overtake each other. auth: of auth.py, for the keyed mode, which allocates.
    """

    def __init__(
        self,
        node: int,
        node_epoch: int,
        random: Random,
        client: "Client",
        window: int = 8,
        packet_size: int = 255,
        silence_ms: int = 1000,
        ack_delay_ms: int = 40,
        direction: int = 8,
        compatibility: str = "",
        index: int = 0,
        reliable: bool = False,
        datagrams: bool = False,
        auth: "Auth | None" = None,
    ) -> None:
        """Make a link that is DOWN; the first poll() or take() starts it."""
        _check(
            window in (1, 2, 4, 8, 16, 32, 64)
            and (96 <= packet_size <= 255 and 20 <= silence_ms <= 60000)
            and (0 <= ack_delay_ms <= 255 and 0 <= direction <= _NO_SIDE)
        )
        self.stats = stats = Stats()
        self.neighbour = Neighbour(self, index, direction, stats)
        Output.__init__(self)
        self.silence_ms = silence_ms
        self.state = DOWN
        self.refusal = ""  # why the neighbour is refused
        # Of the running or latest session; 0 = there was none:
        self.session = self.peer_node = self.peer_epoch = 0  # session: our epoch
        self.window = window  # frames on their way, at most
        self.payload_max = packet_size - _HEAD  # bytes that fill() may put, at most
        self.auth = auth  # the key, None = there is none
        self._client = client
        self._slots = window
        self._size = packet_size
        self._byte0 = _ROUTED | direction & 7
        self._ack = bytearray(16 + _TRAILER)  # a null packet on its way out
        self.heard_ms = 0  # when the last frame of this session came
        self._held_at = -1  # since when a packet waits for room, -1 = none does
        fields = (packet_size, window, max(1, min(4, window // 4)), ack_delay_ms, silence_ms, 0)
        fields = (0, node, node_epoch, 0, 0) + fields
        self._session = self._make_session(random, node, fields, _STREAM * reliable)
        self._session.hello[0] = self._byte0
        self._session.set_text(compatibility.encode())
        packet_size += 0 if auth is None else _TRAILER
        self.wire_size = wire_size(packet_size)
        self._in = Splitter(packet_size, stats)
        self._make_channel(packet_size, ack_delay_ms, reliable, datagrams)

    def _make_channel(
        self, packet_size: int, ack_delay_ms: int, reliable: bool, datagrams: bool
    ) -> None:
        if reliable:
            from .stream import StreamReceiver, StreamSender

            self._tx = StreamSender(packet_size + _CHECK)
            self._rx = StreamReceiver(packet_size, self.stats)
        else:
            self._tx = Sender(self.window, packet_size + _CHECK, self.stats, datagrams)
            self._rx = Receiver(self.window, packet_size, ack_delay_ms, self.stats)

    def _make_session(
        self, random: Random, node: int, fields: "tuple[int, ...]", flags: int
    ) -> Session:
        if self.auth is None:
            return Session(random, node, fields, flags)
        from .keyed import KeyedSession

        return KeyedSession(random, node, fields, flags, self.auth)

    # What comes in.

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
        if packet[1] == _HELO and packet[0] & _KIND == _ROUTED and size > _HEAD:
            self._helo(packet, size, self._now_ms)
            return
        if self.state == UP and crc16(packet, 0, size, self._session.start_in) == _RESIDUE:
            size -= _CHECK
            if self.auth is not None:
                size = self._opened(packet, size, False)
        elif self._session.fits(packet, size):
            size -= _CHECK
            if self.auth is not None:
                size = self._opened(packet, size, True)
            if size > 0:
                self._establish(self._now_ms)
        else:
            self._count("rx_bad")
            return
        if size > 0:
            self.heard_ms = self._now_ms
            self._count("rx_frames")
            packet[0] = packet[0] & _KIND | self._byte0 & 7  # DIR is the source now
            if packet[0] & _KIND == _ROUTED and packet[1] & _RELIABLE and size >= _HEAD:
                if packet[1] & _SERVICE:
                    self._tx.acked(packet, _HEAD - 1, 0, self._now_ms)
                    self._accept(packet, size)
                    return
            self._packet(packet, size)

    def _opened(self, packet: bytearray, size: int, candidate: bool) -> int:
        """Return the size of an authentic packet, or count why it is none and return 0."""
        assert self.auth is not None
        size = self.auth.open(packet, size, candidate)
        if size < 0:
            self._count("rx_forged" if size == -1 else "rx_replayed")
            return 0
        return size

    def _packet(self, packet: bytearray, size: int) -> None:  # hot:
        """Take a packet that is not reliable."""
        if packet[0] & _KIND == _MFMT:
            if self.neighbour.compatible:
                self._serve(packet, _MFMT_HEAD, size)
            else:
                self._count("rx_closed")
        elif packet[0] & _KIND != _ROUTED or size < _ONCE_HEAD:
            self._count("rx_unknown")
        elif packet[1] & _SERVICE:
            self._serve(packet, _ONCE_HEAD, size)
        elif size > _NULL_ACK:
            self._null_came(packet, size)

    def _null_came(self, packet: bytearray, size: int) -> None:  # hot:
        if packet[1] & _TWICE:
            self._tx.came_twice()
        if packet[1] & _PROBE:
            self._rx.asked()
        self._tx.acked(packet, _NULL_ACK, size, self._now_ms)

    def _accept(self, packet: bytearray, size: int) -> None:  # hot:
        room = self._has_room(packet, size)
        if self._rx.accept(packet, size, self._now_ms, room):
            self._deliver(packet, size)
        if self._rx.next != self._rx.expected:
            self._hand_over(self._now_ms)

    def _has_room(self, packet: bytearray, size: int) -> bool:  # hot:
        if packet[1] & _SERVICE == _LIMPET:
            return True
        tile = self.neighbour.tile
        return tile is None or tile.room(packet, size)

    def _deliver(self, packet: bytearray, size: int) -> None:  # hot:
        if packet[1] & _SERVICE == _LIMPET:
            self._client.receive(packet, _HEAD, size)
        else:
            self._serve(packet, _HEAD, size)

    def _serve(self, packet: bytearray, start: int, size: int) -> None:  # hot:
        tile = self.neighbour.tile
        if tile is None or not tile.receive(self.neighbour, packet, start, size):
            self._count("rx_unknown")

    def _hand_over(self, now_ms: int) -> None:  # hot:
        """Hand over what is kept, as far as there is room for it."""
        size = self._rx.kept()
        while size and self._has_room(self._rx.packet, size):
            self._deliver(self._rx.packet, size)
            self._rx.done()
            self._held_at = -1
            size = self._rx.kept()
        if not size:
            self._held_at = -1
        elif self._held_at < 0:
            self._held_at = now_ms
        elif ticks_diff(now_ms, self._held_at) >= _HELD_MS:
            self._rx.done()
            self._held_at = -1
            self._count("rx_dropped")

    def _helo(self, packet: bytearray, size: int, now_ms: int) -> None:
        found = _BAD
        if crc16(packet, 0, size, _HELO_START) == _RESIDUE:
            self._session.due_in(now_ms)  # begins it, if nothing was due before
            found = self._session.heard(packet, size - _CHECK, self.state == UP)
        if found == _BAD or found == _FORGED:
            self._count("rx_forged" if found else "rx_bad")
        else:
            self._count("rx_frames")
            self._count("helo_received")
        if found == _REFUSED:
            self._count("helo_refused")
        if found == _CLOSED:
            self._count("closes")
            self._leave(now_ms)
        elif found == _ADOPT:
            self._establish(now_ms)
        elif found and self.state != UP:
            self._become(REFUSED if self._session.refusal else DOWN, now_ms)

    # Sessions.

    def _become(self, state: int, now_ms: int) -> None:
        self.state = state
        self.neighbour.become(state, now_ms)
        self.refusal = self.neighbour.refusal = self._session.refusal if state == REFUSED else ""

    def _establish(self, now_ms: int) -> None:
        if self.state == UP:
            self._end(now_ms)
        peer = self._session
        peer.adopt()
        fields = peer.offered
        neighbour = self.neighbour
        self.session = peer.me
        self.peer_node = neighbour.node = fields[1]
        self.peer_epoch = neighbour.epoch = fields[2]
        neighbour.compatible = peer.compatible
        self.payload_max = neighbour.payload_max = min(self._size, fields[5]) - _HEAD
        self.window = min(self._slots, fields[6])
        self._keep_ms = fields[9] >> 2
        # Whichever side's limit runs out first ends the session: try several times before.
        wait = min(self.silence_ms, fields[9]) >> 2
        self._over = False
        self._tx.reset(self.window, fields[8], wait, now_ms)
        self._rx.reset(self.window, now_ms)
        self.heard_ms = self._sent = now_ms
        self._held_at = -1
        self._count("sessions")
        self._become(UP, now_ms)
        neighbour.put(_CONNECTED)
        self._client.connected()
        if neighbour.tile is not None:
            neighbour.tile.connected(neighbour)

    def _end(self, now_ms: int) -> None:
        neighbour = self.neighbour
        self._become(DOWN, now_ms)
        neighbour.compatible = False
        neighbour.payload_max = 0
        neighbour.put(_DISCONNECTED)
        self._client.disconnected()
        if neighbour.tile is not None:
            neighbour.tile.disconnected(neighbour)

    def _leave(self, now_ms: int) -> None:
        # The session is over; look for another one.
        self._session.begin(now_ms)
        self._end(now_ms)

    def close(self, now_ms: int) -> None:
        """End the session, tell the neighbour with the next two frames, then stay silent."""
        if self.state == UP and not self._closed:
            self._leaving = _LEAVING
            self._end(now_ms)
        self._closed = True

    def change_compatibility(self, text: str, now_ms: int) -> None:
        """Have another compatibility string, in a new session: a running one ends.

        Raises ValueError if it has more than 45 bytes.
        """
        self._session.set_text(text.encode())
        if self.state == UP:
            self._leave(now_ms)

    def unacked(self) -> int:
        """Return how many frames on their way are not acknowledged."""
        return (self._tx.next - self._tx.base) & 255

    # Timers.

    def poll(self, now_ms: int) -> int:  # hot:
        """Run the timers; return ms until the link next needs take() or poll(), 0 = now."""
        if self._closed:
            return 0 if self._leaving else MS_MAX
        if self.state != UP:
            return max(0, self._session.due_in(now_ms))
        wait = MS_MAX
        if self._rx.next != self._rx.expected:
            self._hand_over(now_ms)
            wait = _LOOK_MS
            if self._rx.paused:  # it is we who do not listen
                self.heard_ms = now_ms
        left = self.silence_ms - ticks_diff(now_ms, self.heard_ms)
        if left < 0 or self._over or self._rx.broken:
            self._leave(now_ms)
            return 0
        return self._due(min(wait, left + 1), now_ms)

    def _due(self, wait: int, now_ms: int) -> int:  # hot:
        if self._session.answer:
            return 0
        wanted = self._has_more()
        if wanted and self._may_say_more():
            return 0
        wait = min(wait, self._idle_in(now_ms))
        wait = min(wait, self._rx.ack_in(now_ms))
        wait = min(wait, self._tx.expire(now_ms, wanted))
        return max(0, wait)
