# SPDX-License-Identifier: MIT
"""The neighbour: a link's other end as the tile sees it, whether or not anyone is there.

Rule: it lasts as long as its link; connections come and go as Tile Event Packets in its ring
(local standard type 4, which never leaves the board).

    Tile Event Packet:  0xC4, event (1 connected, 2 disconnected; others: to be ignored)
"""

from .port import const
from .stats import Stats
from .ticks import ticks_diff

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from .channel import Outgoing
    from .link import Link
    from .tile import Tile
    from .watch import Watcher

EVENT_PACKET = const(0xC4)
CONNECTED = const(1)
DISCONNECTED = const(2)

_EVENTS = const(8)  # places in the ring, a power of two


class Neighbour:
    """What is known about the tile at the other end of a link."""

    def __init__(self, link: "Link", index: int, direction: int, stats: Stats) -> None:
        self.link = link
        self.index = index  # of the link
        self.direction = direction  # the side that the link is on: 0..7, 8 = none
        self.stats = stats
        self.state = 0  # link.DOWN, UP or REFUSED
        self.refusal = ""  # why it is refused, a sentence
        self.node = 0  # of the running or latest session; 0 = there was none
        self.epoch = 0
        self.compatible = False  # the running session's compatibility strings agree
        self.payload_max = 0  # bytes of a service's packet behind its header, 0 = no session
        self.since_ms = 0  # when the state last changed, as ticks
        # What service 1 (liveness.py) finds out; it is optional.
        self.rtt_ms = -1  # round trip, -1 = not known
        self.version = ""  # of the neighbour's library
        self.stamp = 0  # of its managed files
        self.tile: Tile | None = None  # who serves what is not for the limpet
        self.out: Outgoing | None = None  # packets of services that wait; made at their first use
        self.watch: Watcher | None = None  # told of events
        self.closed = False
        self._events = bytearray(_EVENTS)
        self._first = 0
        self.count = 0  # Tile Event Packets that wait

    @property
    def heard_ms(self) -> int:
        """When the latest frame of the running or latest session came, as ticks."""
        return self.link.heard_ms

    def age_ms(self, now_ms: int) -> int:
        """Return for how long it has been in this state (up to six days, then it wraps)."""
        return max(0, ticks_diff(now_ms, self.since_ms))

    def become(self, state: int, now_ms: int) -> None:
        """Note the link's state."""
        if state != self.state:
            self.state = state
            self.since_ms = now_ms

    def put(self, event: int) -> None:
        """Queue a Tile Event Packet; when nobody takes them, the newest are kept."""
        if self.count == _EVENTS:
            self._first = (self._first + 1) & (_EVENTS - 1)
            self.count -= 1
            self.stats.count("events_lost")
        self._events[(self._first + self.count) & (_EVENTS - 1)] = event
        self.count += 1
        if self.watch is not None:
            self.watch.wake()

    def set_watch(self, watch: "Watcher | None") -> None:
        """Have watch.wake() called when an event comes."""
        self.watch = watch

    def take(self, out: bytearray) -> int:  # hot:
        """Put the next Tile Event Packet into out; return its size, 0 if there is none."""
        if not self.count:
            return 0
        out[0] = EVENT_PACKET
        out[1] = self._events[self._first & (_EVENTS - 1)]
        self._first = (self._first + 1) & (_EVENTS - 1)
        self.count -= 1
        return 2
