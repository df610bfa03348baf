# SPDX-License-Identifier: MIT
"""Everything at once: each run has other links, another line, and all that can befall them.

LINK_RUNS= in the environment: a tenth of it runs here. Both sides send all classes, read at their
leisure, start anew, close, change their string; the line loses, doubles, is late, cut and noisy;
clocks jump. The judges (link_checker.py, link_services.py) know only the promise; in the end, 11
clean seconds later, there is one session, which stays, and everything put in it arrives.
"""

import os
import random

from link_services import BULK, MFMT, RELIABLE, URGENT, Served

RUNS = max(3, int(os.environ.get("LINK_RUNS", "100")) // 10)
KINDS = (URGENT, BULK, URGENT | RELIABLE, BULK | RELIABLE)
ENDLESS = 1 << 20


class Chaos:
    """One run."""

    def __init__(self, seed: int) -> None:
        self.dice = r = random.Random(seed)
        self.datagrams = r.random() < 0.4
        key = b"0123456789abcdef" if r.random() < 0.1 else b""
        line = {
            "baud": r.choice((57600, 115200, 921600, 4000000)),
            "prop_us": r.choice((10, 100, 3000, 20000)),
            "work_us": r.choice((0, 1000, 5000)),
            "jitter_us": r.choice((0, 1000, 3000)),
        }
        self.bench = Served(seed, [self.options(key) for _ in range(2)], line)
        self.line = self.bench.line
        self.line.datagrams = self.datagrams
        self.line.clocks = [r.randrange(1 << 30) for _ in range(2)]
        for wire in self.line.wires:
            wire.loss = r.choice((0, 0, 10, 50, 100, 200))
            if self.datagrams:
                wire.double = r.choice((0, 50, 200))
                wire.late = r.choice((0, 50, 300))

    def options(self, key: bytes) -> dict[str, object]:
        r = self.dice
        found: dict[str, object] = {
            "window": r.choice((1, 2, 4, 8, 16, 32, 64)),
            "packet_size": r.choice((96, 97, 128, 200, 255)),
            "silence_ms": r.choice((150, 300, 1000, 3000)),
            "ack_delay_ms": r.choice((0, 1, 5, 40, 100)),
            "datagrams": self.datagrams,
            "compatibility": r.choice(("", "a")),
        }
        if key:
            found["key"] = key
        return found

    def traffic(self) -> None:
        """Have other things to say, and other room for what is heard."""
        r = self.dice
        for i in range(2):
            chance = r.random()
            if chance < 0.3:
                self.bench.say(i, -1, r.randrange(9, 250))
            elif chance < 0.4:
                self.bench.apps[i].left = 0
            desk = self.bench.desks[i]
            desk.endless = {kind: r.randrange(6, 90) for kind in KINDS if r.random() < 0.3}
            if r.random() < 0.2:
                desk.put(MFMT, r.randrange(5), r.randrange(6, 60))
            desk.places = r.choice((0, 1, 5, ENDLESS, ENDLESS, ENDLESS))

    def fault(self) -> None:
        r = self.dice
        side = r.randrange(2)
        chance = r.random()
        if chance < 0.15:
            self.line.restart(side)
        elif chance < 0.2:
            self.line.restart(0)
            self.line.restart(1)
        elif chance < 0.28:
            self.close(side)
        elif chance < 0.4:
            self.bench.cut(*r.choice(((0,), (1,), (0, 1))))
            self.bench.run(r.choice((50, 200, 1000, 3500)))
            self.bench.cut()
        elif chance < 0.46:
            self.line.jump(side, r.choice((100, 1000, 100000, -50, -1000, 1 << 29)))
        elif chance < 0.5:
            self.line.side = side
            text = r.choice(("", "a", "b"))
            self.line.links[side].change_compatibility(text, self.line.now())
            self.line.wake[side] = self.line.now_us
        elif chance < 0.56:
            until = self.line.now_us + 300_000
            for i in range(2):
                self.bench.noise(i, r.choice((2000, 20000, 100000)), 30, until)

    def close(self, side: int) -> None:
        self.line.side = side
        self.line.links[side].close(self.line.now())
        self.line.wake[side] = self.line.now_us
        self.bench.run(self.dice.choice((0, 5, 50, 1500)))
        self.line.restart(side)

    def run(self) -> str:
        """Return what went wrong."""
        for _ in range(self.dice.randrange(20, 50)):
            self.traffic()
            self.bench.run(self.dice.choice((5, 20, 100, 300, 800)))
            self.fault()
        return self.finish()

    def finish(self) -> str:
        bench = self.bench
        for desk in bench.desks:
            desk.endless = {}
            desk.places = ENDLESS
        for wire in self.line.wires:
            wire.loss = wire.double = wire.late = 0
        self.line.hooks.clear()
        bench.hush()
        self.line.run(3000)
        sessions = [link.stats.sessions for link in self.line.links]
        up = self.line.up()
        self.line.run(8000)
        for desk in bench.desks:
            desk.put(URGENT | RELIABLE, 5, 30)
            desk.put(BULK | RELIABLE, 5, 30)
        wrong = bench.flows(0)
        if not up:
            wrong = "no session"
        elif sessions != [link.stats.sessions for link in self.line.links]:
            wrong = "a session that ends by itself"
        elif not wrong and not self.line.until(bench.settled, 3000):
            wrong = "not all arrives"
        return wrong


def test_everything_at_once() -> None:
    for seed in range(RUNS):
        assert not Chaos(seed).run(), f"seed {seed}"
