# SPDX-License-Identifier: MIT
"""limpet.kbus: ALL_OR_WAIT: what waits, what ends the wait, what becomes of what waits."""

import unittest

from kbus_cases import (
    DISAPPEARED,
    EADDRNOTAVAIL,
    EAGAIN,
    EALREADY,
    ENOLCK,
    ENOMSG,
    EPIPE,
    ERROR_SENDING,
    KbusCase,
    data,
    ends,
    names,
)
from limpet.kbus import Message, Request, reply_to

WAIT = Message.ALL_OR_WAIT


class TestWaiting(KbusCase):
    """A listener is full, so an announcement waits."""

    def setUp(self):
        super().setUp()
        self.full_one = self.full("$.Fred")
        self.free = self.listener("$.Fred")
        self.sender = self.open()
        self.fails(EAGAIN, self.sender.send_msg, Message("$.Fred", b"waits", flags=WAIT))
        self.id = self.sender.last_msg_id()

    def test_nobody_has_it(self):
        self.assertEqual((self.free.num_messages(), self.full_one.num_messages()), (0, 1))
        self.assertFalse(self.sender.can_write())

    def test_nothing_else_can_be_written(self):
        """EALREADY, and the message goes on waiting."""
        self.fails(EALREADY, self.sender.write_data, b"fred")
        self.fails(EALREADY, self.sender.write_msg, Message("$.Fred"))
        self.fails(EALREADY, self.sender.send_msg, Message("$.Jim"))
        names(self.full_one)
        self.assertEqual(self.sender.send(), self.id)
        self.assertEqual(data(self.free), [b"waits"])

    def test_send_tries_again(self):
        """EAGAIN until there is room, always the same id."""
        for _ in range(3):
            self.fails(EAGAIN, self.sender.send)
            self.assertEqual(self.sender.last_msg_id(), self.id)
        names(self.full_one)
        self.assertEqual(self.sender.send(), self.id)
        for ks in (self.free, self.full_one):
            got = ks.read_next_msg()
            self.assertEqual((got.id, got.data, got.flags), (self.id, b"waits", WAIT))
        self.fails(ENOMSG, self.sender.send)

    def test_polling_tries_again(self):
        """Whoever asks whether it can write, or waits for a message, has it tried."""
        self.assertFalse(self.sender.can_write())
        names(self.full_one)
        self.assertTrue(self.sender.can_write())
        self.assertEqual(data(self.free), [b"waits"])
        self.fails(ENOMSG, self.sender.send)
        self.sender.send_msg(Message("$.Fred", b"next"))

    def test_waiting_for_messages_tries_again(self):
        names(self.full_one)
        self.assertEqual(self.sender.wait_for_msg(0), None)
        self.assertEqual(data(self.free), [b"waits"])

    def test_discarding(self):
        """It is gone, and others can be sent."""
        self.sender.discard()
        self.assertTrue(self.sender.can_write())
        self.fails(ENOMSG, self.sender.send)
        self.sender.send_msg(Message("$.Fred", b"next"))
        names(self.full_one)
        self.assertEqual(data(self.free), [b"next"])

    def test_closing_the_sender(self):
        """The message goes with it, silently."""
        self.sender.close()
        names(self.full_one)
        self.assertEqual(names(self.free), [])

    def test_closing_the_full_one(self):
        self.full_one.close()
        self.assertTrue(self.sender.can_write())
        self.assertEqual(data(self.free), [b"waits"])

    def test_unbinding_the_full_one(self):
        self.full_one.unbind("$.Fred")
        self.assertTrue(self.sender.can_write())
        self.assertEqual((data(self.free), names(self.full_one)), ([b"waits"], ["$.Full"]))

    def test_raising_the_limit(self):
        self.full_one.set_max_messages(2)
        self.assertTrue(self.sender.can_write())
        self.assertEqual(names(self.full_one), ["$.Full", "$.Fred"])

    def test_delivery_order(self):
        """What is sent later, by others, may come earlier: ids are given at the first try."""
        other = self.open()
        later = other.send_msg(Message("$.Fred", b"later"))
        names(self.full_one)
        self.sender.send()
        self.assertEqual([m.id for m in self.free], [later, self.id])

    def test_reading_goes_on(self):
        """The sender gets messages while its own waits."""
        self.sender.bind("$.Jim")
        self.free.send_msg(Message("$.Jim"))
        self.assertTrue(self.sender.can_read())
        self.assertEqual(names(self.sender), ["$.Jim"])
        self.fails(EAGAIN, self.sender.send)

    def test_who_listens_counts_when_it_goes(self):
        """Who binds while it waits gets it, who unbinds does not."""
        late = self.listener("$.Fred")
        self.free.unbind("$.Fred")
        names(self.full_one)
        self.sender.send()
        self.assertEqual((names(late), names(self.free)), (["$.Fred"], []))


