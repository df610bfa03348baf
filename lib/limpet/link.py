# SPDX-License-Identifier: MIT
"""A link: one neighbour, one session, one reliable channel. No I/O: bytes and time are arguments.

Rules: feed() takes bytes from the wire, take() gives the next frame just in time, poll() runs the
timers; none raises, whatever comes. The client hears that a session came up, that it ended, and
payloads, each once and in order. What client.fill() has given counts as handed to the driver.
Remote garbage is dropped and counted. Sessions: session.py, window and acks: window.py.

    DOWN <-> REFUSED     a HELO of a twin or of another protocol version; a good one heals it
    DOWN, REFUSED -> UP  the peer has echoed our epoch
    UP -> DOWN           silence, or another epoch of the peer's (and UP again at once)
"""

from .frame import Splitter, seal, wire_size
from .port import const, crc16
from .rand import Random
from .session import Session
from .stats import Stats
from .ticks import MS_MAX, ticks_diff
from .tile import Neighbour
from .window import Receiver, Sender

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Protocol

    class Client(Protocol):
        """Who uses a link; bound once, in its constructor."""

        def fill(self, buf: bytearray, start: int, end: int) -> int:
            """Put a payload into buf[start:end] and return its size; 0 = nothing to say."""

        def receive(self, buf: bytearray, start: int, end: int) -> None:
            """Take the payload buf[start:end], valid until return."""

        def connected(self) -> None:
            """A session has begun."""

        def disconnected(self) -> None:
            """It has ended; what was not acknowledged is in doubt."""

        def ready(self) -> bool:
            """Return whether fill() would give something."""


# What Session.heard() has found; 2 = nothing to do.
_BAD = const(0)
_REFUSED = const(1)
_ALIVE = const(3)
_ADOPT = const(4)
_HELO_START = const(0xFFFF)

DOWN = const(0)
UP = const(1)
REFUSED = const(2)

# Byte 0: STND set, LOCL and MFMT clear; OVRN and EROR are local, they are never sent; then DIR.
_KIND = const(0xE0)
_ROUTED = const(0x80)
# Byte 1: BULK (bit 7), RELIABLE (bit 6), service.
_NULL = const(0x00)
_HELO = const(0x01)
_RELIABLE = const(0x40)
_SERVICE = const(0x3F)
_LIMPET = const(0x02)

# Events of tile.py.
_CONNECTED = const(1)
_DISCONNECTED = const(2)

_HEAD = const(4)  # header of a reliable packet: two bytes, sequence number, ack
_NULL_ACK = const(2)  # where the ack is in a null packet, then a credit and the bits


def _check(good: bool) -> None:
    if not good:
        raise ValueError(
            "window is 1, 2, 4 .. 64, packet_size 64..255, silence_ms 20..60000, "
            "ack_delay_ms 0..255, compatibility up to 37 bytes"
        )


