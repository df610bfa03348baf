# SPDX-License-Identifier: MIT
"""A busy world on two buses, and a checker that knows only the promise.

Rules: workload and faults are drawn from one seed. Each side asks, answers and announces. What
ran is noted by the replier's application, what ended by the asker's; the Ledger compares them and
knows nothing else. A side that loses its power forgets; what it asked is then for nobody.
"""

from helpers_bus import Pair
from limpet import BusError, MessageView
from limpet.rand import Random

SIZE = 6  # bytes of a message: side, boot, Ksock, number (two bytes), what to do with it
REPLY, FAIL, LATER, NEVER = range(4)


class Ledger:
    """Who asked what, what ran, how it ended; `faults` is what broke the promise."""

    def __init__(self):
        self.faults = []
        self.asked = {}  # key -> how it ended, "" = not yet
        self.ran = {}  # key -> how it was dealt with
        self.last_ran = {}  # sender -> number of the request that ran last
        self.announced = {}  # sender -> number announced last
        self.heard = {}  # (listener, sender) -> number heard last
        self.counts = {}
        self.trace = 0

    def count(self, what):
        self.counts[what] = self.counts.get(what, 0) + 1

    def note(self, *values):
        """Make the trace depend on what happened, in its order."""
        for value in values:
            if isinstance(value, str):
                for c in value:
                    self.trace = (self.trace * 31 + ord(c)) & 0xFFFFFF
            else:
                self.trace = (self.trace * 31 + (value & 0xFFFF)) & 0xFFFFFF

    def fault(self, text, key):
        self.faults.append("%s: %r" % (text, key))

    def run(self, key):
        """A replier has read a request."""
        if key not in self.asked:
            self.fault("ran, but nobody asked", key)
        if key in self.ran:
            self.fault("ran twice", key)
        sender = key[:3]
        if self.last_ran.get(sender, -1) >= key[3]:
            self.fault("ran out of order", key)
        self.last_ran[sender] = key[3]
        self.ran[key] = LATER
        self.note("ran", *key)

    def end(self, key, kind, executed):
        """An asker has read an answer."""
        if self.asked.get(key) is None:
            self.fault("answer without a request", key)
        elif self.asked[key]:
            self.fault("ended twice", key)
        self.asked[key] = kind
        if executed == "no" and key in self.ran:
            self.fault("it ran, but " + kind, key)
        if executed == "yes" and key not in self.ran:
            self.fault("it did not run, but " + kind, key)
        if kind == "reply" and self.ran.get(key) != REPLY:
            self.fault("a reply that nobody gave", key)
        if kind == "Replier.Failed" and self.ran.get(key) != FAIL:
            self.fault("a failure that did not happen", key)
        self.count(kind)
        self.note(kind, *key)

    def hear(self, listener, sender, number):
        """A listener has read an announcement."""
        if number > self.announced.get(sender, -1):
            self.fault("heard, but nobody said", (listener, sender, number))
        if number <= self.heard.get((listener, sender), -1):
            self.fault("heard twice or out of order", (listener, sender, number))
        self.heard[(listener, sender)] = number
        self.count("heard")
        self.note("heard", sender[2], number)

    def unanswered(self, alive):
        """Return the requests of living askers that have not ended."""
        return sorted([k for k, kind in self.asked.items() if not kind and k[:2] in alive])


