# SPDX-License-Identifier: MIT
"""How a pair of works is measured: ours, the other, ours, the other, round after round.

Rules: a work is called with a number of operations, a multiple of BURST, does them, reads all that
they brought, and returns the sum of the first bytes that it read. These differ within a burst, so
that a message lost, doubled or read twice changes the sum: then nothing is measured, but the run
fails. Garbage is collected between measurements and never during one.
"""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable
from typing import NamedTuple, Protocol

from layout import Trouble

from .figures import Samples

BURST = 64
# 32 bytes each, the first one its number from 1 on.
PAYLOADS = [bytes([number]) + bytes(range(31)) for number in range(1, BURST + 1)]
BURST_SUM = sum(data[0] for data in PAYLOADS)


class Work(Protocol):
    """readers: how often each message is read."""

    readers: int

    def __call__(self, count: int) -> int: ...
    def left(self) -> int: ...
    def close(self) -> None: ...


class Pair(NamedTuple):
    """Two works that do the same, and how many operations of each are one measurement."""

    key: str
    ours: Work
    peer: Work
    ours_count: int
    peer_count: int


def pin() -> int | None:
    """Keep this process and its children on one CPU; return its number, None if it can't be."""
    if not hasattr(os, "sched_setaffinity"):
        return None
    cpu = max(os.sched_getaffinity(0))
    try:
        os.sched_setaffinity(0, {cpu})
    except OSError:
        return None
    return cpu


def timed(work: Work, count: int, told: str, clock: Callable[[], float]) -> float:
    """Return the microseconds that one operation takes, or raise Trouble if one went wrong."""
    gc.collect()
    gc.disable()
    try:
        start = clock()
        got = work(count)
        took = clock() - start
    finally:
        gc.enable()
    wanted = count // BURST * BURST_SUM * work.readers
    if got != wanted:
        raise Trouble(f"{told}: what was read is not what was sent (sum {got}, not {wanted}).")
    left = work.left()
    if left:
        raise Trouble(f"{told}: {left} messages were left unread.")
    return took / count * 1e6


def run(
    pairs: list[Pair],
    rounds: int,
    each: Callable[[], None] = lambda: None,
    clock: Callable[[], float] = time.perf_counter,
) -> Samples:
    """Measure all pairs in each round; `each` is called after every round."""
    samples: Samples = {pair.key: [] for pair in pairs}
    for pair in pairs:  # what is done only once is not measured
        timed(pair.ours, 4 * BURST, pair.key, clock)
        timed(pair.peer, 4 * BURST, f"{pair.key}: the other", clock)
    for _ in range(rounds):
        for pair in pairs:
            ours = timed(pair.ours, pair.ours_count, pair.key, clock)
            peer = timed(pair.peer, pair.peer_count, f"{pair.key}: the other", clock)
            samples[pair.key].append((ours, peer))
        each()
    return samples


def close(made: list[Pair]) -> None:
    """Give back what the works hold."""
    for pair in made:
        pair.ours.close()
        pair.peer.close()


def together(
    make: Callable[[], list[Pair]], rounds: int, each: Callable[[], None] = lambda: None
) -> Samples:
    """Measure what make() sets up, and give back what it holds."""
    made = make()
    try:
        return run(made, rounds, each)
    finally:
        close(made)
