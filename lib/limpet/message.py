# SPDX-License-Identifier: MIT
"""Message: what the comfortable layer gives its readers, with its own copy of the data.

Rules: it stays right whatever comes later. Its Ksock can reply to it: `answer` is where the reply
is parked, `ticket` the number of this reading, as in a MessageView (view.py).
"""

from .errors import ETIMEDOUT, NoReply
from .names import capture
from .port import const
from .slots import ANNOUNCEMENT
from .status import executed

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from .bindings import Binding
    from .hot import Hot
    from .send import Data
    from .slots import Slot
    from .view import MessageView

_KINDS = ("announcement", "request", "reply", "status")


class Message:
    """A received message with its own copy of the data; made by the comfortable layer.

    name, data: text and bytes; missed: copies lost just before this one; in_reply_to: number of
    this Ksock's request that it answers, else 0; to: the Ksock that is meant, 0: any; id_net and
    id_serial: the node that numbered it and its number, node 0 is this bus; sender_id: the Ksock
    that sent it; flags, user: the two halves of its flags.
    """

    # What most messages have: said once here, so that making a Message is quick.
    kind_code = ANNOUNCEMENT
    missed = 0
    answer: "Slot | None" = None
    ticket = 0
    id_net = 0
    sender_net = 0
    to = 0
    in_reply_to = 0
    flags = 0
    user = 0
    via: "Binding | None" = None

    def __init__(self, slot: "Slot", reader: "Hot", view: "MessageView | None" = None) -> None:
        # Without a view it is a plain announcement.
        self.reader = reader
        self.heard = slot.name.listeners
        self.name = slot.name.text
        self.data = b"" + slot.data[: slot.size]  # a third quicker than bytes()
        self.id_serial = slot.serial
        self.sender_id = slot.sender
        if view is None:
            return
        self.kind_code = slot.kind
        self.via = view.binding
        if view.answer is not None:
            self.answer = view.answer
            self.ticket = view.ticket
        if view.missed:
            self.missed = view.missed
        if slot.to:
            self.to = slot.to
            if view.binding is None:
                self.in_reply_to = slot.reply_serial
        if slot.net or slot.flags:
            self.id_net = slot.net
            self.sender_net = view.sender_net
            self.in_reply_to = view.reply_serial
            self.flags = view.flags
            self.user = view.user

    @property
    def kind(self) -> str:
        """ "announcement", "request", "reply" or "status"."""
        return _KINDS[self.kind_code]

    @property
    def id(self) -> "tuple[int, int]":
        """(node, number); node 0 is this bus."""
        return (self.id_net, self.id_serial)

    @property
    def sender(self) -> "tuple[int, int]":
        """(node, Ksock); node 0 is this bus, Ksock 0 the bus itself."""
        return (self.sender_net, self.sender_id)

    @property
    def binding(self) -> "Binding | None":
        """The binding that brought it, None: it is an answer."""
        if self.via is None and self.kind_code == ANNOUNCEMENT:  # it was read in a log
            for binding in self.heard:
                if binding.hot is self.reader:
                    return binding
        return self.via

    @property
    def captured(self) -> str:
        """The words of its name that the wildcard of the binding stands for, "" if it has none."""
        binding = self.binding
        return "" if binding is None else capture(binding.text, self.name)

    @property
    def text(self) -> str:
        """The data as text (UTF-8)."""
        return self.data.decode()

    @property
    def wants_reply(self) -> bool:
        """Is the Ksock that read it to answer?"""
        return self.answer is not None

    @property
    def executed(self) -> str:
        """Of a status: did the request run? "no", "yes" or "unknown"."""
        return "yes" if self.kind == "reply" else executed(self.name)

    def __repr__(self) -> str:
        return f"<{self.kind} {self.name} {self.data!r} id={self.id} from={self.sender}>"


def encode(data: "Data | str") -> "bytes | bytearray":
    """Return the bytes to send for `data`."""
    if isinstance(data, str):
        return data.encode()
    if isinstance(data, memoryview):
        return bytes(data)  # whatever its items are
    if not isinstance(data, (bytes, bytearray)):
        raise TypeError(f"data is bytes or str, not {type(data).__name__}")
    return data


def no_reply(message: Message, text: str) -> NoReply:
    """Return the exception for a request that ended in a status."""
    late = message.name.endswith(".Expired") or message.name.endswith(".Overdue")
    e = NoReply(f"{text}: {message.name}, executed: {message.executed}", ETIMEDOUT if late else 0)
    e.status = message.name
    e.executed = message.executed
    e.data = message.data
    return e
