# SPDX-License-Identifier: MIT
"""Limpet: a message bus for boards, the same under MicroPython and CPython.

    from limpet import Bus
    from limpet.transport.uart import UARTDriver

README.md is the way in; docs/guarantees.md says what is promised.
"""

# From the leaves on: each import inside an import takes 4 KB of C stack, of which a 32-bit VM on
# Unix has 40.
from .errors import (
    AlreadyBound,
    BadName,
    BusError,
    Closed,
    NameTooLong,
    NoReplier,
    NoReply,
    NoReplyRoom,
    NoSlot,
    NotBound,
    NotExpected,
    NotThatReplier,
    QueueFull,
    TableFull,
    TooLarge,
    WouldDeadlock,
)

# isort: split
from . import bindings, core, frame, link, message, outbox, view  # noqa: F401

# isort: split
from .bus import Bus
from .ksock import LATER, Ksock
from .message import Message
from .view import MessageView

__version__ = "0.1.0"

__all__ = [
    "LATER",
    "AlreadyBound",
    "BadName",
    "Bus",
    "BusError",
    "Closed",
    "Ksock",
    "Message",
    "MessageView",
    "NameTooLong",
    "NoReplier",
    "NoReply",
    "NoReplyRoom",
    "NoSlot",
    "NotBound",
    "NotExpected",
    "NotThatReplier",
    "QueueFull",
    "TableFull",
    "TooLarge",
    "WouldDeadlock",
]
