# SPDX-License-Identifier: MIT
"""The golden table of docs/wire.md, and the links of its two sides, A and B, as it has them.

What is by chance, and what a tile and a program do for a link, is a test's here.
"""

from limpet.link import Link

HERE = __file__.rsplit("/", 1)[0] if "/" in __file__ else "."
EPOCHS = (0x00A15A5A, 0x0B2C3D4E)


def unhex(text):
    return bytes([int(text[i : i + 2], 16) for i in range(0, len(text), 2)])


def rows():
    """Return (packet, wire bytes) by name."""
    found = {}
    with open(HERE + "/vectors/wire.txt") as table:
        for line in table:
            if line.strip() and not line.startswith("#"):
                name, _, packet, data, _ = line.strip().split(" ", 4)
                found[name] = (unhex(packet), unhex(data))
    return found


class Drawn:
    """Random numbers that the test has chosen, then others."""

    def __init__(self, *numbers):
        self.numbers = list(numbers)
        self.count = 0x11112222

    def next(self):
        self.count += 0x01010101
        return self.numbers.pop(0) if self.numbers else self.count & 0x3FFFFFFF

    def below(self, limit):
        return limit >> 1


class Client:
    """Has said what it is told to, keeps what it hears."""

    def __init__(self):
        self.queue = []
        self.got = []

    def ready(self):
        return len(self.queue) > 0

    def fill(self, buf, start, end):
        if not self.queue:
            return 0
        data = self.queue.pop(0)
        for i in range(len(data)):
            buf[start + i] = data[i]
        return len(data)

    def receive(self, buf, start, end):
        self.got.append(bytes(buf[start:end]))

    def connected(self):
        pass

    def disconnected(self):
        pass


class Box:
    """Packets of services that wait, by rank: (byte 1 or None, data)."""

    def __init__(self):
        self.ranks = ([], [], [])

    @property
    def total(self):
        return sum([len(r) for r in self.ranks])

    def waiting(self, rank):
        return 2 + len(self.ranks[rank][0][1]) if self.ranks[rank] else 0

    def is_reliable(self, rank):
        return rank > 0 and self.ranks[rank][0][0] & 0x40 != 0

    def take(self, rank, buf, at):
        kind, data = self.ranks[rank].pop(0)
        if rank == 0:
            data = b"\xa2" + data
            at = 0
        else:
            buf[0] = 0x82
            buf[1] = kind
        for i in range(len(data)):
            buf[at + i] = data[i]
        return at + len(data)


class Shelf:
    """A tile with room for a number of packets."""

    def __init__(self):
        self.left = 1000
        self.got = []

    def room(self, packet, size):
        return self.left > 0

    def receive(self, neighbour, packet, start, end):
        self.left -= 1
        self.got.append((packet[0], packet[1] if start > 1 else None, bytes(packet[start:end])))
        return True

    def connected(self, neighbour):
        pass

    def disconnected(self, neighbour):
        pass


class Bell:
    """What a tile wakes."""

    def wake(self):
        pass


def make(side, **options):
    """Return a link of node A (0) or B (1) as the table has it."""
    drawn = Drawn(*options.pop("epochs", (EPOCHS[side],)))
    arguments = {"direction": (2, 6)[side]}
    arguments.update(options)
    node, epoch = ((11, 0x01234567), (22, 0x07654321))[side]
    link = Link(node, epoch, drawn, Client(), **arguments)
    return link
