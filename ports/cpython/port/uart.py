# SPDX-License-Identifier: MIT
"""Byte streams on CPython: serial devices and ptys, opened by pyserial, and `socket://host:port`.

Rules: only open_uart may block, reopen() may not. None means "not now", 0 from readinto that the
other end has gone, an OSError that the device has. Every refusal of open_uart says what to do
about it; those of reopen() do not: nobody reads them, and to look for devices takes long.
"""

import errno
import fcntl
import os
import select
import socket
import termios

import serial
from serial.tools import list_ports

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_SOCKET = "socket://"
_CONNECT_S = 2.0  # how long open_uart may take, at most, for each address of a name
_BUSY = (errno.EAGAIN, errno.EBUSY)


class Stream:
    """A byte stream: the shape that every port gives one (ports/README.md)."""

    def __init__(self, port: "serial.Serial | socket.socket", counts: bool) -> None:
        self.blocked = False  # set by the driver while bytes wait for room; read by the Waiter
        self._port = port
        self._fd: int = port.fileno()
        self._counts = counts  # the kernel tells what it still has to send
        self._queued = bytearray(4)

    def reopen(self) -> bool:
        """Open it again after close(); True when it is open, OSError if that is impossible now.

        False: it is under way. Call it again, or close().
        """
        raise NotImplementedError

    def fileno(self) -> int:
        """Return the file number to sleep on, -1 when closed."""
        return self._fd

    def readinto(self, buf: bytearray) -> int | None:
        """Read what is there into `buf`; None: nothing now, 0: the other end has gone."""
        try:
            return os.readv(self._fd, (buf,))
        except BlockingIOError:
            return None

    def write(self, buf: bytearray, start: int, count: int) -> int | None:
        """Write buf[start:start+count] and return how many were taken; None: none now."""
        try:
            return os.write(self._fd, buf[start : start + count])
        except BlockingIOError:
            return None

    def queued(self) -> int:
        """Return the bytes that were taken and are not on the line yet; 0 if nobody can tell."""
        if not self._counts:
            return 0
        try:
            fcntl.ioctl(self._fd, termios.TIOCOUTQ, self._queued)
        except OSError:
            return 0
        return int.from_bytes(self._queued, "little")

    def notify(self, wake: "Callable[[], None]") -> None:
        """Do nothing: what sleeps on fileno() is told."""

    def close(self) -> None:
        """Close the port; twice does no harm."""
        self._fd = -1
        try:
            self._port.close()
        except (OSError, termios.error):
            pass  # it has gone already


class SerialStream(Stream):
    """A serial device or a pty."""

    def __init__(self, settings: "dict[str, Any]") -> None:
        self._settings = settings
        Stream.__init__(self, _opened(settings), True)

    def reopen(self) -> bool:
        """Open it again: this never takes long."""
        try:
            self._port = _opened(self._settings)
        except termios.error as e:
            raise OSError(*e.args) from None
        self._fd = self._port.fileno()
        return True


class GivenStream(Stream):
    """A connected stream socket that somebody else has made. Once it is closed, it is gone."""

    def __init__(self, made: socket.socket) -> None:
        made.setblocking(False)
        Stream.__init__(self, made, False)

    def reopen(self) -> bool:
        """Raise OSError: who made it has to make another one, and a driver for it."""
        raise OSError(errno.ENOTCONN, os.strerror(errno.ENOTCONN))


class SocketStream(Stream):
    """A TCP connection. The address that the name had at first stays in use."""

    _port: socket.socket

    def __init__(self, host: str, number: int) -> None:
        made = socket.create_connection((host, number), _CONNECT_S)
        self._family = made.family
        self._address = made.getpeername()
        self._connecting = False
        Stream.__init__(self, _quick(made), False)

    def reopen(self) -> bool:
        """Begin to connect, or look whether a connection that was begun is there."""
        number = errno.EINPROGRESS
        if not self._connecting:
            self._port = _quick(socket.socket(self._family, socket.SOCK_STREAM))
            self._connecting = True
            number = self._port.connect_ex(self._address)
        if number == errno.EINPROGRESS:
            poller = select.poll()
            poller.register(self._port, select.POLLOUT)
            if not poller.poll(0):
                return False
            number = self._port.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if number == 0 and self._port.getsockname() == self._address:
            number = errno.ECONNREFUSED  # on one machine, a socket may meet itself
        if number:
            self.close()
            raise OSError(number, os.strerror(number))
        self._connecting = False
        self._fd = self._port.fileno()
        return True

    def close(self) -> None:
        """Close it, also while it connects."""
        self._connecting = False
        Stream.close(self)


