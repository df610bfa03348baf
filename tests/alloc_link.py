# SPDX-License-Identifier: MIT
"""What the link does in steady state, one callable per outcome, for the allocation test.

Rule: a callable leaves the two links as it found them, so it can be made again and again; it
allocates nothing itself and its functions are as small as the library's hot ones.
"""

from limpet.frame import Splitter
from limpet.link import UP, Link
from limpet.port import Waiter, copy
from limpet.rand import Random
from limpet.ticks import ticks_add
from limpet.tile import Tile

_START = 0x3FFFFFFF - 2000
_MFMT_PACKET = b"\xa2" + bytes(40)

_PATH = (
    "input.Input.feed link.Link.poll link.Link._due input.Input._frame input.Input._packet "
    "input.Input._accept input.Input._has_room input.Input._deliver input.Input._null_came "
    "output.Output.take output.Output._next output.Output._fill output.Output._slot "
    "output.Output._seal output.Output._null output.Output._idle_in output.Output._has_more "
    "output.Output._may_say_more frame.Splitter.push frame.Splitter._add frame.Splitter._open "
    "input.Input._right input.Input._opened counted.Counted.seal counted.Counted.open "
    "stats.Stats.count session.Session.due_in window.quiet window.Sender.free window.Sender.add "
    "window.Sender.again window.Sender.sent window.Sender.acked window.Sender._advance "
    "window.Sender._confirm window.Sender._grant window.Sender._measure window.Sender._find_lost "
    "reception.Receiver.accept reception.Receiver._count reception.Receiver.kept "
    "reception.Receiver.ack_in reception.Receiver.is_plain reception.Receiver.told "
)
_SERVICES = (
    "output.Output._choose output.Output._service output.Output._say_once output._any_once "
    "input.Input._serve input.Input._packet "
)
_HELD = (
    "input.Input._hand_over reception.Receiver.done reception.Receiver._look "
    "reception.Receiver._credit reception.Receiver._keep reception.Receiver._join "
    "reception.Receiver.describe reception.Receiver.asked window.Sender.expire "
    "window.Sender._time window.Sender._since window.Sender._first_lost "
)


class Client:
    """Says `want` times the same."""

    def __init__(self):
        self.want = 0
        self.got = 0
        self.data = bytearray(range(200))

    def ready(self):
        return self.want > 0

    def fill(self, buf, start, end):
        if not self.want:
            return 0
        self.want -= 1
        copy(buf, start, self.data, 0, 200)
        return 200

    def receive(self, buf, start, end):
        self.got += 1

    def connected(self):
        pass

    def disconnected(self):
        pass


