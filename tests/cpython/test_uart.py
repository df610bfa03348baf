# SPDX-License-Identifier: MIT
"""Byte streams for real: ptys, TCP, devices that are missing or busy."""

import errno
import os
import socket
import termios
import threading
import time

import pytest
import serial

from limpet.port import open_device, ticks_ms
from limpet.transport.uart import UARTDriver

LIMIT_S = 5  # nothing here takes so long, unless it is broken


def refusal(settings):
    with pytest.raises(OSError) as caught:
        open_device("uart", settings)
    assert not isinstance(caught.value, serial.SerialException)
    return caught.value


# The stream.


def test_bytes_pass_both_ways_unchanged(line):
    """All 256 values: no echo, no translation, no control characters."""
    stream = open_device("uart", {"port": line.path, "baud": 115200})
    every = bytes(range(256))
    buf = bytearray(512)
    assert stream.readinto(buf) is None
    line.write(every)
    got = b""
    while len(got) < 256:
        n = stream.readinto(buf)
        got += bytes(buf[: n or 0])
    assert got == every
    assert stream.write(bytearray(b"<" + every + b">"), 1, 256) == 256
    assert line.read(256) == every
    assert stream.readinto(buf) is None
    stream.close()
    stream.close()
    assert stream.fileno() == -1


def test_a_full_device_takes_a_part_and_then_nothing(line):
    """Writing never blocks; what the device did not take is not lost."""
    stream = open_device("uart", {"port": line.path})
    block = bytearray(bytes(range(256)) * 16)
    sent = 0
    while True:
        n = stream.write(block, 0, len(block))
        if n is None:
            break
        sent += n
        assert sent < 10**6
    assert sent > 0
    assert len(line.read(sent)) == sent
    stream.close()


def test_a_hang_up_is_told_from_silence(line):
    """No bytes: None. The other end gone: 0, or an error; writing then fails."""
    stream = open_device("uart", {"port": line.path})
    buf = bytearray(10)
    assert stream.readinto(buf) is None
    line.close()
    try:
        assert stream.readinto(buf) == 0
    except OSError as e:
        assert e.errno == errno.EIO
    with pytest.raises(OSError):
        stream.write(buf, 0, 5)
    assert stream.queued() == 0
    stream.close()


