# SPDX-License-Identifier: MIT
"""Logs: several listeners share what they hear; each sees it as if it had a queue for itself."""

import unittest

from buses import ThreeCase, closed_clean, data, gaps, hot_take, make_bus
from hots import Bell, held, shown, taken, texts
from limpet import MessageView
from limpet.send import URGENT

FAR = 1 << 28


class Case(ThreeCase):
    """a and b listen to $.A, c sends."""

    def setUp(self):
        super().setUp()
        for ks in (self.a, self.b):
            ks.bind("$.A")

    def announce(self, first, after, name="$.A", sender=None):
        for i in range(first, after):
            (sender or self.c).announce(name, b"%d" % i)

    def numbers(self, first, after):
        return [b"%d" % i for i in range(first, after)]

    def in_log(self, *ksocks):
        """Check that these share the log of $.A, so that the test is about logs at all."""
        for ks in ksocks:
            self.assertIs(ks.hot.log, self.name.log)
            self.assertTrue(self.name.log.readers)


class TestOneOrder(Case):
    """All listeners see the same order, each at its own pace."""

    def test_each_at_its_own_pace(self):
        self.c.bind("$.A")
        sender = self.bus.ksock()
        heard = [[], [], []]
        for i in range(90):
            sender.announce("$.A", b"%d" % i)
            heard[0] += data(self.a)
            if i % 3 == 2:
                heard[1] += [self.b.next().data for _ in range(3)]
            if i % 7 == 6:
                heard[2] += texts(self.c)
        for ks, found in zip((self.a, self.b, self.c), heard):
            found += data(ks)
            self.assertEqual(found, self.numbers(0, 90))
        self.in_log(self.a, self.b, self.c)

    def test_whoever_sends(self):
        """Listeners among them."""
        for i in range(12):
            (self.a, self.b, self.c)[i % 3].hot.announce(self.name, b"%d" % i)
        self.in_log(self.a, self.b)
        self.assertEqual(texts(self.a), self.numbers(0, 12))
        self.assertEqual(data(self.b), self.numbers(0, 12))

    def test_one_slot_for_all(self):
        """However many listen; it comes back when the last of them has gone on."""
        self.announce(0, 5)
        self.assertEqual(held(self.bus), 5)
        taken(self.a)
        self.assertEqual(held(self.bus), 5)
        taken(self.b)
        self.a.hot.release()
        self.b.hot.release()
        self.assertEqual(self.bus.pool.free_count(), self.bus.pool.count)

    def test_one_slot_goes_round(self):
        """What all have read is taken back without anybody asking, also behind one who views."""
        bus = make_bus(slot_count=3)
        a, b, c = [bus.ksock() for _ in range(3)]
        a.bind("$.A")
        b.bind("$.A")
        view = MessageView()
        for i in range(30):
            c.announce("$.A", b"%d" % i)
            self.assertEqual(shown(hot_take(a, view)), b"%d" % i)
            self.assertEqual(data(b), [b"%d" % i])
            self.assertIs(a.hot.log, c.bus.find_name("$.A").log)  # nobody has to leave
        self.assertEqual((bus.pool.dropped, view.missed), (0, 0))
        closed_clean(self, bus)

    def test_slots_come_back_beside_others(self):
        """One who is full, or on no log, does not keep the slots of those who read."""
        for change in (lambda b: None, lambda b: b.hot.set_watch(Bell())):
            bus = make_bus(slot_count=6, queue_size=9)
            a, b, c = bus.ksock(), bus.ksock(2), bus.ksock()
            a.bind("$.A")
            b.bind("$.A")
            change(b)
            name = bus.name("$.A")
            view = MessageView()
            for i in range(30):
                c.hot.announce(name, b"%d" % i)
                self.assertEqual(shown(hot_take(a, view)), b"%d" % i)
                if i > 2:
                    self.assertIs(a.hot.log, name.log)
            self.assertEqual((bus.pool.dropped, texts(b)), (0, self.numbers(0, 2)))
            closed_clean(self, bus)

    def test_the_short_way(self):
        """It is open for as many as the one with least room has places; then it is looked anew."""
        self.announce(0, 5)
        taken(self.b)
        log = self.name.log
        log.renew()
        self.assertEqual(log.limit - log.end, 11)
        taken(self.a)
        self.announce(0, 3)
        log.renew()
        self.assertEqual(log.limit - log.end, 13)
        self.a.bind("$.R", True)
        self.announce(0, 1)
        self.assertEqual(log.limit - log.end, 12)
        taken(self.a)
        self.c.request("$.R")  # the fewer places there are, the earlier
        self.assertEqual(log.limit - log.end, 11)
        self.c.bind("$.S", True)
        for flags in (0, URGENT):  # so do those that are kept for answers
            self.a.hot.request(self.bus.name("$.S"), b"", -1, flags)
        self.assertEqual((log.limit - log.end, self.a.hot.room()), (9, 13))
        self.c.hot.announce(self.bus.name("$.T"), b"", -1, URGENT)
        self.a.bind("$.T")
        self.announce(0, 1)
        self.c.hot.announce(self.bus.name("$.T"), b"", -1, URGENT)
        self.assertEqual((log.limit - log.end, self.a.hot.room()), (7, 11))
        self.b.hot.set_limit(7)
        self.assertEqual(log.limit, 0)
        self.announce(0, 1)
        self.assertEqual(log.limit - log.end, 1)
        self.announce(0, 6)
        self.assertEqual((self.a.hot.missed_total, self.b.hot.missed_total), (0, 5))

    def test_a_smaller_limit_on_a_log_that_is_empty(self):
        """Nothing of the first message slips through."""
        self.a.bind("$.R", True)
        self.c.request("$.R", b"q")
        self.a.hot.set_limit(1)
        self.announce(0, 1)
        self.assertEqual((texts(self.a), data(self.b)), ([b"q"], [b"0"]))

    def test_room(self):
        """What is unread in the log takes places like what is in the queue."""
        for i in range(10):
            self.assertEqual((self.a.hot.room(), self.a.hot.message_count()), (16 - i, i))
            self.announce(i, i + 1)
        self.c.hot.announce(self.name, b"urgent", -1, URGENT)
        self.assertEqual((self.a.hot.room(), self.a.hot.message_count()), (5, 11))
        self.a.bind("$.B", True)
        self.c.request("$.B")
        self.assertEqual((self.a.hot.room(), self.a.hot.message_count()), (4, 12))
        self.assertEqual(self.a.usage().used, 12)
        for i in range(12):
            hot_take(self.a)
            self.assertEqual(self.a.hot.room(), 5 + i)


