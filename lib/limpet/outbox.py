# SPDX-License-Identifier: MIT
"""What a limpet says: bindings of this bus, requests and announcements out of its queue, answers.

Rules: a message is taken from the queue only when its record fits the frame at hand, because taken
means handed to the link. What would fit no frame at all is refused visibly: a request in a status
that says it did not run, an announcement in a counter, and a reply becomes Failed, because its
request did run.
"""

from . import record
from .context import Context, SendContexts
from .errors import EADDRNOTAVAIL, EBUSY, EMSGSIZE
from .names import is_wildcard
from .port import const, copy
from .record import Cursor
from .slots import REPLY, STATUS, Slot
from .status import FAILED, REMOTE_ERROR
from .ticks import ticks_diff
from .view import MessageView

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from .limpet import Limpet

CONTEXT_COUNT = const(32)
_MASK = const(0x3FFFFFFF)
_TOO_LARGE = b"EMSGSIZE"


class Ticket:
    """A request sent on over the link: what Hot.reply needs when its answer comes."""

    __slots__ = ("used", "answer", "ticket")

    def __init__(self) -> None:
        self.used = False  # the far side has not answered under this tag yet
        self.answer: Slot | None = None  # where the answer is parked
        self.ticket = 0

    def hold(self, view: MessageView) -> None:  # hot:
        """Keep what the answer to the request in `view` needs."""
        self.used = True
        self.answer = view.answer
        self.ticket = view.ticket


