# SPDX-License-Identifier: MIT
"""A bus and its model, which live through the same script and must never differ.

Rules: a script is a list of tuples of plain values, ("bind", ksock, name, replier) and so on, and
says everything; one that names what is not there is harmless, so a script may be cut anywhere.
After each step the results and the queue of each Ksock are compared, and that whoever waits was
woken; a message as a whole when it is read. `transcript` is a SHA-256 of what the bus said.
"""

import hashlib

from bus_looks import expected, facts, queued, said, shown, text
from bus_model import Model, Staged
from model_parts import EAGAIN, EBADF, ENOSPC, SERIAL_MAX

# Positions in what a script begins with.
SIZES = (
    "slot_count slot_size ksock_count binding_count event_count name_count slot_count_max"
).split()


class Difference(Exception):
    """The bus did what the model did not."""


class Bell:
    """Counts how often it was rung."""

    def __init__(self):
        self.count = 0

    def wake(self):
        self.count += 1


class Pair:
    """A Ksock of the bus and its image in the model."""

    def __init__(self, bus, real, image):
        from limpet import Ksock, MessageView

        self.real, self.image = real, image
        self.ks = Ksock(bus, real)
        self.view = MessageView()
        self.shown = self.view  # the view that shows what was taken last
        self.seen = None  # what it shows
        self.bell = Bell()
        self.waits = False  # has it tried to send since it was woken last?
        self.rung = self.pushed = 0