def open_uart(settings: "dict[str, Any]") -> Stream:
    """Open settings["port"], a device, a pty or socket://host:port, at settings["baud"].

    Or take settings["socket"], a connected stream socket, which is ours from then on.

    The rest of `settings` goes to pyserial (`rtscts`, `dsrdtr`, ...). A device is then ours alone.
    Raises OSError with a sentence that says what to do.
    """
    if "socket" in settings:
        return GivenStream(settings["socket"])
    port = settings.get("port")
    if not isinstance(port, str) or not port:
        raise ValueError('settings need a "port": a device path or socket://host:port')
    try:
        if port.startswith(_SOCKET):
            return SocketStream(*_host_and_number(port))
        return SerialStream(settings)
    except TimeoutError:
        raise OSError(
            errno.ETIMEDOUT, f"{port} does not answer: is it on, is the network?"
        ) from None
    except (OSError, termios.error) as e:
        raise _explained(port, e) from None


def _opened(settings: "dict[str, Any]") -> serial.Serial:
    """Open a serial device, whatever that raises."""
    opened = serial.Serial(
        settings["port"],
        baudrate=settings.get("baud", 115200),
        timeout=0,
        write_timeout=0,
        exclusive=True,
        **{k: v for k, v in settings.items() if k not in ("port", "baud")},
    )
    try:
        _tell_end_from_nothing(opened.fileno())
    except (OSError, termios.error):
        opened.close()
        raise
    return opened


def _host_and_number(port: str) -> "tuple[str, int]":
    """Take socket://host:port apart."""
    host, colon, number = port[len(_SOCKET) :].rstrip("/").rpartition(":")
    if not colon or not host or not number.isdigit() or int(number) > 65535:
        raise ValueError(f"{port} is not of the form socket://host:port")
    return host.strip("[]"), int(number)


def _quick(made: socket.socket) -> socket.socket:
    """Let a socket neither block nor keep small frames back until an ack comes."""
    made.setblocking(False)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made


def _tell_end_from_nothing(fd: int) -> None:
    """Set VMIN to 1: a read that finds nothing then says so, and 0 bytes mean a hang-up."""
    settings = termios.tcgetattr(fd)
    settings[6][termios.VMIN] = 1
    settings[6][termios.VTIME] = 0
    termios.tcsetattr(fd, termios.TCSANOW, settings)


def _explained(port: str, e: Exception) -> OSError:
    """Return an OSError whose text says what is wrong with `port` and what to do."""
    number = e.args[0] if e.args and isinstance(e.args[0], int) else 0
    cause = e.__context__  # pyserial does not always hand the number on
    if not number and cause is not None and cause.args and isinstance(cause.args[0], int):
        number = cause.args[0]
    if number == errno.ENOENT:
        found = ", ".join(sorted(p.device for p in list_ports.comports())) or "none"
        text = (
            f"no device {port}: is it plugged in, is the name right? Serial devices here: {found}"
        )
    elif number in (errno.EACCES, errno.EPERM):
        text = (
            f"no permission for {port}: join the group that owns it (often dialout), log in again"
        )
    elif number in _BUSY:
        text = f"{port} is in use by another program: close that one, or name another port"
    elif number in (errno.ENOTTY, errno.EISDIR, errno.EINVAL):
        text = f"{port} is not a serial device"
    elif number == errno.ECONNREFUSED:
        text = f"nobody listens at {port}: start the other side first"
    else:
        text = f"cannot open {port}: {e}"
    return OSError(number or errno.EIO, text)
