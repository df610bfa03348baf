# SPDX-License-Identifier: MIT
"""The UDP driver: whole frames in datagrams, sockets that pass over what the network says."""

import unittest

from costs import cost
from fake_link import FakeLink
from limpet import Bus
from limpet.port import NAME, Waiter, entropy, open_device, ticks_ms
from limpet.ticks import ticks_diff
from limpet.transport.udp import UDPDriver

LOCAL = "127.0.0.1"
START = 2**30 - 20
LONG_MS = 5000  # nothing here takes so long, unless it is broken


class Link(FakeLink):
    """Keeps what it is fed apart."""

    wire_size = 270

    def __init__(self, *frames):
        FakeLink.__init__(self, *frames)
        self.fed = []

    def feed(self, buf, count, now_ms, at=0):
        self.fed.append(bytes(buf[at:count]))
        return count


class FakeSocket:
    """What a port gives for a peer, made of lists."""

    is_local = True

    def __init__(self):
        self.sent = []
        self.came = []  # for each read: a datagram, or an exception
        self.answers = []  # for each write: None, or an exception; then all is taken
        self.warnings = []
        self.unreachable = 0
        self.blocked = False
        self.closed = 0
        self.reopened = 0

    def readinto(self, buf):
        if not self.came:
            return None
        came = self.came.pop(0)
        if not isinstance(came, bytes):
            raise came
        count = min(len(came), len(buf))
        buf[:count] = came[:count]
        return count

    def write(self, buf, start, count):
        if self.answers:
            answer = self.answers.pop(0)
            if answer is None:
                return None
            raise answer
        self.sent.append(bytes(buf[start : start + count]))
        return count

    def warn(self, text):
        self.warnings.append(text)

    def reopen(self):
        self.reopened += 1
        return True

    def close(self):
        self.closed += 1


class FakeDriver(UDPDriver):
    """A driver on a socket made of lists."""

    def _open(self):
        self.stream = self._opened = self.socket

    socket = None


def joined(link, mtu=1200, is_local=True):
    driver = FakeDriver(("10.0.0.1", 7400), mtu=mtu)
    driver.socket = FakeSocket()
    driver.socket.is_local = is_local
    driver.attach(link)
    return driver, driver.socket


def frame(size, tag=1):
    return bytes([tag]) * (size - 1) + b"\0"


class TestSending(unittest.TestCase):
    def test_a_short_one_goes_at_once(self):
        """Nothing is held back to fill a datagram."""
        link = Link(b"abc\0")
        driver, socket = joined(link)
        self.assertTrue(driver.pump(START))
        self.assertEqual(socket.sent, [b"abc\0"])
        self.assertFalse(driver.pump(START))
        self.assertFalse(driver.writing)
        self.assertEqual(link.stats.tx_bytes, 4)

    def test_what_is_there_goes_together(self):
        driver, socket = joined(Link(b"abc\0", b"de\0", b"f\0"))
        driver.pump(START)
        self.assertEqual(socket.sent, [b"abc\0de\0f\0"])

    def test_without_a_session_one_frame_each(self):
        """That it is over is said twice because one may be lost: not in the same datagram."""
        link = Link(b"abc\0", b"abc\0")
        link.state = 0
        driver, socket = joined(link)
        driver.pump(START)
        driver.pump(START)
        self.assertEqual(socket.sent, [b"abc\0", b"abc\0"])

    def test_whole_frames_up_to_the_mtu(self):
        """No datagram is longer, and none begins or ends within a frame."""
        sizes = [270, 10, 270, 250, 270, 1, 270, 270, 5, 5, 5, 270, 100, 270] * 2
        frames = [frame(sizes[i], i + 1) for i in range(len(sizes))]
        for mtu in (300, 543, 1200):
            link = Link(*frames)
            driver, socket = joined(link, mtu)
            for _ in range(20):
                driver.pump(START)
            self.assertEqual(b"".join(socket.sent), b"".join(frames))
            self.assertTrue(max([len(d) for d in socket.sent]) <= mtu)
            self.assertTrue(all([d[-1] == 0 for d in socket.sent]))
            # With room for another frame, whatever its size, it is in there.
            for datagram in socket.sent[:-1]:
                self.assertTrue(len(datagram) > mtu - 270)

    def test_a_frame_larger_than_the_mtu_goes_alone(self):
        driver, socket = joined(Link(frame(270), frame(270)), 300)
        driver.pump(START)
        self.assertEqual([len(d) for d in socket.sent], [270, 270])

    def test_no_room(self):
        """The datagram waits, whole, and nothing is built meanwhile."""
        link = Link(b"abc\0", b"de\0")
        driver, socket = joined(link)
        socket.answers = [None, None]
        self.assertFalse(driver.pump(START))
        self.assertTrue(driver.writing and socket.blocked)
        link.frames.append(b"late\0")
        self.assertFalse(driver.pump(START))
        self.assertTrue(driver.due(START) == 0 or driver.writing)
        self.assertTrue(driver.pump(START))
        self.assertEqual(socket.sent, [b"abc\0de\0", b"late\0"])
        self.assertFalse(driver.writing or socket.blocked)

    def test_the_work_is_bounded(self):
        driver, socket = joined(Link(*[frame(270)] * 100))
        driver.pump(START)
        self.assertEqual(len(socket.sent), 4)


