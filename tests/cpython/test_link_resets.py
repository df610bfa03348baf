# SPDX-License-Identifier: MIT
"""Resets at random moments, in virtual time: nothing stale, twice or out of order, never stuck.

LINK_RUNS= in the environment says how many runs there are (100). A run: seconds of resets of
either side, of both, of one side twice, and of one-way cuts, with traffic both ways and 0, 2 or
10 % loss, on an UART or over datagrams that come twice and overtake each other; then 10 s without
any fault. The judge (link_checker.py) knows only what a payload says about itself.
"""

import os

import pytest

import limpet.session
from link_checker import Bench

RUNS = int(os.environ.get("LINK_RUNS", "100"))
FAULTS_MS = 4500
CLEAN_MS = 10000
UP_MS = 2500  # after the last fault a session is there: the longest pause between two HELO


class Weather:
    """One run: a Bench and the faults that `seed` decides."""

    def __init__(self, seed: int, datagrams: bool, key: bytes = b"") -> None:
        self.bench = Bench(seed * 7919 + 5)
        self.random = r = self.bench.random
        # Short sessions: a stale frame's sequence number then fits the next session's window.
        self.pause_ms = (60, 120, 450)[r.below(3)]
        options = {
            "silence_ms": (300, 600, 1000)[r.below(3)],
            "ack_delay_ms": (5, 40)[r.below(2)],
            "window": (2, 8, 16, 64)[r.below(4)],
            "datagrams": datagrams,
        }
        if key:
            options["key"] = key
        line = {"baud": (115200, 230400)[r.below(2)], "prop_us": (100, 3000)[r.below(2)]}
        self.bench = Bench(seed, options, line)
        self.line = self.bench.line
        self.line.datagrams = datagrams
        for wire in self.line.wires:
            wire.loss = (0, 20, 100)[seed % 3]
            if datagrams:
                wire.double = 50
                wire.late = 100
        self.cuts = [0, 0]

    def fault(self) -> None:
        r = self.random
        dice = r.below(10)
        side = r.below(2)
        if dice < 5:
            self.line.restart(side)
        elif dice < 6:
            self.line.restart(0)
            self.line.restart(1)
        elif dice < 7:
            self.line.restart(side)
            self.line.at(r.below(30_000), lambda: self.line.restart(side))
        elif dice < 9:
            self.cut(side, (150_000, 900_000, 1_500_000)[r.below(3)])
        if self.line.now_us < FAULTS_MS * 1000:
            self.line.at(20_000 + r.below(self.pause_ms) * 1000, self.fault)

    def cut(self, side: int, length_us: int) -> None:
        wire = self.line.wires[side]
        wire.cut = True
        self.cuts[side] += 1

        def mend() -> None:
            self.cuts[side] -= 1
            wire.cut = self.cuts[side] > 0

        self.line.at(length_us, mend)

    def mend(self) -> None:
        self.line.hooks.clear()
        self.line.datagrams = False
        for wire in self.line.wires:
            wire.cut = False
            wire.loss = wire.double = wire.late = 0

    def run(self) -> set[str]:
        """Return what went wrong."""
        bench = self.bench
        for i in range(2):
            bench.say(i, -1, 25 + self.random.below(60))
        self.line.at(200_000, self.fault)
        self.line.run(FAULTS_MS + 1000)
        self.mend()
        found = set(bench.judge.faults)
        self.line.run(UP_MS)
        if not self.line.up():
            found.add("no session")
        sessions = [link.stats.sessions for link in self.line.links]
        bench.hush()
        self.line.run(CLEAN_MS - UP_MS)
        if sessions != [link.stats.sessions for link in self.line.links]:
            found.add("a session that ends by itself")
        found.add(bench.flows(0, 30))
        return found - {""}


@pytest.mark.parametrize("datagrams", [False, True], ids=["uart", "datagrams"])
def test_no_reset_brings_anything_twice_stale_or_out_of_order(datagrams: bool) -> None:
    heard = sessions = 0
    for seed in range(RUNS // 2):
        weather = Weather(seed, datagrams)
        assert not weather.run(), f"seed {seed}, datagrams {datagrams}"
        heard += sum(app.total for app in weather.bench.apps)
        sessions += sum(app.log.count("+") for app in weather.bench.apps)
    # So that a pass means something: there were sessions, and traffic in them.
    assert sessions > 7 * RUNS
    assert heard > 300 * RUNS


@pytest.mark.parametrize("datagrams", [False, True], ids=["uart", "datagrams"])
def test_the_same_with_a_key(datagrams: bool) -> None:
    for seed in range(RUNS // 10):
        weather = Weather(seed, datagrams, b"sixteen bytes or more")
        assert not weather.run(), f"seed {seed}, datagrams {datagrams}"
        stats = [link.stats for link in weather.line.links]
        assert min(s.sessions for s in stats) > 0


@pytest.mark.parametrize("datagrams", [False, True], ids=["uart", "datagrams"])
def test_a_fixed_check_start_is_found_out(
    monkeypatch: pytest.MonkeyPatch, datagrams: bool
) -> None:
    """The same runs fail if the check does not start at the session word.

    (It may not start as a HELO's does either, by which the two are told apart.)
    """
    monkeypatch.setattr(limpet.session, "check_start", lambda sender, receiver: 0x1234)
    found = [Weather(seed, datagrams).run() for seed in range(12)]
    assert "twice or out of order" in set().union(*found)


def test_every_session_is_told_in_order() -> None:
    """Connected and disconnected alternate, for the client and as Tile Event Packets."""
    for seed in range(6):
        bench = Bench(seed, {"silence_ms": 300})
        line = bench.line
        for wire in line.wires:
            wire.loss = 100
        events = bytearray(2)
        told: list[str] = []
        for _ in range(20):
            line.run(bench.random.below(250))
            if bench.random.below(2):
                line.restart(1)
            while line.links[0].neighbour.take(events):
                assert events[0] == 0xC4
                told.append("?+-"[events[1]])
        assert told and told == bench.apps[0].log
        assert all(first != second for first, second in zip(told, told[1:], strict=False))
        assert (told[-1] == "+") == (line.links[0].state == 1)
