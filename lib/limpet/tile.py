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
