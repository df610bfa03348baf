# SPDX-License-Identifier: MIT
"""limpet.kbus: bind events, and those that are set aside when a replier closes."""

import struct
import unittest

from kbus_cases import (
    EADDRINUSE,
    EAGAIN,
    EBADMSG,
    EBUSY,
    EINVAL,
    EVENT,
    LOST,
    KbusCase,
    events,
    names,
)
from limpet.kbus import Announcement, Message


class TestReporting(KbusCase):
    def test_the_flag(self):
        """Off at first; one for the bus; each call tells what was; it outlives its setter."""
        one, other = self.open("r"), self.open()
        self.assertEqual(one.report_replier_binds(True, True), 0)
        self.assertEqual(one.report_replier_binds(False, True), 0)
        self.assertEqual(one.report_replier_binds(True), 0)
        one.close()
        self.assertEqual(other.report_replier_binds(False, True), 1)
        self.assertEqual(other.report_replier_binds(), 1)
        self.assertEqual(other.report_replier_binds(False), 1)
        self.assertEqual(other.report_replier_binds(just_ask=True), 0)

    def test_told(self):
        """Who binds what as replier, and gives it up, to all who listen."""
        heard = [self.listener(name) for name in (EVENT, "$.*", "$.KBUS.%", "$.Fred")]
        heard[0].report_replier_binds(True)
        ks = self.replier("$.Fred", "$.Jim.*")
        ks.unbind("$.Fred", True)
        who = ks.ksock_id()
        expected = [(1, who, "$.Fred"), (1, who, "$.Jim.*"), (0, who, "$.Fred")]
        self.assertEqual([events(listener) for listener in heard], [expected] * 3 + [[]])

    def test_the_binder_hears_it(self):
        ks = self.listener(EVENT)
        ks.report_replier_binds(True)
        ks.bind("$.Fred", True)
        ks.unbind("$.Fred", True)
        who = ks.ksock_id()
        self.assertEqual(events(ks), [(1, who, "$.Fred"), (0, who, "$.Fred")])

    def test_not_told(self):
        """Listeners' bindings, what fails, and anything while it is off."""
        ks, other = self.listener(EVENT), self.replier("$.Fred")
        ks.report_replier_binds(True)
        names(ks)
        other.bind("$.Jim")
        other.unbind("$.Jim")
        self.fails(EADDRINUSE, other.bind, "$.Fred", True)
        self.fails(EINVAL, other.unbind, "$.Jim", True)
        self.fails(EBADMSG, other.bind, "$.", True)
        self.fails(EBADMSG, other.bind, EVENT, True)
        ks.report_replier_binds(False)
        other.bind("$.Jim", True)
        other.close()
        self.assertEqual(names(ks), [])

    def test_fields(self):
        """A message of the bus to nobody in particular, all or nothing, its numbers native."""
        for name in ("$.a", "$.ab", "$.abc", "$.abcd"):
            ks = self.listener(EVENT)
            ks.report_replier_binds(True)
            before = self.number()
            other = self.replier(name)
            who = other.ksock_id()
            got = [message for message in ks][-1]
            self.assertEqual((got.id.serial_num, got.id.network_id), (before + 1, 0))
            self.assertEqual((got.from_, got.to, got.in_reply_to), (0, 0, None))
            self.assertEqual(got.flags, Message.SYNTHETIC | Message.ALL_OR_FAIL)
            self.assertEqual(type(got.cast()), Announcement)
            self.assertEqual(struct.unpack("III", got.data[:12]), (1, who, len(name)))
            self.assertEqual(got.data[12:].rstrip(b"\0"), name.encode())
            self.assertEqual(len(got.data) % 4, 0)
            other.close()
            ks.close()


