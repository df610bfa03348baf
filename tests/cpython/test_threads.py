# SPDX-License-Identifier: MIT
"""bus.start() and other threads: calls from anywhere end, nobody sleeps through a message.

Rules: whatever waits is ended by what another thread does, and a test that takes LONG_S has found
a lost wake-up; only looking again whether a thread has come to rest takes naps. Every wait is
bounded, so that none can hang.
"""

from __future__ import annotations

import os
import random
import threading
import time
import unittest
from collections import Counter
from collections.abc import Callable

from buses import Tracebacks, closed_clean, make_bus
from limpet import LATER, BusError, Message, NoReplier, NoReply, QueueFull, WouldDeadlock

LONG_S = 20.0
SOON_S = 2.0  # far below the default deadline, so that no deadline does what a wake-up should have


class Case(unittest.TestCase):
    """A bus with a pump thread."""

    def setUp(self) -> None:
        self.bus = make_bus(slot_count=64, queue_size=32, ksock_count=64)
        self.threads: list[threading.Thread] = []
        self.trouble: list[BaseException] = []

    def tearDown(self) -> None:
        self.bus.close()
        self.join(LONG_S)
        closed_clean(self, self.bus)
        self.assertEqual(self.trouble, [])

    def go(self, function: Callable[[], object]) -> threading.Thread:
        """Run function() in a thread; what it raises fails the test."""

        def guarded() -> None:
            try:
                function()
            except BaseException as e:
                self.trouble.append(e)

        thread = threading.Thread(target=guarded, daemon=True)
        self.threads.append(thread)
        thread.start()
        return thread

    def join(self, within_s: float) -> None:
        """Wait for all threads of go()."""
        end = time.monotonic() + within_s
        for thread in self.threads:
            thread.join(max(0.0, end - time.monotonic()))
            self.assertFalse(thread.is_alive(), "a thread hangs")

    def pumps(self) -> list[threading.Thread]:
        return [t for t in threading.enumerate() if t.name == "limpet"]

    def rest(self, count: int = 1) -> None:
        """Wait until `count` threads sleep on the bus and nobody has woken them."""
        end = time.monotonic() + LONG_S
        while time.monotonic() < end:
            if sum(s.asleep and not s.woken for s in self.bus.waiter._sleepers) >= count:
                return
            time.sleep(0.0005)
        self.fail("they never come to rest")


class TestNobodySleepsOn(Case):
    """Each of these would hang if whoever sleeps were not woken."""

    def test_a_call_without_deadline(self) -> None:
        """It wakes the pump, which runs the handler, which wakes the caller."""
        a, b = self.bus.ksock(), self.bus.ksock()
        a.replier("$.A")(lambda msg: msg.data)
        self.bus.start()
        for i in range(20):
            self.rest()
            start = time.monotonic()
            self.assertEqual(b.call("$.A", b"%d" % i, None).data, b"%d" % i)
            self.assertLess(time.monotonic() - start, SOON_S)

    def test_an_announcement_for_a_handler(self) -> None:
        """It wakes the pump."""
        heard = threading.Event()
        self.bus.ksock().listener("$.A")(lambda msg: heard.set())
        self.bus.start()
        self.rest()
        self.bus.ksock().announce("$.A")
        self.assertTrue(heard.wait(LONG_S))

    def test_a_message_for_a_waiting_thread(self) -> None:
        """Whoever waits for a message gets it from any thread, pump or no pump."""
        for pump in (False, True):
            a, b = self.bus.ksock(), self.bus.ksock()
            a.bind("$.A")
            if pump:
                self.bus.start()
                self.rest()
            got: list[Message | None] = []
            waiting = self.go(lambda: got.append(a.wait_for_msg()))  # noqa: B023
            self.rest(2 if pump else 1)
            b.announce("$.A", b"x")
            waiting.join(LONG_S)
            self.assertEqual([m and m.data for m in got], [b"x"])

    def test_closing_a_ksock(self) -> None:
        """A thread that waits on it comes back."""
        self.bus.start()
        ks = self.bus.ksock()
        waiting = self.go(lambda: self.assertIsNone(ks.wait_for_msg()))
        self.rest(2)
        ks.close()
        waiting.join(LONG_S)
        self.assertFalse(waiting.is_alive())

    def test_closing_the_bus(self) -> None:
        """All threads that wait come back, whatever they wait for."""
        replier = self.bus.ksock()
        replier.bind("$.A", True)
        self.bus.start()

        def call() -> None:
            with self.assertRaises(BusError):
                self.bus.ksock().call("$.A", b"", None)

        for _ in range(3):
            self.go(self.bus.ksock().wait_for_msg)
            self.go(call)
        while replier.hot.unread() < 3:
            time.sleep(0.0005)
        self.bus.close()
        self.join(LONG_S)

    def test_wait_for_replier(self) -> None:
        """A bind in another thread ends it."""
        self.bus.start()
        self.rest()
        waiting = self.go(lambda: self.bus.wait_for_replier("$.A"))
        self.rest(2)
        self.bus.ksock().bind("$.A", True)
        waiting.join(LONG_S)
        self.assertFalse(waiting.is_alive())

    def test_deadlines_with_the_pump_asleep(self) -> None:
        """A shorter deadline than all before wakes the pump in time."""
        self.bus.ksock().bind("$.A", True)
        self.bus.start()
        self.bus.ksock().request("$.A", deadline_ms=60000)
        self.rest()
        start = time.monotonic()
        with self.assertRaises(NoReply) as caught:
            self.bus.ksock().call("$.A", deadline_ms=20)
        self.assertEqual(caught.exception.status, "$.KBUS.Replier.Overdue")
        self.assertLess(time.monotonic() - start, SOON_S)

    def test_the_pump_goes_while_others_wait(self) -> None:
        """After bus.stop() those who wait pump for themselves."""
        a, b = self.bus.ksock(), self.bus.ksock()

        @a.replier("$.A")
        def later(msg: Message) -> object:
            self.go(lambda: (self.bus.stop(), b.announce("$.Now")))
            kept.append(msg)
            return LATER

        kept: list[Message] = []
        a.listener("$.Now")(lambda msg: a.reply(kept.pop(), b"done"))
        self.bus.start()
        self.assertEqual(self.bus.ksock().call("$.A", b"", None).data, b"done")

    def test_every_from_another_thread(self) -> None:
        """A timer that is added while the pump sleeps is served."""
        self.bus.start()
        self.rest()
        called = threading.Event()
        self.bus.every(1, called.set)
        self.assertTrue(called.wait(LONG_S))


