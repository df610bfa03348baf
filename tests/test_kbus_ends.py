# SPDX-License-Identifier: MIT
"""limpet.kbus: what unbinding and closing do to messages that are under way, and the statuses."""

import unittest

from kbus_cases import (
    EADDRNOTAVAIL,
    EVENT,
    GONE_AWAY,
    IGNORED,
    UNBOUND,
    KbusCase,
    data,
    ends,
    events,
    names,
)
from limpet.kbus import Message, Request, Status, reply_to


class TestUnbinding(KbusCase):
    def test_just_its_own_copies(self):
        """Of several bindings that match, only the copies of that one go."""
        sender = self.open()
        for gone in ("$.Fred", "$.*", "$.%"):
            ks = self.listener("$.Fred", "$.*", "$.%")
            sender.send_msg(Message("$.Fred", b"1"))
            sender.send_msg(Message("$.Jim", b"2"))
            ks.unbind(gone)
            left = [b"1"] * 2 + [b"2"] * (2 if gone == "$.Fred" else 1)
            self.assertEqual(data(ks), left, gone)
            ks.close()

    def test_same_binding_twice(self):
        """The newest goes first, with what came since it was made."""
        ks, sender = self.open(), self.open()
        ks.bind("$.Fred")
        sender.send_msg(Message("$.Fred", b"1"))
        ks.bind("$.Fred")
        sender.send_msg(Message("$.Fred", b"2"))
        self.assertEqual(ks.num_messages(), 3)
        ks.unbind("$.Fred")
        self.assertEqual(ks.num_messages(), 2)
        ks.unbind("$.Fred")
        self.assertEqual(ks.num_messages(), 0)

    def test_the_older_stays(self):
        ks, sender = self.open(), self.open()
        ks.bind("$.Fred")
        sender.send_msg(Message("$.Fred", b"1"))
        ks.bind("$.Fred")
        sender.send_msg(Message("$.Fred", b"2"))
        ks.unbind("$.Fred")
        self.assertEqual(data(ks), [b"1", b"2"])

    def test_binding_again(self):
        """What is gone does not come back."""
        ks, sender = self.listener("$.Fred"), self.open()
        sender.send_msg(Message("$.Fred", b"1"))
        ks.unbind("$.Fred")
        ks.bind("$.Fred")
        sender.send_msg(Message("$.Fred", b"2"))
        self.assertEqual(data(ks), [b"2"])

    def test_listener_and_replier(self):
        """As a listener it loses the copy, as replier the request, which ends in a status."""
        asker, ks = self.open(), self.replier("$.Fred")
        ks.bind("$.Fred")
        asker.send_msg(Request("$.Fred"))
        ks.unbind("$.Fred")
        self.assertEqual((ks.num_messages(), asker.num_messages()), (1, 0))
        ks.unbind("$.Fred", True)
        self.assertEqual((ks.num_messages(), names(asker)), (0, [UNBOUND]))

    def test_requests_end_in_queue_order(self):
        """Those of that name, unread: in the order in which they would have been read."""
        asker, replier = self.open(), self.replier("$.Fred", "$.Jim")
        sent = [asker.send_msg(Request("$.Fred")).serial_num for _ in range(2)]
        asker.send_msg(Request("$.Jim"))
        urgent = asker.send_msg(Request("$.Fred", flags=Message.URGENT)).serial_num
        replier.unbind("$.Fred", True)
        self.assertEqual(ends(asker), [(UNBOUND, urgent), (UNBOUND, sent[0]), (UNBOUND, sent[1])])
        self.assertEqual(names(replier), ["$.Jim"])

    def test_what_was_popped(self):
        """It can be read on, and is owed."""
        asker, replier = self.open(), self.replier("$.Fred")
        asker.send_msg(Request("$.Fred", b"q"))
        size = replier.next_msg()
        replier.unbind("$.Fred", True)
        self.assertEqual(names(asker), [])
        request = replier.read_msg(size)
        replier.send_msg(reply_to(request, b"r"))
        self.assertEqual(data(asker), [b"r"])

    def test_what_no_binding_brought(self):
        """Replies, statuses and the events told at the start of reporting stay."""
        ks, replier = self.listener("$.*", EVENT), self.replier("$.Fred", "$.Jim")
        ks.report_replier_binds(True)
        ks.send_msg(Request("$.Fred"))
        replier.send_msg(reply_to(replier.read_next_msg()))
        ks.send_msg(Request("$.Jim"))
        replier.unbind("$.Jim", True)
        ks.unbind("$.*")
        ks.unbind(EVENT)
        self.assertEqual(names(ks), [EVENT, EVENT, "$.Fred", UNBOUND])

    def test_a_wildcard(self):
        """What was bound as a wildcard is given up as such."""
        asker, replier = self.open(), self.replier("$.Fred.*")
        sent = asker.send_msg(Request("$.Fred.Jim")).serial_num
        replier.unbind("$.Fred.*", True)
        self.assertEqual(ends(asker), [(UNBOUND, sent)])
        self.fails(EADDRNOTAVAIL, asker.send_msg, Request("$.Fred.Jim"))


