# SPDX-License-Identifier: MIT
"""Tasks that wait: who is woken, who pumps meanwhile, and what is left when they have ended."""

import asyncio
import unittest

from buses import closed_clean, make_bus
from limpet import Bus, NoReply, port
from limpet.port import ticks_ms
from limpet.send import ALL_OR_WAIT
from limpet.ticks import ticks_diff
from limpet.transport.loopback import loopback

LONG_MS = 5000  # nothing here waits for so long, unless it is broken


def run(coroutine):
    """Run it in a loop of its own, for LONG_MS at most."""

    async def limited():
        return await asyncio.wait_for(coroutine, LONG_MS / 1000)

    try:
        return asyncio.run(limited())
    finally:
        if port.NAME != "cpython":  # there, asyncio.run() makes a loop of its own
            asyncio.new_event_loop()


async def rounds(count):
    """Let other tasks run."""
    for _ in range(count):
        await asyncio.sleep(0)


async def cancelled(task):
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        return True


class Case(unittest.TestCase):
    def setUp(self):
        self.bus = make_bus()
        self.a = self.bus.async_ksock()
        self.b = self.bus.async_ksock()
        self.a.bind("$.A")

    def tearDown(self):
        closed_clean(self, self.bus)


class TestWhoIsWoken(Case):
    def test_several_tasks_on_one_ksock(self):
        """Each message goes to one of them, none is left, and in the end all are told."""

        async def read(found):
            async for message in self.a:
                found.append(message.data)

        async def body():
            found = [[] for _ in range(3)]
            tasks = [asyncio.create_task(read(f)) for f in found]
            for i in range(30):
                self.b.announce("$.A", b"%d" % i)
                if i % 3 == 0:
                    await rounds(3)
            await rounds(5)
            self.a.close()
            for task in tasks:
                await task
            return found

        found = run(body())
        self.assertEqual(sorted(sum(found, [])), sorted(b"%d" % i for i in range(30)))

    def test_one_gives_up(self):
        """Cancelled or out of time, it takes nothing from the others, nor their wake-up."""

        async def body(give_up):
            other = asyncio.create_task(self.a.recv())
            first = asyncio.create_task(self.a.recv(5 if give_up is None else None))
            await rounds(5)
            if give_up is None:
                self.assertIsNone(await first)
            else:
                if give_up:
                    self.b.announce("$.A", b"as it comes")
                self.assertTrue(await cancelled(first))
            if not give_up:
                self.b.announce("$.A", b"as it comes")
            return (await other).data

        for give_up in (None, False, True):
            self.assertEqual(run(body(give_up)), b"as it comes")

    def test_nobody_watches_in_the_end(self):
        """Whatever ended the wait."""

        async def body():
            hot = self.a.sync.hot
            await self.a.recv(3)
            self.assertIsNone(hot.watch)
            task = asyncio.create_task(self.a.recv())
            await rounds(5)
            self.assertTrue(hot.watch is not None)
            await cancelled(task)
            self.assertIsNone(hot.watch)
            task = asyncio.create_task(self.a.recv())
            await rounds(5)
            self.b.announce("$.A", b"x")
            self.assertIsNone(hot.watch)  # so what comes now may take the short way
            await task
            self.assertIsNone(hot.watch)

        run(body())

    def test_beside_a_handler(self):
        """A Ksock may have both; the handler's watch stays."""
        heard = []
        self.a.listener("$.B")(lambda msg: heard.append(msg.data))

        async def body():
            for i in range(5):
                task = asyncio.create_task(self.a.recv())
                await rounds(3)
                self.b.announce("$.B", b"%d" % i)
                self.b.announce("$.A", b"%d" % i)
                self.assertEqual((await task).data, b"%d" % i)
            while len(heard) < 5:
                self.assertIsNone(await self.a.recv(1))

        run(body())
        self.assertTrue(self.a.sync.hot.watch is self.bus.waiter)

    def test_a_conversation_of_tasks(self):
        """Calls and their answers are not mixed up, however long it goes on."""
        self.a.bind("$.Q", True)

        async def answer():
            async for message in self.a:
                self.a.reply(message, message.data + b"!")

        async def ask(k):
            for i in range(40):
                data = b"%d.%d" % (k, i)
                self.assertEqual((await self.b.call("$.Q", data)).data, data + b"!")
                if i % 7 == k:
                    await asyncio.sleep(0.001)

        async def body():
            task = asyncio.create_task(answer())
            asking = [asyncio.create_task(ask(k)) for k in range(3)]
            for one in asking:
                await one
            self.a.close()
            await task

        run(body())

    def test_a_slow_replier(self):
        """It answers when it likes: the caller rests, and news for it do not disturb that."""
        self.a.bind("$.Q", True)
        self.b.bind("$.News")

        async def answer():
            message = await self.a.recv()
            for _ in range(5):
                self.a.announce("$.News")
                await asyncio.sleep(0.002)
            self.a.reply(message, b"at last")

        async def body():
            task = asyncio.create_task(answer())
            got = (await self.b.call("$.Q", b"", None)).data
            await task
            news = 0
            while await self.b.recv(0):
                news += 1
            return got, news

        self.assertEqual(run(body()), (b"at last", 5))

    def test_waiting_for_room(self):
        """A send that waits is tried again when somebody reads; its task is woken."""
        listener = self.bus.async_ksock(1)
        listener.bind("$.Full")
        self.b.announce("$.Full", b"first")
        name = self.bus.name("$.Full")
        self.assertTrue(self.b.sync.hot.announce(name, b"second", -1, ALL_OR_WAIT) < 0)

        async def body():
            self.assertFalse(await self.b.wait_writable(0))
            self.assertFalse(await self.b.wait_writable(3))
            task = asyncio.create_task(self.b.wait_writable())
            await rounds(3)
            first = await listener.recv()
            self.assertTrue(await task)
            self.assertTrue(await self.b.wait_writable())
            second = await listener.recv()
            closing = self.bus.async_ksock(1)
            closing.bind("$.Full")
            self.b.announce("$.Full", b"fills it")
            await listener.recv()
            self.assertTrue(self.b.sync.hot.announce(name, b"third", -1, ALL_OR_WAIT) < 0)
            task = asyncio.create_task(self.b.wait_writable())
            await rounds(3)
            self.b.close()
            self.assertFalse(await task)
            return first.data, second.data

        self.assertEqual(run(body()), (b"first", b"second"))


