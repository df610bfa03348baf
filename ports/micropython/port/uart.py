# SPDX-License-Identifier: MIT
"""Byte streams on MicroPython: machine.UART on a board, a tty file on the Unix VM.

Rules: nothing here blocks or allocates once the stream is open. None means "not now", 0 from
readinto that the other end has gone, an OSError that the device has. `machine` is imported only
for a board's UART and ffi only for a tty. Every refusal to open says what to do about it.
"""

import os

from micropython import const

_O_RDWR = const(2)
_O_NOCTTY = const(0x100)
_O_NONBLOCK = const(0x800)
_LOCK_EX_NB = const(6)
_TIOCOUTQ = const(0x5411)
_RXBUF = const(1024)
_TXBUF = const(256)  # short on purpose: what is in it can no longer be overtaken by urgent frames

_EAGAIN = const(11)
_ENODEV = const(19)
_EINVAL = const(22)


class UARTStream:
    """An open port: the shape that every port gives a byte stream (ports/README.md)."""

    def __init__(self, opener, settings):
        self._opener = opener
        self._settings = settings
        self.blocked = False  # set by the driver while bytes wait for room; read by the Waiter
        self.reopen()

    def reopen(self):
        """Open it, again after close(). Here that never takes long: True, or OSError."""
        # queued(): bytes that were taken and are not on the line yet; 0: cannot tell
        # notify(wake): have wake() called when bytes come, if there is an interrupt for that
        file, self._close, self.queued, self.notify = self._opener(self._settings)
        self.pollable = file  # what select.poll takes
        self.readinto = (
            file.readinto
        )  # readinto(buf): None: nothing now, 0: the other end has gone
        self.write = file.write  # write(buf, start, count): how many were taken; None: none now
        return True

    def close(self):
        """Close it; twice does no harm."""
        self._close()


def open_uart(settings):
    """Open a UART: {"uart": 0, "tx": 0, "rx": 1, "baud": 115200}, on Unix {"port": "/dev/.."}.

    With "rts" or "cts", pins too, the UART heeds them. The rest of `settings` goes to machine.UART
    (rxbuf: bytes that may wait while nobody reads, 1024 unless said). Raises OSError with a
    sentence on what to do.
    """
    if "uart" in settings:
        return UARTStream(_open_machine, settings)
    port = settings.get("port")
    if not isinstance(port, str) or not port:
        raise ValueError('settings need a "uart" (its number) or a "port" (a tty\'s path)')
    return UARTStream(_open_tty, settings)


def _none_queued():
    return 0


def _no_interrupt(wake):
    pass


class _Bell:
    """Rings when bytes have come: an interrupt tells sooner than the next look would."""

    def __init__(self, uart):
        self._uart = uart
        self._wake = None

    def notify(self, wake):
        self._wake = wake
        for name in ("IRQ_RXIDLE", "IRQ_RX", "RX_ANY"):
            trigger = getattr(self._uart, name, 0)
            if trigger:
                try:
                    self._uart.irq(self._ring, trigger)
                    return
                except (TypeError, ValueError, OSError):
                    pass  # the name is known, but not to this UART

    def _ring(self, uart):
        self._wake()


def _open_machine(settings):
    import machine

    options = {"rxbuf": _RXBUF, "txbuf": _TXBUF, "timeout": 0, "timeout_char": 0}
    flow = 0
    for key in settings:
        if key == "tx" or key == "rx" or key == "rts" or key == "cts":
            options[key] = machine.Pin(settings[key])
        elif key == "baud":
            options["baudrate"] = settings[key]
        elif key != "uart":
            options[key] = settings[key]
    try:
        # Pins alone do nothing: the UART has to be told to look at them.
        if "rts" in settings:
            flow |= machine.UART.RTS
        if "cts" in settings:
            flow |= machine.UART.CTS
        if flow:
            options.setdefault("flow", flow)
        uart = machine.UART(settings["uart"], **options)
    except AttributeError:
        raise OSError(_ENODEV, "no flow control on this board: leave rts and cts out")
    except (TypeError, ValueError) as e:
        raise OSError(_ENODEV, "no such UART on this board, or not on these pins: %s" % e)
    notify = _Bell(uart).notify if hasattr(uart, "irq") else _no_interrupt
    return uart, uart.deinit, _none_queued, notify


class _TTY:
    """A tty of the Unix VM, opened through the C library: non-blocking and never our terminal."""

    def __init__(self, port, baud):
        import ffi

        libc = ffi.open("libc.so.6")
        self._open = libc.func("i", "open", "si")
        self._flock = libc.func("i", "flock", "ii")
        self._ioctl = libc.func("i", "ioctl", "ilp")
        self._queued = bytearray(4)
        self.fd = self._open(port, _O_RDWR | _O_NOCTTY | _O_NONBLOCK)
        if self.fd < 0:
            raise _explained(port)
        self.file = open(self.fd, "r+b")
        if self._flock(self.fd, _LOCK_EX_NB) < 0:
            self._fail(
                OSError(_EAGAIN, port + " is in use by another program: close that one first")
            )
        try:
            _set_raw(self.fd, baud)
        except OSError:
            self._fail(OSError(_EINVAL, port + " is not a serial device"))

    def _fail(self, e):
        self.file.close()
        raise e

    def queued(self):  # hot:
        if self._ioctl(self.fd, _TIOCOUTQ, self._queued) < 0:
            return 0
        return self._queued[0] | self._queued[1] << 8

    def close(self):
        if self.fd >= 0:
            self.fd = -1
            self.file.close()


def _open_tty(settings):
    try:
        tty = _TTY(settings["port"], settings.get("baud", 115200))
    except ImportError:
        raise OSError(
            _ENODEV, 'no tty files on this board: give {"uart": number, "tx": .., "rx": ..}'
        )
    return tty.file, tty.close, tty.queued, _no_interrupt


def _set_raw(fd, baud):
    """Set raw mode, where a read that finds nothing says so, and the speed if the VM knows it."""
    import termios

    termios.setraw(fd)
    speed = getattr(termios, "B%d" % baud, None)
    if speed is not None:
        attributes = termios.tcgetattr(fd)
        attributes[4] = attributes[5] = speed
        termios.tcsetattr(fd, termios.TCSANOW, attributes)


def _explained(port):
    """Return an OSError whose text says why `port` does not open."""
    number = os.errno()
    if number == 2:
        text = "no device %s: is it plugged in, is the name right?"
    elif number == 13 or number == 1:
        text = "no permission for %s: join the group that owns it (often dialout)"
    elif number == 21:
        text = "%s is not a serial device"
    elif number == 16:
        text = "%s is in use by another program: close that one first"
    else:
        text = "cannot open %s"
    return OSError(number, text % port)
