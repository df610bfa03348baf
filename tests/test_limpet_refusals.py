# SPDX-License-Identifier: MIT
"""What can't go over the link: too large, no room, not permitted. Each ends in a true answer."""

import unittest

from helpers_bus import Case, Pair
from limpet import Bus, QueueFull

BIG = b"B" * 200


class TestTooLarge(Case):
    def test_a_request_for_the_far_slots(self):
        """RemoteError.EMSGSIZE: it never ran; the next one is fine."""
        self.make(a={"slot_size": 220}, b={"slot_size": 100})
        serial = self.ask(BIG)
        self.serve()
        self.ends(serial, "RemoteError.EMSGSIZE", "no")
        self.assertEqual(self.far.heard, [])
        serial = self.ask(BIG[:100])
        self.serve()
        self.ends(serial, "reply", "yes")
        self.done()

    def test_a_reply_for_the_near_slots(self):
        self.make(a={"slot_size": 100}, b={"slot_size": 220})
        serial = self.ask()
        self.serve(data=BIG)
        self.assertEqual(self.near.answer(serial), ("Replier.Failed", b"EMSGSIZE"))
        self.ends(serial, "Replier.Failed", "yes")
        self.done()

    def test_an_announcement(self):
        """It is counted at the side that can't take it, and the next one passes."""
        listen = {"listen": ["$.A"]}
        self.make(a={"slot_size": 500}, b={"slot_size": 100}, far=listen)
        for data in (b"x" * 500, b"y" * 101, b"z" * 100):
            self.near.ks.announce("$.A", data)
        self.serve()
        self.assertEqual([d for _, _, d in self.far.heard], [b"z" * 100])
        self.assertEqual([m.stats.dropped for m in self.pair.limpets], [0, 2])
        self.done()


