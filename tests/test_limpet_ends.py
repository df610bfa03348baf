# SPDX-License-Identifier: MIT
"""How requests over a link end when time runs out, the line breaks or a side loses its power."""

import unittest

from helpers_bus import Pair, Reader
from limpet import NotExpected
from limpet.ticks import ticks_diff


class Case(unittest.TestCase):
    def setUp(self):
        self.pair = Pair()
        self.near = Reader(self.pair.buses[0], queue_size=32)
        self.far = Reader(self.pair.buses[1], replier=["$.Far"])
        self.pair.connect()

    def ask(self, data=b"?", deadline_ms=None):
        return self.near.ks.request("$.Far", data, deadline_ms)

    def ends(self, serial, kind, executed):
        """Check that a request has ended so, and only so."""
        self.assertEqual(self.near.answer(serial)[0], kind)
        answer = [m for m in self.near.messages if m.in_reply_to == serial][0]
        self.assertEqual(answer.executed, executed)

    def tags(self):
        return [t for t in self.pair.limpets[0].outbox.tickets if t.used]

    def works(self):
        """Check that a request is answered as ever."""
        serial = self.ask(b"again")
        self.pair.run(100)
        for message in self.far.read():
            if message.data == b"again":
                self.far.ks.reply(message, b"!")
        self.pair.run(100)
        self.ends(serial, "reply", "yes")

    def tearDown(self):
        self.pair.close()
        self.assertEqual(self.pair.leaks(), "")


class TestDeadlines(Case):
    def test_it_ends_on_time(self):
        """Expired when the deadline has passed, not before and not later."""
        serial = self.ask(b"1", 700)
        start = self.pair.now
        self.pair.run(20)
        self.assertEqual(len(self.far.read()), 1)
        self.assertTrue(self.pair.until(lambda: self.near.answer(serial)[0] != "") > 0)
        self.assertEqual(ticks_diff(self.pair.now, start), 700)
        self.ends(serial, "Replier.Expired", "unknown")

    def test_a_late_reply_is_dropped_and_counted(self):
        """Nobody sees it, and the tag is free again as soon as it has come."""
        serial = self.ask(b"1", 300)
        self.pair.run(50)
        (message,) = self.far.read()
        self.pair.cut()
        self.pair.run(200)
        self.far.ks.reply(message, b"late")  # in time over there, but the line is broken
        self.pair.run(200)
        self.ends(serial, "Replier.Expired", "unknown")
        self.assertEqual(len(self.tags()), 1)
        self.pair.cut(False)
        self.pair.run(500)
        self.assertEqual(self.tags(), [])
        self.assertEqual(self.pair.limpets[0].stats.late, 1)
        self.near.read()
        self.assertEqual(len(self.near.messages), 1)
        self.works()

    def test_an_old_ticket_answers_nobody_else(self):
        """Not even when the asker has restarted, and its new request has the same id and slot."""
        self.ask(b"first", 50)
        self.pair.run(20)
        (old,) = self.far.read()
        self.pair.run(100)
        self.pair.reset(0)
        self.pair.connect()
        near = self.pair.buses[0].ksock()
        near.request("$.Far", b"other", 3000)
        self.make_second(self.pair.buses[1].pool, old.answer)
        self.pair.run(20)
        (new,) = self.far.read()
        self.assertEqual(new.id, old.id)
        self.assertIs(new.answer, old.answer)
        self.assertRaises(NotExpected, self.far.ks.reply, old, b"answer to the first")
        self.far.ks.reply(new, b"answer to the other")
        self.pair.run(20)
        self.assertEqual(near.next().data, b"answer to the other")

    def make_second(self, pool, slot):
        """Move a free slot to where the next request's answer will be parked."""
        free = []
        while pool.free is not None:
            if pool.free is not slot:
                free.append(pool.free)
            pool.free = pool.free.next
        free.insert(1, slot)
        for one in reversed(free):
            one.next = pool.free
            pool.free = one

    def test_the_far_side_knows_the_deadline(self):
        """Unread there when it passes, a request never runs; the far replier sees it no more."""
        serial = self.ask(b"1", 300)
        self.pair.run(400)
        self.assertIn(self.near.answer(serial)[0], ("Replier.Overdue", "Replier.Expired"))
        self.assertEqual(self.far.read(), [])
        self.assertEqual(self.tags(), [])
        self.works()

    def test_read_there_and_never_answered(self):
        """The tag is free again soon after the deadline, without the replier's help."""
        serial = self.ask(b"1", 300)
        self.pair.run(50)
        (message,) = self.far.read()
        self.pair.run(400)
        self.ends(serial, "Replier.Expired", "unknown")
        self.assertEqual(self.tags(), [])
        self.pair.run(50)
        with self.assertRaises(OSError):
            self.far.ks.reply(message, b"late")
        self.works()

    def test_it_passes_while_the_request_waits_for_the_link(self):
        """Never handed to the link: Overdue, and it never ran."""
        self.pair.hold(0)
        serial = self.ask(b"1", 100)
        self.pair.run(200)
        self.ends(serial, "Replier.Overdue", "no")
        self.pair.hold(0, False)
        self.works()
        self.assertEqual([d for _, _, d in self.far.heard], [b"again"])

    def test_many_deadlines_end_in_their_order(self):
        serials = [self.ask(b"%d" % i, 800 - 100 * i) for i in range(6)]
        self.pair.run(50)
        self.far.read()
        self.pair.run(1500)
        self.near.read()
        ended = [m.in_reply_to for m in self.near.messages]
        self.assertEqual(ended, list(reversed(serials)))


