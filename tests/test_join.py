# SPDX-License-Identifier: MIT
"""Bus.join's arguments, each with what it does for two buses; and a bus that closes says so."""

import unittest

from helpers_bus import Case, Pair
from limpet import Bus
from limpet.header import NONE
from limpet.link import DOWN, REFUSED
from limpet.ticks import MS_MAX, ticks_add
from limpet.transport.loopback import DELIVER, LOSE, loopback

KEY = bytes(range(32))


class Joined(Case):
    def talk(self, count=20):
        """A request each way of every size that matters ends in its reply."""
        for size in range(count):
            serial = self.ask(bytes(size * 5))
            self.serve(data=None)
            self.assertEqual(self.near.answer(serial), ("reply", bytes(size * 5)))

    def test_a_reliable_wire(self):
        """Both sides say so: no acks, no repeats, and all the same promises."""
        self.make(join_a={"reliable": True}, join_b={"reliable": True})
        before = self.pair.limpets[0].link.stats.acks_sent
        self.talk()
        stats = self.pair.limpets[0].link.stats
        self.assertEqual(stats.tx_retransmit, 0)
        self.assertTrue(stats.acks_sent - before <= 10, stats.acks_sent)  # keep-alive
        self.assertEqual(self.pair.limpets[0].link.unacked(), 0)
        self.done()

    def test_one_side_takes_the_wire_for_reliable(self):
        pair = Pair(join_a={"reliable": True})
        pair.run(3000)
        for limpet in pair.limpets:
            self.assertEqual(limpet.link.state, REFUSED)
            self.assertTrue("reliable" in limpet.link.refusal)
            self.assertTrue("reliable" in limpet.describe())

    def test_small_packets(self):
        """The smaller packet counts; larger messages go in pieces."""
        self.make(join_a={"packet_size": 96})
        self.assertEqual(self.pair.limpets[1].link.payload_max, 92)
        self.talk()
        self.done()

    def test_a_key(self):
        self.make(join_a={"key": KEY}, join_b={"key": KEY})
        self.talk()
        self.done()

    def test_two_keys(self):
        pair = Pair(join_a={"key": KEY}, join_b={"key": KEY[1:]})
        pair.run(3000)
        for limpet in pair.limpets:
            self.assertEqual(limpet.link.state, REFUSED)
            self.assertTrue("key" in limpet.describe())
            self.assertTrue(limpet.link.stats.rx_forged > 3)
            self.assertEqual(limpet.link.stats.sessions, 0)

    def test_sides(self):
        self.make(join_a={"direction": 2})
        self.assertEqual([m.neighbour.direction for m in self.pair.limpets], [2, NONE])

    def test_refused_arguments(self):
        """Nothing of the link stays: no Ksock, no driver."""
        bus = Bus(node=5, seed=5)
        for options in (
            {"direction": 9},
            {"direction": -1},
            {"packet_size": 95},
            {"packet_size": 256},
            {"key": bytes(15)},
            {"key": bytes(65)},
            {"key": "a text"},
            {"window": 3},
        ):
            driver = loopback()[0]
            with self.assertRaises(ValueError):
                bus.join(driver, **options)
            self.assertEqual((len(bus.hots), bus.limpets, driver.is_open), (0, [], False))


class Closed(Case):
    def close(self):
        bus = self.pair.buses[1]
        bus.close()
        bus.runner.step = lambda now_ms: MS_MAX  # nobody pumps a closed bus

    def test_the_neighbour_is_told(self):
        """It knows at once, not when the silence limit has passed, and ends what it asked."""
        self.make()
        serial = self.ask()
        self.pair.run(5)
        self.close()
        self.pair.run(5)
        near = self.pair.limpets[0]
        self.assertEqual((near.link.state, near.link.stats.closes), (DOWN, 1))
        self.ends(serial, "Link.Lost", "unknown")

    def test_if_both_words_are_lost_silence_tells(self):
        self.make()
        self.pair.pipes[1].cut = True
        self.close()
        self.pair.run(900)
        near = self.pair.limpets[0]
        self.assertEqual(near.link.stats.closes, 0)
        self.pair.run(1100)
        self.assertEqual(near.link.state, DOWN)

    def test_lingering(self):
        """What was said before is heard, large or small, though the line loses some of it."""
        for linger_ms in (0, 3000):
            self.make(
                a={"slot_size": 900},
                b={"slot_size": 900},
                far={"listen": ["$.A"]},
                line={"delay_ms": 3},
            )
            self.pair.pipes[0].faults = lambda i: LOSE if i % 5 == 3 else DELIVER
            near, far = self.pair.buses
            near.waiter.wait = lambda ms, writing, bus=far: self.pass_time(bus, ms)
            for i in range(8):
                self.near.ks.announce("$.A", bytes([i]) * 800)
            near.close(linger_ms)
            for _ in range(20):
                self.pass_time(far, 5)
            self.far.read()
            heard = [data[0] for _, _, data in self.far.heard]
            self.assertEqual(heard, list(range(8)) if linger_ms else [])

    def pass_time(self, bus, ms):
        self.pair.now = ticks_add(self.pair.now, min(1, ms or 1))
        bus.runner.step(self.pair.now)

    def test_one_link_of_several(self):
        """A limpet that is closed tells its neighbour with the bus's next turn."""
        self.make()
        self.pair.limpets[1].close()
        self.pair.run(5)
        self.assertEqual(self.pair.limpets[0].link.stats.closes, 1)


if __name__ == "__main__":
    unittest.main()
