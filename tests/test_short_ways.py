# SPDX-License-Identifier: MIT
"""The short ways of plain sends: all that holds of requests holds of them, from the first send on.

A bus takes the careful way until it has looked once which numbers are free. Here it has: the tests
of requests run again, and so does what only the short ways could do wrong.
"""

import unittest

import test_end_order
import test_ends
import test_request
import test_sends
from buses import AskingCase, ThreeCase, gaps, hot_take, open_short_ways, read
from hots import Bell, shown
from limpet import MessageView
from limpet.errors import EBUSY, ENOLCK


class TestReply(test_request.TestReply):
    SHORT = True


class TestOnlyTheHolder(test_request.TestOnlyTheHolder):
    SHORT = True


class TestRefused(test_request.TestRefused):
    SHORT = True


class TestSelf(test_request.TestSelf):
    SHORT = True


class TestDeadline(test_ends.TestDeadline):
    SHORT = True


class TestClose(test_ends.TestClose):
    SHORT = True


class TestArguments(test_sends.TestArguments):
    SHORT = True


class TestStaged(test_sends.TestStaged):
    SHORT = True


class TestReplies(test_sends.TestReplies):
    SHORT = True


class TestGaps(test_sends.TestGaps):
    SHORT = True


class TestDeadlineAtZero(test_end_order.TestDeadlineAtZero):
    SHORT = True


class TestPlaces(AskingCase):
    """They look at the same places as the careful ways."""

    SHORT = True
    SIZES = {"queue_size": 4, "slot_count": 64}

    def test_a_replier_that_asks(self):
        """Places kept for its own answers are not given to requests."""
        self.other.bind("$.B", True)
        for out in range(5):
            for _ in range(out):
                self.assertTrue(self.replier.hot.request(self.bus.name("$.B"), b"") > 0)
            for _ in range(4 - out):
                self.assertTrue(self.asker.hot.request(self.name, b"") > 0)
            self.assertEqual(self.replier.hot.room(), 0)
            self.assertEqual(self.asker.hot.request(self.name, b""), -EBUSY if out else -ENOLCK)
            answers = 0
            for ks in (self.other, self.replier, self.asker):
                for message in read(ks):
                    if message.wants_reply:
                        ks.reply(message)
                    else:
                        answers += 1
            self.assertEqual(answers, 4)

    def test_places_of_those_on_a_log(self):
        """Each place that a request or answer takes is one less for the log."""
        name = self.bus.name("$.B")
        for ks in (self.asker, self.replier):
            ks.bind("$.B")
        open_short_ways(self.bus)
        log = name.log
        view = MessageView()
        for _ in range(3):
            for _ in range(3):
                self.other.hot.announce(name, b"")
                for ks in (self.asker, self.replier):
                    hot_take(ks, view)
            self.assertIs(self.asker.hot.log, log)
            self.assertIs(self.replier.hot.log, log)
            log.renew()
            before = log.limit - log.end
            self.asker.hot.request(self.name, b"")
            self.assertEqual(log.limit - log.end, before - 2)  # one of each, to be sure
            for _ in range(5):
                self.other.hot.announce(name, b"")
            missed = self.asker.hot.missed_total, self.replier.hot.missed_total
            self.assertEqual(missed, (2, 2))
            self.assertTrue(self.asker.hot.unread() + self.asker.hot.reserved <= 4)
            self.assertTrue(self.replier.hot.unread() <= 4)
            for message in read(self.replier):
                if message.wants_reply:
                    self.replier.reply(message)
            read(self.asker)
            for ks in (self.asker, self.replier):
                ks.hot.missed_total = ks.hot.missed_next = 0


