# SPDX-License-Identifier: MIT
"""Sending, the careful way: every check in KBUS's order, flags, staged fields, sends that wait.

Rules: arguments travel in attributes (`data`, `size`, `flags`, ...), as they would take too many
words of a frame. What refuses a message for good comes before anything is changed; a message that
is refused after it has a number (no replier, not that one, a full queue) has used the number up
and nothing else. Listeners' room is looked at before anybody's copy is dropped to make a slot
free. With ALL_OR_WAIT a send that meets a full queue leaves its message *pending* in its slot,
under the number it has; until it is through or discarded no other send is possible. See
docs/guarantees.md.
"""

from .pool import SHUT, Pool
from .port import const, copy
from .queue import Queue
from .slots import ANNOUNCEMENT, PARKED, REQUEST
from .status import DISAPPEARED, ERROR_SENDING
from .ticks import MS_MAX

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from .answers import Answers
    from .bindings import Name
    from .hot import Asked
    from .slots import Slot

    Data = bytes | bytearray | memoryview

URGENT = const(8)
ALL_OR_WAIT = const(0x100)
ALL_OR_FAIL = const(0x200)
STAGED = const(0x10000)  # take the fields that are staged for this send

_ALL_OR_WAIT = const(0x100)
_ALL = const(0x300)
_KNOWN = const(0x308)
_STAGED = const(0x10000)
_FOREIGN = const(0x20000)  # in a slot: its sender is of the node that numbered it
_SPECIAL = const(0x40000)  # in a slot: it is not plain, even if it has no flags

_EBADF = const(9)
_EAGAIN = const(11)
_EBUSY = const(16)
_EINVAL = const(22)
_EPIPE = const(32)
_ENOLCK = const(37)
_ENOMSG = const(42)
_EMSGSIZE = const(90)
_EADDRNOTAVAIL = const(99)
_ENOBUFS = const(105)
_ECONNREFUSED = const(111)
_EALREADY = const(114)

# What a send may be refused for, in the order of `refused`.
CAUSES = (
    _EAGAIN,
    _EBUSY,
    _EPIPE,
    _ENOLCK,
    _EMSGSIZE,
    _EADDRNOTAVAIL,
    _ENOBUFS,
    _ECONNREFUSED,
)


