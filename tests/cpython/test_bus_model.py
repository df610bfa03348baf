# SPDX-License-Identifier: MIT
"""A bus and a model of it live through the same random lives, and never differ.

Rules: a seed decides everything. After each step the results, every queue with its gaps, the room
in it, the free slots and the requests that are out are compared. A failure prints the seed and
what led to it. The order in which requests with one time of expiry end is not promised, so the
model follows the library there, and checks that the same ones end.
"""

from __future__ import annotations

import random
import unittest
from collections import Counter
from typing import Any

from bus_model import SERIAL_MAX, Ks, Model, Msg, Out
from buses import closed_clean, make_bus
from limpet import BusError, MessageView
from limpet.message import ANNOUNCEMENT, REPLY, REQUEST, STATUS

KINDS = {ANNOUNCEMENT: "announcement", REQUEST: "request", REPLY: "reply", STATUS: "status"}
NAMES = ("$.A", "$.B", "$.A.B", "$.A.C", "$.A.B.C")
PATTERNS = (*NAMES, "$.*", "$.%", "$.A.*", "$.A.%", "$.A.B.%")
# Without these the lives would have been dull.
OUTCOMES = (
    *("announce 0", "announce -9", "announce -90", "announce -105"),
    *("request 0", "request -90", "request -37", "request -99", "request -32", "request -16"),
    *("reply 0", "reply -90", "reply -111", "reply -99"),
    *("bind 0", "bind -9", "bind -98", "unbind 0", "unbind -22"),
    *("announcement", "request", "reply", "missed", "dropped"),
    *(f"$.KBUS.Replier.{n}" for n in ("Unbound", "GoneAway", "Ignored", "Overdue", "Expired")),
)
LIVES = 1500
STEPS = 120


class Pair:
    """A Ksock of the bus and its image in the model, with what was read through both."""

    def __init__(self, real: Any, image: Ks) -> None:
        self.real, self.image = real, image
        self.view = MessageView()
        self.seen: Msg | None = None  # what the view shows
        self.tickets: list[tuple[Any, Out | None]] = []