class TestNoRoom(Case):
    def test_the_far_replier_is_full(self):
        """RemoteError.EBUSY, for exactly those that found no room; and it heals."""
        self.make(a={"queue_size": 16}, b={"queue_size": 4})
        serials = [self.ask(b"%d" % i) for i in range(8)]
        self.serve()
        for i, serial in enumerate(serials):
            kind, executed = ("reply", "yes") if i < 4 else ("RemoteError.EBUSY", "no")
            self.ends(serial, kind, executed)
        self.assertEqual([d for _, _, d in self.far.heard], [b"0", b"1", b"2", b"3"])
        serial = self.ask()
        self.serve()
        self.ends(serial, "reply", "yes")
        self.done()

    def test_the_far_slots_are_taken(self):
        """RemoteError.ENOLCK: no slot for the request and its answer."""
        self.make(a={"queue_size": 16}, b={"slot_count": 4, "queue_size": 16})
        serials = [self.ask(b"%d" % i) for i in range(4)]
        self.serve()
        for i, serial in enumerate(serials):
            kind, executed = ("reply", "yes") if i < 2 else ("RemoteError.ENOLCK", "no")
            self.ends(serial, kind, executed)
        self.assertEqual(len(self.far.heard), 2)
        self.done()

    def test_all_tags_are_in_use(self):
        """RemoteError.EBUSY; a tag is free again when the far side has answered."""
        near = {"queue_size": 32}
        self.make(near, a={"queue_size": 2, "slot_count": 64}, b={"queue_size": 32})
        tags = len(self.pair.limpets[0].outbox.tickets)
        serials = []
        for _ in range(tags + 2):
            serials.append(self.ask())
            self.pair.run(60)
        for serial in serials[tags:]:
            self.ends(serial, "RemoteError.EBUSY", "no")
        for serial in serials[:tags]:
            self.assertEqual(self.near.answer(serial), ("", b""))
        self.serve()
        for serial in serials[:tags]:
            self.ends(serial, "reply", "yes")
        serial = self.ask()
        self.serve()
        self.ends(serial, "reply", "yes")
        self.done()

    def test_the_way_to_the_link_is_full(self):
        """While the window is full, requests queue; when that is full, the send is refused."""
        self.make({"queue_size": 64}, a={"queue_size": 4, "slot_count": 64})
        self.pair.cut()
        accepted = []
        with self.assertRaises(QueueFull):
            for i in range(30):
                accepted.append(self.ask(b"%d" % i))
        self.pair.cut(False)
        self.serve(300)
        kinds = [self.near.answer(serial)[0] for serial in accepted]
        self.assertEqual(kinds, ["reply"] * len(accepted))
        self.done()

    def test_missed_announcements_are_counted(self):
        """What finds no place on the way to the link is counted, once, however many want it."""
        far = {"listen": ["$.A", "$.*"]}
        self.make(far=far, a={"queue_size": 4, "slot_count": 64})
        self.pair.cut()
        for i in range(30):
            self.near.ks.announce("$.A", b"%d" % i)
        self.pair.cut(False)
        self.serve(300)
        self.near.ks.announce("$.A", b"last")
        self.serve()
        got = len(set([d for _, _, d in self.far.heard])) - 1
        self.assertEqual(got + self.pair.limpets[0].stats.dropped, 30)
        self.done()

    def test_what_stays_here_takes_no_place(self):
        """Requests and replies of this bus, heard by nobody beyond it, leave the queue free."""
        self.make({"replier": ["$.Near"]}, {"listen": ["$.*"]}, a={"queue_size": 4})
        self.pair.cut()
        for _ in range(20):
            self.ask(name="$.Near")
            for message in self.near.read():
                if message.wants_reply:
                    self.near.ks.reply(message, b"!")
            self.near.read()
        self.assertEqual(self.pair.limpets[0].hot.count, 0)
        self.near.ks.announce("$.A", b"1")
        self.pair.cut(False)
        self.serve(300)
        self.assertEqual(self.far.heard, [("announcement", "$.A", b"1")])
        self.assertEqual(self.pair.limpets[0].stats.dropped, 0)
        self.done()

    def test_what_a_dead_link_loses_is_counted(self):
        """What lay in the queue, and what found no place there, when the link ended."""
        self.make({"queue_size": 64}, {"listen": ["$.A"]}, a={"queue_size": 4, "slot_count": 64})
        self.pair.hold(0)
        for _ in range(30):
            self.near.ks.announce("$.A", b"x")
        self.pair.cut()
        self.pair.run(2500)
        self.assertEqual(self.pair.limpets[0].stats.dropped, 30)
        self.assertEqual(self.pair.limpets[0].hot.count, 0)
        self.done()

    def test_counters_stop_before_they_are_no_small_numbers(self):
        """At 2**30 - 1, on both sides, for what goes well and what does not."""
        self.make(far={"replier": ["$.Far"], "listen": ["$.A"]})
        for limpet in self.pair.limpets:
            for name in list(limpet.stats.__dict__):
                setattr(limpet.stats, name, 0x3FFFFFFF)
        serial = self.ask()
        self.near.ks.announce("$.A", b"x" * 120)
        self.serve()
        self.ends(serial, "reply", "yes")
        self.pair.limpets[1].receive(bytearray(b"\x80"), 0, 1)
        for limpet in self.pair.limpets:
            for name, value in limpet.stats.__dict__.items():
                self.assertEqual(value, 0x3FFFFFFF, name)
        self.done()

    def test_the_far_binding_table_is_full(self):
        """The binding is counted as refused, and nothing breaks."""
        self.make(a={"binding_count": 1}, far={"replier": ["$.Far", "$.More"]})
        self.assertEqual(self.pair.limpets[0].stats.refused, 1)
        serial = self.ask()
        self.serve()
        self.ends(serial, "reply", "yes")
        self.far.ks.unbind("$.More", True)
        self.far.ks.unbind("$.Far", True)
        self.pair.run(60)
        self.assertEqual(self.pair.buses[0].bindings.all(), [])
        self.done()

    def test_a_refused_binding_comes_when_there_is_room(self):
        """Whoever makes the room; what the far side has unbound meanwhile does not come."""
        self.make(a={"binding_count": 2}, far={"replier": ["$.Far"], "listen": ["$.A", "$.B"]})
        bindings = self.pair.buses[0].bindings
        told = [b.text for b in bindings.all()]
        self.assertEqual((len(told), self.pair.limpets[0].stats.refused), (2, 1))
        (late,) = [text for text in ("$.Far", "$.A", "$.B") if text not in told]
        self.far.ks.unbind(told[1], told[1] == "$.Far")
        self.pair.run(60)
        self.assertEqual([b.text for b in bindings.all()], [told[0], late])
        self.far.ks.bind(told[1], told[1] == "$.Far")
        self.pair.run(60)
        self.assertEqual(self.pair.limpets[0].stats.refused, 2)
        self.far.ks.unbind(told[1], told[1] == "$.Far")
        self.far.ks.unbind(late, late == "$.Far")
        self.pair.run(60)
        self.assertEqual([b.text for b in bindings.all()], [told[0]])
        self.assertEqual(self.pair.limpets[0].inbox.waiting, [])
        self.done()


