# SPDX-License-Identifier: MIT
"""Resets at random moments, in virtual time: nothing stale, twice or out of order, never stuck.

Every payload says who made it, in which incarnation, and its number; the checker knows only that.
"""

import pytest

import limpet.session
from helpers_link import pair
from limpet.link import UP
from limpet.rand import Random

RUNS = 64
FAULTS_MS = 3000
CLEAN_MS = 2500


class Checked:
    """Feeds both apps with numbered payloads and judges what comes."""

    def __init__(self, seed: int, datagrams: bool) -> None:
        self.random = Random(seed * 7919 + 5)
        r = self.random
        # Short sessions: a stale frame's sequence number then fits the next session's window.
        self.pause_ms = (60, 120, 450)[r.below(3)]
        options = {"silence_ms": 600, "ack_delay_ms": (5, 40)[r.below(2)]}
        line = {"baud": (115200, 230400)[r.below(2)], "prop_us": (100, 3000)[r.below(2)]}
        self.line, *self.apps = pair(seed, options, line)
        self.line.datagrams = datagrams
        loss = (0, 20, 100)[seed % 3]
        for wire in self.line.wires:
            wire.loss = loss
            if datagrams:
                wire.double = 50
                wire.late = 100
        self.number = [0, 0]
        self.seen: list[set[bytes]] = [set(), set()]
        self.last = [-1, -1]
        self.bad: list[str] = []
        for i in range(2):
            self.tap(i)

    def tap(self, i: int) -> None:
        app = self.apps[i]
        app.source = lambda: self.make(i)
        app.receive = lambda buf, start, end: self.judge(i, bytes(buf[start:end]))
        app.connected = lambda: self.fresh(i)

    def fresh(self, i: int) -> None:
        self.last[i] = -1

    def make(self, i: int) -> bytes:
        self.number[i] += 1
        return bytes((i,)) + self.number[i].to_bytes(4, "big") + bytes(20 + self.random.below(60))

    def judge(self, i: int, data: bytes) -> None:
        number = int.from_bytes(data[1:5], "big")
        if data[0] != 1 - i:
            self.bad.append("from the wrong side")
        if data in self.seen[i]:
            self.bad.append("twice")
        self.seen[i].add(data)
        if number <= self.last[i]:
            self.bad.append("out of order")
        self.last[i] = number

    def fault(self) -> None:
        r = self.random
        dice = r.below(10)
        if dice < 5:
            self.line.restart(r.below(2))
        elif dice < 6:
            self.line.restart(0)
            self.line.restart(1)
        elif dice < 8:
            wire = self.line.wires[r.below(2)]
            wire.cut = True
            self.line.at((150_000, 900_000)[r.below(2)], lambda: setattr(wire, "cut", False))
        if self.line.now_us < FAULTS_MS * 1000:
            self.line.at(20_000 + r.below(self.pause_ms) * 1000, self.fault)

    def run(self) -> int:
        self.line.at(200_000, self.fault)
        self.line.run(FAULTS_MS + 1000)
        for wire in self.line.wires:
            wire.cut = False
            wire.loss = 0
        self.line.run(CLEAN_MS)
        before = [len(seen) for seen in self.seen]
        self.line.run(300)
        if not self.line.up():
            self.bad.append("no session")
        if any(len(self.seen[i]) - before[i] < 5 for i in range(2)):
            self.bad.append("stuck")
        return sum(len(seen) for seen in self.seen)


@pytest.mark.parametrize("datagrams", [False, True], ids=["stream", "datagrams"])
def test_no_reset_brings_anything_twice_stale_or_out_of_order(datagrams: bool) -> None:
    for seed in range(RUNS // 2):
        checked = Checked(seed, datagrams)
        delivered = checked.run()
        assert not checked.bad, f"seed {seed}: {set(checked.bad)}"
        assert delivered > 100


def test_a_fixed_check_start_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some of the same runs fail if the check does not start at the session word."""
    monkeypatch.setattr(limpet.session, "check_start", lambda sender, receiver: 0xFFFF)
    bad: set[str] = set()
    for seed in range(24):
        checked = Checked(seed, datagrams=True)
        checked.run()
        bad.update(checked.bad)
    assert {"twice", "out of order"} <= bad


def test_every_session_is_told_in_order() -> None:
    """Connected and disconnected alternate, for the client and as Tile Event Packets."""
    for seed in range(6):
        line, a, b = pair(seed, {"silence_ms": 300})
        for wire in line.wires:
            wire.loss = 100
        events = bytearray(2)
        told: list[int] = []
        random = Random(seed + 1)
        for _ in range(20):
            line.run(random.below(250))
            if random.below(2):
                line.restart(1)
            while line.links[0].neighbour.take(events):
                assert events[0] == 0xC4
                told.append(events[1])
        log = [entry for entry in a.log if entry != "received"]
        assert told and told == [1 if entry == "connected" else 2 for entry in log]
        assert all(first != second for first, second in zip(told, told[1:], strict=False))
        assert (told[-1] == 1) == (line.links[0].state == UP)
