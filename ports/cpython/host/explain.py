# SPDX-License-Identifier: MIT
"""What the bytes on a link mean, in words: for captures, and whoever looks at a line.

Rules: nothing raises, whatever the bytes are; one Explainer hears both directions of one link, in
order. It learns sessions from their HELOs. Where it came too late for these, it finds what a
side's checks start at from two frames in a row that agree; then a check proves little, and keys
and the names of contexts are not known. A message's number is told as long as no frame of the
session is missing, then only how much more it is than the last one's. Layouts: docs/wire.md.
"""

from struct import error, unpack_from

from .. import record
from ..frame import RESIDUE
from ..port import crc16, unseal
from ..record import Cursor
from ..session import check_start
from ..status import CODE_MAX, name_of

_TEXT_MAX = 2000  # characters
_HELO_START = 0xFFFF  # of its check
_HELO_FIELDS = ">B4I4BHB"
_FLAGS = ("NEED", "PROBE", "CLOSE", "STREAM", "KEYED", "COUNTED")
_KEYED = 16
_COUNTED = 32
_COUNT = 2
_TRAILER = 10
_DIRECTIONS = "NT NE ET SE ST SW WT NW".split()
_SERVICES = {1: "liveness", 2: "limpet", 3: "counter", 4: "kstate", 8: "files", 9: "physics"}
_BINDS = {2: "listen", 3: "unlisten", 4: "replier", 5: "unreplier"}
_PIECE, _LAST = 6, 7
_WHOLE_MAX = 1 << 20  # bytes of a record in pieces


class _Side:
    """What is known of one side's frames in its session."""

    def __init__(self) -> None:
        self.starts: list[tuple[int, str, int]] = []  # checks' starts, session, trailer's size
        self.start = -1  # what checks start at now
        self.trailer = 0  # bytes between packet and check
        self.guess = -1  # what the check of the last unknown frame would have started at
        self.begin()

    def begin(self) -> None:
        """Forget what belongs to a session."""
        self.contexts: dict[int, tuple[str, int]] = {}
        self.number = 0
        self.piece = b""
        self.next = 0  # sequence number of the next frame
        self.whole = False  # no frame is missing so far
        self.again = False  # the frame at hand has come before, or comes late
        self.alone = False  # the record at hand came in pieces: its number is whole


