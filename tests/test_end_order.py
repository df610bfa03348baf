# SPDX-License-Identifier: MIT
"""When several requests end together: in which order, few or many, at whatever time."""

import unittest

from buses import SERIAL_MAX, AskingCase, Clock, closed_clean, data, hot_take, make_bus, read
from limpet import MessageView
from limpet.status import REMOTE_ERROR


class TestDeadlineAtZero(AskingCase):
    """A deadline may fall on the time 0, right behind the wrap."""

    def test_each_end(self):
        clock = Clock(self.bus)
        for _ in range(3):
            self.asker.request("$.A", deadline_ms=50)
        self.replier.hot.reply(hot_take(self.replier), b"in time")
        self.assertEqual(self.bus.answers.timed_count, 2)
        hot_take(self.replier)
        self.assertEqual(clock.go(49), 1)
        self.assertEqual(data(self.asker), [b"in time"])
        clock.go(1)
        self.assertEqual(clock.now_ms, 0)
        got = [m.name.split(".")[-1] for m in read(self.asker)]
        self.assertEqual(got, ["Expired", "Overdue"])
        self.assertEqual(self.bus.answers.timed_count, 0)


class TestRefusedElsewhere(AskingCase):
    """A request that another bus has refused says by what errno, in its name and for links."""

    def test_errno(self):
        for errno, text in ((16, "EBUSY"), (99, "EADDRNOTAVAIL"), (12345, "12345")):
            sent = self.asker.request("$.A")
            hot_take(self.replier)
            slot = self.replier.hot.find_owed(0, sent)
            self.bus.answers.end(slot, REMOTE_ERROR, errno)
            view = hot_take(self.asker)
            self.assertEqual(view.name, "$.KBUS.RemoteError." + text)
            self.assertEqual((view.slot.user, view.user), (REMOTE_ERROR | errno << 8, 0))
            self.assertEqual((view.reply_serial, view.sender), (sent, self.replier.id))


class TestOrderOfEnds(unittest.TestCase):
    """Requests that end together do so in an order that does not depend on their slots."""

    def setUp(self):
        self.bus = make_bus(slot_count=64, queue_size=40)
        self.clock = Clock(self.bus)
        self.asker, self.replier = self.bus.ksock(), self.bus.ksock()
        self.replier.bind("$.A", True)
        # The free slots are in no order any more.
        for i in range(30):
            self.asker.request("$.A")
            if i % 3 == 0:
                read(self.replier)
        owed = read(self.replier)
        self.bus.answers.end_read(self.replier.hot, 10)
        self.assertEqual(len(owed) + len(read(self.asker)), 30 + len(owed))

    def tearDown(self):
        closed_clean(self, self.bus)

    def ask(self, count):
        return [self.asker.request("$.A", deadline_ms=100) for _ in range(count)]

    def ends(self):
        return [m.in_reply_to for m in read(self.asker)]

    def test_the_same_deadline(self):
        """By their numbers, also across the wrap; few or many."""
        for count in (1, 3, 20, 30):
            for serial in (1000, SERIAL_MAX - count // 2):
                self.bus.pool.serial, self.bus.pool.serial_stop = serial, 0
                sent = self.ask(count)
                self.clock.go(100)
                self.assertEqual(self.ends(), sent)

    def test_several_deadlines(self):
        """By these first."""
        for count in (4, 24):
            sent = [self.asker.request("$.A", deadline_ms=100 - i) for i in range(count)]
            kept = self.asker.request("$.A", deadline_ms=101)
            self.assertEqual(self.clock.go(100), 1)
            self.assertEqual(self.ends(), sent[::-1])
            self.clock.go(1)
            self.assertEqual(self.ends(), [kept])

    def test_ignored(self):
        """What was read last comes first, whatever the count of readings was."""
        self.bus.pool.reads = SERIAL_MAX - 5
        sent = self.ask(20)
        order = []
        for i in (7, 0, 3, 3, 11, 0, 5, 1, 2, 0, 0, 0):
            view = MessageView()
            self.replier.hot.bring(i)
            self.replier.hot.take(view)
            order.insert(0, view.id_serial)
        left = [n for n in sent if n not in order]
        self.replier.close()
        self.assertEqual(self.ends(), left + order)


if __name__ == "__main__":
    unittest.main()
