# SPDX-License-Identifier: MIT
"""Two tiles talk, and a reader that knows nothing but docs/wire.md understands every frame.

Every byte that a side gives to its line goes to the reader, before the line may harm it; so it has
to understand all of them, and to find that all keep to the rules. That it would notice if one did
not is tested with frames that are changed on their way to the reader.
"""

from collections.abc import Callable
from typing import Any

import pytest

import wire_decoder as wire
from helpers_bus import Pair, Reader
from limpet.rand import Random
from wire_net import Datagrams
from wire_talk import Talk

RUN_MS = 3000
KEY = bytes(range(32))
NOISY = {"loss": 0.05, "corrupt": 0.03, "duplicate": 0.03}
SERVICE = 16
Tamper = Callable[[bytes], bytes]


class Heard(Pair):
    """A Pair with a Talk that hears both sides."""

    def __init__(self, talk: Talk, **options: Any) -> None:
        self.talk = talk
        self.tamper: Tamper | None = None
        super().__init__(**options)

    def reset(self, side: int, **options: Any) -> Any:
        if self.drivers[side] is not None:
            self.talk.restarted(side)
        bus = super().reset(side, **options)
        driver = self.drivers[side]
        write = driver._write

        def heard(buf: bytearray, start: int, count: int) -> int:
            n = int(write(buf, start, count))
            data = bytes(buf[start : start + n])
            if self.tamper is not None:
                data = self.changed(side, data)
            self.talk.says(side, data)
            return n

        driver._write = heard
        tile = bus.tile
        tile.channels = (tile.open(SERVICE), tile.mfmt)
        return bus

    def changed(self, side: int, data: bytes) -> bytes:
        """Return a frame as the reader is to hear it."""
        packet = wire.uncobs(data.strip(b"\0"))[:-2]
        if self.tamper is None or packet[0] & 0x20 or packet[1] == wire.HELO:
            return data
        new = self.tamper(packet)
        if new == packet:
            return data
        return wire.frame(new, self.limpets[side].link._session.start_out)


class Busy:
    """Both sides bind, announce, request, answer, and send packets of services, at random."""

    NAMES = ("$.A", "$.A.B", "$.Long.Name.Of.Something", "$.T.X", "$.T.Y")
    LONG = "$." + "Very" * 80 + ".Long"

    def __init__(self, pair: Heard, seed: int, largest: int) -> None:
        self.pair = pair
        self.random = Random(seed)
        self.largest = largest
        self.greedy = False  # all that came is taken at once
        self.bound: list[set[str]] = [set(), set()]
        self.readers = [self.reader(0), self.reader(1)]

    def reader(self, side: int) -> Reader:
        self.bound[side].clear()
        names = ["$.A.*", "$.T.%"] + [self.LONG] * (self.largest > 255)
        return Reader(self.pair.buses[side], names, ["$.Q%d" % side], 16)

    def data(self) -> bytes:
        r = self.random
        return bytes(r.below(self.largest if not r.below(8) else min(60, self.largest)))

    def name(self) -> str:
        # More than there are contexts.
        r = self.random
        if self.largest > 255 and not r.below(12):
            return self.LONG
        return self.NAMES[r.below(5)] if r.below(3) else "$.A.N%d" % r.below(50)

    def act(self, side: int) -> None:
        r = self.random
        ks = self.readers[side].ks
        dice = r.below(16)
        try:
            if dice < 6:
                urgent = 8 if r.below(3) == 0 else 0
                ks.announce(self.name(), self.data(), urgent)
            elif dice < 10:
                ks.request("$.Q%d" % (1 - side), self.data(), (None, 5, 200)[r.below(3)])
            elif dice < 12:
                self.rebind(side, self.NAMES[r.below(5)])
            else:
                self.put(side)
        except OSError:
            pass
        for message in self.readers[side].read():
            if message.wants_reply and r.below(8):
                self.answer(ks, message)

    def put(self, side: int) -> None:
        r = self.random
        kind = (0x90, 0x50, 0xD0, 0x10)[r.below(4)]
        head = bytes([0x80 | (2, 6)[side], kind]) if r.below(4) else bytes([0xA0 | (2, 6)[side]])
        self.pair.buses[side].tile.put(head + bytes(r.below(90)))
        out = bytearray(255)
        for channel in self.pair.buses[side].tile.channels:
            while (self.greedy or r.below(3)) and channel.take(out):
                pass

    def answer(self, ks: Any, message: Any) -> None:
        try:
            ks.reply(message, self.data())
        except OSError:
            pass

    def rebind(self, side: int, name: str) -> None:
        ks = self.readers[side].ks
        if name in self.bound[side]:
            ks.unbind(name)
            self.bound[side].remove(name)
        else:
            ks.bind(name)
            self.bound[side].add(name)

    def run(self, ms: int, fault: "Callable[[], None] | None" = None) -> None:
        while ms > 0:
            for side in range(2):
                for _ in range(self.random.below(4)):
                    self.act(side)
            step = 1 + self.random.below(30)
            self.pair.run(step)
            ms -= step
            if fault is not None and self.random.below(12) == 0:
                fault()

    def fault(self) -> None:
        """Reset a side, both, or cut the line for a while."""
        dice = self.random.below(8)
        for side in range(2):
            if dice in (side, 2):
                self.pair.reset(side)
                self.readers[side] = self.reader(side)
        if dice > 5:
            self.pair.cut()
            self.pair.run(100 + self.random.below(1500))
            self.pair.cut(False)


