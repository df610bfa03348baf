# SPDX-License-Identifier: MIT
"""What a wildcard has matched: `msg.captured` and `msg.binding` tell, read in a log or not."""

import unittest

from buses import ThreeCase, read
from hots import Bell
from limpet.names import capture


class TestCapture(unittest.TestCase):
    """The words of a name that the wildcard of a pattern stands for."""

    def test_table(self):
        for pattern, name, words in (
            ("$.*", "$.A", "A"),
            ("$.*", "$.A.B.C", "A.B.C"),
            ("$.%", "$.Abc", "Abc"),
            ("$.A.*", "$.A.B", "B"),
            ("$.A.*", "$.A.B.C", "B.C"),
            ("$.A.%", "$.A.B", "B"),
            ("$.A.B.%", "$.A.B.Long5", "Long5"),
            ("$.A.B", "$.A.B", ""),
        ):
            self.assertEqual(capture(pattern, name), words)


class Case(ThreeCase):
    """What is captured of announcements, whichever way they come."""

    def each_way(self):
        """Yield thrice: as it is; on no log, as watched; among other bindings."""
        yield "plain"
        self.a.hot.set_watch(Bell())
        yield "watched"
        self.a.hot.watch = None
        self.a.bind("$.Other.*")
        yield "bound to more"

    def heard(self, *names):
        """Announce these twice; return what was captured of each, when read and again later."""
        for name in names:
            for _ in range(2):
                self.c.announce(name)
        messages = read(self.a)
        found = [m.captured for m in messages]
        self.assertEqual(found, [m.captured for m in messages])
        return found


class TestWords(Case):
    """A star captures one or more words, a percent sign one, a plain name none."""

    def test_star(self):
        self.a.bind("$.A.*")
        for way in self.each_way():
            self.assertEqual(self.heard("$.A.B", "$.A.B.C"), ["B", "B", "B.C", "B.C"], way)

    def test_percent(self):
        self.a.bind("$.A.%")
        for way in self.each_way():
            self.assertEqual(self.heard("$.A.B", "$.A.B.C", "$.A.Cd"), ["B", "B", "Cd", "Cd"], way)

    def test_none(self):
        self.a.bind("$.A.B")
        for way in self.each_way():
            self.assertEqual(self.heard("$.A.B"), ["", ""], way)

    def test_requests_and_answers(self):
        """A request's replier and its listeners capture; an answer was brought by no binding."""
        self.a.bind("$.A.*", True)
        self.b.bind("$.%")
        self.c.bind("$.*")
        self.b.bind("$.A.%")
        self.c.request("$.A.B")
        request = self.a.next()
        self.a.reply(request)
        self.assertEqual(request.captured, "B")
        self.assertEqual([m.captured for m in read(self.b)], ["B", "B"])
        got = [(m.kind, m.captured) for m in read(self.c)]
        self.assertEqual(got, [("request", "A.B"), ("reply", ""), ("reply", "A.B")])

    def test_handlers(self):
        """See what their own binding has captured."""
        found = []
        self.a.listener("$.*")(lambda m: found.append(("*", m.captured)))
        self.a.listener("$.A.%")(lambda m: found.append(("%", m.captured)))
        self.a.replier("$.R.%")(lambda m: found.append(("r", m.captured)))
        self.c.announce("$.A.B")
        self.c.request("$.R.X")
        self.bus.runner.step(0)
        self.assertEqual(found, [("%", "B"), ("*", "A.B"), ("r", "X"), ("*", "R.X")])


class TestLater(Case):
    """What a message has captured stays, whatever is bound and unbound after it was read."""

    def lived(self, change, again=None):
        for way in self.each_way():
            self.a.bind("$.A.*")
            for _ in range(3):
                self.c.announce("$.A.B")
            messages = [self.a.next() for _ in range(3)]
            change()
            self.assertEqual([m.captured for m in messages], ["B"] * 3, way)
            if self.bus.bindings.find(self.a.hot, "$.A.*", False) is not None:
                self.a.unbind("$.A.*")
            if again is not None:
                again()

    def test_unbound(self):
        self.lived(lambda: self.a.unbind("$.A.*"))

    def test_bound_to_another_pattern(self):
        self.lived(lambda: self.a.bind("$.*"), lambda: self.a.unbind("$.*"))
        self.lived(lambda: self.a.bind("$.A.B"), lambda: self.a.unbind("$.A.B"))

    def test_others_bind(self):
        self.lived(lambda: self.b.bind("$.*"), lambda: self.b.unbind("$.*"))

    def test_closed(self):
        for way in (False, True):
            ks = self.bus.ksock()
            ks.bind("$.A.*")
            if way:
                ks.hot.set_watch(Bell())
            for _ in range(3):
                self.c.announce("$.A.B")
            messages = [ks.next() for _ in range(3)]
            ks.close()
            self.assertEqual([m.captured for m in messages], ["B"] * 3, way)


class TestUnread(Case):
    """Unread messages capture by the binding that was there when they were sent."""

    def test_a_new_binding(self):
        for way in self.each_way():
            self.a.bind("$.A.*")
            for _ in range(3):
                self.c.announce("$.A.B")
            self.a.bind("$.*")
            self.c.announce("$.A.B")
            found = [(m.captured, m.binding.text) for m in read(self.a)]
            expected = [("B", "$.A.*")] * 3 + [("A.B", "$.*"), ("B", "$.A.*")]
            self.assertEqual(found, expected, way)
            self.a.unbind("$.A.*")
            self.a.unbind("$.*")

    def test_several_bindings(self):
        """Each has its own copy and captures for itself; the newest binding's copy comes first."""
        for text in ("$.*", "$.A.%", "$.A.B"):
            self.a.bind(text)
        self.assertEqual(self.heard("$.A.B"), ["", "B", "A.B"] * 2)
        self.assertEqual(self.heard("$.A.B.C"), ["A.B.C"] * 2)

    def test_once(self):
        """The one copy is that of the newest binding."""
        self.a.hot.want_once(True)
        self.a.bind("$.A.*")
        self.a.bind("$.*")
        self.assertEqual(self.heard("$.A.B"), ["A.B"] * 2)


if __name__ == "__main__":
    unittest.main()
