# SPDX-License-Identifier: MIT
"""limpet.kbus: reading and writing messages as bytes and in parts, and the size of a message."""

import struct
import unittest

from kbus_cases import (
    EBADMSG,
    EINVAL,
    EMSGSIZE,
    ENAMETOOLONG,
    ENOMSG,
    KbusCase,
    data,
    names,
    renamed,
)
from limpet.kbus import Message, MessageId, OrigFrom, Request, reply_to

BOTH = Message.ALL_OR_WAIT | Message.ALL_OR_FAIL


def broken(message, offset, value):
    """Return a message's bytes with one u32 of them changed."""
    found = bytearray(message.to_bytes())
    found[offset : offset + 4] = struct.pack("I", value)
    return bytes(found)


class TestReading(KbusCase):
    def setUp(self):
        super().setUp()
        self.ks = self.open("r")
        self.ks.bind("$.Fred")
        self.sender = self.open()
        for i in range(3):
            self.sender.send_msg(Message("$.Fred", b"data%d" % i))
        self.size = Message("$.Fred", b"data0").total_length()

    def test_nothing(self):
        """Before next_msg(), and when there is no message."""
        ks = self.open()
        self.assertEqual((ks.next_msg(), ks.len_left(), ks.read_data(1)), (0, 0, b""))
        self.assertEqual((ks.read_msg(100), ks.read_next_msg()), (None, None))
        self.assertEqual((self.ks.len_left(), self.ks.read_data(9)), (0, b""))
        self.assertEqual(self.ks.num_messages(), 3)

    def test_at_once(self):
        self.assertEqual(self.ks.next_msg(), self.size)
        found = self.ks.read_data(self.size)
        self.assertEqual(len(found), self.size)
        self.assertEqual(Message.from_bytes(found).data, b"data0")
        self.assertEqual((self.ks.len_left(), self.ks.read_data(1)), (0, b""))

    def test_byte_by_byte(self):
        """len_left() counts down."""
        found = b""
        self.ks.next_msg()
        for left in range(self.size, 0, -1):
            self.assertEqual(self.ks.len_left(), left)
            found += self.ks.read_data(1)
        self.assertEqual(self.ks.read_data(1), b"")
        self.assertEqual(Message.from_bytes(found).data, b"data0")

    def test_as_a_message(self):
        self.assertEqual(self.ks.read_msg(self.ks.next_msg()).data, b"data0")
        self.assertEqual(self.ks.len_left(), 0)
        self.assertEqual(self.ks.read_msg(self.size), None)
        self.ks.next_msg()
        self.assertEqual(self.ks.read_msg(10000).data, b"data1")

    def test_too_little_of_it(self):
        """A part is no message."""
        self.ks.next_msg()
        self.assertRaises(ValueError, self.ks.read_msg, self.size - 1)
        self.assertEqual(self.ks.len_left(), 1)

    def test_skipping(self):
        """next_msg() drops what was not read, also half-way."""
        self.ks.next_msg()
        self.ks.read_data(3)
        self.ks.next_msg()
        self.assertEqual(self.ks.read_next_msg().data, b"data2")
        self.assertEqual(self.ks.next_msg(), 0)

    def test_the_bytes(self):
        """What is read is what to_bytes() gives for the message that is read."""
        full = Message("$.Fred", b"x", 1, 2, OrigFrom(3, 4), OrigFrom(5, 6), flags=0xABCD0000)
        names(self.ks)
        for _ in range(2):
            self.sender.send_msg(Message.from_message(full, id=MessageId(7, 8)))
        found = self.ks.read_data(self.ks.next_msg())
        self.assertEqual(found, self.ks.read_next_msg().to_bytes())
        self.assertEqual(Message.from_bytes(found).id, MessageId(7, 8))

    def test_iteration(self):
        """Until there is none, and again when there are more."""
        for expected in ([b"data0", b"data1", b"data2"], []):
            self.assertEqual([message.data for message in self.ks], expected)
        self.sender.send_msg(Message("$.Fred", b"more"))
        self.assertEqual(data(self.ks), [b"more"])

    def test_nothing_of_it(self):
        """0 bytes are none; a negative count is all."""
        self.ks.next_msg()
        self.assertEqual((self.ks.read_data(0), self.ks.len_left()), (b"", self.size))
        self.assertEqual(len(self.ks.read_data(-1)), self.size)

    def test_it_holds_no_slot(self):
        """What was popped makes room for others at once, however long it is read."""
        free = self.bus.pool.free_count()
        for i in range(3):
            self.ks.next_msg()
            self.assertEqual(self.bus.pool.free_count(), free + i + 1)

    def test_time_outs(self):
        """In seconds; a part of a millisecond counts as one."""
        found = []
        self.bus.runner.wait = lambda ready, timeout_ms, hot: found.append(timeout_ms)
        for timeout in (None, 0, 0.0001, 0.5, 1.5, 3, 10000000):
            self.ks.wait_for_msg(timeout)
        self.assertEqual(found, [None, 0, 1, 500, 1500, 3000, 0x1FFFFFFF])

    def test_waiting(self):
        """A message that is there is given at once; 0 s is a look."""
        self.assertEqual(self.ks.wait_for_msg().data, b"data0")
        self.assertEqual(self.ks.wait_for_msg(100).data, b"data1")
        self.assertEqual(self.ks.wait_for_msg(0).data, b"data2")
        self.assertEqual(self.ks.wait_for_msg(0), None)
        self.assertEqual(self.ks.wait_for_msg(0.001), None)
        self.assertRaises(ValueError, self.ks.wait_for_msg, -1)


