# SPDX-License-Identifier: MIT
"""limpet.kbus: buses by number, opening and closing, modes, and sharing a bus with Limpet."""

import unittest

from buses import make_bus
from kbus_cases import (
    EADDRINUSE,
    EBADF,
    EINVAL,
    ENOENT,
    ENOMSG,
    KbusCase,
    data,
    ends,
    names,
)
from limpet.kbus import Ksock, Message, OrigFrom, Request, read_bindings, reply_to, serve, unserve
from limpet.send import STAGED


class TestOpening(KbusCase):
    def test_modes(self):
        """Two of them."""
        for mode in ("r", "rw"):
            ks = Ksock(0, mode)
            self.assertEqual(ks.which, 0)
            ks.close()
        for mode in ("", "w", "w+", "x", "fred", "rb"):
            self.assertRaises(ValueError, Ksock, 0, mode)
        self.assertEqual(Ksock().which, 0)

    def test_no_such_bus(self):
        for which in (-1, 1, 255, 256, 1000):
            for mode in ("r", "rw"):
                self.fails(ENOENT, Ksock, which, mode)

    def test_with(self):
        """It closes, also when something is raised."""
        with Ksock(0) as ks:
            ks.bind("$.Fred", True)
        self.fails(EBADF, ks.ksock_id)
        with self.assertRaises(KeyError):
            with Ksock(0) as ks:
                ks.bind("$.Fred", True)
                raise KeyError
        self.fails(EBADF, ks.ksock_id)

    def test_text(self):
        ks = Ksock(0)
        self.assertEqual(str(ks), "Ksock device 0, id 1, mode read/write")
        self.assertEqual(repr(ks), "<Ksock /dev/kbus0 open for read/write>")
        ks.close()
        self.assertEqual(str(ks), "Ksock device 0 (closed)")
        self.assertEqual(repr(ks), "<Ksock /dev/kbus0 closed>")
        self.assertEqual(repr(Ksock(0, "r")), "<Ksock /dev/kbus0 open for read>")

    def test_fd(self):
        """It reads and writes bytes; a closed Ksock has none."""
        ks = self.listener("$.Fred")
        sent = Message("$.Fred", b"data").to_bytes()
        self.assertEqual(ks.fd.read(1), b"")
        self.assertEqual(ks.fd.write(sent), len(sent))
        ks.send()
        ks.next_msg()
        found = ks.fd.read(10)
        found += ks.fd.read()
        self.assertEqual(Message.from_bytes(found).data, b"data")
        ks.close()
        self.assertEqual(ks.fd, None)

    def test_closed(self):
        """Nothing goes any more, but closing again."""
        ks = self.open()
        self.assertEqual((ks.close(), ks.close()), (None, None))
        message = Message("$.Fred")
        for call, arguments in (
            (ks.ksock_id, ()),
            (ks.bind, ("$.Fred",)),
            (ks.unbind, ("$.Fred",)),
            (ks.find_replier, ("$.Fred",)),
            (ks.next_msg, ()),
            (ks.len_left, ()),
            (ks.read_data, (1,)),
            (ks.read_msg, (100,)),
            (ks.read_next_msg, ()),
            (ks.wait_for_msg, (0,)),
            (ks.__next__, ()),
            (ks.write_msg, (message,)),
            (ks.write_data, (b"x",)),
            (ks.send, ()),
            (ks.send_msg, (message,)),
            (ks.discard, ()),
            (ks.last_msg_id, ()),
            (ks.max_messages, ()),
            (ks.set_max_messages, (5,)),
            (ks.num_messages, ()),
            (ks.num_unreplied_to, ()),
            (ks.max_message_size, ()),
            (ks.set_max_message_size, (100,)),
            (ks.want_messages_once, ()),
            (ks.report_replier_binds, ()),
            (ks.kernel_module_verbose, ()),
            (ks.new_device, ()),
        ):
            self.fails(EBADF, call, *arguments)

    def test_closed_with_its_bus(self):
        ks = self.open()
        self.bus.close()
        self.fails(EBADF, ks.read_next_msg)
        ks.close()


class TestReadOnly(KbusCase):
    def test_writing(self):
        """Refused, and nothing is written: EBADF where the platform has no exception for that."""
        ks = self.open("r")
        message = Message("$.Fred")
        for call, what in (
            (ks.write_msg, message),
            (ks.send_msg, message),
            (ks.write_data, message.to_bytes()),
        ):
            try:
                call(what)
                refused = False
            except OSError as e:
                refused = e.errno in (EBADF, None)
                self.assertIn("File not open for writing", str(e))
            self.assertTrue(refused)
        self.fails(ENOMSG, ks.send)
        self.assertFalse(ks.can_write())

    def test_everything_else(self):
        """It binds, listens, reads, sets and asks."""
        ks, sender = self.open("r"), self.open()
        ks.bind("$.Fred")
        ks.bind("$.Fred", True)
        sender.send_msg(Request("$.Fred"))
        self.assertEqual(ks.set_max_messages(7), 7)
        ks.report_replier_binds(False)
        ks.want_messages_once(True)
        self.assertEqual(ks.find_replier("$.Fred"), ks.ksock_id())
        self.assertEqual([m.wants_us_to_reply() for m in ks], [True, False])
        self.assertEqual((ks.num_unreplied_to(), ks.max_messages()), (1, 7))
        ks.discard()
        ks.unbind("$.Fred")
        ks.unbind("$.Fred", True)

    def test_writable(self):
        self.assertTrue(self.open().can_write())