class Link:
    """One neighbour over one byte stream.

    node, node_epoch: 30 bits. window: frames on their way, a power of two up to 64.
    packet_size: the largest packet taken and sent, 64..255 bytes. silence_ms: without a frame
    for so long the session ends, 20..60000. direction: 0..7. compatibility: up to 37 bytes.
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
        direction: int = 0,
        compatibility: str = "",
        index: int = 0,
    ) -> None:
        """Make a link that is DOWN; the first poll() or take() starts it."""
        text = compatibility.encode()
        _check(
            window in (1, 2, 4, 8, 16, 32, 64)
            and (64 <= packet_size <= 255 and 20 <= silence_ms <= 60000)
            and (0 <= ack_delay_ms <= 255 and len(text) <= 37)
        )
        self.stats = stats = Stats()
        self.neighbour = Neighbour(index, direction, stats)
        self.silence_ms = silence_ms
        self.wire_size = wire_size(packet_size)
        self.state = DOWN
        self.refusal = ""  # why the neighbour is refused, a sentence
        # Of the running or latest session; 0 = there was none:
        self.session = self.peer_node = self.peer_epoch = 0  # session: our epoch
        self.window = window  # frames on their way, at most
        self.payload_max = packet_size - _HEAD  # bytes that fill() may put, at most
        self._client = client
        self._count = stats.count
        self._slots = window
        self._size = packet_size
        self._byte0 = _ROUTED | direction & 7
        every = max(1, min(4, window // 4))
        fields = (packet_size, window, every, ack_delay_ms, silence_ms, len(text))
        self._session = Session(random, node, (0, node, node_epoch, 0, 0) + fields, text)
        self._session.hello[0] = self._byte0
        self._in = Splitter(packet_size, stats)
        self._tx = Sender(window, packet_size, stats)
        self._rx = Receiver(window, packet_size, ack_delay_ms, stats)
        self._ack = bytearray(16)  # a null packet on its way out
        # When the last frame of this session came and went; a keep-alive goes after so long.
        self._heard = self._sent = self._keep_ms = 0
        self._closed = False

    # What comes in.

    def feed(self, buf: bytearray, count: int, now_ms: int) -> int:  # hot:
        """Take buf[0:count] from the wire; return count."""
        at = 0
        while at < count:
            at = self._in.push(buf, at, count)
            if self._in.size and not self._closed:
                self._frame(self._in.buffer, self._in.size, now_ms)
        return count

    def _frame(  # hot:
        self, packet: bytearray, size: int, now_ms: int
    ) -> None:
        if packet[1] == _HELO and packet[0] & _KIND == _ROUTED:
            self._helo(packet, size, now_ms)
            return
        if self.state != UP or crc16(packet, 0, size, self._session.start_in):
            if not self._session.fits(packet, size):
                self._count("rx_bad")
                return
            self._establish(now_ms)
        size -= 2
        self._heard = now_ms
        self._count("rx_frames")
        packet[0] = packet[0] & _KIND | self._byte0 & 7  # DIR is the source now
        if packet[0] & _KIND == _ROUTED:
            if packet[1] & _RELIABLE and size > _HEAD:
                self._tx.acked(packet, _HEAD - 1, 0, now_ms)
                if self._rx.accept(packet, size, now_ms):
                    self._deliver(packet, size)
                return
            if packet[1] == _NULL:
                # Byte 3 is the credit, for now always all slots.
                self._tx.acked(packet, _NULL_ACK, size, now_ms)
                return
        self._count("rx_unknown")

    def _deliver(self, packet: bytearray, size: int) -> None:  # hot:
        while size:
            if packet[1] & _SERVICE == _LIMPET:
                self._client.receive(packet, _HEAD, size)
            else:
                self._count("rx_unknown")
            size = self._rx.kept()
            packet = self._rx.packet

    def _helo(self, packet: bytearray, size: int, now_ms: int) -> None:
        found = _BAD
        if not crc16(packet, 0, size, _HELO_START):
            self._session.due_in(False, now_ms)  # begins it, if nothing was due before
            found = self._session.heard(packet, size - 2, self.state == UP)
        if found == _BAD:
            self._count("rx_bad")
            return
        self._count("rx_frames")
        self._count("helo_received")
        if found == _REFUSED:
            self._count("helo_refused")
        if self.state == UP:
            if found == _ALIVE:
                self._heard = now_ms
        else:
            self._become(REFUSED if found == _REFUSED else DOWN)
        if found == _ADOPT:
            self._establish(now_ms)

    # Sessions.

    def _become(self, state: int) -> None:
        self.state = self.neighbour.state = state
        self.refusal = self.neighbour.refusal = self._session.refusal if state == REFUSED else ""

    def _establish(self, now_ms: int) -> None:
        if self.state == UP:
            self._end()
        peer = self._session
        peer.adopt()
        fields = peer.offered
        neighbour = self.neighbour
        self.session = peer.me
        self.peer_node = neighbour.node = fields[1]
        self.peer_epoch = neighbour.epoch = fields[2]
        neighbour.compatible = peer.compatible
        self.payload_max = min(self._size, fields[5]) - _HEAD
        self.window = min(self._slots, fields[6])
        self._keep_ms = fields[9] >> 2
        # Whichever side's limit runs out first ends the session: try several times before.
        wait = min(self.silence_ms, fields[9]) >> 2
        self._tx.reset(self.window, fields[8], wait, now_ms)
        self._rx.reset(self.window, now_ms)
        self._heard = self._sent = now_ms
        self._count("sessions")
        self._become(UP)
        neighbour.put(_CONNECTED)
        self._client.connected()

    def _end(self) -> None:
        self._become(DOWN)
        self.neighbour.compatible = False
        self.neighbour.put(_DISCONNECTED)
        self._client.disconnected()

    def close(self, now_ms: int) -> None:
        """End the session and stay silent from now on."""
        self._closed = True
        if self.state == UP:
            self._end()

    # What goes out.

    def take(self, out: bytearray, now_ms: int) -> int:  # hot:
        """Put the next frame into out (wire_size bytes); return its size, 0 = nothing to send."""
        if self._closed:
            return 0
        if self._session.due_in(self.state == UP, now_ms) <= 0:
            return self._say_helo(out, now_ms)
        if self.state != UP:
            return 0
        if not (self._rx.urgent and self._rx.stashed):
            i = self._tx.again()
            if i < 0:
                i = self._fill(now_ms)
            if i >= 0:
                return self._slot(i, out, now_ms)
            if self._rx.ack_in(now_ms) > 0 and self._idle_in(now_ms) > 0:
                return 0
        return self._null(out, now_ms)

    def _fill(self, now_ms: int) -> int:  # hot:
        """Ask the client for a payload; return its slot, -1 if there is none."""
        i = self._tx.free()
        if i >= 0:
            size = self._client.fill(self._tx.buffers[i], _HEAD, _HEAD + self.payload_max)
            if size > 0:
                self._tx.add(i, _HEAD + size, now_ms)
                return i
        return -1

    def _slot(  # hot:
        self, i: int, out: bytearray, now_ms: int
    ) -> int:
        packet = self._tx.buffers[i]
        packet[0] = self._byte0
        packet[1] = _RELIABLE | _LIMPET
        packet[3] = self._rx.expected
        self._tx.sent(i, now_ms)
        if not self._rx.stashed:
            self._rx.told()
        self._sent = now_ms
        i = self._tx.sizes[i]
        return self._seal(out, packet, i)

    def _null(self, out: bytearray, now_ms: int) -> int:  # hot:
        """Build a null frame: the ack, and which later frames are here."""
        packet = self._ack
        packet[0] = self._byte0
        packet[1] = _NULL
        packet[2] = self._rx.expected
        size = _NULL_ACK + 1
        if self._rx.stashed:
            packet[3] = self._slots
            size = self._rx.bitmap(packet, _NULL_ACK + 2)
        self._rx.told()
        self._count("acks_sent")
        self._sent = now_ms
        return self._seal(out, packet, size)

    def _seal(self, out: bytearray, packet: bytearray, size: int) -> int:  # hot:
        self._count("tx_frames")
        return seal(out, 0, packet, size, self._session.start_out)

    def _say_helo(self, out: bytearray, now_ms: int) -> int:  # hot:
        # Behind a delimiter of its own: what was cut off on the line before does not spoil it.
        self._count("tx_frames")
        self._count("helo_sent")
        out[0] = 0
        now_ms = self._session.write(self.state == UP, now_ms)
        return 1 + seal(out, 1, self._session.hello, now_ms, _HELO_START)

    # Timers.

    def _idle_in(self, now_ms: int) -> int:  # hot:
        """Return ms until a keep-alive is due."""
        return self._keep_ms - ticks_diff(now_ms, self._sent)

    def poll(self, now_ms: int) -> int:  # hot:
        """Run the timers; return ms until the link next needs take() or poll(), 0 = now."""
        if self._closed:
            return MS_MAX
        wait = self.silence_ms - ticks_diff(now_ms, self._heard)
        if self.state == UP and wait < 0:
            self._session.begin(now_ms)
            self._end()
        if self.state != UP:
            return max(0, self._session.due_in(False, now_ms))
        if self._session.due_in(True, now_ms) <= 0:
            return 0
        if self._tx.free() >= 0 and self._client.ready():
            return 0
        wait = min(wait + 1, self._idle_in(now_ms), self._rx.ack_in(now_ms))
        return max(0, min(wait, self._tx.expire(now_ms)))
