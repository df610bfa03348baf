# SPDX-License-Identifier: MIT
"""limpet.kbus: legal names, who may bind what, what a binding matches, who is replier."""

import unittest

from kbus_cases import (
    EADDRINUSE,
    EBADMSG,
    EINVAL,
    ENAMETOOLONG,
    EVENT,
    KbusCase,
    data,
    names,
    renamed,
)
from limpet.kbus import Announcement, Message, Request

LONGEST = "$." + "a" * 998
LEGAL = ("$.a", "$.Fred", "$.Fred.Jim", "$.0", "$.fred.FRED.9", "$.KBUS", "$.KBUS.Fred", LONGEST)
WILDCARDS = ("$.*", "$.%", "$.Fred.*", "$.Fred.Jim.%", "$." + "a" * 996 + ".*")
ILLEGAL = ("", "$", "$.", "$x", "*", "%", "Fred", ".Fred", "$Fred", "$.Fred.", "$..Fred")
ILLEGAL += ("$.Fred..Jim", "$.a*", "$.a%", "$.*a", "$.*.*", "$.%.*", "$.*.a", "$..*", "$.a..*")
ILLEGAL += (
    "$.a_b",
    "$.a-b",
    "$.a b",
    "$.#",
    "$.'a'",
    "$.a/b",
    "$.\u00e4",
    "$.a\0",
    " $.a",
    "$.a ",
)
TOO_LONG = ("$." + "a" * 999, "$." + "1" * 9998, "1" * 10000, "$." + "a" * 997 + ".*", "*" * 1001)


class TestGrammar(KbusCase):
    def test_legal(self):
        """Names that may be bound, unbound and sent."""
        ks = self.open()
        for name in LEGAL:
            for replier in (False, True):
                ks.bind(name, replier)
                ks.send_msg(Message(name))
                ks.unbind(name, replier)
        self.assertEqual(names(ks), [])

    def test_wildcards(self):
        """They may be bound as either, and not sent."""
        ks = self.open()
        for name in WILDCARDS:
            for replier in (False, True):
                ks.bind(name, replier)
                self.fails(EBADMSG, ks.send_msg, Message(name))
                self.fails(EBADMSG, ks.send_msg, Request(name))
                ks.unbind(name, replier)

    def test_illegal(self):
        """EBADMSG, whatever is done with them."""
        ks = self.open()
        for name in ILLEGAL:
            for replier in (False, True):
                self.fails(EBADMSG, ks.bind, name, replier)
                self.fails(EBADMSG, ks.unbind, name, replier)
            if name:
                self.fails(EBADMSG, ks.send_msg, renamed(Message("$.a"), name))
        self.fails(EINVAL, ks.write_msg, renamed(Message("$.a"), ""))

    def test_too_long(self):
        """Above 1000 bytes, which is looked at before legality."""
        ks = self.open()
        for name in TOO_LONG:
            self.fails(ENAMETOOLONG, ks.bind, name)
            self.fails(ENAMETOOLONG, ks.bind, name, True)
            self.fails(ENAMETOOLONG, ks.unbind, name)
            self.fails(ENAMETOOLONG, ks.write_msg, renamed(Message("$.a"), name))
            self.fails(ENAMETOOLONG, ks.find_replier, name)

    def test_bytes_count(self):
        """A name has the size of its UTF-8."""
        ks = self.open()
        self.fails(ENAMETOOLONG, ks.bind, "$." + "\u00e4" * 500)
        self.fails(EBADMSG, ks.bind, "$." + "\u00e4" * 499)
        self.fails(ENAMETOOLONG, ks.find_replier, "$." + "\u00e4" * 500)
        self.fails(ENAMETOOLONG, ks.send_msg, Message("$." + "\u00e4" * 500))
        self.fails(EBADMSG, ks.send_msg, Message("$." + "\u00e4" * 499))

    def test_case_matters(self):
        ks = self.listener("$.Fred")
        ks.send_msg(Message("$.fred"))
        self.assertEqual(names(ks), [])

    def test_names_of_the_bus(self):
        """$.KBUS.* is like others, but that nobody is replier for bind events."""
        ks = self.open()
        self.fails(EBADMSG, ks.bind, EVENT, True)
        ks.bind("$.KBUS.*", True)
        ks.bind(EVENT)
        ks.send_msg(Announcement(EVENT, "forged"))
        self.assertEqual(data(ks), [b"forged"])


