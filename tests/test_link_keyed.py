# SPDX-License-Identifier: MIT
"""With a key nobody else begins, ends, changes, keeps alive or holds up what two links have.

Each test plays an attack that needs no key; keyed_bench.py says what the attacker can do.
"""

import unittest

from keyed_bench import KEY, OTHER, KeyedBench, altered, body, helo, is_helo, on_wire, weight
from limpet.link import UP
from limpet.port import NAME, crc16
from limpet.rand import Random
from link_checker import STEP

END = 0x3FFFFFFF  # of a session's counters
EPOCHS = [Random(4 + k).next() for k in range(30)]
MASKS = (0x01, 0x80, 0xFF) if NAME == "cpython" else (0x20,)


class Sessions(unittest.TestCase):
    """With the same key at both ends all is as without one."""

    def test_payloads_both_ways(self):
        bench = KeyedBench(3).connect()
        self.assertEqual(bench.flows(100, 100 // STEP), "")
        for i in range(2):
            stats = bench.stats(i)
            self.assertEqual((stats.rx_forged, stats.rx_replayed, stats.rx_bad), (0, 0, 0))
            self.assertEqual(stats.sessions, 1)

    def test_the_largest(self):
        bench = KeyedBench(3).connect()
        for i in range(2):
            bench.say(i, 10, 400)
        self.assertTrue(bench.line.until(bench.arrived, 3000))
        self.assertEqual(bench.judge.faults, [])
        longest = max([len(body(data)) for data in bench.said[0]])
        self.assertEqual(longest, 255 + 10 + 2)

    def test_loss(self):
        for loss in (50, 100):
            bench = KeyedBench(4)
            for wire in bench.line.wires:
                wire.loss = loss
            self.assertEqual(bench.flows(5000, 100 // STEP), "")

    def test_datagrams_that_come_twice_and_late(self):
        bench = KeyedBench(5, line={"prop_us": 2000}, options={"datagrams": True})
        bench.line.datagrams = True
        for wire in bench.line.wires:
            wire.double, wire.late, wire.loss = 200, 200, 50
        self.assertEqual(bench.flows(5000, 100 // STEP), "")
        self.assertTrue(bench.stats(0).rx_replayed > 0)
        self.assertEqual(bench.stats(0).sessions, 1)

    def test_resets(self):
        for seed in range(6 if STEP == 1 else 2):
            for loss in (0, 50, 100):
                self.reset_often(seed, loss)

    def reset_often(self, seed, loss):
        bench = KeyedBench(seed)
        line = bench.line
        for wire in line.wires:
            wire.loss = loss
        for i in range(2):
            bench.say(i, -1, 40)
        for _ in range(12):
            line.run(20 + bench.random.below(300))
            dice = bench.random.below(4)
            for i in range(2):
                if dice == i or dice == 2:
                    line.restart(i)
        self.assertEqual(bench.flows(5000), "", (seed, loss))
        self.assertTrue(min([app.total for app in bench.apps]) > 30)

    def test_used_up_counters_end_the_session_and_the_next_one_goes_on(self):
        bench = KeyedBench(6).connect()
        bench.line.run(300)
        auths = [link.auth for link in bench.line.links]
        auths[0]._session.sent = END - 5
        auths[1]._session.highest = END - 6
        for i in range(2):
            bench.say(i, 30)
        self.assertTrue(bench.line.until(lambda: bench.stats(0).sessions == 2, 200))
        self.assertEqual(bench.flows(), "")
        self.assertEqual(bench.stats(0).sessions, 2)


class Replays(unittest.TestCase):
    """Nothing that was recorded works a second time, anywhere."""

    def recorded(self, seed=1):
        bench = KeyedBench(seed).connect()
        self.assertEqual(bench.flows(100, 12), "")
        bench.line.run(700)
        self.assertTrue(min([len(said) for said in bench.said]) > 15)
        return bench, [list(said) for said in bench.said]

    def test_to_the_running_session(self):
        for back in (0, 1):  # 1: each frame to the end that it came from
            bench, said = self.recorded()
            before = [app.total for app in bench.apps]
            for i in range(2):
                for data in said[i ^ back]:
                    bench.inject(1 - i, data)
                    bench.line.run(1)
            self.assertEqual([app.total for app in bench.apps], before)
            self.assertEqual([link.stats.sessions for link in bench.line.links], [1, 1])
            for i in range(2):
                stats = bench.stats(i)
                if back:
                    self.assertTrue(stats.rx_bad > 12)
                else:
                    self.assertTrue(stats.rx_replayed > 12)
                    self.assertEqual(stats.rx_duplicate, 0)
                self.assertEqual(stats.rx_forged, 0)
            self.assertEqual(bench.flows(), "")

    def test_reflected_with_the_check_of_the_other_direction(self):
        bench, said = self.recorded()
        sessions = [link._session for link in bench.line.links]
        for i in range(2):
            count = 0
            for data in said[i]:
                if not is_helo(data):
                    count += 1
                    inside = body(data)
                    both = sessions[i].start_out ^ sessions[i].start_in
                    self.assertEqual(both, 0xFFFF)
                    # A check that starts elsewhere differs by what the difference makes of it.
                    bench.inject(i, self.restarted(inside, both))
            self.assertEqual(bench.stats(i).rx_forged, count)
        self.assertEqual(bench.flows(), "")

    def restarted(self, inside, difference):
        size = len(inside) - 2
        zeros = bytearray(size)
        check = crc16(zeros, 0, size, difference)
        inside[size] ^= check >> 8
        inside[size + 1] ^= check & 255
        return on_wire(inside)

    def test_to_a_fresh_link(self):
        """Eve plays the whole part of the other side, at any pace."""
        for target in range(2):
            for pause_ms in (0, 1, 60):
                bench, said = self.recorded()
                bench.cut(0, 1)
                app = bench.apps[target]
                before, log = app.total, len(app.log)
                bench.line.restart(target)
                for data in said[1 - target]:
                    bench.inject(target, data)
                    bench.line.run(pause_ms)
                self.assertEqual((app.total, app.log[log:]), (before, []))
                self.assertEqual(bench.stats(target).sessions, 0)
                bench.cut()
                self.assertEqual(bench.flows(4000), "")

    def test_to_a_link_with_the_same_epochs(self):
        """Its generator repeats after a reset, its entropy does not: the nonce is new."""
        for target in range(2):
            bench = KeyedBench(8)
            bench.fix_epochs(target, EPOCHS)
            bench.connect()
            self.assertEqual(bench.flows(), "")
            epoch = bench.line.links[target].session
            heard = list(bench.said[1 - target])
            bench.cut(0, 1)
            total = bench.apps[target].total
            bench.fix_epochs(target, EPOCHS)
            del bench.said[target][:]
            for data in heard:
                bench.line.run(1)
                bench.inject(target, data)
            own = body([data for data in bench.said[target] if is_helo(data)][0])
            self.assertEqual(own[12:16], epoch.to_bytes(4, "big"))
            self.assertEqual((bench.stats(target).sessions, bench.apps[target].total), (0, total))

    def test_each_epoch_has_a_nonce_of_its_own(self):
        bench = KeyedBench(2)
        for _ in range(5):
            bench.connect()
            bench.line.restart(1)
            bench.line.run(100)
        for said in bench.said:
            pairs = {
                bytes(body(data)[12:16] + body(data)[27:35]) for data in said if is_helo(data)
            }
            self.assertTrue(len(pairs) >= 6)
            self.assertEqual(len({pair[:4] for pair in pairs}), len(pairs))
            self.assertEqual(len({pair[4:] for pair in pairs}), len(pairs))

    def closed(self, bench):
        """Let end 0 close the session; return what it says then."""
        del bench.said[0][:]
        bench.line.links[0].close(bench.line.now())
        bench.line.wake[0] = bench.line.now_us
        bench.line.run(100)
        closes = list(bench.said[0])
        self.assertEqual([is_helo(data) for data in closes], [True, True])
        return closes

    def test_a_close_of_an_earlier_session(self):
        bench = KeyedBench(2).connect()
        closes = self.closed(bench)
        self.assertEqual((bench.stats(1).closes, bench.apps[1].log), (1, ["+", "-"]))
        bench.line.restart(0)
        bench.connect()
        sent = bench.stats(1).helo_sent
        for data in closes * 3:
            bench.inject(1, data)
            bench.inject(0, data)
            bench.line.run(10)
        self.assertEqual((bench.stats(1).closes, bench.stats(1).sessions), (1, 2))
        self.assertEqual(bench.stats(1).helo_sent, sent)
        self.assertEqual(bench.flows(), "")

    def test_a_close_of_a_session_with_the_same_epochs(self):
        bench = KeyedBench(2)
        told = []
        for _ in range(2):
            bench.fix_epochs(0, EPOCHS)
            bench.fix_epochs(1, EPOCHS[10:])
            bench.connect()
            told.append([link.session for link in bench.line.links])
            if len(told) == 1:
                closes = self.closed(bench)
        self.assertEqual(told[0], told[1])
        for data in closes:
            bench.inject(1, data)
            bench.line.run(10)
        self.assertEqual((bench.stats(1).closes, bench.line.up()), (0, True))
        self.assertEqual(bench.flows(), "")

    def test_what_was_held_back_is_not_taken_later(self):
        """The beginning of a session, new to us, with a request in it, that Eve kept for long."""
        for held_ms, taken in ((1000, 1), (15000, 0), (60000, 0)):
            bench = KeyedBench(2)
            bench.cut(0, 1)
            self.assertTrue(bench.take(1) != b"")
            bench.inject(1, bench.take(0))
            bench.inject(0, bench.take(1))
            bench.say(0, 1)
            kept = [bench.take(0), bench.take(0)]
            self.assertEqual([is_helo(data) for data in kept], [True, False])
            bench.line.run(held_ms)
            for data in kept:
                bench.inject(1, data)
            self.assertEqual(bench.apps[1].total, taken)
            self.assertEqual(bench.stats(1).sessions, taken)
            bench.cut()
            self.assertEqual(bench.flows(4000), "")

    def test_a_helo_of_the_session_does_not_keep_the_dead_alive(self):
        """The peer is gone; its HELO of this session, again and again, are no sign of life."""
        for target in range(2):
            bench = KeyedBench(2).connect()
            heard = [data for data in bench.said[1 - target] if is_helo(data)]
            bench.remove(1 - target)
            bench.flood(target, heard, 50000, 5000000)
            bench.line.run(1100)
            self.assertEqual(bench.apps[target].log, ["+", "-"])
            bench.line.restart(1 - target)
            self.assertEqual(bench.flows(2500), "")

    def test_a_former_compatibility_string(self):
        bench = KeyedBench(2, options={"compatibility": "physics 1"}).connect()
        a, b = bench.line.links
        early = [data for data in bench.said[0] if is_helo(data)]
        self.assertTrue(a.neighbour.compatible and b.neighbour.compatible)
        for link in (a, b):
            link.change_compatibility("physics 2", bench.line.now())
        bench.line.wake = [bench.line.now_us] * 2
        bench.line.run(2000)
        self.assertTrue(bench.line.up())
        self.assertTrue(a.neighbour.compatible and b.neighbour.compatible)
        for data in early:
            bench.inject(1, data)
            self.assertTrue(b.neighbour.compatible)
            bench.line.run(5)
            self.assertTrue(b.neighbour.compatible)

    def test_a_string_of_another_session(self):
        bench = KeyedBench(2).connect()
        old = bench.helos(4)[0]
        for i in range(2):
            bench.options[i] = {"compatibility": "physics 2"}
            bench.line.restart(i)
        bench.connect()
        for data in old:
            bench.inject(1, data)
            self.assertTrue(bench.line.links[1].neighbour.compatible)
            bench.line.run(5)
            self.assertTrue(bench.line.links[1].neighbour.compatible)


class Alterations(unittest.TestCase):
    """Each byte of each frame is under the MAC, whatever its check says."""

    def tamper(self, bench, i, data, allowed=()):
        """Feed all altered forms of a frame to end i; return how many."""
        size = len(body(data)) - 2
        stats = bench.stats(i)
        for at in range(size):
            for mask in MASKS:
                before = stats.rx_forged + stats.helo_refused + stats.rx_bad
                bench.inject(i, altered(data, at, mask))
                found = stats.rx_forged + stats.helo_refused + stats.rx_bad - before
                self.assertTrue(found > 0, (at, mask))
                self.assertEqual(bench.take(i), b"", (at, mask))
        for at in range(len(data)):
            broken = bytearray(data)
            broken[at] ^= 0x5A
            bench.inject(i, broken + b"\0")
        return size * len(MASKS)

    def test_a_talk_word_by_word(self):
        bench = KeyedBench(7)
        a, b = bench.line.links
        first = bench.take(0)
        self.assertTrue(bench.take(1) != b"")  # so that nothing but an answer is due
        self.tamper(bench, 1, first)
        self.assertFalse(UP in (a.state, b.state))
        bench.inject(1, first)
        offer = bench.take(1)
        self.tamper(bench, 0, offer)
        self.assertFalse(UP in (a.state, b.state))
        bench.inject(0, offer)
        self.assertEqual(a.state, UP)
        confirm = bench.take(0)
        self.tamper(bench, 1, confirm)
        self.assertFalse(b.state == UP)
        bench.inject(1, confirm)
        self.assertEqual(b.state, UP)
        self.tamper(bench, 1, confirm)
        self.tamper(bench, 0, offer)
        self.frames(bench, a, b)

    def frames(self, bench, a, b):
        bench.say(0, 1)
        data = bench.take(0)
        before = bench.stats(1).rx_forged
        count = self.tamper(bench, 1, data)
        self.assertTrue(bench.stats(1).rx_forged - before >= count * 9 // 10)
        self.assertEqual(bench.apps[1].total, 0)
        bench.inject(1, data)
        self.assertEqual(bench.apps[1].total, 1)
        bench.line.now_us += 5000
        ack = bench.take(1)
        self.tamper(bench, 0, ack)
        self.assertEqual(a.unacked(), 1)
        bench.inject(0, ack)
        self.assertEqual(a.unacked(), 0)
        self.assertEqual([link.stats.sessions for link in (a, b)], [1, 1])
        self.assertEqual(bench.flows(), "")

    def test_nothing_of_it_counts_as_life(self):
        bench = KeyedBench(7).connect()
        bench.line.run(600)
        data = altered(bench.said[0][-1], 2, 4)
        bench.cut(0)
        bench.flood(1, [data], 20000, 1100000)
        bench.line.run(1100)
        self.assertEqual(bench.apps[1].log, ["+", "-"])

    def test_a_frame_that_would_begin_a_session(self):
        """The confirm is lost, so a frame has to do; an altered one does not."""
        bench = KeyedBench(7)
        self.assertTrue(bench.take(1) != b"")
        bench.inject(1, bench.take(0))
        bench.inject(0, bench.take(1))
        self.assertTrue(is_helo(bench.take(0)))
        bench.say(0, 1)
        data = bench.take(0)
        self.tamper(bench, 1, data)
        self.assertFalse(bench.line.links[1].state == UP)
        bench.inject(1, data)
        self.assertEqual(bench.line.links[1].state, UP)
        self.assertEqual(bench.apps[1].total, 1)
        bench.inject(1, data)
        self.assertEqual((bench.apps[1].total, bench.stats(1).rx_replayed), (1, 1))


class Keys(unittest.TestCase):
    """No key, or another one, at either end: no session, told, counted, healed."""

    def no_session(self, keys, words):
        for late in (None, 0, 1):
            bench = KeyedBench(3, keys)
            if late is not None:
                bench.remove(late)
                bench.line.run(3000)
                bench.line.restart(late)
            bench.line.run(4000)
            weights = [weight(link) for link in bench.line.links]
            bench.line.run(6000)
            self.assertEqual([weight(link) for link in bench.line.links], weights)
            for i in range(2):
                link = bench.line.links[i]
                self.assertEqual((link.stats.sessions, bench.apps[i].log), (0, []))
                if keys[i]:
                    self.assertTrue(link.stats.rx_forged > 4)
                self.assertTrue(words[i] in link.refusal, link.refusal)
                self.assertTrue(link.stats.helo_sent < 40)
            bench.keys = [KEY, KEY]
            for i in range(2):
                if keys[i] != KEY:
                    bench.line.restart(i)
            self.assertEqual(bench.flows(4000), "")
            self.assertEqual(bench.line.links[0].refusal, "")

    def test_another_key(self):
        self.no_session((KEY, OTHER), ("another key", "another key"))

    def test_no_key_here(self):
        self.no_session((None, KEY), ("has a key", "no key"))

    def test_no_key_there(self):
        self.no_session((KEY, None), ("no key", "has a key"))

    def test_a_helo_without_its_key_part_ends_nothing(self):
        """Eve takes the flag off and cuts the HELO, with the epochs that are in use."""
        bench = KeyedBench(3).connect()
        for i in range(2):
            for data in list(bench.said[1 - i]):
                if is_helo(data):
                    packet = body(data)[:27]
                    for flags in (0, 1, 3, 4, 8, 16):
                        packet[3] = flags
                        bench.inject(i, helo(packet))
                        bench.line.run(2)
        self.assertEqual([app.log for app in bench.apps], [["+"], ["+"]])
        self.assertEqual(bench.flows(), "")


if __name__ == "__main__":
    unittest.main()
