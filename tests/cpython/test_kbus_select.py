# SPDX-License-Identifier: MIT
"""limpet.kbus in select and poll: when a Ksock is readable, and when it is writable."""

import errno
import select
import threading

import pytest

from limpet import Bus, kbus
from limpet.kbus import Ksock, Message, Request, reply_to

WAIT = Message.ALL_OR_WAIT


@pytest.fixture(autouse=True)
def bus():
    """Serve a fresh bus under number 0."""
    with Bus(slot_count=64, slot_size=64, queue_size=100) as one:
        kbus.serve(0, one)
        yield one
        kbus.unserve(0)


def shown(*ksocks, timeout=0):
    """Return which of them select finds readable, and which writable."""
    r, w, x = select.select(ksocks, ksocks, [], timeout)
    assert x == []
    return r, w


def readable(ks, timeout=0):
    return select.select([ks], [], [], timeout)[0] == [ks]


def writable(ks, timeout=0):
    return select.select([], [ks], [], timeout)[1] == [ks]


def listener(*names, limit=100, mode="rw"):
    ks = Ksock(0, mode)
    ks.set_max_messages(limit)
    for name in names:
        ks.bind(name)
    return ks


def full_for(name):
    """Return a Ksock that listens to the name and has room for nothing."""
    ks = listener("$.Full", limit=1)
    with Ksock(0) as filler:
        filler.send_msg(Message("$.Full"))
    ks.bind(name)
    return ks


def waits(ks, message):
    with pytest.raises(OSError) as caught:
        ks.send_msg(message)
    assert caught.value.errno == errno.EAGAIN


def test_readable_while_there_is_a_message():
    one, other, sender = listener("$.Fred", mode="r"), listener("$.Fred", "$.Jim"), Ksock(0)
    assert shown(one, other, sender) == ([], [other, sender])
    sender.send_msg(Message("$.Fred"))
    assert shown(one, other, sender) == ([one, other], [other, sender])
    sender.send_msg(Message("$.Jim"))
    one.read_next_msg()
    other.read_next_msg()
    assert shown(one, other, sender) == ([other], [other, sender])
    other.read_next_msg()
    assert shown(one, other, sender) == ([], [other, sender])


def test_what_was_queued_before_counts():
    ks = listener("$.Fred")
    ks.send_msg(Message("$.Fred"))
    assert readable(ks)


def test_popped_is_not_there_any_more():
    """What is being read is no reason to be readable."""
    ks = listener("$.Fred")
    assert not readable(ks)
    ks.send_msg(Message("$.Fred"))
    ks.next_msg()
    assert not readable(ks)


def test_answers_and_statuses_count():
    asker, replier = Ksock(0), Ksock(0)
    replier.bind("$.Fred", True)
    assert shown(asker, replier)[0] == []
    asker.send_msg(Request("$.Fred"))
    asker.send_msg(Request("$.Fred"))
    assert shown(asker, replier)[0] == [replier]
    replier.send_msg(reply_to(replier.read_next_msg()))
    assert readable(asker)
    asker.read_next_msg()
    assert not readable(asker)
    replier.close()
    assert readable(asker)


def test_unbinding_takes_messages_away():
    ks = listener("$.Fred")
    assert not readable(ks)
    ks.send_msg(Message("$.Fred"))
    ks.unbind("$.Fred")
    assert not readable(ks)


def test_events_set_aside_count():
    """A listener that has read all it had is readable again at once."""
    ks, closing = listener("$.KBUS.ReplierBindEvent", limit=1), Ksock(0)
    closing.bind("$.A", True)
    closing.bind("$.B", True)
    assert not readable(ks)
    ks.report_replier_binds(False)
    with pytest.raises(OSError):
        ks.report_replier_binds(True)
    while ks.read_next_msg():
        pass
    closing.close()
    for _ in range(2):
        assert readable(ks)
        ks.read_next_msg()
    assert not readable(ks)


def test_read_only_is_never_writable():
    ks = Ksock(0, "r")
    assert not writable(ks)
    assert not writable(ks)


@pytest.mark.parametrize("early", [True, False])
def test_writable_once_what_waits_is_through(early):
    """Whether the descriptor was there before or not."""
    ks, full = Ksock(0), full_for("$.Fred")
    if early:
        assert writable(ks)
    waits(ks, Message("$.Fred", b"1", flags=WAIT))
    assert not writable(ks)
    full.read_next_msg()
    assert writable(ks)
    assert full.read_next_msg().data == b"1"
    ks.send_msg(Message("$.Fred"))
    assert writable(ks)


def test_writable_after_discarding_and_sending_again():
    ks, full = Ksock(0), full_for("$.Fred")
    assert writable(ks)
    waits(ks, Message("$.Fred", flags=WAIT))
    ks.discard()
    assert writable(ks)
    waits(ks, Message("$.Fred", flags=WAIT))
    full.read_next_msg()
    assert writable(ks)  # it has gone by itself
    with pytest.raises(OSError) as caught:
        ks.send()
    assert caught.value.errno == errno.ENOMSG


def test_writable_when_the_full_one_closes_or_unbinds():
    for how in (lambda ks: ks.close(), lambda ks: ks.unbind("$.Fred")):
        ks, full = Ksock(0), full_for("$.Fred")
        assert writable(ks)
        waits(ks, Message("$.Fred", flags=WAIT))
        assert not writable(ks)
        how(full)
        assert writable(ks)
        ks.close()
        full.close()


def test_a_status_makes_both():
    """A waiting request whose replier has gone: the sender may write, and has a status to read."""
    ks, full = Ksock(0), full_for("$.Other")
    full.bind("$.Fred", True)
    assert shown(ks) == ([], [ks])
    waits(ks, Request("$.Fred", flags=WAIT))
    assert shown(ks) == ([], [])
    full.unbind("$.Fred", True)
    assert shown(ks) == ([ks], [ks])
    assert ks.read_next_msg().name == "$.KBUS.Replier.Disappeared"


def test_sleeping_in_select():
    """It ends when another thread sends, or makes room."""
    ks, full, sender = listener("$.Fred"), full_for("$.Jim"), Ksock(0)
    timer = threading.Timer(0.02, sender.send_msg, [Message("$.Fred")])
    timer.start()
    assert readable(ks, 10)
    timer.join(10)
    waits(ks, Message("$.Jim", flags=WAIT))
    timer = threading.Timer(0.02, full.read_next_msg)
    timer.start()
    assert writable(ks, 10)
    timer.join(10)


def test_closed():
    ks = Ksock(0)
    number = ks.fileno()
    assert number >= 0
    assert ks.fileno() == number
    ks.close()
    with pytest.raises(OSError) as caught:
        ks.fileno()
    assert caught.value.errno == errno.EBADF


def test_closing_while_a_send_waits(bus):
    ks, full = Ksock(0), full_for("$.Fred")
    ks.fileno()
    waits(ks, Message("$.Fred", flags=WAIT))
    ks.close()
    full.read_next_msg()
    assert full.read_next_msg() is None
    assert bus.pool.free_count() == bus.pool.count
