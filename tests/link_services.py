# SPDX-License-Identifier: MIT
"""A tile's place taken by a Desk: it sends numbered packets of services and judges what comes.

Rules: a packet says which one it is of its kind in this session. Reliable ones come once, in
order, with none missing; others may be missing, but come whole, and on a stream not twice.
"""

from link_checker import Bench

URGENT = 0x14  # byte 1: service 20
BULK = 0x95  # service 21
RELIABLE = 0x40
MFMT = 0x100  # not a value of byte 1: MFMT packets have none

_HEAD = 6  # byte 1, number (4), size


def body(kind, number, size):
    """Return the data of a packet of `size` bytes behind its header."""
    data = bytes([kind & 255]) + number.to_bytes(4, "big") + bytes([size])
    return data + bytes([(number * 5 + kind) & 255]) * (size - _HEAD)


class Box:
    """What waits to be sent, by rank: MFMT, urgent, bulk; what a link wants of it."""

    def __init__(self):
        self.ranks = [[], [], []]
        self.total = 0

    def put(self, packet, most=24):
        """Append a whole packet; return False if so many wait already."""
        rank = 0 if packet[0] & 0x20 else 1 + (packet[1] >> 7)
        if len(self.ranks[rank]) >= most:
            return False
        self.ranks[rank].append(packet)
        self.total += 1
        return True

    def waiting(self, rank):
        return len(self.ranks[rank][0]) if self.ranks[rank] else 0

    def is_reliable(self, rank):
        return rank > 0 and self.ranks[rank][0][1] & RELIABLE > 0

    def take(self, rank, buf, at):
        packet = self.ranks[rank].pop(0)
        self.total -= 1
        data = packet[2:]
        buf[: min(2, len(packet))] = packet[:2]
        buf[at : at + len(data)] = data
        return at + len(data) if len(packet) > 1 else 1


class Desk:
    """The services of one end, all of one kind each: sends, receives `places` packets, judges."""

    def __init__(self, bench, side):
        self.bench = bench
        self.side = side
        self.places = 1 << 20  # packets that there is room for
        self.endless = {}  # kind: size of packets of which there are always some
        self.sent = {}  # kind: packets put in this session
        self.got = {}  # kind: packets come in this session
        self.newest = {}  # kind: number of the latest
        self.total = 0  # come, over all sessions
        self.order = []  # kinds, as they came, the latest 64
        self.knows = True  # somebody serves what comes
        self.out = None

    def attach(self, link):
        self.link = link
        self.out = Box()
        self.sent.clear()
        link.neighbour.tile = self
        link.neighbour.out = self.out

    def wake(self):
        self.bench.line.wake[self.side] = self.bench.line.now_us

    # Sending

    def put(self, kind, count=1, size=40):
        """Put packets of that kind, as many as there is room for; return how many."""
        done = 0
        head = b"\xa0\x77" if kind == MFMT else bytes([0x80, kind])
        while done < count:
            number = self.sent.get(kind, 0)
            if not self.out.put(head + body(kind, number, size)):
                break
            self.sent[kind] = number + 1
            done += 1
        self.wake()
        return done

    def refill(self):
        kinds = sorted(self.endless)
        for n in range(4 * len(kinds)):
            # Each begins once, so that none takes all the places.
            kind = kinds[(n + self.bench.line.now_us // 5000) % len(kinds)]
            self.put(kind, 1, self.endless[kind])

    # What the link calls

    def receive(self, neighbour, packet, start, end):
        if not self.knows:
            return False
        kind = MFMT if packet[0] & 0x20 else packet[1]
        self.places -= 1
        self.total += 1
        data = bytes(packet[start:end])
        if kind == MFMT:
            data = data[1:]
        number = int.from_bytes(data[1:5], "big")
        judge = self.bench.judge
        if data != body(kind, number, len(data)) or data[5] != len(data):
            judge.fault("a damaged packet")
        latest = self.newest.get(kind, -1)
        if kind != MFMT and kind & RELIABLE:
            if number != latest + 1:
                judge.fault("%x: %d after %d" % (kind, number, latest))
        elif number <= latest and not self.bench.line.datagrams:
            judge.fault("%x: %d after %d" % (kind, number, latest))
        self.newest[kind] = number
        self.got[kind] = self.got.get(kind, 0) + 1
        self.order.append(kind)
        if len(self.order) > 64:
            self.order.pop(0)
        return True

    def room(self, packet, size):
        return self.places > 0

    def connected(self, neighbour):
        self.got.clear()
        self.newest.clear()
        self.bench.forget(self.side)

    def disconnected(self, neighbour):
        self.bench.forget(self.side)


class Served(Bench):
    """A Bench whose ends have a Desk each."""

    def __init__(self, seed=1, options=None, line=None):
        self.desks = [Desk(self, i) for i in range(2)]
        Bench.__init__(self, seed, options, line)

    def _make(self, i, random):
        link = Bench._make(self, i, random)
        self.desks[i].attach(link)
        return link

    def forget(self, i):
        """Throw away what end i has to send, as a tile does when the session ends."""
        desk = self.desks[i]
        desk.out = Box()
        desk.link.neighbour.out = desk.out
        desk.sent.clear()

    def run(self, ms, step_ms=5):
        """Let time pass, with the endless kinds kept going."""
        for _ in range(ms // step_ms):
            for desk in self.desks:
                desk.refill()
            self.line.run(step_ms)

    def settled(self):
        """Return whether all that was put is here, what may be lost apart."""
        for i in range(2):
            desk = self.desks[i]
            for kind in desk.sent:
                if kind & RELIABLE and desk.sent[kind] != self.desks[1 - i].got.get(kind, 0):
                    return False
        return self.arrived()
