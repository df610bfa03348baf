# SPDX-License-Identifier: MIT
"""Usage: what is used, refused and missed is told truly; the RAM of a bus before it is taken."""

import gc
import struct
import unittest

from buses import AskingCase, read
from limpet import Bus, NoReply
from limpet.errors import EMSGSIZE, ENOLCK
from limpet.send import ALL_OR_FAIL


class TestUsed(AskingCase):
    SIZES = {"slot_count": 8, "queue_size": 2}

    def test_slots_and_places(self):
        """A request takes two slots, a place at each side; an announcement one, until read."""
        self.assertEqual((self.bus.usage().used, self.bus.usage().limit), (0, 8))
        self.asker.request("$.A")
        self.other.bind("$.B")
        self.asker.announce("$.B")
        used = [ks.usage().used for ks in (self.asker, self.replier, self.other)]
        self.assertEqual((self.bus.usage().used, used), (3, [1, 1, 1]))
        self.assertEqual(self.other.usage().limit, 2)
        read(self.other)
        self.replier.reply(self.replier.next())
        read(self.asker)
        self.assertEqual(self.bus.usage().used, 0)

    def test_by_cause(self):
        """Every refused send is counted once, at its Ksock, by its errno."""
        self.other.bind("$.B")
        for _ in range(2):
            self.asker.announce("$.B")
        self.assertRaises(NoReply, self.asker.announce, "$.B", b"", ALL_OR_FAIL)
        self.assertEqual(self.asker.hot.announce(self.bus.name("$.B"), bytes(129)), -EMSGSIZE)
        self.assertRaises(NoReply, self.asker.request, "$.None")
        for _ in range(2):
            self.asker.request("$.A")
        self.assertRaises(NoReply, self.asker.request, "$.A")
        self.assertEqual(self.other.hot.request(self.name, b""), -ENOLCK)
        mine = {"EBUSY": 1, "EMSGSIZE": 1, "EADDRNOTAVAIL": 1, "ENOLCK": 1}
        self.assertEqual(self.asker.usage().refused, mine)
        self.assertEqual(self.other.usage().refused, {"ENOLCK": 1})
        mine["ENOLCK"] = 2
        self.assertEqual(self.bus.usage().refused, mine)

    def test_missed_and_dropped(self):
        """A full queue's copies, and what went to make room, are missed by their listener."""
        self.other.bind("$.B")
        for _ in range(5):
            self.asker.announce("$.B")
        self.assertEqual((self.other.usage().missed, self.bus.usage().missed), (3, 3))
        self.assertEqual((self.bus.usage().dropped, self.bus.usage().late), (0, 0))
        self.assertEqual([m.missed for m in read(self.other)], [0, 0])
        self.asker.announce("$.B")
        self.assertEqual([m.missed for m in read(self.other)], [3])
        self.assertEqual(self.other.usage().missed, 3)
        self.assertEqual(repr(self.other.usage()), "<0 of 2 used, 3 missed>")

    def test_a_late_reply(self):
        self.asker.request("$.A")
        request = self.replier.next()
        self.replier.reply(request)
        self.replier.hot.reply(request, b"")
        self.assertEqual(self.bus.usage().late, 1)
        self.assertEqual(self.replier.usage().refused, {"ECONNREFUSED": 1})


class TestRamSize(unittest.TestCase):
    def test_wrong_numbers(self):
        """The text says which number is wrong."""
        for what in ("slot_count", "slot_size", "queue_size", "ksock_count", "name_count"):
            with self.assertRaises(ValueError) as caught:
                Bus.ram_size(**{what: -1})
            self.assertIn(what, str(caught.exception))
        self.assertRaises(ValueError, Bus.ram_size, word_size=2)

    def test_it_grows_with_each(self):
        least = Bus.ram_size()
        for what in ("slot_count", "slot_size", "queue_size", "ksock_count", "binding_count"):
            self.assertTrue(Bus.ram_size(**{what: 1000}) > least, what)

    def test_as_measured(self):
        """On MicroPython a bus takes what was told, within 10 %."""
        if not hasattr(gc, "mem_alloc"):
            one, two = Bus.ram_size(slot_count=1), Bus.ram_size(slot_count=2)
            self.assertEqual(two - one, 4 * 58 + 128)
            return
        for sizes in ((8, 16, 4, 2, 4), (64, 64, 16, 8, 20)):
            told, taken = self.measure(*sizes)
            self.assertTrue(abs(told - taken) * 10 <= taken, "%d told, %d taken" % (told, taken))

    def measure(self, slots, size, places, ksocks, bindings):
        from limpet.core import Core

        told = Bus.ram_size(
            slot_count=slots,
            slot_size=size,
            queue_size=places,
            ksock_count=ksocks,
            name_count=bindings,
            binding_count=bindings,
            word_size=struct.calcsize("P"),
        )
        names = ["$.A%d" % i for i in range(bindings)]
        gc.collect()
        before = gc.mem_alloc()
        core = Core(slots, size, places)
        hots = [core.open() for _ in range(ksocks)]
        for i in range(bindings):
            core.bind(hots[i % ksocks], names[i], False)
            core.lookup(names[i])
        gc.collect()
        taken = gc.mem_alloc() - before
        self.assertEqual(len(core.hots), ksocks)
        return told, taken


if __name__ == "__main__":
    unittest.main()