class Outbox:
    """The sending side of a limpet."""

    def __init__(self, limpet: "Limpet", tag_count: int) -> None:
        self.contexts = SendContexts(CONTEXT_COUNT)
        self.tickets = [Ticket() for _ in range(tag_count)]  # by tag
        self._limpet = limpet
        self._hot = limpet.hot
        self._answers = limpet.bus.answers
        self._bindings = limpet.bus.bindings
        self._cursor = Cursor()
        self._view = MessageView()
        self._start = 0
        self._mark = -1  # where the length of the record at hand goes, -1: it has none
        self._tag = 0  # given last
        self._last_serial = 0
        self._refused = bytearray(256)  # errno by tag of the far side's requests, 0: none
        self._refused_count = 0
        self._version = -1  # of the bindings that `_changes` was made from
        self._changes: list[tuple[int, str]] = []  # (operation, text) to be told
        self._told: list[tuple[int, str]] = []  # what the far side knows

    def reset(self) -> None:
        """Begin anew: a session has ended or begun."""
        self.contexts.reset()
        for ticket in self.tickets:
            ticket.used = False
            ticket.answer = None
        self._last_serial = 0
        for tag in range(256):
            self._refused[tag] = 0
        self._refused_count = 0
        self._version = -1
        self._changes = []
        self._told = []

    def ready(self) -> bool:  # hot:
        """Is there something to say?"""
        return (
            self._hot.count > 0
            or self._refused_count > 0
            or self._version != self._bindings.version
            or len(self._changes) > 0
        )

    def refuse(self, tag: int, errno: int) -> None:  # hot:
        """Have the far side told that its request under `tag` did not run."""
        self._limpet.stats.count("refused")
        if self._refused[tag] == 0:
            self._refused_count += 1
        self._refused[tag] = errno

    def fill(self, buf: bytearray, start: int, end: int) -> int:  # hot:
        """Put as many records into buf[start:end] as there are and fit; return the bytes put."""
        self._start = start
        self._cursor.over(buf, start, end)
        if self._version != self._bindings.version:
            self._compare()
        while self._put_next():
            pass
        self._hot.release()
        return self._cursor.i - start

    def _put_next(self) -> bool:  # hot:
        # Deal with what is next; False if the frame is full or nothing is left.
        if self._changes:
            return self._put_change()
        if self._refused_count:
            return self._put_refusal()
        if self._hot.count == 0:
            return False
        slot = self._hot.slot_at(0)
        context = None
        if slot.kind != STATUS:
            context = self.contexts.find(slot.name, slot.sender)
            if context is None:
                return self._put_context(slot)
        if slot.size + record.HEAD_SIZE_MAX > self._cursor.left():
            return self._cursor.i == self._start and self._take_too_large()
        return self._put_message(context)

    # Messages

    def _put_message(self, context: "Context | None") -> bool:  # hot:
        self._hot.take(self._view)
        binding = self._view.binding
        self._limpet.stats.count("dropped", self._view.missed)
        if binding is None:
            return self._put_answer(context)
        assert context is not None
        if not context.permitted:
            self._filtered()
            return True
        if binding.replier:
            return self._put_request(context)
        self._limpet.stats.count("announcements_sent")
        self._begin(record.ANNOUNCEMENT)
        self._put_origin(context)
        return self._put_data()

    def _put_request(self, context: Context) -> bool:  # hot:
        answer = self._view.answer
        if answer is None:
            return True  # it has ended
        tag = self._free_tag()
        if tag < 0:
            self._answers.end(answer, REMOTE_ERROR, EBUSY)
            return True
        self.tickets[tag].hold(self._view)
        self._limpet.stats.count("requests_sent")
        self._begin(record.REQUEST | (record.DEADLINE if answer.deadline >= 0 else 0))
        self._put_origin(context)
        self._cursor.put(tag)
        if answer.deadline >= 0:
            self._put_deadline(answer)
        return self._put_data()

    def _put_deadline(self, answer: Slot) -> None:  # hot:
        self._cursor.put_varint(max(0, ticks_diff(answer.deadline, self._answers.now_ms)))

    def _put_answer(self, context: "Context | None") -> bool:  # hot:
        slot = self._view.slot
        if slot.cookie >> 8 != self._limpet.generation:
            self._limpet.stats.count("late")
            return True
        self._limpet.stats.count("answers_sent")
        if slot.kind == REPLY:
            assert context is not None
            self._begin(record.ANSWER)
            self._cursor.put(slot.cookie & 0xFF)
            self._put_origin(context)
        else:
            self._begin(record.ANSWER | record.STATUS)
            self._put_status(slot.cookie & 0xFF, slot.user & 0xFF, slot.user >> 8)
        return self._put_data()

    def _put_status(self, tag: int, code: int, errno: int) -> None:  # hot:
        self._cursor.put(tag)
        self._cursor.put(code)
        self._cursor.put(errno)

    def _put_origin(self, context: Context) -> None:  # hot:
        serial = self._view.slot.serial
        self._cursor.put(context.index)
        self._cursor.put_varint((serial - self._last_serial) & _MASK)
        self._last_serial = serial

    def _put_data(self) -> bool:  # hot:
        cursor = self._cursor
        slot = self._view.slot
        copy(cursor.buf, cursor.i, slot.data, 0, slot.size)
        cursor.i += slot.size
        return self._finish()

    def _begin(self, head: int) -> None:  # hot:
        # A record has a length if another one may follow.
        cursor = self._cursor
        if self.ready():
            cursor.put(head | record.LENGTH)
            self._mark = cursor.i
            cursor.put(0)
        else:
            cursor.put(head)
            self._mark = -1

    def _finish(self) -> bool:  # hot:
        if self._mark < 0:
            return False
        self._cursor.buf[self._mark] = self._cursor.i - self._mark - 1
        return True

    def _free_tag(self) -> int:  # hot:
        # Tags go round, so that one is not used again at once.
        for _ in self.tickets:
            self._tag += 1
            if self._tag >= len(self.tickets):
                self._tag = 0
            if not self.tickets[self._tag].used:
                return self._tag
        return -1

    # What can't be sent

    def _filtered(self) -> None:  # hot:
        self._limpet.stats.count("filtered")
        if self._view.answer is not None:
            self._answers.end(self._view.answer, REMOTE_ERROR, EADDRNOTAVAIL)

    def _take_too_large(self) -> bool:
        # No frame can hold it. What is said instead begins one.
        self._hot.take(self._view)
        self._limpet.stats.count("dropped", self._view.missed)
        answer = self._view.answer
        slot = self._view.slot
        if answer is not None:
            self._answers.end(answer, REMOTE_ERROR, EMSGSIZE)
        elif self._view.binding is not None:
            self._limpet.stats.count("dropped")
        elif slot.cookie >> 8 == self._limpet.generation:
            self._limpet.stats.count("answers_sent")
            self._begin(record.ANSWER | record.STATUS)
            self._put_status(slot.cookie & 0xFF, FAILED, 0)
            for b in _TOO_LARGE:
                self._cursor.put(b)
            return self._finish()
        return True

    def _put_refusal(self) -> bool:  # hot:
        if self._cursor.left() < 5:
            return False
        for tag in range(256):
            if self._refused[tag]:
                self._cursor.put(record.ANSWER | record.STATUS | record.LENGTH)
                self._cursor.put(3)
                self._put_status(tag, REMOTE_ERROR, self._refused[tag])
                self._refused[tag] = 0
                self._refused_count -= 1
                self._limpet.stats.count("answers_sent")
                return True
        return False

    # Contexts and bindings (first use: these may allocate)

    def _put_context(self, slot: Slot) -> bool:
        text = slot.name.text
        permitted = self._limpet.permits(text)
        if permitted and record.CONTEXT_SIZE_MAX + len(text) > self._cursor.left():
            return self._cursor.i == self._start and self._take_too_large()
        context = self.contexts.assign(slot.name, slot.sender)
        context.permitted = permitted
        if not permitted:  # nothing will go under it, so the far side need not know
            return True
        self._begin_control(record.CONTEXT)
        self._cursor.put(context.index)
        self._cursor.put_varint(slot.sender)
        return self._put_text(text)

    def _put_change(self) -> bool:
        operation, text = self._changes[0]
        if 2 + len(text) > self._cursor.left():
            if self._cursor.i > self._start:
                return False
            self._changes.pop(0)
            self._limpet.stats.count("refused")
            return True
        self._changes.pop(0)
        if operation == record.LISTEN or operation == record.REPLY:
            self._told.append((operation, text))
        else:
            self._told.remove((operation - 1, text))
        self._begin_control(operation)
        return self._put_text(text)

    def _begin_control(self, operation: int) -> None:
        self._cursor.put(record.CONTROL | operation | record.LENGTH)
        self._mark = self._cursor.i
        self._cursor.put(0)

    def _put_text(self, text: str) -> bool:
        for c in text[2:]:
            self._cursor.put(ord(c))
        return self._finish()

    def _compare(self) -> None:
        # What is bound here now, against what the far side knows.
        wanted: list[tuple[int, str]] = []
        known = set()
        for b in self._bindings.all():
            entry = (record.REPLY if b.replier else record.LISTEN, b.text)
            if b.proxy or entry in known:
                continue
            if is_wildcard(b.text) or self._limpet.permits(b.text):
                known.add(entry)
                wanted.append(entry)
        told = set(self._told)
        self._changes = [(op + 1, text) for op, text in self._told if (op, text) not in known]
        self._changes += [entry for entry in wanted if entry not in told]
        self._version = self._bindings.version
