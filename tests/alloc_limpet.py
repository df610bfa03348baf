# SPDX-License-Identifier: MIT
"""What limpets do in steady state, one callable per outcome, for the allocation test.

Rule: a callable leaves both buses as it found them. Records go from one limpet to the other in
a buffer, without a link, so what is measured is theirs alone.
"""

from limpet import URGENT, Bus, MessageView, record
from limpet.context import SendContexts
from limpet.link import UP
from limpet.record import Cursor
from limpet.status import GONE_AWAY
from limpet.ticks import ticks_add
from limpet.transport.loopback import loopback

DATA = bytes(range(32))
_START = 0x3FFFFFFF - 2000


class Scene:
    """Two joined buses: side 0 asks and announces, side 1 answers and listens."""

    def __init__(self):
        self.now = _START
        self.buses = [self._bus(1, 8), self._bus(2, 8)]
        drivers = loopback()
        deny = ["$.Denied"]
        self.near = self.buses[0].join(drivers[0], deny=deny, silence_ms=20000)
        self.far = self.buses[1].join(drivers[1], silence_ms=20000)
        self.asker = self.buses[0].ksock(4).hot
        self.replier = self.buses[1].ksock(2).hot
        self.buses[1].bind(self.replier, "$.A.*", True)
        self.buses[1].bind(self.replier, "$.*", True)
        self.buses[1].bind(self.replier, "$.Heard", False)
        name = self.buses[0].name
        self.heard, self.ask, self.denied = name("$.Heard"), name("$.A.B"), name("$.Denied")
        self.view = MessageView()
        self.asked = MessageView()
        self.buf = bytearray(300)
        self.big = bytearray(300)
        self.size = 0
        self.cursor = Cursor()
        self.few = SendContexts(2)
        self.turn(20)
        assert self.near.link.state == UP and self.far.link.state == UP
        self.announce()

    def _bus(self, node, slot_count):
        return Bus(slot_count=slot_count, slot_size=64, queue_size=2, node=node, seed=node)

    def turn(self, count):
        for _ in range(count):
            self.now = ticks_add(self.now, 1)
            self.buses[0].runner.step(self.now)
            self.buses[1].runner.step(self.now)

    def ok(self, result):
        assert result >= 0, result

    def read(self, kind, name):
        """The asker takes one message, which must be this, and there is no more."""
        self.ok(self.asker.take(self.view))
        assert self.view.kind == kind and self.view.name == name, self.view.name
        assert self.asker.take(self.view) < 0

    def there(self):
        """Carry what side 0 has to say to side 1."""
        assert self.near.ready()
        self.size = self.near.fill(self.buf, 4, 255)
        self.far.receive(self.buf, 4, 4 + self.size)

    def back(self):
        assert self.far.ready()
        self.size = self.far.fill(self.buf, 4, 255)
        self.near.receive(self.buf, 4, 4 + self.size)

    def request(self, name, deadline_ms=None):
        name = self.asker.request(name, DATA, 32, 0, deadline_ms)
        self.ok(name)

    # The calls

    def announce(self):
        self.ok(self.asker.announce(self.heard, DATA, 32))
        self.there()
        self.ok(self.replier.take(self.view))
        assert self.view.name == "$.Heard" and self.view.id_net == 1 and len(self.view) == 32
        self.replier.release()

    def announce_several(self):
        self.asker.announce(self.heard, DATA, 32)
        self.asker.announce(self.heard, DATA, 8)
        self.there()
        self.ok(self.replier.take(self.view))
        self.ok(self.replier.take(self.view))
        self.replier.release()

    def announce_too_many(self):
        # Its queue is full on the far side, the limpet's on the near one.
        for _ in range(6):
            self.asker.announce(self.heard, DATA, 4)
        self.there()
        self.ok(self.replier.take(self.view))
        self.ok(self.replier.take(self.view))
        self.replier.release()

    def announce_too_large_there(self):
        self.cursor.over(self.buf, 4, 255)
        self.cursor.put(record.ANNOUNCEMENT)
        self.cursor.put(self.heard.contexts.index)
        self.cursor.put_varint(0)
        self.far.receive(self.buf, 4, self.cursor.i + 65)

    def reply(self, deadline_ms=None):
        self.request(self.ask, deadline_ms)
        self.there()
        self.ok(self.replier.take(self.asked))
        self.ok(self.replier.reply(self.asked, DATA, 16))
        self.back()
        self.replier.release()
        self.read(2, "$.A.B")

    def reply_in_time(self):
        self.reply(1000)

    def reply_late(self):
        # The asker's deadline passes, then the reply comes.
        self.request(self.ask, 5)
        self.there()
        self.ok(self.replier.take(self.asked))
        self.buses[0].answers.poll(ticks_add(self.buses[0].answers.now_ms, 10))
        self.read(3, "$.KBUS.Replier.Expired")
        self.ok(self.replier.reply(self.asked, DATA, 16))
        self.back()
        self.replier.release()
        self.buses[1].answers.poll(self.buses[0].answers.now_ms)

    def status(self):
        self.request(self.ask)
        self.there()
        self.ok(self.replier.take(self.asked))
        answer = self.asked.answer
        self.asked.answer = None
        self.buses[1].answers.end(answer, GONE_AWAY)
        self.back()
        self.replier.release()
        self.read(3, "$.KBUS.Replier.GoneAway")

    def status_late(self):
        self.request(self.ask, 5)
        self.there()
        # Ends on both buses, each by its own clock.
        self.buses[0].answers.poll(ticks_add(self.buses[0].answers.now_ms, 10))
        self.read(3, "$.KBUS.Replier.Expired")
        self.buses[1].answers.poll(ticks_add(self.buses[1].answers.now_ms, 10))
        self.back()

    def refused_there(self):
        # The far replier has room for two.
        for _ in range(3):
            self.request(self.ask)
        self.there()
        self.back()
        self.read(3, "$.KBUS.RemoteError.EBUSY")
        for _ in range(2):
            self.ok(self.replier.take(self.asked))
            self.ok(self.replier.reply(self.asked, DATA, 4))
        self.replier.release()
        self.back()
        self.ok(self.asker.take(self.view))
        self.read(2, "$.A.B")

    def refused_without_context(self):
        # A context that was never told.
        self.cursor.over(self.buf, 4, 255)
        self.cursor.put(record.REQUEST)
        self.cursor.put(31)
        self.cursor.put_varint(0)
        self.cursor.put(0)
        self.far.receive(self.buf, 4, self.cursor.i)
        self.back()

    def filtered(self):
        self.request(self.denied)
        self.size = self.near.fill(self.buf, 4, 255)
        assert self.size == 0
        self.read(3, "$.KBUS.RemoteError.EADDRNOTAVAIL")

    def all_tags(self):
        tickets = self.near.outbox.tickets
        for ticket in tickets:
            ticket.used = True
        self.request(self.ask)
        self.near.fill(self.buf, 4, 255)
        self.read(3, "$.KBUS.RemoteError.EBUSY")
        for ticket in tickets:
            ticket.used = False

    def too_large_for_the_frame(self):
        # No frame is so small: it stays for the next.
        self.asker.announce(self.heard, DATA, 32)
        self.asker.announce(self.heard, DATA, 32)
        self.size = self.near.fill(self.buf, 4, 64)
        self.far.receive(self.buf, 4, 4 + self.size)
        self.there()
        self.ok(self.replier.take(self.view))
        self.ok(self.replier.take(self.view))
        self.replier.release()

    def pieces(self):
        """One message in several frames, and an urgent one between."""
        self.asker.announce(self.heard, DATA, 32)
        self._move()
        self.asker.announce(self.heard, DATA, 1, URGENT)
        while self.near.ready():
            self._move()
        self.ok(self.replier.take(self.view))
        assert self.view.size == 1
        self.ok(self.replier.take(self.view))
        assert self.view.size == 32 and self.view.data[31] == 31
        self.replier.release()

    def _move(self):
        self.size = self.near.fill(self.buf, 4, 28)
        self.far.receive(self.buf, 4, 4 + self.size)

    def broken(self):
        self.big[0] = record.ANSWER | record.STATUS | record.LENGTH
        self.big[1] = 2
        self.big[2] = 200
        self.big[4] = record.REQUEST | record.LENGTH
        self.big[5] = 250
        self.near.receive(self.big, 0, 6)
        self.near.receive(self.big, 0, 1)
        self.near.receive(self.big, 4, 5)

    def poll(self):
        self.near.poll(self.now)
        self.far.poll(self.now)

    def numbers(self):
        self.cursor.over(self.buf, 0, 12)
        self.cursor.put_varint(0x3FFFFFFF)
        self.cursor.put_varint(300)
        self.cursor.over(self.buf, 0, 12)
        assert self.cursor.get_varint() == 0x3FFFFFFF and self.cursor.get_varint() == 300
        self.cursor.over(self.buf, 0, 0)
        self.cursor.put(1)
        self.cursor.get()
        assert self.cursor.bad

    def contexts(self):
        table = self.near.outbox.contexts
        context = table.find(self.heard, self.asker.id)
        assert context is not None and table.find(self.heard, 999) is None
        assert self.far.inbox.contexts.name(200) is None
        assert self.far.inbox.contexts.sender(200) == 0
        assert self.far.inbox.contexts.text(0) == ""

    def evict(self):
        # Three names, two contexts.
        self.few.assign(self.heard, 1)
        self.few.assign(self.ask, 1)
        self.few.assign(self.denied, 1)


