# SPDX-License-Identifier: MIT
"""Urgent before bulk without starving it; the unreliable channel; MFMT packets.

All in virtual time; link_services.py judges what comes.
"""

import unittest

from link_checker import STEP
from link_services import BULK, MFMT, RELIABLE, URGENT, Served

SURE_URGENT = URGENT | RELIABLE
SURE_BULK = BULK | RELIABLE


class Case(unittest.TestCase):
    def good(self, bench, what=None):
        for desk in bench.desks:
            desk.endless = {}
        bench.hush()
        self.assertTrue(bench.line.until(bench.settled, 5000), what)
        self.assertEqual(bench.judge.faults, [], what)
        self.assertEqual([app.log for app in bench.apps], [["+"], ["+"]], what)


class Classes(Case):
    def test_urgent_overtakes_bulk(self):
        """A lone urgent packet amid endless bulk waits for one frame of it, not for the window."""
        for window in (2, 8, 64):
            for limpet in (False, True):
                bench = Served(3, {"window": window}, {"jitter_us": 0}).connect()
                desk = bench.desks[0]
                desk.endless = {SURE_BULK: 240}
                bench.run(400)
                for _ in range(20 // STEP):
                    bench.run(45)
                    self.lone(bench, limpet)
                self.good(bench, window)

    def lone(self, bench, limpet):
        before = bench.apps[1].total + bench.desks[1].got.get(SURE_URGENT, 0)
        start = bench.line.now_us
        if limpet:
            bench.say(0, 1, 20)
        else:
            bench.desks[0].put(SURE_URGENT, 1, 20)

        def came():
            return bench.apps[1].total + bench.desks[1].got.get(SURE_URGENT, 0) > before

        self.assertTrue(bench.line.until(came, 200))
        # The frame on the wire (22 ms), with a small window one more; and its own way, 4 ms.
        limit = 28 if bench.line.links[0].window > 4 else 56
        self.assertTrue(bench.line.now_us - start < limit * 1000, bench.line.now_us - start)

    def test_bulk_is_not_starved(self):
        """Under endless urgent traffic of limpet and services, each eighth frame is bulk."""
        for limpet in (False, True):
            for window in (1, 4, 16):
                bench = Served(4, {"window": window}).connect()
                desk = bench.desks[0]
                desk.endless = {SURE_URGENT: 60, SURE_BULK: 60}
                if limpet:
                    bench.say(0, -1, 60)
                bench.run(3000 // STEP)
                got = bench.desks[1].got
                urgent = got[SURE_URGENT] + bench.apps[1].total
                share = 100 * got[SURE_BULK] // (urgent + got[SURE_BULK])
                self.assertTrue(11 <= share <= 13, (limpet, window, share))
                self.good(bench)

    def test_limpet_and_services_take_turns(self):
        bench = Served(5).connect()
        bench.desks[0].endless = {SURE_URGENT: 60}
        bench.say(0, -1, 60)
        bench.run(2000 // STEP)
        services = bench.desks[1].got[SURE_URGENT]
        share = 100 * services // (services + bench.apps[1].total)
        self.assertTrue(40 <= share <= 60, share)
        self.good(bench)

    def test_all_kinds_at_once_on_a_bad_line(self):
        """Both ways, limpet and services, urgent and bulk: each in order, and none is lost."""
        for seed in range(0, 10, STEP):
            options = {"window": (1, 2, 4, 16, 64)[seed % 5], "silence_ms": 3000}
            bench = Served(seed, options).connect()
            for wire in bench.line.wires:
                wire.loss = (0, 50, 100)[seed % 3]
            for i in range(2):
                bench.desks[i].endless = {
                    SURE_URGENT: 20 + seed,
                    SURE_BULK: 150,
                    URGENT: 30,
                    BULK: 100,
                }
                bench.say(i, -1, 50)
            for _ in range(30):
                for desk in bench.desks:
                    desk.put(MFMT, 1, 12)
                bench.run(100)
            for desk in bench.desks:
                for kind in (SURE_URGENT, SURE_BULK, URGENT, BULK, MFMT):
                    self.assertTrue(desk.got.get(kind, 0) > 5, (seed, kind, desk.got))
            self.good(bench, seed)

    def test_bulk_leaves_a_place_in_the_window(self):
        """With all acks lost, bulk fills the window but for one place; urgent fills it."""
        bench = Served(6, {"window": 8, "silence_ms": 20000}).connect()
        bench.line.run(200)
        bench.cut(1)
        desk = bench.desks[0]
        desk.put(SURE_BULK, 12, 20)
        bench.line.run(300)
        link = bench.line.links[0]
        self.assertEqual(link.unacked(), 7)
        bench.line.side = 0
        for _ in range(3):  # a driver may ask at any time
            link.take(bytearray(300), bench.line.now())
            self.assertEqual(link.unacked(), 7)
        desk.put(SURE_URGENT, 3, 20)
        bench.line.run(300)
        self.assertEqual(bench.line.links[0].unacked(), 8)
        self.assertEqual(bench.desks[1].got, {SURE_BULK: 7, SURE_URGENT: 1})
        bench.cut()
        self.good(bench)

    def test_the_largest_and_the_smallest(self):
        for kind in (SURE_URGENT, SURE_BULK, URGENT, BULK, MFMT):
            bench = Served(7, {"packet_size": 96}).connect()
            most = bench.line.links[0].neighbour.payload_max
            self.assertEqual(most, 92)
            for size in (6, 7, most - 1, most):
                bench.desks[0].put(kind, 1, size)
            bench.line.run(300)
            self.assertEqual(bench.desks[1].got, {kind: 4})
            self.good(bench)


class Unreliable(Case):
    def test_a_clean_line_loses_none(self):
        bench = Served(8).connect()
        for _ in range(60):
            self.assertEqual(bench.desks[0].put(URGENT, 4, 30), 4)
            self.assertEqual(bench.desks[0].put(BULK, 4, 30), 4)
            bench.line.run(60)
        self.assertEqual(bench.desks[1].got, {URGENT: 240, BULK: 240})
        link = bench.line.links[0]
        self.assertEqual((link.unacked(), link.stats.tx_retransmit), (0, 0))
        self.good(bench)

    def test_what_is_lost_stays_lost(self):
        bench = Served(9).connect()
        for wire in bench.line.wires:
            wire.loss = 200
        sent = 0
        for _ in range(100):
            sent += bench.desks[0].put(URGENT, 5, 30)
            bench.line.run(60)
        got = bench.desks[1].got[URGENT]
        self.assertTrue(sent * 7 // 10 < got < sent * 9 // 10, (got, sent))
        self.assertEqual(bench.line.links[0].stats.tx_retransmit, 0)
        self.good(bench)

    def test_a_full_window_does_not_stop_it(self):
        bench = Served(10, {"window": 2, "silence_ms": 20000}).connect()
        bench.cut(1)
        bench.desks[0].put(SURE_URGENT, 9, 30)
        bench.line.run(300)
        self.assertEqual(bench.line.links[0].unacked(), 2)
        before = bench.desks[1].got.get(URGENT, 0)
        bench.desks[0].put(URGENT, 5, 30)
        bench.desks[0].put(MFMT, 5, 30)
        bench.desks[0].put(BULK, 5, 30)
        bench.line.run(100)
        got = bench.desks[1].got
        # They wait behind reliable packets of their own rank; MFMT and bulk have none here.
        self.assertEqual((got.get(MFMT), got.get(BULK)), (5, 5))
        self.assertEqual(got.get(URGENT, 0), before)
        bench.cut()
        self.good(bench)
        bench.line.run(100)
        self.assertEqual(got[URGENT], 5)

    def test_no_credit_does_not_stop_it(self):
        """A receiver without room for reliable packets still gets the others."""
        bench = Served(11, {"window": 4}).connect()
        bench.desks[1].places = 0
        bench.desks[0].put(SURE_BULK, 10, 30)
        bench.line.run(300)
        bench.desks[0].put(URGENT, 5, 30)
        bench.line.run(100)
        self.assertEqual(bench.desks[1].got, {URGENT: 5})
        bench.desks[1].places = 100
        self.good(bench)

    def test_nobody_serves_it(self):
        """It is counted, acknowledged where it was reliable, and nothing waits for it."""
        for kind in (SURE_URGENT, SURE_BULK, URGENT, BULK, MFMT):
            bench = Served(12).connect()
            bench.desks[1].knows = False
            bench.desks[0].put(kind, 12, 30)
            bench.say(0, 5)
            bench.line.run(500)
            link = bench.line.links[1]
            self.assertEqual(link.stats.rx_unknown, 12)
            self.assertEqual((bench.line.links[0].unacked(), bench.apps[1].total), (0, 5))
            link.neighbour.tile = None
            bench.desks[0].put(kind, 3, 30)
            bench.line.run(500)
            self.assertEqual(link.stats.rx_unknown, 15)
            self.assertEqual(bench.line.links[0].unacked(), 0)


class Mfmt(Case):
    def test_before_everything_else(self):
        bench = Served(13, None, {"jitter_us": 0}).connect()
        bench.desks[0].endless = {SURE_BULK: 200, SURE_URGENT: 200}
        bench.say(0, -1, 200)
        bench.run(300)
        for _ in range(20):
            before = bench.desks[1].got.get(MFMT, 0)
            start = bench.line.now_us
            bench.desks[0].put(MFMT, 1, 10)
            bench.line.until(lambda n=before: bench.desks[1].got.get(MFMT, 0) > n, 200)
            self.assertTrue(bench.line.now_us - start < 23000, bench.line.now_us - start)
            bench.run(30)
        self.good(bench)

    def test_the_others_get_a_turn(self):
        """Endless MFMT leaves one frame in nine: reliable packets, resends and acks go on."""
        bench = Served(16).connect()
        for wire in bench.line.wires:
            wire.loss = 20
        for desk in bench.desks:
            desk.endless = {MFMT: 40, SURE_BULK: 60, SURE_URGENT: 60}
        bench.run(6000 // STEP)
        for desk in bench.desks:
            sure = desk.got[SURE_BULK] + desk.got[SURE_URGENT]
            share = 100 * sure // (desk.got[MFMT] + sure)
            self.assertTrue(6 <= share <= 14, (share, desk.got))
        self.good(bench)

    def test_only_between_compatible_tiles(self):
        """The strings differ: MFMT packets are counted, the other kinds come."""
        options = [{"compatibility": "physics 7"}, {"compatibility": "physics 8"}]
        bench = Served(14, options).connect()
        bench.desks[0].put(MFMT, 3, 10)
        bench.desks[0].put(SURE_URGENT, 3, 10)
        bench.desks[0].put(URGENT, 3, 10)
        bench.line.run(200)
        self.assertEqual(bench.desks[1].got, {SURE_URGENT: 3, URGENT: 3})
        self.assertEqual(bench.line.links[1].stats.rx_closed, 3)
        self.good(bench)

    def test_one_byte(self):
        """A packet of one byte, its header, is a packet."""
        bench = Served(15).connect()
        seen = []
        bench.desks[1].receive = lambda n, packet, start, end: (
            seen.append(bytes(packet[:end])) or True
        )
        bench.desks[0].out.put(b"\xa3")
        bench.desks[0].wake()
        bench.line.run(100)
        self.assertEqual(seen, [b"\xa0"])


if __name__ == "__main__":
    unittest.main()
