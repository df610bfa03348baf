# SPDX-License-Identifier: MIT
"""The comfortable layer: call and its exceptions, handlers, waiting, and what a handler may do."""

import unittest

import limpet
from buses import Clock, Tracebacks, closed_clean, data, make_bus, read
from limpet import LATER, BusError, Closed, NoReply, NotBound, NotExpected, TooLarge, WouldDeadlock
from limpet.errors import (
    EADDRNOTAVAIL,
    EBUSY,
    ECONNABORTED,
    EDEADLK,
    ENOLCK,
    EPIPE,
    ETIMEDOUT,
)
from limpet.errors import error as error_of


class Case(unittest.TestCase):
    SIZES = {}

    def setUp(self):
        self.bus = make_bus(**self.SIZES)
        self.a = self.bus.ksock()
        self.b = self.bus.ksock()

    def tearDown(self):
        closed_clean(self, self.bus)

    def refused(self, kind, errno, call, *args, **kwargs):
        """Expect a call to raise exactly `kind` with that errno; return the exception."""
        with self.assertRaises(kind) as caught:
            call(*args, **kwargs)
        e = caught.exception
        self.assertIs(type(e), kind)
        self.assertEqual(e.errno, errno)
        self.assertIsInstance(e, OSError)
        return e


class TestCall(Case):
    def test_reply(self):
        """call returns the reply that the handler's result makes."""

        @self.a.replier("$.Twice")
        def twice(msg):
            return msg.data * 2

        reply = self.b.call("$.Twice", b"ab")
        self.assertEqual((reply.kind, reply.data, reply.text), ("reply", b"abab", "abab"))
        self.assertEqual(self.b.call("$.Twice", "x").text, "xx")
        self.assertEqual(self.b.call("$.Twice").data, b"")

    def test_results_of_handlers(self):
        """bytes, bytearray and str are sent, None is an empty reply."""
        results = [b"1", bytearray(b"2"), memoryview(b"3"), "4\xe9", None, "", b""]
        self.a.replier("$.A")(lambda msg: results.pop(0))
        expected = [b"1", b"2", b"3", "4\xe9".encode(), b"", b"", b""]
        self.assertEqual([self.b.call("$.A").data for _ in expected], expected)

    def test_what_came_before_stays(self):
        """call takes its own answer out of its turn; all else stays for those who read."""
        self.a.replier("$.A")(lambda msg: msg.data)
        self.b.bind("$.B")
        self.a.announce("$.B", b"1")
        other = self.b.request("$.A", b"other")
        self.assertEqual(self.b.call("$.A", b"mine").data, b"mine")
        self.a.announce("$.B", b"2")
        got = read(self.b)
        self.assertEqual([m.data for m in got], [b"1", b"other", b"2"])
        self.assertEqual(got[1].in_reply_to, other)

    def test_asking_itself(self):
        """A Ksock's handler answers its own call."""
        self.a.replier("$.A")(lambda msg: b"me")
        self.assertEqual(self.a.call("$.A").data, b"me")

    def test_to(self):
        """A stateful call goes to that Ksock or nowhere."""
        self.a.replier("$.A")(lambda msg: b"a")
        self.assertEqual(self.b.call("$.A", to=self.a.id).data, b"a")
        self.refused(limpet.NotThatReplier, EPIPE, self.b.call, "$.A", to=self.b.id)


