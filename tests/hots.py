# SPDX-License-Identifier: MIT
"""What the tests of the hot layer share: a bell to be rung, reading all there is by views.

Rules: as in buses.py. `held` looks at a bus without touching it; the pool's free_count() empties
its logs.
"""

from buses import hot_take


class Bell:
    """Counts how often it was rung; what hot.watch may be."""

    def __init__(self):
        self.count = 0

    def wake(self):
        self.count += 1

    def rung(self):
        """Tell whether it was rung since the last time this was asked."""
        count, self.count = self.count, 0
        return count > 0


def shown(view):
    """Return the data that a view shows now."""
    return bytes([view[i] for i in range(view.size)])


def taken(ks, view=None):
    """Take everything with the hot layer, as (missed, data)."""
    found = []
    while ks.hot.unread() or ks.hot.aside:
        view = hot_take(ks, view)
        found.append((view.missed, shown(view)))
    return found


def texts(ks):
    """Take everything with the hot layer, as data."""
    return [data for _, data in taken(ks)]


def held(bus):
    """Return how many slots are in use, those among them that nobody needs any more."""
    count = 0
    slot = bus.pool.free
    while slot is not None:
        count += 1
        slot = slot.next
    return bus.pool.count - count


def log_count(bus):
    """Return how many logs are in the pool's chain."""
    count = 0
    log = bus.pool.logs
    while log is not None:
        count += 1
        log = log.following
    return count
