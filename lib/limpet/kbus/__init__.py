# SPDX-License-Identifier: MIT
"""KBUS's own Python interface on a Limpet bus: programs of 2010 run on, on hosts and boards.

    from limpet.kbus import Ksock, Message
    rosencrantz = Ksock(0)
    rosencrantz.send_msg(Message("$.Actor.Speak", "Ahem"))

Bus 0 is there, new_device() of a Ksock makes others, and serve() puts any Bus under a number.

Rules: names, orders of checks and errnos are KBUS's; every failure of a bus is an OSError with its
errno. What is different on purpose is in docs/kbus.md. This file only gathers the names; Ksock is
in ksock.py.
"""

# From the leaves on: each import inside an import takes 4 KB of C stack, of which a 32-bit VM on
# Unix has 40.
from ..bindings import Binding as _Binding  # noqa: F401
from ..core import Core as _Core  # noqa: F401
from ..link import Link as _Link  # noqa: F401
from ..outbox import Outbox as _Outbox  # noqa: F401

# isort: split
from .ids import MessageId, OrigFrom

# isort: split
from .message import (
    ALL_OR_FAIL,
    ALL_OR_WAIT,
    SYNTHETIC,
    URGENT,
    WANT_A_REPLY,
    WANT_YOU_TO_REPLY,
    Message,
)

# isort: split
from .kinds import (
    Announcement,
    Reply,
    Request,
    Status,
    reply_to,
    split_replier_bind_event_data,
    stateful_request,
)

# isort: split
from .device import read_bindings, serve, unserve

# isort: split
from .ksock import Ksock

__all__ = (
    "ALL_OR_FAIL",
    "ALL_OR_WAIT",
    "SYNTHETIC",
    "URGENT",
    "WANT_A_REPLY",
    "WANT_YOU_TO_REPLY",
    "Announcement",
    "Ksock",
    "Message",
    "MessageId",
    "OrigFrom",
    "Reply",
    "Request",
    "Status",
    "read_bindings",
    "reply_to",
    "serve",
    "split_replier_bind_event_data",
    "stateful_request",
    "unserve",
)
