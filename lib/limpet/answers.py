# SPDX-License-Identifier: MIT
"""The requests that are out, each with the slot that its answer will use: why every request ends
once.

Rules: sending parks a slot and keeps a place in the asker's queue; reply() here, the short way in
Hot.reply and end() are the only ways out, each makes a message of the parked slot and puts it into
that place. None can fail for want of room. A parked slot knows its asker, and the Ksock that holds
the request: `pair` is the request's slot while it lies unread in the holder's queue, None once the
holder has read it. While a send waits for room (send.py) it has neither asker nor holder.
"""

from .port import const, copy
from .slots import PARKED, REPLY, STATUS, Slot
from .status import name_of
from .ticks import MS_MAX, ticks_add, ticks_diff

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from .bindings import Binding, Name
    from .hot import Hot
    from .pool import Pool
    from .port import Waiter

_EADDRNOTAVAIL = const(99)
_SYNTHETIC = const(4)
_OVERDUE = const(4)
_FAILED = const(9)
_EXPIRED = const(11)
_MANY = const(64)  # deadlines ...
_LARGE = const(1024)  # ... in so many slots, which no board has


class Answers:
    """The outstanding requests of one bus. What looks through them costs O(slots)."""

    def __init__(self, pool: "Pool") -> None:
        self.timed_count = 0  # requests with a deadline
        self.now_ms = 0  # time of the last poll
        self.watch: Waiter | None = None  # to be woken when something falls due earlier
        self.late = 0  # replies that came after their request had ended
        self._pool = pool
        self._due = 0  # not later than the first deadline: a poll is needed then
        self._idle = True  # there was no deadline at the last poll nor since; `_due` is nothing

    def park(self, request: Slot, cookie: int, deadline_ms: "int | None") -> None:  # hot:
        """Reserve the slot for the answer to a request just filled; one was found free before.

        deadline_ms: the request ends by itself that long (0..MS_MAX) after the last poll.
        """
        answer = self._pool.get()
        request.pair = answer
        answer.kind = PARKED
        answer.pair = request
        answer.name = request.name
        answer.reply_net = request.net
        answer.reply_serial = request.serial
        answer.cookie = cookie
        if deadline_ms is not None:
            answer.deadline = deadline_ms
            self.start(answer)

    def start(self, answer: Slot) -> None:  # hot:
        """Let the deadline of a parked slot, which is ms as yet, count from the last poll."""
        answer.deadline = ticks_add(self.now_ms, answer.deadline)
        self.timed_count += 1
        if self._idle or ticks_diff(answer.deadline, self._due) < 0:
            self._idle = False
            self._due = answer.deadline
            if self.watch is not None:
                self.watch.wake()

    def reply(self, answer: Slot, name: "Name") -> int:  # hot:
        """End a request with the reply that its parked slot now holds.

        Returns 0 or -EADDRNOTAVAIL.
        """
        asker = answer.asker
        self._leave(answer)
        answer.kind = REPLY
        answer.name = name
        if answer.net:
            answer.deadline = -1 - self._pool.stamp()
        if asker is None:
            self._pool.let_go(answer)
            return -_EADDRNOTAVAIL
        name.look()
        asker.reserved -= 1
        asker.push(answer, None)
        name.offer(answer)
        self._pool.let_go(answer)
        return 0

    def end(self, answer: Slot, code: int, errno: int = 0) -> None:  # hot:
        """End a request in a status without data."""
        answer.size = 0
        self._end(answer, code, errno)

    def end_failed(self, answer: Slot, data: bytes, size: int) -> None:
        """End a request whose handler raised; `data` is cut to a slot's size."""
        answer.size = min(size, self._pool.size)
        copy(answer.data, 0, data, 0, answer.size)
        self._end(answer, _FAILED, 0)

    def _end(self, answer: Slot, code: int, errno: int) -> None:  # hot:
        asker = answer.asker
        holder = answer.holder
        self._leave(answer)
        answer.kind = STATUS
        answer.name = name_of(code, errno)
        answer.flags = _SYNTHETIC
        answer.user = code | errno << 8  # limpets read it here
        answer.sender = holder.id if holder is not None else 0
        answer.net = 0
        answer.serial = self._pool.next_serial()
        if asker is not None:
            answer.to = asker.id
            asker.reserved -= 1
            asker.push(answer, None)
        self._pool.let_go(answer)

    def _leave(self, answer: Slot) -> None:  # hot:
        if answer.pair is not None:
            answer.pair.pair = None
            answer.pair = None
        if answer.deadline >= 0:
            answer.deadline = -1
            self.timed_count -= 1
        answer.asker = answer.holder = None

    def forget_parked(self, answer: Slot) -> None:  # hot:
        """Free the parked slot of a request that is never sent."""
        self._leave(answer)
        self._pool.let_go(answer)

    # Ends that nobody asked for

    def poll(self, now_ms: int) -> int:  # hot:
        """End what is past its deadline; return ms until the next one, MS_MAX if there is none."""
        self.now_ms = now_ms
        if self._idle:
            return MS_MAX
        if self.timed_count > _MANY and self._pool.count > _LARGE:
            if ticks_diff(self._due, now_ms) <= 0:
                self._end_many()
        while ticks_diff(self._due, now_ms) <= 0:
            answer = self._first()
            if answer is None:
                self._idle = True
                return MS_MAX
            self._due = answer.deadline
            if ticks_diff(self._due, now_ms) <= 0:
                self._expire(answer)
        return ticks_diff(self._due, now_ms)

    def _end_many(self) -> None:
        # As the loop in poll(), without looking through all slots for each: this allocates.
        due = []
        for slot in self._pool.slots:
            if slot.deadline >= 0 and ticks_diff(slot.deadline, self.now_ms) <= 0:
                due.append(slot)
        now = self.now_ms
        last = self._pool.serial + 1
        due.sort(key=lambda s: (ticks_diff(s.deadline, now), (s.reply_serial - last) & 0x3FFFFFFF))
        for slot in due:
            if slot.deadline >= 0:
                self._expire(slot)

    def _first(self) -> "Slot | None":  # hot:
        # Whose deadline is the first; of several the one that was asked first.
        first = None
        for slot in self._pool.slots:
            if slot.deadline >= 0 and (first is None or self._is_before(slot, first)):
                first = slot
        return first

    def _is_before(self, a: Slot, b: Slot) -> bool:  # hot:
        ms = ticks_diff(a.deadline, b.deadline)
        return ms < 0 or (ms == 0 and (a.reply_serial - b.reply_serial) & 0x3FFFFFFF > 0x20000000)

    def _expire(self, answer: Slot) -> None:  # hot:
        if answer.pair is None:
            self.end(answer, _EXPIRED)
        elif answer.holder is None:
            self._give_up(answer)
        else:
            queue = answer.holder
            self._withdraw(answer)
            self.end(answer, _OVERDUE)
            queue.freed()

    def _give_up(self, answer: Slot) -> None:  # hot:
        # The send still waits for room: it ends here, and the Ksock may send again.
        for hot in self._pool.hots:
            if hot.pending is answer.pair:
                hot.give_up(_OVERDUE)
                return

    def _withdraw(self, answer: Slot) -> None:  # hot:
        # Take the unread request out of its holder's queue: it will never run.
        queue = answer.holder
        request = answer.pair
        assert queue is not None and request is not None
        index = queue.find_request(request)
        assert index >= 0
        queue.drop(index)

    def end_unread(self, queue: "Hot", binding: "Binding | None", code: int) -> None:
        """Remove what a binding has brought and is unread; requests among it end, in its order.

        `binding` None: of all bindings, and only the requests.
        """
        i = 0
        while i < queue.count:
            answer = queue.slot_at(i).pair
            at = queue.binding_at(i)
            if answer is not None and queue.is_request(i) and (binding is None or binding is at):
                queue.drop(i)
                self.end(answer, code)
            elif binding is not None and binding is at:
                queue.drop(i)
            else:
                i += 1

    def end_read(self, queue: "Hot", code: int) -> None:
        """End the requests that a Ksock has read and not answered, the one read last first."""
        reads = self._pool.reads
        owed = [s for s in self._pool.slots if s.holder is queue and s.pair is None]
        owed.sort(key=lambda slot: (reads - slot.seq) & 0x3FFFFFFF)
        for slot in owed:
            self.end(slot, code)

    def forget_asker(self, queue: "Hot") -> None:
        """The asker closes: what comes for it is for nobody, its requests run on."""
        if queue.reserved:
            for slot in self._pool.slots:
                if slot.asker is queue:
                    slot.asker = None

    def forget(self, queue: "Hot", serial: int) -> None:
        """The asker no longer waits for the answer to one of its requests, come or not."""
        index = queue.find_answer(serial)
        if index >= 0:
            queue.drop(index)
        for slot in self._pool.slots:
            if slot.asker is queue and slot.carries(serial):
                slot.asker = None
                queue.reserved -= 1
        queue.freed()

    def abandon(self, queue: "Hot") -> None:
        """The asker's session has ended: withdraw what is unread, answer nobody for the rest."""
        for slot in self._pool.slots:
            if slot.asker is queue:
                queue.reserved -= 1
                slot.asker = None
                if slot.pair is not None:
                    holder = slot.holder
                    self._withdraw(slot)
                    self.forget_parked(slot)
                    if holder is not None:
                        holder.freed()
