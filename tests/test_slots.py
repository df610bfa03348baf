# SPDX-License-Identifier: MIT
"""Slots: when none is free the oldest listeners' copies go, counted; what is held never goes."""

import unittest

from buses import Clock, ThreeCase, closed_clean, data, gaps, hot_take, make_bus, read
from limpet import NoReplyRoom, NoSlot
from limpet.errors import EADDRNOTAVAIL, EBUSY, ENOBUFS, ENOLCK, EPIPE


class Case(ThreeCase):
    SIZES = {"slot_count": 6, "queue_size": 16}

    def announce(self, first, after, name="$.A"):
        for i in range(first, after):
            self.c.announce(name, b"%d" % i)


class TestTheOldestGo(Case):
    def test_one_listener(self):
        """It keeps the newest messages, and the first of them tells how many are gone."""
        self.a.bind("$.A")
        self.announce(0, 10)
        self.assertEqual(gaps(self.a), [(4, b"4")] + [(0, b"%d" % i) for i in range(5, 10)])
        self.assertEqual(self.bus.pool.dropped, 4)

    def test_exactly_full(self):
        """As many messages as there are slots are kept; nothing is dropped before that."""
        self.a.bind("$.A")
        self.announce(0, 6)
        self.assertEqual((self.bus.pool.free_count(), self.bus.pool.dropped), (0, 0))
        self.assertEqual(gaps(self.a), [(0, b"%d" % i) for i in range(6)])

    def test_each_listener_is_told(self):
        """All who had a copy miss it; who had read it before does not."""
        self.a.bind("$.A")
        self.b.bind("$.A")
        self.announce(0, 2)
        self.assertEqual(data(self.b), [b"0", b"1"])
        self.announce(2, 9)
        self.assertEqual(gaps(self.a)[0], (3, b"3"))
        self.assertEqual(gaps(self.b)[0], (1, b"3"))

    def test_the_oldest_of_all_queues(self):
        """It is the age of the message that counts, not whose queue it is in."""
        self.a.bind("$.A")
        self.b.bind("$.B")
        for i in range(3):
            self.announce(i, i + 1, "$.B")
            self.announce(i, i + 1, "$.A")
        self.announce(3, 6, "$.B")  # drops B0, A0, B1
        self.assertEqual(gaps(self.a), [(1, b"1"), (0, b"2")])
        self.assertEqual([d for _, d in gaps(self.b)], [b"2", b"3", b"4", b"5"])

    def test_a_reply_is_as_old_as_its_send(self):
        """A listener's copy of a reply counts from when it was sent, not from the request."""
        self.a.bind("$.A", True)
        self.b.bind("$.A.B")
        self.b.bind("$.A")
        self.c.request("$.A", b"q")
        request = self.a.next()
        self.announce(0, 1, "$.A.B")
        other = self.bus.ksock()
        other.bind("$.A")
        self.a.reply(request, b"r")
        self.c.next()
        # b has q, 0 and r, other has r only. Five more messages drop q and 0.
        self.announce(1, 6, "$.A.B")
        self.assertEqual(data(other), [b"r"])
        self.assertEqual(gaps(self.b)[0][1], b"r")

    def test_several_copies_in_one_queue(self):
        """Each lost copy counts, wherever it lies."""
        self.a.bind("$.A")
        self.a.bind("$.A")
        self.a.bind("$.B")
        self.announce(0, 1)
        self.announce(0, 6, "$.B")
        self.assertEqual(gaps(self.a)[0], (2, b"0"))

    def test_gaps_add_up(self):
        """Copies lost for want of a place and for want of a slot are told in one sum."""
        small = self.bus.ksock(2)
        small.bind("$.A")
        self.b.bind("$.B")
        self.announce(0, 4)  # 2 and 3 miss their place
        self.announce(0, 6, "$.B")  # both copies go
        self.announce(4, 5)
        self.assertEqual(gaps(small), [(4, b"4")])
        self.assertEqual(data(self.b), [b"1", b"2", b"3", b"4", b"5"])

    def test_counts_are_exact(self):
        """Read and missed messages sum up to what was sent, at any moment one looks."""
        self.a.bind("$.A")
        self.b.bind("$.A")
        seen = [0, 0]
        sent = 0
        for turn in range(60):
            for _ in range(turn * 7 % 11):
                self.c.announce("$.A", b"%d" % sent)
                sent += 1
            for i, ks in enumerate((self.a, self.b)):
                for _ in range((turn * 5 + i * 3) % 4):
                    message = ks.next()
                    if message is not None:
                        seen[i] += message.missed
                        self.assertEqual(message.data, b"%d" % seen[i])
                        seen[i] += 1
        for i, ks in enumerate((self.a, self.b)):
            for message in read(ks):
                seen[i] += message.missed
                self.assertEqual(message.data, b"%d" % seen[i])
                seen[i] += 1
            self.assertEqual(seen[i] + ks.hot.missed_next, sent)


