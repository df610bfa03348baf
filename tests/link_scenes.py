# SPDX-License-Identifier: MIT
"""Links in all their states, as a fuzzer's victims, and a meter of what they count.

Rule: a scene is made anew for each round, so that its state is really the one that is hit.
"""

from limpet.link import DOWN, REFUSED, UP
from limpet.port import seal
from limpet.ticks import MS_MAX
from link_checker import Bench
from link_fuzz import COUNTED_HELO, HELO, HELO_START, STREAM_HELO, Forger, counted, packets

# Counters of which exactly one moves with each run of bytes that is no empty frame.
OF_A_RUN = ("rx_frames", "rx_bad", "rx_overlong", "rx_forged", "rx_replayed")
# Those of which at most one moves with each frame that was right.
OF_A_FRAME = ("helo_received", "rx_duplicate", "rx_unknown", "rx_closed", "rx_dropped")


class Sink:
    """A client that says what it is told to, and forgets what it hears."""

    def __init__(self, side=0, judge=None):
        self.left = 0
        self.heard = 0

    def ready(self):
        return self.left > 0

    def fill(self, buf, start, end):
        if not self.left:
            return 0
        self.left -= 1
        for i in range(20):
            buf[start + i] = i
        return 20

    def receive(self, buf, start, end):
        self.heard += 1

    def connected(self):
        pass

    def disconnected(self):
        pass


class Shelf:
    """A tile whose services take what has room, and forget it."""

    def __init__(self, dice):
        self.dice = dice
        self.tight = False  # there is no room
        self.taken = 0

    def receive(self, neighbour, packet, start, end):
        # What a service must get: its header and its data.
        assert 0 < start <= 4 and start - 1 <= end <= len(packet)
        self.taken += 1
        return packet[1] & 0x3F != 9

    def room(self, packet, size):
        assert size >= 4
        return not self.tight and self.dice.below(8) > 0

    def connected(self, neighbour):
        assert neighbour.state == UP and neighbour.payload_max > 0

    def disconnected(self, neighbour):
        assert neighbour.state != UP and neighbour.payload_max == 0


class Meter:
    """Counts on its own what a link is fed, and compares the link's counters with that."""

    def __init__(self, link):
        self.link = link
        self.limit = link._in._limit
        self.runs = self.counted()
        self.fill = 0
        self.feed = link.feed
        link.feed = self.take_in

    def counted(self):
        stats = self.link.stats
        return sum([getattr(stats, name) for name in OF_A_RUN])

    def take_in(self, buf, count, now_ms, at=0):
        count = self.feed(buf, count, now_ms, at)  # less over a stream, while it is paused
        pieces = bytes(buf[at:count]).split(b"\0")
        for k in range(len(pieces)):
            before = self.fill
            self.fill += len(pieces[k])
            if before <= self.limit < self.fill:
                self.runs += 1  # counted when it becomes too long
            if k < len(pieces) - 1:
                if 0 < self.fill <= self.limit:
                    self.runs += 1
                self.fill = 0
        return count

    def wrong(self):
        """Return what is wrong with the link, "" = nothing."""
        link = self.link
        stats = link.stats
        if self.counted() != self.runs:
            return "%d runs, %d counted" % (self.runs, self.counted())
        if sum([getattr(stats, name) for name in OF_A_FRAME]) > stats.rx_frames:
            return "more kinds than frames"
        if link.state not in (DOWN, UP, REFUSED) or link.neighbour.state != link.state:
            return "state %d, neighbour %d" % (link.state, link.neighbour.state)
        if (link.refusal != "") != (link.state == REFUSED):
            return "state %d, refusal %s" % (link.state, link.refusal)
        if not 1 <= link.window <= link._slots:
            return "window %d" % link.window
        if not 1 <= link.payload_max <= 251:
            return "payload_max %d" % link.payload_max
        if not 0 <= (link._tx.next - link._tx.base) & 255 <= link.window:
            return "more on the way than the window"
        if not 0 <= link._tx.lost <= link.window:
            return "lost %d" % link._tx.lost
        return ""


