# SPDX-License-Identifier: MIT
"""What the tests on CPython share: serial devices made of ptys, a Waiter, what drivers need."""

import importlib
import os
import pty
import sys
import time
import tty
import types

import pytest

from fake_link import FakeLink
from layout import ROOT
from limpet.port import Waiter, ticks_ms

LIMIT_S = 5  # nothing here takes so long, unless it is broken


class Pty:
    """A serial device of our own: `path` for the driver, `read` and `write` for the far end."""

    def __init__(self):
        self.master, self.slave = pty.openpty()
        self._open = [self.master, self.slave]
        tty.setraw(self.slave)
        os.set_blocking(self.master, False)
        self.path = os.ttyname(self.slave)

    def write(self, data):
        return os.write(self.master, data)

    def read(self, size):
        """Read exactly `size` bytes."""
        got = b""
        until = time.monotonic() + LIMIT_S
        while len(got) < size and time.monotonic() < until:
            try:
                got += os.read(self.master, size - len(got))
            except BlockingIOError:
                continue
        return got

    def close(self):
        """Unplug it; twice does no harm."""
        while self._open:
            os.close(self._open.pop())


@pytest.fixture
def make_line():
    """A function that makes serial devices, which are closed in the end."""
    made = []

    def make():
        made.append(Pty())
        return made[-1]

    yield make
    for line in made:
        line.close()


@pytest.fixture
def line(make_line):
    """A serial device."""
    return make_line()


@pytest.fixture
def link():
    """What a driver needs of a link."""
    link = FakeLink()
    link.idle_ms = 20
    return link


@pytest.fixture
def pump_until():
    """A function: runs the driver as a bus would, until done() or the limit."""

    def run(driver, waiter, done):
        until = time.monotonic() + LIMIT_S
        while not done():
            assert time.monotonic() < until, "took too long"
            now = ticks_ms()
            if not driver.pump(now):
                waiter.wait(driver.due(now), driver.writing)

    return run


@pytest.fixture
def waiter():
    """A Waiter of which this thread has had its first wait, which may return at once."""
    made = Waiter()
    made.wait(0, False)
    yield made
    made.close()


@pytest.fixture
def at_line():
    """A function: calls `function`, and come_in() before line `number` of what that runs.

    It returns False if there is no such line, and nobody came in.
    """

    def call(number, function, come_in):
        left = number

        def trace(frame, event, arg):
            nonlocal left
            if event == "line":
                left -= 1
                if left == -1:
                    come_in()
            return trace

        before = sys.gettrace()
        sys.settrace(trace)
        try:
            function()
        finally:
            sys.settrace(before)
        return left < 0

    return call


@pytest.fixture
def upy_port(monkeypatch):
    """A function: imports files of MicroPython's port, `modules` being there as on a board."""
    imported = []

    def load(*names, **modules):
        micropython = types.ModuleType("micropython")
        micropython.const = lambda x: x
        package = types.ModuleType("upy_port")
        package.__path__ = [str(ROOT / "ports/micropython/port")]
        for name, module in {"micropython": micropython, "upy_port": package, **modules}.items():
            monkeypatch.setitem(sys.modules, name, module)
        imported.extend(f"upy_port.{name}" for name in names)
        return [importlib.import_module(f"upy_port.{name}") for name in names]

    yield load
    for name in imported:
        sys.modules.pop(name, None)
