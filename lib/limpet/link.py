# SPDX-License-Identifier: MIT
"""A link: one neighbour, one session, one reliable channel beside one that is not. No I/O.

Rules: bytes and time are arguments. feed() takes bytes from the wire, take() gives the next frame
just in time, poll() runs the timers; none raises, whatever comes. The client hears that a session
came up, that it ended, and payloads, each once and in order. What client.fill() has given counts
as handed to the driver. Packets of services go to the tile. Remote garbage is dropped and counted.
Here are sessions and timers, and what holds all together; frames that come: input.py, that go:
output.py; who may begin a session: session.py, keyed.py; acks: window.py, reception.py.

    DOWN <-> REFUSED     a HELO of a twin, of another protocol version, key or kind of wire
    DOWN, REFUSED -> UP  the peer has echoed our epoch
    UP -> DOWN           silence, CLOSE, or another epoch of the peer's (and UP again at once)
"""

from .frame import Splitter, wire_size
from .input import Input
from .neighbour import Neighbour
from .output import Output
from .port import const
from .rand import Random
from .reception import Receiver
from .session import Session
from .stats import Stats
from .ticks import MS_MAX, ticks_diff
from .window import Sender

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from .auth import Auth
    from .counted import Counted
    from .output import Client

# What Session.heard() has found; 2 = nothing to do.
_BAD = const(0)
_REFUSED = const(1)
_ADOPT = const(3)
_CLOSED = const(4)
_FORGED = const(5)
_HELO_START = const(0xFFFF)

DOWN = const(0)
UP = const(1)
REFUSED = const(2)

_ROUTED = const(0x80)  # byte 0 of service packets, without DIR

# Events of neighbour.py.
_CONNECTED = const(1)
_DISCONNECTED = const(2)

_HEAD = const(4)  # header of a reliable packet: two bytes, sequence number, ack
_TRAILER = const(10)  # of a keyed frame
_COUNT = const(2)  # of a counted one
_STREAM = const(8)  # HELO flags
_COUNTED = const(32)
_NO_SIDE = const(8)
_MASK30 = const(0x3FFFFFFF)

_LOOK_MS = const(10)  # how often to look whether there is room
_LEAVING = const(2)  # HELOs that say that the session is over: one may be lost


def _check(good: bool) -> None:
    if not good:
        raise ValueError(
            "window is 1, 2, 4 .. 64, packet_size 96..255, silence_ms 20..60000, "
            "ack_delay_ms 0..255, direction 0..8, node and node_epoch have 30 bits"
        )


