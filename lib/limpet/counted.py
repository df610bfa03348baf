# SPDX-License-Identifier: MIT
"""The count of frames over datagrams without a key: what comes far too late is not taken for new.

Rules: sequence numbers and acks have 8 bits, so one that is late by some 200 frames would pass for
a new one. Each frame of such a session carries how many its side has sent, 16 bits behind the
packet; what is 30 or more behind the latest is dropped and counted as replayed: its number may be
of a lap before. Acks may get there sooner, as one can be for a whole window: they, and the credit
with them, are taken from the latest frame only (`newest`). It stands in for Auth (auth.py), which
counts, too.
"""

from .port import const

TRAILER = const(2)

_TRAILER = const(2)
_LATE = const(30)
_FORGED = const(-1)
_REPLAYED = const(-2)


class Counted:
    """Both directions' counts of one link's session."""

    def __init__(self) -> None:
        self.newest = True  # what open() has seen last was the latest so far
        self._first = -1  # count of the frame that began the session, -1: a HELO has
        self.adopt()

    def adopt(self) -> None:
        """Begin a session."""
        self._sent = 0
        self._highest = self._first
        self._first = -1

    def seal(self, packet: bytearray, size: int) -> int:  # hot:
        """Put the count behind packet[0:size]; return the size with it."""
        packet[size] = self._sent >> 8
        packet[size + 1] = self._sent & 255
        self._sent = (self._sent + 1) & 0xFFFF
        return size + _TRAILER

    def open(self, packet: bytearray, size: int, candidate: bool) -> int:  # hot:
        """Return the size of a packet without its count; -1 if it has none, -2 if it is late.

        candidate: it is the first frame of the session that is offered.
        """
        size -= _TRAILER
        if size < 1:
            return _FORGED
        count = packet[size] << 8 | packet[size + 1]
        self.newest = True
        if candidate:
            self._first = count
            return size
        if self._highest >= 0:
            behind = (self._highest - count) & 0xFFFF
            if behind < 0x8000:
                self.newest = False
                return size if behind < _LATE else _REPLAYED
        self._highest = count
        return size