class TestWhoPumps(Case):
    def test_a_link(self):
        """Two buses in one loop, no serve(): tasks that wait pump both."""
        other = Bus(node=2, seed=2)
        end, far_end = loopback()
        self.bus.join(end)
        other.join(far_end)
        far = other.async_ksock()
        far.bind("$.Far", True)

        async def answer():
            async for message in far:
                far.reply(message, message.data + b"!")

        async def body():
            task = asyncio.create_task(answer())
            while not self.bus.find_replier("$.Far"):
                await self.b.recv(1)
            found = []
            for i in range(5):
                found.append((await self.b.call("$.Far", b"%d" % i)).data)
            await cancelled(task)
            return found

        self.assertEqual(run(body()), [b"%d!" % i for i in range(5)])
        closed_clean(self, other)

    def test_while_a_task_does_something_else(self):
        """A task that has waited once keeps the bus going for as long as it lives."""
        count = []
        self.bus.every(1, lambda: count.append(1))

        async def body():
            await self.a.recv(0)
            await rounds(3)
            del count[:]
            await asyncio.sleep(0.02)
            return len(count)

        self.assertTrue(run(body()) >= 3)

    def test_a_busy_conversation(self):
        """Tasks that are always answered at once do not keep timers from running."""
        count = []
        self.bus.every(1, lambda: count.append(1))
        self.a.bind("$.Q", True)

        async def answer():
            async for message in self.a:
                self.a.reply(message)

        async def body():
            task = asyncio.create_task(answer())
            start = ticks_ms()
            while ticks_diff(ticks_ms(), start) < 30:
                await self.b.call("$.Q")
            self.a.close()
            await task

        run(body())
        self.assertTrue(len(count) >= 5)

    def test_handlers_answer_without_delay(self):
        """A call to a handler of the same bus takes no longer than a few rounds."""
        self.a.replier("$.Q")(lambda msg: msg.data)

        async def body():
            start = ticks_ms()
            for i in range(50):
                await self.b.call("$.Q", b"%d" % i)
            return ticks_diff(ticks_ms(), start)

        self.assertTrue(run(body()) < 50)

    def test_the_next_loop_takes_over(self):
        """A loop that was left with a task that waits does not keep the next from pumping."""
        self.a.replier("$.Q")(lambda msg: msg.data)

        async def leaves():
            asyncio.create_task(self.b.recv())
            await rounds(3)
            raise ValueError

        async def calls():
            return (await self.b.call("$.Q", b"x")).data

        for _ in range(3):
            self.assertRaises(ValueError, run, leaves())
            self.assertEqual(run(calls()), b"x")
        self.assertEqual(self.b.sync.call("$.Q", b"y").data, b"y")

    def test_the_bus_closes(self):
        """Tasks that wait, call or serve come back, whatever pumps; later ones do not wait."""
        self.a.bind("$.Q", True)

        async def call():
            try:
                await self.b.call("$.Q", b"", None)
            except NoReply as e:
                return e.executed

        async def body():
            tasks = [self.a.recv, call, self.bus.serve, self.b.recv]
            tasks = [asyncio.create_task(function()) for function in tasks]
            await rounds(5)
            self.bus.close()
            found = []
            for task in tasks:
                found.append(await task)
            return found, await self.b.recv()

        # The request is read by nobody but the task of a, which takes it for a message.
        found, late = run(body())
        self.assertEqual((found[1:], late), (["unknown", None, None], None))


if __name__ == "__main__":
    unittest.main()
