# SPDX-License-Identifier: MIT
"""100 000 strings that are no frames, or nearly, into links in every state.

FUZZ_STRINGS= in the environment says how many. No exception, no growth, the next good frame is
understood, and each run of bytes is in exactly one counter; 10 clean seconds later a fresh peer
gets everything through. What the strings are: ../link_fuzz.py.
"""

import gc
import os
import random
import sys
import tracemalloc

import pytest

from link_fuzz import Dice, said
from link_scenes import SCENES, Victim, fuzz

STRINGS = int(os.environ.get("FUZZ_STRINGS", "100000"))
ROUND = 250  # strings into one link
SHARES = (0, 60, 95)  # of 100 strings, how many have a right check
FRAMES = said() + said(42, {"window": 64, "compatibility": "fuzz"})


class Fast(Dice):
    """The same with the faster numbers of CPython."""

    def __init__(self, seed: int) -> None:
        r = random.Random(seed)
        self.below = r.randrange
        self.some = r.randbytes


@pytest.mark.parametrize("sealed", SHARES)
@pytest.mark.parametrize("scene", sorted(SCENES))
def test_strings(scene: str, sealed: int) -> None:
    rounds = max(3, STRINGS // (ROUND * len(SCENES) * len(SHARES)))
    read = blocks = 0
    seed = sorted(SCENES).index(scene) * 1000 + sealed
    for n in range(rounds):
        options = {
            "window": (1, 4, 8, 64)[n % 4],
            "packet_size": (255, 96, 255)[n % 3],
            "datagrams": n % 5 == 2,
            "reliable": n % 5 == 4,
        }
        wrong, count = fuzz(scene, Fast(seed + n * 100000), FRAMES, ROUND, sealed, options)
        assert not wrong, f"{scene}, {sealed} % sealed, round {n}"
        read += count
        if n in (rounds // 2, rounds - 1):
            gc.collect()
            now = sys.getallocatedblocks()
            assert not blocks or now - blocks < 200, "memory in use grows"
            blocks = now
    # So that a pass means something: what is behind the check was reached, or was not.
    if sealed:
        assert read > rounds * ROUND * sealed // 200


def test_one_link_does_not_grow() -> None:
    """Thousands of strings into one link leave it as large as it was."""
    dice = Fast(3)
    victim = Victim("idle", dice, FRAMES)
    sizes = []
    tracemalloc.start()
    try:
        for n in range(6000):
            victim.hit(60)
            if n % 8 == 0:
                assert not victim.live(4)
            if n in (2000, 5999):
                gc.collect()
                sizes.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert abs(sizes[1] - sizes[0]) < 4096, sizes
