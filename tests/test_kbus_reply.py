# SPDX-License-Identifier: MIT
"""limpet.kbus: who gets a reply, who may send it, and requests to one Ksock only."""

import unittest

from kbus_cases import (
    EADDRNOTAVAIL,
    EBUSY,
    ECONNREFUSED,
    EMSGSIZE,
    EPIPE,
    KbusCase,
    data,
    names,
    renamed,
)
from limpet.kbus import (
    Message,
    MessageId,
    OrigFrom,
    Reply,
    Request,
    reply_to,
    stateful_request,
)


class TestRouting(KbusCase):
    def ask(self, replier, asker, **named):
        """Send a request for $.Fred and return it as the replier reads it."""
        asker.send_msg(Request("$.Fred", **named))
        return [message for message in replier if message.wants_us_to_reply()][0]

    def test_to_the_asker(self):
        """It need not be bound; who does not listen gets nothing."""
        asker, replier, other = self.open(), self.replier("$.Fred"), self.open()
        asked = self.ask(replier, asker, data=b"q")
        sent = replier.send_msg(reply_to(asked, b"r"))
        got = asker.read_next_msg()
        self.assertEqual((got.id, got.name, got.data), (sent, "$.Fred", b"r"))
        self.assertEqual((got.in_reply_to, got.to), (asked.id, asker.ksock_id()))
        self.assertEqual((got.from_, got.flags), (replier.ksock_id(), 0))
        self.assertEqual([names(ks) for ks in (asker, replier, other)], [[]] * 3)

    def test_listeners(self):
        """Each listening binding gets a copy, the asker's and the replier's own too."""
        asker, replier, other = self.open(), self.replier("$.Fred"), self.listener("$.Fred", "$.*")
        asked = self.ask(replier, asker)
        names(other)
        asker.bind("$.Fred")
        replier.bind("$.Fred")
        replier.send_msg(reply_to(asked, b"r"))
        found = [data(ks) for ks in (asker, replier, other)]
        self.assertEqual(found, [[b"r"] * 2, [b"r"], [b"r"] * 2])

    def test_another_name(self):
        """A reply may have another name: listeners to that one hear it."""
        asker, replier = self.open(), self.replier("$.Fred")
        fred, jim = self.listener("$.Fred"), self.listener("$.Jim")
        asked = self.ask(replier, asker)
        names(fred)
        replier.send_msg(renamed(reply_to(asked, b"r"), "$.Jim"))
        self.assertEqual([names(ks) for ks in (asker, fred, jim)], [["$.Jim"], [], ["$.Jim"]])

    def test_named_like_a_request(self):
        """A reply whose name has a replier is no request."""
        asker, replier, jim = self.open(), self.replier("$.Fred"), self.replier("$.Jim")
        asked = self.ask(replier, asker)
        replier.send_msg(renamed(reply_to(asked), "$.Jim"))
        self.assertEqual((names(asker), names(jim)), (["$.Jim"], []))

    def test_any_order(self):
        asker, replier = self.open(), self.replier("$.Fred")
        for i in range(3):
            asker.send_msg(Request("$.Fred", b"%d" % i))
        asked = [message for message in replier]
        for i in (2, 0, 1):
            replier.send_msg(reply_to(asked[i], asked[i].data))
        self.assertEqual(data(asker), [b"2", b"0", b"1"])

    def test_the_asker_always_has_room(self):
        """Even below a limit that was shrunk; ALL_OR_* do not count in replies."""
        asker, replier = self.open(), self.replier("$.Fred")
        full = self.full("$.Fred")
        asker.bind("$.Jim")
        replier.send_msg(Message("$.Jim"))
        first, second = self.ask(replier, asker), self.ask(replier, asker)
        asker.set_max_messages(1)
        replier.send_msg(reply_to(first, b"1", Message.ALL_OR_FAIL))
        replier.send_msg(reply_to(second, b"2", Message.ALL_OR_WAIT))
        self.assertEqual(data(asker), [None, b"1", b"2"])
        self.assertEqual(names(full), ["$.Full"])

    def test_sent_from_a_queue_that_is_full(self):
        """A replier without room can answer."""
        asker, replier = self.open(), self.limited(1)
        replier.bind("$.Fred", True)
        replier.bind("$.Jim")
        asked = self.ask(replier, asker)
        asker.send_msg(Message("$.Jim"))
        replier.send_msg(reply_to(asked, b"r"))
        self.assertEqual(data(asker), [b"r"])


