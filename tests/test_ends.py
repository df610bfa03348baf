# SPDX-License-Identifier: MIT
"""How requests end without a reply: deadlines, closes, answers that fit whatever is full."""

import unittest

from buses import (
    SERIAL_MAX,
    AskingCase,
    Clock,
    closed_clean,
    data,
    hot_take,
    make_bus,
    names,
    parked,
    read,
)
from limpet import NotExpected
from limpet.errors import EADDRNOTAVAIL, ECONNREFUSED, EINVAL, ENOLCK

OVERDUE = "$.KBUS.Replier.Overdue"
EXPIRED = "$.KBUS.Replier.Expired"
GONE_AWAY = "$.KBUS.Replier.GoneAway"
IGNORED = "$.KBUS.Replier.Ignored"


class TestDeadline(AskingCase):
    def setUp(self):
        AskingCase.setUp(self)
        self.clock = Clock(self.bus)  # the wrap lies 50 ms ahead

    def test_unread(self):
        """An unread request is withdrawn at its deadline, not before, and never runs."""
        sent = self.asker.request("$.A", b"q", deadline_ms=100)
        self.assertEqual(self.clock.go(99), 1)
        self.assertEqual(read(self.asker), [])
        self.clock.go(1)
        self.assertEqual(self.ends(), [(OVERDUE, sent)])
        self.assertEqual(read(self.replier), [])

    def test_read(self):
        """A request that was read has perhaps run: Expired, and the late reply is refused."""
        sent = self.asker.request("$.A", deadline_ms=100)
        request = self.replier.next()
        self.clock.go(99)
        self.assertEqual(read(self.asker), [])
        self.clock.go(1)
        got = self.asker.next()
        self.assertEqual((got.name, got.in_reply_to, got.executed), (EXPIRED, sent, "unknown"))
        self.assertEqual(got.sender, (0, self.replier.id))
        late = self.bus.answers.late
        self.assertEqual(self.replier.hot.reply(request, b"late"), -ECONNREFUSED)
        self.assertEqual(self.bus.answers.late, late + 1)
        self.assertEqual(read(self.asker), [])

    def test_in_time(self):
        """A request that ended before its deadline does not end again."""
        self.asker.request("$.A", deadline_ms=100)
        self.replier.reply(self.replier.next(), b"r")
        self.assertTrue(self.clock.go(200) > 1 << 20)
        self.assertEqual(data(self.asker), [b"r"])

    def test_each_at_its_time(self):
        """Deadlines in any order of sending; poll tells when the next one is due."""
        times = (70, 30, 50, 20, 90, 30)
        sent = [self.asker.request("$.A", deadline_ms=ms) for ms in times]
        self.assertEqual(self.bus.poll(self.clock.now_ms), 20)
        ended = []
        for ms in range(1, 101):
            self.clock.go(1)
            for name, number in self.ends():
                self.assertEqual(name, OVERDUE)
                self.assertEqual(times[sent.index(number)], ms)
                ended.append(number)
        self.assertEqual(sorted(ended), sent)

    def test_a_shorter_one_comes_later(self):
        """A new request may be due before those that wait."""
        self.asker.request("$.A", deadline_ms=1000)
        self.assertEqual(self.clock.go(10), 990)
        self.asker.request("$.A", deadline_ms=5)
        self.assertEqual(self.clock.go(0), 5)
        self.clock.go(5)
        self.assertEqual(len(read(self.asker)), 1)
        self.assertEqual(self.clock.go(0), 985)

    def test_none_and_zero(self):
        """None: for ever. 0: it ends at the next poll if nobody took it before."""
        self.asker.request("$.A", deadline_ms=None)
        sent = self.asker.request("$.A", deadline_ms=0)
        self.clock.go(0)
        self.assertEqual(self.ends(), [(OVERDUE, sent)])
        for _ in range(8):
            self.clock.go(1 << 28)
        self.assertEqual(read(self.asker), [])
        self.assertEqual(len(read(self.replier)), 1)

    def test_the_longest_one(self):
        """MS_MAX is possible, and does not pass early."""
        self.asker.request("$.A", deadline_ms=(1 << 29) - 1)
        self.clock.go((1 << 29) - 2)
        self.assertEqual(read(self.asker), [])
        self.clock.go(1)
        self.assertEqual(len(read(self.asker)), 1)

    def test_what_is_no_deadline(self):
        """One above, below zero, or not whole: both layers refuse it, and nothing has happened."""
        name = self.bus.name("$.A")
        for bad in (1 << 29, 1 << 40, -1, -(1 << 30), 1000.0, "1"):
            kind = ValueError if isinstance(bad, int) else TypeError
            self.assertRaises(kind, self.asker.request, "$.A", b"", bad)
            self.assertRaises(kind, self.asker.call, "$.A", b"", bad)
            self.assertEqual(self.asker.hot.request(name, b"", 0, 0, bad), -EINVAL)
        self.assertEqual(self.bus.pool.free_count(), self.bus.pool.count)
        self.assertEqual(self.asker.hot.reserved, 0)
        self.clock.go(1)

    def test_only_the_overdue_one_is_withdrawn(self):
        """What lies before and behind it in the replier's queue stays, in order, gaps kept."""
        self.replier.bind("$.B")
        self.asker.announce("$.B", b"1")
        self.asker.request("$.A", b"2", deadline_ms=10)
        self.asker.request("$.A", b"3")
        self.asker.announce("$.B", b"4")
        self.asker.request("$.A", b"5", deadline_ms=10)
        self.clock.go(10)
        self.assertEqual(data(self.replier), [b"1", b"3", b"4"])

    def test_listeners_keep_their_copy(self):
        """Withdrawing a request takes it from its replier only."""
        self.other.bind("$.A")
        self.asker.request("$.A", b"q", deadline_ms=10)
        self.clock.go(10)
        self.assertEqual(data(self.other), [b"q"])

    def test_a_bus_asleep_is_woken_for_it(self):
        """A new first deadline wakes who sleeps on the bus."""
        self.bus.waiter.wait(0, False)
        self.asker.request("$.A", deadline_ms=10)
        self.assertTrue(self.bus.waiter.wait(5000, False))


