# SPDX-License-Identifier: MIT
"""The line in memory does what a test asks of it, and nothing else; with the real link on top."""

import unittest

from costs import cost
from limpet.link import UP, Link
from limpet.rand import Random
from limpet.transport.loopback import CORRUPT, DELIVER, LOSE, loopback
from test_pump import FakeWaiter
from test_pump import Link as FakeLink

WRAP = 2**30
START = WRAP - 50


def ends(a_frames=(), b_frames=(), **options):
    """Return (driver a, link a, driver b, link b)."""
    a, b = loopback(**options)
    link_a, link_b = FakeLink(*a_frames), FakeLink(*b_frames)
    a.attach(link_a)
    b.attach(link_b)
    return a, link_a, b, link_b


def frame(number, size=8):
    return bytes([1 + number % 255] * size) + b"\0"


def settle(a, b, start=START, turns=300):
    """Let both ends take turns, one per ms."""
    for i in range(turns):
        a.pump((start + i) % WRAP)
        b.pump((start + i) % WRAP)


class TestLine(unittest.TestCase):
    def test_both_ways(self):
        a, link_a, b, link_b = ends([frame(1), frame(2)], [frame(9)])
        settle(a, b)
        self.assertEqual(link_b.fed, frame(1) + frame(2))
        self.assertEqual(link_a.fed, frame(9))
        self.assertEqual((a.sent, b.sent, a.faulted), (2, 1, 0))

    def test_a_long_way(self):
        """The ring turns many times; any size and any capacity, down to one byte at a time."""
        frames = [frame(i, i % 60) for i in range(200)]
        for capacity in (1, 2, 7, 61, 100, 4096):
            with self.subTest(capacity=capacity):
                a, link_a, b, link_b = ends(list(frames), capacity=capacity)
                settle(a, b, turns=9000)
                self.assertEqual(link_b.fed, b"".join(frames))

    def test_a_full_line_takes_no_more(self):
        a, link_a, b, link_b = ends([frame(i) for i in range(30)], capacity=20)
        for _ in range(10):
            a.pump(START)
        self.assertTrue(a.writing)
        self.assertTrue(a.due(START) > 0)
        settle(a, b)
        self.assertEqual(link_b.fed, b"".join(frame(i) for i in range(30)))

    def test_the_delay(self):
        """A frame arrives so long after its last byte, over the wrap of time too."""
        a, link_a, b, link_b = ends([frame(1)], delay_ms=80)
        a.pump(START)
        self.assertEqual(b.due(START), 80)
        b.pump((START + 79) % WRAP)
        self.assertEqual(link_b.fed, b"")
        self.assertEqual(b.due((START + 79) % WRAP), 1)
        b.pump((START + 80) % WRAP)
        self.assertEqual(link_b.fed, frame(1))

    def test_the_other_end_is_woken(self):
        a, b = loopback()
        waiter = WakeCount()
        b.attach(FakeLink(), waiter)
        a.attach(FakeLink(frame(1)))
        a.pump(START)
        self.assertEqual(waiter.wakes, 1)
        self.assertEqual(b.due(START), 0)

    def test_arguments(self):
        for wrong in ({"capacity": 0}, {"delay_ms": -1}, {"loss": 1.5}, {"corrupt": -0.1}):
            with self.assertRaises(ValueError):
                loopback(**wrong)


class WakeCount(FakeWaiter):
    wakes = 0

    def wake(self):
        self.wakes += 1


class TestScripts(unittest.TestCase):
    def run_table(self, faults, count=5):
        a, link_a, b, link_b = ends([frame(i) for i in range(count)])
        a.faults = faults
        settle(a, b)
        return a, link_b.fed

    def test_a_table(self):
        """One letter per frame; behind the table all is delivered."""
        a, fed = self.run_table(b".x.d")
        self.assertEqual(fed, frame(0) + frame(2) + frame(3) + frame(3) + frame(4))
        self.assertEqual((a.sent, a.faulted), (5, 2))

    def test_a_function(self):
        a, fed = self.run_table(lambda index: LOSE if index % 2 else DELIVER)
        self.assertEqual(fed, frame(0) + frame(2) + frame(4))

    def test_corruption(self):
        """Exactly one byte of the frame differs, and the length does not."""
        for seed in range(40):
            a, b = loopback(seed=seed)
            link_b = FakeLink()
            b.attach(link_b)
            a.attach(FakeLink(frame(1), frame(2)))
            a.faults = lambda index: CORRUPT if index == 0 else DELIVER
            settle(a, b, turns=3)
            sent = frame(1) + frame(2)
            self.assertEqual(len(link_b.fed), len(sent))
            self.assertEqual(sum([x != y for x, y in zip(link_b.fed, sent)]), 1)
            self.assertEqual(link_b.fed[9:], frame(2))

    def test_truncation(self):
        """The tail is missing, delimiter included; some of the frame is left."""
        a, fed = self.run_table(b"t", 2)
        self.assertTrue(9 + 1 <= len(fed) <= 9 + 8)
        self.assertEqual(fed[-9:], frame(1))
        self.assertEqual(fed[:-9], frame(0)[: len(fed) - 9])

    def test_lone_delimiters_are_no_frames(self):
        a, link_a, b, link_b = ends([b"\0" + frame(1), b"\0", frame(2)])
        a.faults = b".x"
        settle(a, b)
        self.assertEqual(link_b.fed, b"\0" + frame(1) + b"\0")

    def test_cut_and_mute(self):
        """A cut line carries nothing, a mute end is not heard; healed, it goes on."""
        for name, hears in (("cut", False), ("mute", True)):
            a, link_a, b, link_b = ends([frame(1)], [frame(2)])
            setattr(a, name, True)
            self.assertEqual(b.cut, name == "cut")
            settle(a, b)
            self.assertEqual(link_b.fed, b"")
            self.assertEqual(link_a.fed, frame(2) if hears else b"")
            setattr(a, name, False)
            link_a.frames = [frame(3)]
            settle(a, b)
            self.assertEqual(link_b.fed, frame(3))


