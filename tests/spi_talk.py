# SPDX-License-Identifier: MIT
"""A controller's and a peripheral's driver with real links, on the wires of spi_model.py.

Rules: time is virtual, in us; chance comes from the seed. Each end takes a turn when it says that
it is due, after an exchange, or when attention rises, `work_us` later; an exchange takes the time
of its clocks.
"""

from limpet.link import Link
from limpet.rand import Random
from limpet.ticks import ticks_add
from limpet.transport import spi
from limpet.transport.spi import SPIDriver, SPIPeripheralDriver
from spi_model import Wires

START_MS = 0x3FFFFFFF - 700  # every run crosses the wrap


def opened(driver, device):
    """Open a driver on a device of the model."""
    given = []

    def open_device(kind, settings):
        given.append((kind, settings))
        return device

    usual = spi.open_device
    spi.open_device = open_device
    try:
        driver.open()
    finally:
        spi.open_device = usual
    return given


class App:
    """A client that sends numbered payloads, and checks each that comes."""

    def __init__(self, size=200):
        self.size = size
        self.active = True
        self.sent = 0
        self.bytes = 0  # that came
        self.last = -1  # number of the last one that came
        self.wrong = 0  # payloads that nobody sent like this
        self.missing = 0  # jumps forward: what a session's end has cost
        self.again = 0  # numbers that came before: never
        self.sessions = 0

    def payload(self, number, size):
        """Return what is sent as this number; it begins with the number and its size."""
        head = number.to_bytes(4, "big") + size.to_bytes(1, "big")
        return head + bytes([number * 7 + i & 255 for i in range(size - 5)])

    def ready(self):
        return self.active

    def fill(self, buf, start, end):
        if not self.active:
            return 0
        data = self.payload(self.sent, min(self.size, end - start))
        self.sent += 1
        buf[start : start + len(data)] = data
        return len(data)

    def receive(self, buf, start, end):
        data = bytes(buf[start:end])
        number = int.from_bytes(data[:4], "big")
        if data != self.payload(number, len(data)):
            self.wrong += 1
            return
        if number <= self.last:
            self.again += 1
        elif number > self.last + 1:
            self.missing += 1
        self.last = number
        self.bytes += len(data)

    def connected(self):
        self.sessions += 1

    def disconnected(self):
        pass


class Talk:
    """Two ends: 0 is the controller, 1 the peripheral."""

    def __init__(self, seed=1, block=64, baud=1000000, work_us=300, **faults):
        self.wires = Wires(seed, **faults)
        self.random = Random(seed)
        self.block = block
        self.baud = baud
        self.work_us = work_us
        self.now_us = 0
        self.apps = [App(), App()]
        self.drivers = [None, None]
        self.links = [None, None]
        self.wake = [0, 0]
        self.restart(0)
        self.restart(1)

    def restart(self, i):
        """Put a fresh program at one end, as a reset does."""
        made = (SPIDriver, SPIPeripheralDriver)[i]("here", baud=self.baud, block=self.block)
        device = (self.wires.controller, self.wires.peripheral)[i]
        device.reopen()
        opened(made, device)
        random = self.random
        self.links[i] = Link(11 + i, random.next(), Random(random.next()), self.apps[i], window=16)
        made.attach(self.links[i])
        self.drivers[i] = made
        self.wake[i] = self.now_us

    def now(self):
        return ticks_add(START_MS, self.now_us // 1000)

    def step(self):
        """Let the end that is due first take its turn."""
        i = 0 if self.wake[0] <= self.wake[1] else 1
        self.now_us = max(self.now_us, self.wake[i])
        clocks = self.wires.clocks
        driver = self.drivers[i]
        driver.pump(self.now())
        clocks = self.wires.clocks - clocks
        self.now_us += clocks * 1000000 // self.baud
        ms = driver.due(self.now())
        self.wake[i] = self.now_us + max(self.work_us, ms * 1000)
        if clocks:
            self.wake[1] = min(self.wake[1], self.now_us + self.work_us)
        if self.wires.attention:
            self.wake[0] = min(self.wake[0], self.now_us + self.work_us // 4)

    def run(self, ms):
        """Let `ms` pass."""
        until = self.now_us + 1000 * ms
        while min(self.wake) < until:
            self.step()
        self.now_us = until

    def until(self, condition, limit_ms=10000):
        """Run until `condition()`; return False if it did not come true within `limit_ms`."""
        until = self.now_us + 1000 * limit_ms
        while not condition():
            if self.now_us > until:
                return False
            self.step()
        return True

    def up(self):
        """Return whether both ends are in a session."""
        return self.links[0].state == 1 and self.links[1].state == 1

    def settles(self, limit_ms=10000):
        """Stop the senders; return whether all that was sent comes within the time."""
        for app in self.apps:
            app.active = False
        return self.until(self.all_came, limit_ms)

    def all_came(self):
        """Return whether the last payload of each end has come at the other one."""
        a, b = self.apps
        return a.last == b.sent - 1 and b.last == a.sent - 1

    def harm(self):
        """Return how many payloads came that were not sent like this, or came before."""
        return sum(app.wrong + app.again for app in self.apps)
