# SPDX-License-Identifier: MIT
"""The promise under faults: loss, noise, doubles, cuts and resets, the same on all VMs."""

import unittest

from helpers_bus import Pair, Reader
from limpet.rand import Random
from limpet.transport.loopback import CORRUPT, DELIVER, DUPLICATE, LOSE, TRUNCATE
from world import World

# What the scenario prints everywhere; a change of behaviour, timing or wire changes it.
TRACE = 12926141


def noise(seed, share):
    """Return a function that gives `share` of 100 frames one of all harms."""
    random = Random(seed)
    harms = (LOSE, CORRUPT, DUPLICATE, TRUNCATE)

    def fate(index):
        return harms[random.below(4)] if random.below(100) < share else DELIVER

    return fate


class Case(unittest.TestCase):
    def finish(self, world, *kinds):
        """Check the promise, and that each of `kinds` has happened."""
        self.assertEqual(world.finish(), "")
        for kind in kinds:
            self.assertGreater(world.ledger.counts.get(kind, 0), 0, kind)
        self.assertGreater(world.ledger.counts["requests"], 20)


class TestPromise(Case):
    def test_a_good_line(self):
        """Without faults nothing is lost: each request has a reply, a failure or its deadline."""
        world = World(1)
        for _ in range(100):
            world.turn(20)
        self.finish(world, "reply", "Replier.Failed", "Replier.Expired", "heard")
        counts = world.ledger.counts
        self.assertEqual([k for k in counts if k.startswith("Link")], [])
        self.assertEqual(counts["heard"], sum([a.said for a in world.actors]) * 2)

    def test_noise(self):
        """Every harm to frames, up to two of five, both ways."""
        for seed, share in ((2, 5), (3, 20), (4, 40)):
            with self.subTest(seed=seed):
                world = World(seed, {"delay_ms": 3})
                for i in range(2):
                    world.pair.pipes[i].faults = noise(seed + i, share)
                for _ in range(60):
                    world.turn(20)
                self.finish(world, "reply", "heard")
                stats = world.pair.limpets[0].link.stats
                self.assertGreater(stats.tx_retransmit, 0)

    def test_cuts(self):
        """The line breaks, one way or both, for less and for more than the silence limit."""
        for seed in (5, 6):
            with self.subTest(seed=seed):
                world = World(seed)
                for _ in range(8):
                    for _ in range(8):
                        world.turn(20)
                    which = world.random.below(3)
                    for i in range(2):
                        world.pair.pipes[i].cut = which in (i, 2)
                    for _ in range((3, 30, 75)[world.random.below(3)]):
                        world.turn(20, world.random.below(4) == 0)
                    world.pair.cut(False)
                self.finish(world, "reply", "Link.Lost")

    def test_resets(self):
        """Either side loses its power, again and again, amid traffic and noise."""
        for seed in (7, 8):
            with self.subTest(seed=seed):
                world = World(seed)
                for i in range(2):
                    world.pair.pipes[i].faults = noise(seed + i, 5)
                for _ in range(12):
                    for _ in range(world.random.below(20)):
                        world.turn(1 + world.random.below(30))
                    world.reset(world.random.below(2))
                self.finish(world, "reply", "Link.Lost")

    def test_repliers_come_and_go(self):
        world = World(9)
        for _ in range(120):
            world.turn(10)
            if world.random.below(6) == 0:
                world.actors[world.random.below(2)].rebind()
        self.finish(world, "reply", "Replier.Unbound", "Replier.GoneAway", "Replier.Ignored")

    def test_little_room(self):
        """Few slots and short queues: more is refused, nothing else changes."""
        for seed in (10, 11):
            with self.subTest(seed=seed):
                world = World(seed, None, {"slot_count": 6, "queue_size": 3})
                for i in range(2):
                    world.pair.pipes[i].faults = noise(seed + i, 10)
                for _ in range(100):
                    world.turn(10)
                self.finish(world, "reply", "refused")


class TestSame(Case):
    def test_trace(self):
        """All of it at once: what happens, and in which order, is the same on every VM."""
        world = World(12, {"delay_ms": 2})
        for i in range(2):
            world.pair.pipes[i].faults = noise(12 + i, 10)
        for i in range(60):
            world.turn(1 + world.random.below(30))
            chance = world.random.below(40)
            if chance == 0:
                world.reset(world.random.below(2))
            elif chance == 1:
                world.actors[world.random.below(2)].rebind()
            world.pair.pipes[0].cut = 40 < i < 44
        self.finish(world, "reply")
        for limpet in world.pair.limpets:
            stats = limpet.link.stats
            world.ledger.note(stats.rx_frames, stats.tx_frames, stats.rx_bad, stats.tx_retransmit)
            world.ledger.note(limpet.stats.requests_sent, limpet.stats.answers_received)
        self.assertEqual(world.ledger.trace, TRACE)


def cut_at(budget, side, victims):
    """Cut what `side` sends after `budget` bytes, reset `victims`, go on; return faults."""
    pair = Pair(seed=budget * 8 + side)
    far = Reader(pair.buses[1], replier=["$.Far"])
    near = Reader(pair.buses[0], listen=["$.News"])
    ran = []
    asked = []
    ended = []

    def turn(ms):
        for _ in range(0, ms, 10):
            pair.run(10)
            for message in far.read():
                ran.append(message.data)
                far.ks.announce("$.News", message.data)
                far.ks.reply(message, message.data)
            near.read()

    def ask(text):
        try:
            asked.append((near, near.ks.request("$.Far", text, None), text))
        except OSError:
            pass

    pair.drivers[side].budget = budget
    for i in range(4):
        turn(30)
        ask(b"%d" % i)
    turn(30)
    for victim in victims:
        if victim == 0:
            near = Reader(pair.reset(0), listen=["$.News"])
        else:
            far = Reader(pair.reset(1), replier=["$.Far"])
    pair.drivers[side].budget = -1
    turn(1500)
    pair.connect()
    ask(b"last")
    turn(100)
    faults = []
    for reader, serial, text in asked:
        kind, data = reader.answer(serial)
        ended.append(kind)
        if not kind and reader is near:
            faults.append("no end of %r" % text)
        if kind == "reply" and data != text or kind not in ("", "reply", "Link.Lost", "Link.Down"):
            faults.append("%r: %s %r" % (text, kind, data))
        if kind == "reply" and text not in ran or kind == "Link.Down" and text in ran:
            faults.append("a lie: %r %s" % (text, kind))
    if len(set(ran)) != len(ran) or ran != sorted(ran):
        faults.append("ran %r" % ran)
    if ended[-1:] != ["reply"]:
        faults.append("does not work any more")
    pair.close()
    if pair.leaks():
        faults.append(pair.leaks())
    return "\n".join(faults)


VICTIMS = ((0,), (1,), (0, 1), ())


class TestBoundaries(unittest.TestCase):
    def test_a_reset_in_the_midst_of_a_frame(self):
        """Bytes stop anywhere in a session, sides lose their power, and all goes on by itself."""
        for side in range(2):
            for budget in range(side, 200, 11):
                victims = VICTIMS[budget % 4]
                faults = cut_at(budget, side, victims)
                self.assertEqual(faults, "", (budget, side, victims))


if __name__ == "__main__":
    unittest.main()
