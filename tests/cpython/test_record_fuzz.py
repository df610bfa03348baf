# SPDX-License-Identifier: MIT
"""Records of a broken or hostile peer: nothing raises, nothing leaks, everything is counted."""

import pytest

from helpers_bus import Pair, Reader
from limpet import record
from limpet.limpet import Limpet
from limpet.rand import Random
from limpet.record import Cursor

PAYLOAD_MAX = 251
SEEDS = range(8)


class Target:
    """A joined side that has bindings, requests out and requests in, and its neighbour."""

    def __init__(self, seed: int) -> None:
        self.pair = Pair(seed=seed, a={"slot_count": 24, "name_count": 40, "binding_count": 20})
        self.near = Reader(self.pair.buses[0], ["$.*", "$.A.B"], ["$.Near.*"], 8)
        self.far = Reader(self.pair.buses[1], ["$.News"], ["$.Far"], 8)
        self.pair.connect()
        self.limpet: Limpet = self.pair.limpets[0]
        self.serials: list[int] = []

    def traffic(self) -> None:
        """Have some requests out, so that answers may hit them."""
        try:
            self.serials.append(self.near.ks.request("$.Far", b"?", 200))
            self.near.ks.announce("$.News", b"x")
        except OSError:
            pass

    def give(self, payload: bytes) -> int:
        """Have the limpet receive a payload; return how much its counters have moved."""
        before = sum(vars(self.limpet.stats).values())
        buf = bytearray(b"\xaa\xaa\xaa\xaa" + payload + b"\xbb\xbb")
        self.limpet.receive(buf, 4, 4 + len(payload))
        return int(sum(vars(self.limpet.stats).values())) - before

    def read(self) -> None:
        """Take what came; answer what is to be answered."""
        for message in self.near.read():
            if message.wants_reply:
                self.near.ks.reply(message, message.data)
        for message in self.far.read():
            if message.wants_reply:
                self.far.ks.reply(message, b"!")

    def finish(self) -> None:
        """All requests have ended once, the link works, nothing is left."""
        for _ in range(40):
            self.pair.run(20)
            self.read()
        for serial in self.serials:
            assert self.near.answer(serial)[0] != "", f"request {serial} has no end"
        assert self.pair.limpets[0].link.stats.sessions == 1
        self.pair.close()
        assert self.pair.leaks() == ""


def random_payload(random: Random) -> bytes:
    """Return bytes without any sense, or with a head that has some."""
    size = 1 + random.below(24 if random.below(4) else PAYLOAD_MAX)
    data = bytearray(random.below(256) for _ in range(size))
    if random.below(2):
        data[0] = random.below(4) << 5 | random.below(6)
    return bytes(data)


def number(random: Random) -> int:
    return random.next() >> random.below(30)


def put_text(cursor: Cursor, random: Random) -> None:
    texts = (b"A.B", b"Near.X", b"*", b"Far", b"", b"a..b", b"\xff\xfe", b"News", b"N.%", b"$.A")
    for b in texts[random.below(len(texts))] + (b"%d" % random.below(30)) * random.below(2):
        cursor.put(b)


def put_body(cursor: Cursor, random: Random, kind: int) -> int:
    """Put a record's fields, mostly right; return the low bits of its head."""
    if kind == record.CONTROL:
        operation = random.below(7)
        if operation == record.CONTEXT:
            cursor.put(random.below(36))
            cursor.put_varint(number(random))
        put_text(cursor, random)
        return operation
    flag = random.below(2)
    if kind == record.ANSWER:
        cursor.put(random.below(40))
        if flag:
            cursor.put(random.below(16))
            cursor.put(random.below(256))
            return flag
    cursor.put(random.below(34))
    cursor.put_varint(number(random))
    if kind == record.REQUEST:
        cursor.put(random.below(256))
        if flag:
            cursor.put_varint(number(random))
    for _ in range(random.below(8)):
        cursor.put(random.below(256))
    return flag


def likely_payload(random: Random) -> bytes:
    """Return records that are nearly right."""
    buf = bytearray(PAYLOAD_MAX)
    cursor = Cursor()
    at = 0
    for _ in range(1 + random.below(5)):
        cursor.over(buf, at + 2, min(at + 60, PAYLOAD_MAX))
        kind = random.below(4) << 5
        low = put_body(cursor, random, kind)
        buf[at] = record.LENGTH | kind | low
        buf[at + 1] = cursor.i - at - 2
        at = cursor.i
    return bytes(buf[:at])


def mutated(data: bytes, random: Random) -> bytes:
    """Return a payload with a few changes, cut or lengthened."""
    changed = bytearray(data)
    for _ in range(random.below(4)):
        changed[random.below(len(changed))] = random.below(256)
    if random.below(3) == 0:
        del changed[1 + random.below(len(changed)) :]
    if random.below(4) == 0:
        changed += bytes(random.below(256) for _ in range(random.below(12)))
    return bytes(changed[:PAYLOAD_MAX])


