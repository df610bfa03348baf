# SPDX-License-Identifier: MIT
"""Bindings: who gets what, who is asked, what unbinding takes away, and the tables' limits."""

import unittest

from buses import closed_clean, data, hot_take, make_bus, names, read
from limpet import (
    AlreadyBound,
    Bus,
    BusError,
    Closed,
    MessageView,
    NoReplier,
    NotBound,
    TableFull,
)
from limpet.bus import node_id
from limpet.errors import EADDRINUSE, EBADF, EINVAL, ENOSPC
from limpet.rand import Random
from limpet.transport.loopback import loopback

KNOWN_IDS = [18652615, 604776751, 805217645]  # 32-bit FNV-1a of "a" is 0xE40C292C


def make_bus_of(node):
    return Bus(node=node, seed=1)


class Case(unittest.TestCase):
    def setUp(self):
        self.bus = make_bus()
        self.a = self.bus.ksock()
        self.b = self.bus.ksock()
        self.c = self.bus.ksock()

    def tearDown(self):
        closed_clean(self, self.bus)

    def asked(self, name):
        """Send a request and return the Ksock that got it."""
        self.c.request(name)
        got = [ks for ks in (self.a, self.b, self.c) if ks.hot.count]
        self.assertEqual(len(got), 1)
        got[0].reply(got[0].next())
        self.c.next()
        return got[0]


class TestListeners(Case):
    def test_one_copy_per_binding(self):
        """A Ksock gets a copy for each of its bindings that match."""
        for name in ("$.A.B", "$.A.*", "$.A.%", "$.*", "$.A.B"):
            self.a.bind(name)
        self.c.announce("$.A.B", b"1")
        self.assertEqual(data(self.a), [b"1"] * 5)
        self.c.announce("$.A.B.C", b"2")
        self.assertEqual(data(self.a), [b"2"] * 2)
        self.c.announce("$.A", b"3")
        self.assertEqual(data(self.a), [b"3"])

    def test_bound_before_and_after_the_first_use(self):
        """It makes no difference whether a name was known when it was bound."""
        self.bus.name("$.A.Known")
        for pattern in ("$.A.Known", "$.A.New", "$.A.*", "$.A.%"):
            self.a.bind(pattern)
        self.c.announce("$.A.Known")
        self.c.announce("$.A.New")
        self.assertEqual(names(self.a), ["$.A.Known"] * 3 + ["$.A.New"] * 3)
        for pattern in ("$.A.Known", "$.A.New", "$.A.*", "$.A.%"):
            self.a.unbind(pattern)
        self.c.announce("$.A.Known")
        self.c.announce("$.A.New")
        self.assertEqual(read(self.a), [])

    def test_many_may_listen(self):
        """Listening to the same name never conflicts."""
        for ks in (self.a, self.b, self.c):
            ks.bind("$.A")
        self.c.announce("$.A", b"x")
        for ks in (self.a, self.b, self.c):
            self.assertEqual(data(ks), [b"x"])

    def test_a_handler_of_one_binding_does_not_touch_the_other(self):
        """Two bindings of one Ksock are two, whatever they are bound to."""
        self.a.bind("$.A")
        self.a.bind("$.A")
        self.a.unbind("$.A")
        self.c.announce("$.A", b"x")
        self.assertEqual(data(self.a), [b"x"])


