# SPDX-License-Identifier: MIT
"""Many threads on one bus, with and without a pump thread: nothing is lost but what is counted.

Rules: what is checked is counted by the threads themselves. Each works for SPAN_S and then says
what it found; a thread that is not back LONG_S later hangs. There are more threads than CPUs, and
the interpreter switches between them far more often than it would otherwise.
"""

from __future__ import annotations

import asyncio
import random
import sys
import threading
import time
import unittest
from collections import Counter
from collections.abc import Callable

from buses import Tracebacks, closed_clean, make_bus
from limpet import BusError, Closed, Ksock, Message, NoReply

SPAN_S = 0.7
LONG_S = 20.0
# How a request may end here; a bus without links has no others.
ENDS = {
    *("reply", "NoReplier", "QueueFull", "NoReplyRoom"),
    *("$.KBUS.Replier.Failed", "$.KBUS.Replier.GoneAway", "$.KBUS.Replier.Unbound"),
    *("$.KBUS.Replier.Ignored", "$.KBUS.Replier.Overdue", "$.KBUS.Replier.Expired"),
}


class Stress(unittest.TestCase):
    def setUp(self) -> None:
        self.bus = make_bus(slot_count=128, queue_size=16, ksock_count=64)
        self.found: Counter[str] = Counter()  # what all threads counted
        self.lock = threading.Lock()  # of `found`
        self.threads: list[threading.Thread] = []
        self.trouble: list[BaseException] = []
        self.end = 0.0
        self.interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-5)

    def tearDown(self) -> None:
        sys.setswitchinterval(self.interval)
        self.bus.close()
        self.assertEqual(self.trouble, [])
        closed_clean(self, self.bus)

    def go(self, function: Callable[[Counter[str], int], None], count: int = 1) -> None:
        """Have `count` threads run function(counter, number)."""
        for number in range(count):
            thread = threading.Thread(target=self.guarded, args=(function, number), daemon=True)
            self.threads.append(thread)

    def guarded(self, function: Callable[[Counter[str], int], None], number: int) -> None:
        mine: Counter[str] = Counter()
        try:
            function(mine, number)
        except BaseException as e:
            self.trouble.append(e)
        with self.lock:
            self.found.update(mine)

    def run_all(self, pump: bool) -> None:
        """Start the threads of go(), and wait for their end."""
        if pump:
            self.bus.start()
        self.end = time.monotonic() + SPAN_S
        with Tracebacks():
            for thread in self.threads:
                thread.start()
            for thread in self.threads:
                thread.join(max(0.1, self.end + LONG_S - time.monotonic()))
                self.assertFalse(thread.is_alive(), "a thread hangs")
        self.assertEqual(self.trouble, [])

    def working(self) -> bool:
        return time.monotonic() < self.end

    # What threads do

    def caller(self, name: str) -> Callable[[Counter[str], int], None]:
        """Call, one request after the other, now and then with another Ksock."""

        def call(found: Counter[str], number: int) -> None:
            ks = self.bus.ksock()
            chance = random.Random(number)
            while self.working():
                data = b"%d" % chance.randrange(1000)
                found["asked"] += 1
                try:
                    answer = ks.call(name, data, chance.choice((None, 1, 5000)))
                    found["reply" if answer.data == data[::-1] else "wrong"] += 1
                except NoReply as e:
                    found[e.status or type(e).__name__] += 1
                if chance.randrange(20) == 0:
                    ks.close()
                    ks = self.bus.ksock()
            ks.close()

        return call

    def asker(self, name: str) -> Callable[[Counter[str], int], None]:
        """Send requests without waiting; read until each has had its one end."""

        def ask(found: Counter[str], number: int) -> None:
            ks = self.bus.ksock()
            out: set[int] = set()

            def read(timeout_ms: int) -> None:
                for message in ks.messages(timeout_ms):
                    out.remove(message.in_reply_to)  # KeyError: it has ended before
                    found["reply" if message.kind == "reply" else message.name] += 1

            while self.working():
                try:
                    out.add(ks.request(name, b"x", 1000))
                    found["asked"] += 1
                except NoReply:
                    read(1)
            end = time.monotonic() + LONG_S / 2
            while out and time.monotonic() < end:
                read(10)
            self.assertEqual(out, set())
            ks.close()

        return ask

    def replier(self, name: str) -> Callable[[Counter[str], int], None]:
        """Bind, answer some requests, sometimes forget one, unbind or close, and again."""

        def reply(found: Counter[str], number: int) -> None:
            chance = random.Random(number)
            while self.working():
                with self.bus.ksock() as ks:
                    try:
                        ks.bind(name, True)
                    except BusError:  # another thread has it
                        found["bound already"] += 1
                        ks.wait_for_msg(1)
                        continue
                    for _ in range(chance.randrange(1, 40)):
                        message = ks.wait_for_msg(1)
                        if message is not None and chance.randrange(10):
                            self.answer(ks, message, found)
                    if chance.randrange(2):
                        ks.unbind(name, True)
                        ks.next()

        return reply

    def answer(self, ks: Ksock, message: Message, found: Counter[str]) -> None:
        try:
            ks.reply(message, message.data[::-1])
            found["answered"] += 1
        except BusError:  # it has ended by itself, or its asker has gone
            found["too late"] += 1


