# SPDX-License-Identifier: MIT
"""The codec's figure on MicroPython; run by bus_vm.py, which has compiled it as for a board.

Rules: as in measure.py. `ROUNDS COUNT` prints a line `ours crc32` for each round: microseconds per
frame of 200 bytes, made and taken apart again with its check, and for a CRC-32 of as many bytes.
"""

import gc
import sys
import time
from binascii import crc32

from limpet import port

SIZE = 200
BURST = 64
START = 0x5A5A


def packets():
    """Return the packets of a burst: each begins with its number, few bytes are zero."""
    seed = 1
    made = []
    for number in range(1, BURST + 1):
        packet = bytearray(SIZE + 2)
        for i in range(SIZE):
            seed = seed * 1103515 + 12345 & 0xFFFFFF
            packet[i] = seed >> 11 & 255
        packet[0] = number
        made.append(packet)
    return made


def frames(made, count):
    """Make frames and take them apart."""
    total = 0
    out = bytearray(SIZE + 8)
    seal, unseal = port.seal, port.unseal
    for _ in range(count // BURST):
        for packet in made:
            if unseal(out, seal(out, 0, packet, SIZE, START) - 1, START) != SIZE:
                raise ValueError("the codec does not give back what it was given")
            total += out[0]
    return total


def checks(made, count):
    """Take the CRC-32 of as much."""
    total = 0
    for _ in range(count // BURST):
        for packet in made:
            crc32(packet)
            total += packet[0]
    return total


def timed(work, made, count):
    """Return the microseconds that one takes."""
    gc.collect()
    start = time.ticks_us()
    total = work(made, count)
    took = time.ticks_diff(time.ticks_us(), start)
    if total != count // BURST * (BURST * (BURST + 1) // 2):
        raise ValueError("the sum of what was read is wrong")
    return took / count


def main(rounds, count):
    """Measure by turns."""
    made = packets()
    timed(frames, made, BURST)
    timed(checks, made, BURST)
    for _ in range(rounds):
        print(timed(frames, made, count), timed(checks, made, count))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
