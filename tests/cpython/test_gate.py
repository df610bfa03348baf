# SPDX-License-Identifier: MIT
"""Ksock.fileno(): what select, poll and event loops see of a Ksock, and when."""

import asyncio
import os
import select
import selectors
import threading

import pytest

from buses import closed_clean, make_bus
from limpet import Closed
from limpet.send import ALL_OR_WAIT
from limpet.transport.loopback import loopback

LIMIT_S = 5  # nothing here takes so long, unless it is broken
BOTH = select.POLLIN | select.POLLOUT


def seen(ks):
    """Return what poll says now."""
    poller = select.poll()
    poller.register(ks, BOTH)
    return dict(poller.poll(0)).get(ks.fileno(), 0)


def files():
    return sorted(os.listdir("/proc/self/fd"))


class Case:
    """A bus with two Ksocks, the first of which listens to $.A and has room for two."""

    def __init__(self):
        self.bus = make_bus()
        self.a = self.bus.ksock(2)
        self.b = self.bus.ksock()
        self.a.bind("$.A")

    def wait_with(self, name=b"waits"):
        """Have b wait for room at a."""
        assert self.b.hot.announce(self.bus.name("$.A"), name, -1, ALL_OR_WAIT) < 0


@pytest.fixture
def case():
    before = files()
    made = Case()
    yield made
    made.bus.close()
    assert files() == before


def test_no_file_without_need(case):
    """Ksocks cost none, however many there are."""
    before = files()
    kept = [case.bus.ksock() for _ in range(20)]
    assert files() == before
    assert len({ks.fileno() for ks in kept}) == 20
    numbers = [ks.fileno() for ks in kept]
    assert [ks.fileno() for ks in kept] == numbers
    for ks in kept:
        ks.close()
    assert files() == before
    with pytest.raises(Closed):
        kept[0].fileno()


def test_readable_while_there_is_a_message(case):
    """As long as one is there, from the first to the last; also if it was there before."""
    case.b.announce("$.A")
    assert seen(case.a) == BOTH
    case.b.announce("$.A")
    for left in (BOTH, select.POLLOUT):
        assert case.a.next() is not None
        assert seen(case.a) == left
    assert case.a.next() is None
    for _ in range(5):
        case.b.announce("$.A")
        assert seen(case.a) == BOTH
        assert case.a.wait_for_msg(0) is not None
        assert seen(case.a) == select.POLLOUT


def test_it_is_about_what_next_gives(case):
    """What a handler or a call waits for does not count; the answer of a request does."""
    heard = []
    case.a.listener("$.B")(lambda msg: heard.append(msg.data))
    case.a.replier("$.Q")(lambda msg: b"yes")
    assert seen(case.a) == seen(case.b) == select.POLLOUT
    case.b.announce("$.B", b"x")
    assert seen(case.a) == select.POLLOUT
    assert case.b.call("$.Q").data == b"yes"
    assert heard == [b"x"]
    assert seen(case.a) == seen(case.b) == select.POLLOUT
    case.b.request("$.Q")
    case.bus.ksock().wait_for_msg(0)  # pumps
    assert seen(case.b) == BOTH
    assert case.b.next().data == b"yes"
    assert seen(case.b) == select.POLLOUT


def test_a_call_that_is_given_up(case):
    """Its answer is nobody's, so there is nothing to read."""
    case.a.bind("$.Q", True)
    case.b.fileno()
    serial = case.b.ask("$.Q", b"", None, 0, 0, True)
    case.a.reply(case.a.next(), b"late")
    case.b.end_call(serial)
    assert seen(case.b) == select.POLLOUT


def test_messages_that_go_are_not_shown(case):
    """Where a listener's copy was dropped, whoever is told of it finds out, and then sleeps."""
    small = make_bus(slot_count=2)
    listener, other, sender = small.ksock(), small.ksock(), small.ksock()
    listener.bind("$.A")
    other.bind("$.B")
    assert seen(listener) == select.POLLOUT
    sender.announce("$.A")
    for _ in range(3):
        sender.announce("$.B")
    listener.next()
    assert seen(listener) == select.POLLOUT
    closed_clean_here(small)


def closed_clean_here(bus):
    import unittest

    closed_clean(unittest.TestCase(), bus)


@pytest.mark.parametrize("how", ["read", "close", "unbind", "limit", "discard"])
def test_writable_when_the_send_is_done(case, how):
    """A send that waits is tried again by whoever makes room, while its program sleeps."""
    for _ in range(2):
        case.b.announce("$.A")
    assert seen(case.b) == select.POLLOUT
    case.wait_with()
    case.b.show()
    assert seen(case.b) == 0
    assert seen(case.b) == 0
    if how == "read":
        case.a.next()
    elif how == "close":
        case.a.close()
    elif how == "unbind":
        case.a.unbind("$.A")
    elif how == "limit":
        case.a.hot.set_limit(3)
    else:
        case.b.hot.discard()
        case.b.show()
    assert case.b.hot.pending is None
    assert seen(case.b) == select.POLLOUT
    if how in ("read", "limit"):
        found = [message.data for message in case.a.messages(0)]
        assert found[-1] == b"waits"