class TestFullListeners(KbusCase):
    def setUp(self):
        super().setUp()
        self.hears = self.listener(EVENT)
        self.binder = self.replier("$.Jim")
        self.hears.report_replier_binds(True)
        names(self.hears)

    def test_all_or_nothing(self):
        """EAGAIN, and neither bound nor unbound; nobody is told."""
        full = self.full(EVENT)
        self.fails(EAGAIN, self.binder.bind, "$.Fred", True)
        self.assertEqual(self.binder.find_replier("$.Fred"), None)
        self.fails(EAGAIN, self.binder.unbind, "$.Jim", True)
        self.assertEqual(self.binder.find_replier("$.Jim"), self.binder.ksock_id())
        self.assertEqual((names(self.hears), names(full)), ([], ["$.Full"]))
        self.binder.bind("$.Fred", True)
        self.assertEqual(names(full), [EVENT])
        self.binder.unbind("$.Jim", True)
        self.assertEqual((self.hears.num_messages(), names(full)), (2, [EVENT]))

    def test_order_of_checks(self):
        """EADDRINUSE and EINVAL come first."""
        self.full(EVENT)
        self.fails(EADDRINUSE, self.hears.bind, "$.Jim", True)
        self.fails(EINVAL, self.hears.unbind, "$.Jim", True)

    def test_listeners_may_bind(self):
        """Only repliers' bindings are told."""
        self.full(EVENT)
        self.binder.bind("$.Fred")
        self.binder.unbind("$.Fred")

    def test_a_number_is_used(self):
        """Also by an event that nobody gets."""
        self.full(EVENT)
        before = self.number()
        self.fails(EAGAIN, self.binder.bind, "$.Fred", True)
        self.assertEqual(self.number(), before + 2)

    def test_off(self):
        """Without reporting nobody needs room."""
        self.full(EVENT)
        self.hears.report_replier_binds(False)
        self.binder.bind("$.Fred", True)


class TestTurningOn(KbusCase):
    def setUp(self):
        super().setUp()
        self.binder = self.replier("$.A", "$.B.*", "$.C")
        self.binder.bind("$.Fred")
        who = self.binder.ksock_id()
        self.all = [(1, who, name) for name in ("$.C", "$.B.*", "$.A")]

    def test_what_there_is(self):
        """The bindings that are there, the newest first, to who asks, listening or not."""
        asker, listener = self.open(), self.listener(EVENT)
        asker.report_replier_binds(True)
        self.assertEqual((events(asker), events(listener)), (self.all, []))
        listener.report_replier_binds(True)  # it is on already
        self.assertEqual((events(asker), events(listener)), ([], self.all))

    def test_only_then(self):
        asker = self.open()
        asker.report_replier_binds(True, True)
        asker.report_replier_binds(False)
        self.assertEqual(names(asker), [])

    def test_too_many(self):
        """EBUSY: what fits is told, and reporting is on."""
        asker = self.limited(2)
        self.fails(EBUSY, asker.report_replier_binds, True)
        self.assertEqual(asker.report_replier_binds(just_ask=True), 1)
        self.assertEqual(events(asker), self.all[:2])


