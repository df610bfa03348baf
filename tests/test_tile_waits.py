# SPDX-License-Identifier: MIT
"""Waiting for packets: blocking, awaited, polled by file number, and handed to a function."""

import asyncio
import unittest

from helpers_tile import taken
from limpet import Bus, BusError, Closed, WouldDeadlock
from limpet.port import NAME
from limpet.transport.loopback import loopback

LIMIT_MS = 5000  # nothing here takes so long, unless it is broken
HELLO = b"\xc1hello"


def on_host():
    return NAME == "cpython"


class Case(unittest.TestCase):
    def setUp(self):
        self.bus = Bus(node=1, seed=1)
        self.addCleanup(self.bus.close)
        self.tile = self.bus.tile
        self.local = self.tile.local

    def later(self, packets, ms=5):
        """Put these packets one by one, in the bus's turns."""
        packets = list(packets)

        def put():
            if packets:
                assert self.tile.put(packets.pop(0)) > 0

        self.bus.every(ms, put)


class Blocking(Case):
    """wait() pumps until a packet is there, and leaves it there."""

    def test_wait(self):
        self.assertFalse(self.local.wait(0))
        self.later([HELLO])
        self.assertTrue(self.local.wait(LIMIT_MS))
        self.assertTrue(self.local.wait(0))
        self.assertEqual(taken(self.local), [HELLO])
        self.assertFalse(self.local.wait(20))
        self.assertIs(self.local.watch, None)

    def test_for_a_neighbour(self):
        """What comes over a link ends the wait; the other side is pumped in its turns."""
        other = Bus(node=2, seed=2)
        self.addCleanup(other.close)
        ends = loopback()
        self.bus.join(ends[0], direction=2)
        other.join(ends[1], direction=6)
        far = other.tile.open(16)
        near = self.tile.open(16)
        far.on_packet = lambda packet: other.tile.put(b"\x86\x50to " + packet[2:])
        self.bus.every(2, other.runner.turn)
        link = self.tile.neighbours[0]
        self.bus.runner.wait(lambda: link.state == 1, LIMIT_MS)
        for i in range(5):
            self.assertGreater(self.tile.put(b"\x82\x50%d" % i), 0)
            self.assertTrue(near.wait(LIMIT_MS))
            self.assertEqual(taken(near), [b"\x82\x50to %d" % i])

    def test_beside_a_thread_that_pumps(self):
        """On a host: who waits sleeps until that one has found a packet."""
        if not on_host():
            return
        self.later([HELLO, HELLO])
        self.bus.start()
        for _ in range(2):
            self.assertTrue(self.local.wait(LIMIT_MS))
            self.assertEqual(self.local.read(), HELLO)
        self.assertFalse(self.local.wait(20))

    def test_closed(self):
        """It ends with the bus."""
        self.bus.every(5, self.bus.close)
        self.assertFalse(self.local.wait(LIMIT_MS))
        self.assertTrue(self.local.closed)

    def test_in_vain_in_a_handler(self):
        """A handler that waits would wait for itself."""
        caught = []

        def handle(packet):
            try:
                self.local.wait(10)
            except WouldDeadlock as e:
                caught.append(e.errno)

        self.local.on_packet = handle
        self.tile.put(HELLO)
        self.assertTrue(self.bus.runner.wait(lambda: len(caught) > 0, LIMIT_MS))
        self.assertEqual(caught, [35])
        self.assertFalse(self.local.wait(5))  # outside, one may


class Handlers(Case):
    """on_packet gets each packet once, in order, in the bus's turns."""

    def test_in_turns(self):
        found = []
        self.local.on_packet = found.append
        for i in range(5):
            self.tile.put(b"\xc1%d" % i)
        self.assertEqual(found, [])
        self.bus.runner.turn()
        self.assertEqual(found, [b"\xc1%d" % i for i in range(5)])
        self.bus.runner.turn()
        self.assertEqual((len(found), self.local.count), (5, 0))

    def test_one_that_puts(self):
        """What it puts into its own channel waits for the next turn."""
        self.local.on_packet = lambda packet: self.tile.put(packet)
        self.tile.put(HELLO)
        for _ in range(5):
            self.bus.runner.turn()
            self.assertEqual(self.local.count, 1)

    def test_one_that_takes_the_rest(self):
        found = []
        self.local.on_packet = lambda packet: found.append([packet] + taken(self.local))
        for i in range(3):
            self.tile.put(b"\xc1%d" % i)
        self.bus.runner.turn()
        self.assertEqual(found, [[b"\xc10", b"\xc11", b"\xc12"]])

    def test_one_that_raises(self):
        """It is printed; the others are called all the same."""
        if not on_host():
            return
        import sys

        found = []

        def handle(packet):
            found.append(packet)
            raise ValueError("deliberate")

        class Sink:
            text = ""

            def write(self, text):
                Sink.text += text

            def flush(self):
                pass

        self.local.on_packet = handle
        self.tile.put(HELLO)
        self.tile.put(HELLO)
        real, sys.stderr = sys.stderr, Sink()
        try:
            self.bus.runner.turn()
        finally:
            sys.stderr = real
        self.assertEqual(found, [HELLO] * 2)
        self.assertIn("deliberate", Sink.text)
        self.assertFalse(self.bus.runner.inside)