def test_tcp():
    """socket:// joins a server; its end is told."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        stream = open_device("uart", {"port": f"socket://127.0.0.1:{server.getsockname()[1]}"})
        far, _ = server.accept()
    buf = bytearray(10)
    assert stream.readinto(buf) is None
    assert stream.write(bytearray(b"hello"), 0, 5) == 5
    assert far.recv(10) == b"hello"
    assert stream.queued() == 0
    far.close()
    until = time.monotonic() + LIMIT_S
    while stream.readinto(buf) is None:
        assert time.monotonic() < until
    assert stream.readinto(buf) == 0
    stream.close()


# Refusals.


def test_a_missing_device():
    e = refusal({"port": "/dev/ttyNONE9"})
    assert e.errno == errno.ENOENT
    assert "no device /dev/ttyNONE9: is it plugged in" in str(e)
    assert "Serial devices here:" in str(e)


def test_a_port_in_use(line):
    """A second program, or a second driver, is told so; the first one goes on."""
    first = open_device("uart", {"port": line.path})
    e = refusal({"port": line.path})
    assert e.errno in (errno.EAGAIN, errno.EBUSY)
    assert f"{line.path} is in use by another program" in str(e)
    line.write(b"x")
    buf = bytearray(4)
    while first.readinto(buf) is None:
        pass
    first.close()
    open_device("uart", {"port": line.path}).close()


def test_no_permission(monkeypatch):
    """The group to join is named. (Tests may run as root, so the refusal is made up.)"""

    def refuse(path, flags):
        raise PermissionError(errno.EACCES, "Permission denied", path)

    monkeypatch.setattr("serial.serialposix.os.open", refuse)
    e = refusal({"port": "/dev/ttyUSB0"})
    assert e.errno == errno.EACCES
    assert "no permission for /dev/ttyUSB0: join the group" in str(e)


@pytest.mark.parametrize("path", ["/dev/null", "/", "file"])
def test_no_serial_device(path, tmp_path):
    if path == "file":
        (tmp_path / path).write_text("text")
        path = str(tmp_path / path)
    assert f"{path} is not a serial device" in str(refusal({"port": path}))


def test_nobody_listens():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = f"socket://127.0.0.1:{server.getsockname()[1]}"
    e = refusal({"port": port})
    assert e.errno == errno.ECONNREFUSED
    assert f"nobody listens at {port}" in str(e)


@pytest.mark.parametrize(
    "port", ["socket://host", "socket://:7000", "socket://host:x", "socket://"]
)
def test_a_wrong_address(port):
    with pytest.raises(ValueError, match="socket://host:port"):
        open_device("uart", {"port": port})


def test_an_unknown_kind_of_address():
    assert "no device nonsense://x" in str(refusal({"port": "nonsense://x"}))


def test_a_refused_device_leaves_no_open_file(line):
    before = len(os.listdir("/proc/self/fd"))
    for settings in ({"port": "/dev/null"}, {"port": "/dev/ttyNONE9"}):
        refusal(settings)
    assert len(os.listdir("/proc/self/fd")) == before


# The driver.


def test_settings_of_the_driver():
    """A path, a path with settings, or a board's data."""
    assert UARTDriver("/dev/ttyUSB0").baud == 115200
    assert UARTDriver("/dev/ttyUSB0", 9600).baud == 9600
    assert UARTDriver({"port": "/dev/ttyUSB0", "baud": 921600}).baud == 921600
    data = {"uart": 0, "baud": 9600}
    assert UARTDriver(data, baud=1).baud == 9600
    assert data == {"uart": 0, "baud": 9600}
    with pytest.raises(ValueError):
        UARTDriver().open()


def test_the_driver_moves_bytes(line, waiter, link, pump_until):
    """Frames go out in order, however slowly the far end reads; what comes in is fed."""
    driver = UARTDriver(line.path)
    driver.attach(link, waiter)
    frames = [bytes([i % 255 + 1]) * 250 + b"\0" for i in range(400)]
    link.frames = list(frames)
    got = b""

    def done():
        nonlocal got
        try:
            got += os.read(line.master, 1000)
        except BlockingIOError:
            pass
        return len(got) == 400 * 251

    pump_until(driver, waiter, done)
    assert got == b"".join(frames)
    assert link.stats.tx_bytes == 400 * 251
    line.write(b"incoming")
    pump_until(driver, waiter, lambda: link.fed == b"incoming")
    assert link.stats.rx_bytes == 8
    driver.close()


def test_a_clogged_device_wakes_its_bus_when_it_takes_bytes(line, waiter, link):
    """While the far end does not read, nobody spins; when it reads, the sleep ends."""
    driver = UARTDriver(line.path)
    driver.attach(link, waiter)
    link.frames = [b"x" * 250] * 1000
    waiter.wait(0, True)
    for _ in range(500):
        driver.pump(ticks_ms())
        if driver.writing and not waiter.wait(20, True):
            break  # the system had made room for a while
    assert driver.writing and driver.due(ticks_ms()) > 0
    size = link.stats.tx_bytes
    thread = threading.Thread(target=line.read, args=(size,))
    start = time.monotonic()
    thread.start()
    assert waiter.wait(5000, True)
    assert time.monotonic() - start < 4
    assert driver.pump(ticks_ms())
    assert link.stats.tx_bytes > size
    thread.join()
    driver.close()


def test_flow_control(line):
    """rtscts goes to the device, as every other setting of pyserial's."""
    for wanted in (True, False):
        driver = UARTDriver(line.path, rtscts=wanted)
        driver.open()
        flags = termios.tcgetattr(driver.stream.fileno())[2]
        assert bool(flags & termios.CRTSCTS) is wanted
        driver.close()
