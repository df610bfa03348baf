# SPDX-License-Identifier: MIT
"""Urgent messages go in front of all others; and Ksocks that want each message once."""

import unittest

from buses import AskingCase, ThreeCase, data, gaps, hot_take, names, open_short_ways, read
from hots import shown, taken, texts
from limpet.errors import EINVAL
from limpet.send import ALL_OR_FAIL, STAGED, URGENT
from limpet.slots import ANNOUNCEMENT, REPLY, REQUEST, STATUS


class TestUrgentAnnouncements(ThreeCase):
    """An urgent announcement is read before what has come before it, by each listener."""

    SIZES = {"queue_size": 8}

    def send(self, *texts):
        """Announce; what is in capitals is urgent."""
        for text in texts:
            self.c.hot.announce(self.name, text, -1, URGENT if text.isupper() else 0)

    def test_last_in_first_out(self):
        """Among urgent ones; all others in order behind them."""
        self.a.bind("$.A")
        self.b.bind("$.*")
        self.send(b"1", b"U", b"2", b"V", b"W", b"3")
        self.assertEqual(texts(self.a), [b"W", b"V", b"U", b"1", b"2", b"3"])
        self.assertEqual(data(self.b), [b"W", b"V", b"U", b"1", b"2", b"3"])

    def test_the_flag_is_seen(self):
        """By readers of both layers, and it may be given to both."""
        self.a.bind("$.A")
        self.send(b"U")
        self.c.announce("$.A", b"V", URGENT)
        self.assertEqual([m.flags for m in read(self.a)], [URGENT, URGENT])
        self.send(b"U", b"1")
        self.assertEqual([hot_take(self.a).flags for _ in range(2)], [URGENT, 0])
        self.c.announce("$.A", b"X", URGENT | ALL_OR_FAIL)
        self.assertEqual(hot_take(self.a).flags, URGENT | ALL_OR_FAIL)
        self.assertEqual(self.c.hot.announce(self.name, b"", -1, 4), -EINVAL)

    def test_the_slot_is_plain_again(self):
        """What comes later in the same slot is not urgent."""
        self.a.bind("$.A")
        for _ in range(2 * self.bus.pool.count):
            self.send(b"U", b"1")
            self.assertEqual([m.flags for m in read(self.a)], [URGENT, 0])

    def test_each_copy_goes_in_front(self):
        """Of several bindings the newest gets its copy first, so it is read last."""
        self.a.bind("$.A")
        self.a.bind("$.*")
        self.send(b"1", b"U")
        view = hot_take(self.a)
        self.assertEqual((view.binding.text, shown(view)), ("$.A", b"U"))
        self.assertEqual(shown(hot_take(self.a, view)), b"U")
        self.assertEqual(view.binding.text, "$.*")
        self.assertEqual(taken(self.a), [(0, b"1"), (0, b"1")])

    def test_a_full_queue(self):
        """It has no more right to a place than others; what reads next tells what was missed."""
        self.a.hot.set_limit(2)
        self.a.bind("$.A")
        self.send(b"1", b"2", b"U")
        self.assertEqual(taken(self.a), [(0, b"1"), (0, b"2")])
        self.send(b"V")
        self.assertEqual(taken(self.a), [(1, b"V")])
        self.send(b"1", b"2", b"3")
        hot_take(self.a)
        self.send(b"W")
        self.assertEqual(taken(self.a), [(0, b"W"), (0, b"2")])
        self.send(b"4")
        self.assertEqual(taken(self.a), [(1, b"4")])

    def test_round_and_round(self):
        """However often the ring has gone round, forwards and backwards."""
        self.a.bind("$.A")
        self.a.bind("$.A")
        for i in range(40):
            self.send(b"1", b"U")
            if i % 2:
                self.send(b"V")
                self.assertEqual(texts(self.a)[:2], [b"V", b"V"])
            self.assertEqual(texts(self.a)[-1:], [b"1"] if i % 2 == 0 else [])


