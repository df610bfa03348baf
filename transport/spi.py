# SPDX-License-Identifier: MIT
"""The driver for SPI: one end is the controller, which clocks, the other one the peripheral.

Rule 1: bytes go in blocks of one size, both ways at once (spi_block.py, docs/spi.md).
Rule 2: the peripheral raises the attention line when a block of its own is ready and it has
something to tell; the line falls by itself when the exchange begins. So it also tells that the
peripheral has dealt with the block before.
Rule 3: the controller exchanges when the line is high; when it has something new and waits for no
answer; a little later when it waits for one and the line does not rise; and now and then in any
case. So an edge that got lost costs time, no more.
Rule 4: while nobody answers, the controller asks ever more rarely, at last every 50 ms.
Rule 5: an exchange takes block * 8 / baud seconds of the controller's time, as it is a call of
the platform's. Nothing else here waits.
"""

from ..port import const, copy, open_device
from ..ticks import ticks_add, ticks_diff
from .pump import Driver, merged
from .spi_block import Blocks

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any

_BAUD = const(1000000)
_BLOCK = const(64)
_HEAD = const(4)
_ROUNDS = const(4)  # exchanges of one pump(), at most
_POLL_MS = const(50)  # with an attention line
_BLIND_POLL_MS = const(2)  # without
_ANSWER_MS = const(4)  # after so long without attention, ask for the answer
_BLIND_ANSWER_MS = const(1)
_TRUST = const(3)  # after so many bad blocks, attention counts only if it has fallen and risen
_WAIT_MS = const(1000)  # the longest time between two exchanges
_DOUBLINGS = const(6)
_STUCK_MS = const(50)
_RENEW_MS = const(1000)  # so often, the peripheral begins anew to wait for the controller


class _Ends(Driver):
    """What both ends share."""

    def __init__(
        self,
        peripheral: bool,
        port: "str | dict[str, Any] | None",
        settings: "dict[str, Any]",
    ) -> None:
        settings = merged(port, settings)
        settings.setdefault("baud", _BAUD)
        self.blocks = Blocks(settings.pop("block", _BLOCK), peripheral)
        poll_ms = settings.pop("poll_ms", None)
        if poll_ms is not None and not 1 <= poll_ms <= 1000:
            raise ValueError("poll_ms is %d, it must be 1..1000" % poll_ms)
        Driver.__init__(self, settings["baud"])
        self.room_ms = _STUCK_MS  # only an exchange makes room
        self.exchanges = 0  # that were begun, modulo 2**30
        self._poll_ms: int | None = poll_ms
        self._settings = settings
        self._peripheral = peripheral

    def _open(self) -> None:
        self._settings["peripheral"] = self._peripheral
        self._settings["block"] = self.blocks.size
        self.stream = self._opened = open_device("spi", self._settings)
        self._begin()

    def _reopen(self) -> bool:
        if not self._opened.reopen():
            return False
        self.stream = self._opened
        self._begin()
        return True

    def _begin(self) -> None:
        raise NotImplementedError

    def _close(self) -> None:
        self._opened.close()

    def _write(self, buf: bytearray, start: int, count: int) -> int:  # hot:
        return self.blocks.put(buf, start, count)

    def _room(self) -> bool:  # hot:
        return self.blocks.has_room()

    def _count(self) -> None:  # hot:
        self.exchanges = self.exchanges + 1 & 0x3FFFFFFF

    def _took(self, buf: bytearray) -> int:  # hot:
        """Bring the data that came to the pump; return their count, -1 if no block came."""
        count = self.blocks.took()
        if count > 0:
            copy(buf, 0, self.blocks.into, _HEAD, count)
        return count


