# SPDX-License-Identifier: MIT
"""The pairs of numbers in messages of `limpet.kbus`: which message, which Ksock of which network.

Rules: 32 bits each; network 0 is this bus. (0, 0) stands for "none" and reads as None.
"""


class MessageId:
    """Who numbered a message (0: this bus), and its number there."""

    def __init__(self, network_id: int = 0, serial_num: int = 0) -> None:
        self.network_id = network_id
        self.serial_num = serial_num

    def __repr__(self) -> str:
        return "MessageId(%d, %d)" % (self.network_id, self.serial_num)

    def __str__(self) -> str:
        return "[%d:%d]" % (self.network_id, self.serial_num)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, MessageId) and pair(self) == pair(other)

    def __lt__(self, other: object) -> bool:
        return pair(self) < pair(other) if isinstance(other, MessageId) else NotImplemented

    def __add__(self, count: int) -> "MessageId":
        if not isinstance(count, int):
            return NotImplemented
        return MessageId(self.network_id, self.serial_num + count)


class OrigFrom:
    """A Ksock of some network: where a message came from first, or is to go in the end."""

    def __init__(self, network_id: int = 0, local_id: int = 0) -> None:
        self.network_id = network_id
        self.local_id = local_id

    def __repr__(self) -> str:
        return "OrigFrom(%d, %d)" % (self.network_id, self.local_id)

    def __str__(self) -> str:
        return "(%d,%d)" % (self.network_id, self.local_id)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, OrigFrom) and pair(self) == pair(other)

    def __lt__(self, other: object) -> bool:
        return pair(self) < pair(other) if isinstance(other, OrigFrom) else NotImplemented


def pair(value: "MessageId | OrigFrom | None") -> "tuple[int, int]":
    """Return the two ints of an id or the like; (0, 0) for None."""
    if value is None:
        return 0, 0
    if isinstance(value, MessageId):
        return value.network_id, value.serial_num
    return value.network_id, value.local_id


def make_id(net: int, serial: int) -> "MessageId | None":
    """Return the id, None for (0, 0)."""
    return MessageId(net, serial) if net or serial else None


def make_end(net: int, local: int) -> "OrigFrom | None":
    """Return the OrigFrom, None for (0, 0)."""
    return OrigFrom(net, local) if net or local else None