class Actor:
    """The application on one side, since its last reset."""

    def __init__(self, world, side):
        self.world = world
        self.side = side
        self.who = (side, world.pair.boots[side])
        bus = world.pair.buses[side]
        self.bus = bus
        self.ledger = world.ledger
        self.random = world.random
        self.view = MessageView()
        self.askers = [bus.ksock() for _ in range(2)]
        self.numbers = [0, 0]
        self.out = [{}, {}]  # serial -> key
        self.said = 0
        self.listener = bus.ksock(64)
        self.listener.bind("$.News.*")
        self.listener.bind("$.News.Side%d" % (1 - side))
        self.later = []  # Messages to be answered later
        self.serve()

    def serve(self):
        self.replier = self.bus.ksock()
        self.replier.bind("$.Work.Side%d" % self.side, True)

    def ask(self):
        """Send a request to the other side's replier."""
        random = self.random
        k = random.below(2)
        number = self.numbers[k]
        key = self.who + (k, number)
        chance = random.below(20)
        todo = REPLY if chance < 13 else FAIL if chance < 15 else LATER if chance < 19 else NEVER
        data = bytes(key[:3] + (number >> 8, number & 255, todo)) + bytes(random.below(60))
        deadline_ms = (None, 2000, 200, 20)[random.below(4)]
        if todo == NEVER and deadline_ms is None:
            deadline_ms = 3000
        try:
            serial = self.askers[k].request("$.Work.Side%d" % (1 - self.side), data, deadline_ms)
        except BusError as e:
            self.ledger.count("refused")
            self.ledger.note("refused", e.errno)
            return
        self.numbers[k] += 1
        self.ledger.asked[key] = ""
        self.out[k][serial] = key
        self.ledger.count("requests")

    def announce(self):
        self.said += 1
        sender = self.who + (9,)
        self.ledger.announced[sender] = self.said
        data = bytes(sender + (self.said >> 8, self.said & 255))
        try:
            self.askers[0].announce("$.News.Side%d" % self.side, data)
        except BusError as e:
            self.ledger.note("not said", e.errno)

    def work(self):
        """Take some requests and do as they say."""
        for _ in range(self.random.below(4)):
            message = self.replier.next()
            if message is None:
                break
            data = message.data
            key = (data[0], data[1], data[2], data[3] << 8 | data[4])
            self.ledger.run(key)
            if data[5] in (REPLY, FAIL):
                self._finish(message, key, data[5])
            else:
                self.later.append((message, key, data[5]))
        if self.later and self.random.below(3) == 0:
            i = self.random.below(len(self.later))
            message, key, todo = self.later[i]
            if todo == LATER:
                self.later.pop(i)
                self._finish(message, key, REPLY)

    def _finish(self, message, key, how):
        self.ledger.ran[key] = how
        if how == FAIL:
            self.replier.hot.fail(message, b"Error")
            return
        try:
            self.replier.reply(message, message.data[:5])
        except BusError as e:
            self.ledger.count("too late")
            self.ledger.note("too late", e.errno)

    def rebind(self):
        """The replier goes, with all that it has, and another one comes."""
        if self.random.below(2):
            self.replier.close()
            self.later = []
            self.serve()
        else:
            self.replier.unbind("$.Work.Side%d" % self.side, True)
            self.replier.bind("$.Work.Side%d" % self.side, True)

    def read(self):
        """Read all answers and news."""
        for k in range(2):
            while True:
                message = self.askers[k].next()
                if message is None:
                    break
                self._answer(k, message)
        while True:
            message = self.listener.next()
            if message is None:
                break
            data = message.data
            sender = (data[0], data[1], data[2])
            number = data[3] << 8 | data[4]
            if message.binding.text.endswith("*"):  # each binding has its own copy
                self.ledger.hear(self.who, sender, number)

    def _answer(self, k, message):
        key = self.out[k].pop(message.in_reply_to, None)
        if key is None:
            self.ledger.fault("an answer to nothing", message.in_reply_to)
            return
        if message.kind == "reply":
            if message.data != bytes(key[:3] + (key[3] >> 8, key[3] & 255)):
                self.ledger.fault("somebody else's reply", key)
            self.ledger.end(key, "reply", "yes")
        else:
            self.ledger.end(key, message.name[7:], message.executed)


class World:
    """Two Actors on a Pair; `rate` requests of each in 1000 ms, faults as asked for."""

    def __init__(self, seed, line=None, options=None):
        self.random = Random(seed)
        self.ledger = Ledger()
        self.pair = Pair(seed=seed, a=options, b=options, line=line)
        self.actors = [Actor(self, 0), Actor(self, 1)]
        self.pair.connect()

    def reset(self, side):
        self.pair.reset(side)
        self.actors[side] = Actor(self, side)
        self.ledger.note("reset", side)

    def turn(self, ms, busy=True):
        """Let `ms` pass, with the applications at work."""
        self.pair.run(ms)
        for actor in self.actors:
            actor.read()
            actor.work()
            if busy:
                for _ in range(self.random.below(3)):
                    actor.ask()
                if self.random.below(2):
                    actor.announce()

    def finish(self):
        """Mend all, wait for all ends, close; return what broke the promise, as text."""
        self.pair.cut(False)
        for pipe in self.pair.pipes:
            pipe.faults = b""
        for _ in range(400):
            self.turn(20, False)
            alive = [actor.who for actor in self.actors]
            if not self.ledger.unanswered(alive) and self.pair.settled():
                break
        for key in self.ledger.unanswered([actor.who for actor in self.actors]):
            self.ledger.fault("no end", key)
        self.turn(20, False)
        if not self.pair.up():
            self.ledger.faults.append("the link does not come back")
        self.pair.close()
        leaks = self.pair.leaks()
        if leaks:
            self.ledger.faults.append(leaks)
        return "\n".join(self.ledger.faults)
