# SPDX-License-Identifier: MIT
"""Names: what is legal, what a pattern means, which pattern is more specific."""

import unittest

from buses import make_bus
from limpet import BadName, NameTooLong, NotBound
from limpet.errors import EBADMSG, ENAMETOOLONG
from limpet.names import NAME_SIZE_MAX, check, is_wildcard, matches, precision

LEGAL = ("$.A", "$.a", "$.0", "$.A.B", "$.Fred.Jim.Bob", "$.1.2.3", "$.KBUS.Replier.GoneAway")
WILDCARDS = ("$.*", "$.%", "$.A.*", "$.A.%", "$.A.B.C.*")
ILLEGAL = (
    ("", "$", "$.", "$x", "$A", "A", ".A", "x.A", "$$.A", " $.A", "$.A ", "$. A", "$.A B")
    + ("$..", "$..A", "$.A.", "$.A..B", "$.A..", "$.A.B.", "$..*", "$.a..*")
    + ("$.a*", "$.*a", "$.a%", "$.**", "$.%%", "$.*%", "$.*.*", "$.*.a", "$.%.a", "$.%.*", "$.*.%")
    + ("$.A_B", "$.A-B", "$.#", "$.A'", '$."', "$.A/B", "$.A:B", "$.A\n", "$.A\0", "\0$.A")
    + ("$.\xe9", "$.\u0661", "$.\u0391", "$.\uff21", "$.@", "$.[", "$.`", "$.{", "$./", "$.:")
)


class TestGrammar(unittest.TestCase):
    def test_legal(self):
        """Words of ASCII letters and digits, joined by single dots, are names."""
        for name in LEGAL:
            self.assertEqual(check(name, False), 0, name)
            self.assertEqual(check(name, True), 0, name)
            self.assertFalse(is_wildcard(name), name)

    def test_wildcards_only_where_asked(self):
        """A wildcard is the whole last word, and only a name to bind may have one."""
        for name in WILDCARDS:
            self.assertEqual(check(name, True), 0, name)
            self.assertEqual(check(name, False), -EBADMSG, name)
            self.assertTrue(is_wildcard(name), name)

    def test_illegal(self):
        """Everything else is refused, whatever it is for."""
        for name in ILLEGAL:
            self.assertEqual(check(name, False), -EBADMSG, repr(name))
            self.assertEqual(check(name, True), -EBADMSG, repr(name))

    def test_every_ascii_character(self):
        """Of all ASCII characters just letters and digits make a word."""
        for i in range(128):
            c = chr(i)
            good = "0" <= c <= "9" or "A" <= c <= "Z" or "a" <= c <= "z"
            self.assertEqual(check("$.x" + c + "y", False) == 0, good or c == ".", repr(c))
            self.assertEqual(check("$." + c, False) == 0, good, repr(c))


class TestLength(unittest.TestCase):
    def test_limit_and_one_past(self):
        """1000 characters are a name, 1001 are not."""
        name = "$." + "a" * (NAME_SIZE_MAX - 2)
        self.assertEqual(len(name), 1000)
        self.assertEqual(check(name, False), 0)
        self.assertEqual(check(name + "a", False), -ENAMETOOLONG)
        wild = "$." + "a" * (NAME_SIZE_MAX - 4) + ".*"
        self.assertEqual(check(wild, True), 0)
        self.assertEqual(check("$.a" + wild[2:], True), -ENAMETOOLONG)

    def test_length_before_legality(self):
        """What is too long is told so, even if it is no name either."""
        for bad in ("1" * 10000, "$." * 501, "." * 1001):
            self.assertEqual(check(bad, True), -ENAMETOOLONG)

    def test_no_limit_per_word(self):
        """Many short words or one long one: only the sum counts."""
        self.assertEqual(check("$" + ".a" * 499, False), 0)
        self.assertEqual(check("$" + ".a" * 500, False), -ENAMETOOLONG)


