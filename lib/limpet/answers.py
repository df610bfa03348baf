# SPDX-License-Identifier: MIT
"""The requests that are out, each with the slot that its answer will use: why every request ends
once.

Rules: everything that begins or ends a request is in this file. Sending parks a slot, keeps a
place in the asker's queue and enters the table; reply() and end() are the only ways out, each
takes the slot from the table and puts it, with what it now says, into that place. Neither can fail
for want of room. A parked slot knows its asker, and the Ksock that holds the request: `request` is
the request's slot while it lies unread in the holder's queue, None once the holder has read it.
"""

from . import status
from .errors import EADDRNOTAVAIL
from .port import const, copy
from .slots import REPLY, STATUS, Pool, Slot
from .ticks import MS_MAX, ticks_add, ticks_diff

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from .port import Waiter
    from .queue import Queue


class Answers:
    """Table of the outstanding requests of one bus; as many as it has slots at the most."""

    def __init__(self, pool: Pool) -> None:
        self.count = 0
        self.timed_count = 0
        self.now_ms = 0  # time of the last poll
        self.watch: Waiter | None = None  # to be woken when something falls due earlier
        self.late = 0  # replies that came after their request had ended
        self._pool = pool
        self._table: list[Slot | None] = [None] * pool.count
        self._due = 0  # not later than the first deadline
        self._serial = 0
        self._serial_stop = 0x3FFFFFFF  # number at which _renumber() has to look

    # Numbers of messages

    def next_serial(self) -> int:  # hot:
        """Return the next number of this bus: 1..2**30-1, never one of a request that is out."""
        if self._serial >= self._serial_stop:
            self._renumber()
        self._serial += 1
        return self._serial

    def _renumber(self) -> None:  # hot:
        # After a wrap the numbers of old requests may lie ahead: step over them, stop before the
        # next.
        if self._serial >= 0x3FFFFFFF:
            self._serial = 0
        while self._is_out(self._serial + 1):
            self._serial = self._serial + 1 if self._serial + 1 < 0x3FFFFFFF else 0
        stop = 0x3FFFFFFF
        for i in range(self.count):
            slot = self._at(i)
            if slot.reply_net == 0 and self._serial < slot.reply_serial <= stop:
                stop = slot.reply_serial - 1
        self._serial_stop = stop

    def _is_out(self, serial: int) -> bool:  # hot:
        for i in range(self.count):
            if self._at(i).reply_serial == serial and self._at(i).reply_net == 0:
                return True
        return False

    # A request's life

    def park(self, request: Slot, asker: "Queue", holder: "Queue") -> Slot:  # hot:
        """Reserve the answer to a request just filled; two slots were found free before."""
        answer = self._pool.get()
        request.answer = answer
        answer.request = request
        answer.asker = asker
        answer.holder = holder
        answer.name = request.name
        request.name.pins += 1
        answer.reply_net = request.net
        answer.reply_serial = request.serial
        answer.to = asker.id
        answer.timed = False
        answer.index = self.count
        self._table[self.count] = answer
        self.count += 1
        asker.reserved += 1
        return answer

    def set_deadline(self, answer: Slot, deadline_ms: int) -> None:  # hot:
        """Let the request end by itself `deadline_ms` (0..MS_MAX) after the last poll."""
        answer.timed = True
        answer.deadline = ticks_add(self.now_ms, deadline_ms)
        self.timed_count += 1
        if self.timed_count == 1 or ticks_diff(answer.deadline, self._due) < 0:
            self._due = answer.deadline
            if self.watch is not None:
                self.watch.wake()

    def read(self, request: Slot) -> "Slot | None":  # hot:
        """Note that the holder has taken the request; return the parked answer."""
        answer = request.answer
        request.answer = None
        if answer is not None:
            answer.request = None
            # From now on `order` tells which was read last.
            self._pool.stamp(answer)
        return answer

    def reply(self, answer: Slot) -> int:  # hot:
        """End a request with the reply that its parked slot now holds.

        Returns 0 or -EADDRNOTAVAIL.
        """
        asker = answer.asker
        name = answer.name
        self._leave(answer)
        if asker is None:
            self._pool.let_go(answer)
            return -EADDRNOTAVAIL
        answer.kind = REPLY
        self._pool.stamp(answer)  # listeners' copies of it are as old as this send
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
        self._end(answer, status.FAILED, 0)

    def _end(self, answer: Slot, code: int, errno: int) -> None:  # hot:
        asker = answer.asker
        holder = answer.holder
        self._leave(answer)
        if asker is not None:
            answer.kind = STATUS
            answer.name = status.name_of(code, errno)
            answer.flags = status.SYNTHETIC
            answer.user = code | errno << 8  # limpets read it here
            answer.net = answer.sender_net = 0
            answer.sender = holder.id if holder is not None else 0
            answer.serial = self.next_serial()
            asker.reserved -= 1
            asker.push(answer, None)
        self._pool.let_go(answer)

    def _leave(self, answer: Slot) -> None:  # hot:
        if answer.request is not None:
            answer.request.answer = None
            answer.request = None
        if answer.timed:
            answer.timed = False
            self.timed_count -= 1
        answer.name.pins -= 1
        answer.asker = answer.holder = None
        self.count -= 1
        last = self._at(self.count)
        last.index = answer.index
        self._table[answer.index] = last
        self._table[self.count] = None
        answer.index = -1

    # Ends that nobody asked for

    def poll(self, now_ms: int) -> int:  # hot:
        """End what is past its deadline; return ms until the next one, MS_MAX if there is none."""
        self.now_ms = now_ms
        if self.timed_count == 0:
            return MS_MAX
        left = ticks_diff(self._due, now_ms)
        if left > 0:
            return left
        left = MS_MAX
        i = self.count
        while i:
            i -= 1
            answer = self._at(i)
            if answer.timed:
                ms = ticks_diff(answer.deadline, now_ms)
                if ms <= 0:
                    self._expire(answer)
                elif ms < left:
                    left = ms
        self._due = ticks_add(now_ms, left)
        return left

    def _expire(self, answer: Slot) -> None:  # hot:
        if answer.request is None:
            self.end(answer, status.EXPIRED)
        else:
            self._withdraw(answer)
            self.end(answer, status.OVERDUE)

    def _withdraw(self, answer: Slot) -> None:  # hot:
        # Take the unread request out of its holder's queue: it will never run.
        queue = answer.holder
        request = answer.request
        assert queue is not None and request is not None
        queue.drop(queue.find_request(request))

    def end_unread(self, queue: "Queue", binding: object, code: int) -> None:
        """End the requests that lie unread in a queue, in its order.

        `binding` None: of all bindings.
        """
        i = 0
        while i < queue.count:
            answer = queue.slot_at(i).answer
            meant = binding is None or binding is queue.binding_at(i)
            if meant and queue.is_request(i) and answer is not None:
                self._withdraw(answer)
                self.end(answer, code)
            else:
                i += 1

    def end_read(self, queue: "Queue", code: int) -> None:
        """End the requests that a Ksock has read and not answered, the one read last first."""
        while True:
            newest = None
            for i in range(self.count):
                slot = self._at(i)
                if slot.holder is queue and slot.request is None:
                    if newest is None or (slot.order - newest.order) & 0x3FFFFFFF < 0x20000000:
                        newest = slot
            if newest is None:
                return
            self.end(newest, code)

    def forget_asker(self, queue: "Queue") -> None:
        """The asker closes: what comes for it is for nobody, its requests run on."""
        for i in range(self.count):
            if self._at(i).asker is queue:
                self._at(i).asker = None

    def forget(self, queue: "Queue", serial: int) -> None:
        """The asker no longer waits for the answer to one of its requests, come or not."""
        index = queue.find_answer(serial)
        if index >= 0:
            queue.drop(index)
        for i in range(self.count):
            answer = self._at(i)
            if answer.asker is queue and answer.reply_serial == serial and answer.reply_net == 0:
                answer.asker = None
                queue.reserved -= 1

    def abandon(self, queue: "Queue") -> None:
        """The asker's session has ended: withdraw what is unread, answer nobody for the rest."""
        i = self.count
        while i:
            i -= 1
            answer = self._at(i)
            if answer.asker is queue:
                queue.reserved -= 1
                if answer.request is None:
                    answer.asker = None
                else:
                    self._withdraw(answer)
                    self._leave(answer)
                    self._pool.let_go(answer)

    def _at(self, index: int) -> Slot:  # hot:
        slot = self._table[index]
        assert slot is not None
        return slot
