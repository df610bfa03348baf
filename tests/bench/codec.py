# SPDX-License-Identifier: MIT
"""The codec's part: a frame made and taken apart again, beside C; and on the VM beside a CRC-32.

Rules: as in measure.py. Packets are what links send: a header, then random bytes. Ours goes
through what limpet.frame calls. What stands beside is how one would write a codec with the `cobs`
package and binascii: a function for each way, bytes in and bytes out. Both look at the check.
"""

from __future__ import annotations

import random
from binascii import crc_hqx

from layout import Trouble
from limpet import port

from .bus_peers import need
from .measure import BURST, Pair

START = 0x5A5A
_BURSTS = {32: 60, 200: 20}  # of one measurement: some 10 ms


def packets(size: int) -> list[bytes]:
    """Return the packets of a burst: their first bytes differ, the last ones are random."""
    chance = random.Random(size)
    return [
        bytes((number, 0x42, number, number >> 2)) + chance.randbytes(size - 4)
        for number in range(1, BURST + 1)
    ]


class _Codec:
    """What both have in common."""

    readers = 1

    def left(self) -> int:
        """Nothing is ever left."""
        return 0

    def close(self) -> None:
        """There is nothing to give back."""


class Ours(_Codec):
    """Our own, from buffer to buffer."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.packets = [bytearray(packet) for packet in packets(size)]
        self.out = bytearray(size + 6)

    def __call__(self, count: int) -> int:
        """Do the work."""
        total = 0
        size, out = self.size, self.out
        seal, unseal = port.seal, port.unseal
        for _ in range(count // BURST):
            for packet in self.packets:
                if unseal(out, seal(out, 0, packet, size, START) - 1, START) != size:
                    raise Trouble("our codec does not give back what it was given.")
                total += out[0]
        return total


class C(_Codec):
    """COBS and CRC in C."""

    def __init__(self, size: int) -> None:
        self.packets = packets(size)
        cobs = need("cobs.cobs", "cobs")
        encode, decode = cobs.encode, cobs.decode

        def seal(packet: bytes) -> bytes:
            return encode(packet + crc_hqx(packet, START).to_bytes(2, "big")) + b"\0"

        def unseal(frame: bytes) -> bytes | None:
            packet = decode(frame)
            return None if crc_hqx(packet, START) else packet[:-2]

        self.seal, self.unseal = seal, unseal

    def __call__(self, count: int) -> int:
        """Do the work."""
        total = 0
        seal, unseal = self.seal, self.unseal
        for _ in range(count // BURST):
            for packet in self.packets:
                found = unseal(seal(packet)[:-1])
                if found is None:
                    raise Trouble("COBS and CRC in C do not give back what they were given.")
                total += found[0]
        return total


def pairs(quick: bool) -> list[Pair]:
    """Return the pairs that are measured on CPython."""
    return [
        Pair(f"codec.{size}B.vs_c", Ours(size), C(size), *(2 * [BURST * (1 if quick else bursts)]))
        for size, bursts in _BURSTS.items()
    ]