class TestSlow(Case):
    """One who does not keep up misses what finds no room, is told so, and harms nobody."""

    SIZES = {"queue_size": 4}

    def test_full_and_back(self):
        """A full one leaves the log, and joins it again when it has room."""
        for turn in range(3):
            for i in range(8):
                self.announce(i, i + 1)
                self.assertEqual(data(self.b), [b"%d" % i])
            self.assertIsNot(self.a.hot.log, self.name.log)
            self.in_log(self.b)
            expected = [(0, d) for d in self.numbers(0, 4)]
            expected[0] = (4 if turn else 0, b"0")
            self.assertEqual(taken(self.a), expected)
        self.announce(8, 10)
        self.in_log(self.a, self.b)
        self.announce(10, 11)
        self.assertEqual(gaps(self.a), [(4, b"8"), (0, b"9"), (0, b"10")])
        self.assertEqual(data(self.b), self.numbers(8, 11))

    def test_each_place_that_is_read_is_one_to_fill(self):
        self.announce(0, 6)
        self.b.next()
        self.announce(6, 8)
        self.assertEqual(gaps(self.a), [(0, d) for d in self.numbers(0, 4)])
        self.assertEqual(gaps(self.b), [(0, b"1"), (0, b"2"), (0, b"3"), (2, b"6")])

    def test_different_limits(self):
        """Each misses by its own limit."""
        small, large = self.bus.ksock(1), self.bus.ksock(9)
        for ks in (small, large):
            ks.bind("$.A")
        self.announce(0, 12)
        self.assertEqual(texts(small), self.numbers(0, 1))
        self.assertEqual(texts(self.a), self.numbers(0, 4))
        self.assertEqual(texts(large), self.numbers(0, 9))
        self.assertEqual(data(self.b), self.numbers(0, 4))
        self.announce(12, 13)
        missed = [gaps(ks)[0][0] for ks in (small, large, self.a, self.b)]
        self.assertEqual(missed, [11, 3, 8, 8])

    def test_requests_take_places_of_those_on_a_log(self):
        """Coming in and kept for answers; the log does not run over them."""
        self.a.bind("$.B", True)
        self.announce(0, 2)
        self.c.request("$.B", b"q")
        self.b.bind("$.C", True)
        self.a.request("$.C")
        self.assertEqual(self.a.hot.room(), 0)
        self.announce(2, 4)
        self.assertEqual(taken(self.a), [(0, b"0"), (0, b"1"), (0, b"q")])
        self.assertEqual(len(taken(self.b)), 4)
        self.announce(4, 5)
        self.assertEqual(gaps(self.a), [(2, b"4")])

    def test_a_larger_limit(self):
        """Counts at once; a smaller one drops nothing."""
        self.announce(0, 5)
        self.a.hot.set_limit(6)
        self.announce(5, 8)
        self.a.hot.set_limit(2)
        self.announce(8, 9)
        expected = [(0, d) for d in self.numbers(0, 4)] + [(1, b"5"), (0, b"6")]
        self.assertEqual(taken(self.a), expected)
        self.announce(9, 13)
        self.assertEqual(gaps(self.a), [(2, b"9"), (0, b"10")])
        self.assertEqual(data(self.b), self.numbers(0, 4))