class TestUrgentRequests(AskingCase):
    """An urgent request or reply goes in front as well; statuses never do."""

    def kinds(self, ks):
        return [(m.kind_code, m.data, m.wants_reply) for m in read(ks)]

    def test_copies_of_a_request(self):
        """A replier that listens reads the one to answer first; of an urgent one it is second."""
        self.replier.bind("$.*")
        self.asker.request("$.A", b"1")
        self.asker.request("$.A", b"U", flags=URGENT)
        expected = [(REQUEST, b"U", False), (REQUEST, b"U", True)]
        expected += [(REQUEST, b"1", True), (REQUEST, b"1", False)]
        self.assertEqual(self.kinds(self.replier), expected)

    def test_among_announcements(self):
        self.replier.bind("$.B")
        for i in range(3):
            self.other.announce("$.B", b"%d" % i)
        self.asker.hot.request(self.name, b"U", -1, URGENT)
        self.assertEqual(texts(self.replier), [b"U", b"0", b"1", b"2"])

    def test_copies_of_a_reply(self):
        """An asker that listens reads the answer first; of an urgent one it is second."""
        self.asker.bind("$.A")
        for flags, order in ((0, [True, False]), (URGENT, [False, True])):
            sent = self.asker.request("$.A")
            self.asker.announce("$.A", b"-")
            read(self.asker)
            self.asker.announce("$.A", b"-")
            self.replier.reply(self.replier.next(), b"r", flags)
            got = [m for m in read(self.asker) if m.kind_code == REPLY]
            self.assertEqual([m.in_reply_to == sent for m in got], order)

    def test_an_urgent_reply(self):
        """It overtakes what waits for its asker."""
        self.asker.bind("$.B")
        self.asker.request("$.A")
        self.other.announce("$.B", b"1")
        self.replier.hot.reply(hot_take(self.replier), b"r", -1, URGENT)
        self.assertEqual(taken(self.asker), [(0, b"r"), (0, b"1")])

    def test_statuses_go_to_the_end(self):
        """Also for an urgent request."""
        self.asker.bind("$.B")
        sent = self.asker.request("$.A", b"", flags=URGENT)
        self.other.announce("$.B")
        self.replier.unbind("$.A", True)
        got = [(m.kind_code, m.in_reply_to, m.flags) for m in read(self.asker)]
        self.assertEqual(got, [(ANNOUNCEMENT, 0, 0), (STATUS, sent, 4)])

    def test_an_overdue_one(self):
        """The request is withdrawn, not the copy of the listener in front of it."""
        self.replier.bind("$.A")
        sent = self.asker.request("$.A", b"U", deadline_ms=0, flags=URGENT)
        self.bus.poll(self.bus.answers.now_ms)
        self.assertEqual([n for _, n in self.ends()], [sent])
        left = [(m.kind_code, m.binding.replier) for m in read(self.replier)]
        self.assertEqual(left, [(REQUEST, False)])

    def test_only_the_urgent_one_is_withdrawn(self):
        """Unbinding finds each request wherever it lies; statuses come in its order."""
        sent = [self.asker.request("$.A", b"", flags=f) for f in (0, URGENT, 0, URGENT)]
        self.replier.unbind("$.A", True)
        self.assertEqual([n for _, n in self.ends()], [sent[i] for i in (3, 1, 0, 2)])


