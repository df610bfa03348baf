# SPDX-License-Identifier: MIT
"""Requests: each ends exactly once, in its reply or in one status; refused sends tell why."""

import unittest

from buses import AskingCase, Clock, data, hot_take, names, parked, read
from limpet import MessageView, NoReplier, NotExpected, TooLarge
from limpet.errors import (
    EADDRNOTAVAIL,
    EBADF,
    EBUSY,
    ECONNREFUSED,
    EINVAL,
    EMSGSIZE,
    ENOLCK,
    EPIPE,
)
from limpet.send import STAGED
from limpet.slots import REPLY, REQUEST, STATUS

OVERDUE = "$.KBUS.Replier.Overdue"
UNBOUND = "$.KBUS.Replier.Unbound"


class TestReply(AskingCase):
    def test_there_and_back(self):
        """The replier gets the request, the asker the reply, nobody else anything."""
        sent = self.asker.request("$.A", b"question")
        request = self.replier.next()
        self.assertEqual((request.kind, request.name), ("request", "$.A"))
        self.assertEqual((request.data, request.wants_reply), (b"question", True))
        self.assertEqual((request.id, request.sender), ((0, sent), (0, self.asker.id)))
        self.replier.reply(request, b"answer")
        reply = self.asker.next()
        self.assertEqual((reply.kind, reply.name, reply.data), ("reply", "$.A", b"answer"))
        self.assertEqual((reply.in_reply_to, reply.sender), (sent, (0, self.replier.id)))
        self.assertEqual((reply.wants_reply, reply.executed), (False, "yes"))
        self.assertEqual([read(ks) for ks in (self.asker, self.replier, self.other)], [[]] * 3)

    def test_the_hot_layer(self):
        """The same in ints: kinds, numbers, the asker's cookie."""
        self.asker.hot.cookie = 77
        sent = self.asker.hot.request(self.name, b"q", -1, STAGED)
        view = hot_take(self.replier)
        self.assertEqual((view.kind, view.id_serial, view.wants_reply), (REQUEST, sent, True))
        self.assertEqual(self.replier.hot.reply(view, b"a"), sent + 1)
        view = hot_take(self.asker)
        self.assertEqual((view.kind, view.reply_serial, view.cookie), (REPLY, sent, 77))
        self.asker.hot.request(self.name, b"q")
        self.replier.close()
        self.assertEqual(hot_take(self.asker, view).kind, STATUS)

    def test_listeners_hear_both(self):
        """Who listens to the name gets a copy of request and reply, and is not to answer."""
        self.other.bind("$.A")
        self.asker.request("$.A", b"q")
        self.replier.reply(self.replier.next(), b"r")
        heard = read(self.other)
        self.assertEqual([(m.kind, m.data) for m in heard], [("request", b"q"), ("reply", b"r")])
        self.assertEqual([m.wants_reply for m in heard], [False, False])
        self.assertRaises(NotExpected, self.other.reply, heard[0], b"")
        self.assertRaises(NotExpected, self.other.reply, heard[1], b"")

    def test_an_asker_that_listens(self):
        """It gets its request as a listener, and the reply twice: as asker, then as listener.

        Only the asker's own says what it answers: a listener's copy may be of another's request.
        """
        self.asker.bind("$.A")
        sent = self.asker.request("$.A", b"q")
        self.replier.reply(self.replier.next(), b"r")
        got = [(m.kind, m.in_reply_to) for m in read(self.asker)]
        self.assertEqual(got, [("request", 0), ("reply", sent), ("reply", 0)])

    def test_a_replier_that_listens(self):
        """It gets the request twice, first the one to answer."""
        self.replier.bind("$.A")
        self.asker.request("$.A")
        self.assertEqual([m.wants_reply for m in read(self.replier)], [True, False])

    def test_any_order(self):
        """Requests may be answered in any order, each with its own reply."""
        sent = [self.asker.request("$.A", b"%d" % i) for i in range(5)]
        requests = read(self.replier)
        for i in (3, 0, 4, 1, 2):
            self.replier.reply(requests[i], b"r" + requests[i].data)
        got = [(m.in_reply_to, m.data) for m in read(self.asker)]
        self.assertEqual(got, [(sent[i], b"r%d" % i) for i in (3, 0, 4, 1, 2)])

    def test_after_unbinding(self):
        """What was read may be answered after the name has been given up."""
        self.asker.request("$.A")
        request = self.replier.next()
        self.replier.unbind("$.A", True)
        self.replier.reply(request, b"late but true")
        self.assertEqual(data(self.asker), [b"late but true"])

    def test_a_reply_too_large_may_be_tried_again(self):
        """It is refused and the request stays open."""
        self.asker.request("$.A")
        request = self.replier.next()
        self.assertRaises(TooLarge, self.replier.reply, request, bytes(129))
        self.assertEqual(self.replier.hot.reply(request, b"", -1, 1), -EINVAL)
        self.replier.reply(request, bytes(128))
        self.assertEqual(data(self.asker), [bytes(128)])