class Life:
    """One bus and its model."""

    def __init__(self, case: unittest.TestCase, seed: int) -> None:
        self.case, self.chance = case, random.Random(seed)
        chance = self.chance
        slots, size = chance.choice((2, 4, 5, 8, 16, 40)), chance.choice((1, 4))
        self.bus = make_bus(slot_count=slots, slot_size=size, ksock_count=8)
        self.model = Model(slots, size)
        self.pairs: list[Pair] = []
        self.met: Counter[str] = Counter()
        self.log: list[str] = [f"slots {slots} size {size}"]
        self.model.serial = self.bus.answers._serial = chance.choice((0, SERIAL_MAX - 40))
        self.base = SERIAL_MAX - chance.randrange(300)
        self.bus.poll(self.base)
        for _ in range(3):
            self.open()

    def say(self, what: str) -> None:
        self.log.append(what)

    def same(self, real: object, image: object, what: str) -> None:
        if real != image:
            self.case.assertEqual(real, image, what)

    def result(self, real: int, image: int, what: str) -> None:
        self.same(real, image, what)
        self.met[f"{what} {min(real, 0)}"] += 1

    def code(self, call: Any, *args: object) -> int:
        try:
            call(*args)
        except BusError as e:
            assert e.errno is not None
            return -e.errno
        return 0

    # Steps

    def open(self) -> None:
        if len(self.pairs) < 7:
            limit = self.chance.choice((1, 2, 3, 5, 16))
            pair = Pair(self.bus.ksock(limit), self.model.open(limit))
            if self.chance.random() < 0.2:
                pair.real.hot.queue.once = pair.image.once = True
            self.same(pair.real.id, pair.image.id, "id")
            self.pairs.append(pair)
            self.say(f"{pair.image.id} opens, limit {limit}, once {pair.image.once}")

    def some(self) -> Pair:
        if not self.pairs:
            self.open()
        return self.chance.choice(self.pairs)

    def close(self) -> None:
        pair = self.some()
        self.say(f"{pair.image.id} closes")
        pair.real.close()
        self.model.close(pair.image)
        self.pairs.remove(pair)
        # What is closed answers as such.
        real = pair.real.hot.announce(self.bus.name("$.A"), b"")
        self.result(real, self.model.announce(pair.image, "$.A", b""), "announce")
        real = self.code(pair.real.bind, "$.A")
        self.result(real, self.model.bind(pair.image, "$.A", False), "bind")

    def bind(self) -> None:
        pair, pattern = self.some(), self.chance.choice(PATTERNS)
        replier = self.chance.random() < 0.5
        self.say(f"{pair.image.id} binds {pattern} {replier}")
        real = self.code(pair.real.bind, pattern, replier)
        self.result(real, self.model.bind(pair.image, pattern, replier), "bind")

    def unbind(self) -> None:
        pair = self.some()
        mine = [b for b in self.model.bindings if b.ks is pair.image]
        if mine and self.chance.random() < 0.8:
            b = self.chance.choice(mine)
            pattern, replier = b.pattern, b.replier
        else:
            pattern, replier = self.chance.choice(PATTERNS), self.chance.random() < 0.5
        self.say(f"{pair.image.id} unbinds {pattern} {replier}")
        real = self.code(pair.real.unbind, pattern, replier)
        self.result(real, self.model.unbind(pair.image, pattern, replier), "unbind")

    def data(self) -> bytes:
        size = self.chance.choice((0, 1, 1, self.model.slot_size, self.model.slot_size + 1))
        return bytes(self.chance.randrange(256) for _ in range(size))

    def announce(self) -> None:
        pair, name, data = self.some(), self.chance.choice(NAMES), self.data()
        self.say(f"{pair.image.id} announces {name}")
        real = pair.real.hot.announce(self.bus.name(name), data)
        self.result(real, self.model.announce(pair.image, name, data), "announce")

    def request(self) -> None:
        pair, name, data = self.some(), self.chance.choice(NAMES), self.data()
        deadline = self.chance.choice((None, None, 0, 1, 5, 20, 100))
        to = self.chance.choice((0, 0, 0, self.some().image.id))
        self.say(f"{pair.image.id} requests {name} deadline {deadline} to {to}")
        real = pair.real.hot.request(self.bus.name(name), data, -1, 0, deadline, to)
        self.result(real, self.model.request(pair.image, name, data, deadline, to), "request")

    def take(self) -> None:
        pair = self.some()
        self.say(f"{pair.image.id} takes")
        by_message = self.chance.random() < 0.5
        message = pair.real.next() if by_message else None
        size = -11 if by_message and message is None else 0
        if not by_message:
            size = pair.real.hot.take(pair.view)
        taken = self.model.take(pair.image)
        if by_message:
            self.model.release(pair.image)
            pair.seen = None
        self.same(size < 0, taken is None, "is there something?")
        if taken is None:
            pair.seen = None
            return
        entry, out = taken
        if message is not None:
            self.same(message.kind, entry.msg.kind, "kind")
            self.met[message.name if message.kind == "status" else message.kind] += 1
            self.met["missed"] += message.missed > 0
            self.same(message.data, entry.msg.data, "data")
            own = entry.msg.in_reply_to if entry.role == "answer" else 0
            self.same(message.in_reply_to, own, "in_reply_to")
            self.same(message.sender, (0, entry.msg.sender), "sender")
            self.same((message.missed, message.name), (entry.missed, entry.msg.name), "message")
            pair.tickets.append((message, out))
        else:
            self.same(pair.view.missed, entry.missed, "missed")
            self.same(pair.view.wants_reply, out is not None, "wants_reply")
            pair.seen = entry.msg
            pair.tickets = [t for t in pair.tickets if t[0] is not pair.view]
            pair.tickets.append((pair.view, out))
        del pair.tickets[:-6]

    def release(self) -> None:
        pair = self.some()
        self.say(f"{pair.image.id} releases")
        pair.real.hot.release()
        self.model.release(pair.image)
        pair.seen = None

    def reply(self) -> None:
        owner = self.some()
        if not owner.tickets:
            return
        ticket, out = self.chance.choice(owner.tickets)
        pair = owner if self.chance.random() < 0.9 else self.some()
        data = self.data()
        self.say(f"{pair.image.id} replies to {out and out.msg.serial}")
        real = pair.real.hot.reply(ticket, data)
        self.result(real, self.model.reply(pair.image, out, data), "reply")

    def time(self) -> None:
        ms = self.chance.choice((0, 1, 3, 10, 50, 200))
        self.say(f"{ms} ms pass")
        now = self.model.now + ms
        left = self.bus.poll((self.base + now) & SERIAL_MAX)
        due = self.model.poll(now)
        # Follow the library's order: by the numbers of the statuses it has made.
        by_serial = {o.msg.serial: o for o in due}
        order: dict[int, int] = {}  # number of a request: that of its status, the newest answer
        for pair in self.pairs:
            queue = pair.real.hot.queue
            for i in range(queue.count):
                slot = queue.slot_at(i)
                ended = by_serial.get(slot.reply_serial)
                if queue.binding_at(i) is None and ended and ended.asker is pair.image:
                    order[slot.reply_serial] = slot.serial
        last = self.model.serial
        told = sorted(order, key=lambda number: (order[number] - last) % SERIAL_MAX)
        for out in [o for o in due if o.asker is None] + [by_serial[n] for n in told]:
            self.model.expire(out)
        self.same([o for o in due if o in self.model.out], [], "all that is due has ended")
        first = min((o.due for o in self.model.out if o.due is not None), default=None)
        # It may be told early (what was due first has ended by a reply), never late.
        if first is not None:
            self.case.assertTrue(0 < left <= first - now, f"next in {left}, due {first - now}")

    def wrap(self) -> None:
        """Let the numbers wrap soon, often with requests out that have small ones."""
        self.say("the numbers are near their end")
        self.model.serial = self.bus.answers._serial = SERIAL_MAX - 2
        self.bus.answers._serial_stop = 0  # it counts on never going back but at the wrap

    # What has to be the same after each step

    def compare(self) -> None:
        bus, model = self.bus, self.model
        self.same(bus.answers.count, len(model.out), "requests out")
        self.same(bus.pool.free_count, model.slot_count - model.used(), "free slots")
        self.same(bus.answers._serial, model.serial, "last number")
        model.age = [m for m in model.age if self.in_use(m)]
        for pair in self.pairs:
            self.compare_queue(pair)

    def in_use(self, msg: Msg) -> bool:
        return any(msg is ks.view or any(e.msg is msg for e in ks.queue) for ks in self.model.kss)

    def compare_queue(self, pair: Pair) -> None:
        queue, image = pair.real.hot.queue, pair.image
        self.same(queue.room(), self.model.room(image), f"room of {image.id}")
        self.same(queue.missed_next, image.missed, f"missed by {image.id}")
        real = []
        for i in range(queue.count):
            slot, binding = queue.slot_at(i), queue.binding_at(i)
            role = "answer" if binding is None else "request" if binding.replier else "copy"
            missed = queue._missed[(queue._head + i) & queue._mask]
            real.append(self.line(slot, role) + (missed,))
        expected = []
        for e in image.queue:
            m = e.msg
            line = (m.kind, m.name, m.serial, m.sender, m.in_reply_to, m.data, e.role)
            expected.append(line + (e.missed,))
        self.same(real, expected, f"queue of {image.id}")
        if pair.seen is not None:
            view = pair.view
            shown = bytes(view[i] for i in range(view.size))
            self.same((view.name, shown), (pair.seen.name, pair.seen.data), "what is viewed")
            self.same(view.id_serial, pair.seen.serial, "what is viewed")

    def line(self, slot: Any, role: str) -> tuple[object, ...]:
        answers = slot.reply_serial if slot.kind >= REPLY else 0
        data = bytes(slot.data[: slot.size])
        kind = KINDS[slot.kind]
        return (kind, slot.name.text, slot.serial, slot.sender, answers, data, role)

    def live(self, steps: int) -> None:
        chance = self.chance
        acts = [self.bind] * 3 + [self.unbind, self.announce, self.request, self.time]
        acts += [self.announce, self.request, self.take, self.reply] * chance.randrange(1, 4)
        acts += [self.take, self.reply] * chance.randrange(4)
        acts += [self.release, self.open, self.close] * (chance.random() < 0.5)
        acts += [self.wrap] * (chance.random() < 0.3)
        for _ in range(steps):
            chance.choice(acts)()
            self.compare()


class TestModel(unittest.TestCase):
    def test_lives(self) -> None:
        """Whatever is done in whatever order, the bus does what the model does."""
        met: Counter[str] = Counter()
        for seed in range(LIVES):
            life = Life(self, seed)
            try:
                life.live(STEPS)
                life.met["dropped"] = life.bus.pool.dropped
                closed_clean(self, life.bus)
                met += life.met
            except BaseException:
                print(f"seed {seed}, step {len(life.log)}:", *life.log[-40:], sep="\n  ")
                raise
        for what in OUTCOMES:
            self.assertGreater(met[what], 9, what)


if __name__ == "__main__":
    unittest.main()
