# SPDX-License-Identifier: MIT
"""A second implementation of the wire format, in small: bytes to packets and records, and back.

Rules: written from docs/wire.md alone. Imports nothing of limpet, so that it can't repeat a
mistake of the library's. What breaks the format raises Bad with a sentence. No state but a
Splitter's: what a whole talk must keep to is in wire_talk.py.
"""

import hashlib
import struct
from collections import namedtuple


class Bad(Exception):
    """The bytes break the format."""


# Frames: docs/wire.md section 1


def _table():
    rows = []
    for value in range(256):
        value <<= 8
        for _ in range(8):
            value = (value << 1) ^ (0x1021 if value & 0x8000 else 0)
        rows.append(value & 0xFFFF)
    return rows


_TABLE = _table()


def crc(data, start):
    """Return the check of `data`."""
    for b in data:
        start = (start << 8 & 0xFF00) ^ _TABLE[start >> 8 ^ b]
    return start ^ 0xFFFF


def is_right(frame, start):
    """Return whether the last two bytes of a decoded frame are the check of those before."""
    return len(frame) > 2 and crc(frame[:-2], start) == frame[-2] << 8 | frame[-1]


def cobs(data):
    """Return `data` without zeros: blocks of a code byte and code - 1 bytes."""
    out = bytearray()
    block = bytearray()
    for i, b in enumerate(data):
        if b:
            block.append(b)
        if not b or (len(block) == 254 and i + 1 < len(data)):
            out.append(len(block) + 1)
            out += block
            block = bytearray()
    if len(block) or not data or data[-1] == 0:
        out.append(len(block) + 1)
        out += block
    return bytes(out)


def uncobs(run):
    """Return what cobs() was given."""
    out = bytearray()
    at = 0
    while at < len(run):
        code = run[at]
        if at + code > len(run):
            raise Bad("a block ends behind its run")
        out += run[at + 1 : at + code]
        at += code
        if code < 255 and at < len(run):
            out.append(0)
    return bytes(out)


def frame(packet, start, trailer=b""):
    """Return a packet's frame on the wire. start: 0xFFFF for a HELO, else the session's."""
    body = bytes(packet) + trailer
    return cobs(body + struct.pack(">H", crc(body, start))) + b"\x00"


def session_start(sender, receiver):
    """Return what checks of frames from `sender` to `receiver` (session epochs) start at."""
    word = (sender ^ receiver) & 0xFFFF
    return 0xFFFF ^ word if sender < receiver else word


class Splitter:
    """Cuts a stream into runs without a delimiter; empty ones mean nothing."""

    def __init__(self):
        self._rest = b""

    def push(self, data):
        """Return the runs that `data` completes."""
        runs = (self._rest + bytes(data)).split(b"\x00")
        self._rest = runs[-1]
        return [run for run in runs[:-1] if run]


# Packets: sections 2 to 5

Helo = namedtuple(
    "Helo",
    (
        "direction version flags node node_epoch epoch echo packet_size slots every delay_ms "
        "silence_ms text nonce echo_nonce signed mac rest"
    ),
)
Null = namedtuple("Null", ("direction", "probe", "twice", "ack", "credit", "bits"))
Data = namedtuple("Data", ("direction", "bulk", "service", "seq", "ack", "payload"))
Mfmt = namedtuple("Mfmt", ("direction", "payload"))

NEED, PROBE, CLOSE, STREAM, KEYED, COUNTED = 1, 2, 4, 8, 16, 32
NULL, HELO, LIMPET = 0, 1, 2
BULK, RELIABLE = 0x80, 0x40
_HELO = ">B4I4BHB"
_HELO_SIZE = 27
_NONCE = 8
_MAX30 = 0x3FFFFFFF


