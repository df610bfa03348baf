# SPDX-License-Identifier: MIT
"""HELO of any sender at any time: strangers, echoes of yesterday, epochs that do not fit.

A stranger here is node 99; what it says is made by hand.
"""

import unittest

from limpet.link import DOWN, REFUSED, UP
from link_checker import Bench
from link_fuzz import helo, packets

NEED, PROBE, CLOSE = 1, 2, 4


def word(packet, at):
    """Return the four bytes there."""
    return int.from_bytes(packet[at : at + 4], "big")


class Case(unittest.TestCase):
    def lone(self):
        """Make a Bench whose end 1 is a stranger; return (bench, the HELOs that end 0 says)."""
        bench = Bench(3)
        bench.remove(1)
        return bench, self.said(bench)

    def said(self, bench):
        """Return a list that gets what end 0 says in HELO: (flags, epoch, echo)."""
        found = []

        def script(index, data):
            for packet in packets([data]):
                if packet[1] == 1:
                    found.append((packet[3], word(packet, 12), word(packet, 16)))
            return data

        bench.line.wires[0].script = script
        return found

    def together(self, line):
        """Return whether both are in the same session."""
        a, b = line.links
        return line.up() and a._session.peer == b.session and b._session.peer == a.session

    def hear(self, bench, **fields):
        bench.feed(0, helo(**fields))
        bench.line.run(5)


class Strangers(Case):
    def test_a_session_with_a_stranger(self):
        """Offer, echo, session: and its node and epochs are the neighbour's."""
        bench, said = self.lone()
        bench.line.run(10)
        flags, mine, echo = said[0]
        self.assertEqual((flags, echo), (NEED, 0))
        self.hear(bench, flags=NEED, epoch=0x12345)
        self.assertEqual(said[-1], (NEED, mine, 0x12345))
        self.hear(bench, flags=NEED, epoch=0x12345, echo=mine)
        link = bench.line.links[0]
        self.assertEqual((link.state, link.peer_node, link.peer_epoch), (UP, 99, 6))
        self.assertEqual(said[-1], (0, mine, 0x12345))

    def test_an_epoch_that_gives_no_fit_session_word(self):
        """The words 0 and 0xFFFF, and those of the last session, are never used: a new offer."""
        for wanted in (0, 0xFFFF):
            bench, said = self.lone()
            bench.line.run(10)
            mine = said[0][1]
            theirs = mine ^ 0x10000 ^ wanted
            self.hear(bench, flags=NEED, epoch=theirs, echo=mine)
            self.assertEqual(bench.line.links[0].state, DOWN)
            _, other, echo = said[-1]
            self.assertEqual(echo, theirs)
            self.assertTrue((other ^ theirs) & 0xFFFF not in (0, 0xFFFF))
            # What it was told before is worth nothing now; what it was told last is.
            self.hear(bench, flags=NEED, epoch=theirs, echo=mine)
            self.assertEqual(bench.line.links[0].state, DOWN)
            self.hear(bench, flags=NEED, epoch=theirs, echo=other)
            self.assertEqual(bench.line.links[0].state, UP)

    def test_an_echo_that_comes_after_the_end(self):
        """An offer made in a session is void when that has ended: who echoes it is asked anew."""
        bench = Bench(4).connect()
        bench.line.run(100)
        said = self.said(bench)
        self.hear(bench, flags=NEED, epoch=0x777)
        flags, offered, echo = said[-1]
        self.assertEqual((flags, echo), (NEED | PROBE, 0x777))
        bench.remove(1)
        bench.line.run(1500)
        self.assertEqual(bench.line.links[0].state, DOWN)
        self.hear(bench, flags=0, epoch=0x777, echo=offered)
        self.assertEqual(bench.line.links[0].state, DOWN)
        self.hear(bench, flags=0, epoch=0x777, echo=said[-1][1])
        self.assertEqual(bench.line.links[0].state, UP)

    def test_strangers_in_a_session(self):
        """Each is asked, and none of them touches the session or gets more than an answer."""
        bench = Bench(5).connect()
        bench.line.run(100)
        said = self.said(bench)
        for k in range(50):
            self.hear(bench, flags=NEED, epoch=0x1000 + k)
        self.assertTrue(0 < len(said) <= 50, len(said))
        for flags, _, _ in said:
            self.assertEqual(flags, NEED | PROBE)
        self.assertEqual([app.log for app in bench.apps], [["+"], ["+"]])
        self.assertEqual(bench.flows(0), "")

    def test_a_probe_is_for_who_has_lost_a_session(self):
        """In a session it is not answered; without one it is as good as an offer."""
        bench = Bench(6).connect()
        bench.line.run(100)
        said = self.said(bench)
        self.hear(bench, flags=NEED | PROBE, epoch=0x999)
        self.assertEqual(said, [])
        bench, said = self.lone()
        bench.line.run(10)
        self.hear(bench, flags=NEED | PROBE, epoch=0x999, echo=said[0][1])
        self.assertEqual(bench.line.links[0].state, UP)

    def test_twins_and_garbage_do_not_end_a_session(self):
        bench = Bench(7).connect()
        bench.line.run(100)
        session = bench.line.links[0].session
        for fields in (
            {"node": 11},
            {"node": 0},
            {"epoch": 0},
            {"flags": 8},
            {"flags": 16},
            {"flags": CLOSE},
            {"flags": CLOSE, "echo": session},
        ):
            self.hear(bench, **fields)
            self.assertEqual([app.log for app in bench.apps], [["+"], ["+"]], fields)
        self.assertEqual(bench.line.links[0].state, UP)
        self.assertEqual(bench.flows(0), "")

    def test_malformed_ones(self):
        """Counted as broken, not answered; the same just within the limits is right."""
        most = (1 << 30) - 1
        for bad, good in (
            ({"node": most + 1}, {"node": most}),
            ({"node_epoch": most + 1}, {"node_epoch": most}),
            ({"epoch": most + 1}, {"epoch": most}),
            ({"echo": most + 1}, {"echo": most}),
            ({"echo": 0xFFFFFFFF}, {"echo": 0}),
            ({"node": 0}, {"node": 1}),
            ({"epoch": 0}, {"epoch": 1}),
            ({"silence_ms": 19}, {"silence_ms": 20}),
            ({"text_size": 1}, {"text_size": 0}),
        ):
            bench, said = self.lone()
            bench.line.run(10)
            stats = bench.line.links[0].stats
            self.hear(bench, flags=NEED, **bad)
            self.assertEqual((stats.rx_bad, stats.helo_received, len(said)), (1, 0, 1), bad)
            self.hear(bench, flags=NEED, **good)
            self.assertEqual((stats.rx_bad, stats.helo_received, len(said)), (1, 1, 2), good)

    def test_no_epoch_is_used_twice(self):
        """Neither side's, nor what the checks start at twice in a row, over many sessions."""
        bench = Bench(9, {"silence_ms": 100})
        line = bench.line
        epochs = set()
        word = 0
        for n in range(60):
            self.assertTrue(line.until(lambda: self.together(line), 2500))
            pair = [link.session for link in line.links]
            self.assertEqual(len(epochs & set(pair)), 0, n)
            epochs.update(pair)
            last = word
            word = (pair[0] ^ pair[1]) & 0xFFFF
            self.assertTrue(word not in (0, 0xFFFF, last, last ^ 0xFFFF))
            if n & 1:
                bench.cut(n >> 1 & 1)
                line.run(300)
                bench.cut()
            else:
                line.restart(n >> 1 & 1)
            line.run(1)
        self.assertEqual(len(epochs), 120)

    def test_the_word_of_the_last_session_is_not_used_again(self):
        """Nor its complement: frames that are still on their way must fail."""
        for flip in (0, 0xFFFF):
            bench, said = self.lone()
            bench.line.run(10)
            first = said[0][1]
            self.hear(bench, flags=0, epoch=0x4321, echo=first)
            self.assertEqual(bench.line.links[0].state, UP)
            bench.line.run(1100)
            self.assertEqual(bench.line.links[0].state, DOWN)
            mine = said[-1][1]
            theirs = mine ^ 0x40000 ^ ((first ^ 0x4321) & 0xFFFF) ^ flip
            self.hear(bench, flags=NEED, epoch=theirs, echo=mine)
            self.assertEqual(bench.line.links[0].state, DOWN)
            self.assertTrue(said[-1][1] != mine)
            self.hear(bench, flags=NEED, epoch=theirs, echo=said[-1][1])
            self.assertEqual(bench.line.links[0].state, UP)