class TestWriting(KbusCase):
    def setUp(self):
        super().setUp()
        self.ks = self.listener("$.Fred")

    def test_parts(self):
        """However it is cut, nothing is sent before send(), and then just what was written."""
        for text in ("", "1", "12", "123", "1234", "12345"):
            message = Message("$.Fred", text, to=9, flags=0xFFFF0000, id=MessageId(3, 5))
            found = message.to_bytes()
            for step in (1, 7, 88, len(found)):
                for i in range(0, len(found), step):
                    part = found[i : i + step]
                    self.assertEqual(self.ks.write_data(part), len(part))
                    self.assertEqual(self.ks.num_messages(), 0)
                self.assertEqual(self.ks.send(), MessageId(3, 5))
                got = self.ks.read_next_msg()
                self.assertTrue(got.equivalent(message))
                self.assertEqual((got.id, got.flags), (MessageId(3, 5), 0xFFFF0000))

    def test_requests_and_replies(self):
        replier = self.replier("$.Jim")
        self.ks.write_data(Request("$.Jim", b"q").to_bytes())
        self.ks.send()
        replier.write_data(reply_to(replier.read_next_msg(), b"r").to_bytes())
        replier.send()
        self.assertEqual(data(self.ks), [b"r"])

    def test_incomplete(self):
        """EINVAL from send(), and it is gone."""
        found = Message("$.Fred", b"data").to_bytes()
        for size in (1, 87, 88, 95, 96, len(found) - 4, len(found) - 1):
            self.ks.write_data(found[:size])
            self.fails(EINVAL, self.ks.send)
            self.fails(ENOMSG, self.ks.send)

    def test_writing_twice(self):
        """EMSGSIZE for a byte too many and for a second message; nothing is left."""
        message = Message("$.Fred", b"data")
        found = message.to_bytes()
        for first, second in (
            (found, b"x"),
            (found, found),
            (message, b"x"),
            (message, message),
            (found, message),
        ):
            for what, errno in ((first, 0), (second, EMSGSIZE)):
                call = self.ks.write_data if isinstance(what, bytes) else self.ks.write_msg
                if errno:
                    self.fails(errno, call, what)
                else:
                    call(what)
            self.fails(ENOMSG, self.ks.send)
        self.fails(EMSGSIZE, self.ks.write_data, found + b"x")
        self.fails(ENOMSG, self.ks.send)
        self.assertEqual(names(self.ks), [])

    def test_nothing_written(self):
        """No bytes are no message."""
        self.assertEqual(self.ks.write_data(b""), 0)
        self.fails(ENOMSG, self.ks.send)
        self.ks.write_msg(Message("$.Fred"))
        self.assertEqual(self.ks.write_data(b""), 0)
        self.ks.send()

    def test_bad_bytes(self):
        """Looked at as soon as they are there; nothing is left."""
        message = Message("$.Fred", b"data")
        for errno, found in (
            (EINVAL, broken(message, 0, 1)),  # guards
            (EINVAL, broken(message, 80, 1)),
            (EINVAL, broken(message, 52, 0)),  # size of the name
            (ENAMETOOLONG, broken(message, 52, 1001)),
            (EINVAL, broken(message, 64, 1)),  # pointers
            (EINVAL, broken(message, 72, 1)),
            (EINVAL, broken(message, 48, BOTH)),  # flags
            (EMSGSIZE, broken(message, 56, 500000)),  # size of the data
        ):
            self.ks.write_data(found[:87])
            self.fails(errno, self.ks.write_data, found[87:88])
            self.fails(ENOMSG, self.ks.send)
            self.fails(errno, self.ks.write_data, found)
            self.fails(ENOMSG, self.ks.send)

    def test_their_order(self):
        """Guards, no name, too long a name, pointers, flags, the whole size."""
        message = Message("$.Fred")
        long = 1001
        changes = [
            (0, 1, EINVAL),
            (52, long, ENAMETOOLONG),
            (64, 1, EINVAL),
            (56, 1 << 30, EMSGSIZE),
        ]
        for i in range(len(changes)):
            found = bytearray(message.to_bytes())
            for offset, value, _ in changes[i:]:
                found[offset : offset + 4] = struct.pack("I", value)
            self.fails(changes[i][2], self.ks.write_data, bytes(found[:88]))

    def test_bad_names(self):
        """EBADMSG as soon as the name is there."""
        for name in ("$.*", "$.Fred.%", "$.Fred.", "Fred", "$.a b", "$.\u00e4"):
            found = renamed(Message("$.a", b"data"), name).to_bytes()
            end = 88 + (len(name.encode()) + 4) // 4 * 4
            self.ks.write_data(found[: end - 1])
            self.fails(EBADMSG, self.ks.write_data, found[end - 1 : end])
            self.fails(ENOMSG, self.ks.send)

    def test_bytes_that_are_no_text(self):
        """EBADMSG, too."""
        for byte in (0x80, 0xC3, 0xFF, 0x7F, 0):
            found = bytearray(Message("$.Fred").to_bytes())
            found[91] = byte
            self.fails(EBADMSG, self.ks.write_data, bytes(found))

    def test_bad_end(self):
        """EINVAL for the last guard."""
        found = Message("$.Fred", b"data").to_bytes()
        self.ks.write_data(found[:-1])
        self.fails(EINVAL, self.ks.write_data, b"\0")
        self.fails(ENOMSG, self.ks.send)

    def test_discarding(self):
        """Whatever was written is gone; without anything it does nothing."""
        self.ks.discard()
        found = Message("$.Fred").to_bytes()
        for size in (10, len(found)):
            self.ks.write_data(found[:size])
            self.ks.discard()
            self.fails(ENOMSG, self.ks.send)
        self.ks.write_msg(Message("$.Fred"))
        self.ks.discard()
        self.fails(ENOMSG, self.ks.send)
        self.assertEqual(names(self.ks), [])

    def test_a_copy_is_written(self):
        """What is changed in the message afterwards does not count."""
        message = Message("$.Fred")
        self.ks.write_msg(message)
        message.set_urgent()
        self.ks.send()
        self.assertFalse(self.ks.read_next_msg().is_urgent())

    def test_after_an_error_in_a_second_write(self):
        """Any error empties what was written before."""
        self.ks.write_msg(Message("$.Fred"))
        self.fails(EMSGSIZE, self.ks.write_msg, Message("$.Fred", flags=BOTH))
        self.fails(ENOMSG, self.ks.send)


