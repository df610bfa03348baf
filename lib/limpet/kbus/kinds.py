# SPDX-License-Identifier: MIT
"""The kinds of messages of `limpet.kbus`: Announcement, Request, Reply and Status.

Rules: each insists on what makes it one, however it was made (`_settle`).
"""

from ..port import const
from .ids import MessageId, OrigFrom
from .message import FIRST, LAST, WANT_A_REPLY, Message
from .wire import split_event

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any

    from .message import Data


class Announcement(Message):
    """A message for all who listen."""

    _CHANGES = FIRST + LAST

    def __init__(
        self,
        name: str,
        data: "Data" = None,
        to: "int | None" = None,
        from_: "int | None" = None,
        flags: "int | None" = None,
        id: "MessageId | None" = None,
        encoding: str = "utf-8",
        errors: str = "strict",
    ) -> None:
        super().__init__(name, data, to, from_, None, None, None, flags, id, encoding, errors)

    def _settle(self) -> None:
        self.in_reply_to = None
        self.orig_from = self.final_to = None

    def set_want_reply(self, value: bool = True) -> None:
        """Refuse: raises TypeError."""
        raise TypeError("an Announcement is no request")


class Request(Message):
    """A message that wants to be answered."""

    _CHANGES = FIRST + ("final_to",) + LAST

    def __init__(
        self,
        name: str,
        data: "Data" = None,
        to: "int | None" = None,
        from_: "int | None" = None,
        final_to: "OrigFrom | None" = None,
        flags: "int | None" = None,
        id: "MessageId | None" = None,
        encoding: str = "utf-8",
        errors: str = "strict",
    ) -> None:
        super().__init__(name, data, to, from_, None, final_to, None, flags, id, encoding, errors)

    def _settle(self) -> None:
        self.flags |= WANT_A_REPLY

    def set_want_reply(self, value: bool = True) -> None:
        """Refuse: raises TypeError."""
        raise TypeError("a Request always wants a reply")


class Reply(Message):
    """The answer to a request; reply_to() makes it."""

    _CHANGES = FIRST + ("orig_from", "in_reply_to") + LAST

    def __init__(
        self,
        name: str,
        data: "Data" = None,
        to: "int | None" = None,
        from_: "int | None" = None,
        orig_from: "OrigFrom | None" = None,
        in_reply_to: "MessageId | None" = None,
        flags: "int | None" = None,
        id: "MessageId | None" = None,
        encoding: str = "utf-8",
        errors: str = "strict",
    ) -> None:
        super().__init__(
            name, data, to, from_, orig_from, None, in_reply_to, flags, id, encoding, errors
        )

    def _settle(self) -> None:
        if self.in_reply_to is None:
            raise ValueError("a Reply needs in_reply_to: the id of what it answers")


class Status(Message):
    """What the bus sends in place of a reply. Made by cast() or from_bytes() only."""

    def __init__(self, original: "Message | None" = None) -> None:
        raise NotImplementedError("Status.from_bytes() makes a Status")

    @classmethod
    def from_message(cls, *values: "Any", **changes: "Any") -> "Any":
        """Refuse: raises NotImplementedError."""
        raise NotImplementedError("Status.from_bytes() makes a Status")

    from_sequence = from_message


def kind_of(message: Message) -> "type[Message]":
    """Return the class that fits a message, whatever class it has."""
    if message.is_reply():
        return Status if message.name.startswith("$.KBUS.") else Reply
    return Request if message.is_request() else Announcement


def reply_to(
    original: Message,
    data: "Data" = None,
    flags: int = 0,
    encoding: str = "utf-8",
    errors: str = "strict",
) -> Reply:
    """Make the reply to a request, which must be the copy that is to be answered: ValueError."""
    if not (original.is_request() and original.wants_us_to_reply()):
        raise ValueError(
            "only the copy of a request that wants us to reply has one: %s" % original
        )
    return Reply(
        original.name,
        data,
        to=original.from_,
        in_reply_to=original.id,
        flags=flags,
        encoding=encoding,
        errors=errors,
    )


def stateful_request(
    earlier_msg: Message,
    name: str,
    data: "Data" = None,
    from_: "int | None" = None,
    flags: "int | None" = None,
    id: "MessageId | None" = None,
    encoding: str = "utf-8",
    errors: str = "strict",
) -> Request:
    """Make a request to the very Ksock that has answered before.

    earlier_msg: its reply, or an earlier stateful request to it; ValueError for anything else.
    """
    if earlier_msg.is_reply():
        to, final_to = earlier_msg.from_, earlier_msg.orig_from
    elif earlier_msg.is_stateful_request():
        to, final_to = earlier_msg.to, earlier_msg.final_to
    else:
        raise ValueError("neither a reply nor a stateful request: %s" % earlier_msg)
    return Request(name, data, to, from_, final_to, flags, id, encoding, errors)


def split_replier_bind_event_data(data: bytes) -> "tuple[int, int, str]":
    """Return (is_bind, binder, name) of a $.KBUS.ReplierBindEvent's data."""
    is_bind, binder, name = split_event(data)
    return is_bind, binder, name.decode()
