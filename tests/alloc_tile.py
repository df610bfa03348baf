# SPDX-License-Identifier: MIT
"""What the tile and its channels do in steady state, for the allocation test.

Rule: a call leaves all rings as it found them, empty.
"""

from helpers_tile import End, Recorder
from limpet.liveness import Liveness
from limpet.port import Waiter
from limpet.rand import Random
from limpet.ticks import ticks_add
from limpet.tile import Tile

_EAGAIN = -11


class Bell:
    def wake(self):
        pass

    def update(self):
        pass


class Service(Recorder):
    """Writes nothing down."""

    def receive(self, neighbour, packet, start, end):
        pass


class Up(End):
    """A neighbour that is there."""

    def __init__(self, index, direction):
        End.__init__(self, index, direction)
        self.state = 1
        self.compatible = True
        self.payload_max = 96


class Scene:
    """A tile with two sides, a service of the library, a program's, and MFMT."""

    def __init__(self):
        self.tile = tile = Tile(Waiter(), 1, 2)
        self.east = Up(0, 2)
        self.west = Up(1, 6)
        tile.attach(self.east)
        tile.attach(self.west)
        tile.add(Service(4))
        self.channel = tile.open(16, 240)
        self.mfmt = tile.mfmt
        self.local = tile.local
        self.channel.set_watch(Bell())
        self.buf = bytearray(260)
        self.data = bytes(range(96))
        self.packet = b"\x82\x90" + bytes(80)
        self.urgent = b"\x82\x50" + bytes(80)
        self.large = b"\x82\x10" + bytes(99)
        self.mfmt_packet = b"\xa2\x01abc"
        self.one = b"\xa2"
        self.nobody = b"\x81\x10abc"
        self.short = b"\x82"
        self.unknown = b"\x82\x11abc"
        self.local_packet = b"\xc1abc"
        self.came = bytearray(b"\x82\x50" + bytes(100))
        self.came_mfmt = bytearray(b"\xa2\x50" + bytes(100))
        self.strange = bytearray(b"\x82\x3f" + bytes(100))
        self.service = bytearray(b"\x82\x04" + bytes(100))
        self.now = 0x3FFFFFFF - 30000
        self.lively = Up(0, 2)
        self.live = Tile(Waiter(), 1, 2)
        self.live.attach(self.lively)
        self.liveness = Liveness(self.live, Random(5))
        self.live.add(self.liveness)

    def equal(self, a, b):
        assert a == b, (a, b)

    def link_takes(self, rank):
        out = self.east.out
        while out.waiting(rank):
            at = 4 if out.is_reliable(rank) else 2
            assert out.take(rank, self.buf, at) > 0
        assert not out.total

    def send(self):
        self.equal(self.tile.send(self.east, 4, self.data), 96)
        self.link_takes(1)
        self.equal(self.tile.send(self.east, 4, self.data, 5, True, False), 5)
        self.link_takes(2)

    def refused(self):
        while self.tile.send(self.east, 4, self.data) == 96:
            pass
        self.equal(self.tile.send(self.east, 4, self.data), _EAGAIN)
        self.link_takes(1)
        self.equal(self.tile.send(self.east, 4, self.large), -90)
        self.east.state = 0
        self.equal(self.tile.send(self.east, 4, self.data), -113)
        self.east.state = 1

    def put(self):
        self.equal(self.tile.put(self.packet), 82)
        self.link_takes(2)
        self.equal(self.tile.put(self.urgent), 82)
        self.link_takes(1)
        self.equal(self.tile.put(self.mfmt_packet), 5)
        self.equal(self.tile.put(self.one), 1)
        self.link_takes(0)

    def put_in_vain(self):
        self.equal(self.tile.put(self.short), -22)
        self.equal(self.tile.put(self.unknown), -9)
        self.equal(self.tile.put(self.packet, 99), -90)

    def bounce(self):
        self.equal(self.tile.put(self.nobody), 5)
        self.equal(self.channel.take(self.buf), 5)
        self.equal(self.tile.put(self.large), 101)
        self.equal(self.channel.take(self.buf), 101)
        self.equal(self.buf[0], 0x92)
        self.east.compatible = False
        self.equal(self.tile.put(self.mfmt_packet), 5)
        self.equal(self.mfmt.take(self.buf), 5)
        self.equal(self.buf[0], 0xAA)
        self.east.compatible = True

    def bounce_refused(self):
        self.equal(self.tile.put(self.large), 101)
        self.equal(self.tile.put(self.large), 101)
        self.equal(self.tile.put(self.large), _EAGAIN)
        self.drain()

    def drain(self):
        while self.channel.take(self.buf):
            pass

    def to_local(self):
        self.equal(self.tile.put(self.local_packet), 4)
        self.equal(self.local.take(self.buf), 4)

    def hear(self, packet, start):
        return self.tile.room(packet, 100) and self.tile.receive(self.east, packet, start, 100)

    def receive(self):
        self.equal(self.hear(self.service, 4), True)
        self.equal(self.hear(self.strange, 4), False)
        self.equal(self.tile.receive(self.east, self.came_mfmt, 1, 100), True)
        self.equal(self.mfmt.has(2), True)
        self.equal(self.mfmt.take(self.buf), 100)
        self.equal(self.hear(self.came, 4), True)
        self.equal(self.channel.take(self.short_buf), -90)
        self.equal(self.channel.take(self.buf), 98)
        self.equal(self.channel.take(self.buf), 0)

    short_buf = bytearray(2)

    def full(self):
        self.equal(self.hear(self.came, 4), True)
        self.equal(self.hear(self.came, 4), True)
        self.equal(self.hear(self.came, 4), False)
        self.equal(self.tile.receive(self.east, self.came, 2, 100), True)  # dropped
        self.equal(self.channel.take(self.buf), 98)
        self.equal(self.hear(self.came, 4), True)
        self.drain()

    def poll(self):
        self.equal(self.tile.poll(5), 500)
        self.west.state = 0
        self.tile.poll(6)
        self.west.state = 1

    def ask(self):
        """Be asked, ask, and be answered."""
        self.now = ticks_add(self.now, 13000)
        self.liveness.poll(self.now)
        self.liveness.poll(ticks_add(self.now, 500))
        self.lively.out.take(2, self.buf, 2)
        self.buf[2] = 2
        self.lively.heard_ms = ticks_add(self.now, 507)
        self.equal(self.live.receive(self.lively, self.buf, 2, 20), True)
        assert 0 <= self.lively.rtt_ms < 1000
        self.buf[2] = 1
        self.equal(self.live.receive(self.lively, self.buf, 2, 20), True)
        self.equal(self.lively.out.total, 1)
        self.lively.out.take(2, self.buf, 2)


def calls():
    """Return (what, function) for each call to be made with the heap locked."""
    scene = Scene()
    return [
        ("send to a neighbour", scene.send),
        ("send: no room, too large, down", scene.refused),
        ("put", scene.put),
        ("put: refused", scene.put_in_vain),
        ("put: bounced", scene.bounce),
        ("put: no room to bounce", scene.bounce_refused),
        ("local packet", scene.to_local),
        ("receive and take", scene.receive),
        ("full channel", scene.full),
        ("poll", scene.poll),
        ("liveness", scene.ask),
    ]