class TestSetAside(KbusCase):
    """Closing cannot fail: what a full listener cannot take is kept for it, up to a number."""

    SIZES = {"event_count": 10, "slot_count": 80}

    def setUp(self):
        super().setUp()
        self.closing = self.replier(*["$.Q%d" % i for i in range(30)])
        self.who = self.closing.ksock_id()
        self.expected = [(0, self.who, "$.Q%d" % i) for i in range(29, -1, -1)]
        self.hears = self.open()
        self.hears.report_replier_binds(True)
        names(self.hears)

    def some(self, count):
        """Give up all but `count` bindings before closing."""
        self.hears.report_replier_binds(False)
        for i in range(count, 30):
            self.closing.unbind("$.Q%d" % i, True)
        self.hears.report_replier_binds(True)
        names(self.hears)
        return self.expected[30 - count :]

    def listen(self, limit=1):
        self.hears.bind(EVENT)
        self.hears.set_max_messages(limit)

    def test_room_enough(self):
        """The newest binding first."""
        self.listen(100)
        self.closing.close()
        self.assertEqual(events(self.hears), self.expected)

    def test_a_full_listener(self):
        """All are counted, and come one by one as there is room."""
        expected = self.some(5)
        self.listen()
        self.closing.close()
        for i in range(5):
            self.assertEqual(self.hears.num_messages(), 5 - i)
            self.assertTrue(self.hears.can_read())
            self.assertEqual(events([self.hears.read_next_msg()]), expected[i : i + 1])
        self.assertEqual(names(self.hears), [])

    def test_at_once(self):
        """Room that is made in another way counts, too."""
        expected = self.some(3)
        self.hears.bind("$.Jim")
        self.listen()
        self.hears.send_msg(Message("$.Jim"))
        self.closing.close()
        self.assertEqual(self.hears.num_messages(), 4)
        self.hears.unbind("$.Jim")
        self.assertTrue(self.hears.can_read())
        self.assertEqual(events(self.hears), expected)

    def test_the_others(self):
        """A listener with room hears each once, too, in that order."""
        other = self.listener(EVENT)
        expected = self.some(4)
        self.listen()
        self.closing.close()
        self.assertEqual(other.num_messages(), 4)
        self.assertEqual((events(other), events(self.hears)), (expected, expected))

    def test_too_many(self):
        """One is queued, ten are set aside, then one message says that events were lost."""
        self.listen()
        self.closing.close()
        self.assertEqual(self.hears.num_messages(), 12)
        got = [message for message in self.hears]
        self.assertEqual(events(got[:11]), self.expected[:11])
        lost = got[11]
        self.assertEqual((lost.name, lost.data, lost.from_, lost.to), (LOST, None, 0, 0))
        self.assertEqual((lost.in_reply_to, lost.flags & 4), (None, 4))
        self.assertEqual(self.hears.num_messages(), 0)

    def test_two_listeners(self):
        """They share the places."""
        other = self.limited(1)
        other.bind(EVENT)
        self.listen()
        self.closing.close()
        self.assertEqual((self.hears.num_messages(), other.num_messages()), (7, 7))
        got = [message for message in self.hears]
        self.assertEqual(events(got), self.expected[:6] + [LOST])
        for message in got:  # both have the very same messages
            self.assertTrue(other.read_next_msg() == message, message)

    def test_lost_until_empty(self):
        """Once some are lost, others are too, until all that was set aside has come."""
        other = self.replier("$.Fred")
        self.listen()
        self.closing.close()
        for _ in range(3):
            self.hears.read_next_msg()
        self.assertEqual(self.hears.num_messages(), 9)
        other.close()
        self.assertEqual(self.hears.num_messages(), 9)
        self.assertEqual(events(self.hears), self.expected[3:11] + [LOST])

    def test_afterwards(self):
        """When all has been read, it is as before."""
        self.listen()
        self.closing.close()
        names(self.hears)
        other = self.open()
        for name in ("$.A", "$.B"):
            other.bind(name, True)
            self.assertEqual(len(events(self.hears)), 1)
        who = other.ksock_id()
        other.close()
        self.assertEqual(events(self.hears), [(0, who, "$.B"), (0, who, "$.A")])

    def test_unbinding_the_event(self):
        """What is set aside and queued for that binding goes."""
        self.listen()
        self.closing.close()
        self.hears.unbind(EVENT)
        self.assertEqual((self.hears.num_messages(), names(self.hears)), (0, []))

    def test_closing_who_listens(self):
        """Its entries go, and make room for others."""
        self.listen()
        self.closing.close()
        self.hears.close()
        other, closing = self.limited(1), self.open()
        other.bind(EVENT)
        for i in range(5):
            closing.bind("$.Q%d" % i, True)
            names(other)
        closing.close()
        self.assertEqual(other.num_messages(), 5)

    def test_one_has_read_all(self):
        """Then it can be sent to again, while the other still cannot."""
        other = self.limited(1)
        other.bind(EVENT)
        other.bind("$.Jim")
        self.listen()
        self.hears.bind("$.Fred")
        self.closing.close()
        names(self.hears)
        self.hears.send_msg(Message("$.Fred", flags=Message.ALL_OR_WAIT))
        wait = Message("$.Jim", flags=Message.ALL_OR_WAIT)
        self.fails(EAGAIN, self.hears.send_msg, wait)


if __name__ == "__main__":
    unittest.main()
