# SPDX-License-Identifier: MIT
"""Selective repeat, the sending side: frames on their way, and when one is lost.

Rules: a sequence number has 8 bits and its low bits are its slot, so the window is a power of two
up to 64. A frame is lost when one sent after it is acknowledged - where datagrams may overtake
each other: and some time has passed since it was sent - or when the timer of the oldest one runs
out: only the oldest, and the time doubles up to 16-fold. It has a ceiling, and so has each round
trip that counts: a clock that jumps must not make a live link wait. Without credit nothing is
sent, also not again, but from time to time the peer is asked for it. A peer that lives and lets
nothing through for 64 timers and 10 s is given up: the two do not agree on the numbers any more.
Nothing here knows contents, checks or sessions; reset() starts a new one. All is made in __init__.
Its partner: reception.py.
"""

from .port import const
from .stats import Stats
from .ticks import MS_MAX, ticks_add, ticks_diff

# Of a frame on its way:
_ACKED = const(1)
_LOST = const(2)  # waits to be sent again
_REPEATED = const(4)  # sent more than once: tells nothing about the round trip
_TIMED = const(8)  # marked lost by the timer, perhaps wrongly
_QUIET = const(16)  # first after a pause: the peer acknowledges it promptly

_JITTER_MS = const(10)
_PROMPT_MS = const(5)  # an ack after a quiet period waits no longer than this
_FIRST_MS = const(300)  # the retransmission time while no round trip is known
_BACKOFF_MAX = const(4)  # doublings
_BITS_END = const(12)  # a null packet's bits: bytes 4..11
_VAIN_MAX = const(64)
_VAIN_MS = const(10000)
_SPREAD_MAX = const(8)  # datagrams: times that the time for overtaking may grow


def quiet(then: int, now_ms: int, pause_ms: int) -> bool:  # hot:
    """Return whether more than `pause_ms` have passed since `then`."""
    then = ticks_diff(now_ms, then)
    return then < 0 or then > pause_ms