def talk(
    seed: int,
    largest: int = 200,
    faults: bool = False,
    tamper: Tamper | None = None,
    ms: int = RUN_MS,
    **more: Any,
) -> tuple[Talk, Heard]:
    """Run a busy talk; return what was heard of it, and the pair."""
    heard = Talk(more.get("key"))
    line = more.pop("line", {})
    joins = [dict(more, direction=side) for side in (2, 6)]
    sizes = {"slot_size": 800, "slot_count": 60} if largest > 255 else {}
    pair = Heard(heard, seed=seed, a=sizes, b=sizes, join_a=joins[0], join_b=joins[1], line=line)
    pair.tamper = tamper
    busy = Busy(pair, seed, largest)
    busy.greedy = "reliable" in more
    busy.run(ms, busy.fault if faults else None)
    pair.run(600)
    return heard, pair


def check(heard: Talk, *forms: str) -> None:
    assert heard.problems == []
    for form in ("helo", "reliable", "announcement", "request", "reply", "status", *forms):
        assert heard.seen.get(form, 0) > 0, f"no {form}: {heard.seen}"


@pytest.mark.parametrize("seed", range(4))
def test_a_busy_talk(seed: int) -> None:
    """All frames of all kinds, on a line that loses, damages and doubles some."""
    heard, pair = talk(seed, ms=2 * RUN_MS, line=dict(NOISY, delay_ms=seed))
    forms = ("again", "gap", "twice", "credit", "null", "unreliable", "mfmt", "context")
    check(heard, *forms, "unlisten")
    assert heard.seen["context"] > 2 * 32
    assert len(heard.packets) == sum(p.link.stats.tx_frames for p in pair.limpets)


@pytest.mark.parametrize("seed", range(2))
def test_messages_larger_than_a_packet(seed: int) -> None:
    heard, _ = talk(seed, largest=780, line=NOISY, packet_size=96)
    check(heard, "in pieces", "again")


@pytest.mark.parametrize("seed", range(2))
def test_with_a_key(seed: int) -> None:
    heard, _ = talk(seed, largest=780, line=NOISY, key=KEY)
    check(heard, "in pieces", "again", "mfmt")


@pytest.mark.parametrize("seed", range(2))
def test_over_a_reliable_stream(seed: int) -> None:
    heard, _ = talk(seed, largest=780, reliable=True)
    check(heard, "in pieces", "mfmt", "null")
    assert "again" not in heard.seen and "gap" not in heard.seen


