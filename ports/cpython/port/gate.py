# SPDX-License-Identifier: MIT
"""A file descriptor that tells select and poll how something of ours stands.

Rule: it is one end of a socket pair. A byte in it is "readable"; as much from it as its small
buffer takes, unread at the other end, is "not writable". Nobody else reads or writes it. What it
shows changes in update() only, which its owner calls with the bus locked.
"""

import socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_BUFFER_SIZE = 4096  # the system makes it a little larger; fewer bytes than that fill it


class Gate:
    """Readable while `readable()` said so when it was asked last, writable likewise."""

    def __init__(self, readable: "Callable[[], bool]", writable: "Callable[[], bool]") -> None:
        self._ask_readable = readable
        self._ask_writable = writable
        self._shown, self._hidden = socket.socketpair()
        self._shown.setblocking(False)
        self._hidden.setblocking(False)
        self._shown.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER_SIZE)
        self._readable = False
        self._writable = True
        self._open = True
        self.update()

    def fileno(self) -> int:
        """Return its number, for select and poll; -1 after close()."""
        return self._shown.fileno()

    def wake(self) -> None:
        """Do as update(): so it can be a Ksock's watch."""
        self.update()

    def update(self) -> None:
        """Ask how things stand, and show that."""
        if not self._open:
            return
        writable = self._ask_writable()
        if writable is not self._writable:
            self._writable = writable
            if writable:
                self._drain(self._hidden)
            else:
                self._fill()
        readable = self._ask_readable()
        if readable is not self._readable:
            self._readable = readable
            if readable:
                self._hidden.send(b"\0")
            else:
                self._drain(self._shown)

    def _fill(self) -> None:
        block = bytes(_BUFFER_SIZE)
        try:
            while True:
                self._shown.send(block)
        except BlockingIOError:
            pass

    def _drain(self, end: socket.socket) -> None:
        try:
            while end.recv(0x10000):
                pass
        except BlockingIOError:
            pass

    def close(self) -> None:
        """Give the descriptor back. Who polls it is told so before. Twice does no harm."""
        if self._open:
            self._open = False
            self._hidden.close()
            self._shown.close()
