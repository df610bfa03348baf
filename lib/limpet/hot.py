# SPDX-License-Identifier: MIT
"""The hot layer of a Ksock: announce, request, take and reply without allocating.

Rules: results are small ints, >= 0 fine, < 0 a negative errno; nothing is raised, and on an error
nothing has happened but that an id may be used up. Names are Name objects of the same bus. Data is
copied in before a call returns. These calls belong to the thread or task that runs the bus. Where
a call would need more than eleven words for its locals and stack, arguments are staged in
attributes: with more, MicroPython makes a frame on the heap for every call.
"""

from .answers import Answers
from .bindings import Binding, Name
from .errors import (
    EADDRNOTAVAIL,
    EAGAIN,
    EBADF,
    EBUSY,
    ECONNREFUSED,
    EINVAL,
    EMSGSIZE,
    ENOBUFS,
    ENOLCK,
    EPIPE,
)
from .message import MessageView
from .port import const, copy
from .queue import Queue
from .slots import ANNOUNCEMENT, REQUEST, Pool, Slot
from .ticks import MS_MAX

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from .message import Message
    from .outbox import Ticket

    Data = bytes | bytearray | memoryview
    Asked = MessageView | Message | Ticket


# A name for it: a tuple written where it is used would be made at each use.
_BUFFERS = (bytes, bytearray, memoryview)


def _is_deadline(deadline_ms: "int | None") -> bool:  # hot:
    return deadline_ms is None or (isinstance(deadline_ms, int) and 0 <= deadline_ms <= MS_MAX)