class Victim:
    """A link in one of SCENES, and what happens to it."""

    def __init__(self, scene, dice, frames, options=None):
        self.dice = dice
        self.stream = bool(options and options.get("reliable"))
        self.forger = Forger(dice, frames)
        self.bench = Bench(51, options, client=Sink)
        self.line = self.bench.line
        self.out = bytearray(300)
        self.shelve()
        SCENES[scene](self)
        self.link = self.line.links[0]
        self.meter = Meter(self.link)

    def shelve(self):
        """Have services at the link; made before its session begins."""
        self.shelf = Shelf(self.dice)
        self.line.links[0].neighbour.tile = self.shelf

    def connect(self):
        self.bench.connect()
        self.line.run(150)

    def say(self, count):
        self.bench.apps[0].left = count
        self.line.wake[0] = self.line.now_us

    def hit(self, sealed):
        """Feed one string, perhaps in two pieces; sealed: of 100, how many have a right check."""
        below = self.dice.below
        data = bytearray(
            self.forger.sealed(self.link) if below(100) < sealed else self.forger.string()
        )
        now = self.now()
        if below(4) == 0 and len(data) > 1:
            half = bytearray(data[: len(data) // 2])
            self.link.feed(half, len(half), now)
            data = bytearray(data[len(half) :])
        self.link.feed(data, len(data), now)

    def now(self):
        self.line.side = 0
        return self.line.now()

    def works(self):
        """Feed a delimiter and a good frame; return whether just that was understood."""
        now = self.now()
        for _ in range(100):
            if not self.link._rx.paused:
                break
            self.shelf.tight = False
            self.link.poll(now)  # a stream is held back until its services have room
        self.link.feed(bytearray(1), 1, now)
        good = bytearray(self.forger.good(self.link))
        before = self.link.stats.rx_frames
        self.link.feed(good, len(good), now)
        return self.link.stats.rx_frames == before + 1

    def live(self, ms):
        """Let time pass, and the link say what it has to say; return what is wrong."""
        self.shelf.tight = self.dice.below(8) == 0 and not self.link._rx.paused
        self.say(3)
        self.line.wake[0] = self.line.now_us
        self.line.run(ms)
        self.bench.apps[1].left = self.dice.below(2)
        self.shelf.tight = False
        for _ in range(3):
            size = self.link.take(self.out, self.now())
            if not 0 <= size <= self.link.wire_size or size and self.out[size - 1]:
                return "frame of %d bytes" % size
        wait = self.link.poll(self.now())
        if not 0 <= wait <= MS_MAX:
            return "poll says %d" % wait
        return self.meter.wrong()

    def recovers(self):
        """Return whether a fresh peer gets its payloads through, 10 clean seconds later."""
        for wire in self.line.wires:
            wire.cut = False
            wire.script = None
        self.line.restart(1)
        apps = self.bench.apps
        apps[0].left = apps[1].left = 0
        self.line.run(10000)
        before = [app.heard for app in apps]
        for i in range(2):
            apps[i].left = 20
            self.line.wake[i] = self.line.now_us
        self.line.run(1000)
        return self.line.up() and [app.heard - n for app, n in zip(apps, before)] == [20, 20]


def _down(victim):
    victim.bench.remove(1)
    victim.line.run(30)


def _refused(victim):
    victim.bench.remove(1)
    twin = bytearray(packets([HELO])[0]) + bytearray(2)
    twin[7] = 11
    out = bytearray(64)
    victim.bench.feed(0, out[: seal(out, 0, twin, len(twin) - 2, HELO_START)])
    assert victim.line.links[0].state == REFUSED


def _offered(victim):
    victim.bench.remove(1)
    victim.line.run(10)
    datagrams = victim.line.links[0]._counted is not None
    victim.bench.feed(0, STREAM_HELO if victim.stream else COUNTED_HELO if datagrams else HELO)
    victim.line.run(1)
    assert victim.line.links[0]._session._theirs == 5


def _idle(victim):
    victim.connect()


def _waiting(victim):
    """A full window that nobody acknowledges."""
    victim.connect()
    victim.bench.cut(0)
    victim.say(30)
    victim.line.run(20)


def _gap(victim):
    """Frames that wait for an earlier one, which never comes."""
    victim.connect()
    missing = victim.line.wires[1].frames
    victim.line.wires[1].script = lambda index, data: (
        None if index == missing or len(data) == 28 else data
    )
    victim.bench.apps[1].left = 5
    victim.line.wake[1] = victim.line.now_us
    victim.line.run(30)


def _held(victim):
    """A receiver that has kept all it can, and has told so."""
    victim.connect()
    victim.shelf.tight = True
    victim.line.run(10)
    link = victim.line.links[0]
    for seq in range(link.window):
        packet = bytearray([0x80, 0x54, seq, 0, 7, 0, 0])
        victim.bench.feed(0, seal_in(link, packet))
    victim.line.run(10)
    assert link._rx.kept() == 5


def _blocked(victim):
    """A sender that has been told that there is no room."""
    victim.connect()
    victim.bench.feed(0, seal_in(victim.line.links[0], bytearray([0x80, 0, 0, 0, 0, 0])))
    victim.say(30)
    victim.line.run(20)


def _closed(victim):
    victim.connect()
    victim.line.links[0].close(victim.now())


def seal_in(link, packet):
    """Return the frame of a packet with two bytes of room, as the link's peer would send it."""
    packet = counted(link, packet[:-2])
    out = bytearray(300)
    return bytes(out[: seal(out, 0, packet, len(packet), link._session.start_in)])


def _lonely(victim):
    """A session whose peer has just died."""
    victim.connect()
    victim.bench.remove(1)


SCENES = {
    "down": _down,
    "refused": _refused,
    "offered": _offered,
    "idle": _idle,
    "waiting": _waiting,
    "gap": _gap,
    "held": _held,
    "blocked": _blocked,
    "lonely": _lonely,
}


def fuzz(scene, dice, frames, count, sealed, options=None):
    """Feed `count` strings to a link in that scene; return (what went wrong, frames read)."""
    victim = Victim(scene, dice, frames, options)
    for n in range(count):
        victim.hit(sealed)
        if not victim.works():
            return "a good frame is not understood after string %d" % n, 0
        if n % 16 == 15:
            wrong = victim.live(dice.below(12))
            if wrong:
                return "%s after string %d" % (wrong, n), 0
    wrong = victim.meter.wrong()
    if not wrong and not victim.recovers():
        wrong = "does not recover"
    return wrong, victim.link.stats.rx_frames - count
