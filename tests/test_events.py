# SPDX-License-Identifier: MIT
"""Bind events of the core: who is told of repliers, in which order, and what full listeners do."""

import struct
import unittest

from buses import ThreeCase, closed_clean, hot_take, make_bus, read
from hots import Bell
from limpet import BusError, MessageView, TooLarge
from limpet.core import Core
from limpet.errors import EADDRINUSE, EAGAIN, EBADF, EBUSY, EINVAL, EMSGSIZE, ENAMETOOLONG
from limpet.events import BIND_EVENT


def event(data):
    """Return (is_bind, binder, name) of an event's data, after a look at its padding."""
    is_bind, binder, size = struct.unpack("III", data[:12])
    if len(data) != 12 + 4 * ((size + 4) // 4) or data[12 + size :].strip(b"\0"):
        raise AssertionError("event data is %r" % (data,))
    return (is_bind, binder, data[12 : 12 + size].decode())


def events(ks):
    """Take everything; events as (is_bind, binder, name), other messages as their name."""
    return [event(m.data) if m.name == BIND_EVENT else m.name for m in read(ks)]


class Case(ThreeCase):
    """a listens to bind events, which are reported; b and c bind."""

    SIZES = {"queue_size": 4}

    def setUp(self):
        super().setUp()
        self.a.bind(BIND_EVENT)
        self.assertEqual(self.bus.report_binds(self.c.hot, True), 0)

    def full(self, limit=1):
        """Return a listener to events that has no room, and is no Ksock of the others."""
        ks = self.bus.ksock(limit)
        ks.bind(BIND_EVENT)
        ks.bind("$.Full")
        for _ in range(limit):
            self.assertTrue(self.c.hot.announce(self.bus.name("$.Full"), b"") > 0)
        return ks

    def bound(self, text):
        return self.bus.find_replier(text)


class TestOrder(Case):
    """Each replier's bind and unbind is told, in order, to all who listen to the event's name."""

    def test_each_once(self):
        self.b.bind("$.X", True)
        self.c.bind("$.X.*", True)
        self.b.unbind("$.X", True)
        b, c = self.b.id, self.c.id
        self.assertEqual(events(self.a), [(1, b, "$.X"), (1, c, "$.X.*"), (0, b, "$.X")])

    def test_by_any_pattern(self):
        for text in ("$.*", "$.KBUS.*", "$.KBUS.%"):
            ks = self.bus.ksock()
            ks.bind(text)
            self.b.bind("$.X", True)
            self.b.unbind("$.X", True)
            expected = [(1, self.b.id, "$.X"), (0, self.b.id, "$.X")]
            self.assertEqual((events(ks), events(self.a)), (expected, expected))
            ks.close()

    def test_the_binder_hears_it_too(self):
        """Before the change: its own binding hears of it."""
        self.a.bind("$.X", True)
        self.a.unbind("$.X", True)
        self.assertEqual(events(self.a), [(1, self.a.id, "$.X"), (0, self.a.id, "$.X")])

    def test_a_close_tells_the_newest_first(self):
        for text in ("$.X", "$.Y.*", "$.Z"):
            self.b.bind(text, True)
        self.b.bind("$.L")
        events(self.a)
        self.b.close()
        self.assertEqual(events(self.a), [(0, self.b.id, t) for t in ("$.Z", "$.Y.*", "$.X")])

    def test_fields(self):
        """Of the bus, to nobody in particular; each has a number, also one that nobody gets."""
        self.a.bind("$.A")
        for _ in range(2 * self.bus.pool.count):  # no slot is new any more
            self.c.announce("$.A")
            read(self.a)
        first = self.c.announce("$.Nobody")
        self.b.bind("$.X", True)
        view = hot_take(self.a)
        self.assertEqual((view.name, view.kind, view.flags), (BIND_EVENT, 0, 0x204))
        self.assertEqual((view.sender, view.to, view.user, view.carry), (0, 0, 0, None))
        self.assertEqual((view.id_net, view.id_serial), (0, first + 1))
        self.assertEqual((view.in_reply_to_serial, view.wants_reply), (0, False))
        self.a.unbind(BIND_EVENT)
        self.b.unbind("$.X", True)
        self.assertEqual(self.c.announce("$.Nobody"), first + 3)

    def test_all_lengths(self):
        """At least one NUL behind the name, up to a multiple of four."""
        for size in range(1, 9):
            self.b.bind("$." + "x" * size, True)
            view = hot_take(self.a)
            self.assertEqual(view.size, 12 + (size + 2) // 4 * 4 + 4)
            self.assertEqual(event(bytes(view.data[: view.size]))[2], "$." + "x" * size)

    def test_not_told(self):
        """Listeners, what fails, and all while it is off."""
        self.b.bind("$.X", True)
        events(self.a)
        self.b.bind("$.L")
        self.b.unbind("$.L")
        self.assertEqual(self.bus.bind(self.c.hot, "$.X", True), -EADDRINUSE)
        self.assertEqual(self.bus.unbind(self.c.hot, "$.X", True), -EINVAL)
        self.assertEqual(self.bus.bind(self.c.hot, "$." + "x" * 999, True), -ENAMETOOLONG)
        self.assertTrue(self.bus.reporting)
        self.assertEqual(self.bus.report_binds(self.a.hot, False), 0)
        self.assertFalse(self.bus.reporting)
        self.c.bind("$.Y", True)
        self.c.unbind("$.Y", True)
        self.c.close()
        self.assertEqual(events(self.a), [])

    def test_who_listens_is_watched(self):
        bell = Bell()
        self.a.hot.set_watch(bell)
        self.b.bind("$.X", True)
        self.assertTrue(bell.rung())
        self.a.hot.watch = None

    def test_once(self):
        """One copy for several bindings."""
        self.a.hot.want_once(True)
        self.a.bind("$.*")
        self.b.bind("$.X", True)
        self.assertEqual(events(self.a), [(1, self.b.id, "$.X")])
        self.b.close()
        self.assertEqual(events(self.a), [(0, 2, "$.X")])

    def test_two_copies_for_two_bindings(self):
        """Each belongs to its own."""
        self.a.bind("$.*")
        self.b.bind("$.X", True)
        self.b.close()
        self.a.unbind("$.*")
        self.assertEqual(events(self.a), [(1, 2, "$.X"), (0, 2, "$.X")])


class TestReplay(Case):
    """Turning reports on tells who asks, and nobody else, of each replier, the newest first."""

    def setUp(self):
        super().setUp()
        self.b.bind("$.X", True)
        self.c.bind("$.Y.*", True)
        self.b.bind("$.L")
        self.b.bind("$.Z", True)
        events(self.a)
        self.all = [(1, 2, "$.Z"), (1, 3, "$.Y.*"), (1, 2, "$.X")]

    def test_each_time(self):
        for _ in range(2):
            self.assertEqual(self.bus.report_binds(self.b.hot, True), 0)
            self.assertEqual((events(self.b), events(self.a)), (self.all, []))

    def test_unbinding_does_not_take_them(self):
        """They were not brought by a binding."""
        self.assertEqual(self.bus.report_binds(self.a.hot, True), 0)
        self.a.unbind(BIND_EVENT)
        self.assertEqual(events(self.a), self.all)

    def test_no_room(self):
        """EBUSY; what fitted stays, and reporting is on."""
        self.assertEqual(self.bus.report_binds(self.a.hot, False), 0)
        self.c.hot.set_limit(2)
        self.assertEqual(self.bus.report_binds(self.c.hot, True), -EBUSY)
        self.assertTrue(self.bus.reporting)
        self.assertEqual(events(self.c), self.all[:2])
        self.c.hot.set_limit(3)
        self.assertEqual(self.bus.report_binds(self.c.hot, True), 0)

    def test_no_slot(self):
        """EBUSY as well."""
        bus = make_bus(slot_count=4)
        a, b = bus.ksock(), bus.ksock()
        for text in ("$.X", "$.Y", "$.Z"):
            a.bind(text, True)
        b.request("$.X")
        self.assertEqual(bus.report_binds(b.hot, True), 0)  # the third drops the first
        self.assertEqual([m.missed for m in read(b)], [1, 0])
        a.request("$.X")
        self.assertEqual(bus.report_binds(b.hot, True), -EBUSY)
        self.assertEqual(read(b), [])
        closed_clean(self, bus)

    def test_closed(self):
        """EBADF, and nothing is switched."""
        self.b.close()
        for on in (False, True):
            self.assertEqual(self.bus.report_binds(self.b.hot, on), -EBADF)
        self.assertTrue(self.bus.reporting)

    def test_off_before_it_was_ever_on(self):
        core = Core()
        hot = core.open()
        self.assertEqual((core.report_binds(hot, False), core.reporting), (0, False))
        self.assertIsNone(core.pool.events)
        core.shut(hot)

    def test_names_too_long_for_a_slot(self):
        """Are missed, and the next message says so."""
        self.bus.report_binds(self.a.hot, False)
        self.c.bind("$." + "l" * 113, True)
        self.c.bind("$." + "k" * 114, True)
        self.assertEqual(self.bus.report_binds(self.a.hot, True), 0)
        got = read(self.a)
        self.assertEqual(got[0].missed, 1)
        self.assertEqual(
            [event(m.data)[2] for m in got], ["$." + "l" * 113, "$.Z", "$.Y.*", "$.X"]
        )


class TestFull(Case):
    """Binding needs room at all who listen; without it nothing happens and nobody is told."""

    def test_eagain(self):
        self.b.bind("$.X", True)
        events(self.a)
        full = self.full()
        before = self.c.announce("$.Nobody")
        version = self.bus.bindings.version
        self.assertEqual(self.bus.bind(self.b.hot, "$.Y", True), -EAGAIN)
        self.assertEqual(self.bus.unbind(self.b.hot, "$.X", True), -EAGAIN)
        self.assertEqual((self.bound("$.X"), self.bound("$.Y")), (self.b.id, 0))
        self.assertEqual(self.bus.bindings.version, version)
        self.assertEqual(self.c.announce("$.Nobody"), before + 3)  # each event had its number
        with self.assertRaises(BusError) as caught:
            self.b.bind("$.Y", True)
        self.assertEqual(caught.exception.errno, EAGAIN)
        self.assertEqual((events(self.a), events(full)), ([], ["$.Full"]))
        self.b.bind("$.Y", True)
        self.assertEqual((events(self.a), events(full)), ([(1, self.b.id, "$.Y")],) * 2)

    def test_what_is_wrong_comes_first(self):
        self.b.bind("$.X", True)
        self.full()
        self.assertEqual(self.bus.bind(self.a.hot, "$.X", True), -EADDRINUSE)
        self.assertEqual(self.bus.unbind(self.a.hot, "$.X", True), -EINVAL)
        self.assertEqual(self.bus.bind(self.a.hot, "$.L", False), 0)
        self.assertEqual(self.bus.unbind(self.a.hot, "$.L", False), 0)

    def test_no_slot(self):
        """EAGAIN if none can be taken back."""
        bus = make_bus(slot_count=4)
        a, b = bus.ksock(), bus.ksock()
        a.bind(BIND_EVENT)
        bus.report_binds(a.hot, True)
        b.bind("$.X", True)
        for _ in range(2):
            a.request("$.X")
        self.assertEqual(bus.bind(b.hot, "$.Y", True), -EAGAIN)
        self.assertEqual(bus.find_replier("$.Y"), 0)
        closed_clean(self, bus)

    def test_a_slot_of_what_is_unread_in_a_log(self):
        """The oldest message goes for an event, as for any other."""
        bus = make_bus(slot_count=4)
        a, b, c = [bus.ksock() for _ in range(3)]
        for ks in (a, c):
            ks.bind("$.A")
        a.bind(BIND_EVENT)
        bus.report_binds(a.hot, True)
        for _ in range(4):
            b.announce("$.A")
        b.bind("$.X", True)
        self.assertEqual(([m.missed for m in read(c)], len(read(a))), ([1, 0, 0], 4))
        closed_clean(self, bus)

    def test_a_name_too_long_for_a_slot(self):
        """EMSGSIZE if anybody listens: it could never be told."""
        for size, code in ((113, 0), (114, -EMSGSIZE)):
            self.assertEqual(self.bus.bind(self.b.hot, "$." + "x" * size, True), code)
        self.assertRaises(TooLarge, self.b.bind, "$." + "x" * 114, True)
        self.assertEqual(len(read(self.a)), 1)
        self.a.unbind(BIND_EVENT)
        self.b.bind("$." + "x" * 114, True)
        self.a.bind(BIND_EVENT)
        self.assertEqual(self.bus.unbind(self.b.hot, "$." + "x" * 114, True), -EMSGSIZE)
        self.b.close()  # the newest first
        self.c.announce(BIND_EVENT, b"")
        got = read(self.a)
        self.assertEqual([(m.missed, len(m.data)) for m in got], [(1, 128), (0, 0)])

    def test_one_too_long_for_who_is_on_a_log(self):
        """The next message tells, also by the quick way of taking."""
        self.a.hot.set_limit(9)
        self.a.bind("$.A")
        for _ in range(2):
            self.c.hot.announce(self.name, b"")
        view = MessageView()
        for _ in range(2):
            hot_take(self.a, view)
        self.assertIs(self.a.hot.log, self.name.log)
        self.a.unbind(BIND_EVENT)
        self.b.bind("$." + "x" * 114, True)
        self.a.bind(BIND_EVENT)
        self.c.hot.announce(self.name, b"")
        hot_take(self.a, view)
        self.b.close()
        self.assertEqual(self.a.hot.missed_next, 1)
        missed = []
        for _ in range(2):
            self.c.hot.announce(self.name, b"")
            missed.append(hot_take(self.a, view).missed)
        self.assertEqual(missed, [1, 0])

    def test_links(self):
        """They need no room: what they lose, they tell."""
        self.a.unbind(BIND_EVENT)
        link = self.bus.ksock(1)
        self.bus.bind(link.hot, BIND_EVENT, False, True)
        for text in ("$.X", "$.Y"):
            self.assertEqual(self.bus.bind(self.b.hot, text, True), 0)
        self.b.close()
        self.assertEqual((link.hot.missed_total, link.hot.aside), (3, 0))
        self.assertEqual(events(link), [(1, 2, "$.X")])

    def test_events_wait_for_nobody(self):
        """What is bound by a link is told as all others."""
        self.assertEqual(self.bus.bind(self.b.hot, "$.X", True, True), 0)
        self.assertEqual(events(self.a), [(1, self.b.id, "$.X")])


if __name__ == "__main__":
    unittest.main()
