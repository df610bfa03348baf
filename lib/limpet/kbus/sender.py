# SPDX-License-Identifier: MIT
"""Between messages of `limpet.kbus` and the hot layer: how a Message is sent, and made of a view.

Rules: everything that KBUS carries and the bus does not look at (where a message came from
first, where it is to go in the end, flags without a meaning) goes through as `carry`.
"""

from ..errors import EADDRNOTAVAIL, ECONNREFUSED
from ..port import const
from ..send import STAGED
from ..slots import REQUEST
from ..view import MessageView
from .ids import make_end, make_id, pair
from .message import (
    ALL_OR_FAIL,
    ALL_OR_WAIT,
    SYNTHETIC,
    URGENT,
    WANT_A_REPLY,
    WANT_YOU_TO_REPLY,
    Message,
)

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from ..bus import Bus
    from ..hot import Hot

_NOTHING = (0, 0, 0, 0)
_ALL_OR = ALL_OR_WAIT | ALL_OR_FAIL
_SENT = URGENT | _ALL_OR  # what the bus is told
_KNOWN = _SENT | WANT_A_REPLY | WANT_YOU_TO_REPLY | SYNTHETIC


class _Carried:
    # A class of its own, as others may let messages carry anything.

    __slots__ = ("ends", "flags")

    def __init__(self, ends: "tuple[int, ...]", flags: int) -> None:
        self.ends = ends  # orig_from, final_to
        self.flags = flags  # those of the lower half that mean nothing


def receive(view: MessageView) -> Message:
    """Return the message that a view shows."""
    flags = view.flags | view.user << 16
    if view.kind == REQUEST:
        flags |= WANT_A_REPLY
        if view.wants_reply:
            flags |= WANT_YOU_TO_REPLY
    carried = view.carry
    ends: tuple[int, ...] = _NOTHING
    if isinstance(carried, _Carried):
        ends = carried.ends
        flags |= carried.flags
    elif view.sender_net:  # of another node, where nobody has said more
        ends = (view.sender_net, view.sender, 0, 0)
    return Message.from_sequence(
        (
            make_id(view.id_net, view.id_serial),
            make_id(view.in_reply_to_net, view.in_reply_to_serial),
            view.to,
            view.sender,
            make_end(ends[0], ends[1]),
            make_end(ends[2], ends[3]),
            flags,
            view.name,
            bytes(view.data[: view.size]),
        )
    )


def send(bus: "Bus", hot: "Hot", message: Message) -> int:
    """Send a message; returns its number or a negative errno. All but -EAGAIN end it."""
    name = bus.lookup(message.name)
    if isinstance(name, int):
        return name
    _stage(hot, message)
    data = message.data or b""
    flags = message.flags & _SENT | STAGED
    try:
        if message.in_reply_to is not None:
            hot.name = name
            return _reply(bus, hot, message, data, flags & ~_ALL_OR)
        if message.is_request():
            return hot.request(name, data, -1, flags, None, message.to)
        return hot.announce(name, data, -1, flags)
    finally:
        hot.unstage()


def _stage(hot: "Hot", message: Message) -> None:
    net, serial = pair(message.id)
    if net:  # a number of this bus's own is given anew
        hot.net = net
        hot.serial = serial
    hot.user = message.flags >> 16 & 0xFFFF
    hot.to = message.to
    rest = message.flags & 0xFFFF & ~_KNOWN
    ends = pair(message.orig_from) + pair(message.final_to)
    if rest or ends != _NOTHING:
        hot.carry = _Carried(ends, rest)


def _reply(bus: "Bus", hot: "Hot", message: Message, data: bytes, flags: int) -> int:
    net, serial = pair(message.in_reply_to)
    slot = hot.find_owed(net, serial)
    if slot is not None and (slot.to == message.to or slot.reply_net):
        return hot.reply_parked(slot, data, flags)
    # Not ours to answer. A view that shows nothing: the refusal uses up an id all the same.
    code = hot.reply(MessageView(), data, -1, flags)
    if code == -ECONNREFUSED and not _is_open(bus, message.to):
        return -EADDRNOTAVAIL
    return code


def _is_open(bus: "Bus", ksock: int) -> bool:
    for hot in bus.hots:
        if hot.id == ksock:
            return True
    return False
