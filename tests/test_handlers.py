# SPDX-License-Identifier: MIT
"""Handlers: what becomes of their results and exceptions, and what they may do while they run."""

import unittest

import limpet
from buses import Tracebacks, closed_clean, data, make_bus, names, read
from limpet import LATER, NoReply, NotBound, WouldDeadlock
from limpet.errors import EDEADLK


class Case(unittest.TestCase):
    def setUp(self):
        self.bus = make_bus()
        self.a = self.bus.ksock()
        self.b = self.bus.ksock()

    def tearDown(self):
        closed_clean(self, self.bus)


class TestHandlerFails(Case):
    def test_whatever_it_raises(self):
        """Each kind of exception ends the request in Failed; the bus and the Ksock go on."""
        raised = []

        @self.a.replier("$.A")
        def fails(msg):
            raise raised[-1]

        with Tracebacks() as printed:
            for e in (ValueError(), KeyError("x"), OSError(5), limpet.QueueFull(), MemoryError()):
                raised.append(e)
                with self.assertRaises(NoReply) as caught:
                    self.b.call("$.A")
                self.assertEqual(caught.exception.data, type(e).__name__.encode())
        self.assertEqual(printed.found, raised)

    def test_a_result_that_is_no_data(self):
        """An int or an object that is returned is the handler's failure."""
        for result in (5, [b"x"], object(), True):
            self.a.replier("$.A")(lambda msg: result)  # noqa: B023
            with Tracebacks():
                with self.assertRaises(NoReply) as caught:
                    self.b.call("$.A")
            self.assertEqual(
                (caught.exception.executed, caught.exception.data), ("yes", b"TypeError")
            )
            self.a.unbind("$.A", True)

    def test_a_result_that_is_too_large(self):
        """It did run, and the asker hears why there is no reply."""
        self.a.replier("$.A")(lambda msg: bytes(129))
        with Tracebacks():
            with self.assertRaises(NoReply) as caught:
                self.b.call("$.A")
        self.assertEqual((caught.exception.executed, caught.exception.data), ("yes", b"TooLarge"))

    def test_a_name_longer_than_a_slot(self):
        """The exception's name is cut to what fits."""
        bus = make_bus(slot_size=4)
        a, b = bus.ksock(), bus.ksock()

        @a.replier("$.A")
        def fails(msg):
            raise ValueError

        with Tracebacks():
            with self.assertRaises(NoReply) as caught:
                b.call("$.A")
        self.assertEqual(caught.exception.data, b"Valu")
        closed_clean(self, bus)

    def test_after_it_has_replied(self):
        """An exception after ks.reply() changes nothing for the asker."""

        @self.a.replier("$.A")
        def replies_and_fails(msg):
            self.a.reply(msg, b"done")
            raise ValueError

        with Tracebacks() as printed:
            self.assertEqual(self.b.call("$.A").data, b"done")
        self.assertEqual(len(printed.found), 1)

    def test_a_listener_that_fails(self):
        """The others still hear the message, and so does this one the next."""
        heard = []

        @self.a.listener("$.A")
        def fails(msg):
            heard.append(("a", msg.data))
            raise ValueError

        self.b.listener("$.A")(lambda msg: heard.append(("b", msg.data)))
        with Tracebacks() as printed:
            for i in range(2):
                self.a.announce("$.A", b"%d" % i)
                self.bus.runner.step(0)
        self.assertEqual(heard, [("a", b"0"), ("b", b"0"), ("a", b"1"), ("b", b"1")])
        self.assertEqual(len(printed.found), 2)

    def test_an_interrupt_passes_and_ends_the_request(self):
        """KeyboardInterrupt comes through, but not without an answer to the asker."""
        sent = []

        @self.a.replier("$.A")
        def interrupted(msg):
            raise KeyboardInterrupt

        sent.append(self.b.request("$.A"))
        self.assertRaises(KeyboardInterrupt, self.bus.ksock().wait_for_msg)
        got = self.b.wait_for_msg(0)  # waiting is possible as before
        self.assertEqual((got.in_reply_to, got.data), (sent[0], b"KeyboardInterrupt"))


