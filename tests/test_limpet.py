# SPDX-License-Identifier: MIT
"""Two buses, one link: bindings both ways, messages through, and what each refusal is called."""

import unittest

from helpers_bus import Pair, Reader
from limpet import NoReplier


def raises(message):
    raise ValueError("on purpose")


class TestBindings(unittest.TestCase):
    def heard(self, pair, far, *names):
        """Announce each name at side 0; return those that side 1 hears, in order."""
        ks = pair.buses[0].ksock()
        for name in names:
            ks.announce(name, name)
        pair.run(50)
        ks.close()
        found = [n for _, n, _ in far.heard] + [m.name for m in far.read()]
        far.heard = []
        return found

    def test_listeners_before_and_after_connecting(self):
        """Interest is known whether it came before the link or after, and goes when undone."""
        pair = Pair()
        far = Reader(pair.buses[1], listen=["$.A"])
        pair.connect()
        self.assertEqual(self.heard(pair, far, "$.A", "$.B"), ["$.A"])
        far.ks.bind("$.B")
        pair.run(50)
        self.assertEqual(self.heard(pair, far, "$.A", "$.B"), ["$.A", "$.B"])
        far.ks.unbind("$.A")
        pair.run(50)
        self.assertEqual(self.heard(pair, far, "$.A", "$.B"), ["$.B"])
        far.ks.close()
        pair.run(50)
        sent = pair.limpets[0].stats.announcements_sent
        self.assertEqual(self.heard(pair, far, "$.A", "$.B"), [])
        self.assertEqual(pair.limpets[0].stats.announcements_sent, sent)
        self.assertEqual(pair.buses[0].bindings.all(), [])

    def test_only_what_someone_wants_crosses(self):
        """A link carries only what someone beyond it wants: nothing is sent to be thrown away."""
        pair = Pair()
        far = Reader(pair.buses[1], listen=["$.A.%"])
        pair.connect()
        names = ("$.A", "$.A.B", "$.A.B.C", "$.B.A", "$.AB.C")
        self.assertEqual(self.heard(pair, far, *names), ["$.A.B"])
        self.assertEqual(pair.limpets[0].stats.announcements_sent, 1)
        self.assertEqual(pair.limpets[1].stats.announcements_received, 1)

    def test_overlapping_patterns_give_each_binding_its_copy_but_the_line_one(self):
        """However many patterns of the far side match, one copy crosses."""
        pair = Pair()
        far = Reader(pair.buses[1], listen=["$.A.B", "$.A.%", "$.*"])
        other = Reader(pair.buses[1], listen=["$.A.*"])
        pair.connect()
        self.assertEqual(self.heard(pair, far, "$.A.B"), ["$.A.B"] * 3)
        self.assertEqual([m.name for m in other.read()], ["$.A.B"])
        self.assertEqual(pair.limpets[0].stats.announcements_sent, 1)

    def test_two_listeners_to_one_name(self):
        """The interest ends with the last of them, not with the first."""
        pair = Pair()
        one = Reader(pair.buses[1], listen=["$.A"])
        two = Reader(pair.buses[1], listen=["$.A"])
        pair.connect()
        one.ks.close()
        pair.run(50)
        self.assertEqual(self.heard(pair, two, "$.A"), ["$.A"])
        two.ks.close()
        pair.run(50)
        self.assertEqual(pair.buses[0].bindings.all(), [])

    def test_what_came_over_a_link_does_not_go_back_or_on(self):
        """Everybody listens to all: a message crosses once, and its sender hears it once."""
        pair = Pair()
        near = Reader(pair.buses[0], listen=["$.*"])
        far = Reader(pair.buses[1], listen=["$.*"])
        pair.connect()
        self.assertEqual(self.heard(pair, far, "$.A", "$.B"), ["$.A", "$.B"])
        self.assertEqual([m.name for m in near.read()], ["$.A", "$.B"])
        self.assertEqual(pair.limpets[1].stats.announcements_sent, 0)

    def test_origin_is_kept(self):
        """A message has the number and sender that it has at home, with its node."""
        pair = Pair()
        near = Reader(pair.buses[0], listen=["$.*"])
        far = Reader(pair.buses[1], listen=["$.*"], replier=["$.Ask"])
        pair.connect()
        a = near.ks.announce("$.A", b"1")
        b = near.ks.request("$.Ask", b"2")
        c = near.ks.announce("$.A", b"3")
        pair.run(50)
        got = far.read()
        self.assertEqual([m.id for m in got if m.kind == "announcement"], [(11, a), (11, c)])
        self.assertEqual(set([m.sender for m in got]), {(11, near.ks.id)})
        asked = [m for m in got if m.wants_reply]
        self.assertEqual([m.id for m in asked], [(11, b)])
        far.ks.reply(asked[0], b"4")
        pair.run(50)
        reply = [m for m in near.read() if m.kind == "reply"][0]
        self.assertEqual((reply.sender, reply.id[0]), ((22, far.ks.id), 22))
        self.assertEqual((reply.in_reply_to, reply.name, reply.data), (b, "$.Ask", b"4"))

    def test_bindings_change_while_messages_run(self):
        """Each message that a stable binding wants arrives, however others come and go."""
        pair = Pair(line={"loss": 0.1}, seed=5)
        far = Reader(pair.buses[1], listen=["$.A.B"])
        other = pair.buses[1].ksock()
        ks = pair.buses[0].ksock()
        pair.connect()
        pair.run(500)  # the binding is known, whatever the line lost
        for i in range(60):
            if i % 3 == 0:
                other.bind("$.A.%")
            elif i % 3 == 1:
                other.bind("$.*")
            else:
                other.close()
                other = pair.buses[1].ksock()
            ks.announce("$.A.B", b"%d" % i)
            pair.run(7)
            far.read()
        pair.run(500)
        far.read()
        self.assertEqual([int(d) for _, _, d in far.heard], list(range(60)))


