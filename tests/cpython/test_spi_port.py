# SPDX-License-Identifier: MIT
"""SPI on Linux, on a kernel that is made up here; and on machine.SPI, on a made-up board.

Rule: the structures are those of linux/spi/spidev.h and linux/gpio.h, written down a second time
with ctypes, whose sizes make the numbers of the requests.
"""

import ctypes
import errno
import fcntl
import os
import select
import sys
import types

import pytest

from limpet.port import open_device

U8, U16, U32, U64 = ctypes.c_uint8, ctypes.c_uint16, ctypes.c_uint32, ctypes.c_uint64


def structure(*fields):
    return type("Made", (ctypes.Structure,), {"_fields_": fields})


Transfer = structure(
    *(("tx_buf", U64), ("rx_buf", U64), ("len", U32), ("speed_hz", U32)),
    *(("delay_usecs", U16), ("bits_per_word", U8), ("cs_change", U8), ("tx_nbits", U8)),
    *(("rx_nbits", U8), ("word_delay_usecs", U8), ("pad", U8)),
)
Attribute = structure(("id", U32), ("padding", U32), ("values", U64), ("mask", U64))
Request = structure(
    *(("offsets", U32 * 64), ("consumer", ctypes.c_char * 32), ("flags", U64)),
    *(("num_attrs", U32), ("padding", U32 * 5), ("attrs", Attribute * 10)),
    *(("num_lines", U32), ("event_buffer_size", U32), ("padding2", U32 * 5)),
    ("fd", ctypes.c_int32),
)
Values = structure(("bits", U64), ("mask", U64))


def number(direction, kind, index, size):
    """_IOC(): direction 1 write, 3 both."""
    return direction << 30 | size << 16 | kind << 8 | index


WRITE_MODE = number(1, ord("k"), 1, 1)
WRITE_BITS = number(1, ord("k"), 3, 1)
WRITE_SPEED = number(1, ord("k"), 4, 4)
MESSAGE = number(1, ord("k"), 0, ctypes.sizeof(Transfer))
GET_LINE = number(3, 0xB4, 7, ctypes.sizeof(Request))
GET_VALUES = number(3, 0xB4, 0x0E, ctypes.sizeof(Values))


class Kernel:
    """One spidev whose peripheral answers with `reply`, and one gpiochip with pipes as lines."""

    def __init__(self, folder):
        self.device = folder / "spidev0.0"
        self.device.touch()
        self.chip = folder / "gpiochip0"
        self.chip.touch()
        self.reply = b""
        self.clocked = []
        self.settings = {}
        self.transfer = None
        self.requests = []
        self.level = 0
        self.edges = None  # where to write an event
        self.refuse = {}  # number of a request: errnos, one after the other
        self.gone = False

    def ioctl(self, fd, what, argument):
        if self.refuse.get(what):
            code = self.refuse[what].pop(0)
            raise OSError(code, os.strerror(code))
        if what in (WRITE_MODE, WRITE_BITS, WRITE_SPEED):
            self.settings[what] = int.from_bytes(argument, sys.byteorder)
        elif what == MESSAGE:
            if self.gone:
                raise OSError(errno.ESHUTDOWN, "gone")
            self.transfer = made = Transfer.from_buffer_copy(argument)
            self.clocked.append(ctypes.string_at(made.tx_buf, made.len))
            ctypes.memmove(made.rx_buf, self.reply, made.len)
        elif what == GET_LINE:
            made = Request.from_buffer(argument)
            self.requests.append(Request.from_buffer_copy(argument))
            made.fd, self.edges = os.pipe()
        elif what == GET_VALUES:
            made = Values.from_buffer(argument)
            assert made.mask == 1
            made.bits = self.level
        else:
            raise AssertionError(hex(what))

    def rise(self):
        self.level = 1
        os.write(self.edges, bytes(48))


@pytest.fixture
def kernel(tmp_path, monkeypatch):
    made = Kernel(tmp_path)
    monkeypatch.setattr(fcntl, "ioctl", made.ioctl)
    yield made
    if made.edges is not None:
        os.close(made.edges)


