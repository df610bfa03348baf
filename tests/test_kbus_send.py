# SPDX-License-Identifier: MIT
"""limpet.kbus: what a queue takes, and in which order send() looks at what may be wrong."""

import unittest

from kbus_cases import (
    EADDRNOTAVAIL,
    EAGAIN,
    EBUSY,
    EINVAL,
    ENOLCK,
    ENOMSG,
    EPIPE,
    KbusCase,
    data,
    names,
)
from limpet.kbus import Announcement, Message, Request, reply_to

WAIT = Message.ALL_OR_WAIT
FAIL = Message.ALL_OR_FAIL


class TestLimit(KbusCase):
    SIZES = {"slot_count": 256}

    def test_asking_and_setting(self):
        """100 unless set; 0 asks; each Ksock has its own."""
        one, other = self.open(), self.open("r")
        self.assertEqual((one.max_messages(), one.set_max_messages(0)), (100, 100))
        self.assertEqual(one.set_max_messages(1), 1)
        self.assertEqual((one.max_messages(), other.max_messages()), (1, 100))
        self.assertEqual(other.set_max_messages(5000), 5000)
        self.fails(EINVAL, one.set_max_messages, -1)

    def test_a_hundred(self):
        """That many are queued, the next is dropped silently."""
        ks, sender = self.listener("$.Fred"), self.open()
        for i in range(105):
            sender.send_msg(Message("$.Fred", b"%d" % i))
        self.assertEqual(ks.num_messages(), 100)
        self.assertEqual(data(ks), [b"%d" % i for i in range(100)])

    def test_shrinking(self):
        """Nothing is dropped, nothing more comes until there is room again."""
        ks, sender = self.listener("$.Fred"), self.open()
        for i in range(5):
            sender.send_msg(Message("$.Fred", b"%d" % i))
        ks.set_max_messages(2)
        sender.send_msg(Message("$.Fred", b"no"))
        self.assertEqual(ks.num_messages(), 5)
        for i in range(4):
            self.assertEqual(ks.read_next_msg().data, b"%d" % i)
        sender.send_msg(Message("$.Fred", b"yes"))
        self.assertEqual(data(ks), [b"4", b"yes"])

    def test_growing(self):
        ks, sender = self.limited(1), self.open()
        ks.bind("$.Fred")
        sender.send_msg(Message("$.Fred", b"1"))
        sender.send_msg(Message("$.Fred", b"no"))
        ks.set_max_messages(200)
        for _ in range(199):
            sender.send_msg(Message("$.Fred"))
        self.assertEqual(ks.num_messages(), 200)
        self.fails(EBUSY, sender.send_msg, Message("$.Fred", flags=FAIL))

    def test_what_is_being_read(self):
        """What next_msg() has popped is not in the queue any more."""
        ks, sender = self.limited(1), self.open()
        ks.bind("$.Fred")
        sender.send_msg(Message("$.Fred", b"1"))
        ks.next_msg()
        self.assertEqual(ks.num_messages(), 0)
        sender.send_msg(Message("$.Fred", b"2", flags=FAIL))
        self.assertEqual(ks.num_messages(), 1)

    def test_expected_answers(self):
        """A request keeps a place for its answer, against other messages, until that is read."""
        asker, replier, sender = self.limited(1), self.replier("$.Fred"), self.open()
        asker.bind("$.Jim")
        asker.send_msg(Request("$.Fred"))
        self.assertEqual(asker.num_messages(), 0)
        self.fails(EBUSY, sender.send_msg, Message("$.Jim", flags=FAIL))
        replier.send_msg(reply_to(replier.read_next_msg()))
        self.assertEqual(asker.num_messages(), 1)
        self.fails(EBUSY, sender.send_msg, Message("$.Jim", flags=FAIL))
        asker.read_next_msg()
        sender.send_msg(Message("$.Jim", flags=FAIL))

    def test_many_copies(self):
        """Room is looked at before the first copy: one place is enough for three of them."""
        ks, sender = self.limited(2), self.open()
        ks.bind("$.Jim")
        sender.send_msg(Message("$.Jim"))
        for name in ("$.Fred", "$.*", "$.%"):
            ks.bind(name)
        sender.send_msg(Message("$.Fred", flags=FAIL))
        self.assertEqual(names(ks), ["$.Jim"] + ["$.Fred"] * 3)

    def test_asking_itself(self):
        """The sender's place and the replier's are looked at before either is taken."""
        ks = self.limited(1)
        ks.bind("$.Fred", True)
        ks.send_msg(Request("$.Fred", b"q"))
        self.fails(ENOLCK, ks.send_msg, Request("$.Fred"))
        ks.send_msg(reply_to(ks.read_next_msg(), b"r"))
        self.assertEqual(data(ks), [b"r"])


