# SPDX-License-Identifier: MIT
"""ALL_OR_WAIT: requests that wait, what becomes of them when nothing is as it was."""

import unittest

from buses import Clock, ThreeCase, closed_clean, data, make_bus, parked, read
from hots import held
from limpet import NoReplier, Pending, TableFull
from limpet.errors import EADDRNOTAVAIL, EAGAIN, EINVAL, ENOLCK, EPIPE
from limpet.send import ALL_OR_WAIT, STAGED

DISAPPEARED = "$.KBUS.Replier.Disappeared"
ERROR_SENDING = "$.KBUS.ErrorSending"
OVERDUE = "$.KBUS.Replier.Overdue"
UNBOUND = "$.KBUS.Replier.Unbound"
ENOMSG = 42


class Case(ThreeCase):
    """a is replier for $.A and full; c asks, with ALL_OR_WAIT; b is there."""

    SIZES = {"queue_size": 3, "slot_count": 16}

    def setUp(self):
        super().setUp()
        self.a.hot.set_limit(1)
        self.a.bind("$.A", True)
        self.b.request("$.A", b"first", deadline_ms=None)
        self.used = held(self.bus)
        self.clock = Clock(self.bus)

    def ask(self, text=b"w", **others):
        """Send a request that has to wait; return its number."""
        code = self.c.hot.request(self.name, text, -1, ALL_OR_WAIT, **others)
        self.assertEqual(code, -EAGAIN)
        self.assertEqual(held(self.bus), self.used + 2)
        return self.c.hot.last_serial

    def nothing_waits(self):
        """Check that nothing is left of a request that waited."""
        self.assertIsNone(self.c.hot.pending)
        self.assertEqual(self.c.hot.retry(), -ENOMSG)
        self.assertEqual(self.bus.answers.timed_count, 0)
        self.assertEqual(self.c.hot.reserved, 0)

    def ended(self, name, sent, sender=0):
        """Check that c has got just this status."""
        got = [(m.name, m.in_reply_to, m.sender, m.to) for m in read(self.c)]
        self.assertEqual(got, [(name, sent, (0, sender), self.c.id)])
        self.nothing_waits()


