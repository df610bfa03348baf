# SPDX-License-Identifier: MIT
"""limpet.kbus on two buses that a link joins: programs for KBUS talk to each other over it."""

import unittest

from helpers_bus import Pair
from kbus_cases import EADDRNOTAVAIL, GONE_AWAY, IGNORED, ends, names
from limpet.kbus import (
    Ksock,
    Message,
    OrigFrom,
    Request,
    reply_to,
    serve,
    unserve,
)


class TestLinked(unittest.TestCase):
    def setUp(self):
        self.pair = Pair()
        for side in (0, 1):
            serve(side, self.pair.buses[side])
            self.addCleanup(unserve, side)
        self.pair.connect()

    def settle(self):
        self.pair.run(200)

    def test_announcements(self):
        """They say from which node they are."""
        here, there = Ksock(0), Ksock(1)
        there.bind("$.Fred")
        self.settle()
        sent = here.send_msg(Message("$.Fred", b"1"))
        self.settle()
        got = there.read_next_msg()
        self.assertEqual((got.data, got.id.serial_num), (b"1", sent.serial_num))
        self.assertEqual((got.id.network_id, got.from_), (11, here.ksock_id()))
        self.assertEqual(got.orig_from, OrigFrom(11, here.ksock_id()))
        self.assertEqual((got.final_to, got.in_reply_to, got.flags), (None, None, 0))

    def test_a_reply(self):
        """It comes back to the asker about the id that it knows, as any reply does."""
        asker, replier = Ksock(0), Ksock(1)
        replier.bind("$.Fred", True)
        self.settle()
        sent = asker.send_msg(Request("$.Fred", b"q"))
        self.settle()
        asked = replier.read_next_msg()
        self.assertTrue(asked.wants_us_to_reply())
        self.assertEqual(replier.num_unreplied_to(), 1)
        replier.send_msg(reply_to(asked, b"r"))
        self.settle()
        got = asker.read_next_msg()
        self.assertEqual((got.data, got.in_reply_to, got.to), (b"r", sent, asker.ksock_id()))
        self.assertEqual((replier.num_unreplied_to(), names(asker)), (0, []))

    def test_statuses(self):
        """Unread and read requests end as they do on one bus."""
        asker, replier = Ksock(0), Ksock(1)
        replier.bind("$.Fred", True)
        self.settle()
        sent = [asker.send_msg(Request("$.Fred")).serial_num for _ in range(2)]
        self.settle()
        replier.read_next_msg()
        replier.close()
        self.settle()
        self.assertEqual(sorted(ends(asker)), sorted([(IGNORED, sent[0]), (GONE_AWAY, sent[1])]))

    def test_no_replier_there(self):
        asker, replier = Ksock(0), Ksock(1)
        replier.bind("$.Fred", True)
        self.settle()
        self.assertTrue(asker.find_replier("$.Fred") is not None)
        replier.unbind("$.Fred", True)
        self.settle()
        self.assertEqual(asker.find_replier("$.Fred"), None)
        with self.assertRaises(OSError) as caught:
            asker.send_msg(Request("$.Fred"))
        self.assertEqual(caught.exception.errno, EADDRNOTAVAIL)

    def test_many(self):
        """Each request has its own reply."""
        asker, replier = Ksock(0), Ksock(1)
        replier.bind("$.Fred", True)
        self.settle()
        sent = []
        for i in range(5):
            sent.append(asker.send_msg(Request("$.Fred", b"%d" % i)))
        self.settle()
        for message in [message for message in replier][::-1]:
            replier.send_msg(reply_to(message, message.data))
        self.settle()
        found = {m.in_reply_to.serial_num: m.data for m in asker}
        self.assertEqual(found, {sent[i].serial_num: b"%d" % i for i in range(5)})


if __name__ == "__main__":
    unittest.main()
