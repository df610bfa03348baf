# SPDX-License-Identifier: MIT
"""The slots of a bus: every message lives in one, from its send until its last reader lets go.

Rules: all slots are of one size; they change hands by reference, the data is copied once, when it
comes in. `refs` counts who has a slot (queues, a log, a view, a sender at work); a free one has
1, so that taking it costs nothing. `held` counts those among them that protect it from being
dropped: an unread request in its replier's queue, an answer, a view, a sender at work. A free slot
is *plain*: it has no more to say than an announcement without flags; who says more sets `kind` or
`flags`, and put() makes it plain again. A slot that is PARKED waits to carry the answer to a
request (answers.py); nobody else refers to it.
"""

from .port import const

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from .bindings import Name
    from .hot import Hot

_MASK = const(0x3FFFFFFF)
_HALF = const(0x20000000)

ANNOUNCEMENT = const(0)
REQUEST = const(1)
REPLY = const(2)
STATUS = const(3)
PARKED = const(4)


class Mark:
    """A place in a chain of slots: what is in front of the first one."""

    __slots__ = ("next", "seq")

    def __init__(self) -> None:
        self.next: Slot | None = None
        self.seq = 0  # in a log: its number there; read of a parked answer: when; else when sent


class Slot(Mark):
    """One message buffer with its message's fields; made by Pool (pool.py) only."""

    __slots__ = (
        "refs held kind name net serial sender to flags user reply_net reply_serial cookie size "
        "data carry pair asker holder deadline"
    ).split()

    def __init__(self, data: memoryview) -> None:
        self.next = None  # the next free one, or the next in the log
        self.seq = 0
        self.refs = 1
        self.held = 0
        self.name: Name = None  # type: ignore[assignment]  # bindings.Name
        self.serial = 0  # id: number of the message at the node that numbered it ...
        self.sender = 0  # id of the sending Ksock there
        self.size = 0  # bytes of data
        # A view, so that its size is fixed whatever is copied in.
        self.data = data
        self.clean()

    def clean(self) -> None:  # hot:
        """Make it plain."""
        self.kind = ANNOUNCEMENT
        self.net = 0  # ... and that node, 0: this bus
        self.to = 0  # Ksock that is meant, 0: any
        self.flags = 0  # system half, and STAGED of what is not plain otherwise
        self.user = 0  # user's half, carried untouched; of a status: code | errno << 8
        self.reply_net = 0  # id of the request that this answers, or will answer
        self.reply_serial = 0
        self.cookie = 0  # the asker's private number, comes back with the answer
        self.carry: object = None  # the sender's private object for readers
        # Of a request that is unread: where its answer is parked; of that: the unread request.
        self.pair: Slot | None = None
        # Of a parked answer:
        self.asker: Hot | None = None  # who gets it; None: has closed, or the send still waits
        self.holder: Hot | None = None  # who has the request in its queue, or has read it
        # ms, wraps; -1: none. Of a message from elsewhere: -1 - stamp, a running number.
        self.deadline = -1

    def is_newer(self, other: "Slot") -> bool:  # hot:
        """Was it sent after `other`?"""
        # Slots that were in a log have another `seq`, but they are of this bus. What comes from
        # elsewhere has no number of this bus: it is younger than what was numbered last.
        age = ((self.seq if self.net else self.serial) - _HALF) - (
            (other.seq if other.net else other.serial) - _HALF
        )
        if age == 0 and self.net and other.net:
            age = other.deadline - self.deadline
        elif age == 0:
            age = 1 if self.net else -1
        return age & _MASK < _HALF and age != 0

    def carries(self, serial: int) -> bool:  # hot:
        """Is it parked for the answer to the request `serial` of this bus?"""
        return self.kind == PARKED and self.reply_net == 0 and self.reply_serial == serial
