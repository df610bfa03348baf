# SPDX-License-Identifier: MIT
"""Datagrams on CPython: a socket for one peer, or one that many peers share.

Rules: only open_udp may block, to look up a name; nothing else does. What the network says about
one datagram (nobody listens there, it is too long) is counted, and the datagram is gone, as any
may be; an OSError says that the socket is of no use any more. The address that a name had at
first stays in use. Every refusal of open_udp says what to do about it.
"""

import errno
import ipaddress
import socket
import warnings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Address = tuple[Any, ...]  # (host, port), for IPv6 with two more

# What concerns one datagram or its receiver, not the socket.
_PASSING = (
    *(errno.ECONNREFUSED, errno.ECONNRESET, errno.EHOSTUNREACH, errno.EHOSTDOWN),
    *(errno.EMSGSIZE, errno.EPERM, errno.EACCES, errno.ENOBUFS, errno.ENOMEM),
)
_HOPS = 1  # what is for a group stays in the own network


class _Datagrams:
    """A socket, and what its answers mean."""

    _socket: socket.socket

    def __init__(self) -> None:
        self.blocked = False  # set by the driver while a datagram waits for room
        self.unreachable = 0  # datagrams that the network did not want

    def fileno(self) -> int:
        """Return the file number to sleep on, -1 when closed."""
        return self._socket.fileno()

    def warn(self, text: str) -> None:
        """Tell whoever runs the program."""
        warnings.warn(text, RuntimeWarning, stacklevel=2)

    def close(self) -> None:
        """Close it; twice does no harm."""
        self._socket.close()


class UDPStream(_Datagrams):
    """A socket that is connected to one peer: the shape of a byte stream (ports/README.md)."""

    def __init__(self, peer: object, bind: object) -> None:
        _Datagrams.__init__(self)
        self._family, self.peer = _resolved(peer, 0)
        self.is_local = _is_loopback(self.peer)
        self._bind = None if bind is None else _resolved(bind, self._family)[1]
        self._port = 0  # ours, if no `bind` tells: the peer goes on to find us there
        self.reopen()

    def reopen(self) -> bool:
        """Open it, again after close(): True, or OSError."""
        made = socket.socket(self._family, socket.SOCK_DGRAM)
        try:
            made.setblocking(False)
            made.bind(self._bind or ("", self._port))
            made.connect(self.peer)
        except OSError as e:
            if e.errno == errno.EADDRINUSE:
                self._port = 0  # somebody else has it by now: another one will do
            made.close()
            raise
        self._port = made.getsockname()[1]
        self._socket = made
        return True

    def readinto(self, buf: bytearray) -> int | None:
        """Read one datagram into `buf`; None: nothing now. What is longer than buf is cut."""
        try:
            return self._socket.recv_into(buf)
        except BlockingIOError:
            return None
        except OSError as e:
            self._pass_over(e)
            return None

    def write(self, buf: bytearray, start: int, count: int) -> int | None:
        """Send buf[start:start+count] as one datagram: count, even if it is lost. None: later."""
        try:
            return self._socket.send(buf[start : start + count])
        except BlockingIOError:
            return None
        except OSError as e:
            self._pass_over(e)
            return count

    def _pass_over(self, e: OSError) -> None:
        # Count what concerns one datagram; raise what says that the socket is of no use.
        if e.errno not in _PASSING:
            raise e
        self.unreachable += 1