class Awaited(Case):
    """Tasks wait for packets, and pump the bus if nobody else does."""

    def test_wait_async(self):
        async def main():
            self.assertFalse(await self.local.wait_async(0))
            self.assertFalse(await self.local.wait_async(20))
            self.later([HELLO])
            self.assertTrue(await self.local.wait_async(LIMIT_MS))
            self.assertTrue(await self.local.wait_async())
            self.assertEqual(taken(self.local), [HELLO])

        asyncio.run(main())

    def test_several_tasks(self):
        """Each packet is somebody's; all tasks end."""
        found = []

        async def read(count):
            for _ in range(count):
                while True:
                    self.assertTrue(await self.local.wait_async(LIMIT_MS))
                    packet = self.local.read()
                    if packet is not None:
                        found.append(packet)
                        break

        async def main():
            self.later([b"\xc1%d" % i for i in range(9)], 2)
            await asyncio.gather(read(3), read(3), read(3))

        asyncio.run(main())
        self.assertEqual(found, [b"\xc1%d" % i for i in range(9)])

    def test_two_channels(self):
        """A task that waits for one is not ended by the other."""
        mfmt = self.tile.mfmt
        order = []

        async def read(channel, name):
            self.assertTrue(await channel.wait_async(LIMIT_MS))
            order.append(name)

        async def main():
            self.later([b"\xa2x", HELLO])  # the first comes back: there is no link
            await asyncio.gather(read(self.local, "local"), read(mfmt, "mfmt"))

        asyncio.run(main())
        self.assertEqual(order, ["mfmt", "local"])

    def test_closed(self):
        async def main():
            self.bus.every(5, self.bus.close)
            self.assertFalse(await self.local.wait_async(LIMIT_MS))

        asyncio.run(main())


class Polled(Case):
    """A channel has a file number on a host."""

    def ready(self):
        import select

        poller = select.poll()
        poller.register(self.local, select.POLLIN)
        return bool(poller.poll(0))

    def test_fileno(self):
        """Readable as long as a packet is there, whoever takes it."""
        if not on_host():
            return
        self.tile.put(HELLO)
        self.assertTrue(self.ready())
        self.tile.put(HELLO)
        for left in (True, False):
            self.local.take(bytearray(9))
            self.assertEqual(self.ready(), left)
        self.tile.put(HELLO)
        self.assertTrue(self.ready())
        self.assertEqual(self.local.read(), HELLO)
        self.assertFalse(self.ready())
        self.assertEqual(self.local.fileno(), self.local.fileno())

    def test_with_others_that_wait(self):
        if not on_host():
            return
        self.assertFalse(self.ready())
        self.later([HELLO])
        self.assertTrue(self.local.wait(LIMIT_MS))
        self.assertTrue(self.ready())
        taken(self.local)
        self.assertFalse(self.ready())

    def test_closed(self):
        if not on_host():
            return
        number = self.local.fileno()
        self.assertGreaterEqual(number, 0)
        self.bus.close()
        with self.assertRaises(Closed):
            self.local.fileno()

    def test_refused(self):
        if on_host():
            return
        with self.assertRaises(OSError):
            self.local.fileno()
        self.tile.put(HELLO)
        self.assertEqual(taken(self.local), [HELLO])


class Closing(unittest.TestCase):
    """A closed bus leaves nothing behind."""

    def test_twice(self):
        bus = Bus(node=1, seed=1)
        channel = bus.tile.open(16)
        bus.close()
        bus.close()
        self.assertTrue(channel.closed)
        self.assertEqual(taken(channel), [])

    def test_numbers(self):
        with Bus(node=1, seed=1) as bus:
            with self.assertRaises(BusError) as caught:
                bus.tile.open(3)
            self.assertIn("16 to 47", str(caught.exception))


if __name__ == "__main__":
    unittest.main()
