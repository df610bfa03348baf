# SPDX-License-Identifier: MIT
"""Links over real sockets and ttys, without a bus: the ends' loops, and the far end's process.

Rules: one process for each end, the far one a fork of the near one, that ends when its parent has.
What comes over the links goes through Link alone, and over a tty through the library's Driver;
what goes without is as plain as it can be.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import struct
from collections.abc import Callable

from limpet.link import Link
from limpet.port import ticks_ms
from limpet.rand import Random
from limpet.transport.pump import Driver
from limpet.transport.udp import UDPDriver

Work = Callable[[int, Callable[[], bool]], None]

PING_SIZE = 32
BLOCK_SIZE = 200
TTY_WINDOW = 64
_PING_WINDOW = 16
_HOST = "127.0.0.1"
_LOOK_MS = 5  # how often an idle ping looks at its link's timers
_FILES_MAX = 1024  # more than there are, here
_GONE_MS = 1000  # ... and an echo whether its parent is there


class Client:
    """Who uses a link: says what is in `queue`; what comes goes to `hear(buf, start, end)`."""

    def __init__(self) -> None:
        self.queue: list[bytes | bytearray] = []
        self.hear: Callable[[bytearray, int, int], None] = lambda buf, start, end: None

    def ready(self) -> bool:
        """Is there something to say?"""
        return bool(self.queue)

    def fill(self, buf: bytearray, start: int, end: int) -> int:
        """Say the next of it."""
        if not self.queue:
            return 0
        data = self.queue.pop()
        buf[start : start + len(data)] = data
        return len(data)

    def receive(self, buf: bytearray, start: int, end: int) -> None:
        """Hear."""
        self.hear(buf, start, end)

    def connected(self) -> None:
        """Nothing to do."""

    def disconnected(self) -> None:
        """Nothing to do: a run that loses its session ends in an error by itself."""


def link_of(node: int, client: Client, window: int) -> Link:
    """Return a link for one end."""
    return Link(node, node, Random(node), client, window=window)


def set_timeout(sock: socket.socket, ms: int) -> None:
    """Have recv() give up after so long, which costs no call of its own as settimeout() does."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, ms * 1000))


class PingClient(Client):
    """Says what is in `data` as often as `count` tells; what comes stands in `data`, too."""

    def __init__(self, echoes: bool) -> None:
        super().__init__()
        self.data: bytes | bytearray = b""
        self.count = 0
        self.heard = 0
        self._echoes = echoes

    def ready(self) -> bool:
        """Is there something to say?"""
        return self.count > 0

    def fill(self, buf: bytearray, start: int, end: int) -> int:
        """Say it."""
        if not self.count:
            return 0
        self.count -= 1
        data = self.data
        buf[start : start + len(data)] = data
        return len(data)

    def receive(self, buf: bytearray, start: int, end: int) -> None:
        """Hear."""
        self.data = buf[start:end]
        self.heard += 1
        if self._echoes:
            self.count += 1


class PingEnd:
    """One end of a link over a connected UDP socket, which blocks."""

    def __init__(self, sock: socket.socket, node: int, echoes: bool) -> None:
        self.client = PingClient(echoes)
        self.link = link_of(node, self.client, _PING_WINDOW)
        self._sock = sock
        self._in = bytearray(2048)
        self._out = bytearray(self.link.wire_size)
        set_timeout(sock, _LOOK_MS)

    def turns(self, heard: int, most: int = 40) -> None:
        """Say what there is and hear what comes, until so much was heard, in so many turns."""
        client, buf, out = self.client, self._in, self._out
        take, feed = self.link.take, self.link.feed
        send, receive = self._sock.send, self._sock.recv_into
        while client.heard < heard and most:
            most -= 1
            now_ms = ticks_ms()
            size = take(out, now_ms)
            while size:
                send(out[:size])
                size = take(out, now_ms)
            try:
                size = receive(buf)
            except BlockingIOError:
                self.link.poll(ticks_ms())
            else:
                feed(buf, size, ticks_ms())


class DriverEnd:
    """One end of a link through the library's UDPDriver, from port to port of this machine."""

    def __init__(self, port: int, peer: int, node: int, echoes: bool) -> None:
        self.client = PingClient(echoes)
        self.link = link_of(node, self.client, _PING_WINDOW)
        self.driver = UDPDriver((_HOST, peer), bind=(_HOST, port))
        self.driver.attach(self.link)
        self._poll = select.poll()
        self._poll.register(self.driver.stream, select.POLLIN)

    def turns(self, heard: int, most: int = 40) -> None:
        """Pump until so much was heard, in so many turns; sleep while nothing can be done."""
        pump, client = self.driver.pump, self.client
        while client.heard < heard and most:
            most -= 1
            now_ms = ticks_ms()
            if not pump(now_ms):
                due = self.driver.due(now_ms)
                if due > 0:
                    self._poll.poll(min(due, 50))


