# SPDX-License-Identifier: MIT
"""MessageView: how a reader of the hot layer sees the message that it took.

Rules: it shows the slot itself, so it is right until its Ksock takes the next message. `answer` is
where the reply is parked, `ticket` the number of this reading, which Hot.reply compares: a view
that is out of date is refused and never answers somebody else's request.
"""

from .port import const
from .slots import Slot

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from .bindings import Binding
    from .hot import Hot

_FOREIGN = const(0x20000)
_NOTHING = memoryview(bytearray(0))


class MessageView:
    """A window on the message that a Ksock took last; made once by whoever reads.

    `view[i]` is byte i of the data, `len(view)` its size; `data` is the slot's whole buffer, the
    fastest way to the bytes.
    """

    def __init__(self) -> None:
        self.slot: Slot = Slot(_NOTHING)
        self.data = self.slot.data
        self.missed = 0  # copies lost just before this one
        # What brought it; None: it is an answer, or an announcement that was read in a log.
        self.binding: Binding | None = None
        self.answer: Slot | None = None  # the reply is ours to give
        self.ticket = 0  # which reading of which request `answer` was for
        self.reader: Hot | None = None  # the Ksock that need not clear it before each take

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
        return self.slot.net if self.slot.flags & _FOREIGN else 0

    @property
    def sender(self) -> int:  # hot:
        """Id of the Ksock that sent it, there; 0: the bus."""
        return self.slot.sender

    @property
    def to(self) -> int:  # hot:
        """The Ksock that it is meant for, 0: any."""
        return self.slot.to

    @property
    def flags(self) -> int:  # hot:
        """The system half of the flags."""
        return self.slot.flags & 0xFFFF

    @property
    def user(self) -> int:  # hot:
        """The user's half of the flags, as the sender gave it."""
        return self.slot.user if self.slot.kind != 3 else 0

    @property
    def carry(self) -> object:  # hot:
        """The object that the sender gave along, None: nothing."""
        return self.slot.carry

    @property
    def in_reply_to_net(self) -> int:  # hot:
        """The node that numbered the request that this answers, 0: this one."""
        return self.slot.reply_net

    @property
    def in_reply_to_serial(self) -> int:  # hot:
        """Number there of the request that this answers, whosever it is; 0: it is no answer."""
        return self.slot.reply_serial

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
