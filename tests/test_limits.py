# SPDX-License-Identifier: MIT
"""Limits: each works to the last one, refuses one more, and is whole again afterwards."""

import unittest

from buses import SERIAL_MAX, AskingCase, closed_clean, data, gaps, hot_take, make_bus, read
from hots import held, shown, taken, texts
from limpet.core import Core
from limpet.errors import (
    EADDRINUSE,
    EBADF,
    EBADMSG,
    EBUSY,
    EMSGSIZE,
    ENAMETOOLONG,
    ENOBUFS,
    ENOLCK,
    ENOSPC,
)
from limpet.send import ALL_OR_FAIL, STAGED, URGENT


class TestPlaces(AskingCase):
    """A queue takes `limit` messages, with the places that it keeps for answers."""

    SIZES = {"queue_size": 5, "slot_count": 64}

    def test_of_a_replier(self):
        for _ in range(5):
            self.assertTrue(self.other.hot.request(self.name, b"") > 0)
        self.assertEqual(self.asker.hot.request(self.name, b""), -EBUSY)
        self.assertEqual(self.asker.hot.request(self.name, b"", -1, URGENT), -EBUSY)
        hot_take(self.replier)
        self.assertTrue(self.asker.hot.request(self.name, b"") > 0)
        self.assertEqual(len(read(self.replier)), 5)

    def test_of_an_asker(self):
        """Requests that are out, answers that lie unread, and all else, in any mixture."""
        self.asker.bind("$.B")
        for out in range(6):
            for _ in range(out):
                self.assertTrue(self.asker.hot.request(self.name, b"") > 0)
            for i in range(7):
                self.other.announce("$.B", b"%d" % i)
            self.assertEqual(self.asker.hot.room(), 0)
            self.assertEqual(self.asker.hot.request(self.name, b""), -ENOLCK)
            self.assertEqual(self.asker.hot.request(self.name, b"", 0), -ENOLCK)
            for request in read(self.replier):
                self.replier.reply(request, b"r")
            self.assertEqual((self.asker.hot.room(), self.asker.hot.reserved), (0, 0))
            self.assertEqual(self.asker.hot.request(self.name, b""), -ENOLCK)
            expected = [b"%d" % i for i in range(5 - out)] + [b"r"] * out
            self.assertEqual(data(self.asker), expected)
            self.assertEqual(self.asker.hot.room(), 5)

    def test_a_status_has_its_place(self):
        for _ in range(5):
            self.asker.request("$.A")
        self.replier.unbind("$.A", True)
        self.assertEqual((self.asker.hot.room(), self.asker.hot.unread()), (0, 5))
        self.assertEqual(len(read(self.asker)), 5)

    def test_a_place_for_each(self):
        """Of one: one message, or one request that is out."""
        one = self.bus.ksock(1)
        one.bind("$.B")
        self.assertTrue(one.hot.request(self.name, b"") > 0)
        self.assertEqual(one.hot.request(self.name, b""), -ENOLCK)
        name = self.bus.name("$.B")
        self.assertEqual(self.other.hot.announce(name, b"", -1, ALL_OR_FAIL), -EBUSY)
        self.replier.reply(self.replier.next())
        self.assertEqual(self.other.hot.announce(name, b"", -1, ALL_OR_FAIL), -EBUSY)
        hot_take(one)
        self.assertTrue(self.other.hot.announce(name, b"", -1, ALL_OR_FAIL) > 0)

    def test_up_and_down(self):
        """A larger limit counts at once; below what is there nothing goes, and nothing comes."""
        self.other.bind("$.B")
        name = self.bus.name("$.B")
        for limit in (5, 9, 2, 1, 30, 3, 12):
            self.other.hot.set_limit(limit)
            while self.asker.hot.announce(name, b"x", -1, ALL_OR_FAIL) > 0:
                pass
            expected = max(limit, self.other.hot.unread())
            self.assertEqual(self.other.hot.unread(), expected)
            self.assertEqual(self.other.hot.room(), limit - expected)
            for _ in range(2):
                hot_take(self.other)
        self.assertEqual(self.other.hot.missed_total, 0)
        self.assertEqual(set(texts(self.other)), {b"x"})

    def test_order_when_the_ring_grows(self):
        """Wherever its first entry lies, and what its entries carry."""
        for start in range(8):
            other = self.bus.ksock(2)
            other.bind("$.B")
            for _ in range(start):
                self.asker.announce("$.B")
                read(other)
            other.hot.set_watch(self)
            for i in range(4):
                self.asker.announce("$.B", b"%d" % i)
            hot_take(other)
            self.asker.announce("$.B", b"4")
            other.hot.set_limit(40)
            for i in range(5, 9):
                self.asker.announce("$.B", b"%d" % i)
            expected = [(0, b"1"), (2, b"4")] + [(0, b"%d" % i) for i in range(5, 9)]
            self.assertEqual(taken(other), expected)
            other.close()

    def test_copies_beyond_a_limit(self):
        """As many bindings as there are have a place for their copies, whatever was bound when."""
        for first, second in ((3, 12), (12, 3), (12, 12)):
            other = self.bus.ksock(3)
            for limit in (first, second):
                for _ in range(6):
                    other.bind("$.B")
                other.hot.set_limit(limit)
            while other.hot.room() > 1:
                other.hot.request(self.name, b"")
                self.assertEqual(self.replier.hot.reply(hot_take(self.replier), b"r") > 0, True)
            self.asker.announce("$.B", b"x")
            self.assertEqual(other.hot.unread(), second - 1 + 12)
            self.assertEqual(texts(other), [b"r"] * (second - 1) + [b"x"] * 12)
            other.close()

    def wake(self):
        """What watches a Ksock, so that it is on no log."""


