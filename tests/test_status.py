# SPDX-License-Identifier: MIT
"""The closed set of statuses: their names, what each lets an asker conclude, who gets them."""

import unittest

from buses import closed_clean, make_bus, read
from limpet import status
from limpet.errors import ERRNO_NAMES

# As the design promises it: name after "$.KBUS.", its constant, what may be concluded.
TABLE = (
    ("Replier.Unbound", "UNBOUND", "no"),
    ("Replier.GoneAway", "GONE_AWAY", "no"),
    ("Replier.Disappeared", "DISAPPEARED", "no"),
    ("Replier.Overdue", "OVERDUE", "no"),
    ("Replier.NotSameKsock", "NOT_SAME_KSOCK", "no"),
    ("ErrorSending", "ERROR_SENDING", "no"),
    ("Link.Down", "LINK_DOWN", "no"),
    ("Replier.Failed", "FAILED", "yes"),
    ("Replier.Ignored", "IGNORED", "unknown"),
    ("Replier.Expired", "EXPIRED", "unknown"),
    ("Link.Lost", "LINK_LOST", "unknown"),
)
# Codes and errnos travel between nodes: these numbers never change.
CODES = {
    "UNBOUND": 1,
    "GONE_AWAY": 2,
    "DISAPPEARED": 3,
    "OVERDUE": 4,
    "NOT_SAME_KSOCK": 5,
    "ERROR_SENDING": 6,
    "LINK_DOWN": 7,
    "REMOTE_ERROR": 8,
    "FAILED": 9,
    "IGNORED": 10,
    "EXPIRED": 11,
    "LINK_LOST": 12,
}


class TestTable(unittest.TestCase):
    def test_names(self):
        """Each code has its name."""
        for name, constant, _ in TABLE:
            self.assertEqual(status.name_of(getattr(status, constant), 0).text, "$.KBUS." + name)

    def test_executed(self):
        """Each name tells what the design's table says."""
        for name, _, executed in TABLE:
            self.assertEqual(status.executed("$.KBUS." + name), executed, name)

    def test_closed(self):
        """There are no other codes, and none means two things."""
        self.assertEqual(status.CODE_MAX, len(TABLE) + 1)
        names = {status.name_of(code, 5).text for code in range(1, status.CODE_MAX + 1)}
        self.assertEqual(len(names), status.CODE_MAX)
        self.assertEqual(len({executed for _, _, executed in TABLE}), 3)

    def test_the_numbers_stay(self):
        """Codes are the ones that other nodes know."""
        for constant, code in CODES.items():
            self.assertEqual(getattr(status, constant), code, constant)

    def test_kept(self):
        """The same code gives the same object, without a new one per status."""
        for code in range(1, status.CODE_MAX + 1):
            self.assertIs(status.name_of(code, 16), status.name_of(code, 16))


class TestRemoteError(unittest.TestCase):
    def test_names(self):
        """The errno is in the name: in letters where known, else as digits. It never ran."""
        for errno, name in ERRNO_NAMES.items():
            text = status.name_of(status.REMOTE_ERROR, errno).text
            self.assertEqual(text, "$.KBUS.RemoteError." + name)
            self.assertEqual(status.executed(text), "no")
        self.assertEqual(status.name_of(status.REMOTE_ERROR, 250).text, "$.KBUS.RemoteError.250")
        self.assertEqual(status.executed("$.KBUS.RemoteError.250"), "no")

    def test_what_a_request_may_meet_has_letters(self):
        """All errnos that a send can give."""
        for name in ("EADDRNOTAVAIL", "EBUSY", "ENOLCK", "EPIPE", "EMSGSIZE", "EBADMSG", "EINVAL"):
            self.assertIn(name, ERRNO_NAMES.values())


class TestUnknown(unittest.TestCase):
    def test_nothing_is_promised(self):
        """Of a name that is none of ours nothing can be concluded."""
        for text in (
            "",
            "$.A",
            "$.KBUS",
            "$.KBUS.Replier",
            "$.KBUS.Replier.Unboun",
            "$.KBUS.Replier.Unbound.X",
            "$.KBUS.RemoteError",
            "$.KBUS.Link.down",
            "$.Replier.Unbound",
        ):
            self.assertEqual(status.executed(text), "unknown", text)


class TestAsMessages(unittest.TestCase):
    def test_each_ends_its_request_the_same_way(self):
        """A status goes to the asker, says which request, is made by the bus, has no data."""
        bus = make_bus()
        asker, replier = bus.ksock(), bus.ksock()
        replier.bind("$.A", True)
        for code in range(1, status.CODE_MAX + 1):
            for errno in (0, 99):
                number = asker.request("$.A", b"data")
                request = replier.next()
                bus.answers.end(request.answer, code, errno)
                (message,) = read(asker)
                self.assertEqual((message.kind, message.in_reply_to), ("status", number))
                self.assertEqual(message.name, status.name_of(code, errno).text)
                self.assertEqual((message.data, message.sender), (b"", (0, replier.id)))
                self.assertTrue(message.id[1] > number)
                self.assertEqual(message.executed, status.executed(message.name))
                self.assertFalse(message.wants_reply)
                self.assertFalse(replier.hot.is_open(request))
        closed_clean(self, bus)

    def test_a_users_message_of_that_name_is_no_status(self):
        """Kind tells them apart, not the name."""
        bus = make_bus()
        ks = bus.ksock()
        ks.bind("$.KBUS.*")
        ks.announce("$.KBUS.Link.Lost")
        self.assertEqual(ks.next().kind, "announcement")
        closed_clean(self, bus)


if __name__ == "__main__":
    unittest.main()