def test_not_writable_from_the_start(case):
    """Also if it waited before there was a descriptor; and then again."""
    for _ in range(2):
        case.b.announce("$.A")
    for i in range(3):
        case.wait_with(b"%d" % i)
        if i:
            case.b.show()
        assert seen(case.b) == 0
        case.a.next()
        assert seen(case.b) == select.POLLOUT
    assert [message.data for message in case.a.messages(0)] == [b"1", b"2"]


def test_reading_goes_on_while_a_send_waits(case):
    case.b.bind("$.B")
    for _ in range(2):
        case.b.announce("$.A")
    case.wait_with()
    assert seen(case.b) == 0
    case.a.announce("$.B")
    assert seen(case.b) == select.POLLIN
    case.b.next()
    assert seen(case.b) == 0


def test_a_thread_that_sleeps_in_poll(case):
    """It is woken by a message, and by the Ksock's end."""
    got = []
    ready = threading.Barrier(2)

    def sleep():
        poller = select.poll()
        poller.register(case.a, select.POLLIN)
        for _ in range(3):
            ready.wait(LIMIT_S)
            assert poller.poll(LIMIT_S * 1000), "never woken"
            message = case.a.next()
            got.append(message and message.data)

    thread = threading.Thread(target=sleep)
    thread.start()
    for data in (b"1", b"2"):
        ready.wait(LIMIT_S)
        case.b.announce("$.A", data)
        while data not in got:
            assert thread.is_alive()
    ready.wait(LIMIT_S)
    case.a.close()
    thread.join(LIMIT_S)
    assert got == [b"1", b"2", None]


def test_beside_those_who_wait_otherwise(case):
    """A thread and a task that wait for the same Ksock are woken, too, and the gate is right."""
    assert seen(case.a) == select.POLLOUT
    got = []
    thread = threading.Thread(target=lambda: got.append(case.a.wait_for_msg(LIMIT_S * 1000)))
    thread.start()
    while case.a.hot.watch is case.a.gate:
        assert thread.is_alive()
    case.b.announce("$.A", b"x")
    thread.join(LIMIT_S)
    assert got[0].data == b"x"
    assert seen(case.a) == select.POLLOUT
    assert case.a.hot.watch is case.a.gate

    async def main():
        ks = case.bus.async_ksock()
        ks.bind("$.A")
        number = ks.sync.fileno()
        task = asyncio.create_task(ks.recv())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        case.b.announce("$.A", b"y")
        assert (await task).data == b"y"
        assert seen(ks.sync) == select.POLLOUT
        assert ks.sync.fileno() == number

    asyncio.run(main())


def test_in_an_event_loop(case):
    """add_reader() and add_writer() take it."""

    async def main():
        loop = asyncio.get_running_loop()
        done = loop.create_future()
        found = []

        def read():
            found.append(case.a.next().data)
            if len(found) == 20:
                loop.remove_reader(case.a)
                done.set_result(None)

        loop.add_reader(case.a, read)
        for i in range(20):
            case.b.announce("$.A", b"%d" % i)
            await asyncio.sleep(0)
        await asyncio.wait_for(done, LIMIT_S)
        assert found == [b"%d" % i for i in range(20)]

    asyncio.run(main())


def test_with_selectors_over_a_link(case):
    """With bus.start(), a program that sleeps in a selector hears what comes over a link."""
    other = make_bus()
    other.node = 2
    ends = loopback()
    case.bus.join(ends[0])
    other.join(ends[1])
    case.bus.start()
    other.start()
    far = other.ksock()
    case.b.bind("$.Q", True)
    other.wait_for_replier("$.Q", LIMIT_S * 1000)
    with selectors.DefaultSelector() as selector:
        selector.register(case.b, selectors.EVENT_READ)
        for i in range(5):
            far.request("$.Q", b"%d" % i)
            assert selector.select(LIMIT_S)
            message = case.b.next()
            case.b.reply(message, message.data)
            assert far.wait_for_msg(LIMIT_S * 1000).data == b"%d" % i
        assert not selector.select(0)
    other.close()
    for thread in threading.enumerate():
        if thread.name == "limpet" and not case.bus.closed:
            case.bus.stop()
            thread.join(LIMIT_S)


def test_many_threads_and_one_poller(case):
    """Level-triggered, it loses nothing, whoever sends and when."""
    got = []
    senders = 4

    def send(k):
        ks = case.bus.ksock()
        for i in range(50):
            while case.a.hot.room() <= 1:
                pass
            ks.announce("$.A", b"%d.%d" % (k, i))
        ks.close()

    big = case.a = case.bus.ksock(16)
    big.bind("$.A")
    big.fileno()
    threads = [threading.Thread(target=send, args=(k,)) for k in range(senders)]
    for thread in threads:
        thread.start()
    missed = 0
    while len(got) + missed < senders * 50:
        readable, _, _ = select.select([big], [], [], LIMIT_S)
        assert readable, (len(got), missed)
        message = big.next()
        if message is not None:
            got.append(message.data)
            missed += message.missed
    for thread in threads:
        thread.join(LIMIT_S)
    assert len(set(got)) == len(got)
    for k in range(senders):
        mine = [data for data in got if data.startswith(b"%d." % k)]
        assert mine == sorted(mine, key=lambda data: int(data.split(b".")[1]))