class TestRequests(Case):
    """A request that waits goes to its replier when that has room, and ends as all others."""

    def test_it_goes_through(self):
        sent = self.ask()
        self.assertEqual((self.c.hot.room(), self.c.hot.reserved), (3, 0))
        self.assertEqual(self.a.next().data, b"first")
        self.assertEqual(self.c.hot.retry(), sent)
        self.assertEqual((self.c.hot.room(), self.c.hot.reserved), (2, 1))
        request = self.a.next()
        self.assertEqual((request.data, request.id, request.wants_reply), (b"w", (0, sent), True))
        self.a.reply(request, b"r")
        self.assertEqual([(m.data, m.in_reply_to) for m in read(self.c)], [(b"r", sent)])
        self.nothing_waits()

    def test_a_listener_is_full(self):
        """The replier does not get it before all who listen have room."""
        self.b.bind("$.A")
        self.b.hot.set_limit(2)
        self.b.bind("$.Fill")
        self.c.announce("$.Fill")
        self.a.next()
        sent = self.ask()
        self.assertEqual(read(self.a), [])
        self.b.next()
        self.assertEqual(self.c.hot.retry(), sent)
        self.assertEqual((data(self.a), data(self.b)), ([b"w"], [b"w"]))

    def test_the_comfortable_way(self):
        with self.assertRaises(Pending):
            self.c.request("$.A", b"w", flags=ALL_OR_WAIT)
        self.assertFalse(self.c.wait_writable(0))
        self.a.next()
        self.assertTrue(self.c.wait_writable(0))
        self.assertEqual(data(self.a), [b"w"])

    def test_a_new_replier_gets_it(self):
        sent = self.ask()
        self.a.unbind("$.A", True)
        self.b.bind("$.A", True)
        self.assertEqual(self.c.hot.retry(), sent)
        self.assertEqual([m.id_serial for m in read(self.b)][-1:], [sent])

    def test_staged_cookie_and_link(self):
        """The cookie comes back; what came over a link waits for a local replier only."""
        hot = self.c.hot
        hot.cookie, hot.net, hot.serial, hot.sender = 55, 9, 70, 4
        code = hot.request(self.name, b"w", -1, ALL_OR_WAIT | STAGED)
        self.assertEqual((code, hot.last_serial), (-EAGAIN, 70))
        self.a.unbind("$.A", True)
        self.bus.bind(self.b.hot, "$.A", True, True)
        read(self.b)
        hot.unstage()
        self.assertTrue(hot.poll_pending())
        got = read(self.c)
        self.assertEqual([(m.name, m.in_reply_to) for m in got], [(DISAPPEARED, 70)])

    def test_a_link_was_there_before(self):
        """The same when the link has been a replier all the time."""
        hot = self.c.hot
        self.bus.bind(self.b.hot, "$.A", True, True)
        hot.net, hot.serial, hot.sender = 9, 70, 4
        code = hot.request(self.name, b"w", -1, ALL_OR_WAIT | STAGED)
        self.assertEqual(code, -EAGAIN)
        hot.unstage()
        self.assertFalse(hot.poll_pending())
        self.a.unbind("$.A", True)
        self.assertTrue(hot.poll_pending())
        got = [(m.name, m.in_reply_to) for m in read(self.c)]
        self.assertEqual(got, [(DISAPPEARED, 70)])
        self.assertEqual(self.bus.find_replier("$.A"), self.b.id)
        self.assertEqual([m.name for m in read(self.b)], [UNBOUND])

    def test_dropping_may_make_the_room(self):
        """Slots for the request are taken from copies in the replier's queue: there is room."""
        bus = make_bus(slot_count=3)
        a, b = bus.ksock(2), bus.ksock()
        a.bind("$.A", True)
        a.bind("$.B")
        for _ in range(2):
            b.announce("$.B")
        self.assertTrue(b.hot.request(bus.name("$.A"), b"w", -1, ALL_OR_WAIT) > 0)
        self.assertEqual([(m.missed, m.name) for m in read(a)], [(1, "$.B"), (0, "$.A")])
        closed_clean(self, bus)

    def test_one_place_for_the_answer(self):
        """Is enough at retry; an announcement needs none."""
        self.ask()
        self.c.bind("$.Fill")
        for _ in range(2):
            self.b.announce("$.Fill")
        self.assertEqual(self.c.hot.room(), 1)
        self.a.next()
        self.assertTrue(self.c.hot.retry() > 0)
        self.assertEqual(self.c.hot.room(), 0)
        self.a.bind("$.B")
        self.assertEqual(self.c.hot.announce(self.bus.name("$.B"), b"w", -1, ALL_OR_WAIT), -EAGAIN)
        self.assertEqual(self.c.hot.retry(), -EAGAIN)
        self.a.next()
        self.assertTrue(self.c.hot.retry() > 0)

    def test_its_name_stays_known(self):
        """Whatever a full table has to forget: its routes have to be right when it goes."""
        bus = make_bus(name_count=1, queue_size=1)
        a, b, c = [bus.ksock() for _ in range(3)]
        a.bind("$.A")
        b.announce("$.A")
        self.assertRaises(Pending, b.announce, "$.A", b"w", ALL_OR_WAIT)
        self.assertRaises(TableFull, c.announce, "$.B")
        c.bind("$.A")
        a.next()
        self.assertTrue(b.wait_writable(0))
        self.assertEqual((data(a), data(c)), ([b"w"], [b"w"]))
        c.announce("$.B")
        closed_clean(self, bus)

    def test_discard(self):
        self.ask(deadline_ms=50)
        self.c.hot.discard()
        self.assertEqual(held(self.bus), self.used)
        self.nothing_waits()
        self.a.next()
        self.clock.go(100)
        self.assertEqual((read(self.a), read(self.c)), ([], []))

    def test_closing(self):
        """The request goes with its Ksock, silently."""
        self.ask(deadline_ms=50)
        self.c.close()
        self.assertEqual(len(parked(self.bus)), 1)
        self.a.next()
        self.clock.go(100)
        self.assertEqual(read(self.a), [])

    def test_the_replier_closes(self):
        """All who asked are told; who waits, when it tries again."""
        sent = self.ask()
        self.a.close()
        self.assertEqual([m.name for m in read(self.b)], ["$.KBUS.Replier.GoneAway"])
        self.assertEqual(read(self.c), [])
        self.assertTrue(self.c.hot.poll_pending())
        self.ended(DISAPPEARED, sent)