class Twin:
    """One bus and its model. head: the sizes in the order of SIZES, a number, a time."""

    def __init__(self, head):
        from limpet import Bus

        self.head = head
        sizes = dict(zip(SIZES, head))
        self.bus = Bus(node=1, seed=1, **sizes)
        sizes["slot_count"] = max(sizes["slot_count"], sizes["slot_count_max"])
        self.model = Model(**sizes)
        self.pairs = {}  # by id
        self.tickets = []  # (id of the Ksock, what it took with, Out or None)
        self.ops = []
        self.transcript = hashlib.sha256()
        self.tell = None  # a function that gets each line of the transcript
        self.met = {}
        self.result = None
        self.bell = Bell()
        self.bus.waiter.wake = self.bell.wake
        self.do_serial(head[-2])
        self.base = SERIAL_MAX - head[-1]
        self.bus.poll(self.base)

    def do(self, op):
        """Do one step on both and compare."""
        self.ops.append(op)
        self.result = 0
        for pair in self.pairs.values():
            pair.rung, pair.pushed = pair.bell.count, pair.image.pushed
        rung = self.bell.count
        try:
            real, image = getattr(self, "do_" + op[0])(*op[1:])
        except KeyError:
            return  # no such Ksock, or no such name
        self.result = real
        self.say("%r -> %r" % (op, real))
        self.same(real, image, "result of %r" % (op,))
        code = min(real, 0) if isinstance(real, int) else 0
        self.count("%s %d" % (op[0], code))
        for ks in sorted(self.pairs):
            self.compare(self.pairs[ks], rung)

    def script(self):
        """Return what repeats all this: `for op in ops: twin.do(op)`."""
        ops = "".join(["    %r,\n" % (op,) for op in self.ops])
        return "twin = Twin(%r)\nops = [\n%s]" % (self.head, ops)

    def say(self, line):
        """Add a line to the transcript."""
        self.transcript.update((line + "\n").encode())
        if self.tell is not None:
            self.tell(line)

    def count(self, what):
        self.met[what] = self.met.get(what, 0) + 1

    def same(self, real, image, what):
        if real != image:
            raise Difference("%s\n  bus:   %r\n  model: %r" % (what, real, image))

    # What must be so after each step

    def blocked(self, image):
        send = image.pending
        return send is not None and self.model.why_not(send.msg) == -EAGAIN

    def compare(self, pair, rung):
        """Compare what can be seen of one Ksock without reading."""
        hot, image, model = pair.real, pair.image, self.model
        real = (hot.message_count(), hot.owed_count(), hot.limit - hot.room(), max(0, hot.room()))
        room = max(0, image.limit - model.used(image))
        wanted = (model.message_count(image), len(model.owed(image)), model.used(image), room)
        what = "of %d: messages, owed, used, room" % image.id
        self.say("%d: %r" % (image.id, real))
        self.same(real, wanted, what)
        self.same(queued(hot), expected(image), "queue of %d" % image.id)
        self.same(hot.pending is not None, image.pending is not None, "pending at %d" % image.id)
        self.same(hot.missed_total, image.missed_total, "missed_total of %d" % image.id)
        self.compare_waiting(pair, self.bell.count > rung)
        if hot.watch is not None and image.pushed > pair.pushed and self.ops[-1][0] != "watch":
            self.same(pair.bell.count > pair.rung, True, "reader %d woken" % image.id)
        if pair.seen is not None:
            self.same(shown(pair.shown), facts(pair.seen), "view of %d" % image.id)

    def compare_waiting(self, pair, rung):
        """Check that who waits is woken when it would be through, if it has tried before."""
        op = self.ops[-1]
        if pair.image.pending is None:
            pair.waits = False
        elif op[1] == pair.image.id and op[0] in ("announce", "request", "retry", "poll"):
            if self.result == -EAGAIN or self.result is False:
                pair.waits = True
        elif rung or pair.bell.count > pair.rung:
            watching = pair.real.watch is not None and op[0] != "watch"
            if watching and pair.waits and not self.blocked(pair.image):
                self.same(pair.bell.count > pair.rung, True, "sender %d woken" % pair.image.id)
            pair.waits = False
        if pair.waits and pair.image.pending is not None and not self.blocked(pair.image):
            raise Difference("sender %d is not woken" % pair.image.id)

    # Steps: each does one thing to both and returns both results

    def do_open(self, limit):
        real = self.bus.open(limit)
        image = self.model.open(limit)
        if isinstance(real, int) or isinstance(image, int):
            return real, image
        self.pairs[image.id] = Pair(self.bus, real, image)
        return real.id, image.id

    def do_close(self, ks):
        pair = self.pairs.pop(ks)
        self.bus.shut(pair.real)
        self.model.close(pair.image)
        # What is closed answers as such.
        real = [pair.real.closed, pair.real.take(pair.view), self.bus.bind(pair.real, "$.A", True)]
        real += [pair.real.retry(), self.bus.report_binds(pair.real, True)]
        real += [self.bus.unbind(pair.real, "$.A", True)]
        name = self.bus.lookup("$.A")
        if not isinstance(name, int):
            real += [pair.real.announce(name, b""), pair.real.request(name, b"")]
        return real, [True] + [-EBADF] * (len(real) - 1)

    def do_bind(self, ks, text, replier, proxy=0):
        pair = self.pairs[ks]
        real = self.bus.bind(pair.real, text, bool(replier), bool(proxy))
        return real, self.model.bind(pair.image, text, bool(replier), bool(proxy))

    def do_unbind(self, ks, text, replier):
        pair = self.pairs[ks]
        real = self.bus.unbind(pair.real, text, bool(replier))
        return real, self.model.unbind(pair.image, text, bool(replier))

    def do_report(self, ks, on):
        pair = self.pairs[ks]
        real = self.bus.report_binds(pair.real, bool(on))
        image = self.model.report_binds(pair.image, bool(on))
        self.same(self.bus.reporting, self.model.reporting, "reporting")
        return real, image

    def do_once(self, ks, on):
        pair = self.pairs[ks]
        pair.real.want_once(bool(on))
        pair.image.once = bool(on)
        return pair.real.once, bool(on)

    def do_limit(self, ks, limit):
        pair = self.pairs[ks]
        pair.real.set_limit(limit)
        pair.image.limit = limit
        self.model.arrive(pair.image)
        return pair.real.limit, limit

    def do_watch(self, ks, on):
        pair = self.pairs[ks]
        pair.real.set_watch(pair.bell if on else None)
        return 0, 0

    def do_find(self, name):
        return self.bus.find_replier(name), self.model.find_replier(name)

    def do_lookup(self, text):
        from model_parts import check_name

        real = self.bus.lookup(text)
        image = check_name(text, False) or text
        if real == -ENOSPC and image == text:
            return 0, 0  # as many names are in use as there may be
        return (real if isinstance(real, int) else real.text), image

    def do_serial(self, serial):
        """Use up the number behind `serial`, if nothing is there to be older."""
        held = [p for p in self.pairs.values() if p.image.queue or p.image.pending or p.image.view]
        if not held and all(o.due is None for o in self.model.out):
            self.model.serial = self.bus.pool.serial = serial
            self.bus.pool.serial_stop = 0
            self.same(self.bus.pool.next_serial(), self.model.number(), "number")
            for pair in self.pairs.values():  # nothing that came lately has these numbers again
                pair.image.last, pair.real.in_serial = (-1, -1), -1
        return 0, 0

    def name(self, text):
        """Return a Name; without room for it in the table, the step does not take place."""
        name = self.bus.lookup(text)
        if isinstance(name, int):
            raise KeyError(text)
        return name

    def stage(self, hot, staged):
        """Stage the same for the bus as the Staged returned says; () is nothing."""
        from limpet.send import STAGED

        if not staged:
            hot.unstage()
            return Staged(), 0, 0
        hot.net, hot.serial, hot.sender, hot.user, hot.to, hot.cookie, hot.carry, offset = staged[
            :8
        ]
        name = staged[8] if len(staged) > 8 else None
        hot.name = None if name is None else self.name(name)
        image = Staged(*staged[:3])
        image.user, image.to, image.cookie, image.carry = staged[3:7]
        image.name = name
        return image, STAGED, hot.offset

    def do_announce(self, ks, name, data, flags, staged):
        pair = self.pairs[ks]
        image, flag, offset = self.stage(pair.real, staged)
        real = pair.real.announce(self.name(name), data, -1, flags | flag)
        data = data[offset:]
        return real, self.model.announce(pair.image, name, data, flags, image)

    def do_request(self, ks, name, data, flags, staged, deadline, to):
        pair = self.pairs[ks]
        image, flag, offset = self.stage(pair.real, staged)
        name_of = self.name(name)
        real = pair.real.request(name_of, data, -1, flags | flag, deadline, to)
        data = data[offset:]
        return real, self.model.request(pair.image, name, data, flags, image, deadline, to)

    def do_reply(self, ks, ticket, data, flags, staged):
        if not self.tickets:
            return 0, 0
        pair = self.pairs[ks]
        _, asked, out = self.tickets[ticket % len(self.tickets)]
        image, flag, offset = self.stage(pair.real, staged)
        real = pair.real.reply(asked, data, -1, flags | flag)
        data = data[offset:]
        return real, self.model.reply(pair.image, out, data, flags, image)

    def do_reply_parked(self, ks, net, serial, data, flags):
        pair = self.pairs[ks]
        slot = pair.real.find_owed(net, serial)
        found = [
            o for o in self.model.owed(pair.image) if (o.msg.net, o.msg.serial) == (net, serial)
        ]
        self.same(slot is not None, bool(found), "found to be owed")
        if slot is None or not found:
            return None, None
        pair.real.unstage()
        real = pair.real.reply_parked(slot, data, flags)
        return real, self.model.reply(pair.image, found[0], data, flags, Staged())

    def do_spend(self, ks, count):
        """Use numbers up, by answering what nobody asked."""
        from limpet import MessageView

        pair, view = self.pairs[ks], MessageView()
        pair.real.unstage()
        real = [pair.real.reply(view, b"") for _ in range(count)]
        return real, [self.model.reply(pair.image, None, b"", 0, Staged()) for _ in range(count)]

    def do_retry(self, ks):
        pair = self.pairs[ks]
        return pair.real.retry(), self.model.retry(pair.image)

    def do_poll(self, ks):
        pair = self.pairs[ks]
        return pair.real.poll_pending(), self.model.poll_pending(pair.image)

    def do_discard(self, ks):
        pair = self.pairs[ks]
        pair.real.discard()
        self.model.discard(pair.image)
        return 0, 0

    def do_take(self, ks, index, how):
        """Take into the Ksock's view (how 0), a new one (1), or as a Message (2; 3: by next())."""
        from limpet import Message, MessageView

        pair = self.pairs[ks]
        if how == 3:
            return self.next(ks, pair)
        count = pair.real.count  # what is only in a log is out of its reach
        index = index % count if index and count else 0
        view = pair.view if how == 0 else MessageView()
        if index:
            pair.real.bring(index)
        size = pair.real.take(view)
        taken = self.model.take(pair.image, index)
        pair.seen = None
        if isinstance(taken, int) or size < 0:
            return size, taken if isinstance(taken, int) else "a message"
        entry, out = taken
        real = (size, view.missed, view.wants_reply, shown(view))
        image = (len(entry.msg.data), entry.missed, out is not None, facts(entry.msg))
        if entry.why == "answer":
            self.same(view.cookie, entry.msg.cookie, "cookie")
            self.same(view.reply_serial, entry.msg.reply_serial, "reply_serial")
        else:
            self.same(view.reply_serial, 0, "reply_serial")
        pair.shown, pair.seen = view, entry.msg
        if how == 2:
            message = Message(view.slot, pair.real, view)
            self.same(said(message), text(entry), "message")
        self.tickets = [t for t in self.tickets if t[1] is not view]
        self.tickets.append((ks, message if how == 2 else view, out))
        self.count_taken(entry)
        return real, image

    def next(self, ks, pair):
        """Take with the comfortable layer."""
        message = pair.ks.next()
        taken = self.model.take(pair.image, 0)
        pair.image.view = pair.seen = None
        if isinstance(taken, int) or message is None:
            return message, None if isinstance(taken, int) else "a message"
        entry, out = taken
        self.tickets.append((ks, message, out))
        self.count_taken(entry)
        return said(message), text(entry)

    def count_taken(self, entry):
        self.count(entry.msg.name if entry.msg.sender == 0 or entry.msg.flags & 4 else "taken")
        self.count("missed" if entry.missed else "not missed")

    def do_release(self, ks):
        pair = self.pairs[ks]
        pair.real.release()
        pair.image.view = pair.seen = None
        return 0, 0

    def do_time(self, ms):
        now = self.model.now + ms
        left = self.bus.poll((self.base + now) & SERIAL_MAX)
        self.model.poll(now)
        due = self.model.next_due()
        # It may be told early (what was due first has ended by a reply), never late.
        good = due is None or 0 < left <= due - now
        return (good, left), (True, left)

    # The end

    def drain(self):
        """Read everything there is."""
        for ks in sorted(self.pairs):
            while self.pairs[ks].image.queue:
                self.do(("take", ks, 0, 0))
            self.do(("take", ks, 0, 0))

    def close(self, case):
        """Close the bus and check that nothing is left."""
        from buses import closed_clean

        for ks in sorted(self.pairs):
            self.do(("close", ks))
        closed_clean(case, self.bus)