class Hot:
    """A Ksock's hot calls; `ks.hot`."""

    def __init__(self, pool: Pool, answers: Answers, queue: Queue) -> None:
        self.queue = queue
        self.closed = False
        self.last_serial = 0  # number of the last message sent
        # Set by the caller before a send, and kept until changed:
        self.cookie = 0  # request(): comes back with the answer
        self.offset = 0  # where the data begins in the buffer given
        # Staged by a limpet: the id under which a message from another node is known; net 0: our
        # own.
        self.net = 0
        self.serial = 0
        self.sender = 0
        self._pool = pool
        self._answers = answers
        self._viewing: Slot | None = None  # what the last take() gave out
        self._deadline_ms = -1  # -1: none
        self._to = 0
        self._size = 0
        self._data: Data = b""

    def announce(self, name: Name, data: "Data", size: int = -1, flags: int = 0) -> int:  # hot:
        """Send an announcement to all who listen now.

        data: buffer, uint8[size], copied; size -1: all from `offset` on. flags: 0 (none are
        defined yet). Returns the message's number, or -EMSGSIZE, -EINVAL, -EBADF, -ENOBUFS (no
        slot, none to take back). A listener whose queue is full misses its copy and is told so.
        Cost: O(listeners).
        """
        size = self._fit(data, size)
        if size < 0 or flags:
            return size if size < 0 else -EINVAL
        if not name.listeners:
            self.last_serial = self.serial if self.net else self._answers.next_serial()
            return self.last_serial
        if not self._pool.need(1):
            return -ENOBUFS
        slot = self._pool.first()
        self._fill(slot, data, size)  # what can't be copied raises before the slot is ours
        self._pool.get()
        slot.kind = ANNOUNCEMENT
        slot.name = name
        slot.to = slot.reply_net = slot.reply_serial = 0
        name.offer(slot)
        self._pool.let_go(slot)
        return self.last_serial

    def request(
        self,
        name: Name,
        data: "Data",
        size: int = -1,
        flags: int = 0,
        deadline_ms: "int | None" = None,
        to: int = 0,
    ) -> int:  # hot:
        """Send a request; it will end in exactly one reply or status, in this Ksock's queue.

        deadline_ms: counted from the bus's last poll, 0..MS_MAX; None: for ever. to: the Ksock
        that has to be the replier, 0: any. `cookie` is staged before. Returns the request's
        number, or -EMSGSIZE, -EINVAL, -EBADF, -ENOLCK (no place or slot for the answer),
        -EADDRNOTAVAIL (no replier), -EPIPE (not that replier), -EBUSY (its queue is full). Cost:
        O(listeners).
        """
        self._deadline_ms = -1 if deadline_ms is None else deadline_ms
        self._to = to
        self._data = data
        self._size = size = self._fit(data, size)
        if size < 0 or flags or not _is_deadline(deadline_ms):
            return size if size < 0 else -EINVAL
        return self._request(name)

    def _request(self, name: Name) -> int:  # hot:
        if self.queue.room() <= 0 or not self._pool.can(2):
            return -ENOLCK
        binding = name.local_replier if self.net else name.replier
        error = self._check(binding)
        if error:
            self.last_serial = self._answers.next_serial()
            return error
        assert binding is not None
        self._pool.need(2)  # only now: what is refused drops nobody's message
        slot = self._pool.first()
        self._fill(slot, self._data, self._size)
        self._pool.get()
        self._data = b""
        slot.kind = REQUEST
        slot.name = name
        slot.to = self._to
        slot.reply_net = slot.reply_serial = 0
        answer = self._answers.park(slot, self.queue, binding.queue)
        answer.cookie = self.cookie
        if self._deadline_ms >= 0:
            self._answers.set_deadline(answer, self._deadline_ms)
        binding.queue.push(slot, binding)
        name.offer(slot)
        self._pool.let_go(slot)
        return self.last_serial

    def _check(self, binding: "Binding | None") -> int:  # hot:
        if binding is None:
            return -EADDRNOTAVAIL
        if self._to and self._to != binding.queue.id:
            return -EPIPE
        # A Ksock that asks itself needs a place for the request beside that for the answer.
        room = binding.queue.room() - (1 if binding.queue is self.queue else 0)
        return 0 if room > 0 else -EBUSY

    def take(self, view: MessageView) -> int:  # hot:
        """Take the next message; `view` shows it until this Ksock's next take.

        Returns the size of its data, -EAGAIN if there is none, or -EBADF. Cost: O(1).
        """
        if self.queue.count == 0:
            self.release()
            return -EBADF if self.closed else -EAGAIN
        return self.take_at(0, view)

    def take_at(self, index: int, view: MessageView) -> int:  # hot:
        """Take the message `index` places behind the oldest out of its turn; else as take()."""
        self.release()
        slot = self._viewing = self.queue.remove(index)
        binding = self.queue.binding
        view.slot = slot
        view.data = slot.data
        view.missed = self.queue.missed
        view.binding = binding
        view.answer = None
        if binding is not None:
            if binding.replier:
                view.answer = self._answers.read(slot)
                view.ticket = view.answer.order if view.answer is not None else 0
            else:
                slot.held += 1  # a listener's entry does not hold its slot, a view does
        return slot.size

    def reply(self, request: "Asked", data: "Data", size: int = -1, flags: int = 0) -> int:  # hot:
        """Answer a request that this Ksock has read; room for it was kept when it was sent.

        request: the view or Message that showed it (a view that has taken another message since no
        longer does). Returns 0, or -ECONNREFUSED (answered, ended or not ours), -EMSGSIZE,
        -EINVAL, -EBADF (may be tried again), -EADDRNOTAVAIL (the asker has closed).
        """
        size = self._fit(data, size)
        if size < 0 or flags:
            return size if size < 0 else -EINVAL
        if not self.is_open(request):
            self._answers.late += 1
            return -ECONNREFUSED
        answer = request.answer
        assert answer is not None
        self._fill(answer, data, size)
        request.answer = None
        return self._answers.reply(answer)

    def is_open(self, request: "Asked") -> bool:  # hot:
        """Tell whether a reply to that request is still expected from this Ksock."""
        answer = request.answer
        return (
            answer is not None
            and answer.holder is self.queue
            and answer.request is None
            and answer.order == request.ticket
        )

    def fail(self, request: "Asked", reason: bytes) -> None:
        """End a request in Replier.Failed with `reason` as its data, if it is still open."""
        if self.is_open(request):
            assert request.answer is not None
            self._answers.end_failed(request.answer, reason, len(reason))
        request.answer = None

    def release(self) -> None:  # hot:
        """Let go of the message that the last take() gave out."""
        if self._viewing is not None:
            self._pool.let_go(self._viewing)
            self._viewing = None

    def _fill(self, slot: Slot, data: "Data", size: int) -> None:  # hot:
        if self.net:
            slot.net = slot.sender_net = self.net
            slot.serial = self.serial
            slot.sender = self.sender
        else:
            slot.net = slot.sender_net = 0
            slot.serial = self._answers.next_serial()
            slot.sender = self.queue.id
        self.last_serial = slot.serial
        slot.flags = slot.user = 0
        slot.size = size
        copy(slot.data, 0, data, self.offset, size)

    def _fit(self, data: "Data", size: int) -> int:  # hot:
        # Return how many bytes to send, or -errno. copy() does not look where the buffer ends.
        if not isinstance(data, _BUFFERS):
            return -EINVAL
        left = len(data) - self.offset
        if size < 0:
            size = left
        if self.closed:
            return -EBADF
        if size > self._pool.size:
            return -EMSGSIZE
        return -EINVAL if size > left or left < 0 else size