class Sender(Queue):
    """A Ksock's queue and its careful sends; the base of Hot."""

    __slots__ = (
        "answers supply pending refused last_net last_serial data size flags deadline_ms meant "
        "user net serial sender to carry offset cookie name"
    ).split()

    def __init__(self, pool: Pool, answers: "Answers", ksock_id: int, limit: int) -> None:
        Queue.__init__(self, pool, ksock_id, limit)
        self.answers = answers
        self.supply: Pool = pool  # SHUT while sends are refused: closed, or one is pending
        self.pending: Slot | None = None  # the message that waits for room
        self.refused = [0] * len(CAUSES)
        # The number that the last send used up that was refused or staged.
        self.last_net = 0
        self.last_serial = 0
        # Of the message at hand (arguments, as they would take too many words of a frame):
        self.data: Data = b""
        self.size = -1
        self.flags = 0
        self.deadline_ms: int | None = None
        self.meant = 0  # the Ksock that has to be the replier
        self.unstage()

    def unstage(self) -> None:  # hot:
        """Set all that STAGED sends take to nothing; what is staged stays until changed."""
        self.user = 0  # user's half of the flags, 16 bits
        self.net = 0  # keep the id (net, serial) that the message has; net 0: number it
        self.serial = 0
        self.sender = -1  # the sender's id at the node `net`; -1: this Ksock
        self.to = 0  # of an announcement: carried along
        self.carry: object = None  # any object for the readers
        self.offset = 0  # where the data begins in the buffer given
        self.cookie = 0  # of a request: comes back with its answer
        self.name: Name | None = None  # of a reply: its name, None: the request's

    # The three kinds of message: data, size, flags and so on are set

    def send_announcement(self, name: "Name") -> int:  # hot:
        """See Hot.announce."""
        code = self._fit()
        if code < 0:
            return self.refuse(code)
        pool = self.pool
        if name.log is pool.no_log:
            self.number()
            return self.last_serial
        if not pool.can(1):
            return self.refuse(-_ENOBUFS)
        code = name.room_for(self.flags) if self.flags & _ALL else 0
        if code == -_EBUSY:
            self.number()
            return self.refuse(code)
        if not pool.need(1):  # only now: what is refused drops nobody's message
            return self.refuse(-_ENOBUFS)
        if code:
            code = name.room_for(self.flags)
        slot = self.fill(pool.free)  # type: ignore[arg-type]
        slot.name = name
        pool.get()
        if code:
            return self._wait(slot, code)
        name.spread(slot)
        pool.let_go(slot)
        return self.last_serial

    def send_request(self, name: "Name") -> int:  # hot:
        """See Hot.request."""
        code = self._fit()
        if code < 0 or not self.is_deadline():
            return self.refuse(code if code < 0 else -_EINVAL)
        if self.room() <= 0 or not self.pool.can(2):
            return self.refuse(-_ENOLCK)
        code = self._check(name, self.flags, self.meant)
        if code and code != -_EAGAIN:
            self.number()
            return self.refuse(code)
        if not self.pool.need(2):
            return self.refuse(-_ENOLCK)
        if code:  # what was dropped may have made room
            code = self._check(name, self.flags, self.meant)
        slot = self.fill(self.pool.free)  # type: ignore[arg-type]
        slot.name = name
        self.pool.get()
        slot.kind = REQUEST
        slot.to = self.meant
        self.answers.park(slot, self.cookie if self.flags & _STAGED else 0, self.deadline_ms)
        return self._wait(slot, code) if code else self._ask_for(slot)

    def _ask_for(self, slot: "Slot") -> int:  # hot:
        # All checks are passed: reserve the answer, hand the request to its replier.
        name = slot.name
        binding = name.local_replier if slot.flags & _FOREIGN else name.replier
        answer = slot.pair
        assert binding is not None and answer is not None
        answer.asker = self  # type: ignore[assignment]
        answer.to = self.id
        answer.holder = binding.hot
        name.look()
        self.reserved += 1
        if self.log.limit > 0:
            self.log.limit -= 1
        binding.hot.push(slot, binding)
        name.offer(slot)
        self.pool.let_go(slot)
        return slot.serial

    def _check(self, name: "Name", flags: int, to: int) -> int:  # hot:
        binding = name.replier
        if flags & _FOREIGN or (flags & _STAGED and self.sender >= 0):
            binding = name.local_replier  # what came over a link does not go out again
        if binding is None:
            return -_EADDRNOTAVAIL
        if to and (binding.proxy or to != binding.hot.id):
            return -_EPIPE  # over a link `to` would not be seen, and anybody might get it
        if binding.hot.room() <= 0:
            if flags & _ALL_OR_WAIT:
                binding.hot.block()
                return -_EAGAIN
            return -_EBUSY
        return name.room_for(flags) if flags & _ALL else 0

    def send_reply(self, request: "Asked") -> int:  # hot:
        """See Hot.reply."""
        code = self._fit()
        if code < 0:
            return self.refuse(code)
        if not self.is_open(request):
            self.number()
            self.answers.late += 1
            return self.refuse(-_ECONNREFUSED)
        answer = request.answer
        assert answer is not None
        code = self._answer(answer)
        request.answer = None  # only now: data that can't be copied raises
        return code

    def _answer(self, answer: "Slot") -> int:  # hot:
        self.fill(answer)
        answer.to = answer.asker.id if answer.asker is not None else 0  # fill() has its own
        name = self.name if self.flags & _STAGED and self.name is not None else answer.name
        code = self.answers.reply(answer, name)
        return self.last_serial if code == 0 else self.refuse(code)

    def reply_parked(self, answer: "Slot", data: "Data", flags: int) -> int:
        """Answer the request whose answer is parked in `answer` (find_owed); as Hot.reply."""
        self.data = data
        self.size = -1
        self.flags = flags
        code = self._fit()
        return self.refuse(code) if code < 0 else self._answer(answer)

    def is_open(self, request: "Asked") -> bool:  # hot:
        """Tell whether a reply to that request is still expected from this Ksock."""
        answer = request.answer
        return (
            answer is not None
            and answer.kind == PARKED
            and answer.holder is self
            and answer.pair is None
            and answer.seq == request.ticket
        )

    def fail(self, request: "Asked", reason: bytes) -> None:
        """End a request in Replier.Failed with `reason` as its data, if it is still open."""
        if self.is_open(request):
            assert request.answer is not None
            self.answers.end_failed(request.answer, reason, len(reason))
        request.answer = None

    def find_owed(self, net: int, serial: int) -> "Slot | None":
        """Return where the answer to a request that this Ksock has read is parked, None: nowhere.

        Cost: O(slots).
        """
        for slot in self.pool.slots:
            if slot.holder is self and slot.reply_serial == serial and slot.reply_net == net:
                if slot.pair is None:
                    return slot
        return None

    def owed_count(self) -> int:
        """Return how many requests this Ksock has read and not answered. Cost: O(slots)."""
        count = 0
        for slot in self.pool.slots:
            if slot.holder is self and slot.pair is None:
                count += 1
        return count

    # Sends that wait for room

    def _wait(self, slot: "Slot", code: int) -> int:  # hot:
        self.pending = slot
        self.supply = SHUT
        return self.refuse(code)

    def retry(self) -> int:  # hot:
        """Try the pending send again; returns its number, -EAGAIN, or why it was given up.

        -ENOMSG if nothing is pending; -ENOLCK, -EADDRNOTAVAIL, -EPIPE, -EBUSY: the message is
        gone, and a request among them has not run.
        """
        slot = self.pending
        if slot is None:
            return -_EBADF if self.closed else -_ENOMSG
        if slot.kind == REQUEST and self.room() <= 0:
            self.discard()
            return self.refuse(-_ENOLCK)
        code = self._try(slot)
        if code < 0 and code != -_EAGAIN:
            self.discard()
            return self.refuse(code)
        return code

    def poll_pending(self) -> bool:  # hot:
        """Try the pending send again, if there is one, and tell whether a new send is possible.

        A request that has become impossible ends in Replier.Disappeared or ErrorSending.
        """
        slot = self.pending
        if slot is None:
            return not self.closed
        code = self._try(slot)
        if code == -_EAGAIN:
            return False
        if code < 0:
            self.give_up(DISAPPEARED if code == -_EADDRNOTAVAIL else ERROR_SENDING)
        return True

    def give_up(self, status: int) -> None:  # hot:
        """Discard the pending message; if it is a request, it ends in `status`."""
        slot = self.pending
        answer = slot.pair  # type: ignore[union-attr]
        slot.pair = None  # type: ignore[union-attr]
        self.discard()
        if answer is not None:
            answer.pair = None
            answer.asker = self
            self.reserved += 1
            self.answers.end(answer, status)

    def _try(self, slot: "Slot") -> int:  # hot:
        if slot.kind == REQUEST:
            code = self._check(slot.name, slot.flags, slot.to)
        else:
            code = slot.name.room_for(slot.flags)
        if code < 0:
            return code
        self.pending = None
        self.supply = self.pool
        if slot.kind == REQUEST:
            return self._ask_for(slot)
        code = slot.serial
        slot.name.spread(slot)
        self.pool.let_go(slot)
        return code

    def discard(self) -> None:  # hot:
        """Give the pending message up, if there is one."""
        slot = self.pending
        if slot is not None:
            self.pending = None
            self.supply = self.pool
            if slot.pair is not None:
                self.answers.forget_parked(slot.pair)
            self.pool.let_go(slot)

    # What they share

    def refuse(self, code: int) -> int:  # hot:
        """Count a refusal by its cause; return it."""
        for i in range(len(CAUSES)):
            if CAUSES[i] == -code and self.refused[i] < 0x3FFFFFFF:
                self.refused[i] += 1
        return code

    def number(self) -> None:  # hot:
        """Use the next number up, or take the id that is staged."""
        self.last_net = self.net if self.flags & _STAGED else 0
        self.last_serial = self.serial if self.last_net else self.pool.next_serial()

    def fill(self, slot: "Slot") -> "Slot":  # hot:
        """Write the message at hand into a slot, and return it; its kind stays."""
        flags = self.flags
        # What can't be copied raises before anything is used up.
        copy(slot.data, 0, self.data, self.offset if flags & _STAGED else 0, self.size)
        self.data = b""
        self.number()
        slot.size = self.size
        slot.net = self.last_net
        slot.serial = self.last_serial
        slot.sender = self.id
        if flags & _STAGED:
            flags ^= _STAGED | _SPECIAL
            slot.seq = self.pool.serial
            if self.net and slot.kind == ANNOUNCEMENT:
                slot.deadline = -1 - self.pool.stamp()
            slot.user = self.user
            slot.to = self.to
            slot.carry = self.carry
            if self.sender >= 0:
                slot.sender = self.sender
                flags |= _FOREIGN
        slot.flags = flags
        return slot

    def _fit(self) -> int:  # hot:
        # Settle how many bytes to send; 0 or -errno. copy() does not look where the buffer ends.
        flags = self.flags
        left = len(self.data)
        if isinstance(self.data, str):
            raise TypeError("data is bytes, not text")
        if flags & _STAGED:
            left -= self.offset
        if self.size < 0:
            self.size = left
        if self.supply is SHUT:
            return -_EBADF if self.closed else -_EALREADY
        if flags & ~(_KNOWN | _STAGED) or flags & _ALL == _ALL or self.size > left or left < 0:
            return -_EINVAL
        return -_EMSGSIZE if self.size > self.pool.size else 0

    def is_deadline(self) -> bool:  # hot:
        """Tell whether deadline_ms is one, or None."""
        ms = self.deadline_ms
        return ms is None or (isinstance(ms, int) and 0 <= ms <= MS_MAX)
