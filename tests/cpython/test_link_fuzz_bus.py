# SPDX-License-Identifier: MIT
"""Strings with a right check into a whole node: limpet, tile, channels, liveness, counter.

FUZZ_STRINGS= in the environment: a twentieth of it goes in here. What a neighbour with a right
session can say, of any content, raises nothing, leaves nothing behind, and a reset of that
neighbour heals it.
"""

import os
import random

import pytest

from helpers_bus import Pair, Reader
from limpet.counter import Counter
from limpet.limpet import Limpet
from limpet.liveness import Liveness
from limpet.rand import Random
from link_fuzz import Dice, Forger
from link_scenes import Meter

STRINGS = int(os.environ.get("FUZZ_STRINGS", "100000")) // 20
ROUND = 200
HEADS = (0x14, 0x54, 0x95, 0xD5, 0x81, 0x83, 0x10)  # byte 1 of services' packets


class Fast(Dice):
    """The same with the faster numbers of CPython."""

    def __init__(self, seed: int) -> None:
        r = random.Random(seed)
        self.below = r.randrange
        self.some = r.randbytes


class Node:
    """One side's programs."""

    def __init__(self, pair: Pair, side: int) -> None:
        self.bus = pair.buses[side]
        self.side = side
        self.tile = self.bus.tile
        self.tile.add(Liveness(self.tile, Random(side + 3)))
        self.tile.add(Counter(self.tile, "/nowhere/counter", Random(side + 5)))
        # One has little room, so that packets are held.
        self.channels = [self.tile.open(20, 512), self.tile.open(21, 512), self.tile.mfmt]
        self.far = Reader(self.bus, ["$.News"], [f"$.Far{side}"])

    def talk(self, dice: Dice) -> None:
        """Send a little of everything, and read most of what is there."""
        to = b"\x82" if self.side == 0 else b"\x86"
        for head in HEADS:
            self.tile.put(to + bytes([head]) + dice.some(dice.below(40)))
        self.tile.put(bytes([to[0] | 0x20]) + dice.some(dice.below(30)))
        for channel in self.channels:
            while dice.below(4) and channel.read() is not None:
                pass
        try:
            self.far.ks.announce("$.News", dice.some(dice.below(60)))
            self.far.ks.request(f"$.Far{1 - self.side}", dice.some(dice.below(600)), 200)
        except OSError:
            pass
        for message in self.far.read():
            if message.wants_reply:
                self.far.ks.reply(message, message.data)
        self.far.messages.clear()
        self.far.heard.clear()


def pair_of(seed: int) -> tuple[Pair, list[Node]]:
    pair = Pair(seed, join_a={"direction": 2}, join_b={"direction": 6})
    nodes = [Node(pair, side) for side in range(2)]
    pair.connect()
    return pair, nodes


def spoken(seed: int) -> list[bytes]:
    """Return the frames of a busy talk between two whole nodes."""
    pair, nodes = pair_of(seed)
    dice = Fast(seed)
    frames: list[bytes] = []
    for limpet in pair.limpets:
        keep(limpet, frames)
    for _ in range(40):
        for node in nodes:
            node.talk(dice)
        pair.run(30)
    pair.close()
    return frames


def keep(limpet: Limpet, frames: list[bytes]) -> None:
    take = limpet.link.take

    def taken(out: bytearray, now_ms: int) -> int:
        size = take(out, now_ms)
        if size:
            frames.append(bytes(out[:size]))
        return size

    limpet.link.take = taken  # type: ignore[method-assign]


FRAMES = spoken(1)


@pytest.mark.parametrize("sealed", (30, 100))
def test_strings_into_a_node(sealed: int) -> None:
    for n in range(max(2, STRINGS // ROUND // 2)):
        pair, nodes = pair_of(n + 2)
        dice = Fast(n * 1000 + sealed)
        link = pair.limpets[0].link
        meter = Meter(link)
        forger = Forger(dice, FRAMES)
        for k in range(ROUND):
            data = forger.sealed(link) if dice.below(100) < sealed else forger.string()
            link.feed(bytearray(data), len(data), pair.now)
            if k % 8 == 7:
                for node in nodes:
                    node.talk(dice)
                pair.run(dice.below(40))
                assert not meter.wrong(), (n, k)
        # A neighbour that starts anew, and all is well.
        pair.reset(1)
        nodes[1] = Node(pair, 1)
        nodes[0].far.read()
        pair.connect()
        serial = nodes[0].far.ks.request("$.Far1", b"well?")
        pair.run(100)
        for message in nodes[1].far.read():
            if message.wants_reply:
                nodes[1].far.ks.reply(message, message.data)
        pair.run(100)
        assert nodes[0].far.answer(serial) == ("reply", b"well?"), n
        pair.close()
        assert not pair.leaks(), n
