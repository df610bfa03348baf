# SPDX-License-Identifier: MIT
"""Selective repeat: what is on its way (Sender) and what has come (Receiver), reliably.

Rules: a sequence number has 8 bits and its low bits are its slot, so the window is a power of two
up to 64. A frame is lost when one sent after it is acknowledged, or when the timer of the oldest
one runs out: only the oldest, and the time doubles up to 16-fold. It has a ceiling, and so has
each round trip that counts: a clock that jumps must not make a live link wait. Nothing here knows
contents, checks or sessions; reset() starts a new one. All is made in __init__. Credits will live
here, too.
"""

from .port import const, copy
from .stats import Stats
from .ticks import MS_MAX, ticks_add, ticks_diff

# Of a frame on its way:
_ACKED = const(1)
_LOST = const(2)  # waits to be sent again
_REPEATED = const(4)  # sent more than once: tells nothing about the round trip
_TIMED = const(8)  # marked lost by the timer, perhaps wrongly
_QUIET = const(16)  # first after a pause: the peer acknowledges it promptly

_PROMPT_MS = const(5)  # an ack after a quiet period waits no longer than this
_FIRST_MS = const(300)  # the retransmission time while no round trip is known
_BACKOFF_MAX = const(4)  # doublings
_BITS_END = const(12)  # a null packet's bits: bytes 4..11


def quiet(then: int, now_ms: int, delay_ms: int) -> bool:  # hot:
    """Return whether more than four ack delays have passed since `then`."""
    then = ticks_diff(now_ms, then)
    return then < 0 or then > delay_ms << 2


class Sender:
    """Frames that were sent and are not acknowledged yet, one buffer each."""

    def __init__(self, slots: int, packet_size: int, stats: Stats) -> None:
        self.buffers = [bytearray(packet_size + 2) for _ in range(slots)]  # packet and check
        self.sizes = bytearray(slots)  # of the packets
        self._flags = bytearray(slots)
        self._sent = [0] * slots  # when last
        self._order = [0] * slots  # place of the last transmission among all, 16 bits
        self._sure = [0] * slots  # place of the earliest one that an ack may be for
        self._mask = slots - 1
        self._stats = stats
        self.reset(slots, 0, 0, 0)

    def reset(self, limit: int, peer_delay_ms: int, ceiling_ms: int, now_ms: int) -> None:
        """Forget all frames; have at most `limit` on their way, acked after `peer_delay_ms`.

        ceiling_ms: the longest wait for an ack.
        """
        self._limit = limit
        self._ceiling = ceiling_ms
        self._delay = peer_delay_ms
        # Sequence numbers of the oldest frame that is not acknowledged and of the next new one.
        self.base = self.next = 0
        self.lost = 0  # frames that wait to be sent again
        # Transmissions, 16 bits; doublings of the retransmission time; deviation of _trip, 1/4 ms.
        self._count = self._backoff = self._spread = 0
        # Smoothed round trip, 1/8 ms, and slot of the latest transmission that the running ack
        # confirms; -1 = there is none.
        self._trip = self._newest = -1
        self._timed_at = now_ms  # when the timer last ran out
        self._new_at = ticks_add(now_ms, MS_MAX)  # when the last new frame went: never

    def free(self) -> int:  # hot:
        """Return the slot for the next new packet, -1 while the window is full."""
        if (self.next - self.base) & 255 < self._limit:
            return self.next & self._mask
        return -1

    def add(self, i: int, size: int, now_ms: int) -> None:  # hot:
        """Take the packet of `size` bytes in the free slot `i`."""
        self._flags[i] = _QUIET if quiet(self._new_at, now_ms, self._delay) else 0
        self._new_at = now_ms
        self.sizes[i] = size
        self.buffers[i][2] = self.next
        self.next = (self.next + 1) & 255

    def again(self) -> int:  # hot:
        """Return the slot of the oldest frame that waits to be sent again, -1 if none does."""
        if not self.lost:
            return -1
        flags = self._flags
        i = self.base & self._mask
        while not flags[i] & _LOST:
            i = (i + 1) & self._mask
        flags[i] = flags[i] ^ _LOST | _REPEATED
        self.lost -= 1
        self._stats.count("tx_retransmit")
        return i

    def sent(self, i: int, now_ms: int) -> None:  # hot:
        """Note that slot `i` was handed to the wire."""
        self._count = (self._count + 1) & 0xFFFF
        self._order[i] = self._count
        if self._flags[i] & _TIMED:
            self._flags[i] ^= _TIMED  # an ack may still be for the transmission before
        else:
            self._sure[i] = self._count
        self._sent[i] = now_ms

    def acked(  # hot:
        self, packet: bytearray, at: int, end: int, now_ms: int
    ) -> None:
        """Take the ack in packet[at]: all before it came, and what the bits in [at+2:end] say."""
        self._newest = -1
        if not self._advance(packet[at]):
            return
        at += 2
        seq = self.base + 1
        while at < end and at < _BITS_END:
            self._pick(packet[at], seq)
            seq += 8
            at += 1
        if self._newest >= 0:
            self._backoff = 0
            self._measure(now_ms)
            self._find_lost()

    def _advance(self, ack: int) -> bool:  # hot:
        if (ack - self.base) & 255 > (self.next - self.base) & 255:
            return False  # older than what is known already
        while self.base != ack:
            self._confirm(self.base & self._mask)
            self.base = (self.base + 1) & 255
        return True

    def _pick(self, bits: int, seq: int) -> None:  # hot:
        while bits:
            if bits & 1 and (seq - self.base) & 255 < (self.next - self.base) & 255:
                self._confirm(seq & self._mask)
            bits >>= 1
            seq += 1

    def _confirm(self, i: int) -> None:  # hot:
        flags = self._flags[i]
        if flags & _ACKED:
            return
        if flags & _LOST:
            flags ^= _LOST
            self.lost -= 1
        self._flags[i] = flags | _ACKED
        if self._newest < 0 or (self._sure[i] - self._sure[self._newest]) & 0xFFFF < 0x8000:
            self._newest = i

    def _measure(self, now_ms: int) -> None:  # hot:
        if self._flags[self._newest] & _REPEATED:
            return
        trip = min(ticks_diff(now_ms, self._sent[self._newest]), self._ceiling)
        if self._trip < 0:
            self._trip = trip << 3
            self._spread = trip << 1
        else:
            trip -= self._trip >> 3
            self._trip += trip
            self._spread += abs(trip) - (self._spread >> 2)

    def _find_lost(self) -> None:  # hot:
        # What was last sent before the newest confirmed transmission will not come any more.
        seq = self.base
        while seq != self.next:
            i = seq & self._mask
            seq = (seq + 1) & 255
            if not self._flags[i] & (_ACKED | _LOST):
                if 0 < (self._sure[self._newest] - self._order[i]) & 0xFFFF < 0x8000:
                    self._flags[i] |= _LOST
                    self.lost += 1

    def expire(self, now_ms: int) -> int:  # hot:
        """Run the oldest frame's timer; return ms to its end, 0 = something is to be resent."""
        if self.lost:
            return 0
        if self.base == self.next:
            return MS_MAX
        i = self.base & self._mask
        wait = self._delay
        if self._flags[i] & _QUIET and (self.base + 1) & 255 == self.next:
            wait = _PROMPT_MS + 1
        if self._trip < 0:
            wait += _FIRST_MS
        else:
            wait += (self._trip >> 3) + max(self._spread, 2)
        wait = min(wait << self._backoff, self._ceiling) - self._since(i, now_ms)
        if wait > 0:
            return wait
        self._flags[i] |= _LOST | _TIMED
        self.lost = 1
        self._timed_at = now_ms
        if self._backoff < _BACKOFF_MAX:
            self._backoff += 1
        self._stats.count("tx_timeout")
        return 0

    def _since(self, i: int, now_ms: int) -> int:  # hot:
        # A timer that just ran out for another frame starts this one's anew.
        i = ticks_diff(now_ms, self._sent[i])
        now_ms = ticks_diff(now_ms, self._timed_at)
        return now_ms if 0 <= now_ms < i else i


