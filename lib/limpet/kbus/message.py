# SPDX-License-Identifier: MIT
"""The message of `limpet.kbus`, as KBUS's own Python interface has it; kinds.py has the rest.

Rules: a message belongs to whoever made it; nothing here knows a bus. Ids and the like that are
(0, 0) read as None. Data is bytes or None, an empty one reads as None; text is encoded. Legality
of names is the bus's business, but for the "$." at their start.
"""

from ..port import const
from .ids import MessageId, OrigFrom, make_end, make_id, pair
from .wire import (
    END_GUARD,
    HEADER_SIZE,
    START_GUARD,
    Header,
    is_tail,
    pack,
    split_event,
    total,
)

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, TypeVar

    M = TypeVar("M", bound="Message")
    Data = bytes | bytearray | memoryview | str | None

# Plain ints: the class has them under the same names, which const() would replace there.
WANT_A_REPLY = 0x1
WANT_YOU_TO_REPLY = 0x2
SYNTHETIC = 0x4
URGENT = 0x8
ALL_OR_WAIT = 0x100
ALL_OR_FAIL = 0x200

BIND_EVENT = "$.KBUS.ReplierBindEvent"

_FLAG_WORDS = (
    (WANT_A_REPLY, "REQ"),
    (WANT_YOU_TO_REPLY, "YOU"),
    (SYNTHETIC, "SYN"),
    (URGENT, "URG"),
    (ALL_OR_FAIL, "aFL"),
    (ALL_OR_WAIT, "aWT"),
)
# What extract() gives, in its order.
_FIELDS = ("id", "in_reply_to", "to", "from_", "orig_from", "final_to", "flags", "name", "data")

# What the constructor of every class takes after the name, and at its end.
FIRST = ("data", "to", "from_")
LAST = ("flags", "id", "encoding", "errors")


def encode(data: "Data", encoding: str = "utf-8", errors: str = "strict") -> "bytes | None":
    """Return the bytes of a message's data; None if there are none."""
    if data is None:
        return None
    if isinstance(data, str):
        data = data.encode(encoding, errors)
    elif isinstance(data, int):  # bytes(3) are three bytes
        raise TypeError("data is bytes or str, not int")
    return bytes(data) or None


