# SPDX-License-Identifier: MIT
"""Scripts for a bus and its model, made of small numbers: from a seed, or from hypothesis.

Rules: everything is decided by pick(n), which returns a number below n, and by what the model
knows; so the same numbers give the same script on every VM. Run as a program with a seed and a
number of steps, this prints that script's transcript; without, what tests/vectors/bus_scripts.txt
is made of.
"""

import hashlib
import sys

from bus_twin import Twin
from model_binds import EVENT
from model_parts import ALL_OR_FAIL, ALL_OR_WAIT, SERIAL_MAX, URGENT

NAMES = ("$.A", "$.B", "$.A.B", "$.A.C", "$.A.B.C")
WILD = ("$.*", "$.%", "$.A.*", "$.A.%", "$.A.B.%", "$.A.B.*")
WATCHING = (EVENT, "$.KBUS.*", "$.KBUS.%", "$.*")
BAD = ("", "$", "$.", "A", "$.A.", "$.A..B", "$.A*", "$.*.A", "$.a_b", "$." + "x" * 999)
FLAGS = (0, URGENT, ALL_OR_FAIL, ALL_OR_WAIT, ALL_OR_WAIT | URGENT, ALL_OR_FAIL | URGENT)
LIMITS = (1, 2, 3, 3, 5, 5, 8, 16)
CALM = 40  # slots
# Each verb, as often as it stands here.
VERBS = (
    "announce announce burst burst request request request read read take take take reply reply "
    "reply bind bind replier unbind retry poll discard limit once report watch release time time "
    "open open close quit quit spend press press thwart serial odd turn"
).split()

PLAIN = "announce burst burst request request read read take reply reply turn spend".split()


