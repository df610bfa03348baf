# SPDX-License-Identifier: MIT
"""The comfortable calls beyond the simple ones: flags, sends that wait, what a wildcard meant."""

import unittest

from buses import Clock, ThreeCase, closed_clean, data, make_bus, read
from helpers_bus import Pair, Reader
from limpet import (
    ALL_OR_FAIL,
    ALL_OR_WAIT,
    URGENT,
    BusError,
    NotBound,
    NotThatReplier,
    Pending,
    QueueFull,
)
from limpet.errors import EINVAL


class TestWaiting(ThreeCase):
    SIZES = {"queue_size": 1}

    def setUp(self):
        ThreeCase.setUp(self)
        self.clock = Clock(self.bus)
        self.a.bind("$.A")
        self.c.announce("$.A", b"1")

    def test_whoever_pumps_tries_again(self):
        """A send that waits goes in the first turn after there is room, without another call."""
        self.assertRaises(Pending, self.c.announce, "$.A", b"2", ALL_OR_WAIT)
        self.clock.step(1)
        self.assertEqual(data(self.a), [b"1"])
        self.clock.step(1)
        self.assertEqual(data(self.a), [b"2"])
        self.clock.step(1)
        self.assertEqual(data(self.a), [])
        self.assertIsNone(self.c.hot.pending)

    def test_a_request(self):
        """A request, too; its answer comes as ever."""
        self.b.bind("$.Q", True)
        self.c.request("$.Q", b"1")
        read(self.a)
        self.assertRaises(Pending, self.a.request, "$.Q", b"2", None, 0, ALL_OR_WAIT)
        self.b.reply(self.b.next())
        self.clock.step(1)
        self.b.reply(self.b.next(), b"yes")
        self.assertEqual(data(self.a), [b"yes"])

    def test_the_hot_layers_own(self):
        """What the hot layer has sent waits for the hot layer."""
        self.assertTrue(self.c.hot.announce(self.name, b"2", -1, ALL_OR_WAIT) < 0)
        read(self.a)
        self.clock.step(1)
        self.assertEqual(data(self.a), [])
        self.c.hot.discard()


class TestFlags(ThreeCase):
    SIZES = {"queue_size": 2}

    def test_urgent(self):
        self.a.bind("$.A")
        self.c.announce("$.A", b"1")
        self.c.announce("$.A", b"2", URGENT)
        self.assertEqual(data(self.a), [b"2", b"1"])

    def test_all_or_fail(self):
        self.a.bind("$.A")
        for _ in range(2):
            self.c.announce("$.A")
        self.assertRaises(QueueFull, self.c.announce, "$.A", b"", ALL_OR_FAIL)

    def test_wrong_ones(self):
        """Unknown or contradictory flags are EINVAL, and nothing about bindings."""
        for flags in (1, 0x400, ALL_OR_FAIL | ALL_OR_WAIT):
            with self.assertRaises(BusError) as caught:
                self.c.announce("$.A", b"", flags)
            self.assertEqual(caught.exception.errno, EINVAL)
            self.assertFalse(isinstance(caught.exception, NotBound))
        self.assertRaises(NotBound, self.c.unbind, "$.A")


class TestReply(ThreeCase):
    def test_its_number(self):
        """reply() returns the number that the asker sees."""
        self.b.bind("$.Q", True)
        self.c.request("$.Q")
        number = self.b.reply(self.b.next())
        self.assertEqual(self.c.next().id, (0, number))

    def test_its_flags(self):
        """Its reader sees them as they were given, those too that mean nothing for a reply."""
        self.b.bind("$.Q", True)
        for flags in (0, URGENT, ALL_OR_FAIL):
            self.c.request("$.Q")
            self.b.reply(self.b.next(), b"", flags)
            self.assertEqual(self.c.next().flags, flags)


class TestCaptured(ThreeCase):
    def test_wildcards(self):
        """The words under * and %; nothing for a plain name."""
        for pattern, name, words in (
            ("$.A.*", "$.A.B.C", "B.C"),
            ("$.A.%", "$.A.B", "B"),
            ("$.*", "$.A", "A"),
            ("$.A", "$.A", ""),
        ):
            self.a.bind(pattern)
            self.c.announce(name)
            self.assertEqual([m.captured for m in read(self.a)], [words])
            self.a.unbind(pattern)

    def test_each_copy_its_own(self):
        for pattern in ("$.A.*", "$.*"):
            self.a.bind(pattern)
        self.c.announce("$.A.B")
        self.assertEqual(sorted(m.captured for m in read(self.a)), ["A.B", "B"])

    def test_it_stays(self):
        """Neither an unbind nor another bind changes what a message has."""
        self.a.bind("$.A.*")
        self.c.announce("$.A.B")
        self.c.announce("$.A.C")
        messages = [self.a.next(), self.a.next()]
        self.a.unbind("$.A.*")
        self.a.bind("$.*")
        self.assertEqual([m.captured for m in messages], ["B", "C"])

    def test_requests_and_replies(self):
        """A replier's pattern as well; an answer has none."""
        self.b.bind("$.Q.%", True)
        self.c.request("$.Q.R")
        request = self.b.next()
        self.assertEqual(request.captured, "R")
        self.b.reply(request)
        self.assertEqual(self.c.next().captured, "")


class TestOverALink(unittest.TestCase):
    def test_to_is_refused(self):
        """`to` does not travel: whatever it is, a replier behind a link is not that one."""
        pair = Pair()
        far = Reader(pair.buses[1], replier=["$.Far"])
        pair.connect()
        near = pair.buses[0].ksock()
        for to in range(1, 5):
            self.assertRaises(NotThatReplier, near.request, "$.Far", b"", None, to)
        near.request("$.Far")
        pair.run(60)
        self.assertEqual(len(far.read()), 1)
        pair.close()


class TestRepr(ThreeCase):
    def test_a_person_can_read_it(self):
        """Bus, Ksock and Message say what they are in a line."""
        self.assertEqual(repr(self.bus), "<Bus of node 1, 3 Ksocks>")
        self.assertEqual(repr(self.a), "<Ksock 1>")
        self.a.bind("$.A")
        self.c.announce("$.A", b"21.5")
        message = self.a.next()
        self.assertEqual(str(message), "<announcement $.A b'21.5' id=(0, 1) from=(0, 3)>")
        self.b.close()
        self.assertEqual(repr(self.b), "<Ksock 2, closed>")


class TestKsockIds(unittest.TestCase):
    def test_wrap(self):
        """After 2**30 - 1 ids begin anew and leave out those that are open."""
        bus = make_bus()
        first, second = bus.ksock(), bus.ksock()
        bus._ksock_id = (1 << 30) - 2
        self.assertEqual(bus.ksock().id, (1 << 30) - 1)
        first.close()
        self.assertEqual([bus.ksock().id, bus.ksock().id], [1, 3])
        self.assertEqual(second.id, 2)
        bus._ksock_id = (1 << 30) - 2  # the next one is open, and so are 1 to 3
        self.assertEqual(bus.ksock().id, 4)
        closed_clean(self, bus)


if __name__ == "__main__":
    unittest.main()