class Rig:
    """Two links in one session and the bytes between them."""

    def __init__(self):
        self.now = _START
        self.ca = Client()
        self.cb = Client()
        self.a = Link(1, 5, Random(1), self.ca, silence_ms=10000, direction=2, datagrams=True)
        self.b = Link(2, 6, Random(2), self.cb, silence_ms=10000, direction=6, datagrams=True)
        self.tiles = [Tile(Waiter(), 1, 5), Tile(Waiter(), 2, 6)]
        self.channels = []
        for tile, link in zip(self.tiles, (self.a, self.b)):
            tile.attach(link.neighbour)
            self.channels.append(tile.open(16))
            self.channels.append(tile.mfmt)
        self.lone = Link(3, 7, Random(3), Client())
        self.bad_splitter = Splitter(64, self.a.stats)
        self.out = bytearray(self.a.wire_size)
        self.late = bytearray(self.a.wire_size)
        self.event = bytearray(2)
        self.noise = bytearray([(i * 37 + 11) % 255 + 1 for i in range(600)] + [0])
        self.size = 0
        self.connect()
        self.services()

    def connect(self):
        for _ in range(8):
            self.a_to_b()
            self.b_to_a()
        assert self.a.state == UP and self.b.state == UP

    def tick(self, ms):
        self.now = ticks_add(self.now, ms)
        self.a.poll(self.now)
        self.b.poll(self.now)

    def a_to_b(self):
        n = self.a.take(self.out, self.now)
        if n:
            self.b.feed(self.out, n, self.now)
        return n

    def b_to_a(self):
        n = self.b.take(self.out, self.now)
        if n:
            self.a.feed(self.out, n, self.now)
        return n

    def settle(self):
        """Bring everything over, time passing."""
        for _ in range(4):
            while self.a_to_b():
                pass
            while self.b_to_a():
                pass
            self.tick(50)

    def lone_frame(self):
        self.ca.want = 1
        self.a.poll(self.now)
        self.settle()

    def empty(self):
        self.a.take(self.out, self.now)
        self.a.poll(self.now)
        self.a.feed(self.out, 0, self.now)

    def full(self):
        self.ca.want = 20
        while self.a_to_b():
            pass
        self.a.poll(self.now)
        self.settle()
        self.settle()

    def services(self):
        """Every kind of packet, both classes."""
        self.ca.want = 3
        self.send_both(False)
        self.send_both(True)
        self.tiles[0].put(_MFMT_PACKET)
        self.settle()
        self.settle()
        self.read()

    def send_both(self, bulk):
        self.tiles[0].send(self.a.neighbour, 16, self.ca.data, 60, bulk)
        self.tiles[0].send(self.a.neighbour, 17, self.ca.data, 60, bulk, False)

    def read(self):
        while self.channels[2].take(self.out) or self.channels[3].take(self.out):
            pass

    def held(self):
        """A channel that is full: packets wait, the credit falls, the sender asks, then reads."""
        for _ in range(6):
            self.send_three()
        self.tick(700)
        for _ in range(12):
            self.read()
            self.settle()

    def send_three(self):
        for _ in range(3):
            self.tiles[0].send(self.a.neighbour, 16, self.ca.data, 160)
        self.settle()

    def overtaken(self):
        """Over datagrams, what others have overtaken gets some time before it counts as lost."""
        self.ca.want = 3
        self.size = self.a.take(self.late, self.now)
        self.a_to_b()
        self.b_to_a()
        self.tick(1)
        self.b.feed(self.late, self.size, self.now)
        self.settle()

    def lost(self):
        self.ca.want = 3
        self.a.take(self.out, self.now)
        self.settle()

    def lost_more(self):
        self.ca.want = 8
        self.a.take(self.out, self.now)
        self.a_to_b()
        self.a.take(self.out, self.now)
        self.settle()

    def timed_out(self):
        self.ca.want = 1
        self.a.take(self.out, self.now)
        self.tick(2000)
        self.tick(1)
        self.settle()

    def twice(self):
        self.ca.want = 1
        self.size = self.a_to_b()
        self.b.feed(self.out, self.size, self.now)
        self.settle()

    def both(self):
        self.ca.want = 3
        self.cb.want = 3
        self.settle()

    def broken(self):
        self.ca.want = 1
        self.size = self.a.take(self.out, self.now)
        self.out[9] ^= 1
        self.b.feed(self.out, self.size, self.now)
        self.tick(2000)
        self.settle()

    def garbage(self):
        self.b.feed(self.noise, 100, self.now)
        self.b.feed(self.noise, 601, self.now)
        self.bad_splitter.push(self.noise, 580, 601)
        self.settle()

    def keep_alive(self):
        self.tick(2600)
        self.settle()

    def silence(self):
        heard = self.a.heard_ms
        sent = self.a._sent
        self.a.heard_ms = ticks_add(self.now, 0x3FFFFFFF - 10000)
        self.a.neighbour.tile = None  # what services do when a session ends is their own affair
        self.a.poll(self.now)
        self.a.neighbour.tile = self.tiles[0]
        self.a.neighbour.take(self.event)
        self.a.state = UP
        self.a.heard_ms = heard
        self.a._sent = sent

    def helo(self):
        self.now = ticks_add(self.now, 2000)
        self.lone.poll(self.now)
        self.lone.take(self.out, self.now)
        self.settle()

    def no_event(self):
        self.a.neighbour.take(self.event)

    def stranger(self):
        self.lone.feed(self.noise, 601, self.now)


def calls():
    """Return (name of the hot function, outcome, callable) for all of the link's."""
    rig = Rig()
    table = (
        ("ok: one frame and its ack", rig.lone_frame, _PATH),
        (
            "empty: nothing to send",
            rig.empty,
            "output.Output.take link.Link.poll input.Input.feed",
        ),
        ("both ways, acks ride along", rig.both, _PATH),
        ("full: the window", rig.full, _PATH + "window.Sender.expire window.Sender._since"),
        ("services and MFMT", rig.services, _SERVICES),
        ("held: a full service", rig.held, _HELD),
        ("overtaken", rig.overtaken, "window.Sender._decide window.Sender.expire"),
        (
            "lost, found by a later ack, retransmitted",
            rig.lost,
            _PATH + "window.Sender._pick reception.Receiver._keep reception.Receiver._bitmap "
            "reception.Receiver._is_here reception.Receiver._join",
        ),
        ("two lost", rig.lost_more, "window.Sender._pick reception.Receiver._bitmap"),
        ("lost, timed out", rig.timed_out, "window.Sender.expire window.Sender._since"),
        (
            "duplicate",
            rig.twice,
            "reception.Receiver.accept reception.Receiver._refuse window.Sender.came_twice",
        ),
        ("wrong check", rig.broken, "input.Input._strange session.Session.fits"),
        ("garbage and over-long", rig.garbage, "frame.Splitter.push frame.Splitter._add"),
        ("keep-alive", rig.keep_alive, "output.Output._idle_in output.Output._null"),
        ("silence", rig.silence, "link.Link.poll neighbour.Neighbour.take"),
        ("no event", rig.no_event, "neighbour.Neighbour.take"),
        (
            "down: HELO",
            rig.helo,
            "output.Output._say_helo session.Session.write session.Session._wait "
            "session.Session._signed link.Link.poll",
        ),
        ("down: noise", rig.stranger, "input.Input.feed input.Input._frame session.Session.fits"),
    )
    return [(name, label, call) for label, call, names in table for name in names.split()]
