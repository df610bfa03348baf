# SPDX-License-Identifier: MIT
"""SPI on MicroPython: the controller on machine.SPI; the peripheral is in spi_rp2.py.

Rules: nothing here allocates once the device is open. `machine` and `rp2` are imported only when
a device is opened. Every refusal to open says what to do about it.
"""

import io
import select

from micropython import const

_MP_STREAM_POLL = const(3)
_COUNT_MAX = const(1000)
_EINVAL = const(22)
_ENODEV = const(19)


class Edge(io.IOBase):
    """Counts interrupts, and is readable until `count` is set to 0: what ends a Waiter's sleep."""

    def __init__(self):
        self.count = 0
        self.add = self._add  # bound once: an interrupt handler must not allocate

    def _add(self, cause):  # hot:
        if self.count < _COUNT_MAX:
            self.count += 1

    def ioctl(self, request, arg):  # hot:
        if request != _MP_STREAM_POLL:
            return -_EINVAL
        return arg & select.POLLIN if self.count else 0


class Controller:
    """A machine.SPI, a pin that selects the peripheral, and the attention line if there is one."""

    def __init__(self, settings):
        self.blocked = False  # there is never anything to wait for before an exchange
        self.wired = settings.get("attention") is not None
        self.pollable = Edge()
        self._settings = settings
        self._spi = None
        self.reopen()

    def reopen(self):
        """Open it, again after close(). This never takes long: True, or OSError."""
        import machine

        settings = self._settings
        options = {"baudrate": settings.get("baud", 1000000), "polarity": 0, "phase": 0}
        for key in settings:
            if key == "sck" or key == "mosi" or key == "miso":
                options[key] = machine.Pin(settings[key])
            elif key not in ("spi", "cs", "attention", "baud", "block", "peripheral"):
                options[key] = settings[key]
        self._select = machine.Pin(settings["cs"], machine.Pin.OUT, value=1)
        try:
            self._spi = machine.SPI(settings["spi"], **options)
        except ValueError as e:
            raise OSError(_ENODEV, "no such SPI on this board, or not on these pins: %s" % e)
        if self.wired:
            pin = machine.Pin(settings["attention"], machine.Pin.IN, machine.Pin.PULL_DOWN)
            pin.irq(self.pollable.add, machine.Pin.IRQ_RISING)
            self._line = pin
        return True

    def exchange(self, out, into):  # hot:
        """Clock out all of `out` while `into`, of the same size, is filled."""
        self._select(0)
        self._spi.write_readinto(out, into)
        self._select(1)

    def attention(self):  # hot:
        """Return whether the peripheral calls."""
        if not self.wired:
            return False
        self.pollable.count = 0
        return self._line() == 1

    def close(self):
        """Close it; twice does no harm."""
        if self._spi is not None:
            self._spi.deinit()
            self._spi = None
            if self.wired:
                self._line.irq(None)


def open_spi(settings):
    """Open one end of an SPI; settings["peripheral"] tells which.

    Controller: {"spi": 0, "sck": 18, "mosi": 19, "miso": 16, "cs": 17, "attention": 20, "baud":
    1000000}; "attention" may be missing, the rest goes to machine.SPI. Peripheral: see
    spi_rp2.py. Raises OSError with a sentence on what to do, ValueError for missing settings.
    """
    peripheral = settings["peripheral"]
    needed = ("sck", "mosi", "miso", "cs", "attention") if peripheral else ("spi", "cs")
    for key in needed:
        if settings.get(key) is None:
            raise ValueError('settings need "%s"' % '", "'.join(needed))
    try:
        if not peripheral:
            return Controller(settings)
        from .spi_rp2 import Peripheral

        return Peripheral(settings)
    except ImportError:
        raise OSError(
            _ENODEV,
            "only RP2040 and RP2350 can be the peripheral: join as the controller here"
            if peripheral
            else "no SPI here: a board has one, Linux under CPython, too",
        )
