# SPDX-License-Identifier: MIT
"""CRC-16, COBS and frames on CPython: `find`, slices, struct and binascii do the work.

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


def cobs_encode(
    target: bytearray, ti: int, source: bytes | bytearray | memoryview, count: int
) -> int:
    """Encode source[0:count] into `target` from `ti` on and end it with the delimiter 0x00.

    target: not `source`, with room for count + count // 254 + 2 bytes.
    Returns the bytes written, delimiter included.
    """
    if count > _RUN:
        return _encode_long(target, ti, source, count)
    # The data moves in behind one code byte; then each zero in it becomes the way to the next.
    data = source[:count]
    end = ti + count + 1
    target[ti + 1 : end] = data
    target[end] = 0
    if 0 in data:
        ti = _link_zeros(target, ti, end)
    target[ti] = end - ti
    return count + 2


def _link_zeros(target: bytearray, ti: int, end: int) -> int:
    """Turn the zeros in target[ti + 1 : end] into code bytes; return where the last one is."""
    zero = target.find(0, ti + 1)  # there is one at `end`
    while zero < end:
        target[ti] = zero - ti
        ti = zero
        zero = target.find(0, ti + 1)
    return ti


def _encode_long(
    target: bytearray, ti: int, source: bytes | bytearray | memoryview, count: int
) -> int:
    """Encode what may need several blocks, run by run."""
    data = bytes(source[:count])
    out = ti
    start = 0
    while True:
        end = data.find(0, start, start + _RUN)
        if end < 0:
            end = min(start + _RUN, count)
        size = end - start
        target[out] = size + 1
        out += 1
        target[out : out + size] = data[start:end]
        out += size
        if end == count:
            target[out] = 0
            return out + 1 - ti
        start = end if size == _RUN else end + 1


def seal(out: bytearray, at: int, packet: bytes | bytearray, size: int, start: int) -> int:
    """Build the frame of packet[0:size] in out[at:]: COBS of it and its check, then 0x00.

    start: what the check, a CRC-16 sent inverted with its high byte first, starts at.
    out: not `packet`, with room for size + (size + 2) // 254 + 4 bytes. Returns the bytes written.
    """
    data = packet[:size]
    check = crc_hqx(data, start) ^ 0xFFFF
    if size > _SHORT:
        data = data + check.to_bytes(2, "big")
        return cobs_encode(out, at, data, size + 2)
    _PUT[size](out, at, size + 3, data, check, 0)
    if 0 in data or check < 256 or not check & 255:
        # As _link_zeros, without the call.
        end = at + size + 3
        zero = out.find(0, at + 1)
        while zero < end:
            out[at] = zero - at
            at = zero
            zero = out.find(0, at + 1)
        out[at] = end - at
    return size + 4


def unseal(buf: bytearray, count: int, start: int) -> int:
    """Decode the frame buf[0:count], without its delimiter, in place, and check it.

    start: what the check starts at. Returns the size of the packet if the check is right; -n if n
    bytes were decoded, packet and check, and it is wrong; -1 if this is no frame.
    """
    if not 2 < count < 256:
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
    count = cobs_decode(buf, count)
    if count < 2:
        return -1
    return count - 2 if crc_hqx(buf[:count], start) == _RESIDUE else -count


def cobs_decode(buf: bytearray, count: int) -> int:
    """Decode buf[0:count], which holds no delimiter, in place.

    Returns the decoded size, or -1 if it is no legal COBS (buf[0:count] is then spoilt).
    """
    code = 0
    while code < count:
        size = buf[code]
        if size == 255 and code + 255 < count:
            return _decode_long(buf, code, count)
        if not size:
            return -1
        buf[code] = 0
        code += size
    if code != count:
        return -1
    if not count:
        return 0
    count -= 1
    buf[:count] = buf[1:code]
    return count


def _decode_long(buf: bytearray, code: int, count: int) -> int:
    """Go on from a full block at `code`, behind which no zero stands; before it all is zeroed."""
    size = buf[code]
    if code:
        buf[code] = 0
        buf[:code] = buf[1 : code + 1]
    out = code
    while size:
        start = code + 1
        code += size
        if code > count:
            return -1
        buf[out : out + size - 1] = buf[start:code]
        out += size - 1
        if code == count:
            return out
        if size < 255:
            buf[out] = 0  # at most the code byte of the block just moved, or before it
            out += 1
        size = buf[code]
    return -1