class TestClosing(KbusCase):
    def test_unread(self):
        """GoneAway in queue order, stateful ones too."""
        asker, replier = self.open(), self.replier("$.Fred")
        sent = [asker.send_msg(Request("$.Fred")).serial_num]
        sent.append(asker.send_msg(Request("$.Fred", to=replier.ksock_id())).serial_num)
        sent.insert(0, asker.send_msg(Request("$.Fred", flags=Message.URGENT)).serial_num)
        replier.close()
        self.assertEqual(ends(asker), [(GONE_AWAY, number) for number in sent])

    def test_read(self):
        """Ignored, the one read last first; what was answered has ended."""
        asker, replier = self.open(), self.replier("$.Fred")
        sent = [asker.send_msg(Request("$.Fred")).serial_num for _ in range(4)]
        asked = [message for message in replier]
        replier.send_msg(reply_to(asked[1]))
        names(asker)
        replier.close()
        self.assertEqual(ends(asker), [(IGNORED, sent[i]) for i in (3, 2, 0)])

    def test_the_whole_order(self):
        """Unread requests, then bindings from the newest on, then read requests."""
        asker, replier = self.listener(EVENT), self.replier("$.A", "$.B", "$.C")
        binder = replier.ksock_id()
        asker.report_replier_binds(True)
        names(asker)
        for i in range(2):
            asker.send_msg(Request("$.A", b"%d" % i))
            replier.read_next_msg()
        asker.send_msg(Request("$.B"))
        asker.send_msg(Request("$.A"))
        replier.close()
        self.assertEqual(
            events(asker),
            [GONE_AWAY] * 2
            + [(0, binder, "$.C"), (0, binder, "$.B"), (0, binder, "$.A")]
            + [IGNORED] * 2,
        )

    def test_names_are_free_again(self):
        asker, replier = self.open(), self.replier("$.Fred")
        replier.close()
        self.assertEqual(asker.find_replier("$.Fred"), None)
        self.fails(EADDRNOTAVAIL, asker.send_msg, Request("$.Fred"))
        self.replier("$.Fred")
        asker.send_msg(Request("$.Fred"))

    def test_the_asker(self):
        """Nobody is told; the request stays with its replier, whose answer goes nowhere."""
        asker, replier = self.open(), self.replier("$.Fred")
        asker.send_msg(Request("$.Fred", b"read"))
        asker.send_msg(Request("$.Fred", b"unread"))
        asked = replier.read_next_msg()
        asker.close()
        self.assertEqual(replier.read_next_msg().data, b"unread")
        self.fails(EADDRNOTAVAIL, replier.send_msg, reply_to(asked))
        replier.close()

    def test_asker_and_replier_at_once(self):
        """A Ksock that has asked itself closes without trouble."""
        ks = self.replier("$.Fred")
        ks.send_msg(Request("$.Fred"))
        ks.send_msg(Request("$.Fred"))
        ks.read_next_msg()
        ks.close()

    def test_its_own_request(self):
        """Unbinding gives it a status of its own."""
        ks = self.replier("$.Fred")
        sent = ks.send_msg(Request("$.Fred")).serial_num
        ks.unbind("$.Fred", True)
        self.assertEqual(ends(ks), [(UNBOUND, sent)])

    def test_what_was_written(self):
        """It is gone."""
        ks, listener = self.open(), self.listener("$.Fred")
        ks.write_msg(Message("$.Fred"))
        ks.close()
        self.assertEqual(names(listener), [])


class TestStatuses(KbusCase):
    def end(self, name, replier):
        if name == IGNORED:
            replier.read_next_msg()
        if name == UNBOUND:
            replier.unbind("$.Fred", True)
        else:
            replier.close()

    def test_fields(self):
        """For the asker, about the request, in the replier's name, without data."""
        for name in (GONE_AWAY, IGNORED, UNBOUND):
            asker, replier = self.open(), self.replier("$.Fred")
            who = replier.ksock_id()
            sent = asker.send_msg(Request("$.Fred", b"q", flags=0xFFFF0000))
            self.end(name, replier)
            got = asker.read_next_msg()
            self.assertEqual(
                got.extract(),
                (sent + 1, sent, asker.ksock_id(), who, None, None, Message.SYNTHETIC, name, None),
            )
            self.assertEqual(type(got.cast()), Status)
            replier.close()

    def test_only_the_asker_has_it(self):
        """Whoever listens to its name does not."""
        for name in (GONE_AWAY, IGNORED, UNBOUND):
            asker, replier = self.open(), self.replier("$.Fred")
            listener = self.listener(name, "$.KBUS.*")
            asker.send_msg(Request("$.Fred"))
            self.end(name, replier)
            self.assertEqual((names(asker), names(listener)), ([name], []))
            replier.close()

    def test_queue_limits_do_not_count(self):
        """Each frees the place that was kept for the answer, once it is read."""
        for name in (GONE_AWAY, IGNORED, UNBOUND):
            asker, replier = self.limited(1), self.replier("$.Fred")
            asker.bind("$.Jim")
            asker.send_msg(Request("$.Fred"))
            self.end(name, replier)
            asker.send_msg(Message("$.Jim", b"no room"))
            self.assertEqual(names(asker), [name])
            asker.send_msg(Message("$.Jim"))
            self.assertEqual(names(asker), ["$.Jim"])
            asker.close()
            replier.close()

    def test_below_the_limit(self):
        """Also with more queued than a limit that was lowered."""
        asker, replier = self.listener("$.Jim"), self.replier("$.Fred")
        asker.send_msg(Request("$.Fred"))
        for _ in range(3):
            asker.send_msg(Message("$.Jim"))
        asker.set_max_messages(1)
        replier.close()
        self.assertEqual(names(asker), ["$.Jim"] * 3 + [GONE_AWAY])

    def test_a_refused_send_has_none(self):
        asker = self.open()
        self.fails(EADDRNOTAVAIL, asker.send_msg, Request("$.Fred"))
        self.assertEqual(names(asker), [])


if __name__ == "__main__":
    unittest.main()