class TestWhichReplier(Case):
    def test_the_most_specific_wins(self):
        """Exact, then the longer prefix, then one word before many, in whatever order."""
        best_last = ("$.*", "$.Fred.*", "$.Fred.%", "$.Fred.Jim")
        for order in (best_last, tuple(reversed(best_last)), ("$.Fred.%", "$.*", "$.Fred.Jim")):
            for name in order:
                self.b.bind(name, True)
                self.b.unbind(name, True)
                (self.a if name == "$.Fred.Jim" else self.b).bind(name, True)
            self.assertIs(self.asked("$.Fred.Jim"), self.a)
            self.assertIs(self.asked("$.Fred.Bob"), self.b)
            for name in order:
                (self.a if name == "$.Fred.Jim" else self.b).unbind(name, True)

    def test_longer_prefix_beats_later_bind(self):
        """A later, wider binding does not take over."""
        self.a.bind("$.Fred.*", True)
        self.b.bind("$.*", True)
        self.assertIs(self.asked("$.Fred.Jim"), self.a)
        self.assertIs(self.asked("$.Jim"), self.b)

    def test_the_next_best_takes_over(self):
        """When the best goes, the next one is asked; when all go, none."""
        self.a.bind("$.A.B", True)
        self.b.bind("$.A.*", True)
        self.assertIs(self.asked("$.A.B"), self.a)
        self.a.unbind("$.A.B", True)
        self.assertIs(self.asked("$.A.B"), self.b)
        self.b.close()
        self.assertRaises(NoReplier, self.c.request, "$.A.B")

    def test_only_one_is_asked(self):
        """Other repliers that match get nothing, not even a copy."""
        self.a.bind("$.A.B", True)
        self.b.bind("$.A.*", True)
        self.c.request("$.A.B")
        self.assertEqual(self.b.hot.count, 0)
        self.assertTrue(self.a.next().wants_reply)

    def test_a_proxy_yields(self):
        """A limpet's binding neither hinders a local replier nor beats it, before or after it."""
        for proxy_first in (True, False):
            if proxy_first:
                self.bus.bind(self.b.hot, "$.A", True, True)
                self.a.bind("$.A", True)
            else:
                self.a.bind("$.A", True)
                self.bus.bind(self.b.hot, "$.A", True, True)
            self.assertIs(self.asked("$.A"), self.a)
            name = self.bus.name("$.A")
            self.assertIs(name.local_replier.hot, self.a.hot)
            self.a.unbind("$.A", True)
            self.assertIs(self.asked("$.A"), self.b)
            self.assertIsNone(name.local_replier)
            self.b.unbind("$.A", True)

    def test_a_more_specific_proxy_wins(self):
        """Between different patterns the more specific one counts, local or not."""
        self.bus.bind(self.b.hot, "$.A.B", True, True)
        self.a.bind("$.A.*", True)
        self.assertIs(self.asked("$.A.B"), self.b)
        self.assertIs(self.bus.name("$.A.B").local_replier.hot, self.a.hot)


class TestOneReplierPerName(Case):
    def test_exactly_this_text_once(self):
        """A second replier for the same text is refused, be it the same Ksock or another."""
        for name in ("$.A", "$.A.*", "$.A.%"):
            self.a.bind(name, True)
            for ks in (self.a, self.b):
                with self.assertRaises(AlreadyBound) as caught:
                    ks.bind(name, True)
                self.assertEqual(caught.exception.errno, EADDRINUSE)
        self.b.bind("$.*", True)  # overlapping is fine
        self.b.bind("$.A.B", True)

    def test_free_again(self):
        """After unbind or close the name can be bound again."""
        self.a.bind("$.A", True)
        self.a.unbind("$.A", True)
        self.b.bind("$.A", True)
        self.b.close()
        self.c.bind("$.A", True)

    def test_listening_is_no_obstacle(self):
        """Listeners and the replier of a name do not see each other."""
        self.a.bind("$.A")
        self.b.bind("$.A", True)
        self.b.bind("$.A")


class TestUnbind(Case):
    def test_not_bound(self):
        """What is not bound exactly so cannot be unbound, and nothing changes."""
        self.a.bind("$.A")
        self.b.bind("$.B", True)
        for ks, name, replier in (
            (self.a, "$.A", True),
            (self.a, "$.B", True),
            (self.b, "$.A", False),
            (self.b, "$.B", False),
            (self.a, "$.*", False),
        ):
            with self.assertRaises(NotBound) as caught:
                ks.unbind(name, replier)
            self.assertEqual(caught.exception.errno, EINVAL)
        self.assertEqual(len(self.bus.bindings.all()), 2)

    def test_just_the_messages_of_that_binding(self):
        """Copies that another binding brought stay, also those of the same message."""
        self.a.bind("$.A")
        self.a.bind("$.*")
        self.c.announce("$.A", b"1")
        self.c.announce("$.B", b"2")
        self.c.announce("$.A", b"3")
        self.a.unbind("$.A")
        self.assertEqual(data(self.a), [b"1", b"2", b"3"])

    def test_the_newest_goes_first(self):
        """Of two equal bindings the newer one goes, with its copies."""
        self.a.bind("$.A")
        self.c.announce("$.A", b"1")  # of the first
        self.a.bind("$.A")
        self.c.announce("$.A", b"2")  # of both
        self.a.unbind("$.A")
        self.assertEqual(data(self.a), [b"1", b"2"])
        self.a.unbind("$.A")
        self.assertRaises(NotBound, self.a.unbind, "$.A")

    def test_what_was_taken_stays(self):
        """A message being read, and one taken as an object, outlive the binding."""
        self.a.bind("$.A")
        self.c.announce("$.A", b"abc")
        view = hot_take(self.a)
        self.a.unbind("$.A")
        self.assertEqual((view.size, view[0]), (3, 97))

    def test_requests_get_their_status_in_order(self):
        """Unread requests of that binding end in Replier.Unbound; others stay."""
        self.a.bind("$.A", True)
        self.a.bind("$.B", True)
        sent = [self.c.request(name) for name in ("$.A", "$.B", "$.A")]
        self.a.unbind("$.A", True)
        got = read(self.c)
        self.assertEqual([m.name for m in got], ["$.KBUS.Replier.Unbound"] * 2)
        self.assertEqual([m.in_reply_to for m in got], [sent[0], sent[2]])
        self.assertEqual([m.sender for m in got], [(0, self.a.id)] * 2)
        self.assertEqual(names(self.a), ["$.B"])

    def test_requests_of_an_overlapping_binding(self):
        """Each request belongs to the binding that won."""
        self.a.bind("$.A.*", True)
        self.a.bind("$.A.B", True)
        first = self.c.request("$.A.B")
        second = self.c.request("$.A.C")
        self.a.unbind("$.A.*", True)
        self.assertEqual([m.in_reply_to for m in read(self.c)], [second])
        self.a.unbind("$.A.B", True)
        self.assertEqual([m.in_reply_to for m in read(self.c)], [first])

    def test_answers_are_no_ones_copy(self):
        """Replies and statuses are never removed by unbinding their name."""
        self.a.bind("$.A", True)
        self.c.bind("$.A")
        self.c.request("$.A", b"q")
        self.a.reply(self.a.next(), b"r")
        self.c.unbind("$.A")  # takes the listener's copies of request and reply
        got = read(self.c)
        self.assertEqual([(m.kind, m.data) for m in got], [("reply", b"r")])