class TestOnce(ThreeCase):
    """Who wants messages once gets no second copy of what came last."""

    def setUp(self):
        super().setUp()
        self.a.hot.want_once(True)

    def foreign(self, serial, text=b"", net=9):
        """Announce as from another node."""
        hot = self.c.hot
        hot.net, hot.serial, hot.sender = net, serial, 1
        code = hot.announce(self.name, text, -1, STAGED)
        hot.unstage()
        self.assertEqual(code, serial)

    def test_several_bindings(self):
        for text in ("$.A", "$.*", "$.%", "$.A"):
            self.a.bind(text)
            self.b.bind(text)
        self.b.hot.set_limit(30)
        for flags in (0, URGENT, ALL_OR_FAIL):
            self.c.announce("$.A", b"1", flags)
            self.c.announce("$.A", b"2", flags)
        self.assertEqual(data(self.a), [b"2", b"1", b"1", b"2", b"1", b"2"])
        self.assertEqual(len(read(self.b)), 24)

    def test_its_copy_is_that_of_the_newest_binding(self):
        """Unbinding an older one takes nothing, unbinding the newest takes it."""
        self.a.bind("$.A")
        self.a.bind("$.*")
        self.c.announce("$.A", b"1")
        self.a.unbind("$.A")
        self.assertEqual(data(self.a), [b"1"])
        self.a.bind("$.A")
        self.c.announce("$.A", b"2")
        self.a.unbind("$.A")
        self.assertEqual(data(self.a), [])

    def test_the_same_from_elsewhere(self):
        """A message that comes again is known by node and number, while it is the last."""
        self.a.bind("$.A")
        for serial, net in ((5, 9), (5, 9), (6, 9), (6, 8), (5, 9), (5, 9)):
            self.foreign(serial, b"%d-%d" % (net, serial), net)
        self.assertEqual(texts(self.a), [b"9-5", b"9-6", b"8-6", b"9-5"])

    def test_read_or_not(self):
        """What counts is what came last, not what is still there."""
        self.a.bind("$.A")
        self.foreign(5)
        self.assertEqual(len(taken(self.a)), 1)
        self.foreign(5)
        self.assertEqual(taken(self.a), [])

    def test_missed_once(self):
        """A copy without room is missed once, however many bindings would have brought it."""
        self.a.bind("$.A")
        self.a.bind("$.*")
        self.a.hot.set_limit(1)
        for i in range(3):
            self.c.announce("$.A", b"%d" % i)
        self.foreign(5)
        self.foreign(5)
        self.assertEqual(self.a.hot.missed_total, 3)
        self.assertEqual(gaps(self.a), [(0, b"0")])
        self.foreign(5)
        self.assertEqual(self.a.hot.unread(), 0)
        self.c.announce("$.A", b"4")
        self.assertEqual(gaps(self.a), [(3, b"4")])

    def test_switched_off_and_on(self):
        """It counts for what comes from then on; what is there stays."""
        self.a.bind("$.A")
        self.a.bind("$.*")
        self.c.announce("$.A", b"1")
        self.a.hot.want_once(False)
        self.c.announce("$.A", b"2")
        self.a.hot.want_once(True)
        self.c.announce("$.A", b"3")
        self.assertEqual(data(self.a), [b"1", b"2", b"2", b"3"])

    def test_it_leaves_its_log_and_comes_back(self):
        """Nothing is lost or doubled either time."""
        self.b.bind("$.A")
        for i in range(3):
            self.c.announce("$.A", b"%d" % i)
        self.assertIs(self.b.hot.log, self.name.log)
        hot_take(self.b)
        self.b.hot.want_once(True)
        self.assertTrue(self.b.hot.once)
        for i in range(3, 6):
            self.c.announce("$.A", b"%d" % i)
        self.assertIsNot(self.b.hot.log, self.name.log)
        self.b.hot.want_once(False)
        for i in range(6, 9):
            self.c.announce("$.A", b"%d" % i)
        self.assertIs(self.b.hot.log, self.name.log)
        self.assertEqual(texts(self.b), [b"%d" % i for i in range(1, 9)])

    def test_others_are_not_touched(self):
        self.a.bind("$.A")
        self.b.bind("$.A")
        self.b.bind("$.A")
        self.c.announce("$.A")
        self.assertEqual((names(self.a), names(self.b)), (["$.A"], ["$.A"] * 2))


class TestOnceWithRequests(AskingCase):
    """The copy to answer, and the answer to an own request, are never left out and come first."""

    def setUp(self):
        super().setUp()
        for ks in (self.asker, self.replier, self.other):
            ks.hot.want_once(True)
            ks.bind("$.A")
            ks.bind("$.*")

    def test_the_replier_that_listens(self):
        """By both ways of sending."""
        self.asker.request("$.A", b"q")
        self.asker.request("$.A", b"U", flags=URGENT)
        self.assertEqual([m.wants_reply for m in read(self.replier)], [True, True])
        self.assertEqual([m.wants_reply for m in read(self.other)], [False, False])
        self.assertEqual([m.wants_reply for m in read(self.asker)], [False, False])

    def test_the_asker_that_listens(self):
        sent = self.asker.request("$.A")
        read(self.asker)
        self.replier.reply(self.replier.next(), b"r")
        self.assertEqual([m.in_reply_to for m in read(self.asker)], [sent])
        self.assertEqual(data(self.replier), [b"r"])
        self.assertEqual(data(self.other), [b"", b"r"])

    def test_asking_itself(self):
        sent = self.replier.request("$.A", b"q")
        request = self.replier.next()
        self.assertTrue(request.wants_reply)
        self.assertIsNone(self.replier.next())
        self.replier.reply(request, b"r")
        self.assertEqual([m.in_reply_to for m in read(self.replier)], [sent])

    def test_the_quick_way(self):
        """Without listeners requests and replies count as what came last as well."""
        open_short_ways(self.bus)
        self.other.bind("$.Q", True)
        self.asker.unbind("$.*")
        self.replier.unbind("$.*")
        self.other.unbind("$.*")
        hot = self.asker.hot
        for flags in (0, STAGED):
            sent = hot.request(self.bus.name("$.Q"), b"", -1, flags)
            self.assertEqual((self.other.hot.in_net, self.other.hot.in_serial), (0, sent))
            answer = self.other.hot.reply(hot_take(self.other), b"")
            self.assertEqual((hot.in_net, hot.in_serial), (0, answer))
            read(self.asker)


if __name__ == "__main__":
    unittest.main()
