# SPDX-License-Identifier: MIT
"""Event loops and threads: tasks are woken from anywhere, and a loop that ends leaves nothing."""

import asyncio
import gc
import os
import threading
import time
import warnings

import pytest

from buses import closed_clean, make_bus
from limpet import BusError

LIMIT_S = 5  # nothing here takes so long, unless it is broken


@pytest.fixture
def bus():
    made = make_bus(slot_count=128, queue_size=64)
    yield made
    made.close()


@pytest.fixture
def go():
    """A function: runs another in a thread; what that raises fails the test."""
    threads, trouble = [], []

    def start(function):
        def guarded():
            try:
                function()
            except BaseException as e:
                trouble.append(e)

        threads.append(threading.Thread(target=guarded, daemon=True))
        threads[-1].start()
        return threads[-1]

    yield start
    for thread in threads:
        thread.join(LIMIT_S)
        assert not thread.is_alive()
    assert trouble == []


def limited(coroutine):
    """Run it in a loop of its own."""
    return asyncio.run(asyncio.wait_for(coroutine, LIMIT_S))


def files():
    return sorted(os.listdir("/proc/self/fd"))


async def rounds(count):
    for _ in range(count):
        await asyncio.sleep(0)


def test_a_loop_that_ends_has_no_other_tasks(bus):
    """Not while it runs, and none that is found pending when it is gone."""
    ks, other = bus.async_ksock(), bus.async_ksock()
    ks.bind("$.A")
    other.replier("$.Q")(lambda msg: msg.data)

    async def main():
        await ks.recv(1)
        assert (await ks.call("$.Q", b"x")).data == b"x"
        other.announce("$.A")
        await ks.recv()
        assert len(asyncio.all_tasks()) == 1

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(3):
            said = []
            loop = asyncio.new_event_loop()
            loop.set_exception_handler(lambda _, context: said.append(context))  # noqa: B023
            loop.run_until_complete(main())
            loop.close()
            gc.collect()
            assert said == []
            assert not bus.runner.pumping
            asyncio.run(main())
            assert not bus.runner.pumping
    before = files()
    for _ in range(5):
        asyncio.run(main())
    assert files() == before


def test_threads_take_over_from_a_loop_that_is_gone(bus, go):
    """Also if it was closed around tasks that wait: they would have pumped."""
    ks, other = bus.async_ksock(), bus.async_ksock()
    other.replier("$.Q")(lambda msg: msg.data)
    loop = asyncio.new_event_loop()
    task = loop.create_task(ks.recv())
    task._log_destroy_pending = False
    loop.run_until_complete(rounds(5))
    assert bus.runner.pumping
    loop.close()
    found = []
    go(lambda: found.append(bus.ksock().call("$.Q", b"thread").data)).join(LIMIT_S)
    go(lambda: limited(append_call(bus, found))).join(LIMIT_S)
    assert found == [b"thread", b"task"]


async def append_call(bus, found):
    found.append((await bus.async_ksock().call("$.Q", b"task")).data)


def test_a_loop_takes_over_from_a_thread_that_stops(bus):
    """Tasks that relied on bus.start() pump for themselves after bus.stop()."""
    ks, other = bus.async_ksock(), bus.ksock()
    other.replier("$.Q")(lambda msg: msg.data)
    bus.start()

    async def main():
        for i in range(20):
            assert (await ks.call("$.Q", b"%d" % i)).data == b"%d" % i
            if i == 10:
                bus.stop()

    limited(main())


def test_tasks_beside_a_pump_thread(bus):
    """Its handlers answer tasks; none sleeps through it."""
    kss = [bus.async_ksock() for _ in range(3)]
    bus.ksock().replier("$.Q")(lambda msg: msg.data + b"!")
    bus.start()

    async def call(k):
        for i in range(100):
            data = b"%d.%d" % (k, i)
            assert (await kss[k % 3].call("$.Q", data)).data == data + b"!"

    async def main():
        await asyncio.gather(*[call(k) for k in range(6)])

    limited(main())


@pytest.mark.parametrize("pump", [False, True])
def test_announcements_from_threads(bus, go, pump):
    """A task that waits hears all that threads say, in the order of each."""
    ks = bus.async_ksock()
    ks.bind("$.A.*")
    if pump:
        bus.start()
    got = []

    def send(k):
        mine = bus.ksock()
        for i in range(150):
            while ks.sync.hot.room() < 8:
                time.sleep(0.0001)
            mine.announce(f"$.A.{k}", b"%d" % i)
        mine.close()

    async def main():
        for k in range(4):
            go(lambda k=k: send(k))
        while len(got) < 600:
            message = await ks.recv()
            assert message.missed == 0
            got.append((message.name, int(message.data)))

    limited(main())
    for k in range(4):
        assert [i for name, i in got if name == f"$.A.{k}"] == list(range(150))