class TestChance(unittest.TestCase):
    def arrived(self, seed, **options):
        a, link_a, b, link_b = ends([frame(i) for i in range(400)], seed=seed, **options)
        settle(a, b)
        return a, link_b.fed

    def test_a_seed_decides_everything(self):
        faults = {"loss": 0.1, "corrupt": 0.1, "duplicate": 0.1}
        a, first = self.arrived(3, **faults)
        self.assertEqual(self.arrived(3, **faults)[1], first)
        self.assertNotEqual(self.arrived(4, **faults)[1], first)
        self.assertTrue(60 < a.faulted < 170)

    def test_shares(self):
        """The share of frames asked for is hit, in either direction."""
        for name, weight in (("loss", -1), ("duplicate", 1), ("corrupt", 0)):
            a, fed = self.arrived(5, **{name: 0.2})
            self.assertTrue(50 < a.faulted < 110, name)
            self.assertEqual(len(fed) // 9, 400 + weight * a.faulted)
        self.assertEqual(self.arrived(6, loss=1.0)[1], b"")
        self.assertEqual(len(self.arrived(6, duplicate=1.0)[1]), 2 * 400 * 9)


class Client:
    """The user of a link: numbers out, numbers in."""

    def __init__(self):
        self.next = 0
        self.count = 0
        self.got = []

    def fill(self, buf, start, end):
        if self.next >= self.count:
            return 0
        buf[start] = self.next & 255
        self.next += 1
        return 1

    def receive(self, buf, start, end):
        self.got.append(buf[start])

    def connected(self):
        pass

    def disconnected(self):
        pass

    def ready(self):
        return self.next < self.count


class TestWithLinks(unittest.TestCase):
    def links(self, **options):
        drivers = loopback(**options)
        clients = Client(), Client()
        links = []
        for i in range(2):
            link = Link(11 + i, 1000 + i, Random(77 + i), clients[i])
            drivers[i].attach(link)
            links.append(link)
        return drivers, links, clients

    def turn(self, drivers, now):
        for driver in drivers:
            driver.pump(now % WRAP)
            driver.due(now % WRAP)

    def test_real_links_talk(self):
        """All arrives once and in order, over a clean line and over a very bad one."""
        for faults in ({}, {"loss": 0.1, "corrupt": 0.1, "duplicate": 0.1, "delay_ms": 3}):
            drivers, links, clients = self.links(seed=9, **faults)
            now = START
            while not (links[0].state == UP and links[1].state == UP) and now < START + 5000:
                self.turn(drivers, now)
                now += 1
            clients[0].count = clients[1].count = 200
            while len(clients[0].got) + len(clients[1].got) < 400 and now < START + 60000:
                self.turn(drivers, now)
                now += 1
            for client in clients:
                self.assertEqual(client.got, [i & 255 for i in range(200)])


class TestAllocation(unittest.TestCase):
    def test_nothing_is_allocated(self):
        """Whatever becomes of a frame; so links can be measured over this line."""
        a, b = loopback(seed=2, delay_ms=0)
        a.attach(OneFrame())
        b.attach(OneFrame())
        for fate in b".xcdt":
            fates = bytes([fate]) * 2000
            a.faults = b.faults = fates

            def turn():
                a.pump(START)
                b.pump(START)
                a.due(START)

            self.assertEqual(cost(turn), "", "fate %r" % fate)


class OneFrame(FakeLink):
    def feed(self, buf, count, now_ms, at=0):
        return count

    def take(self, out, now_ms):
        for i in range(40):
            out[i] = 5
        out[39] = 0
        return 40

    def poll(self, now_ms):
        return 0


if __name__ == "__main__":
    unittest.main()
