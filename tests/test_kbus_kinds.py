# SPDX-License-Identifier: MIT
"""limpet.kbus: the kinds of messages, and what is made of an earlier message."""

import unittest

from limpet.kbus.ids import MessageId, OrigFrom
from limpet.kbus.kinds import (
    Announcement,
    Reply,
    Request,
    Status,
    reply_to,
    stateful_request,
)
from limpet.kbus.message import Message

FULL = {
    "data": b"12345",
    "to": 27,
    "from_": 16,
    "orig_from": OrigFrom(3, 4),
    "final_to": OrigFrom(5, 6),
    "in_reply_to": MessageId(7, 8),
    "flags": 0xABCD0008,
    "id": MessageId(9, 10),
}
BOTH = Message.WANT_A_REPLY | Message.WANT_YOU_TO_REPLY


class TestKinds(unittest.TestCase):
    def test_announcement(self):
        """It answers nothing, has no way over networks, and cannot become a request."""
        message = Announcement("$.Fred", b"x", 1, 2, 8, MessageId(3, 4))
        expected = (MessageId(3, 4), None, 1, 2, None, None, 8, "$.Fred", b"x")
        self.assertEqual(message.extract(), expected)
        self.assertRaises(TypeError, message.set_want_reply)
        self.assertRaises(TypeError, message.set_want_reply, False)
        full = Message("$.Fred", **FULL)
        for made in (
            Announcement.from_message(full),
            Announcement.from_sequence(full.extract()),
            Announcement.from_bytes(full.to_bytes()),
        ):
            self.assertEqual((made.in_reply_to, made.orig_from, made.final_to), (None,) * 3)
            self.assertEqual(made.id, full.id)
        self.assertRaises(TypeError, Announcement.from_message, full, in_reply_to=MessageId(0, 1))

    def test_request(self):
        """It has its flag, however it was made."""
        full = Message("$.Fred", **FULL)
        for made in (
            Request("$.Fred"),
            Request("$.Fred", flags=8),
            Request.from_message(full, flags=2),
            Request.from_sequence(full.extract()),
            Request.from_bytes(full.to_bytes()),
        ):
            self.assertTrue(made.is_request())
        self.assertEqual(Request("$.Fred", flags=8).flags, 9)
        self.assertRaises(TypeError, Request("$.Fred").set_want_reply)
        self.assertEqual(Request("$.Fred", b"x", 5, 6, OrigFrom(7, 8)).final_to, OrigFrom(7, 8))

    def test_reply(self):
        """It needs to say what it answers."""
        plain = Message("$.Fred")
        self.assertRaises(ValueError, Reply, "$.Fred")
        self.assertRaises(ValueError, Reply.from_message, plain)
        self.assertRaises(ValueError, Reply.from_sequence, plain.extract())
        self.assertRaises(ValueError, Reply.from_bytes, plain.to_bytes())
        made = Reply.from_message(plain, b"data", in_reply_to=MessageId(0, 5))
        self.assertEqual((made.in_reply_to, made.data), (MessageId(0, 5), b"data"))

    def test_status(self):
        """Nobody makes one but of bytes."""
        plain = Message("$.KBUS.Replier.GoneAway", in_reply_to=MessageId(0, 1))
        self.assertRaises(NotImplementedError, Status, plain)
        self.assertRaises(NotImplementedError, Status.from_message, plain)
        self.assertRaises(NotImplementedError, Status.from_sequence, plain.extract())
        self.assertTrue(Status.from_bytes(plain.to_bytes()) == plain)

    def test_casting(self):
        """Replies named $.KBUS... are statuses, other replies replies, then requests, the rest."""
        answers = {"in_reply_to": MessageId(0, 1), "flags": 1}
        for message, kind in (
            (Message("$.KBUS.Replier.GoneAway", **answers), Status),
            (Message("$.KBUSX", **answers), Reply),
            (Message("$.Fred", **answers), Reply),
            (Message("$.Fred", flags=3), Request),
            (Message("$.KBUS.Fred", flags=1), Request),
            (Message("$.Fred", to=3), Announcement),
            (Message("$.KBUS.ReplierBindEvent", flags=0x204), Announcement),
        ):
            self.assertTrue(type(message.cast()) is kind, message)
            self.assertTrue(message.cast() == message, message)
            self.assertTrue(type(message.cast().cast()) is kind, message)

    def test_casting_makes_a_copy(self):
        message = Message("$.Fred")
        message.cast().set_urgent()
        self.assertFalse(message.is_urgent())


class TestFromOthers(unittest.TestCase):
    def test_changes(self):
        """Everything but the name can be changed, by keyword or in the constructor's order."""
        plain = Message("$.Fred", b"old", flags=8)
        self.assertTrue(Message.from_message(plain) == plain)
        self.assertTrue(Message.from_message(plain, **FULL) == Message("$.Fred", **FULL))
        self.assertTrue(
            Message.from_sequence(plain.extract(), **FULL) == Message("$.Fred", **FULL)
        )
        changed = Message.from_message(plain, "new", 5, 6)
        self.assertEqual((changed.data, changed.to, changed.from_), (b"new", 5, 6))
        self.assertEqual(changed.flags, 8)
        self.assertRaises(TypeError, Message.from_message, plain, name="$.Jim")
        self.assertRaises(TypeError, Message.from_message, plain, b"a", data=b"b")

    def test_nine_parts(self):
        parts = Message("$.Fred").extract()
        self.assertRaises(ValueError, Message.from_sequence, parts[:8])
        self.assertRaises(ValueError, Message.from_sequence, parts + (1,))

    def test_reply_to(self):
        """Same name, to the sender, about its id; own data and flags, nothing else."""
        asked = Message("$.Fred", **dict(FULL, in_reply_to=None, flags=0xFFFF0008 | BOTH))
        reply = reply_to(asked, "yes")
        self.assertEqual(
            reply.extract(), (None, MessageId(9, 10), 16, 0, None, None, 0, "$.Fred", b"yes")
        )
        self.assertEqual(type(reply), Reply)
        self.assertEqual(reply_to(asked).data, None)
        self.assertEqual(reply_to(asked, flags=Message.URGENT).flags, Message.URGENT)

    def test_no_reply_to(self):
        """Only the copy of a request that we are to answer has a reply."""
        for flags in (0, Message.WANT_A_REPLY, Message.WANT_YOU_TO_REPLY):
            message = Message("$.Fred", id=MessageId(0, 1), from_=2, flags=flags)
            self.assertRaises(ValueError, reply_to, message)

    def test_stateful(self):
        """After a reply: to its sender and where that is; after a stateful request: as before."""
        reply = Reply("$.Fred", None, 1, 39, OrigFrom(19, 23), MessageId(0, 7))
        first = stateful_request(reply, "$.Jim", "data")
        self.assertEqual(
            first.extract(), (None, None, 39, 0, None, OrigFrom(19, 23), 1, "$.Jim", b"data")
        )
        self.assertEqual(type(first), Request)
        second = stateful_request(first, "$.Bob", flags=8, id=MessageId(1, 2), from_=4)
        self.assertEqual(
            second.extract(),
            (MessageId(1, 2), None, 39, 4, None, OrigFrom(19, 23), 9, "$.Bob", None),
        )
        for wrong in (Request("$.Fred"), Announcement("$.Fred", to=4)):
            self.assertRaises(ValueError, stateful_request, wrong, "$.Jim")


if __name__ == "__main__":
    unittest.main()
