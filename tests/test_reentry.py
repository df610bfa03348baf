# SPDX-License-Identifier: MIT
"""Sends that are tried again as soon as there is room, as a Ksock with fileno() has it (`eager`).

Whatever is being closed or emptied takes nothing more, every request ends once, and all listeners
see one order.
"""

import unittest

from buses import ThreeCase, closed_clean, data, hot_take, make_bus, read
from helpers_bus import Pair, Reader
from limpet import ALL_OR_WAIT, URGENT, MessageView, Pending
from limpet.errors import EAGAIN, ENOBUFS, ENOLCK


def room_by_a_drop(case):
    """Return a bus where b"3" waited for room at `hears`, which has some since b"1" was dropped.

    Returns also `hears`, the sender, and a Ksock that reads nothing.
    """
    bus = make_bus(slot_count=4, queue_size=2)
    hears, sends, other = bus.ksock(), bus.ksock(), bus.ksock()
    dead = bus.ksock(8)
    hears.bind("$.A")
    dead.bind("$.*")
    sends.hot.eager = True
    sends.announce("$.A", b"1")
    sends.announce("$.A", b"2")
    case.assertRaises(Pending, sends.announce, "$.A", b"3", ALL_OR_WAIT)
    other.announce("$.B", b"4")  # the last slot
    other.announce("$.B", b"5")
    return bus, hears, sends, dead


class TestClosing(ThreeCase):
    SIZES = {"queue_size": 4}

    def test_the_replier_closes(self):
        """A request that waits for a Ksock which closes ends in Disappeared, in time or not."""
        for deadline_ms in (None, 50):
            late = self.bus.ksock(1)
            late.bind("$.Q", True)
            late.bind("$.R", True)
            self.a.bind("$.KBUS.ReplierBindEvent")
            self.bus.report_binds(self.a.hot, True)
            read(self.a)
            self.b.request("$.Q")
            with self.assertRaises(Pending):
                self.a.request("$.Q", b"", deadline_ms, 0, ALL_OR_WAIT)
            self.a.waits = False
            self.a.hot.eager = True
            late.close()
            self.assertIsNone(self.a.hot.pending)
            ends = [m.name for m in read(self.a) if m.kind == "status"]
            self.assertEqual(ends, ["$.KBUS.Replier.Disappeared"])
            self.assertEqual([m.name for m in read(self.b)], ["$.KBUS.Replier.GoneAway"])
            self.assertEqual(self.a.hot.reserved, 0)
            self.bus.report_binds(self.a.hot, False)
            self.a.unbind("$.KBUS.ReplierBindEvent")

    def test_the_link_ends(self):
        """The same with a replier behind a link that ends: the request went nowhere."""
        pair = Pair(a={"queue_size": 1})
        far = Reader(pair.buses[1], replier=["$.Far"])
        pair.connect()
        bus = pair.buses[0]
        asker = bus.ksock(4)
        pair.hold(0)
        sent = 0
        while asker.hot.request(bus.name("$.Far"), b"", -1, ALL_OR_WAIT) != -EAGAIN:
            sent += 1
        self.assertTrue(sent > 0)
        asker.hot.eager = True
        pair.cut()
        pair.run(3000)
        self.assertIsNone(asker.hot.pending)
        ends = [m.name for m in read(asker)]
        self.assertEqual(len(ends), sent + 1)
        self.assertEqual(ends[-1], "$.KBUS.Replier.Disappeared")
        self.assertEqual((asker.hot.reserved, far.read()), (0, []))
        pair.close()


class TestLinkEnds(unittest.TestCase):
    def test_what_waits_is_not_thrown_away(self):
        """A far request that is withdrawn makes room, so what waits is tried again, in the middle
        of the end: it does not go into the link's queue, which is being emptied."""
        pair = Pair(a={"queue_size": 1}, b={"queue_size": 1})
        far = Reader(pair.buses[1], replier=["$.Far"])
        near = Reader(pair.buses[0], replier=["$.Near"])
        pair.connect()
        far.ks.request("$.Near", b"", None)
        pair.run(60)
        self.assertEqual(near.ks.hot.count, 1)  # it lies there unread: no room any more
        bus = pair.buses[0]
        other, asker = bus.ksock(), bus.ksock(8)
        self.assertRaises(Pending, other.request, "$.Near", b"", None, 0, ALL_OR_WAIT)
        other.waits = False
        pair.hold(0)
        sent = 0
        while asker.hot.request(bus.name("$.Far"), b"", -1, ALL_OR_WAIT) != -EAGAIN:
            sent += 1
        asker.hot.eager = True
        pair.cut()
        pair.run(3000)
        ends = [m.name for m in read(asker)]
        self.assertEqual(len(ends), sent + 1)
        self.assertEqual(ends[-1], "$.KBUS.Replier.Disappeared")
        self.assertEqual((asker.hot.reserved, asker.hot.pending), (0, None))
        other.hot.discard()
        pair.close()