class TestBuses(KbusCase):
    def setUp(self):
        super().setUp()
        self.second = make_bus()
        serve(1, self.second)
        self.addCleanup(self.drop_second)

    def drop_second(self):
        unserve(1)
        self.second.close()

    def test_they_share_nothing(self):
        """Names, numbers, limits, reporting."""
        here, there = Ksock(0), Ksock(1)
        self.assertEqual((here.ksock_id(), there.ksock_id()), (1, 1))
        here.bind("$.Fred", True)
        there.bind("$.Fred", True)
        there.bind("$.*")
        here.send_msg(Message("$.Jim"))
        self.assertEqual((names(there), there.last_msg_id().serial_num), ([], 0))
        here.report_replier_binds(True)
        here.set_max_message_size(100)
        self.assertEqual(there.report_replier_binds(just_ask=True), 0)
        self.assertTrue(there.max_message_size() > 100)
        found = sorted(read_bindings({}))
        self.assertEqual(found, [(1, False, "$.*"), (1, True, "$.Fred"), (1, True, "$.Fred")])

    def test_numbers(self):
        """One bus for one number, 0 to 255; what was taken off can be put there again."""
        other = make_bus()
        self.fails(EADDRINUSE, serve, 0, other)
        self.fails(EADDRINUSE, serve, 1, self.second)
        self.fails(EINVAL, serve, -1, other)
        self.fails(EINVAL, serve, 256, other)
        self.fails(ENOENT, unserve, 2)
        serve(255, other)
        self.assertEqual(Ksock(255).ksock_id(), 1)
        self.assertTrue(unserve(255) is other)
        self.fails(ENOENT, Ksock, 255)
        other.close()

    def test_verbose(self):
        """A flag of the bus without a meaning."""
        here, also, there = Ksock(0), Ksock(0), Ksock(1)
        self.assertEqual(here.kernel_module_verbose(True, True), 0)
        self.assertEqual(here.kernel_module_verbose(), 0)
        self.assertEqual(also.kernel_module_verbose(False, True), 1)
        self.assertEqual(there.kernel_module_verbose(just_ask=True), 0)
        self.assertEqual(also.kernel_module_verbose(False), 1)
        self.assertEqual(here.kernel_module_verbose(just_ask=True), 0)


class TestNewDevice(KbusCase):
    def test_the_next_free_number(self):
        """A bus of its own, of the platform's sizes."""
        ks = self.open()
        number = ks.new_device()
        self.assertEqual(number, 1)
        with Ksock(number) as other:
            again = other.new_device()
            self.assertEqual(again, 2)
            other.bind("$.Fred")
            other.send_msg(Message("$.Fred", b"x" * 100))
            self.assertEqual(data(other), [b"x" * 100])
            self.assertEqual(other.max_messages(), 100)
            self.assertTrue(other.set_max_message_size(1) >= 1024)
        unserve(1).close()
        self.assertEqual(ks.new_device(), 1)
        for number in (1, 2):
            unserve(number).close()


class TestBusZero(unittest.TestCase):
    def test_made_when_opened(self):
        """It is there without anybody having made it; one that is made is refused."""
        with Ksock(0) as one, Ksock() as other:
            bus = make_bus()
            self.assertRaises(OSError, serve, 0, bus)
            bus.close()
            one.bind("$.Fred")
            other.send_msg(Message("$.Fred", b"x"))
            self.assertEqual(data(one), [b"x"])
        unserve(0).close()


class TestShared(KbusCase):
    """Programs for KBUS and programs for Limpet on one bus."""

    def test_both_ways(self):
        ours = self.bus.ksock()
        ks = self.replier("$.Old")
        ks.bind("$.News")
        ours.bind("$.New", True)
        ours.announce("$.News", b"1")
        got = ks.read_next_msg()
        self.assertEqual((got.data, got.from_, got.orig_from, got.flags), (b"1", ours.id, None, 0))
        ours.request("$.Old", b"2")
        ks.send_msg(reply_to(ks.read_next_msg(), b"3"))
        answer = ours.next()
        self.assertEqual((answer.kind, answer.data), ("reply", b"3"))
        ks.send_msg(Request("$.New", b"4"))
        asked = ours.next()
        self.assertEqual(
            (asked.data, asked.wants_reply, asked.sender[1]), (b"4", True, ks.ksock_id())
        )
        ours.reply(asked, b"5")
        self.assertEqual(data(ks), [b"5"])

    def test_statuses(self):
        """A handler's failure and a deadline are statuses for KBUS's eyes, too."""
        ours = self.bus.ksock()
        ours.bind("$.New", True)
        ks = self.open()
        sent = ks.send_msg(Request("$.New"))
        ours.hot.fail(ours.next(), b"ValueError")
        self.assertEqual(ends(ks), [("$.KBUS.Replier.Failed", sent.serial_num)])

    def test_what_kbus_carries(self):
        """It passes a Limpet Ksock by, and what that sends has nothing of it."""
        ours = self.bus.ksock()
        ours.bind("$.News")
        ks = self.listener("$.News")
        ks.send_msg(Message("$.News", orig_from=OrigFrom(1, 2), flags=0xFFFF0000))
        self.assertEqual(ours.next().name, "$.News")
        ours.announce("$.News")
        ours.hot.carry = (1, 2, 3)  # theirs
        ours.hot.announce(self.bus.name("$.News"), b"", -1, STAGED)
        self.assertEqual([m.orig_from for m in ks], [OrigFrom(1, 2), None, None])


if __name__ == "__main__":
    unittest.main()
