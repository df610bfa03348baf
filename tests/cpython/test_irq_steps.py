# SPDX-License-Identifier: MIT
"""An interrupt at every step: what it posts is announced once, whole, in order, or counted lost.

Rules: a step is a bytecode of the library, told by sys.settrace. Each operation of the bus is done
as often as it has steps; each time the interrupt comes at another of them, once, and in a burst
that overfills the inbox. Then it comes at every step of one operation. After each the far end is
read: every post that was accepted is there, at its place, with the refused ones before it in
`missed`; and whenever the inbox has something at the end of an operation, a wake-up is on its way.
"""

import sys

import pytest

from limpet import Bus, MessageView
from limpet.irq import IrqInbox

COUNT = 3
SIZE = 8
BURST = COUNT + 2


class Flag:
    """In place of the bus's Waiter: a sleep would take the wake-up and end at once."""

    awake = False

    def wake(self):
        self.awake = True


class World:
    """A bus in which all that an operation does is undone by the next time."""

    def __init__(self):
        self.bus = bus = Bus(node=1, seed=1, slot_count=24, slot_size=16, queue_size=20)
        self.flag = Flag()
        self.source, self.asker, self.replier, self.reader, self.late = (
            bus.ksock() for _ in range(5)
        )
        self.reader.bind("$.Irq")
        self.reader.bind("$.Other.*")
        self.replier.bind("$.Q", True)
        self.irq = bus.name("$.Irq")
        self.other = bus.name("$.Other.X")
        self.q = bus.name("$.Q")
        self.inbox = IrqInbox(bus.irqs, self.flag, self.source.hot, self.irq, COUNT, SIZE)
        self.view = MessageView()
        self.asked = MessageView()
        self.posted = self.checked = 0  # numbers of the last post, and at the last check
        self.expected = []  # (missed, data)
        self.missed = 0  # refused since
        self.seen = []
        self.gap = 0  # told since
        self.beside = []  # of another source's messages: told there, and how many before it

    def post(self):
        """What the interrupt does: a new number each time, in one size or the other."""
        self.posted += 1
        data = self.posted.to_bytes(4, "little") * (1 if self.posted % 3 else 2)
        if self.inbox.post(data):
            self.expected.append((self.missed, data))
            self.missed = 0
        else:
            self.missed += 1

    def storm(self):
        assert self.posted - self.checked < 20000, "this does not end"
        self.post()

    def burst(self):
        for _ in range(BURST):
            self.post()

    # Operations

    def drain(self):
        self.flag.awake = False  # as a sleep does that has just ended
        self.bus.poll(5)

    def announce(self):
        self.asker.hot.announce(self.other, b"between")

    def announce_same(self):
        self.asker.hot.announce(self.irq, b"beside")

    def two_sources(self):
        self.drain()
        self.announce_same()

    def take(self):
        code = self.reader.hot.take(self.view)
        if code >= 0:
            self.gap += self.view.missed
            if self.view.sender == self.source.id:
                self.seen.append((self.gap, bytes(self.view.data[: self.view.size])))
                self.gap = 0
            else:
                self.beside.append((self.gap, len(self.seen)))
        return code

    def call(self):
        assert self.asker.hot.request(self.q, b"question", deadline_ms=100) > 0
        self.replier.hot.take(self.asked)
        assert self.replier.hot.reply(self.asked, b"answer") >= 0
        self.asker.hot.take(self.asked)

    def bind(self):
        self.late.bind("$.Irq")

    def unbind(self):
        self.late.bind("$.Irq")
        self.late.unbind("$.Irq")

    def all_of_it(self):
        """Everything in turn, drained between."""
        for operation in (self.drain, self.announce, self.drain, self.call, self.drain, self.take):
            operation()

    # Before and after

    def prepare(self, filled):
        for _ in range(filled):
            self.post()

    def check(self):
        """Read all and compare; leave the world as it was."""
        assert self.inbox._head == self.inbox._tail or self.flag.awake
        for _ in range(3):
            self.bus.poll(5)
        while self.take() >= 0:
            pass
        assert self.seen == self.expected
        for gap, index in self.beside:  # it may be told there first, but not too early
            assert 0 <= gap <= (self.expected + [(self.missed, b"")])[index][0]
        told = self.missed + sum(missed for missed, _ in self.expected) + len(self.expected)
        assert told == self.posted - self.checked
        self.seen.clear()
        self.expected.clear()
        self.beside.clear()
        if self.missed:  # what was refused last, the next message tells
            self.checked = self.posted - self.missed
            self.post()
            self.check()
        self.checked = self.posted
        self.asker.hot.release()
        self.replier.hot.release()
        for binding in list(self.late.hot.bound):
            self.late.unbind(binding.text)
        assert self.bus.pool.free_count() == self.bus.pool.count


def steps(function, come_in, which, module="limpet"):
    """Call function() and come_in() before its step `which`, -1: at each; return how many steps.

    Only steps inside the library, or that module of it, count.
    """
    count = 0

    def local(frame, event, arg):
        nonlocal count
        if event == "opcode":
            if which in (count, -1):
                come_in()
            count += 1
        return local

    def trace(frame, event, arg):
        if not frame.f_globals.get("__name__", "").startswith(module):
            return None
        frame.f_trace_opcodes = True
        frame.f_trace_lines = False
        return local

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        function()
    finally:
        sys.settrace(before)
    return count


OPERATIONS = "drain announce announce_same two_sources take call bind unbind".split()


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("filled", [0, 1, COUNT])
def test_an_interrupt_at_any_step(operation, filled):
    """Once, and in a burst."""
    world = World()
    function = getattr(world, operation)
    for come_in in (world.post, world.burst):
        which = 0
        count = 1
        while which < count:
            world.prepare(filled)
            count = steps(function, come_in, which)
            world.check()
            which += 1
        assert which > 10  # the library was stepped through


@pytest.mark.parametrize("operation", OPERATIONS + ["all_of_it"])
def test_an_interrupt_at_every_step(operation):
    """More of them than the inbox can take: most are lost, and all of these are counted."""
    world = World()
    steps(getattr(world, operation), world.storm, -1)
    lost = world.inbox.lost
    world.check()
    assert world.posted - lost >= COUNT


@pytest.mark.parametrize("filled", range(COUNT + 1))
def test_two_interrupts_within_one_drain(filled):
    """At each pair of steps of drain(): the inbox is filled up while it is emptied."""
    world = World()
    count = steps(world.drain, lambda: None, -1, "limpet.irq")
    first = 0
    while first < count:
        second = first
        while second < count:
            world.prepare(filled)
            interrupts = Interrupts(world, first, second)
            count = max(first + 1, steps(world.drain, interrupts.at_step, -1, "limpet.irq"))
            world.check()
            second += 1
        first += 1
    assert first > 20


class Interrupts:
    """Come at two steps."""

    def __init__(self, world, *at):
        self.world = world
        self.at = at
        self.step = 0

    def at_step(self):
        for which in self.at:
            if which == self.step:
                self.world.post()
        self.step += 1


@pytest.mark.parametrize("filled", range(COUNT + 1))
def test_the_bus_comes_at_any_step_of_a_post(filled):
    """As where the writer is another thread: nothing is read before it is whole."""
    world = World()
    which = 0
    count = 1
    while which < count:
        world.prepare(filled)
        count = steps(world.post, world.drain, which)
        world.check()
        which += 1
    assert which > 10
