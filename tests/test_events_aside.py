# SPDX-License-Identifier: MIT
"""Unbind events of Ksocks that close: set aside for who is full, or lost and told so."""

import unittest

from buses import ThreeCase, closed_clean, hot_take, make_bus, read
from hots import Bell, held
from limpet import MessageView
from limpet.errors import EAGAIN, EBUSY
from limpet.events import BIND_EVENT, EVENTS_LOST
from limpet.send import ALL_OR_WAIT
from test_events import event


def told(ks):
    """Take everything; events as their name, others as the name of the message."""
    return [event(m.data)[2] if m.name == BIND_EVENT else m.name for m in read(ks)]


class Case(ThreeCase):
    """a listens to bind events with a place or two; b is replier and closes."""

    SIZES = {"event_count": 4}

    def setUp(self):
        super().setUp()
        self.a.hot.set_limit(1)
        self.a.bind(BIND_EVENT)

    def repliers(self, count, ks=None):
        """Bind $.R0 ... and report from then on."""
        for i in range(count):
            (ks or self.b).bind("$.R%d" % i, True)
        self.assertEqual(self.bus.report_binds(self.c.hot, True), 0)
        read(self.c)

    def counts(self, ks=None):
        hot = (ks or self.a).hot
        return hot.unread(), hot.aside, hot.message_count()

    def names(self, *numbers):
        return ["$.R%d" % i if isinstance(i, int) else EVENTS_LOST for i in numbers]