class TestReceiving(unittest.TestCase):
    def test_half_a_frame_ends_with_its_datagram(self):
        """Rubbish and what was cut off do not spoil the next datagram."""
        link = Link()
        driver, socket = joined(link)
        full = frame(len(driver._in) + 50)
        socket.came = [b"half", b"abc\0", full, b"de\0"]
        for _ in range(8):
            driver.pump(START)
        self.assertEqual(link.fed[0], b"half\0")
        self.assertEqual(link.fed[1], b"abc\0")
        self.assertEqual(link.fed[2], full[: len(driver._in) - 1] + b"\0")
        self.assertEqual(link.fed[3], b"de\0")

    def test_an_empty_datagram_is_nothing(self):
        link = Link()
        driver, socket = joined(link)
        socket.came = [b"", b"abc\0"]
        driver.pump(START)
        driver.pump(START)
        self.assertEqual(link.fed, [b"abc\0"])
        self.assertEqual(link.stats.device_lost, 0)

    def test_all_that_is_on_its_way_fits(self):
        """MicroPython reads on into the next datagram, and cuts what has no room."""
        link = Link()
        link.window = 16
        driver, _ = joined(link)
        self.assertTrue(len(driver._in) >= 16 * 270)

    def test_the_tap(self):
        """It sees every datagram, both ways."""
        seen = []
        driver, socket = joined(Link(b"abc\0", b"de\0"))
        driver.tap = lambda *what: seen.append(
            (what[0], bytes(what[1][what[2] : what[2] + what[3]]), what[4])
        )
        socket.came = [b"in\0"]
        driver.pump(START)
        self.assertEqual(seen, [(0, b"in\0", START), (1, b"abc\0de\0", START)])


class TestLoss(unittest.TestCase):
    def test_a_socket_that_is_of_no_use(self):
        """It is opened again, without a delimiter: what is cut off ends with its datagram."""
        for reading in (True, False):
            link = Link(b"abc\0")
            driver, socket = joined(link)
            (socket.came if reading else socket.answers).append(OSError(101, "no network"))
            driver.pump(START)
            self.assertFalse(driver.is_open)
            self.assertEqual((link.stats.device_lost, socket.closed), (1, 1))
            link.frames = [b"new\0"]
            for i in range(502):
                driver.pump((START + i) % 2**30)
            self.assertTrue(driver.is_open)
            self.assertEqual(socket.reopened, 1)
            self.assertEqual(socket.sent, [b"new\0"])