class TestWhoMay(KbusCase):
    def setUp(self):
        super().setUp()
        self.asker = self.open()
        self.answering = self.replier("$.Fred")
        self.other = self.listener("$.Fred")
        self.asker.send_msg(Request("$.Fred"))
        self.asked = self.answering.read_next_msg()

    def test_only_who_has_read_it(self):
        """Others are refused, also the asker; then the replier can answer."""
        for ks in (self.other, self.asker):
            self.fails(ECONNREFUSED, ks.send_msg, reply_to(self.asked, b"wrong"))
        self.answering.send_msg(reply_to(self.asked, b"right"))
        self.assertEqual(data(self.asker), [b"right"])

    def test_once(self):
        reply = reply_to(self.asked)
        self.answering.send_msg(reply)
        self.fails(ECONNREFUSED, self.answering.send_msg, reply)
        self.assertEqual(self.asker.num_messages(), 1)

    def test_unknown_ids(self):
        """What was never asked has no reply."""
        for wrong in (self.asked.id + 100, MessageId(1, self.asked.id.serial_num)):
            reply = Reply.from_message(reply_to(self.asked), in_reply_to=wrong)
            self.fails(ECONNREFUSED, self.answering.send_msg, reply)

    def test_to_somebody_else(self):
        """To another Ksock: ECONNREFUSED; to one that is not there: EADDRNOTAVAIL."""
        for to in (self.other.ksock_id(), self.answering.ksock_id()):
            reply = Reply.from_message(reply_to(self.asked), to=to)
            self.fails(ECONNREFUSED, self.answering.send_msg, reply)
        for to in (99, 4):
            reply = Reply.from_message(reply_to(self.asked), to=to)
            self.fails(EADDRNOTAVAIL, self.answering.send_msg, reply)
        self.answering.send_msg(reply_to(self.asked, b"right"))
        self.assertEqual(data(self.asker), [b"right"])

    def test_the_asker_has_closed(self):
        """EADDRNOTAVAIL, each time."""
        self.asker.close()
        for _ in range(2):
            self.fails(EADDRNOTAVAIL, self.answering.send_msg, reply_to(self.asked))

    def test_after_a_failure(self):
        """It may be tried again."""
        size = self.answering.max_message_size()
        self.answering.set_max_message_size(100)
        self.fails(EMSGSIZE, self.answering.send_msg, reply_to(self.asked, b"1"))
        self.answering.set_max_message_size(size)
        self.answering.send_msg(reply_to(self.asked, b"1"))
        self.assertEqual(data(self.asker), [b"1"])

    def test_after_unbinding(self):
        """What was read may be answered."""
        self.answering.unbind("$.Fred", True)
        self.answering.send_msg(reply_to(self.asked, b"r"))
        self.assertEqual(data(self.asker), [b"r"])

    def test_after_another_has_bound(self):
        """The request stays with who has read it."""
        self.answering.unbind("$.Fred", True)
        self.other.bind("$.Fred", True)
        self.fails(ECONNREFUSED, self.other.send_msg, reply_to(self.asked))
        self.answering.send_msg(reply_to(self.asked, b"r"))
        self.assertEqual(data(self.asker), [b"r"])

    def test_unreplied_to(self):
        """Counted from being read to being answered."""
        replier = self.answering
        self.assertEqual(replier.num_unreplied_to(), 1)
        self.asker.send_msg(Request("$.Fred"))
        self.assertEqual(replier.num_unreplied_to(), 1)
        second = replier.read_next_msg()
        self.assertEqual(replier.num_unreplied_to(), 2)
        self.assertEqual((self.other.num_unreplied_to(), self.asker.num_unreplied_to()), (0, 0))
        names(self.other)
        self.assertEqual(self.other.num_unreplied_to(), 0)
        replier.send_msg(reply_to(second))
        replier.send_msg(reply_to(self.asked))
        self.assertEqual(replier.num_unreplied_to(), 0)

    def test_popped_is_read(self):
        """A request counts as read once next_msg() has popped it, read_msg() or not."""
        self.asker.send_msg(Request("$.Fred"))
        self.answering.next_msg()
        self.assertEqual(self.answering.num_unreplied_to(), 2)


