# SPDX-License-Identifier: MIT
"""In steady state nothing allocates: every hot function, with the heap locked, on MicroPython.

Rules: HOT names every function marked `# hot:` (the structure check compares). The alloc_*.py
files make calls that reach each of them with each outcome; on CPython test_alloc_reach.py checks
that they do. As a program it ends with `alloc: N calls checked, M allocate`, status 1 if M is not
0.
"""

import sys

if "/" in __file__:
    sys.path.insert(0, __file__.rsplit("/", 1)[0])

import unittest

import alloc_bus
import alloc_layout
import alloc_limpet
import alloc_link
import alloc_transport
from costs import cost

SOURCES = (alloc_bus, alloc_layout, alloc_link, alloc_limpet, alloc_transport)

HOT = (
    "answers.Answers._at",
    "answers.Answers._end",
    "answers.Answers._expire",
    "answers.Answers._is_out",
    "answers.Answers._leave",
    "answers.Answers._renumber",
    "answers.Answers._withdraw",
    "answers.Answers.end",
    "answers.Answers.next_serial",
    "answers.Answers.park",
    "answers.Answers.poll",
    "answers.Answers.read",
    "answers.Answers.reply",
    "answers.Answers.set_deadline",
    "bindings.Bindings.has_room",
    "bindings.Name.offer",
    "bus.Bus.poll",
    "context.ReceiveContexts.name",
    "context.ReceiveContexts.sender",
    "context.ReceiveContexts.text",
    "context.SendContexts._free",
    "context.SendContexts.assign",
    "context.SendContexts.find",
    "frame.Splitter._add",
    "frame.Splitter.push",
    "frame.seal",
    "hot.Hot._check",
    "hot.Hot._fill",
    "hot.Hot._fit",
    "hot.Hot._request",
    "hot.Hot.announce",
    "hot.Hot.is_open",
    "hot.Hot.release",
    "hot.Hot.reply",
    "hot.Hot.request",
    "hot.Hot.take",
    "hot.Hot.take_at",
    "hot._is_deadline",
    "inbox.Inbox._announcement",
    "inbox.Inbox._answer",
    "inbox.Inbox._end",
    "inbox.Inbox._name",
    "inbox.Inbox._reply",
    "inbox.Inbox._request",
    "inbox.Inbox._send",
    "inbox.Inbox._sign",
    "inbox.Inbox._stage",
    "inbox.Inbox._status",
    "inbox.Inbox._take",
    "inbox.Inbox._unnamed",
    "inbox.Inbox._unsign",
    "inbox.Inbox.receive",
    "ksock.Ksock.dispatch",
    "layout.Layout.fits",
    "layout._Bool.get",
    "layout._Bool.set",
    "layout._Bytes.set",
    "layout._Int.get",
    "layout._Int.set",
    "limpet.Limpet.fill",
    "limpet.Limpet.poll",
    "limpet.Limpet.ready",
    "limpet.Limpet.receive",
    "link.Link._deliver",
    "link.Link._fill",
    "link.Link._frame",
    "link.Link._idle_in",
    "link.Link._null",
    "link.Link._say_helo",
    "link.Link._seal",
    "link.Link._slot",
    "link.Link.feed",
    "link.Link.poll",
    "link.Link.take",
    "message.MessageView.__getitem__",
    "message.MessageView.__len__",
    "message.MessageView.cookie",
    "message.MessageView.flags",
    "message.MessageView.id_net",
    "message.MessageView.id_serial",
    "message.MessageView.kind",
    "message.MessageView.name",
    "message.MessageView.reply_serial",
    "message.MessageView.sender",
    "message.MessageView.sender_net",
    "message.MessageView.size",
    "message.MessageView.wants_reply",
    "outbox.Outbox._begin",
    "outbox.Outbox._filtered",
    "outbox.Outbox._finish",
    "outbox.Outbox._free_tag",
    "outbox.Outbox._put_answer",
    "outbox.Outbox._put_data",
    "outbox.Outbox._put_deadline",
    "outbox.Outbox._put_message",
    "outbox.Outbox._put_next",
    "outbox.Outbox._put_origin",
    "outbox.Outbox._put_refusal",
    "outbox.Outbox._put_request",
    "outbox.Outbox._put_status",
    "outbox.Outbox.fill",
    "outbox.Outbox.ready",
    "outbox.Outbox.refuse",
    "outbox.Ticket.hold",
    "port.codec_plain.cobs_decode",
    "port.codec_plain.cobs_encode",
    "port.codec_plain.copy",
    "port.codec_plain.crc16",
    "port.codec_viper.cobs_decode",
    "port.codec_viper.cobs_encode",
    "port.codec_viper.copy",
    "port.codec_viper.crc16",
    "port.system.ticks_ms",
    "port.uart._TTY.queued",
    "port.waiter.Waiter._blocked",
    "port.waiter.Waiter._sleep",
    "port.waiter.Waiter.owned",
    "port.waiter.Waiter.wait",
    "port.waiter.Waiter.wake",
    "port.waiter._Flag.ioctl",
    "queue.Queue.add_missed",
    "queue.Queue.binding_at",
    "queue.Queue.drop",
    "queue.Queue.drop_copies",
    "queue.Queue.find_request",
    "queue.Queue.is_request",
    "queue.Queue.offer",
    "queue.Queue.oldest_copy",
    "queue.Queue.peek",
    "queue.Queue.push",
    "queue.Queue.remove",
    "queue.Queue.room",
    "queue.Queue.slot_at",
    "rand.Random.below",
    "rand.Random.next",
    "record.Cursor.get",
    "record.Cursor.get_varint",
    "record.Cursor.left",
    "record.Cursor.over",
    "record.Cursor.put",
    "record.Cursor.put_varint",
    "run.Runner._call_handlers",
    "run.Runner._dispatch",
    "run.Runner._pump_drivers",
    "run.Runner._run_timer",
    "run.Runner._run_timers",
    "run.Runner.step",
    "run.Runner.turn",
    "run.Runner.writing",
    "session.Session.due_in",
    "session.Session.fits",
    "session.Session.write",
    "slots.Pool._drop_oldest",
    "slots.Pool.can",
    "slots.Pool.first",
    "slots.Pool.get",
    "slots.Pool.let_go",
    "slots.Pool.need",
    "slots.Pool.put",
    "slots.Pool.stamp",
    "stats.Counters.count",
    "ticks.ticks_add",
    "ticks.ticks_diff",
    "tile.Neighbour.take",
    "transport.loopback.LoopbackDriver._read",
    "transport.loopback.LoopbackDriver._write",
    "transport.loopback.LoopbackDriver.due",
    "transport.loopback.LoopbackDriver.pump",
    "transport.loopback._Pipe._commit",
    "transport.loopback._Pipe._decide",
    "transport.loopback._Pipe._double",
    "transport.loopback._Pipe._fate",
    "transport.loopback._Pipe._get",
    "transport.loopback._Pipe._harm",
    "transport.loopback._Pipe._put",
    "transport.loopback._Pipe._room",
    "transport.loopback._Pipe._take",
    "transport.loopback._Pipe.due_in",
    "transport.loopback._Pipe.read",
    "transport.loopback._Pipe.write",
    "transport.pump.Driver._fetch",
    "transport.pump.Driver._offer",
    "transport.pump.Driver._receive",
    "transport.pump.Driver._room",
    "transport.pump.Driver._send",
    "transport.pump.Driver.due",
    "transport.pump.Driver.pump",
    "transport.uart.UARTDriver._read",
    "transport.uart.UARTDriver._room",
    "transport.uart.UARTDriver._write",
    "window.Receiver._keep",
    "window.Receiver.accept",
    "window.Receiver.ack_in",
    "window.Receiver.bitmap",
    "window.Receiver.kept",
    "window.Receiver.told",
    "window.Sender._advance",
    "window.Sender._confirm",
    "window.Sender._find_lost",
    "window.Sender._measure",
    "window.Sender._pick",
    "window.Sender._since",
    "window.Sender.acked",
    "window.Sender.add",
    "window.Sender.again",
    "window.Sender.expire",
    "window.Sender.free",
    "window.Sender.sent",
    "window.quiet",
)


def check():
    """Make every call; return how many there were and a line for each that allocates."""
    count = 0
    bad = []
    for source in SOURCES:
        for call in source.calls():
            count += 1
            found = cost(call[-1])
            if found:
                bad.append("%s: %s: %s" % (source.__name__, call[-2], found))
    return count, bad


class TestNothingAllocates(unittest.TestCase):
    """Every hot call runs to its end with the heap locked."""

    def test_hot_calls(self):
        count, bad = check()
        self.assertEqual(bad, [])
        self.assertGreater(count, 30)


if __name__ == "__main__":
    checked, allocating = check()
    for line in allocating:
        print(line)
    print("alloc: %d calls checked, %d allocate" % (checked, len(allocating)))
    sys.exit(1 if allocating else 0)