class TestStartStop(Case):
    def test_stop_right_after_start(self) -> None:
        """However early stop() or close() comes, the thread ends."""
        for _ in range(50):
            bus = make_bus()
            bus.start()
            bus.stop()
        for _ in range(50):
            bus = make_bus()
            bus.start()
            bus.close()
        end = time.monotonic() + LONG_S
        while self.pumps() and time.monotonic() < end:
            time.sleep(0.001)
        self.assertEqual(self.pumps(), [])

    def test_again(self) -> None:
        """After stop() one may start again, any number of times, and twice does no harm."""
        a, b = self.bus.ksock(), self.bus.ksock()
        a.replier("$.A")(lambda msg: b"yes")
        for _ in range(10):
            self.bus.start()
            self.bus.start()
            self.assertEqual(b.call("$.A", b"", None).data, b"yes")
            self.bus.stop()

    def test_no_file_is_left_open(self) -> None:
        """Buses that come and go leave no file number behind."""

        def use() -> None:
            for _ in range(10):
                with make_bus() as bus:
                    bus.start()
                    ks = bus.ksock()
                    ks.wait_for_msg(0)
                    ks.replier("$.A")(lambda msg: b"")
                    ks.call("$.A")

        use()
        self.until_no_pumps()
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(3):
            use()
        self.until_no_pumps()
        self.assertLessEqual(len(os.listdir("/proc/self/fd")), before)

    def until_no_pumps(self) -> None:
        end = time.monotonic() + LONG_S
        while self.pumps() and time.monotonic() < end:
            time.sleep(0.001)


