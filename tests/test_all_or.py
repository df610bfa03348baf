# SPDX-License-Identifier: MIT
"""ALL_OR_FAIL and ALL_OR_WAIT: nothing is partly delivered; what waits goes through, whole."""

import unittest

from buses import ThreeCase, closed_clean, data, gaps, hot_take, make_bus, parked, read
from hots import held, shown, taken, texts
from limpet import Closed, Pending, QueueFull, StillPending
from limpet.errors import (
    EAGAIN,
    EALREADY,
    EBADF,
    EBUSY,
    ECONNREFUSED,
    EINVAL,
    EMSGSIZE,
    ENOBUFS,
)
from limpet.send import ALL_OR_FAIL, ALL_OR_WAIT, STAGED, URGENT

ENOMSG = 42


class Case(ThreeCase):
    """a and b listen to $.A with two places each, c sends."""

    SIZES = {"queue_size": 2, "slot_count": 16}

    def setUp(self):
        super().setUp()
        for ks in (self.a, self.b):
            ks.bind("$.A")
        self.to_a = self.bus.name("$.ToA")
        self.a.bind("$.ToA")
        self.sender = self.bus.ksock()

    def fill(self, ks=None, count=2):
        """Fill the queue of a."""
        for _ in range(count):
            self.assertTrue(self.sender.hot.announce(self.to_a, b"fill") > 0)

    def send(self, text, flags):
        return self.c.hot.announce(self.name, text, -1, flags)

    def ask(self, text, flags, **others):
        return self.c.hot.request(self.name, text, -1, flags, **others)


class TestFail(Case):
    """With ALL_OR_FAIL all who are to have it get it, or nobody does and EBUSY tells so."""

    def test_all_have_room(self):
        """To the last place, by a log or not."""
        for i in range(2):
            self.assertTrue(self.send(b"%d" % i, ALL_OR_FAIL) > 0)
        self.assertEqual(self.send(b"2", ALL_OR_FAIL), -EBUSY)
        self.assertEqual((taken(self.a), gaps(self.b)), ([(0, b"0"), (0, b"1")],) * 2)
        self.assertTrue(self.send(b"3", ALL_OR_FAIL) > 0)
        self.assertEqual((taken(self.a), gaps(self.b)), ([(0, b"3")],) * 2)

    def test_one_is_full(self):
        """Whoever it is; nothing happens but that a number is used up."""
        self.b.bind("$.ToB")
        for full, name in ((self.a, "$.ToA"), (self.b, "$.ToB")):
            for _ in range(2):
                self.sender.announce(name)
            before = self.sender.announce("$.Nobody")
            used = held(self.bus)
            for flags in (ALL_OR_FAIL, ALL_OR_FAIL | URGENT):
                self.assertEqual(self.send(b"x", flags), -EBUSY)
            self.assertEqual(self.c.hot.last_serial, before + 2)
            self.assertEqual(held(self.bus), used)
            self.assertEqual(self.a.hot.missed_total + self.b.hot.missed_total, 0)
            self.assertEqual([m.name for m in read(full)], [name] * 2)
            self.assertEqual((read(self.a), read(self.b)), ([], []))
            self.assertIsNone(self.c.hot.pending)

    def test_the_exception(self):
        self.fill()
        with self.assertRaises(QueueFull) as caught:
            self.c.announce("$.A", b"x", ALL_OR_FAIL)
        self.assertEqual(caught.exception.errno, EBUSY)
        self.assertEqual(self.c.usage().refused, {"EBUSY": 1})
        self.assertEqual(data(self.b), [])

    def test_without_it_only_the_full_one_misses(self):
        self.fill()
        self.assertTrue(self.send(b"x", 0) > 0)
        self.assertEqual((data(self.b), self.a.hot.missed_total), ([b"x"], 1))

    def test_nobody_listens(self):
        """Then all get it."""
        for flags in (ALL_OR_FAIL, ALL_OR_WAIT):
            self.assertTrue(self.c.hot.announce(self.bus.name("$.No"), b"", -1, flags) > 0)

    def test_both_at_once(self):
        """EINVAL, and no number."""
        before = self.sender.announce("$.Nobody")
        both = ALL_OR_FAIL | ALL_OR_WAIT
        self.assertEqual((self.send(b"", both), self.ask(b"", both)), (-EINVAL, -EINVAL))
        self.assertEqual(self.sender.announce("$.Nobody"), before + 1)

    def test_links_do_not_count(self):
        """What a link loses, it tells; nobody fails or waits for it."""
        self.bus.bind(self.sender.hot, "$.A", False, True)
        self.sender.hot.set_limit(1)
        for flags in (ALL_OR_FAIL, ALL_OR_WAIT):
            self.assertTrue(self.send(b"x", flags) > 0)
        self.assertEqual(gaps(self.sender), [(0, b"x")])
        self.assertEqual((len(read(self.a)), len(read(self.b))), (2, 2))

    def test_room_is_looked_at_once(self):
        """Several copies of one message may exceed the limit."""
        for _ in range(2):
            self.a.bind("$.A")
        self.fill(count=1)
        self.assertTrue(self.send(b"x", ALL_OR_FAIL) > 0)
        self.assertEqual(data(self.a), [b"fill", b"x", b"x", b"x"])

    def test_a_reply_ignores_it(self):
        """Its place was reserved; listeners without room miss their copy."""
        for flags in (ALL_OR_FAIL, ALL_OR_WAIT):
            self.sender.bind("$.R", True)
            self.a.bind("$.R")
            self.c.request("$.R")
            request = self.sender.next()
            read(self.a)
            self.fill()
            self.assertTrue(self.sender.hot.reply(request, b"r", -1, flags) > 0)
            self.assertEqual((data(self.c), data(self.a)), ([b"r"], [b"fill"] * 2))
            self.sender.unbind("$.R", True)
            self.a.unbind("$.R")

    def test_no_slot(self):
        """ENOBUFS comes first; nobody's message is dropped for one that is refused."""
        bus = make_bus(slot_count=2, queue_size=1)
        a, b = bus.ksock(), bus.ksock()
        a.bind("$.A")
        b.announce("$.A", b"old")
        self.assertEqual(b.hot.announce(bus.name("$.A"), b"x", -1, ALL_OR_FAIL), -EBUSY)
        self.assertEqual((bus.pool.dropped, data(a)), (0, [b"old"]))
        b.bind("$.B", True)
        b.request("$.B")
        self.assertEqual(b.hot.announce(bus.name("$.A"), b"x", -1, ALL_OR_FAIL), -ENOBUFS)
        self.assertEqual(b.hot.announce(bus.name("$.A"), b"x", -1, ALL_OR_WAIT), -ENOBUFS)
        self.assertIsNone(b.hot.pending)
        closed_clean(self, bus)

    def test_its_copies_may_be_dropped_later(self):
        """Slots that run out take them, too; they count as missed."""
        bus = make_bus(slot_count=2)
        a, b = bus.ksock(), bus.ksock()
        a.bind("$.A")
        for i in range(3):
            b.announce("$.A", b"%d" % i, ALL_OR_FAIL)
        self.assertEqual(taken(a), [(1, b"1"), (0, b"2")])
        closed_clean(self, bus)


