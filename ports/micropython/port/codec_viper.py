# SPDX-License-Identifier: MIT
"""Block copy, CRC-16 and frames as machine code.

Rules: nothing allocates. Nothing checks a bound: the caller has validated every index and count;
unseal alone may be given bytes from a wire. The answers are those of codec_plain.py.
"""

import micropython


@micropython.viper
def copy(target, ti: int, source, si: int, count: int):  # hot:
    """Copy source[si:si+count] over target[ti:ti+count]; both must have that many. May overlap."""
    t = ptr8(target)  # noqa: F821
    s = ptr8(source)  # noqa: F821
    if ti > si:
        while count > 0:
            count -= 1
            t[ti + count] = s[si + count]
    else:
        for i in range(count):
            t[ti + i] = s[si + i]


@micropython.viper
def store(target, source) -> int:  # hot:
    """Copy the whole of `source` to the start of `target`.

    Returns its size, or -1 if it does not fit.
    """
    size = int(len(source))
    if size > int(len(target)):
        return -1
    if size:
        int(source[0])  # raises for text, which has a buffer here; quicker than isinstance
    t = ptr8(target)  # noqa: F821
    s = ptr8(source)  # noqa: F821
    i = 0
    if not (int(t) | int(s)) & 3:  # both are aligned: by words, as far as there are whole ones
        tw = ptr32(target)  # noqa: F821
        sw = ptr32(source)  # noqa: F821
        words = size >> 2
        while i < words:
            tw[i] = sw[i]
            i += 1
        i = words << 2
    while i < size:
        t[i] = s[i]
        i += 1
    return size


@micropython.viper
def crc16(buf, start: int, end: int, seed: int) -> int:  # hot:
    """Return the CRC-16 (polynomial 0x1021, high bit first, no final xor) of buf[start:end]."""
    p = ptr8(buf)  # noqa: F821
    while start < end:
        # The eight steps of a byte at once: so few terms need no table.
        x = (seed >> 8) ^ p[start]
        x ^= x >> 4
        seed = ((seed << 8) ^ (x << 12) ^ (x << 5) ^ x) & 0xFFFF
        start += 1
    return seed


@micropython.viper
def seal(out, at: int, packet, size: int, start: int) -> int:  # hot:
    """Build the frame of packet[0:size] in out[at:]: COBS of it and its check, then 0x00.

    start: what the check, a CRC-16 sent inverted with its high byte first, starts at.
    out: not `packet`, with room for size + (size + 2) // 254 + 4 bytes. Returns the bytes written.
    """
    t = ptr8(out)  # noqa: F821
    s = ptr8(packet)  # noqa: F821
    code = at  # where the code byte of the block at hand goes
    to = at + 1
    i = 0
    left = size + 2
    while left:
        if i < size:
            x = s[i]
            i += 1
            y = (start >> 8) ^ x
            y ^= y >> 4
            start = ((start << 8) ^ (y << 12) ^ (y << 5) ^ y) & 0xFFFF
        else:  # the check itself, byte by byte
            x = (start >> 8) ^ 0xFF
            start = (start << 8) & 0xFF00
        left -= 1
        if to - code == 255:  # the block is full and there is more: close it, no zero meant
            t[code] = 255
            code = to
            to += 1
        if x:
            t[to] = x
        else:
            t[code] = to - code
            code = to
        to += 1
    t[code] = to - code
    t[to] = 0
    return to + 1 - at


@micropython.viper
def unseal(buf, count: int, start: int) -> int:  # hot:
    """Decode the frame buf[0:count], without its delimiter, in place, and check it.

    start: what the check starts at. Returns the size of the packet if the check is right; -n if n
    bytes were decoded, packet and check, and it is wrong; -1 if this is no frame.
    """
    p = ptr8(buf)  # noqa: F821
    out = 0
    i = 0
    while i < count:
        size = p[i]
        end = i + size
        if size == 0 or end > count:
            return -1
        i += 1
        while i < end:
            x = p[i]
            p[out] = x
            out += 1
            i += 1
            x ^= start >> 8
            x ^= x >> 4
            start = ((start << 8) ^ (x << 12) ^ (x << 5) ^ x) & 0xFFFF
        if size < 255 and end < count:
            p[out] = 0
            out += 1
            x = start >> 8
            x ^= x >> 4
            start = ((start << 8) ^ (x << 12) ^ (x << 5) ^ x) & 0xFFFF
    if out < 2:
        return -1
    if start == 0x1D0F:  # what the CRC of a packet with its inverted check comes to
        return out - 2
    return 0 - out
