# SPDX-License-Identifier: MIT
"""ALL_OR_WAIT: who wakes a sender that waits."""

import unittest

from buses import Clock, closed_clean, data, hot_take, make_bus, read
from hots import Bell, shown
from limpet import MessageView
from limpet.errors import EAGAIN
from limpet.send import ALL_OR_WAIT


class TestWoken(unittest.TestCase):
    """Whoever makes room, or ends the wait otherwise, wakes the sender that waits; once."""

    def setUp(self):
        self.bus = bus = make_bus(queue_size=2, slot_count=32)
        self.clock = Clock(bus)
        self.full, self.other, self.sender = [bus.ksock() for _ in range(3)]
        self.bell, self.whole = Bell(), Bell()
        self.full.bind("$.A")
        self.full.bind("$.B")
        self.full.bind("$.R", True)
        self.sender.hot.set_watch(self.bell)
        bus.pool.watch = self.whole

    def tearDown(self):
        closed_clean(self, self.bus)

    def fill(self, name="$.B", count=2):
        for _ in range(count):
            self.assertTrue(self.other.announce(name) > 0)

    def wait(self, text="$.A"):
        name = self.bus.name(text)
        if text == "$.A":
            code = self.sender.hot.announce(name, b"w", -1, ALL_OR_WAIT)
        else:
            code = self.sender.hot.request(name, b"w", -1, ALL_OR_WAIT)
        self.assertEqual(code, -EAGAIN)
        self.asleep()

    def asleep(self):
        """Nobody has been woken, or for nothing: then it waits again."""
        self.bell.rung(), self.whole.rung()
        self.assertFalse(self.sender.hot.poll_pending())
        self.assertEqual((self.bell.rung(), self.whole.rung()), (False, False))

    def woken(self):
        self.assertEqual((self.bell.rung(), self.whole.rung()), (True, True))
        self.assertTrue(self.sender.hot.poll_pending())

    def test_reading(self):
        for text in ("$.A", "$.R"):
            self.fill()
            self.wait(text)
            hot_take(self.full)
            self.woken()
            self.full.hot.release()
            self.assertEqual(data(self.full), [b"", b"w"])

    def test_once(self):
        """When nobody waits any more nobody is woken."""
        self.fill()
        self.wait()
        hot_take(self.full)
        self.woken()
        self.bell.rung(), self.whole.rung()
        for _ in range(3):
            read(self.full)
            self.fill()
            hot_take(self.full)
        self.assertEqual((self.bell.rung(), self.whole.rung()), (False, False))

    def test_reading_comfortably(self):
        for text in ("$.A", "$.R"):
            self.fill()
            self.wait(text)
            self.full.next()
            self.woken()
            self.assertEqual(data(self.full), [b"", b"w"])

    def test_reading_as_many_as_are_too_many(self):
        """A queue above its limit wakes nobody until there is room."""
        self.fill()
        self.full.hot.set_limit(1)
        self.wait()
        self.bell.rung()
        hot_take(self.full)
        self.assertEqual((self.bell.rung(), self.whole.rung()), (False, False))
        hot_take(self.full)
        self.woken()

    def test_unbinding(self):
        for text, replier in (("$.A", False), ("$.R", True), ("$.B", False)):
            self.fill()
            self.wait("$.R" if replier else "$.A")
            self.full.unbind(text, replier)
            self.woken()
            read(self.full)
            self.full.bind(text, replier)
            read(self.sender)

    def test_closing(self):
        self.fill()
        self.wait()
        self.full.close()
        self.woken()

    def test_a_larger_limit(self):
        self.fill()
        self.wait()
        self.full.hot.set_limit(2)
        self.asleep()
        self.full.hot.set_limit(3)
        self.woken()
        self.assertEqual(data(self.full), [b"", b"", b"w"])

    def test_a_request_that_is_overdue(self):
        """Who withdraws it from the full queue makes room there."""
        self.fill(count=1)
        self.other.hot.request(self.bus.name("$.R"), b"", -1, 0, 10)
        self.wait()
        self.clock.go(10)
        self.woken()
        self.assertEqual(data(self.full), [b"", b"w"])

    def test_a_call_that_is_given_up(self):
        """Its place is free again."""
        self.other.bind("$.Other", True)
        sent = self.full.request("$.Other")
        self.fill(count=1)
        self.wait()
        self.bus.answers.forget(self.full.hot, sent)
        self.woken()

    def test_a_link_that_ends(self):
        """What it had asked and nobody has read is withdrawn."""
        self.fill(count=1)
        self.other.hot.request(self.bus.name("$.R"), b"")
        self.wait()
        self.bus.answers.abandon(self.other.hot)
        self.woken()
        self.assertEqual(data(self.full), [b"", b"w"])

    def test_slots_run_out(self):
        """A copy that goes makes room."""
        self.other.bind("$.C")
        self.other.hot.set_limit(99)
        self.fill()
        self.wait()
        for _ in range(31):
            self.full.announce("$.C")
        self.woken()

    def test_one_that_is_tried_without_being_asked(self):
        """By who makes the room, or at the next poll if that was in the middle of a send."""
        self.other.bind("$.C")
        self.other.hot.set_limit(99)
        self.sender.hot.eager = True
        self.fill()
        self.wait()
        hot_take(self.full)
        self.assertIsNone(self.sender.hot.pending)
        self.full.hot.release()
        self.assertEqual(data(self.full), [b"", b"w"])
        self.fill()
        self.wait()
        for _ in range(31):
            self.full.announce("$.C")
        self.assertIsNotNone(self.sender.hot.pending)
        self.clock.go(1)
        self.assertIsNone(self.sender.hot.pending)
        self.assertEqual(data(self.full), [b"w"])

    def test_several_wait(self):
        """All are woken; the first one that tries has the place, the other waits on."""
        second, bell = self.bus.ksock(), Bell()
        second.hot.set_watch(bell)
        self.fill()
        self.wait()
        second.hot.announce(self.bus.name("$.A"), b"s", -1, ALL_OR_WAIT)
        self.full.next()
        self.assertTrue(bell.rung())
        self.woken()
        self.assertFalse(second.hot.poll_pending())
        bell.rung()
        self.full.next()
        self.assertTrue(bell.rung())
        self.assertTrue(second.hot.poll_pending())
        self.assertEqual(data(self.full), [b"w", b"s"])

    def test_another_replier_or_none(self):
        self.fill()
        self.wait("$.R")
        self.bus.bind(self.other.hot, "$.%", True)
        self.assertTrue(self.bell.rung())
        self.asleep()
        self.full.unbind("$.R", True)
        self.woken()
        self.assertEqual(data(self.other), [b"w"])

    def test_on_a_log(self):
        """Also the quick way of taking looks out for senders that wait."""
        self.full.unbind("$.B")
        name = self.bus.name("$.A")
        view = MessageView()
        self.fill("$.A", 1)
        hot_take(self.full, view)
        for _ in range(3):
            self.fill("$.A")
            self.assertIs(self.full.hot.log, name.log)
            self.wait()
            hot_take(self.full, view)
            self.woken()
            self.assertEqual([shown(hot_take(self.full, view)) for _ in range(2)], [b"", b"w"])
            self.fill("$.A", 1)
            hot_take(self.full, view)
            self.fill("$.A", 1)
            hot_take(self.full, view)


if __name__ == "__main__":
    unittest.main()