class TestDead(Case):
    """One who never reads costs the others nothing."""

    SIZES = {"slot_count": 6}

    def test_others_go_on(self):
        for i in range(100):
            self.announce(i, i + 1)
            self.assertEqual(gaps(self.b), [(0, b"%d" % i)])
        got = taken(self.a)
        self.assertEqual([d for _, d in got], self.numbers(100 - len(got), 100))
        self.assertEqual((got[0][0], len(got)), (94, 6))
        self.assertEqual(self.bus.usage().missed, 94)

    def test_both_dead(self):
        self.announce(0, 50)
        for ks in (self.a, self.b):
            self.assertEqual(taken(ks), [(44, b"44")] + [(0, d) for d in self.numbers(45, 50)])
        self.assertEqual((self.bus.pool.dropped, self.bus.usage().missed), (44, 88))

    def test_a_log_that_was_empty_when_slots_ran_out(self):
        """Gives its slots back the next time."""
        self.b.unbind("$.A")
        self.b.bind("$.B")
        for _ in range(3):
            self.announce(0, 2)
            taken(self.a)
            self.a.hot.release()
            self.announce(0, 8, "$.B")
            self.assertEqual(len(taken(self.b)), 6)
            self.b.hot.release()
            self.announce(0, 6)
            self.announce(6, 8, "$.B")
            self.assertEqual((texts(self.b), len(texts(self.a))), ([b"6", b"7"], 4))
            self.b.hot.release()
            self.a.hot.release()

    def test_the_oldest_of_several_logs(self):
        """What goes first is the oldest message of the bus, whatever log or queue it is in."""
        self.b.unbind("$.A")
        self.b.bind("$.B")
        for i in range(3):
            self.announce(i, i + 1, "$.B")
            self.announce(i, i + 1)
        self.announce(3, 6)  # B0, A0, B1 go
        self.assertEqual(taken(self.a), [(1, b"1")] + [(0, d) for d in self.numbers(2, 6)])
        self.assertEqual(taken(self.b), [(2, b"2")])