@pytest.mark.parametrize("key", [None, KEY], ids=["", "keyed"])
@pytest.mark.parametrize("seed", range(1, 4))
def test_over_datagrams(seed: int, key: bytes | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """UDP's own driver, several frames to a datagram; without a key each frame has its count."""
    monkeypatch.setattr("helpers_bus.End", Datagrams)
    heard, pair = talk(seed, largest=780, key=key, faults=seed > 1, ms=2 * RUN_MS)
    check(heard, "in pieces", "again", "gap", "mfmt", "null", "unreliable", "twice")
    frames = len([p for _, p in heard.packets if not isinstance(p, wire.Helo)])
    assert heard.seen.get("counted", 0) == (0 if key else frames)
    for driver in pair.drivers:
        assert driver.there.overtaken > 20 and driver.there.packed > 20


@pytest.mark.parametrize("key", [None, KEY], ids=["", "keyed"])
@pytest.mark.parametrize("seed", range(4))
def test_resets_and_cuts(seed: int, key: bytes | None) -> None:
    """Sides start anew and lines are cut at any moment: each session keeps to the rules."""
    heard, _ = talk(seed + 50, line=NOISY, faults=True, key=key)
    check(heard, "again")
    assert heard.seen["sessions"] >= 6


@pytest.mark.parametrize("window", [1, 2, 64])
def test_windows(window: int) -> None:
    heard, _ = talk(7, line=NOISY, window=window)
    check(heard, "again")


class Changes:
    """What the reader is to notice."""

    def __init__(self) -> None:
        self.first: dict[int, bytes] = {}

    def ack(self, packet: bytes) -> bytes:
        return (
            packet[:2] + bytes([packet[2] + 100 & 255]) + packet[3:] if not packet[1] else packet
        )

    def number(self, packet: bytes) -> bytes:
        if packet[1] == 0x42 and packet[2] == 9:
            return packet[:2] + b"\x0a" + packet[3:]
        return packet

    def contents(self, packet: bytes) -> bytes:
        if packet[1] != 0x42 or packet[2] not in self.first:
            if packet[1] == 0x42:
                self.first[packet[2]] = packet
            return packet
        return packet[:-1] + bytes([packet[-1] ^ 1])

    def bounced(self, packet: bytes) -> bytes:
        return bytes([packet[0] | 8]) + packet[1:]

    def local(self, packet: bytes) -> bytes:
        return bytes([packet[0] | 0x40]) + packet[1:]

    def context(self, packet: bytes) -> bytes:
        if packet[1] == 0x42 and packet[4] == 0:
            return packet[:5] + b"\x1e" + packet[6:]
        return packet

    def record(self, packet: bytes) -> bytes:
        if packet[1] == 0x42 and packet[4] & 0x80:
            return packet[:5] + b"\xff" + packet[6:]
        return packet

    def bits(self, packet: bytes) -> bytes:
        return packet[:4] + b"\xff" if not packet[1] and len(packet) > 4 else packet


@pytest.mark.parametrize(
    "change, told",
    [
        ("ack", "an ack of frame"),
        ("number", "sequence number"),
        ("contents", "has changed"),
        ("bounced", "OVRN or EROR"),
        ("local", "must not be sent"),
        ("context", "before it is assigned"),
        ("record", "longer than its frame"),
        ("bits", "bits for"),
    ],
)
def test_the_reader_notices(change: str, told: str) -> None:
    """Each of these changes is reported as what it is."""
    heard, _ = talk(1, line=NOISY, tamper=getattr(Changes(), change))
    assert any(told in problem for problem in heard.problems), heard.problems[:5]


def test_the_reader_notices_a_wrong_key_and_a_wrong_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    heard, _ = talk(1, key=KEY)
    assert heard.problems == []
    other = Talk(b"another key than that")
    pair = Heard(other, join_a={"key": KEY}, join_b={"key": KEY})
    pair.run(500)
    assert {p.split(": ")[1] for p in other.problems} >= {"a HELO whose MAC is wrong"}
    with monkeypatch.context() as patch:
        patch.setattr("helpers_bus.End", Datagrams)
        seal = "limpet.counted.Counted.seal"
        patch.setattr(seal, lambda self, packet, size: packet.__setitem__(size, 0) or size + 2)
        heard, _ = talk(1)
    assert any("the count of frames is wrong" in problem for problem in heard.problems)
    monkeypatch.setattr("limpet.session.check_start", lambda sender, receiver: 0x1234)
    heard, _ = talk(1)
    assert any("a frame of no session" in problem for problem in heard.problems)


def test_a_service_that_does_not_read() -> None:
    """Its frames are held, the credit goes to 0 and is asked for, and all of it is understood."""
    heard = Talk()
    pair = Heard(heard, join_a={"direction": 2}, join_b={"direction": 6})
    pair.connect()
    out = bytearray(255)
    taken = 0
    for k in range(40):
        pair.buses[0].tile.put(bytes([0x82, 0x50, k]) + bytes(80))
        pair.run(40)
    assert heard.seen["no credit"] > 0 and heard.seen["probe"] > 1
    for _ in range(60):
        while pair.buses[1].tile.channels[0].take(out):
            assert out[2] == taken
            taken += 1
        pair.run(40)
    assert heard.problems == []
    assert taken > 12 and heard.seen["credit"] > heard.seen["no credit"]
