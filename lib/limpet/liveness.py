# SPDX-License-Identifier: MIT
"""Liveness (service 1 within a session): how long a packet takes, and what a neighbour runs.

Rules: each side asks when a session begins and then about every 10 s, at times of its own; whoever
is asked answers at once. Both packets tell the sender's version and stamp. They are bulk and
unreliable: nothing waits for them, and a lost one is not missed. What was heard is written into
the Neighbour and forgotten when the session ends. Unknown operations, and bytes behind those
known, are ignored.

    operation (1 ask, 2 answer), token (an answer has that of its question), protocol version,
    stamp of the active managed files (4 bytes), size of the library's version, version as text
"""

from . import __version__
from .port import const, copy
from .rand import Random
from .ticks import MS_MAX, ticks_add, ticks_diff

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from .neighbour import Neighbour
    from .tile import Tile

_ASK = const(1)
_ANSWER = const(2)
_PROTOCOL = const(1)
_STAMP_AT = const(3)
_SIZE_AT = const(7)
_TEXT_AT = const(8)
_SEEN_SIZE = const(32)  # what is remembered of a packet: a longer version is cut

_FIRST_MS = const(500)
_PERIOD_MS = const(7500)
_JITTER_MS = const(5000)


class _Peer:
    """A neighbour in session, and what was asked of it."""

    def __init__(self, neighbour: "Neighbour") -> None:
        self.neighbour = neighbour
        self.is_new = True  # not asked yet, and not known when to
        self.due = 0  # when to ask
        self.asked = 0  # when the latest question was sent
        self.token = 0  # of that
        self.waits = False  # for its answer
        self.seen = bytearray(_SEEN_SIZE)  # the packet that version and stamp are from


class Liveness:
    """Service 1: `bus.tile.add(Liveness(bus.tile, bus.random))`.

    Afterwards `rtt_ms`, `version` and `stamp` of each neighbour with this service are kept up.
    """

    number = 1

    def __init__(self, tile: "Tile", random: Random) -> None:
        self._tile = tile
        self._random = random
        self._peers: list[_Peer] = []
        self._peer: _Peer | None = None  # from whom a packet has come
        self._token = random.below(256)
        text = __version__.encode()
        self._packet = bytearray(_TEXT_AT) + text
        self._packet[2] = _PROTOCOL
        self._packet[_SIZE_AT] = len(text)

    def set_stamp(self, stamp: int) -> None:
        """Tell neighbours from now on that `stamp` (32 bits) is active here."""
        self._packet[_STAMP_AT:_SIZE_AT] = stamp.to_bytes(4, "big")

    def connected(self, neighbour: "Neighbour") -> None:
        """Get ready to ask."""
        self._peers.append(_Peer(neighbour))

    def disconnected(self, neighbour: "Neighbour") -> None:
        """Forget what was known."""
        self._peers = [peer for peer in self._peers if peer.neighbour is not neighbour]
        neighbour.rtt_ms = -1
        neighbour.version = ""
        neighbour.stamp = 0

    def room(self, packet: bytearray, size: int) -> bool:
        """Tell that there is always room."""
        return True

    def receive(  # hot:
        self, neighbour: "Neighbour", packet: bytearray, start: int, end: int
    ) -> None:
        """Answer, or measure; allocates only when the neighbour tells something new."""
        self._peer = self._find(neighbour)
        if end - start >= _TEXT_AT:
            self._heard(packet, start, end)

    def _find(self, neighbour: "Neighbour") -> "_Peer | None":  # hot:
        for peer in self._peers:
            if peer.neighbour is neighbour:
                return peer
        return None

    def _heard(self, packet: bytearray, start: int, end: int) -> None:  # hot:
        peer = self._peer
        if peer is None:
            return
        if packet[start] == _ASK:
            self._packet[1] = packet[start + 1]
            self._send(peer.neighbour, _ANSWER)
        elif packet[start] != _ANSWER:
            return
        elif peer.waits and packet[start + 1] == peer.token:
            peer.waits = False
            peer.neighbour.rtt_ms = max(0, ticks_diff(peer.neighbour.heard_ms, peer.asked))
        end -= start
        if end > _TEXT_AT + packet[start + _SIZE_AT]:
            peer.neighbour.stats.count("rx_trailing")
        end = min(end, _SEEN_SIZE)
        if self._is_new(peer.seen, packet, start, end):
            self._learn(peer, packet, start, end)

    def _is_new(self, seen: bytearray, packet: bytearray, start: int, count: int) -> bool:  # hot:
        while count > _STAMP_AT:
            count -= 1
            if seen[count] != packet[start + count]:
                return True
        return False

    def _learn(self, peer: _Peer, packet: bytearray, start: int, count: int) -> None:
        seen = peer.seen
        copy(seen, 0, packet, start, count)
        peer.neighbour.stamp = int.from_bytes(seen[_STAMP_AT:_SIZE_AT], "big")
        text = seen[_TEXT_AT : min(count, _TEXT_AT + seen[_SIZE_AT])]
        peer.neighbour.version = "".join([chr(c) if 32 < c < 127 else "?" for c in text])

    def _send(self, neighbour: "Neighbour", operation: int) -> None:  # hot:
        self._packet[0] = operation
        self._tile.send(neighbour, 1, self._packet, -1, True, False)

    def poll(self, now_ms: int) -> int:  # hot:
        """Ask who is due to be asked; return the ms until the next one is."""
        due = MS_MAX
        i = len(self._peers)
        while i:
            i -= 1
            due = min(due, self._look(self._peers[i], now_ms))
        return due

    def _look(self, peer: _Peer, now_ms: int) -> int:  # hot:
        if peer.is_new:
            peer.is_new = False
            peer.due = ticks_add(now_ms, self._random.below(_FIRST_MS))
        if ticks_diff(peer.due, now_ms) <= 0:
            peer.due = ticks_add(now_ms, _PERIOD_MS + self._random.below(_JITTER_MS))
            self._token = (self._token + 1) & 255
            peer.token = self._packet[1] = self._token
            peer.asked = now_ms
            peer.waits = True
            self._send(peer.neighbour, _ASK)
        return ticks_diff(peer.due, now_ms)