class TestSettings(unittest.TestCase):
    def test_kinds_of_peers(self):
        """A pair, or a board's data, which stays as it was."""
        self.assertEqual(UDPDriver((LOCAL, 7400)).peer, (LOCAL, 7400))
        data = {"peer": (LOCAL, 7400), "mtu": 500}
        self.assertEqual(UDPDriver(data, bind=(LOCAL, 7401)).peer, (LOCAL, 7400))
        self.assertEqual(data, {"peer": (LOCAL, 7400), "mtu": 500})
        self.assertTrue(UDPDriver.datagrams and not UDPDriver.reliable)

    def test_the_mtu(self):
        for mtu in (299, 8193):
            self.assertRaises(ValueError, UDPDriver, (LOCAL, 7400), mtu=mtu)

    def test_wrong_addresses(self):
        for peer in ("localhost", (LOCAL,), (LOCAL, "7400"), (LOCAL, 65536), (7400, LOCAL), 7400):
            with self.assertRaises(ValueError) as caught:
                UDPDriver(peer).open()
            self.assertIn('("192.168.1.9", 7400)', str(caught.exception))

    def test_unknown_settings(self):
        with self.assertRaises(ValueError) as caught:
            UDPDriver({"peer": (LOCAL, 7400), "baud": 1}).open()
        self.assertIn("baud", str(caught.exception))

    def test_without_a_key(self):
        """Who is not on this machine, and has no key, is told once that anybody can join in."""
        driver, socket = joined(Link(), is_local=False)
        self.assertTrue(driver.is_exposed)
        self.assertEqual(len(socket.warnings), 1)
        self.assertIn("without a key", socket.warnings[0])
        self.assertIn("10.0.0.1", socket.warnings[0])

    def test_with_a_key_or_here(self):
        link = Link()
        link.auth = "a key"
        for driver, socket in (joined(link, is_local=False), joined(Link())):
            self.assertFalse(driver.is_exposed)
            self.assertEqual(socket.warnings, [])


def opened_pair():
    """Return two sockets of the port that are connected to each other, and their ports."""
    while True:
        numbers = [20000 + entropy() % 20000 for _ in range(2)]
        a, b = [(LOCAL, number) for number in numbers]
        made = []
        try:
            made.append(open_device("udp", {"peer": b, "bind": a}))
            made.append(open_device("udp", {"peer": a, "bind": b}))
            return made, numbers
        except OSError as e:
            for one in made:
                one.close()
            if e.errno != 98:
                raise


class TestSockets(unittest.TestCase):
    """The port's sockets, for real."""

    def setUp(self):
        (self.a, self.b), self.numbers = opened_pair()
        self.addCleanup(self.a.close)
        self.addCleanup(self.b.close)
        self.buf = bytearray(3000)

    def read(self, stream):
        """Return what is there, once something is."""
        start = ticks_ms()
        while True:
            n = stream.readinto(self.buf)
            if n:
                return bytes(self.buf[:n])
            self.assertTrue(ticks_diff(ticks_ms(), start) < LONG_MS)

    def test_both_ways(self):
        every = bytearray(b"<" + bytes(range(256)) + b">")
        self.assertIsNone(self.b.readinto(self.buf))
        self.assertEqual(self.a.write(every, 1, 256), 256)
        self.assertEqual(self.read(self.b), bytes(range(256)))
        self.assertEqual(self.b.write(every, 0, 3), 3)
        self.assertEqual(self.read(self.a), b"<\0\1")
        self.assertIsNone(self.a.readinto(self.buf))
        self.assertTrue(self.a.is_local)

    def test_two_datagrams(self):
        """Both are there, in one read or in two."""
        self.a.write(bytearray(b"abc"), 0, 3)
        self.a.write(bytearray(b"de"), 0, 2)
        got = b""
        while len(got) < 5:
            got += self.read(self.b)
        self.assertEqual(got, b"abcde")

    def test_a_peer_that_has_gone(self):
        """What comes back is counted; the socket stays, and so does who waits on it."""
        self.b.close()
        start = ticks_ms()
        while self.a.unreachable < 3:
            self.assertEqual(self.a.write(self.buf, 0, 5), 5)
            self.assertIsNone(self.a.readinto(self.buf))
            self.assertTrue(ticks_diff(ticks_ms(), start) < LONG_MS)
        self.b.reopen()
        self.a.write(bytearray(b"back"), 0, 4)
        while self.a.readinto(self.buf):
            pass
        got = self.b.readinto(self.buf)
        while not got:
            self.a.write(bytearray(b"back"), 0, 4)
            got = self.b.readinto(self.buf)
        self.assertEqual(bytes(self.buf[:4]), b"back")

    def test_too_long(self):
        """It is counted and gone."""
        long = bytearray(70000)
        self.assertEqual(self.a.write(long, 0, 70000), 70000)
        self.assertEqual(self.a.unreachable, 1)
        self.a.write(bytearray(b"short"), 0, 5)
        self.assertEqual(self.read(self.b), b"short")

    def test_open_again(self):
        """After close(), the same addresses take and give datagrams again."""
        for _ in range(3):
            self.a.close()
            self.a.close()
            self.assertTrue(self.a.reopen() is True)
            self.a.write(bytearray(b"abc"), 0, 3)
            self.assertEqual(self.read(self.b), b"abc")
            self.b.write(bytearray(b"de"), 0, 2)
            self.assertEqual(self.read(self.a), b"de")

    def test_a_port_in_use(self):
        with self.assertRaises(OSError) as caught:
            open_device("udp", {"peer": (LOCAL, 9), "bind": (LOCAL, self.numbers[0])})
        self.assertEqual(caught.exception.errno, 98)
        self.assertIn("is in use by another program", str(caught.exception))
        self.assertIn(str(self.numbers[0]), str(caught.exception))

    def test_an_address_of_others(self):
        with self.assertRaises(OSError) as caught:
            open_device("udp", {"peer": (LOCAL, 9), "bind": ("192.0.2.77", 0)})
        self.assertIn("not here", str(caught.exception))

    def test_the_waiter(self):
        """A datagram ends a sleep."""
        waiter = Waiter()
        self.addCleanup(waiter.close)
        waiter.add(self.b)
        waiter.wait(0, False)
        self.assertFalse(waiter.wait(5, False))
        self.a.write(self.buf, 0, 5)
        self.assertTrue(waiter.wait(LONG_MS, False))
        self.read(self.b)
        self.b.blocked = True  # there is room
        self.assertTrue(waiter.wait(LONG_MS, True))

    def test_allocation(self):
        """Sending, receiving, and finding nothing."""
        a, b, buf = self.a, self.b, self.buf

        def both_ways():
            a.write(buf, 0, 50)
            while not b.readinto(buf):
                pass
            b.readinto(buf)

        self.assertEqual(cost(both_ways), "")
        self.assertEqual(cost(lambda: b.readinto(buf)), "")


