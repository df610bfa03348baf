# SPDX-License-Identifier: MIT
"""Tiles: directions, and a link's neighbour as the tile sees it, whether or not anyone is there.

Rules: a neighbour object lasts as long as its link; connections come and go as Tile Event Packets
in its ring (local standard type 4, which never leaves the board). Services and the MFMT channel
will live here, too.

    Tile Event Packet:  0xC4, event (1 connected, 2 disconnected; others: to be ignored)
"""

from .port import const
from .stats import Stats

DIRECTIONS = ("NT", "NE", "ET", "SE", "ST", "SW", "WT", "NW")

EVENT_PACKET = const(0xC4)
CONNECTED = const(1)
DISCONNECTED = const(2)

_EVENTS = const(8)  # places in the ring, a power of two


def opposite(direction: int) -> int:
    """Return the direction in which a neighbour that lies in `direction` sees us."""
    return (direction + 4) & 7


class Neighbour:
    """What is known about the tile at the other end of a link."""

    def __init__(self, index: int, direction: int, stats: Stats) -> None:
        self.index = index  # of the link
        self.direction = direction  # the side that the link is on, 0..7
        self.stats = stats
        self.state = 0  # link.DOWN, UP or REFUSED
        self.refusal = ""  # why it is refused, a sentence
        self.node = 0  # of the running or latest session; 0 = there was none
        self.epoch = 0
        self.compatible = False  # the running session's compatibility strings agree
        self._events = bytearray(_EVENTS)
        self._first = 0
        self._count = 0

    def put(self, event: int) -> None:
        """Queue a Tile Event Packet; when nobody takes them, the newest are kept."""
        if self._count == _EVENTS:
            self._first += 1
            self._count -= 1
            self.stats.count("events_lost")
        self._events[(self._first + self._count) & (_EVENTS - 1)] = event
        self._count += 1

    def take(self, out: bytearray) -> int:  # hot:
        """Put the next Tile Event Packet into out; return its size, 0 if there is none."""
        if not self._count:
            return 0
        out[0] = EVENT_PACKET
        out[1] = self._events[self._first & (_EVENTS - 1)]
        self._first = (self._first + 1) & (_EVENTS - 1)
        self._count -= 1
        return 2
