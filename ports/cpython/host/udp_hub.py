# SPDX-License-Identifier: MIT
"""Many neighbours over one UDP socket, on a host: those that are named, and whoever is found.

Rule 1: who sends us a right HELO becomes a neighbour, from whatever address. An announcement to a
multicast group tells where to send one.
Rule 2: a key keeps strangers out here, too: what is not signed with it makes no neighbour.
Rule 3: there are at most `peer_max` found neighbours. Who has been away for a while makes room:
its driver, link and limpet go on with a new one. A node that is away and comes from elsewhere
gets its own again.
Rule 4: a network may go and come: while we do not hear our own announcements, the group is joined
anew.

    announcement    "LMPT", version 1, node id (4), node epoch (4), port (2), with a key: MAC (8),
                    HMAC-SHA256 of what is before it; numbers are big-endian
"""

from struct import pack, unpack

from ..auth import Auth, Hmac
from ..port import const, entropy, open_device, ticks_ms, unseal
from ..ticks import MS_MAX, ticks_diff
from ..transport.udp import UDPDriver
from .udp_socket import PORT, UDPSocket

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..bus import Bus
    from ..limpet import Limpet
    from ..run import Timer

    Address = tuple[Any, ...]

GROUP = ("239.255.76.80", 7399)

_IN_SIZE = const(512)
_READS = const(8)  # announcements of one turn, at most
_UP = const(1)  # of link.py

_MAGIC = b"LMPT\x01"
_PLAIN = const(15)  # bytes of an announcement without MAC
_MAC = const(8)
_MISSED = const(3)  # of our own announcements in a row: then the group is joined anew
_AWAY_MS = const(60000)  # who has been away for so long makes room
_NEVER_MS = const(10000)  # who has never been there

# A HELO (session.py): node id and node epoch, then more, the size of a text, the text.
_HELO = const(0x01)
_HELO_START = const(0xFFFF)  # of its check
_NODE_AT = const(4)
_TEXT_AT = const(27)
_FRAME_MAX = const(128)  # with the longest text and a MAC


