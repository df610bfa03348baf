# SPDX-License-Identifier: MIT
"""What a link says next: the part of Link that builds frames. Its partners: input.py, link.py.

Rules: a frame is built just in time, and one call builds one. The order: a HELO that is due, an
ack that tells of a gap or of credit, MFMT packets (eight in a row at the most), what was lost, new
packets, an ack that is due (after eight frames that carry none: before these) or a keep-alive. New
packets are of two classes: urgent ones, where the limpet's and those of services take turns, go
before bulk ones, which get every eighth turn all the same and leave one place of the window to the
urgent ones.
"""

from .port import const, seal
from .ticks import ticks_diff

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Protocol

    from .auth import Auth
    from .channel import Outgoing
    from .counted import Counted
    from .neighbour import Neighbour
    from .reception import Receiver
    from .session import Session
    from .stats import Stats
    from .stream import StreamReceiver, StreamSender
    from .window import Sender

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


_HELO_START = const(0xFFFF)
_UP = const(1)
_RELIABLE_LIMPET = const(0x42)
_PROBE = const(0x80)  # byte 1 of a null packet: tell me your credit
_TWICE = const(0x40)  # ... a frame came twice

_HEAD = const(4)  # header of a reliable packet: two bytes, sequence number, ack
_ONCE_HEAD = const(2)  # of another one
_NULL_ACK = const(2)  # where the ack is in a null packet, then credit and bits

# Ranks of Outgoing.
_RANK_MFMT = const(0)
_RANK_URGENT = const(1)
_RANK_BULK = const(2)
_PAUSE_MS = const(160)
_TURNS = const(8)  # frames of which one is bulk, if any waits


