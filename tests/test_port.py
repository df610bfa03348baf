# SPDX-License-Identifier: MIT
"""The seam: the names of ports/README.md exist and mean the same here as on every other port."""

import _thread
import asyncio
import unittest

from costs import cost
from limpet import port
from limpet.port import Waiter, copy, entropy, open_device, ticks_ms, unique_id
from limpet.ticks import ticks_diff
from limpet.transport.uart import UARTDriver

NAMES = (
    "KBUS",
    "NAME",
    "Waiter",
    "buffer",
    "const",
    "copy",
    "crc16",
    "entropy",
    "open_device",
    "print_exception",
    "seal",
    "store",
    "ticks_ms",
    "unique_id",
    "unseal",
)
LONG_MS = 5000  # nothing here sleeps for so long, unless it is broken


def elapsed(start):
    return ticks_diff(ticks_ms(), start)


class TestNames(unittest.TestCase):
    def test_exactly_these(self):
        """The port gives the names of the table, and says so; not more than 15."""
        self.assertEqual(sorted(port.__all__), list(NAMES))
        for name in NAMES:
            self.assertTrue(getattr(port, name) is not None, name)
        self.assertTrue(len(NAMES) <= 15)

    def test_the_name(self):
        self.assertIn(port.NAME, ("cpython", "micropython"))

    def test_const(self):
        self.assertEqual(port.const(5), 5)

    def test_kbus(self):
        """Sizes that a Bus takes, with room for the least message of KBUS; an OSError."""
        sizes = port.KBUS.SIZES
        self.assertTrue(sizes["slot_size"] >= 100 and sizes["slot_size"] % 4 == 0)
        self.assertTrue(sizes["queue_size"] == 100)
        self.assertIsInstance(port.KBUS.not_writable(), OSError)
        self.assertIn("File not open for writing", str(port.KBUS.not_writable()))


class TestValues(unittest.TestCase):
    def test_ticks(self):
        """Time is within 30 bits and does not go back."""
        last = ticks_ms()
        for _ in range(1000):
            now = ticks_ms()
            self.assertTrue(0 <= now < 2**30)
            self.assertTrue(0 <= ticks_diff(now, last) < LONG_MS)
            last = now

    def test_entropy(self):
        """Seeds have 30 bits and differ."""
        seeds = [entropy() for _ in range(50)]
        self.assertTrue(all(0 <= seed < 2**30 for seed in seeds))
        self.assertTrue(len(set(seeds)) > 45)
        self.assertTrue(max(seeds) >= 2**29 > min(seeds))

    def test_identity(self):
        """The id is bytes, the same each time."""
        self.assertIsInstance(unique_id(), bytes)
        self.assertTrue(len(unique_id()) >= 4)
        self.assertEqual(unique_id(), unique_id())

    def test_print_exception(self):
        """It takes any exception and raises none itself."""
        try:
            raise ValueError("printed by a test on purpose")
        except ValueError as e:
            port.print_exception(e)

    def test_allocation(self):
        self.assertEqual(cost(ticks_ms), "")


class TestOpening(unittest.TestCase):
    def test_a_missing_device_is_told(self):
        """OSError with errno 2, the path and what to look at."""
        with self.assertRaises(OSError) as caught:
            open_device("uart", {"port": "/dev/no-such-tty", "baud": 115200})
        self.assertEqual(caught.exception.errno, 2)
        self.assertIn("no device /dev/no-such-tty: is it plugged in", str(caught.exception))

    def test_what_is_no_tty_is_told(self):
        for path in ("/dev/null", "/"):
            with self.assertRaises(OSError) as caught:
                open_device("uart", {"port": path})
            self.assertIn(path + " is not a serial device", str(caught.exception))

    def test_settings_without_a_device(self):
        for settings in ({}, {"baud": 9600}, {"port": ""}, {"port": 7}):
            with self.assertRaises(ValueError):
                open_device("uart", settings)


