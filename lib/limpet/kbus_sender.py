# SPDX-License-Identifier: MIT
"""Between messages of `limpet.kbus` and the hot layer: how a Message is sent, and made of a view.

Rules: everything that KBUS carries and the bus does not look at (where a message came from
first, where it is to go in the end, flags without a meaning) goes through as `carry`, a tuple.
"""

from .errors import EADDRNOTAVAIL, ECONNREFUSED
from .kbus_ids import make_end, make_id, pair
from .kbus_message import (
    ALL_OR_FAIL,
    ALL_OR_WAIT,
    SYNTHETIC,
    URGENT,
    WANT_A_REPLY,
    WANT_YOU_TO_REPLY,
    Message,
)
from .port import const
from .send import STAGED
from .slots import REQUEST
from .view import MessageView

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from .bus import Bus
    from .hot import Hot

_NOTHING = (0, 0, 0, 0, 0)  # carried: orig_from, final_to, flags
_ALL_OR = ALL_OR_WAIT | ALL_OR_FAIL
_SENT = URGENT | _ALL_OR  # what the bus is told
_KNOWN = _SENT | WANT_A_REPLY | WANT_YOU_TO_REPLY | SYNTHETIC


def receive(view: MessageView) -> Message:
    """Return the message that a view shows."""
    flags = view.flags | view.user << 16
    if view.kind == REQUEST:
        flags |= WANT_A_REPLY
        if view.wants_reply:
            flags |= WANT_YOU_TO_REPLY
    carried = view.carry
    if not isinstance(carried, tuple):
        # Of another node, and nobody there has said where it is from.
        carried = (view.sender_net, view.sender if view.sender_net else 0, 0, 0, 0)
    return Message.from_sequence(
        (
            make_id(view.id_net, view.id_serial),
            make_id(view.in_reply_to_net, view.in_reply_to_serial),
            view.to,
            view.sender,
            make_end(carried[0], carried[1]),
            make_end(carried[2], carried[3]),
            flags | carried[4],
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
    carried = pair(message.orig_from) + pair(message.final_to) + (rest,)
    if carried != _NOTHING:
        hot.carry = carried


def _reply(bus: "Bus", hot: "Hot", message: Message, data: bytes, flags: int) -> int:
    net, serial = pair(message.in_reply_to)
    slot = hot.find_owed(net, serial)
    if slot is not None and (slot.to == message.to or slot.to == 0):
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
