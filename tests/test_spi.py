# SPDX-License-Identifier: MIT
"""The SPI drivers: when they exchange, and that links work over whatever the wires do."""

import unittest

import spi_model
from fake_link import FakeLink
from limpet.transport.spi import SPIDriver, SPIPeripheralDriver
from spi_model import Chance, Wires, by_edges, by_slices
from spi_talk import Talk, opened

START = 2**30 - 300  # times wrap within each test


class Ends:
    """Two drivers on wires, with fake links, driven by hand."""

    def __init__(self, **options):
        self.wires = Wires(**options)
        self.now = START
        self.controller = SPIDriver("here")
        self.peripheral = SPIPeripheralDriver("there")
        self.links = [FakeLink(), FakeLink()]
        self.settings = opened(self.controller, self.wires.controller)
        self.settings += opened(self.peripheral, self.wires.peripheral)
        self.controller.attach(self.links[0])
        self.peripheral.attach(self.links[1])

    def turn(self, peripheral=True):
        """One turn of both ends; return how many exchanges that were."""
        before = self.wires.exchanges
        now = self.now & 0x3FFFFFFF
        if peripheral:
            self.peripheral.pump(now)
            self.peripheral.due(now)
        self.controller.pump(now)
        return self.wires.exchanges - before

    def turns(self, ms, peripheral=True):
        """Both ends take turns each ms; return the ms in which there were exchanges."""
        found = []
        for i in range(ms):
            if self.turn(peripheral):
                found.append(i)
            self.now += 1
        return found

    def due(self):
        return self.controller.due(self.now & 0x3FFFFFFF)


class TestModel(unittest.TestCase):
    """The fast model of the wires says what the one that goes edge by edge says."""

    def test_faults_by_hand(self):
        out = bytes([0xA5, 0x0F, 0x33, 0xFF])
        reply = bytes([0x12, 0x34, 0x56, 0x78])
        self.assertEqual(by_edges(out, reply, ()), (reply, out))
        self.assertEqual(by_edges(out, None, (), "0"), (bytes(4), None))
        # One clock lost: what comes is one bit early, and the last byte is not complete.
        read, received = by_edges(out, reply, [(spi_model.SLIP, 0)])
        self.assertEqual(received, bytes([0x4A, 0x1E, 0x67]))
        self.assertEqual(read, bytes([0x09, 0x1A, 0x2B, 0x3C]))
        read, received = by_edges(out, reply, [(spi_model.EXTRA, 7)])
        self.assertEqual(received, bytes([0xA5, 0x87, 0x99, 0xFF]))
        self.assertEqual(read, bytes([0x12, 0x68, 0xAC, 0xF0]))
        read, received = by_edges(out, reply, [(spi_model.SELECT, 8)], "0")
        self.assertEqual((read, received), (bytes([0x12, 0, 0, 0]), bytes([0xA5])))
        read, received = by_edges(out, reply, [(spi_model.MOSI, 31), (spi_model.MISO, 0)])
        self.assertEqual((read[0], received[3]), (0x92, 0xFE))

    def test_both_say_the_same(self):
        chance = Chance(7)
        for number in range(400):
            size = 1 + chance.below(12)
            out = bytes([chance.below(256) for _ in range(size)])
            reply = bytes([chance.below(256) for _ in range(size)])
            if not chance.below(8):
                reply = None
            faults = chance.faults(8 * size, 5)
            pull = "01"[chance.below(2)]
            self.assertEqual(
                by_slices(out, reply, faults, pull), by_edges(out, reply, faults, pull), number
            )