class TestRequests(Stress):
    def ended(self) -> int:
        return sum(count for what, count in self.found.items() if what in ENDS)

    def requests(self, pump: bool) -> None:
        """Each request ends once, however its repliers come and go."""
        self.go(self.caller("$.Q"), 3)
        self.go(self.asker("$.Q"), 2)
        self.go(self.replier("$.Q"), 2)
        self.run_all(pump)
        self.assertEqual(self.found["wrong"], 0)
        self.assertEqual(self.ended(), self.found["asked"], self.found)
        self.assertLessEqual(self.found["reply"], self.found["answered"])
        self.assertGreater(self.found["reply"], 20, self.found)

    def test_with_a_pump_thread(self) -> None:
        self.requests(True)

    def test_whoever_waits_pumps(self) -> None:
        self.requests(False)

    def test_handlers(self) -> None:
        """Of one bus, they run one at a time, whoever pumps; each answer is its caller's."""
        inside = []

        def handle(msg: Message) -> bytes:
            inside.append(1)
            if len(inside) != 1:
                self.trouble.append(AssertionError("two at a time"))
            inside.pop()
            if msg.data.endswith(b"7"):
                raise ValueError
            return msg.data[::-1]

        self.bus.ksock().replier("$.Q")(handle)
        self.go(self.caller("$.Q"), 5)
        self.go(lambda found, number: self.stop_and_start())
        self.run_all(True)
        self.assertEqual(self.found["wrong"], 0)
        self.assertEqual(self.ended(), self.found["asked"], self.found)
        self.assertGreater(self.found["$.KBUS.Replier.Failed"], 5)

    def stop_and_start(self) -> None:
        while self.working():
            self.bus.stop()
            time.sleep(0.01)
            self.bus.start()
            time.sleep(0.01)

    def test_a_pump_thread_that_comes_and_goes(self) -> None:
        """While another thread pumps, in a handler: that one goes on afterwards."""
        asking, inside, go_on = self.bus.ksock(), threading.Event(), threading.Event()

        def handle(msg: Message) -> bytes:
            inside.set()
            go_on.wait(LONG_S)
            return b"yes"

        self.bus.ksock().replier("$.Q")(handle)
        self.bus.ksock().bind("$.Unread", True)

        def ask(found: Counter[str], number: int) -> None:
            found[asking.call("$.Q", b"", None).text] += 1
            with self.assertRaises(NoReply):  # so the deadline is looked after
                asking.call("$.Unread", b"", 50)

        def interfere(found: Counter[str], number: int) -> None:
            inside.wait(LONG_S)
            self.bus.start()
            pumps = [t for t in threading.enumerate() if t.name == "limpet"]
            self.bus.stop()
            go_on.set()
            for pump in pumps:
                pump.join(LONG_S)
                found["pumps"] += not pump.is_alive()

        self.go(ask)
        self.go(interfere)
        self.run_all(False)
        self.assertEqual(self.found, {"yes": 1, "pumps": 1})


