# SPDX-License-Identifier: MIT
"""The Waiter under asyncio: what the event loop watches for the tasks that sleep, and no more."""

import asyncio
import os
import selectors
import threading

import pytest

from limpet.port import open_device

LIMIT_S = 5  # nothing here takes so long, unless it is broken


def test_tasks_and_streams(line, waiter):
    """Two tasks sleep on one Waiter: a stream, a wake and a time-out reach both."""
    stream = open_device("uart", {"port": line.path})
    waiter.add(stream)
    waiter.wait(0, False)

    async def both(timeout_ms, writing=False):
        waits = [waiter.wait_async(timeout_ms, writing) for _ in range(2)]
        return await asyncio.gather(*waits)

    async def main():
        assert await both(10) == [False, False]
        asyncio.get_running_loop().call_later(0.01, waiter.wake)
        assert await both(5000) == [True, True]
        stream.blocked = True
        assert await both(10) == [False, False]
        assert await both(5000, True) == [True, True]
        stream.blocked = False
        asyncio.get_running_loop().call_later(0.01, line.write, b"x")
        assert await both(None) == [True, True]
        waiter.remove(stream)
        stream.close()
        await waiter.wait_async(0, False)
        task = asyncio.create_task(waiter.wait_async(None, False))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await waiter.wait_async(5, False) is False

    asyncio.run(main())
    assert not any(s.futures or s.watched for s in waiter._sleepers)


def watched(loop):
    """Return {file number: events} of all that an event loop watches."""
    return {key.fd: key.events for key in loop._selector.get_map().values()}


def tasks_waiting(waiter, count, writing=False):
    return [asyncio.create_task(waiter.wait_async(None, writing)) for _ in range(count)]


def test_overlapping_tasks_pile_nothing_up(line, waiter):
    """One task sleeps on while another one comes and goes: as much is watched as at first."""
    stream = open_device("uart", {"port": line.path})
    waiter.add(stream)

    async def main():
        loop = asyncio.get_running_loop()
        await waiter.wait_async(0, False)
        tasks = tasks_waiting(waiter, 1)
        await asyncio.sleep(0)
        first = watched(loop)
        for _ in range(50):
            await waiter.wait_async(0, False)
        assert watched(loop) == first
        assert not tasks[0].done()
        assert sum(len(s.watched) for s in waiter._sleepers) == 2
        tasks[0].cancel()

    asyncio.run(main())
    waiter.remove(stream)
    stream.close()


def test_a_writer_is_watched_while_a_task_wants_it(line, waiter):
    """A blocked write that is over does not keep the loop busy, whoever sleeps on."""
    stream = open_device("uart", {"port": line.path})
    waiter.add(stream)
    turns = 0

    async def sleep():
        nonlocal turns
        while True:
            await waiter.wait_async(None, False)
            turns += 1

    async def main():
        nonlocal turns
        loop = asyncio.get_running_loop()
        await waiter.wait_async(0, False)
        tasks = [asyncio.create_task(sleep()) for _ in range(3)]
        await asyncio.sleep(0)
        stream.blocked = True
        assert await waiter.wait_async(5000, True)
        stream.blocked = False
        while await waiter.wait_async(0, True):
            pass
        assert watched(loop)[stream.fileno()] == selectors.EVENT_READ
        turns = 0
        assert not await waiter.wait_async(50, True)
        assert turns == 0
        for task in tasks:
            task.cancel()

    asyncio.run(main())
    waiter.remove(stream)
    stream.close()


def test_a_task_that_only_reads_leaves_the_writer_to_another(line, waiter):
    stream = open_device("uart", {"port": line.path})
    waiter.add(stream)
    block = bytearray(4096)
    while waiter.wait(20, True):
        while stream.write(block, 0, 4096):
            pass
        stream.blocked = True

    async def main():
        loop = asyncio.get_running_loop()
        await waiter.wait_async(0, False)
        tasks = tasks_waiting(waiter, 1, True) + tasks_waiting(waiter, 1, False)
        await asyncio.sleep(0)
        await waiter.wait_async(0, False)
        both = selectors.EVENT_READ | selectors.EVENT_WRITE
        assert watched(loop)[stream.fileno()] == both
        tasks[0].cancel()
        await waiter.wait_async(0, False)
        assert watched(loop)[stream.fileno()] == selectors.EVENT_READ
        tasks[1].cancel()

    asyncio.run(main())
    waiter.remove(stream)
    stream.close()