@pytest.mark.parametrize("seed", SEEDS)
def test_random_and_mutated_records(seed: int) -> None:
    """Whatever comes: no exception, every payload moves a counter or a binding, no leak."""
    target = Target(seed)
    random = Random(1000 + seed)
    seen: list[bytes] = []
    fill = target.pair.limpets[1].outbox.fill

    def spy(buf: bytearray, start: int, end: int) -> int:
        size = fill(buf, start, end)
        if size:
            seen.append(bytes(buf[start : start + size]))
        return int(size)

    target.pair.limpets[1].outbox.fill = spy
    for i in range(1500):
        choice = random.below(4)
        if choice == 0:
            payload = random_payload(random)
        elif choice == 1 or not seen:
            payload = likely_payload(random)
        elif choice == 2:
            payload = mutated(likely_payload(random), random)
        else:
            payload = mutated(seen[random.below(len(seen))], random)
        target.give(payload)
        if i % 5 == 0:
            target.traffic()
        if i % 3 == 0:
            target.pair.run(1 + random.below(10))
            target.read()
    assert target.limpet.stats.bad > 100
    assert target.limpet.stats.late > 10
    target.finish()


@pytest.mark.parametrize(
    "payload",
    [
        b"\x80",  # a head that promises a length
        b"\x80\x05",  # a length with nothing behind it
        b"\x80\x05\x01",  # less than the length says
        b"\x00",  # announcements cut off
        b"\x00\x01",
        b"\x00\x01\x80",
        b"\x20\x01\x01",  # a request without a tag
        b"\x60",  # controls: none, unknown, without an end
        b"\x7f",
        b"\x61",
        b"\x61\x01",
        b"\x61\x01\x80",
        b"\x61\x01\x01",  # a context without a name
        b"\x61\x01\x01a..b",
        b"\x61\x20\x01Name",  # a context beyond the table
        b"\x62",  # bindings without a name, or with a wrong one
        b"\x62a b",
        b"\x64*x",
        b"\x64\xff",
        b"\x62" + b"a" * 250,  # the longest name: it is good
        b"\x63Never",  # unbind what is not bound
        b"\x65Never",
        b"\x40",  # answers: no tag, a tag that is not in use
        b"\x40\x07\x01\x01",
        b"\x41\x07\x01\x00",
        b"\x41\xff\x01\x00",
    ],
)
def test_each_is_counted(payload: bytes) -> None:
    """A record that can't be right moves a counter; what a good one does can be seen."""
    target = Target(1)
    moved = target.give(payload)
    if payload.startswith(b"\x62a") and len(payload) > 200:
        assert [b.text for b in target.pair.buses[0].bindings.all() if len(b.text) > 200]
    else:
        assert moved > 0
    target.finish()


def test_a_request_with_garbage_still_ends() -> None:
    """Its deadline is cut off, its context unknown or its name denied: the asker is told."""
    for body, errno in (
        (b"\x21\x00\x01\x05\xff\xff", b"J"),  # EBADMSG
        (b"\x21\x00\x01\x05\xff\xff\xff\xff\x7f", b"J"),
        (b"\x20\x1f\x01\x05data", b"c"),  # EADDRNOTAVAIL
        (b"\x20\xee\x01\x05data", b"c"),
        (b"\x20\x00\x01\x05" + b"x" * 200, b"Z"),  # EMSGSIZE
    ):
        target = Target(2)
        target.give(b"\xe1\x08\x00\x01Near.A")
        target.give(body)
        out = bytearray(64)
        size = target.limpet.fill(out, 0, 64)
        assert b"\xc1\x03\x05\x08" + errno in bytes(out[:size])
        target.finish()


def test_a_garbled_answer_still_ends_its_request() -> None:
    """A reply or status that breaks the format: nobody can know, so Link.Lost, and once."""
    for body in (
        b"\x40%c",
        b"\x40%c\x00\xff",
        b"\x40%c\x00\xff\xff\xff\xff\xff",
        b"\x41%c",
        b"\x41%c\x01",
        b"\x41%c\x00\x00",
        b"\x41%c\x63\x00",
    ):
        target = Target(3)
        serial = target.near.ks.request("$.Far", b"?", None)
        target.pair.run(20)
        (tag,) = (i for i, t in enumerate(target.limpet.outbox.tickets) if t.used)
        assert target.give(body % tag) > 0
        assert target.near.answer(serial) == ("Link.Lost", b"")
        assert target.give(b"\x41%c\x01\x00" % tag) > 0  # late: counted, and not seen
        target.near.read()
        assert target.near.answer(serial) == ("Link.Lost", b"")
        target.finish()