class TestSlots(unittest.TestCase):
    """As many messages as slots; a request takes two."""

    def test_as_many_as_there_are(self):
        for count in (1, 2, 3, 7):
            bus = make_bus(slot_count=count, queue_size=20)
            a, b = bus.ksock(), bus.ksock()
            a.bind("$.A", True)
            b.bind("$.B")
            for _ in range(count // 2):
                self.assertTrue(b.hot.request(bus.name("$.A"), b"") > 0)
            self.assertEqual(b.hot.request(bus.name("$.A"), b""), -ENOLCK)
            if count % 2:
                self.assertTrue(a.hot.announce(bus.name("$.B"), b"x") > 0)
            self.assertEqual((bus.usage().used, bus.pool.dropped), (count, 0))
            code = a.hot.announce(bus.name("$.B"), b"y")
            self.assertEqual(code > 0, count % 2 == 1)
            self.assertEqual(code == -ENOBUFS, count % 2 == 0)
            self.assertEqual(gaps(b), [(1, b"y")] * (count % 2))
            closed_clean(self, bus)

    def test_one_viewed(self):
        """With the only slot in a view nothing can be sent, but to nobody."""
        bus = make_bus(slot_count=1)
        a, b = bus.ksock(), bus.ksock()
        a.bind("$.A")
        name = bus.name("$.A")
        self.assertTrue(b.hot.announce(name, b"1") > 0)
        view = hot_take(a)
        for flags in (0, URGENT, ALL_OR_FAIL):
            self.assertEqual(b.hot.announce(name, b"2", -1, flags), -ENOBUFS)
        self.assertTrue(b.hot.announce(bus.name("$.Nobody"), b"") > 0)
        self.assertEqual(shown(view), b"1")
        a.hot.release()
        self.assertTrue(b.hot.announce(name, b"3") > 0)
        self.assertEqual(taken(a), [(0, b"3")])
        closed_clean(self, bus)

    def test_growing(self):
        """Doubling up to slot_count_max before anything is dropped."""
        bus = make_bus(slot_count=3, slot_count_max=14, queue_size=20)
        a, b = bus.ksock(), bus.ksock()
        a.bind("$.A")
        counts = []
        for i in range(20):
            b.announce("$.A", b"%d" % i)
            counts.append(bus.pool.count)
        self.assertEqual(counts, [3] * 3 + [6] * 3 + [12] * 6 + [14] * 8)
        self.assertEqual((bus.pool.dropped, bus.usage().limit), (6, 14))
        self.assertEqual(gaps(a), [(6, b"6")] + [(0, b"%d" % i) for i in range(7, 20)])
        closed_clean(self, bus)

    def test_growing_for_requests(self):
        """One slot is free and two are needed; each slot has its own data."""
        bus = make_bus(slot_count=1, slot_count_max=8, queue_size=20)
        a, b = bus.ksock(), bus.ksock()
        a.bind("$.A", True)
        for i in range(4):
            self.assertTrue(b.hot.request(bus.name("$.A"), b"%d" % i) > 0)
        self.assertEqual(bus.pool.count, 8)
        self.assertEqual(b.hot.request(bus.name("$.A"), b""), -ENOLCK)
        for request in read(a):
            a.reply(request, b"r" + request.data)
        self.assertEqual(data(b), [b"r0", b"r1", b"r2", b"r3"])
        closed_clean(self, bus)

    def test_growing_by_fewer_than_are_needed(self):
        """With one held and one to be made a request finds no two; an announcement finds one."""
        for many in (2, 3):
            bus = make_bus(slot_count=1, slot_count_max=many)
            a, b = bus.ksock(), bus.ksock()
            a.bind("$.A")
            a.bind("$.R", True)
            b.announce("$.A")
            hot_take(a)
            code = b.hot.request(bus.name("$.R"), b"q")
            self.assertEqual(code if many == 2 else code > 0, -ENOLCK if many == 2 else True)
            if many == 2:
                self.assertEqual(bus.pool.count, 1)
                self.assertTrue(b.hot.announce(bus.name("$.A"), b"x") > 0)
            self.assertEqual(bus.pool.count, many)
            self.assertEqual(texts(a), [b"x" if many == 2 else b"q"])
            closed_clean(self, bus)

    def test_not_growing_for_what_is_taken_back(self):
        """What all have read is free before anything grows."""
        bus = make_bus(slot_count=3, slot_count_max=9)
        a, b = bus.ksock(), bus.ksock()
        a.bind("$.A")
        for _ in range(20):
            b.announce("$.A")
            hot_take(a)
        self.assertEqual((bus.pool.count, bus.pool.dropped), (3, 0))
        closed_clean(self, bus)

    def test_a_size_of_its_own(self):
        """65636 bytes and one more; every byte arrives."""
        bus = make_bus(slot_count=2, slot_size=65636)
        a, b = bus.ksock(), bus.ksock()
        a.bind("$.A")
        buf = bytearray(65637)
        for i in (0, 1, 255, 256, 65534, 65535, 65536, 65635):
            buf[i] = 1 + i % 251
        self.assertEqual(b.hot.announce(bus.name("$.A"), buf), -EMSGSIZE)
        self.assertEqual(b.hot.announce(bus.name("$.A"), buf, 65637), -EMSGSIZE)
        for size in (65636, 65536, 65535):
            self.assertTrue(b.hot.announce(bus.name("$.A"), buf, size) > 0)
            view = hot_take(a)
            self.assertEqual(view.size, size)
            self.assertTrue(view.data[:size] == memoryview(buf)[:size])
        closed_clean(self, bus)


class TestSizeOfData(AskingCase):
    """Data may have slot_size bytes, by each way of sending; one more is refused."""

    SIZES = {"slot_size": 8}

    def test_each_kind(self):
        self.other.bind("$.B")
        heard = self.bus.name("$.B")
        for name in (heard, self.bus.name("$.Nobody")):
            for flags in (0, URGENT, STAGED):
                self.assertTrue(self.asker.hot.announce(name, bytes(8), -1, flags) > 0)
                self.assertEqual(self.asker.hot.announce(name, bytes(9), -1, flags), -EMSGSIZE)
                self.assertEqual(self.asker.hot.announce(name, bytes(99), 9, flags), -EMSGSIZE)
        for flags in (0, URGENT, STAGED):
            self.assertTrue(self.asker.hot.request(self.name, bytes(8), -1, flags) > 0)
            self.assertEqual(self.asker.hot.request(self.name, bytes(9), -1, flags), -EMSGSIZE)
            view = hot_take(self.replier)
            self.assertEqual(self.replier.hot.reply(view, bytes(9), -1, flags), -EMSGSIZE)
            self.assertTrue(self.replier.hot.reply(view, bytes(8), -1, flags) > 0)
            self.assertEqual(data(self.asker), [bytes(8)])
        self.assertEqual(data(self.other), [bytes(8)] * 3)
        self.assertEqual(self.asker.usage().refused, {"EMSGSIZE": 15})
        self.assertEqual(self.replier.usage().refused, {"EMSGSIZE": 3})

    def test_a_refused_one_leaves_nothing_behind(self):
        """Neither in a log nor in a queue, and its slot is free."""
        self.other.bind("$.B")
        name = self.bus.name("$.B")
        for i in range(3):
            self.asker.hot.announce(name, b"%d" % i)
            self.assertEqual(self.asker.hot.announce(name, bytes(9)), -EMSGSIZE)
            self.assertEqual(held(self.bus), i + 1)
        self.assertEqual(texts(self.other), [b"0", b"1", b"2"])


class TestTables(unittest.TestCase):
    """Tables of the core: the last place, one more, and free again."""

    def test_ksocks(self):
        core = Core(ksock_count=2)
        a, b = core.open(), core.open(3)
        self.assertEqual((core.open(), core.open(3)), (-ENOSPC, -ENOSPC))
        self.assertEqual((a.limit, b.limit, [h.id for h in core.hots]), (16, 3, [1, 2]))
        core.shut(a)
        c = core.open()
        self.assertEqual(([h.id for h in core.hots], core.open()), ([2, 3], -ENOSPC))
        for hot in (b, c):
            core.shut(hot)
        core.closed = True
        self.assertEqual(core.open(), -EBADF)

    def test_ids_wrap(self):
        """Behind 2**30-1 comes 1."""
        core = Core()
        core._ksock_id = SERIAL_MAX - 1
        self.assertEqual([core.open().id for _ in range(3)], [SERIAL_MAX, 1, 2])

    def test_bindings(self):
        """What is wrong with one that finds no place is told first."""
        core = Core(binding_count=2)
        hot = core.open()
        self.assertEqual(core.bind(hot, "$.A", True), 0)
        self.assertEqual(core.bind(hot, "$.A", False), 0)
        for replier, proxy in ((True, False), (False, False), (True, True), (False, True)):
            self.assertEqual(core.bind(hot, "$.B", replier, proxy), -ENOSPC)
        self.assertEqual(core.bind(hot, "$.A", True), -EADDRINUSE)
        self.assertEqual(core.bind(hot, "$.A.", True), -EBADMSG)
        self.assertEqual(core.bindings.count, 2)
        self.assertEqual(core.unbind(hot, "$.A", False), 0)
        self.assertEqual(core.bind(hot, "$.B", False), 0)
        core.shut(hot)
        self.assertEqual(core.bindings.count, 0)
        self.assertEqual(core.bind(hot, "$.B", False), -EBADF)
        self.assertEqual(core.unbind(hot, "$.B", False), -EBADF)

    def test_names(self):
        core = Core(name_count=2)
        kept = [core.lookup("$.A"), core.lookup("$.B")]
        for name in kept:
            name.kept = True
        self.assertEqual(core.lookup("$.C"), -ENOSPC)
        self.assertIs(core.lookup("$.A"), kept[0])
        kept[0].kept = False
        self.assertEqual(core.lookup("$.C").text, "$.C")
        self.assertEqual(sorted(core.bindings.names), ["$.B", "$.C"])

    def test_length_of_a_name(self):
        """1000 characters may be bound, sent, asked and found."""
        text = "$." + "n" * 998
        core = Core()
        hot = core.open()
        for long, code in ((text, 0), (text + "n", -ENAMETOOLONG)):
            for replier in (False, True):
                self.assertEqual(core.bind(hot, long, replier), code)
        self.assertEqual(core.lookup(text + "n"), -ENAMETOOLONG)
        self.assertEqual(core.find_replier(text), hot.id)
        self.assertTrue(hot.request(core.lookup(text), b"q") > 0)
        self.assertEqual(hot.unread(), 2)
        wild = text[:-2] + ".*"
        self.assertEqual((core.bind(hot, wild, True), core.unbind(hot, wild, True)), (0, 0))
        self.assertEqual(core.bind(hot, text[:-1] + ".*", True), -ENAMETOOLONG)
        self.assertEqual(core.unbind(hot, text, True), 0)
        self.assertEqual(core.unbind(hot, text + "n", True), -ENAMETOOLONG)
        core.shut(hot)
        self.assertEqual(core.pool.free_count(), core.pool.count)


if __name__ == "__main__":
    unittest.main()
