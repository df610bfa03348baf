# SPDX-License-Identifier: MIT
"""Two buses joined by a line in memory, under a clock that the test turns.

Rules: no clock, no sleep, no chance but the seed, so a run is the same on every VM. Time starts
just below its wrap. A side can lose its power (reset): its bus is gone without a word, what is on
the line stays. A turn that is due again and again at the same time is a fault, and raises.
"""

import unittest

from buses import parked
from limpet import Bus
from limpet.link import UP
from limpet.rand import Random
from limpet.ticks import ticks_add
from limpet.transport.loopback import LoopbackDriver, loopback
from limpet.view import MessageView

START_MS = 0x3FFFFFFF - 300  # every run that matters crosses the wrap
TURNS_MAX = 2000  # of one side at one time


class End(LoopbackDriver):
    """One end of the line, whose outgoing bytes can be cut off anywhere, even inside a frame."""

    def __init__(self, outgoing, incoming):
        LoopbackDriver.__init__(self, outgoing, incoming)
        self.budget = -1  # bytes that still go out, -1: any number
        self.written = 0

    def _write(self, buf, start, count):
        if self.budget >= 0:
            count = min(count, self.budget)
            self.budget -= count
        n = LoopbackDriver._write(self, buf, start, count)
        self.written += n
        return n


class Pair:
    """Two sides, 0 and 1: `buses`, `limpets`, `drivers`; `now` is the time of both.

    a, b: arguments for the Bus of each side; join_a, join_b: for its join(); line: for loopback().
    """

    def __init__(self, seed=1, a=None, b=None, join_a=None, join_b=None, line=None):
        self.now = START_MS
        self.random = Random(seed)
        self.options = [{"node": 11}, {"node": 22}]
        self.options[0].update(a or {})
        self.options[1].update(b or {})
        self.joins = [join_a or {}, join_b or {}]
        one, _ = loopback(seed=seed, **(line or {}))
        self.pipes = [one._outgoing, one._incoming]
        self.boots = [0, 0]
        self.buses = [None, None]
        self.limpets = [None, None]
        self.drivers = [None, None]
        self.reset(0)
        self.reset(1)

    def reset(self, side, **options):
        """Cut the side's power and start it anew, maybe with other options for its Bus."""
        self.options[side].update(options)
        self.boots[side] += 1
        bus = Bus(seed=self.random.next(), **self.options[side])
        bus.runner.now = lambda: self.now  # deadlines of the comfortable layer, too
        driver = End(self.pipes[side], self.pipes[1 - side])
        self.buses[side] = bus
        self.limpets[side] = bus.join(driver, **self.joins[side])
        self.drivers[side] = driver
        return bus

    def step(self):
        """Let both sides do all that is due now; return the ms until something is again."""
        for _ in range(TURNS_MAX):
            due = self.buses[0].runner.step(self.now)
            due = min(due, self.buses[1].runner.step(self.now))
            if due > 0:
                # What side 1 has just sent is due at side 0.
                due = min(due, self.drivers[0].due(self.now))
            if due > 0:
                return due
        raise AssertionError("both sides are due for ever at one time")

    def run(self, ms):
        """Let `ms` pass."""
        while True:
            due = min(self.step(), ms)
            if ms <= 0:
                return
            self.now = ticks_add(self.now, due)
            ms -= due

    def until(self, condition, limit_ms=5000):
        """Run until condition(); return the ms that it took, -1 if it did not come true."""
        spent = 0
        while True:
            due = self.step()
            if condition():
                return spent
            if spent >= limit_ms:
                return -1
            due = min(due, limit_ms - spent)
            self.now = ticks_add(self.now, due)
            spent += due

    def up(self):
        """Are both sides in one session, the same one?"""
        one, two = self.limpets[0].link, self.limpets[1].link
        return (
            one.state == UP
            and two.state == UP
            and one._session.me == two._session.peer
            and one._session.peer == two._session.me
        )

    def settled(self):
        """Has each side told all that it has to tell?"""
        return (
            self.up() and not self.limpets[0].outbox.ready() and not self.limpets[1].outbox.ready()
        )

    def connect(self):
        """Run until both are up and know each other's bindings; return self."""
        if self.until(self.settled) < 0:
            raise AssertionError("the sides do not come together")
        self.run(5)
        return self

    def cut(self, cut=True):
        """Break the line, or mend it."""
        self.pipes[0].cut = self.pipes[1].cut = cut

    def hold(self, side, hold=True):
        """Give the link of a side nothing to send any more, as a full window does; or again."""
        outbox = self.limpets[side].outbox
        if hold:
            outbox.ready = lambda: False
            outbox.fill = lambda buf, start, end: 0
        else:
            del outbox.ready
            del outbox.fill

    def close(self):
        """Close both buses."""
        self.buses[0].close()
        self.buses[1].close()

    def leaks(self):
        """Return what a bus still holds that nobody has a use for, as text; "" if nothing."""
        found = []
        for side in range(2):
            bus = self.buses[side]
            limpet = self.limpets[side]
            pins = [n.text for n in bus.bindings.names.values() if n.pins or n.contexts]
            tickets = [t for t in limpet.outbox.tickets if t.used or t.answer is not None]
            for what, value in (
                ("slots", bus.pool.count - bus.pool.free_count()),
                ("requests", len(parked(bus))),
                ("deadlines", bus.answers.timed_count),
                ("names", pins),
                ("tags", tickets),
                ("places", limpet.hot.reserved),
                ("entries", limpet.hot.count),
                ("bindings", [b.text for b in bus.bindings.all()]),
            ):
                if value:
                    found.append("side %d: %s %r" % (side, what, value))
        return "; ".join(found)


