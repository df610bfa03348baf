# SPDX-License-Identifier: MIT
"""The driver for every byte stream: a UART, a serial device, a pty, a TCP connection.

Rule: what differs between platforms is in port.open_device; here is what a stream's answers mean.
"""

from ..port import const, open_device
from .pump import Driver, merged

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any

    from ..link import Link
    from ..port import Waiter

_BAUD = const(115200)
_QUEUED_MAX = const(256)  # bytes in the system's queue up to which a new frame is built

_GONE = const(-5)  # -EIO


class UARTDriver(Driver):
    """Joins a bus to a byte stream.

    UARTDriver("/dev/ttyACM0"), UARTDriver("socket://host:7000") on a host, or
    UARTDriver(socket=connected), a stream socket that is ours from then on; on a board
    UARTDriver(board.LINK) with LINK = {"uart": 0, "tx": 0, "rx": 1, "baud": 115200}. Flow control:
    rtscts=True on a host, pins "rts" and "cts" on a board. Other settings go to pyserial or
    machine.UART. Bus.join opens the device, or open() before that: both raise OSError with a
    sentence on what to do.
    """

    def __init__(
        self, port: "str | dict[str, Any] | None" = None, baud: int = _BAUD, **settings: "Any"
    ) -> None:
        settings = merged(port, settings)
        settings.setdefault("baud", baud)
        Driver.__init__(self, settings["baud"])
        self._settings = settings

    def attach(self, link: "Link", waiter: "Waiter | None" = None) -> None:
        """Do as Driver.attach does; where bytes come with an interrupt, that wakes the bus."""
        Driver.attach(self, link, waiter)
        self._notify()

    def _use(self) -> None:
        Driver._use(self)
        self._notify()

    def _notify(self) -> None:
        if self._waiter is not None:
            self.stream.notify(self._waiter.wake)

    def _open(self) -> None:
        self.stream = self._opened = open_device("uart", self._settings)

    def _reopen(self) -> bool:
        if not self._opened.reopen():
            return False
        self.stream = self._opened
        return True

    def _close(self) -> None:
        self._opened.close()

    def _read(self, buf: bytearray) -> int:  # hot:
        n: int | None = self.stream.readinto(buf)
        if n is None:
            return 0
        return n or _GONE  # 0 is the end: hung up

    def _write(self, buf: bytearray, start: int, count: int) -> int:  # hot:
        n: int = self.stream.write(buf, start, count) or 0
        self.stream.blocked = n < count
        return n

    def _room(self) -> bool:  # hot:
        queued: int = self.stream.queued()
        return queued < _QUEUED_MAX
