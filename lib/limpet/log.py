# SPDX-License-Identifier: MIT
"""A log: the announcements for one set of listening Ksocks, kept once for all of them.

Rules: names with the same listeners share a log. It is a chain of slots from `head` to `tail`;
each Ksock that is *attached* reads it with a cursor of its own, so an announcement costs the same
for one listener and for ten. A Ksock is attached to one log at most; what comes to it otherwise is
pushed into its ring, and ring entries are always older than what it has not read in its log.
Before anything else is pushed, what it has not read moves from the log into the ring (settle in
queue.py). `limit` is how far the log may grow without looking at anyone; it is 0 when somebody has
to be looked at: a listener that is not attached, or that has no room. The log holds one reference
to each of its slots; as long as nobody else does and all are plain (not `mixed`), what was read is
freed in one piece.
"""

from .port import const
from .slots import Mark

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from .hot import Hot
    from .pool import Pool
    from .slots import Slot

_FAR = const(0x10000000)  # numbers of a log begin anew above this


class Log:
    """Made by Bindings, one for each set of Ksocks that listen to the same names."""

    def __init__(self, pool: "Pool", readers: "tuple[Hot, ...]") -> None:
        self.readers = readers
        self.end = 0  # number of the newest slot
        self.limit = 0
        self.first = Mark()  # stands in front of the first slot when all is read
        self.head: Mark = self.first  # the oldest slot that a cursor may stand on
        self.tail: Mark = self.first
        self.names = 0  # Names that use it
        self.mixed = False  # some slot is also elsewhere, or not plain
        self.heard = False  # somebody attached listens to the message at hand
        self.joiner: Hot | None = None  # who is to be attached behind it
        self.active = False  # in the pool's chain of logs
        self.following: Log | None = None  # ... and there the next one
        self._pool = pool

    def activate(self) -> None:  # hot:
        """Enter the pool's chain, so that slots are taken back from here when they run out."""
        if not self.active:
            self.active = True
            self.following = self._pool.logs
            self._pool.logs = self

    def append(self, slot: "Slot") -> None:  # hot:
        """Add a slot; its reference to it is the caller's business."""
        if slot.flags or slot.refs > 2:  # not only the sender's and ours
            self.mixed = True
        self.end += 1
        slot.seq = self.end
        self.tail.next = slot
        self.tail = slot
        self.activate()

    def renew(self) -> None:  # hot:
        """Free what every reader has passed, and find how far the log may grow.

        Who has no room is detached. Who calls it appends next, or sees to `active`.
        """
        if self.end > _FAR:
            self.scatter()
        low = self.end
        limit = _FAR + _FAR
        for hot in self.readers:
            if hot.log is not self:
                limit = 0
                continue
            room = hot.room()
            if room <= 0:
                hot.detach()
                limit = 0
                continue
            if hot.cursor.seq < low:
                low = hot.cursor.seq
            if self.end + room < limit:
                limit = self.end + room
        self._free(low)
        self.limit = limit if self._pool.serial < self._pool.serial_stop else 0

    def _free(self, low: int) -> None:  # hot:
        # Free the slots before number `low`; that one too if it is the last and nobody views it.
        if low < self.end or self.is_viewed(self.tail):
            while self.head.seq < low:
                self._cut(low)
            return
        while self.head is not self.tail:
            self._cut(low)
        if self.tail is not self.first:
            self._pool.put(self.tail)  # type: ignore[arg-type]
        self.head = self.tail = self.first
        self.first.seq = self.end
        self.first.next = None
        self.mixed = False
        for hot in self.readers:
            if hot.log is self:
                hot.cursor = self.first

    def _cut(self, low: int) -> None:  # hot:
        # Free from the head on: one slot, or, if all are as announce() left them, all at once.
        slot = self.head
        if slot is self.first or self.mixed:
            self.head = slot.next  # type: ignore[assignment]
            if slot is not self.first:
                self._pool.put(slot)  # type: ignore[arg-type]
            return
        last = slot
        while slot.seq < low:
            last = slot
            slot = slot.next  # type: ignore[assignment]
        last.next = self._pool.free
        self._pool.free = self.head  # type: ignore[assignment]
        self.head = slot

    def is_viewed(self, slot: Mark) -> bool:  # hot:
        """Does a view show that slot, at its Ksock's cursor?"""
        for hot in self.readers:
            if hot.log is self and hot.cursor is slot and hot.viewing:
                return True
        return False

    def scatter(self) -> None:  # hot:
        """Empty the log: its readers take what they have not read into their rings."""
        for hot in self.readers:
            if hot.log is self:
                hot.detach()
        self._free(self.end)
        self.end = self.first.seq = 0
        self.limit = 0