class TestStateful(KbusCase):
    def test_a_dialogue(self):
        """To the one who has answered, as long as it is replier; the name may be another."""
        asker, replier = self.open(), self.replier("$.Fred", "$.Jim")
        asker.send_msg(Request("$.Fred"))
        replier.send_msg(reply_to(replier.read_next_msg()))
        answer = asker.read_next_msg()
        first = stateful_request(answer, "$.Jim", b"1")
        self.assertEqual(first.to, replier.ksock_id())
        asker.send_msg(first)
        asker.send_msg(stateful_request(first, "$.Fred", b"2"))
        got = [message for message in replier]
        self.assertEqual([(m.name, m.data) for m in got], [("$.Jim", b"1"), ("$.Fred", b"2")])
        self.assertTrue(all(m.is_stateful_request() and m.wants_us_to_reply() for m in got))
        replier.send_msg(reply_to(got[0], b"3"))
        self.assertEqual(data(asker), [b"3"])

    def test_somebody_else_took_over(self):
        """EPIPE; and EADDRNOTAVAIL once there is none."""
        asker, replier, other = self.open(), self.replier("$.Fred"), self.open()
        to = replier.ksock_id()
        replier.unbind("$.Fred", True)
        other.bind("$.Fred", True)
        self.fails(EPIPE, asker.send_msg, Request("$.Fred", to=to))
        replier.close()
        self.fails(EPIPE, asker.send_msg, Request("$.Fred", to=to))
        other.close()
        self.fails(EADDRNOTAVAIL, asker.send_msg, Request("$.Fred", to=to))

    def test_a_better_replier_comes(self):
        """The one meant is still bound, but would not get it: EPIPE."""
        asker, replier = self.open(), self.replier("$.*")
        asker.send_msg(Request("$.Fred", to=replier.ksock_id()))
        self.replier("$.Fred")
        self.fails(EPIPE, asker.send_msg, Request("$.Fred", to=replier.ksock_id()))

    def test_final_to(self):
        """It is carried to the replier; where a reply came from first becomes it."""
        asker, replier = self.open(), self.replier("$.Fred")
        asker.send_msg(Request("$.Fred"))
        reply = Reply.from_message(reply_to(replier.read_next_msg()), orig_from=OrigFrom(7, 8))
        replier.send_msg(reply)
        asker.send_msg(stateful_request(asker.read_next_msg(), "$.Fred"))
        self.assertEqual(replier.read_next_msg().final_to, OrigFrom(7, 8))

    def test_announcements_go_to_all(self):
        """`to` means nothing in them."""
        one, other = self.listener("$.Fred"), self.listener("$.Fred")
        one.send_msg(Message("$.Fred", to=other.ksock_id()))
        self.assertEqual([m.to for m in one], [other.ksock_id()])
        self.assertEqual([m.to for m in other], [other.ksock_id()])

    def test_listeners_hear_it(self):
        asker, replier, listener = self.open(), self.replier("$.Fred"), self.listener("$.Fred")
        asker.send_msg(Request("$.Fred", to=replier.ksock_id()))
        self.assertEqual([m.to for m in listener], [replier.ksock_id()])

    def test_a_full_one(self):
        replier = self.full()
        replier.bind("$.Fred", True)
        request = Request("$.Fred", to=replier.ksock_id())
        self.fails(EBUSY, self.open().send_msg, request)


if __name__ == "__main__":
    unittest.main()
