# SPDX-License-Identifier: MIT
"""What a reader gets: a MessageView (hot layer, reused) or a Message (its own copy).

Rules: a view shows the slot itself, so it is right until its Ksock takes the next message. A
Message owns its data and stays right. Both let their Ksock reply: `answer` is where the reply is
parked, `ticket` the number of this reading, which Hot.reply compares, so an old one is refused and
never answers somebody else's request.
"""

from . import status
from .port import const
from .slots import ANNOUNCEMENT, REPLY, REQUEST, STATUS, Slot

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from .bindings import Binding

_KINDS = ("announcement", "request", "reply", "status")

__all__ = ("ANNOUNCEMENT", "REPLY", "REQUEST", "STATUS", "Message", "MessageView")


class MessageView:
    """A window on the message that a Ksock took last; made once by whoever reads.

    `view[i]` is byte i of the data, `len(view)` its size; `data` is the slot's whole buffer.
    """

    def __init__(self) -> None:
        self.slot: Slot = Slot(0)
        self.data = self.slot.data
        self.missed = 0  # copies lost just before this one
        self.binding: Binding | None = None  # what brought it; None: an answer
        self.answer: Slot | None = None  # the reply is ours to give
        self.ticket = 0  # which reading of which request `answer` was for

    def __getitem__(self, index: int) -> int:  # hot:
        return self.data[index]

    def __bool__(self) -> bool:
        return True  # also without data

    def __len__(self) -> int:  # hot:
        return self.slot.size

    @property
    def size(self) -> int:  # hot:
        """Bytes of data."""
        return self.slot.size

    @property
    def kind(self) -> int:  # hot:
        """ANNOUNCEMENT, REQUEST, REPLY or STATUS."""
        return self.slot.kind

    @property
    def name(self) -> str:  # hot:
        """The message's name (a kept object)."""
        return self.slot.name.text

    @property
    def id_net(self) -> int:  # hot:
        """The node that numbered the message, 0: this one."""
        return self.slot.net

    @property
    def id_serial(self) -> int:  # hot:
        """Its number there."""
        return self.slot.serial

    @property
    def sender_net(self) -> int:  # hot:
        """The node of the Ksock that sent it, 0: this one."""
        return self.slot.sender_net

    @property
    def sender(self) -> int:  # hot:
        """Id of the Ksock that sent it, there; 0: the bus."""
        return self.slot.sender

    @property
    def flags(self) -> int:  # hot:
        """The system half of the flags."""
        return self.slot.flags

    @property
    def reply_serial(self) -> int:  # hot:
        """Number of this Ksock's request that this answers, 0: none of its own."""
        return self.slot.reply_serial if self.binding is None else 0

    @property
    def cookie(self) -> int:  # hot:
        """Of an answer: what the asker had put into `hot.cookie` before the request."""
        return self.slot.cookie

    @property
    def wants_reply(self) -> bool:  # hot:
        """Is this Ksock to answer?"""
        return self.answer is not None


class Message:
    """A received message with its own copy of the data; made by the comfortable layer.

    kind: "announcement", "request", "reply" or "status"; id: (node, number), node 0 is this bus;
    sender: (node, Ksock); in_reply_to: number of this Ksock's request that it answers, else 0;
    missed: copies lost just before this one.
    """

    def __init__(self, view: MessageView) -> None:
        slot = view.slot
        self.kind = _KINDS[slot.kind]
        self.name = slot.name.text
        self.data = bytes(slot.data[: slot.size])
        self.id = (slot.net, slot.serial)
        self.sender = (slot.sender_net, slot.sender)
        self.in_reply_to = view.reply_serial
        self.missed = view.missed
        self.binding = view.binding
        self.answer = view.answer
        self.ticket = view.ticket

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
        return "yes" if self.kind == "reply" else status.executed(self.name)

    def __repr__(self) -> str:
        return f"<{self.kind} {self.name} {self.data!r} id={self.id} from={self.sender}>"