def parse(packet):
    """Return a packet as one of the tuples above. seq and ack of an unreliable one are None."""
    if not 1 <= len(packet) <= 255:
        raise Bad("a packet of %d bytes" % len(packet))
    if packet[0] & 0xC0 != 0x80:
        raise Bad("a packet that must not be sent")
    if packet[0] & 0x18:
        raise Bad("OVRN or EROR is set")
    direction = packet[0] & 7
    if packet[0] & 0x20:
        return Mfmt(direction, bytes(packet[1:]))
    if len(packet) < 2:
        raise Bad("a service packet of one byte")
    service = packet[1] & 0x3F
    if packet[1] == HELO:
        return parse_helo(packet)
    if service == NULL:
        return _parse_null(packet)
    if packet[1] & RELIABLE:
        if len(packet) < 4:
            raise Bad("a reliable packet that is cut off")
        return Data(direction, packet[1] >> 7, service, packet[2], packet[3], bytes(packet[4:]))
    return Data(direction, packet[1] >> 7, service, None, None, bytes(packet[2:]))


def parse_helo(packet):
    """Return a HELO; of one of another version, only the version."""
    if len(packet) < 3:
        raise Bad("a HELO without a version")
    if packet[2] != 1:
        return Helo(*([packet[0] & 7, packet[2]] + [None] * 16))
    if len(packet) < _HELO_SIZE or len(packet) < _HELO_SIZE + packet[26]:
        raise Bad("a HELO that is cut off")
    fields = struct.unpack_from(_HELO, bytes(packet), 3)
    flags, node, node_epoch, epoch, echo, size, slots = fields[:7]
    end = _HELO_SIZE + fields[-1]
    text = bytes(packet[_HELO_SIZE:end])
    nonce = echo_nonce = mac = signed = None
    if flags & KEYED:
        signed = end + 2 * _NONCE
        if len(packet) < signed + 8:
            raise Bad("a HELO without its nonces")
        nonce = bytes(packet[end : end + _NONCE])
        echo_nonce = bytes(packet[end + _NONCE : signed])
        mac = bytes(packet[signed : signed + 8])
        end = signed + 8
        signed = bytes(packet[:signed])
    if max(node, node_epoch, epoch, echo) > _MAX30 or not node or not epoch:
        raise Bad("a HELO with a number that can't be")
    if size < 96 or not slots or slots > 64 or fields[9] < 20:
        raise Bad("a HELO with a limit that can't be")
    return Helo(
        *(
            (packet[0] & 7, 1, flags, node, node_epoch, epoch, echo, size, slots)
            + tuple(fields[7:10])
            + (text, nonce, echo_nonce, signed, mac, bytes(packet[end:]))
        )
    )


def _parse_null(packet):
    if packet[1] & ~0xC0 or len(packet) < 3:
        raise Bad("a null packet that is none")
    bits = []
    for i in range(4, len(packet)):
        bits += [8 * (i - 4) + k for k in range(8) if packet[i] >> k & 1]
    if len(packet) > 12 or (len(packet) > 4 and not packet[-1]):
        raise Bad("a null packet with bytes that tell nothing")
    credit = packet[3] if len(packet) > 3 else None
    return Null(packet[0] & 7, packet[1] >> 7, packet[1] >> 6 & 1, packet[2], credit, tuple(bits))


def helo(
    direction, flags, node, node_epoch, epoch, echo, size, slots, every, delay, silence, text
):
    """Return a HELO packet without what keys add."""
    head = bytes([0x80 | direction, HELO, 1])
    numbers = (flags, node, node_epoch, epoch, echo, size, slots, every, delay, silence)
    return head + struct.pack(_HELO, *(numbers + (len(text),))) + text


def count(number):
    """Return what goes between a packet and its check in a counted session: section 10."""
    return struct.pack(">H", number & 0xFFFF)


# Keys: section 7


def hmac(key, data):
    """Return HMAC-SHA256; the key has at most 64 bytes."""
    key = key + bytes(64 - len(key))
    inner = hashlib.sha256(bytes([b ^ 0x36 for b in key]) + data).digest()
    return hashlib.sha256(bytes([b ^ 0x5C for b in key]) + inner).digest()