class TestRequests(KbusCase):
    """The replier is full, so a request waits."""

    def setUp(self):
        super().setUp()
        self.answering = self.full()
        self.answering.bind("$.Fred", True)
        self.asker = self.open()

    def wait(self, **named):
        self.fails(EAGAIN, self.asker.send_msg, Request("$.Fred", b"q", flags=WAIT, **named))
        return self.asker.last_msg_id()

    def test_it_goes_and_is_answered(self):
        asked = self.wait()
        names(self.answering)
        self.assertEqual(self.asker.send(), asked)
        request = self.answering.read_next_msg()
        self.assertEqual((request.id, request.data), (asked, b"q"))
        self.answering.send_msg(reply_to(request, b"r"))
        self.assertEqual([(m.in_reply_to, m.data) for m in self.asker], [(asked, b"r")])

    def test_no_replier_any_more(self):
        """Found by a poll, it ends in a status; the sender waits no more."""
        asked = self.wait()
        self.answering.unbind("$.Fred", True)
        self.assertTrue(self.asker.can_write())
        got = self.asker.read_next_msg()
        self.assertEqual((got.name, got.in_reply_to), (DISAPPEARED, asked))
        self.assertEqual((got.from_, got.to, got.flags), (0, self.asker.ksock_id(), 4))
        self.assertEqual(got.id, asked + 1)
        self.fails(ENOMSG, self.asker.send)
        self.assertEqual(self.asker.num_messages(), 0)

    def test_no_replier_any_more_for_send(self):
        """Found by send(), it is an errno and no status."""
        self.wait()
        self.answering.unbind("$.Fred", True)
        self.fails(EADDRNOTAVAIL, self.asker.send)
        self.assertEqual(names(self.asker), [])
        self.assertTrue(self.asker.can_write())
        self.fails(ENOMSG, self.asker.send)

    def test_another_replier(self):
        """It simply gets the request."""
        asked = self.wait()
        self.answering.unbind("$.Fred", True)
        other = self.replier("$.Fred")
        self.assertTrue(self.asker.can_write())
        self.assertEqual([m.id for m in other], [asked])
        self.assertEqual(ends(self.asker), [])

    def test_another_replier_for_a_stateful_one(self):
        """ErrorSending from a poll, EPIPE from send()."""
        for poll in (True, False):
            to = self.answering.ksock_id()
            asked = self.wait(to=to)
            self.answering.unbind("$.Fred", True)
            other = self.replier("$.Fred")
            if poll:
                self.assertTrue(self.asker.can_write())
                self.assertEqual(ends(self.asker), [(ERROR_SENDING, asked.serial_num)])
            else:
                self.fails(EPIPE, self.asker.send)
                self.assertEqual(ends(self.asker), [])
            self.assertEqual(names(other), [])
            other.close()
            self.answering.bind("$.Fred", True)

    def test_a_listener_is_full(self):
        """The request waits for it too, and nobody has it before."""
        full = self.full("$.Fred")
        names(self.answering)
        asked = self.wait()
        self.assertEqual(self.answering.num_messages(), 0)
        names(full)
        self.assertTrue(self.asker.can_write())
        self.assertEqual([m.id for m in self.answering], [asked])
        self.assertEqual([m.id for m in full], [asked])

    def test_room_for_the_answer(self):
        """send() looks at it once more, a poll does not."""
        asked = self.wait()
        self.asker.bind("$.Jim")
        self.asker.set_max_messages(1)
        self.answering.send_msg(Message("$.Jim"))
        names(self.answering)
        self.assertTrue(self.asker.can_write())
        self.assertEqual([m.id for m in self.answering], [asked])
        names(self.asker)
        self.answering.close()
        self.assertEqual(names(self.asker), ["$.KBUS.Replier.Ignored"])

    def test_no_room_for_the_answer(self):
        """ENOLCK from send(), and the message is gone."""
        self.wait()
        self.asker.bind("$.Jim")
        self.asker.set_max_messages(1)
        self.answering.send_msg(Message("$.Jim"))
        names(self.answering)
        self.fails(ENOLCK, self.asker.send)
        self.assertEqual((names(self.answering), names(self.asker)), ([], ["$.Jim"]))
        self.fails(ENOMSG, self.asker.send)

    def test_two_wait(self):
        """One place lets one through; the other goes on waiting."""
        second = self.open()
        self.wait()
        self.fails(EAGAIN, second.send_msg, Request("$.Fred", b"2", flags=WAIT))
        self.answering.read_next_msg()
        self.assertEqual([ks.can_write() for ks in (self.asker, second)].count(True), 1)
        self.assertEqual(self.answering.num_messages(), 1)

    def test_closing_the_bus_of_who_waits(self):
        """Closing in any order leaves nothing behind (looked at after each test)."""
        self.wait()
        self.answering.close()


if __name__ == "__main__":
    unittest.main()