class TestSetAside(Case):
    """What a full listener has no room for comes as soon as it has some, in order."""

    def test_one_after_the_other(self):
        self.repliers(4)
        self.b.close()
        self.assertEqual(self.counts(), (1, 3, 4))
        for i in (3, 2, 1, 0):
            view = hot_take(self.a)
            self.assertEqual(event(bytes(view.data[: view.size])), (0, 2, "$.R%d" % i))
            self.assertEqual((view.missed, view.flags, view.sender), (0, 0x204, 0))
            self.assertEqual(self.counts(), ((1, i - 1, i) if i else (0, 0, 0)))
        self.assertEqual(self.a.hot.missed_total, 0)

    def test_their_numbers(self):
        """Are those of when they were told, not of when they come."""
        self.repliers(3)
        first = self.c.announce("$.Nobody")
        self.b.close()
        self.assertEqual([m.id_serial for m in read(self.a)], [first + i for i in (1, 2, 3)])

    def test_as_many_as_there_is_room_for(self):
        self.repliers(4)
        self.b.close()
        self.a.hot.set_limit(3)
        self.assertEqual(self.counts(), (3, 1, 4))
        self.assertEqual(told(self.a), self.names(3, 2, 1, 0))

    def test_later_events_queue_up_behind(self):
        """None overtakes those set aside, though there is room; a bind waits until they are in."""
        bus = make_bus(slot_count=4)
        a, b, c, d = [bus.ksock() for _ in range(4)]
        a.bind(BIND_EVENT)
        bus.report_binds(a.hot, True)
        b.bind("$.B", True)
        c.bind("$.C", True)
        read(a)
        for _ in range(2):
            d.request("$.B")  # takes two slots each
        c.close()
        self.assertEqual((a.hot.aside, a.hot.room()), (1, 16))
        self.assertEqual(len(read(b)), 2)
        self.assertEqual(bus.bind(d.hot, "$.D", True), -EAGAIN)
        b.close()
        self.assertEqual((a.hot.aside, a.hot.count), (2, 0))
        bus.poll(1)
        self.assertEqual((a.hot.aside, a.hot.count), (0, 2))
        self.assertEqual(told(a), ["$.C", "$.B"])
        closed_clean(self, bus)

    def test_other_listeners(self):
        """Each has its own; who has room gets it at once."""
        other = self.bus.ksock()
        other.bind("$.*")
        self.repliers(3)
        self.b.close()
        self.assertEqual((self.counts(), self.counts(other)), ((1, 2, 3), (3, 0, 3)))
        self.assertEqual(told(other), self.names(2, 1, 0))
        self.assertEqual(told(self.a), self.names(2, 1, 0))

    def test_by_what_they_came(self):
        """Unbinding takes what is there, and what is still to come."""
        self.repliers(3)
        self.b.close()
        hot_take(self.a)
        self.a.unbind(BIND_EVENT)
        self.assertEqual((self.counts(), told(self.a)), ((0, 0, 0), []))

    def test_a_link_that_unbinds(self):
        """What the far side has done can't be refused either: it is set aside."""
        self.bus.bind(self.c.hot, "$.Far", True, True)
        self.repliers(1)
        self.b.unbind("$.R0", True)
        self.assertEqual(self.counts(), (1, 0, 1))
        self.assertEqual(self.bus.unbind(self.c.hot, "$.Far", True), 0)
        self.assertEqual(self.counts(), (1, 1, 2))
        self.assertEqual(told(self.a), ["$.R0", "$.Far"])

    def test_while_it_listens_by_another_name(self):
        """They come by that; the newest binding at that time."""
        self.a.bind("$.*")
        self.a.hot.want_once(True)
        self.repliers(3)
        self.b.close()
        self.a.unbind("$.*")
        self.assertEqual(told(self.a), self.names(1, 0))
        self.a.bind("$.*")
        self.a.unbind(BIND_EVENT)
        self.assertEqual(told(self.a), [])

    def test_the_listener_closes(self):
        """Nothing is left of them."""
        self.repliers(3)
        self.b.close()
        used = held(self.bus)
        self.a.close()
        self.assertEqual(held(self.bus), used - 1)
        self.assertEqual(self.bus.pool.events._aside, [])

    def test_the_closing_one_listens(self):
        """It is told nothing of itself."""
        self.repliers(3, self.a)
        self.a.close()
        self.assertEqual((held(self.bus), self.bus.pool.events._aside), (0, []))

    def test_no_slot(self):
        """It comes with the next poll or read that finds one."""
        for polls in (True, False):
            bus = make_bus(slot_count=2)
            a, b, c = [bus.ksock() for _ in range(3)]
            a.bind(BIND_EVENT)
            bus.report_binds(a.hot, True)
            b.bind("$.B", True)
            c.bind("$.C", True)
            read(a)
            a.request("$.B")
            c.close()
            bus.poll(1)
            self.assertIsNone(a.next())
            self.assertEqual((a.hot.aside, a.hot.count), (1, 0))
            self.assertEqual(hot_take(b).wants_reply, True)
            b.hot.release()
            if polls:
                bus.poll(1)
                self.assertEqual((a.hot.aside, a.hot.count), (0, 1))
            self.assertEqual(told(a), ["$.C"])
            closed_clean(self, bus)

    def test_no_slot_for_take(self):
        """The same with the hot layer: what finds a slot is taken at once."""
        bus = make_bus(slot_count=2)
        a, b, c = [bus.ksock() for _ in range(3)]
        a.bind(BIND_EVENT)
        bus.report_binds(a.hot, True)
        b.bind("$.B", True)
        c.bind("$.C", True)
        read(a)
        a.request("$.B")
        c.close()
        view = MessageView()
        self.assertEqual(a.hot.take(view), -EAGAIN)
        self.assertEqual(bus.report_binds(a.hot, True), -EBUSY)  # these do not overtake it
        hot_take(b)
        b.hot.release()
        self.assertEqual(bus.report_binds(a.hot, True), -EBUSY)
        self.assertTrue(a.hot.take(view) > 0)
        self.assertEqual(event(bytes(view.data[: view.size])), (0, c.id, "$.C"))
        closed_clean(self, bus)

    def test_slots_of_the_one_that_closes(self):
        """Are free before its events are told."""
        bus = make_bus(slot_count=3)
        a, b, c = [bus.ksock() for _ in range(3)]
        a.bind(BIND_EVENT)
        bus.report_binds(a.hot, True)
        b.bind("$.B", True)
        c.bind("$.C", True)
        c.bind("$.D")
        read(a)
        a.hot.release()
        for _ in range(2):
            b.request("$.C")
            c.reply(c.next())
        b.announce("$.D")
        hot_take(c)
        self.assertEqual(held(bus), 3)
        b.close()
        self.assertEqual((a.hot.count, a.hot.aside), (1, 0))
        closed_clean(self, bus)

    def test_a_name_too_long_for_a_slot(self):
        """Is missed, though there is room."""
        bus = make_bus(slot_size=20)
        a, b = bus.ksock(), bus.ksock()
        b.bind("$.Long7", True)
        b.bind("$.Long78", True)
        b.bind("$.S", True)
        a.bind(BIND_EVENT)
        bus.report_binds(b.hot, True)
        a.hot.set_limit(1)
        b.close()
        self.assertEqual((a.hot.aside, a.hot.missed_total), (1, 1))
        got = [(m.missed, event(m.data)[2]) for m in read(a)]
        self.assertEqual(got, [(0, "$.S"), (1, "$.Long7")])
        closed_clean(self, bus)

    def test_watched(self):
        """Who watches is woken when they come, not before."""
        self.repliers(2)
        bell = Bell()
        self.b.close()
        self.a.hot.set_watch(bell)
        self.assertFalse(bell.rung())
        hot_take(self.a)
        self.assertTrue(bell.rung())
        self.a.hot.watch = None

    def test_a_sender_that_waits(self):
        """Has to wait for them, too."""
        self.repliers(2)
        self.b.close()
        name = self.bus.name(BIND_EVENT)
        self.assertEqual(self.c.hot.announce(name, b"", -1, ALL_OR_WAIT), -EAGAIN)
        hot_take(self.a)
        self.assertFalse(self.c.hot.poll_pending())
        hot_take(self.a)
        self.assertTrue(self.c.hot.poll_pending())
        self.c.hot.discard()
        read(self.a)


