# SPDX-License-Identifier: MIT
"""The link's part in real time: pings over UDP, and blocks through a pty, between two processes.

Rules: as in measure.py. The far end is link_far.py in a process of its own, one for each work.
"""

from __future__ import annotations

import os
import socket
import statistics
import time
import tty

from layout import Trouble
from limpet.link import UP

from .figures import Samples
from .link_far import (
    BLOCK_SIZE,
    PING_SIZE,
    DriverEnd,
    Far,
    PingEnd,
    TTYEnd,
    Work,
    echo_driver,
    echo_link,
    echo_raw,
    set_timeout,
    sum_link,
    sum_raw,
)
from .measure import BURST, PAYLOADS, Pair
from .values import Reading

_WAIT_S = 10.0
_BLOCKS = [data[:1] + bytes(range(1, BLOCK_SIZE)) for data in PAYLOADS]


class _Works:
    """What all have: a far end in another process."""

    readers = 1
    _far: Far

    def left(self) -> int:
        """What is answered leaves nothing."""
        return 0

    def close(self) -> None:
        """End the far end."""
        self._far.close()


def _sockets() -> tuple[socket.socket, socket.socket]:
    """Return two UDP sockets, connected to each other."""
    made = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
    for sock in made:
        sock.bind(("127.0.0.1", 0))
    for sock, other in zip(made, reversed(made)):
        sock.connect(other.getsockname())
    return made[0], made[1]


class RawPing(_Works):
    """A datagram there and back."""

    def __init__(self) -> None:
        self._sock, far = _sockets()
        self._far = Far(echo_raw, far.detach())
        set_timeout(self._sock, 999)
        self(BURST)

    def __call__(self, count: int) -> int:
        """Do the work."""
        total = 0
        buf = bytearray(2048)
        send, receive = self._sock.send, self._sock.recv_into
        for _ in range(count // BURST):
            for data in PAYLOADS:
                send(data)
                receive(buf)
                total += buf[0]
        return total

    def close(self) -> None:
        """End both ends."""
        super().close()
        self._sock.close()


class _LinkPings(_Works):
    """A payload there and back, reliably; `_end` is our end."""

    _end: PingEnd | DriverEnd

    def _connect(self) -> None:
        limit = time.monotonic() + _WAIT_S
        while self._end.link.state != UP:
            self._end.turns(self._end.client.heard + 1, 1)
            if time.monotonic() > limit:
                raise Trouble("the link over UDP does not come up.")

    def __call__(self, count: int) -> int:
        """Do the work."""
        total = 0
        client, turns = self._end.client, self._end.turns
        for _ in range(count // BURST):
            for data in PAYLOADS:
                client.data = data
                client.count = 1
                wanted = client.heard + 1
                turns(wanted, 1000)
                if client.heard != wanted:
                    raise Trouble("the link over UDP has ended.")
                total += client.data[0]
        return total


class LinkPing(_LinkPings):
    """Over the same sockets as the raw one."""

    def __init__(self) -> None:
        self._sock, far = _sockets()
        self._far = Far(echo_link, far.detach())
        self._end = PingEnd(self._sock, 1, False)
        self._connect()

    def close(self) -> None:
        """End both ends."""
        super().close()
        self._sock.close()


class DriverPing(_LinkPings):
    """Through the library's driver, which does not block."""

    def __init__(self) -> None:
        socks = _sockets()
        near, far = (sock.getsockname()[1] for sock in socks)
        for sock in socks:
            sock.close()
        self._far = Far(lambda file, orphaned: echo_driver(far, near, orphaned))
        self._end = DriverEnd(near, far, 1, False)
        self._connect()

    def close(self) -> None:
        """End both ends."""
        super().close()
        self._end.driver.close()


class _TTYWorks(_Works):
    """A pty in raw mode; `file` is our side of it."""

    def __init__(self, work: Work, blocking: bool) -> None:
        self.file, slave = os.openpty()
        tty.setraw(slave)
        os.set_blocking(self.file, blocking)
        os.set_blocking(slave, blocking)
        self._far = Far(work, slave)

    def close(self) -> None:
        """End both ends."""
        super().close()
        os.close(self.file)


class RawBlocks(_TTYWorks):
    """Blocks through a pty, twenty to a write."""

    def __init__(self) -> None:
        super().__init__(sum_raw, True)
        self(BURST)

    def __call__(self, count: int) -> int:
        """Do the work."""
        os.write(self.file, count.to_bytes(4, "big"))
        burst = b"".join(_BLOCKS)
        for _ in range(count // BURST):
            at = 0
            while at < len(burst):
                at += os.write(self.file, burst[at : at + 20 * BLOCK_SIZE])
        found = b""
        while len(found) < 8:
            found += os.read(self.file, 8)
        return int.from_bytes(found, "big")


class LinkBlocks(_TTYWorks):
    """Blocks over a link through a pty, as fast as it takes them."""

    def __init__(self) -> None:
        super().__init__(sum_link, False)
        self._end = TTYEnd(self.file, 1)
        self._heard: list[int] = []
        self._end.client.hear = lambda buf, start, end: self._heard.append(
            int.from_bytes(buf[start:end], "big")
        )
        limit = time.monotonic() + _WAIT_S
        while self._end.link.state != UP:
            self._end.turn()
            if time.monotonic() > limit:
                raise Trouble("the link through a pty does not come up.")

    def __call__(self, count: int) -> int:
        """Do the work."""
        self._heard.clear()
        self._end.client.queue[:] = [b"?", *_BLOCKS * (count // BURST)]  # said from its end on
        while not self._heard:
            self._end.turn()
            if self._end.link.state != UP:
                raise Trouble("the link through a pty has ended.")
        return self._heard[0]


def ping_pairs(quick: bool) -> list[Pair]:
    """Return the pairs of pings."""
    assert len(PAYLOADS[0]) == PING_SIZE
    counts = (BURST, BURST) if quick else (20 * BURST, 40 * BURST)
    return [
        Pair("link.udp_ping.vs_raw", LinkPing(), RawPing(), *counts),
        Pair("link.udp_driver_ping.vs_raw", DriverPing(), RawPing(), *counts),
    ]


def block_pairs(quick: bool) -> list[Pair]:
    """Return the pair of ptys."""
    counts = (BURST, BURST) if quick else (150 * BURST, 600 * BURST)
    return [Pair("link.pty.vs_raw", LinkBlocks(), RawBlocks(), *counts)]


def throughput(samples: Samples) -> Reading:
    """Return the MB/s that the blocks came to."""
    return Reading(BLOCK_SIZE / statistics.median(ours for ours, _ in samples["link.pty.vs_raw"]))
