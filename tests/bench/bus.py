# SPDX-License-Identifier: MIT
"""The bus's part: which works stand beside each other, and how much of each is one measurement.

Rules: every pair has works of its own, so that ours is measured right before what it is beside.
One measurement takes some 10 to 40 ms, so that a round is short, and what slows the machine down
for a while slows both.
"""

from __future__ import annotations

from collections.abc import Callable

from . import bus_ours as ours
from . import bus_peers as peers
from . import bus_vm, codec_vm, measure
from .figures import HEAP_ROUNDS_MIN, Samples
from .measure import BURST, Pair


def pairs(quick: bool) -> list[Pair]:
    """Set up the works of CPython's part. quick: just enough that all of it runs."""
    made: list[Pair] = []

    def pair(key: str, one: Callable, two: Callable, count: int, peer_count: int = 0) -> None:
        few = 2 * BURST
        counts = (few, few) if quick else (count * BURST, (peer_count or count) * BURST)
        made.append(Pair(key, one(), two(), *counts))

    try:
        pair("bus.announce_1_1.vs_pyzmq", ours.Announce, peers.ZmqPubSub, 400)
        pair(
            "bus.announce_1_10.vs_pyzmq",
            lambda: ours.Announce(10),
            lambda: peers.ZmqPubSub(10),
            100,
        )
        pair("bus.by_name_1_1.vs_pyzmq", ours.ByName, peers.ZmqPubSub, 400)
        pair("bus.comfortable_1_1.vs_pyzmq", ours.Comfortable, peers.ZmqPubSub, 200)
        pair("bus.announce_1_1.vs_pybusline", ours.Announce, peers.Busline, 400, 20)
        pair("bus.announce_1_1.vs_blinker", ours.Announce, peers.Blinker, 400, 200)
        pair("bus.announce_1_1.vs_pypubsub", ours.Announce, peers.PyPubSub, 400, 100)
        pair(
            "bus.announce_bindings_1000.vs_10",
            lambda: ours.Announce(1, 1000),
            lambda: ours.Announce(1, 10),
            400,
        )
        pair("bus.request_1.vs_pyzmq", ours.Request, peers.ZmqRequest, 100)
        pair("bus.call_async_1.vs_event", ours.Call, peers.EventPingPong, 120)
    except BaseException:
        measure.close(made)
        raise
    return made


def heap_rounds(rounds: int, quick: bool) -> int:
    """Return how many rounds the sizes of the heap are measured in."""
    return rounds if quick else max(rounds, HEAP_ROUNDS_MIN)


def run(rounds: int, quick: bool, each: Callable[..., None]) -> Samples:
    """Measure everything; each(part) is called once per round of a part."""
    each("setting up", 0)
    samples = measure.together(lambda: pairs(quick), rounds, lambda: each("bus, CPython"))
    each("MicroPython", 0)
    folder = bus_vm.compile_all()
    samples.update(codec_vm.run(folder, rounds, quick))
    samples.update(bus_vm.announce(folder, rounds, quick))
    samples.update(
        bus_vm.heap(folder, heap_rounds(rounds, quick), quick, lambda: each("its heaps"))
    )
    return samples
