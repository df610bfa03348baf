# SPDX-License-Identifier: MIT
"""Who is told of what comes to a Ksock: several at once, each until it leaves."""

import unittest

from buses import ThreeCase
from limpet.watch import unwatch, watch


class Watcher:
    """Counts how often it was told."""

    def __init__(self):
        self.count = 0

    def wake(self):
        self.count += 1


class TestWatchers(ThreeCase):
    def setUp(self):
        super().setUp()
        self.watchers = [Watcher() for _ in range(3)]
        self.a.bind("$.A")

    def told(self):
        """Send a message; return how often each watcher was told since the last time."""
        self.b.announce("$.A")
        self.a.next()
        counts = [one.count for one in self.watchers]
        for one in self.watchers:
            one.count = 0
        return counts

    def test_one_two_three(self):
        """Each is told once for each message."""
        self.assertEqual(self.told(), [0, 0, 0])
        for i in range(3):
            watch(self.a.hot, self.watchers[i])
            self.assertEqual(self.told(), [1] * (i + 1) + [0] * (2 - i))

    def test_leaving_in_any_order(self):
        for order in ((0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)):
            for one in self.watchers:
                watch(self.a.hot, one)
            left = [1, 1, 1]
            for i in order:
                unwatch(self.a.hot, self.watchers[i])
                left[i] = 0
                self.assertEqual(self.told(), left)
            self.assertIsNone(self.a.hot.watch)

    def test_one_that_is_added_twice(self):
        """It leaves as often as it came."""
        one = self.watchers[0]
        watch(self.a.hot, one)
        watch(self.a.hot, self.watchers[1])
        watch(self.a.hot, one)
        for count in (1, 0):
            unwatch(self.a.hot, one)
            self.assertEqual(self.told()[:2], [count, 1])
        unwatch(self.a.hot, one)
        self.assertEqual(self.told()[:2], [0, 1])

    def test_who_is_not_there_leaves(self):
        unwatch(self.a.hot, self.watchers[0])
        watch(self.a.hot, self.watchers[1])
        unwatch(self.a.hot, self.watchers[0])
        self.assertEqual(self.told(), [0, 1, 0])

    def test_nobody_watches_when_waits_are_over(self):
        """Nor when the last handler has gone."""
        self.a.wait_for_msg(0)
        self.a.replier("$.A")(lambda msg: b"")
        self.b.call("$.A")
        self.assertIsNone(self.b.hot.watch)
        self.a.wait_for_msg(0)
        self.assertTrue(self.a.hot.watch is self.bus.waiter)
        self.a.listener("$.B")(lambda msg: None)
        self.a.unbind("$.A", True)
        self.assertTrue(self.a.hot.watch is self.bus.waiter)
        self.a.unbind("$.B")
        self.assertIsNone(self.a.hot.watch)


class TestSendersThatWait(ThreeCase):
    """With ALL_OR_WAIT a send waits for room; whoever makes some wakes it."""

    SIZES = {"queue_size": 1}
    WAIT = 0x100

    def setUp(self):
        super().setUp()
        self.watcher = Watcher()
        watch(self.c.hot, self.watcher)
        self.a.bind("$.A")
        self.b.announce("$.A", b"first")
        self.assertTrue(self.c.hot.announce(self.name, b"waits", -1, self.WAIT) < 0)
        self.assertFalse(self.c.wait_writable(0))
        self.watcher.count = 0

    def woken(self):
        return self.watcher.count > 0 and self.c.wait_writable(0)

    def test_reading(self):
        self.a.next()
        self.assertTrue(self.woken())
        self.assertEqual(self.a.next().data, b"waits")

    def test_closing(self):
        self.a.close()
        self.assertTrue(self.woken())

    def test_unbinding(self):
        """Also where the one that was full stays so."""
        self.a.bind("$.B")
        self.a.next()
        self.a.unbind("$.A")
        self.assertTrue(self.woken())

    def test_unbinding_what_brought_nothing(self):
        self.a.bind("$.B")
        self.a.next()
        self.c.hot.discard()
        self.b.announce("$.B", b"fills it")
        self.assertTrue(self.c.hot.announce(self.name, b"waits", -1, self.WAIT) < 0)
        self.watcher.count = 0
        self.a.unbind("$.A")
        self.assertTrue(self.woken())

    def test_another_replier(self):
        """A nearer one, which has room, gets the request."""
        self.c.hot.discard()
        self.a.unbind("$.A")
        self.a.bind("$.*", True)
        self.bus.ksock().request("$.A")
        self.assertTrue(self.c.hot.request(self.name, b"waits", -1, self.WAIT) < 0)
        self.watcher.count = 0
        self.b.bind("$.A", True)
        self.assertTrue(self.woken())
        self.assertEqual(self.b.next().data, b"waits")

    def test_waiting_with_others(self):
        """wait_writable() pumps: a handler that reads makes room."""
        self.a.unbind("$.A")
        self.c.hot.discard()
        self.a.listener("$.A")(lambda msg: None)
        self.b.announce("$.A", b"first")
        self.assertTrue(self.c.hot.announce(self.name, b"waits", -1, self.WAIT) < 0)
        self.assertTrue(self.c.wait_writable(5000))

    def test_a_closed_ksock_never_is_writable(self):
        self.c.close()
        self.assertFalse(self.c.wait_writable())


if __name__ == "__main__":
    unittest.main()
