# SPDX-License-Identifier: MIT
"""CRC-16 and frames on CPython: `find`, slices, struct and binascii do the work.

Rules: every input, legal or not, gets the answer that the codecs of the other ports give. COBS as
in Cheshire & Baker: a block is a code byte 1..255 and code - 1 bytes that are not zero; every
block but a 255 and the last one stands for a zero behind it. A full run at the end gets no empty
block.
"""

from binascii import crc_hqx
from struct import Struct

_RUN = 254  # bytes that are not zero in one block, at most
_SHORT = _RUN - 2  # packets up to this are one block with their check, if no zero is in them
_RESIDUE = 0x1D0F  # what the CRC of a packet with its check comes to
# By size: puts a code byte, a packet, its check and a delimiter, all at once.
_PUT = [Struct(">B%dsHB" % size).pack_into for size in range(_SHORT + 1)]


def crc16(buf: bytes | bytearray | memoryview, start: int, end: int, seed: int) -> int:
    """Return the CRC-16 (polynomial 0x1021, high bit first, no final xor) of buf[start:end]."""
    return crc_hqx(buf[start:end], seed)


def seal(out: bytearray, at: int, packet: bytes | bytearray, size: int, start: int) -> int:
    """Build the frame of packet[0:size] in out[at:]: COBS of it and its check, then 0x00.

    start: what the check, a CRC-16 sent inverted with its high byte first, starts at.
    out: not `packet`, with room for size + (size + 2) // 254 + 4 bytes. Returns the bytes written.
    """
    data = packet[:size]
    check = crc_hqx(data, start) ^ 0xFFFF
    if size > _SHORT:
        return _encode_long(out, at, bytes(data) + check.to_bytes(2, "big"))
    _PUT[size](out, at, size + 3, data, check, 0)
    if 0 in data or check < 256 or not check & 255:
        # Each zero becomes the way to the next; there is one at the end.
        end = at + size + 3
        zero = out.find(0, at + 1)
        while zero < end:
            out[at] = zero - at
            at = zero
            zero = out.find(0, at + 1)
        out[at] = end - at
    return size + 4


def _encode_long(out: bytearray, at: int, data: bytes) -> int:
    """Encode what may need several blocks, run by run."""
    to = at
    start = 0
    while True:
        end = data.find(0, start, start + _RUN)
        if end < 0:
            end = min(start + _RUN, len(data))
        size = end - start
        out[to] = size + 1
        to += 1
        out[to : to + size] = data[start:end]
        to += size
        if end == len(data):
            out[to] = 0
            return to + 1 - at
        start = end if size == _RUN else end + 1


def unseal(buf: bytearray, count: int, start: int) -> int:
    """Decode the frame buf[0:count], without its delimiter, in place, and check it.

    start: what the check starts at. Returns the size of the packet if the check is right; -n if n
    bytes were decoded, packet and check, and it is wrong; -1 if this is no frame.
    """
    if not 2 < count <= _RUN + 1:
        return _unseal_any(buf, count, start)
    code = buf[0]
    while code < count:
        size = buf[code]
        if not size:
            return -1
        buf[code] = 0
        code += size
    if code != count:
        return -1
    data = buf[1:count]
    count -= 1
    buf[:count] = data
    if crc_hqx(data, start) == _RESIDUE:
        return count - 2
    return -count


def _unseal_any(buf: bytearray, count: int, start: int) -> int:
    """Do so with what is very short, or may have full blocks."""
    data = bytearray()
    end = 0
    while end < count:
        code = end
        end += buf[code]
        if end == code or end > count:
            return -1
        data += buf[code + 1 : end]
        if end - code <= _RUN and end < count:
            data.append(0)
    if len(data) < 2:
        return -1
    buf[: len(data)] = data
    return len(data) - 2 if crc_hqx(data, start) == _RESIDUE else -len(data)