class Explainer:
    """Tells what passes on one link."""

    def __init__(self) -> None:
        self._sides = (_Side(), _Side())

    def explain(self, out: bool, data: bytes) -> str:
        """Return what a frame is, given with its delimiter; one line.

        out: which side sent it. What is no right frame is told as such.
        """
        try:
            return self._frame(out, data)[:_TEXT_MAX]
        except (IndexError, error, ValueError):
            return "malformed"

    def _frame(self, out: bool, data: bytes) -> str:
        run = bytearray(data.strip(b"\0"))
        if not run:
            return "nothing"
        if data[-1]:
            return "%d bytes without a delimiter" % len(data)
        size = unseal(run, len(run), _HELO_START)
        is_right = size >= 0
        size = size + 2 if is_right else -size  # with the check
        if size < 3:
            return "%d bytes that are no frame" % len(data)
        if run[0] & 0xE0 == 0x80 and run[1] == 1:
            return self._helo(out, run, size - 2) if is_right else "damaged HELO"
        session = self._session(out, run, size)
        if not session:
            return "frame of %d bytes, damaged or of an unknown session" % size
        size -= 2
        trailer = self._sides[out].trailer
        if trailer:
            if size <= trailer:
                return session + " without its trailer"
            size -= trailer
            number = run[size] << 8 | run[size + 1]
            session += (" count %04x" if trailer == _COUNT else " counter ..%04x") % number
        return session + " " + self._packet(self._sides[out], run, size)

    # Sessions

    def _session(self, out: bool, run: bytearray, size: int) -> str:
        side = self._sides[out]
        for start, name, trailer in side.starts:
            if crc16(run, 0, size, start) == RESIDUE:
                if side.start != start:
                    side.begin()
                    side.whole = True
                side.start, side.trailer = start, trailer
                return name
        start = _start_of(run, size)
        if start == side.start:
            return "session ?"
        if start != side.guess:
            side.guess = start
            return ""
        side.begin()
        side.start, side.trailer = start, 0
        return "session ?"

    def _helo(self, out: bool, packet: bytearray, size: int) -> str:
        if packet[2] != 1:
            return "HELO of protocol version %d" % packet[2]
        fields = unpack_from(_HELO_FIELDS, packet, 3)
        flags, node, node_epoch, epoch, echo = fields[:5]
        text = bytes(packet[27 : 27 + fields[-1]]).decode(errors="replace")
        words = [name for k, name in enumerate(_FLAGS) if flags >> k & 1]
        words.append("node %d.%08x epoch %08x echo %08x" % (node, node_epoch, epoch, echo))
        words.append(
            "packets %d slots %d ack each %d or %d ms silence %d ms" % tuple(fields[5:10])
        )
        if text:
            words.append("compatibility %r" % text)
        if echo and epoch ^ echo:
            trailer = _TRAILER if flags & _KEYED else _COUNT if flags & _COUNTED else 0
            self._pair(out, epoch, echo, trailer)
        return "HELO " + " ".join(words)

    def _pair(self, out: bool, epoch: int, echo: int, trailer: int) -> None:
        # Newest first; a session that goes on keeps its place in the list.
        for side, one, two in (
            (self._sides[out], epoch, echo),
            (self._sides[not out], echo, epoch),
        ):
            entry = (check_start(one, two), "%08x" % (epoch ^ echo), trailer)
            if entry not in side.starts:
                side.starts.insert(0, entry)
                del side.starts[8:]

    # Packets

    def _packet(self, side: _Side, packet: bytearray, size: int) -> str:
        if packet[0] & 0xC0 != 0x80:
            return "packet that must not be sent, byte 0 %02x" % packet[0]
        where = "to %s " % _DIRECTIONS[packet[0] & 7] if packet[0] & 7 else ""
        if packet[0] & 0x20:
            return where + "MFMT %d bytes" % (size - 1)
        service = packet[1] & 0x3F
        if not service:
            return where + _null(packet, size)
        word = "bulk " if packet[1] & 0x80 else ""
        word += _SERVICES.get(service, "service %d" % service)
        if not packet[1] & 0x40:
            return where + "unreliable %s %d bytes" % (word, size - 2)
        word = "seq %d ack %d %s" % (packet[2], packet[3], word)
        ahead = (packet[2] - side.next) & 255
        side.again = ahead >= 128
        if side.again:
            word = "again " + word
        else:
            side.whole = side.whole and not ahead
            side.next = (packet[2] + 1) & 255
        if service == 2:
            return where + word + ": " + self._records(side, packet, 4, size)
        return where + word + " %d bytes" % (size - 4)

    def _records(self, side: _Side, packet: bytearray, at: int, end: int) -> str:
        cursor = Cursor()
        cursor.over(packet, at, end)
        words = []
        while cursor.i < end:
            head = cursor.get()
            cursor.end = end
            if head & record.LENGTH:
                size = cursor.get()
                cursor.end = min(end, cursor.i + size)
            words.append(self._record(side, head, cursor))
            if cursor.bad:
                words.append("cut off")
                break
            cursor.i = cursor.end
            cursor.end = end
        return "; ".join(words)

    def _record(self, side: _Side, head: int, cursor: Cursor) -> str:
        kind = head & record.KIND
        if kind == record.CONTROL:
            return self._control(side, head & record.OPERATION, cursor)
        if kind == record.ANSWER:
            tag = cursor.get()
            if head & record.STATUS:
                return "tag %d ends in %s%s" % (tag, _status(cursor), _left(cursor))
            return "reply to tag %d %s%s" % (tag, _origin(side, cursor), _left(cursor))
        if kind == record.ANNOUNCEMENT:
            return "announcement %s%s" % (_origin(side, cursor), _left(cursor))
        origin = _origin(side, cursor)
        told = "request %s tag %d" % (origin, cursor.get())
        if head & record.DEADLINE:
            told += " within %d ms" % cursor.get_varint()
        return told + _left(cursor)

    def _control(self, side: _Side, operation: int, cursor: Cursor) -> str:
        if operation in (_PIECE, _LAST) and not side.alone:
            return self._piece(side, operation == _LAST, cursor)
        if operation == record.CONTEXT:
            index, sender = cursor.get(), cursor.get_varint()
            text = _text(cursor)
            if not (side.again and index in side.contexts):
                side.contexts[index] = (text, sender)
            return "context %d is %s from Ksock %d" % (index, text, sender)
        if operation in _BINDS:
            return "%s %s" % (_BINDS[operation], _text(cursor))
        return "control %d%s" % (operation, _left(cursor))

    def _piece(self, side: _Side, last: bool, cursor: Cursor) -> str:
        told = "a piece%s" % _left(cursor)
        if side.again or not side.whole:
            return told
        side.piece = (side.piece + bytes(cursor.buf[cursor.i : cursor.end]))[:_WHOLE_MAX]
        if not last:
            return told
        inner = Cursor()
        inner.over(bytearray(side.piece), 0, len(side.piece))
        side.piece = b""
        side.alone = True
        try:
            return "the last piece%s of %s" % (
                _left(cursor),
                self._record(side, inner.get(), inner),
            )
        finally:
            side.alone = False


def _start_of(run: bytearray, size: int) -> int:
    """Return what the check of run[0:size] would have started at, were it right."""
    # What a start adds to a check is as if all bytes were 0, and each step of that can be undone.
    value = crc16(run, 0, size, 0) ^ RESIDUE
    for _ in range(8 * size):
        value = (value ^ 0x1021) >> 1 | 0x8000 if value & 1 else value >> 1
    return value


def _null(packet: bytearray, size: int) -> str:
    words = ["ack %d" % packet[2]]
    if packet[1] & 0x80:
        words.append("PROBE")
    if packet[1] & 0x40:
        words.append("TWICE")
    if size > 3:
        words.append("credit %d" % packet[3])
    here = [
        "%d" % ((packet[2] + 1 + 8 * (i - 4) + k) & 255)
        for i in range(4, min(size, 12))
        for k in range(8)
        if packet[i] >> k & 1
    ]
    if here:
        words.append("has " + " ".join(here))
    return " ".join(words)


def _origin(side: _Side, cursor: Cursor) -> str:
    index, more = cursor.get(), cursor.get_varint()
    name, sender = side.contexts.get(index, ("context %d" % index, 0))
    told = name + (" from Ksock %d" % sender if sender else "")
    if side.alone:
        return told + " number %d" % more
    if side.again or not side.whole:
        return told + " number +%d" % more
    side.number = (side.number + more) & 0x3FFFFFFF
    return told + " number %d" % side.number


def _status(cursor: Cursor) -> str:
    code, errno = cursor.get(), cursor.get()
    if not 0 < code <= CODE_MAX:
        return "status %d" % code
    return name_of(code, errno).text


def _left(cursor: Cursor) -> str:
    return " %d bytes" % max(0, cursor.left())


def _text(cursor: Cursor) -> str:
    raw = bytes(cursor.buf[cursor.i : cursor.end])
    return "$." + "".join([chr(b) if 32 < b < 127 and b != 124 else "?" for b in raw])
