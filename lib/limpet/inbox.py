# SPDX-License-Identifier: MIT
"""What a limpet hears: the far side's bindings, requests and announcements, answers to what it
sent on.

Rules: nothing from the wire raises. A record that breaks the format is dropped and counted; a
request that can't be sent here is answered with the errno (outbox.refuse), so it always ends.
Messages keep the id they have at home: the far node and its number.
"""

from . import record
from .context import ReceiveContexts
from .errors import EADDRNOTAVAIL, EAGAIN, EBADMSG, EMSGSIZE, ENOSPC
from .names import check as check_name
from .names import is_wildcard
from .outbox import CONTEXT_COUNT, Ticket
from .port import const, copy
from .record import Cursor
from .send import STAGED
from .status import CODE_MAX, FAILED, LINK_LOST
from .ticks import MS_MAX

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from .bindings import Name
    from .limpet import Limpet

_MASK = const(0x3FFFFFFF)
_HALF = const(0x20000000)
_ERRNO_MAX = const(199)
_TEXT_MAX = const(1010)  # a record with the longest name

# Why a bind for the far side may do later: no place, or a bind event finds no room.
_LATER = (-ENOSPC, -EAGAIN)


class Inbox:
    """The receiving side of a limpet."""

    def __init__(self, limpet: "Limpet") -> None:
        self.contexts = ReceiveContexts(CONTEXT_COUNT)
        self._limpet = limpet
        self._hot = limpet.hot
        self._answers = limpet.bus.answers
        self._bindings = limpet.bus.bindings
        self._cursor = Cursor()
        # What the far side has bound and the full table here refused: (text, is a replier).
        self.waiting: list[tuple[str, bool]] = []
        self._last_serial = 0
        # A record that comes in pieces: its buffer, made when one first does, and what is in it.
        self._whole: bytearray | None = None
        self._fill = 0
        self._is_text = False  # it is a control record: it has a name
        # Of the record at hand:
        self._alone = False  # it came in pieces
        self._serial = 0
        self._context = 0
        self._deadline_ms: int | None = None

    def reset(self) -> None:
        """Begin anew: a session has ended or begun."""
        self.contexts.reset()
        self.waiting = []
        self._last_serial = self._fill = 0

    def receive(self, buf: bytearray, start: int, end: int) -> None:  # hot:
        """Take the records of one frame."""
        cursor = self._cursor
        cursor.over(buf, start, end)
        while cursor.i < end and not cursor.bad:
            start = cursor.get()
            if start & record.LENGTH:
                size = cursor.get()
                if size > end - cursor.i:  # nothing tells where a next one would begin
                    self._limpet.stats.count("bad")
                    return
                cursor.end = cursor.i + size
            self._take(start)
            cursor.i = cursor.end
            cursor.end = end
            if cursor.bad:  # the next record begins where this one says it ends
                cursor.bad = False
                self._limpet.stats.count("bad")

    def _take(self, head: int) -> None:  # hot:
        kind = head & record.KIND
        if kind == record.ANNOUNCEMENT:
            self._announcement()
        elif kind == record.REQUEST:
            self._request(head & record.DEADLINE)
        elif kind == record.ANSWER:
            self._answer(head & record.STATUS)
        else:
            self._control(head & record.OPERATION)

    def _stage(self) -> None:  # hot:
        # Read context and number; from _sign() to _unsign() the Ksock sends in the far
        # sender's name.
        self._context = self._cursor.get()
        # Below zero first: the sum of two 30-bit numbers is no small int on a board.
        self._serial = self._cursor.get_varint()
        if not self._alone:
            self._serial = (self._last_serial - _HALF + (self._serial - _HALF)) & _MASK
            self._last_serial = self._serial

    def _sign(self) -> None:  # hot:
        hot = self._hot
        hot.net = self._limpet.link.peer_node
        hot.serial = self._serial
        hot.sender = self.contexts.sender(self._context)
        hot.offset = self._cursor.i

    def _unsign(self) -> None:  # hot:
        self._hot.unstage()

    def _announcement(self) -> None:  # hot:
        self._stage()
        if self._cursor.bad:
            return
        name = self._name()
        if name is None:
            self._unnamed()
            return
        self._limpet.stats.count("announcements_received")
        self._sign()
        if self._hot.announce(name, self._cursor.buf, self._cursor.left(), STAGED) < 0:
            self._limpet.stats.count("dropped")
        self._unsign()

    def _request(self, timed: int) -> None:  # hot:
        self._stage()
        tag = self._cursor.get()
        if self._cursor.bad:
            return
        self._limpet.stats.count("requests_received")
        self._deadline_ms = min(self._cursor.get_varint(), MS_MAX) if timed else None
        self._hot.cookie = self._limpet.generation << 8 | tag
        self._sign()
        code = self._send()
        self._unsign()
        if code < 0:
            self._limpet.outbox.refuse(tag, -code)

    def _send(self) -> int:  # hot:
        if self._cursor.bad:
            return -EBADMSG
        name = self._name()
        if name is None:
            return -self._unnamed()
        left = self._cursor.left()
        return self._hot.request(name, self._cursor.buf, left, STAGED, self._deadline_ms)

    def _name(self) -> "Name | None":  # hot:
        name = self.contexts.name(self._context)
        return self._find_again() if name is None else name

    def _find_again(self) -> "Name | None":
        # If the table of names was full when the context was assigned, it may have room by now.
        text = self.contexts.text(self._context)
        name = self._bindings.name(text) if text else None
        if name is not None:
            self.contexts.assign(self._context, name, self.contexts.sender(self._context))
        return name

    def _unnamed(self) -> int:  # hot:
        # Count a message without a Name; return the errno that says why.
        if self.contexts.text(self._context):
            self._limpet.stats.count("dropped")
            return ENOSPC
        self._limpet.stats.count("filtered")
        return EADDRNOTAVAIL

    def _answer(self, is_status: int) -> None:  # hot:
        tag = self._cursor.get()
        tickets = self._limpet.outbox.tickets
        if self._cursor.bad or tag >= len(tickets) or not tickets[tag].used:
            self._limpet.stats.count("late")
            return
        self._limpet.stats.count("answers_received")
        ticket = tickets[tag]
        ticket.used = False
        if is_status:
            self._status(ticket)
        else:
            self._reply(ticket)
        ticket.answer = None

    def _reply(self, ticket: Ticket) -> None:  # hot:
        self._stage()
        if self._cursor.bad:
            self._end(ticket, LINK_LOST, 0)
            return
        self._sign()
        code = self._hot.reply(ticket, self._cursor.buf, self._cursor.left(), STAGED)
        self._unsign()
        if code == -EMSGSIZE:  # it ran, but the reply fits no slot here
            self._hot.fail(ticket, b"EMSGSIZE")
        elif code < 0:
            self._limpet.stats.count("late")

    def _status(self, ticket: Ticket) -> None:  # hot:
        code = self._cursor.get()
        errno = self._cursor.get()
        if self._cursor.bad or not 0 < code <= CODE_MAX:
            self._cursor.bad = True  # not a status of this version: nothing can be concluded
            code = LINK_LOST
        if code == FAILED:
            self._failed(ticket)
        else:
            self._end(ticket, code, errno)

    def _end(self, ticket: Ticket, code: int, errno: int) -> None:  # hot:
        if ticket.answer is not None and self._hot.is_open(ticket):
            self._answers.end(ticket.answer, code, min(errno, _ERRNO_MAX))
        else:
            self._limpet.stats.count("late")

    def _failed(self, ticket: Ticket) -> None:
        cursor = self._cursor
        if self._hot.is_open(ticket):
            self._hot.fail(ticket, bytes(cursor.buf[cursor.i : cursor.end]))
        else:
            self._limpet.stats.count("late")

    # Pieces

    def _gather(self, last: bool) -> None:  # hot:
        # What is larger than the buffer is larger than a slot: its end does not matter.
        cursor = self._cursor
        count = cursor.left()
        if not self._fill and count:
            self._is_text = cursor.buf[cursor.i] & record.KIND == record.CONTROL
        whole = self._whole
        if whole is None or self._is_text and len(whole) < min(self._fill + count, _TEXT_MAX):
            whole = self._grow()
        count = min(count, len(whole) - self._fill)
        copy(whole, self._fill, cursor.buf, cursor.i, count)
        self._fill += count
        if last:
            self._take_whole(whole)

    def _take_whole(self, whole: bytearray) -> None:  # hot:
        cursor = self._cursor
        buf = cursor.buf
        end = cursor.end
        cursor.over(whole, 0, self._fill)
        self._fill = 0
        self._alone = True
        self._take(cursor.get())
        self._alone = False
        cursor.buf = buf
        cursor.end = end

    def _grow(self) -> bytearray:
        # For any message of this bus, or once more for the longest name.
        size = self._limpet.bus.pool.size + record.HEAD_SIZE_MAX + 1
        whole = bytearray(max(size, _TEXT_MAX) if self._is_text else size)
        if self._whole is not None:
            copy(whole, 0, self._whole, 0, self._fill)
        self._whole = whole
        return whole

    # Contexts and bindings (first use: these may allocate)

    def _control(self, operation: int) -> None:
        if operation == record.CONTEXT:
            self._assign()
        elif record.LISTEN <= operation <= record.UNREPLY:
            self._bind(operation)
        elif record.PIECE <= operation <= record.LAST and not self._alone:
            self._gather(operation == record.LAST)
        else:
            self._limpet.stats.count("bad")

    def _text(self) -> str:
        # The rest of the record as a name, "" if it is no text.
        cursor = self._cursor
        try:
            return "$." + bytes(cursor.buf[cursor.i : cursor.end]).decode("ascii")
        except (ValueError, UnicodeError):
            return ""

    def _assign(self) -> None:
        index = self._cursor.get()
        sender = self._cursor.get_varint()
        text = self._text()
        if self._cursor.bad or check_name(text, False):
            self._cursor.bad = True
            self.contexts.assign(index, None, 0)
            return
        name = None
        if self._limpet.permits(text):
            name = self._bindings.name(text)
        else:
            text = ""
        if not self.contexts.assign(index, name, sender, text):
            self._cursor.bad = True

    def _bind(self, operation: int) -> None:
        text = self._text()
        if check_name(text, True):
            self._cursor.bad = True
            return
        if not is_wildcard(text) and not self._limpet.permits(text):
            self._limpet.stats.count("filtered")
            return
        replier = operation >= record.REPLY
        if (text, replier) in self.waiting:
            self.waiting.remove((text, replier))
        if operation == record.LISTEN or operation == record.REPLY:
            code = self._limpet.bind(text, replier)
        else:
            code = self._limpet.unbind(text, replier)
        if code:
            self._limpet.stats.count("refused")
        if code in _LATER and len(self.waiting) < self._bindings.binding_count:
            self.waiting.append((text, replier))

    def bind_again(self) -> None:
        """Bind what found no room when the far side told it, as far as there is room now."""
        while self.waiting and self._bindings.has_room():
            text, replier = self.waiting[0]
            if self._limpet.bind(text, replier) in _LATER:
                return
            self.waiting.pop(0)
