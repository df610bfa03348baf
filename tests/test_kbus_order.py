# SPDX-License-Identifier: MIT
"""limpet.kbus: the order of messages, urgent ones, and each message once only."""

import unittest

from kbus_cases import UNBOUND, KbusCase, data, names
from limpet.kbus import Message, Request, reply_to

URGENT = Message.URGENT


class TestOrder(KbusCase):
    def test_as_sent(self):
        """All receivers see messages of all senders in the order of their ids."""
        one, other = self.open(), self.open()
        heard = (self.listener("$.Fred", "$.Jim"), self.listener("$.*"))
        sent = []
        for i in range(6):
            ks = other if i % 3 else one
            sent.append(ks.send_msg(Message("$.Fred" if i % 2 else "$.Jim")))
        for ks in heard:
            self.assertEqual([m.id for m in ks], sent)

    def test_requests_replies_and_announcements(self):
        """Of all kinds, too."""
        asker, replier = self.listener("$.Jim"), self.replier("$.Fred")
        replier.bind("$.Jim")
        asker.send_msg(Message("$.Jim", b"1"))
        asker.send_msg(Request("$.Fred", b"2"))
        asker.send_msg(Message("$.Jim", b"3"))
        got = [message for message in replier]
        self.assertEqual([m.data for m in got], [b"1", b"2", b"3"])
        replier.send_msg(reply_to(got[1], b"4"))
        replier.send_msg(Message("$.Jim", b"5"))
        self.assertEqual(data(asker), [b"1", b"3", b"4", b"5"])

    def test_urgent(self):
        """In front of all that waits, the latest first."""
        ks = self.listener("$.Fred")
        for i in range(3):
            ks.send_msg(Message("$.Fred", b"%d" % i))
        for i in range(3):
            ks.send_msg(Message("$.Fred", b"u%d" % i, flags=URGENT))
        ks.send_msg(Message("$.Fred", b"3"))
        self.assertEqual(data(ks), [b"u2", b"u1", b"u0", b"0", b"1", b"2", b"3"])

    def test_urgent_and_what_is_being_read(self):
        """What has been popped stays what is read."""
        ks = self.listener("$.Fred")
        ks.send_msg(Message("$.Fred", b"1"))
        size = ks.next_msg()
        ks.send_msg(Message("$.Fred", b"u", flags=URGENT))
        self.assertEqual(ks.read_msg(size).data, b"1")
        self.assertEqual(data(ks), [b"u"])

    def test_urgent_requests_and_replies(self):
        asker, replier = self.open(), self.replier("$.Fred")
        asker.send_msg(Request("$.Fred", b"1"))
        asker.send_msg(Request("$.Fred", b"2", flags=URGENT))
        got = [message for message in replier]
        self.assertEqual([m.data for m in got], [b"2", b"1"])
        self.assertTrue(all(m.wants_us_to_reply() for m in got))
        replier.send_msg(reply_to(got[1], b"1"))
        replier.send_msg(reply_to(got[0], b"2", URGENT))
        self.assertEqual(data(asker), [b"2", b"1"])

    def test_a_replier_that_listens(self):
        """The copy to answer is pushed first: it is read first, but last when urgent."""
        asker, replier = self.open(), self.replier("$.Fred")
        replier.bind("$.Fred")
        asker.send_msg(Request("$.Fred"))
        self.assertEqual([m.wants_us_to_reply() for m in replier], [True, False])
        asker.send_msg(Request("$.Fred", flags=URGENT))
        self.assertEqual([m.wants_us_to_reply() for m in replier], [False, True])

    def test_an_asker_that_listens(self):
        """Its reply comes before its copy of the reply."""
        asker, replier = self.open(), self.replier("$.Fred")
        asker.send_msg(Request("$.Fred"))
        asker.bind("$.Fred")
        replier.send_msg(reply_to(replier.read_next_msg()))
        self.assertEqual(asker.num_messages(), 2)
        asker.unbind("$.Fred")  # takes the copy away, not the reply
        self.assertEqual(asker.num_messages(), 1)

    def test_statuses_go_to_the_back(self):
        """Also that of an urgent request."""
        asker, replier = self.listener("$.Jim"), self.replier("$.Fred")
        asker.send_msg(Request("$.Fred", flags=URGENT))
        asker.send_msg(Message("$.Jim"))
        replier.unbind("$.Fred", True)
        self.assertEqual(names(asker), ["$.Jim", UNBOUND])