class TestFailingRequests(Case):
    """A request with ALL_OR_FAIL needs room at its replier and at all who listen."""

    def setUp(self):
        super().setUp()
        self.sender.bind("$.A", True)

    def test_all_have_room(self):
        sent = self.ask(b"q", ALL_OR_FAIL)
        self.assertTrue(sent > 0)
        self.assertEqual((data(self.a), data(self.b)), ([b"q"], [b"q"]))
        self.sender.reply(self.sender.next(), b"r")
        self.assertEqual([m.in_reply_to for m in read(self.c)], [sent])

    def test_a_listener_is_full(self):
        self.fill()
        used = held(self.bus)
        before = self.sender.announce("$.Nobody")
        self.assertEqual(self.ask(b"q", ALL_OR_FAIL), -EBUSY)
        self.assertEqual(self.c.hot.last_serial, before + 1)
        self.assertEqual((held(self.bus), parked(self.bus)), (used, []))
        self.assertEqual((self.c.hot.reserved, self.c.hot.room()), (0, 2))
        self.assertEqual((read(self.sender), read(self.b), data(self.a)), ([], [], [b"fill"] * 2))

    def test_the_replier_is_full(self):
        """EBUSY with the flag and without it."""
        self.sender.hot.set_limit(1)
        self.ask(b"1", 0)
        for flags in (0, ALL_OR_FAIL):
            self.assertEqual(self.ask(b"2", flags), -EBUSY)
        self.assertEqual((data(self.a), data(self.b)), ([b"1"], [b"1"]))

    def test_without_it_a_full_listener_misses_it(self):
        self.fill()
        self.assertTrue(self.ask(b"q", 0) > 0)
        self.assertEqual((data(self.sender), data(self.b)), ([b"q"], [b"q"]))
        self.assertEqual(self.a.hot.missed_total, 1)


