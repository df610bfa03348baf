# SPDX-License-Identifier: MIT
"""The interrupt inbox: all that is posted is announced once and in order, or counted lost.

What interrupts here is micropython.schedule(), whose functions run between the bytecodes of
whatever is at work: at jumps and returns. On CPython tests/cpython/test_irq_steps.py does this.
"""

import unittest

from buses import closed_clean, gaps, make_bus
from limpet import BadName, Closed, MessageView
from limpet.layout import Layout
from limpet.port import ticks_ms
from limpet.ticks import ticks_diff

try:
    from micropython import schedule
except ImportError:  # CPython
    schedule = None


class Case(unittest.TestCase):
    """A bus with a source of interrupts, $.Irq, and a listener."""

    SIZES = {}

    def setUp(self):
        self.bus = make_bus(**self.SIZES)
        self.source = self.bus.ksock()
        self.reader = self.bus.ksock()
        self.reader.bind("$.Irq")
        self.inbox = self.make()

    def tearDown(self):
        closed_clean(self, self.bus)

    def make(self, count=3, size=4, ks=None):
        return self.bus.irq_inbox(ks or self.source, "$.Irq", count, size)

    def turn(self):
        """Let the bus poll once; return the ms until it is due again."""
        return self.bus.poll(5)

    def heard(self):
        """Return (missed, data) of all that the listener has."""
        return gaps(self.reader)


class TestPost(Case):
    def test_announced_in_order(self):
        """What was posted before a poll is announced in it, whole, from its Ksock."""
        for data in (b"a", b"", bytearray(b"abcd"), memoryview(b"xyz")):
            self.assertEqual(self.inbox.post(data), data != b"xyz")
        self.assertEqual(self.heard(), [])  # the bus does it, in its own time
        self.turn()
        view = MessageView()
        self.assertEqual(self.reader.hot.take(view), 1)
        self.assertEqual((view.kind, view.name, view.sender), (0, "$.Irq", self.source.id))
        self.assertEqual(self.heard(), [(0, b""), (0, b"abcd")])
        self.turn()
        self.assertEqual(self.heard(), [])

    def test_a_copy(self):
        """The buffer belongs to the interrupt handler again once post() is back."""
        buf = bytearray(b"1234")
        self.assertIs(self.inbox.post(buf), True)
        buf[:] = b"5678"
        self.assertIs(self.inbox.post(buf, 2), True)
        self.turn()
        self.assertEqual(self.heard(), [(0, b"1234"), (0, b"56")])

    def test_a_wrong_size_is_refused(self):
        """More than a place has, or than there is: counted, and nothing is written."""
        self.assertIs(self.inbox.post(b"12345"), False)
        self.assertIs(self.inbox.post(b"123", 4), False)
        self.assertIs(self.inbox.post(b"12345", 4), True)
        self.assertEqual(self.inbox.lost, 2)
        self.turn()
        self.assertEqual(self.heard(), [(2, b"1234")])

    def test_a_ring_goes_round(self):
        """Any number of posts and polls, with any number waiting."""
        number = 0
        for i in range(200):
            posted = []
            for _ in range(i % 4):
                number += 1
                posted.append((0, number.to_bytes(4, "little")))
                self.assertIs(self.inbox.post_int(number), True)
            self.turn()
            self.assertEqual(self.heard(), posted)
        self.assertEqual(self.inbox.lost, 0)

    def test_a_poll_ends(self):
        """What comes while it announces is for the next one, which is due at once."""

        class Interrupt:
            """Comes whenever the listener gets a message."""

            def wake(interrupt):
                self.inbox.post(b"more")

        self.reader.hot.set_watch(Interrupt())
        self.inbox.post(b"one")
        self.inbox.post(b"two")
        self.assertEqual(self.turn(), 0)
        self.assertEqual(self.heard(), [(0, b"one"), (0, b"two")])
        self.assertEqual(self.inbox.lost, 0)
        self.assertEqual(self.turn(), 0)
        self.reader.hot.set_watch(None)
        self.assertEqual(self.heard(), [(0, b"more")] * 2)
        self.assertTrue(self.turn() > 1000)
        self.assertEqual(self.heard(), [(0, b"more")] * 2)


