# SPDX-License-Identifier: MIT
"""Bad input end to end: a board's process on a real tty, and a host that meets it badly."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from limpet import BadName, Bus, NoReplier, NoReply
from limpet.rand import Random
from limpet.transport.pump import Driver
from limpet.transport.uart import UARTDriver
from test_limpet_neighbours import rewritten

BOARD = Path(__file__).parents[2] / "boards" / "unix" / "main.py"
NAME = "$.Sensors.Kitchen.Temperature"
LIMIT_S = 10  # nothing here takes so long, unless it hangs


class MasterDriver(Driver):
    """The far end of a pty as a line; `change` is called with each HELO that goes out."""

    def __init__(self, line):
        Driver.__init__(self, 115200)
        self.line = line
        self.change = None

    def _open(self):
        self.stream = self

    def fileno(self):
        return self.line.master

    def _close(self):
        pass

    def _read(self, buf):
        try:
            data = os.read(self.line.master, len(buf))
        except BlockingIOError:
            return 0
        buf[: len(data)] = data
        return len(data)

    def _write(self, buf, start, count):
        if self.change is None:
            return self.line.write(buf[start : start + count])
        self.line.write(rewritten(buf, start, count, self.change))
        return count


def start(path: str) -> "subprocess.Popen[str]":
    """Start a board's program on a tty."""
    return subprocess.Popen(
        [sys.executable, str(BOARD), path],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def said(process: "subprocess.Popen[str]") -> str:
    """Return what a process that ends by itself has printed."""
    try:
        return process.communicate(timeout=LIMIT_S)[0]
    finally:
        process.kill()


@pytest.fixture
def board(line) -> Iterator["subprocess.Popen[str]"]:
    """A board at the other end of `line`."""
    process = start(line.path)
    yield process
    process.kill()
    process.communicate()


@pytest.fixture
def make_bus() -> Iterator[object]:
    """A function that makes a bus, closed in the end."""
    made: list[Bus] = []

    def make(**options: object) -> Bus:
        made.append(Bus(**options))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for bus in made:
        bus.close()


def noise(size: int, seed: int) -> bytes:
    random = Random(seed)
    return bytes(random.below(256) for _ in range(size))


def call(bus: Bus, number: int) -> None:
    data = b"%04d" % number
    assert bus.ksock().call(NAME, data, 3000).data[:4] == data


def test_garbage_before_and_in_a_session(line, board, make_bus):
    """Garbage and cut frames either way cost frames, not the session, and are counted."""
    line.write(noise(3000, 1))
    bus = make_bus(node=1)
    limpet = bus.join(MasterDriver(line))
    bus.wait_for_replier(NAME, LIMIT_S * 1000)
    for i in range(20):
        call(bus, i)
        line.write(noise(1 + 13 * i, i))  # to the board, maybe without a delimiter at its end
        junk = bytearray(noise(1 + 29 * i, 100 + i) + b"\0")
        limpet.link.feed(junk, len(junk), bus.runner.now())
    assert limpet.link.stats.sessions == 1
    assert limpet.link.stats.rx_bad > 0
    assert limpet.stats.bad == 0
    assert board.poll() is None


def test_a_truncated_frame(line, board, make_bus):
    """Half a frame, then silence, then a whole one: only the first is lost."""
    bus = make_bus(node=1)
    driver = MasterDriver(line)
    limpet = bus.join(driver)
    bus.wait_for_replier(NAME, LIMIT_S * 1000)
    write = driver._write
    cut = []

    def half(buf, start, count):
        if not cut and count > 15:
            cut.append(count)
            line.write(buf[start : start + count // 2])
            return count
        return write(buf, start, count)

    driver._write = half
    call(bus, 1)
    assert cut
    assert limpet.link.stats.tx_retransmit >= 1
    assert limpet.link.stats.sessions == 1


def test_a_wrong_name(line, board, make_bus):
    """Every call that takes a name says at once what is wrong with it."""
    bus = make_bus(node=1)
    bus.join(MasterDriver(line))
    ks = bus.ksock()
    for name in ("Kitchen", "$.", "$.A..B", "$.A.", "$.*.A", "$.Ä", "", "$.A B"):
        for use in (ks.announce, ks.request, ks.call, ks.bind, bus.wait_for_replier):
            with pytest.raises(BadName) as caught:
                use(name)
            assert repr(name) in str(caught.value)
    with pytest.raises(BadName):
        ks.announce("$.A.*")
    with pytest.raises(BadName):
        ks.call("$.A.%")


def test_a_missing_tty(tmp_path):
    """The program ends at once and names the path; the host's exception does, too."""
    path = str(tmp_path / "ttyNone")
    process = start(path)
    text = said(process)
    assert process.returncode == 1
    assert path in text
    assert "Traceback" not in text
    with pytest.raises(OSError, match="ttyNone"):
        UARTDriver(path).open()


def test_a_join_that_fails_leaves_the_bus_as_it_was(tmp_path, make_bus):
    bus = make_bus(node=1, ksock_count=2)
    for _ in range(5):
        with pytest.raises(OSError, match="ttyNone"):
            bus.join(UARTDriver(str(tmp_path / "ttyNone")))
    assert bus.limpets == []
    ks = [bus.ksock(), bus.ksock()]
    ks[0].announce("$.A")
    assert bus.poll(bus.runner.now()) > 0


def test_a_port_in_use(line, make_bus):
    """A second program on the same tty ends at once, says so, and does not harm the first."""
    bus = make_bus(node=1)
    bus.join(UARTDriver(line.path))
    process = start(line.path)
    text = said(process)
    assert process.returncode == 1
    assert line.path in text and "use" in text
    assert "Traceback" not in text
    assert bus.limpets[0].driver.is_open


def test_the_same_node_id(line, board, make_bus):
    """The neighbour's own id: refused in words that say what to do; with another one it works."""
    bus = make_bus(node=1)
    limpet = bus.join(MasterDriver(line))
    bus.wait_for_replier(NAME, LIMIT_S * 1000)
    node = limpet.link.peer_node
    bus.close()
    twin = make_bus(node=node)
    limpet = twin.join(MasterDriver(line))
    before = time.monotonic()
    with pytest.raises(NoReplier) as caught:
        twin.wait_for_replier(NAME, 3500)
    assert time.monotonic() - before < LIMIT_S
    assert str(node) in str(caught.value) and "same node id" in str(caught.value)
    assert limpet.link.stats.helo_refused > 0
    with pytest.raises(NoReply):
        twin.ksock().call(NAME)
    twin.close()
    other = make_bus(node=2)
    other.join(MasterDriver(line))
    other.wait_for_replier(NAME, LIMIT_S * 1000)
    call(other, 1)


def test_another_protocol_version(line, board, make_bus):
    """The board goes on and counts; when the host is updated, they find each other."""

    def newer(packet):
        packet[2] = 99

    bus = make_bus(node=1)
    driver = MasterDriver(line)
    limpet = bus.join(driver)
    driver.change = newer
    with pytest.raises(NoReplier, match="down"):
        bus.wait_for_replier(NAME, 1000)
    assert limpet.link.stats.sessions == 0
    assert board.poll() is None
    driver.change = None
    bus.wait_for_replier(NAME, LIMIT_S * 1000)
    call(bus, 1)


def test_nobody_there(line, make_bus):
    """A line without anyone: every call ends, in time and in words."""
    bus = make_bus(node=1)
    bus.join(UARTDriver(line.path))
    before = time.monotonic()
    with pytest.raises(NoReplier, match="link 0 is down"):
        bus.wait_for_replier(NAME, 200)
    with pytest.raises(NoReplier):
        bus.ksock().call(NAME)
    assert bus.ksock().wait_for_msg(50) is None
    assert time.monotonic() - before < LIMIT_S


def test_the_board_is_killed_in_a_call(line, board, make_bus):
    """A call that is out ends by itself, in a status, within the silence limit."""
    bus = make_bus(node=1)
    bus.join(MasterDriver(line), silence_ms=500)
    bus.wait_for_replier(NAME, LIMIT_S * 1000)
    board.kill()
    board.wait()
    before = time.monotonic()
    with pytest.raises(NoReply) as caught:
        bus.ksock().call(NAME, b"0000", None)
    assert time.monotonic() - before < 3
    assert caught.value.status == "$.KBUS.Link.Lost"
    assert caught.value.executed == "unknown"
