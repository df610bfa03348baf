# SPDX-License-Identifier: MIT
"""What the allocation test calls of the bus, each in steady state and with each outcome.

Rule: a call leaves the bus as it found it, so that it can be made any number of times.
"""

from limpet import Bus, MessageView
from limpet.rand import Random
from limpet.send import ALL_OR_FAIL, ALL_OR_WAIT, STAGED, URGENT
from limpet.ticks import ticks_add, ticks_diff
from limpet.watch import Both

DATA = bytes(range(32))


class Scene:
    """A small bus with a listener, a second one with a full queue, a replier and an asker."""

    def __init__(self):
        self.bus = bus = Bus(slot_count=6, slot_size=64, queue_size=4, node=1, seed=1)
        self.asker = bus.ksock().hot
        self.replier = bus.ksock().hot
        self.listener = bus.ksock().hot
        self.other = bus.ksock(queue_size=1).hot
        self.view = MessageView()
        self.asked = MessageView()
        self.target = bytearray(64)
        self.now_ms = 0x3FFFFFF0
        bus.bind(self.listener, "$.A.*", False)
        bus.bind(self.replier, "$.Q", True)
        bus.bind(self.other, "$.Full", True)
        bus.bind(self.other, "$.Heard", False)
        self.heard = bus.name("$.Heard")
        self.a = bus.name("$.A.B")
        self.q = bus.name("$.Q")
        self.full = bus.name("$.Full")
        self.nobody = bus.name("$.Nobody")
        bus.bind(self.other, "$.A.Both", False)
        self.both = bus.name("$.A.Both")
        self.doubled = bus.ksock().hot
        bus.bind(self.doubled, "$.Double", False)
        bus.bind(self.doubled, "$.Double", False)
        self.both_watch = Both(bus.waiter, bus.waiter)
        self.double = bus.name("$.Double")
        self.each = [bus.ksock().hot for _ in range(8)]
        for i in range(8):
            bus.bind(self.each[i], "$.Each%d" % i, False)
        self.names = [bus.name("$.Each%d" % i) for i in range(8)]
        bus.report_binds(self.each[0], True)  # tells of the repliers
        self.drain(self.each[0])
        bus.poll(self.now_ms)

    def ok(self, result):
        assert result >= 0, result

    def refused(self, result):
        assert result < 0, result

    def drain(self, hot):
        while hot.take(self.view) >= 0:
            pass

    def announce(self):
        self.ok(self.asker.announce(self.a, DATA, 32))
        self.ok(self.listener.take(self.view))
        assert self.view[3] == 3 and len(self.view) == 32 and self.view.size == 32
        self.refused(self.listener.take(self.view))

    def read_fields(self):
        self.asker.announce(self.a, DATA)
        self.listener.take(self.view)
        view = self.view
        assert view.kind == 0 and view.name == "$.A.B" and not view.wants_reply
        assert view.id_net == 0 and view.id_serial > 0 and view.sender_net == 0
        assert view.sender == self.asker.id and view.flags == 0 and view.missed == 0
        assert view.reply_serial == 0 and view.cookie == 0
        assert view.to == 0 and view.user == 0 and view.carry is None
        assert view.in_reply_to_net == 0 and view.in_reply_to_serial == 0
        self.drain(self.listener)

    def announce_to_nobody(self):
        self.ok(self.asker.announce(self.nobody, DATA, 32))

    def refuse(self):
        self.refused(self.asker.announce(self.a, DATA, 65))
        self.refused(self.asker.announce(self.a, DATA, 8, 1))
        self.refused(self.asker.request(self.nobody, DATA, 1))
        self.refused(self.asker.request(self.q, DATA, 1, 0, None, 999))
        self.refused(self.asker.reply(self.view, DATA, 1))

    def listener_full(self):
        for _ in range(3):
            self.asker.announce(self.heard, DATA, 4)
        self.ok(self.other.take(self.view))
        self.asker.announce(self.heard, DATA, 4)
        self.ok(self.other.take(self.view))
        assert self.view.missed == 2
        self.drain(self.other)

    def slots_run_out(self):
        # Five unread copies and their slots; then requests, which need two slots each.
        for _ in range(4):
            self.ok(self.asker.announce(self.a, DATA, 32))
        self.ok(self.other.announce(self.heard, DATA, 32))
        self.ok(self.asker.request(self.q, DATA, 8))
        self.answer()
        self.ok(self.listener.take(self.view))
        assert self.view.missed == 1, self.view.missed
        self.drain(self.listener)
        self.drain(self.other)

    def no_slots(self):
        for _ in range(3):
            self.ok(self.asker.request(self.q, DATA, 8))
        self.refused(self.asker.announce(self.a, DATA, 8))
        self.refused(self.replier.request(self.full, DATA, 8))
        for _ in range(3):
            self.answer_one()
        self.drain(self.asker)
        self.drain(self.replier)

    def replier_full(self):
        self.ok(self.asker.request(self.full, DATA, 8))
        self.refused(self.asker.request(self.full, DATA, 8))
        self.ok(self.other.take(self.view))
        self.ok(self.other.reply(self.view, DATA, 8))
        self.drain(self.asker)
        self.drain(self.other)

    def answer(self):
        self.answer_one()
        self.refused(self.asker.take(self.view))
        self.refused(self.replier.take(self.asked))

    def answer_one(self):
        self.ok(self.replier.take(self.asked))
        assert self.asked.wants_reply and self.replier.is_open(self.asked)
        self.ok(self.replier.reply(self.asked, DATA, 8))
        self.refused(self.replier.reply(self.asked, DATA, 8))
        self.ok(self.asker.take(self.view))
        assert self.view.kind == 2 and self.view.reply_serial > 0

    def request(self):
        self.asker.cookie = 77
        self.ok(self.asker.request(self.q, DATA, 32, STAGED, 500))
        self.asker.unstage()
        self.ok(self.replier.take(self.asked))
        self.ok(self.replier.reply(self.asked, DATA, 8))
        self.ok(self.asker.take(self.view))
        assert self.view.cookie == 77
        self.drain(self.asker)
        self.drain(self.replier)

    def overdue(self):
        self.ok(self.asker.request(self.q, DATA, 32, 0, 20))
        self.ok(self.asker.request(self.q, DATA, 32, 0, 10))
        self.sleep(10)
        self.ok(self.asker.take(self.view))
        assert self.view.kind == 3 and self.view.name == "$.KBUS.Replier.Overdue"
        self.answer()

    def expired(self):
        self.ok(self.asker.request(self.q, DATA, 32, 0, 20))
        self.ok(self.replier.take(self.asked))
        self.sleep(20)
        self.ok(self.asker.take(self.view))
        assert self.view.name == "$.KBUS.Replier.Expired"
        self.refused(self.replier.reply(self.asked, DATA, 1))
        self.drain(self.asker)
        self.drain(self.replier)

    def sleep(self, ms):
        self.now_ms = ticks_add(self.now_ms, ms)
        self.bus.poll(self.now_ms)

    def poll(self):
        self.sleep(1)
        assert self.bus.bindings.has_room()
        assert ticks_diff(ticks_add(self.now_ms, 5), self.now_ms) == 5
        assert ticks_diff(self.now_ms, ticks_add(self.now_ms, 5)) == -5

    def wrap(self):
        # The numbers of a bus begin anew and step over that of a request that is out.
        pool = self.bus.pool
        pool.serial = 0
        self.ok(self.asker.request(self.q, DATA, 8))
        pool.serial = pool.serial_stop = 0x3FFFFFFF
        self.ok(self.asker.announce(self.nobody, DATA, 8))
        assert pool.serial == 2, pool.serial
        self.answer()

    def out_of_turn(self):
        self.ok(self.asker.announce(self.a, DATA, 8))
        self.ok(self.asker.announce(self.a, DATA, 9))
        self.listener.settle()
        self.listener.bring(1)
        self.ok(self.listener.take(self.view))
        assert self.view.size == 9
        self.listener.release()
        self.drain(self.listener)

    def short_ways(self):
        # No size, no flags: what finds its room goes the short way.
        for _ in range(3):
            self.ok(self.asker.announce(self.a, DATA))
            self.ok(self.listener.take(self.view))
        for _ in range(2):
            self.ok(self.asker.announce(self.a, DATA))
        self.ok(self.listener.take(self.view))
        self.refused(self.asker.request(self.nobody, DATA))
        self.ok(self.asker.request(self.q, DATA, -1, 0, 500))
        self.ok(self.replier.take(self.asked))
        self.ok(self.replier.reply(self.asked, DATA))
        self.ok(self.asker.take(self.view))
        self.drain(self.asker)
        self.drain(self.listener)
        self.drain(self.replier)

    def two_listeners(self):
        # A log with two readers: one falls behind, is full, leaves, and comes back.
        for _ in range(6):
            self.ok(self.asker.announce(self.both, DATA))
            self.ok(self.listener.take(self.view))
        self.drain(self.other)
        for _ in range(4):
            self.ok(self.asker.announce(self.both, DATA))
            self.drain(self.other)
        self.drain(self.listener)

    def urgent(self):
        for _ in range(2):
            self.ok(self.asker.announce(self.a, DATA))
        self.ok(self.asker.announce(self.a, DATA, 5, URGENT))
        self.ok(self.listener.take(self.view))
        assert self.view.size == 5
        self.drain(self.listener)

    def twice(self):
        # A Ksock that listens twice gets two copies, or one when it wants each message once.
        self.ok(self.asker.announce(self.double, DATA))
        self.drain(self.doubled)
        self.doubled.once = True
        self.ok(self.asker.announce(self.double, DATA))
        self.ok(self.doubled.take(self.view))
        self.refused(self.doubled.take(self.view))
        self.doubled.once = False

    def all_or_fail(self):
        self.ok(self.asker.announce(self.heard, DATA, 4, ALL_OR_FAIL))
        self.refused(self.asker.announce(self.heard, DATA, 4, ALL_OR_FAIL))
        self.drain(self.other)

    def all_or_wait(self):
        self.ok(self.asker.announce(self.heard, DATA, 4, ALL_OR_WAIT))
        self.refused(self.asker.announce(self.heard, DATA, 4, ALL_OR_WAIT))
        self.refused(self.asker.retry())
        assert not self.asker.poll_pending()
        self.drain(self.other)
        self.ok(self.asker.retry())
        self.refused(self.asker.announce(self.heard, DATA, 4, ALL_OR_WAIT))
        self.asker.discard()
        self.drain(self.other)
        self.ok(self.asker.request(self.full, DATA, 4, ALL_OR_WAIT))
        self.refused(self.asker.request(self.full, DATA, 4, ALL_OR_WAIT, 5))
        self.sleep(5)  # overdue
        self.refused(self.asker.request(self.full, DATA, 4, ALL_OR_WAIT))
        self.asker.discard()
        self.refused(self.asker.request(self.full, DATA, 4, ALL_OR_WAIT))
        self.asker.pending.to = 999
        self.ok(self.other.take(self.asked))
        self.ok(self.other.reply(self.asked, DATA))
        assert self.asker.poll_pending()  # ends in a status: that is another Ksock
        self.drain(self.asker)
        self.drain(self.other)

    def staged(self):
        self.asker.user = 5
        self.asker.net = 7
        self.asker.serial = 9
        self.ok(self.asker.announce(self.a, DATA, 8, STAGED))
        self.asker.unstage()
        self.ok(self.listener.take(self.view))
        assert self.view.user == 5 and self.view.id_net == 7 and self.view.id_serial == 9
        self.drain(self.listener)

    def many_logs(self):
        # More logs hold a slot than there are slots: they are taken back.
        for name in self.names:
            self.asker.announce(name, DATA)
            self.drain_each()
        self.bus.pool.free_count()

    def drain_each(self):
        for hot in self.each:
            self.drain(hot)
            assert hot.unread() == 0

    def a_long_log(self):
        # The numbers of a log begin anew.
        self.a.log.end = self.a.log.first.seq = self.listener.cursor.seq = 0x10000001
        self.a.log.limit = 0
        self.ok(self.asker.announce(self.a, DATA))
        self.ok(self.asker.announce(self.a, DATA))
        assert self.a.log.end < 3
        self.drain(self.listener)

    def events(self):
        # Nothing is set aside: the poll looks and goes on.
        self.sleep(1)

    def watched(self):
        self.listener.set_watch(self.both_watch)
        self.ok(self.asker.announce(self.a, DATA))
        self.ok(self.asker.announce(self.a, DATA))
        self.drain(self.listener)
        self.listener.watch = None


