# SPDX-License-Identifier: MIT
"""The pcapng format, as far as captures of links need it: blocks, and what they hold.

Rules: written little-endian with one section; read in either order of bytes, with any number of
sections and with blocks of any kind between. Only the layout is here, no file is opened.

    block    kind u32, size u32, body and options, size u32        all padded to 4 bytes
    section  0x0A0D0D0A: magic 0x1A2B3C4D, version 1.0, length -1 (unknown)
    link     1: link type 147 (USER0), 0, 0 (no limit); if_name, if_tsresol 3 (ms)
    entry    6: link, time (upper half, lower half), size, size, bytes; epb_flags 1 in, 2 out
"""

import os
import struct
from collections.abc import Iterator
from typing import IO, NamedTuple

_SECTION, _INTERFACE, _PACKET = 0x0A0D0D0A, 1, 6
MAGIC = b"\n\r\r\n"  # what every file begins with: a section's kind, the same in both orders
_ORDER = 0x1A2B3C4D
_LINK_TYPE = 147
_BLOCK_MAX = 1 << 20
# Options: of a section, an interface and a packet.
_USER, _NAME, _RESOLUTION, _FLAGS = 4, 2, 9, 2


class Entry(NamedTuple):
    """A frame, or bytes of which none became."""

    time_ms: int  # since 1970, UTC
    link: str  # its name
    out: bool  # sent by this side
    data: bytes  # with the delimiter, if there was one


class Writer:
    """Makes blocks."""

    def head(self) -> bytes:
        """Return what a file begins with."""
        user = _option(_USER, b"limpet")
        return _block(_SECTION, struct.pack("<IHHq", _ORDER, 1, 0, -1) + user + _option(0, b""))

    def link(self, name: str) -> bytes:
        """Return what tells of a link; they are numbered from 0."""
        options = _option(_NAME, name.encode()) + _option(_RESOLUTION, b"\x03") + _option(0, b"")
        return _block(_INTERFACE, struct.pack("<HHI", _LINK_TYPE, 0, 0) + options)

    def entry(self, index: int, entry: Entry) -> bytes:
        """Return an entry of a link."""
        size = len(entry.data)
        head = struct.pack(
            "<IIIII", index, entry.time_ms >> 32, entry.time_ms & 0xFFFFFFFF, size, size
        )
        options = _option(_FLAGS, struct.pack("<I", 2 if entry.out else 1)) + _option(0, b"")
        return _block(_PACKET, head + _padded(entry.data) + options)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("<HH", code, len(value)) + _padded(value)


def _block(kind: int, body: bytes) -> bytes:
    size = struct.pack("<I", len(body) + 12)
    return struct.pack("<I", kind) + size + body + size


def read(file: IO[bytes], path: str) -> Iterator[Entry]:
    links: list[tuple[str, int] | None] = []  # name and units per second; None: not of ours
    order = "<"
    foreign = ours = 0
    at = 0
    while True:
        head = file.read(8)
        if len(head) < 8:
            break
        if head[:4] == MAGIC:
            magic = file.read(4)
            file.seek(-len(magic), os.SEEK_CUR)
            order = ">" if magic == struct.pack(">I", _ORDER) else "<"
            links = []
        kind, size = struct.unpack(order + "II", head)
        if size < 12 or size % 4 or size > _BLOCK_MAX:
            raise ValueError("%s is damaged: a block of %d bytes at byte %d" % (path, size, at))
        body = file.read(size - 8)
        if len(body) < size - 8:
            break
        if body[-4:] != head[4:]:
            raise ValueError("%s is damaged: the block at byte %d has two sizes" % (path, at))
        at += size
        body = body[:-4]
        try:
            if kind == _INTERFACE:
                links.append(_interface(body, order, len(links)))
            elif kind == _PACKET:
                entry = _packet(body, order, links)
                if entry is None:
                    foreign += 1
                else:
                    ours += 1
                    yield entry
        except (struct.error, IndexError) as e:
            raise ValueError("%s is damaged: the block before byte %d" % (path, at)) from e
    if foreign and not ours:
        raise ValueError("%s has no frames of a link: its link type is not 147 (USER0)" % path)


def _options(data: bytes, order: str) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    at = 0
    while at + 4 <= len(data):
        code, size = struct.unpack_from(order + "HH", data, at)
        if not code:
            break
        found.setdefault(code, data[at + 4 : at + 4 + size])
        at += 4 + size + -size % 4
    return found


def _interface(body: bytes, order: str, index: int) -> tuple[str, int] | None:
    (kind,) = struct.unpack_from(order + "H", body)
    options = _options(body[8:], order)
    name = "_".join(options.get(_NAME, b"").decode(errors="replace").split())
    resolution = options.get(_RESOLUTION, b"\x06")[0]
    units = 1 << (resolution & 127) if resolution & 128 else 10**resolution
    return (name or "link%d" % index, units) if kind == _LINK_TYPE else None


def _packet(body: bytes, order: str, links: "list[tuple[str, int] | None]") -> Entry | None:
    index, high, low, size = struct.unpack_from(order + "IIII", body)
    link = links[index]
    if link is None:
        return None
    options = _options(body[20 + size + -size % 4 :], order)
    (flags,) = struct.unpack(order + "I", options.get(_FLAGS, bytes(4)))
    time_ms = (high << 32 | low) * 1000 // link[1]
    return Entry(time_ms, link[0], flags & 3 == 2, body[20 : 20 + size])