class TestRequests(unittest.TestCase):
    def setUp(self):
        self.pair = Pair()
        self.near = Reader(self.pair.buses[0])

    def ask(self, name, data=b"?", deadline_ms=None):
        """Send a request, wait, and return what its answer is."""
        serial = self.near.ks.request(name, data, deadline_ms)
        self.pair.run(100)
        return self.near.answer(serial)

    def test_a_reply(self):
        """Both ways at once: a request reaches the far replier, its reply the asker."""
        ks = [bus.ksock() for bus in self.pair.buses]
        ks[1].replier("$.Far")(lambda m: b"<" + m.data + b">")
        ks[0].replier("$.Near")(lambda m: m.text.upper())
        self.pair.connect()
        back = Reader(self.pair.buses[1])
        serial = back.ks.request("$.Near", b"abc", None)
        self.assertEqual(self.ask("$.Far", b"xy"), ("reply", b"<xy>"))
        self.assertEqual(back.answer(serial), ("reply", b"ABC"))
        self.assertEqual(self.pair.limpets[0].stats.requests_sent, 1)
        self.assertEqual(self.pair.limpets[1].stats.answers_sent, 1)

    def test_the_handler_raises(self):
        """Replier.Failed: it ran, and its data is the exception's name."""
        self.pair.buses[1].ksock().replier("$.Far")(raises)
        self.pair.connect()
        self.assertEqual(self.ask("$.Far"), ("Replier.Failed", b"ValueError"))
        self.assertEqual(self.near.messages[-1].executed, "yes")

    def test_nobody_anywhere(self):
        """No replier is known: refused at once, on the asker's bus."""
        self.pair.connect()
        with self.assertRaises(NoReplier):
            self.near.ks.request("$.Far")
        self.assertEqual(self.pair.limpets[0].stats.requests_sent, 0)

    def test_it_unbound_while_the_request_was_under_way(self):
        """The request finds nobody: RemoteError.EADDRNOTAVAIL, and it never ran."""
        far = Reader(self.pair.buses[1], replier=["$.Far"])
        self.pair.connect()
        self.pair.pipes[0].cut = True  # the request is on its way for long
        serial = self.near.ks.request("$.Far", b"?", None)
        self.pair.run(3)
        far.ks.unbind("$.Far", True)
        self.pair.pipes[0].cut = False
        self.pair.run(500)
        self.assertEqual(self.near.answer(serial)[0], "RemoteError.EADDRNOTAVAIL")
        self.assertEqual(self.near.messages[-1].executed, "no")
        self.assertEqual(far.read(), [])
        with self.assertRaises(NoReplier):
            self.near.ks.request("$.Far")

    def test_it_unbinds_with_the_request_unread(self):
        far = Reader(self.pair.buses[1], replier=["$.Far"])
        self.pair.connect()
        serial = self.near.ks.request("$.Far", b"?", None)
        self.pair.run(50)
        self.assertEqual(self.near.answer(serial), ("", b""))
        far.ks.unbind("$.Far", True)
        self.pair.run(50)
        self.assertEqual(self.near.answer(serial)[0], "Replier.Unbound")
        self.assertEqual(far.read(), [])

    def test_it_closes(self):
        """Unread: GoneAway, never ran. Read and not answered: Ignored, nobody knows."""
        far = Reader(self.pair.buses[1], replier=["$.Far"])
        self.pair.connect()
        a = self.near.ks.request("$.Far", b"read", None)
        self.pair.run(50)
        self.assertEqual(len(far.read()), 1)
        b = self.near.ks.request("$.Far", b"unread", None)
        self.pair.run(50)
        far.ks.close()
        self.pair.run(50)
        self.assertEqual(self.near.answer(a)[0], "Replier.Ignored")
        self.assertEqual(self.near.answer(b)[0], "Replier.GoneAway")
        executed = [(m.in_reply_to, m.executed) for m in self.near.messages]
        self.assertEqual(sorted(executed), [(a, "unknown"), (b, "no")])

    def test_two_askers_each_get_their_own(self):
        far = self.pair.buses[1].ksock()
        far.replier("$.Far")(lambda m: m.data)
        self.pair.connect()
        readers = [Reader(self.pair.buses[0]) for _ in range(4)]
        sent = []
        for i in range(12):
            reader = readers[i % 4]
            sent.append((reader, reader.ks.request("$.Far", b"%d" % i, None), b"%d" % i))
        self.pair.run(200)
        for reader, serial, data in sent:
            self.assertEqual(reader.answer(serial), ("reply", data))

    def test_the_asker_closes(self):
        """Its requests run on; their answers are for nobody, and leave nothing behind."""
        far = Reader(self.pair.buses[1], replier=["$.Far"])
        self.pair.connect()
        self.near.ks.request("$.Far", b"1", None)
        self.pair.run(50)
        self.near.ks.request("$.Far", b"2", None)
        self.near.ks.close()
        self.pair.run(50)
        got = far.read()
        self.assertEqual([m.data for m in got], [b"1", b"2"])
        for message in got:
            far.ks.reply(message, b"!")
        self.pair.run(50)
        self.assertEqual(self.pair.limpets[0].stats.late, 2)
        self.assertEqual([t for t in self.pair.limpets[0].outbox.tickets if t.used], [])
        self.assertEqual(self.pair.buses[0].pool.free_count(), self.pair.buses[0].pool.count)

    def tearDown(self):
        self.pair.close()
        self.assertEqual(self.pair.leaks(), "")


