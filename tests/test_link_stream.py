# SPDX-License-Identifier: MIT
"""A link over a wire that is reliable by itself (TCP, a Unix socket): no acks, nothing twice.

A pipe has a limited size, keeps what its reader does not take, and a new connection begins empty.
All in virtual time; link_services.py judges what comes.
"""

import unittest

from limpet.link import DOWN, REFUSED, UP
from link_checker import STEP, Clocks
from link_services import BULK, MFMT, RELIABLE, URGENT, Served

SURE = URGENT | RELIABLE
SURE_BULK = BULK | RELIABLE
STREAM = {"reliable": True, "silence_ms": 1000}
ALL = {SURE: 30, SURE_BULK: 120, URGENT: 25, BULK: 90}


class Pipe(Clocks):
    """A line that holds back: what a link does not take stays in it, and it is full some time."""

    def __init__(self, seed, make, **options):
        self.kept = [bytearray(), bytearray()]  # for end i to read
        self.full = 2000
        Clocks.__init__(self, seed, make, **options)

    def restart(self, i):
        """A new connection: nothing of the old one is in it."""
        for k in range(2):
            self.kept[k] = bytearray()
            self.wires[k].flight.clear()
        Clocks.restart(self, i)

    def _transmit(self, i):
        flying = sum([len(data) for _, _, data in self.wires[i].flight])
        if len(self.kept[1 - i]) + flying > self.full:
            return False
        return Clocks._transmit(self, i)

    def _arrive(self, i):
        self.kept[i] += self.wires[1 - i].flight.pop(0)[2]
        self.wake[i] = self.now_us
        self._read(i)

    def _read(self, i):
        data = self.kept[i]
        if data:
            self.side = i
            taken = self.links[i].feed(data, len(data), self.now())
            self.kept[i] = data[taken:]

    def _serve(self, i):
        self._read(i)
        Clocks._serve(self, i)


class Piped(Served):
    line_class = Pipe


class Case(unittest.TestCase):
    def connected(self, options=STREAM, seed=1):
        bench = Piped(seed, options).connect()
        bench.line.run(50)
        return bench

    def good(self, bench, what=None):
        for desk in bench.desks:
            desk.endless = {}
            desk.places = 1 << 20
        bench.hush()
        self.assertTrue(bench.line.until(bench.settled, 5000), what)
        self.assertEqual(bench.judge.faults, [], what)


