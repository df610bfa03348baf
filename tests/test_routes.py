# SPDX-License-Identifier: MIT
"""Routes in the tables of a bus: which binding is meant, which names are kept, what links see."""

import unittest

from buses import ThreeCase, closed_clean, hot_take, make_bus, names, read
from hots import texts
from limpet.core import Core
from limpet.errors import EAGAIN, EINVAL, ENOSPC
from limpet.send import ALL_OR_WAIT


class TestWhichBinding(ThreeCase):
    """Unbinding means the newest one of exactly that text, kind and Ksock."""

    def test_among_patterns(self):
        patterns = ("$.*", "$.A.*", "$.A.%", "$.%")
        for gone in patterns:
            for text in patterns:
                self.a.bind(text)
                self.b.bind(text)
                self.b.bind(text, True)
            self.a.unbind(gone)
            self.assertEqual(
                [b.text for b in self.a.hot.bound], [t for t in patterns if t != gone]
            )
            self.b.unbind(gone, True)
            kinds = [(b.text, b.replier) for b in self.b.hot.bound]
            self.assertEqual(len(kinds), 7)
            self.assertNotIn((gone, True), kinds)
            self.assertEqual(self.bus.unbind(self.b.hot, gone, True), -EINVAL)
            for ks in (self.a, self.b):
                for binding in list(ks.hot.bound):
                    ks.unbind(binding.text, binding.replier)

    def test_the_newest_of_equal_ones(self):
        """Wherever others are between them."""
        for text in ("$.A", "$.*"):
            self.a.bind(text)
            self.b.bind(text)
            self.a.bind(text)
            orders = [b.order for b in self.a.hot.bound]
            self.a.unbind(text)
            self.assertEqual([b.order for b in self.a.hot.bound], orders[:1])
            self.a.unbind(text)
            self.b.unbind(text)


class TestWhatLinksSee(ThreeCase):
    """What comes over a link goes to local repliers only, to the most specific of them."""

    def local(self):
        binding = self.name.local_replier
        return None if binding is None else binding.hot.id

    def test_the_most_specific_local_one(self):
        """In whatever order they are bound."""
        for order in (("$.A", "$.*", "$.%"), ("$.%", "$.*", "$.A"), ("$.*", "$.A", "$.%")):
            owners = {"$.A": self.a, "$.%": self.b, "$.*": self.c}
            for text in order:
                owners[text].bind(text, True)
            self.assertEqual(self.local(), self.a.id)
            self.a.unbind("$.A", True)
            self.assertEqual(self.local(), self.b.id)
            self.bus.bind(self.a.hot, "$.A", True, True)  # a link
            self.assertEqual((self.local(), self.bus.find_replier("$.A")), (self.b.id, self.a.id))
            self.b.unbind("$.%", True)
            self.assertEqual(self.local(), self.c.id)
            self.c.unbind("$.*", True)
            self.assertIsNone(self.local())
            self.a.unbind("$.A", True)

    def test_of_two_links_the_newer_one(self):
        """Until it goes."""
        for first, second in ((self.a, self.b), (self.b, self.a)):
            for ks in (first, second):
                self.bus.bind(ks.hot, "$.A", True, True)
                self.assertEqual(self.bus.find_replier("$.A"), ks.id)
            self.assertIs(self.name.replier.hot, second.hot)
            self.bus.unbind(second.hot, "$.A", True)
            self.assertIs(self.name.replier.hot, first.hot)
            self.bus.unbind(first.hot, "$.A", True)

    def test_the_version(self):
        """Changes with each local bind and unbind, by which links know that there is news."""
        version = self.bus.bindings.version
        for replier in (False, True):
            for call in (self.bus.bind, self.bus.unbind):
                self.assertEqual(call(self.a.hot, "$.A", replier), 0)
                self.assertNotEqual(self.bus.bindings.version, version)
                version = self.bus.bindings.version
        self.bus.bind(self.a.hot, "$.A", True, True)
        self.bus.unbind(self.a.hot, "$.A", True)
        self.bus.unbind(self.a.hot, "$.A", True)
        self.assertEqual(self.bus.bindings.version, version)


class TestKeptNames(unittest.TestCase):
    """A full table of names forgets those that nobody refers to, and no others."""

    def test_by_a_link(self):
        """Pinned, as long as it is."""
        core = Core(name_count=2)
        name = core.lookup("$.A")
        core.lookup("$.B").pins = 1
        for text in ("$.C", "$.D"):
            self.assertEqual(core.lookup(text).text, text)
            self.assertEqual(sorted(core.bindings.names), ["$.B", text])
        self.assertIsNot(core.lookup("$.A"), name)
        core.lookup("$.A").pins = 2
        self.assertEqual(core.lookup("$.E"), -ENOSPC)

    def test_of_a_request_that_is_out(self):
        """Others take turns beside it."""
        bus = make_bus(name_count=2)
        a, b = bus.ksock(), bus.ksock()
        a.bind("$.A", True)
        b.request("$.A")
        request = a.next()
        for text in ("$.B", "$.C", "$.D"):
            b.announce(text)
            self.assertEqual(sorted(bus.bindings.names), ["$.A", text])
        b.bind("$.*")
        a.reply(request, b"r")
        self.assertEqual([m.kind for m in read(b)], ["reply", "reply"])
        for text in ("$.E", "$.F", "$.G"):
            b.announce(text)
        self.assertEqual(names(b), ["$.E", "$.F", "$.G"])
        closed_clean(self, bus)

    def test_of_a_send_that_waits(self):
        """The same."""
        bus = make_bus(name_count=2, queue_size=1)
        a, b = bus.ksock(), bus.ksock()
        a.bind("$.A")
        b.announce("$.A", b"1")
        name = bus.find_name("$.A")
        self.assertEqual(b.hot.announce(name, b"w", -1, ALL_OR_WAIT), -EAGAIN)
        for text in ("$.B", "$.C", "$.D"):
            a.announce(text)
            self.assertEqual(sorted(bus.bindings.names), ["$.A", text])
        hot_take(a)
        self.assertTrue(b.hot.retry() > 0)
        for i in range(9):
            a.announce("$.N%d" % i)
        self.assertEqual(len(bus.bindings.names), 2)
        self.assertEqual(texts(a), [b"w"])
        closed_clean(self, bus)


if __name__ == "__main__":
    unittest.main()
