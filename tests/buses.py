# SPDX-License-Identifier: MIT
"""What the tests of the bus share: small buses, a clock to turn, reading all there is.

Rules: nothing here checks anything but `closed_clean`, which every test of slots ends in. The
library is imported in the functions: one level of imports more is too deep for the 32-bit VM.
"""

import unittest

SERIAL_MAX = (1 << 30) - 1


def make_bus(**sizes):
    """Return a bus that is the same in every run."""
    from limpet import Bus

    return Bus(node=1, seed=1, **sizes)


class Clock:
    """A clock for one bus: now() is what the comfortable layer sees, set by hand."""

    def __init__(self, bus, now_ms=(1 << 30) - 50):
        self.bus = bus
        self.now_ms = now_ms  # by default the wrap lies 50 ms ahead
        bus.runner.now = self.now
        bus.poll(now_ms)

    def now(self):
        return self.now_ms

    def go(self, ms):
        """Let `ms` pass and poll; returns what poll said."""
        self.now_ms = (self.now_ms + ms) & SERIAL_MAX
        return self.bus.poll(self.now_ms)

    def step(self, ms):
        """Let `ms` pass and take one turn of the runner; returns what it said."""
        self.now_ms = (self.now_ms + ms) & SERIAL_MAX
        return self.bus.runner.step(self.now_ms)


def read(ks):
    """Take everything that a Ksock has, as Messages."""
    found = []
    while True:
        message = ks.next()
        if message is None:
            return found
        found.append(message)


def names(ks):
    """Take everything that a Ksock has, as names."""
    return [message.name for message in read(ks)]


def data(ks):
    """Take everything that a Ksock has, as data."""
    return [message.data for message in read(ks)]


def gaps(ks):
    """Take everything that a Ksock has, as (missed, data)."""
    return [(message.missed, message.data) for message in read(ks)]


def hot_take(ks, view=None):
    """Take with the hot layer, into `view` or a new one; returns the view."""
    from limpet import MessageView

    if view is None:
        view = MessageView()
    code = ks.hot.take(view)
    if code < 0:
        raise AssertionError("take gave %d" % code)
    return view


class Tracebacks:
    """While used in a `with`: collects what would be printed about uncaught exceptions."""

    def __enter__(self):
        import limpet.handlers
        import limpet.run

        self.found = []
        self._modules = limpet.handlers, limpet.run
        self._saved = [module.print_exception for module in self._modules]
        for module in self._modules:
            module.print_exception = self.found.append
        return self

    def __exit__(self, kind, value, trace):
        for module, function in zip(self._modules, self._saved):
            module.print_exception = function


def parked(bus):
    """Return the slots that wait to carry the answers to requests that are out."""
    from limpet.slots import PARKED

    return [slot for slot in bus.pool.slots if slot.kind == PARKED]


def closed_clean(case, bus):
    """Close a bus and check that nothing is left: slots, names pinned, requests, queues."""
    bus.close()
    case.assertEqual(bus.pool.free_count(), bus.pool.count, "slots leak")
    case.assertEqual(parked(bus), [], "requests are out")
    case.assertEqual(bus.answers.timed_count, 0, "deadlines are out")
    case.assertEqual(bus.pool.hots, [])
    case.assertEqual(bus.bindings.all(), [])
    case.assertEqual(bus.ksocks, [])
    for name in bus.bindings.names.values():
        case.assertEqual(name.pins, 0, name.text)
    free = 0
    slot = bus.pool.free
    while slot is not None:
        case.assertEqual((slot.refs, slot.held), (1, 0))
        case.assertEqual((slot.kind, slot.flags, slot.net), (0, 0, 0))
        free += 1
        slot = slot.next
    case.assertEqual(free, bus.pool.count, "the list of free slots is broken")


def open_short_ways(bus):
    """Let a bus know which numbers are free, which it looks for in its first send else."""
    bus.pool._renumber()
    if bus.pool.serial >= bus.pool.serial_stop:
        raise AssertionError("the short ways are closed")


class AskingCase(unittest.TestCase):
    """A bus with an asker, a replier for $.A and one more Ksock; closed clean after each test."""

    SIZES = {}
    SHORT = False  # are the short ways open from the first send on?

    def setUp(self):
        self.bus = make_bus(**self.SIZES)
        if self.SHORT:
            open_short_ways(self.bus)
        self.asker = self.bus.ksock()
        self.replier = self.bus.ksock()
        self.other = self.bus.ksock()
        self.replier.bind("$.A", True)
        self.name = self.bus.name("$.A")

    def tearDown(self):
        closed_clean(self, self.bus)

    def ends(self, ks=None):
        """Return how requests ended: (name, number) of what their asker got."""
        return [(m.name, m.in_reply_to) for m in read(ks or self.asker)]


class ThreeCase(unittest.TestCase):
    """A bus with three Ksocks and the Name $.A; closed clean after each test."""

    SIZES = {}

    def setUp(self):
        self.bus = make_bus(**self.SIZES)
        self.a = self.bus.ksock()
        self.b = self.bus.ksock()
        self.c = self.bus.ksock()
        self.name = self.bus.name("$.A")

    def tearDown(self):
        closed_clean(self, self.bus)
