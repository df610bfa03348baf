# SPDX-License-Identifier: MIT
"""CRC-16 and COBS on CPython: `find`, slices and binascii do the work, not a loop over bytes.

Rules: every input, legal or not, gets the answer that the codecs of the other ports give. COBS as
in Cheshire & Baker: a block is a code byte 1..255 and code - 1 bytes that are not zero; every
block but a 255 and the last one stands for a zero behind it. A full run at the end gets no empty
block.
"""

from binascii import crc_hqx

_RUN = 254  # bytes that are not zero in one block, at most


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
    end = ti + count + 1
    target[ti + 1 : end] = source[:count]
    code = ti
    zero = target.find(0, ti + 1, end)
    while zero >= 0:
        target[code] = zero - code
        code = zero
        zero = target.find(0, code + 1, end)
    target[code] = end - code
    target[end] = 0
    return count + 2


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
    buf[: count - 1] = buf[1:count]
    return count - 1


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
