# SPDX-License-Identifier: MIT
"""What signal handlers and other threads post reaches a bus that sleeps, and one that is busy."""

import asyncio
import signal
import threading
import time

import pytest

from limpet import Bus

LIMIT_MS = 20000  # nothing here takes so long, unless it is broken
SOON_S = 5.0


@pytest.fixture
def bus():
    made = Bus(node=1, seed=1, slot_count=64, queue_size=64)
    yield made
    made.close()


@pytest.fixture
def reader(bus):
    ks = bus.ksock()
    ks.bind("$.Irq")
    return ks


def test_a_signal_handler_posts_to_a_sleeping_bus(bus, reader):
    """The sleep ends at once, time after time."""
    inbox = bus.irq_inbox(bus.ksock(), "$.Irq", count=2)
    number = 0

    def handler(signum, frame):
        nonlocal number
        number += 1
        assert inbox.post_int(number)

    before = signal.signal(signal.SIGALRM, handler)
    try:
        start = time.monotonic()
        for i in range(1, 6):
            signal.setitimer(signal.ITIMER_REAL, 0.02)
            message = reader.wait_for_msg(LIMIT_MS)
            assert message is not None
            assert message.data == i.to_bytes(4, "little") and message.missed == 0
        assert time.monotonic() - start < SOON_S
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_a_thread_posts_as_fast_as_it_can(bus, reader):
    """Whatever is accepted comes, in order; where some were refused, `missed` says how many."""
    inbox = bus.irq_inbox(bus.ksock(), "$.Irq", count=4)
    accepted = []
    count = 3000

    def write():
        for number in range(count):
            if inbox.post_int(number):
                accepted.append(number)
        while not inbox.post_int(count):  # the last one, at which reading ends
            time.sleep(0.001)
        accepted.append(count)

    bus.start()
    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    seen, missed = [], 0
    while not seen or seen[-1] != count:
        message = reader.wait_for_msg(LIMIT_MS)
        assert message is not None, "slept over a post"
        seen.append(int.from_bytes(message.data, "little"))
        missed += message.missed
    writer.join(SOON_S)
    assert not writer.is_alive()
    # The reader's own queue may overflow, too, and what it lost there is also in `missed`.
    assert seen == [number for number in accepted if number in set(seen)]
    assert len(seen) + missed == len(accepted) + inbox.lost


def test_a_task_that_waits_is_woken(bus):
    """With serve() as the pump, from another thread."""
    inbox = bus.irq_inbox(bus.ksock(), "$.Irq")

    async def main():
        ks = bus.async_ksock()
        ks.bind("$.Irq")
        serving = asyncio.ensure_future(bus.serve())
        timer = threading.Timer(0.02, inbox.post, (b"now",))
        timer.start()
        message = await ks.recv(LIMIT_MS)
        timer.join()
        bus.stop()
        await serving
        return message.data

    start = time.monotonic()
    assert asyncio.run(main()) == b"now"
    assert time.monotonic() - start < SOON_S