class TestLinkDeath(Case):
    def test_unread_and_sent_requests(self):
        """Those in the queue: Link.Down, never ran. Those sent: Link.Lost. In order, each once."""
        read = self.ask(b"read")
        self.pair.run(30)
        self.far.read()
        unread = self.ask(b"unread")
        self.pair.run(30)
        self.pair.cut()
        sent = [self.ask(b"sent%d" % i) for i in range(3)]
        self.pair.run(30)
        self.pair.hold(0)
        queued = [self.ask(b"queued%d" % i) for i in range(3)]
        self.pair.run(2500)
        for serial in queued:
            self.ends(serial, "Link.Down", "no")
        self.pair.hold(0, False)
        for serial in [read, unread] + sent:
            self.ends(serial, "Link.Lost", "unknown")
        ended = [m.in_reply_to for m in self.near.messages]
        self.assertEqual(len(ended), 8)
        self.assertEqual(ended[:3], queued)
        self.pair.cut(False)
        self.pair.connect()
        self.far.read()
        data = [d for _, _, d in self.far.heard]
        self.assertEqual(data, [b"read"])  # the link took back what was unread
        self.assertIn("$.Far", [b.text for b in self.pair.buses[0].bindings.all()])
        self.works()

    def test_the_far_side_does_not_run_what_it_can_take_back(self):
        """A request of a dead session that is unread is not run; a read one answers nobody."""
        self.ask(b"read")
        self.pair.run(30)
        (message,) = self.far.read()
        self.ask(b"unread")
        self.pair.run(30)
        self.pair.cut()
        self.pair.run(2500)
        self.assertEqual(self.far.read(), [])
        with self.assertRaises(OSError):
            self.far.ks.reply(message, b"too late")
        self.pair.cut(False)
        self.pair.connect()
        self.near.read()
        self.assertEqual(len(self.near.messages), 2)
        self.works()

    def test_proxies_go_and_come(self):
        """Without the link nobody is there: NoReplier at once; with it all is as before."""
        self.pair.cut()
        self.pair.run(2500)
        with self.assertRaises(OSError) as raised:
            self.ask()
        self.assertEqual(raised.exception.errno, 99)
        self.assertEqual(self.pair.buses[0].bindings.all(), [])
        self.pair.cut(False)
        self.pair.connect()
        self.works()

    def test_bindings_made_while_it_was_down(self):
        self.pair.cut()
        self.pair.run(2500)
        self.far.ks.unbind("$.Far", True)
        self.far.ks.bind("$.New", True)
        self.pair.cut(False)
        self.pair.connect()
        names = [b.text for b in self.pair.buses[0].bindings.all()]
        self.assertEqual(names, ["$.New"])
        self.far.ks.bind("$.Far", True)
        self.pair.run(30)
        self.works()

    def test_the_bus_closes(self):
        """close() ends every request that was out before it returns."""
        sent = self.ask()
        self.pair.run(30)
        self.pair.hold(0)
        queued = self.ask()
        self.pair.limpets[0].close()
        self.ends(sent, "Link.Lost", "unknown")
        self.ends(queued, "Link.Down", "no")
        self.pair.run(3000)
        self.assertEqual(self.far.read(), [])

    def test_one_way_cuts(self):
        """A line that is dead in one direction is dead; both sides find out, and come back."""
        for side in (0, 1):
            serial = self.ask()
            self.pair.pipes[side].cut = True
            self.pair.run(4000)
            self.assertFalse(self.pair.up())
            self.assertIn(self.near.answer(serial)[0], ("Link.Lost", "Link.Down"))
            self.pair.pipes[side].cut = False
            self.pair.connect()
            self.works()


class TestResets(Case):
    def test_the_far_side_loses_its_power(self):
        """What was sent is Link.Lost as soon as its new HELO is here, and all goes on."""
        serial = self.ask()
        self.pair.run(30)
        bus = self.pair.reset(1)
        self.far = Reader(bus, replier=["$.Far"])
        took = self.pair.until(lambda: self.near.answer(serial)[0] != "")
        self.assertTrue(0 <= took <= 100, took)
        self.ends(serial, "Link.Lost", "unknown")
        self.pair.connect()
        self.assertEqual(self.far.read(), [])
        self.works()

    def test_the_near_side_loses_its_power(self):
        """Its unread requests are not run, its new ones are, and nobody gets an old answer."""
        self.ask(b"read")
        self.pair.run(30)
        (message,) = self.far.read()
        self.ask(b"unread")
        self.pair.run(30)
        self.near = Reader(self.pair.reset(0))
        self.pair.connect()
        self.assertEqual(self.far.read(), [])
        with self.assertRaises(OSError):
            self.far.ks.reply(message, b"for nobody")
        self.works()
        self.assertEqual(len(self.near.messages), 1)

    def test_both(self):
        for _ in range(3):
            self.ask()
            self.pair.run(7)
            self.near = Reader(self.pair.reset(0))
            self.far = Reader(self.pair.reset(1), replier=["$.Far"])
            self.pair.connect()
            self.assertEqual(self.far.read(), [])
            self.works()

    def test_power_is_lost_again_and_again(self):
        """Resets faster than a session comes up do no lasting harm."""
        for i in range(40):
            self.pair.run(i % 9)
            if i % 3:
                self.far = Reader(self.pair.reset(1), replier=["$.Far"])
            else:
                self.near = Reader(self.pair.reset(0))
        self.pair.connect()
        self.works()


if __name__ == "__main__":
    unittest.main()
