# SPDX-License-Identifier: MIT
"""A receiver that has no room says so: the sender stops, asks now and then, and nothing is lost.

All in virtual time; link_services.py judges what comes.
"""

import unittest

from link_checker import STEP
from link_fuzz import packets
from link_services import BULK, RELIABLE, URGENT, Served

SURE = URGENT | RELIABLE
SURE_BULK = BULK | RELIABLE
HELD_MS = 5000  # so long a packet waits for room


class Case(unittest.TestCase):
    def good(self, bench, what=None, dropped=0):
        for desk in bench.desks:
            desk.endless = {}
            desk.places = 1 << 20
        bench.hush()
        self.assertTrue(bench.line.until(bench.settled, 5000), what)
        self.unbroken(bench, what, dropped)

    def unbroken(self, bench, what=None, dropped=0):
        """Check that no session ended, and that hardly anything went beyond the credit."""
        self.assertEqual(bench.judge.faults, [], what)
        self.assertEqual([app.log for app in bench.apps], [["+"], ["+"]], what)
        for link in bench.line.links:
            self.assertTrue(link.stats.rx_dropped <= dropped, (what, link.stats.rx_dropped))


class Full(Case):
    def test_a_full_receiver_that_says_so(self):
        """Credit 0: not a frame more, but questions; then all comes, at once and in order."""
        for window in (1, 2, 8, 64):
            bench = Served(3, {"window": window}).connect()
            sender, receiver = bench.desks
            bench.line.run(100)
            receiver.places = 5
            sender.endless = {SURE: 20}
            bench.run(1000)
            self.assertEqual(receiver.total, 5)
            # What is held here has been acknowledged: the sender has nothing on its way.
            link = bench.line.links[0]
            self.assertEqual(link.unacked(), 0, window)
            before = bench.line.wires[0].frames
            probes = link.stats.probes_sent
            again = link.stats.tx_retransmit
            bench.run(3000)
            self.assertEqual(receiver.total, 5)
            self.assertEqual(link.stats.tx_retransmit, again)
            asked = link.stats.probes_sent - probes
            self.assertTrue(11 <= asked <= 20, asked)  # each quarter of the limit, in the end
            self.assertTrue(bench.line.wires[0].frames - before <= asked + 12)
            start = bench.line.now_us
            receiver.places = 1 << 20
            bench.line.until(lambda b=bench, w=window: b.desks[1].total > 5 + w, 1000)
            self.assertTrue(bench.line.now_us - start < 50_000 + window * 4000)
            bench.run(500)
            self.assertTrue(receiver.total > 40, receiver.total)
            self.good(bench, window)

    def test_a_receiver_that_reads_slowly(self):
        """A place each 20 ms: that many come, hardly anything is sent in vain."""
        for window in (1, 4, 16):
            bench = Served(4, {"window": window}).connect()
            sender, receiver = bench.desks
            receiver.places = 0
            sender.endless = {SURE: 20}
            for _ in range(200):
                receiver.places += 1
                bench.run(20)
            self.assertTrue(170 <= receiver.total <= 200, (window, receiver.total))
            self.assertEqual(bench.line.links[0].stats.tx_timeout, 0)
            self.assertTrue(bench.line.links[0].stats.tx_retransmit < 5)
            self.assertTrue(bench.line.wires[1].frames < 2 * 230)
            self.good(bench, window)

    def test_nobody_asks_who_has_nothing_to_say(self):
        bench = Served(5).connect()
        bench.desks[1].places = 2
        bench.desks[0].put(SURE, 2 + 8)
        bench.run(500)
        self.assertEqual(bench.line.links[0].unacked(), 0)
        probes = bench.line.links[0].stats.probes_sent
        bench.run(3000)
        self.assertEqual(bench.line.links[0].stats.probes_sent, probes)
        self.good(bench)

    def test_numbers_wrap_while_the_receiver_is_full(self):
        """Stalls at every sequence number, also where it wraps, at every depth."""
        for window in (1, 4, 64):
            bench = Served(6, {"window": window}).connect()
            sender, receiver = bench.desks
            receiver.places = 0
            sender.endless = {SURE: 10}
            for n in range(400 // STEP):
                receiver.places += 1 + n % 3 * window
                bench.run(15 + n % 3 * window)
            self.assertTrue(receiver.total > 280 // STEP, (window, receiver.total))
            self.good(bench, window)
            # And nothing waits: no link looks for room any more.
            bench.line.run(100)
            for i in range(2):
                bench.line.side = i
                self.assertTrue(bench.line.links[i].poll(bench.line.now()) > 20)

    def test_both_ends_are_full(self):
        """Neither can hand over anything: acks, credit and questions pass all the same."""
        for seed in range(0, 6, 1 + STEP // 2):
            bench = Served(seed, {"window": (1, 8, 64)[seed % 3]}).connect()
            for wire in bench.line.wires:
                wire.loss = seed // 3 * 100
            for desk in bench.desks:
                desk.places = 3
                desk.endless = {SURE: 30, SURE_BULK: 100}
            bench.run(3000)
            self.assertEqual([desk.total for desk in bench.desks], [3, 3])
            for _ in range(40):
                for desk in bench.desks:
                    desk.places += bench.random.below(4)
                bench.run(100)
            self.assertTrue(min([desk.total for desk in bench.desks]) > 40)
            self.good(bench, seed, seed // 3 * 10)

    def test_what_a_null_packet_says(self):
        """Two held, the next one lost, another one here: ack 2, credit 2, and one bit, no more."""
        bench = Served(7, {"window": 4}).connect()
        said = []
        lost = bench.line.wires[0].frames + 2
        bench.line.wires[0].script = lambda index, data: None if index == lost else data

        def keep(index, data):
            said.append([bytes(packet) for packet in packets([data])][0])
            return data

        bench.line.wires[1].script = keep
        bench.desks[1].places = 0
        bench.desks[0].put(SURE, 4)
        bench.line.run(45)
        self.assertTrue(b"\x80\x00\x02\x02\x01" in said, said)
        bench.line.run(200)
        self.assertEqual(said[-1], b"\x80\x00\x04\x00")
        self.good(bench)


class Stalls(Case):
    def stall(self, seed, loss, window):
        bench = Served(seed, {"window": window}).connect()
        random = bench.random
        for wire in bench.line.wires:
            wire.loss = loss
        for desk in bench.desks:
            desk.endless = {SURE: 60, SURE_BULK: 200}
        for _ in range(8 // STEP):
            i = random.below(3)
            stalled = bench.desks if i == 2 else [bench.desks[i]]
            for desk in stalled:
                desk.places = random.below(6)
            bench.run((50, 400, 1100, 2500)[random.below(4)])
            before = [desk.total for desk in stalled]
            for desk in stalled:
                desk.places = 1 << 20
            bench.run(1200)
            for k in range(len(stalled)):
                more = stalled[k].total - before[k]
                self.assertTrue(more > (30, 2)[loss > 100], (seed, loss, window, more))
        # Where a null frame with the news was lost, a few frames may be sent in vain.
        self.good(bench, (seed, loss, window), loss // 10)

    def test_a_reader_that_stalls_2500_ms(self):
        """At 0, 5 and 20 % loss: no disconnect, no stuck credit, nothing lost."""
        for loss in (0, 50, 200):
            for window in (1, 4, 16, 64):
                self.stall(loss + window, loss, window)

    def test_credit_that_is_lost(self):
        """For 200 ms every null frame is lost when room comes back: a question finds out."""
        for side in range(2):
            for seed in range(0, 8, STEP):
                bench = Served(seed, {"window": 8}).connect()
                bench.desks[1].places = 3
                bench.desks[0].endless = {SURE: 30}
                bench.run(300 + 90 * seed)
                bench.line.wires[side].script = lambda index, data: (
                    None if len(data) < 14 else data
                )
                bench.desks[1].places = 1 << 20
                bench.run(200)
                bench.line.wires[side].script = None
                bench.run(400)
                self.assertTrue(bench.desks[1].total > 30, (side, seed, bench.desks[1].total))
                self.good(bench)


class Held(Case):
    def test_what_nobody_takes_for_5_s_is_dropped(self):
        """Counted, and what follows for the same service at once; others come then, all live."""
        bench = Served(8, {"window": 4}).connect()
        bench.desks[1].places = 0
        bench.desks[0].put(SURE, 2)
        bench.line.run(20)
        bench.say(0, 3)
        stats = bench.line.links[1].stats
        bench.run(HELD_MS - 100)
        self.assertEqual((stats.rx_dropped, bench.apps[1].total), (0, 0))
        bench.run(200)
        self.assertEqual((stats.rx_dropped, bench.apps[1].total), (2, 3))
        bench.desks[0].put(SURE, 3)
        bench.say(0, 3)
        bench.run(200)
        self.assertEqual((stats.rx_dropped, bench.apps[1].total), (5, 6))
        self.assertEqual([app.log for app in bench.apps], [["+"], ["+"]])
        self.assertEqual(bench.judge.faults, [])

    def test_who_reads_again_is_not_deaf_any_more(self):
        """From the first packet on that finds room, and is given its 5 s again."""
        bench = Served(8, {"window": 4}).connect()
        stats = bench.line.links[1].stats
        bench.desks[1].places = 0
        bench.desks[0].put(SURE, 1)
        bench.run(HELD_MS + 100)
        self.assertEqual(stats.rx_dropped, 1)
        bench.desks[1].places = 1
        bench.desks[1].newest.clear()  # the one that was dropped is missing
        bench.desks[0].put(SURE, 2)
        bench.run(HELD_MS - 200)
        self.assertEqual((stats.rx_dropped, bench.desks[1].total), (1, 1))
        bench.desks[1].places = 1
        bench.run(200)
        self.assertEqual((stats.rx_dropped, bench.desks[1].total), (1, 2))

    def test_a_session_forgets_what_it_held(self):
        """Held packets die with the session; the next one has all its credit."""
        for act in ("restart", "silence"):
            bench = Served(9, {"window": 8, "silence_ms": 500}).connect()
            bench.desks[1].places = 2
            bench.desks[0].put(SURE, 9)
            bench.run(300)
            if act == "restart":
                bench.line.restart(0)
            else:
                bench.cut(0, 1)
                bench.line.run(1200)
                bench.cut()
            self.assertTrue(bench.line.until(bench.line.up, 2500))
            bench.line.run(50)
            self.assertEqual(bench.desks[1].total, 2)
            bench.desks[1].places = 1 << 20
            bench.line.run(100)
            self.assertEqual(bench.desks[1].total, 2)
            bench.desks[0].put(SURE, 20)
            self.assertTrue(bench.line.until(lambda b=bench: b.desks[1].total == 22, 500))
            self.assertEqual(bench.judge.faults, [])

    def test_the_5_s_begin_anew_with_a_session(self):
        """What is held has its own 5 s, whatever was held in a session before."""
        bench = Served(11, {"window": 4, "silence_ms": 20000}).connect()
        for _ in range(3):
            bench.desks[1].places = 0
            bench.desks[0].put(SURE, 2)
            bench.run(HELD_MS - 300)
            self.assertEqual(bench.line.links[1].stats.rx_dropped, 0)
            bench.line.restart(0)
            self.assertTrue(bench.line.until(bench.line.up, 100))
            bench.run(50)

    def test_limpets_payloads_wait_for_what_is_before_them(self):
        """One order for all reliable ones: a payload behind a held packet comes right after it."""
        bench = Served(10).connect()
        bench.desks[1].places = 1
        bench.desks[0].put(SURE, 2)
        bench.line.run(50)
        bench.say(0, 3)
        bench.line.run(200)
        self.assertEqual((bench.desks[1].total, bench.apps[1].total), (1, 0))
        bench.desks[1].places = 1
        bench.line.run(30)
        self.assertEqual((bench.desks[1].total, bench.apps[1].total), (2, 3))
        self.good(bench)


if __name__ == "__main__":
    unittest.main()
