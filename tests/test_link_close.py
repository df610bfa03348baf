# SPDX-License-Identifier: MIT
"""An orderly close: the neighbour learns it at once, and nothing else can be mistaken for it.

All in virtual time; link_checker.py judges every payload that comes.
"""

import unittest

from limpet.link import DOWN, UP
from limpet.ticks import MS_MAX
from link_checker import Bench
from link_fuzz import packets
from link_services import RELIABLE, URGENT, Served

_CLOSE = 4  # flag in byte 3 of a HELO


def is_close(data):
    """Return whether a frame is a HELO that says that the session is over."""
    found = packets([data])
    return bool(found and found[0][1] == 1 and found[0][3] & _CLOSE)


class Case(unittest.TestCase):
    def good(self, bench, what=None, within_ms=2500):
        self.assertEqual(bench.judge.faults, [], what)
        self.assertEqual(bench.flows(within_ms), "", what)

    def close(self, bench, i):
        bench.line.side = i
        bench.line.links[i].close(bench.line.now())
        bench.line.wake[i] = bench.line.now_us

    def logs(self, bench):
        return ["".join(app.log) for app in bench.apps]


class Close(Case):
    def test_the_neighbour_knows_at_once(self):
        """Not after its silence limit, but as soon as the frame is over."""
        for busy in (False, True):
            bench = Bench(1, {"silence_ms": 60000}).connect()
            if busy:
                for i in range(2):
                    bench.say(i, -1)
            bench.line.run(200)
            self.close(bench, 0)
            self.assertEqual(self.logs(bench)[0], "+-")
            self.assertEqual(bench.line.links[0].state, DOWN)
            self.assertTrue(bench.line.until(lambda b=bench: b.line.links[1].state == DOWN, 40))
            self.assertEqual(self.logs(bench), ["+-", "+-"])
            bench.line.run(3000)
            stats = bench.line.links[1].stats
            # It is said twice; the second one finds the session over, and counts for nothing.
            self.assertEqual((stats.closes, stats.rx_bad), (1, 0))
            self.assertEqual(self.logs(bench), ["+-", "+-"])

    def test_one_of_the_two_may_be_lost(self):
        for lost in range(2):
            bench = Bench(2, {"silence_ms": 60000}).connect()
            bench.line.run(200)
            count = []

            def script(index, data, count=count, lost=lost):
                if not is_close(data):
                    return data
                count.append(index)
                return None if len(count) == lost + 1 else data

            bench.line.wires[0].script = script
            self.close(bench, 0)
            self.assertTrue(bench.line.until(lambda b=bench: b.line.links[1].state == DOWN, 40))
            bench.line.run(100)
            self.assertEqual((len(count), bench.line.links[1].stats.closes), (2, 1))

    def test_both_are_lost(self):
        """Then it is silence that tells."""
        bench = Bench(3, {"silence_ms": 1000}).connect()
        bench.line.run(200)
        bench.cut(0)
        self.close(bench, 0)
        bench.line.run(700)
        self.assertEqual(self.logs(bench), ["+-", "+"])
        bench.line.run(400)
        self.assertEqual(self.logs(bench), ["+-", "+-"])
        self.assertEqual(bench.line.links[1].stats.closes, 0)

    def test_closed_is_silent_and_deaf(self):
        """Two frames, then nothing, for ever, whatever comes."""
        bench = Bench(4).connect()
        bench.line.run(200)
        link = bench.line.links[0]
        for _ in range(3):
            self.close(bench, 0)
        before = bench.line.wires[0].frames
        bench.line.run(60000)
        self.assertEqual(bench.line.wires[0].frames - before, 2)
        self.assertEqual(link.poll(bench.line.now()), MS_MAX)
        self.assertEqual(link.take(bytearray(300), bench.line.now()), 0)
        self.assertEqual(self.logs(bench), ["+-", "+-"])
        self.assertEqual(link.neighbour.state, DOWN)

    def test_closed_while_down(self):
        """There is nobody to be told."""
        bench = Bench(5)
        bench.cut(0, 1)
        bench.line.run(500)
        before = bench.line.wires[0].frames
        self.close(bench, 0)
        bench.cut()
        bench.line.run(10000)
        self.assertEqual(bench.line.wires[0].frames, before)
        self.assertEqual(self.logs(bench), ["", ""])

    def test_closed_before_its_first_poll(self):
        bench = Bench(6)
        self.close(bench, 0)
        bench.line.run(5000)
        self.assertEqual(bench.line.wires[0].frames, 0)
        self.assertEqual(self.logs(bench), ["", ""])

    def test_both_close_at_once(self):
        bench = Bench(7).connect()
        bench.line.run(200)
        for i in range(2):
            self.close(bench, i)
        before = [wire.frames for wire in bench.line.wires]
        bench.line.run(5000)
        self.assertEqual([wire.frames for wire in bench.line.wires], [n + 2 for n in before])
        self.assertEqual(self.logs(bench), ["+-", "+-"])

    def test_who_comes_back_is_welcome(self):
        """A program that ends in order and starts again: a session at once, and a new one."""
        bench = Bench(8)
        for n in range(30):
            self.assertTrue(bench.line.until(bench.line.up, 60), n)
            for i in range(2):
                bench.say(i, -1)
            bench.line.run(20 + n)
            self.close(bench, n & 1)
            bench.line.run((0, 3, 500)[n % 3])
            bench.line.restart(n & 1)
        self.good(bench)
        # Each end heard the other one's close, but where the newcomer was faster.
        for app in bench.apps:
            told = "".join(app.log)
            self.assertEqual(told, "+-" * (len(told) // 2) + "+")
            self.assertEqual(len(told) // 2, 30)


class Stale(Case):
    def test_a_close_of_an_earlier_session_ends_nothing(self):
        """Recorded and played back, or late on a network: it names two epochs that are gone."""
        bench = Bench(9).connect()
        line = bench.line
        kept = []

        def keep(index, data):
            if is_close(data):
                kept.append(data)
            return data

        line.wires[0].script = keep
        self.close(bench, 0)
        line.run(50)
        line.wires[0].script = None
        self.assertEqual(len(kept), 2)
        line.restart(0)
        self.assertTrue(line.until(line.up, 100))
        frames = [wire.frames for wire in line.wires]
        for _ in range(20):
            bench.feed(1, kept[0])
            bench.feed(0, kept[0])
            line.run(10)
        self.assertEqual(self.logs(bench), ["+-+", "+-+"])
        self.assertEqual(line.links[1].stats.closes, 1)
        for i in range(2):
            self.assertTrue(line.wires[i].frames - frames[i] < 50)
        self.good(bench, None, 0)

    def test_a_close_to_a_side_that_is_down(self):
        """It is no offer: nobody is connected by it, nor refused."""
        bench = Bench(10).connect()
        kept = []
        bench.line.wires[0].script = lambda index, data: kept.append(data)
        self.close(bench, 0)
        bench.line.run(50)
        fresh = Bench(11)
        fresh.remove(0)
        fresh.line.run(100)
        fresh.feed(1, kept[0])
        fresh.line.run(100)
        self.assertEqual((fresh.line.links[1].state, fresh.apps[1].log), (DOWN, []))
        fresh.line.restart(0)
        self.good(fresh)

    def test_a_session_that_was_never_begun_is_not_closed(self):
        """Closing while the other side still hesitates leaves it looking for a session."""
        bench = Bench(12)
        line = bench.line
        line.wires[1].script = lambda index, data: None if index > 0 else data
        line.until(lambda: line.links[0].state == UP or line.links[1].state == UP, 3000)
        up = 0 if line.links[0].state == UP else 1
        self.close(bench, up)
        line.wires[1].script = None
        line.run(300)
        self.assertEqual(line.links[1 - up].state, DOWN)
        line.restart(up)
        self.good(bench)


class Doubt(Case):
    def test_what_was_not_acknowledged_when_it_closed(self):
        """It is told as the end of a session; nothing of it appears in the next one."""
        bench = Served(13, {"window": 8, "silence_ms": 5000}).connect()
        bench.desks[1].places = 3
        bench.desks[0].put(URGENT | RELIABLE, 12)
        bench.say(0, 5)
        bench.line.run(100)
        self.close(bench, 0)
        self.assertEqual(bench.line.links[0].neighbour.payload_max, 0)
        bench.line.run(100)
        bench.line.restart(0)
        bench.desks[1].places = 1 << 20
        self.assertTrue(bench.line.until(bench.line.up, 100))
        bench.line.run(500)
        self.assertEqual(bench.desks[1].total, 3)
        self.good(bench, None, 0)

    def test_unacked(self):
        """A program that wants to leave in order waits until everything is acknowledged."""
        bench = Bench(14, {"window": 8}).connect()
        bench.line.run(200)
        link = bench.line.links[0]
        self.assertEqual(link.unacked(), 0)
        bench.line.wires[1].cut = True
        bench.say(0, 5)
        bench.line.run(60)
        self.assertEqual(link.unacked(), 5)
        bench.line.wires[1].cut = False
        self.assertTrue(bench.line.until(lambda: link.unacked() == 0, 500))
        self.assertEqual(bench.apps[1].total, 5)
        self.close(bench, 0)
        bench.line.run(50)
        self.assertEqual((link.unacked(), bench.apps[1].total), (0, 5))


if __name__ == "__main__":
    unittest.main()