class TestADeadListener(Case):
    def test_it_stops_nobody(self):
        """Somebody who never reads costs others nothing but old messages."""
        self.a.bind("$.*")  # never reads
        self.b.bind("$.A", True)
        for i in range(100):
            self.announce(i, i + 1, "$.B")
            sent = self.c.request("$.A", b"%d" % i)
            self.b.reply(self.b.next(), b"r%d" % i)
            reply = self.c.next()
            self.assertEqual((reply.in_reply_to, reply.data), (sent, b"r%d" % i))
        got = read(self.a)
        self.assertEqual(sum(m.missed for m in got) + len(got), 300)

    def test_full_of_dead_copies(self):
        """A request finds its two slots among copies that nobody reads."""
        self.a.bind("$.A")
        self.b.bind("$.B", True)
        self.announce(0, 6)
        self.c.request("$.B")
        self.assertEqual([m.data for m in read(self.a)], [b"2", b"3", b"4", b"5"])


class TestHeld(Case):
    def test_unread_requests(self):
        """Requests that wait for their replier, and the slots of their answers, never go."""
        self.a.bind("$.A", True)
        self.b.bind("$.*")  # also listens to the requests
        sent = [self.c.request("$.A", b"%d" % i) for i in range(2)]  # four slots
        self.announce(0, 50, "$.B")
        self.assertEqual(data(self.b), [b"0", b"1", b"48", b"49"])
        requests = read(self.a)
        self.assertEqual([m.data for m in requests], [b"0", b"1"])
        self.announce(0, 50, "$.B")
        for request in requests:
            self.a.reply(request, b"r" + request.data)
        self.announce(0, 50, "$.B")
        got = read(self.c)
        self.assertEqual([(m.in_reply_to, m.data) for m in got], list(zip(sent, [b"r0", b"r1"])))
        read(self.b)

    def test_answers(self):
        """Replies and statuses wait for their asker, whatever passes by."""
        self.a.bind("$.A", True)
        self.b.bind("$.*")
        for _ in range(3):
            self.c.request("$.A")
        self.a.reply(self.a.next(), b"r")
        self.a.next()
        self.a.close()
        self.announce(0, 100, "$.B")
        self.assertEqual([m.kind for m in read(self.c)], ["reply", "status", "status"])

    def test_nothing_can_go(self):
        """With every slot held an announcement is refused with ENOBUFS, a request with ENOLCK."""
        self.a.bind("$.A", True)
        self.b.bind("$.B")
        before = [self.c.request("$.A") for _ in range(3)][-1]
        self.assertEqual(self.bus.pool.free_count(), 0)
        self.assertEqual(self.c.hot.announce(self.bus.name("$.B"), b""), -ENOBUFS)
        with self.assertRaises(NoSlot) as caught:
            self.c.announce("$.B")
        self.assertEqual(caught.exception.errno, ENOBUFS)
        self.assertEqual(self.c.hot.request(self.name, b""), -ENOLCK)
        self.assertRaises(NoReplyRoom, self.c.request, "$.A")
        self.assertEqual(self.c.announce("$.Nobody"), before + 1)  # needs no slot
        self.a.reply(self.a.next())
        self.c.announce("$.B", b"now")
        self.assertEqual(data(self.b), [b"now"])

    def test_one_slot_is_not_enough_for_a_request(self):
        """It needs one for itself and one for its answer."""
        self.a.bind("$.A", True)
        self.b.bind("$.B")
        for _ in range(2):
            self.c.request("$.A")
        self.c.announce("$.B", b"x")
        view = hot_take(self.b)
        self.assertEqual(self.bus.pool.free_count(), 1)
        self.assertEqual(self.c.hot.request(self.name, b""), -ENOLCK)
        self.b.hot.release()
        self.assertEqual(view.size, 1)
        self.assertTrue(self.c.hot.request(self.name, b"") > 0)

    def test_what_is_viewed(self):
        """The message in a view stays, for its viewer; another's copy of it stays with it."""
        self.a.bind("$.A")
        self.b.bind("$.A")
        self.announce(0, 3)
        view = hot_take(self.a)
        self.announce(3, 30)
        self.assertEqual(view[0], ord("0"))
        got = gaps(self.b)
        self.assertEqual(got[0], (0, b"0"))
        self.assertEqual(got[1][1], b"25")
        self.assertEqual(sum(missed for missed, _ in got) + len(got), 30)

    def test_in_the_view_of_several(self):
        """Each view holds for itself; the last one that lets go frees the slot."""
        self.a.bind("$.A")
        self.b.bind("$.A")
        self.announce(0, 1)
        hot_take(self.a)
        view = hot_take(self.b)
        self.a.hot.release()
        self.assertEqual(self.bus.pool.free_count(), 5)
        self.a.unbind("$.A")
        self.announce(1, 20)
        self.assertEqual(view[0], ord("0"))
        self.b.hot.release()
        self.assertEqual(len(read(self.b)), 5)
        self.assertEqual(self.bus.pool.free_count(), 6)

    def test_once_it_is_read_it_is_not_held(self):
        """A listener's copy of a request may go once the replier has taken and left it."""
        self.a.bind("$.A", True)
        self.b.bind("$.A")
        self.c.request("$.A", b"q")
        self.a.next()
        self.b.bind("$.B")
        self.announce(0, 5, "$.B")
        self.assertEqual(gaps(self.b)[0], (1, b"0"))


