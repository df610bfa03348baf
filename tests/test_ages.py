# SPDX-License-Identifier: MIT
"""When slots run out the oldest message goes, whoever sent it and wherever it lies."""

import unittest

from buses import ThreeCase, hot_take, read
from hots import taken, texts
from limpet.send import STAGED, URGENT


class Case(ThreeCase):
    """a listens to $.A, b to $.B; the sender fills four slots and more."""

    SIZES = {"slot_count": 4}

    def setUp(self):
        super().setUp()
        self.a.bind("$.A")
        self.b.bind("$.B")
        self.names = {"a": self.bus.name("$.A"), "b": self.bus.name("$.B")}
        self.foreign = 0

    def send(self, *what):
        """Send "a1": data b"1" to a; "b2+": urgent; "a3@": from another node; all in one go."""
        for word in what:
            hot, flags = self.c.hot, 0
            if "+" in word:
                flags = URGENT
            if "@" in word:
                self.foreign += 1
                hot.net, hot.serial = 5 + self.foreign % 2, 100 - self.foreign
                flags |= STAGED
            self.assertTrue(hot.announce(self.names[word[0]], word[1:2].encode(), -1, flags) > 0)
            hot.unstage()

    def left(self):
        """Return what a and b have, as one text each; nothing is in use then."""
        found = b"".join(texts(self.a)), b"".join(texts(self.b))
        self.a.hot.release()
        self.b.hot.release()
        return found


class TestOfThisBus(Case):
    """The smaller number is the older one."""

    def test_in_turns(self):
        self.send("b1", "a2", "a3", "b4", "b5")
        self.assertEqual(self.left(), (b"23", b"45"))
        self.send("a1", "b2", "b3", "a4", "a5", "b6")
        self.assertEqual(self.left(), (b"45", b"36"))

    def test_urgent_ones_lie_in_front(self):
        """And may be newer than those behind them."""
        self.send("b1", "a2", "a3+", "b4+", "b5", "a6+")
        self.assertEqual(self.left(), (b"63", b"45"))
        self.send("a1", "a2+", "a3+", "b4", "b5", "b6", "b7")
        self.assertEqual(self.left(), (b"", b"4567"))
        self.assertEqual(self.a.hot.missed_next, 4)  # with that of before
        self.a.hot.lose(0)
        self.send("a1+", "a2", "b3", "b4", "b5")
        self.assertEqual(self.left(), (b"2", b"345"))

    def test_an_urgent_one_behind_requests(self):
        """What is held is passed over, wherever it lies."""
        self.a.bind("$.R", True)
        self.c.hot.request(self.bus.name("$.R"), b"q")
        self.send("a1+", "b2", "a3")
        self.assertEqual(self.left(), (b"q3", b"2"))

    def test_both_have_it(self):
        """It goes from both, and both are told."""
        self.b.bind("$.A")
        self.send("a1", "b2", "a3", "a4", "b5")
        self.assertEqual(taken(self.a), [(1, b"3"), (0, b"4")])
        self.assertEqual(taken(self.b), [(1, b"2"), (0, b"3"), (0, b"4"), (0, b"5")])


class TestFromElsewhere(Case):
    """Numbers of other nodes say nothing; what counts is when it came."""

    def test_among_themselves(self):
        for first, second in (("a", "b"), ("b", "a")):
            words = [first + "1@", second + "2@", second + "3@", first + "4@", first + "5@"]
            self.send(*words)
            left = self.left()
            self.assertEqual(left, (b"45", b"23") if first == "a" else (b"23", b"45"))

    def test_with_others(self):
        for words, left in (
            (("b1", "a2@", "a3", "b4@", "b5"), (b"23", b"45")),
            (("b1@", "a2", "a3@", "b4", "b5@"), (b"23", b"45")),
            (("a1@", "b2", "b3", "a4@", "a5"), (b"45", b"23")),
            (("a1", "b2@", "b3@", "a4", "a5@", "a6"), (b"456", b"3")),
            (("b1@", "b2@", "a3", "a4", "b5", "b6"), (b"34", b"56")),
        ):
            self.send(*words)
            self.assertEqual(self.left(), left)

    def test_many(self):
        """However many have come from elsewhere, without one of this bus between them."""
        for i in range(40):
            self.send("ab"[i % 2] + "%d@" % (i % 10))
        self.assertEqual(self.left(), (b"68", b"79"))
        self.assertEqual(self.bus.pool.dropped, 36)


class TestAnswers(Case):
    """A listener's copy of an answer is as old as the answer, not as its request."""

    SIZES = {"slot_count": 6}

    def test_a_reply(self):
        self.a.bind("$.R", True)
        self.b.bind("$.R")
        self.c.request("$.R", b"q")
        request = self.a.next()
        self.send("a1", "a2")
        self.a.reply(request, b"r")
        read(self.c)
        self.send("a3", "a4", "a5")
        self.assertEqual(taken(self.a), [(0, b"%d" % i) for i in (1, 2, 3, 4, 5)][-5:])
        self.assertEqual(taken(self.b), [(1, b"r")])

    def test_a_reply_from_elsewhere(self):
        """It came later than an announcement from elsewhere, though both have foreign numbers."""
        self.a.bind("$.R", True)
        self.c.request("$.R", b"q")
        request = self.a.next()
        self.send("a1@")
        hot = self.a.hot
        hot.net, hot.serial, hot.name = 7, 3, self.names["b"]
        self.assertTrue(hot.reply(request, b"r", -1, STAGED) > 0)
        hot.unstage()
        read(self.c)
        self.send("a2@", "a3@", "a4@", "a5@", "a6@")
        self.assertEqual(taken(self.b), [(0, b"r")])
        self.assertEqual(taken(self.a)[0], (1, b"2"))

    def test_what_was_read_is_not_what_is_unread(self):
        """A copy in a view stays; its place in the order does not matter any more."""
        self.send("a1", "b2", "a3", "b4", "a5", "b6")
        view = hot_take(self.a)
        self.send("a7", "b8")
        self.assertEqual((view[0], self.left()), (ord("1"), (b"57", b"468")))


if __name__ == "__main__":
    unittest.main()