class TestOrder(ThreeCase):
    SIZES = {"queue_size": 3}

    def full(self, flags):
        """Let `c` wait for room with b"U"; a's queue is full, by its log, of 1, 2, 3."""
        self.a.bind("$.A")
        self.c.hot.eager = True
        for i in (b"1", b"2", b"3"):
            self.c.announce("$.A", i)
        self.assertRaises(Pending, self.c.announce, "$.A", b"U", flags)

    def test_urgent_in_a_take(self):
        """What goes while a message is taken has its place among those that are unread."""
        for comfortable in (True, False):
            self.full(URGENT | ALL_OR_WAIT)
            if comfortable:
                found = data(self.a)
            else:
                view = MessageView()
                found = []
                while self.a.hot.take(view) >= 0:
                    found.append(bytes(view.data[: view.size]))
            self.assertEqual(found, [b"1", b"U", b"2", b"3"])
            self.a.unbind("$.A")

    def test_behind_those_that_wait(self):
        self.full(ALL_OR_WAIT)
        self.assertEqual(self.a.next().data, b"1")
        self.b.announce("$.A", b"4")  # finds no room any more
        self.assertEqual(data(self.a), [b"2", b"3", b"U"])

    def test_in_the_middle_of_a_send(self):
        """Room that is made by dropping is used at the next poll, not while another sends."""
        bus, hears, sends, dead = room_by_a_drop(self)
        bus.poll(1)
        self.assertIsNone(sends.hot.pending)
        self.assertEqual(data(hears), [b"2", b"3"])
        self.assertEqual(data(dead)[-2:], [b"5", b"3"])
        closed_clean(self, bus)


class Recorder:
    """A watch that notes whether the send is still pending when it is told."""

    def __init__(self, hot):
        self.hot = hot
        self.told = []

    def wake(self):
        self.told.append(self.hot.pending is not None)


class TestTold(ThreeCase):
    SIZES = {"queue_size": 1}

    def test_when_all_is_done(self):
        """When a waiting request ends, its Ksock may send again by the time it is told."""
        self.b.bind("$.Q", True)
        self.c.request("$.Q")
        self.bus.poll(0)
        hot = self.a.hot
        name = self.bus.name("$.Q")
        hot.set_watch(Recorder(hot))
        self.assertTrue(hot.request(name, b"", -1, ALL_OR_WAIT, 10) == -EAGAIN)
        self.bus.poll(10)
        self.assertEqual(hot.watch.told[-1], False)
        self.assertEqual([m.name for m in read(self.a)], ["$.KBUS.Replier.Overdue"])
        self.assertTrue(hot.request(name, b"", -1, ALL_OR_WAIT) == -EAGAIN)
        self.b.unbind("$.Q", True)
        self.assertTrue(hot.poll_pending())
        self.assertEqual(hot.watch.told[-1], False)
        self.assertEqual([m.name for m in read(self.a)], ["$.KBUS.Replier.Disappeared"])
        hot.set_watch(None)

    def test_room_by_a_drop_is_not_forgotten(self):
        """Without a poll, the next read of the listener lets the sender go."""
        bus, hears, _, _ = room_by_a_drop(self)
        self.assertEqual(data(hears), [b"2", b"3"])
        closed_clean(self, bus)


class TestLimits(ThreeCase):
    def test_more_than_there_is_memory_for(self):
        """A limit that no memory suffices for is refused, and nothing has changed."""
        self.a.bind("$.A")
        self.c.announce("$.A", b"1")
        hot = self.a.hot
        limit = hot.limit
        try:
            hot.set_limit(1 << 60)
        except (MemoryError, OverflowError):
            pass
        else:
            raise AssertionError("there was memory")
        self.assertEqual(hot.limit, limit)
        for i in range(limit - 1):
            self.c.announce("$.A", b"%d" % (i + 2))
        self.assertEqual(data(self.a), [b"%d" % (i + 1) for i in range(limit)])


class TestGrowing(ThreeCase):
    SIZES = {"slot_count": 2, "slot_count_max": 8, "queue_size": 8}

    def test_no_memory_for_more_slots(self):
        """A pool that can't grow does with what it has: refused, or the oldest goes."""
        import limpet.pool

        def no_memory(size):
            raise MemoryError

        self.a.bind("$.A")
        self.b.bind("$.Q", True)
        saved = limpet.pool.buffer
        limpet.pool.buffer = no_memory
        try:
            hot = self.c.hot
            self.assertTrue(hot.request(self.bus.name("$.Q"), b"") > 0)
            self.assertEqual(hot.announce(self.name, b"1"), -ENOBUFS)
            self.assertEqual(hot.request(self.bus.name("$.Q"), b""), -ENOLCK)
            self.b.reply(self.b.next())
            read(self.c)
            for i in range(3):
                self.c.announce("$.A", b"%d" % i)
        finally:
            limpet.pool.buffer = saved
        self.assertEqual(data(self.a), [b"1", b"2"])
        self.assertEqual(self.bus.pool.count, 2)


class TestDataThatIsNone(ThreeCase):
    def test_a_reply_can_be_tried_again(self):
        """Data that is no buffer raises, and the request is still to be answered."""
        self.a.bind("$.Q", True)
        for listens in (False, True):  # by the short way, and by the careful one
            if listens:
                self.b.bind("$.Q")
            self.c.request("$.Q")
            view = hot_take(self.a)
            self.assertRaises(TypeError, self.a.hot.reply, view, [1, 2])
            self.assertTrue(self.a.hot.reply(view, b"yes") > 0)
            self.assertEqual([m.data for m in read(self.c)], [b"yes"])


class TestReplay(ThreeCase):
    def test_captured(self):
        """An event told again was brought by no binding, so no wildcard stands for anything."""
        self.b.bind("$.Q", True)
        self.bus.report_binds(self.a.hot, True)
        self.assertEqual([m.captured for m in read(self.a)], [""])


if __name__ == "__main__":
    unittest.main()
