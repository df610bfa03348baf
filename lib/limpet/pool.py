# SPDX-License-Identifier: MIT
"""The pool of a bus: its free slots, how one is taken back when there are none, and the numbers of
messages.

Rules: slots run out gracefully. What all readers of a log have passed is taken back first; then,
if the pool may grow, it does; then the oldest message that only listeners still hold goes, and
each of them counts it as missed. What is `held` never goes.
"""

from .log import Log
from .port import buffer, const
from .slots import PARKED, Slot

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from .events import Events
    from .hot import Hot
    from .port import Waiter

_SERIAL_MAX = const(0x3FFFFFFF)


class Pool:
    """The free slots, how one is taken back when there are none, and the numbers of messages."""

    def __init__(self, count: int, size: int, count_max: int) -> None:
        self.count = 0
        self.count_max = count_max  # it may grow up to this
        self.size = size
        self.free: Slot | None = None
        self.serial = 0  # number given last: 1..2**30-1
        self.serial_stop = 0  # from here on next_serial() has to look
        self.reads = 0  # see stamp()
        self.hots: list[Hot] = []  # all Ksocks of the bus, in the order of their ids
        self.logs: Log | None = None  # chain of the logs that have slots
        self.dropped = 0  # messages dropped to make room
        self.watch: Waiter | None = None  # to be woken when a queue that blocks gets room
        self.roomy = False  # one got some in the middle of something: wake_senders() at the poll
        self.no_log = Log(self, ())  # of names without listeners and of Ksocks on no log
        self.pushed = Log(self, ())  # of names that some Ksock listens to more than once
        self.no_log.limit = self.pushed.limit = -1
        self.events: Events | None = None  # once binds are reported
        self.slots: list[Slot] = []
        self._grow(count)

    def _grow(self, count: int) -> None:
        size = self.size
        data = buffer(count * size)
        for i in range(count):
            slot = Slot(data[i * size : i * size + size])
            slot.next = self.free
            self.free = slot
            self.slots.append(slot)
            self.count += 1
        self.serial_stop = 0  # it depends on `count`

    def _may_grow(self) -> bool:
        # Make more slots, unless there are all; once the memory does not suffice, never again.
        if self.count >= self.count_max:
            return False
        try:
            self._grow(min(self.count, self.count_max - self.count))
        except (MemoryError, OSError):
            self.count_max = self.count
        return True

    # Numbers of messages

    # Short ways take the next number unseen while it is below `serial_stop`, which is so far from
    # the first number that is not free that what the logs let through meanwhile does no harm: no
    # more announcements than there are slots, as slots come back only when a log is renewed.

    def next_serial(self) -> int:  # hot:
        """Return the next number of this bus: 1..2**30-1, never one of a request that is out."""
        if self.serial >= self.serial_stop:
            log = self.logs
            while log is not None:
                log.limit = 0  # from now on every send has to come here
                log = log.following
            self._renumber()
        self.serial += 1
        return self.serial

    def stamp(self) -> int:  # hot:
        """Return a running number, wraps at 2**30: what was read or came from elsewhere when."""
        self.reads = (self.reads + 1) & _SERIAL_MAX
        return self.reads

    def _renumber(self) -> None:  # hot:
        # After a wrap the numbers of old requests may lie ahead: step over them.
        if self.serial >= _SERIAL_MAX:
            self.serial = 0
        while self._is_out(self.serial + 1):
            self.serial = self.serial + 1 if self.serial + 1 < _SERIAL_MAX else 0
        end = _SERIAL_MAX
        for slot in self.slots:
            if slot.kind == PARKED and slot.reply_net == 0:
                if self.serial < slot.reply_serial <= end:
                    end = slot.reply_serial - 1
        self.serial_stop = end - self.count

    def _is_out(self, serial: int) -> bool:  # hot:
        for slot in self.slots:
            if slot.carries(serial):
                return True
        return False

    # Free slots

    def free_count(self) -> int:  # hot:
        """Return how many slots are free, after all that nobody needs has been taken back."""
        self._settle()
        count = 0
        slot = self.free
        while slot is not None:
            count += 1
            slot = slot.next
        return count

    def _has(self, count: int) -> bool:  # hot:
        slot = self.free
        while count and slot is not None:
            count -= 1
            slot = slot.next
        return count == 0

    def can(self, count: int) -> bool:  # hot:
        """Tell whether need(count) would do; drops nothing. Cost: O(slots) when short."""
        if self._has(count):
            return True
        self.renew()  # what all have read is free without anybody leaving a log
        if self._has(count):
            return True
        if self.count_max > self.count:  # so many more can be made
            count -= self.count_max - self.count
            if count <= 0:
                return True
        self._settle()
        for slot in self.slots:
            if slot.held == 0:  # free, or with listeners only
                count -= 1
                if count == 0:
                    return True
        return False

    def need(self, count: int) -> bool:  # hot:
        """Make sure that `count` slots are free, dropping old listeners' copies.

        False if it can't be.
        """
        if self._has(count):
            return True
        self.renew()
        while not self._has(count) and self._may_grow():
            pass
        if not self._has(count):
            self._settle()
        while not self._has(count):
            if not self._drop_oldest():
                return False
        return True

    def get(self) -> Slot:  # hot:
        """Take a free slot, with one reference that holds it; only after need()."""
        slot = self.free
        assert slot is not None
        self.free = slot.next
        slot.next = None
        slot.held = 1
        slot.seq = self.serial
        return slot

    def wake_senders(self) -> None:  # hot:
        """Have sends that wait for room tried again. Only where nothing else is half done."""
        self.roomy = False
        for hot in self.hots:
            if hot.eager and hot.pending is not None and hot.poll_pending():
                if hot.watch is not None:
                    hot.watch.wake()
        self.tell_senders()

    def tell_senders(self) -> None:  # hot:
        """Wake who may have a pending send tried again."""
        for hot in self.hots:
            if hot.pending is not None and hot.watch is not None:
                hot.watch.wake()
        if self.watch is not None:
            self.watch.wake()

    def let_go(self, slot: Slot) -> None:  # hot:
        """Give back a reference that held the slot."""
        slot.held -= 1
        self.put(slot)

    def put(self, slot: Slot) -> None:  # hot:
        """Give back a reference; the last one frees the slot."""
        if slot.refs > 1:
            slot.refs -= 1
            return
        if slot.flags:
            slot.clean()
        elif slot.kind:  # without flags it has only what every request or answer has
            slot.kind = slot.to = slot.reply_net = slot.reply_serial = slot.cookie = 0
        slot.next = self.free
        self.free = slot

    def forget(self, log: Log) -> None:
        """Take an empty log out of the chain."""
        before = self.logs
        if before is log:
            self.logs = log.following
        elif log.active:
            while before is not None and before.following is not log:
                before = before.following
            assert before is not None
            before.following = log.following
        log.active = False

    def renew(self) -> None:  # hot:
        """Free what all readers of the logs have passed; take those that are empty out."""
        log = self.logs
        self.logs = None
        while log is not None:
            following = log.following
            log.active = False
            log.renew()
            if log.tail is log.first:
                log.limit = 0  # empty, so the next announcement asks, and enters it again
            else:
                log.activate()
            log = following

    def _settle(self) -> None:  # hot:
        # Empty the logs: what is unread goes into the queues, where each copy can be counted.
        while self.logs is not None:
            log = self.logs
            self.logs = log.following
            log.active = False
            log.scatter()

    def _drop_oldest(self) -> bool:  # hot:
        # The oldest message that only listeners still hold goes; each of them is told (missed).
        oldest = None
        for hot in self.hots:
            slot = hot.oldest_copy()
            if slot is not None and (oldest is None or oldest.is_newer(slot)):
                oldest = slot
        if oldest is None:
            return False
        self.dropped += 1
        for hot in self.hots:
            # Each copy gives its reference back; with the last one the slot is free.
            if self.free is not oldest:
                hot.drop_copies(oldest)
        return True


# What a Ksock sees instead of its pool while it may not send: no slot is free here.
SHUT = Pool(0, 0, 0)