def settings(kernel, **more):
    given = {"port": str(kernel.device), "attention": f"{kernel.chip}:25", "baud": 2000000}
    return dict(given, block=64, peripheral=False, **more)


def is_readable(device):
    poller = select.poll()
    poller.register(device.fileno(), select.POLLIN)
    return bool(poller.poll(0))


def test_exchange(kernel):
    device = open_device("spi", settings(kernel))
    assert kernel.settings == {WRITE_MODE: 0, WRITE_BITS: 8, WRITE_SPEED: 2000000}
    into = bytearray(64)
    for turn in range(3):
        kernel.reply = bytes((turn + i) & 255 for i in range(64))
        out = bytearray((7 * turn + i) & 255 for i in range(64))
        device.exchange(out, into)
        assert kernel.clocked[-1] == out and into == kernel.reply
    made = kernel.transfer
    assert (made.len, made.speed_hz, made.bits_per_word) == (64, 2000000, 8)
    assert (made.delay_usecs, made.cs_change, made.tx_nbits, made.rx_nbits) == (0, 0, 0, 0)
    assert not device.blocked
    device.close()
    device.close()


def test_attention(kernel):
    device = open_device("spi", settings(kernel))
    made = kernel.requests[-1]
    assert (made.offsets[0], made.num_lines, made.consumer) == (25, 1, b"limpet")
    assert made.flags == 1 << 2 | 1 << 4 | 1 << 9, "input, rising edge, pull down"
    assert device.wired and not device.attention() and not is_readable(device)
    kernel.rise()
    assert is_readable(device)
    assert device.attention() and not is_readable(device)
    assert device.attention()
    kernel.level = 0
    assert not device.attention()
    device.close()
    assert device.fileno() == -1


def test_a_chip_without_pull_down(kernel):
    kernel.refuse[GET_LINE] = [errno.EOPNOTSUPP]
    device = open_device("spi", settings(kernel))
    assert kernel.requests[-1].flags == 1 << 2 | 1 << 4
    device.close()


def test_without_a_line(kernel):
    given = settings(kernel)
    del given["attention"]
    device = open_device("spi", given)
    assert not device.wired and not device.attention() and device.fileno() == -1
    device.close()


def test_gone_and_back(kernel):
    device = open_device("spi", settings(kernel))
    kernel.gone = True
    with pytest.raises(OSError):
        device.exchange(bytearray(64), bytearray(64))
    device.close()
    kernel.device.unlink()
    with pytest.raises(OSError):
        device.reopen()
    kernel.device.touch()
    kernel.gone = False
    os.close(kernel.edges)
    assert device.reopen()
    kernel.reply = bytes(64)
    device.exchange(bytearray(64), bytearray(64))
    device.close()


def test_refusals(kernel):
    def why(**more):
        with pytest.raises((OSError, ValueError)) as caught:
            open_device("spi", dict(settings(kernel), **more))
        return caught.value

    assert "Linux cannot be an SPI peripheral" in str(why(peripheral=True))
    assert 'need a "port"' in str(why(port=None))
    assert "no such settings for an spidev: cs" in str(why(cs=5))
    assert "must be like gpiochip0:25" in str(why(attention="25"))
    e = why(port="/dev/spidev9.9")
    assert e.errno == errno.ENOENT and "is SPI enabled" in str(e)
    e = why(attention="gpiochip99:1")
    assert e.errno == errno.ENOENT and "no /dev/gpiochip99" in str(e)
    first = open_device("spi", settings(kernel))
    e = why()
    assert e.errno == errno.EAGAIN and "in use by another program" in str(e)
    first.close()
    for what, code, text in (
        (WRITE_MODE, errno.ENOTTY, "is not an spidev"),
        (WRITE_SPEED, errno.EINVAL, "try a lower baud"),
        (GET_LINE, errno.EBUSY, "is in use"),
        (WRITE_BITS, errno.EIO, "cannot open"),
    ):
        kernel.refuse = {what: [code] * 2}
        e = why()
        assert e.errno == code and text in str(e), str(e)
    kernel.refuse = {GET_LINE: [errno.EINVAL, errno.EINVAL]}
    assert "is no line of that chip" in str(why())