class TestOnlyTheHolder(AskingCase):
    def test_only_who_read_it(self):
        """Nobody else can answer, not even the asker or one that hears of it."""
        self.asker.request("$.A")
        request = self.replier.next()
        for ks in (self.asker, self.other):
            self.assertEqual(ks.hot.reply(request, b"wrong"), -ECONNREFUSED)
            self.assertRaises(NotExpected, ks.reply, request, b"wrong")
        self.replier.reply(request, b"right")
        self.assertEqual(data(self.asker), [b"right"])

    def test_once(self):
        """A second reply is refused, whether by the same ticket or by another for the request."""
        self.asker.hot.request(self.name, b"")
        view = hot_take(self.replier)
        self.assertTrue(self.replier.hot.reply(view, b"1") > 0)
        self.assertEqual(self.replier.hot.reply(view, b"2"), -ECONNREFUSED)
        self.asker.request("$.A")
        request = self.replier.next()
        self.replier.reply(request, b"3")
        self.assertRaises(NotExpected, self.replier.reply, request, b"4")
        self.assertEqual(data(self.asker), [b"1", b"3"])

    def test_old_tickets(self):
        """A ticket of a request that has ended never answers another one in the same slot."""
        old = []
        for i in range(2 * self.bus.pool.count):
            self.asker.request("$.A", b"%d" % i)
            request = self.replier.next()
            ticket = request.answer
            self.replier.reply(request, b"ok")
            request.answer = ticket  # as if reply() had not noted it
            old.append(request)
            self.assertEqual(data(self.asker), [b"ok"])
        self.asker.request("$.A", b"new")
        fresh = self.replier.next()
        for request in old:
            self.assertEqual(self.replier.hot.reply(request, b"old"), -ECONNREFUSED)
            self.replier.hot.fail(request, b"old")
        self.assertEqual(read(self.asker), [])
        self.replier.reply(fresh, b"fresh")
        self.assertEqual(data(self.asker), [b"fresh"])

    def test_a_view_that_shows_something_else(self):
        """After the next take a view is no ticket for what it showed before."""
        self.replier.bind("$.B")
        self.asker.hot.request(self.name, b"")
        self.asker.announce("$.B")
        view = hot_take(self.replier)
        hot_take(self.replier, view)
        self.assertEqual(self.replier.hot.reply(view, b""), -ECONNREFUSED)

    def test_what_is_no_request(self):
        """Announcements, replies and statuses cannot be answered."""
        self.asker.bind("$.B")
        self.asker.announce("$.B")
        self.asker.request("$.A")
        self.replier.reply(self.replier.next(), b"")
        for message in read(self.asker):
            self.assertRaises(NotExpected, self.asker.reply, message, b"")
        self.assertEqual(self.asker.hot.reply(MessageView(), b""), -ECONNREFUSED)