class TestNothingIsDroppedForNothing(Case):
    """What refuses a send drops nobody's message."""

    def setUp(self):
        Case.setUp(self)
        self.b.bind("$.B")
        self.all = [b"%d" % i for i in range(6)]

    def test_requests_without_a_replier(self):
        """EADDRNOTAVAIL."""
        self.announce(0, 6, "$.B")
        self.assertEqual(self.c.hot.request(self.name, b""), -EADDRNOTAVAIL)
        self.assertEqual(gaps(self.b), [(0, d) for d in self.all])

    def test_requests_to_another_replier(self):
        """EPIPE."""
        self.a.bind("$.A", True)
        self.announce(0, 6, "$.B")
        self.assertEqual(self.c.hot.request(self.name, b"", to=99), -EPIPE)
        self.assertEqual(gaps(self.b), [(0, d) for d in self.all])

    def test_requests_to_a_full_replier(self):
        """EBUSY."""
        replier = self.bus.ksock(1)
        replier.bind("$.A", True)
        self.c.request("$.A")  # two slots, its only place
        self.announce(0, 4, "$.B")
        self.assertEqual(self.c.hot.request(self.name, b""), -EBUSY)
        self.assertEqual(gaps(self.b), [(0, d) for d in self.all[:4]])

    def test_requests_that_find_one_slot_only(self):
        """ENOLCK when one copy could go but two slots are needed."""
        self.a.bind("$.A", True)
        self.announce(0, 1, "$.B")
        self.c.request("$.A")
        self.c.request("$.A")  # one slot is free
        self.announce(1, 2, "$.B")
        hot_take(self.b)  # 0 is held, 1 could go
        self.assertEqual(self.c.hot.request(self.name, b""), -ENOLCK)
        self.assertEqual(gaps(self.b), [(0, b"1")])

    def test_requests_of_a_full_asker(self):
        """ENOLCK for want of a place."""
        asker = self.bus.ksock(1)
        self.a.bind("$.A", True)
        asker.request("$.A")
        self.announce(0, 4, "$.B")
        self.assertEqual(asker.hot.request(self.name, b""), -ENOLCK)
        self.assertEqual(gaps(self.b), [(0, d) for d in self.all[:4]])

    def test_announcements_for_nobody(self):
        """They need no slot."""
        self.announce(0, 6, "$.B")
        self.announce(0, 6, "$.Nobody")
        self.assertEqual(gaps(self.b), [(0, d) for d in self.all])


class TestTiny(unittest.TestCase):
    def test_one_slot(self):
        """A bus of one slot carries announcements, and refuses requests with ENOLCK."""
        bus = make_bus(slot_count=1, slot_size=1, queue_size=1)
        a, b = bus.ksock(), bus.ksock()
        a.bind("$.A")
        b.bind("$.B", True)
        for i in range(3):
            b.announce("$.A", b"%d" % i)
        self.assertEqual(gaps(a), [(2, b"2")])
        self.assertEqual(a.hot.request(bus.name("$.B"), b""), -ENOLCK)
        closed_clean(self, bus)

    def test_two_slots(self):
        """A bus of two slots carries one request at a time."""
        bus = make_bus(slot_count=2, slot_size=1, queue_size=1)
        a, b = bus.ksock(), bus.ksock()
        b.bind("$.B", True)
        for i in range(5):
            a.request("$.B", b"%d" % i)
            self.assertEqual(a.hot.request(bus.name("$.B"), b""), -ENOLCK)
            request = b.next()
            b.reply(request, request.data)
            self.assertEqual(data(a), [b"%d" % i])
        closed_clean(self, bus)


class TestNoLeak(unittest.TestCase):
    def test_closing_in_every_state(self):
        """After any history every slot comes back when all are closed."""
        for scene in range(64):
            bus = make_bus(slot_count=8, queue_size=6)
            clock = Clock(bus)
            asker, replier, listener = bus.ksock(), bus.ksock(), bus.ksock()
            replier.bind("$.A", True)
            listener.bind("$.*")
            asker.request("$.A", b"1", deadline_ms=10 if scene & 1 else None)
            asker.request("$.A", b"2", deadline_ms=30)
            if scene & 2:
                hot_take(replier)
            if scene & 4:
                hot_take(listener)
                asker.announce("$.B")
            if scene & 8:
                clock.go(20)
            if scene & 16:
                replier.unbind("$.A", True)
            if scene & 32:
                asker.close()
            clock.go(20)
            for _ in range(20):
                listener.announce("$.B")
            closed_clean(self, bus)

    def test_a_full_pool_recovers(self):
        """After every slot was in use each is free again once all is read."""
        bus = make_bus(slot_count=4)
        a, b = bus.ksock(), bus.ksock()
        a.bind("$.A", True)
        for _ in range(50):
            for _ in range(2):
                b.request("$.A")
            for request in read(a):
                a.reply(request)
            self.assertEqual(len(read(b)), 2)
            self.assertEqual(bus.pool.free_count(), 4)
        closed_clean(self, bus)


if __name__ == "__main__":
    unittest.main()
