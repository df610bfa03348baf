# SPDX-License-Identifier: MIT
"""limpet.kbus with the sizes of a host: KBUS's own figures, threads, and what only CPython has."""

import errno
import inspect
import io
import threading

import pytest

from layout import ROOT
from limpet import kbus
from limpet.kbus import (
    Announcement,
    Ksock,
    Message,
    Request,
    reply_to,
    split_replier_bind_event_data,
)
from limpet.port import KBUS

EVENT = "$.KBUS.ReplierBindEvent"


@pytest.fixture(autouse=True)
def fresh_bus():
    """Close the default bus after each test."""
    yield
    for number in range(256):
        try:
            kbus.unserve(number).close()
        except OSError:
            pass


def fails(number, call, *arguments):
    with pytest.raises(OSError) as caught:
        call(*arguments)
    assert caught.value.errno == number


def largest(name, size):
    """Return a message whose entire length is exactly `size`."""
    message = Message(name, bytes(size - Message(name).total_length()))
    assert message.total_length() == size
    return message


def test_the_largest_message():
    """409600 bytes with its header, and not one more; the limit may be set to no more."""
    with Ksock() as ks:
        ks.bind("$.*")
        assert ks.max_message_size() == ks.set_max_message_size(1) == 409600
        fails(errno.EINVAL, ks.set_max_message_size, 409601)
        for name in ("$.a", "$.Fred", "$." + "a" * 998):
            message = largest(name, 409600)
            ks.send_msg(message)
            assert ks.read_next_msg().equivalent(message)
            ks.write_data(message.to_bytes())
            ks.send()
            assert ks.next_msg() == 409600
            assert Message.from_bytes(ks.read_data(409600)).equivalent(message)
            more = Message(name, message.data + b"1")
            fails(errno.EMSGSIZE, ks.send_msg, more)
            fails(errno.EMSGSIZE, ks.write_data, more.to_bytes())


def test_the_example_of_the_documents(capsys):
    text = (ROOT / "docs/kbus.md").read_text(encoding="utf-8")
    exec(text.split("```python\n")[1].split("```")[0], {})
    assert capsys.readouterr().out == "b'hello yourself'\n"


def test_writing_what_was_opened_for_reading():
    """It is refused as any file does it."""
    with Ksock(0, "r") as ks:
        with pytest.raises(io.UnsupportedOperation) as caught:
            ks.send_msg(Message("$.Fred"))
        assert str(caught.value) == "File not open for writing"
        assert caught.value.errno is None


def test_a_thousand_listeners():
    """One message, a thousand readers."""
    listeners = [Ksock() for _ in range(1000)]
    for ks in listeners:
        ks.bind("$.Fred")
    sent = Announcement("$.Fred", "x" * 4099)
    with Ksock() as sender:
        number = sender.send_msg(sent)
    for ks in listeners:
        got = ks.read_next_msg()
        assert got.id == number
        assert got.equivalent(sent)
        ks.close()


def test_a_thousand_requests():
    """All out at once, then all answered."""
    with Ksock() as asker, Ksock() as replier:
        asker.set_max_messages(1050)
        replier.set_max_messages(1050)
        replier.bind("$.Fred", True)
        for i in range(1000):
            asker.send_msg(Request("$.Fred", b"%d" % i))
        for message in replier:
            replier.send_msg(reply_to(message, message.data))
        assert [message.data for message in asker] == [b"%d" % i for i in range(1000)]


def listening(limit):
    ks = Ksock()
    ks.bind(EVENT)
    ks.set_max_messages(limit)
    return ks


@pytest.mark.parametrize(("count", "figure"), [(1, 1002), (2, 502)])
def test_unbind_events_that_are_lost(count, figure):
    """One listener keeps 1 + 1000 + 1 messages of 2000, two keep 1 + 500 + 1 each."""
    closing = Ksock()
    for i in range(2000):
        closing.bind(f"$.Question{i}", True)
    with Ksock() as on:
        on.set_max_messages(2000)
        on.report_replier_binds(True)
        assert on.num_messages() == 2000
    heard = [listening(1) for _ in range(count)]
    who = closing.ksock_id()
    closing.close()
    assert [ks.num_messages() for ks in heard] == [figure] * count
    for ks in heard:
        got = [message for message in ks]
        assert got[-1].name == "$.KBUS.UnbindEventsLost"
        events = [split_replier_bind_event_data(message.data) for message in got[:-1]]
        assert events == [(0, who, f"$.Question{1999 - i}") for i in range(figure - 1)]


def test_many_devices(monkeypatch):
    """There are 256, and each has its number as long as it is there."""
    monkeypatch.setitem(KBUS.SIZES, "slot_count", 2)
    monkeypatch.setitem(KBUS.SIZES, "slot_size", 128)
    with Ksock() as ks:
        assert [ks.new_device() for _ in range(255)] == list(range(1, 256))
        fails(errno.EINVAL, ks.new_device)
        assert len({kbus.Ksock(number)._bus.node for number in range(256)}) == 256
        kbus.unserve(77).close()
        assert ks.new_device() == 77


def test_waiting_for_another_thread():
    """wait_for_msg() wakes when something comes, from any thread."""
    with Ksock() as ks, Ksock() as sender:
        ks.bind("$.Fred")
        for i in range(5):
            timer = threading.Timer(0.01, sender.send_msg, [Message("$.Fred", b"%d" % i)])
            timer.start()
            assert ks.wait_for_msg(10).data == b"%d" % i
            timer.join(10)
        assert ks.wait_for_msg(0.01) is None


def test_a_waiting_send_goes_when_another_thread_makes_room():
    """Whoever waits for messages has what waits to be sent tried again."""
    with Ksock() as ks, Ksock() as full:
        full.bind("$.Fred")
        full.set_max_messages(1)
        full.send_msg(Message("$.Fred", b"1"))
        fails(errno.EAGAIN, ks.send_msg, Message("$.Fred", b"2", flags=Message.ALL_OR_WAIT))
        ks.bind("$.Fred")
        timer = threading.Timer(0.01, full.read_next_msg)
        timer.start()
        assert ks.wait_for_msg(10).data == b"2"
        timer.join(10)


def test_closing_ends_a_wait():
    """With EBADF, in the thread that waits."""
    ks = Ksock()
    timer = threading.Timer(0.01, ks.close)
    timer.start()
    fails(errno.EBADF, ks.wait_for_msg, 10)
    timer.join(10)


@pytest.mark.parametrize("kind", [Message, Announcement, Request, kbus.Reply])
def test_from_message_takes_values_in_the_order_of_the_constructor(kind):
    assert kind._CHANGES == tuple(inspect.signature(kind).parameters)[1:]
