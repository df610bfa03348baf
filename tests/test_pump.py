# SPDX-License-Identifier: MIT
"""The pump: no byte lost or doubled whatever the device takes, bounded work, lost devices."""

import unittest

from costs import cost
from fake_link import FakeLink
from limpet.transport.pump import Driver

WRAP = 2**30
START = WRAP - 20  # times wrap soon after each test begins


class Link(FakeLink):
    """Knows when it was fed, and how often asked."""

    wire_size = 64

    def __init__(self, *frames):
        FakeLink.__init__(self, *frames)
        self.times = []
        self.taken = 0

    def feed(self, buf, count, now_ms, at=0):
        self.times.append(now_ms)
        return FakeLink.feed(self, buf, count, now_ms, at)

    def take(self, out, now_ms):
        size = FakeLink.take(self, out, now_ms)
        if size:
            self.taken += 1
        return size


class FakeWaiter:
    def __init__(self):
        self.streams = []

    def add(self, stream):
        if stream not in self.streams:
            self.streams.append(stream)

    def remove(self, stream):
        if stream in self.streams:
            self.streams.remove(stream)


class FakeDriver(Driver):
    """A device made of lists: what it gives, how much it takes at a time."""

    def __init__(self, takes=(), gives=()):
        Driver.__init__(self, 115200)
        self.takes = list(takes)  # for each write: a size, or a negative errno; then everything
        self.gives = list(gives)  # for each read: bytes, or a negative errno; then nothing
        self.written = b""
        self.room = True
        self.refusals = 0  # how often _open and _reopen will fail
        self.on_its_way = 0  # how often _reopen will say so
        self.attempts = 0
        self.closed = 0
        self.opened = 0
        self.reads = 0

    def _open(self):
        if self.refusals:
            self.refusals -= 1
            raise OSError(2, "not there")
        self.opened += 1
        self.stream = "stream %d" % self.opened

    def _reopen(self):
        self.attempts += 1
        if self.on_its_way:
            self.on_its_way -= 1
            return False
        return Driver._reopen(self)

    def _close(self):
        self.closed += 1

    def _read(self, buf):
        self.reads += 1
        if not self.gives:
            return 0
        given = self.gives.pop(0)
        if isinstance(given, int):
            return given
        if given is None:
            raise OSError(5, "gone")
        buf[: len(given)] = given
        return len(given)

    def _write(self, buf, start, count):
        n = self.takes.pop(0) if self.takes else count
        if n is None:
            raise OSError(5, "gone")
        if n > 0:
            n = min(n, count)
            self.written += bytes(buf[start : start + n])
        return n

    def _room(self):
        return self.room


def joined(link, waiter=None, takes=(), gives=()):
    driver = FakeDriver(takes, gives)
    driver.attach(link, waiter)
    return driver


class TestWriting(unittest.TestCase):
    def test_a_frame_in_pieces(self):
        """A frame that the device takes bit by bit arrives whole, and before the next is built."""
        link = Link(b"abcdef", b"xyz")
        driver = joined(link, takes=[2, 0, 1, 3, 0])
        moved = [driver.pump(START + i) for i in range(4)]
        self.assertEqual(moved, [True, False, True, True])
        self.assertEqual(driver.written, b"abcdef")
        self.assertTrue(driver.writing)  # xyz was offered, and nothing of it taken
        self.assertEqual(link.taken, 2)
        driver.pump(START + 5)
        self.assertEqual(driver.written, b"abcdefxyz")
        driver.pump(START + 6)
        self.assertFalse(driver.writing)
        self.assertEqual(link.stats.tx_bytes, 9)

    def test_nothing_is_built_while_bytes_wait(self):
        link = Link(b"abcdef", b"xyz")
        driver = joined(link, takes=[2] + [0] * 10)
        for i in range(10):
            driver.pump(START + i)
        self.assertEqual(link.taken, 1)
        self.assertTrue(driver.writing)

    def test_nothing_is_built_without_room(self):
        """What cannot go soon stays in the link, where urgent frames overtake it."""
        link = Link(b"abc")
        driver = joined(link)
        driver.room = False
        self.assertFalse(driver.pump(START))
        self.assertEqual(link.taken, 0)
        self.assertFalse(driver.writing)
        driver.room = True
        self.assertTrue(driver.pump(START))
        self.assertEqual(driver.written, b"abc")

    def test_the_work_is_bounded(self):
        """A link that always has something to say, or to hear, cannot keep the others waiting."""
        link = Link(*[b"abc"] * 100)
        driver = joined(link, gives=[b"x" * 512] * 100)
        driver.pump(START)
        self.assertEqual(link.taken, 4)
        self.assertEqual(driver.reads, 4)
        driver.pump(START)
        self.assertEqual(link.taken, 8)


