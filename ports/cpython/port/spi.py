# SPDX-License-Identifier: MIT
"""SPI on Linux, as the controller: /dev/spidev for the blocks, a line of a gpiochip for attention.

Both by ioctl, with nothing but the standard library: the few requests that it takes have been
stable for longer than any package that wraps them, and such a package has to be compiled where
there is a board. The addresses that the kernel wants are those of arrays.

Rules: an exchange takes as long as its bits; nothing else here blocks. Every refusal of open_spi
says what to do about it. Numbers of requests are those of x86, Arm and RISC-V.
"""

import array
import errno
import fcntl
import os
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# linux/spi/spidev.h
_WRITE_MODE = 0x40016B01  # uint8
_WRITE_BITS = 0x40016B03  # uint8
_WRITE_SPEED = 0x40046B04  # uint32
_MESSAGE = 0x40206B00  # one struct spi_ioc_transfer:
_TRANSFER = struct.Struct("=QQIIHBBBBBB")  # tx, rx, size, speed, delay, bits, cs_change, ...
# linux/gpio.h, version 2
_GET_LINE = 0xC250B407  # struct gpio_v2_line_request: offsets, consumer, flags, ..., fd
_REQUEST = struct.Struct("=64I32sQI260xII20xi")
_GET_VALUES = 0xC010B40E  # struct gpio_v2_line_values: bits, mask
_VALUES = struct.Struct("=QQ")
_INPUT_RISING = 1 << 2 | 1 << 4
_PULL_DOWN = 1 << 9
_EVENTS_SIZE = 48 * 16


class Controller:
    """An spidev, and the attention line if there is one: the shape that ports/README.md tells."""

    def __init__(self, settings: "dict[str, Any]") -> None:
        self.blocked = False  # there is never anything to wait for before an exchange
        self.wired = settings.get("attention") is not None
        self._settings = settings
        self._fd = -1
        self._line = -1
        size = settings["block"]
        self._out = array.array("B", bytes(size))
        self._into = array.array("B", bytes(size))
        self._values = bytearray(_VALUES.size)
        self._transfer = _TRANSFER.pack(
            self._out.buffer_info()[0], self._into.buffer_info()[0],
            *(size, settings.get("baud", 1000000), 0, 8, 0, 0, 0, 0, 0),
        )  # fmt: skip
        self.reopen()

    def reopen(self) -> bool:
        """Open it, again after close(). This never takes long: True, or OSError."""
        try:
            self._fd = os.open(self._settings["port"], os.O_RDWR | os.O_CLOEXEC)
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            fcntl.ioctl(self._fd, _WRITE_MODE, bytes((self._settings.get("mode", 0),)))
            fcntl.ioctl(self._fd, _WRITE_BITS, bytes((8,)))
            speed = struct.pack("=I", self._settings.get("baud", 1000000))
            fcntl.ioctl(self._fd, _WRITE_SPEED, speed)
            if self.wired:
                self._line = _open_line(*_chip_and_offset(self._settings["attention"]))
        except OSError:
            self.close()
            raise
        return True

    def fileno(self) -> int:
        """Return the file number that is readable after the line has risen, -1 without a line."""
        return self._line

    def exchange(self, out: bytearray, into: bytearray) -> None:
        """Clock out all of `out` while `into`, of the same size, is filled."""
        memoryview(self._out)[:] = out
        fcntl.ioctl(self._fd, _MESSAGE, self._transfer)
        into[:] = self._into.tobytes()

    def attention(self) -> bool:
        """Return whether the peripheral calls."""
        if not self.wired:
            return False
        try:
            os.read(self._line, _EVENTS_SIZE)  # first: an edge from now on is for the next sleep
        except BlockingIOError:
            pass
        _VALUES.pack_into(self._values, 0, 0, 1)
        fcntl.ioctl(self._line, _GET_VALUES, self._values)
        return bool(_VALUES.unpack(self._values)[0] & 1)

    def close(self) -> None:
        """Close it; twice does no harm."""
        for fd in (self._fd, self._line):
            if fd >= 0:
                os.close(fd)
        self._fd = self._line = -1


def open_spi(settings: "dict[str, Any]") -> Controller:
    """Open {"port": "/dev/spidev0.0", "attention": "gpiochip0:25", "baud": 1000000}.

    "attention" may be missing; "mode": bits of SPI_IOC_WR_MODE, 0 unless said. The device is then
    ours alone. Raises OSError with a sentence on what to do, ValueError for settings that cannot
    be.
    """
    if settings["peripheral"]:
        raise OSError(
            errno.ENODEV,
            "Linux cannot be an SPI peripheral: let it be the controller, with SPIDriver",
        )
    port = settings.get("port")
    if not isinstance(port, str) or not port:
        raise ValueError('settings need a "port": the path of an spidev, as /dev/spidev0.0')
    unknown = set(settings) - {"port", "attention", "baud", "block", "mode", "peripheral"}
    if unknown:
        raise ValueError(f"no such settings for an spidev: {', '.join(sorted(unknown))}")
    attention = settings.get("attention")
    if attention is not None:
        _chip_and_offset(attention)
    try:
        return Controller(settings)
    except OSError as e:
        raise _explained(port, attention, e) from None


def _chip_and_offset(text: str) -> "tuple[str, int]":
    """Take gpiochip0:25 or /dev/gpiochip0:25 apart."""
    chip, colon, offset = str(text).rpartition(":")
    if not colon or not chip or not offset.isdigit():
        raise ValueError(f"attention is {text!r}, it must be like gpiochip0:25")
    return chip if "/" in chip else "/dev/" + chip, int(offset)


def _open_line(chip: str, offset: int) -> int:
    """Return a file number for one input line: readable after it has risen."""
    fd = os.open(chip, os.O_RDWR | os.O_CLOEXEC)
    try:
        # Not every chip has a pull-down; the line has one of its own, then (docs/spi.md).
        for flags in (_INPUT_RISING | _PULL_DOWN, _INPUT_RISING):
            request = bytearray(_REQUEST.pack(offset, *[0] * 63, b"limpet", flags, 0, 1, 0, -1))
            try:
                fcntl.ioctl(fd, _GET_LINE, request)
                break
            except OSError as e:
                if flags == _INPUT_RISING or e.errno == errno.EBUSY:
                    raise OSError(e.errno, os.strerror(e.errno or 0), chip) from None
    finally:
        os.close(fd)
    line: int = _REQUEST.unpack(request)[-1]
    os.set_blocking(line, False)
    return line


def _explained(port: str, attention: "str | None", e: OSError) -> OSError:
    """Return an OSError whose text says what is wrong and what to do."""
    number = e.errno or errno.EIO
    name = e.filename or port
    if name != port:
        what = {
            errno.ENOENT: f"no {name}: is the chip's name right? gpiodetect lists them",
            errno.EACCES: f"no permission for {name}: join the group that owns it (often gpio)",
            errno.EBUSY: f"the line {attention} is in use: by another program or a driver",
            errno.EINVAL: f"{attention} is no line of that chip: gpioinfo lists them",
        }
    else:
        what = {
            errno.ENOENT: f"no {port}: is SPI enabled in the device tree, is the name right?",
            errno.EACCES: f"no permission for {port}: join the group that owns it (often spi)",
            errno.EAGAIN: f"{port} is in use by another program: close that one first",
            errno.ENOTTY: f"{port} is not an spidev",
            errno.EINVAL: f"{port} refuses the speed or the mode: try a lower baud",
        }
    return OSError(number, what.get(number, f"cannot open {name}: {os.strerror(number)}"))