class Stream(Case):
    def test_everything_comes_and_nothing_is_acknowledged(self):
        bench = self.connected()
        wires = [wire.frames for wire in bench.line.wires]
        for desk in bench.desks:
            desk.endless = dict(ALL)
        for i in range(2):
            bench.say(i, -1)
        bench.run(3000 // STEP)
        for i in range(2):
            desk = bench.desks[i]
            desk.put(MFMT, 3, 10)
            for kind in ALL:
                self.assertTrue(desk.got[kind] > 15 // STEP, (kind, desk.got))
            link = bench.line.links[i]
            self.assertEqual((link.stats.acks_sent, link.unacked()), (0, 0))
            said = bench.line.wires[i].frames - wires[i]
            told = bench.desks[1 - i].total + bench.apps[1 - i].total
            self.assertTrue(0 <= said - told <= 20, (said, told))
        self.good(bench)
        bench.line.run(100)
        self.assertEqual([desk.got[MFMT] for desk in bench.desks], [3, 3])
        for link in bench.line.links:
            stats = link.stats
            self.assertEqual((stats.tx_retransmit, stats.rx_duplicate, stats.rx_bad), (0, 0, 0))
        self.assertEqual([app.log for app in bench.apps], [["+"], ["+"]])

    def test_an_idle_one_lives_on(self):
        """Keep-alive frames, each quarter of the limit, and no more."""
        bench = self.connected()
        wires = [wire.frames for wire in bench.line.wires]
        bench.line.run(60000)
        self.assertEqual([app.log for app in bench.apps], [["+"], ["+"]])
        for i in range(2):
            self.assertTrue(235 <= bench.line.wires[i].frames - wires[i] <= 245)
        self.good(bench)

    def test_numbers_wrap(self):
        bench = self.connected()
        bench.say(0, 700, 12)
        self.assertTrue(bench.line.until(bench.arrived, 20000))
        self.assertEqual(bench.judge.faults, [])

    def test_silence_ends_it_and_it_comes_back(self):
        bench = self.connected()
        bench.cut(0, 1)
        bench.line.run(1100)
        self.assertEqual([link.state for link in bench.line.links], [DOWN, DOWN])
        bench.cut()
        self.assertEqual(bench.flows(), "")

    def test_resets(self):
        """New connections at any time, also amid a frame: in order, and never stuck."""
        for seed in range(0, 10, STEP):
            bench = self.connected(seed=seed)
            for _ in range(20):
                for i in range(2):
                    bench.say(i, -1)
                    bench.desks[i].endless = {SURE: 30}
                bench.run(bench.random.below(150))
                bench.line.restart(bench.random.below(2))
                self.assertTrue(bench.line.until(bench.line.up, 2500), seed)
            self.good(bench, seed)


class BackPressure(Case):
    def test_a_reader_that_stalls_holds_the_sender_back(self):
        """It takes no more from the wire; nothing is lost, and neither side takes it for dead."""
        for stall_ms in (100, 900, 2500, 4500):
            bench = self.connected()
            sender, receiver = bench.desks
            sender.endless = {SURE: 30}
            bench.run(200)
            receiver.places = 0
            bench.run(stall_ms)
            kept = bench.line.kept[1]
            self.assertTrue(stall_ms < 1000 or len(kept) > 1500, len(kept))
            before = receiver.total
            receiver.places = 1 << 20
            bench.run(500)
            self.assertTrue(receiver.total > before + 50)
            self.good(bench, stall_ms)
            self.assertEqual([app.log for app in bench.apps], [["+"], ["+"]], stall_ms)
            self.assertEqual(bench.line.links[1].stats.rx_dropped, 0)

    def test_both_stall(self):
        bench = self.connected()
        for _ in range(10):
            for desk in bench.desks:
                desk.endless = {SURE: 30, BULK: 100}
                desk.places = bench.random.below(5)
            bench.run(400)
            for desk in bench.desks:
                desk.places = 1 << 20
            bench.run(300)
        self.good(bench)
        self.assertEqual([app.log for app in bench.apps], [["+"], ["+"]])

    def test_what_nobody_takes_for_5_s_is_dropped(self):
        bench = self.connected({"reliable": True, "silence_ms": 20000})
        bench.desks[1].places = 0
        bench.desks[0].put(SURE, 2)
        bench.line.run(20)
        bench.say(0, 3)
        bench.line.run(4900)
        self.assertEqual((bench.line.links[1].stats.rx_dropped, bench.apps[1].total), (0, 0))
        bench.line.run(200)
        self.assertEqual((bench.line.links[1].stats.rx_dropped, bench.apps[1].total), (2, 3))
        self.assertEqual([app.log for app in bench.apps], [["+"], ["+"]])


class Lossy(Case):
    def test_a_stream_that_loses_ends_the_session(self):
        """A missing number is no gap to be filled: the session ends, is counted, comes back."""
        for seed in range(0, 20, STEP):
            bench = self.connected(seed=seed)
            bench.say(0, -1)
            bench.line.run(100)
            lost = bench.line.wires[0].frames + 1
            bench.line.wires[0].script = lambda index, data, n=lost: None if index == n else data
            bad = bench.line.links[1].stats.rx_dropped
            self.assertTrue(bench.line.until(lambda b=bench: "-" in b.apps[1].log, 100), seed)
            self.assertTrue(bench.line.links[1].stats.rx_dropped > bad)
            self.assertTrue(bench.line.until(bench.line.up, 1000), seed)
            self.assertEqual(bench.flows(), "", seed)

    def test_a_stream_that_damages(self):
        """5 % of the frames broken: sessions end and come back; what comes is right."""
        for seed in range(0, 6, STEP):
            bench = self.connected(seed=seed)
            for wire in bench.line.wires:
                wire.loss = 50
            for i in range(2):
                bench.say(i, -1)
            bench.run(6000)
            self.assertTrue(bench.apps[0].log.count("+") > 5, seed)
            self.assertTrue(bench.apps[1].total > 50)
            for wire in bench.line.wires:
                wire.loss = 0
            self.assertEqual(bench.flows(), "", seed)

    def test_a_stream_that_doubles(self):
        bench = self.connected()
        bench.say(0, -1)
        bench.line.run(100)
        twice = bench.line.wires[0].frames + 1
        bench.line.wires[0].script = lambda index, data: data * 2 if index == twice else data
        self.assertTrue(bench.line.until(lambda: "-" in bench.apps[1].log, 100))
        self.assertTrue(bench.line.until(bench.line.up, 1000))
        self.assertEqual(bench.flows(), "")


class Mismatch(Case):
    def test_one_side_only_is_refused(self):
        """With a sentence, on both sides; healed by a restart with the same setting."""
        for which in range(2):
            options = [{"reliable": which == 0}, {"reliable": which == 1}]
            bench = Piped(3, options)
            line = bench.line
            line.run(4000)
            for link in line.links:
                self.assertEqual(link.state, REFUSED)
                self.assertTrue("reliable" in link.refusal, link.refusal)
                self.assertTrue(link.stats.helo_refused > 0)
                self.assertEqual(link.stats.sessions, 0)
            bench.options[which] = {"reliable": False}
            line.restart(which)
            self.assertTrue(line.until(line.up, 2500))
            self.assertEqual([link.refusal for link in line.links], ["", ""])
            self.assertEqual(line.links[0].state, UP)


if __name__ == "__main__":
    unittest.main()