def sign_helo(key, packet, nonce, echo_nonce):
    """Return a HELO packet with what keys add."""
    packet = packet + nonce + echo_nonce
    return packet + hmac(key, packet)[:8]


def way_keys(key, one, other):
    """Return the keys of frames from `one` to `other` and back; each is (epoch, nonce)."""
    low, high = (one, other) if one[0] < other[0] else (other, one)
    seed = b"limpet 1"
    for epoch, nonce in (low, high):
        seed += struct.pack(">I", epoch) + nonce
    seed = hmac(key, seed)
    up, down = hmac(seed, b"<"), hmac(seed, b">")
    return (up, down) if low is one else (down, up)


def trailer(way_key, counter, packet):
    """Return what goes between a packet and its check in a keyed session."""
    mac = hmac(way_key, struct.pack(">I", counter) + bytes(packet))[:8]
    return struct.pack(">H", counter & 0xFFFF) + mac


# Records: section 6

Record = namedtuple(
    "Record", ("kind", "open", "context", "number", "tag", "ms", "code", "errno", "text", "data")
)
_CONTROLS = ("", "context", "listen", "unlisten", "replier", "unreplier", "piece", "last")


def varint(value):
    """Return a number, seven bits a byte."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


class _Fields:
    """Reads a record's fields one after another."""

    def __init__(self, data):
        self.data = data
        self.at = 0

    def byte(self):
        if self.at >= len(self.data):
            raise Bad("a record that is cut off")
        self.at += 1
        return self.data[self.at - 1]

    def number(self):
        value = shift = 0
        while True:
            b = self.byte()
            value |= (b & 0x7F) << shift
            if value > _MAX30 or shift > 28:
                raise Bad("a number of more than 30 bits")
            if b < 0x80:
                return value
            shift += 7

    def rest(self):
        return bytes(self.data[self.at :])


def parse_record(head, body, is_open):
    """Return a record. is_open: it has no length and runs to the end of its frame."""
    fields = _Fields(body)
    context = number = tag = ms = code = errno = None
    text = ""
    kind = head >> 5 & 3
    bits = head & 31
    if kind == 3:
        kind = _CONTROLS[bits] if bits < len(_CONTROLS) else ""
        if not kind:
            raise Bad("control record %d" % bits)
        if kind == "context":
            context, number = fields.byte(), fields.number()
        if kind not in ("piece", "last"):
            text = "$." + fields.rest().decode()
            fields.at = len(body)
    elif bits > (0, 1, 1)[kind]:
        raise Bad("reserved bits of a record are set")
    elif kind == 2:
        tag = fields.byte()
        if bits:
            kind = "status"
            code, errno = fields.byte(), fields.byte()
        else:
            kind = "reply"
            context, number = fields.byte(), fields.number()
    else:
        context, number = fields.byte(), fields.number()
        if kind == 1:
            tag = fields.byte()
            ms = fields.number() if bits else None
        kind = ("announcement", "request")[kind]
    return Record(kind, is_open, context, number, tag, ms, code, errno, text, fields.rest())


def parse_records(payload):
    """Return the records of one frame."""
    found = []
    at = 0
    while at < len(payload):
        head = payload[at]
        if not head & 0x80:
            found.append(parse_record(head, payload[at + 1 :], True))
            break
        if at + 2 > len(payload) or at + 2 + payload[at + 1] > len(payload):
            raise Bad("a record that is longer than its frame")
        end = at + 2 + payload[at + 1]
        found.append(parse_record(head & 0x7F, payload[at + 2 : end], False))
        at = end
    return found


def record(head, body):
    """Return a record with its length, so that another one may follow."""
    return bytes([head | 0x80, len(body)]) + body


def control(operation, text, fields=b""):
    """Return a control record of a name or pattern."""
    return record(0x60 | operation, fields + text[2:].encode())
