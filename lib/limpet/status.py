# SPDX-License-Identifier: MIT
"""The closed set of statuses: what ends a request that gets no reply, and what that means.

Rules: a status is only ever made by answers.py, into the slot that the request reserved.
`executed` is what an asker may conclude: "no" and "yes" are promises; where nobody can know, it is
"unknown". Codes travel between nodes, so they never change their meaning. docs/guarantees.md has
the table for users.
"""

from .bindings import Name
from .errors import ERRNO_NAMES
from .port import const

UNBOUND = const(1)  # the replier unbound with the request unread
GONE_AWAY = const(2)  # the replier closed with the request unread
DISAPPEARED = const(3)  # no replier any more when a waiting send was tried again
OVERDUE = const(4)  # the deadline passed with the request unread, on the asker's bus
NOT_SAME_KSOCK = const(5)  # a stateful request whose replier has changed
ERROR_SENDING = const(6)  # a waiting send failed otherwise
LINK_DOWN = const(7)  # the link ended before the request was handed to it
REMOTE_ERROR = const(8)  # refused on another bus, by the errno in the name
FAILED = const(9)  # the handler raised; data: the exception's name
IGNORED = const(10)  # the replier closed after reading
EXPIRED = const(11)  # the deadline passed after the request was read or sent on
LINK_LOST = const(12)  # the link ended with the request under way
CODE_MAX = const(12)

SYNTHETIC = const(4)  # the flag of messages that the bus makes

_REMOTE = "$.KBUS.RemoteError."
_TEXTS = (
    "",
    "$.KBUS.Replier.Unbound",
    "$.KBUS.Replier.GoneAway",
    "$.KBUS.Replier.Disappeared",
    "$.KBUS.Replier.Overdue",
    "$.KBUS.Replier.NotSameKsock",
    "$.KBUS.ErrorSending",
    "$.KBUS.Link.Down",
    "",
    "$.KBUS.Replier.Failed",
    "$.KBUS.Replier.Ignored",
    "$.KBUS.Replier.Expired",
    "$.KBUS.Link.Lost",
)

# Statuses go to their asker only, so their names need no routes and can serve every bus.
_NAMES = [Name(text) for text in _TEXTS]
_remote_names: "dict[int, Name]" = {}


def name_of(code: int, errno: int) -> Name:
    """Return the kept name of a status.

    `errno` counts for REMOTE_ERROR; its first use allocates.
    """
    if code != REMOTE_ERROR:
        return _NAMES[code]
    name = _remote_names.get(errno)
    if name is None:
        name = _remote_names[errno] = Name(_REMOTE + ERRNO_NAMES.get(errno, str(errno)))
    return name


def executed(text: str) -> str:
    """Return "no", "yes" or "unknown": did the request run, when it ended in the status `text`?"""
    if text.startswith(_REMOTE):
        return "no"
    if text and text in _TEXTS:
        code = _TEXTS.index(text)
        if code == FAILED:
            return "yes"
        if code < FAILED:
            return "no"
    return "unknown"
