# SPDX-License-Identifier: MIT
"""Two limpets talk, and a reader that knows nothing but docs/wire.md understands every frame.

Every byte that a side gives to its line goes to the reader, before the line may harm it.
"""

import pytest

from helpers_bus import Pair, Reader
from limpet.rand import Random
from wire_talk import Talk

RUN_MS = 3000


class Heard(Pair):
    """A Pair with a Talk that hears both sides."""

    def __init__(self, talk: Talk, **options: object) -> None:
        self.talk = talk
        super().__init__(**options)

    def reset(self, side: int, **options: object) -> object:
        if self.drivers[side] is not None:
            self.talk.restarted(side)
        bus = super().reset(side, **options)
        driver = self.drivers[side]
        write = driver._write

        def heard(buf: bytearray, start: int, count: int) -> int:
            n = write(buf, start, count)
            self.talk.says(side, buf[start : start + n])
            return int(n)

        driver._write = heard
        return bus


class Busy:
    """Both sides bind, announce, request and answer at random."""

    NAMES = ("$.A", "$.A.B", "$.Long.Name.Of.Something", "$.T.X", "$.T.Y")

    def __init__(self, pair: Pair, seed: int) -> None:
        self.pair = pair
        self.random = Random(seed)
        self.readers = [self.reader(0), self.reader(1)]
        self.largest = 200

    def reader(self, side: int) -> Reader:
        r = Reader(self.pair.buses[side], ["$.A.*", "$.T.%"], ["$.Q%d" % side], 16)
        return r

    def act(self, side: int) -> None:
        r = self.random
        ks = self.readers[side].ks
        dice = r.below(12)
        try:
            if dice < 6:
                ks.announce(self.NAMES[r.below(5)], bytes(r.below(self.largest)))
            elif dice < 10:
                wait = (None, 5, 200)[r.below(3)]
                ks.request("$.Q%d" % (1 - side), bytes(r.below(self.largest)), wait)
            else:
                self.rebind(side, self.NAMES[r.below(5)])
        except OSError:
            pass
        for message in self.readers[side].read():
            if message.wants_reply and r.below(8):
                self.answer(ks, message)

    def answer(self, ks: object, message: object) -> None:
        try:
            ks.reply(message, bytes(self.random.below(self.largest)))
        except OSError:
            pass

    def rebind(self, side: int, name: str) -> None:
        ks = self.readers[side].ks
        try:
            ks.bind(name)
        except OSError:
            ks.unbind(name)

    def run(self, ms: int) -> None:
        while ms > 0:
            for side in range(2):
                for _ in range(self.random.below(4)):
                    self.act(side)
            step = 1 + self.random.below(30)
            self.pair.run(step)
            ms -= step


def talk(seed: int, **options: object) -> tuple[Talk, Heard]:
    talk = Talk()
    pair = Heard(talk, seed=seed, **options)
    busy = Busy(pair, seed)
    busy.run(RUN_MS)
    return talk, pair


@pytest.mark.parametrize("seed", range(6))
def test_every_frame_of_a_busy_talk(seed: int) -> None:
    line = {"loss": 0.05, "corrupt": 0.03, "duplicate": 0.03, "delay_ms": seed}
    heard, pair = talk(seed, line=line)
    assert heard.problems == []
    sent = sum(p.link.stats.tx_frames for p in pair.limpets)
    assert len(heard.packets) == sent
    print(heard.seen)