class TestKinds(unittest.TestCase):
    def test_unknown_kinds(self):
        with self.assertRaises(ValueError) as caught:
            open_device("pigeon", {})
        self.assertIn("pigeon", str(caught.exception))

    def test_without_a_peer(self):
        """A host has sockets for many peers; on a board there is one for each."""
        if NAME == "micropython":
            with self.assertRaises(OSError) as caught:
                open_device("udp", {"bind": (LOCAL, 0)})
            self.assertIn("give its peer", str(caught.exception))
        else:
            shared = open_device("udp", {"bind": (LOCAL, 0)})
            self.assertTrue(shared.address[1] > 0)
            shared.close()


class TestBuses(unittest.TestCase):
    """Two buses in one program, by way of the system's sockets."""

    def setUp(self):
        made, numbers = opened_pair()
        for one in made:
            one.close()
        self.buses = [Bus(node=1, seed=1), Bus(node=2, seed=2)]
        for i in (0, 1):
            driver = UDPDriver((LOCAL, numbers[1 - i]), bind=(LOCAL, numbers[i]))
            self.buses[i].join(driver)
            self.addCleanup(self.buses[i].close)

    def test_requests(self):
        near, far = self.buses
        asker, replier = near.ksock(), far.ksock()
        replier.bind("$.Q", True)
        start = ticks_ms()

        def turn_until(done):
            while not done():
                near.runner.turn()
                far.runner.turn()
                self.assertTrue(ticks_diff(ticks_ms(), start) < LONG_MS)

        turn_until(lambda: near.bindings.replier_of("$.Q") is not None)
        for number in range(50):
            asker.request("$.Q", b"%d" % number)
            turn_until(lambda: replier.hot.count)
            msg = replier.next()
            self.assertEqual(msg.data, b"%d" % number)
            replier.reply(msg, b"re" + msg.data)
            turn_until(lambda: asker.hot.count)
            self.assertEqual(asker.next().data, b"re%d" % number)
        stats = near.limpets[0].link.stats
        self.assertEqual((stats.sessions, stats.rx_bad, stats.tx_retransmit), (1, 0, 0))


if __name__ == "__main__":
    unittest.main()
