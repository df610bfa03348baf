# SPDX-License-Identifier: MIT
"""Frames: where one begins and ends on a byte stream, and whether it arrived as it was sent.

Rules: everything that knows COBS, the delimiter or the check is in this file. A frame on the wire
is COBS(packet, check high, check low), 0x00 (docs/wire.md section 1). The check starts at a value
that both ends know, so a frame of another session fails by itself; it is sent inverted, so that
zeros behind a frame spoil it. Nothing here keeps time.

    packet  byte 0  STND LOCL MFMT OVRN EROR DIR2..0     byte 1  BULK RELIABLE SVC5..0
"""

from .port import cobs_decode, cobs_encode, const, copy, crc16
from .stats import Stats

_CHECK_SIZE = const(2)
_PACKET_MIN = const(1)  # the shortest: an MFMT packet without data


# What the CRC of a packet with its check comes to.
RESIDUE = const(0x1D0F)


def wire_size(packet_size: int) -> int:
    """Return the size of the largest frame on the wire, with a delimiter before it."""
    return packet_size + (packet_size + _CHECK_SIZE) // 254 + _CHECK_SIZE + 3


def seal(  # hot:
    out: bytearray, at: int, packet: bytearray, size: int, start: int
) -> int:
    """Build the frame of packet[0:size] in out[at:]; return its size on the wire.

    packet: has room for the check behind `size`, which is written there.
    start: what the check starts at.
    """
    start = crc16(packet, 0, size, start) ^ 0xFFFF
    packet[size] = start >> 8
    packet[size + 1] = start & 255
    size += _CHECK_SIZE
    return cobs_encode(out, at, packet, size)


class Splitter:
    """Cuts a byte stream into decoded frames, one at a time, in one buffer."""

    def __init__(self, packet_size: int, stats: Stats) -> None:
        self._limit = wire_size(packet_size) - 2  # longest run of bytes without a delimiter
        self.buffer = bytearray(self._limit)  # the frame: packet and check
        self.size = 0  # of the frame that push() has just completed; 0 = none
        self._fill = 0  # bytes of the frame that is arriving; above the limit: it is too long
        self._stats = stats

    def push(self, data: bytearray, start: int, count: int) -> int:  # hot:
        """Take data[start:count] up to a delimiter; return the index behind what was taken.

        Afterwards `size` tells whether a frame is complete in `buffer`, valid until the next push.
        """
        self.size = 0
        end = data.find(b"\x00", start, count)
        if end < 0:
            self._add(data, start, count)
            return count
        self._add(data, start, end)
        if 0 < self._fill <= self._limit:
            self.size = cobs_decode(self.buffer, self._fill)
            if self.size < _PACKET_MIN + _CHECK_SIZE:
                self.size = 0
                self._stats.count("rx_bad")
        self._fill = 0
        return end + 1

    def _add(self, data: bytearray, start: int, end: int) -> None:  # hot:
        end -= start
        if self._fill + end <= self._limit:
            copy(self.buffer, self._fill, data, start, end)
            self._fill += end
        elif self._fill <= self._limit:
            self._fill = self._limit + 1
            self._stats.count("rx_overlong")