class Sender:
    """Frames that were sent and are not acknowledged yet, one buffer each."""

    def __init__(self, slots: int, buffer_size: int, stats: Stats, datagrams: bool) -> None:
        self.buffers = [bytearray(buffer_size) for _ in range(slots)]  # packet, and a count
        self.sizes = bytearray(slots)  # of the packets
        self._flags = bytearray(slots)
        self._sent = [0] * slots  # when last
        self._order = [0] * slots  # place of the last transmission among all, 16 bits
        self._sure = [0] * slots  # place of the earliest one that an ack may be for
        self._mask = slots - 1
        self._stats = stats
        self._datagrams = datagrams
        self.reset(slots, slots, 0, 0, 0)

    def reset(
        self, limit: int, places: int, peer_delay_ms: int, ceiling_ms: int, now_ms: int
    ) -> None:
        """Forget all frames; have at most `limit` on their way, acked after `peer_delay_ms`.

        places: those that the peer has. ceiling_ms: the longest wait for an ack.
        """
        self._limit = limit
        self._places = self._credit = places
        self.open = limit  # frames from `base` on that may be sent: what the peer has room for
        self._ceiling = ceiling_ms
        self._delay = peer_delay_ms
        # Frames further apart than its ack delay are acknowledged promptly; on their way they may
        # come closer to each other.
        self._pause = peer_delay_ms + _JITTER_MS
        # Sequence numbers of the oldest frame that is not acknowledged and of the next new one.
        self.base = self.next = 0
        self.lost = 0  # frames that wait to be sent again
        # Transmissions, 16 bits, and the place of the latest one that is confirmed; doublings of
        # the retransmission time; deviation of _trip, 1/4 ms.
        self._count = self._seen = self._backoff = self._spread = 0
        # Smoothed round trip, 1/8 ms, and slot of the latest transmission that the running ack
        # confirms; -1 = there is none.
        self._trip = self._newest = -1
        self._low = 0  # about the shortest round trip, without the peer's ack delay
        self._overtaken = 1  # datagrams: quarters of a round trip that one may come late
        self._doubtful = False  # datagrams: others have overtaken a frame that may still come
        self.probe = False  # the peer is to be asked for its credit
        # Timers that ran out while the peer let nothing through, and since when it has not.
        self._vain = 0
        self._moved_at = now_ms
        self._timed_at = now_ms  # when the timer last ran out
        self._new_at = ticks_add(now_ms, MS_MAX)  # when the last new frame went: never

    def free(self, reserve: int) -> int:  # hot:
        """Return the slot for the next new packet; -1 if no more than `reserve` are left."""
        if ((self.next - self.base) & 255) + reserve < self.open:
            return self.next & self._mask
        return -1

    def add(self, i: int, size: int, now_ms: int) -> None:  # hot:
        """Take the packet of `size` bytes in the free slot `i`."""
        self._flags[i] = _QUIET if quiet(self._new_at, now_ms, self._pause) else 0
        self._new_at = now_ms
        self.sizes[i] = size
        self.buffers[i][2] = self.next
        self.next = (self.next + 1) & 255

    def _first_lost(self) -> int:  # hot:
        """Return the slot of the first lost frame, -1 if the peer has no room for it now."""
        i = self.base
        while not self._flags[i & self._mask] & _LOST:
            i += 1
        return i & self._mask if i - self.base < self.open else -1

    def again(self) -> int:  # hot:
        """Return the slot of a frame that is to be sent once more now, -1 if there is none."""
        if not self.lost:
            return -1
        i = self._first_lost()
        if i >= 0:
            self._flags[i] = self._flags[i] ^ _LOST | _REPEATED
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
        """Take the ack in packet[at]: all before it came, and what the bits in [at+2:end] say.

        end: of a null packet, which tells the credit, too; 0: of another one, which does not.
        """
        if packet[at] == self.base and not end:
            return  # nothing new
        self._newest = -1
        if not self._advance(packet[at]):
            return
        if end:
            self._grant(packet[at + 1] if at + 1 < end else self._places, now_ms)
        at += 2
        seq = self.base + 1
        while at < end and at < _BITS_END:
            self._pick(packet[at], seq)
            seq += 8
            at += 1
        if self._newest >= 0:
            self._backoff = 0
            if (self._sure[self._newest] - self._seen) & 0xFFFF < 0x8000:
                self._seen = self._sure[self._newest]
            self._measure(now_ms)
            if self.base != self.next:
                self._find_lost(now_ms)

    def _grant(self, credit: int, now_ms: int) -> None:  # hot:
        self._credit = credit
        credit = min(credit, self._limit)
        if credit > self.open:
            self._vain = -1
        if (credit == 0) != (self.open == 0):
            self._backoff = 0
            self._timed_at = now_ms
        self.open = credit

    def _advance(self, ack: int) -> bool:  # hot:
        if (ack - self.base) & 255 > (self.next - self.base) & 255:
            return False  # older than what is known already
        while self.base != ack:
            self._confirm(self.base & self._mask)
            self.base = (self.base + 1) & 255
            self._vain = -1
            if 0 < self._credit < self._places:
                self._credit -= 1  # it counts from the ack that came with it
                self.open = min(self._credit, self._limit)
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
        self._low = min(self._low + 1, trip) if self._trip >= 0 else trip
        if self._trip < 0:
            self._trip = trip << 3
            self._spread = trip << 1
        else:
            trip -= self._trip >> 3
            self._trip += trip
            self._spread += abs(trip) - (self._spread >> 2)

    def _find_lost(self, now_ms: int) -> int:  # hot:
        """Mark what will not come any more; return ms until the next doubtful one is."""
        # What was last sent before the latest confirmed transmission will not come any more.
        wait = MS_MAX
        seq = self.base
        while seq != self.next:
            i = seq & self._mask
            seq = (seq + 1) & 255
            if not self._flags[i] & (_ACKED | _LOST):
                if 0 < (self._seen - self._order[i]) & 0xFFFF < 0x8000:
                    wait = min(wait, self._decide(i, now_ms))
        self._doubtful = wait < MS_MAX
        return wait

    def _decide(self, i: int, now_ms: int) -> int:  # hot:
        # Overtaken datagrams may still come: this is RFC 8985's rule, in ms.
        if self._datagrams:
            now_ms = ticks_diff(now_ms, self._sent[i])
            late = min(max(self._trip >> 5, 1) * self._overtaken, max(self._trip >> 3, 1))
            now_ms = (self._trip >> 3) + late - now_ms
            if now_ms > 0:
                return now_ms
        self._flags[i] |= _LOST
        self.lost += 1
        return MS_MAX

    def doubt(self, now_ms: int) -> None:  # hot:
        """Note that the peer repeats what was acknowledged.

        Our oldest frame, which told it so, is then lost, too, if it went a round trip ago.
        """
        i = self.base & self._mask
        if self.base != self.next and not self._flags[i] & (_ACKED | _LOST):
            if ticks_diff(now_ms, self._sent[i]) > self._low:
                self._flags[i] |= _LOST | _TIMED
                self.lost += 1

    def came_twice(self) -> None:  # hot:
        """Note that the peer got a frame more than once: give datagrams more time."""
        if self._overtaken < _SPREAD_MAX:
            self._overtaken += 1

    def expire(self, now_ms: int, wanted: bool) -> int:  # hot:
        """Run the timers; return ms to the next one's end, 0 = something is to be sent.

        wanted: something waits to be sent. Without credit, `probe` then tells to ask for it.
        """
        wait = self._find_lost(now_ms) if self._doubtful else MS_MAX
        if self.lost and self._first_lost() >= 0:
            return 0
        if self.base == self.next and (self.open or not wanted):
            return wait
        left = self._time() - self._since(now_ms)
        if left > 0:
            return min(wait, left)
        self._timed_at = now_ms
        if self._vain < 0:
            self._vain = 0
            self._moved_at = now_ms
        self._vain += 1
        if self._backoff < _BACKOFF_MAX:
            self._backoff += 1
        if self.open:
            self._flags[self.base & self._mask] |= _LOST | _TIMED
            self.lost += 1
            self._stats.count("tx_timeout")
        else:
            self.probe = True
        return 0

    def is_vain(self, now_ms: int) -> bool:  # hot:
        """Return whether the peer, though it lives, has not let anything through for too long."""
        return self._vain > _VAIN_MAX and ticks_diff(now_ms, self._moved_at) > _VAIN_MS

    def _time(self) -> int:  # hot:
        # How long the oldest frame, or the peer's credit, is waited for.
        wait = self._delay
        if self._flags[self.base & self._mask] & _QUIET and (self.base + 1) & 255 == self.next:
            wait = _PROMPT_MS + 1
        if self._trip < 0:
            wait += _FIRST_MS
        else:
            wait += (self._trip >> 3) + max(self._spread, 2)
        return min(wait << self._backoff, self._ceiling)

    def _since(self, now_ms: int) -> int:  # hot:
        # A timer that just ran out for another frame starts this one's anew.
        timed = ticks_diff(now_ms, self._timed_at)
        if self.open:
            now_ms = ticks_diff(now_ms, self._sent[self.base & self._mask])
            if not 0 <= timed < now_ms:
                timed = now_ms
        return timed if timed >= 0 else MS_MAX  # a clock has gone back