def unplug(waiter, stream):
    """Remove and close it in another thread."""

    def run():
        waiter.remove(stream)
        stream.close()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()


def test_a_removed_stream_leaves_the_loop(make_line, waiter):
    """At once in the loop's thread; and a new stream with its file number is watched again."""
    lines = [make_line() for _ in range(5)]
    streams = [open_device("uart", {"port": lines[0].path})]
    waiter.add(streams[0])
    fd = streams[0].fileno()

    async def main():
        loop = asyncio.get_running_loop()
        await waiter.wait_async(0, False)
        tasks = tasks_waiting(waiter, 1)
        await asyncio.sleep(0)
        assert fd in watched(loop)
        waiter.remove(streams[0])
        assert fd not in watched(loop)
        streams[0].close()
        await asyncio.gather(*tasks)
        for i, line in enumerate(lines[1:]):
            await waiter.wait_async(0, False)
            stream = open_device("uart", {"port": line.path})
            assert stream.fileno() == fd
            waiter.add(stream)
            await waiter.wait_async(0, False)
            tasks = tasks_waiting(waiter, 2)
            await asyncio.sleep(0)
            line.write(b"x")
            assert await asyncio.wait_for(asyncio.gather(*tasks), LIMIT_S) == [True, True]
            tasks = tasks_waiting(waiter, 1)
            if i % 2:
                waiter.remove(stream)
                stream.close()
            else:  # as a thread that pumps does it
                unplug(waiter, stream)
            await asyncio.wait_for(tasks[0], LIMIT_S)
        assert fd not in watched(loop)

    asyncio.run(main())


async def wake_amid_wait(waiter, number, at_line):
    """Wake at a line of wait_async()'s beginning; return whether that has so many lines."""

    def come_in():
        thread = threading.Thread(target=waiter.wake)
        thread.start()
        thread.join()

    await waiter.wait_async(0, False)
    wait = waiter.wait_async(None, False)
    slept_on = []
    came = at_line(number, lambda: slept_on.append(wait.send(None)), come_in)
    if came and slept_on[0] is not None:
        slept_on[0]._asyncio_future_blocking = False  # it is awaited here, not by that coroutine
        await asyncio.wait_for(slept_on[0], LIMIT_S)
    wait.close()
    return came


def test_a_wake_that_comes_as_a_task_goes_to_sleep(waiter, at_line):
    """From another thread, at any line of wait_async: the task does not sleep through it."""

    async def main():
        number = 0
        while await wake_amid_wait(waiter, number, at_line):
            number += 1
        assert number > 5

    asyncio.run(main())


def test_one_loop_after_the_other(waiter):
    """Loops come and go, one of them without a word to its tasks; nothing is left of them."""
    for _ in range(3):
        loop = asyncio.new_event_loop()
        task = loop.create_task(waiter.wait_async(None, False))
        task._log_destroy_pending = False
        loop.run_until_complete(waiter.wait_async(5, False))
        loop.close()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        asyncio.run(waiter.wait_async(0, False))
    assert len(os.listdir("/proc/self/fd")) <= before


def test_a_wake_between_two_loops(waiter):
    """It is not lost when the next loop begins, and the tasks of the one before look again."""
    first, second = asyncio.new_event_loop(), asyncio.new_event_loop()
    task = first.create_task(waiter.wait_async(None, False))
    first.run_until_complete(waiter.wait_async(5, False))
    waiter.wake()
    assert second.run_until_complete(waiter.wait_async(5, False))
    assert first.run_until_complete(asyncio.wait_for(task, LIMIT_S))
    first.close()
    second.close()