class TestRefusedCalls(Case):
    SIZES = {"queue_size": 2, "slot_size": 8}

    def never_ran(self, e):
        self.assertIsInstance(e, NoReply)
        self.assertEqual((e.status, e.executed, e.data), (None, "no", b""))
        self.assertIn("$.A", str(e))

    def test_no_replier(self):
        self.never_ran(self.refused(limpet.NoReplier, EADDRNOTAVAIL, self.b.call, "$.A"))

    def test_queue_full(self):
        self.a.bind("$.A", True)
        for _ in range(2):
            self.bus.ksock().request("$.A")
        self.never_ran(self.refused(limpet.QueueFull, EBUSY, self.b.call, "$.A"))

    def test_not_that_replier(self):
        self.a.bind("$.A", True)
        self.never_ran(self.refused(limpet.NotThatReplier, EPIPE, self.b.call, "$.A", to=7))

    def test_no_reply_room(self):
        self.a.bind("$.A", True)
        for _ in range(2):
            self.b.request("$.A")
        self.never_ran(self.refused(limpet.NoReplyRoom, ENOLCK, self.b.call, "$.A"))

    def test_bad_arguments_are_no_missing_replies(self):
        """What is wrong with the arguments is not a NoReply."""
        for kind, args in ((limpet.BadName, ("$.A.*",)), (TooLarge, ("$.A", bytes(9)))):
            with self.assertRaises(kind) as caught:
                self.b.call(*args)
            self.assertNotIsInstance(caught.exception, NoReply)
        self.assertRaises(TypeError, self.b.call, "$.A", 5)

    def test_no_room_for_the_name(self):
        """A full table of names is a NoReply as well: the request never ran."""
        with make_bus(name_count=1) as bus:
            ks = bus.ksock()
            bus.name("$.Kept")
            self.never_ran(self.refused(limpet.TableFull, limpet.errors.ENOSPC, ks.call, "$.A"))

    def test_announce_and_reply(self):
        """TooLarge, Closed, NotExpected carry their errnos as well."""
        self.a.bind("$.A", True)
        self.b.request("$.A")
        message = self.a.next()
        self.refused(TooLarge, limpet.errors.EMSGSIZE, self.a.reply, message, bytes(9))
        self.refused(NotExpected, limpet.errors.ECONNREFUSED, self.b.reply, message)
        self.a.close()
        self.refused(Closed, limpet.errors.EBADF, self.a.announce, "$.A")


class TestStatuses(Case):
    def ended(self, name, errno, executed, what=b"", **arguments):
        """Call $.A and expect it to end in that status."""
        with self.assertRaises(NoReply) as caught:
            self.b.call("$.A", **arguments)
        e = caught.exception
        self.assertIs(type(e), NoReply)
        self.assertEqual((e.status, e.errno, e.executed, e.data), (name, errno, executed, what))
        self.assertIn(name, str(e))
        self.assertEqual(read(self.b), [])

    def meanwhile(self, function):
        """Let function() run in a handler while the call waits."""
        self.a.bind("$.A", True)
        helper = self.bus.ksock()
        helper.listener("$.Go")(lambda msg: function())
        helper.announce("$.Go")

    def test_overdue(self):
        """Nobody read it: it never ran."""
        self.a.bind("$.A", True)
        self.ended("$.KBUS.Replier.Overdue", ETIMEDOUT, "no", deadline_ms=5)
        self.assertEqual(read(self.a), [])

    def test_overdue_at_once(self):
        """With a deadline of 0 nothing waits."""
        self.a.bind("$.A", True)
        self.ended("$.KBUS.Replier.Overdue", ETIMEDOUT, "no", deadline_ms=0)

    def test_expired(self):
        """It was read: it may have run."""
        self.a.replier("$.A")(lambda msg: LATER)
        self.ended("$.KBUS.Replier.Expired", ETIMEDOUT, "unknown", deadline_ms=5)

    def test_failed(self):
        """The handler raised: it ran. The exception's name is the data."""

        @self.a.replier("$.A")
        def fails(msg):
            raise ValueError("no")

        with Tracebacks() as printed:
            self.ended("$.KBUS.Replier.Failed", ECONNABORTED, "yes", b"ValueError")
        self.assertEqual([type(e) for e in printed.found], [ValueError])

    def test_unbound(self):
        self.meanwhile(lambda: self.a.unbind("$.A", True))
        self.b.bind("$.Go")  # the listener runs before the request is read
        read(self.b)
        self.ended("$.KBUS.Replier.Unbound", ECONNABORTED, "no")

    def test_gone_away(self):
        self.meanwhile(self.a.close)
        self.ended("$.KBUS.Replier.GoneAway", ECONNABORTED, "no")

    def test_ignored(self):
        def read_and_close():
            self.a.next()
            self.a.close()

        self.meanwhile(read_and_close)
        self.ended("$.KBUS.Replier.Ignored", ECONNABORTED, "unknown")

    def test_the_ksock_itself_closes(self):
        """A call on a Ksock that closes meanwhile ends."""
        self.meanwhile(self.b.close)
        e = self.refused(Closed, limpet.errors.EBADF, self.b.call, "$.A")
        self.assertEqual((e.status, e.executed), (None, "unknown"))
        e = self.refused(Closed, limpet.errors.EBADF, self.b.call, "$.A")
        self.assertEqual((e.status, e.executed), (None, "no"))
        self.assertIsInstance(e, NoReply)


