# SPDX-License-Identifier: MIT
"""The queue of one Ksock: a ring of slots, each with the binding that brought it, and behind them
what it has not read in its log (log.py).

Rules: one ring entry is one reference to its slot. An entry without a binding is an answer (a
reply or status) to a request of this Ksock; its place was reserved when the request was sent, so
there is always one. An entry with a replier's binding is a request to be answered here, and holds
its slot. All others are listeners' copies, which may be dropped when slots run out. A copy that is
lost, for whatever reason, is counted in the ring entry behind the gap, or in `missed_next` while
there is none. Room is looked at once for each message, before any of its copies is pushed, as KBUS
does: several copies of one message may exceed the limit, and the ring has places for them.
"""

from .port import const
from .slots import Mark, Slot

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from .bindings import Binding
    from .log import Log
    from .pool import Pool
    from .view import MessageView
    from .watch import Watcher

_URGENT = const(8)


class Queue:
    """What comes to a Ksock, bounded by `limit`; the base of Hot."""

    __slots__ = (
        "pool id limit count reserved missed_next missed_total once eager fits blocks "
        "bound aside loses closed watch cursor log log_last log_end viewing quick viewed "
        "in_net in_serial _spare capacity head slots vias gaps"
    ).split()

    def __init__(self, pool: "Pool", ksock_id: int, limit: int) -> None:
        self.pool = pool
        self.id = ksock_id
        self.limit = limit
        self.count = 0  # entries of the ring
        self.reserved = 0  # places kept for answers to requests that are out
        self.missed_next = 0  # copies lost behind the ring, before the log
        self.missed_total = 0
        self.once = False  # skip a listener's copy of what came last
        self.eager = False  # its pending send is tried again as soon as there is room: fileno()
        self.fits = False  # had it room when the message at hand was looked at?
        self.blocks = False  # a sender waits for room here
        self.bound: list[Binding] = []  # its bindings, in the order they were made
        self.aside = 0  # set-aside events for it (events.py)
        self.loses = False  # ... the last of which says that more were lost
        self.closed = False
        self.watch: Watcher | None = None  # to be woken when something comes
        self.cursor: Mark = pool.no_log.first  # the last slot read in the log
        self.log: Log = pool.no_log
        self.log_last: Log | None = None  # of the push before ...
        self.log_end = 0  # ... and how far its own log had come then
        self.viewing = False  # does a view show the slot at the cursor?
        self.quick: MessageView | None = None  # the view for which take() need not look further
        self.viewed: Slot | None = None  # the slot that a view shows, if it was not at the cursor
        self.in_net = -1  # id of what was pushed last
        self.in_serial = -1
        self._spare = 0  # places beyond `limit`
        self.capacity = 0
        self.head = 0
        self.slots: list[Slot | None] = []
        self.vias: list[Binding | None] = []
        self.gaps: list[int] = []
        self.set_spare(2)

    # Room

    def unread(self) -> int:  # hot:
        """Return how many messages wait to be read here."""
        return self.count + self.log.end - self.cursor.seq

    def message_count(self) -> int:
        """Return how many messages are on their way to the reader, with events set aside."""
        return self.unread() + self.aside

    def room(self) -> int:  # hot:
        """Return how many messages may come before the queue refuses."""
        return self.limit - self.count - self.reserved - self.log.end + self.cursor.seq

    def set_limit(self, limit: int) -> None:
        """Set how many messages may wait, at least 1; what is there stays. May allocate."""
        self.settle()
        self.set_spare(self._spare, limit)
        self.limit = limit
        self.log.limit = 0
        self.freed()

    def set_spare(self, spare: int, limit: int = 0) -> None:
        """Keep places for copies beyond the limit: one for each binding, and two.

        limit: the one that is about to be. May allocate; without memory all stays as it is.
        """
        capacity = max(limit or self.limit, self.count) + self.reserved + spare
        more = capacity - self.capacity
        if more > 0:
            more += capacity // 64 * 8  # so that not each of many bindings copies the ring
            order = [(self.head + i) % self.capacity for i in range(self.capacity)]
            slots = [self.slots[i] for i in order] + [None] * more
            vias = [self.vias[i] for i in order] + [None] * more
            gaps = [self.gaps[i] for i in order] + [0] * more
            self.slots = slots
            self.vias = vias
            self.gaps = gaps
            self.head = 0
            self.capacity += more
        self._spare = spare

    def set_watch(self, watch: "Watcher | None") -> None:
        """Have `watch.wake()` called when something comes; a Ksock with a watch is on no log."""
        self.watch = watch
        if watch is not None:
            self.detach()

    def want_once(self, once: bool) -> None:
        """Skip a listener's copy of what came last, or no longer; such a Ksock is on no log."""
        self.once = once
        self.detach()

    def freed(self) -> None:  # hot:
        """Note that there may be room again: for events set aside, and for senders that wait."""
        if self.aside and self.pool.events is not None:
            self.pool.events.deliver(self)  # type: ignore[arg-type]
        if self.blocks and self.room() > 0:
            self.blocks = False
            self.pool.wake_senders()

    # Coming in

    def push(self, slot: Slot, binding: "Binding | None") -> None:  # hot:
        """Append an entry, or put it in front of all if it is urgent; there is a place."""
        i = self.capacity
        if slot.flags & _URGENT:
            self.head = i = (self.head - 1) % i
            if self.unread() == 0:  # what it missed is told by what it reads next
                self._close_gap(i)
        else:
            if self.cursor.next is not None:
                self.settle()
            i = (self.head + self.count) % i
            self._close_gap(i)
        self.slots[i] = slot
        self.vias[i] = binding
        self.count += 1
        slot.refs += 1
        if binding is None or binding.replier:
            slot.held += 1
        self.in_net = slot.net
        self.in_serial = slot.serial
        self.quick = None
        if self.log.limit > 0:
            self.log.limit -= 1
        if self.watch is not None:
            self.watch.wake()

    def _close_gap(self, i: int) -> None:  # hot:
        # The entry at `i` tells what was missed; in all free places of the ring there is a 0.
        self.gaps[i] = self.missed_next
        self.missed_next = 0

    def put_in(self, slot: Slot) -> None:  # hot:
        """Append an answer without flags, in its reserved place; takes the caller's reference."""
        if self.cursor.next is not None:
            self.settle()
        i = (self.head + self.count) % self.capacity
        self.slots[i] = slot
        self.vias[i] = None
        if self.missed_next:
            self._close_gap(i)
        self.count += 1
        if self.once:
            self.in_net = slot.net
            self.in_serial = slot.serial
        self.quick = None
        if self.watch is not None:
            self.watch.wake()

    def offer(self, slot: Slot, binding: "Binding") -> None:  # hot:
        """Give a listener its copy, or count it as missed if there was no room (`fits`)."""
        if self.once and slot.serial == self.in_serial and slot.net == self.in_net:
            return
        if self.fits:
            self.push(slot, binding)
        else:
            self.lose()
            self.in_net = slot.net  # with `once`, missed is counted once, too
            self.in_serial = slot.serial

    def receive(self, slot: Slot, binding: "Binding") -> None:  # hot:
        """Take an announcement from its log, or, if this Ksock is not attached to it, as a copy.

        The second copy running from one log attaches it there, behind that message.
        """
        log = slot.name.log
        if self.log is log:
            log.heard = True
        elif self.room() <= 0:
            self.lose()
        else:
            self.push(slot, binding)
            if self.log_last is log and self.log_end == self.log.end:
                log.joiner = self  # type: ignore[assignment]
            self.log_last = log
            self.log_end = self.log.end

    def block(self) -> None:  # hot:
        """Note that a sender waits for room here: takes look out for it from now on."""
        self.blocks = True
        self.quick = None

    def lose(self, count: int = 1) -> None:  # hot:
        """Count copies that found no room."""
        self.settle()  # the gap is behind all that is there
        self.missed_total += count
        self.add_missed(self.count, count)

    # The log

    def attach(self, log: "Log") -> None:  # hot:
        """Read what comes from the log, from now on, if nothing speaks against it."""
        if self.once or self.watch is not None or self.blocks:
            return
        if self.log is not self.pool.no_log:
            self.detach()
        self.log = log
        self.cursor = log.tail
        self.viewing = False
        log.limit = 0

    def detach(self) -> None:  # hot:
        """Leave the log; nothing is lost."""
        self.settle()
        self._keep_viewed()
        self.log.limit = 0
        self.log = self.pool.no_log
        self.cursor = self.log.first
        self.quick = self.log_last = None

    def settle(self) -> None:  # hot:
        """Move what is unread in the log into the ring."""
        slot = self.cursor.next
        if slot is None:
            return
        self._keep_viewed()
        self.log.mixed = True
        while slot is not None:
            i = (self.head + self.count) % self.capacity
            self.slots[i] = slot
            self.vias[i] = slot.name.binding_of(self)  # type: ignore[arg-type]
            self._close_gap(i)
            self.count += 1
            slot.refs += 1
            self.cursor = slot
            slot = slot.next
        self.quick = None

    def _keep_viewed(self) -> None:  # hot:
        # The cursor leaves a slot that a view shows: from now on it has a reference of its own.
        if self.viewing:
            self.viewing = False
            self.log.mixed = True
            slot = self.cursor
            slot.refs += 1  # type: ignore[attr-defined]
            slot.held += 1  # type: ignore[attr-defined]
            self.viewed = slot  # type: ignore[assignment]

    # Going out

    def slot_at(self, index: int) -> Slot:  # hot:
        """Return the slot of the ring's entry `index` places behind the oldest."""
        return self.slots[(self.head + index) % self.capacity]  # type: ignore[return-value]

    def binding_at(self, index: int) -> "Binding | None":  # hot:
        """Return the binding of the ring's entry `index` places behind the oldest."""
        return self.vias[(self.head + index) % self.capacity]

    def bring(self, index: int) -> None:  # hot:
        """Move the ring entry `index` places behind the oldest in front of it. Cost: O(index)."""
        i = (self.head + index) % self.capacity
        slot = self.slots[i]
        binding = self.vias[i]
        gap = self.gaps[i]
        while i != self.head:
            index = (i - 1) % self.capacity
            self.slots[i] = self.slots[index]
            self.vias[i] = self.vias[index]
            self.gaps[i] = self.gaps[index]
            i = index
        self.slots[i] = slot
        self.vias[i] = binding
        self.gaps[i] = gap

    def drop(self, index: int) -> None:  # hot:
        """Take an entry out and give its reference back; its gap goes to what is behind it."""
        if index:
            self.bring(index)
        i = self.head
        slot = self.slots[i]
        binding = self.vias[i]
        self.count -= 1
        self.head = (i + 1) % self.capacity
        if binding is None or binding.replier:
            slot.held -= 1  # type: ignore[union-attr]  # as push() counted it
        if self.gaps[i]:
            self.add_missed(index, self.gaps[i])
            self.gaps[i] = 0
        self.pool.put(slot)  # type: ignore[arg-type]

    def add_missed(self, index: int, count: int) -> None:  # hot:
        """Note a gap just before the entry at `index`; behind the newest: before what comes."""
        if index < self.count:
            self.gaps[(self.head + index) % self.capacity] += count
        else:
            self.missed_next += count
            self.quick = None

    def find_answer(self, serial: int) -> int:
        """Return the index of the answer to this Ksock's own request `serial`, or -1."""
        i = 0
        j = self.head
        while i < self.count:
            if self.slots[j].reply_serial == serial and self.vias[j] is None:  # type: ignore[union-attr]
                return i
            i += 1
            j = (j + 1) % self.capacity
        return -1

    def find_request(self, slot: Slot) -> int:  # hot:
        """Return the index of the entry that asks this Ksock to answer `slot`, or -1."""
        for i in range(self.count):
            if self.slot_at(i) is slot and self.is_request(i):
                return i
        return -1

    def is_request(self, index: int) -> bool:  # hot:
        """Tell whether the entry is a request that this Ksock is to answer."""
        binding = self.binding_at(index)
        return binding is not None and binding.replier

    def oldest_copy(self) -> "Slot | None":  # hot:
        """Return the oldest message of the ring that only listeners hold, on this bus.

        None if there is none. Urgent messages lie in front and may be newer.
        """
        oldest = None
        for i in range(self.count):
            slot = self.slot_at(i)
            if slot.held == 0:
                if oldest is None or oldest.is_newer(slot):
                    oldest = slot
                if not slot.flags & _URGENT:
                    break
        return oldest

    def drop_copies(self, slot: Slot) -> None:  # hot:
        """Remove the copies of `slot` and count them as missed."""
        copies = slot.refs  # as many as there can be
        i = 0
        while copies and i < self.count:
            if self.slot_at(i) is slot:
                copies -= 1
                self.missed_total += 1
                self.add_missed(i, 1)
                self.drop(i)
            else:
                i += 1
        if self.blocks and self.room() > 0:
            self.pool.roomy = True  # a send is at work: others are not tried now
            self.pool.tell_senders()
