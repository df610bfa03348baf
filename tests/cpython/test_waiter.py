# SPDX-License-Identifier: MIT
"""The Waiter where streams, threads, signals and tasks are; test_port.py has the common part."""

import os
import signal
import threading
import time

from limpet.port import open_device

LIMIT_S = 5  # nothing here takes so long, unless it is broken


def test_a_readable_stream_ends_the_sleep(line, waiter):
    stream = open_device("uart", {"port": line.path})
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
    stream = open_device("uart", {"port": line.path})
    waiter.add(stream)
    waiter.wait(0, False)
    assert not waiter.wait(10, True)
    stream.blocked = True
    assert not waiter.wait(10, False)
    assert waiter.wait(5000, True)
    waiter.remove(stream)
    stream.close()


def test_a_closed_stream_does_no_harm(line, waiter):
    stream = open_device("uart", {"port": line.path})
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
    stream = open_device("uart", {"port": line.path})
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


def test_start_runs_a_thread(waiter):
    """It is no pump before it says so: another thread may be one."""
    results = []
    done = threading.Event()

    def body():
        results.append(waiter.owned())
        done.set()

    waiter.own()
    waiter.start(body)
    assert done.wait(LIMIT_S)
    assert results == [False]
    assert waiter.owned()


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


def own_amid_disown(waiter, number, at_line):
    """Let another thread own at a line of disown(); return whether that has so many lines."""
    owned = []
    taken, left = threading.Event(), threading.Event()

    def take():
        waiter.own()
        taken.set()
        left.wait(LIMIT_S)
        owned.append(waiter.owned())
        waiter.disown()

    def come_in():
        thread.start()
        taken.wait(0.05)  # a lock may make it wait until disown() is through

    thread = threading.Thread(target=take)
    waiter.own()
    if not at_line(number, waiter.disown, come_in):
        return False
    assert taken.wait(LIMIT_S)
    left.set()
    thread.join(LIMIT_S)
    assert owned == [True], number
    return True


def test_the_next_pump_keeps_what_it_took(waiter, at_line):
    """Wherever another thread's own() comes in a disown(), that thread is the owner then."""
    number = 0
    while own_amid_disown(waiter, number, at_line):
        number += 1
    assert number > 1