class TestOnce(KbusCase):
    def test_asking_and_setting(self):
        """Off unless set; each call tells what it was before; each Ksock has its own."""
        ks, other = self.open("r"), self.open()
        self.assertEqual(ks.want_messages_once(True, True), 0)
        self.assertEqual(ks.want_messages_once(just_ask=True), 0)
        self.assertEqual(ks.want_messages_once(True), 0)
        self.assertEqual(ks.want_messages_once(False, True), 1)
        self.assertEqual(other.want_messages_once(just_ask=True), 0)
        self.assertEqual(ks.want_messages_once(), 1)
        self.assertEqual(ks.want_messages_once(just_ask=True), 0)

    def test_listening_often(self):
        """One copy, however many bindings match."""
        ks = self.listener("$.Fred", "$.Fred", "$.*", "$.%")
        ks.want_messages_once(True)
        for i in range(3):
            ks.send_msg(Message("$.Fred", b"%d" % i))
        self.assertEqual(data(ks), [b"0", b"1", b"2"])
        ks.want_messages_once(False)
        ks.send_msg(Message("$.Fred"))
        self.assertEqual(ks.num_messages(), 4)

    def test_replier_and_listener(self):
        """The copy to answer is the one."""
        ks = self.replier("$.Fred")
        ks.bind("$.Fred")
        ks.want_messages_once(True)
        self.open().send_msg(Request("$.Fred"))
        self.assertEqual([m.wants_us_to_reply() for m in ks], [True])

    def test_asker_and_listener(self):
        """The reply to the asker is the one."""
        ks, replier = self.listener("$.Fred", "$.*"), self.replier("$.Fred")
        ks.want_messages_once(True)
        ks.send_msg(Request("$.Fred", b"q"))
        replier.send_msg(reply_to(replier.read_next_msg(), b"r"))
        self.assertEqual(data(ks), [b"q", b"r"])
        ks.send_msg(Request("$.Fred", b"q"))
        replier.send_msg(reply_to(replier.read_next_msg(), b"r"))
        for name in ("$.Fred", "$.*"):
            ks.unbind(name)
        self.assertEqual(data(ks), [b"r"])

    def test_from_now_on(self):
        """What is queued stays queued."""
        ks = self.listener("$.Fred", "$.*")
        ks.send_msg(Message("$.Fred", b"1"))
        ks.want_messages_once(True)
        ks.send_msg(Message("$.Fred", b"2"))
        self.assertEqual(data(ks), [b"1", b"1", b"2"])

    def test_same_id_twice(self):
        """Only the same id in a row is the same message; networks number for themselves."""
        from limpet.kbus import MessageId

        ks = self.listener("$.Fred")
        ks.want_messages_once(True)
        for net, serial in ((1, 5), (1, 5), (2, 5), (1, 5)):
            ks.send_msg(Message("$.Fred", b"%d" % net, id=MessageId(net, serial)))
        self.assertEqual(data(ks), [b"1", b"2", b"1"])

    def test_unbinding(self):
        """The one copy is due to the newest matching listener binding, or to the replier's."""
        for gone, left in (("$.Fred", [b"1"]), ("$.*", [])):
            ks = self.listener("$.Fred", "$.*")
            ks.want_messages_once(True)
            ks.send_msg(Message("$.Fred", b"1"))
            ks.unbind(gone)
            self.assertEqual(data(ks), left, gone)
            ks.close()

    def test_bind_events(self):
        """They are messages like others."""
        ks = self.listener("$.KBUS.ReplierBindEvent", "$.*")
        ks.want_messages_once(True)
        ks.report_replier_binds(True)
        self.replier("$.Fred")
        self.assertEqual(ks.num_messages(), 1)


if __name__ == "__main__":
    unittest.main()
