# SPDX-License-Identifier: MIT
"""Tiles: directions, and events that stay readable while sessions come and go."""

import unittest

from helpers_link import pair
from limpet.header import DIRECTIONS, opposite
from limpet.link import DOWN, UP
from limpet.neighbour import CONNECTED, DISCONNECTED, Neighbour
from limpet.stats import Stats


def events(neighbour):
    """Take all events, as numbers."""
    out = bytearray(4)
    found = []
    while True:
        size = neighbour.take(out)
        if not size:
            return found
        assert size == 2 and out[0] == 0xC4
        found.append(out[1])


class Directions(unittest.TestCase):
    """Eight sides, numbered as in T2, each with its opposite."""

    def test_names(self):
        self.assertEqual(" ".join(DIRECTIONS), "NT NE ET SE ST SW WT NW")
        for i in range(8):
            self.assertEqual(opposite(opposite(i)), i)
        self.assertEqual(DIRECTIONS[opposite(DIRECTIONS.index("ET"))], "WT")


class Events(unittest.TestCase):
    """The ring is bounded, keeps the newest and counts what it dropped."""

    def test_order(self):
        neighbour = Neighbour(None, 0, 2, Stats())
        self.assertEqual(events(neighbour), [])
        neighbour.put(CONNECTED)
        neighbour.put(DISCONNECTED)
        self.assertEqual(events(neighbour), [1, 2])
        self.assertEqual(events(neighbour), [])

    def test_full_ring_keeps_the_newest(self):
        stats = Stats()
        neighbour = Neighbour(None, 0, 2, stats)
        for _ in range(50):
            neighbour.put(CONNECTED)
            neighbour.put(DISCONNECTED)
        neighbour.put(CONNECTED)
        found = events(neighbour)
        self.assertEqual(found, [2, 1, 2, 1, 2, 1, 2, 1])
        self.assertEqual(stats.events_lost, 101 - 8)
        neighbour.put(DISCONNECTED)
        self.assertEqual(events(neighbour), [2])


class Neighbours(unittest.TestCase):
    """The neighbour object tells who is there, and lasts when nobody is."""

    def test_a_session_comes_and_goes(self):
        line, _, _ = pair(3, {"direction": 6, "index": 4, "compatibility": "physics 7"})
        neighbour = line.links[0].neighbour
        self.assertEqual((neighbour.index, neighbour.direction, neighbour.state), (4, 6, DOWN))
        self.assertTrue(line.until(line.up))
        self.assertEqual((neighbour.state, neighbour.node), (UP, 12))
        self.assertEqual(neighbour.epoch, line.links[0].peer_epoch)
        self.assertTrue(neighbour.compatible)
        self.assertIs(neighbour.stats, line.links[0].stats)
        line.wires[1].cut = True
        self.assertTrue(line.until(lambda: neighbour.state == DOWN, 1500))
        self.assertEqual((neighbour.node, neighbour.compatible), (12, False))
        self.assertEqual(events(neighbour), [1, 2])

    def test_a_fast_restart_is_a_disconnect_and_a_connect(self):
        line, app, _ = pair(4)
        self.assertTrue(line.until(line.up))
        link = line.links[0]
        first = link.peer_epoch
        line.restart(1)
        self.assertTrue(line.until(line.up, 200))
        line.run(20)
        self.assertEqual(events(link.neighbour), [1, 2, 1])
        self.assertEqual(app.log, ["connected", "disconnected", "connected"])
        self.assertNotEqual(link.peer_epoch, first)

    def test_other_strings_are_a_session_all_the_same(self):
        line, _, _ = pair(5)
        plain = line.make

        def make(i, random):
            link = plain(i, random)
            link._session.set_text(b"one")
            return link

        line.make = make
        line.restart(1)
        self.assertTrue(line.until(line.up))
        self.assertFalse(line.links[1].neighbour.compatible)


if __name__ == "__main__":
    unittest.main()
