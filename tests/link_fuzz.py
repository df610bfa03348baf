# SPDX-License-Identifier: MIT
"""What a fuzzer feeds to links: strings that come near to frames.

Rules: everything comes from a Dice, so a run is the same again. A string is random, or made of
frames that links really said, changed a little; a *sealed* one has a check that is right for the
running session, so that what is behind the check is reached.
"""

from limpet.frame import Splitter
from limpet.link import UP
from limpet.port import seal
from limpet.rand import Random
from limpet.stats import Stats
from link_services import BULK, MFMT, RELIABLE, URGENT, Served

HELO_START = 0xFFFF


class Dice:
    """Random numbers and bytes."""

    def __init__(self, seed):
        self.below = Random(seed).below

    def some(self, n):
        return bytes([self.below(256) for _ in range(n)])


def said(seed=41, options=None):
    """Return the frames that two links say in short sessions with all that can happen."""
    bench = Served(seed, options)
    line = bench.line
    frames = []

    def keep(index, data):
        frames.append(data)
        return data

    for wire in line.wires:
        wire.script = keep
        wire.loss = 150
    for n in range(6):
        line.run(40)
        bench.say(0, 6, 9 + 15 * n)
        bench.say(1, 6, 30)
        bench.desks[n & 1].places = n
        for desk in bench.desks:
            for kind in (URGENT, BULK, URGENT | RELIABLE, BULK | RELIABLE, MFMT):
                desk.put(kind, 2, 10 + 5 * n)
        line.run(120)
        line.links[1].close(line.now())
        line.run(20)
        line.restart(n & 1)
        line.restart(1)
    line.run(300)
    return frames


def packets(frames):
    """Return the packets of frames, without their checks."""
    splitter = Splitter(255, Stats())
    found = []
    for data in frames:
        data = bytearray(data)
        at = 0
        while at < len(data):
            at = splitter.push(data, at, len(data))
            if splitter.size:
                found.append(bytes(splitter.buffer[: splitter.size - 2]))
    return found


def wanted(link):
    """Return the number of the next reliable frame that a link wants."""
    return getattr(link._rx, "_number", link._rx.expected)


def counted(link, packet, skipped=0):
    """Return a packet as a link wants it behind `skipped` others: over datagrams, with a count."""
    if link._counted is None:
        return packet
    count = (link._counted._highest + 1 + skipped) & 0xFFFF
    return packet + bytes([count >> 8, count & 255])


class Forger:
    """Makes strings."""

    def __init__(self, dice, frames):
        self.dice = dice
        self.frames = frames
        self.packets = packets(frames)
        self.out = bytearray(600)

    def string(self):
        """Return bytes as a bad line or a stranger might give."""
        below = self.dice.below
        kind = below(8)
        if kind == 0:
            return self.dice.some(below(300))
        if kind == 1:  # few values, many delimiters
            return bytes([(0, 1, 2, 0x80, 255, 3, 0, 7)[b & 7] for b in self.dice.some(below(80))])
        if kind == 2 and below(8) == 0:  # longer than any frame
            return bytes([b or 1 for b in self.dice.some(200 + below(200))])
        frame = self.frames[below(len(self.frames))]
        if kind == 3:  # two that have become one, or a piece of each
            other = self.frames[below(len(self.frames))]
            return frame[: below(len(frame) + 1)] + other[below(len(other)) :]
        return self.changed(frame)

    def changed(self, data):
        """Return data with one to four small changes."""
        below = self.dice.below
        data = bytearray(data)
        for _ in range(1 + below(4) * below(2)):
            if not data:
                break
            at = below(len(data))
            kind = below(6)
            if kind == 0:
                data[at] ^= 1 << below(8)
            elif kind == 1:
                data[at] = (0, 1, 255, 0x80, below(256))[below(5)]
            elif kind == 2:
                data = data[:at] + data[at + 1 + below(4) :]
            elif kind == 3:
                data = data[:at] + self.dice.some(1 + below(4)) + data[at:]
            elif kind == 4:
                data = data[:at]
            else:
                data = data[:at] + data[below(at + 1) :]
        return data

    def sealed(self, link):
        """Return a frame of any content whose check is right in the link's session."""
        below = self.dice.below
        packet = bytearray(self.packets[below(len(self.packets))])
        if below(4):
            packet = self.changed(packet)
        if below(8) == 0:
            packet = bytearray(self.dice.some(1 + below(40)))
        packet = packet[:255]
        if len(packet) > 3 and packet[1] & 0x40 and below(4):  # numbers that may be meant
            packet[2] = (wanted(link) + below(12) - 4 * below(2)) & 255
            packet[3] = (link._tx.base + below(12) - 4) & 255
        elif len(packet) > 2 and packet[1] == 0 and below(4):
            packet[2] = (link._tx.base + below(12) - 4) & 255
        start = self.start(link)
        if len(packet) > 1 and packet[1] == 1 and below(8):
            start = HELO_START
            if len(packet) > 26 and below(2):
                self.meant(link, packet)
        if start != HELO_START and below(16):
            packet = counted(link, packet, below(4))
        return bytes(self.out[: seal(self.out, 0, packet, len(packet), start)])

    def start(self, link):
        """Return what the check of the next good frame may start at."""
        return link._session.start_in if link.state == UP else link._session._candidate

    def meant(self, link, packet):
        """Put epochs that mean something to the link into a HELO."""
        session = link._session
        below = self.dice.below
        for at, epochs in (
            (12, (session.peer, session._theirs)),
            (16, (session.me, session._mine)),
        ):
            epoch = epochs[below(2)]
            if below(4):
                for k in range(4):
                    packet[at + k] = epoch >> 24 - 8 * k & 255

    def good(self, link):
        """Return a frame that the link must understand now and that changes little."""
        if link.state == UP:
            packet = counted(link, bytearray([0x80, 0, link._tx.base]))
            size = len(packet)
            return bytes(self.out[: seal(self.out, 0, packet, size, link._session.start_in)])
        return HELO


def helo(flags=0, node=99, epoch=5, echo=0, silence_ms=1024, node_epoch=6, text_size=0):
    """Return a HELO of any sender, as it is on the wire, without the text that it announces."""
    packet = bytearray(29)
    packet[0:3] = b"\x80\x01\x01"
    packet[3] = flags
    for at, value in ((4, node), (8, node_epoch), (12, epoch), (16, echo)):
        for k in range(4):
            packet[at + k] = value >> 24 - 8 * k & 255
    packet[20] = 255
    packet[21] = packet[22] = 1
    packet[24] = silence_ms >> 8
    packet[25] = silence_ms & 255
    packet[26] = text_size
    out = bytearray(64)
    return bytes(out[: seal(out, 0, packet, 27, HELO_START)])


HELO = helo()  # of a node that has heard nobody
STREAM_HELO = helo(8)  # over a reliable stream
COUNTED_HELO = helo(32)  # over datagrams
