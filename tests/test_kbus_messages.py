# SPDX-License-Identifier: MIT
"""limpet.kbus: ids, messages as objects, as text and as bytes."""

import struct
import unittest

from limpet.kbus.ids import MessageId, OrigFrom
from limpet.kbus.kinds import (
    Announcement,
    Request,
    split_replier_bind_event_data,
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


class TestIds(unittest.TestCase):
    def test_text(self):
        """How ids look."""
        self.assertEqual(repr(MessageId(1, 2)), "MessageId(1, 2)")
        self.assertEqual(str(MessageId(1, 2)), "[1:2]")
        self.assertEqual(repr(OrigFrom(3, 4)), "OrigFrom(3, 4)")
        self.assertEqual(str(OrigFrom(3, 4)), "(3,4)")

    def test_comparing(self):
        """By network, then by number; only with their like."""
        self.assertTrue(MessageId(1, 2) == MessageId(1, 2))
        self.assertFalse(MessageId(1, 2) != MessageId(1, 2))
        self.assertTrue(MessageId(1, 2) != MessageId(1, 3))
        self.assertTrue(MessageId(1, 2) != MessageId(2, 2))
        self.assertTrue(MessageId(1, 9) < MessageId(2, 1))
        self.assertTrue(MessageId(2, 1) < MessageId(2, 2))
        self.assertFalse(MessageId(2, 2) < MessageId(2, 2))
        self.assertTrue(OrigFrom(1, 9) < OrigFrom(2, 1))
        self.assertFalse(OrigFrom(1, 9) < OrigFrom(1, 9))
        self.assertTrue(OrigFrom(1, 2) == OrigFrom(1, 2))
        self.assertTrue(OrigFrom(1, 2) != OrigFrom(1, 3))
        for other in (OrigFrom(1, 2), (1, 2), 3, None):
            self.assertTrue(MessageId(1, 2) != other, other)
        with self.assertRaises(TypeError):
            MessageId(1, 2) < OrigFrom(3, 4)  # noqa: B015

    def test_adding(self):
        """An int is added to the number within the network."""
        self.assertEqual(MessageId(3, 5) + 100, MessageId(3, 105))
        with self.assertRaises(TypeError):
            MessageId(1, 2) + MessageId(1, 2)

    def test_not_hashable(self):
        self.assertRaises(TypeError, hash, MessageId(1, 2))


class TestFields(unittest.TestCase):
    def test_least(self):
        """Of a name alone, all else is 0 or None."""
        message = Message("$.Fred")
        found = message.extract()
        self.assertEqual(found, (None, None, 0, 0, None, None, 0, "$.Fred", None))
        self.assertEqual((message.id, message.in_reply_to), (None, None))
        self.assertEqual((message.orig_from, message.final_to), (None, None))
        self.assertEqual((message.to, message.from_, message.flags), (0, 0, 0))

    def test_all(self):
        """What is given can be read back, by its name and in extract()."""
        message = Message("$.Fred", **FULL)
        for name in FULL:
            self.assertEqual(getattr(message, name), FULL[name], name)
        self.assertEqual(
            message.extract(),
            (
                MessageId(9, 10),
                MessageId(7, 8),
                27,
                16,
                OrigFrom(3, 4),
                OrigFrom(5, 6),
                0xABCD0008,
                "$.Fred",
                b"12345",
            ),
        )

    def test_nothing_reads_as_none(self):
        """Ids of (0, 0) and data of no bytes."""
        none = {"id": MessageId(0, 0), "orig_from": OrigFrom(0, 0), "final_to": OrigFrom(0, 0)}
        message = Message("$.Fred", b"", in_reply_to=MessageId(0, 0), **none)
        self.assertEqual(message.extract(), Message("$.Fred").extract())
        self.assertEqual(Message("$.Fred", "").data, None)

    def test_half_of_something(self):
        """One number is enough to be there."""
        for end in (OrigFrom(0, 5), OrigFrom(5, 0)):
            self.assertEqual(Message("$.Fred", orig_from=end).orig_from, end)
        for id in (MessageId(0, 5), MessageId(5, 0)):
            self.assertEqual(Message("$.Fred", id=id).id, id)

    def test_data(self):
        """Text is encoded; whatever holds bytes is copied."""
        buffer = bytearray(b"abc")
        message = Message("$.Fred", buffer)
        buffer[0] = 0
        self.assertEqual(message.data, b"abc")
        self.assertEqual(Message("$.Fred", memoryview(b"abc")).data, b"abc")
        self.assertEqual(Message("$.Fred", "gr\u00fcn").data, b"gr\xc3\xbcn")
        self.assertRaises(TypeError, Message, "$.Fred", 3)

    def test_names(self):
        """The constructor looks at how the name starts and at its least length only."""
        for name in ("", "$", "$.", "Fred", "$Fred", ".$Fred"):
            self.assertRaises(ValueError, Message, name)
        for name in ("$.a", "$.*", "$.Fred.", "$..", "$.#", "$." + "a" * 2000):
            self.assertEqual(Message(name).name, name)


class TestComparing(unittest.TestCase):
    def test_equal(self):
        """All fields count."""
        message = Message("$.Fred", **FULL)
        self.assertTrue(message == Message("$.Fred", **FULL))
        self.assertFalse(message != Message("$.Fred", **FULL))
        self.assertTrue(message != Message("$.Fre", **FULL))
        for name in FULL:
            self.assertTrue(message != Message("$.Fred", **dict(FULL, **{name: None})), name)

    def test_other_things(self):
        """A message equals no other thing, but a message of another class with the same fields."""
        for other in (3, None, "$.Fred"):
            self.assertFalse(Message("$.Fred") == other)
            self.assertTrue(Message("$.Fred") != other)
            self.assertFalse(other == Message("$.Fred"))
        self.assertTrue(Message("$.Fred") == Announcement("$.Fred"))

    def test_equivalent(self):
        """Name, data and `to` count, nothing else does."""
        message = Message("$.Fred", **FULL)
        self.assertTrue(message.equivalent(Message("$.Fred", b"12345", 27)))
        self.assertFalse(message.equivalent(Message("$.Fred", b"12345", 28)))
        self.assertFalse(message.equivalent(Message("$.Fred", b"1234", 27)))
        self.assertFalse(message.equivalent(Message("$.Jim", b"12345", 27)))


class TestFlags(unittest.TestCase):
    def test_values(self):
        """The bits are KBUS's."""
        found = [Message.WANT_A_REPLY, Message.WANT_YOU_TO_REPLY, Message.SYNTHETIC]
        found += [Message.URGENT, Message.ALL_OR_WAIT, Message.ALL_OR_FAIL]
        self.assertEqual(found, [1, 2, 4, 8, 0x100, 0x200])
        guards = (Message.START_GUARD, Message.END_GUARD)
        self.assertEqual(guards, (0x7375624B, 0x4B627573))

    def test_questions(self):
        """Each question looks at its own bit."""
        questions = ("is_request", "wants_us_to_reply", "is_synthetic", "is_urgent")
        for i in range(4):
            message = Message("$.Fred", flags=1 << i)
            found = [getattr(message, question)() for question in questions]
            self.assertEqual(found, [i == 0, i == 1, i == 2, i == 3])

    def test_setting(self):
        """set_urgent and set_want_reply touch nothing else."""
        message = Message("$.Fred", flags=0xF0000100)
        message.set_urgent()
        message.set_want_reply()
        self.assertEqual(message.flags, 0xF0000109)
        message.set_urgent(False)
        self.assertEqual(message.flags, 0xF0000101)
        message.set_want_reply(False)
        self.assertEqual(message.flags, 0xF0000100)

    def test_what_it_is(self):
        """A reply has in_reply_to; a stateful request says to whom it is."""
        self.assertTrue(Message("$.Fred", in_reply_to=MessageId(0, 1)).is_reply())
        self.assertFalse(Message("$.Fred", to=3).is_reply())
        self.assertTrue(Message("$.Fred", to=3, flags=1).is_stateful_request())
        self.assertFalse(Message("$.Fred", to=3).is_stateful_request())
        self.assertFalse(Message("$.Fred", flags=1).is_stateful_request())


class TestText(unittest.TestCase):
    def test_repr(self):
        """It could be typed; what is not there is left out."""
        self.assertEqual(repr(Message("$.Fred")), "Message('$.Fred')")
        self.assertEqual(
            repr(Announcement("$.Fred", b"x", flags=8, id=MessageId(0, 2))),
            "Announcement('$.Fred', data=b'x', flags=0x00000008, id=MessageId(0, 2))",
        )
        self.assertEqual(
            repr(Message("$.Fred", **FULL)),
            "Message('$.Fred', data=b'12345', to=27, from_=16, orig_from=OrigFrom(3, 4), "
            "final_to=OrigFrom(5, 6), in_reply_to=MessageId(7, 8), flags=0xabcd0008, "
            "id=MessageId(9, 10))",
        )

    def test_str(self):
        """It says what it is."""
        self.assertEqual(
            str(Message("$.Fred", "Ahem", id=MessageId(0, 2), from_=1)),
            "<Announcement '$.Fred', id=[0:2], from=1, data=b'Ahem'>",
        )
        self.assertEqual(
            str(Request("$.Fred", flags=2, to=5, final_to=OrigFrom(1, 2))),
            "<Request '$.Fred', to=5, final_to=(1,2), flags=0x3 (REQ,YOU)>",
        )
        self.assertEqual(
            str(Message("$.KBUS.Replier.GoneAway", in_reply_to=MessageId(0, 3), flags=4)),
            "<Status '$.KBUS.Replier.GoneAway', in_reply_to=[0:3], flags=0x4 (SYN)>",
        )
        event = struct.pack("III", 1, 3, 6) + b"$.Fred\0\0"
        self.assertEqual(
            str(Message("$.KBUS.ReplierBindEvent", event, flags=0x204)),
            "<ReplierBindEvent flags=0x204 (SYN,aFL), [Bind '$.Fred' for 3]>",
        )


class TestBytes(unittest.TestCase):
    def test_layout(self):
        """Every field is where a 64-bit KBUS has it; pointers are NULL."""
        data = Message("$.Fred", **FULL).to_bytes()
        fields = struct.unpack("16IQQII", data[:88])
        self.assertEqual(
            fields,
            (0x7375624B, 9, 10, 7, 8, 27, 16, 3, 4, 5, 6, 0, 0xABCD0008, 6, 5)
            + (0, 0, 0, 0x4B627573, 0),
        )
        self.assertEqual(data[88:104], b"$.Fred\0\0" + b"12345\0\0\0")
        self.assertEqual(struct.unpack("I", data[104:]), (0x4B627573,))

    def test_sizes(self):
        """Names have a NUL at least, data has none: 88 + 4 for the rest."""
        for name, data, size in (
            ("$.a", b"", 88 + 4 + 0 + 4),
            ("$.ab", b"", 88 + 8 + 0 + 4),
            ("$.Fred", b"", 100),
            ("$.Fred", b"1", 104),
            ("$.Fred", b"1234", 104),
            ("$.Fred", b"12345", 108),
            ("$.Freddy", b"12345", 112),
        ):
            message = Message(name, data)
            self.assertEqual((message.total_length(), len(message.to_bytes())), (size, size))

    def test_there_and_back(self):
        for message in (
            Message("$.Fred"),
            Message("$.Fred", **FULL),
            Message("$.Fred", bytes(1000), flags=0xFFFFFFFF, to=0xFFFFFFFF),
        ):
            self.assertTrue(Message.from_bytes(message.to_bytes()) == message, message)
            self.assertTrue(Message.from_bytes(message.to_bytes() + b"more") == message)

    def test_what_is_no_message(self):
        """ValueError, wherever it is broken or cut."""
        good = Message("$.Fred", b"data").to_bytes()
        for size in range(len(good)):
            self.assertRaises(ValueError, Message.from_bytes, good[:size])
        for at in (0, 3, 80, 83, len(good) - 4, len(good) - 1):
            bad = bytearray(good)
            bad[at] ^= 1
            self.assertRaises(ValueError, Message.from_bytes, bytes(bad))
        bad = bytearray(good)
        bad[52] = 2  # the name's size
        self.assertRaises(ValueError, Message.from_bytes, bytes(bad))

    def test_bind_event(self):
        """Three ints in this machine's order, then the name."""
        data = struct.pack("III", 0, 17, 6) + b"$.Fred\0\0"
        self.assertEqual(split_replier_bind_event_data(data), (0, 17, "$.Fred"))
        self.assertEqual(split_replier_bind_event_data(data[:18]), (0, 17, "$.Fred"))
        nameless = struct.pack("III", 1, 2, 0)
        self.assertEqual(split_replier_bind_event_data(nameless), (1, 2, ""))
        self.assertRaises(ValueError, split_replier_bind_event_data, data[:11])
        self.assertRaises(ValueError, split_replier_bind_event_data, data[:17])


if __name__ == "__main__":
    unittest.main()