class Reader:
    """A Ksock that keeps what it reads: `heard` as (kind, name, data), answers by number."""

    def __init__(self, bus, listen=(), replier=(), queue_size=None):
        self.ks = bus.ksock(queue_size)
        self.view = MessageView()
        self.heard = []
        self.messages = []
        for name in listen:
            self.ks.bind(name)
        for name in replier:
            self.ks.bind(name, True)

    def read(self):
        """Take all that is there; return it."""
        found = []
        while True:
            message = self.ks.next()
            if message is None:
                break
            found.append(message)
        self.messages += found
        self.heard += [(m.kind, m.name, m.data) for m in found]
        return found

    def answer(self, serial):
        """Return the only answer to `serial` as (name or "reply", data), "" if none came."""
        self.read()
        found = [m for m in self.messages if m.in_reply_to == serial]
        if len(found) > 1:
            raise AssertionError("request %d ended %d times" % (serial, len(found)))
        if not found:
            return ("", b"")
        kind = "reply" if found[0].kind == "reply" else found[0].name[7:]
        return (kind, found[0].data)


class Case(unittest.TestCase):
    """An asker on one side of a link and a replier on the other."""

    def make(self, near=None, far=None, **options):
        """Make a Pair with an asker on side 0, `near`, and a replier on side 1, `far`."""
        self.pair = Pair(**options)
        self.near = Reader(self.pair.buses[0], **(near or {}))
        self.far = Reader(self.pair.buses[1], **(far or {"replier": ["$.Far"]}))
        self.pair.connect()

    def ask(self, data=b"?", name="$.Far", deadline_ms=None):
        return self.near.ks.request(name, data, deadline_ms)

    def serve(self, ms=60, data=b"!"):
        """Let time pass; side 1 replies to all that is there."""
        self.pair.run(ms)
        for message in self.far.read():
            if message.wants_reply:
                self.far.ks.reply(message, message.data if data is None else data)
        self.pair.run(ms)

    def ends(self, serial, kind, executed):
        """Check how a request has ended."""
        self.assertEqual(self.near.answer(serial)[0], kind)
        answer = [m for m in self.near.messages if m.in_reply_to == serial][0]
        self.assertEqual(answer.executed, executed)

    def done(self):
        self.pair.close()
        self.assertEqual(self.pair.leaks(), "")