class SPIDriver(_Ends):
    """Joins a bus to a peripheral, as the controller.

    SPIDriver(board.LINK) with LINK = {"spi": 0, "sck": 18, "mosi": 19, "miso": 16, "cs": 17,
    "attention": 20, "baud": 1000000} on a board; on Linux SPIDriver("/dev/spidev0.0",
    attention="gpiochip0:25"). Without an attention line it asks every 2 ms. `block`: bytes of an
    exchange, 16..256, the same at both ends. `poll_ms`: how often to ask when there is nothing to
    say, 1..1000. `driver.blocks` counts good, bad, repeated and renumbered blocks.
    Bus.join opens the device, or open() before that: both raise OSError with a sentence on what
    to do.
    """

    def __init__(self, port: "str | dict[str, Any] | None" = None, **settings: "Any") -> None:
        _Ends.__init__(self, False, port, settings)
        self._now_ms = 0
        self._is_fresh = True  # nothing was exchanged since it was opened
        self._next_at = 0  # when to exchange at the latest
        self._failed = 0  # blocks in a row that were none
        self._has_fallen = False  # attention was seen low since the last exchange

    def _begin(self) -> None:
        wired = self._opened.wired
        if self._poll_ms is None:
            self._poll_ms = _POLL_MS if wired else _BLIND_POLL_MS
        self._answer_ms = _ANSWER_MS if wired else _BLIND_ANSWER_MS
        self._failed = 0
        self._is_fresh = True

    def pump(self, now_ms: int) -> bool:  # hot:
        """See Driver.pump: here up to four exchanges, as long as bytes move."""
        self._now_ms = now_ms
        if self._is_fresh:
            self._is_fresh = False
            self._next_at = now_ms
        left = _ROUNDS
        while left and Driver.pump(self, now_ms):
            left -= 1
        return left < _ROUNDS

    def due(self, now_ms: int) -> int:  # hot:
        """See Driver.due."""
        ms = Driver.due(self, now_ms)
        if self.is_open and ms:
            ms = min(ms, self._wait(now_ms))
        return ms

    def _read(self, buf: bytearray) -> int:  # hot:
        if self._wait(self._now_ms):
            return 0
        self._count()
        self.stream.exchange(self.blocks.build(), self.blocks.into)
        self._has_fallen = False
        count = self._took(buf)
        self._plan(count >= 0)
        return max(count, 0)

    def _wait(self, now_ms: int) -> int:  # hot:
        """Return the ms until the next exchange, as far as is known."""
        if not self.stream.attention():
            self._has_fallen = True
        elif self._has_fallen or self._failed < _TRUST:
            return 0
        left = ticks_diff(self._next_at, now_ms)
        if left <= 0 or (
            not self._failed and self.blocks.has_fresh() and not self.blocks.is_waiting()
        ):
            return 0
        return min(left, _WAIT_MS)

    def _plan(self, good: bool) -> None:  # hot:
        """Decide when to exchange again at the latest."""
        ms = self._poll_ms or 1
        if good:
            self._failed = 0
            if self.blocks.wants():
                ms = min(ms, self._answer_ms)
        else:
            # One that is there calls when it is ready again.
            ms = min(max(ms, _POLL_MS), self._answer_ms << self._failed)
            self._failed = min(self._failed + 1, _DOUBLINGS)
        self._next_at = ticks_add(self._now_ms, ms)


class SPIPeripheralDriver(_Ends):
    """Joins a bus to a controller, as the peripheral: on RP2040 and RP2350, by their PIO.

    SPIPeripheralDriver(board.LINK) with LINK = {"sck": 18, "mosi": 16, "miso": 19, "cs": 17,
    "attention": 20}: any pins. "pio": which PIO block, 0 if not said; it takes two of its state
    machines and 11 of its 32 instructions. `block` and `driver.blocks`: as in SPIDriver.
    """

    def __init__(self, port: "str | dict[str, Any] | None" = None, **settings: "Any") -> None:
        _Ends.__init__(self, True, port, settings)
        self._is_ready = False  # the device has a block of ours
        self._is_idle = False  # ... without data
        self._ready_at = 0

    def _begin(self) -> None:
        self._is_ready = False

    def pump(self, now_ms: int) -> bool:  # hot:
        """See Driver.pump: here what came in one exchange, and the block for the next one."""
        moved = Driver.pump(self, now_ms)
        if self.is_open and not self.stream.is_busy():
            self._prepare(now_ms)
        return moved

    def due(self, now_ms: int) -> int:  # hot:
        """See Driver.due."""
        ms = Driver.due(self, now_ms)
        if self.is_open and ms and (self.stream.has_ended() or not self._is_ready):
            return 1 if self.stream.is_busy() and not self.stream.has_ended() else 0
        return ms

    def _read(self, buf: bytearray) -> int:  # hot:
        if not self.stream.has_ended():
            return 0
        count = self.stream.end()
        if not self._is_ready:
            self.blocks.news = True  # the controller came too early: call it as soon as we can
            return 0
        self._is_ready = False
        taken = self._took(buf)
        if count > 1:
            self.blocks.news = True
        return max(taken, 0)

    def _prepare(self, now_ms: int) -> None:  # hot:
        """Give the device a block, or a better one than it has."""
        if self._is_ready:
            old = ticks_diff(now_ms, self._ready_at) >= _RENEW_MS
            if not (old or (self._is_idle and self.blocks.has_fresh())):
                return
            self.blocks.recall()
        wants = self.blocks.wants()
        block = self.blocks.build()
        self._is_idle = not block[3]
        self._is_ready = True
        self._ready_at = now_ms
        self._count()
        self.stream.begin(block, self.blocks.into, wants)
