# SPDX-License-Identifier: MIT
"""Logs: urgent messages, names that take turns, and what a bus forgets."""

import unittest

from buses import ThreeCase, closed_clean, data, gaps, hot_take, make_bus, read
from hots import Bell, held, log_count, shown, taken, texts
from limpet import MessageView
from limpet.rand import Random
from limpet.send import URGENT


class TestUrgent(ThreeCase):
    """An urgent message is in front of what is unread in a log; the rest keeps its order."""

    SIZES = {"queue_size": 6}

    def setUp(self):
        super().setUp()
        for ks in (self.a, self.b):
            ks.bind("$.A")

    def send(self, *texts):
        for text in texts:
            self.c.hot.announce(self.name, text, -1, URGENT if text.isupper() else 0)

    def test_among_others(self):
        self.send(b"1", b"2", b"3")
        hot_take(self.a)
        self.send(b"U", b"4", b"V", b"5")
        self.assertEqual(texts(self.a), [b"V", b"U", b"2", b"3", b"4", b"5"])
        self.assertEqual(data(self.b), [b"V", b"U", b"1", b"2", b"3", b"4"])
        self.send(b"6", b"7")
        self.assertEqual(gaps(self.b), [(1, b"6"), (0, b"7")])
        self.assertEqual(taken(self.a), [(0, b"6"), (0, b"7")])

    def test_first_and_last(self):
        self.send(b"U", b"1", b"2", b"3", b"4", b"5", b"V")
        self.assertEqual(taken(self.a), [(0, d) for d in (b"U", b"1", b"2", b"3", b"4", b"5")])
        self.send(b"W", b"6")
        self.assertEqual(taken(self.a), [(1, b"W"), (0, b"6")])

    def test_what_was_missed_behind_unread_ones(self):
        """It is told by what comes behind them, not by the urgent one in front."""
        self.send(*[b"%d" % i for i in range(8)])
        hot_take(self.a)
        self.send(b"U", b"V", b"8")
        expected = [(0, b"U")] + [(0, b"%d" % i) for i in range(1, 6)]
        self.assertEqual(taken(self.a), expected)
        self.send(b"9")
        self.assertEqual(taken(self.a), [(4, b"9")])


class TestTurns(ThreeCase):
    """Names with different listeners take turns; each Ksock sees all in the order of the sends."""

    SIZES = {"queue_size": 64, "slot_count": 128}

    def test_many_turns(self):
        self.a.bind("$.*")
        self.b.bind("$.A")
        self.c.bind("$.B")
        self.b.bind("$.C")
        self.c.bind("$.C")
        wanted = {"A": (self.a, self.b), "B": (self.a, self.c), "D": (self.a,)}
        wanted["C"] = (self.a, self.b, self.c)
        sender = self.bus.ksock()
        waits = {ks: [] for ks in (self.a, self.b, self.c)}
        random = Random(7)
        for i in range(400):
            word = "ABCD"[random.below(4)] if random.below(3) else "A"
            for _ in range(1 + random.below(4)):
                text = b"%d" % i + word.encode()
                sender.announce("$." + word, text)
                for ks in wanted[word]:
                    waits[ks].append(text)
            for ks in waits:
                reads = 99 if ks.hot.room() < 9 else random.below(6)
                while reads and waits[ks]:
                    reads -= 1
                    self.assertEqual(shown(hot_take(ks)), waits[ks].pop(0))
        for ks in waits:
            self.assertEqual(texts(ks), waits[ks])
            self.assertEqual(ks.hot.missed_total, 0)

    def test_one_view_all_the_time(self):
        """What comes otherwise between messages of a log is read between them."""
        self.a.bind("$.A")
        self.a.bind("$.R", True)
        self.a.bind("$.S")
        self.b.bind("$.R2", True)
        view, other = MessageView(), MessageView()
        name, asked = self.bus.name("$.A"), self.bus.name("$.R")
        ways = (
            lambda: self.c.hot.announce(self.bus.name("$.S"), b"2"),
            lambda: self.c.hot.request(asked, b"2"),
            lambda: self.c.hot.request(asked, b"2", 1),
            lambda: self.b.hot.reply(hot_take(self.b, other), b"2"),
            lambda: self.b.hot.reply(hot_take(self.b, other), b"2", 1),
            lambda: self.b.unbind("$.R2", True),
            lambda: (self.c.hot.announce(name, b"2"), self.a.bind("$.Y")),
            lambda: (self.c.hot.announce(name, b"2"), self.bus.usage()),
        )
        for i in range(64):
            self.a.request("$.R2", deadline_ms=None)
            for text in (b"0", b"1"):
                self.c.hot.announce(name, text)
                self.assertEqual(shown(hot_take(self.a, view)), text)
            self.assertIs(self.a.hot.log, name.log)
            ways[i % 8]()
            for text in (b"3", b"4"):
                self.c.hot.announce(name, text)
            got = [shown(hot_take(self.a, view)) for _ in range(3)]
            self.assertEqual(got, [b"" if i % 8 == 5 else b"2", b"3", b"4"])
            if i % 8 == 5:
                self.b.bind("$.R2", True)
            if i % 8 == 6:
                self.a.unbind("$.Y")
            read(self.b)
            self.bus.answers.end_read(self.b.hot, 10)
            self.bus.answers.end_read(self.a.hot, 10)
            read(self.c)
            while self.a.hot.unread():
                hot_take(self.a, view)

    def test_who_hears_a_log_twice_running_joins_it(self):
        """It is on the log that it hears; the others' stay as they are."""
        self.a.bind("$.*")
        self.b.bind("$.A")
        names = [self.bus.name(text) for text in ("$.A", "$.B")]
        for name in names + names:
            for _ in range(3):
                self.c.hot.announce(name, b"x")
            self.assertIs(self.a.hot.log, name.log)
            self.assertIs(self.b.hot.log, names[0].log)
        self.assertEqual((len(taken(self.a)), len(taken(self.b))), (12, 6))

    def test_names_with_the_same_listeners_share_a_log(self):
        self.a.bind("$.*")
        self.b.bind("$.A")
        self.b.bind("$.B")
        names = [self.bus.name(text) for text in ("$.A", "$.B", "$.C")]
        self.assertIs(names[0].log, names[1].log)
        self.assertIsNot(names[0].log, names[2].log)
        for i in range(6):
            self.c.hot.announce(names[i % 2], b"%d" % i)
        self.assertIs(self.a.hot.log, names[0].log)
        self.assertEqual(texts(self.a), [b"%d" % i for i in range(6)])
        self.assertEqual(data(self.b), [b"%d" % i for i in range(6)])


