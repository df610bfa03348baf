# SPDX-License-Identifier: MIT
"""A link keeps its promises: payloads once and in order, sessions told truly, no harm by garbage.

All in virtual time that wraps during every run. The trace at the end is the same on every VM.
"""

import unittest

import alloc_link
from helpers_link import App, pair
from limpet.frame import Splitter
from limpet.link import DOWN, REFUSED, UP, Link
from limpet.port import seal
from limpet.rand import Random
from limpet.stats import NAMES, Stats
from limpet.ticks import ticks_add
from test_frame import vectors

START = 0x3FFFFFFF - 20  # ms, just below the wrap

# What every VM gives; a change of the link's behaviour changes it.
TRACE = (2298006, 156, 86)


def payload(number, size=40):
    """Return a payload that says which one it is."""
    return bytes([number >> 8 & 255, number & 255]) + bytes([number * 7 & 255]) * (size - 2)


def exchange(line, apps, count, size=40):
    """Queue `count` payloads at both ends and run until all came; return whether they did."""
    sent = [[payload(1000 * i + k, size) for k in range(count)] for i in range(2)]
    for i in range(2):
        apps[i].queue.extend(sent[i])
        line.wake[i] = line.now_us
    line.until(lambda: len(apps[0].got) >= count and len(apps[1].got) >= count, 60000)
    line.run(500)
    return apps[0].got == sent[1] and apps[1].got == sent[0]


class Golden(unittest.TestCase):
    """Two links say exactly what the golden table says."""

    def setUp(self):
        self.rows = {row[0]: row for row in vectors()}
        self.out = bytearray(300)
        self.now = START
        self.apps = [App(), App()]
        a = self.fixed([0x00A15A5A, 0x2BADCAFE, 5])
        b = self.fixed([0x0B2C3D4E, 0x1F00D00D, 6])
        self.a = Link(11, 0x01234567, a, self.apps[0], direction=2)
        self.b = Link(22, 0x07654321, b, self.apps[1], direction=6)

    def fixed(self, numbers):
        random = Random(1)
        random.next = lambda: numbers.pop(0)
        random.below = lambda n: 0
        return random

    def says(self, link, name):
        """Check that the link sends just this row now; return the bytes."""
        size = link.take(self.out, self.now)
        self.assertEqual((name, bytes(self.out[:size])), (name, self.rows[name][3]))
        return bytearray(self.out[:size])

    def hears(self, link, data):
        self.assertEqual(link.feed(data, len(data), self.now), len(data))

    def test_a_session_word_by_word(self):
        a, b = self.a, self.b
        first = self.says(a, "helo_first")
        self.hears(b, first)
        self.hears(a, self.says(b, "helo_offer"))
        self.assertEqual((a.state, b.state), (UP, DOWN))
        self.hears(b, self.says(a, "helo_confirm"))
        self.assertEqual(b.state, UP)
        self.assertEqual((a.session, b.session), (0x00A15A5A, 0x0B2C3D4E))
        self.assertEqual((b.peer_node, b.peer_epoch), (11, 0x01234567))
        self.apps[0].queue.append(b"limpet")
        self.hears(b, self.says(a, "data_first"))
        self.assertEqual(b.take(self.out, self.now), 0)
        self.now = ticks_add(self.now, 5)
        self.hears(a, self.says(b, "ack"))
        self.apps[0].queue.extend([b"\x00", b"\x01\x00\x02"])
        self.says(a, "data_lost")
        self.hears(b, self.says(a, "data_early"))
        self.hears(a, self.says(b, "ack_gap"))
        self.hears(b, self.says(a, "data_lost"))
        self.apps[1].queue.append(b"yes")
        self.hears(a, self.says(b, "data_back"))
        self.assertEqual(self.apps[1].got, [b"limpet", b"\x00", b"\x01\x00\x02"])
        self.assertEqual(self.apps[0].got, [b"yes"])
        self.assertEqual(a.stats.tx_retransmit, 1)

    def test_the_others_are_read_as_the_table_says(self):
        for name, _, _, wire, _ in vectors():
            if name in ("service_unknown", "service_reliable_unknown", "mfmt", "largest"):
                with self.subTest(name):
                    self.setUp()
                    self.hears(self.b, self.says(self.a, "helo_first"))
                    self.hears(self.a, self.says(self.b, "helo_offer"))
                    self.hears(self.b, self.says(self.a, "helo_confirm"))
                    self.hears(self.b, bytearray(wire))
                    got = [251] if name == "largest" else []
                    self.assertEqual([len(data) for data in self.apps[1].got], got)
                    self.assertEqual(self.b.stats.rx_unknown, 1 - len(got))
                    self.assertEqual(self.b.stats.rx_bad, 0)

    def test_a_probe_of_a_side_in_a_session(self):
        """A side in a session asks a stranger, and itself ignores such a question."""
        self.hears(self.b, self.says(self.a, "helo_first"))
        self.hears(self.a, self.says(self.b, "helo_offer"))
        self.hears(self.b, self.says(self.a, "helo_confirm"))
        stranger = bytearray(self.rows["helo_string"][3])
        self.hears(self.b, stranger)
        size = self.b.take(self.out, self.now)
        splitter = Splitter(255, Stats())
        splitter.push(self.out, splitter.push(self.out, 0, size), size)
        self.assertEqual(splitter.buffer[3], 3)
        self.assertEqual(bytes(splitter.buffer[16:20]), b"\x00\x00\x00\x01")
        self.assertEqual((self.b.state, self.apps[1].log), (UP, ["connected"]))
        probe = bytearray(self.rows["helo_probe"][3])
        self.hears(self.a, probe)
        self.assertEqual(self.a.take(self.out, self.now), 0)