class TestWait(Case):
    """With ALL_OR_WAIT a message waits, whole and under its number, until all have room."""

    def test_until_there_is_room(self):
        """Nobody has any of it before, everybody has it then."""
        self.fill()
        before = self.sender.announce("$.Nobody")
        self.assertEqual(self.send(b"w", ALL_OR_WAIT), -EAGAIN)
        self.assertEqual((self.c.hot.last_net, self.c.hot.last_serial), (0, before + 1))
        for _ in range(3):
            self.assertEqual(self.c.hot.retry(), -EAGAIN)
            self.assertFalse(self.c.hot.poll_pending())
        self.assertEqual(data(self.b), [])
        self.sender.announce("$.A", b"later")  # b hears it before what waits
        hot_take(self.a)
        self.assertEqual(self.c.hot.retry(), before + 1)
        self.assertIsNone(self.c.hot.pending)
        self.assertEqual(self.c.hot.retry(), -ENOMSG)
        got = [(m.data, m.id_serial) for m in read(self.b)]
        self.assertEqual(got, [(b"later", before + 2), (b"w", before + 1)])
        self.assertEqual(data(self.a), [b"fill", b"w"])

    def test_polling(self):
        """poll_pending() sends it as well, and says whether the next send is possible."""
        self.assertTrue(self.c.hot.poll_pending())
        self.fill()
        self.send(b"w", ALL_OR_WAIT)
        hot_take(self.a)
        self.assertTrue(self.c.hot.poll_pending())
        self.assertTrue(self.c.hot.poll_pending())
        self.assertEqual((data(self.a), data(self.b)), ([b"fill", b"w"], [b"w"]))
        self.c.close()
        self.assertFalse(self.c.hot.poll_pending())
        self.assertEqual(self.c.hot.retry(), -EBADF)

    def test_two_are_full(self):
        """It waits for both."""
        self.fill()
        for _ in range(2):
            self.sender.announce("$.A")
        self.assertEqual(self.send(b"w", ALL_OR_WAIT), -EAGAIN)
        hot_take(self.b)
        self.assertEqual(self.c.hot.retry(), -EAGAIN)
        hot_take(self.a)
        self.assertTrue(self.c.hot.retry() > 0)
        self.assertEqual((texts(self.a)[-1], texts(self.b)[-1]), (b"w", b"w"))

    def test_urgent(self):
        """It waits as all others, and goes in front then."""
        self.fill()
        self.assertEqual(self.send(b"w", ALL_OR_WAIT | URGENT), -EAGAIN)
        hot_take(self.a)
        self.assertTrue(self.c.hot.retry() > 0)
        self.assertEqual(texts(self.a), [b"w", b"fill"])

    def test_staged_fields_are_kept(self):
        """Also when something else is staged meanwhile."""
        hot = self.c.hot
        hot.net, hot.serial, hot.user, hot.carry, hot.offset = 9, 77, 5, "x", 1
        self.fill()
        self.assertEqual(self.send(b"-w", ALL_OR_WAIT | STAGED), -EAGAIN)
        self.assertEqual((hot.last_net, hot.last_serial), (9, 77))
        hot.unstage()
        hot_take(self.a)
        self.assertEqual(hot.retry(), 77)
        view = hot_take(self.b)
        self.assertEqual((view.id_net, view.id_serial, view.user, view.carry), (9, 77, 5, "x"))
        self.assertEqual(shown(view), b"w")

    def test_no_room_needed_is_no_waiting(self):
        """With room for all it is as without the flag."""
        self.assertTrue(self.send(b"x", ALL_OR_WAIT) > 0)
        self.assertEqual((data(self.a), data(self.b)), ([b"x"], [b"x"]))
        self.assertIsNone(self.c.hot.pending)

    def test_dropping_may_make_the_room(self):
        """A slot is taken from the full listener: then there is room for all."""
        bus = make_bus(slot_count=2, queue_size=2)
        a, b = bus.ksock(), bus.ksock()
        a.bind("$.A")
        for i in range(2):
            b.announce("$.A", b"%d" % i)
        self.assertTrue(b.hot.announce(bus.name("$.A"), b"w", -1, ALL_OR_WAIT) > 0)
        self.assertEqual(gaps(a), [(1, b"1"), (0, b"w")])
        closed_clean(self, bus)


