# SPDX-License-Identifier: MIT
"""The Waiter where streams, threads, signals and tasks are; test_port.py has the common part."""

import asyncio
import os
import signal
import threading
import time

import pytest

from limpet.port import open_uart

LIMIT_S = 5  # nothing here takes so long, unless it is broken


def test_a_readable_stream_ends_the_sleep(line, waiter):
    stream = open_uart({"port": line.path})
    waiter.add(stream)
    waiter.wait(0, False)
    assert not waiter.wait(10, False)
    line.write(b"x")
    assert waiter.wait(5000, False)
    assert waiter.wait(5000, False)  # still readable
    waiter.remove(stream)
    waiter.wait(0, False)
    assert not waiter.wait(10, False)
    stream.close()


def test_only_a_blocked_stream_is_waited_for_to_write(line, waiter):
    """A stream with room must not keep the bus awake when another one's bytes wait."""
    stream = open_uart({"port": line.path})
    waiter.add(stream)
    waiter.wait(0, False)
    assert not waiter.wait(10, True)
    stream.blocked = True
    assert not waiter.wait(10, False)
    assert waiter.wait(5000, True)
    waiter.remove(stream)
    stream.close()


def test_a_closed_stream_does_no_harm(line, waiter):
    stream = open_uart({"port": line.path})
    waiter.add(stream)
    stream.close()
    waiter.wait(0, False)
    assert not waiter.wait(5, True)


def test_wakes_are_not_lost(waiter):
    """A producer and a sleeper, 2000 times: no item waits for a time-out."""
    items = []

    def produce():
        for i in range(2000):
            items.append(i)
            waiter.wake()

    thread = threading.Thread(target=produce)
    thread.start()
    seen = 0
    while seen < 2000:
        fresh = len(items) - seen
        if fresh:
            seen += fresh
        else:
            assert waiter.wait(5000, False), "an item was there and nobody was woken"
    thread.join()


def test_while_one_thread_pumps_the_others_sleep_until_a_wake(line, waiter):
    """A thread that is not the pump is not disturbed by streams, but by wake()."""
    stream = open_uart({"port": line.path})
    waiter.add(stream)
    line.write(b"x")
    waiter.own()
    results = []

    def follow():
        waiter.wait(0, False)  # a thread's first wait may return at once
        results.append(waiter.owned())
        results.append(waiter.wait(20, False))
        results.append("slept")
        results.append(waiter.wait(5000, False))

    thread = threading.Thread(target=follow)
    thread.start()
    while "slept" not in results:
        assert waiter.wait(5000, False)  # the pump sees the stream
    waiter.wake()
    thread.join(LIMIT_S)
    assert results == [False, False, "slept", True]
    waiter.remove(stream)
    stream.close()


def test_a_signal_handler_may_wake(waiter):
    """It ends the sleep of the thread that it interrupts."""
    before = signal.signal(signal.SIGALRM, lambda number, frame: waiter.wake())
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        start = time.monotonic()
        assert waiter.wait(5000, False)
        assert time.monotonic() - start < 4
    finally:
        signal.signal(signal.SIGALRM, before)


def test_start_runs_a_thread_that_owns(waiter):
    results = []
    done = threading.Event()

    def body():
        results.append(waiter.owned())
        done.set()

    waiter.start(body)
    assert done.wait(LIMIT_S)
    assert results == [True]
    assert not waiter.owned()


def test_dead_threads_leave_nothing(waiter):
    """Threads that waited and ended do not pile up, nor their files."""
    for _ in range(20):
        thread = threading.Thread(target=waiter.wait, args=(0, False))
        thread.start()
        thread.join()
    assert len(waiter._sleepers) <= 2
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        thread = threading.Thread(target=waiter.wait, args=(0, False))
        thread.start()
        thread.join()
    assert len(os.listdir("/proc/self/fd")) <= before


def test_tasks_and_streams(line, waiter):
    """Two tasks sleep on one Waiter: a stream, a wake and a time-out reach both."""
    stream = open_uart({"port": line.path})
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
    assert not waiter._sleepers[0].futures and not waiter._sleepers[0].fds