class TestWhen(unittest.TestCase):
    """Exchanges happen when somebody has something to say, and rarely otherwise."""

    def test_settings(self):
        ends = Ends()
        (kind, given), (other, taken) = ends.settings
        self.assertEqual((kind, other), ("spi", "spi"))
        self.assertEqual(given["peripheral"], False)
        self.assertEqual(given["port"], "here")
        self.assertEqual((taken["peripheral"], taken["block"]), (True, 64))
        driver = SPIDriver({"spi": 1, "cs": 5}, block=128, baud=2000000)
        given = opened(driver, Wires().controller)[0][1]
        self.assertEqual((given["spi"], given["cs"], given["block"]), (1, 5, 128))
        self.assertEqual(driver.baud, 2000000)
        for bad in ({"block": 15}, {"block": 257}, {"poll_ms": 0}, {"poll_ms": 1001}):
            with self.assertRaises(ValueError):
                SPIDriver("here", **bad)

    def test_quiet(self):
        """Both have nothing to say: every 50 ms, and nobody is busy in between."""
        ends = Ends()
        ends.turns(10)
        self.assertEqual(ends.turns(500), [40 + 50 * i for i in range(10)])
        self.assertTrue(1 <= ends.due() <= 50)
        self.assertEqual(ends.peripheral.due(ends.now & 0x3FFFFFFF), 700)

    def test_the_controller_has_something(self):
        """It goes at once; the answer is fetched when attention rises."""
        ends = Ends()
        ends.turns(60)
        ends.links[0].frames.append(b"hello")
        self.assertEqual(ends.due(), 0)
        self.assertEqual(ends.turns(20), [0, 1])
        self.assertEqual(ends.links[1].fed, b"hello")
        self.assertEqual(ends.links[0].stats.tx_bytes, 5)
        self.assertEqual(ends.links[1].stats.rx_bytes, 5)

    def test_the_peripheral_has_something(self):
        """It replaces the block without data that was ready, and raises attention."""
        ends = Ends()
        ends.turns(60)
        ends.links[1].frames.append(b"hello")
        self.assertEqual(ends.turns(20), [0, 1])
        self.assertEqual(ends.links[0].fed, b"hello")
        self.assertFalse(ends.peripheral.blocks.is_waiting())

    def test_attention_makes_due(self):
        ends = Ends()
        ends.turns(60)
        self.assertTrue(ends.due() > 0)
        ends.wires.attention = True
        self.assertEqual(ends.due(), 0)

    def test_an_edge_that_got_lost(self):
        """It is asked for after 4 ms when an answer is missing, after 50 ms in any case."""
        ends = Ends()
        ends.turns(60)
        ends.wires.missed = 1000
        ends.links[0].frames.append(b"hello")
        self.assertEqual(ends.turns(30), [0, 4])
        ends.links[1].frames.append(b"world")
        found = ends.turns(60)
        self.assertTrue(len(found) == 2 and found[1] - found[0] == 4 and found[0] <= 50)
        self.assertEqual((ends.links[0].fed, ends.links[1].fed), (b"world", b"hello"))

    def test_no_attention_line(self):
        ends = Ends()
        ends.wires.controller.wired = False
        ends.controller = SPIDriver("here")
        opened(ends.controller, ends.wires.controller)
        ends.controller.attach(ends.links[0])
        ends.turns(10)
        self.assertEqual(ends.turns(20), [2 * i for i in range(10)])
        ends.links[1].frames.append(b"world")
        ends.turns(4)
        self.assertEqual(ends.links[0].fed, b"world")

    def test_poll_ms(self):
        ends = Ends()
        ends.controller = SPIDriver("here", poll_ms=7)
        opened(ends.controller, ends.wires.controller)
        ends.controller.attach(ends.links[0])
        ends.turns(20)
        self.assertEqual(len(ends.turns(70)), 10)

    def test_a_frame_of_many_blocks(self):
        """Up to four exchanges in one turn, and all the bytes arrive in order."""
        ends = Ends()
        frame = bytes([1 + i % 255 for i in range(300)])
        ends.turns(60)
        ends.links[0].frames.append(frame)
        ends.links[1].frames.append(frame)
        found = ends.turns(30)
        self.assertEqual(ends.links[0].fed, frame)
        self.assertEqual(ends.links[1].fed, frame)
        self.assertTrue(5 <= len(found) <= 8)
        self.assertEqual(ends.controller.blocks.repeated, 0)


class TestNotReady(unittest.TestCase):
    """A peripheral that has no block ready costs time, and nothing else."""

    def test_nothing_is_lost(self):
        ends = Ends()
        ends.turns(60)
        ends.links[0].frames += [b"one", b"two"]
        ends.turns(40, peripheral=False)
        self.assertTrue(ends.wires.unready > 2)
        ends.turns(60)
        self.assertEqual(ends.links[1].fed, b"onetwo")

    def test_the_controller_was_too_early(self):
        """The peripheral calls as soon as it is ready: nobody waits for a timer."""
        ends = Ends()
        ends.turns(60)
        ends.turns(300, peripheral=False)
        ends.links[0].frames.append(b"one")
        self.assertTrue(ends.turns(3)[0] <= 1)
        self.assertEqual(ends.links[1].fed, b"one")

    def test_nobody_there(self):
        """Asked ever more rarely, at last every 50 ms, though there is something to send."""
        for pull in "01":
            ends = Ends(pull=pull)
            ends.wires.cut = True
            ends.links[0].frames += [b"one"] * 100
            found = ends.turns(700)
            self.assertTrue(len(found) < 22)
            self.assertEqual(found[-1] - found[-2], 50)
            self.assertTrue(ends.due() > 0)
            self.assertEqual(ends.links[0].stats.device_lost, 0)
            ends.wires.cut = False
            ends.turns(100)
            self.assertEqual(ends.links[1].fed[:6], b"oneone")

    def test_attention_stuck(self):
        """A line that is always high neither keeps the processor busy nor stops the link."""
        ends = Ends()
        ends.wires.cut = True
        ends.wires.stuck = True
        ends.links[0].frames += [b"one"] * 10
        self.assertTrue(len(ends.turns(700)) < 25)
        ends.wires.cut = False
        ends.turns(100)
        self.assertEqual(ends.links[1].fed, b"one" * 10)
        ends = Ends()
        ends.wires.stuck = False
        ends.links[1].frames += [b"two"] * 4
        ends.turns(300)
        self.assertEqual(ends.links[0].fed, b"two" * 4)

    def test_somebody_is_there_again(self):
        """After a long absence a rising line is believed: nobody waits for 50 ms to be over."""
        for number in range(8):
            ends = Ends()
            ends.wires.cut = True
            ends.links[0].frames.append(b"one")
            ends.turns(700 + 5 * number)
            ends.wires.cut = False
            ends.links[1].frames.append(b"two")
            self.assertTrue(ends.turns(3)[0] <= 1)

    def test_called_while_it_could_not_be_ready(self):
        ends = Ends()
        ends.turns(60)
        ends.wires.peripheral.is_low = True
        ends.turns(160)
        self.assertTrue(ends.wires.unready > 0)
        self.assertFalse(ends.wires.attention)
        ends.wires.peripheral.is_low = False
        ends.peripheral.pump(ends.now & 0x3FFFFFFF)
        self.assertTrue(ends.wires.attention)

    def test_not_while_an_exchange_is_under_way(self):
        """A block is neither given nor replaced while chip select is low."""
        ends = Ends()
        ends.turns(60)
        begun = ends.wires.peripheral.begun
        ends.wires.peripheral.is_low = True
        ends.links[1].frames.append(b"late")
        now = ends.now & 0x3FFFFFFF
        ends.peripheral.pump(now)
        self.assertEqual(ends.wires.peripheral.begun, begun)
        ends.wires.peripheral.is_low = False
        ends.peripheral.pump(now)
        self.assertEqual(ends.wires.peripheral.begun, begun + 1)

    def test_an_end_that_was_not_told(self):
        """The peripheral begins to wait anew each second."""
        ends = Ends()
        ends.turns(60)
        ends.wires.cut = True
        begun = ends.wires.peripheral.begun
        ends.wires.peripheral.ready = None
        ends.turns(2100)
        self.assertEqual(ends.wires.peripheral.begun - begun, 2)
        ends.links[1].frames.append(b"data")
        ends.turns(2100)
        self.assertEqual(ends.wires.peripheral.begun - begun, 5)
        self.assertEqual(ends.wires.peripheral.ready[3:8], b"\x04data")


