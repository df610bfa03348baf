# SPDX-License-Identifier: MIT
"""Two buses over TCP, which loses nothing: `join(..., reliable=True)`, real sockets."""

import socket
import threading

import pytest

from limpet import Bus
from limpet.link import UP
from limpet.transport.uart import UARTDriver

COUNT = 300


class Relay:
    """Accepts two connections and passes on what comes from either to the other."""

    def __init__(self) -> None:
        self.server = socket.create_server(("127.0.0.1", 0))
        self.ends: list[socket.socket] = []
        self.threads = [threading.Thread(target=self.accept)]
        self.threads[0].start()

    def accept(self) -> None:
        self.ends = [self.server.accept()[0] for _ in range(2)]
        for i in range(2):
            self.ends[i].setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            thread = threading.Thread(target=self.copy, args=(self.ends[i], self.ends[1 - i]))
            self.threads.append(thread)
            thread.start()

    def copy(self, source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(4096):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # the other way has ended

    def close(self) -> None:
        for end in self.ends:
            end.close()
        self.server.close()
        for thread in self.threads:
            thread.join(5)
            assert not thread.is_alive()


@pytest.fixture
def relay():
    relay = Relay()
    yield relay
    relay.close()


def test_requests_without_acks(relay: Relay) -> None:
    port = f"socket://127.0.0.1:{relay.server.getsockname()[1]}"
    host = Bus(node=1, slot_size=2000)
    board = Bus(node=2, slot_size=2000)
    replier = board.ksock()
    replier.replier("$.Echo")(lambda message: message.data)
    try:
        here = host.join(UARTDriver(port), reliable=True)
        there = board.join(UARTDriver(port), reliable=True)
        board.start()
        host.start()
        host.wait_for_replier("$.Echo", timeout_ms=5000)
        asker = host.ksock()
        for i in range(COUNT):
            data = bytes([i & 255]) * (i * 7 % 2000)
            assert asker.call("$.Echo", data).data == data
        for limpet in (here, there):
            stats = limpet.link.stats
            assert (stats.tx_retransmit, stats.rx_bad, stats.rx_dropped) == (0, 0, 0)
            assert limpet.link.unacked() == 0
        board.close()
        assert host.runner.wait(lambda: here.link.state != UP, 5000)
        assert here.link.stats.closes == 1
    finally:
        board.close()
        host.close()


def test_sockets_that_somebody_else_has_made() -> None:
    """Accepted or paired: each serves one limpet, and its end ends the session at once."""
    host = Bus(node=1)
    board = Bus(node=2)
    replier = board.ksock()
    replier.bind("$.Never", True)
    one, two = socket.socketpair()
    try:
        here = host.join(UARTDriver(socket=one), reliable=True, silence_ms=60000)
        there = board.join(UARTDriver(socket=two), reliable=True, silence_ms=60000)
        board.start()
        host.start()
        host.wait_for_replier("$.Never", timeout_ms=5000)
        asker = host.ksock()
        asker.request("$.Never", b"data")
        assert replier.wait_for_msg(5000) is not None
        there.driver.close()  # type: ignore[union-attr]
        answer = asker.wait_for_msg(5000)
        assert answer is not None and answer.name == "$.KBUS.Link.Lost"
        assert here.link.stats.device_lost == 1
        assert here.link.state != UP
    finally:
        board.close()
        host.close()
    assert one.fileno() == two.fileno() == -1