class Closes(Case):
    def test_it_takes_both_epochs(self):
        """Each of the two alone, or swapped, ends nothing; both end it at once."""
        bench = Bench(8).connect()
        bench.line.run(100)
        mine, theirs = (bench.line.links[i].session for i in range(2))
        for epoch, echo in ((theirs, 0), (theirs, mine ^ 1), (theirs ^ 1, mine), (mine, theirs)):
            self.hear(bench, flags=CLOSE, node=12, epoch=epoch, echo=echo)
            self.assertEqual(bench.apps[0].log, ["+"], (epoch, echo))
        self.hear(bench, flags=CLOSE, node=12, epoch=theirs, echo=mine)
        self.assertEqual(bench.apps[0].log[:2], ["+", "-"])
        self.assertEqual(bench.line.links[0].stats.closes, 1)

    def test_without_a_session_it_is_not_answered(self):
        bench, said = self.lone()
        bench.line.run(10)
        mine = said[0][1]
        before = len(said)
        for echo in (0, mine):
            self.hear(bench, flags=CLOSE, epoch=0x555, echo=echo)
            self.hear(bench, flags=CLOSE | NEED, epoch=0x555, echo=echo)
        self.assertEqual((len(said), bench.line.links[0].state), (before, DOWN))
        # And it was no offer: what goes out next echoes nobody.
        bench.line.run(500)
        self.assertEqual(said[-1], (NEED, mine, 0))

    def test_it_heals_no_refusal(self):
        bench, said = self.lone()
        self.hear(bench, node=11)
        self.assertEqual(bench.line.links[0].state, REFUSED)
        self.hear(bench, flags=CLOSE, epoch=0x555)
        self.assertEqual(bench.line.links[0].state, REFUSED)


if __name__ == "__main__":
    unittest.main()
