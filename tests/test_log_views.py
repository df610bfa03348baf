# SPDX-License-Identifier: MIT
"""What a view shows, out of a log or not, stays there until its Ksock takes again."""

import unittest

from buses import closed_clean, data, hot_take, make_bus
from hots import Bell, shown, texts
from limpet import MessageView
from limpet.errors import EAGAIN
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

    def test_after_a_release(self):
        """What is taken then stays as well."""
        view = self.scene(2)
        self.a.hot.release()
        self.assertEqual(shown(hot_take(self.a, view)), b"2")
        go_round(self.bus, self.a, self.b, self.c)
        run_out(self.bus, self.a, self.b, self.c)
        self.assertEqual(shown(view), b"2")
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


if __name__ == "__main__":
    unittest.main()