class TestNumbers(Case):
    def test_as_a_layout_has_them(self):
        """post_int writes what a field of that size reads, with a sign and without."""
        for size, signed, unsigned in ((1, "<b", "<B"), (2, "<h", "<H"), (4, "<i", "<I")):
            inbox = self.make(3, size)
            half = 1 << min(8 * size - 1, 29)
            for value, code in (
                (0, signed),
                (half - 1, signed),
                (-half, signed),
                (-1, signed),
                (2 * half - 1, unsigned),
                (half, unsigned),
            ):
                self.assertIs(inbox.post_int(value), True)
                self.turn()
                ((missed, data),) = self.heard()
                self.assertEqual(missed, 0)
                self.assertEqual(Layout(code, "n").unpack(data), (value,))

    def test_wider_than_a_number(self):
        inbox = self.make(2, 6)
        for value in (-2, 1 << 29):
            self.assertIs(inbox.post_int(value), True)
        self.turn()
        self.assertEqual(self.heard(), [(0, b"\xfe" + b"\xff" * 5), (0, b"\0\0\0\x20\0\0")])

    def test_what_does_not_fit_is_refused(self):
        for size in (1, 2):
            inbox = self.make(3, size)
            for value in (1 << 8 * size, -(1 << 8 * size - 1) - 1, (1 << 30) - 1, -(1 << 29)):
                self.assertIs(inbox.post_int(value), False)
            self.assertEqual(inbox.lost, 4)
            self.turn()
            self.assertEqual(self.heard(), [])
            self.assertIs(inbox.post_int(1), True)
            self.turn()
            self.assertEqual(self.heard(), [(4, bytes([1] + [0] * (size - 1)))])


class TestLost(Case):
    def test_full(self):
        """The handler is told, it is counted, and the next message that is heard says so."""
        for value in range(5):
            self.assertIs(self.inbox.post_int(value), value < 3)
        self.assertEqual(self.inbox.lost, 2)
        self.turn()
        self.assertEqual([missed for missed, _ in self.heard()], [0, 0, 0])
        self.inbox.post_int(5)
        self.turn()
        self.assertEqual(self.heard(), [(2, b"\5\0\0\0")])
        self.inbox.post_int(6)
        self.turn()
        self.assertEqual(self.heard(), [(0, b"\6\0\0\0")])

    def test_each_gap_at_its_place(self):
        """Losses between entries that are polled together are told apart."""
        self.inbox.post(b"a")
        self.inbox.post(b"12345")
        self.inbox.post(b"b")
        self.inbox.post(b"c")
        for _ in range(4):
            self.inbox.post(b"d")
        self.turn()
        self.source.announce("$.Irq", b"from a task")
        self.assertEqual(self.heard(), [(0, b"a"), (1, b"b"), (0, b"c"), (4, b"from a task")])

    def test_two_listeners_and_none(self):
        """Each listener is told; what was lost while nobody listened, nobody is told later."""
        other = self.bus.ksock()
        other.bind("$.*")
        for data in (b"x", b"12345", b"y"):
            self.inbox.post(data)
        self.turn()
        self.assertEqual(self.heard(), [(0, b"x"), (1, b"y")])
        self.assertEqual(gaps(other), [(0, b"x"), (1, b"y")])
        other.unbind("$.*")
        self.reader.unbind("$.Irq")
        self.inbox.post(b"12345")
        self.turn()
        self.reader.bind("$.Irq")
        self.inbox.post(b"z")
        self.turn()
        self.assertEqual(self.heard(), [(0, b"z")])
        self.assertEqual(self.inbox.lost, 2)

    def test_counted_up_to_thirty_bits(self):
        self.inbox.lost = self.inbox._told = (1 << 30) - 2
        for _ in range(3):
            self.inbox.post(b"12345")
        self.assertEqual(self.inbox.lost, (1 << 30) - 1)
        self.inbox.post(b"")
        self.turn()
        self.assertEqual(self.heard(), [(1, b"")])


class TestNoSlot(Case):
    SIZES = {"slot_count": 4}

    def test_entries_stay(self):
        """While all slots hold requests, entries wait in the inbox; then they go, in order."""
        replier = self.bus.ksock()
        replier.bind("$.Q", True)
        asker = self.bus.ksock()
        serials = [asker.request("$.Q") for _ in range(2)]
        for value in range(4):
            self.inbox.post_int(value)
        due = self.turn()
        self.assertTrue(0 < due < 100, due)
        self.assertEqual(self.heard(), [])
        self.assertIs(self.inbox.post_int(4), False)
        for _ in serials:
            replier.reply(replier.next(), b"")
            asker.next()
        self.turn()
        self.assertEqual([data[0] for _, data in self.heard()], [0, 1, 2])
        self.inbox.post_int(5)
        self.turn()
        self.assertEqual(self.heard(), [(2, b"\5\0\0\0")])


class TestClose(Case):
    def test_a_closed_inbox(self):
        """It takes nothing and says nothing; closing twice does no harm."""
        self.inbox.post(b"a")
        self.inbox.close()
        self.inbox.close()
        self.assertEqual(self.bus.irqs, [])
        self.assertIs(self.inbox.post(b"b"), False)
        self.assertEqual(self.inbox.lost, 1)
        self.turn()
        self.assertEqual(self.heard(), [])

    def test_a_closed_ksock(self):
        """The inbox closes with it; an interrupt that still comes does no harm."""
        other = self.make(ks=self.bus.ksock())
        self.inbox.post(b"a")
        self.source.close()
        self.assertIs(self.inbox.post(b"b"), False)
        other.post(b"c")
        self.turn()
        self.assertEqual(self.bus.irqs, [other])
        self.assertTrue(self.inbox.closed)
        self.assertEqual(self.heard(), [(0, b"c")])

    def test_after_the_bus(self):
        self.bus.close()
        self.assertIs(self.inbox.post(b"a"), False)
        self.assertIs(self.inbox.post_int(1), False)

    def test_bad_arguments(self):
        for count, size in ((0, 4), (-1, 4), (8, 0), (8, -1), (8, self.bus.slot_size + 1)):
            with self.assertRaises(ValueError):
                self.make(count, size)
        closed = self.bus.ksock()
        closed.close()
        with self.assertRaises(Closed):
            self.make(ks=closed)
        with self.assertRaises(BadName):
            self.bus.irq_inbox(self.source, "$.*")
        self.assertEqual(self.bus.irqs, [self.inbox])


