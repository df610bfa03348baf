# SPDX-License-Identifier: MIT
"""Frames: the golden table both ways and byte by byte; nothing broken passes, resync at once."""

import unittest

from limpet.frame import RESIDUE, Splitter, wire_size
from limpet.port import crc16, seal
from limpet.rand import Random
from limpet.stats import NAMES, Stats

HERE = __file__.rsplit("/", 1)[0] if "/" in __file__ else "."


def unhex(text):
    """Return the bytes that hex digits stand for (bytes.fromhex, which not every VM has)."""
    return bytes([int(text[i : i + 2], 16) for i in range(0, len(text), 2)])


def vectors():
    """Return (name, what the check starts at, packet, wire bytes, meaning) of the golden table."""
    rows = []
    with open(HERE + "/vectors/wire.txt") as table:
        for line in table:
            if line.strip() and not line.startswith("#"):
                name, start, packet, wire, meaning = line.strip().split(" ", 4)
                rows.append((name, int(start, 16), unhex(packet), unhex(wire), meaning))
    return rows


def split(splitter, data, step):
    """Feed data in pieces of `step` bytes; return the frames."""
    frames = []
    for start in range(0, len(data), step):
        piece = bytearray(data[start : start + step])
        at = 0
        while at < len(piece):
            at = splitter.push(piece, at, len(piece))
            if splitter.size:
                frames.append(bytes(splitter.buffer[: splitter.size]))
    return frames


class GoldenTable(unittest.TestCase):
    """Every frame of docs/wire.md is built and read as the table says."""

    def test_names_are_unique(self):
        names = [row[0] for row in vectors()]
        self.assertTrue(len(names) >= 16)
        self.assertEqual(len(names), len(set(names)))

    def test_encode(self):
        for name, start, packet, wire, _ in vectors():
            with self.subTest(name):
                buf = bytearray(packet) + bytearray(2)
                out = bytearray(300)
                lead = 1 if wire[0] == 0 else 0
                size = seal(out, lead, buf, len(packet), start)
                self.assertEqual(bytes(out[: lead + size]), wire)
                self.assertTrue(len(wire) <= wire_size(len(packet)))

    def test_decode_in_any_pieces(self):
        for name, start, packet, wire, _ in vectors():
            for step in (1, 2, 7, 300):
                with self.subTest(name + " in pieces of %d" % step):
                    frames = split(Splitter(255, Stats()), wire, step)
                    self.assertEqual([frame[:-2] for frame in frames], [packet])
                    self.assertEqual(crc16(frames[0], 0, len(frames[0]), start), RESIDUE)

    def test_all_in_one_stream(self):
        rows = vectors()
        data = b"".join([row[3] for row in rows])
        stats = Stats()
        frames = split(Splitter(255, stats), data, 64)
        self.assertEqual([frame[:-2] for frame in frames], [row[2] for row in rows])
        self.assertEqual(stats.rx_bad, 0)


class BrokenFrames(unittest.TestCase):
    """What is broken is dropped and counted once; the next frame is whole."""

    def check(self, name, data, **expected):
        with self.subTest(name):
            stats = Stats()
            good = vectors()[3][3]
            frames = split(Splitter(255, stats), data + good + good, 5)
            self.assertEqual(frames[-1], frames[-2])
            self.assertEqual(frames[-1][:-2], vectors()[3][2])
            self.assertEqual(len(frames), 2)
            for counter in NAMES:
                self.assertEqual(
                    (counter, getattr(stats, counter)), (counter, expected.get(counter, 0))
                )

    def test_nothing(self):
        self.check("nothing", b"")
        self.check("empty frames", b"\x00\x00\x00")

    def test_illegal(self):
        self.check("code beyond the end", b"\x09\x11\x22\x00", rx_bad=1)
        self.check("too short to mean anything", b"\x03\x11\x22\x00", rx_bad=1)
        self.check("one byte", b"\x01\x00", rx_bad=1)

    def test_overlong_counts_once(self):
        self.check("a little", b"\x11" * 261 + b"\x00", rx_overlong=1)
        self.check("a lot", b"\x11" * 5000 + b"\x00", rx_overlong=1)
        self.check("twice", (b"\x11" * 999 + b"\x00") * 2, rx_overlong=2)

    def test_truncated_spoils_only_the_frame_it_runs_into(self):
        good = vectors()[3][3]
        for cut in range(1, len(good) - 1):
            with self.subTest(cut):
                frames = split(Splitter(255, Stats()), good[:cut] + good + good, 3)
                self.assertEqual(frames[-1][:-2], vectors()[3][2])
                self.assertTrue(len(frames) <= 2)

    def test_no_flipped_byte_passes(self):
        """A single damaged byte anywhere never gives another frame that passes the check."""
        random = Random(7)
        for name, start, packet, wire, _ in vectors():
            for _ in range(40):
                broken = bytearray(wire)
                k = random.below(len(wire))
                broken[k] ^= 1 + random.below(255)
                for frame in split(Splitter(255, Stats()), bytes(broken) + b"\x00", 300):
                    right = crc16(frame, 0, len(frame), start) == RESIDUE
                    self.assertTrue(not right or frame[:-2] == packet, name)

    def test_noise_gives_bounded_frames(self):
        random = Random(5)
        stats = Stats()
        splitter = Splitter(64, stats)
        passed = 0
        for _ in range(300):
            noise = bytes([random.below(256) for _ in range(50)])
            for frame in split(splitter, noise, 50):
                self.assertTrue(5 <= len(frame) <= 66)
                passed += crc16(frame, 0, len(frame), 0xFFFF) == RESIDUE
        self.assertEqual(passed, 0)
        self.assertTrue(stats.rx_bad > 0)


class Counters(unittest.TestCase):
    """A counter counts and stops below 2**30."""

    def test_saturation(self):
        stats = Stats()
        stats.rx_bad = 0x3FFFFFFE
        for _ in range(3):
            stats.count("rx_bad")
        self.assertEqual(stats.rx_bad, 0x3FFFFFFF)
        self.assertEqual(stats.rx_frames, 0)


if __name__ == "__main__":
    unittest.main()
