# SPDX-License-Identifier: MIT
"""Limpet: a message bus for boards, the same under MicroPython and CPython.

    from limpet import Bus
    from limpet.transport.uart import UARTDriver

README.md is the way in; docs/guarantees.md says what is promised.

Rules: a name is imported when it is first asked for, so that a board that is content with
limpet.core, or with limpet.kbus, has in its RAM just what that needs.
"""

from .port import const

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from .bus import Bus
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
        Pending,
        QueueFull,
        StillPending,
        TableFull,
        TooLarge,
        WouldDeadlock,
    )
    from .handlers import LATER
    from .ksock import Ksock
    from .layout import Layout
    from .message import Message
    from .send import ALL_OR_FAIL, ALL_OR_WAIT, URGENT
    from .view import MessageView

__version__ = "0.1.0"

__all__ = [
    "ALL_OR_FAIL",
    "ALL_OR_WAIT",
    "LATER",
    "URGENT",
    "AlreadyBound",
    "BadName",
    "Bus",
    "BusError",
    "Closed",
    "Ksock",
    "Layout",
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
    "Pending",
    "QueueFull",
    "StillPending",
    "TableFull",
    "TooLarge",
    "WouldDeadlock",
]

_HOMES = {
    "Bus": "bus",
    "Ksock": "ksock",
    "LATER": "handlers",
    "Layout": "layout",
    "ALL_OR_FAIL": "send",
    "ALL_OR_WAIT": "send",
    "URGENT": "send",
    "Message": "message",
    "MessageView": "view",
}

# From the leaves on: each import inside an import takes 4 KB of C stack, of which a 32-bit VM on
# Unix has 40.
_LEAVES = (
    "errors slots log bindings status queue answers send hot core message ksock run frame session "
    "window link context outbox inbox limpet bus"
).split()


def __getattr__(name: str) -> object:
    if name not in __all__:
        try:  # MicroPython also asks here for a module of the package
            return __import__(name, globals(), None, ("x",), 1)
        except ImportError:
            raise AttributeError("limpet has no " + name)
    home = _HOMES.get(name, "errors")
    if home in ("bus", "ksock", "handlers"):
        for leaf in _LEAVES:
            __import__(leaf, globals(), None, ("x",), 1)
    value: object = getattr(__import__(home, globals(), None, (name,), 1), name)
    globals()[name] = value
    return value
