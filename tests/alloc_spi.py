# SPDX-License-Identifier: MIT
"""What the allocation test calls of the SPI drivers.

Rule: a call leaves what it uses as it found it, so that it can be made any number of times.
"""

import sys

from alloc_transport import FakeLink
from limpet.port import NAME, copy
from limpet.transport import spi
from limpet.transport.spi import SPIDriver, SPIPeripheralDriver


class Near:
    """The device of a controller; the other one is `far`."""

    blocked = False
    wired = True

    def __init__(self, far):
        self.far = far
        self.lost = 0  # so many exchanges from now on are damaged

    def fileno(self):
        return -1

    def attention(self):
        return self.far.attention

    def exchange(self, out, into):
        self.far.pass_block(out, into)
        if self.lost:
            self.lost -= 1
            into[2] ^= 1


class Far:
    """The device of a peripheral."""

    blocked = False

    def __init__(self):
        self.attention = False
        self.ready = None
        self.into = None
        self.ended = 0
        self.low = False
        self.lost = 0

    def fileno(self):
        return -1

    def begin(self, out, into, attention):
        self.ready = out
        self.into = into
        self.attention = attention

    def pass_block(self, out, into):
        self.ended += 1
        self.attention = False
        if self.ready is not None:
            copy(into, 0, self.ready, 0, 64)
            copy(self.into, 0, out, 0, 64)
            self.ready = None
            if self.lost:
                self.lost -= 1
                self.into[2] ^= 1

    def has_ended(self):
        return self.ended > 0

    def end(self):
        count = self.ended
        self.ended = 0
        return count

    def is_busy(self):
        return self.ended > 0 or self.low


class Ends:
    """A controller's and a peripheral's driver with links that have frames when asked to."""

    def __init__(self):
        self.far = Far()
        self.near = Near(self.far)
        self.now_ms = 5
        self.links = (FakeLink(), FakeLink())
        self.drivers = (SPIDriver("near"), SPIPeripheralDriver("far"))
        usual = spi.open_device
        for driver, device, link in zip(self.drivers, (self.near, self.far), self.links):
            spi.open_device = lambda kind, settings, device=device: device
            driver.attach(link)
        spi.open_device = usual

    def turns(self, count):
        while count:
            count -= 1
            self.now_ms = self.now_ms + 1 & 0x3FFFFFFF
            for driver in self.drivers:
                driver.pump(self.now_ms)
                driver.due(self.now_ms)

    def frames(self):
        self.links[0].want = self.links[1].want = 6
        self.turns(40)
        assert self.links[0].want == self.links[1].want == 0

    def replaced(self):
        self.links[1].want = 2  # a block without data is ready, and is called back
        self.turns(40)

    def idle(self):
        self.turns(1100)

    def damaged(self):
        self.near.lost = 3
        self.far.lost = 2
        self.frames()
        self.turns(60)

    def early(self):
        self.links[0].want = 2
        for _ in range(9):
            self.now_ms = self.now_ms + 1 & 0x3FFFFFFF
            self.drivers[0].pump(self.now_ms)
        self.turns(60)

    def numbers(self):
        blocks = self.drivers[1].blocks
        blocks._expected = blocks._expected - 1 & 3  # as if that end had been reset
        self.frames()
        self.turns(60)
        assert self.drivers[0].blocks.renumbered


class FakeMachine:
    """As much of `machine` as a controller needs."""

    class Pin:
        IN = OUT = PULL_DOWN = IRQ_RISING = 1

        def __init__(self, number, mode=0, pull=0, value=0):
            self.handler = None

        def irq(self, handler, trigger=0):
            self.handler = handler

        def __call__(self, value=0):
            return 1

    class SPI:
        def __init__(self, number, **options):
            self.count = 0

        def write_readinto(self, out, into):
            self.count = (self.count + 1) & 255

        def deinit(self):
            pass


class Board:
    """The controller's device of the port on MicroPython, on a fake machine."""

    def __init__(self):
        usual = sys.modules.get("machine")
        sys.modules["machine"] = FakeMachine
        from limpet.port import open_device

        settings = {"spi": 0, "cs": 1, "sck": 2, "attention": 3, "block": 64, "peripheral": False}
        self.device = open_device("spi", settings)
        if usual is None:
            del sys.modules["machine"]
        else:
            sys.modules["machine"] = usual
        self.out = bytearray(64)
        self.into = bytearray(64)

    def use(self):
        device = self.device
        device._line.handler(device._line)
        assert device.pollable.ioctl(3, 1) == 1
        assert device.attention()
        assert device.pollable.ioctl(3, 1) == 0
        assert device.pollable.ioctl(4, 1) < 0
        device.exchange(self.out, self.into)


def calls():
    """Return (what, function) for each call to be made with the heap locked."""
    ends = Ends()
    found = [
        ("spi, frames both ways", ends.frames),
        ("spi, frames of the peripheral's", ends.replaced),
        ("spi, damaged blocks", ends.damaged),
        ("spi, nobody ready", ends.early),
        ("spi, an end that was reset", ends.numbers),
        ("spi, idle", ends.idle),
    ]
    if NAME == "micropython":
        found.append(("spi, device", Board().use))
    return found
