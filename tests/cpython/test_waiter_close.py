# SPDX-License-Identifier: MIT
"""The end of a Waiter: nobody sleeps on, no file is left, none is closed twice or too early."""

import asyncio
import os
import threading
import time

import pytest

from limpet import Bus
from limpet.port import Waiter

LIMIT_S = 5  # nothing here takes so long, unless it is broken


def tasks_waiting(waiter, count):
    return [asyncio.create_task(waiter.wait_async(None, False)) for _ in range(count)]


def sleeping(waiter, count):
    """Wait until `count` threads sleep."""
    until = time.monotonic() + LIMIT_S
    while sum(s.asleep and not s.woken for s in waiter._sleepers) < count:
        assert time.monotonic() < until


def sleep_until_closed(waiter):
    while not waiter._closed:
        waiter.wait(None, False)


def files():
    return sorted(os.listdir("/proc/self/fd"))


def test_close_ends_every_sleep_and_leaves_no_file():
    """50 Waiters with threads and tasks asleep in them; of all of them, nothing remains."""
    before = files()
    results = []
    for _ in range(50):
        waiter = Waiter()

        def sleep(waiter=waiter):
            sleep_until_closed(waiter)
            results.append("thread")

        async def main(waiter=waiter):
            while not waiter._closed:
                await asyncio.gather(*tasks_waiting(waiter, 2))
            results.append("loop")

        threads = [threading.Thread(target=sleep) for _ in range(3)]
        threads.append(threading.Thread(target=lambda: asyncio.run(main())))
        for thread in threads:
            thread.start()
        waiter.wait(0, False)
        sleeping(waiter, 4)
        waiter.close()
        for thread in threads:
            thread.join(LIMIT_S)
            assert not thread.is_alive()
        waiter.close()
    assert files() == before
    assert results.count("thread") == 150 and results.count("loop") == 50


def test_buses_that_are_closed_while_threads_and_tasks_wait():
    """50 of them: every wait ends, and no file is left."""
    before = files()
    ended = []

    async def main(bus):
        ksocks = [bus.async_ksock() for _ in range(2)]
        serving = asyncio.create_task(bus.serve())
        await asyncio.gather(*[ks.recv() for ks in ksocks])
        await serving
        ended.append("loop")

    def wait(ksock):
        ksock.wait_for_msg()
        ended.append("thread")

    for i in range(50):
        bus = Bus(node=1)
        if i % 2:
            bus.start()
        threads = [threading.Thread(target=wait, args=(bus.ksock(),)) for _ in range(3)]
        threads.append(threading.Thread(target=lambda bus=bus: asyncio.run(main(bus))))
        for thread in threads:
            thread.start()
        sleeping(bus.waiter, 4 + i % 2)
        bus.close()
        for thread in threads:
            thread.join(LIMIT_S)
            assert not thread.is_alive()
    for thread in threading.enumerate():
        if thread.name == "limpet":
            thread.join(LIMIT_S)
    assert files() == before
    assert ended.count("thread") == 150 and ended.count("loop") == 50


def test_a_closed_waiter_holds_nothing_and_nobody(waiter):
    """wait() returns at once, wake() does nothing, and neither opens a file."""
    before = files()
    closed = Waiter()
    closed.close()
    threads = [threading.Thread(target=closed.wait, args=(None, True)) for _ in range(3)]
    for thread in threads:
        thread.start()
        thread.join(LIMIT_S)
        assert not thread.is_alive()
    assert closed.wait(None, False)
    assert asyncio.run(asyncio.wait_for(closed.wait_async(None, True), LIMIT_S))
    closed.wake()
    closed.own()
    closed.disown()
    assert files() == before


def close_amid_wait(number, at_line):
    """Close at a line of wait(); return whether that has so many lines."""
    waiter = Waiter()
    waiter.wait(0, False)

    def come_in():
        thread = threading.Thread(target=waiter.close)
        thread.start()
        thread.join()

    came = at_line(number, lambda: waiter.wait(5, False), come_in)
    waiter.close()
    return came


def test_a_close_that_comes_as_a_thread_goes_to_sleep_or_wakes(at_line):
    """At any line of wait(): it returns, and the files are given back once, by one of the two."""
    before = files()
    number = 0
    while close_amid_wait(number, at_line):
        assert files() == before, number
        number += 1
    assert number > 10


def close_amid_wake(number, at_line):
    """Close at a line of wake(), with files that get the numbers; return as above."""
    waiter = Waiter()
    others = []

    def come_in():
        waiter.close()
        thread.join(LIMIT_S)
        others.extend(os.pipe() for _ in range(5))

    thread = threading.Thread(target=sleep_until_closed, args=(waiter,))
    thread.start()
    sleeping(waiter, 1)
    came = at_line(number, waiter.wake, come_in)
    waiter.close()
    thread.join(LIMIT_S)
    for reader, writer in others:
        os.set_blocking(reader, False)
        with pytest.raises(BlockingIOError):
            os.read(reader, 10)
        os.close(reader)
        os.close(writer)
    return came


def test_a_wake_that_meets_a_close_writes_into_no_other_file(at_line):
    """At any line of wake(): the pipe is not closed while a byte may still go into it."""
    before = files()
    number = 0
    while close_amid_wake(number, at_line):
        assert files() == before, number
        number += 1
    assert number > 5
