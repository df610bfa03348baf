# SPDX-License-Identifier: MIT
"""What a limpet says: bindings of this bus, requests and announcements out of its queue, answers.

Rules: a message is taken from the queue only when its record fits the frame at hand, because taken
means handed to the link. What fits no frame goes in pieces, one record at a time and each piece to
the end of its frame; only urgent messages may go between. A record in pieces gives its number
whole, because others may come between it and what was numbered last.
"""

from . import record
from .context import Context, SendContexts
from .errors import EADDRNOTAVAIL, EBUSY
from .interest import Interest
from .port import const, copy
from .record import Cursor
from .slots import ANNOUNCEMENT, REPLY, REQUEST, STATUS, Slot
from .status import REMOTE_ERROR
from .ticks import ticks_diff
from .view import MessageView

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from .limpet import Limpet

CONTEXT_COUNT = const(32)
_MASK = const(0x3FFFFFFF)
_URGENT = const(8)
_PIECE_MIN = const(8)  # less room than this is left to the next frame
_NOTHING = bytearray(0)


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
        self._cursor = Cursor()
        self._view = MessageView()
        self._start = 0  # of the frame
        self._mark = -1  # where the length of the record at hand goes, -1: it has none
        # What goes in pieces: the record at hand does; then what is left of it, and its slot.
        self._cut = False
        self._rest: bytearray | bytes | memoryview = _NOTHING
        self._rest_at = self._rest_end = 0
        self._rest_slot: Slot | None = None
        self._tag = 0  # given last
        self._last_serial = 0
        self._refused = bytearray(256)  # errno by tag of the far side's requests, 0: none
        self._refused_count = 0
        self._interest = Interest(limpet)

    def reset(self) -> None:
        """Begin anew: a session has ended or begun."""
        self.contexts.reset()
        for ticket in self.tickets:
            ticket.used = False
            ticket.answer = None
        self._end_rest()
        self._last_serial = 0
        for tag in range(256):
            self._refused[tag] = 0
        self._refused_count = 0
        self._interest.reset()

    def ready(self) -> bool:  # hot:
        """Is there something to say?"""
        return (
            self._hot.count > 0
            or self._rest_end > 0
            or self._refused_count > 0
            or self._interest.pending()
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
        self._interest.refresh()
        while self._put_next():
            pass
        self._hot.release()
        return self._cursor.i - start

    def _put_next(self) -> bool:  # hot:
        # Deal with what is next; False if the frame is full or nothing is left.
        self._cut = False
        if self._rest_end:
            # Nothing overtakes a control record: what it tells must be known first.
            return self._rest_slot is not None and self._put_urgent() or self._put_piece()
        if self._interest.changes:
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
        if self._size(slot) > self._cursor.left():
            if self._cursor.i > self._start:
                return False
            self._cut = True  # what does not fit an empty frame, fits none
        return self._put_message(context)

    def _put_urgent(self) -> bool:  # hot:
        # Put the next message between two pieces, if it may go there.
        if self._hot.count == 0:
            return False
        slot = self._hot.slot_at(0)
        context = self.contexts.find(slot.name, slot.sender)
        if (
            not slot.flags & _URGENT
            or context is None
            or self._size(slot) > self._cursor.left() - _PIECE_MIN
        ):
            return False
        self._put_message(context)
        return True

    def _size(self, slot: Slot) -> int:  # hot:
        """Return what the record of a message takes at most: close enough for every kind."""
        size = slot.size + (4 if slot.kind == ANNOUNCEMENT else 5)
        if slot.kind == REQUEST:
            size += 5
        number = (slot.serial - self._last_serial) & _MASK
        while number > 0x7F:
            size += 1
            number >>= 7
        return size

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
        if self._cut:
            self._cursor.put_varint(serial)
            return
        self._cursor.put_varint((serial - self._last_serial) & _MASK)
        self._last_serial = serial

    def _put_data(self) -> bool:  # hot:
        cursor = self._cursor
        slot = self._view.slot
        if self._cut:
            # The slot stays ours until its last piece has gone.
            self._rest_slot = self._hot.viewed
            self._hot.viewed = None
            return self._put_first(slot.data, slot.size)
        copy(cursor.buf, cursor.i, slot.data, 0, slot.size)
        cursor.i += slot.size
        return self._finish()

    def _begin(self, head: int) -> None:  # hot:
        # A record has a length if another one may follow in this frame.
        cursor = self._cursor
        if self._cut:
            cursor.put(record.CONTROL | record.PIECE)
            cursor.put(head)
        elif self._has_room_for_more():
            cursor.put(head | record.LENGTH)
            self._mark = cursor.i
            cursor.put(0)
        else:
            cursor.put(head)
            self._mark = -1

    def _has_room_for_more(self) -> bool:  # hot:
        # Does something follow that has room behind the message at hand?
        if self._rest_end or self._refused_count or self._interest.pending():
            return True
        if self._hot.count == 0:
            return False
        size = self._size(self._view.slot) + self._size(self._hot.slot_at(0))
        return size <= self._cursor.left()

    # Pieces

    def _put_first(self, data: "bytes | memoryview", size: int) -> bool:  # hot:
        # Put what fits of a record's data to the end of the frame; the rest follows in pieces.
        self._rest = data
        self._rest_end = size
        self._rest_at = 0
        self._put_rest(min(size - 1, self._cursor.left()))
        return False

    def _put_rest(self, count: int) -> None:  # hot:
        cursor = self._cursor
        copy(cursor.buf, cursor.i, self._rest, self._rest_at, count)
        cursor.i += count
        self._rest_at += count

    def _put_piece(self) -> bool:  # hot:
        cursor = self._cursor
        left = self._rest_end - self._rest_at
        if cursor.left() < _PIECE_MIN:
            return False
        if left > cursor.left() - 2:
            cursor.put(record.CONTROL | record.PIECE)
            self._put_rest(min(left - 1, cursor.left()))
            return False
        cursor.put(record.CONTROL | record.LAST | record.LENGTH)
        cursor.put(left)
        self._put_rest(left)
        self._end_rest()
        return True

    def _end_rest(self) -> None:  # hot:
        slot = self._rest_slot
        self._rest = _NOTHING
        self._rest_slot = None
        self._rest_end = 0
        if slot is not None:
            self._limpet.bus.pool.let_go(slot)

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
        if permitted and not self._has_room(text, 6):
            return False
        context = self.contexts.assign(slot.name, slot.sender)
        context.permitted = permitted
        if not permitted:  # nothing will go under it, so the far side need not know
            return True
        self._begin_control(record.CONTEXT)
        self._cursor.put(context.index)
        self._cursor.put_varint(slot.sender)
        return self._put_text(text)

    def _put_change(self) -> bool:
        operation, text = self._interest.changes[0]
        if not self._has_room(text, 0):
            return False
        self._interest.said()
        self._begin_control(operation)
        return self._put_text(text)

    def _has_room(self, text: str, more: int) -> bool:
        # Is there room for a control record with a name and `more` bytes, if need be in pieces?
        self._cut = more + len(text) > self._cursor.left()  # head and length stand for "$."
        return not self._cut or self._cursor.i == self._start

    def _begin_control(self, operation: int) -> None:
        if self._cut:
            self._begin(record.CONTROL | operation)
            return
        self._cursor.put(record.CONTROL | operation | record.LENGTH)
        self._mark = self._cursor.i
        self._cursor.put(0)

    def _put_text(self, text: str) -> bool:
        data = text[2:].encode()
        if self._cut:
            return self._put_first(data, len(data))
        copy(self._cursor.buf, self._cursor.i, data, 0, len(data))
        self._cursor.i += len(data)
        return self._finish()
