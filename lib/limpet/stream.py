# SPDX-License-Identifier: MIT
"""The reliable channel over a wire that is reliable itself: numbers only, no acks, no repeats.

Rules: the two classes stand in for those of window.py and reception.py, with the same calls; what
has no meaning here does nothing. A number that is not the next one means that the wire is not what
it was said to be: the session ends. What can't be handed over is kept, one packet, and no more is
taken from the wire until it is (`paused`): so the wire itself holds the sender back.
"""

from .port import copy
from .stats import Stats
from .ticks import MS_MAX


class StreamSender:
    """Gives each packet the next number, in one buffer."""

    open = 1
    lost = 0
    probe = False

    def __init__(self, buffer_size: int) -> None:
        self.buffers = [bytearray(buffer_size)]
        self.sizes = bytearray(1)
        self.base = self.next = 0

    def reset(
        self, limit: int, places: int, peer_delay_ms: int, ceiling_ms: int, now_ms: int
    ) -> None:
        """Begin with number 0."""
        self.base = self.next = 0

    def free(self, reserve: int) -> int:
        """Return the slot for the next new packet."""
        return 0

    def add(self, i: int, size: int, now_ms: int) -> None:
        """Take the packet of `size` bytes in the buffer."""
        self.sizes[0] = size
        self.buffers[0][2] = self.next
        self.base = self.next = (self.next + 1) & 255

    def again(self) -> int:
        """Return -1: nothing is sent again."""
        return -1

    def sent(self, i: int, now_ms: int) -> None:
        """Do nothing."""

    def acked(self, packet: bytearray, at: int, end: int, now_ms: int) -> None:
        """Do nothing."""

    def came_twice(self) -> None:
        """Do nothing."""

    def doubt(self, now_ms: int) -> None:
        """Do nothing."""

    def is_vain(self, now_ms: int) -> bool:
        """Return False: nothing is sent again."""
        return False

    def expire(self, now_ms: int, wanted: bool) -> int:
        """Return MS_MAX: there are no timers."""
        return MS_MAX


class StreamReceiver:
    """Sees that numbers follow each other."""

    expected = 0
    next = 0  # not `expected` while a packet is kept
    stashed = 0
    urgent = False
    twice = False

    def __init__(self, packet_size: int, stats: Stats) -> None:
        self.packet = bytearray(packet_size)
        self._stats = stats
        self.reset(1, 0)

    def reset(self, window: int, now_ms: int) -> None:
        """Expect number 0."""
        self._number = self._size = self.next = 0
        self.paused = False
        self.broken = False  # a number was not the next one

    def accept(self, packet: bytearray, size: int, now_ms: int, room: bool) -> bool:
        """Take a packet; return True if it is to be handed over now."""
        if self.broken or packet[2] != self._number:
            self.broken = True
            self._stats.count("rx_dropped")
            return False
        self._number = (self._number + 1) & 255
        if not room:
            copy(self.packet, 0, packet, 0, size)
            self._size = size
            self.paused = True
            self.next = 1
        return room

    def kept(self) -> int:
        """Return the size of the packet, in `packet`, that is to be handed over; 0 = none."""
        return self._size

    def done(self) -> None:
        """Let go of what kept() has found."""
        self._size = self.next = 0
        self.paused = False

    def ack_in(self, now_ms: int) -> int:
        """Return MS_MAX: there are no acks."""
        return MS_MAX

    def tell(self) -> int:
        """Return what stands where others have their ack."""
        return 0

    def is_plain(self) -> bool:
        """Return True: there is nothing to tell."""
        return True

    def describe(self, out: bytearray, at: int) -> int:
        """Return `at`: there is nothing to describe."""
        return at

    def asked(self) -> None:
        """Do nothing."""

    def told(self) -> None:
        """Do nothing."""
