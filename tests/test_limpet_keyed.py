# SPDX-License-Identifier: MIT
"""bus.join(key=...): the same promises with a key, and none of the bus to who has another one."""

import unittest

from helpers_bus import Pair, Reader
from limpet import Bus, NoReplier
from limpet.rand import Random
from limpet.transport.loopback import loopback
from test_limpet_faults import noise
from world import World

KEY = b"a key for the tests of buses"


class Case(unittest.TestCase):
    """Nonces come from a seed, so that a run is the same each time."""

    def setUp(self):
        import limpet.bus  # at the top it would be a level too deep for the 32-bit VM

        self.module = limpet.bus
        self.saved = self.module.entropy
        self.module.entropy = Random(77).next

    def tearDown(self):
        self.module.entropy = self.saved


class TestPromise(Case):
    def world(self, seed):
        world = World(seed)
        world.pair.joins = [{"key": KEY}, {"key": KEY}]
        for side in range(2):
            world.reset(side)
        world.pair.connect()
        return world

    def test_noise_and_resets(self):
        for seed in (3, 7):
            with self.subTest(seed=seed):
                world = self.world(seed)
                for i in range(2):
                    world.pair.pipes[i].faults = noise(seed + i, 8)
                for _ in range(8):
                    for _ in range(world.random.below(20)):
                        world.turn(1 + world.random.below(30))
                    world.reset(world.random.below(2))
                self.assertEqual(world.finish(), "")
                for kind in ("reply", "Link.Lost", "heard"):
                    self.assertGreater(world.ledger.counts.get(kind, 0), 0, kind)
                stats = world.pair.limpets[0].link.stats
                self.assertEqual(stats.rx_forged, 0)


class TestKeys(Case):
    def test_the_same(self):
        pair = Pair(join_a={"key": KEY}, join_b={"key": bytearray(KEY)})
        far = Reader(pair.buses[1], replier=["$.Far"])
        near = Reader(pair.buses[0])
        pair.connect()
        serial = near.ks.request("$.Far", b"?", None)
        pair.run(50)
        far.ks.reply(far.read()[0], b"!")
        pair.run(50)
        self.assertEqual(near.answer(serial), ("reply", b"!"))
        pair.close()

    def test_another_or_none(self):
        """Nothing is known of the other bus, both sides say why, and the right key heals it."""
        for key, here, there in (
            (b"an other key of some bytes", "another key", "another key"),
            (None, "no key", "has a key"),
        ):
            pair = Pair(join_a={"key": KEY}, join_b={"key": key} if key else {})
            Reader(pair.buses[1], replier=["$.Far"])
            near = Reader(pair.buses[0])
            pair.run(3000)
            self.assertIn(here, pair.limpets[0].describe())
            self.assertIn(there, pair.limpets[1].describe())
            self.assertRaises(NoReplier, near.ks.request, "$.Far")
            self.assertGreater(pair.limpets[0].link.stats.rx_forged, 0)
            pair.joins[1] = {"key": KEY}
            pair.reset(1)
            pair.connect()
            self.assertIn("is up", pair.limpets[0].describe())
            pair.close()

    def test_no_good_key(self):
        """A ValueError, before anything is opened; no Ksock and no link stays."""
        bus = Bus(node=1)
        used = bus.usage()
        for key in (b"", bytes(15), "0123456789abcdef", bytes(65)):
            self.assertRaises(ValueError, bus.join, loopback()[0], key=key)
        self.assertEqual(str(bus.usage()), str(used))
        self.assertEqual(bus.limpets, [])
        bus.close()

    def test_each_link_has_its_own(self):
        """Two links of one bus, two keys: each neighbour gets its session, not the other's."""
        hub = Pair(a={"node": 1}, b={"node": 2}, join_a={"key": KEY}, join_b={"key": KEY})
        edge = Bus(node=3, seed=3)
        ends = loopback(seed=9)
        hub.buses[1].join(ends[0], key=b"the key of the other link")
        wrong = edge.join(ends[1], key=KEY)
        for _ in range(800):
            hub.run(1)
            edge.runner.step(hub.now)
        told = [m.describe() for m in hub.buses[1].limpets]
        self.assertIn("link 0 is up", told[0])
        self.assertIn("another key", told[1])
        self.assertEqual(wrong.link.stats.sessions, 0)
        edge.close()
        hub.close()


if __name__ == "__main__":
    unittest.main()
