# SPDX-License-Identifier: MIT
"""What the link does in steady state, one callable per outcome, for the allocation test.

Rule: a callable leaves the two links as it found them, so it can be made again and again; it
allocates nothing itself and its functions are as small as the library's hot ones.
"""

from limpet.frame import Splitter
from limpet.link import UP, Link
from limpet.port import copy
from limpet.rand import Random
from limpet.ticks import ticks_add

_START = 0x3FFFFFFF - 2000

_PATH = (
    "link.Link.feed link.Link.take link.Link.poll link.Link._frame link.Link._deliver "
    "link.Link._fill "
    "link.Link._slot link.Link._seal link.Link._null link.Link._idle_in "
    "frame.Splitter.push frame.Splitter._add frame.seal stats.Stats.count "
    "session.Session.due_in window.quiet window.Sender.free window.Sender.add window.Sender.again "
    "window.Sender.sent window.Sender.acked window.Sender._advance window.Sender._confirm "
    "window.Sender._measure window.Sender._find_lost window.Receiver.accept window.Receiver.kept "
    "window.Receiver.ack_in window.Receiver.told "
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
        self.a = Link(1, 5, Random(1), self.ca, silence_ms=10000)
        self.b = Link(2, 6, Random(2), self.cb, silence_ms=10000)
        self.lone = Link(3, 7, Random(3), Client())
        self.bad_splitter = Splitter(64, self.a.stats)
        self.out = bytearray(self.a.wire_size)
        self.event = bytearray(2)
        self.noise = bytearray([(i * 37 + 11) % 255 + 1 for i in range(600)] + [0])
        self.size = 0
        self.connect()

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
        heard = self.a._heard
        sent = self.a._sent
        self.a._heard = ticks_add(self.now, 0x3FFFFFFF - 10000)
        self.a.poll(self.now)
        self.a.neighbour.take(self.event)
        self.a.state = UP
        self.a._heard = heard
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
        ("empty: nothing to send", rig.empty, "link.Link.take link.Link.poll link.Link.feed"),
        ("both ways, acks ride along", rig.both, _PATH),
        ("full: the window", rig.full, _PATH + "window.Sender.expire window.Sender._since"),
        (
            "lost, found by a later ack, retransmitted",
            rig.lost,
            _PATH + "window.Sender._pick window.Receiver._keep window.Receiver.bitmap",
        ),
        ("two lost", rig.lost_more, "window.Sender._pick window.Receiver.bitmap"),
        ("lost, timed out", rig.timed_out, "window.Sender.expire window.Sender._since"),
        ("duplicate", rig.twice, "window.Receiver.accept link.Link.feed"),
        ("wrong check", rig.broken, "link.Link._frame session.Session.fits"),
        ("garbage and over-long", rig.garbage, "frame.Splitter.push frame.Splitter._add"),
        ("keep-alive", rig.keep_alive, "link.Link._idle_in link.Link._null"),
        ("silence", rig.silence, "link.Link.poll tile.Neighbour.take"),
        ("no event", rig.no_event, "tile.Neighbour.take"),
        ("down: HELO", rig.helo, "link.Link._say_helo session.Session.write link.Link.poll"),
        ("down: noise", rig.stranger, "link.Link.feed link.Link._frame session.Session.fits"),
    )
    return [(name, label, call) for label, call, names in table for name in names.split()]
