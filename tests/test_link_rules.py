# SPDX-License-Identifier: MIT
"""Small rules of a link, each with its own case: who goes first, what ends, and when."""

import unittest

from helpers_link import App, Line, pair
from limpet.link import DOWN, Link
from limpet.port import seal
from limpet.stats import Stats
from limpet.tile import Tile
from limpet.window import Sender
from link_services import RELIABLE, URGENT, Served

SURE = URGENT | RELIABLE


class Turns(unittest.TestCase):
    def test_frames_without_acks_leave_acks_their_turn(self):
        """One side says unreliable packets without end; what the other says arrives."""
        for kind in (URGENT, 0x80 | URGENT):
            bench = Served(3).connect()
            bench.desks[1].endless = {kind: 60}
            bench.say(0, -1, 60)
            bench.run(2000)
            self.assertTrue(bench.apps[1].total > 100, bench.apps[1].total)
            self.assertEqual(bench.line.links[0].stats.tx_timeout, 0)
            self.assertEqual(bench.judge.faults, [])


class Losses(unittest.TestCase):
    def sender(self, datagrams=False):
        self.stats = Stats()
        sender = Sender(8, 64, self.stats, datagrams)
        sender.reset(8, 8, 40, 250, 0)
        return sender

    def say(self, sender, now_ms):
        i = sender.free(0)
        sender.add(i, 10, now_ms)
        sender.sent(i, now_ms)

    def ack(self, sender, ack, bits, now_ms):
        sender.acked(bytearray([0x80, 0, ack, 8, bits]), 2, 5, now_ms)

    def test_what_others_have_overtaken_waits_a_round_trip_at_most(self):
        """However often something has come twice: RFC 8985's cap."""
        sender = self.sender(True)
        for now_ms in range(0, 40, 8):  # round trips of 4 ms
            self.say(sender, now_ms)
            self.ack(sender, sender.next, 0, now_ms + 4)
        for _ in range(20):
            sender.came_twice()
        self.say(sender, 100)
        self.say(sender, 100)
        self.ack(sender, sender.base, 1, 104)
        self.assertEqual(sender.lost, 0)
        self.assertTrue(1 <= sender.expire(104, True) <= 4)
        self.assertEqual(sender.expire(109, True), 0)
        self.assertEqual((sender.lost, self.stats.tx_timeout), (1, 0))

    def test_a_peer_that_repeats_has_lost_our_answer(self):
        """Sent again at once, but not sooner than an answer to it could be here."""
        sender = self.sender()
        self.say(sender, 0)
        self.ack(sender, 1, 0, 5)
        self.say(sender, 100)
        sender.doubt(104)
        self.assertEqual(sender.lost, 0)
        sender.doubt(106)
        self.assertEqual((sender.lost, sender.again()), (1, 1))
        sender.sent(1, 106)
        sender.doubt(106)
        self.assertEqual(sender.lost, 0)


class Ends(unittest.TestCase):
    def test_a_short_silence_limit_is_not_the_end_of_patience(self):
        """A reader stalls for 2.5 s where 64 timers are over long before: the session lives."""
        bench = Served(4, {"silence_ms": 100}).connect()
        bench.desks[1].places = 0
        bench.desks[0].put(SURE, 20, 40)
        bench.run(2500)
        bench.desks[1].places = 100
        bench.run(500)
        self.assertEqual(bench.desks[1].total, 20)
        self.assertEqual([app.log for app in bench.apps], [["+"], ["+"]])

    def test_closed_by_who_hears_of_the_end(self):
        """The peer begins anew; whoever is told that the old session is over closes the link."""
        line, app, _ = pair(5)
        self.assertTrue(line.until(line.up))
        app.disconnected = lambda: line.links[0].close(line.now())
        line.restart(1)
        line.run(3000)
        self.assertEqual((line.links[0].state, line.links[0].stats.sessions), (DOWN, 1))

    def test_events_wake_who_watches(self):
        class Watcher:
            count = 0

            def wake(self):
                Watcher.count += 1

        links = []

        def make(i, random):
            links.append(Link(11 + i, 5, random, App()))
            links[-1].neighbour.set_watch(Watcher())
            return links[-1]

        line = Line(3, make)
        self.assertTrue(line.until(line.up))
        self.assertEqual(Watcher.count, 2)


class Service:
    number = 4

    def __init__(self):
        self.came = []
        self.fails = 0
        self.polled = []

    def receive(self, neighbour, packet, start, end):
        self.came.append(bytes(packet[start:end]))

    def room(self, packet, size):
        return True

    def connected(self, neighbour):
        pass

    def disconnected(self, neighbour):
        pass

    def poll(self, now_ms):
        self.polled.append(now_ms)
        if self.fails:
            self.fails -= 1
            raise ValueError("a mistake in a service")
        return 1000


class Silent:
    def wake(self):
        pass


class Services(unittest.TestCase):
    def test_a_reliable_packet_without_its_numbers_is_none(self):
        line, *_ = pair(6)
        tile = Tile(Silent(), 1, 2)
        service = Service()
        tile.add(service)
        tile.attach(line.links[0].neighbour)
        self.assertTrue(line.until(line.up))
        link = line.links[0]
        out = bytearray(20)
        for packet in (b"\x80\x44", b"\x80\x44\x00", b"\x80\x44\x00\x00"):
            size = seal(out, 0, bytearray(packet), len(packet), link._session.start_in)
            link.feed(out, size, line.now())
        self.assertEqual((link.stats.rx_unknown, service.came), (2, [b""]))

    def test_one_that_has_raised_is_forgiven_for_ever(self):
        """Also when the clock of its rest has wrapped around."""
        tile = Tile(Silent(), 1, 2)
        service = Service()
        service.fails = 1
        tile.add(service)
        try:
            tile.poll(0)
        except ValueError:
            pass
        for now_ms in (1, 1002, 2000, 0x20000000 + 900, 0x20000000 + 1100):
            tile.poll(now_ms)
        self.assertEqual(service.polled, [0, 1002, 2000, 0x20000000 + 900, 0x20000000 + 1100])


if __name__ == "__main__":
    unittest.main()