class Receiver:
    """Brings frames into order and decides when to acknowledge."""

    def __init__(self, slots: int, packet_size: int, ack_delay_ms: int, stats: Stats) -> None:
        self._kept = [bytearray(packet_size) for _ in range(slots)]  # packets that came early
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
        # Sequence number of the next frame in order, which is the ack to send; frames that wait
        # for an earlier one.
        self.expected = self.stashed = 0
        self.told()
        self._due = now_ms  # when these want one
        self._came = ticks_add(now_ms, MS_MAX)  # when the last frame came: never

    def accept(  # hot:
        self, packet: bytearray, size: int, now_ms: int
    ) -> bool:
        """Return True if the packet is the next in order: handle it, then what kept() has."""
        ahead = (packet[2] - self.expected) & 255
        i = packet[2] & self._mask
        if ahead > self._mask or self._sizes[i]:
            self._stats.count("rx_duplicate")
            self.urgent = True
            return False
        if (self.stashed == 0) != (ahead == 0):
            self.urgent = True  # a gap opens or closes
        if not self._pending:
            self._due = self._delay
            if quiet(self._came, now_ms, self._delay):
                self._due = _PROMPT_MS
            self._due = ticks_add(now_ms, self._due)
        self._came = now_ms
        self._pending += 1
        if self._pending >= (2 if self.stashed else self._every):
            self.urgent = True
        if ahead:
            self._keep(packet, size)
            return False
        self.expected = (self.expected + 1) & 255
        return True

    def _keep(self, packet: bytearray, size: int) -> None:  # hot:
        i = packet[2] & self._mask
        copy(self._kept[i], 0, packet, 0, size)
        self._sizes[i] = size
        self.stashed += 1

    def kept(self) -> int:  # hot:
        """Return the size of the packet that is in order now, in `packet`; 0 = none."""
        i = self.expected & self._mask
        size = self._sizes[i]
        if size:
            self.packet = self._kept[i]
            self._sizes[i] = 0
            self.stashed -= 1
            self.expected = (self.expected + 1) & 255
        return size

    def ack_in(self, now_ms: int) -> int:  # hot:
        """Return ms until an ack is due; 0 or less = now, MS_MAX = none is."""
        if self.urgent:
            return 0
        return ticks_diff(self._due, now_ms) if self._pending else MS_MAX

    def bitmap(self, out: bytearray, at: int) -> int:  # hot:
        """Write which frames after the next one are here into out[at:]; return their end."""
        k = self._mask
        end = at + (k + 7 >> 3)
        out[end - 1] = 0
        while k:
            k -= 1
            # Eight of these make a byte new; the last byte, which may get fewer, was cleared.
            out[at + (k >> 3)] = out[at + (k >> 3)] << 1 & 255
            if self._sizes[(self.expected + 1 + k) & self._mask]:
                out[at + (k >> 3)] |= 1
        while not out[end - 1]:
            end -= 1
        return end

    def told(self) -> None:  # hot:
        """Note that the peer has been told all there is."""
        self._pending = 0  # frames since the last ack
        self.urgent = False  # an ack is wanted now
