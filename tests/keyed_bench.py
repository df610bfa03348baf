# SPDX-License-Identifier: MIT
"""Two links with keys, and Eve, who hears every byte of both wires and says what she likes.

Rules: as in link_checker.py. Eve knows all but the keys: she records, alters with a right check,
sends back, and sends again, in any number. What she injects takes no time on the wire, as from a
transmitter of her own.
"""

from limpet.auth import Auth
from limpet.link import Link
from limpet.port import crc16, seal, unseal
from limpet.rand import Random
from link_checker import Bench

KEY = b"sixteen and more random bytes"
OTHER = b"sixteen and more random bytez"


def body(data):
    """Return packet, trailer and check of a frame on the wire, as a bytearray."""
    inside = bytearray(bytes(data).strip(b"\0"))
    size = unseal(inside, len(inside), 0)
    assert size != -1, data
    return inside[: -size if size < 0 else size + 2]


def on_wire(inside):
    """Return the frame of packet, trailer and check, as it is on the wire."""
    # COBS by hand: the port only builds frames whose check is right.
    out = bytearray(2)
    code = 1
    for byte in inside:
        if byte:
            out.append(byte)
        if not byte or len(out) - code == 255:
            out[code] = len(out) - code
            code = len(out)
            out.append(0)
    out[code] = len(out) - code
    return bytes(out) + b"\0"


def altered(data, at, mask):
    """Return the frame with byte `at` of packet and trailer changed, and a check that fits.

    The CRC of a difference is the difference of the CRCs, whatever the check starts at.
    """
    inside = body(data)
    size = len(inside) - 2
    start = crc16(inside, 0, size, 0)
    inside[at] ^= mask
    start ^= crc16(inside, 0, size, 0)
    inside[size] ^= start >> 8
    inside[size + 1] ^= start & 255
    return on_wire(inside)


def is_helo(data):
    inside = body(data)
    return len(inside) > 29 and inside[0] & 0xF8 == 0x80 and inside[1] == 1


def helo(fields):
    """Return a HELO of any fields: its packet, with a right check."""
    packet = bytearray(fields) + b"\0\0"
    out = bytearray(120)
    return bytes(out[: 1 + seal(out, 1, packet, len(fields), 0xFFFF)])


def signed(packet, nonce, echo, key=KEY):
    """Return the HELO packet[0:27] as one who knows the key would sign it, with a right check."""
    packet = bytearray(packet[:27]) + bytearray(26)
    packet[3] |= 16
    size = Auth(key, Random(1).next).sign_helo(packet, 27, nonce, echo)
    return helo(packet[:size])


def weight(thing, seen=None):
    """Return how many objects, bytes and items can be reached from `thing`, but for clients."""
    seen = [] if seen is None else seen
    if isinstance(thing, (bytes, bytearray, str)):
        return 1 + len(thing)
    if thing is None or isinstance(thing, (int, type)) or any(thing is other for other in seen):
        return 0
    if isinstance(thing, dict):
        return len(thing) + sum([weight(value, seen) for value in thing.values()])
    if isinstance(thing, (list, tuple, set)):
        return 1 + len(thing) + sum([weight(value, seen) for value in thing])
    seen.append(thing)
    if hasattr(thing, "judge") or not hasattr(thing, "__dict__"):
        return 1
    return 1 + weight(thing.__dict__, seen)


class KeyedBench(Bench):
    """A Bench whose ends have keys; None: that end has none."""

    def __init__(self, seed=1, keys=(KEY, KEY), options=None, line=None):
        self.keys = list(keys)
        self.said = ([], [])  # what each end has put on its wire, the first 300
        Bench.__init__(self, seed, options, line)
        for i in range(2):
            self.line.wires[i].script = self._recorder(self.said[i])

    def _recorder(self, said):
        def hear(index, data):
            if len(said) < 300:
                said.append(bytes(data))
            return data

        return hear

    def _make(self, i, random):
        arguments = {"window": 8}
        arguments.update(self.options[i])
        epoch, seed, nonces = random.next(), random.next(), Random(random.next())
        if self.keys[i]:
            arguments["auth"] = Auth(self.keys[i], nonces.next)
        return Link(11 + i, epoch, Random(seed), self.apps[i], **arguments)

    def inject(self, i, data):
        """Let end i hear `data` now."""
        line = self.line
        line.side = i
        data = bytearray(data)
        line.links[i].feed(data, len(data), line.now())
        line.wake[i] = line.now_us

    def flood(self, i, frames, every_us, for_us, at=0):
        """Inject one of `frames` after the other at end i, from the first one on again."""
        self.inject(i, frames[at % len(frames)])
        if for_us > every_us:
            self.line.at(
                every_us, lambda: self.flood(i, frames, every_us, for_us - every_us, at + 1)
            )

    def take(self, i):
        """Return what end i says now, b"" if nothing."""
        line = self.line
        line.side = i
        return bytes(line.out[: line.links[i].take(line.out, line.now())])

    def stats(self, i):
        return self.line.links[i].stats

    def helos(self, lives):
        """Return the HELO of both ends, a list each, from `lives` sessions before this one."""
        for said in self.said:
            del said[:]
        for k in range(lives):
            self.line.restart(k & 1)
            self.line.run(30)
            assert self.line.until(self.line.up, 5000)
        self.line.restart(0)
        self.line.restart(1)
        found = [[data for data in said if is_helo(data)] for said in self.said]
        self.line.run(30)
        assert self.line.until(self.line.up, 5000)
        return found

    def fix_epochs(self, i, numbers):
        """Restart end i with a generator that gives just these numbers; its nonces are new."""
        self.line.restart(i)
        numbers = list(numbers)
        self.line.links[i]._session._random.next = lambda: numbers.pop(0)