class UDPHub:
    """Joins a bus to whoever is found in the network, all over one socket.

    UDPHub(bus) is all that a program needs; hub.limpets are those who were found. port: ours, 0
    for a free one. group: where to announce us and hear others, (host, port); None: nowhere, then
    neighbours come by themselves or by join(). key: see Bus.join; all who have it trust each
    other. peer_max: found neighbours, at most. bind, interface: addresses of this machine to use
    for the socket and for the group. on_join: called with each new Limpet. options: for Bus.join.
    Raises OSError with a sentence on what to do. It ends with the bus, or with close().
    """

    baud = 0
    writing = False
    datagrams = True
    reliable = False

    def __init__(
        self,
        bus: "Bus",
        port: int = PORT,
        group: "tuple[str, int] | None" = GROUP,
        key: "bytes | None" = None,
        peer_max: int = 16,
        bind: str = "0.0.0.0",
        interface: str = "0.0.0.0",
        announce_ms: int = 2000,
        on_join: "Callable[[Limpet], object] | None" = None,
        **options: "Any",
    ) -> None:
        self.garbage = 0  # what strangers and the group sent that is no HELO or announcement
        self.forged = 0  # HELOs and announcements without our key's MAC, or with one and no key
        self.refused = 0  # neighbours for whom there was no room, here or in the bus
        self.socket = UDPSocket((bind, port))
        self._auth = None if key is None else Auth(key, entropy)
        self._hmac = None if key is None else Hmac(key)
        self._bus = bus
        self._key = key
        self._peer_max = peer_max
        self._on_join = on_join
        self._options = options
        self._interface = interface
        self._to = group
        self._group: Any = None
        self._missed = 0
        self._found: list[_Found] = []
        self._in = bytearray(_IN_SIZE)
        self._frame = bytearray(_FRAME_MAX)
        self.socket.on_stranger = self._stranger
        with bus.waiter.lock:
            self.open()
            self._timer: Timer = bus.every(announce_ms, self._announce)
            bus.runner.attend(self)
        self._announce()

    @property
    def limpets(self) -> "list[Limpet]":
        """Those of the neighbours that were found."""
        return [found.limpet for found in self._found]

    def open(self) -> None:
        """Open socket and group; done by the constructor."""
        self.socket.open(self)
        try:
            self.socket.listen(self._bus.waiter)
            self._enter()
        except Exception:
            self.socket.close(self)
            raise

    def close(self) -> None:
        """Find nobody any more; whoever was found stays."""
        self._timer.cancel()
        self.socket.on_stranger = None
        self._leave()
        self.socket.close(self)

    def attach(self, link: object, waiter: object) -> None:
        """Do nothing: a hub has no link."""

    def due(self, now_ms: int) -> int:
        """Return when it is due, by itself."""
        return MS_MAX

    def pump(self, now_ms: int) -> bool:
        """Take what came, for neighbours and from others; return whether there was something."""
        moved = self._hear(now_ms)
        return self.socket.turn(self, now_ms) or moved

    def join(self, peer: "tuple[str, int]", key: "bytes | None" = None) -> "Limpet":
        """Join a neighbour at a known address; key: for it alone, None: the hub's.

        It does not count as one that was found. Raises as Bus.join.
        """
        driver = UDPDriver(peer, socket=self.socket)
        return self._bus.join(driver, key=key or self._key, **self._options)

    # The group.

    def _enter(self) -> None:
        if self._to is not None:
            settings = {"group": self._to, "interface": self._interface}
            self._group = open_device("udp", settings)
            self._bus.waiter.add(self._group)

    def _leave(self) -> None:
        if self._group is not None:
            self._bus.waiter.remove(self._group)
            self._group.close()
            self._group = None

    def _announce(self) -> None:
        """Say who we are, and where. If what we said before did not come back, begin anew."""
        now_ms = ticks_ms()
        for found in self._found:
            if found.limpet.link.state == _UP:
                found.seen_ms = now_ms
        if self._to is None:
            return
        self._missed += 1
        if self._missed > _MISSED:
            self._missed = 0
            self._leave()
        if self._group is None:
            try:
                self._enter()
            except OSError:
                return  # no network now
        said = bytearray(self._announcement(self._bus.node, self._bus.epoch, self._port()))
        self._group.send(said, 0, len(said), self._group.address)

    def _port(self) -> int:
        port: int = self.socket.address[1]
        return port

    def _announcement(self, node: int, epoch: int, port: int) -> bytes:
        said = _MAGIC + pack(">IIH", node, epoch, port)
        return said + self._hmac.digest(said)[:_MAC] if self._hmac is not None else said

    def _hear(self, now_ms: int) -> bool:
        moved = False
        for _ in range(_READS):
            n = None if self._group is None else self._group.receive(self._in)
            if n is None:
                break
            moved = True
            self._announced(bytes(self._in[:n]), self._group.source)
        return moved

    def _announced(self, said: bytes, source: "Address") -> None:
        if len(said) not in (_PLAIN, _PLAIN + _MAC) or said[: len(_MAGIC)] != _MAGIC:
            self.garbage += 1
            return
        node, epoch, port = unpack(">IIH", said[len(_MAGIC) : _PLAIN])
        if not _same(said, self._announcement(node, epoch, port)):
            self.forged += 1
        elif node == self._bus.node and epoch == self._bus.epoch:
            self._missed = 0
        else:
            self._welcome((source[0], port), node)

    # Who speaks to us.

    def _stranger(self, address: "Address", buf: bytearray, count: int, now_ms: int) -> None:
        """Take a datagram of somebody unknown: if it is a HELO, he is a neighbour."""
        node = self._helo_of(bytes(buf[:count]))
        if node:
            driver = self._welcome(address, node)
            if driver is not None:
                driver.hear(buf, count, now_ms)

    def _helo_of(self, datagram: bytes) -> int:
        """Return the node id that a HELO tells, 0 if it is none that we believe."""
        frame = datagram.lstrip(b"\0").partition(b"\0")[0]
        size = -1
        if len(frame) <= _FRAME_MAX:
            self._frame[: len(frame)] = frame
            size = unseal(self._frame, len(frame), _HELO_START)
        packet = self._frame
        if (
            size < _TEXT_AT  # or negative: its check is wrong
            or packet[0] & 0xE0 != 0x80
            or packet[1] != _HELO
        ):
            self.garbage += 1
            return 0
        if self._auth is not None:
            end = _TEXT_AT + packet[_TEXT_AT - 1]
            if not self._auth.check_helo(packet, end, size):
                self.forged += 1
                return 0
        return int.from_bytes(packet[_NODE_AT : _NODE_AT + 4], "big")

    def _welcome(self, address: "Address", node: int) -> "UDPDriver | None":
        """Have a driver for a node at that address; None if it cannot be now."""
        driver = self.socket.find(address)
        if driver is not None:
            return driver
        at = self._known(node)
        if at < 0:
            if len(self._found) < self._peer_max:
                return self._join(address, node)
            at = self._away()
        if at < 0:
            self.refused += 1
            return None
        found = self._found[at]
        if found.limpet.link.state == _UP:
            return None  # it is still there, or a twin of it is
        found.node = node
        found.seen_ms = ticks_ms()
        self.socket.move(found.driver, address)
        return found.driver

    def _known(self, node: int) -> int:
        for at in range(len(self._found)):
            found = self._found[at]
            if (found.limpet.link.peer_node or found.node) == node:
                return at
        return -1

    def _away(self) -> int:
        """Return the place of one who has been away for long, -1 if there is none."""
        now_ms = ticks_ms()
        for at in range(len(self._found)):
            found = self._found[at]
            limit = _AWAY_MS if found.limpet.link.session else _NEVER_MS
            if found.limpet.link.state != _UP and ticks_diff(now_ms, found.seen_ms) > limit:
                return at
        return -1

    def _join(self, address: "Address", node: int) -> "UDPDriver | None":
        driver = UDPDriver(address, socket=self.socket)
        try:
            limpet = self._bus.join(driver, key=self._key, **self._options)
        except OSError:
            self.refused += 1  # the bus has no room
            return None
        self._found.append(_Found(driver, limpet, node, ticks_ms()))
        if self._on_join is not None:
            self._on_join(limpet)
        return driver


class _Found:
    """A neighbour that was found."""

    def __init__(self, driver: UDPDriver, limpet: "Limpet", node: int, now_ms: int) -> None:
        self.driver = driver
        self.limpet = limpet
        self.node = node  # as it said
        self.seen_ms = now_ms  # when it was up for the last time, or came


def _same(a: bytes, b: bytes) -> bool:
    # Looks at all bytes whatever it finds, so that the time tells nobody how many were right.
    difference = len(a) ^ len(b)
    for i in range(min(len(a), len(b))):
        difference |= a[i] ^ b[i]
    return difference == 0