class TestBinding(KbusCase):
    def test_one_replier(self):
        """For one string there is one replier, whoever it is; wildcards may overlap."""
        one, other = self.open(), self.open()
        for name in ("$.Fred", "$.*", "$.%", "$.Fred.*"):
            one.bind(name, True)
        for name in ("$.Fred", "$.*", "$.%", "$.Fred.*"):
            self.fails(EADDRINUSE, one.bind, name, True)
            self.fails(EADDRINUSE, other.bind, name, True)
        one.unbind("$.Fred", True)
        other.bind("$.Fred", True)

    def test_listening_is_free(self):
        """Any number of listeners, also the same one many times, also the replier."""
        one, other = self.open(), self.open()
        one.bind("$.Fred", True)
        for ks in (one, one, other, other, other):
            ks.bind("$.Fred")
        other.send_msg(Message("$.Fred"))
        self.assertEqual((one.num_messages(), other.num_messages()), (2, 3))

    def test_unbinding(self):
        """One binding goes each time; another name, kind or Ksock has none: EINVAL."""
        ks, other = self.open(), self.open()
        self.fails(EINVAL, ks.unbind, "$.Fred")
        ks.bind("$.Fred")
        ks.bind("$.Fred")
        self.fails(EINVAL, ks.unbind, "$.Fred", True)
        self.fails(EINVAL, ks.unbind, "$.Fred.Jim")
        self.fails(EINVAL, ks.unbind, "$.*")
        self.fails(EINVAL, other.unbind, "$.Fred")
        ks.unbind("$.Fred")
        other.send_msg(Message("$.Fred"))
        self.assertEqual(names(ks), ["$.Fred"])
        ks.unbind("$.Fred")
        self.fails(EINVAL, ks.unbind, "$.Fred")
        other.send_msg(Message("$.Fred"))
        self.assertEqual(names(ks), [])

    def test_read_bindings(self):
        """Who is bound to what; ids may be given names."""
        one, other = self.open(), self.open("r")
        one.bind("$.Fred")
        one.bind("$.Fred")
        other.bind("$.Jim.*", True)
        a, b = one.ksock_id(), other.ksock_id()
        found = sorted(self.kbus.read_bindings({}))
        self.assertEqual(found, [(a, False, "$.Fred"), (a, False, "$.Fred"), (b, True, "$.Jim.*")])
        found = [entry for entry in self.kbus.read_bindings({b: "other"}) if entry[0] != a]
        self.assertEqual(found, [("other", True, "$.Jim.*")])
        one.close()
        self.assertEqual(self.kbus.read_bindings({}), [(b, True, "$.Jim.*")])


class TestMatching(KbusCase):
    TABLE = (
        ("$.Fred", "$.Fred", True),
        ("$.Fred", "$.Fredd", False),
        ("$.Fred", "$.Fred.Jim", False),
        ("$.*", "$.Fred", True),
        ("$.*", "$.Fred.Jim.Bob", True),
        ("$.%", "$.Fred", True),
        ("$.%", "$.Fred.Jim", False),
        ("$.Fred.*", "$.Fred", False),
        ("$.Fred.*", "$.Fredd.Jim", False),
        ("$.Fred.*", "$.Fred.Jim", True),
        ("$.Fred.*", "$.Fred.Jim.Bob", True),
        ("$.Fred.%", "$.Fred", False),
        ("$.Fred.%", "$.Fred.Jim", True),
        ("$.Fred.%", "$.Fred.Jim.Bob", False),
    )

    def test_listeners(self):
        for bound, sent, matches in self.TABLE:
            with self.listener(bound) as ks:
                ks.send_msg(Message(sent))
                self.assertEqual(names(ks), [sent] if matches else [], (bound, sent))

    def test_repliers(self):
        sender = self.open()
        for bound, sent, matches in self.TABLE:
            with self.replier(bound) as ks:
                found = ks.ksock_id() if matches else None
                self.assertEqual(sender.find_replier(sent), found, (bound, sent))

    def test_each_binding_has_its_copy(self):
        ks = self.listener("$.Fred.Jim", "$.Fred.*", "$.Fred.%", "$.*", "$.Jim")
        ks.send_msg(Message("$.Fred.Jim"))
        self.assertEqual(names(ks), ["$.Fred.Jim"] * 4)


class TestReplierChoice(KbusCase):
    # From the worst to the best.
    RANKS = ("$.*", "$.Fred.*", "$.Fred.Jim.*", "$.Fred.Jim.%", "$.Fred.Jim.Bob")

    def check(self, order):
        repliers = {}
        for name in order:
            repliers[name] = self.replier(name)
        sender = self.open()
        for name in reversed(self.RANKS):
            self.assertEqual(
                sender.find_replier("$.Fred.Jim.Bob"), repliers[name].ksock_id(), order
            )
            sender.send_msg(Request("$.Fred.Jim.Bob"))
            got = [other for other in self.RANKS if names(repliers[other])]
            self.assertEqual(got, [name], order)
            repliers[name].unbind(name, True)
        self.assertEqual(sender.find_replier("$.Fred.Jim.Bob"), None)

    def test_most_specific(self):
        """The exact name, then the longest prefix, then % before *; whoever came first."""
        self.check(self.RANKS)
        self.check(tuple(reversed(self.RANKS)))

    def test_only_that_one(self):
        """Other repliers get nothing; listeners get copies that they are not to answer."""
        best, second = self.replier("$.Fred"), self.replier("$.*")
        listener = self.listener("$.*", "$.%")
        self.open().send_msg(Request("$.Fred"))
        self.assertEqual([m.wants_us_to_reply() for m in best], [True])
        self.assertEqual(names(second), [])
        self.assertEqual([m.wants_us_to_reply() for m in listener], [False, False])

    def test_requests_only(self):
        """A replier is sent no announcement and no reply."""
        ks = self.replier("$.Fred")
        ks.send_msg(Message("$.Fred"))
        self.assertEqual(names(ks), [])

    def test_find_replier(self):
        """As a send would find it. A wildcard is found as it was bound; nonsense nowhere."""
        ks = self.replier("$.Fred.*")
        ks.bind("$.Jim")
        found = ks.ksock_id()
        self.assertEqual(ks.find_replier("$.Fred.Jim"), found)
        self.assertEqual(ks.find_replier("$.Fred.*"), found)
        for name in ("$.Fred", "$.Jim", "$.*", "$.Fred.%", "Fred", "$.Fred..Jim", "x"):
            self.assertEqual(ks.find_replier(name), None, name)
        self.fails(ENAMETOOLONG, ks.find_replier, "")


if __name__ == "__main__":
    unittest.main()
