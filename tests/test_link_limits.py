# SPDX-License-Identifier: MIT
"""What has a limit at a link so that nothing hangs: peers that let nothing through, lost wires."""

import unittest

from helpers_bus import Case
from helpers_link import pair
from limpet import URGENT
from limpet.link import UP, Link
from limpet.rand import Random
from limpet.stats import Stats
from limpet.ticks import ticks_add
from limpet.tile import Tile
from limpet.window import Sender


class Vain(unittest.TestCase):
    """A neighbour that lives, and lets nothing through, is given up: requests end."""

    def check(self, spoil):
        line, app, _ = pair(3)
        self.assertTrue(line.until(line.up))
        spoil(line.links[0]._tx)
        app.queue = [b"one", b"two"]
        sessions = line.links[0].stats.sessions
        self.assertTrue(line.until(lambda: "disconnected" in app.log, 60000))
        self.assertTrue(line.until(lambda: line.links[0].state == UP, 5000))
        self.assertTrue(line.links[0].stats.sessions > sessions)

    def test_what_was_sent_is_never_acknowledged(self):
        """As after an ack that was damaged and passed: the two count differently for ever."""

        def spoil(tx):
            tx.base = tx.next = 100

        self.check(spoil)

    def test_no_credit_for_ever(self):
        def spoil(tx):
            tx._grant = lambda credit, now_ms: None
            tx.open = 0

        self.check(spoil)

    def test_a_slow_one_is_not_given_up(self):
        """A third of everything is lost, for a minute."""
        line, app, other = pair(4, {"silence_ms": 5000})
        for wire in line.wires:
            wire.loss = 330
        self.assertTrue(line.until(line.up, 60000))
        app.source = lambda: b"data"
        other.receive = lambda buf, start, end: other.log.append("")
        line.run(60000)
        self.assertEqual(line.links[0].stats.sessions, 1)
        self.assertTrue(len(other.log) > 300, len(other.log))


class Identity(unittest.TestCase):
    def test_ids_have_30_bits(self):
        """A link with a larger one could never connect: it is refused, with a sentence."""
        for node, epoch in ((0, 1), (-1, 1), (1 << 30, 1), (1, 1 << 30), (1, -1)):
            with self.assertRaises(ValueError):
                Link(node, epoch, Random(1), None)
        Link((1 << 30) - 1, 0, Random(1), None)


class Credit(unittest.TestCase):
    def test_it_counts_from_its_own_ack(self):
        """Also where the window is smaller than the peer's places: 5 of 8 there are 3, 2 on."""
        sender = Sender(4, 64, Stats(), False)
        sender.reset(4, 8, 40, 250, 0)
        for i in range(4):
            sender.add(sender.free(0), 10, 0)
            sender.sent(i, 0)
        sender.acked(bytearray([0x80, 0, 0, 5]), 2, 4, 10)
        self.assertEqual(sender.open, 4)
        sender.acked(bytearray([0x80, 0x42, 9, 2]), 3, 0, 20)  # as a data frame says it
        self.assertEqual(sender.open, 3)
        sender.acked(bytearray([0x80, 0, 2, 8]), 2, 4, 30)
        sender.acked(bytearray([0x80, 0x42, 9, 4]), 3, 0, 40)
        self.assertEqual(sender.open, 4)


