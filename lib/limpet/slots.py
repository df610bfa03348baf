# SPDX-License-Identifier: MIT
"""The slots of a bus: every message lives in one, from its send until its last reader lets go.

Rules: all slots are made in the constructor and are of one size; they change hands by reference,
the data is copied once, when it comes in. `refs` counts who has a slot (queues, the view of a
Ksock, a sender at work). `held` counts those among them that protect it from being dropped: an
unread request in its replier's queue, a view, a sender at work. A slot that is `parked` waits to
carry the answer to a request (answers.py); nobody else refers to it.
"""

from .port import const

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from .bindings import Name
    from .queue import Queue

_MASK = const(0x3FFFFFFF)

ANNOUNCEMENT = const(0)
REQUEST = const(1)
REPLY = const(2)
STATUS = const(3)


class Slot:
    """One message buffer with its message's fields; made by Pool only."""

    __slots__ = (
        "next refs held order kind name net serial sender_net sender to flags user reply_net "
        "reply_serial cookie size data answer asker holder request deadline timed index"
    ).split()

    def __init__(self, size: int) -> None:
        self.next: Slot | None = None  # the next free one
        self.refs = 0
        self.held = 0
        self.order = 0  # when it was filled: a running number of the bus, wraps at 2**30
        self.kind = ANNOUNCEMENT
        self.name: Name = None  # type: ignore[assignment]  # bindings.Name
        self.net = 0  # id: node that numbered the message (0: this bus) ...
        self.serial = 0  # ... and its number there
        self.sender_net = 0  # node of the sending Ksock, 0: this bus
        self.sender = 0  # id of the sending Ksock there
        self.to = 0  # Ksock that is meant, 0: any
        self.flags = 0  # system half
        self.user = 0  # user's half, carried untouched
        self.reply_net = 0  # id of the request that this answers, or will answer
        self.reply_serial = 0
        self.cookie = 0  # the asker's private number, comes back with the answer
        self.size = 0  # bytes of data
        # A view, so that its size is fixed whatever is copied in.
        self.data = memoryview(bytearray(size))
        # Of a request: where its answer is parked.
        self.answer: Slot | None = None
        # Of a parked answer (see answers.py):
        self.asker: Queue | None = None  # Queue that gets it; None: its Ksock has closed
        self.holder: Queue | None = None  # Queue whose Ksock has read the request
        self.request: Slot | None = None  # the request while it is unread
        self.timed = False  # has it a deadline?
        self.deadline = 0  # ms, wraps
        self.index = -1  # place in the table of outstanding requests, -1: not outstanding


class Pool:
    """The free slots, and how one is taken back when there are none."""

    def __init__(self, count: int, size: int) -> None:
        self.count = count
        self.size = size
        self.free: Slot | None = None
        self.free_count = 0
        self.free_count_min = count  # low-water mark
        self.order = 0
        self.queues: list[Queue] = []  # all Queues of the bus, in the order of their ids
        self.dropped = 0  # messages dropped to make room
        self._all = [Slot(size) for _ in range(count)]
        for slot in self._all:
            slot.next = self.free
            self.free = slot
        self.free_count = count

    def can(self, count: int) -> bool:  # hot:
        """Tell whether need(count) would do; drops nothing. Cost: O(slots) when short."""
        count -= self.free_count
        if count > 0:
            for slot in self._all:
                if slot.refs and not slot.held:
                    count -= 1
        return count <= 0

    def need(self, count: int) -> bool:  # hot:
        """Make sure that `count` slots are free, dropping old listeners' copies.

        False if it can't be.
        """
        while self.free_count < count:
            if not self._drop_oldest():
                return False
        return True

    def first(self) -> Slot:  # hot:
        """Return the slot that get() would give, still free; only after need()."""
        slot = self.free
        assert slot is not None
        return slot

    def get(self) -> Slot:  # hot:
        """Take a free slot, with one reference that holds it; only after need()."""
        slot = self.free
        assert slot is not None
        self.free = slot.next
        slot.next = None
        slot.refs = slot.held = 1
        self.order = slot.order = (self.order + 1) & _MASK
        self.free_count -= 1
        if self.free_count < self.free_count_min:
            self.free_count_min = self.free_count
        return slot

    def stamp(self, slot: Slot) -> None:  # hot:
        """Make a slot the newest one."""
        self.order = slot.order = (self.order + 1) & _MASK

    def let_go(self, slot: Slot) -> None:  # hot:
        """Give back a reference that held the slot."""
        slot.held -= 1
        self.put(slot)

    def put(self, slot: Slot) -> None:  # hot:
        """Give back a reference; the last one frees the slot."""
        slot.refs -= 1
        if slot.refs == 0:
            slot.answer = None
            slot.next = self.free
            self.free = slot
            self.free_count += 1

    def _drop_oldest(self) -> bool:  # hot:
        # The oldest message that only listeners still hold goes; each of them is told (missed).
        oldest = None
        for queue in self.queues:
            slot = queue.oldest_copy()
            if slot is not None and (
                oldest is None or (oldest.order - slot.order) & _MASK < 0x20000000
            ):
                oldest = slot
        if oldest is None:
            return False
        self.dropped += 1
        for queue in self.queues:
            # Each copy gives its reference back; with the last one the slot is free.
            queue.drop_copies(oldest)
        return True
