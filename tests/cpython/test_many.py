# SPDX-License-Identifier: MIT
"""Thousands of Ksocks and bindings: nothing takes longer than it should, and nothing is left.

Rules: the figures are five times what a machine under load needs, so only what grows with the
square of something fails.
"""

import time
import unittest

from buses import closed_clean, read
from limpet import Bus, MessageView
from limpet.core import Core

KSOCKS = 3000
LISTENERS = 1000  # to one name
BINDINGS = 10000
LIMIT_S = 5
CASE = unittest.TestCase()


class Watch:
    """Tells in the end that nothing before took too long."""

    def __init__(self) -> None:
        self.start = time.monotonic()

    def check(self) -> None:
        assert time.monotonic() - self.start < LIMIT_S


def test_ksocks_with_a_name_each() -> None:
    """Open, bind, send to each, read, close."""
    watch = Watch()
    bus = Bus(ksock_count=KSOCKS, name_count=KSOCKS, binding_count=BINDINGS, slot_count=8, node=1)
    ksocks = [bus.ksock(2) for _ in range(KSOCKS)]
    watch.check()
    for i, ks in enumerate(ksocks):
        ks.bind(f"$.A{i}")
        ks.bind(f"$.R{i}", True)
        ks.bind(f"$.Group{i % 50}")
    watch.check()
    for i, ks in enumerate(ksocks):
        ksocks[i - 1].announce(f"$.A{i}", b"%d" % i)
        got = ks.next()
        assert got is not None and got.data == b"%d" % i
    for i, ks in enumerate(ksocks):
        sent = ksocks[i - 1].request(f"$.R{i}", deadline_ms=None)
        request = ks.next()
        assert request is not None
        ks.reply(request)
        reply = ksocks[i - 1].next()
        assert reply is not None and reply.in_reply_to == sent
    watch.check()
    for ks in ksocks[::2]:
        ks.close()
    watch.check()
    closed_clean(CASE, bus)
    watch.check()


def test_everybody_listens_to_everything() -> None:
    """One announcement costs one slot, and each of them hears it once, in order."""
    watch = Watch()
    bus = Bus(ksock_count=LISTENERS, slot_count=64, binding_count=BINDINGS, node=1)
    ksocks = [bus.ksock() for _ in range(LISTENERS)]
    name = bus.name("$.A")
    for ks in ksocks:
        ks.bind("$.*")
    watch.check()
    sent = [ksocks[0].hot.announce(name, b"%d" % i) for i in range(10)]
    assert bus.usage().used == 10
    for ks in ksocks:
        assert [m.id_serial for m in read(ks)] == sent
    watch.check()
    closed_clean(CASE, bus)
    watch.check()


def test_bindings_of_one_ksock() -> None:
    """Bind ten thousand names, use each, unbind half of them, close with the rest."""
    watch = Watch()
    core = Core(name_count=BINDINGS, binding_count=BINDINGS, slot_count=4)
    hot = core.open()
    assert not isinstance(hot, int)
    for i in range(BINDINGS):
        assert core.bind(hot, f"$.B{i}", i % 2 == 0) == 0
    watch.check()
    for i in range(BINDINGS):
        assert core.find_replier(f"$.B{i}") == (hot.id if i % 2 == 0 else 0)
    for i in range(0, BINDINGS, 4):
        assert core.unbind(hot, f"$.B{i}", True) == 0
        assert core.unbind(hot, f"$.B{i + 1}", False) == 0
    watch.check()
    core.shut(hot)
    assert (core.bindings.count, core.bindings.all()) == (0, [])
    watch.check()


def test_ksocks_come_and_go_beside_many() -> None:
    """Opening and closing one costs the same however many there have been."""
    watch = Watch()
    core = Core(ksock_count=KSOCKS, slot_count=8)
    stays = core.open()
    assert not isinstance(stays, int)
    assert core.bind(stays, "$.*", False) == 0
    name = core.lookup("$.A")
    assert not isinstance(name, int)
    for _ in range(5 * KSOCKS):
        hot = core.open()
        assert not isinstance(hot, int)
        assert core.bind(hot, "$.A", False) == 0
        assert stays.announce(name, b"x") > 0
        core.shut(hot)
    assert len(core.hots) == 1
    assert stays.unread() + stays.missed_total == 5 * KSOCKS
    core.shut(stays)
    assert core.pool.free_count() == 8
    watch.check()


def test_deadlines_that_pass_together() -> None:
    """In the order of the deadlines, then of the numbers, as if there were few."""
    watch = Watch()
    core = Core(slot_count=6000, queue_size=3000)
    asker, replier = core.open(), core.open()
    assert not isinstance(asker, int) and not isinstance(replier, int)
    assert core.bind(replier, "$.A", True) == 0
    name = core.lookup("$.A")
    assert not isinstance(name, int)
    core.pool.serial = (1 << 30) - 1500  # they wrap on the way
    core.poll((1 << 30) - 30)  # and so does the time
    view = MessageView()
    sent = []
    for i in range(2000):
        number = asker.request(name, b"", deadline_ms=10 + i * 7 % 50)
        assert number > 0
        sent.append((10 + i * 7 % 50, i, number))
        if i % 3 == 0:
            assert replier.take(view) == 0
    kept = asker.request(name, b"", deadline_ms=60)
    assert core.poll(29) == 1
    sent.sort()
    ended = []
    while asker.take(view) >= 0:
        ended.append(view.reply_serial)
    assert ended == [number for _, _, number in sent]
    assert (core.poll(30) > 1000, asker.take(view), view.reply_serial) == (True, 0, kept)
    for hot in (asker, replier):
        core.shut(hot)
    assert (core.pool.free_count(), core.answers.timed_count) == (6000, 0)
    watch.check()
