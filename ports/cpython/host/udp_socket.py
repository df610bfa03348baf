# SPDX-License-Identifier: MIT
"""One UDP socket that many drivers share, on a host.

Rule 1: one of those that share it reads for all, in its turn; each driver's link is fed at once.
Rule 2: it is never of no use: what the network says concerns single datagrams, and is counted.
"""

from ..port import const, open_device
from ..transport.udp import UDPDriver, ended

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..port import Waiter

    Address = tuple[Any, ...]

PORT = 7400

_IN_SIZE = const(2048)
_READS = const(8)  # datagrams of one turn, at most
_IN_USE = const(98)  # EADDRINUSE


class UDPSocket:
    """One socket for many neighbours: UDPDriver(peer, socket=shared) for each, all on one bus.

    bind: our address, (host, port); port 0: a free one. It is open while one of its drivers is.
    """

    def __init__(self, bind: "tuple[str, int]" = ("0.0.0.0", PORT)) -> None:
        # Called with what comes from an address that no driver has: (address, buf, count, now_ms).
        self.on_stranger: Callable[[Address, bytearray, int, int], None] | None = None
        self.strangers = 0  # how many such datagrams came
        self.bind = bind
        self._socket: Any = None
        self._waiter: Waiter | None = None
        self._users: list[object] = []  # the first one reads for all
        self._peers: dict[Address, _Peer] = {}
        self._in = bytearray(_IN_SIZE)
        self._warned = False

    @property
    def address(self) -> "Address":
        """Our own address, (host, port), while it is open."""
        address: Address = self._socket.address
        return address

    @property
    def unreachable(self) -> int:
        """Datagrams that the network did not want, of all neighbours."""
        return self._socket.unreachable if self._socket is not None else 0

    def open(self, user: object) -> None:
        """Open it, if it is not. Raises OSError with a sentence on what to do."""
        if self._socket is None:
            self._socket = open_device("udp", {"bind": self.bind})
        if user not in self._users:
            self._users.append(user)

    def close(self, user: object) -> None:
        """Close it, if nobody but `user` needs it."""
        if user in self._users:
            self._users.remove(user)
        if not self._users and self._socket is not None:
            if self._waiter is not None:
                self._waiter.remove(self._socket)
            self._socket.close()
            self._socket = self._waiter = None

    def listen(self, waiter: "Waiter | None") -> None:
        """Have a bus's Waiter sleep on it, too, as long as it is open."""
        if waiter is not None and waiter is not self._waiter:
            if self._waiter is not None:
                raise ValueError("a socket that is shared belongs to one bus")
            self._waiter = waiter
            waiter.add(self._socket)

    def enter(self, driver: UDPDriver) -> "_Peer":
        """Serve a driver, too; return what it writes to."""
        self.open(driver)
        try:
            peer = _Peer(self, driver, self._socket.resolve(driver.peer))
            peer.reopen()
        except Exception:
            self.close(driver)
            raise
        return peer

    def add(self, peer: "_Peer") -> None:
        """Serve it from now on. Raises OSError if its address has a driver already."""
        if self._peers.get(peer.address, peer) is not peer:
            raise OSError(_IN_USE, "%s has a driver on this socket" % (peer.driver.peer,))
        self.open(peer.driver)
        self._peers[peer.address] = peer

    def leave(self, peer: "_Peer") -> None:
        """Serve it no more."""
        if self._peers.get(peer.address) is peer:
            del self._peers[peer.address]
            self.close(peer.driver)

    def find(self, address: "Address") -> UDPDriver | None:
        """Return the driver that has that address."""
        peer = self._peers.get(address)
        return None if peer is None else peer.driver

    def move(self, driver: UDPDriver, address: "Address") -> None:
        """Let a driver have another address, which no other has."""
        for peer in list(self._peers.values()):
            if peer.driver is driver:
                self._peers[address] = self._peers.pop(peer.address)
                peer.address = driver.peer = address

    def turn(self, user: object, now_ms: int) -> bool:
        """Give every neighbour what came, if `user` is who reads; return whether bytes moved."""
        moved = False
        if self._users and self._users[0] is user:
            for _ in range(_READS):
                n = self._socket.receive(self._in)
                if n is None:
                    break
                moved = True
                if n:
                    self._hand_out(n, now_ms)
        return moved

    def _hand_out(self, count: int, now_ms: int) -> None:
        if self._in[count - 1]:
            count = ended(self._in, count)
        source: Address = self._socket.source
        peer = self._peers.get(source)
        if peer is not None:
            peer.driver.hear(self._in, count, now_ms)
            return
        self.strangers += 1
        if self.on_stranger is not None:
            self.on_stranger(source, self._in, count, now_ms)

    def send(self, buf: bytearray, start: int, count: int, address: "Address") -> int | None:
        """Send a datagram: count; None: not now."""
        n: int | None = self._socket.send(buf, start, count, address)
        self._socket.blocked = n is None
        return n

    def is_local(self, address: "Address") -> bool:
        """Tell whether datagrams to that address stay within this machine."""
        return bool(self._socket.is_local(address))

    def warn(self, text: str) -> None:
        """Tell whoever runs the program, once for this socket."""
        if not self._warned:
            self._warned = True
            self._socket.warn(text)


class _Peer:
    """What a driver writes to: the shared socket, with one neighbour's address."""

    def __init__(self, shared: UDPSocket, driver: UDPDriver, address: "Address") -> None:
        self.address = address
        self.driver = driver
        self.blocked = False
        self._shared = shared

    @property
    def unreachable(self) -> int:
        return self._shared.unreachable

    @property
    def is_local(self) -> bool:
        return self._shared.is_local(self.address)

    def warn(self, text: str) -> None:
        self._shared.warn(text)

    def write(self, buf: bytearray, start: int, count: int) -> int | None:
        return self._shared.send(buf, start, count, self.address)

    def reopen(self) -> bool:
        self._shared.add(self)
        return True

    def close(self) -> None:
        self._shared.leave(self)