class TestAnnouncements(Stress):
    def heard(self, pump: bool) -> None:
        """A listener reads, or is told that it missed, just what was sent while it listened."""
        everywhere = threading.Barrier(5)
        sent = [0, 0]
        senders = threading.Semaphore(0)

        def announce(found: Counter[str], number: int) -> None:
            ks = self.bus.ksock()
            everywhere.wait(LONG_S)
            while self.working():
                ks.announce("$.News.A" if sent[number] % 3 else "$.News", b"%d" % sent[number])
                sent[number] += 1
                if sent[number] % 50 == 0:
                    time.sleep(0.0005)  # or the listeners would hardly ever run
            ks.close()
            senders.release()

        def listen(found: Counter[str], number: int) -> None:
            ks = self.bus.ksock(4 << number)
            ks.bind("$.News")
            ks.bind("$.News.*")
            everywhere.wait(LONG_S)
            last: dict[int, int] = {}
            heard = missed = 0
            done = False
            while True:
                message = ks.wait_for_msg(1)
                if message is None:
                    if done:
                        break
                    done = not self.working() and senders.acquire(timeout=LONG_S)
                    if done:
                        senders.release()
                        done = all(not t.is_alive() for t in sending)
                    continue
                heard += 1
                missed += message.missed
                sender, i = message.sender[1], int(message.data)
                if last.get(sender, -1) >= i:
                    found["disorder"] += 1
                last[sender] = i
            found["heard%d" % number] = heard
            found["missed%d" % number] = missed + ks.hot.missed_next
            ks.close()

        def churn(found: Counter[str], number: int) -> None:
            while self.working():
                with self.bus.ksock() as ks:
                    ks.bind("$.*")
                    ks.listener("$.News")(lambda msg: None)
                    ks.wait_for_msg(1)
                    ks.unbind("$.News")
                    found["churned"] += 1

        self.go(announce, 2)
        sending = list(self.threads)
        self.go(listen, 3)
        self.go(churn, 2)
        self.run_all(pump)
        for number in range(3):
            told = self.found["heard%d" % number] + self.found["missed%d" % number]
            self.assertEqual(told, sum(sent), self.found)
        self.assertEqual(self.found["disorder"], 0)
        self.assertGreater(self.found["churned"], 3)
        self.assertGreater(self.found["heard2"], 50)

    def test_with_a_pump_thread(self) -> None:
        self.heard(True)

    def test_whoever_waits_pumps(self) -> None:
        self.heard(False)


class TestEverything(Stress):
    def test_beside_an_event_loop(self) -> None:
        """Tasks of two loops, threads, binds, closes and timers, all on one bus."""

        def loop(found: Counter[str], number: int) -> None:
            async def body() -> None:
                ks, asking = self.bus.async_ksock(), self.bus.async_ksock()
                ks.bind("$.Loop%d" % number, True)

                async def answer() -> None:
                    async for message in ks:
                        self.answer(ks.sync, message, found)

                task = asyncio.create_task(answer())
                while self.working():
                    found["asked"] += 1
                    try:
                        name = random.choice(("$.Loop0", "$.Loop1", "$.Q"))
                        data = b"%d" % found["asked"]
                        got = await asking.call(name, data, 2000)
                        found["reply" if got.data == data[::-1] else "wrong"] += 1
                    except NoReply as e:
                        found[e.status or type(e).__name__] += 1
                ks.close()
                await task
                asking.close()

            asyncio.run(body())

        def timers(found: Counter[str], number: int) -> None:
            while self.working():
                timer = self.bus.every(1, lambda: found.update(("timer",)))
                time.sleep(0.005)
                timer.cancel()

        self.go(loop, 2)
        self.go(self.caller("$.Loop0"), 2)
        self.go(self.replier("$.Q"))
        self.go(timers)
        self.run_all(False)
        self.assertEqual(self.found["wrong"], 0)
        ended = sum(count for what, count in self.found.items() if what in ENDS)
        self.assertEqual(ended, self.found["asked"], self.found)
        self.assertGreater(self.found["reply"], 20, self.found)

    def test_the_bus_closes_under_them(self) -> None:
        """Whatever they do, it ends in Closed; and nobody hangs."""

        def until_closed(work: Callable[[], None]) -> Callable[[Counter[str], int], None]:
            def run(found: Counter[str], number: int) -> None:
                try:
                    while True:
                        work()
                except NoReply as e:
                    if e.executed == "no" and not self.bus.closed:
                        raise
                    found["ended"] += 1
                except Closed:
                    found["ended"] += 1

            return run

        replier = self.bus.ksock()
        replier.replier("$.Q")(lambda msg: msg.data)
        reading, calling = self.bus.ksock(), self.bus.ksock()
        reading.bind("$.A")

        def read() -> None:
            if reading.wait_for_msg() is None:
                self.bus.ksock()

        self.go(until_closed(read), 2)
        self.go(until_closed(lambda: calling.announce("$.A") and None))
        self.go(until_closed(lambda: calling.call("$.Q") and None), 2)
        self.go(until_closed(lambda: self.bus.ksock().close()))
        self.go(lambda found, number: (time.sleep(SPAN_S / 3), self.bus.close()) and None)
        self.run_all(True)
        self.assertEqual(self.found["ended"], 6)


if __name__ == "__main__":
    unittest.main()