class TestHandlers(Case):
    def test_only_the_pump_is_refused(self) -> None:
        """While a handler runs, it may not wait, but other threads may."""
        a, b = self.bus.ksock(), self.bus.ksock()
        inside, go_on = threading.Event(), threading.Event()
        found: list[str] = []

        @a.replier("$.Slow")
        def slow(msg: Message) -> bytes:
            inside.set()
            go_on.wait(LONG_S)
            try:
                a.call("$.Fast")
            except WouldDeadlock:
                found.append("refused")
            return b"slow"

        a.replier("$.Fast")(lambda msg: b"fast")
        self.bus.start()
        first = self.go(lambda: found.append(b.call("$.Slow", b"", None).text))
        self.assertTrue(inside.wait(LONG_S))
        second = self.go(lambda: found.append(self.bus.ksock().call("$.Fast", b"", None).text))
        go_on.set()
        first.join(LONG_S)
        second.join(LONG_S)
        self.assertEqual(sorted(found), ["fast", "refused", "slow"])

    def test_a_handler_that_raises_does_not_end_the_pump(self) -> None:
        """Nor does a timer."""
        a = self.bus.ksock()

        @a.replier("$.A")
        def fails(msg: Message) -> object:
            raise ValueError

        def timer() -> None:
            raise KeyError

        with Tracebacks():
            self.bus.every(1, timer)
            self.bus.start()
            for _ in range(5):
                with self.assertRaises(NoReply) as caught:
                    self.bus.ksock().call("$.A", b"", None)
                self.assertEqual(caught.exception.data, b"ValueError")
            self.bus.close()
            self.join(LONG_S)
            end = time.monotonic() + LONG_S
            while self.pumps() and time.monotonic() < end:
                time.sleep(0.001)


class TestOneKsockManyThreads(Case):
    def test_calls_and_readers(self) -> None:
        """Threads that call over one Ksock get each its own answer, also beside a reader."""
        a, b = self.bus.ksock(), self.bus.ksock()
        a.replier("$.A")(lambda msg: msg.data + b"!")
        b.bind("$.News")
        self.bus.start()
        news: list[bytes] = []

        def read() -> None:
            while len(news) < 50:
                message = b.wait_for_msg()
                assert message is not None
                news.append(message.data)

        def call(k: int) -> None:
            for i in range(50):
                data = b"%d.%d" % (k, i)
                self.assertEqual(b.call("$.A", data, None).data, data + b"!")

        reader = self.go(read)
        callers = [self.go(lambda k=k: call(k)) for k in range(4)]  # type: ignore[misc]
        for i in range(50):
            while b.hot.room() < 8 and reader.is_alive():
                time.sleep(0.0002)
            a.announce("$.News", b"%d" % i)
        for thread in [*callers, reader]:
            thread.join(LONG_S)
        self.assertEqual(news, [b"%d" % i for i in range(50)])


class TestStress(Case):
    """Many threads, with and without a pump thread; everything is counted by the threads."""

    def stress(self, pump: bool) -> None:
        repliers = [self.bus.ksock() for _ in range(3)]
        served: Counter[bytes] = Counter()
        for i, ks in enumerate(repliers):

            def handle(msg: Message) -> object:
                served[msg.data] += 1
                if msg.data.endswith(b"7"):
                    raise ValueError
                return msg.data[::-1]

            ks.replier(f"$.Serve{i}")(handle)
        if pump:
            self.bus.start()
        done: Counter[str] = Counter()
        sent: set[bytes] = set()
        lock = threading.Lock()
        end = time.monotonic() + 1.0

        def call(k: int) -> None:
            ks = self.bus.ksock()
            chance = random.Random(k)
            i = 0
            while time.monotonic() < end:
                i += 1
                data = b"%d.%d" % (k, i)
                try:
                    answer = ks.call(f"$.Serve{chance.randrange(4)}", data, None)
                    ended = "reply" if answer.data == data[::-1] else "wrong"
                except NoReply as e:
                    ended = e.status or type(e).__name__
                with lock:
                    done[ended] += 1
                    if ended in ("reply", "$.KBUS.Replier.Failed"):
                        sent.add(data)
                if i % 10 == 0:
                    ks.close()
                    ks = self.bus.ksock()
            ks.close()

        def churn() -> None:
            while time.monotonic() < end:
                ks = self.bus.ksock()
                ks.bind("$.*")
                ks.wait_for_msg(1)
                ks.close()

        with Tracebacks():
            for k in range(6):
                self.go(lambda k=k: call(k))  # type: ignore[misc]
            self.go(churn)
            self.join(LONG_S)
        self.assertEqual(
            set(done) - {"reply", "NoReplier", "$.KBUS.Replier.Failed", "QueueFull"}, set(), done
        )
        self.assertGreater(done["reply"], 100)
        self.assertEqual(set(served), sent)
        self.assertEqual(set(served.values()), {1})
        self.assertTrue(issubclass(NoReplier, NoReply) and issubclass(QueueFull, NoReply))

    def test_with_a_pump_thread(self) -> None:
        """Each call ends once, in its own reply or in a status that is true."""
        self.stress(True)

    def test_whoever_waits_pumps(self) -> None:
        """The same when the callers pump, taking turns."""
        self.stress(False)
        self.assertIsNone(self.bus.ksock().wait_for_msg(0))


if __name__ == "__main__":
    unittest.main()
