# SPDX-License-Identifier: MIT
"""Selective repeat, the receiving side: order, acks, and credit.

Rules: as in window.py. Acknowledged means that a frame is here, in order; whether it has been
handed over is another matter. What could not be handed over yet stays in its slot and takes credit
from the peer, who is told when the credit ends and when much of it is back. A frame for which no
credit was given is dropped.
"""

from .port import const, copy
from .stats import Stats
from .ticks import MS_MAX, ticks_add, ticks_diff
from .window import quiet

_PROMPT_MS = const(5)  # an ack after a quiet period waits no longer than this


class Receiver:
    """Brings frames into order, keeps what can't be handed over, decides when to acknowledge."""

    paused = False  # nothing more may be fed now: never, the credit sees to it
    broken = False  # the numbers make no sense: never, order is made here

    def __init__(self, slots: int, packet_size: int, ack_delay_ms: int, stats: Stats) -> None:
        self._kept = [bytearray(packet_size) for _ in range(slots)]  # packets that wait
        self._sizes = bytearray(slots)  # of these, 0 = none
        self._mask = slots - 1
        self._delay = ack_delay_ms
        self._stats = stats
        self.packet = self._kept[0]  # what kept() has found
        self.reset(slots, 0)

    def reset(self, window: int, now_ms: int) -> None:
        """Expect a new session's first frame, with at most `window` frames on their way."""
        for i in range(self._mask + 1):
            self._sizes[i] = 0
        self._every = max(1, min(4, window // 4))  # frames per ack
        # Sequence numbers of the next frame to be handed over and of the next one to come in
        # order, which is the ack to send; frames that wait for an earlier one.
        self.next = self.expected = self.stashed = 0
        self.twice = False  # a frame has come twice since the last null packet
        self._told = self._mask + 1  # the credit that the peer knows
        self.told()
        self._due = now_ms  # when these want one
        self._came = ticks_add(now_ms, MS_MAX)  # when the last frame came: never

    def accept(  # hot:
        self, packet: bytearray, size: int, now_ms: int, room: bool
    ) -> bool:
        """Take a packet; return True if it is to be handed over now, before what kept() has.

        room: there is room for it where it goes; otherwise it is kept until there is.
        """
        ahead = (packet[2] - self.next) & 255
        if ahead > self._mask or self._sizes[packet[2] & self._mask]:
            self._refuse(ahead)
            return False
        ahead = (packet[2] - self.expected) & 255
        if (self.stashed == 0) != (ahead == 0):
            self.urgent = True  # a gap opens or closes
        self._count(now_ms)
        if ahead:
            self.stashed += 1
        elif room and self.next == self.expected:
            self.next = self.expected = (self.expected + 1) & 255
            if self.stashed:
                self._join()
            return True
        self._keep(packet, size)
        if not ahead:
            self.stashed += 1
            self._join()
            self._look()
        return False

    def _keep(self, packet: bytearray, size: int) -> None:  # hot:
        i = packet[2] & self._mask
        copy(self._kept[i], 0, packet, 0, size)
        self._sizes[i] = size

    def _refuse(self, ahead: int) -> None:  # hot:
        # Had before, or sent although there was no credit for it.
        self.urgent = True
        if self._mask < ahead < 128:
            self._stats.count("rx_dropped")
            return
        self.twice = True
        self._stats.count("rx_duplicate")

    def _count(self, now_ms: int) -> None:  # hot:
        if not self._pending:
            self._due = self._delay
            if quiet(self._came, now_ms, self._delay):
                self._due = _PROMPT_MS
            self._due = ticks_add(now_ms, self._due)
        self._came = now_ms
        self._pending += 1
        if self._pending >= (2 if self.stashed else self._every):
            self.urgent = True

    def _join(self) -> None:  # hot:
        # What lay behind a gap is in order now, as far as the next one.
        while self.stashed and self._sizes[self.expected & self._mask]:
            self.expected = (self.expected + 1) & 255
            self.stashed -= 1

    def kept(self) -> int:  # hot:
        """Return the size of the packet, in `packet`, that is next to be handed over; 0 = none."""
        if self.next == self.expected:
            return 0
        i = self.next & self._mask
        self.packet = self._kept[i]
        return self._sizes[i]

    def done(self) -> None:  # hot:
        """Let go of what kept() has found."""
        self._sizes[self.next & self._mask] = 0
        self.next = (self.next + 1) & 255
        self._look()

    def _look(self) -> None:  # hot:
        # Tell the credit when it ends, and when much of it is back.
        more = self._credit() - self._told
        if more and (not self._told or more + self._told == 0 or more << 1 > self._mask):
            self.urgent = True

    def _credit(self) -> int:  # hot:
        return self._mask + 1 - ((self.expected - self.next) & 255)

    def ack_in(self, now_ms: int) -> int:  # hot:
        """Return ms until an ack is due; 0 or less = now, MS_MAX = none is."""
        if self.urgent:
            return 0
        return ticks_diff(self._due, now_ms) if self._pending else MS_MAX

    def tell(self) -> int:  # hot:
        """Return the ack for another packet to carry; if that says it all, it counts as told."""
        if not self.stashed and self.next == self.expected and self._told > self._mask:
            self._pending = 0
            self.urgent = False
        return self.expected

    def is_plain(self) -> bool:  # hot:
        """Return whether the ack alone says it all: no gap, and the credit is as ever."""
        return not self.stashed and self._told > self._mask and self.next == self.expected

    def describe(self, out: bytearray, at: int) -> int:  # hot:
        """Write credit and what has come after the next one into out[at:]; return the end."""
        out[at] = self._told = self._credit()
        return self._bitmap(out, at + 1) if self.stashed else at + 1

    def _bitmap(self, out: bytearray, at: int) -> int:  # hot:
        k = self._mask
        end = at + (k + 7 >> 3)
        out[end - 1] = 0
        while k:
            k -= 1
            # Eight of these make a byte new; the last byte, which may get fewer, was cleared.
            out[at + (k >> 3)] = out[at + (k >> 3)] << 1 & 255
            if self._is_here((self.expected + 1 + k) & 255):
                out[at + (k >> 3)] |= 1
        while not out[end - 1]:
            end -= 1
        return end

    def _is_here(self, seq: int) -> bool:  # hot:
        return (seq - self.next) & 255 <= self._mask and self._sizes[seq & self._mask] > 0

    def asked(self) -> None:  # hot:
        """Have the next ack tell the credit, whatever it is."""
        self._told = 0
        self.urgent = True

    def told(self) -> None:  # hot:
        """Note that the peer has been told all there is."""
        self._pending = 0  # frames since the last ack
        self.urgent = False  # an ack is wanted now