class TestLost(unittest.TestCase):
    """A device that goes and comes back."""

    def test_controller(self):
        ends = Ends()
        ends.turns(60)
        ends.wires.controller.broken = True
        ends.links[0].frames.append(b"one")
        ends.turns(600)
        self.assertFalse(ends.controller.is_open)
        self.assertFalse(ends.wires.controller.is_open)
        self.assertEqual(ends.links[0].stats.device_lost, 1)
        ends.wires.controller.broken = False
        ends.links[1].frames.append(b"two")
        ends.turns(600)
        self.assertTrue(ends.controller.is_open)
        self.assertEqual(ends.links[1].fed[-4:], b"one\0")
        self.assertEqual(ends.links[0].fed, b"two")

    def test_closed(self):
        ends = Ends()
        ends.peripheral.close()
        ends.controller.close()
        self.assertFalse(ends.controller.is_open)
        ends.controller.close()


class TestLinks(unittest.TestCase):
    """Real links over bad wires: nothing wrong arrives, nothing sticks."""

    def check(self, talk, exchanges):
        self.assertTrue(talk.until(talk.up))
        self.assertTrue(talk.until(lambda: talk.wires.exchanges >= exchanges, 60000))
        talk.wires.per_mille = 0
        self.assertTrue(talk.settles())
        self.assertEqual(talk.harm(), 0)
        self.assertEqual([app.missing for app in talk.apps], [0, 0])
        self.assertEqual([app.sessions for app in talk.apps], [1, 1])

    def test_faults(self):
        for block, per_mille in ((16, 100), (64, 0), (64, 200), (256, 100)):
            self.check(Talk(block + per_mille, block, per_mille=per_mille), 400)

    def test_edge_by_edge(self):
        self.check(Talk(3, 16, per_mille=100, carry=by_edges), 200)

    def test_one_end_is_reset(self):
        """At many moments, either end: a new session, and what comes then comes in order."""
        talk = Talk(5, per_mille=30)
        for number in range(12):
            self.assertTrue(talk.until(talk.up))
            talk.run(5 + 7 * number)
            talk.restart(number & 1)
            self.assertFalse(talk.links[number & 1].state == 1)
        self.assertTrue(talk.until(talk.up))
        talk.run(50)
        talk.wires.per_mille = 0
        sessions = [app.sessions for app in talk.apps]
        self.assertTrue(talk.settles())
        self.assertEqual(talk.harm(), 0)
        self.assertEqual([app.sessions for app in talk.apps], sessions)

    def test_unplugged(self):
        """For longer than the silence limit: the session ends, and there is a new one."""
        talk = Talk(6)
        self.assertTrue(talk.until(talk.up))
        talk.run(50)
        talk.wires.cut = True
        talk.run(1500)
        self.assertFalse(talk.up())
        talk.wires.cut = False
        self.assertTrue(talk.until(talk.up, 2500))
        talk.run(50)
        self.assertTrue(talk.settles())
        self.assertEqual(talk.harm(), 0)


if __name__ == "__main__":
    unittest.main()
