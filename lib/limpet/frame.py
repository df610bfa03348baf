# SPDX-License-Identifier: MIT
"""Frames: where one begins and ends on a byte stream, and whether it arrived as it was sent.

Rules: a frame on the wire is COBS(packet, check high, check low), 0x00 (docs/wire.md section 1);
the port builds it (seal) and takes it apart (unseal), here it is cut out of what comes. The check
starts at a value that both ends know, so a frame of another session fails by itself; it is sent
inverted, so that zeros behind a frame spoil it. Nothing here keeps time.

    packet  byte 0  STND LOCL MFMT OVRN EROR DIR2..0     byte 1  BULK RELIABLE SVC5..0
"""

from .port import const, copy, unseal
from .stats import Stats

_CHECK_SIZE = const(2)

HELO_START = const(0xFFFF)  # what the check of a HELO starts at
RESIDUE = const(0x1D0F)  # what the CRC of a packet with its check comes to


def wire_size(packet_size: int) -> int:
    """Return the size of the largest frame on the wire, with a delimiter before it."""
    return packet_size + (packet_size + _CHECK_SIZE) // 254 + _CHECK_SIZE + 3


class Splitter:
    """Cuts a byte stream into decoded frames, one at a time, in one buffer."""

    def __init__(self, packet_size: int, stats: Stats) -> None:
        self._limit = wire_size(packet_size) - 2  # longest run of bytes without a delimiter
        self.buffer = bytearray(self._limit)  # the frame: packet and check
        self.size = 0  # of the frame that push() has just completed; 0 = none
        self.start = HELO_START  # what the check starts at of the frames that are expected
        self.right = False  # so does that of this one, and it fits
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
            self._open()
        self._fill = 0
        return end + 1

    def _open(self) -> None:  # hot:
        size = unseal(self.buffer, self._fill, self.start)
        self.right = size > 0
        if size > 0:
            self.size = size + _CHECK_SIZE
        elif size < -_CHECK_SIZE:
            self.size = -size
        else:
            self._stats.count("rx_bad")

    def _add(self, data: bytearray, start: int, end: int) -> None:  # hot:
        end -= start
        if self._fill + end <= self._limit:
            copy(self.buffer, self._fill, data, start, end)
            self._fill += end
        elif self._fill <= self._limit:
            self._fill = self._limit + 1
            self._stats.count("rx_overlong")