class TestRepliers(unittest.TestCase):
    """Who is asked when both buses have one."""

    def setUp(self):
        self.pair = Pair()

    def who(self, side, name="$.A.B"):
        reader = Reader(self.pair.buses[side])
        serial = reader.ks.request(name, b"", None)
        self.pair.run(50)
        return reader.answer(serial)

    def serve(self, side, name):
        ks = self.pair.buses[side].ksock()
        ks.replier(name)(lambda m: b"%d" % side)
        return ks

    def test_the_nearest_wins(self):
        """Both bind the same name, in either order: nobody is refused, each bus asks its own."""
        for first in (0, 1):
            self.pair = Pair()
            self.pair.connect()
            self.serve(first, "$.A.B")
            self.pair.run(50)
            self.serve(1 - first, "$.A.B")
            self.pair.run(50)
            self.assertEqual(self.who(0), ("reply", b"0"))
            self.assertEqual(self.who(1), ("reply", b"1"))

    def test_when_the_local_one_goes_the_far_one_is_asked(self):
        ks = self.serve(0, "$.A.B")
        self.serve(1, "$.A.B")
        self.pair.connect()
        self.assertEqual(self.who(0), ("reply", b"0"))
        ks.close()
        self.assertEqual(self.who(0), ("reply", b"1"))
        self.pair.run(50)
        self.serve(0, "$.A.B")
        self.assertEqual(self.who(0), ("reply", b"0"))

    def test_the_most_specific_wins(self):
        """An exact name far away beats a pattern here, and a pattern beats none."""
        self.serve(0, "$.A.*")
        self.serve(1, "$.A.B")
        self.pair.connect()
        self.assertEqual(self.who(0), ("reply", b"1"))
        self.assertEqual(self.who(0, "$.A.C"), ("reply", b"0"))
        self.assertEqual(self.who(1, "$.A.C"), ("reply", b"0"))

    def test_a_far_pattern_serves_any_name_below_it(self):
        self.serve(1, "$.A.%")
        self.pair.connect()
        self.assertEqual(self.who(0), ("reply", b"1"))
        with self.assertRaises(NoReplier):
            self.who(0, "$.A.B.C")

    def test_replier_and_listener_of_one_ksock(self):
        """It gets the request twice, once to answer: KBUS's rule holds over a link."""
        far = Reader(self.pair.buses[1], listen=["$.A.*"], replier=["$.A.B"])
        near = Reader(self.pair.buses[0])
        self.pair.connect()
        serial = near.ks.request("$.A.B", b"?", None)
        self.pair.run(50)
        got = far.read()
        self.assertEqual(sorted([m.wants_reply for m in got]), [False, True])
        self.assertEqual(self.pair.limpets[0].stats.announcements_sent, 0)
        far.ks.reply([m for m in got if m.wants_reply][0], b"!")
        self.pair.run(50)
        self.assertEqual(near.answer(serial), ("reply", b"!"))


if __name__ == "__main__":
    unittest.main()