class TestReading(unittest.TestCase):
    def test_all_is_fed(self):
        """Everything that is read goes to the link, in order, with the time of the turn."""
        link = Link()
        driver = joined(link, gives=[b"a" * 512, b"b" * 10, b"c"])
        self.assertTrue(driver.pump(START))
        self.assertEqual(link.fed, b"a" * 512 + b"b" * 10)
        self.assertEqual(driver.reads, 2)  # a short read says that there is no more
        self.assertTrue(driver.pump(3))
        self.assertFalse(driver.pump(4))
        self.assertEqual(link.fed, b"a" * 512 + b"b" * 10 + b"c")
        self.assertEqual(link.times, [START, START, 3])
        self.assertEqual(link.stats.rx_bytes, 523)

    def test_counters_stop_below_the_wrap(self):
        link = Link()
        link.stats.rx_bytes = WRAP - 4
        joined(link, gives=[b"abcdef"]).pump(START)
        self.assertEqual(link.stats.rx_bytes, WRAP - 1)


class TestTap(unittest.TestCase):
    def test_it_sees_all_bytes(self):
        """What was read, and of what is written as much as the device took, when it did."""
        seen = []

        def tap(out, buf, start, count, now_ms):
            seen.append((out, bytes(buf[start : start + count]), now_ms))

        driver = joined(Link(b"abcdef", b"xyz"), takes=[2, 0, 4], gives=[b"in"])
        driver.tap = tap
        for i in range(3):
            driver.pump(START + i)
        self.assertEqual(
            seen,
            [
                (0, b"in", START),
                (1, b"ab", START),
                (1, b"cdef", START + 2),
                (1, b"xyz", START + 2),
            ],
        )

    def test_without_one(self):
        driver = joined(Link(b"abc"))
        self.assertIsNone(driver.tap)
        self.assertFalse(driver.datagrams or driver.reliable)
        self.assertTrue(driver.pump(START))


class TestDue(unittest.TestCase):
    """When the next pump() is due: never 0 without something to do, or the bus would spin."""

    def test_with_nothing_to_say(self):
        self.assertEqual(joined(Link()).due(START), 700)

    def test_with_something_to_say(self):
        self.assertEqual(joined(Link(b"abc")).due(START), 0)

    def test_while_the_device_takes_nothing(self):
        driver = joined(Link(b"abc", b"def"), takes=[0, 0])
        driver.pump(START)
        self.assertTrue(driver.writing and driver.due(START) > 0)

    def test_without_room(self):
        driver = joined(Link(b"abc"))
        driver.room = False
        driver.pump(START)
        self.assertTrue(0 < driver.due(START) <= 4)

    def test_while_the_device_is_away(self):
        driver = joined(Link(b"abc"), gives=[-5])
        driver.pump(START)
        self.assertEqual(driver.due(START), 500)
        self.assertEqual(driver.due((START + 499) % WRAP), 1)
        self.assertEqual(driver.due((START + 500) % WRAP), 0)
        self.assertEqual(driver.due((START + 900) % WRAP), 0)


class RaisingLink(Link):
    """Somebody behind it makes a mistake with the first bytes that come."""

    def feed(self, buf, count, now_ms, at=0):
        Link.feed(self, buf, count, now_ms, at)
        if len(self.times) == 1:
            raise ValueError("a mistake behind the link")
        return count


class TestMistakes(unittest.TestCase):
    def test_what_raised_is_not_fed_again(self):
        link = RaisingLink()
        driver = FakeDriver(gives=[b"one\0", b"two\0"])
        driver.attach(link)
        with self.assertRaises(ValueError):
            driver.pump(START)
        for _ in range(4):
            driver.pump(START)
        self.assertEqual(link.fed, b"one\0two\0")


