# SPDX-License-Identifier: MIT
"""However many HELO somebody without the key sends, the two who have it come and stay together.

What is sent: made up ones, ones of another version, recorded ones of the other end and of the same
end. keyed_bench.py says what else the attacker can do.
"""

import gc
import unittest

from keyed_bench import KeyedBench, altered, body, helo, is_helo, signed, weight
from limpet.link import UP
from limpet.rand import Random
from link_checker import STEP


def forged_helos(count, node, epochs):
    """Return HELO of a node without the key, some of which name epochs that are in use."""
    random = Random(9)
    made = []
    for k in range(count):
        fields = bytearray([random.below(256) for _ in range(27 + 24)])
        fields[0:4] = b"\x80\x01\x01" + bytes([16 | k & 7])
        for at in (8, 12, 16):
            fields[at] &= 0x3F
        fields[4:8] = bytes([0, 0, 0, node])
        for at, epoch in zip((12, 16), epochs):
            if k & 4:
                fields[at : at + 4] = epoch.to_bytes(4, "big")
        fields[20:27] = b"\xff\x08\x02\x28\x03\xe8\x00"
        made.append(helo(fields))
    return made


class Floods(unittest.TestCase):
    """However many HELO come: the real peer gets its session soon, and nothing grows."""

    CONNECT_MS = 1000
    EVERY_US = 2000
    KINDS = ("forged", "versions", "old", "reflected")

    def frames(self, bench, kind):
        """Return what to flood each end with."""
        if kind == "forged":
            return [forged_helos(24, 11 + i, self.epochs(bench)) for i in (1, 0)]
        old = bench.helos(16)
        if kind == "versions":
            return [[altered(data, 2, 3) for data in old[1 - i][:8]] for i in range(2)]
        return old if kind == "reflected" else [old[1], old[0]]

    def epochs(self, bench):
        return [link.session for link in bench.line.links]

    def attack(self, bench, frames, ms):
        for i in range(2):
            bench.flood(i, frames[i], self.EVERY_US, ms * 1000)

    def test_while_it_connects(self):
        for kind in self.KINDS:
            for loss in (0, 100):
                with self.subTest(kind, loss=loss):
                    bench = KeyedBench(5).connect()
                    frames = self.frames(bench, kind)
                    for i in range(2):
                        bench.line.wires[i].loss = loss
                        bench.line.restart(i)
                    self.attack(bench, frames, 6000)
                    self.assertTrue(bench.line.until(bench.line.up, self.CONNECT_MS))
                    self.assertEqual(bench.flows(), "")

    def test_while_it_comes_back(self):
        for kind in self.KINDS:
            for side in range(2):
                with self.subTest(kind, side=side):
                    bench = KeyedBench(5).connect()
                    frames = self.frames(bench, kind)
                    self.attack(bench, frames, 6000)
                    bench.line.run(200)
                    self.assertEqual(bench.flows(), "")
                    bench.line.restart(side)
                    link = bench.line.links[side]
                    self.assertTrue(
                        bench.line.until(lambda link=link: link.state == UP, self.CONNECT_MS)
                    )
                    self.assertEqual(bench.flows(self.CONNECT_MS), "")
                    self.assertEqual(link.stats.sessions, 1)

    def test_a_session_goes_on_and_ends_not(self):
        """Data get through beside the answers, and no session ends."""
        for kind in self.KINDS:
            with self.subTest(kind):
                bench = KeyedBench(5).connect()
                frames = self.frames(bench, kind)
                logs = [len(app.log) for app in bench.apps]
                self.attack(bench, frames, 3000)
                bench.line.run(200)
                for i in range(2):
                    bench.say(i, 40)
                self.assertTrue(bench.line.until(bench.arrived, 2500))
                self.assertEqual([len(app.log) for app in bench.apps], logs)
                self.assertEqual(bench.judge.faults, [])

    def test_nothing_grows(self):
        for kind in self.KINDS:
            with self.subTest(kind):
                bench = KeyedBench(5).connect()
                frames = self.frames(bench, kind)
                self.grows_not(bench, frames)
                bench.cut(0, 1)
                bench.line.restart(0)
                bench.line.restart(1)
                self.grows_not(bench, frames)

    def test_a_lost_confirm_and_a_stale_offer_after_it(self):
        """Neither waits for the other's silence limit."""
        bench = KeyedBench(5).connect()
        stale = bench.helos(3)
        for first in range(2):
            bench.line.restart(0)
            bench.line.restart(1)
            self.assertTrue(bench.take(1 - first) != b"")
            bench.inject(1 - first, bench.take(first))
            bench.inject(first, bench.take(1 - first))
            self.assertEqual(bench.line.links[first].state, UP)
            self.assertTrue(is_helo(bench.take(first)))
            bench.inject(1 - first, stale[first][0])
            self.assertTrue(bench.line.until(bench.line.up, 150))
            self.assertEqual(bench.flows(), "")

    def test_no_stale_helo_makes_an_epoch_unfit(self):
        """Whatever epochs Eve has recorded: what the real peer is about to echo stays."""
        for up in (False, True):
            bench = KeyedBench(5)
            fields = body(bench.take(0))
            if up:
                bench.connect()
            mine = self.offer(bench, fields, 1 << 20)
            for word in (0, 0xFFFF, bench.line.links[1].session & 0xFFFF):
                epoch = 1 << 20 | (mine & 0xFFFF) ^ word
                self.assertEqual(self.offer(bench, fields, epoch), mine)

    def offer(self, bench, fields, epoch):
        """Show end 1 a HELO with that epoch; return the next epoch that it then offers."""
        fields[12:16] = epoch.to_bytes(4, "big")
        bench.inject(1, signed(fields, b"recorded", bytes(8)))
        said = body(bench.take(1) or bench.take(1))
        self.assertEqual(said[16:20], fields[12:16])
        return int.from_bytes(said[12:16], "big")

    def test_each_offer_has_its_chance(self):
        """Of many that come between two answers none is sure of it, and none is left out."""
        bench = KeyedBench(5)
        fields = body(bench.take(0))
        rounds = 400 // STEP
        answered = [0] * 8
        bench.take(1)
        for _ in range(rounds):
            for k in range(8):
                fields[12:16] = (k + 1).to_bytes(4, "big")
                bench.inject(1, signed(fields, b"recorded", bytes(8)))
            answered[body(bench.take(1))[19] - 1] += 1
        self.assertTrue(min(answered) * 8 > rounds // 3, answered)
        self.assertTrue(max(answered) * 8 < rounds * 3, answered)

    def test_an_offer_does_not_take_the_place_of_a_confirm(self):
        bench = KeyedBench(5).connect()
        fields = body(bench.said[1][0])
        heard = [data for data in bench.said[0] if is_helo(data) and body(data)[3] & 1]
        for _ in range(8):
            fields[7] = 11
            fields[12] ^= 1
            bench.inject(1, heard[-1])
            bench.inject(1, signed(fields, b"recorded", bytes(8)))
            said = body(bench.take(1) or bench.take(1))
            self.assertEqual(said[3], 16)
            self.assertEqual(said[12:16], bench.line.links[1].session.to_bytes(4, "big"))

    def grows_not(self, bench, frames):
        found = []
        for _ in range(3):
            del bench.said[0][:]
            del bench.said[1][:]
            self.attack(bench, frames, 400)
            bench.line.run(1500)
            del bench.said[0][:]
            del bench.said[1][:]
            gc.collect()
            memory = gc.mem_alloc() if hasattr(gc, "mem_alloc") else 0
            found.append(([weight(link) for link in bench.line.links], memory))
        self.assertEqual(found[2][0], found[1][0])
        self.assertTrue(found[2][1] - found[1][1] < 1000, found)


if __name__ == "__main__":
    unittest.main()