class TestClose(AskingCase):
    def test_the_replier_with_requests_unread(self):
        """They end in GoneAway, in the order they were queued."""
        sent = [self.asker.request("$.A") for _ in range(3)]
        self.replier.close()
        self.assertEqual(self.ends(), [(GONE_AWAY, n) for n in sent])

    def test_the_replier_with_requests_read(self):
        """They end in Ignored, the one read last first, after those unread."""
        sent = [self.asker.request("$.A") for _ in range(4)]
        for _ in range(3):
            self.replier.next()
        self.replier.close()
        expected = [(GONE_AWAY, sent[3])] + [(IGNORED, sent[i]) for i in (2, 1, 0)]
        self.assertEqual(self.ends(), expected)

    def test_the_replier_while_viewing(self):
        """A request in view counts as read."""
        sent = self.asker.request("$.A")
        hot_take(self.replier)
        self.replier.close()
        self.assertEqual(self.ends(), [(IGNORED, sent)])

    def test_the_asker_with_its_request_unread(self):
        """The request still runs; the reply is for nobody, and says so."""
        self.asker.request("$.A", b"q")
        self.asker.close()
        request = self.replier.next()
        self.assertTrue(request.wants_reply)
        self.assertEqual(self.replier.hot.reply(request, b"r"), -EADDRNOTAVAIL)
        self.assertEqual(self.replier.hot.reply(request, b"r"), -ECONNREFUSED)

    def test_the_asker_with_its_request_read(self):
        """The same when it had been read before."""
        self.asker.request("$.A", b"q")
        request = self.replier.next()
        self.asker.close()
        with self.assertRaises(NotExpected) as caught:
            self.replier.reply(request, b"r")
        self.assertEqual(caught.exception.errno, EADDRNOTAVAIL)

    def test_the_asker_and_the_deadline(self):
        """Deadlines of an asker that has closed still withdraw what is unread."""
        clock = Clock(self.bus)
        self.asker.request("$.A", deadline_ms=10)
        self.asker.request("$.A", deadline_ms=20)
        self.asker.close()
        clock.go(10)
        self.assertEqual(len(read(self.replier)), 1)
        clock.go(10)
        self.assertEqual(parked(self.bus), [])

    def test_both(self):
        """Whoever closes first, everything comes back."""
        for first, second in ((0, 1), (1, 0)):
            for taken in range(3):
                bus = make_bus()
                pair = [bus.ksock(), bus.ksock()]
                pair[1].bind("$.A", True)
                for _ in range(3):
                    pair[0].request("$.A", deadline_ms=100)
                for _ in range(taken):
                    request = pair[1].next()
                if taken == 2:
                    pair[1].reply(request)
                pair[first].close()
                pair[second].close()
                self.assertEqual(bus.pool.free_count(), bus.pool.count)
                self.assertEqual(parked(bus), [])
                closed_clean(self, bus)

    def test_statuses_reach_their_asker_only(self):
        """Who listens to the names of statuses hears nothing of them."""
        self.other.bind("$.KBUS.*")
        self.other.bind("$.*")
        self.asker.request("$.A")
        self.replier.close()
        self.assertEqual(len(read(self.asker)), 1)
        self.assertEqual(names(self.other), ["$.A"])