class TestLoss(unittest.TestCase):
    def test_a_device_that_comes_back(self):
        """It is left, tried again every 500 ms and used again, as a new stream of the Waiter."""
        for gives, takes in (([-5], []), ([b"a", None], []), ([], [-5]), ([], [2, None])):
            with self.subTest(gives=gives, takes=takes):
                self.comes_back(list(gives), list(takes))

    def comes_back(self, gives, takes):
        link = Link(b"abcdef")
        waiter = FakeWaiter()
        driver = joined(link, waiter, takes, gives)
        self.assertEqual(waiter.streams, ["stream 1"])
        now = START
        while driver.is_open:
            driver.pump(now)
        self.assertEqual(link.stats.device_lost, 1)
        self.assertEqual(waiter.streams, [])
        self.assertFalse(driver.writing)
        driver.refusals = 2
        link.frames = [b"new"]
        driver.written = b""
        opened_at = None
        for i in range(1600):
            driver.pump((now + i) % WRAP)
            if driver.is_open:
                opened_at = i
                break
        self.assertEqual(opened_at, 1500)  # at 500 and 1000 it was not there yet
        self.assertEqual(driver.refusals, 0)
        self.assertEqual(waiter.streams, ["stream 2"])
        # A delimiter comes first: half a frame may have gone out before.
        self.assertEqual(driver.written, b"\0new")
        self.assertEqual(link.stats.device_lost, 1)
        driver.gives = [b"hello"]
        driver.pump(now)
        self.assertEqual(link.fed[-5:], b"hello")

    def lost(self, on_its_way, waiter=None):
        """Return a driver whose device has gone and takes its time to come back."""
        driver = joined(Link(b"abc"), waiter, gives=[-5])
        driver.pump(START)
        self.assertFalse(driver.is_open)
        driver.on_its_way = on_its_way
        driver.closed = 0
        return driver

    def test_a_device_that_opens_slowly(self):
        """No turn waits for it; what is under way is looked at until it is open."""
        waiter = FakeWaiter()
        driver = self.lost(3, waiter)
        opened_at = None
        for i in range(1000):
            driver.pump((START + i) % WRAP)
            if driver.is_open:
                opened_at = i
                break
            self.assertTrue(driver.due((START + i) % WRAP) > 0)
            self.assertEqual(waiter.streams, [])
        self.assertTrue(500 < opened_at < 700)
        self.assertEqual((driver.attempts, driver.closed), (4, 0))
        self.assertEqual(waiter.streams, ["stream 2"])
        self.assertEqual(driver.written, b"\0abc")

    def test_a_device_that_never_gets_open(self):
        """Each attempt is given up after two seconds, and there is no end of them."""
        driver = self.lost(10000)
        for i in range(10000):
            driver.pump((START + i) % WRAP)
            self.assertFalse(driver.is_open)
        self.assertTrue(3 <= driver.closed <= 5)
        driver.on_its_way = 0
        for i in range(10000, 10600):
            driver.pump((START + i) % WRAP)
        self.assertTrue(driver.is_open)

    def test_turns_that_are_far_apart(self):
        """What was begun in one turn is found open in the next one, however late that is."""
        driver = self.lost(1)
        for i in (5000, 10000):
            self.assertFalse(driver.is_open)
            driver.pump((START + i) % WRAP)
        self.assertTrue(driver.is_open)
        self.assertEqual(driver.closed, 0)

    def test_closing_what_is_not_open_yet(self):
        """It is given up; once, and only if there is something under way."""
        driver = self.lost(10)
        driver.close()
        self.assertEqual(driver.closed, 0)
        driver.pump((START + 500) % WRAP)
        driver.close()
        driver.close()
        self.assertEqual(driver.closed, 1)

    def test_open_while_it_opens(self):
        """A user's open() begins anew."""
        driver = self.lost(10)
        driver.pump((START + 500) % WRAP)
        driver.open()
        self.assertTrue(driver.is_open)
        self.assertEqual((driver.opened, driver.closed), (2, 1))

    def test_a_missing_device_at_the_start_is_told(self):
        """attach() raises what opening raises."""
        driver = FakeDriver()
        driver.refusals = 1
        with self.assertRaises(OSError):
            driver.attach(Link())
        driver.attach(Link())
        self.assertTrue(driver.is_open)

    def test_open_and_close_twice(self):
        waiter = FakeWaiter()
        driver = joined(Link(), waiter)
        driver.open()
        self.assertEqual(driver.opened, 1)
        driver.close()
        driver.close()
        self.assertEqual(waiter.streams, [])
        self.assertFalse(driver.is_open)


class QuietLink(Link):
    """Always has one frame and takes in everything, without allocating."""

    def feed(self, buf, count, now_ms, at=0):
        return count

    def take(self, out, now_ms):
        out[0] = 0
        return 40

    def poll(self, now_ms):
        return 0


class QuietDriver(FakeDriver):
    step = 16

    def _read(self, buf):
        return len(buf)

    def _write(self, buf, start, count):
        return min(count, self.step)


class TestAllocation(unittest.TestCase):
    def test_nothing_is_allocated(self):
        """Neither by full turns, nor by frames in pieces, nor by a device that takes nothing."""
        driver = QuietDriver()
        driver.attach(QuietLink())
        for step in (64, 16, 0):
            driver.step = step
            self.assertEqual(cost(lambda: driver.pump(START)), "")
            self.assertEqual(cost(lambda: driver.due(START)), "")


if __name__ == "__main__":
    unittest.main()