class Output:
    """The frames of one link. Its attributes are made by Link."""

    neighbour: "Neighbour"
    stats: "Stats"
    state: int
    window: int
    payload_max: int
    _client: "Client"
    _session: "Session"
    _guard: "Auth | Counted | None"
    _tx: "Sender | StreamSender"
    _rx: "Receiver | StreamReceiver"
    _ack: bytearray
    _byte0: int

    def __init__(self) -> None:
        self._now_ms = 0  # of the call at hand, and the buffer that it fills
        self._out = bytearray(0)
        self._closed = False
        self._leaving = 0  # HELOs to be sent that say so
        # When the last frame of this session went, and after how long a keep-alive follows.
        self._sent = self._keep_ms = 0
        self._turn = 0  # frames since the last bulk one
        self._burst = 0  # MFMT packets in a row
        self._mute = 0  # frames in a row that have no place for an ack
        self._greeted = False  # the last frame was a HELO
        self._over = False  # the session is to end
        self._once: bytearray | None = None  # for packets that are sent once; made when needed
        self._count = self.stats.count

    def take(self, out: bytearray, now_ms: int) -> int:  # hot:
        """Put the next frame into out (wire_size bytes); return its size, 0 = nothing to send."""
        self._out = out
        self._now_ms = now_ms
        if self.state != _UP:
            return self._greet()
        if self._session.answer and not self._greeted:
            self._greeted = True  # then others first: HELOs may come in masses
            return self._say_helo()
        self._greeted = False
        rx = self._rx
        if self._mute >= _TURNS and (rx.ack_in(now_ms) <= 0 or self._tx.probe):
            return self._null()
        if not rx.urgent or rx.is_plain():
            size = self._next()
            if size:
                return size
            if rx.ack_in(now_ms) > 0 and self._idle_in(now_ms) > 0 and not self._tx.probe:
                return 0
        return self._null()

    def _greet(self) -> int:  # hot:
        """Say the HELO that is due without a session; the last ones when closed."""
        if self._closed:
            return self._say_helo() if self._leaving else 0
        return self._say_helo() if self._session.due_in(self._now_ms) <= 0 else 0

    def _next(self) -> int:  # hot:
        box = self.neighbour.out
        if box is not None and box.waiting(_RANK_MFMT) and self._burst < _TURNS:
            self._burst += 1
            return self._say_once(box, _RANK_MFMT)
        self._burst = 0
        i = self._tx.again()
        if i < 0:
            if box is not None and box.total:
                return self._choose(box)
            i = self._fill()
        return self._slot(i) if i >= 0 else 0

    def _choose(self, box: "Outgoing") -> int:  # hot:
        size = 0
        if self._turn >= _TURNS and box.waiting(_RANK_BULK):
            size = self._service(box, _RANK_BULK, 0)
        elif self._turn & 1:
            size = self._service(box, _RANK_URGENT, 0)
        if not size:
            size = self._fill()
            size = self._slot(size) if size >= 0 else self._service(box, _RANK_URGENT, 0)
        if not size:
            size = self._service(box, _RANK_BULK, 1 if self.window > 4 else 0)
        if size:
            self._turn = self._turn + 1 if self._turn <= _TURNS else _TURNS
        return size

    def _service(self, box: "Outgoing", rank: int, keep: int) -> int:  # hot:
        if not box.waiting(rank):
            return 0
        if box.is_reliable(rank):
            keep = self._tx.free(keep)
            if keep < 0:
                return 0
            size = box.take(rank, self._tx.buffers[keep], _HEAD)
            self._tx.add(keep, size, self._now_ms)
            keep = self._slot(keep)
        else:
            keep = self._say_once(box, rank)
        if rank == _RANK_BULK:
            self._turn = 0
        return keep

    def _say_once(self, box: "Outgoing", rank: int) -> int:  # hot:
        if self._once is None:
            self._once = bytearray(len(self._tx.buffers[0]))
        if self._mute < _TURNS:
            self._mute += 1
        return self._seal(self._once, box.take(rank, self._once, _ONCE_HEAD))

    def _fill(self) -> int:  # hot:
        """Ask the client for a payload; return its slot, -1 if there is none."""
        i = self._tx.free(0)
        if i >= 0:
            packet = self._tx.buffers[i]
            size = self._client.fill(packet, _HEAD, _HEAD + self.payload_max)
            if size > 0:
                packet[0] = self._byte0
                packet[1] = _RELIABLE_LIMPET
                self._tx.add(i, _HEAD + size, self._now_ms)
                return i
        return -1

    def _slot(self, i: int) -> int:  # hot:
        packet = self._tx.buffers[i]
        packet[3] = self._rx.tell()
        self._mute = 0
        self._tx.sent(i, self._now_ms)
        return self._seal(packet, self._tx.sizes[i])

    def _null(self) -> int:  # hot:
        """Build a null frame: the ack, the credit, and which later frames are here."""
        packet = self._ack
        packet[0] = self._byte0
        packet[1] = _TWICE if self._rx.twice else 0
        self._mute = 0
        packet[2] = self._rx.expected
        size = _NULL_ACK + 1
        if self._tx.probe:
            self._tx.probe = False
            packet[1] |= _PROBE
            self._count("probes_sent")
        if not self._rx.is_plain():
            size = self._rx.describe(packet, size)
        self._rx.twice = False
        self._rx.told()
        self._count("acks_sent")
        return self._seal(packet, size)

    def _seal(self, packet: bytearray, size: int) -> int:  # hot:
        if self._guard is not None:
            size = self._guard.seal(packet, size)
            if size < 0:
                self._over = True  # its counters are used up: poll() ends the session
                return 0
        self._count("tx_frames")
        # After a pause, behind a delimiter of its own: noise may stand on the line before it.
        at = 0
        if ticks_diff(self._now_ms, self._sent) > _PAUSE_MS:
            self._out[0] = 0
            at = 1
        self._sent = self._now_ms
        return at + seal(self._out, at, packet, size, self._session.start_out)

    def _say_helo(self) -> int:  # hot:
        # Behind a delimiter of its own: what was cut off on the line before does not spoil it.
        self._count("tx_frames")
        self._count("helo_sent")
        if self._leaving:
            self._leaving -= 1
            self._session.leave()
        self._out[0] = 0
        size = self._session.write(self.state == _UP, self._now_ms)
        return 1 + seal(self._out, 1, self._session.hello, size, _HELO_START)

    def _idle_in(self, now_ms: int) -> int:  # hot:
        """Return ms until a keep-alive is due; also when a clock has gone back."""
        now_ms = ticks_diff(now_ms, self._sent)
        return self._keep_ms - now_ms if now_ms >= 0 else 0

    def _has_more(self) -> bool:  # hot:
        """Return whether something waits to be said: packets, acks and HELO apart."""
        box = self.neighbour.out
        return self._client.ready() or box is not None and box.total > 0

    def _may_say_more(self) -> bool:  # hot:
        """Return whether some of it can go now; as _choose() would have it."""
        box = self.neighbour.out
        if box is None:
            return self._tx.free(0) >= 0
        keep = 0
        if self.window > 4 and self._turn < _TURNS and not box.waiting(_RANK_URGENT):
            keep = 0 if self._client.ready() else 1
        if self._tx.free(keep) >= 0:
            return True
        return box.waiting(_RANK_MFMT) > 0 or _any_once(box)


def _any_once(box: "Outgoing") -> bool:  # hot:
    """Return whether a packet waits that needs no place in the window."""
    if box.waiting(_RANK_URGENT) and not box.is_reliable(_RANK_URGENT):
        return True
    return box.waiting(_RANK_BULK) > 0 and not box.is_reliable(_RANK_BULK)
