# SPDX-License-Identifier: MIT
"""The queue of one Ksock: a ring of slots, each with the binding that brought it.

Rules: one entry is one reference to its slot. An entry without a binding is an answer (a reply or
status) to a request of this Ksock; its place was reserved when the request was sent, so there is
always room for it. An entry with a replier's binding is a request to be answered here, and holds
its slot. All others are listeners' copies, which may be dropped when slots run out. A copy that is
lost, for whatever reason, is counted in the entry behind the gap (`missed`), or in `missed_next`
while there is none.
"""

from .port import const
from .slots import Pool, Slot

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from .bindings import Binding
    from .port import Waiter


class Queue:
    """A bounded ring; sizes are fixed by the constructor."""

    def __init__(self, pool: Pool, ksock_id: int, limit: int) -> None:
        capacity = 1
        while capacity < limit:
            capacity *= 2
        self.pool = pool
        self.id = ksock_id
        self.limit = limit
        self.count = 0  # entries
        self.reserved = 0  # places kept for answers to requests that are still out
        self.count_max = 0  # high-water mark of count + reserved
        self.missed_next = 0  # copies lost since the newest entry came
        self.once = False  # skip a listener's copy of what came last
        self.last_net = -1  # id of what came last
        self.last_serial = -1
        self.watch: Waiter | None = None  # to be woken when something comes
        # Of the entry that remove() gave out last:
        self.binding: Binding | None = None
        self.missed = 0
        self._mask = capacity - 1
        self._head = 0
        self._slots: list[Slot | None] = [None] * capacity
        self._bindings: list[Binding | None] = [None] * capacity
        self._missed = [0] * capacity

    def room(self) -> int:  # hot:
        """Return how many messages may come before the queue refuses."""
        return self.limit - self.count - self.reserved

    def push(self, slot: Slot, binding: "Binding | None") -> None:  # hot:
        """Append an entry; there is room(), or it is an answer with its reserved place."""
        i = (self._head + self.count) & self._mask
        self._slots[i] = slot
        self._bindings[i] = binding
        self._missed[i] = self.missed_next
        self.missed_next = 0
        self.count += 1
        slot.refs += 1
        if binding is None or binding.replier:
            slot.held += 1
        self.last_net = slot.net
        self.last_serial = slot.serial
        if self.count + self.reserved > self.count_max:
            self.count_max = self.count + self.reserved
        if self.watch is not None:
            self.watch.wake()

    def offer(self, slot: Slot, binding: "Binding") -> None:  # hot:
        """Give a listener its copy, or count it as missed if there is no room."""
        if self.once and slot.serial == self.last_serial and slot.net == self.last_net:
            return
        if self.limit - self.count - self.reserved > 0:
            self.push(slot, binding)
        else:
            self.missed_next += 1
            self.last_net = slot.net  # with `once`, missed is counted once, too
            self.last_serial = slot.serial

    def peek(self) -> "Slot | None":  # hot:
        """Return the oldest entry's slot and leave it there; None if the queue is empty."""
        return self._slots[self._head] if self.count else None

    def slot_at(self, index: int) -> Slot:  # hot:
        """Return the slot of the entry `index` places behind the oldest."""
        slot = self._slots[(self._head + index) & self._mask]
        assert slot is not None
        return slot

    def binding_at(self, index: int) -> "Binding | None":  # hot:
        """Return the binding of the entry `index` places behind the oldest."""
        return self._bindings[(self._head + index) & self._mask]

    def remove(self, index: int) -> Slot:  # hot:
        """Take an entry out; its reference goes to the caller, its binding and gap to the fields.

        Cost: O(index), because what is older moves up by one.
        """
        mask = self._mask
        i = (self._head + index) & mask
        slot = self._slots[i]
        assert slot is not None
        self.binding = self._bindings[i]
        self.missed = self._missed[i]
        while index:
            j = (i - 1) & mask
            self._slots[i] = self._slots[j]
            self._bindings[i] = self._bindings[j]
            self._missed[i] = self._missed[j]
            i = j
            index -= 1
        self._slots[i] = None
        self._bindings[i] = None
        self._head = (i + 1) & mask
        self.count -= 1
        return slot

    def drop(self, index: int) -> None:  # hot:
        """Take an entry out and give its reference back; its gap goes to what is behind it."""
        slot = self.remove(index)
        if self.binding is None or self.binding.replier:
            slot.held -= 1  # as push() counted it
        self.add_missed(index, self.missed)
        self.pool.put(slot)

    def add_missed(self, index: int, count: int) -> None:  # hot:
        """Count a gap just before the entry at `index`; behind the newest: before what comes."""
        if index < self.count:
            self._missed[(self._head + index) & self._mask] += count
        else:
            self.missed_next += count

    def find_answer(self, serial: int) -> int:
        """Return the index of the answer to this Ksock's own request `serial`, or -1."""
        for i in range(self.count):
            if self.binding_at(i) is None and self.slot_at(i).reply_serial == serial:
                return i
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
        """Return the oldest message here that only listeners hold, on this bus.

        None if there is none.
        """
        for i in range(self.count):
            slot = self.slot_at(i)
            if slot.held == 0 and self.binding_at(i) is not None:
                return slot
        return None

    def drop_copies(self, slot: Slot) -> None:  # hot:
        """Remove every copy of `slot` and count it as missed."""
        i = 0
        while i < self.count:
            if self.slot_at(i) is slot:
                self.add_missed(i, 1)
                self.drop(i)
            else:
                i += 1