class Writer:
    """Makes steps for a Twin and does them."""

    def __init__(self, twin, pick):
        self.twin, self.pick = twin, pick
        self.calm = twin.head[0] == CALM  # little happens but plain sends, as in most lives
        self.last = NAMES[0]  # names come in runs, as they do in life
        self.foreign = 0

    def one(self, items):
        return items[self.pick(len(items))]

    def limits(self):
        return 16 if self.calm and self.often(3) else self.one(LIMITS)

    def often(self, n):
        """Tell whether this is not one of n times."""
        return self.pick(n) > 0

    def ks(self):
        if not self.twin.pairs:
            self.twin.do(("open", self.limits()))
        return self.one(sorted(self.twin.pairs))

    def name(self):
        """Return a name, often the last one, mostly one that is listened to."""
        if not self.often(3):
            heard = [n for n in NAMES if self.twin.model.listeners(n)]
            self.last = self.one(heard) if heard and self.often(4) else self.one(NAMES)
        return self.last

    def asked(self):
        """Return a name, mostly one that has a replier."""
        served = [n for n in NAMES if self.twin.model.find_replier(n)]
        if self.calm and self.often(6):
            served = [n for n in served if not self.twin.model.listeners(n)] or served
        return self.one(served) if served and self.often(6) else self.one(NAMES)

    def data(self):
        size = self.twin.head[1]
        return bytes([self.pick(256)] * self.one((0, 1, 1, 3, size - 1, size)))

    def flags(self):
        return 0 if self.often(20 if self.calm else 3) else self.one(FLAGS)

    def staged(self, data):
        """Return what to stage: usually nothing."""
        if self.often(20 if self.calm else 6):
            return ()
        net = self.pick(3) * 7
        self.foreign += 1
        offset = self.pick(2) if data else 0
        user, carry = self.pick(3) * 0x7FFF, self.one((None, "c"))
        return (
            net,
            self.foreign + 5,
            self.one((-1, -1, 900)),
            user,
            self.pick(2) * 3,
            8,
            carry,
            offset,
        )

    def begin(self):
        """Open Ksocks and bind them, so that something can happen."""
        for verb in ("open", "open", "open", "bind", "bind", "bind", "replier", "replier"):
            self.step(verb)

    def step(self, verb):
        """Do one step of a kind; some take several."""
        getattr(self, verb)()

    def do(self, *op):
        self.twin.do(op)

    # The kinds of steps

    def announce(self):
        data = self.data()
        staged = self.staged(data)
        op = ("announce", self.ks(), self.name(), data, self.flags(), staged)
        self.do(*op)
        if staged and self.pick(3) == 0:  # the same id again, as by another way
            self.do(*op)

    def burst(self):
        """One sender, one name, several times; perhaps they come from another node."""
        ks, name, net = self.ks(), self.name(), self.pick(6) // 5 * 7
        for _ in range(1 + self.pick(8)):
            self.foreign += 1
            staged = (net, self.foreign + 5, 9, 0, 0, 0, None, 0) if net else ()
            self.do("announce", ks, name, bytes([self.pick(256)]), 0, staged)

    def due(self, deadline, foreign):
        """Return a deadline: own and foreign requests do not end together, in what order ever."""
        if deadline is None:
            return None
        return deadline + (self.twin.model.now + deadline + foreign) % 2

    def request(self):
        data, deadline = self.data(), self.one((None, None, 0, 1, 5, 20, 100))
        if self.calm and self.often(8):
            deadline = None
        to = 0 if self.often(20 if self.calm else 4) else self.ks()
        staged = self.staged(data)
        due = self.due(deadline, bool(staged and staged[0]))
        self.do("request", self.ks(), self.asked(), data, self.flags(), staged, due, to)

    def reader(self):
        """Return a Ksock, mostly one that has something to read."""
        pairs = self.twin.pairs
        found = [k for k in sorted(pairs) if pairs[k].image.queue]
        return self.one(found) if found and self.often(6) else self.ks()

    def take(self):
        index = 0 if self.often(10) else self.pick(4)
        self.do("take", self.reader(), index, self.pick(4))

    def read(self):
        """One reader, several messages."""
        ks = self.reader()
        how = self.one((0, 0, 3))
        for _ in range(1 + self.pick(6)):
            self.do("take", ks, 0, how)

    def turn(self):
        """Everybody reads one message."""
        for ks in sorted(self.twin.pairs):
            self.do("take", ks, 0, 1)

    def owed(self):
        """Return the tickets of requests that are owed; first reads one if there is none."""
        tickets, pairs, model = self.twin.tickets, self.twin.pairs, self.twin.model
        for ks in sorted(pairs) + [None]:
            owed = [i for i, t in enumerate(tickets) if t[2] in model.out and t[0] in pairs]
            if owed or ks is None:
                return owed
            asks = [i for i, e in enumerate(pairs[ks].image.queue) if e.why == "ask"]
            for _ in range(asks[0] + 1 if asks else 0):
                self.do("take", ks, 0, 1)
                tickets = self.twin.tickets

    def reply(self):
        """Mostly answer what is owed; sometimes try what is not."""
        data, flags = self.data(), self.pick(4) // 3 * URGENT
        owed = self.owed() if self.often(8) else []
        if owed:
            i = self.one(owed)
            ks, _, out = self.twin.tickets[i]
            if not self.often(6):
                self.do("reply_parked", ks, out.msg.net, out.msg.serial, data, flags)
                return
        elif self.pick(2):
            return
        else:  # what has ended, or whatever it is
            i, ks = self.pick(64), self.ks()
            out, pairs = self.twin.model.out, self.twin.pairs
            late = [j for j, t in enumerate(self.twin.tickets) if t[2] and t[2] not in out]
            late = [j for j in late if self.twin.tickets[j][0] in pairs]
            if late and self.often(3):
                i = self.one(late)
                ks = self.twin.tickets[i][0]
        staged = self.staged(data)
        if staged:
            staged = staged + (self.one((None, "$.B", "$.A.B")),)
        self.do("reply", ks, i, data, flags, staged)

    def bind(self):
        ks, names = self.ks(), NAMES + WILD
        if self.calm and self.often(8):
            names = ("$.A", "$.A.B", "$.A.%")
            if any(b.ks.id == ks and not b.replier for b in self.twin.model.bindings):
                return  # who listens twice to a name is on no log
        self.do("bind", ks, self.one(names), 0, self.pick(6) // 5)

    def replier(self):
        names = ("$.B", "$.A.B.C") if self.calm and self.often(8) else NAMES + WILD
        self.do("bind", self.ks(), self.one(names), 1, self.pick(6) // 5)

    def unbind(self):
        bindings = self.twin.model.bindings
        if bindings and self.often(8):
            b = self.one(bindings)
            self.do("unbind", b.ks.id, b.text, int(b.replier))
        else:
            self.do("unbind", self.ks(), self.one(NAMES + WILD), self.pick(2))

    def waiting(self):
        """Return a Ksock, rather one that has something pending."""
        pairs = self.twin.pairs
        found = [k for k in sorted(pairs) if pairs[k].image.pending is not None]
        return self.one(found) if found and self.often(8) else self.ks()

    def retry(self):
        self.do("retry", self.waiting())

    def poll(self):
        self.do("poll", self.waiting())

    def discard(self):
        self.do("discard", self.waiting())

    def limit(self):
        self.do("limit", self.ks(), self.one(LIMITS))

    def once(self):
        self.do("once", self.ks(), self.pick(2))

    def report(self):
        ks = self.ks()
        if self.often(2):
            self.do("bind", ks, self.one(WATCHING), 0)
        self.do("report", ks, int(self.often(4)))

    def watch(self):
        self.do("watch", self.ks(), self.pick(2))

    def release(self):
        self.do("release", self.ks())

    def time(self):
        self.do("time", self.one((0, 1, 3, 10, 50, 200)))

    def open(self):
        if len(self.twin.pairs) < 7:
            self.do("open", self.limits())

    def close(self):
        self.do("close", self.ks())

    def quit(self):
        """A Ksock that several requests could reach closes, while others listen to that."""
        if not self.twin.model.reporting:
            self.report()
        ks = self.ks()
        for name in NAMES + WILD[:3]:
            if self.pick(2):
                self.do("bind", ks, name, 1)
        if self.often(4):
            self.do("close", ks)

    def press(self):
        """Send with ALL_OR_WAIT until it has to wait, or is refused."""
        ks, name, ask = self.ks(), self.asked(), self.pick(3)
        to = self.twin.model.find_replier(name) if self.pick(2) else 0
        timed = self.pick(2)
        for _ in range(9):
            deadline = 3 if timed and self.pick(2) else None
            if ask:
                self.do("request", ks, name, b"w", ALL_OR_WAIT, (), self.due(deadline, False), to)
            else:
                self.do("announce", ks, self.name(), b"w", ALL_OR_WAIT, ())
            if self.twin.result < 0:
                break
        if timed:
            self.do("time", 5)
        if self.calm:
            self.do("discard", ks)

    def thwart(self):
        """Let a request that waits become impossible, and see."""
        if not self.twin.model.asking():
            self.press()
        pairs, asking = self.twin.pairs, self.twin.model.asking()
        found = [k for k in sorted(pairs) if pairs[k].image.pending in asking]
        if not found:
            return
        ks = self.one(found)
        name, to = pairs[ks].image.pending.msg.name, pairs[ks].image.pending.msg.to
        others = [k for k in sorted(pairs) if k != to]
        binding = self.twin.model.replier(name)
        if binding is not None:
            self.do("unbind", binding.ks.id, binding.text, 1)
        if to and others:
            self.do("bind", self.one(others), name, 1)
        self.do(self.one(("poll", "retry")), ks)

    def serial(self):
        """Let the numbers wrap soon, or go back to where requests are out."""
        out = [o.msg.serial for o in self.twin.model.out]
        self.do(
            "serial", self.one(out) - 1 if out and self.often(2) else SERIAL_MAX - self.pick(3)
        )

    def spend(self):
        """Use numbers up, just so many that few are left before the wrap, if it is near."""
        left = SERIAL_MAX - self.twin.model.serial
        self.do("spend", self.ks(), self.pick(50) if left > 60 else max(0, left - self.pick(5)))

    def odd(self):
        """What users should not do, and what they may ask."""
        what = self.pick(7)
        if what == 0:
            self.do("bind", self.ks(), self.one(BAD), self.pick(2))
        elif what == 1:
            self.do("unbind", self.ks(), self.one(BAD), self.pick(2))
        elif what == 2:
            self.do("lookup", self.one(BAD + NAMES + WILD))
        elif what == 3:
            data = bytes(self.twin.head[1] + 1)
            self.do("announce", self.ks(), self.name(), data, self.flags(), ())
        elif what == 4:
            both = ALL_OR_FAIL | ALL_OR_WAIT
            self.do("request", self.ks(), self.name(), b"", both, (), None, 0)
        elif what == 5:
            self.do("bind", self.ks(), EVENT, 1)
        else:
            self.do("find", self.one(NAMES))


def head(pick):
    """Return the sizes of a bus, tiny ones and larger ones, its first number and its time."""
    slots = (2, 3, 4, 6, 8, 11, 16, CALM, CALM, CALM)[pick(10)]
    size, bindings, events = (16, 24, 40)[pick(3)], (8, 200, 200)[pick(3)], (1, 2, 8)[pick(3)]
    serial = (0, SERIAL_MAX - 5 - pick(90))[pick(2)]
    slots_max, names = (0, 0, 0, slots + 1, 2 * slots + 1)[pick(5)], (4, 6, 16)[pick(3)]
    return (slots, size, 8, bindings, events, names, slots_max, serial, pick(300))


def begin(seed):
    """Return the Twin with which one seed's script begins."""
    from limpet.rand import Random

    pick = Random(seed).below
    twin = Twin(head(pick))
    twin.pick = pick
    return twin


def play(twin, steps):
    """Let the script run that begin() has begun, and read everything in the end."""
    pick = twin.pick
    writer = Writer(twin, pick)
    # Each life has some kinds of steps only, some of them more often than others.
    verbs = [v for v in VERBS if pick(4)] + VERBS[:20]
    if writer.calm:
        verbs = PLAIN * (1 + pick(8)) + verbs
    writer.begin()
    for _ in range(steps):
        writer.step(verbs[pick(len(verbs))])
    twin.drain()
    return twin


def digest(twin):
    """Return what stands for the transcript so far; a new one begins."""
    done, twin.transcript = twin.transcript, hashlib.sha256()
    return done.digest().hex()


def main(args):
    if args:
        twin = begin(int(args[0]))
        twin.tell = print
        play(twin, int(args[1]))
        return
    print("# Made by tests/bus_script.py: seed, steps, SHA-256 of the script's transcript.")
    for seed in range(1, 41):
        steps = 20 + 4 * seed
        print(seed, steps, digest(play(begin(seed), steps)))


if __name__ == "__main__":
    main(sys.argv[1:])