def test_two_loops_in_two_threads(bus, go):
    """Each calls what the other answers; one of them pumps for both."""
    bus.every(1, lambda: None)

    def serve(mine, theirs):
        ks, asking = bus.async_ksock(), bus.async_ksock()
        ks.bind(mine, True)
        both.wait(LIMIT_S)

        async def answer():
            async for message in ks:
                ks.reply(message, message.data + b"!")

        async def main():
            task = asyncio.create_task(answer())
            for i in range(100):
                assert (await asking.call(theirs, b"%d" % i)).data == b"%d!" % i
            await asyncio.get_running_loop().run_in_executor(None, both.wait, LIMIT_S)
            task.cancel()

        limited(main())

    both = threading.Barrier(2)
    threads = [go(lambda: serve("$.One", "$.Two")), go(lambda: serve("$.Two", "$.One"))]
    for thread in threads:
        thread.join(LIMIT_S)
    assert not bus.runner.pumping


def test_two_loops_take_turns(bus):
    """Tasks of the one that stands still look again when it runs."""
    ks, other = bus.async_ksock(), bus.ksock()
    ks.bind("$.A")
    first, second = asyncio.new_event_loop(), asyncio.new_event_loop()
    task = first.create_task(ks.recv())
    first.run_until_complete(rounds(5))
    for i in range(3):
        assert second.run_until_complete(ks.recv(1)) is None
        late = second.create_task(ks.recv())
        second.run_until_complete(rounds(5))
        other.announce("$.A", b"%d" % i)
        assert second.run_until_complete(asyncio.wait_for(late, LIMIT_S)).data == b"%d" % i
        first.run_until_complete(rounds(5))
        assert not task.done()
    other.announce("$.A", b"first")
    assert first.run_until_complete(asyncio.wait_for(task, LIMIT_S)).data == b"first"
    first.close()
    second.close()


@pytest.mark.parametrize("pump", [False, True])
def test_the_bus_closes_in_another_thread(bus, go, pump):
    """Every task comes back."""
    ks, other = bus.async_ksock(), bus.async_ksock()
    bus.ksock().bind("$.Q", True)
    if pump:
        bus.start()

    async def call():
        with pytest.raises(BusError):
            await other.call("$.Q", b"", None)

    async def main():
        tasks = [asyncio.create_task(c) for c in (ks.recv(), call(), bus.serve(), other.recv())]
        await asyncio.sleep(0.01)
        go(bus.close)
        await asyncio.gather(*tasks)

    limited(main())
    assert not bus.runner.pumping


def test_a_blocking_call_in_a_task(bus):
    """It stops the loop, but not the bus: who waits there pumps in its place."""
    ks, other = bus.async_ksock(), bus.ksock()
    other.replier("$.Q")(lambda msg: msg.data)
    count = []
    bus.every(1, lambda: count.append(1))

    async def main():
        task = asyncio.create_task(ks.recv())
        await rounds(5)
        assert other.call("$.Q", b"x").data == b"x"
        del count[:]
        assert other.wait_for_msg(10) is None
        assert count
        task.cancel()

    limited(main())


def test_an_interrupt_in_a_turn(bus):
    """What ends the loop ends its pump, too; the next one works."""
    ks, other = bus.async_ksock(), bus.ksock()

    def interrupted(msg):
        raise KeyboardInterrupt

    other.replier("$.Stop")(interrupted)
    other.replier("$.Q")(lambda msg: msg.data)
    with pytest.raises(KeyboardInterrupt):
        asyncio.run(ks.call("$.Stop"))
    assert not bus.runner.pumping
    assert limited(ks.call("$.Q", b"x")).data == b"x"


async def ring_amid_rest(bell, watched, number, at_line):
    """Wake at a line of what a task does to rest; return whether that has so many lines."""

    def come_in():
        thread = threading.Thread(target=bell.wake)
        thread.start()
        thread.join()

    slept_on = []
    watched.watch = bell
    bell.woken = False
    came = at_line(number, lambda: slept_on.append(bell.rest()), come_in)
    await asyncio.wait_for(slept_on[0] if came else come_in_and(slept_on[0], come_in), LIMIT_S)
    return came


async def come_in_and(future, come_in):
    come_in()
    await future


def test_a_wake_that_comes_as_a_task_goes_to_rest(bus, at_line):
    """From another thread, at any line: the task does not sleep through it."""

    class Watched:
        watch = None

    async def main():
        bell = bus.waiter.bell(Watched)
        bell.move()
        number = 0
        while await ring_amid_rest(bell, Watched, number, at_line):
            number += 1
        assert number >= 5

    limited(main())


def test_nothing_is_left(bus):
    """Cancelled tasks that waited leave no future behind, nor a watch."""
    ks = bus.async_ksock()

    async def main():
        for _ in range(50):
            task = asyncio.create_task(ks.recv())
            await rounds(3)
            task.cancel()
            await rounds(2)
        assert len(ks._bell._futures) <= 1
        assert ks.sync.hot.watch is None

    limited(main())
    bus.close()
    import unittest

    closed_clean(unittest.TestCase(), bus)
