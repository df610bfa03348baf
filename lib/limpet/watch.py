# SPDX-License-Identifier: MIT
"""Who is told when something comes to a Ksock: nobody, one, or several.

Rules: `hot.watch` is what its senders call: None, a watcher, or a Both of them. A Ksock that is
watched is on no log, which costs its senders more, so whoever watches leaves when its wait is
over. These functions are called with the bus locked.
"""

from .errors import Closed
from .port import const

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    from .ksock import Ksock
    from .port.gate import Gate

    class Watcher(Protocol):
        """Anything with wake(): a Waiter, a Bell, a Gate."""

        def wake(self) -> None: ...

    class Watched(Protocol):
        """What can be waited for: a Ksock's queue, a tile's channel."""

        watch: Watcher | None
        closed: bool

        def set_watch(self, watch: Watcher | None) -> None: ...


class Both:
    """Two watchers as one; never changed, so who is being called is not disturbed."""

    def __init__(self, first: "Watcher", second: "Watcher") -> None:
        self.first = first
        self.second = second

    def wake(self) -> None:  # hot:
        """Tell both."""
        self.first.wake()
        self.second.wake()


def watch(hot: "Watched", one: "Watcher") -> None:
    """Let `one` be told, too."""
    hot.set_watch(one if hot.watch is None else Both(hot.watch, one))


def unwatch(hot: "Watched", one: "Watcher") -> None:
    """Tell `one` no more; of several times that it was added, undo one. Unknown: ignored."""
    hot.watch = _without(hot.watch, one)


def _without(watcher: "Watcher | None", one: "Watcher") -> "Watcher | None":
    if watcher is one:
        return None
    if not isinstance(watcher, Both):
        return watcher
    # The newest is looked at first: it is the one that leaves first, mostly.
    rest = _without(watcher.second, one)
    if rest is not watcher.second:
        return watcher.first if rest is None else Both(watcher.first, rest)
    rest = _without(watcher.first, one)
    if rest is watcher.first:
        return watcher
    return watcher.second if rest is None else Both(rest, watcher.second)


def open_gate(ks: "Ksock", readable: "Callable[[], bool]", writes: bool) -> "Gate":
    """Return what a Ksock's fileno() is of, up to date; made at the first call (hosts only).

    readable: tells whether there is something to read, by the count of whoever reads. From now on
    its sends that wait are tried again as soon as there is room.
    """
    hot = ks.hot
    with ks.bus.waiter.lock:
        if hot.closed:
            raise Closed("this Ksock is closed")
        if ks.gate is None:
            writable = (lambda: hot.pending is None) if writes else (lambda: False)
            ks.gate = ks.bus.waiter.gate(readable, writable)
            hot.eager = True
            watch(hot, ks.gate)
        hot.poll_pending()
        ks.gate.update()
        return ks.gate
