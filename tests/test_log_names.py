# SPDX-License-Identifier: MIT
"""Logs and views, urgent messages, names that take turns, and what a bus forgets."""

import unittest

from buses import ThreeCase, closed_clean, data, gaps, hot_take, make_bus
from hots import Bell, held, log_count, shown, taken, texts
from limpet import MessageView
from limpet.errors import EAGAIN
from limpet.rand import Random
from limpet.send import URGENT


def send(bus, ks, text, count=1, flags=0):
    """Announce with the hot layer; whether it is possible makes no difference."""
    for _ in range(count):
        ks.hot.announce(bus.find_name(text), b"x", -1, flags)


def run_out(bus, a, b, c):
    """Use all slots up for somebody who reads nothing."""
    bus.ksock().bind("$.C")
    send(bus, b, "$.C", 20)


def go_round(bus, a, b, c):
    """Let the log be renewed some times."""
    for _ in range(20):
        send(bus, c, "$.A")
        data(b)


def urgent(bus, a, b, c):
    send(bus, c, "$.A", 1, URGENT)


def ask(bus, a, b, c):
    bus.bind(a.hot, "$.D", True)
    c.hot.request(bus.find_name("$.D"), b"")


def watch_and_not(bus, a, b, c):
    a.hot.set_watch(Bell())
    send(bus, c, "$.A")
    a.hot.watch = None


def once_and_not(bus, a, b, c):
    a.hot.want_once(True)
    send(bus, c, "$.A")
    a.hot.want_once(False)


def other_name(bus, a, b, c):
    bus.bind(a.hot, "$.E", False)
    send(bus, c, "$.E", 3)


def limits(bus, a, b, c):
    a.hot.set_limit(1)
    send(bus, c, "$.A")
    a.hot.set_limit(30)


def listen_twice(bus, a, b, c):
    bus.bind(a.hot, "$.A", False)
    send(bus, c, "$.A")
    bus.unbind(a.hot, "$.A", False)


def forget_names(bus, a, b, c):
    for i in range(9):
        send(bus, c, "$.F%d" % i)


def unbind(bus, a, b, c):
    bus.unbind(a.hot, "$.A", False)


def nothing(bus, a, b, c):
    pass


DISTURBANCES = (
    run_out,
    go_round,
    urgent,
    ask,
    watch_and_not,
    once_and_not,
    other_name,
    limits,
    listen_twice,
    unbind,
    lambda bus, a, b, c: bus.usage(),
    forget_names,
    lambda bus, a, b, c: bus.unbind(b.hot, "$.A", False),
    lambda bus, a, b, c: b.close(),
    lambda bus, a, b, c: c.close(),
    lambda bus, a, b, c: b.hot.take(MessageView()),
    lambda bus, a, b, c: bus.ksock().bind("$.A"),
    nothing,
)


class TestViewed(unittest.TestCase):
    """What a view shows stays until its Ksock takes again, whatever happens meanwhile."""

    def scene(self, count):
        """Return a bus and a view that shows the message `count` of three in a log."""
        self.bus = bus = make_bus(slot_count=8, queue_size=6, name_count=4)
        self.a, self.b, self.c = a, b, c = [bus.ksock() for _ in range(3)]
        a.bind("$.A")
        b.bind("$.A")
        for i in range(3):
            c.announce("$.A", b"%d" % i)
        self.assertIs(a.hot.log, bus.find_name("$.A").log)
        view = MessageView()
        for _ in range(count):
            hot_take(a, view)
        return view

    def lived(self, disturb, then, count):
        view = self.scene(count)
        expected = b"%d" % (count - 1)
        disturb(self.bus, self.a, self.b, self.c)
        then(self.bus, self.a, self.b, self.c)
        self.assertEqual((shown(view), view.kind, view.name), (expected, 0, "$.A"))
        self.assertEqual(view.sender, self.c.id)
        rest = [d for d in texts(self.a) if d != b"x" and d]
        if unbind not in (disturb, then) and not self.a.hot.missed_total:
            self.assertEqual(rest, [b"1", b"2"][count - 1 :])
        self.assertNotIn(expected, rest)
        closed_clean(self, self.bus)

    def test_whatever_happens(self):
        """One thing, and then another one; at each place in the log."""
        for count in (1, 2, 3):
            for disturb in DISTURBANCES:
                for then in DISTURBANCES[:11]:
                    self.lived(disturb, then, count)

    def test_its_slot_comes_back_with_the_next_take(self):
        """Also when the next take finds nothing."""
        for disturb in (nothing, watch_and_not, once_and_not, unbind):
            view = self.scene(3)
            disturb(self.bus, self.a, self.b, self.c)
            data(self.b)
            while self.a.hot.take(view) >= 0:
                pass
            self.assertEqual(self.a.hot.take(view), -EAGAIN)
            self.assertEqual(self.bus.pool.free_count(), 8)
            closed_clean(self, self.bus)

    def test_released_twice(self):
        """It is given back once."""
        for disturb in (nothing, watch_and_not):
            self.scene(3)
            data(self.b)
            disturb(self.bus, self.a, self.b, self.c)
            for _ in range(3):
                self.a.hot.release()
            closed_clean(self, self.bus)

    def test_one_view_for_two_ksocks(self):
        """It shows what was taken last; either Ksock goes on in order."""
        view = self.scene(1)
        self.assertEqual([shown(hot_take(self.b, view)) for _ in range(2)], [b"0", b"1"])
        self.assertEqual(shown(hot_take(self.a, view)), b"1")
        self.assertEqual(shown(hot_take(self.b, view)), b"2")
        self.assertEqual(shown(hot_take(self.a, view)), b"2")
        self.assertEqual(self.b.hot.take(view), -EAGAIN)
        closed_clean(self, self.bus)

    def test_two_views_for_one_ksock(self):
        """Which one it takes into makes no difference; what was missed is told once."""
        self.scene(0)
        views = MessageView(), MessageView()
        for i in range(3):
            self.assertEqual(shown(hot_take(self.a, views[i % 2])), b"%d" % i)
        self.b.unbind("$.A")
        send(self.bus, self.c, "$.A", 9)
        got = [hot_take(self.a, views[i % 2]).missed for i in range(6)]
        self.c.announce("$.A", b"y")
        self.assertEqual((got, hot_take(self.a, views[0]).missed), ([0] * 6, 3))
        for _ in range(3):
            self.c.announce("$.A", b"z")
            self.assertEqual(hot_take(self.a, views[0]).missed, 0)
        closed_clean(self, self.bus)


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
