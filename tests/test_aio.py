# SPDX-License-Identifier: MIT
"""Waiting with asyncio: recv, call and serve, several tasks at once, with and without serve()."""

import asyncio
import unittest

from buses import Tracebacks, closed_clean, make_bus, parked
from limpet import LATER, BusError, NoReplier, NoReply, NotExpected, WouldDeadlock
from limpet.port import ticks_ms
from limpet.ticks import ticks_diff

LONG_MS = 5000  # nothing here waits for so long, unless it is broken


class Case(unittest.TestCase):
    def setUp(self):
        self.bus = make_bus()
        self.a = self.bus.async_ksock()
        self.b = self.bus.async_ksock()

    def tearDown(self):
        closed_clean(self, self.bus)

    def run_all(self, *coroutines, serve=False):
        """Run coroutines as tasks, beside serve() if so said; return their results."""

        async def body():
            server = None
            if serve:
                server = asyncio.create_task(self.bus.serve())
                await asyncio.sleep(0)
            tasks = [asyncio.create_task(c) for c in coroutines]
            results = []
            try:
                for task in tasks:
                    results.append(await asyncio.wait_for(task, LONG_MS / 1000))
            finally:
                if server is not None:
                    self.bus.stop()
                    await asyncio.wait_for(server, LONG_MS / 1000)
            return results

        return asyncio.run(body())


class TestRecv(Case):
    def test_what_is_there(self):
        """Messages come in order, None when the time has passed."""

        async def body():
            self.a.bind("$.A")
            for i in range(3):
                self.b.announce("$.A", b"%d" % i)
            got = []
            for _ in range(3):
                got.append((await self.a.recv()).data)
            return got, await self.a.recv(0), await self.a.recv(3)

        for serve in (False, True):
            ((got, none, later),) = self.run_all(body(), serve=serve)
            self.assertEqual((got, none, later), ([b"0", b"1", b"2"], None, None))
            self.a.unbind("$.A")

    def test_what_comes_later(self):
        """A task that waits gets what another one sends."""
        self.a.bind("$.A")

        async def receive():
            return (await self.a.recv()).data

        async def send():
            await asyncio.sleep(0)
            self.b.announce("$.A", b"x")

        for serve in (False, True):
            self.assertEqual(self.run_all(receive(), send(), serve=serve)[0], b"x")

    def test_iteration(self):
        """`async for` gives each message, and ends when the Ksock closes."""
        self.a.bind("$.A")

        async def listen():
            found = []
            async for message in self.a:
                found.append(message.data)
                if len(found) == 3:
                    self.a.close()
            return found

        async def send():
            for i in range(3):
                await asyncio.sleep(0)
                self.b.announce("$.A", b"%d" % i)

        self.assertEqual(self.run_all(listen(), send())[0], [b"0", b"1", b"2"])

    def test_closing_wakes(self):
        """A task that waits without limit comes back when its Ksock or the bus closes."""

        async def end(close):
            await asyncio.sleep(0)
            close()

        for serve in (False, True):
            ks = self.bus.async_ksock()
            self.assertEqual(self.run_all(ks.recv(), end(ks.close), serve=serve)[0], None)
            self.assertEqual(self.run_all(self.a.recv(), end(self.bus.close))[0], None)
            self.setUp()

    def test_handlers_run_while_one_waits(self):
        """Whoever awaits, pumps: handlers and bus.every go on; their messages are theirs."""
        heard = []
        self.a.listener("$.A")(lambda msg: heard.append(msg.data))
        self.bus.every(1, lambda: self.b.announce("$.A", b"x"))

        async def wait():
            return await self.a.recv(20)

        self.assertEqual(self.run_all(wait()), [None])
        self.assertTrue(len(heard) >= 3)