class TestTables(unittest.TestCase):
    def test_bindings_full(self):
        """binding_count bindings are possible, one more is refused with what is full."""
        bus = make_bus(binding_count=3)
        ks = bus.ksock()
        for name in ("$.A", "$.B", "$.C"):
            ks.bind(name)
        with self.assertRaises(TableFull) as caught:
            ks.bind("$.D")
        self.assertEqual(caught.exception.errno, ENOSPC)
        self.assertIn("binding_count", str(caught.exception))
        ks.announce("$.D")
        self.assertEqual(read(ks), [])
        ks.unbind("$.A")
        ks.bind("$.D", True)
        self.assertRaises(AlreadyBound, ks.bind, "$.D", True)  # the more telling error wins
        closed_clean(self, bus)

    def test_a_refused_handler_is_not_counted(self):
        """A decorator that fails leaves the Ksock as it was."""
        bus = make_bus(binding_count=1)
        ks = bus.ksock()
        ks.bind("$.A")
        self.assertRaises(TableFull, ks.listener("$.B"), len)
        self.assertEqual(ks.handled, 0)
        closed_clean(self, bus)

    def test_names_full_of_kept_ones(self):
        """name_count names can be kept; one more is refused, and so is sending under a new one."""
        bus = make_bus(name_count=2)
        ks = bus.ksock()
        a, b = bus.name("$.A"), bus.name("$.B")
        for call in (bus.name, ks.announce, ks.request):
            with self.assertRaises(TableFull) as caught:
                call("$.C")
            self.assertIn("name_count", str(caught.exception))
        self.assertIs(bus.name("$.A"), a)
        self.assertIs(bus.name("$.B"), b)
        ks.bind("$.C")  # binding needs no place in that table
        closed_clean(self, bus)

    def test_names_only_sent_under_give_way(self):
        """Any number of names may be used one after the other."""
        bus = make_bus(name_count=2)
        ks = bus.ksock()
        ks.bind("$.*")
        for i in range(20):
            ks.announce("$.A%d" % i, b"x")
            self.assertEqual(names(ks), ["$.A%d" % i])
        closed_clean(self, bus)

    def test_a_name_in_a_queue_may_be_forgotten(self):
        """A message keeps its name, though the table has given it up meanwhile."""
        bus = make_bus(name_count=1)
        ks = bus.ksock()
        ks.bind("$.*")
        for name in ("$.A", "$.B", "$.C"):
            ks.announce(name)
        self.assertEqual(names(ks), ["$.A", "$.B", "$.C"])
        closed_clean(self, bus)

    def test_the_name_of_a_request_that_is_out_stays(self):
        """It is needed for the reply's listeners, and is free again once the request has ended."""
        bus = make_bus(name_count=1)
        ks, other = bus.ksock(), bus.ksock()
        ks.bind("$.A", True)
        other.request("$.A")
        self.assertRaises(TableFull, other.announce, "$.B")
        ks.reply(ks.next(), b"")
        other.announce("$.B")
        self.assertRaises(NoReplier, other.request, "$.C")
        closed_clean(self, bus)

    def test_ksocks_full(self):
        """ksock_count Ksocks can be open; closing one makes room; ids are not used again."""
        bus = make_bus(ksock_count=2)
        a, b = bus.ksock(), bus.ksock()
        self.assertRaises(TableFull, bus.ksock)
        a.close()
        c = bus.ksock()
        self.assertEqual(len({a.id, b.id, c.id}), 3)
        self.assertRaises(TableFull, bus.ksock)
        closed_clean(self, bus)

    def test_sizes_that_make_no_sense(self):
        """A size below 1 is refused by name, for the bus and for a Ksock."""
        for bad in (0, -1):
            self.assertRaises(ValueError, make_bus, slot_count=bad)
            self.assertRaises(ValueError, make_bus, slot_size=bad)
            self.assertRaises(ValueError, make_bus, queue_size=bad)
            self.assertRaises(ValueError, make_bus().ksock, bad)
        for what in ("slot_count", "slot_size", "queue_size", "name_count", "event_count"):
            for bad in (-1, 1 << 28):
                with self.assertRaises(ValueError) as caught:
                    make_bus(**{what: bad})
                self.assertIn(what, str(caught.exception))
        self.assertRaises(ValueError, make_bus, slot_count=3, slot_count_max=2)
        self.assertEqual(make_bus(slot_count=1, slot_size=65636).pool.size, 65636)