class TestSizes(KbusCase):
    def test_asking_and_setting(self):
        """0 asks what is, 1 what could be; 2 to 99 and more than could be are refused."""
        one, other = self.open(), self.open("r")
        most = one.set_max_message_size(1)
        self.assertEqual((one.max_message_size(), one.set_max_message_size(0)), (most, most))
        for size in (2, 50, 99, most + 1, -1):
            self.fails(EINVAL, one.set_max_message_size, size)
        self.assertEqual(one.set_max_message_size(100), 100)
        self.assertEqual(other.max_message_size(), 100)  # for the whole bus
        self.assertEqual(other.set_max_message_size(most), most)
        self.assertEqual(one.set_max_message_size(1), most)

    def test_the_limit_counts_all(self):
        """Header, padded name and data: 100 bytes are $.Fred without any data."""
        ks = self.listener("$.Fred", "$.abcdef")
        ks.set_max_message_size(100)
        for message, errno in (
            (Message("$.Fred"), 0),
            (Message("$.Fred", b"1"), EMSGSIZE),
            (Message("$.abcdef"), EMSGSIZE),
            (Message("$.abc", id=MessageId(1, 1)), 0),
        ):
            for call, what in (
                (ks.write_msg, message),
                (ks.write_data, message.to_bytes()),
            ):
                if errno:
                    self.fails(errno, call, what)
                    self.fails(ENOMSG, ks.send)
                else:
                    call(what)
                    ks.send()
        self.assertEqual(ks.num_messages(), 2)

    def test_what_the_bus_makes(self):
        """Its own messages are not looked at."""
        ks = self.listener("$.KBUS.ReplierBindEvent")
        ks.set_max_message_size(100)
        ks.report_replier_binds(True)
        ks.bind("$.Fred.Jim", True)
        self.assertEqual(ks.num_messages(), 1)
        self.assertTrue(ks.next_msg() > 100)

    def test_what_a_slot_takes(self):
        """Of a bus with its own sizes: the longest data goes with any name, one more with none."""
        ks = self.listener("$.*")
        most = self.bus.slot_size
        for name in ("$.a", "$." + "a" * 998):
            ks.send_msg(Message(name, bytes(most)))
            self.assertEqual(len(ks.read_next_msg().data), most)
        self.fails(EMSGSIZE, ks.send_msg, Message("$.a", bytes(most + 1)))
        self.fails(ENOMSG, ks.send)


if __name__ == "__main__":
    unittest.main()
