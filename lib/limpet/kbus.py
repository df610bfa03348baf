# SPDX-License-Identifier: MIT
"""KBUS's own Python interface on a Limpet bus: programs of 2010 run on, on hosts and boards.

    from limpet.kbus import Ksock, Message
    rosencrantz = Ksock(0)
    rosencrantz.send_msg(Message("$.Actor.Speak", "Ahem"))

Bus 0 is there, new_device() of a Ksock makes others, and serve() puts any Bus under a number.

Rules: names, orders of checks and errnos are KBUS's; every failure of a bus is an OSError with its
errno. Different on purpose: only who has read a request may answer it (ECONNREFUSED), replies
ignore ALL_OR_*, find_replier() resolves wildcards as a send does, and of two wildcards the longer
one wins. docs/guarantees.md has the rest.
"""

from .kbus_ids import MessageId, OrigFrom

# isort: split
from .kbus_message import (
    ALL_OR_FAIL,
    ALL_OR_WAIT,
    SYNTHETIC,
    URGENT,
    WANT_A_REPLY,
    WANT_YOU_TO_REPLY,
    Message,
)

# isort: split
from .kbus_kinds import (
    Announcement,
    Reply,
    Request,
    Status,
    reply_to,
    split_replier_bind_event_data,
    stateful_request,
)

# isort: split
from .kbus_device import read_bindings, serve, unserve

# isort: split
from .kbus_ksock import Ksock

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