class TestAnswersAlwaysFit(unittest.TestCase):
    def test_everything_is_full(self):
        """With every slot and place taken each request that is out still gets its answer."""
        bus = make_bus(slot_count=6, queue_size=6)
        asker, replier, dead = bus.ksock(3), bus.ksock(), bus.ksock()
        replier.bind("$.A", True)
        dead.bind("$.B")
        asker.bind("$.B")
        sent = [asker.request("$.A") for _ in range(2)]
        requests = [replier.next() for _ in range(2)]
        for _ in range(20):
            dead.announce("$.B", b"noise")
        self.assertEqual(bus.pool.free_count(), 0)
        self.assertEqual(asker.hot.room(), 0)
        replier.reply(requests[0], b"r")
        replier.close()
        got = [m for m in read(asker) if m.in_reply_to]
        self.assertEqual([m.in_reply_to for m in got], sent)
        self.assertEqual([m.kind for m in got], ["reply", "status"])
        closed_clean(self, bus)

    def test_as_many_as_there_are_places(self):
        """queue_size requests can be out, one more is refused; each answer makes room for one."""
        bus = make_bus(slot_count=32, queue_size=5)
        asker, replier = bus.ksock(), bus.ksock(10)
        replier.bind("$.A", True)
        for _ in range(5):
            asker.request("$.A")
        self.assertEqual(asker.hot.request(bus.name("$.A"), b""), -ENOLCK)
        replier.reply(replier.next(), b"1")
        self.assertEqual(asker.hot.request(bus.name("$.A"), b""), -ENOLCK)  # it lies unread
        self.assertEqual(asker.next().data, b"1")
        self.assertTrue(asker.request("$.A") > 0)
        self.assertEqual(asker.hot.request(bus.name("$.A"), b""), -ENOLCK)
        closed_clean(self, bus)


class TestNumbersWrap(unittest.TestCase):
    def setUp(self):
        self.bus = make_bus(slot_count=64, queue_size=32)
        self.asker, self.replier = self.bus.ksock(), self.bus.ksock()
        self.replier.bind("$.A", True)

    def tearDown(self):
        closed_clean(self, self.bus)

    def numbers(self, count):
        return [self.asker.announce("$.Nobody") for _ in range(count)]

    def test_skips_zero(self):
        """After 2**30-1 comes 1."""
        self.bus.pool.serial = SERIAL_MAX - 2
        self.assertEqual(self.numbers(4), [SERIAL_MAX - 1, SERIAL_MAX, 1, 2])

    def test_skips_those_that_are_out(self):
        """No number is given while a request has it."""
        self.numbers(2)
        for _ in range(3):
            self.asker.request("$.A")  # 3, 4, 5
        self.numbers(1)
        self.asker.request("$.A")  # 7
        self.bus.pool.serial = SERIAL_MAX - 1
        self.assertEqual(self.numbers(6), [SERIAL_MAX, 1, 2, 6, 8, 9])

    def test_the_first_and_the_last_are_out(self):
        """Also when they lie on both sides of the wrap."""
        self.asker.request("$.A")  # 1
        self.bus.pool.serial = SERIAL_MAX - 2
        sent = [self.asker.request("$.A") for _ in range(2)]
        self.assertEqual(sent, [SERIAL_MAX - 1, SERIAL_MAX])
        self.assertEqual(self.numbers(2), [2, 3])
        self.bus.pool.serial = SERIAL_MAX - 3
        self.assertEqual(self.numbers(3), [SERIAL_MAX - 2, 2, 3])

    def test_free_once_it_has_ended(self):
        """A number that was out may be given after its request has ended."""
        for _ in range(2):
            self.asker.request("$.A")  # 1, 2
        self.bus.pool.serial = SERIAL_MAX - 1
        self.assertEqual(self.numbers(1), [SERIAL_MAX])
        self.replier.reply(self.replier.next(), b"")
        self.assertEqual(self.asker.next().in_reply_to, 1)
        self.assertEqual(self.numbers(2), [4, 5])  # past 2, which is out, and the reply's 3
        self.bus.pool.serial = SERIAL_MAX
        self.assertEqual(self.numbers(2), [1, 3])

    def test_requests_across_the_wrap_end_each_once(self):
        """Replies find their requests on both sides of the wrap."""
        self.bus.pool.serial = SERIAL_MAX - 5
        sent = [self.asker.request("$.A", b"%d" % i) for i in range(10)]
        self.assertEqual(len(set(sent)), 10)
        self.assertTrue(0 < min(sent) and max(sent) <= SERIAL_MAX)
        for request in read(self.replier):
            self.replier.reply(request, request.data)
        got = [(m.in_reply_to, m.data) for m in read(self.asker)]
        self.assertEqual(len(got), 10)
        for number, what in got:
            self.assertEqual(sent[int(what)], number)


if __name__ == "__main__":
    unittest.main()