class TestStream(unittest.TestCase):
    """A tty for real: the near end of a new pty, whose far end nobody has opened."""

    def setUp(self):
        self.stream = open_device("uart", {"port": "/dev/ptmx", "baud": 115200})
        self.addCleanup(self.stream.close)
        self.waiter = Waiter()
        self.addCleanup(self.waiter.close)
        self.waiter.add(self.stream)
        self.waiter.wait(0, False)
        self.buf = bytearray(100)

    def fill(self):
        """Write until nothing is taken any more."""
        taken = 0
        n = 1
        while n:
            n = self.stream.write(self.buf, 0, len(self.buf)) or 0
            taken += n
            self.assertTrue(taken < 1000000)
        return taken

    def clog(self):
        """Fill it until a sleep for room lasts: the system goes on making some for a while."""
        for _ in range(50):
            self.fill()
            if not self.waiter.wait(10, True):
                return
        self.fail("it takes bytes for ever")

    def test_it_never_blocks(self):
        """Nothing to read is None, and so is no room to write."""
        self.assertIsNone(self.stream.readinto(self.buf))
        self.assertEqual(self.stream.write(self.buf, 90, 5), 5)
        self.stream.blocked = True
        self.clog()
        self.assertIsNone(self.stream.write(self.buf, 0, 1))
        self.assertTrue(self.stream.queued() >= 0)

    def test_the_waiter_sees_room(self):
        """A blocked stream with room ends a sleep; one without, or not blocked, does not."""
        self.stream.blocked = True
        self.assertFalse(self.waiter.wait(5, False))
        self.assertTrue(self.waiter.wait(LONG_MS, True))
        self.stream.blocked = False
        self.assertFalse(self.waiter.wait(5, True))
        self.stream.blocked = True
        self.clog()

    def test_after_remove(self):
        self.stream.blocked = True
        self.waiter.remove(self.stream)
        self.waiter.wait(0, True)
        self.assertFalse(self.waiter.wait(5, True))

    def test_open_again(self):
        """After close(), the same stream takes and gives bytes again."""
        for _ in range(3):
            self.waiter.remove(self.stream)
            self.stream.close()
            self.stream.close()
            self.assertTrue(self.stream.reopen() is True)
            self.waiter.add(self.stream)
            self.waiter.wait(0, False)
            self.assertIsNone(self.stream.readinto(self.buf))
            self.assertEqual(self.stream.write(self.buf, 90, 5), 5)
            self.assertFalse(self.waiter.wait(5, False))

    def test_the_driver(self):
        """What the stream says, as the pump hears it: 0 is nothing now, never gone."""
        self.stream.close()
        driver = UARTDriver("/dev/ptmx")
        driver.open()
        self.addCleanup(driver.close)
        self.assertEqual(driver._read(self.buf), 0)
        self.assertTrue(driver._room())
        self.assertEqual(driver._write(self.buf, 3, 50), 50)
        self.assertFalse(driver.stream.blocked)
        while driver._write(self.buf, 0, 100) == 100:
            pass
        self.assertTrue(driver.stream.blocked)
        buf = self.buf
        self.assertEqual(cost(lambda: driver._read(buf)), "")
        self.assertEqual(cost(lambda: driver._write(buf, 3, 50)), "")
        self.assertEqual(cost(lambda: driver._room()), "")

    def test_allocation(self):
        stream, waiter, buf = self.stream, self.waiter, self.buf
        self.assertEqual(cost(lambda: stream.readinto(buf)), "")
        self.assertEqual(cost(lambda: stream.write(buf, 3, 5)), "")
        self.assertEqual(cost(lambda: stream.queued()), "")
        for blocked in (True, False):
            stream.blocked = blocked
            self.assertEqual(cost(lambda: waiter.wait(1, True)), "")
            self.assertEqual(cost(lambda: waiter.wait(1, False)), "")


class TestWaiter(unittest.TestCase):
    def setUp(self):
        self.waiter = Waiter()
        self.addCleanup(self.waiter.close)
        self.waiter.wait(0, False)  # a first wait may return at once, for a wake before it

    def test_it_ends_when_the_time_has_passed(self):
        for timeout_ms in (0, 1, 30):
            start = ticks_ms()
            self.assertFalse(self.waiter.wait(timeout_ms, False))
            self.assertTrue(timeout_ms - 1 <= elapsed(start) < timeout_ms + 1000)

    def test_a_wake_before_the_wait_counts(self):
        """What comes between checking and waiting is not missed, and counts once."""
        self.waiter.wake()
        self.waiter.wake()
        start = ticks_ms()
        self.assertTrue(self.waiter.wait(LONG_MS, False))
        self.assertTrue(elapsed(start) < 1000)
        self.assertFalse(self.waiter.wait(5, False))

    def test_a_wake_from_another_thread_ends_the_sleep(self):
        """Whether it comes before the sleep or into it; also a sleep without limit."""
        for pause_ms, timeout_ms in ((0, LONG_MS), (20, LONG_MS), (20, None)):
            start = ticks_ms()
            _thread.start_new_thread(self.wake_after, (pause_ms,))
            self.assertTrue(self.waiter.wait(timeout_ms, False))
            self.assertTrue(elapsed(start) < LONG_MS)

    def wake_after(self, pause_ms):
        start = ticks_ms()
        while elapsed(start) < pause_ms:
            pass
        self.waiter.wake()

    def test_no_stream_is_fine(self):
        self.waiter.add(None)
        self.waiter.remove(None)
        self.waiter.remove("never added")
        self.waiter.wait(0, True)
        self.assertFalse(self.waiter.wait(1, True))

    def test_the_owner(self):
        """Who owns it is the pump; after disown() anyone may be."""
        self.waiter.own()
        self.assertTrue(self.waiter.owned())
        self.waiter.disown()
        self.waiter.own()
        self.assertTrue(self.waiter.owned())
        self.waiter.disown()

    def test_after_close(self):
        """Nobody sleeps in it any more, whether woken or not; twice does no harm."""
        start = ticks_ms()
        self.waiter.close()
        for _ in range(3):
            self.assertTrue(self.waiter.wait(None, False))
            self.assertTrue(self.waiter.wait(LONG_MS, True))
            self.assertTrue(asyncio.run(self.waiter.wait_async(None, False)))
            self.waiter.wake()
            self.waiter.close()
        self.assertTrue(elapsed(start) < LONG_MS)

    def test_a_close_from_another_thread_ends_the_sleep(self):
        start = ticks_ms()
        _thread.start_new_thread(self.close_after, (20,))
        self.assertTrue(self.waiter.wait(LONG_MS, False))
        self.assertTrue(elapsed(start) < LONG_MS)

    def close_after(self, pause_ms):
        start = ticks_ms()
        while elapsed(start) < pause_ms:
            pass
        self.waiter.close()

    def test_the_lock(self):
        """It can be held within itself and is free after an exception."""
        with self.waiter.lock:
            with self.waiter.lock:
                pass
        with self.assertRaises(ValueError):
            with self.waiter.lock:
                raise ValueError
        with self.waiter.lock:
            pass

    def test_allocation(self):
        waiter = self.waiter

        def turn():
            waiter.wake()
            waiter.wait(1, False)
            waiter.wait(0, True)
            waiter.owned()

        self.assertEqual(cost(turn), "")