class TestCall(Case):
    def test_reply_and_status(self):
        """As the call that blocks: the reply, or NoReply with status and executed."""

        @self.a.replier("$.A")
        def handle(msg):
            if not msg.data:
                raise ValueError
            return msg.data * 2

        async def body():
            reply = await self.b.call("$.A", b"x")
            try:
                await self.b.call("$.A")
            except NoReply as e:
                failed = e
            try:
                await self.b.call("$.None")
            except NoReplier as e:
                refused = e
            return reply.data, failed, refused

        for serve in (False, True):
            with Tracebacks():
                ((reply, failed, refused),) = self.run_all(body(), serve=serve)
            self.assertEqual((reply, failed.executed, refused.executed), (b"xx", "yes", "no"))
            self.assertEqual((failed.data, refused.status), (b"ValueError", None))

    def test_many_at_once(self):
        """Calls of many tasks over one Ksock end each in its own answer, in any order."""
        kept = []

        @self.a.replier("$.A")
        def keep(msg):
            kept.append(msg)
            if len(kept) == 6:
                while kept:
                    message = kept.pop()
                    self.a.reply(message, message.data + b"!")
            return LATER

        async def call(i):
            return (await self.b.call("$.A", b"%d" % i)).data

        for serve in (False, True):
            got = self.run_all(*[call(i) for i in range(6)], serve=serve)
            self.assertEqual(got, [b"%d!" % i for i in range(6)])

    def test_beside_recv(self):
        """A task that receives on the same Ksock does not take the answers of calls."""
        self.a.replier("$.A")(lambda msg: msg.data)
        self.b.bind("$.News")

        async def receive():
            found = []
            for _ in range(3):
                found.append((await self.b.recv()).name)
            return found

        async def call():
            for i in range(3):
                if (await self.b.call("$.A", b"%d" % i)).data != b"%d" % i:
                    return False
                self.a.announce("$.News")
            return True

        for serve in (False, True):
            got = self.run_all(receive(), call(), serve=serve)
            self.assertEqual(got, [["$.News"] * 3, True])

    def test_deadlines(self):
        """Each ends at its own time, whoever pumps."""
        self.a.bind("$.A", True)

        async def call(ms):
            start = ticks_ms()
            try:
                await self.b.call("$.A", b"", ms)
            except NoReply as e:
                return e.status, ticks_diff(ticks_ms(), start) >= ms
            return None

        for serve in (False, True):
            got = self.run_all(*[call(ms) for ms in (30, 10, 20, 0)], serve=serve)
            self.assertEqual(got, [("$.KBUS.Replier.Overdue", True)] * 4)

    def test_a_call_that_is_given_up(self):
        """A cancelled call leaves nothing: no place kept, no slot, no answer for who reads."""
        self.a.bind("$.A", True)
        queue = self.b.sync.hot

        async def give_up(answered):
            task = asyncio.create_task(self.b.call("$.A", b"", None))
            while self.a.sync.hot.unread() == 0:
                await asyncio.sleep(0)
            request = self.a.sync.next()
            if answered:
                self.a.reply(request, b"too late")  # there, and not taken yet
            task.cancel()
            try:
                await task
            except asyncio.CancelledError:
                pass
            kept = (queue.reserved, queue.count)
            if not answered:
                self.assertRaises(NotExpected, self.a.reply, request, b"late")
            return kept

        self.assertEqual(self.run_all(give_up(False)), [(0, 0)])
        self.assertEqual(self.run_all(give_up(True)), [(0, 0)])
        self.assertEqual(self.b.sync.calls, [])
        self.assertIsNone(self.b.sync.next())
        self.assertEqual(parked(self.bus), [])

    def test_the_ksock_closes(self):
        """A call whose own Ksock closes ends."""
        self.a.bind("$.A", True)

        async def call():
            try:
                await self.b.call("$.A")
            except BusError:
                return True

        async def close():
            await asyncio.sleep(0)
            self.b.close()

        self.assertEqual(self.run_all(call(), close())[0], True)

    def test_blocking_calls_in_handlers_are_refused(self):
        """Also where a task pumps, with or without serve()."""
        self.a.replier("$.A")(lambda msg: self.a.sync.call("$.A"))
        found = []

        @self.a.replier("$.B")
        def handle(msg):
            try:
                self.a.sync.wait_for_msg(0)
            except WouldDeadlock as e:
                found.append(e)

        async def call():
            try:
                await self.b.call("$.A")
            except NoReply as e:
                found.append(e.data)
            await self.b.call("$.B")

        for serve in (False, True):
            with Tracebacks():
                self.run_all(call(), serve=serve)
            self.assertEqual(found[0], b"WouldDeadlock")
            self.assertEqual(len(found), 2)
            del found[:]


class TestServe(Case):
    def test_only_one(self):
        """A second serve() is refused; the first goes on; afterwards it may start again."""

        async def second():
            try:
                await self.bus.serve()
            except RuntimeError:
                return "refused"

        self.a.replier("$.A")(lambda msg: b"yes")

        async def call():
            return (await self.b.call("$.A")).data

        for _ in range(2):
            got = self.run_all(second(), call(), serve=True)
            self.assertEqual(got, ["refused", b"yes"])

    def test_whoever_comes_first(self):
        """serve() may be started before or after tasks that wait, and takes over from them."""
        self.a.replier("$.A")(lambda msg: b"yes")
        self.b.bind("$.B")

        async def work():
            got = await self.b.recv(3)
            reply = await self.b.call("$.A", b"", None)
            await self.b.recv(3)
            self.bus.stop()
            return got, reply.data

        for tasks in ((work(), self.bus.serve()), (self.bus.serve(), work())):
            self.assertIn((None, b"yes"), self.run_all(*tasks))
        self.assertEqual((self.bus.runner.pumping, self.bus.runner.serving), (False, False))

    def test_beside_a_waiting_task(self):
        """While a task pumps that has waited for longer, serve() can be stopped all the same."""

        async def stop():
            await asyncio.sleep(0)
            self.b.announce("$.B")
            self.bus.stop()

        got = self.run_all(self.a.recv(20), self.bus.serve(), stop())
        self.assertEqual(got, [None, None, None])

    def test_stop_in_a_handler(self):
        """serve() ends at the turn in which stop() was called."""
        self.a.listener("$.Stop")(lambda msg: self.bus.stop())

        async def body():
            self.b.announce("$.Stop")
            await asyncio.wait_for(self.bus.serve(), LONG_MS / 1000)
            return True

        self.assertEqual(self.run_all(body()), [True])

    def test_waiting_goes_on_when_serve_ends(self):
        """Who relied on serve() pumps by itself afterwards."""
        self.a.bind("$.A")
        self.b.replier("$.B")(lambda msg: b"still here")

        async def body():
            server = asyncio.create_task(self.bus.serve())
            waiting = asyncio.create_task(self.a.call("$.B"))
            await asyncio.sleep(0)
            self.bus.stop()
            await asyncio.wait_for(server, LONG_MS / 1000)
            return (await asyncio.wait_for(waiting, LONG_MS / 1000)).data

        self.assertEqual(self.run_all(body()), [b"still here"])

    def test_a_timer_that_raises(self):
        """serve() prints it and goes on."""
        count = []

        def fails():
            count.append(1)
            if len(count) == 3:
                self.bus.stop()
            raise ValueError

        self.bus.every(1, fails)

        async def body():
            await asyncio.wait_for(self.bus.serve(), LONG_MS / 1000)

        with Tracebacks():
            self.run_all(body())
        self.assertEqual(len(count), 3)


if __name__ == "__main__":
    unittest.main()