class TestUnread(Case):
    """What one has not read stays, whatever others do; in order, and nothing twice."""

    def lived(self, change, for_a=(b"0", b"1", b"2", b"3", b"4"), for_b=None):
        """Change something while three messages are unread in a log, and send two more."""
        for read_before in (0, 2, 3):
            bus = make_bus()
            a, b, c = [bus.ksock() for _ in range(3)]
            for ks in (a, b):
                ks.bind("$.A")
            for i in range(3):
                c.announce("$.A", b"%d" % i)
            self.assertIs(a.hot.log, bus.name("$.A").log)
            seen = [hot_take(a).data[0] for _ in range(read_before)]
            change(bus, a, b)
            c.announce("$.A", b"3")
            c.announce("$.A", b"4")
            seen = [bytes([one]) for one in seen]
            self.assertEqual(seen + texts(a), list(for_a))
            if not b.hot.closed:
                self.assertEqual(data(b), list(for_a if for_b is None else for_b))
            closed_clean(self, bus)

    def test_others_come(self):
        self.lived(lambda bus, a, b: bus.ksock().bind("$.A"))
        self.lived(lambda bus, a, b: bus.ksock().bind("$.*"))
        self.lived(lambda bus, a, b: bus.ksock().bind("$.A", True))

    def test_others_go(self):
        self.lived(lambda bus, a, b: b.close())
        self.lived(lambda bus, a, b: b.unbind("$.A"), for_b=())

    def test_others_go_and_come_back(self):
        def rebind(bus, a, b):
            b.unbind("$.A")
            b.bind("$.*")

        self.lived(rebind, for_b=(b"3", b"4"))

    def test_others_hear_twice(self):
        twice = (b"0", b"1", b"2", b"3", b"3", b"4", b"4")
        self.lived(lambda bus, a, b: b.bind("$.A"), for_b=twice)

    def test_others_are_full(self):
        self.lived(lambda bus, a, b: b.hot.set_limit(1), for_b=(b"0", b"1", b"2"))

    def test_others_are_watched(self):
        self.lived(lambda bus, a, b: b.hot.set_watch(Bell()))
        self.lived(lambda bus, a, b: b.hot.want_once(True))

    def test_it_changes_itself(self):
        self.lived(lambda bus, a, b: a.bind("$.B"))
        self.lived(lambda bus, a, b: a.bind("$.A", True))
        self.lived(lambda bus, a, b: a.hot.set_watch(Bell()))
        self.lived(lambda bus, a, b: a.hot.want_once(True))
        self.lived(lambda bus, a, b: a.hot.set_limit(5))

    def test_the_log_is_emptied(self):
        self.lived(lambda bus, a, b: bus.usage())
        self.lived(lambda bus, a, b: bus.poll(5))

    def test_the_numbers_of_a_log_begin_anew(self):
        """Before they are no small ints any more."""

        def far(bus, a, b):
            log = bus.name("$.A").log
            a.hot.settle()
            b.hot.settle()
            log.end = log.tail.seq = log.limit = FAR + 1

        self.lived(far)
        self.announce(0, 3)
        log = self.name.log
        for end, then in ((FAR, FAR + 1), (FAR + 1, 0), (2 * FAR, 0)):
            texts(self.a), texts(self.b)
            self.announce(0, 3)
            texts(self.a), texts(self.b)
            self.in_log(self.a, self.b)
            moved = end - log.end
            log.end = log.limit = end
            log.tail.seq += moved
            self.announce(0, 1)
            self.assertEqual(log.end, then)


if __name__ == "__main__":
    unittest.main()