class TestPlacesOfTheRing(AskingCase):
    """What a place of the ring has told of missed copies is not told again there."""

    SHORT = True
    SIZES = {"queue_size": 3}

    def ask_round(self, count):
        """Ask as often as there are places in the ring; return what was missed."""
        missed = 0
        for _ in range(count or self.replier.hot.capacity + 1):
            self.assertTrue(self.asker.hot.request(self.name, b"") > 0)
            view = hot_take(self.replier)
            missed += view.missed
            self.replier.hot.reply(view, b"")
            hot_take(self.asker)
        return missed

    def test_after_it_was_told(self):
        self.replier.bind("$.B")
        self.replier.hot.set_watch(Bell())
        for i in range(8):
            for _ in range(5):
                self.other.announce("$.B")
            read(self.replier)
            self.other.announce("$.B")
            self.assertEqual([missed for missed, _ in gaps(self.replier)], [2])
            self.replier.hot.watch = None
            self.assertEqual(self.ask_round(0), 0)
            self.ask_round(1 + i)

    def test_after_it_went_with_its_message(self):
        """The message behind it tells."""
        self.replier.bind("$.B")
        for i in range(8):
            self.replier.hot.set_watch(Bell())
            self.replier.bind("$.C")
            for _ in range(5):
                self.other.announce("$.B")
            read(self.replier)
            self.other.announce("$.C")
            self.replier.unbind("$.C")
            self.replier.hot.watch = None
            self.assertEqual(self.ask_round(0), 2)
            self.ask_round(1 + i)


class TestOneViewForTwo(ThreeCase):
    """A view that has shown a request of one Ksock shows an announcement of the other plainly."""

    def setUp(self):
        super().setUp()
        open_short_ways(self.bus)

    def test_nothing_of_the_request_is_left(self):
        self.a.bind("$.A")
        self.b.bind("$.R", True)
        self.b.bind("$.S")
        view, asked = MessageView(), self.bus.name("$.R")
        for _ in range(4):
            for text in (b"1", b"2"):
                self.c.hot.announce(self.name, text)
            self.assertEqual(shown(hot_take(self.a, view)), b"1")
            sent = self.c.hot.request(asked, b"q")
            self.assertEqual(hot_take(self.b, view).wants_reply, True)
            self.assertEqual(shown(hot_take(self.a, view)), b"2")
            self.assertEqual((view.wants_reply, view.binding, view.missed), (False, None, 0))
            self.assertTrue(self.b.hot.reply(view, b"") < 0)
            slot = self.b.hot.find_owed(0, sent)
            self.assertTrue(self.b.hot.reply_parked(slot, b"", 0) > 0)
            read(self.c)

    def test_nothing_of_what_the_other_has_missed_is_left(self):
        self.a.bind("$.A")
        self.b.bind("$.B")
        self.b.hot.set_limit(2)
        view = MessageView()
        for _ in range(6):
            self.c.announce("$.B")
        read(self.b)
        self.c.bind("$.B")  # a new log, which b reads from the start
        for name in (self.name, self.name, self.name, self.bus.name("$.B")):
            self.c.hot.announce(name, b"")
        missed = [hot_take(ks, view).missed for ks in (self.a, self.a, self.b, self.a)]
        self.assertEqual(missed, [0, 0, 4, 0])

    def test_both_on_a_log(self):
        """Each goes on in its own order."""
        self.a.bind("$.A")
        self.b.bind("$.B")
        names = self.name, self.bus.name("$.B")
        view = MessageView()
        sent, seen = [0, 0], [0, 0]
        for i in range(120):
            for k, ks in enumerate((self.a, self.b)):
                if i % (3 + k):
                    self.c.hot.announce(names[k], b"%d" % sent[k])
                    sent[k] += 1
                if i * (k + 2) % 5 and seen[k] < sent[k]:
                    self.assertEqual(shown(hot_take(ks, view)), b"%d" % seen[k])
                    self.assertEqual((view.missed, view.wants_reply), (0, False))
                    seen[k] += 1
        self.assertTrue(min(seen) > 60)


if __name__ == "__main__":
    unittest.main()