class Delivery(unittest.TestCase):
    """Each payload arrives once and in order, whatever the line does."""

    def check(self, name, options=None, line_options=None, faults=None, count=150):
        with self.subTest(name):
            line, *apps = pair(5, options, line_options)
            for wire in line.wires:
                for key in faults or {}:
                    setattr(wire, key, faults[key])
            if faults and "late" in faults:
                line.datagrams = True
            self.assertTrue(line.until(line.up))
            self.assertTrue(exchange(line, apps, count))
            self.assertTrue(line.up())
            self.assertEqual(apps[0].log.count("connected"), 1)
            return line

    def test_clean(self):
        line = self.check("clean")
        for link in line.links:
            self.assertEqual(link.stats.tx_retransmit, 0)
            self.assertEqual(link.stats.rx_bad + link.stats.rx_duplicate, 0)

    def test_loss(self):
        self.check("2 %", None, None, {"loss": 20})
        self.check("20 %", None, None, {"loss": 200}, 80)

    def test_doubled(self):
        line = self.check("doubled", None, None, {"double": 300})
        self.assertTrue(line.links[0].stats.rx_duplicate > 0)

    def test_reordered(self):
        self.check("reordered", None, {"prop_us": 2000}, {"late": 200, "loss": 50, "double": 50})

    def test_windows_and_packets(self):
        for window in (1, 2, 4, 16, 64):
            self.check("window %d" % window, {"window": window}, None, {"loss": 50}, 60)
        self.check("small packets", {"packet_size": 96}, None, {"loss": 50}, 60)

    def test_slow_and_fast_lines(self):
        self.check("9600", {"silence_ms": 3000}, {"baud": 9600}, {"loss": 20}, 40)
        self.check("12 Mbit/s", None, {"baud": 12000000, "work_us": 0, "jitter_us": 0})

    def test_different_sizes_agree_on_the_smaller(self):
        line, *apps = pair(9)
        small = {"window": 2, "packet_size": 100}
        line.links[1] = Link(12, 77, Random(8), apps[1], **small)
        self.assertTrue(line.until(line.up))
        for link in line.links:
            self.assertEqual((link.window, link.payload_max), (2, 96))
        self.assertTrue(exchange(line, apps, 30, 96))

    def test_largest_payload_of_any_bytes(self):
        line, a, b = pair(2)
        self.assertTrue(line.until(line.up))
        sent = [bytes([k]) * line.links[0].payload_max for k in (0, 1, 255)]
        a.queue.extend(sent)
        line.wake[0] = line.now_us
        line.run(1000)
        self.assertEqual(b.got, sent)

    def test_one_byte_at_a_time(self):
        line, *apps = pair(6)
        for link in line.links:
            self.feed_slowly(link)
        self.assertTrue(line.until(line.up))
        self.assertTrue(exchange(line, apps, 20))

    def feed_slowly(self, link):
        whole = link.feed

        def feed(buf, count, now_ms):
            for i in range(count):
                whole(bytearray(buf[i : i + 1]), 1, now_ms)
            return count

        link.feed = feed