class Message:
    """A message of any kind."""

    START_GUARD = START_GUARD
    END_GUARD = END_GUARD
    WANT_A_REPLY = WANT_A_REPLY
    WANT_YOU_TO_REPLY = WANT_YOU_TO_REPLY
    SYNTHETIC = SYNTHETIC
    URGENT = URGENT
    ALL_OR_WAIT = ALL_OR_WAIT
    ALL_OR_FAIL = ALL_OR_FAIL

    # What from_message() and from_sequence() may change, in the order in which they take it.
    _CHANGES: "tuple[str, ...]" = FIRST + ("orig_from", "final_to", "in_reply_to") + LAST

    def __init__(
        self,
        name: str,
        data: "Data" = None,
        to: "int | None" = None,
        from_: "int | None" = None,
        orig_from: "OrigFrom | None" = None,
        final_to: "OrigFrom | None" = None,
        in_reply_to: "MessageId | None" = None,
        flags: "int | None" = None,
        id: "MessageId | None" = None,
        encoding: str = "utf-8",
        errors: str = "strict",
    ) -> None:
        if not name.startswith("$."):
            raise ValueError("a message's name starts with '$.', and %r does not" % name)
        if len(name) < 3:
            raise ValueError("%r is too short for a message's name: 3 is the least" % name)
        data = encode(data, encoding, errors)
        self._set(id, in_reply_to, to, from_, orig_from, final_to, flags, name, data)

    def _set(
        self,
        id: "MessageId | None",
        in_reply_to: "MessageId | None",
        to: "int | None",
        from_: "int | None",
        orig_from: "OrigFrom | None",
        final_to: "OrigFrom | None",
        flags: "int | None",
        name: str,
        data: "bytes | None",
    ) -> None:
        self.id = make_id(*pair(id))
        self.in_reply_to = make_id(*pair(in_reply_to))
        self.to = to or 0
        self.from_ = from_ or 0
        self.orig_from = make_end(*pair(orig_from))
        self.final_to = make_end(*pair(final_to))
        self.flags = flags or 0
        self.name = name
        self.data = data
        self._settle()

    def _settle(self) -> None:
        # What a class insists on, however the message was made.
        pass

    @classmethod
    def from_message(cls: "type[M]", msg: "Message", *values: "Any", **changes: "Any") -> "M":
        """Make a message like `msg`; what else is given replaces its fields, but for the name.

        The order without keywords is that of the class's constructor.
        """
        return cls.from_sequence(msg.extract(), *values, **changes)

    @classmethod
    def from_sequence(
        cls: "type[M]", seq: "Sequence[Any]", *values: "Any", **changes: "Any"
    ) -> "M":
        """Make a message of what extract() gave; other arguments as in from_message()."""
        if len(seq) != len(_FIELDS):
            raise ValueError("a message has %d parts, not %d" % (len(_FIELDS), len(seq)))
        if len(values) > len(cls._CHANGES):
            raise TypeError("only %d values can be changed" % len(cls._CHANGES))
        for name, value in zip(cls._CHANGES, values):
            if name in changes:
                raise TypeError("%s is given twice" % name)
            changes[name] = value
        fields = list(seq)
        for name in changes:
            if name not in cls._CHANGES:
                raise TypeError("%s of a %s can't be changed" % (name, cls.__name__))
            if name in _FIELDS and changes[name] is not None:
                fields[_FIELDS.index(name)] = changes[name]
        encoding = changes.get("encoding", "utf-8")
        fields[8] = encode(fields[8], encoding, changes.get("errors", "strict"))
        message = object.__new__(cls)
        message._set(*fields)
        return message

    @classmethod
    def from_bytes(cls: "type[M]", arg: bytes) -> "M":
        """Make a message of the bytes that to_bytes() or Ksock.read_data() gave.

        Raises ValueError for what is no message.
        """
        if len(arg) < HEADER_SIZE:
            raise ValueError(
                "%d bytes are no message: its header has %d" % (len(arg), HEADER_SIZE)
            )
        header = Header(arg)
        if not header.is_guarded():
            raise ValueError("the guards of the message's header are wrong")
        if header.name_size < 3:
            raise ValueError("a message's name has %d bytes, 3 is the least" % header.name_size)
        if len(arg) < header.total() or not is_tail(arg, header.tail_at()):
            raise ValueError("the message is cut off, or its last guard is wrong")
        at = header.data_at()
        message = object.__new__(cls)
        message._set(
            MessageId(*header.id),
            MessageId(*header.in_reply_to),
            header.to,
            header.from_,
            OrigFrom(*header.orig_from),
            OrigFrom(*header.final_to),
            header.flags,
            bytes(arg[HEADER_SIZE : HEADER_SIZE + header.name_size]).decode(),
            encode(arg[at : at + header.data_size]),
        )
        return message

    @property
    def msg(self) -> "Message":
        """The message itself: the original has its C struct here."""
        return self

    def to_bytes(self) -> bytes:
        """Return the message as it is read from a Ksock with read_data(); see wire.py."""
        return pack(
            pair(self.id),
            pair(self.in_reply_to),
            self.to,
            self.from_,
            pair(self.orig_from),
            pair(self.final_to),
            self.flags,
            self.name.encode(),
            self.data or b"",
        )

    def total_length(self) -> int:
        """Return the size of to_bytes(): what limits are compared with."""
        return total(len(self.name.encode()), len(self.data or b""))

    def extract(self) -> "tuple[Any, ...]":
        """Return id, in_reply_to, to, from_, orig_from, final_to, flags, name, data."""
        return tuple([getattr(self, name) for name in _FIELDS])

    def cast(self) -> "Message":
        """Return a copy of the class that fits: Status, Reply, Request or Announcement."""
        kind = self._kind()
        message = object.__new__(kind)
        message._set(*self.extract())
        return message

    def _kind(self) -> "type[Message]":
        from .kinds import kind_of  # which needs this class

        return kind_of(self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Message) and self.extract() == other.extract()

    def __ne__(self, other: object) -> bool:
        return not self == other

    def equivalent(self, other: "Message") -> bool:
        """Tell whether name, data and `to` are the same."""
        return self.name == other.name and self.data == other.data and self.to == other.to

    def set_want_reply(self, value: bool = True) -> None:
        """Make it a request, or none."""
        self._set_flag(WANT_A_REPLY, value)

    def set_urgent(self, value: bool = True) -> None:
        """Make it urgent, or not."""
        self._set_flag(URGENT, value)

    def _set_flag(self, flag: int, value: bool) -> None:
        self.flags = self.flags | flag if value else self.flags & ~flag

    def wants_us_to_reply(self) -> bool:
        """Is whoever read this copy to answer it?"""
        return bool(self.flags & WANT_YOU_TO_REPLY)

    def is_synthetic(self) -> bool:
        """Did the bus make it?"""
        return bool(self.flags & SYNTHETIC)

    def is_urgent(self) -> bool:
        """Does it go before others?"""
        return bool(self.flags & URGENT)

    def is_reply(self) -> bool:
        """Does it answer a request? A status does, too."""
        return self.in_reply_to is not None

    def is_request(self) -> bool:
        """Does it want to be answered?"""
        return bool(self.flags & WANT_A_REPLY)

    def is_stateful_request(self) -> bool:
        """Is it a request to one Ksock and no other?"""
        return self.is_request() and self.to != 0

    def __repr__(self) -> str:
        parts = [repr(self.name)]
        for name in Message._CHANGES[:-2]:
            value = getattr(self, name)
            if value:
                told = "0x%08x" % value if name == "flags" else repr(value)
                parts.append("%s=%s" % (name, told))
        return "%s(%s)" % (type(self).__name__, ", ".join(parts))

    def __str__(self) -> str:
        event = self.name == BIND_EVENT and not self.is_reply()
        kind = "ReplierBindEvent" if event else self._kind().__name__
        parts = [] if event else [repr(self.name)]
        for name in ("id", "to", "from_", "orig_from", "final_to", "in_reply_to"):
            value = getattr(self, name)
            if value:
                parts.append("%s=%s" % (name.rstrip("_"), value))
        if self.flags:
            words = [word for flag, word in _FLAG_WORDS if self.flags & flag]
            parts.append("flags=0x%x" % self.flags + (" (%s)" % ",".join(words) if words else ""))
        if event and self.data:
            is_bind, binder, text = split_event(self.data)
            what = "Bind" if is_bind else "Unbind"
            parts.append("[%s %r for %d]" % (what, text.decode(), binder))
        elif self.data:
            parts.append("data=%r" % self.data)
        return "<%s %s>" % (kind, ", ".join(parts))