class TestWake(Case):
    def test_a_post_ends_the_next_sleep(self):
        """One that comes between the last look and the sleep is not slept over."""
        waiter = self.bus.waiter
        waiter.wait(0, False)  # a thread's first may return at once
        self.assertIs(waiter.wait(0, False), False)
        self.inbox.post(b"a")
        self.assertIs(waiter.wait(5000, False), True)
        self.inbox.post_int(1)
        self.assertIs(waiter.wait(5000, False), True)
        self.assertIs(waiter.wait(0, False), False)

    def test_a_refused_one_does_not(self):
        self.bus.waiter.wait(0, False)
        self.inbox.post(b"12345")
        self.assertIs(self.bus.waiter.wait(0, False), False)

    def test_a_post_ends_the_sleep_at_hand(self):
        """Where functions can be scheduled; on CPython test_irq_wake.py has signals."""
        start = ticks_ms()

        def later(_):
            if ticks_diff(ticks_ms(), start) < 30:
                schedule(later, None)
            else:
                self.inbox.post(b"now")

        if schedule:
            schedule(later, None)
        else:
            self.inbox.post(b"now")
        message = self.reader.wait_for_msg(8000)
        self.assertEqual(message.data, b"now")
        self.assertTrue(ticks_diff(ticks_ms(), start) < 5000)


class TestInterrupted(Case):
    """Posts from scheduled functions while the bus works."""

    def setUp(self):
        super().setUp()
        self.replier = self.bus.ksock()
        self.replier.bind("$.Q", True)
        self.asker = self.bus.ksock()
        self.late = self.bus.ksock()  # listens too, now and then
        self.number = 0
        self.expected = []
        self.found = []
        self.refused = 0
        self.point = 0  # how many places there were at which an interrupt may come
        self.at = 0  # ... and at which it comes
        self.burst = 1
        self.busy = False
        self.draining = False
        self.within = 0  # interrupts within a drain
        self.function = self.interrupt  # made once: a bound method is an allocation

    def interrupt(self, _):
        """Come again and again, post at one of these points."""
        if self.point == self.at:
            self.within += self.draining
            for _ in range(self.burst):
                self.post()
        self.point += 1
        if self.busy and schedule:
            schedule(self.function, None)

    def post(self):
        """Post a number, with a check of its own."""
        self.number += 1
        data = bytes([self.number & 0xFF, self.number >> 8 & 0xFF, ~self.number & 0xFF, 0xA5])
        if self.inbox.post(data):
            self.expected.append((self.refused, data))
            self.refused = 0
        else:
            self.refused += 1

    def drain(self):
        self.draining = True
        self.turn()
        self.draining = False

    def work(self):
        """Something of everything."""
        self.late.bind("$.Irq")
        self.drain()
        serial = self.asker.request("$.Q", b"?")
        self.drain()
        self.asker.announce("$.Irq.Not", b"not heard")
        self.replier.reply(self.replier.next(), b"!")
        self.late.unbind("$.Irq")
        self.assertEqual(self.asker.next().in_reply_to, serial)
        self.found += self.heard()
        self.drain()

    def round(self, at):
        """Work with interrupts at one of the points."""
        self.at = at
        self.point = 0
        self.busy = True
        self.interrupt(None)
        self.work()
        self.busy = False
        while schedule and self.point <= at:  # those that did not come yet
            schedule(self.function, None)
            for _ in range(9):
                pass

    def test_nothing_is_lost_doubled_torn_or_out_of_order(self):
        """At every point of the work, up to what the inbox holds and beyond."""
        count = 0
        for filled, burst in ((0, 1), (2, 1), (1, 2), (0, 5)):
            self.burst = burst
            at = 0
            self.point = 1
            while at < self.point:
                for _ in range(filled):
                    self.post()
                self.round(at)
                at += 1
                self.drain()
                self.found += self.heard()
                self.assertEqual(self.found, self.expected)
                count += len(self.found)
                self.found.clear()
                self.expected.clear()
            self.assertEqual(count + self.inbox.lost, self.number)
            self.assertEqual(self.inbox.lost > 0, burst > 3)
        if schedule:
            self.assertTrue(at > 100 and self.within > 50, (at, self.within))


if __name__ == "__main__":
    unittest.main()