class Acks(unittest.TestCase):
    """Acks are few, ride along where they can, and come at once where they matter."""

    def test_no_more_than_needed(self):
        line, a, b = pair(3)
        self.assertTrue(line.until(line.up))
        a.queue.extend([payload(k) for k in range(200)])
        line.wake[0] = line.now_us
        line.run(2000)
        self.assertEqual(len(b.got), 200)
        acks = line.links[1].stats.acks_sent
        self.assertTrue(95 <= acks <= 115, acks)  # every 2 frames with a window of 8, and idle

    def test_traffic_both_ways_needs_none(self):
        line, *apps = pair(3)
        self.assertTrue(line.until(line.up))
        self.assertTrue(exchange(line, apps, 100))
        self.assertTrue(line.links[0].stats.acks_sent < 15)

    def test_a_lone_frame_is_acked_within_5_ms(self):
        line, a, b = pair(3)
        self.assertTrue(line.until(line.up))
        line.run(400)
        before = line.links[1].stats.acks_sent
        a.queue.append(b"hello")
        line.wake[0] = line.now_us
        self.assertTrue(line.until(lambda: b.got, 10))
        self.assertTrue(line.until(lambda: line.links[1].stats.acks_sent > before, 6))

    def test_a_lost_frame_comes_again_before_any_timer(self):
        line, a, b = pair(3)
        self.assertTrue(line.until(line.up))
        lost = line.wires[0].frames + 3
        line.wires[0].script = lambda index, data: None if index == lost else data
        a.queue.extend([payload(k) for k in range(20)])
        line.wake[0] = line.now_us
        self.assertTrue(line.until(lambda: len(b.got) == 20, 200))
        stats = line.links[0].stats
        self.assertEqual((stats.tx_retransmit, stats.tx_timeout), (1, 0))

    def test_a_lost_last_frame_comes_again_by_the_timer(self):
        line, a, b = pair(3)
        self.assertTrue(line.until(line.up))
        a.queue.extend([payload(k) for k in range(20)])
        line.wake[0] = line.now_us
        line.run(1000)
        lost = line.wires[0].frames
        line.wires[0].script = lambda index, data: None if index == lost else data
        a.queue.append(b"last")
        line.wake[0] = line.now_us
        self.assertTrue(line.until(lambda: b.got[-1] == b"last", 200))
        stats = line.links[0].stats
        self.assertEqual((stats.tx_retransmit, stats.tx_timeout), (1, 1))

    def test_lost_acks_cost_no_data(self):
        line, a, b = pair(3)
        self.assertTrue(line.until(line.up))
        line.wires[1].loss = 500
        sent = [payload(k) for k in range(100)]
        a.queue.extend(sent)
        line.wake[0] = line.now_us
        self.assertTrue(line.until(lambda: len(b.got) == 100))
        line.run(2000)
        self.assertEqual(b.got, sent)

    def test_a_full_window_waits(self):
        line, a, b = pair(3, {"silence_ms": 5000})
        self.assertTrue(line.until(line.up))
        line.wires[1].cut = True
        a.queue.extend([payload(k) for k in range(20)])
        line.wake[0] = line.now_us
        line.run(1000)
        self.assertEqual((len(a.given), len(b.got)), (8, 8))
        line.wires[1].cut = False
        line.run(3000)
        self.assertEqual(len(b.got), 20)

    def test_timeouts_back_off(self):
        line, a, b = pair(3, {"silence_ms": 20000})
        self.assertTrue(line.until(line.up))
        line.run(500)
        line.wires[0].cut = True
        a.queue.append(b"x")
        line.wake[0] = line.now_us
        line.run(19000)
        self.assertTrue(4 <= line.links[0].stats.tx_timeout <= 8)