class UDPShared(_Datagrams):
    """A socket for any number of peers, or one that hears what is sent to a group.

    It is never of no use: a network that goes and comes back concerns single datagrams.
    """

    def __init__(self, bind: object, group: object, interface: str) -> None:
        _Datagrams.__init__(self)
        self.source: Address = ()  # of the datagram that receive() gave last
        self._family, address = _resolved(bind if group is None else group, 0)
        self._socket = socket.socket(self._family, socket.SOCK_DGRAM)
        try:
            self._socket.setblocking(False)
            if group is not None:
                self._enter(address, interface)
            self._socket.bind(address)
        except OSError:
            self.close()
            raise
        self.address: Address = self._socket.getsockname()  # ours; of a group, the group's

    def _enter(self, group: "Address", interface: str) -> None:
        """Hear what is sent to a group on the network of `interface`, and send to it there."""
        options = self._socket.setsockopt
        options(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # every program here hears it
        near = socket.inet_aton(interface)
        member = socket.inet_aton(group[0]) + near
        options(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
        options(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, near)
        options(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, _HOPS)
        options(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 1)

    def resolve(self, peer: object) -> "Address":
        """Return a peer's address as `source` shows it. May block; OSError with a sentence."""
        try:
            return _resolved(peer, self._family)[1]
        except OSError as e:
            raise _explained(peer, e) from None

    def is_local(self, peer: "Address") -> bool:
        """Tell whether datagrams to that address stay within this machine."""
        return _is_loopback(peer)

    def receive(self, buf: bytearray) -> int | None:
        """Read one datagram into `buf`, and set `source`; None: nothing now. It may be cut."""
        try:
            n, self.source = self._socket.recvfrom_into(buf)
            return n
        except BlockingIOError:
            return None
        except OSError:
            self.unreachable += 1
            return None

    def send(self, buf: bytearray, start: int, count: int, peer: "Address") -> int | None:
        """Send buf[start:start+count] to `peer`: count, even if it is lost. None: later."""
        try:
            return self._socket.sendto(buf[start : start + count], peer)
        except BlockingIOError:
            return None
        except OSError:
            self.unreachable += 1
            return count


def open_udp(settings: "dict[str, Any]") -> UDPStream | UDPShared:
    """Open a socket for settings["peer"], or without one a socket that peers share.

    Raises OSError with a sentence that says what to do, ValueError for settings that cannot be.
    """
    settings = dict(settings)
    peer, bind = settings.pop("peer", None), settings.pop("bind", None)
    group, interface = settings.pop("group", None), settings.pop("interface", "0.0.0.0")
    if settings:
        raise ValueError(f"settings of udp are peer, bind, group, interface; not {settings}")
    try:
        if peer is not None:
            return UDPStream(peer, bind)
        return UDPShared(bind or ("0.0.0.0", 0), group, interface)
    except OSError as e:
        ours = bind if e.errno in (errno.EADDRINUSE, errno.EADDRNOTAVAIL) else None
        raise _explained(ours or peer or group or bind, e) from None


def _resolved(place: object, family: int) -> "tuple[int, Address]":
    """Return (address family, address) of (host, port), or of an IPv6 address of four parts."""
    if isinstance(place, tuple) and len(place) == 4:
        return socket.AF_INET6, place
    if (
        not isinstance(place, (tuple, list))
        or len(place) != 2
        or not isinstance(place[0], str)
        or not isinstance(place[1], int)
        or not 0 <= place[1] <= 65535
    ):
        raise ValueError(f'{place!r} is not of the form ("192.168.1.9", 7400)')
    found = socket.getaddrinfo(place[0] or None, place[1], family, socket.SOCK_DGRAM)[0]
    return found[0], found[4]


def _is_loopback(address: "Address") -> bool:
    return ipaddress.ip_address(address[0].partition("%")[0]).is_loopback


def _explained(place: object, e: OSError) -> OSError:
    """Return an OSError whose text says what is wrong with `place` and what to do."""
    number = e.errno or errno.EIO
    if isinstance(e, socket.gaierror):
        number = errno.ENOENT
        text = f"no host of that name: {place}: is it right, is the network there?"
    elif number == errno.EADDRINUSE:
        text = f"{place} is in use by another program: close that one, or name another port"
    elif number == errno.EADDRNOTAVAIL:
        text = f"{place} is not here: bind to an address of this machine, or to 0.0.0.0"
    elif number in (errno.ENETUNREACH, errno.ENODEV, errno.ENETDOWN):
        text = f"no way to {place}: is the network there?"
    elif number in (errno.EACCES, errno.EPERM):
        text = f"no permission for {place}: name a port above 1023, look at the firewall"
    else:
        text = f"cannot use {place}: {e}"
    return OSError(number, text)