class TestTheirBindings(ThreeCase):
    """Each message, read in a log or not, belongs to the binding that brought it."""

    def setUp(self):
        super().setUp()
        for ks in (self.a, self.b):
            ks.bind("$.A")

    def announce(self, first, after, name="$.A"):
        for i in range(first, after):
            self.c.announce(name, b"%d" % i)

    def numbers(self, first, after):
        return [b"%d" % i for i in range(first, after)]

    def test_unbinding_takes_what_is_unread_in_a_log(self):
        self.announce(0, 3)
        self.assertIs(self.b.hot.log, self.name.log)
        self.a.unbind("$.A")
        self.assertEqual((texts(self.a), data(self.b)), ([], self.numbers(0, 3)))

    def test_a_new_binding_does_not_take_over_what_came_before(self):
        self.announce(0, 2)
        self.assertIs(self.a.hot.log, self.name.log)
        self.a.bind("$.A")
        self.announce(2, 3)
        self.a.unbind("$.A")  # the newer one
        self.assertEqual(texts(self.a), self.numbers(0, 3))
        self.announce(3, 5)
        self.a.unbind("$.A")
        self.assertEqual(texts(self.a), [])

    def test_another_pattern_takes_only_its_own(self):
        self.a.unbind("$.A")
        self.a.bind("$.*")
        self.announce(0, 2)
        self.announce(2, 4, "$.B")
        self.a.bind("$.A")
        self.a.unbind("$.*")
        self.assertEqual(texts(self.a), [])
        self.announce(4, 6)
        self.assertEqual(texts(self.a), self.numbers(4, 6))