class TTYDriver(Driver):
    """Bytes through the file of a tty, which does not block."""

    def __init__(self, file: int) -> None:
        Driver.__init__(self)
        self._file = file

    def _open(self) -> None:
        pass

    def _close(self) -> None:
        pass

    def _read(self, buf: bytearray) -> int:
        try:
            return os.readv(self._file, (buf,))
        except BlockingIOError:
            return 0

    def _write(self, buf: bytearray, start: int, count: int) -> int:
        try:
            return os.write(self._file, buf[start : start + count])
        except BlockingIOError:
            return 0


class TTYEnd:
    """One end of a link over a tty."""

    def __init__(self, file: int, node: int) -> None:
        self.client = Client()
        self.link = link_of(node, self.client, TTY_WINDOW)
        self._driver = TTYDriver(file)
        self._driver.attach(self.link)
        self._file = file
        self._poll = select.poll()

    def turn(self) -> None:
        """Move what can be moved, or sleep until something can."""
        now_ms = ticks_ms()
        if self._driver.pump(now_ms):
            return
        due = self._driver.due(now_ms)
        writing = self._driver.writing
        if due > 0 or writing:
            self._poll.register(self._file, select.POLLIN | (select.POLLOUT if writing else 0))
            self._poll.poll(min(max(due, 1), 50))


class Far:
    """A far end: `work(file, orphaned)` in a process of its own, which takes `file` with it."""

    def __init__(self, work: Work, file: int = -1) -> None:
        parent = os.getpid()
        self._pid = os.fork()
        if not self._pid:
            try:
                # With our side of a pty open here, too, the parent's end would not show.
                for other in range(3, _FILES_MAX):
                    if other != file:
                        os.closerange(other, other + 1)
                work(file, lambda: os.getppid() != parent)
            finally:
                os._exit(1)
        if file >= 0:
            os.close(file)

    def close(self) -> None:
        """End it."""
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)


def echo_raw(file: int, orphaned: Callable[[], bool]) -> None:
    """Send each datagram back."""
    with socket.socket(fileno=file) as sock:
        set_timeout(sock, _GONE_MS - 1)
        buf = bytearray(2048)
        while not orphaned():
            try:
                size = sock.recv_into(buf)
            except BlockingIOError:
                continue
            sock.send(buf[:size])


def echo_link(file: int, orphaned: Callable[[], bool]) -> None:
    """Send each payload back."""
    with socket.socket(fileno=file) as sock:
        end = PingEnd(sock, 2, True)
        while not orphaned():
            end.turns(end.client.heard + 1000)


def echo_driver(port: int, peer: int, orphaned: Callable[[], bool]) -> None:
    """Do so through a UDPDriver."""
    end = DriverEnd(port, peer, 2, True)
    while not orphaned():
        end.turns(end.client.heard + 1000)


def sum_raw(file: int, orphaned: Callable[[], bool]) -> None:
    """Read blocks; told how many (4 bytes), answer with the sum of their first bytes."""
    buf = bytearray(1 << 16)
    while not orphaned():
        left = int.from_bytes(_read_exactly(file, 4), "big") * BLOCK_SIZE
        total = at = 0
        while left:
            size = os.readv(file, (memoryview(buf)[: min(left, len(buf))],))
            total += sum(buf[-at % BLOCK_SIZE : size : BLOCK_SIZE])
            at += size
            left -= size
        os.write(file, total.to_bytes(8, "big"))


def _read_exactly(file: int, size: int) -> bytes:
    found = b""
    while len(found) < size:
        more = os.read(file, size - len(found))
        if not more:
            raise EOFError
        found += more
    return found


def sum_link(file: int, orphaned: Callable[[], bool]) -> None:
    """Answer a payload of one byte with the sum of the first bytes of those before it."""
    end = TTYEnd(file, 2)
    total = [0]

    def hear(buf: bytearray, start: int, stop: int) -> None:
        if stop - start > 1:
            total[0] += buf[start]
        else:
            end.client.queue.append(total[0].to_bytes(8, "big"))
            total[0] = 0

    end.client.hear = hear
    while not orphaned():
        end.turn()