class Link(Input, Output):
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
            and (0 < node <= _MASK30 and 0 <= node_epoch <= _MASK30)
        )
        self.stats = stats = Stats()
        self.neighbour = Neighbour(self, index, direction, stats)
        Input.__init__(self)
        Output.__init__(self)
        self.silence_ms = silence_ms
        self.state = DOWN
        self.refusal = ""  # why the neighbour is refused
        self.session = self.peer_node = self.peer_epoch = 0  # of the latest session; our epoch
        self.window = self._slots = window  # frames on their way, at most
        self.payload_max = packet_size - _HEAD  # bytes that fill() may put, at most
        self.auth = auth
        self._client = client
        self._size = packet_size
        self._byte0 = _ROUTED | direction & 7
        self._ack = bytearray(16 + _TRAILER)  # a null packet on its way out
        self._counted = self._make_count() if datagrams and auth is None else None
        self._guard = auth or self._counted
        identity = (0, node, node_epoch, 0, 0)
        fields = (packet_size, window, max(1, min(4, window // 4)), ack_delay_ms, silence_ms, 0)
        self._session = self._make_session(random, node, identity + fields, reliable)
        self._session.hello[0] = self._byte0
        self._session.set_text(compatibility.encode())
        packet_size += _TRAILER if auth else _COUNT if self._counted else 0
        self.wire_size = wire_size(packet_size)
        self._in = Splitter(packet_size, stats)
        self._make_channel(packet_size, ack_delay_ms, reliable, datagrams)

    def _make_channel(
        self, packet_size: int, ack_delay_ms: int, reliable: bool, datagrams: bool
    ) -> None:
        self._reliable = reliable
        if reliable:
            from .stream import StreamReceiver, StreamSender

            self._tx = StreamSender(packet_size)
            self._rx = StreamReceiver(packet_size, self.stats)
        else:
            self._tx = Sender(self.window, packet_size, self.stats, datagrams)
            self._rx = Receiver(self.window, packet_size, ack_delay_ms, self.stats)

    def _make_session(
        self, random: Random, node: int, fields: "tuple[int, ...]", reliable: bool
    ) -> Session:
        flags = (_STREAM if reliable else 0) | (_COUNTED if self._counted else 0)
        if self.auth is None:
            return Session(random, node, fields, flags)
        from .keyed import KeyedSession

        return KeyedSession(random, node, fields, flags, self.auth)

    def _make_count(self) -> "Counted":
        from .counted import Counted

        return Counted()

    # Sessions.

    def _helo(self, packet: bytearray, size: int) -> None:
        """Take a HELO whose check is right."""
        now_ms = self._now_ms
        self._session.due_in(now_ms)  # begins it, if nothing was due before
        found = self._session.heard(packet, size, self.state == UP)
        if found == _BAD or found == _FORGED:
            self._count("rx_forged" if found else "rx_bad")
        else:
            self._count("rx_frames")
            self._count("helo_received")
            if self._session.trailing:
                self._count("rx_trailing")
        if found == _REFUSED:
            self._count("helo_refused")
        if found == _CLOSED:
            self._count("closes")
            self._leave(now_ms)
        elif found == _ADOPT:
            self._establish(now_ms)
        elif found and self.state != UP:
            self._become(REFUSED if self._session.refusal else DOWN, now_ms)

    def _become(self, state: int, now_ms: int) -> None:
        self.state = state
        self._in.start = self._session.start_in if state == UP else _HELO_START
        self.neighbour.become(state, now_ms)
        self.refusal = self.neighbour.refusal = self._session.refusal if state == REFUSED else ""

    def _establish(self, now_ms: int) -> None:
        if self.state == UP:
            self._end(now_ms)
        if self._closed:  # whoever heard of the end has closed it
            return
        peer = self._session
        peer.adopt()
        if self._counted is not None:
            self._counted.adopt()
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
        self._tx.reset(self.window, fields[6], fields[8], wait, now_ms)
        self._rx.reset(self.window, now_ms)
        self.heard_ms = self._sent = now_ms
        self._held_at = -1
        self._deaf = None
        self._count("sessions")
        self._become(UP, now_ms)
        neighbour.put(_CONNECTED)
        self._client.connected()
        if neighbour.tile is not None:
            neighbour.tile.connected(neighbour)

    def _end(self, now_ms: int) -> None:
        neighbour = self.neighbour
        self._rx.reset(self.window, now_ms)  # what it keeps is of this session
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
        if self._closed:
            return
        self._closed = True
        if self.state == UP:
            self._leaving = _LEAVING
            self._end(now_ms)

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

    def break_off(self, now_ms: int) -> None:
        """Note that the device has gone: over a reliable wire, what was on its way is lost."""
        if self._reliable and self.state == UP:
            self._leave(now_ms)

    def is_quiet(self) -> bool:
        """Return whether nothing waits to be sent or acknowledged, or there is no session."""
        return self.state != UP or not (self._has_more() or self.unacked())

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
        left = ticks_diff(now_ms, self.heard_ms)
        if left < 0:  # a clock has gone back
            self.heard_ms = now_ms
        left = self.silence_ms - left
        if left < 0 or self._over or self._rx.broken or self._tx.is_vain(now_ms):
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
