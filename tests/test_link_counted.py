# SPDX-License-Identifier: MIT
"""Datagrams that come a lap of the sequence numbers late, frames and acks: not taken for new."""

import unittest

from helpers_link import App, Line, pair
from limpet.counted import Counted
from limpet.link import REFUSED, Link
from link_checker import STEP

FAST = {"baud": 100_000_000, "prop_us": 50, "work_us": 50, "jitter_us": 20}


class Late(unittest.TestCase):
    def run_late(self, seed, window, late_us, back_percent, ms, lazy):
        """Say numbers for `ms`; 1 % comes late, of what goes back more. Check that all came."""
        line, app, other = pair(seed, {"window": window, "datagrams": True}, FAST)
        line.datagrams = True
        self.assertTrue(line.until(line.up))
        said = [0]
        heard = [0]

        def source():
            app.given = []  # nobody asks for them
            said[0] += 1
            return said[0].to_bytes(4, "big") + bytes(20)

        def receive(buf, start, end):
            heard[0] += 1
            if int.from_bytes(bytes(buf[start : start + 4]), "big") != heard[0]:
                raise AssertionError("number %d is another" % heard[0])

        app.source = source
        other.receive = receive
        if lazy:
            self.be_lazy(line)
        for i in range(2):
            line.wires[i].script = self.script(line, i, late_us, back_percent if i else 1)
        line.run(ms // STEP)
        app.source = None
        for wire in line.wires:
            wire.script = None
        line.run(1000)
        self.assertEqual(heard, said)
        self.assertTrue(said[0] > 2000 // STEP, said)
        self.assertEqual(app.log.count("connected"), 1)

    def script(self, line, i, late_us, percent):
        def script(index, data):
            if line.random.below(100) >= percent:
                return data

            def come():
                line.links[1 - i].feed(bytearray(data), len(data), line.now())
                line.wake[1 - i] = line.now_us

            line.at(late_us, come)
            return None

        return script

    def be_lazy(self, line):
        """Let end 1 run every 2 ms only."""
        serve = line._serve
        last = [-9999]

        def lazily(i):
            if i == 1 and line.now_us - last[0] < 2000:
                line.wake[1] = last[0] + 2000
                return
            if i == 1:
                last[0] = line.now_us
            serve(i)

        line._serve = lazily

    def test_frames_and_acks(self):
        """3 ms late, where 256 frames take less: nothing twice, nothing missing, and it lives."""
        for window in (8, 64):
            self.run_late(window, window, 3000, 1, 120, False)

    def test_acks_of_one_who_listens_now_and_then(self):
        """They are for whole windows, so a few frames are a lap: only the latest one counts."""
        for seed, late_us in ((4, 8000), (1, 10000)):
            self.run_late(seed, 64, late_us, 10, 1500, True)

    def test_only_one_side_has_datagrams(self):
        def make(i, random):
            return Link(11 + i, 5, random, App(), datagrams=i == 1)

        line = Line(3, make)
        line.run(2000)
        for link in line.links:
            self.assertEqual((link.state, link.stats.sessions), (REFUSED, 0))
            self.assertTrue("datagrams" in link.refusal)


class Counts(unittest.TestCase):
    def setUp(self):
        self.one = Counted()
        self.two = Counted()
        self.packet = bytearray(20)

    def frame(self):
        return bytes(self.packet[: self.one.seal(self.packet, 5)])

    def test_the_window(self):
        frames = [self.frame() for _ in range(100)]
        two = self.two
        self.assertEqual((two.open(frames[60], 7, False), two.newest), (5, True))
        self.assertEqual((two.open(frames[31], 7, False), two.newest), (5, False))
        self.assertEqual((two.open(frames[30], 7, False), two.newest), (-2, False))
        self.assertEqual((two.open(frames[61], 7, False), two.newest), (5, True))
        self.assertEqual(two.open(frames[31], 7, False), -2)
        self.assertEqual((two.open(frames[99], 7, False), two.newest), (5, True))

    def test_no_room_for_a_count(self):
        self.assertEqual(self.two.open(bytes(2), 2, False), -1)
        self.assertEqual(self.two.open(bytes(3), 3, False), 1)

    def test_the_first_frame_of_a_session(self):
        frames = [self.frame() for _ in range(9)]
        self.two.open(frames[8], 7, False)
        self.assertEqual(self.two.open(frames[5], 7, True), 5)
        self.two.adopt()
        self.assertEqual((self.two.open(frames[4], 7, False), self.two.newest), (5, False))
        self.assertEqual((self.two.open(frames[6], 7, False), self.two.newest), (5, True))

    def test_the_wrap_around(self):
        for _ in range(0x10000):
            frame = self.frame()
            if frame[6] & 63 == 0:
                self.assertEqual(self.two.open(frame, 7, False), 5)
        self.assertEqual(frame[5:7], b"\xff\xff")
        self.two.open(frame, 7, False)
        after = self.frame()
        self.assertEqual(after[5:7], b"\0\0")
        self.assertEqual((self.two.open(after, 7, False), self.two.newest), (5, True))
        self.assertEqual((self.two.open(frame, 7, False), self.two.newest), (5, False))


if __name__ == "__main__":
    unittest.main()
