# SPDX-License-Identifier: MIT
"""KBUS messages as bytes: what `to_bytes`, `write_data` and `read_data` carry, and their sizes.

An "entire" message, in the byte order of this machine:

    offset  size
    0       4     start guard 0x7375624B
    4       8     id: network, serial
    12      8     in reply to: network, serial
    20      4     to
    24      4     from
    28      8     originally from: network, Ksock
    36      8     finally to: network, Ksock
    44      4     extra, 0
    48      4     flags
    52      4     size of the name
    56      4     size of the data
    60      4     0
    64      16    two pointers: NULL, as name and data follow
    80      4     end guard 0x4B627573
    84      4     0
    88            the name and at least one NUL, padded to 4
                  the data, padded to 4
            4     end guard

Rules: this is the header of a 64-bit KBUS and is used everywhere, so that a size means the same on
a board as on a host.
"""

import struct

from ..port import const

# Not folded away: as constants of mpy-cross they would not be small ints on a board.
START_GUARD = 0x7375624B
END_GUARD = 0x4B627573

HEADER_SIZE = const(88)
_FORMAT = "16IQQII"  # native order: "=" is not known everywhere, and nothing here gets aligned
_TAIL = "I"
_TAIL_SIZE = const(4)
_U32 = 0xFFFFFFFF
assert struct.calcsize(_FORMAT) == HEADER_SIZE

# What a message of a name of one letter needs beside its data: how a limit for "entire" messages
# and a size of slots belong together.
OVERHEAD = const(96)


def padded_name(size: int) -> int:
    """Return the bytes that a name takes: with a NUL at least, to a multiple of 4."""
    return (size + 4) // 4 * 4


def padded_data(size: int) -> int:
    """Return the bytes that data takes: to a multiple of 4, nothing for nothing."""
    return (size + 3) // 4 * 4


def total(name_size: int, data_size: int) -> int:
    """Return the size of an entire message: what limits are compared with."""
    return HEADER_SIZE + padded_name(name_size) + padded_data(data_size) + _TAIL_SIZE


assert OVERHEAD == total(3, 0)


class Header:
    """The fields of a header, as ints; ids are pairs."""

    def __init__(self, data: "bytes | bytearray") -> None:
        """Take apart the first HEADER_SIZE bytes, which must be there."""
        fields = struct.unpack(_FORMAT, bytes(data[:HEADER_SIZE]))
        self.start_guard = fields[0]
        self.id = fields[1:3]
        self.in_reply_to = fields[3:5]
        self.to = fields[5]
        self.from_ = fields[6]
        self.orig_from = fields[7:9]
        self.final_to = fields[9:11]
        self.flags = fields[12]
        self.name_size = fields[13]
        self.data_size = fields[14]
        self.pointers = fields[16:18]
        self.end_guard = fields[18]

    def is_guarded(self) -> bool:
        """Tell whether both guards are what they should be."""
        return bool(self.start_guard == START_GUARD and self.end_guard == END_GUARD)

    def data_at(self) -> int:
        """Return where the data begins."""
        return HEADER_SIZE + padded_name(self.name_size)

    def tail_at(self) -> int:
        """Return where the guard after the data begins."""
        return self.data_at() + padded_data(self.data_size)

    def total(self) -> int:
        """Return the size of the whole message."""
        return self.tail_at() + _TAIL_SIZE


def pack(
    id: "tuple[int, int]",
    in_reply_to: "tuple[int, int]",
    to: int,
    from_: int,
    orig_from: "tuple[int, int]",
    final_to: "tuple[int, int]",
    flags: int,
    name: bytes,
    data: bytes,
) -> bytes:
    """Return an entire message; what is above 32 bits is cut off."""
    fields = [START_GUARD]
    fields += id + in_reply_to + (to, from_) + orig_from + final_to
    fields += [0, flags, len(name), len(data), 0, 0, 0, END_GUARD, 0]
    header = struct.pack(_FORMAT, *[field & _U32 for field in fields])
    name += bytes(padded_name(len(name)) - len(name))
    data += bytes(padded_data(len(data)) - len(data))
    return header + name + data + struct.pack(_TAIL, END_GUARD)


def is_tail(data: "bytes | bytearray", at: int) -> bool:
    """Tell whether the guard after the data is right."""
    return bytes(data[at : at + _TAIL_SIZE]) == struct.pack(_TAIL, END_GUARD)


def split_event(data: bytes) -> "tuple[int, int, bytes]":
    """Return (is_bind, binder, name) of a bind event's data."""
    if len(data) < 12:
        raise ValueError("%d bytes are no bind event, which begins with 12" % len(data))
    is_bind, binder, size = struct.unpack("III", bytes(data[:12]))
    if len(data) < 12 + size:
        raise ValueError("a bind event of %d bytes has no name of %d" % (len(data), size))
    return is_bind, binder, bytes(data[12 : 12 + size])
