# SPDX-License-Identifier: MIT
"""limpet.kbus: numbers of messages and Ksocks; what the bus changes in a message and what not."""

import unittest

from kbus_cases import (
    EADDRNOTAVAIL,
    EAGAIN,
    EBADMSG,
    EBUSY,
    ECONNREFUSED,
    EINVAL,
    EMSGSIZE,
    ENAMETOOLONG,
    ENOLCK,
    ENOMSG,
    EPIPE,
    KbusCase,
    renamed,
)
from limpet.kbus import Announcement, Message, MessageId, OrigFrom, Reply, Request, reply_to


class TestNumbers(KbusCase):
    def test_messages(self):
        """The first is 1, each has one more, over all Ksocks, heard or not."""
        one, other = self.open(), self.open()
        self.assertEqual(one.send_msg(Message("$.Fred")), MessageId(0, 1))
        self.assertEqual(other.send_msg(Message("$.Fred")), MessageId(0, 2))
        one.bind("$.Fred")
        self.assertEqual(one.send_msg(Message("$.Fred")), MessageId(0, 3))
        self.assertEqual(one.read_next_msg().id, MessageId(0, 3))

    def test_ksocks(self):
        """The first is 1; numbers are not used again."""
        self.assertEqual([self.open().ksock_id() for _ in range(3)], [1, 2, 3])
        self.open().close()
        self.assertEqual(self.open().ksock_id(), 5)

    def test_last_msg_id(self):
        """(0, 0) before the first; then that of this Ksock's last send."""
        one, other = self.open(), self.open()
        self.assertEqual(one.last_msg_id(), MessageId(0, 0))
        sent = one.send_msg(Message("$.Fred"))
        other.send_msg(Message("$.Fred"))
        self.assertEqual(one.last_msg_id(), sent)

    def test_own_network(self):
        """An id with a network is kept, and no number is used up."""
        ks = self.listener("$.Fred")
        before = self.number()
        sent = ks.send_msg(Message("$.Fred", id=MessageId(3, 500)))
        self.assertEqual(sent, MessageId(3, 500))
        self.assertEqual(ks.last_msg_id(), MessageId(3, 500))
        self.assertEqual(ks.read_next_msg().id, MessageId(3, 500))
        self.assertEqual(self.number(), before + 1)

    def test_own_network_and_an_answer(self):
        """The reply is about that id."""
        asker, replier = self.open(), self.replier("$.Fred")
        asker.send_msg(Request("$.Fred", id=MessageId(3, 500)))
        asker.send_msg(Request("$.Fred", id=MessageId(4, 500)))
        asked = [message for message in replier]
        self.assertEqual([m.id for m in asked], [MessageId(3, 500), MessageId(4, 500)])
        replier.send_msg(reply_to(asked[1], "second"))
        replier.send_msg(reply_to(asked[0], "first"))
        found = [(m.in_reply_to, m.data) for m in asker]
        self.assertEqual(found, [(MessageId(4, 500), b"second"), (MessageId(3, 500), b"first")])

    def test_no_network(self):
        """A number without a network is given anew: what was read may be sent again."""
        ks = self.open()
        sent = ks.send_msg(Message("$.Fred", id=MessageId(0, 500)))
        self.assertEqual(sent, MessageId(0, 1))


class TestUsedUp(KbusCase):
    """Which sends that fail use a number up and become last_msg_id."""

    def used(self, errno, ks, message, used):
        before = self.number()
        last = ks.last_msg_id()
        self.fails(errno, ks.send_msg, message)
        self.assertEqual(self.number() - before - 1, used, message)
        expected = MessageId(0, before + 1) if used else last
        self.assertEqual(ks.last_msg_id(), expected, message)

    def test_what_is_wrong_with_a_message(self):
        """Nothing is used."""
        ks = self.open()
        self.used(EBADMSG, ks, Message("$.Fred.*"), 0)
        self.used(ENAMETOOLONG, ks, Message("$." + "a" * 1000), 0)
        both = Message.ALL_OR_WAIT | Message.ALL_OR_FAIL
        self.used(EINVAL, ks, Message("$.Fred", flags=both), 0)
        ks.set_max_message_size(100)
        self.used(EMSGSIZE, ks, Message("$.Fred", b"1"), 0)
        before = self.number()
        self.fails(ENOMSG, ks.send)
        self.assertEqual(self.number(), before + 1)

    def test_no_room_for_the_answer(self):
        """Nothing is used."""
        ks = self.full()
        self.replier("$.Fred")
        self.used(ENOLCK, ks, Request("$.Fred"), 0)
        self.used(ENOLCK, ks, Request("$.Nobody"), 0)

    def test_requests(self):
        """EADDRNOTAVAIL, EPIPE, EBUSY and EAGAIN use one."""
        ks = self.open()
        self.used(EADDRNOTAVAIL, ks, Request("$.Fred"), 1)
        replier = self.full()
        replier.bind("$.Fred", True)
        self.used(EPIPE, ks, Request("$.Fred", to=ks.ksock_id()), 1)
        self.used(EBUSY, ks, Request("$.Fred"), 1)
        self.used(EAGAIN, ks, Request("$.Fred", flags=Message.ALL_OR_WAIT), 1)

    def test_announcements(self):
        """EBUSY and EAGAIN use one."""
        ks = self.open()
        self.full("$.Fred")
        self.used(EBUSY, ks, Message("$.Fred", flags=Message.ALL_OR_FAIL), 1)
        self.used(EAGAIN, ks, Message("$.Fred", flags=Message.ALL_OR_WAIT), 1)

    def test_replies(self):
        """ECONNREFUSED and EADDRNOTAVAIL use one."""
        ks = self.open()
        asked = MessageId(0, 77)
        self.used(ECONNREFUSED, ks, Reply("$.Fred", to=ks.ksock_id(), in_reply_to=asked), 1)
        self.used(EADDRNOTAVAIL, ks, Reply("$.Fred", to=99, in_reply_to=asked), 1)
        self.used(EADDRNOTAVAIL, ks, Reply("$.Fred", to=0, in_reply_to=asked), 1)
        asker = self.open()
        ks.bind("$.Fred", True)
        asker.send_msg(Request("$.Fred"))
        asked = ks.read_next_msg()
        asker.close()
        self.used(EADDRNOTAVAIL, ks, reply_to(asked), 1)

    def test_what_the_bus_makes(self):
        """Each status uses one; each bind event too, heard or not, but only while reporting."""
        asker, replier = self.open(), self.replier("$.Fred")
        first = asker.send_msg(Request("$.Fred"))
        asker.send_msg(Request("$.Fred"))
        replier.unbind("$.Fred", True)
        self.assertEqual([m.id for m in asker], [first + 2, first + 3])
        self.assertEqual(self.number(), first.serial_num + 4)
        replier.bind("$.Fred", True)
        self.assertEqual(self.number(), first.serial_num + 5)
        replier.report_replier_binds(False)
        asker.report_replier_binds(True)
        [m.id for m in asker]
        before = self.number()
        replier.unbind("$.Fred", True)
        self.assertEqual(self.number(), before + 2)


