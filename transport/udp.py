# SPDX-License-Identifier: MIT
"""The driver for datagrams: one neighbour over UDP.

Rule 1: a datagram carries whole frames, one or more. It is built when it can go, of what is there
at that time, up to the MTU: nothing waits for more.
Rule 2: what the network says about one datagram (nobody listens there, too long) is counted by the
port's socket, and passes. Only a socket that is of no use any more is opened again.
Rule 3: half a frame at a datagram's end ends there: it does not spoil the next one.
Rule 4: drivers may share a socket (limpet.host.udp_socket), which gives each what is its own.
"""

from ..port import const, copy, open_device
from .pump import Driver

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any

    from ..host.udp_socket import UDPSocket
    from ..link import Link
    from ..port import Waiter

_MTU = const(1200)  # bytes of a datagram that every network takes whole
_MTU_MIN = const(300)
_MTU_MAX = const(8192)
_UP = const(1)  # of link.py

_IN_SIZE = const(2048)
_DATAGRAMS = const(4)  # built in one pump(), at most
_EXPOSED = "UDP to %s without a key: others in that network can read it, and send in its name"


class UDPDriver(Driver):
    """Joins a bus to one neighbour over UDP.

    UDPDriver(("192.168.1.9", 7400)), or on a board UDPDriver(board.LINK) with LINK = {"peer":
    ("192.168.1.9", 7400)}. bind: our own address, (host, port); None: a free port, which suits
    a neighbour that takes whoever comes (UDPHub). Where both sides name each other, both bind.
    socket: a UDPSocket that serves other neighbours too (on a host). mtu: bytes of the largest
    datagram, 300..8192. Bus.join opens the socket, or open() before that: both raise OSError with
    a sentence on what to do.
    """

    datagrams = True

    def __init__(
        self,
        peer: "tuple[Any, ...] | dict[str, Any]",
        bind: "tuple[str, int] | None" = None,
        socket: "UDPSocket | None" = None,
        mtu: int = _MTU,
    ) -> None:
        settings: dict[str, Any] = dict(peer) if isinstance(peer, dict) else {"peer": peer}
        self._mtu: int = settings.pop("mtu", mtu)
        if not _MTU_MIN <= self._mtu <= _MTU_MAX:
            raise ValueError("mtu is 300..8192, not %d" % self._mtu)
        if bind is not None:
            settings["bind"] = bind
        if socket is not None and "bind" in settings:
            raise ValueError("bind the socket that is shared, not its driver")
        Driver.__init__(self)
        self.peer: tuple[Any, ...] = settings["peer"]
        self.is_exposed = False  # not loopback and no key: others can read it, and write
        self._settings = settings
        self._shared = socket
        self._opened: Any = None
        self._dry = False  # the link had no more for the datagram that was built last

    @property
    def unreachable(self) -> int:
        """Datagrams that the network did not want: nobody listens there, no way, too long."""
        return self._opened.unreachable if self._opened is not None else 0

    def attach(self, link: "Link", waiter: "Waiter | None" = None) -> None:
        """Do as Driver.attach does; tell if whoever is in the network may talk to us."""
        Driver.attach(self, link, waiter)
        if self._shared is not None:
            self._shared.listen(waiter)
        size = link.wire_size
        self._out = bytearray(max(self._mtu, size))
        self._frame = bytearray(size)
        self._full = self._mtu - size  # with more in it, another frame may not fit
        # A read that goes on to the next datagram must not cut one: all that is on its way fits.
        self._in = bytearray(max(_IN_SIZE, link.window * size + self._mtu))
        if not self._opened.is_local and getattr(link, "auth", None) is None:
            self.is_exposed = True
            self._opened.warn(_EXPOSED % (self.peer,))

    def _open(self) -> None:
        if self._shared is not None:
            self._opened = self._shared.enter(self)
            self._shared.listen(self._waiter)
        else:
            self.stream = self._opened = open_device("udp", self._settings)

    def _reopen(self) -> bool:
        self._opened.reopen()
        if self._shared is not None:
            self._shared.listen(self._waiter)
        else:
            self.stream = self._opened
        return True

    def _close(self) -> None:
        self._opened.close()

    def hear(self, buf: bytearray, count: int, now_ms: int) -> None:
        """Take a datagram from the socket that is shared."""
        self._stats.count("rx_bytes", count)
        if self.tap is not None:
            self.tap(0, buf, 0, count, now_ms)
        self._link.feed(buf, count, now_ms)

    def _receive(self, now_ms: int) -> bool:  # hot:
        if self._shared is not None:
            return self._shared.turn(self, now_ms)
        return Driver._receive(self, now_ms)

    def _send(self, now_ms: int) -> bool:  # hot:
        moved = False
        for _ in range(_DATAGRAMS):
            if not self._size and not self._build(now_ms):
                break
            n = self._offer()
            if n < 0:
                self._lose(now_ms)
                break
            self.writing = n == 0
            if n == 0:
                self._dry = False  # by the time it goes, there may be more
                break
            moved = True
            self._stats.count("tx_bytes", n)
            if self.tap is not None:
                self._tell(n, now_ms)
            self._size = 0
            if self._dry:
                break
        return moved

    def _build(self, now_ms: int) -> int:  # hot:
        """Put what is to say now into a datagram; return its size."""
        size = more = self._link.take(self._out, now_ms)
        # Without a session, one frame each: CLOSE is said twice because a datagram may be lost.
        while more and size <= self._full and self._link.state == _UP:
            more = self._link.take(self._frame, now_ms)
            copy(self._out, size, self._frame, 0, more)
            size += more
        self._dry = more == 0
        self._size = size
        return size

    def _read(self, buf: bytearray) -> int:  # hot:
        n: int = self._opened.readinto(buf) or 0
        return ended(buf, n) if n and buf[n - 1] else n

    def _write(self, buf: bytearray, start: int, count: int) -> int:  # hot:
        n: int = self._opened.write(buf, start, count) or 0
        self._opened.blocked = n == 0
        return n


def ended(buf: bytearray, count: int) -> int:  # hot:
    """End the half frame at the end of buf[0:count], and return the size with that."""
    if count == len(buf):
        count -= 1  # it was cut: what is overwritten is a part of that frame
    buf[count] = 0
    return count + 1