class TestLost(Case):
    """With event_count records set aside, who loses events is told once, behind those it has."""

    def test_one_listener(self):
        self.repliers(8)
        self.b.close()
        self.assertEqual(self.counts(), (1, 5, 6))
        got = read(self.a)
        expected = [BIND_EVENT] * 5 + [EVENTS_LOST]
        self.assertEqual([m.name for m in got], expected)
        self.assertEqual([event(m.data)[2] for m in got[:5]], self.names(7, 6, 5, 4, 3))
        lost = got[5]
        self.assertEqual((lost.data, lost.flags, lost.sender), (b"", 4, (0, 0)))
        self.assertEqual((lost.to, lost.in_reply_to, lost.missed), (0, 0, 0))

    def test_exactly_as_many(self):
        """At the limit nothing is lost."""
        self.repliers(5)
        self.b.close()
        self.assertEqual(told(self.a), self.names(4, 3, 2, 1, 0))

    def test_one_more(self):
        self.repliers(6)
        self.b.close()
        self.assertEqual(told(self.a), self.names(5, 4, 3, 2, 1, None))

    def test_two_listeners_share_the_limit(self):
        other = self.bus.ksock(1)
        other.bind(BIND_EVENT)
        self.repliers(8)
        before = self.c.announce("$.Nobody")
        self.b.close()
        self.assertEqual((self.counts(), self.counts(other)), ((1, 3, 4), (1, 3, 4)))
        after = self.c.announce("$.Nobody")
        self.assertEqual(after - before, 10)  # one number for the lost one, of both
        self.assertEqual(told(self.a), self.names(7, 6, 5, None))
        self.assertEqual(told(other), self.names(7, 6, 5, None))

    def come_and_go(self):
        """Bind and close as replier for $.D; only the unbind is told."""
        ks = self.bus.ksock()
        self.bus.report_binds(ks.hot, False)
        ks.bind("$.D", True)
        self.repliers(0)
        ks.close()

    def test_more_are_lost_until_all_have_come(self):
        """Also those of others, who are told so as well; then it begins anew."""
        other = self.bus.ksock(1)
        self.repliers(6)
        self.b.close()
        for _ in range(4):
            hot_take(self.a)
        self.assertEqual(self.counts(), (1, 1, 2))
        other.bind(BIND_EVENT)
        for _ in range(3):
            self.come_and_go()
        self.assertEqual((self.counts(), self.counts(other)), ((1, 1, 2), (1, 1, 2)))
        self.assertEqual(told(self.a), self.names(1, None))
        self.come_and_go()  # one record is left
        self.assertEqual(told(other), ["$.D", EVENTS_LOST])
        self.assertEqual(told(self.a), ["$.D"])
        for _ in range(2):
            self.come_and_go()
        self.assertEqual((told(self.a), told(other)), (["$.D", "$.D"],) * 2)
        for _ in range(9):  # and may be lost again
            self.come_and_go()
        expected = ["$.D"] * 3 + [EVENTS_LOST]
        self.assertEqual((told(self.a), told(other)), (expected, expected))

    def test_who_loses_nothing_is_not_told(self):
        """A listener with room gets all of them meanwhile."""
        other = self.bus.ksock()
        other.bind(BIND_EVENT)
        self.repliers(8)
        self.b.close()
        self.assertEqual(told(other), self.names(7, 6, 5, 4, 3, 2, 1, 0))
        self.assertEqual(told(self.a), self.names(7, 6, 5, 4, 3, None))

    def test_who_was_told_and_leaves(self):
        """Its records make room for others; who comes back begins anew."""
        self.repliers(6)
        self.b.close()
        self.a.unbind(BIND_EVENT)
        self.assertEqual((self.counts(), self.a.hot.loses), ((0, 0, 0), False))
        self.a.bind(BIND_EVENT)
        self.c.bind("$.C", True)
        self.c.close()
        self.assertEqual(told(self.a), ["$.C", "$.C"])

    def test_none_at_all(self):
        """With event_count 0 each that has no room gets the one that says so."""
        bus = make_bus(event_count=0)
        a, b = bus.ksock(1), bus.ksock()
        for i in range(4):
            b.bind("$.R%d" % i, True)
        a.bind(BIND_EVENT)
        bus.report_binds(b.hot, True)
        b.close()
        self.assertEqual(told(a), self.names(3, None))
        closed_clean(self, bus)


if __name__ == "__main__":
    unittest.main()