def calls():
    """Return (what, function) for each call to be made with the heap locked."""
    scene = Scene()
    random = Random(5)
    return [
        ("announce, take", scene.announce),
        ("fields of a view", scene.read_fields),
        ("announce to nobody", scene.announce_to_nobody),
        ("refused sends", scene.refuse),
        ("a listener's queue is full", scene.listener_full),
        ("slots run out, the oldest copy goes", scene.slots_run_out),
        ("slots run out, nothing can go", scene.no_slots),
        ("a replier's queue is full", scene.replier_full),
        ("request, reply", scene.request),
        ("a deadline passes, unread", scene.overdue),
        ("a deadline passes, read", scene.expired),
        ("poll", scene.poll),
        ("numbers wrap", scene.wrap),
        ("take out of turn", scene.out_of_turn),
        ("the short ways", scene.short_ways),
        ("a log with two readers", scene.two_listeners),
        ("urgent", scene.urgent),
        ("a Ksock that listens twice", scene.twice),
        ("ALL_OR_FAIL", scene.all_or_fail),
        ("ALL_OR_WAIT", scene.all_or_wait),
        ("staged fields", scene.staged),
        ("many logs", scene.many_logs),
        ("a log's numbers begin anew", scene.a_long_log),
        ("events", scene.events),
        ("watched by two", scene.watched),
        ("random numbers", lambda: random.below(1000) + random.below(5)),
    ]
