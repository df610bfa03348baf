# SPDX-License-Identifier: MIT
"""The limpet: joins this bus to the bus at the other end of a link, as a Ksock of this one.

It binds here, as proxy, what is bound there: what comes into its queue is for the far side. The
link asks it for records just before a frame goes out (fill, in outbox.py) and gives it those that
came (receive, in inbox.py). This file is the session: what starts with a link and what ends with
it.

Rules (custody): a request that lies in the queue was never handed to the link, and ends in
Link.Down; one that was taken for a frame is in doubt until its answer comes, and ends in
Link.Lost. Nothing is sent twice. The answer finds its request by a *tag*, which is free again when
the far side has answered, not when the asker gave up. Answers to requests of an earlier session
are dropped and counted: `generation` tells.
"""

from .inbox import Inbox
from .link import UP, Link
from .names import check as check_name
from .names import matches
from .outbox import Outbox
from .port import const
from .stats import Counters
from .status import LINK_DOWN, LINK_LOST

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from .bus import Bus
    from .hot import Hot
    from .run import Driver

GENERATION_MASK = 0x3FFFFF  # a cookie is generation << 8 | tag, 30 bits


class LimpetStats(Counters):
    """Counters of one limpet since the start; they stop at 2**30 - 1."""

    def __init__(self) -> None:
        self.announcements_sent = 0
        self.announcements_received = 0
        self.requests_sent = 0
        self.requests_received = 0
        self.answers_sent = 0
        self.answers_received = 0
        self.dropped = 0  # announcements that found no room, or a link that ended
        self.filtered = 0  # messages that the link's filter stopped
        self.late = 0  # answers to requests that had ended, or of an earlier session
        self.refused = 0  # requests and bindings of the far side that found no room or no replier
        self.bad = 0  # records that broke the format


class Limpet:
    """One side of the pair; made by bus.join(). `link`, `neighbour` and `stats` tell how it is."""

    def __init__(
        self,
        bus: "Bus",
        hot: "Hot",
        allow: "Iterable[str] | None",
        deny: "Iterable[str]",
        options: "dict[str, Any]",
    ) -> None:
        """Make it. options: arguments of the Link."""
        self._allow = None if allow is None else [_checked(p) for p in allow]
        self._deny = [_checked(p) for p in deny]
        self.bus = bus
        self.stats = LimpetStats()
        self.generation = 0  # counts the sessions
        self.index = len(bus.limpets)
        self.hot = hot
        self.hot.once = True  # and so it is on no log: what it takes has its binding
        self.outbox = Outbox(self, min(255, 2 * bus.queue_size))
        self.inbox = Inbox(self)
        self.link = Link(
            bus.node,
            bus.epoch,
            bus.random,
            self,
            index=self.index,
            **options,
        )
        self.neighbour = self.link.neighbour
        self.driver: Driver | None = None  # what moves the link's bytes

    def poll(self, now_ms: int) -> int:  # hot:
        """Run the link's timers; return ms until its driver is next due."""
        if self.inbox.waiting and self.bus.bindings.has_room():
            self.inbox.bind_again()
        return self.link.poll(now_ms) if self.driver is None else self.driver.due(now_ms)

    # What the link calls

    def ready(self) -> bool:  # hot:
        """Is there something to send?"""
        return self.outbox.ready()

    def fill(self, buf: bytearray, start: int, end: int) -> int:  # hot:
        """Put records into buf[start:end]; what is given counts as handed to the driver."""
        return self.outbox.fill(buf, start, end)

    def receive(self, buf: bytearray, start: int, end: int) -> None:  # hot:
        """Take the records of one frame, in order and once."""
        self.inbox.receive(buf, start, end)

    def connected(self) -> None:
        """A session began: both sides tell what they have bound."""
        self.outbox.reset()
        self.inbox.reset()

    def disconnected(self) -> None:
        """The session ended: every request that depended on it ends, the proxies go."""
        queue = self.hot
        limit = queue.limit
        queue.limit = 0  # what waits for room may be tried again meanwhile: not into this queue
        answers = self.bus.answers
        answers.end_unread(queue, None, LINK_DOWN)
        answers.end_read(queue, LINK_LOST)
        answers.abandon(queue)
        for binding in reversed(list(queue.bound)):
            self.bus.forget(binding)
        while queue.count:
            self.stats.count("late" if queue.binding_at(0) is None else "dropped")
            queue.drop(0)  # and its gap moves on, to missed_next in the end
        self.stats.count("dropped", queue.missed_next)
        queue.missed_next = 0
        queue.limit = limit
        queue.freed()
        self.generation = (self.generation + 1) & GENERATION_MASK
        self.outbox.reset()
        self.inbox.reset()

    # What the inbox and outbox share

    def permits(self, text: str) -> bool:
        """Does the link's filter let a name pass?"""
        if any(matches(p, text) for p in self._deny):
            return False
        return self._allow is None or any(matches(p, text) for p in self._allow)

    def bind(self, text: str, replier: bool) -> int:
        """Bind for the far side; returns as Core.bind."""
        if self.bus.bindings.find(self.hot, text, replier) is not None:
            return 0
        return self.bus.bind(self.hot, text, replier, True)

    def unbind(self, text: str, replier: bool) -> int:
        """Undo a bind of the far side; returns as Core.unbind."""
        return self.bus.unbind(self.hot, text, replier)

    def describe(self) -> str:
        """Return a sentence on the state of the link."""
        link = self.link
        if link.state == UP:
            return f"link {self.index} is up, to node {link.peer_node}"
        return f"link {self.index} is down" + (f": {link.refusal}" if link.refusal else "")

    def close(self) -> None:
        """End the session for good."""
        self.link.close(self.bus.answers.now_ms)
        if not self.hot.closed:
            self.bus.shut(self.hot)


def _checked(pattern: str) -> str:
    if check_name(pattern, True):
        raise ValueError(f"{pattern!r} is no name or pattern")
    return pattern