_WHAT = (
    ("limpet.Limpet.fill limpet.Limpet.receive limpet.Limpet.ready", "announce"),
    ("outbox.Outbox.fill inbox.Inbox.receive", "announce_several"),
    ("queue.Queue.offer", "announce_too_many"),
    ("inbox.Inbox._announcement", "announce_too_large_there"),
    ("outbox.Outbox._put_request inbox.Inbox._reply outbox.Ticket.hold", "reply"),
    ("outbox.Outbox._put_deadline inbox.Inbox._request", "reply_in_time"),
    ("inbox.Inbox._answer", "reply_late"),
    ("outbox.Outbox._put_answer inbox.Inbox._status inbox.Inbox._end", "status"),
    ("inbox.Inbox._end", "status_late"),
    ("outbox.Outbox.refuse outbox.Outbox._put_refusal", "refused_there"),
    ("inbox.Inbox._unnamed", "refused_without_context"),
    ("outbox.Outbox._filtered", "filtered"),
    ("outbox.Outbox._free_tag", "all_tags"),
    ("outbox.Outbox._put_next", "too_large_for_the_frame"),
    (
        "outbox.Outbox._put_first outbox.Outbox._put_piece outbox.Outbox._put_rest "
        "outbox.Outbox._put_urgent outbox.Outbox._end_rest inbox.Inbox._gather "
        "inbox.Inbox._take_whole",
        "pieces",
    ),
    ("inbox.Inbox._take", "broken"),
    ("limpet.Limpet.poll", "poll"),
    ("record.Cursor.get_varint record.Cursor.put_varint", "numbers"),
    ("context.SendContexts.find context.ReceiveContexts.name", "contexts"),
    ("context.SendContexts.assign context.SendContexts._free", "evict"),
)


def calls():
    """Return (names of hot functions, label, callable), each of them in steady state."""
    scene = Scene()
    return [(names, method, getattr(scene, method)) for names, method in _WHAT]