class Patience(unittest.TestCase):
    """No wait for an ack is longer than a quarter of the smaller silence limit, come what may."""

    def lose_data(self, line, count):
        """Lose the next `count` frames of end 0 that are no null packets; return their times."""
        times = []

        def script(index, data):
            if len(data) < 30 or len(times) == count:
                return data
            times.append(line.now_us // 1000)
            return None

        line.wires[0].script = script
        return times

    def talk(self, line, apps, count, pause_ms):
        for _ in range(count):
            for i in range(2):
                apps[i].queue.append(payload(0))
                line.wake[i] = line.now_us
            line.run(pause_ms)

    def jump(self, line, ms):
        """Let the clock of both ends jump: they find their input before they look at timers."""
        self.assertTrue(line.wires[0].flight and line.wires[1].flight)
        line.now_us += ms * 1000
        line.wake = [line.now_us, line.now_us]

    def after_jump(self, ms, pause_ms):
        line, *apps = pair(3, None, {"prop_us": 20000})
        self.assertTrue(line.until(line.up))
        self.talk(line, apps, 20, pause_ms)
        self.jump(line, ms)
        line.run(700)
        self.assertEqual((apps[0].log.count("connected"), len(apps[1].got)), (1, 20))
        self.lose_one(line, apps, 300)
        self.talk(line, apps, 30, 30)
        line.run(100)
        self.lose_one(line, apps, 200)  # forgotten

    def lose_one(self, line, apps, within_ms):
        """Lose a frame; it must be there within that time all the same."""
        count = len(apps[1].got)
        times = self.lose_data(line, 1)
        apps[0].queue.append(payload(1))
        line.wake[0] = line.now_us
        self.assertTrue(line.until(lambda: len(apps[1].got) > count, within_ms))
        self.assertEqual(len(times), 1)

    def test_one_lost_frame_after_a_jump_of_the_clock(self):
        for ms in (900, 5000, 600000, 0x1FFFF000, 0x20001000):
            for pause_ms in (3, 10, 20):
                self.after_jump(ms, pause_ms)

    def test_one_lost_frame_after_late_acks(self):
        """One end reads nothing for almost the limit, thrice: its lateness is not kept."""
        line, *apps = pair(3)
        self.assertTrue(line.until(line.up))
        for _ in range(3):
            self.talk(line, apps, 5, 30)
            apps[0].queue.append(payload(1))
            line.wake[0] = line.now_us
            line.run(3)
            feed = line.links[0].feed
            late = []
            line.links[0].feed = lambda buf, count, now_ms, late=late: late.append(bytearray(buf))
            line.run(900)
            line.links[0].feed = feed
            for data in late:
                line.links[0].feed(data, len(data), line.now())
        line.until(lambda: len(apps[1].got) == 18)
        self.lose_one(line, apps, 300)
        self.assertEqual(apps[0].log.count("connected"), 1)

    def test_tries_within_the_smaller_limit(self):
        for mine, theirs in ((1000, 1000), (400, 10000), (10000, 400), (3000, 3000)):
            for measured in (False, True):
                line, *apps = pair(4, {"silence_ms": mine})
                line.links[1] = Link(12, 9, Random(5), apps[1], silence_ms=theirs)
                self.assertTrue(line.until(line.up))
                if measured:
                    self.talk(line, apps, 10, 20)
                line.run(300)
                times = self.lose_data(line, 1000)
                apps[0].queue.append(payload(1))
                line.wake[0] = line.now_us
                line.run(2 * min(mine, theirs))
                gaps = [times[k + 1] - times[k] for k in range(len(times) - 1)]
                self.assertTrue(len(gaps) >= 7, (mine, theirs, gaps))
                self.assertTrue(max(gaps) <= min(mine, theirs) // 4 + 2, (mine, theirs, gaps))
                self.assertTrue(line.up())  # null packets do arrive


class Silence(unittest.TestCase):
    """Silence is a disconnect, in its time and not before; an idle link stays."""

    def test_an_idle_link_lives_on(self):
        line, *apps = pair(4)
        self.assertTrue(line.until(line.up))
        before = [wire.frames for wire in line.wires]
        line.run(60000)
        self.assertTrue(line.up())
        self.assertEqual(apps[0].log, ["connected"])
        for i in range(2):
            self.assertTrue(235 <= line.wires[i].frames - before[i] <= 245)

    def test_the_limit_is_each_sides_own(self):
        """A keep-alive goes each quarter of the peer's limit, whatever one's own is."""
        line, *apps = pair(4)
        line.links[1] = Link(12, 9, Random(5), apps[1], silence_ms=100)
        self.assertTrue(line.until(line.up))
        line.run(10000)
        self.assertEqual(apps[0].log + apps[1].log, ["connected", "connected"])

    def test_a_side_that_did_not_run_for_long_learns_that_it_was_dropped(self):
        """It reads what came before its timers run, and ends the session when it hears why."""
        for mine in (1000, 20000):
            self.absence({"silence_ms": mine})

    def absence(self, options):
        line, *apps = pair(4, options)
        line.links[1] = Link(12, 9, Random(5), apps[1], silence_ms=1000)
        self.assertTrue(line.until(line.up))
        apps[1].queue = [payload(k) for k in range(4)]
        line.wake[1] = line.now_us
        link = line.links[0]
        unread = []
        link.feed = lambda buf, count, now_ms: unread.append(bytearray(buf))
        link.take = lambda out, now_ms: 0
        link.poll = lambda now_ms: 100
        line.run(5000)
        for name in ("feed", "take", "poll"):
            delattr(link, name)
        self.assertEqual(apps[0].log, ["connected"])
        for data in unread:
            link.feed(data, len(data), line.now())
        self.assertEqual(apps[0].log, ["connected"] + ["received"] * 4)
        line.wake[0] = line.now_us
        self.assertTrue(line.until(lambda: link.stats.sessions == 2 and line.up(), 60))
        self.assertEqual(apps[0].log[5:], ["disconnected", "connected"])
        self.assertEqual(apps[1].log, ["connected", "disconnected", "connected"])
        apps[0].got = []
        self.assertTrue(exchange(line, apps, 20))

    def test_a_cut_is_found_in_time(self):
        line, a, _ = pair(4)
        self.assertTrue(line.until(line.up))
        line.run(600)
        line.wires[1].cut = True
        line.run(740)
        self.assertEqual(a.log, ["connected"])
        line.run(320)
        self.assertEqual(a.log, ["connected", "disconnected"])
        line.wires[1].cut = False
        self.assertTrue(line.until(line.up, 4000))

    def test_helo_goes_on_for_ever_with_back_off(self):
        line, *_ = pair(4)
        line.wires[1].cut = True
        line.run(100000)
        helos = line.links[0].stats.helo_sent
        self.assertTrue(60 <= helos <= 75, helos)
        self.assertEqual(line.links[0].state, DOWN)
        line.wires[1].cut = False
        self.assertTrue(line.until(line.up, 2500))

    def test_closed_is_silent(self):
        line, a, _ = pair(4)
        self.assertTrue(line.until(line.up))
        line.links[0].close(line.now())
        line.links[0].close(line.now())
        before = line.wires[0].frames
        line.run(5000)
        self.assertEqual(line.wires[0].frames, before + 2)  # that it is over, twice
        self.assertEqual(a.log, ["connected", "disconnected"])
        self.assertEqual(line.links[0].state, DOWN)


class Restarts(unittest.TestCase):
    """Whoever starts when, a new session comes fast, and the old one ends first."""

    def test_either_side_first(self):
        for late in range(2):
            line, *_ = pair(6)
            line.wires[late].cut = True
            line.run(3000)
            line.wires[late].cut = False
            line.restart(late)
            self.assertTrue(line.until(line.up, 100))

    def test_faster_than_the_silence_limit(self):
        line, *apps = pair(6)
        self.assertTrue(line.until(line.up))
        for _ in range(10):
            apps[0].queue = [payload(k) for k in range(30)]
            line.wake[0] = line.now_us
            line.run(37)
            line.restart(1)
            self.assertTrue(line.until(line.up, 60))
            line.run(20)
        wanted = ["connected"] + ["disconnected", "connected"] * 10
        self.assertEqual([entry for entry in apps[0].log if entry != "received"], wanted)

    def test_both_at_once(self):
        line, *apps = pair(6)
        self.assertTrue(line.until(line.up))
        line.restart(0)
        line.restart(1)
        self.assertTrue(line.until(line.up, 60))
        self.assertTrue(exchange(line, apps, 20))

    def test_a_frame_verifies_the_session_when_the_helo_is_lost(self):
        line, a, b = pair(6)
        self.assertTrue(line.until(lambda: line.links[0].state == UP or line.links[1].state == UP))
        first = 0 if line.links[0].state == UP else 1
        line.wires[first].script = lambda index, data: None if data[0] == 0 else data
        (a, b)[first].queue.append(b"first")
        line.wake[first] = line.now_us
        self.assertTrue(line.until(line.up, 40))
        self.assertTrue(line.until(lambda: (b, a)[first].got == [b"first"], 40))

    def test_a_stale_helo_ends_nothing(self):
        """A HELO of an earlier life of the peer costs one question, not the session."""
        line, *apps = pair(6)
        stale = []

        def keep(index, data):
            stale.append(bytearray(data))
            return data

        line.wires[1].script = keep
        self.assertTrue(line.until(line.up))
        line.wires[1].script = None
        line.restart(1)
        line.run(300)
        self.assertTrue(line.up())
        log = len(apps[0].log)
        sent = [wire.frames for wire in line.wires]
        for data in stale:
            line.links[0].feed(data, len(data), line.now())
            line.wake[0] = line.now_us
            line.run(50)
        self.assertEqual(len(apps[0].log), log)
        self.assertTrue(line.wires[0].frames - sent[0] <= len(stale) + 4)
        self.assertTrue(exchange(line, apps, 20))


class Refusals(unittest.TestCase):
    """A neighbour that cannot be one is refused with a sentence, and healed when it changes."""

    def refused(self, line, link, words):
        self.assertTrue(line.until(lambda: link.state == REFUSED, 3000))
        self.assertTrue(words in link.refusal, link.refusal)
        self.assertEqual(link.neighbour.refusal, link.refusal)
        self.assertEqual(link.neighbour.state, REFUSED)
        self.assertTrue(link.stats.helo_refused > 0)
        self.assertEqual(link.stats.sessions, 0)

    def test_twins(self):
        line, a, b = pair(7)
        line.links[1] = Link(11, 99, Random(4), b)
        self.refused(line, line.links[0], "node id 11")
        self.refused(line, line.links[1], "node id 11")
        before = line.wires[0].frames
        line.run(16000)
        self.assertTrue(line.wires[0].frames - before <= 14)
        line.restart(1)
        self.assertTrue(line.until(line.up, 3000))
        self.assertEqual(line.links[0].refusal, "")
        self.assertEqual(a.log, ["connected"])

    def test_another_protocol_version(self):
        line, a, _ = pair(7)
        row = {row[0]: row for row in vectors()}["helo_other_version"]
        wire = bytearray(row[3])
        line.wires[1].cut = True
        line.links[0].feed(wire, len(wire), line.now())
        self.refused(line, line.links[0], "protocol version 2, this side 1")
        line.wires[1].cut = False
        self.assertTrue(line.until(line.up, 4000))
        line.links[0].feed(wire, len(wire), line.now())
        self.assertEqual((line.links[0].state, line.links[0].refusal), (UP, ""))
        self.assertEqual(line.links[0].stats.helo_refused, 2)
        self.assertEqual(a.log, ["connected"])

    def test_a_line_that_echoes(self):
        """Own HELO is told as an echo; own frames coming back are nothing but broken ones."""
        app = App()
        link = Link(5, 6, Random(3), app)
        out = bytearray(link.wire_size)
        size = link.take(out, START)
        link.feed(out, size, START)
        self.assertEqual(link.state, REFUSED)
        self.assertTrue("echoes" in link.refusal)
        line, *apps = pair(8)
        self.assertTrue(line.until(line.up))
        for i in range(2):
            self.echo(line, i)
        self.assertTrue(exchange(line, apps, 30))
        self.assertTrue(line.links[0].stats.rx_bad >= 30)

    def echo(self, line, i):
        link = line.links[i]
        take = link.take

        def taken(out, now_ms):
            size = take(out, now_ms)
            if size:
                link.feed(bytearray(out[:size]), size, now_ms)
            return size

        link.take = taken

    def test_arguments(self):
        for arguments in (
            {"window": 0},
            {"window": 6},
            {"window": 128},
            {"packet_size": 95},
            {"packet_size": 256},
            {"silence_ms": 5},
            {"compatibility": "x" * 46},
        ):
            with self.assertRaises(ValueError):
                Link(1, 2, Random(3), App(), **arguments)


class Garbage(unittest.TestCase):
    """Nothing that comes from the line raises, connects, or stops what goes on."""

    def test_noise_on_a_link_that_is_down(self):
        app = App()
        link = Link(1, 2, Random(3), app)
        random = Random(11)
        for _ in range(200):
            noise = bytearray([random.below(256) for _ in range(40)])
            link.feed(noise, 40, START)
        self.assertEqual((link.state, app.log), (DOWN, []))
        self.assertTrue(link.stats.rx_bad + link.stats.rx_overlong > 15)

    def test_noise_within_a_session(self):
        line, *apps = pair(9)
        self.assertTrue(line.until(line.up))
        random = Random(12)

        def noisy(index, data):
            return bytes([random.below(256) for _ in range(random.below(30))]) + b"\x00" + data

        for wire in line.wires:
            wire.script = noisy
        self.assertTrue(exchange(line, apps, 60))
        self.assertEqual(line.links[0].stats.sessions, 1)

    def test_well_made_nonsense(self):
        """Frames with a right check but any content: no exception, and the session goes on."""
        line, *apps = pair(10)
        self.assertTrue(line.until(line.up))
        link = line.links[0]
        random = Random(13)
        out = bytearray(300)
        for _ in range(1500):
            size = 3 + random.below(20)
            packet = bytearray([random.below(256) for _ in range(size)] + [0, 0])
            if random.below(2):
                packet[0] = 0x80 | packet[0] & 7
                packet[1] = (0x00, 0x42, 0x45, 0x3F)[random.below(4)]
                packet[2] |= 128  # never what the peer has really sent
                packet[3] |= 128
            if packet[1] & 0x40 and packet[0] & 0xE0 == 0x80:
                packet[2] |= 128
                packet[3] |= 128
            count = seal(out, 0, packet, size, link._session.start_in)
            link.feed(out, count, line.now())
        self.assertEqual(link.state, UP)
        self.assertTrue(exchange(line, apps, 20))

    def test_a_frame_beyond_the_window_is_dropped(self):
        """A peer that sends more than agreed overwrites nothing; it is told what is here."""
        line, *apps = pair(10)
        self.assertTrue(line.until(line.up))
        link = line.links[0]
        out = bytearray(300)
        for seq in range(link.window, 128):
            packet = bytearray([0x80, 0x42, seq, 0, 66, 0, 0])
            link.feed(out, seal(out, 0, packet, 5, link._session.start_in), line.now())
        self.assertTrue(exchange(line, apps, 20))

    def test_helo_with_a_silence_limit_that_no_node_has(self):
        """It would ask for null packets without a pause: malformed, as it is in a constructor."""
        for silence_ms, good in ((0, 0), (1, 0), (3, 0), (4, 0), (19, 0), (20, 1), (65535, 1)):
            link = Link(1, 2, Random(3), App())
            out = bytearray(300)
            link.take(out, START)
            packet = bytearray(27) + b"\0\0"
            packet[0:4] = b"\x80\x01\x01\x00"
            packet[7] = packet[11] = packet[15] = 5
            for k in range(4):
                packet[16 + k] = link._session._mine >> 24 - 8 * k & 255
            packet[20] = 255
            packet[21] = packet[22] = 1
            packet[24] = silence_ms >> 8
            packet[25] = silence_ms & 255
            link.feed(out, seal(out, 0, packet, 27, 0xFFFF), START)
            self.assertEqual((link.stats.sessions, link.stats.rx_bad), (good, 1 - good))
            self.assertEqual(link.state, UP if good else DOWN)

    def test_helo_of_any_content(self):
        link = Link(1, 2, Random(3), App())
        random = Random(14)
        out = bytearray(300)
        for _ in range(1500):
            size = 3 + random.below(62)
            packet = bytearray([random.below(256) for _ in range(size)] + [0, 0])
            packet[0] = 0x80
            packet[1] = 1
            packet[2] = 1
            link.feed(out, seal(out, 0, packet, size, 0xFFFF), START)
            link.take(out, START)
        self.assertEqual(link.stats.sessions, 0)


class Scenarios(unittest.TestCase):
    """The allocation test's callables do what their names say, again and again."""

    def test_counters_move(self):
        rig = alloc_link.Rig()
        table = (
            ("lost", ("tx_retransmit",), ()),
            ("timed_out", ("tx_timeout", "tx_retransmit"), ()),
            ("twice", (), ("rx_duplicate",)),
            ("broken", ("tx_timeout",), ("rx_bad",)),
            ("garbage", ("rx_bad",), ("rx_overlong",)),
            ("keep_alive", ("acks_sent",), ("acks_sent",)),
        )
        for name, ours, theirs in table:
            for _ in range(3):
                before = [{n: getattr(link.stats, n) for n in NAMES} for link in (rig.a, rig.b)]
                getattr(rig, name)()
                for counter in ours:
                    self.assertTrue(getattr(rig.a.stats, counter) > before[0][counter], name)
                for counter in theirs:
                    self.assertTrue(getattr(rig.b.stats, counter) > before[1][counter], name)
        self.assertEqual((rig.a.state, rig.b.state), (UP, UP))

    def test_nothing_is_left_behind(self):
        calls = alloc_link.calls()
        for _ in range(2):
            for _, _, call in calls:
                call()
        self.assertTrue(len(calls) > 40)


class Trace(unittest.TestCase):
    """The same seed gives the same bytes at the same times on every VM."""

    def test_trace(self):
        line, *apps = pair(2026)
        for wire in line.wires:
            wire.loss = 50
        self.assertTrue(line.until(line.up))
        apps[0].queue = [payload(k) for k in range(120)]
        apps[1].queue = [payload(k, 200) for k in range(60)]
        line.run(300)
        line.restart(1)
        line.run(3000)
        self.assertEqual((line.trace, line.wires[0].frames, line.wires[1].frames), TRACE)


class Goodput(unittest.TestCase):
    """A line is well used: the share of its bytes that are payload, in both kinds of weather."""

    def share(self, loss):
        line, a, b = pair(3, {"silence_ms": 3000})
        self.assertTrue(line.until(line.up))
        data = bytes([(i * 7 + 1) & 255 for i in range(200)])
        a.source = lambda: data
        for wire in line.wires:
            wire.loss = loss
        line.wake[0] = line.now_us
        line.run(5000)
        return len(b.got) * 200 * 10 * 1000 // (115200 * 5)

    def test_200_bytes_at_115200(self):
        clean = self.share(0)
        self.assertTrue(clean > 940, clean)
        rough = self.share(50)
        self.assertTrue(rough > 850, rough)


if __name__ == "__main__":
    unittest.main()