class Wires(Case):
    def test_a_reliable_wire_that_breaks_ends_the_session(self):
        """What was in it is lost, and no number tells: the request ends all the same."""
        self.make(join_a={"reliable": True}, join_b={"reliable": True})
        serial = self.ask()
        self.pair.run(2)
        self.pair.drivers[0]._lose(self.pair.now)
        self.pair.run(5)
        self.ends(serial, "Link.Lost", "unknown")

    def test_a_session_that_ends_while_it_holds_the_wire_back(self):
        """A full service's packet is kept, nothing more is taken: both end with the session."""
        for ends in ("our string", "its string", "reset"):
            self.make(join_a={"reliable": True}, join_b={"reliable": True})
            near, far = (bus.tile for bus in self.pair.buses)
            near.open(20)
            channel = far.open(20, 98)
            for _ in range(5):
                near.send(near.neighbours[0], 20, bytes(60))
            self.pair.run(100)
            self.assertTrue(self.pair.limpets[1].link._rx.paused)
            if ends == "our string":
                far.set_compatibility("another")
            elif ends == "its string":
                near.set_compatibility("another")
            else:
                self.pair.reset(0)
            before = channel.count
            self.pair.run(5000)
            self.assertTrue(self.pair.up(), ends)
            self.assertEqual(channel.count, before)  # nothing of the session that has ended

    def test_another_wire_may_break_for_a_moment(self):
        self.make()
        before = self.pair.limpets[0].link.stats.sessions
        self.pair.drivers[0]._lose(self.pair.now)
        serial = self.ask()
        self.pair.run(800)
        self.serve()
        self.ends(serial, "reply", "yes")
        self.assertEqual(self.pair.limpets[0].link.stats.sessions, before)


class Overtaking(Case):
    def test_nothing_overtakes_a_context_in_pieces(self):
        """An urgent message under a long name comes under that name, and from who sent it."""
        name = "$." + "N" * 300
        self.make(join_a={"packet_size": 96}, far={"listen": ["$.Old", name]})
        for _ in range(40):  # every context has been given to something before
            self.near.ks.announce("$.Old", b"old")
            self.serve(5)
        self.far.heard = []
        self.near.ks.announce(name, b"urgent", flags=URGENT)
        self.near.ks.announce(name, b"more", flags=URGENT)
        self.serve()
        self.assertEqual(
            sorted(h[1:] for h in self.far.heard), [(name, b"more"), (name, b"urgent")]
        )
        self.done()


class Raising:
    """A service with mistakes."""

    number = 4

    def __init__(self):
        self.calls = []

    def fail(self, what):
        self.calls.append(what)
        raise ValueError("a mistake in a service")

    def receive(self, neighbour, packet, start, end):
        self.fail("receive")

    def room(self, packet, size):
        return True

    def connected(self, neighbour):
        self.fail("connected")

    def disconnected(self, neighbour):
        self.fail("disconnected")

    def poll(self, now_ms):
        self.fail("poll")


class Mistakes(Case):
    def turn(self, ms):
        """As run() does: what a turn raises is printed, and the next one follows."""
        for _ in range(ms):
            self.pair.now = ticks_add(self.pair.now, 1)
            for bus in self.pair.buses:
                try:
                    bus.runner.step(self.pair.now)
                except ValueError:
                    self.raised += 1

    def test_a_service_that_raises_costs_its_own_packets(self):
        self.raised = 0
        self.make()
        service = Raising()
        near, far = (limpet.neighbour for limpet in self.pair.limpets)
        self.pair.buses[1].tile._services[4] = service
        self.assertEqual(self.pair.buses[0].tile.send(near, 4, b"data"), 4)
        serial = self.ask()
        self.turn(400)
        for message in self.far.read():
            self.far.ks.reply(message, b"")
        self.turn(400)
        self.assertEqual((self.raised, service.calls), (1, ["receive"]))
        self.ends(serial, "reply", "yes")

    def test_one_that_raises_when_polled(self):
        """It is left out for a while; the others are not."""
        polled = []

        class Fine(Raising):
            number = 5

            def poll(self, now_ms):
                polled.append(now_ms)
                return 1

        class Silent:
            def wake(self):
                pass

        tile = Tile(Silent(), 1, 2)
        bad = Raising()
        tile._list = [Fine(), bad, Fine()]
        for now_ms in range(3000):
            try:
                tile.poll(now_ms)
            except ValueError:
                pass
        self.assertEqual(len(bad.calls), 3)  # once a second
        self.assertTrue(len(polled) > 2 * 2990)


if __name__ == "__main__":
    unittest.main()
