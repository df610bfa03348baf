# SPDX-License-Identifier: MIT
"""Devices and servers that go and come back; opening them again never blocks."""

import os
import socket
import time

import pytest
import serial

from limpet.port import open_device, ticks_ms
from limpet.transport.uart import UARTDriver

LIMIT_S = 5  # nothing here takes so long, unless it is broken


def test_a_device_that_vanishes_and_comes_back(tmp_path, waiter, make_line, link, pump_until):
    """Unplugged and plugged in again, under the same name: the driver goes on by itself."""
    first, second = make_line(), make_line()
    name = tmp_path / "ttyUSB0"
    name.symlink_to(first.path)
    driver = UARTDriver(str(name))
    driver.attach(link, waiter)
    first.write(b"one")
    pump_until(driver, waiter, lambda: link.fed == b"one")
    name.unlink()
    first.close()
    pump_until(driver, waiter, lambda: not driver.is_open)
    assert link.stats.device_lost == 1
    assert driver.stream is None
    link.frames = [b"frame\0"]
    now = ticks_ms()
    driver.pump(now + 600 & 2**30 - 1)  # not there yet: no exception, no frame taken
    assert not driver.is_open and len(link.frames) == 1
    name.symlink_to(second.path)
    pump_until(driver, waiter, lambda: driver.is_open)
    assert second.read(7) == b"\0frame\0"
    second.write(b"two")
    pump_until(driver, waiter, lambda: link.fed == b"onetwo")
    driver.close()


def test_a_server_that_vanishes_and_comes_back(waiter, link, pump_until):
    server = socket.create_server(("127.0.0.1", 0))
    address = server.getsockname()
    driver = UARTDriver(f"socket://127.0.0.1:{address[1]}")
    driver.attach(link, waiter)
    far, _ = server.accept()
    server.close()
    far.close()
    pump_until(driver, waiter, lambda: link.stats.device_lost == 1)
    with socket.create_server(address) as server:
        pump_until(driver, waiter, lambda: driver.is_open)
        far, _ = server.accept()
        far.sendall(b"again")
        pump_until(driver, waiter, lambda: link.fed == b"again")
        far.close()
    driver.close()


@pytest.fixture
def no_waiting(monkeypatch):
    """A function: after it, what may take long fails the test."""

    def forbid():
        def refuse(*args, **options):
            raise AssertionError("this may block")

        monkeypatch.setattr(socket, "create_connection", refuse)
        monkeypatch.setattr(socket, "getaddrinfo", refuse)
        monkeypatch.setattr(serial.tools.list_ports, "comports", refuse)

    return forbid


def full_server():
    """Return a server that answers one more connection, and a function that uses that up."""
    server = socket.socket()
    server.bind(("127.0.0.1", 0))
    server.listen(0)
    made = []

    def fill():
        for _ in range(3):
            made.append(socket.socket())
            made[-1].setblocking(False)
            made[-1].connect_ex(server.getsockname())

    return server, fill, made


def test_a_host_that_does_not_answer_holds_nobody_up(waiter, no_waiting, link, pump_until):
    """Turns go on while the connection is under way; when the host answers, it is used."""
    server, fill, made = full_server()
    driver = UARTDriver(f"socket://localhost:{server.getsockname()[1]}")
    driver.attach(link, waiter)
    far, _ = server.accept()
    fill()
    no_waiting()
    far.close()
    pump_until(driver, waiter, lambda: link.stats.device_lost == 1)
    before = len(os.listdir("/proc/self/fd"))
    longest = 0
    now = ticks_ms()
    for i in range(8000):  # of its time: several attempts
        start = time.monotonic()
        driver.pump(now + i & 2**30 - 1)
        longest = max(longest, time.monotonic() - start)
        assert not driver.is_open
        assert len(os.listdir("/proc/self/fd")) <= before + 1
    assert longest < 1
    driver._retry_at = ticks_ms()
    for one in made:
        one.close()
    server.setblocking(False)

    def answered():
        try:
            server.accept()[0].close()
        except BlockingIOError:
            pass
        return driver.is_open

    pump_until(driver, waiter, answered)
    driver.close()
    server.close()


def test_closing_while_it_connects(waiter, link, pump_until):
    """No file is left."""
    before = len(os.listdir("/proc/self/fd"))
    server, fill, made = full_server()
    driver = UARTDriver(f"socket://127.0.0.1:{server.getsockname()[1]}")
    driver.attach(link, waiter)
    far, _ = server.accept()
    fill()
    far.close()
    pump_until(driver, waiter, lambda: link.stats.device_lost == 1)
    driver.pump(ticks_ms() + 600 & 2**30 - 1)
    assert not driver.is_open
    driver.close()
    for one in (server, *made):
        one.close()
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_server_that_refuses_is_tried_again(waiter, no_waiting):
    """Whether told at once or later: no exception, no file left, and each 500 ms anew."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        stream = open_device("uart", {"port": f"socket://127.0.0.1:{server.getsockname()[1]}"})
    stream.close()
    no_waiting()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        until = time.monotonic() + LIMIT_S
        with pytest.raises(ConnectionRefusedError):
            while not stream.reopen():
                assert time.monotonic() < until
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_socket_does_not_meet_itself():
    """Connecting to a free port of this machine may succeed, for the socket itself answers."""
    server = socket.create_server(("127.0.0.1", 0))
    stream = open_device("uart", {"port": f"socket://127.0.0.1:{server.getsockname()[1]}"})
    stream.close()
    stream._connecting = True
    stream._port = socket.socket()
    stream._port.bind(("127.0.0.1", 0))
    stream._address = stream._port.getsockname()
    stream._port.connect(stream._address)
    with pytest.raises(ConnectionRefusedError):
        stream.reopen()
    server.close()


def test_a_missing_device_is_looked_for_quickly(
    tmp_path, waiter, make_line, no_waiting, link, pump_until
):
    """Nobody reads what a retry says: it does not list the devices of the machine."""
    name = tmp_path / "ttyUSB0"
    first = make_line()
    name.symlink_to(first.path)
    driver = UARTDriver(str(name))
    driver.attach(link, waiter)
    no_waiting()
    name.unlink()
    first.close()
    pump_until(driver, waiter, lambda: not driver.is_open)
    now = ticks_ms()
    for i in range(0, 5000, 100):
        driver.pump(now + i & 2**30 - 1)
    assert not driver.is_open
    with pytest.raises(AssertionError, match="may block"):
        driver.open()
    driver.close()
