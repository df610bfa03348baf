# SPDX-License-Identifier: MIT
"""Records: what limpets say to each other, several to a frame. docs/wire.md has the table.

Layout: head, [length], body. Head: bit 7 LENGTH (a length byte follows, for the bytes behind it),
bits 6-5 kind, bits 4-0 by kind. A record without a length runs to the end of its frame, so only
the last one may be so. Numbers are varints: seven bits a byte, low ones first, bit 7 set on all
but the last; at most 30 bits.

Rules: only layouts here, no meaning. A Cursor never reads or writes past its end: it turns `bad`
instead.
"""

from .port import const

LENGTH = const(0x80)
KIND = const(0x60)
ANNOUNCEMENT = const(0x00)  # context, number, data
REQUEST = const(0x20)  # context, number, tag, [deadline], data
ANSWER = const(0x40)  # reply: tag, context, number, data; status: tag, code, errno, data
CONTROL = const(0x60)
DEADLINE = const(0x01)  # in a REQUEST's head
STATUS = const(0x01)  # in an ANSWER's head
# Operations of CONTROL, in the low bits of its head:
CONTEXT = const(1)  # id, sender, name without "$."
LISTEN = const(2)  # pattern without "$."
UNLISTEN = const(3)
REPLY = const(4)
UNREPLY = const(5)
PIECE = const(6)  # a part of a record that fits no frame, and more follow
LAST = const(7)  # its last part
OPERATION = const(0x1F)

# What the fields of a record before its data take at the most: head, length, context, tag, two
# varints.
HEAD_SIZE_MAX = const(14)


class Cursor:
    """A place in a buffer, moved by what is read or written there."""

    __slots__ = ("buf", "i", "end", "bad")

    def __init__(self) -> None:
        self.buf = bytearray(0)
        self.i = 0
        self.end = 0
        self.bad = False

    def over(self, buf: bytearray, start: int, end: int) -> None:  # hot:
        """Start anew over buf[start:end]."""
        self.buf = buf
        self.i = start
        self.end = end
        self.bad = False

    def left(self) -> int:  # hot:
        """Return how many bytes lie ahead."""
        return self.end - self.i

    def put(self, value: int) -> None:  # hot:
        """Write one byte."""
        if self.i >= self.end:
            self.bad = True
            return
        self.buf[self.i] = value
        self.i += 1

    def put_varint(self, value: int) -> None:  # hot:
        """Write a number of up to 30 bits."""
        while value > 0x7F:
            self.put(value & 0x7F | 0x80)
            value >>= 7
        self.put(value)

    def get(self) -> int:  # hot:
        """Read one byte; 0 and bad at the end."""
        if self.i >= self.end:
            self.bad = True
            return 0
        value = self.buf[self.i]
        self.i += 1
        return value

    def get_varint(self) -> int:  # hot:
        """Read a number; bad if it has more than 30 bits or is cut off."""
        value = shift = 0
        while True:
            b = self.get()
            if shift == 28 and b > 3:
                self.bad = True
                return 0
            value |= (b & 0x7F) << shift
            if b < 0x80:
                return value
            shift += 7