class TestForgotten(unittest.TestCase):
    """A log goes with the last name that uses it, and leaves nothing behind."""

    def test_ksocks_come_and_go(self):
        bus = make_bus()
        stays = bus.ksock()
        stays.bind("$.*")
        sender = bus.ksock()
        for i in range(200):
            ks = bus.ksock()
            ks.bind("$.A%d" % (i % 3))
            if i % 4 == 0:
                ks.bind("$.*")
            for j in range(3):
                sender.announce("$.A%d" % ((i + j) % 3), b"x")
            if i % 2:
                taken(ks)
            if i % 5:
                data(stays)
            ks.close()
            self.assertTrue(log_count(bus) <= 2, i)
            self.assertTrue(len(bus.bindings._logs) <= 2, i)
        stays.close()
        self.assertEqual((log_count(bus), len(bus.bindings._logs)), (0, 0))
        self.assertEqual(held(bus), 0)
        closed_clean(self, bus)

    def test_names_and_bindings_come_and_go(self):
        """Nor is anything left of names that were bound."""
        bus = make_bus(name_count=4)
        ks = bus.ksock()
        for i in range(50):
            ks.bind("$.N%d" % i, i % 2 == 0)
            ks.announce("$.N%d" % i)
            ks.unbind("$.N%d" % i, i % 2 == 0)
        self.assertEqual((len(bus.bindings._exact), len(bus.bindings._logs)), (0, 0))
        closed_clean(self, bus)

    def test_in_any_order(self):
        """Those that stay give their slots back, whichever goes."""
        for gone in range(4):
            bus = make_bus(slot_count=8)
            ksocks = [bus.ksock() for _ in range(4)]
            for i in range(4):
                ksocks[i].bind("$.A%d" % i)
            for i in range(8):
                bus.ksocks[0].announce("$.A%d" % (i % 4), b"%d" % i)
            self.assertEqual(log_count(bus), 4)
            ksocks[gone].unbind("$.A%d" % gone)
            self.assertEqual(log_count(bus), 3)
            left = [i for i in range(4) if i != gone]
            for i in left + left:
                bus.ksocks[0].announce("$.A%d" % i, b"x")
            for i in left:
                first = [(2, b"x")] if i == left[0] else [(1, b"%d" % (i + 4)), (0, b"x")]
                self.assertEqual(taken(ksocks[i]), first + [(0, b"x")])
            self.assertEqual(bus.pool.dropped, 4)
            closed_clean(self, bus)

    def test_nobody_on_the_log(self):
        """Messages for those who are watched only are in no log; their slots come back at once."""
        bus = make_bus()
        a, b = bus.ksock(), bus.ksock()
        a.bind("$.A")
        for _ in range(3):
            b.announce("$.A")
        self.assertEqual((len(taken(a)), held(bus)), (3, 3))
        a.hot.set_watch(Bell())
        b.announce("$.A")
        taken(a)
        a.hot.release()
        bus.usage()
        for _ in range(5):
            b.announce("$.A")
        self.assertEqual(held(bus), 5)
        taken(a)
        a.hot.release()
        self.assertEqual((held(bus), log_count(bus)), (0, 0))
        closed_clean(self, bus)

    def test_bindings_come_and_go(self):
        bus = make_bus()
        a, b, c = [bus.ksock() for _ in range(3)]
        for i in range(200):
            (a, b)[i % 2].bind("$.A")
            c.announce("$.A", b"%d" % i)
            c.announce("$.A", b"%d" % i)
            if i:
                (b, a)[i % 2].unbind("$.A")
            self.assertEqual(len(bus.bindings._logs), 1)
        self.assertEqual(data(b), [b"199"] * 2)
        closed_clean(self, bus)


class TestForgottenNames(unittest.TestCase):
    """A name that a full table has given up while its messages are unread, changes nothing."""

    def setUp(self):
        self.bus = make_bus(name_count=2)
        self.a, self.b, self.c = [self.bus.ksock() for _ in range(3)]

    def tearDown(self):
        closed_clean(self, self.bus)
        self.assertEqual((len(self.bus.bindings._logs), log_count(self.bus)), (0, 0))

    def send(self):
        for i in range(6):
            self.c.announce("$.A%d" % i, b"%d" % i)
            self.c.announce("$.A%d" % i, b"%d" % i)
        self.assertEqual(len(self.bus.bindings.names), 2)

    def test_they_are_read(self):
        self.a.bind("$.*")
        self.send()
        for i in range(6):
            for _ in range(2):
                view = hot_take(self.a)
                self.assertEqual((view.name, shown(view)), ("$.A%d" % i, b"%d" % i))

    def test_unbinding_takes_them(self):
        """Just those that it brought."""
        self.a.bind("$.*")
        self.b.bind("$.A3")
        self.b.bind("$.A4")
        self.send()
        self.b.bind("$.*")
        self.b.unbind("$.A3")
        self.a.unbind("$.*")
        self.assertEqual((texts(self.a), texts(self.b)), ([], [b"4", b"4"]))

    def test_a_name_in_use_comes_back(self):
        """Its second life goes on where the first has ended."""
        self.a.bind("$.A1")
        for _ in range(3):
            self.send()
        self.assertEqual(texts(self.a), [b"1"] * 6)


if __name__ == "__main__":
    unittest.main()