class TestMatching(unittest.TestCase):
    def test_exact(self):
        """A plain name means itself, with the same case."""
        self.assertTrue(matches("$.A.B", "$.A.B"))
        for other in ("$.A", "$.A.b", "$.a.B", "$.A.BB", "$.A.B.C", "$.A.C"):
            self.assertFalse(matches("$.A.B", other), other)

    def test_star(self):
        """A star stands for one or more words."""
        for name in ("$.A.B", "$.A.B.C", "$.A.B.C.D"):
            self.assertTrue(matches("$.A.*", name), name)
        for name in ("$.A", "$.AB", "$.AB.C", "$.B.A.B"):
            self.assertFalse(matches("$.A.*", name), name)
        for name in LEGAL:
            self.assertTrue(matches("$.*", name), name)

    def test_percent(self):
        """A percent sign stands for exactly one word."""
        self.assertTrue(matches("$.A.%", "$.A.B"))
        for name in ("$.A", "$.A.B.C", "$.AB", "$.AB.C"):
            self.assertFalse(matches("$.A.%", name), name)
        self.assertTrue(matches("$.%", "$.A"))
        self.assertFalse(matches("$.%", "$.A.B"))


class TestPrecision(unittest.TestCase):
    def test_order(self):
        """A plain name, then the longer prefix, then one word before many."""
        patterns = ("$.A.B.C", "$.A.B.%", "$.A.B.*", "$.A.*", "$.*")
        for i in range(len(patterns)):
            for j in range(len(patterns)):
                better = precision(patterns[i]) > precision(patterns[j])
                self.assertEqual(better, i < j, patterns[i] + " " + patterns[j])

    def test_the_shortest_name_beats_the_longest_pattern(self):
        """However long a pattern is, a plain name is more specific."""
        longest = "$." + "a" * (NAME_SIZE_MAX - 4) + ".%"
        self.assertTrue(precision("$.A") > precision(longest))


class TestWhereNamesEnter(unittest.TestCase):
    def setUp(self):
        self.bus = make_bus()
        self.ks = self.bus.ksock()

    def refused(self, call, name):
        self.assertRaises(BadName, call, name)

    def test_illegal_names_are_refused_everywhere(self):
        """Each call that takes a name refuses a bad one with BadName, and does nothing."""
        ks = self.ks
        for name in ("", "$", "$.", "$.A.", "$.A_B", "$.*.A"):
            for call in (ks.bind, ks.unbind, ks.announce, ks.request, ks.call, self.bus.name):
                self.refused(call, name)
            self.assertRaises(BadName, ks.bind, name, True)
            self.assertRaises(BadName, ks.unbind, name, True)
            self.assertRaises(BadName, self.bus.wait_for_replier, name, 0)
            self.assertRaises(BadName, ks.listener(name), len)
            self.assertRaises(BadName, ks.replier(name), len)
        self.assertEqual(self.bus.bindings.all(), [])
        self.assertEqual(len(self.bus.bindings.names), 0)

    def test_wildcards_may_not_be_sent(self):
        """One sends under plain names only."""
        for name in WILDCARDS:
            for call in (self.ks.announce, self.ks.request, self.ks.call, self.bus.name):
                self.refused(call, name)

    def test_too_long(self):
        """1001 characters raise NameTooLong everywhere, 1000 do not."""
        ks = self.ks
        name = "$." + "a" * 998
        ks.bind(name)
        ks.announce(name, b"x")
        self.assertEqual(ks.next().name, name)
        ks.unbind(name)
        for call in (ks.bind, ks.unbind, ks.announce, ks.request, self.bus.name):
            self.assertRaises(NameTooLong, call, name + "a")

    def test_the_errors_say_which(self):
        """The exception has the errno and names the culprit."""
        with self.assertRaises(OSError) as caught:
            self.ks.announce("$.no good")
        self.assertEqual(caught.exception.errno, EBADMSG)
        self.assertIn("$.no good", str(caught.exception))

    def test_names_of_the_bus_are_not_reserved(self):
        """Who likes may bind and send what begins with $.KBUS."""
        self.ks.bind("$.KBUS.*")
        self.ks.bind("$.KBUS.Mine", True)
        self.ks.announce("$.KBUS.Replier.GoneAway", b"mine")
        message = self.ks.next()
        self.assertEqual((message.kind, message.data), ("announcement", b"mine"))

    def test_unbind_of_a_legal_name_that_is_not_bound(self):
        """That is NotBound, not BadName."""
        self.assertRaises(NotBound, self.ks.unbind, "$.A")
        self.assertRaises(NotBound, self.ks.unbind, "$.A.*", True)


if __name__ == "__main__":
    unittest.main()
