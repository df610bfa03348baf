# SPDX-License-Identifier: MIT
"""Errnos and the exceptions that carry them.

Rules: the numbers are Linux's on every platform, because they travel between nodes; nothing on the
protocol path imports the platform's errno module. Hot calls return them negated; the comfortable
layer raises the exception named after the cause, which is an OSError with that errno. An outcome
of a request that was accepted is a status (status.py), raised by `call` as NoReply.
"""

from .port import const

EBADF = const(9)
EAGAIN = const(11)
EBUSY = const(16)
EINVAL = const(22)
ENOSPC = const(28)
EPIPE = const(32)
EDEADLK = const(35)
ENAMETOOLONG = const(36)
ENOLCK = const(37)
EBADMSG = const(74)
EMSGSIZE = const(90)
EADDRINUSE = const(98)
EADDRNOTAVAIL = const(99)
ECONNABORTED = const(103)
ENOBUFS = const(105)
ETIMEDOUT = const(110)
ECONNREFUSED = const(111)
EALREADY = const(114)

# What may appear in a `$.KBUS.RemoteError.<name>`; other numbers are written as digits.
ERRNO_NAMES = {
    EBADF: "EBADF",
    EAGAIN: "EAGAIN",
    EBUSY: "EBUSY",
    EINVAL: "EINVAL",
    ENOSPC: "ENOSPC",
    EPIPE: "EPIPE",
    ENAMETOOLONG: "ENAMETOOLONG",
    ENOLCK: "ENOLCK",
    EBADMSG: "EBADMSG",
    EMSGSIZE: "EMSGSIZE",
    EADDRNOTAVAIL: "EADDRNOTAVAIL",
    ENOBUFS: "ENOBUFS",
    ECONNREFUSED: "ECONNREFUSED",
}


class BusError(OSError):
    """Base of all errors of a bus; `errno` is always set."""

    code = EINVAL

    def __init__(self, detail: str = "", code: int = 0) -> None:
        super().__init__(code or self.code, detail or self.__class__.__name__)


class BadName(BusError):
    """The name breaks the grammar, or a wildcard stands where only a plain name may."""

    code = EBADMSG


class NameTooLong(BusError):
    """More than 1000 characters."""

    code = ENAMETOOLONG


class TooLarge(BusError):
    """The data does not fit a slot of this bus."""

    code = EMSGSIZE


class AlreadyBound(BusError):
    """Somebody on this bus is replier for exactly this name already."""

    code = EADDRINUSE


class NotBound(BusError):
    """This Ksock has no such binding."""

    code = EINVAL


class NotExpected(BusError):
    """No reply is expected for this request (any more) from this Ksock."""

    code = ECONNREFUSED


class NoSlot(BusError):
    """No slot is free and none can be taken back."""

    code = ENOBUFS


class NoReply(BusError):
    """A request that got no reply. `status`: name of the status, None if the send was refused.

    executed: what the asker may conclude: "no", "yes" or "unknown"; data: the status's data.
    """

    code = ECONNABORTED
    status: "str | None" = None
    executed = "no"
    data = b""


class NoReplier(NoReply):
    """Nobody is replier for that name."""

    code = EADDRNOTAVAIL


class QueueFull(NoReply):
    """The replier's queue has no room, or, with ALL_OR_FAIL, a listener's."""

    code = EBUSY


class Pending(NoReply):
    """A queue has no room, and the message waits for it as ALL_OR_WAIT asked: wait_writable()."""

    code = EAGAIN


class StillPending(NoReply):
    """An earlier ALL_OR_WAIT send of this Ksock waits for room: wait_writable(), hot.discard()."""

    code = EALREADY


class NoReplyRoom(NoReply):
    """The asker has no queue place or no slot left that an answer could be put into."""

    code = ENOLCK


class NotThatReplier(NoReply):
    """The request names its replier (`to`), and another Ksock is replier now."""

    code = EPIPE


class WouldDeadlock(NoReply):
    """A call that waits was made inside a handler, which the wait would need."""

    code = EDEADLK


class TableFull(NoReply):
    """A table that was sized in a constructor has no room: its text says which."""

    code = ENOSPC


class Closed(NoReply):
    """The Ksock or bus has been closed; executed is "unknown" if it was during a call."""

    code = EBADF


_CLASSES = (
    BadName,
    NameTooLong,
    TooLarge,
    AlreadyBound,
    NotExpected,
    NoSlot,
    TableFull,
    Closed,
    NoReplier,
    QueueFull,
    Pending,
    StillPending,
    NoReplyRoom,
    NotThatReplier,
    WouldDeadlock,
)


def error(code: int, detail: str = "") -> BusError:
    """Return the exception for a negative errno of a hot call (not raised)."""
    for cls in _CLASSES:
        if cls.code == -code:
            return cls(detail)
    return BusError(detail, -code)


def bind_error(code: int, text: str, binding_count: int) -> BusError:
    """Return the exception for what Core.bind() or unbind() has returned (not raised)."""
    detail = f"{text!r} can't be bound: words after '$.', the last may be * or %"
    if code == -EADDRINUSE:
        detail = f"there is a replier for {text} on this bus already"
    elif code == -ENOSPC:
        detail = f"all {binding_count} bindings (binding_count) are in use"
    elif code == -EINVAL:
        return NotBound(f"{text} is not bound here")
    elif code == -EAGAIN:
        return BusError(f"{text}: a listener to bind events is full", EAGAIN)
    elif code == -EMSGSIZE:
        detail = f"{text}: the event that tells of it fits no slot"
    return error(code, detail)