class TestCarried(KbusCase):
    def test_untouched(self):
        """What the bus does not look at arrives as it was, and `from` is the sender."""
        ks = self.listener("$.Fred")
        sent = Message(
            "$.Fred",
            b"data",
            to=77,
            from_=99,
            orig_from=OrigFrom(5, 0xFFFFFFFF),
            final_to=OrigFrom(0x80000000, 8),
            flags=0xFFFF0000,
        )
        ks.send_msg(sent)
        got = ks.read_next_msg()
        self.assertEqual((got.name, got.data, got.to, got.from_), ("$.Fred", b"data", 77, 1))
        self.assertEqual((got.orig_from, got.final_to), (sent.orig_from, sent.final_to))
        self.assertEqual((got.flags, got.in_reply_to), (0xFFFF0000, None))
        self.assertTrue(got.equivalent(sent))
        self.assertTrue(sent.id is None and sent.from_ == 99)

    def test_requests_and_replies_too(self):
        asker, replier, listener = self.open(), self.replier("$.Fred"), self.listener("$.Fred")
        way = {"final_to": OrigFrom(7, 8), "flags": 0x12340000}
        asker.send_msg(Request("$.Fred", b"q", **way))
        asked = replier.read_next_msg()
        heard = listener.read_next_msg()
        self.assertEqual((asked.final_to, asked.flags), (OrigFrom(7, 8), 0x12340003))
        self.assertEqual((heard.final_to, heard.flags), (OrigFrom(7, 8), 0x12340001))
        reply = Reply.from_message(reply_to(asked, flags=0xABCD0000), orig_from=OrigFrom(1, 2))
        replier.send_msg(reply)
        for ks in (asker, listener):
            got = ks.read_next_msg()
            self.assertEqual((got.orig_from, got.flags), (OrigFrom(1, 2), 0xABCD0000))
            self.assertEqual((got.to, got.in_reply_to), (asker.ksock_id(), asked.id))
            self.assertEqual(got.from_, replier.ksock_id())

    def test_flags_of_the_bus(self):
        """SYNTHETIC is cleared; who is to reply is told by copy; the rest is kept."""
        asker, replier, listener = self.open(), self.replier("$.Fred"), self.listener("$.Fred")
        flags = Message.WANT_YOU_TO_REPLY | Message.SYNTHETIC | Message.URGENT
        asker.send_msg(Request("$.Fred", flags=flags | 0xFC40))
        self.assertEqual(replier.read_next_msg().flags, 0xFC4B)
        self.assertEqual(listener.read_next_msg().flags, 0xFC49)
        asker.send_msg(Message("$.Fred", flags=flags | Message.ALL_OR_FAIL))
        self.assertEqual(listener.read_next_msg().flags, 0x208)
        asker.send_msg(Message("$.Fred", flags=Message.ALL_OR_WAIT))
        self.assertEqual(listener.read_next_msg().flags, 0x100)

    def test_nothing_stays_for_the_next(self):
        """A message has nothing of the one before."""
        ks = self.listener("$.Fred")
        full = {"to": 7, "orig_from": OrigFrom(1, 2), "final_to": OrigFrom(3, 4)}
        ks.send_msg(Message("$.Fred", b"x", id=MessageId(3, 4), flags=0xFFFF0008, **full))
        ks.send_msg(Announcement("$.Fred"))
        got = [message.extract()[2:] for message in ks]
        self.assertEqual(got[1], (0, 1, None, None, 0, "$.Fred", None))

    def test_a_message_can_be_sent_again(self):
        """Sending changes nothing in it, and what was read can be sent on."""
        ks = self.listener("$.Fred")
        message = Message("$.Fred", b"x", to=3)
        before = message.extract()
        first = ks.send_msg(message)
        self.assertEqual(message.extract(), before)
        got = ks.read_next_msg()
        second = ks.send_msg(renamed(got, "$.Fred"))
        self.assertEqual(second, first + 1)
        self.assertTrue(ks.read_next_msg().equivalent(message))


if __name__ == "__main__":
    unittest.main()