class TestPending(Case):
    """While a message waits no other send is possible, and none harms it."""

    def setUp(self):
        super().setUp()
        self.sender.bind("$.R", True)
        self.c.bind("$.S", True)
        self.sender.request("$.S")
        self.owed = self.c.next()
        self.fill()
        self.assertEqual(self.send(b"w", ALL_OR_WAIT), -EAGAIN)

    def through(self):
        read(self.a)
        self.assertTrue(self.c.hot.retry() > 0)
        self.assertEqual((data(self.a), data(self.b)), ([b"w"], [b"w"]))

    def test_ealready(self):
        """Whatever it is; no number is used, and a reply may be given afterwards."""
        hot = self.c.hot
        before = self.sender.announce("$.Nobody")
        nobody = self.bus.name("$.Nobody")
        for flags in (0, URGENT, ALL_OR_WAIT, ALL_OR_FAIL, STAGED):
            for size in (-1, 0):
                self.assertEqual(hot.announce(self.name, b"x", size, flags), -EALREADY)
                self.assertEqual(hot.announce(nobody, b"x", size, flags), -EALREADY)
                self.assertEqual(hot.request(self.bus.name("$.R"), b"", size, flags), -EALREADY)
        self.assertEqual(hot.announce(self.name, bytes(999)), -EALREADY)
        self.assertEqual(hot.reply(self.owed, b"r"), -EALREADY)
        self.assertEqual(hot.reply(self.owed, b"r", 1), -EALREADY)
        self.assertEqual(self.sender.announce("$.Nobody"), before + 1)
        self.through()
        self.assertTrue(hot.reply(self.owed, b"r") > 0)
        self.assertEqual(hot.reply(self.owed, b"r"), -ECONNREFUSED)
        self.assertEqual(hot.announce(self.name, bytes(999)), -EMSGSIZE)

    def test_exceptions(self):
        """Pending for the send that waits, StillPending for those after it."""
        full, other = self.bus.ksock(1), self.bus.ksock()
        full.bind("$.R2", True)
        self.sender.request("$.R2")
        for call, name in ((other.announce, "$.A"), (other.request, "$.R2")):
            with self.assertRaises(Pending) as caught:
                call(name, b"x", flags=ALL_OR_WAIT)
            self.assertEqual(caught.exception.errno, EAGAIN)
            other.hot.discard()
        with self.assertRaises(StillPending) as caught:
            self.c.announce("$.Nobody")
        self.assertEqual(caught.exception.errno, EALREADY)
        self.assertRaises(StillPending, self.c.request, "$.R")
        self.assertRaises(StillPending, self.c.call, "$.R")
        self.assertRaises(StillPending, self.c.reply, self.owed, b"")
        self.through()

    def test_reading_goes_on(self):
        """One whose send waits reads and binds as always."""
        self.c.bind("$.A")
        self.sender.announce("$.A", b"1")
        self.assertEqual(data(self.c), [b"1"])
        self.assertIsNotNone(self.c.hot.pending)
        read(self.a)
        read(self.b)
        self.assertTrue(self.c.hot.retry() > 0)
        self.assertEqual(data(self.c), [b"w"])  # who listens now gets it

    def test_discard(self):
        """It is gone, its slot is back; the next send is possible."""
        used = held(self.bus)
        self.c.hot.discard()
        self.assertEqual(held(self.bus), used - 1)
        self.assertIsNone(self.c.hot.pending)
        self.c.hot.discard()  # nothing more
        self.assertEqual(held(self.bus), used - 1)
        self.assertEqual(self.c.hot.retry(), -ENOMSG)
        self.c.announce("$.A", b"next")
        read(self.a)
        self.assertEqual(data(self.b), [b"next"])

    def test_closing(self):
        """It goes with its Ksock, silently."""
        self.c.close()
        read(self.a)
        self.bus.poll(1)
        self.assertEqual((read(self.a), read(self.b)), ([], []))

    def test_nothing_is_dropped_for_one_that_waits(self):
        """It is never dropped itself, either."""
        for _ in range(60):
            self.b.bind("$.B")
            self.sender.announce("$.B")
            self.b.unbind("$.B")
        self.through()

    def test_waiting_for_room(self):
        """wait_writable() says when it is through, or that it is not."""
        self.assertFalse(self.c.wait_writable(0))
        self.assertFalse(self.c.wait_writable(3))
        read(self.a)
        self.assertTrue(self.c.wait_writable(0))
        self.assertTrue(self.c.wait_writable())
        self.assertEqual(data(self.b), [b"w"])
        self.c.close()
        self.assertFalse(self.c.wait_writable())
        self.assertRaises(Closed, self.c.announce, "$.A")


if __name__ == "__main__":
    unittest.main()