class TestWaiterAsync(unittest.TestCase):
    def setUp(self):
        self.waiter = Waiter()
        self.addCleanup(self.waiter.close)
        self.waiter.wait(0, False)

    def test_it_ends_when_the_time_has_passed(self):
        for timeout_ms in (0, 1, 30):
            start = ticks_ms()
            self.assertFalse(asyncio.run(self.waiter.wait_async(timeout_ms, False)))
            self.assertTrue(timeout_ms - 1 <= elapsed(start) < timeout_ms + 1000)

    def test_a_wake_before_the_wait_counts(self):
        self.waiter.wake()
        start = ticks_ms()
        self.assertTrue(asyncio.run(self.waiter.wait_async(LONG_MS, False)))
        self.assertTrue(elapsed(start) < 1000)
        self.assertFalse(asyncio.run(self.waiter.wait_async(5, False)))

    def test_other_tasks_run_and_wake_it(self):
        """A wake from another task, and from another thread, ends the wait of a task."""
        seen = []

        async def other():
            await asyncio.sleep(0.005)
            seen.append("ran")
            self.waiter.wake()

        async def main(timeout_ms):
            task = asyncio.create_task(other())
            seen.append(await self.waiter.wait_async(timeout_ms, False))
            await task

        start = ticks_ms()
        asyncio.run(main(LONG_MS))
        asyncio.run(main(None))
        self.assertEqual(seen, ["ran", True] * 2)
        self.assertTrue(elapsed(start) < LONG_MS)

    def test_a_wake_from_another_thread(self):
        async def main():
            _thread.start_new_thread(self.waiter.wake, ())
            return await self.waiter.wait_async(LONG_MS, False)

        start = ticks_ms()
        self.assertTrue(asyncio.run(main()))
        self.assertTrue(elapsed(start) < LONG_MS)


class TestBuffers(unittest.TestCase):
    def test_copy_allocates_nothing(self):
        target, source = bytearray(40), bytes(40)
        self.assertEqual(cost(lambda: copy(target, 3, source, 5, 30)), "")

    def test_store(self):
        """All of a buffer goes to the start of another, however both lie in memory."""
        for at in range(4):
            for size in tuple(range(12)) + (32, 33, 63, 64):
                data = bytes(range(100, 100 + size))
                for source in (data, bytearray(data), memoryview(b"xyz" + data)[3:]):
                    buf = bytearray(b"\7" * 72)
                    target = memoryview(buf)[at : at + 64]
                    self.assertEqual(port.store(target, source), size)
                    self.assertEqual(bytes(buf[:at]), b"\7" * at)
                    self.assertEqual(bytes(buf[at : at + size]), data)
                    self.assertEqual(bytes(buf[at + size :]), b"\7" * (72 - at - size))

    def test_store_refuses(self):
        """What does not fit is -1, text a TypeError; nothing is copied."""
        buf = port.buffer(4)
        self.assertEqual(port.store(buf, b"12345"), -1)
        self.assertRaises(TypeError, port.store, buf, "123")
        self.assertEqual(bytes(buf), bytes(4))


if __name__ == "__main__":
    unittest.main()
