# SPDX-License-Identifier: MIT
"""What the tests of the tile share: a neighbour and its link in two lines, a service that records.

Rules: End is what a link is to a tile and nothing else: it takes packets as a link does, says
what comes, and begins and ends sessions.
"""

from limpet.port import Waiter
from limpet.stats import Stats
from limpet.tile import Tile

PACKET_SIZE = 100  # of the sessions: 96 bytes of data


def text(n, start=0):
    """Return n bytes that tell where they stand."""
    return bytes([(start + i) & 255 for i in range(n)])


class End:
    """The neighbour over one link; the link is played by the test."""

    def __init__(self, index=0, direction=2):
        self.index = index
        self.direction = direction
        self.stats = Stats()
        self.state = 0
        self.compatible = False
        self.payload_max = 0
        self.tile = None
        self.out = None
        self.heard_ms = 0
        self.rtt_ms = -1
        self.version = ""
        self.stamp = 0
        self.link = self
        self.texts = []  # what change_compatibility() was told
        self._buf = bytearray(300)

    def change_compatibility(self, text, now_ms):
        self.texts.append(text)

    def begin(self, compatible=True, packet_size=PACKET_SIZE):
        self.state = 1
        self.compatible = compatible
        self.payload_max = packet_size - 4
        self.tile.connected(self)
        return self

    def end(self):
        self.state = 0
        self.compatible = False
        self.payload_max = 0
        self.tile.disconnected(self)

    def sent(self, rank):
        """Take a packet of that rank, as the link would; return (reliable, packet) or None."""
        if self.out is None or not self.out.waiting(rank):
            return None
        size = self.out.waiting(rank)
        reliable = self.out.is_reliable(rank)
        at = 4 if reliable else 2
        end = self.out.take(rank, self._buf, at)
        assert end == size + at - 2 or (size == end == 1 and at == 2), (size, end)
        if size == 1:
            return reliable, bytes(self._buf[:1])
        return reliable, bytes(self._buf[:2]) + bytes(self._buf[at:end])

    def all_sent(self):
        """Take everything, as packets, by rank."""
        found = []
        for rank in range(3):
            packet = self.sent(rank)
            while packet is not None:
                found.append(packet[1])
                packet = self.sent(rank)
        return found

    def hear(self, byte1, data, at=2):
        """Have the tile receive a service's packet, as the link does; False: nobody serves it."""
        packet = bytearray(300)
        packet[0] = 0x80 | self.direction & 7
        packet[1] = byte1
        packet[at : at + len(data)] = data
        size = at + len(data)
        if at == 4 and not self.tile.room(packet, size):
            return None  # held
        found = self.tile.receive(self, packet, at, size)
        for i in range(300):
            packet[i] = 0xEE  # it was the link's
        return found

    def hear_mfmt(self, data):
        """Have it receive an MFMT packet, whose byte 1 is data[0]."""
        packet = bytearray(300)
        packet[0] = 0xA0 | self.direction & 7
        packet[1 : 1 + len(data)] = data
        return self.tile.receive(self, packet, 1, 1 + len(data))


class Recorder:
    """A service of the library's kind, that writes down what it is told."""

    def __init__(self, number=4):
        self.number = number
        self.log = []
        self.open = True
        self.due = 500

    def receive(self, neighbour, packet, start, end):
        self.log.append((neighbour.index, bytes(packet[:2]), bytes(packet[start:end])))

    def room(self, packet, size):
        return self.open

    def connected(self, neighbour):
        self.log.append(("connected", neighbour.index))

    def disconnected(self, neighbour):
        self.log.append(("disconnected", neighbour.index))

    def poll(self, now_ms):
        return self.due


class CountingWaiter(Waiter):
    """Counts how often it was woken."""

    woken = 0

    def wake(self):
        self.woken += 1


def tile_with(*ends):
    """Return a Tile with these neighbours."""
    tile = Tile(CountingWaiter(), 7, 9)
    for end in ends:
        tile.attach(end)
    return tile


def taken(channel):
    """Take all packets of a channel."""
    out = bytearray(260)
    found = []
    while True:
        size = channel.take(out)
        if not size:
            return found
        found.append(bytes(out[:size]))