class TestWaiting(Case):
    def test_a_message_that_is_there(self):
        """wait_for_msg returns what has come, in order."""
        self.a.bind("$.A")
        for i in range(2):
            self.b.announce("$.A", b"%d" % i)
        self.assertEqual(self.a.wait_for_msg().data, b"0")
        self.assertEqual(self.a.wait_for_msg(0).data, b"1")

    def test_none(self):
        """None when the time has passed, at once with 0."""
        self.assertIsNone(self.a.wait_for_msg(0))
        self.assertIsNone(self.a.wait_for_msg(3))
        for bad in (-1, 1 << 29):
            self.assertRaises(ValueError, self.a.wait_for_msg, bad)
        for bad in (1.0, "1"):
            self.assertRaises(TypeError, self.a.wait_for_msg, bad)

    def test_messages(self):
        """The iterator gives what comes and ends when nothing does; it may be used again."""
        self.a.bind("$.A")
        for _ in range(2):
            for i in range(3):
                self.b.announce("$.A", b"%d" % i)
            self.assertEqual([m.data for m in self.a.messages(0)], [b"0", b"1", b"2"])

    def test_sending_while_iterating(self):
        """What is sent in the loop comes in the loop."""
        self.a.bind("$.A")
        self.b.announce("$.A", b"")
        found = []
        for message in self.a.messages(0):
            found.append(message.data)
            if len(message.data) < 3:
                self.a.announce("$.A", message.data + b"x")
        self.assertEqual(found, [b"", b"x", b"xx", b"xxx"])

    def test_closing_ends_the_wait(self):
        """A wait without limit ends when the Ksock is closed, by a handler or in the loop."""
        self.b.listener("$.Go")(lambda msg: self.a.close())
        self.b.announce("$.Go")
        self.assertIsNone(self.a.wait_for_msg())
        c = self.bus.ksock()
        c.bind("$.A")
        for _ in range(3):
            self.b.announce("$.A")
        count = 0
        for _ in c.messages():
            count += 1
            c.close()
        self.assertEqual(count, 1)

    def test_missed_copies_are_told(self):
        """msg.missed counts what was lost before it."""
        small = self.bus.ksock(1)
        small.bind("$.A")
        for _ in range(4):
            self.b.announce("$.A")
        self.assertEqual(small.next().missed, 0)
        self.b.announce("$.A")
        self.assertEqual(small.wait_for_msg(0).missed, 3)


class TestErrors(unittest.TestCase):
    def test_each_errno_has_its_class(self):
        """Every exception is found by its errno, has it, and is named in the package."""
        for name in limpet.__all__:
            cls = getattr(limpet, name)
            if not (isinstance(cls, type) and issubclass(cls, OSError)):
                continue
            self.assertTrue(issubclass(cls, BusError))
            self.assertEqual(cls("why").errno, cls.code)
            self.assertIn("why", str(cls("why")))
            if cls not in (BusError, NoReply, NotBound):  # EINVAL has other causes, too
                self.assertIs(type(error_of(-cls.code)), cls)
        unknown = error_of(-5, "text")
        self.assertEqual((type(unknown), unknown.errno), (BusError, 5))
        self.assertTrue(issubclass(WouldDeadlock, NoReply) and WouldDeadlock.code == EDEADLK)

    def test_a_clock_is_not_needed_to_end(self):
        """Requests end by deadline whoever polls."""
        bus = make_bus()
        clock = Clock(bus)
        a, b = bus.ksock(), bus.ksock()
        a.bind("$.A", True)
        b.request("$.A", deadline_ms=100)
        clock.go(100)
        self.assertEqual(data(b), [b""])
        closed_clean(self, bus)


if __name__ == "__main__":
    unittest.main()