class TestLater(Case):
    def test_reply_later(self):
        """A handler may keep the message and answer from elsewhere."""
        kept = []

        @self.a.replier("$.A")
        def keep(msg):
            kept.append(msg)
            return LATER

        @self.a.listener("$.Now")
        def now(msg):
            self.a.reply(kept.pop(), b"later")

        sent = self.b.request("$.A")
        self.bus.runner.step(0)
        self.assertEqual(read(self.b), [])
        self.b.announce("$.Now")
        self.bus.runner.step(0)
        got = self.b.next()
        self.assertEqual((got.in_reply_to, got.data), (sent, b"later"))

    def test_never(self):
        """Kept and never answered: it ends when the Ksock closes."""
        self.a.replier("$.A")(lambda msg: LATER)
        self.b.request("$.A")
        self.bus.runner.step(0)
        self.a.close()
        self.assertEqual(names(self.b), ["$.KBUS.Replier.Ignored"])

    def test_for_a_listener_it_means_nothing(self):
        """Only a replier's result matters."""
        self.a.listener("$.A")(lambda msg: LATER)
        self.a.listener("$.A")(lambda msg: 12345)
        self.b.announce("$.A")
        self.bus.runner.step(0)


class TestInsideAHandler(Case):
    """Handlers may do whatever does not wait, to anything, themselves included."""

    def go(self, function):
        """Run function() in a handler, then turn until nothing moves; return what it printed."""
        with Tracebacks() as printed:
            c = self.bus.ksock()
            c.listener("$.Go")(lambda msg: function())
            c.announce("$.Go")
            for _ in range(4):
                c.wait_for_msg(0)
            c.close()
        return printed.found

    def test_waiting_is_refused(self):
        """Each call that would wait raises WouldDeadlock, sends nothing and leaves no trace."""
        self.a.bind("$.A", True)
        waits = (
            lambda: self.b.call("$.A"),
            lambda: self.b.call("$.A", deadline_ms=0),
            lambda: self.b.wait_for_msg(),
            lambda: self.b.wait_for_msg(5),
            lambda: next(self.b.messages()),
            lambda: self.bus.wait_for_replier("$.A"),
            lambda: self.bus.wait_for_replier("$.B", 5),
            self.bus.run,
        )
        for wait in waits:
            found = self.go(wait)
            self.assertEqual([type(e) for e in found], [WouldDeadlock])
            self.assertEqual((found[0].errno, found[0].executed), (EDEADLK, "no"))
        self.assertEqual(read(self.a), [])
        self.assertIsNone(self.b.wait_for_msg(0))  # and outside of it all is well

    def test_waiting_in_a_replier(self):
        """The asker hears what the handler tried."""
        self.a.replier("$.A")(lambda msg: self.a.call("$.B").data)
        with Tracebacks():
            with self.assertRaises(NoReply) as caught:
                self.b.call("$.A")
        self.assertEqual(caught.exception.data, b"WouldDeadlock")

    def test_waiting_while_a_call_waits(self):
        """Nested or not: a handler run by a call is a handler."""
        tried = []

        @self.a.replier("$.A")
        def nested(msg):
            try:
                self.b.call("$.A")
            except WouldDeadlock as e:
                tried.append(e)
            return b"done"

        self.assertEqual(self.b.call("$.A").data, b"done")
        self.assertEqual(len(tried), 1)

    def test_sending(self):
        """A handler may announce, request and reply; a chain of requests works without waiting."""

        @self.a.replier("$.Front")
        def front(msg):
            waiting[self.a.request("$.Back", msg.data)] = msg
            return LATER

        waiting = {}
        self.b.replier("$.Back")(lambda msg: msg.data + b"!")
        c = self.bus.ksock()
        number = c.request("$.Front", b"x")
        for _ in range(4):
            self.bus.runner.step(0)
            for answer in read(self.a):
                self.a.reply(waiting.pop(answer.in_reply_to), answer.data)
        got = c.next()
        self.assertEqual((got.in_reply_to, got.data), (number, b"x!"))

    def test_sending_to_itself(self):
        """What a handler sends to its own Ksock comes with a later turn, so that others get on."""
        order = []

        @self.a.listener("$.Loop")
        def loop(msg):
            order.append("a")
            if len(order) < 10:
                self.a.announce("$.Loop")

        self.b.listener("$.B")(lambda msg: order.append("b"))
        self.a.announce("$.Loop")
        self.b.announce("$.B")
        self.bus.runner.step(0)
        self.assertEqual(order, ["a", "b"])
        for _ in range(20):
            self.bus.runner.step(0)
        self.assertEqual(order.count("a"), 9)

    def test_closing_its_own_ksock(self):
        """The request that is being handled ends in Ignored; what was unread ends as well."""
        handled = []

        @self.a.replier("$.A")
        def closes(msg):
            handled.append(msg)
            self.a.close()
            return b"too late"

        sent = [self.b.request("$.A") for _ in range(2)]
        with Tracebacks() as printed:
            self.bus.runner.step(0)
        self.assertEqual(printed.found, [])
        self.assertEqual(len(handled), 1)
        got = [(m.name, m.in_reply_to) for m in read(self.b)]
        expected = [("$.KBUS.Replier.GoneAway", sent[1]), ("$.KBUS.Replier.Ignored", sent[0])]
        self.assertEqual(got, expected)

    def test_closing_another(self):
        """Closing any Ksock in a handler keeps none of the others from being served."""
        heard = []
        others = [self.bus.ksock() for _ in range(4)]
        for i, ks in enumerate(others):
            ks.listener("$.A")(lambda msg, i=i: heard.append(i))
        self.a.listener("$.A")(lambda msg: others[1].close())
        self.a.announce("$.A")
        while self.bus.runner.step(0) == 0:
            pass
        self.assertTrue(set(heard) >= {0, 2, 3})

    def test_unbinding_itself(self):
        """Its later messages are gone; those of other bindings come all the same."""
        heard = []

        @self.a.listener("$.A")
        def once(msg):
            heard.append(msg.data)
            self.a.unbind("$.A")

        self.a.listener("$.B")(lambda msg: heard.append(msg.data))
        for i in range(3):
            self.b.announce("$.A", b"A%d" % i)
            self.b.announce("$.B", b"B%d" % i)
        while self.bus.runner.step(0) == 0:
            pass
        self.assertEqual(heard, [b"A0", b"B0", b"B1", b"B2"])
        self.assertEqual(self.a.handled, 1)
        self.assertRaises(NotBound, self.a.unbind, "$.A")

    def test_a_replier_that_unbinds_itself(self):
        """It answers the request at hand; the others end in Unbound."""

        @self.a.replier("$.A")
        def last(msg):
            self.a.unbind("$.A", True)
            return b"last"

        for _ in range(3):
            self.b.request("$.A")
        self.bus.runner.step(0)
        got = sorted((m.kind, m.name) for m in read(self.b))
        unbound = ("status", "$.KBUS.Replier.Unbound")
        self.assertEqual(got, [("reply", "$.A"), unbound, unbound])

    def test_reading_its_own_ksock(self):
        """A handler that takes what is queued behind it, handled or not, harms nobody."""
        heard = []

        @self.a.listener("$.A")
        def greedy(msg):
            heard.append(msg.data)
            heard.append(data(self.a))

        self.a.bind("$.B")
        for name in ("$.A", "$.B", "$.A", "$.B"):
            self.b.announce(name, name.encode())
        while self.bus.runner.step(0) == 0:
            pass
        flat = []
        for item in heard:
            flat += item if isinstance(item, list) else [item]
        self.assertEqual(sorted(flat), [b"$.A"] * 2 + [b"$.B"] * 2)

    def test_binding_more(self):
        """A handler may bind handlers, on its own Ksock and on new ones."""
        heard = []

        def more():
            self.a.listener("$.A")(lambda msg: heard.append(1))
            self.bus.ksock().listener("$.A")(lambda msg: heard.append(2))
            self.b.announce("$.A")

        self.assertEqual(self.go(more), [])
        self.assertEqual(sorted(heard), [1, 2])

    def test_closing_the_bus(self):
        """bus.close() in a handler: nothing is left, and whoever waits comes back."""
        c = self.bus.ksock()
        c.replier("$.A")(lambda msg: self.bus.close())
        c.request("$.A")
        with Tracebacks() as printed:
            self.assertIsNone(self.a.wait_for_msg())
        self.assertEqual(printed.found, [])
        closed_clean(self, self.bus)

    def test_stop(self):
        """bus.stop() in a handler ends run()."""
        self.a.listener("$.A")(lambda msg: self.bus.stop())
        self.b.announce("$.A")
        self.bus.run()


class TestWhoseMessage(Case):
    """A message with a handler is the handler's, an awaited answer is the call's."""

    def test_next_leaves_the_handlers_their_messages(self):
        """next() and messages() give what has no handler."""
        heard = []
        self.a.listener("$.A")(lambda msg: heard.append(msg.data))
        self.a.bind("$.B")
        for i in range(2):
            self.b.announce("$.A", b"A%d" % i)
            self.b.announce("$.B", b"B%d" % i)
        self.assertEqual(data(self.a), [b"B0", b"B1"])
        self.assertEqual(heard, [])
        self.bus.runner.step(0)
        self.assertEqual(heard, [b"A0", b"A1"])

    def test_wait_is_not_ended_by_a_handlers_message(self):
        """wait_for_msg serves the handlers and goes on waiting."""
        heard = []
        self.a.listener("$.A")(lambda msg: heard.append(1))

        @self.a.listener("$.Go")
        def go(msg):
            self.b.announce("$.A")

        self.b.announce("$.Go")
        self.assertIsNone(self.a.wait_for_msg(2))
        self.assertEqual(heard, [1])


if __name__ == "__main__":
    unittest.main()