def test_no_file_is_left_open(kernel):
    before = len(os.listdir("/proc/self/fd"))
    for code in (errno.EBUSY, errno.EINVAL):
        kernel.refuse = {GET_LINE: [code] * 2}
        with pytest.raises(OSError):
            open_device("spi", settings(kernel))
    assert len(os.listdir("/proc/self/fd")) == before


class Machine:
    """As much of a board as the controller uses; remembers what it is asked to do."""

    def __init__(self):
        self.done = done = []
        machine = self

        class Pin:
            IN, OUT, PULL_DOWN, IRQ_RISING = "in", "out", "down", "rising"

            def __init__(self, number, mode=None, pull=None, value=None):
                self.number = number
                self.level = value
                machine.pins[number] = self
                done.append((number, mode, pull))

            def __call__(self, level=None):
                if level is None:
                    return self.level
                done.append((self.number, level))

            def irq(self, handler, trigger=None):
                self.handler = handler

        class SPI:
            def __init__(self, number, **options):
                if number > 1:
                    raise ValueError("no such SPI")
                done.append((number, options))

            def write_readinto(self, out, into):
                done.append(bytes(out))
                into[:] = out[::-1]

            def deinit(self):
                done.append("deinit")

        self.pins = {}
        self.module = types.ModuleType("machine")
        self.module.Pin = Pin
        self.module.SPI = SPI


@pytest.fixture
def upy(upy_port):
    """The port's file for MicroPython, with a machine."""
    machine = Machine()
    (module,) = upy_port("spi", machine=machine.module)
    return module, machine


def test_machine_spi(upy):
    module, machine = upy
    given = {"spi": 1, "sck": 10, "mosi": 11, "miso": 12, "cs": 13, "attention": 14}
    device = module.open_spi(dict(given, baud=4000000, bits=8, block=4, peripheral=False))
    number, options = next(d for d in machine.done if d[0] == 1)
    assert (options["baudrate"], options["polarity"], options["phase"]) == (4000000, 0, 0)
    assert (options["sck"].number, options["miso"].number, options["bits"]) == (10, 12, 8)
    assert "block" not in options and "cs" not in options and "peripheral" not in options
    assert (13, "out", None) in machine.done and machine.pins[13].level == 1
    assert (14, "in", "down") in machine.done
    del machine.done[:]
    into = bytearray(4)
    device.exchange(bytearray(b"abcd"), into)
    assert machine.done == [(13, 0), b"abcd", (13, 1)] and into == b"dcba"
    line = machine.pins[14]
    line.level = 0
    assert device.pollable.ioctl(3, 1) == 0 and not device.attention()
    line.level = 1
    line.handler(line)
    assert device.pollable.ioctl(3, 1) == 1
    assert device.attention() and device.pollable.ioctl(3, 1) == 0
    device.close()
    device.close()
    assert machine.done.count("deinit") == 1 and line.handler is None
    assert device.reopen()
    line = machine.pins[14]
    for _ in range(5000):
        line.handler(line)
    assert device.pollable.count == 1000, "it never becomes an int that takes memory"


def test_machine_spi_refusals(upy, monkeypatch):
    module, machine = upy
    with pytest.raises(OSError, match="no such SPI on this board"):
        module.open_spi({"spi": 7, "cs": 1, "block": 64, "peripheral": False})
    with pytest.raises(OSError, match="only RP2040 and RP2350"):
        pins = {"sck": 1, "mosi": 2, "miso": 3, "cs": 4, "attention": 5}
        module.open_spi(dict(pins, block=64, peripheral=True))
    monkeypatch.setitem(sys.modules, "machine", None)
    with pytest.raises(OSError, match="no SPI here"):
        module.open_spi({"spi": 0, "cs": 1, "block": 64, "peripheral": False})
