# SPDX-License-Identifier: MIT
"""Datagrams on MicroPython: one connected socket for each neighbour.

Rules: nothing here blocks or allocates once the socket is open, unless something is wrong. The
VM's readinto() goes on to the next datagram until its buffer is full, and cuts that one: a buffer
that holds all that may be on its way loses nothing. What the network says about one datagram is
counted and passes; an OSError says that the socket is of no use any more. `socket` is imported
when the first one is opened: a board may have none.
"""

from micropython import const

_ENODEV = const(19)
_ENOSYS = const(38)
# What concerns one datagram or its receiver, not the socket: Linux's numbers, as on all boards.
_PASSING = (1, 12, 13, 90, 104, 105, 111, 112, 113)


class UDPStream:
    """A socket that is connected to one peer: the shape of a byte stream (ports/README.md)."""

    def __init__(self, settings):
        import socket

        self._socket = socket
        self.blocked = False  # set by the driver while a datagram waits for room
        self.unreachable = 0  # datagrams that the network did not want
        peer, bind = settings["peer"], settings.get("bind")
        self._buf = None  # what _send() sends: _buf[_start:_start+_count]
        self._start = self._count = 0
        self._peer = _resolved(socket, peer)
        self.is_local = peer[0] in ("localhost", "::1") or peer[0][:4] == "127."
        self._bind = None if bind is None else _resolved(socket, bind)
        self.reopen()

    def reopen(self):
        """Open it, again after close(): True, or OSError."""
        made = self._socket.socket(self._peer[0], self._socket.SOCK_DGRAM)
        try:
            made.setblocking(False)
            if self._bind is not None:
                made.bind(self._bind[-1])
            made.connect(self._peer[-1])
        except OSError:
            made.close()
            raise
        self.pollable = made  # what select.poll takes
        return True

    def readinto(self, buf):  # hot:
        """Read datagrams into `buf`, one behind the other; None: nothing now."""
        with self:
            return self.pollable.readinto(buf)

    def write(self, buf, start, count):  # hot:
        """Send buf[start:start+count] as one datagram: count, even if it is lost. None: later."""
        self._buf = buf
        self._start = start
        self._count = count
        return self._send()

    def _send(self):  # hot:
        with self:
            return self.pollable.write(self._buf, self._start, self._count)
        return self._count

    # `except .. as e` takes more words of a frame than are free; `with` does not.

    def __enter__(self):  # hot:
        return self

    def __exit__(self, kind, value, trace):  # hot:
        return value is not None and self._passes(value)

    def _passes(self, e):
        if not isinstance(e, OSError) or e.errno not in _PASSING:
            return False
        self.unreachable += 1
        return True

    def warn(self, text):
        """Say nothing: a board has nobody who reads. See UDPDriver.is_exposed."""

    def close(self):
        """Close it; twice does no harm."""
        self.pollable.close()


def open_udp(settings):
    """Open a socket for settings["peer"], (host, port); "bind" names our own address.

    Raises OSError with a sentence that says what to do, ValueError for settings that cannot be.
    """
    for key in settings:
        if key not in ("peer", "bind"):
            raise ValueError("settings of udp are peer and bind here, not " + key)
    if settings.get("peer") is None:
        raise OSError(_ENOSYS, "a socket serves one neighbour here: give its peer")
    try:
        return UDPStream(settings)
    except ImportError:
        raise OSError(_ENODEV, "no network on this board: join over a UART")
    except OSError as e:
        raise _explained(settings, e)


def _resolved(socket, place):
    """Return what getaddrinfo says of (host, port)."""
    if (
        not isinstance(place, (tuple, list))
        or len(place) != 2
        or not isinstance(place[0], str)
        or not isinstance(place[1], int)
        or not 0 <= place[1] <= 65535
    ):
        raise ValueError('%r is not of the form ("192.168.1.9", 7400)' % (place,))
    try:
        return socket.getaddrinfo(place[0], place[1], 0, socket.SOCK_DGRAM)[0]
    except OSError:
        raise OSError(2, "no host of that name: %s: is it right, is the network there?" % place[0])


def _explained(settings, e):
    """Return an OSError whose text says what is wrong and what to do."""
    place = settings["peer"]
    if e.errno == 2:
        return e
    if e.errno == 98:
        place = settings["bind"]
        text = "%r is in use by another program: close that one, or name another port"
    elif e.errno == 99:
        place = settings["bind"]
        text = "%r is not here: bind to an address of this board, or to 0.0.0.0"
    elif e.errno in (100, 101, 118, -1, 5):
        text = "no way to %r: is the network connected?"
    else:
        return OSError(e.errno or 5, "cannot use %r: %s" % (place, e))
    return OSError(e.errno, text % (place,))