class TestNode(unittest.TestCase):
    def test_ids_are_spread(self):
        """Chips' ids give node ids over all 30 bits: with 16 of them, 13 of these would clash."""
        random = Random(1)
        ids = {node_id(bytes([random.below(256) for _ in range(8)])) for _ in range(1300)}
        self.assertTrue(len(ids) > 1297, len(ids))
        for shift in (0, 10, 20):
            self.assertTrue(len({i >> shift & 0x3FF for i in ids}) > 600, shift)
        self.assertTrue(min(ids) > 0 and max(ids) < 1 << 30)

    def test_known_answers(self):
        """A name gives the same id on every VM."""
        self.assertEqual([node_id(b""), node_id(b"a"), node_id(b"host")], KNOWN_IDS)

    def test_what_a_node_may_be(self):
        """A 30-bit number or a name of letters and digits; None is this machine's own."""
        self.assertEqual(make_bus_of(7).node, 7)
        self.assertEqual(make_bus_of("host").node, node_id(b"host"))
        self.assertEqual(make_bus_of(None).node, make_bus_of(None).node)
        for bad in (0, -1, 1 << 30, "", "a.b", "a b", "$.a", "*"):
            self.assertRaises(ValueError, make_bus_of, bad)


class TestClosed(unittest.TestCase):
    def test_after_close_everything_fails(self):
        """A closed Ksock refuses each call with Closed, and closing it again does no harm."""
        bus = make_bus()
        ks = bus.ksock()
        ks.bind("$.A")
        ks.close()
        ks.close()
        for call in (ks.bind, ks.unbind, ks.announce, ks.request):
            self.assertRaises(Closed, call, "$.A")
        self.assertRaises(Closed, ks.listener("$.A"), len)
        self.assertRaises(BusError, ks.call, "$.A")
        self.assertEqual(ks.hot.take(MessageView()), -EBADF)
        self.assertIsNone(ks.next())
        self.assertIsNone(ks.wait_for_msg(0))
        self.assertEqual(list(ks.messages(0)), [])
        closed_clean(self, bus)

    def test_a_join_that_fails(self):
        """Whatever is wrong with it, its Ksock's place is free again."""
        bus = make_bus(ksock_count=1)
        for options in ({"window": 3}, {"silence_ms": 1}, {"allow": ["a"]}):
            driver = loopback()[0]
            self.assertRaises(ValueError, bus.join, driver, **options)
            self.assertFalse(driver.is_open)
        bus.join(loopback()[0])
        self.assertRaises(TableFull, bus.join, loopback()[0])
        closed_clean(self, bus)

    def test_a_closed_bus_opens_nothing(self):
        """bus.ksock() after bus.close() is refused."""
        bus = make_bus()
        bus.close()
        self.assertRaises(Closed, bus.ksock)

    def test_with(self):
        """A Ksock and a bus close at the end of a `with`, also when it raises."""
        with make_bus() as bus:
            with bus.ksock() as ks:
                ks.bind("$.A")
            self.assertEqual(bus.bindings.all(), [])
            ks = bus.ksock()
        self.assertTrue(ks.hot.closed)
        closed_clean(self, bus)


class TestRemoveTwice(unittest.TestCase):
    def test_a_binding_that_is_gone(self):
        """The bus refuses what it does not have."""
        bus = make_bus()
        ks = bus.ksock()
        self.assertEqual(bus.unbind(ks.hot, "$.A", False), -EINVAL)
        self.assertEqual(bus.bind(ks.hot, "$.A", False), 0)
        self.assertEqual(bus.unbind(ks.hot, "$.A", False), 0)
        self.assertEqual(bus.unbind(ks.hot, "$.A", False), -EINVAL)


if __name__ == "__main__":
    unittest.main()
