# SPDX-License-Identifier: MIT
"""Block copy, CRC-16 and frames without viper (WebAssembly, small ports): byte by byte.

Rules: nothing allocates; every intermediate number stays a small int of a 32-bit VM.
"""


def copy(target, ti: int, source, si: int, count: int) -> None:  # hot:
    """Copy source[si:si+count] over target[ti:ti+count]; both must have that many. May overlap."""
    if ti > si:
        while count > 0:
            count -= 1
            target[ti + count] = source[si + count]
    else:
        while count > 0:
            target[ti] = source[si]
            ti += 1
            si += 1
            count -= 1


def store(target, source) -> int:  # hot:
    """Copy the whole of `source` to the start of `target`.

    Returns its size, or -1 if it does not fit.
    """
    size = len(source)
    if size > len(target):
        return -1
    for i in range(size):
        target[i] = source[i]
    return size


def crc16(buf, start: int, end: int, seed: int) -> int:  # hot:
    """Return the CRC-16 (polynomial 0x1021, high bit first, no final xor) of buf[start:end]."""
    while start < end:
        # The eight steps of a byte at once: so few terms need no table.
        x = (seed >> 8) ^ buf[start]
        x ^= x >> 4
        seed = ((seed << 8) ^ (x << 12) ^ (x << 5) ^ x) & 0xFFFF
        start += 1
    return seed


def seal(out, at: int, packet, size: int, start: int) -> int:  # hot:
    """Build the frame of packet[0:size] in out[at:]: COBS of it and its check, then 0x00.

    start: what the check, a CRC-16 sent inverted with its high byte first, starts at.
    out: not `packet`, with room for size + (size + 2) // 254 + 4 bytes. Returns the bytes written.
    """
    start = crc16(packet, 0, size, start) ^ 0xFFFF
    size = _encode(out, at, packet, size)
    size = _append(out, at, size, start >> 8)
    size = _append(out, at, size, start & 255)
    out[size] = 0
    return size + 1 - at


def _encode(out, at: int, packet, size: int) -> int:  # hot:
    """Encode packet[0:size] into out[at:]; return its end."""
    code = at  # where the code byte of the block at hand goes
    at += 1
    i = 0
    while i < size:
        if at - code == 255:  # the block is full and there is more: close it, no zero meant
            out[code] = 255
            code = at
            at += 1
        out[at] = packet[i]
        if not out[at]:
            out[code] = at - code
            code = at
        at += 1
        i += 1
    out[code] = at - code
    return at


def _append(out, at: int, end: int, x: int) -> int:  # hot:
    """Add a byte to what out[at:end] encodes; return its end."""
    while at + out[at] < end:
        at += out[at]
    if out[at] == 255:  # the block is full: no zero meant
        out[end] = 1
        at = end
        end += 1
    if x:
        out[end] = x
        out[at] += 1
    else:
        out[end] = 1
    return end + 1


def unseal(buf, count: int, start: int) -> int:  # hot:
    """Decode the frame buf[0:count], without its delimiter, in place, and check it.

    start: what the check starts at. Returns the size of the packet if the check is right; -n if n
    bytes were decoded, packet and check, and it is wrong; -1 if this is no frame.
    """
    count = _decode(buf, count)
    if count < 2:
        return -1
    if crc16(buf, 0, count, start) == 0x1D0F:  # what a packet with its inverted check comes to
        return count - 2
    return -count


def _decode(buf, count: int) -> int:  # hot:
    """Decode buf[0:count] in place; return the decoded size, -1 if it is no legal COBS."""
    out = 0
    i = 0
    while i < count:
        size = buf[i]
        end = i + size
        if size == 0 or end > count:
            return -1
        i += 1
        while i < end:
            buf[out] = buf[i]
            out += 1
            i += 1
        if size < 255 and end < count:
            buf[out] = 0
            out += 1
    return out