class TestImpossible(Case):
    """One that has become impossible: retry() returns why, poll_pending() makes it a status."""

    def test_no_replier(self):
        sent = self.ask()
        self.a.unbind("$.A", True)
        self.assertTrue(self.c.hot.poll_pending())
        self.ended(DISAPPEARED, sent)
        self.b.bind("$.A", True)
        self.assertTrue(self.c.hot.request(self.name, b"") > 0)

    def test_no_replier_at_retry(self):
        sent = self.ask()
        self.a.unbind("$.A", True)
        self.assertEqual(self.c.hot.retry(), -EADDRNOTAVAIL)
        self.assertEqual((self.c.hot.last_serial, read(self.c)), (sent, []))
        self.nothing_waits()
        self.assertEqual(held(self.bus), 1)  # b's status
        self.assertRaises(NoReplier, self.c.request, "$.A")

    def test_another_replier_than_the_one_meant(self):
        sent = self.ask(to=self.a.id)
        self.b.bind("$.B", True)
        self.a.unbind("$.A", True)
        self.b.bind("$.A", True)
        self.assertTrue(self.c.hot.poll_pending())
        self.ended(ERROR_SENDING, sent)

    def test_another_replier_at_retry(self):
        self.ask(to=self.a.id)
        self.a.unbind("$.A", True)
        self.b.bind("$.A", True)
        self.assertEqual(self.c.hot.retry(), -EPIPE)
        self.nothing_waits()
        self.assertEqual(read(self.c), [])
        self.assertEqual(self.c.usage().refused, {"EAGAIN": 1, "EPIPE": 1})

    def test_no_place_for_the_answer(self):
        """retry() looks again and gives up with ENOLCK; poll_pending() does not look."""
        self.c.bind("$.Fill")
        for polls in (False, True):
            sent = self.ask()
            for _ in range(3):
                self.b.announce("$.Fill")
            self.a.next()
            self.used = held(self.bus) - 2
            if polls:
                self.assertTrue(self.c.hot.poll_pending())
                self.assertEqual((self.c.hot.room(), self.c.hot.reserved), (-1, 1))
                self.a.reply(self.a.next(), b"r")
                got = read(self.c)
                self.assertEqual((len(got), got[-1].in_reply_to), (4, sent))
            else:
                self.assertEqual(self.c.hot.retry(), -ENOLCK)
                self.nothing_waits()
                self.assertEqual([m.name for m in read(self.c)], ["$.Fill"] * 3)
                self.b.request("$.A")
                self.used = held(self.bus)

    def test_an_announcement_is_never_impossible(self):
        """Without listeners it has reached all of them."""
        self.b.bind("$.B")
        self.b.hot.set_limit(1)
        self.c.announce("$.B")
        code = self.c.hot.announce(self.bus.name("$.B"), b"w", -1, ALL_OR_WAIT)
        self.assertEqual(code, -EAGAIN)
        number = self.c.hot.last_serial
        self.b.unbind("$.B")
        self.assertEqual(self.c.hot.retry(), number)
        self.assertEqual(read(self.b), [])


class TestDeadlines(Case):
    """A request that waits is over when its deadline passes, and the Ksock may send again."""

    def test_it_passes(self):
        sent = self.ask(deadline_ms=30)
        self.assertEqual(self.clock.go(29), 1)
        self.assertIsNotNone(self.c.hot.pending)
        self.assertEqual(read(self.c), [])
        self.clock.go(1)
        self.ended(OVERDUE, sent)
        self.assertEqual(held(self.bus), self.used)
        self.a.next()
        self.assertTrue(self.c.hot.request(self.name, b"next") > 0)
        self.assertEqual(data(self.a), [b"next"])

    def test_it_is_sent_before(self):
        """Then the deadline goes on."""
        sent = self.ask(deadline_ms=30)
        self.clock.go(20)
        self.a.next()
        self.assertEqual(self.c.hot.retry(), sent)
        self.clock.go(9)
        self.assertEqual(read(self.c), [])
        self.clock.go(1)
        self.ended(OVERDUE, sent, self.a.id)
        self.assertEqual(read(self.a), [])

    def test_others_wait_as_well(self):
        """Each ends by itself."""
        sent = self.ask(deadline_ms=30)
        other = self.bus.ksock()
        code = other.hot.request(self.name, b"o", -1, ALL_OR_WAIT, 10)
        self.assertEqual(code, -EAGAIN)
        self.clock.go(10)
        self.assertEqual([m.name for m in read(other)], [OVERDUE])
        self.assertIsNone(other.hot.pending)
        self.assertIsNotNone(self.c.hot.pending)
        self.clock.go(20)
        self.ended(OVERDUE, sent)

    def test_a_wrong_one(self):
        code = self.c.hot.request(self.name, b"", -1, ALL_OR_WAIT, -1)
        self.assertEqual(code, -EINVAL)
        self.nothing_waits()


if __name__ == "__main__":
    unittest.main()