class TestFilters(Case):
    def test_names_that_may_not_pass(self):
        """allow and deny, of either side and each way: denied names neither leave nor come in."""
        for where in ("join_a", "join_b"):
            for rule in ({"deny": ["$.Secret.*"]}, {"allow": ["$.Open.*"]}):
                self.make(
                    {"listen": ["$.*"], "replier": ["$.Secret.N"]},
                    {"listen": ["$.*"], "replier": ["$.Secret.F", "$.Open.F"]},
                    **{where: rule},
                )
                for end, name in ((self.near, "N"), (self.far, "F")):
                    end.ks.announce("$.Secret.A" + name)
                    end.ks.announce("$.Open.A" + name)
                self.pair.run(60)
                heard = [sorted([m.name for m in end.read()]) for end in (self.near, self.far)]
                self.assertEqual(heard[0], ["$.Open.AF", "$.Open.AN", "$.Secret.AN"])
                self.assertEqual(heard[1], ["$.Open.AF", "$.Open.AN", "$.Secret.AF"])
                self.assertFalse(self.pair.buses[0].find_replier("$.Secret.F"))
                self.assertFalse(self.pair.buses[1].find_replier("$.Secret.N"))
                serial = self.ask(name="$.Open.F")
                self.serve()
                self.ends(serial, "reply", "yes")
                self.assertGreater(sum([m.stats.filtered for m in self.pair.limpets]), 0)
                self.done()

    def test_a_request_to_a_pattern(self):
        """A pattern is known, but a request with a denied name ends in RemoteError, not run."""
        for where in ("join_a", "join_b"):
            self.make(far={"replier": ["$.A.*"]}, **{where: {"deny": ["$.A.Secret"]}})
            a = self.ask(name="$.A.Secret")
            b = self.ask(name="$.A.Open")
            self.serve()
            self.ends(a, "RemoteError.EADDRNOTAVAIL", "no")
            self.ends(b, "reply", "yes")
            self.assertEqual([n for _, n, _ in self.far.heard], ["$.A.Open"])
            self.done()

    def test_a_denied_name_is_not_told(self):
        """A name that may not leave is not on the line, in no record."""
        self.make(
            {"listen": ["$.Secretword"]},
            far={"listen": ["$.*"]},
            join_a={"deny": ["$.S*"[:2] + "Secretword"]},
        )
        seen = []
        pipe = self.pair.pipes[0]
        write = pipe.write

        def spy(buf, start, count, now_ms):
            seen.append(bytes(buf[start : start + count]))
            return write(buf, start, count, now_ms)

        pipe.write = spy
        self.near.ks.announce("$.Secretword", b"x")
        self.near.ks.announce("$.Open", b"x")
        self.pair.run(60)
        self.assertIn(b"Open", b"".join(seen))
        self.assertNotIn(b"Secretword", b"".join(seen))
        self.done()

    def test_a_wrong_pattern(self):
        """A filter that is no pattern is refused at once, and leaves no Ksock behind."""
        bus = Bus(node=1, seed=1)
        for rule in ({"allow": ["Kitchen"]}, {"deny": ["$.*.A"]}):
            with self.assertRaises(ValueError):
                Pair(join_a=rule)
        self.assertEqual(bus.pool.hots, [])
        bus.close()


if __name__ == "__main__":
    unittest.main()