class TestOrder(KbusCase):
    """Each check before those that come after it."""

    def test_nothing_written(self):
        """ENOMSG, also once more after a send, whatever came of it."""
        ks = self.open()
        self.fails(ENOMSG, ks.send)
        ks.send_msg(Message("$.Fred"))
        self.fails(ENOMSG, ks.send)
        self.fails(EADDRNOTAVAIL, ks.send_msg, Request("$.Fred"))
        self.fails(ENOMSG, ks.send)

    def test_no_room_for_the_answer(self):
        """ENOLCK before all that is about the replier, whatever the flags; nothing is pending."""
        asker = self.full()
        for message in (Request("$.Nobody"), Request("$.Nobody", to=99)):
            self.fails(ENOLCK, asker.send_msg, message)
        replier = self.full()
        replier.bind("$.Fred", True)
        for flags in (0, WAIT, FAIL):
            self.fails(ENOLCK, asker.send_msg, Request("$.Fred", flags=flags))
            self.fails(ENOMSG, asker.send)
        asker.write_msg(Message("$.Fred"))  # so nothing waits
        asker.send()

    def test_outstanding_requests_fill_it(self):
        """Its own requests take places, answered or not; announcements can be sent."""
        asker, replier = self.limited(2), self.replier("$.Fred")
        asker.send_msg(Request("$.Fred"))
        asker.send_msg(Request("$.Fred"))
        self.fails(ENOLCK, asker.send_msg, Request("$.Fred"))
        asker.send_msg(Announcement("$.Fred"))
        asked = [message for message in replier]  # reading them does not help
        self.fails(ENOLCK, asker.send_msg, Request("$.Fred"))
        replier.send_msg(reply_to(asked[0]))  # nor does the answer
        self.fails(ENOLCK, asker.send_msg, Request("$.Fred"))
        asker.read_next_msg()  # until it is read
        asker.send_msg(Request("$.Fred"))

    def test_no_replier(self):
        """EADDRNOTAVAIL before EPIPE; listeners are none, and hear nothing of it."""
        asker, listener = self.open(), self.listener("$.Fred")
        self.fails(EADDRNOTAVAIL, asker.send_msg, Request("$.Fred"))
        self.fails(EADDRNOTAVAIL, asker.send_msg, Request("$.Fred", to=listener.ksock_id()))
        self.assertEqual(names(listener), [])

    def test_another_replier(self):
        """EPIPE before EBUSY."""
        asker = self.open()
        replier = self.full()
        replier.bind("$.Fred", True)
        for to in (asker.ksock_id(), 99):
            self.fails(EPIPE, asker.send_msg, Request("$.Fred", to=to))
        self.fails(EBUSY, asker.send_msg, Request("$.Fred", to=replier.ksock_id()))

    def test_the_replier_is_full(self):
        """EBUSY whatever listeners may have, EAGAIN for those who wait. Nobody gets anything."""
        asker, listener = self.open(), self.listener("$.Fred")
        replier = self.full()
        replier.bind("$.Fred", True)
        self.fails(EBUSY, asker.send_msg, Request("$.Fred"))
        self.fails(EBUSY, asker.send_msg, Request("$.Fred", flags=FAIL))
        self.fails(EAGAIN, asker.send_msg, Request("$.Fred", flags=WAIT))
        self.assertEqual((names(listener), replier.num_messages()), ([], 1))

    def test_the_replier_waits_for_answers(self):
        """Places that it keeps for answers count."""
        replier = self.limited(1)
        replier.bind("$.Fred", True)
        self.replier("$.Jim")
        replier.send_msg(Request("$.Jim"))
        self.fails(EBUSY, self.open().send_msg, Request("$.Fred"))

    def test_a_listener_is_full(self):
        """It misses its copy, or nobody gets one: EBUSY, EAGAIN."""
        sender, full, listener = self.open(), self.full("$.Fred"), self.listener("$.Fred")
        sender.send_msg(Message("$.Fred", b"1"))
        self.fails(EBUSY, sender.send_msg, Message("$.Fred", b"2", flags=FAIL))
        self.assertEqual(data(listener), [b"1"])
        self.fails(EAGAIN, sender.send_msg, Message("$.Fred", b"3", flags=WAIT))
        self.assertEqual((data(listener), full.num_messages()), ([], 1))

    def test_requests_and_full_listeners(self):
        """The same for a request: with ALL_OR_* its replier gets nothing either."""
        asker, replier = self.open(), self.replier("$.Fred")
        full = self.full("$.Fred")
        asker.send_msg(Request("$.Fred", b"1"))
        self.fails(EBUSY, asker.send_msg, Request("$.Fred", b"2", flags=FAIL))
        self.assertEqual(data(replier), [b"1"])
        self.fails(EAGAIN, asker.send_msg, Request("$.Fred", b"3", flags=WAIT))
        self.assertEqual((data(replier), names(full)), ([], ["$.Full"]))

    def test_nobody_listens(self):
        """Announcements vanish, with or without flags."""
        ks = self.open()
        for flags in (0, WAIT, FAIL, Message.URGENT):
            ks.send_msg(Message("$.Fred", flags=flags))
        self.fails(ENOMSG, ks.send)

    def test_what_is_refused_is_forgotten(self):
        """All but EAGAIN drop the message, and keep no place for an answer."""
        asker = self.limited(1)
        replier = self.full()
        replier.bind("$.Fred", True)
        for errno, message in (
            (EADDRNOTAVAIL, Request("$.Nobody")),
            (EPIPE, Request("$.Fred", to=99)),
            (EBUSY, Request("$.Fred")),
        ):
            self.fails(errno, asker.send_msg, message)
            self.fails(ENOMSG, asker.send)
        names(replier)
        asker.send_msg(Request("$.Fred"))

    def test_both_flags(self):
        """EINVAL when it is written, of any kind; nothing is written then."""
        ks = self.open()
        for kind in (Message, Announcement, Request):
            self.fails(EINVAL, ks.write_msg, kind("$.Fred", flags=WAIT | FAIL))
            self.fails(ENOMSG, ks.send)


if __name__ == "__main__":
    unittest.main()