class TestRefused(AskingCase):
    """A refused send has an errno, and never a status."""

    SIZES = {"queue_size": 4, "slot_size": 16}

    def refused(self, ks, errno, consumed, **arguments):
        """Send with the hot layer, expect -errno; check whether a number was used up."""
        hot = ks.hot
        before = self.other.announce("$.Nobody")
        self.assertEqual(hot.request(self.name, **dict({"data": b"q"}, **arguments)), -errno)
        after = self.other.announce("$.Nobody")
        self.assertEqual(after - before - 1, consumed)
        if consumed:
            self.assertEqual(hot.last_serial, before + 1)

    def test_no_replier(self):
        """EADDRNOTAVAIL, and a number is used up."""
        self.replier.unbind("$.A", True)
        self.refused(self.asker, EADDRNOTAVAIL, 1)
        self.other.bind("$.A")  # a listener is no replier
        self.refused(self.asker, EADDRNOTAVAIL, 1)
        with self.assertRaises(NoReplier) as caught:
            self.asker.request("$.A")
        self.assertEqual(caught.exception.errno, EADDRNOTAVAIL)

    def test_not_that_replier(self):
        """EPIPE if `to` names another Ksock than the replier, and a number is used up."""
        self.refused(self.asker, EPIPE, 1, to=self.other.id)
        self.refused(self.asker, EPIPE, 1, to=12345)
        self.asker.request("$.A", b"", to=self.replier.id)
        self.assertEqual(names(self.replier), ["$.A"])

    def test_no_replier_outranks_not_that_one(self):
        """Without any replier `to` does not matter."""
        self.replier.unbind("$.A", True)
        self.refused(self.asker, EADDRNOTAVAIL, 1, to=self.other.id)

    def test_the_replier_is_full(self):
        """EBUSY when its queue has no place; one place less is fine. A number is used up."""
        self.replier.bind("$.B")
        for _ in range(3):
            self.other.announce("$.B")
        self.asker.request("$.A", b"fits")
        self.refused(self.asker, EBUSY, 1)
        self.refused(self.asker, EPIPE, 1, to=self.other.id)  # this is looked at first
        self.replier.next()
        self.asker.request("$.A", b"again")

    def test_no_room_for_the_answer(self):
        """ENOLCK when queue and outstanding requests fill the asker; no number, and no more."""
        for _ in range(2):
            self.asker.request("$.A")
        self.asker.bind("$.B")
        self.other.announce("$.B")
        self.other.announce("$.B")
        self.assertEqual(self.asker.hot.room(), 0)
        self.refused(self.asker, ENOLCK, 0)
        self.replier.unbind("$.A", True)  # two statuses take the places kept for them
        self.refused(self.asker, ENOLCK, 0)  # outranks EADDRNOTAVAIL
        self.assertEqual(names(self.asker), ["$.B", "$.B", UNBOUND, UNBOUND])
        self.refused(self.asker, EADDRNOTAVAIL, 1)

    def test_reserved_places_refuse_announcements(self):
        """Places kept for answers are not given to copies."""
        self.asker.bind("$.B")
        for _ in range(3):
            self.asker.request("$.A")
        for i in range(3):
            self.other.announce("$.B", b"%d" % i)
        self.assertEqual(data(self.asker), [b"0"])
        for request in read(self.replier):
            self.replier.reply(request, b"r")
        self.assertEqual(data(self.asker), [b"r"] * 3)

    def test_too_large(self):
        """EMSGSIZE at one byte more than a slot, and no number is used."""
        self.refused(self.asker, EMSGSIZE, 0, data=bytes(17))
        self.asker.request("$.A", bytes(16))
        self.refused(self.asker, EMSGSIZE, 0, size=17, data=bytes(20))

    def test_unknown_flags_and_closed(self):
        """EINVAL, EBADF; no number is used."""
        self.refused(self.asker, EINVAL, 0, flags=1)
        self.asker.close()
        self.refused(self.asker, EBADF, 0)
        self.refused(self.asker, EBADF, 0, data=bytes(99))

    def test_nothing_has_happened(self):
        """After a refused send slots, places and the replier's queue are as before."""
        free = self.bus.pool.free_count()
        self.refused(self.asker, EPIPE, 1, to=99)
        self.replier.unbind("$.A", True)
        self.refused(self.asker, EADDRNOTAVAIL, 1, deadline_ms=5)
        self.assertEqual(self.bus.pool.free_count(), free)
        self.assertEqual(self.asker.hot.room(), 4)
        self.assertEqual((parked(self.bus), self.bus.answers.timed_count), ([], 0))
        self.assertEqual(self.name.pins, 0)


class TestSelf(AskingCase):
    SIZES = {"queue_size": 4}

    def test_a_ksock_may_ask_itself(self):
        """It reads its own request, answers, and reads the reply."""
        sent = self.replier.request("$.A", b"q")
        request = self.replier.next()
        self.assertTrue(request.wants_reply)
        self.replier.reply(request, b"r")
        reply = self.replier.next()
        self.assertEqual((reply.in_reply_to, reply.data), (sent, b"r"))

    def test_one_place_is_enough(self):
        """The places for request and answer are looked at before either is taken, as in KBUS."""
        self.replier.bind("$.B")
        for _ in range(3):
            self.other.announce("$.B")
        self.replier.request("$.A")  # one more than there are places
        self.assertEqual(self.replier.hot.room(), -1)
        self.assertEqual(self.replier.hot.request(self.name, b""), -ENOLCK)
        self.replier.next()
        self.assertEqual(self.replier.hot.request(self.name, b""), -ENOLCK)
        self.replier.next()
        self.assertTrue(self.replier.hot.request(self.name, b"") > 0)
        self.assertEqual(len(read(self.replier)), 3)

    def test_unbinding(self):
        """Its own unread request ends in a status to itself."""
        sent = self.replier.request("$.A")
        self.replier.unbind("$.A", True)
        self.assertEqual(self.ends(self.replier), [(UNBOUND, sent)])

    def test_closing(self):
        """With its own requests unread, read and answered: nothing is left."""
        self.replier.request("$.A")
        self.replier.request("$.A")
        self.replier.next()
        self.replier.close()

    def test_closing_with_the_answer_unread(self):
        """An answer that nobody reads goes with its Ksock."""
        self.replier.request("$.A")
        self.replier.reply(self.replier.next(), b"r")
        self.replier.close()

    def test_deadline(self):
        """Its own unread request may be overdue."""
        clock = Clock(self.bus)
        sent = self.replier.request("$.A", deadline_ms=100)
        clock.go(100)
        self.assertEqual(self.ends(self.replier), [(OVERDUE, sent)])


if __name__ == "__main__":
    unittest.main()
