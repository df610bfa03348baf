# SPDX-License-Identifier: MIT
"""The hot layer of a Ksock: announce, request, take and reply without allocating.

Rules: results are small ints, >= 0 fine, < 0 a negative errno; data that is no buffer of bytes
raises TypeError or ValueError, nothing else is raised. On an error nothing has happened but that
an id may be used up. Names are Name objects of the same bus. Data is copied in before a call
returns. These calls belong to the thread or task that runs the bus. What is plain and finds its
room takes a short way that is written out in one piece; all else goes to the careful functions in
send.py, which check everything in KBUS's order. Both ways have the same result. No function here
needs more than eleven words for its locals and stack: with more, MicroPython makes a frame on the
heap for every call.
"""

from .port import const, store
from .send import Sender
from .slots import PARKED, REPLY, REQUEST
from .ticks import MS_MAX

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from .bindings import Name
    from .message import Message
    from .outbox import Ticket
    from .send import Data
    from .view import MessageView

    Asked = MessageView | Message | Ticket

_MASK = const(0x3FFFFFFF)
_EBADF = const(9)
_EAGAIN = const(11)
_EMSGSIZE = const(90)


class Hot(Sender):
    """A Ksock's hot calls; `ks.hot`. Made by Core.open()."""

    __slots__ = ()

    def announce(self, name: "Name", data: "Data", size: int = -1, flags: int = 0) -> int:  # hot:
        """Send an announcement to all who listen now.

        data: buffer, uint8[size], copied; size -1: all of it. flags: URGENT, ALL_OR_FAIL or
        ALL_OR_WAIT, and STAGED. Returns the message's number, or -EMSGSIZE, -EINVAL, -EBADF,
        -EALREADY (an earlier send still waits), -ENOBUFS (no slot, none to take back), -EBUSY
        (ALL_OR_FAIL: a listener is full), -EAGAIN (ALL_OR_WAIT: one is, and the message waits:
        retry()). Otherwise a listener whose queue is full misses its copy and is told so.
        Cost: O(1) while the same Ksocks listen and have room, else O(listeners).
        """
        log = name.log
        pool = self.supply
        slot = pool.free
        # `limit` also sees to it that the next number is free.
        if slot is None or log.end >= log.limit or flags or size >= 0:
            self.data = data
            self.size = size
            self.flags = flags
            return self.send_announcement(name)
        size = store(slot.data, data)
        if size < 0:
            return self.refuse(-_EMSGSIZE)
        slot.size = size
        slot.name = name
        slot.sender = self.id
        pool.free = slot.next
        slot.next = None
        log.tail.next = log.tail = slot
        slot.seq = log.end = log.end + 1
        pool.serial = slot.serial = size = pool.serial + 1
        return size

    def request(
        self,
        name: "Name",
        data: "Data",
        size: int = -1,
        flags: int = 0,
        deadline_ms: "int | None" = None,
        to: int = 0,
    ) -> int:  # hot:
        """Send a request; it will end in exactly one reply or status, in this Ksock's queue.

        deadline_ms: counted from the bus's last poll, 0..MS_MAX; None: for ever. to: the Ksock
        that has to be the replier, 0: any. Others as announce(). Returns the request's number, or
        -EMSGSIZE, -EINVAL, -EBADF, -EALREADY, -ENOLCK (no place or slot for the answer),
        -EADDRNOTAVAIL (no replier), -EPIPE (not that replier), -EBUSY (its queue is full, or with
        ALL_OR_FAIL a listener's), -EAGAIN (the same with ALL_OR_WAIT: the request waits). Cost:
        O(listeners).
        """
        self.deadline_ms = deadline_ms
        if (
            flags
            or to
            or size >= 0
            or (
                deadline_ms is not None
                and (type(deadline_ms) is not int or not 0 <= deadline_ms <= MS_MAX)
            )
        ):
            self.data = data
            self.size = size
            self.flags = flags
            self.meant = to
            return self.send_request(name)
        return self._ask(name, data)

    def _ask_slowly(self, name: "Name") -> int:  # hot:
        self.size = -1
        self.flags = self.meant = 0
        return self.send_request(name)

    def _ask(self, name: "Name", data: "Data") -> int:  # hot:
        # The short way: nobody listens in, both have room. It ends in a push() written out.
        pool = self.supply
        slot = pool.free
        hot = name.replier.hot if name.replier is not None else None
        if (
            hot is None
            or hot.cursor.next is not None
            or hot.count + hot.reserved >= hot.limit
            or hot.once
            or hot.missed_next
            or hot.watch is not None
            or slot is None
            or slot.next is None
            or name.log is not pool.no_log
            or pool.serial >= pool.serial_stop
            or self.cursor.next is not None
            or self.count + self.reserved >= self.limit
        ):
            self.data = data
            return self._ask_slowly(name)
        slot.size = store(slot.data, data)
        if slot.size < 0:
            return self.refuse(-_EMSGSIZE)
        answer = slot.pair = slot.next
        pool.free = answer.next
        slot.next = answer.next = None
        slot.kind = REQUEST
        slot.name = answer.name = name
        slot.sender = answer.to = self.id
        slot.held = answer.held = 1
        answer.kind = PARKED
        answer.pair = slot
        answer.asker = self
        answer.holder = hot
        pool.serial = slot.serial = answer.reply_serial = pool.serial + 1
        self.reserved += 1
        if self.log.limit > 0:
            self.log.limit -= 1
        i = (hot.head + hot.count) % hot.capacity
        hot.slots[i] = slot
        hot.vias[i] = name.replier
        hot.count += 1
        hot.quick = None
        if hot.log.limit > 0:
            hot.log.limit -= 1
        if self.deadline_ms is not None:
            answer.deadline = self.deadline_ms
            self.answers.start(answer)
        return slot.serial

    def take(self, view: "MessageView") -> int:  # hot:
        """Take the next message; `view` shows it until this Ksock's next take.

        Returns the size of its data, -EAGAIN if there is none, or -EBADF. Cost: O(1).
        """
        slot = self.cursor.next
        if slot is not None and self.quick is view:
            self.cursor = slot
            view.slot = slot
            view.data = slot.data
            return slot.size
        if self.count == 0:
            return self._take_from_log(view)
        if self.viewed is not None or self.viewing:
            self.release()
        if view.reader is not None:
            view.reader.quick = None
            view.reader = None
        i = self.head
        self.viewed = view.slot = slot = self.slots[i]  # type: ignore[assignment]
        view.data = slot.data  # type: ignore[union-attr]
        view.binding = self.vias[i]
        view.missed = self.gaps[i]
        if view.missed:
            self.gaps[i] = 0
        self.count -= 1
        self.head = (i + 1) % self.capacity
        view.answer = None
        if view.binding is not None:
            answer = slot.pair  # type: ignore[union-attr]
            if not view.binding.replier:
                slot.held += 1  # type: ignore[union-attr]  # as a view; its entry held nothing
            elif answer is not None:
                # The request is read: what comes now can only be its answer, or Ignored.
                view.answer = answer
                slot.pair = answer.pair = None  # type: ignore[union-attr]
                self.pool.reads = view.ticket = answer.seq = (self.pool.reads + 1) & _MASK
        if self.blocks or self.aside:
            self.freed()
        return slot.size  # type: ignore[union-attr]

    def _take_from_log(self, view: "MessageView") -> int:  # hot:
        self.release()
        slot = self.cursor.next
        if slot is None:
            if self.aside:  # there was room, but no slot
                self.freed()
                if self.count:
                    return self.take(view)
            return -_EBADF if self.closed else -_EAGAIN
        if view.reader is not None:
            view.reader.quick = None
        view.slot = self.cursor = slot
        view.data = slot.data
        view.binding = view.answer = view.reader = None
        view.missed = self.missed_next
        self.missed_next = 0
        self.viewing = True
        if not self.blocks and not self.aside and not view.missed:
            self.quick = view
            view.reader = self
        else:
            self.freed()
        return slot.size

    def release(self) -> None:  # hot:
        """Let go of the message that the last take() gave out."""
        self.viewing = False
        self.quick = None
        slot = self.viewed
        if slot is not None:
            self.viewed = None
            slot.held -= 1
            if slot.refs > 1 or slot.flags:
                self.pool.put(slot)
            else:  # as put() does: the call would be felt
                slot.kind = slot.to = slot.reply_net = slot.reply_serial = slot.cookie = 0
                slot.next = self.pool.free
                self.pool.free = slot

    def reply(self, request: "Asked", data: "Data", size: int = -1, flags: int = 0) -> int:  # hot:
        """Answer a request that this Ksock has read; room for it was kept when it was sent.

        request: the view or Message that showed it (a view that has taken another message since no
        longer does). flags: URGENT and STAGED. Returns the reply's number, or -ECONNREFUSED
        (answered, ended or not ours), -EMSGSIZE, -EINVAL, -EBADF, -EALREADY (may be tried again),
        -EADDRNOTAVAIL (the asker has closed).
        """
        answer = request.answer
        pool = self.supply
        if (
            answer is None
            or answer.seq != request.ticket
            or answer.asker is None
            or answer.holder is not self
            or answer.pair is not None
            or answer.name.log is not pool.no_log
            or flags
            or size >= 0
            or pool.serial >= pool.serial_stop
        ):
            self.data = data
            self.size = size
            self.flags = flags
            return self.send_reply(request)
        answer.size = store(answer.data, data)
        if answer.size < 0:
            return self.refuse(-_EMSGSIZE)
        if answer.deadline >= 0:
            answer.deadline = -1
            self.answers.timed_count -= 1
        request.answer = answer.holder = None
        answer.kind = REPLY
        answer.sender = self.id
        pool.serial = answer.serial = pool.serial + 1
        request = answer.asker  # type: ignore[assignment]
        answer.asker = None
        request.reserved -= 1  # type: ignore[union-attr]
        request.put_in(answer)  # type: ignore[union-attr]
        return answer.serial
