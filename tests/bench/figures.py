# SPDX-License-Identifier: MIT
"""The figures that `make bench` makes: what each says, and how it comes from what was measured.

Rules: a figure is our time divided by the other's, so smaller is better and 1 is as fast. Only
ratios have targets: absolute times change from machine to machine, and from minute to minute.
The JSON is flat, {key: number}. Beside a ratio `a.b.vs_peer` stand our own time `a.b.us` and the
other's `a.b.peer_us`, in microseconds per operation.
"""

from __future__ import annotations

import statistics
from typing import NamedTuple

# {key: [(our time, the other's) of each round]}, in microseconds per operation.
Samples = dict[str, list[tuple[float, float]]]

ROUNDS_MIN = 9  # a median of fewer says nothing worth writing down
HEAP_ROUNDS_MIN = 15


class Figure(NamedTuple):
    """One line of the table. best: of the fastest rounds, not the median of each round's ratio."""

    key: str
    group: str
    what: str
    peer: str
    target: float | None = None
    best: bool = False


_CPYTHON = "CPython, microseconds per message with all its reads"
_ASKING = "CPython, microseconds per request with its reply"
_MICRO = "MicroPython, 32-bit, microseconds per message with all its reads"
_PUBSUB = "pyzmq PUB/SUB"
_CODEC = "CPython, microseconds per frame made and taken apart"
_VM_CODEC = "MicroPython, 32-bit, microseconds per frame of 200 bytes made and taken apart"
_PROCESSES = "CPython, microseconds between two processes"

FIGURES = (
    Figure(
        "bus.announce_1_1.vs_pyzmq", _CPYTHON, "announce, 1 listener, by handle", _PUBSUB, 0.75
    ),
    Figure("bus.announce_1_10.vs_pyzmq", _CPYTHON, "the same, 10 listeners", _PUBSUB, 0.60),
    Figure("bus.by_name_1_1.vs_pyzmq", _CPYTHON, "1 listener, by name", _PUBSUB, 0.90),
    Figure(
        "bus.comfortable_1_1.vs_pyzmq",
        _CPYTHON,
        "1 listener, comfortable calls, read as a Message",
        _PUBSUB,
        2.0,
    ),
    Figure("bus.announce_1_1.vs_pybusline", _CPYTHON, "1 listener, by handle", "py-busline", 0.05),
    Figure(
        "bus.announce_1_1.vs_blinker",
        _CPYTHON,
        "1 listener, by handle",
        "blinker into a deque",
        0.4,
    ),
    Figure(
        "bus.announce_1_1.vs_pypubsub",
        _CPYTHON,
        "1 listener, by handle",
        "PyPubSub into a deque",
        0.4,
    ),
    Figure(
        "bus.announce_bindings_1000.vs_10",
        _CPYTHON,
        "1 listener, 1000 bindings to other names",
        "the same with 10",
        1.1,
    ),
    Figure(
        "bus.request_1.vs_pyzmq",
        _ASKING,
        "request, read, reply, read; one thread",
        "pyzmq DEALER/ROUTER",
        0.35,
    ),
    Figure(
        "bus.call_async_1.vs_event",
        _ASKING,
        "await call(), the replier a task of the same loop",
        "two tasks and two asyncio.Events",
        1.4,
    ),
    Figure(
        "bus.micropython.announce_1_1.vs_deque",
        _MICRO,
        "announce, 1 listener, by handle",
        "dict of deques, no copy",
        5.0,
    ),
    Figure(
        "bus.micropython.announce_1_10.vs_deque",
        _MICRO,
        "the same, 10 listeners",
        "dict of deques, no copy",
        2.5,
    ),
    Figure(
        "bus.micropython.heap_8m.vs_128k",
        _MICRO,
        "1 listener, in a heap of 8 MB",
        "the same in 128 KB",
        1.1,
        best=True,
    ),
    Figure("codec.32B.vs_c", _CODEC, "packet of 32 bytes", "cobs and binascii, in C", 1.4),
    Figure("codec.200B.vs_c", _CODEC, "packet of 200 bytes", "cobs and binascii, in C", 1.05),
    Figure(
        "codec.micropython_200B.vs_crc32", _VM_CODEC, "COBS and CRC-16, both ways", "one CRC-32"
    ),
    Figure("link.udp_ping.vs_raw", _PROCESSES, "32 bytes there and back", "raw UDP", 2.5),
    Figure("link.udp_driver_ping.vs_raw", _PROCESSES, "the same through UDPDriver", "raw UDP"),
    Figure("link.pty.vs_raw", _PROCESSES, "200 bytes through a pty", "no link, large writes"),
)


def ours_key(figure: Figure) -> str:
    """Return the key of our own time."""
    return figure.key.rsplit(".vs_", 1)[0] + ".us"


def peer_key(figure: Figure) -> str:
    """Return the key of the other's time."""
    base, peer = figure.key.rsplit(".vs_", 1)
    return f"{base}.{peer}_us"


def ratio(figure: Figure, rounds: list[tuple[float, float]]) -> float:
    """Return the figure itself."""
    if figure.best:
        return min(ours for ours, _ in rounds) / min(peer for _, peer in rounds)
    return statistics.median(ours / peer for ours, peer in rounds)


def middle(rounds: list[tuple[float, float]]) -> tuple[float, float]:
    """Return between which ratios the middle half of the rounds lies."""
    ratios = sorted(ours / peer for ours, peer in rounds)
    if len(ratios) < 2:
        return ratios[0], ratios[0]
    low, _, high = statistics.quantiles(ratios, n=4, method="inclusive")
    return low, high


def times(figure: Figure, rounds: list[tuple[float, float]]) -> tuple[float, float]:
    """Return our time and the other's."""
    pick = min if figure.best else statistics.median
    return pick([ours for ours, _ in rounds]), pick([peer for _, peer in rounds])


def flat(samples: Samples) -> dict[str, float]:
    """Return every figure, and the times behind it, as they go into the JSON."""
    found: dict[str, float] = {}
    for figure in FIGURES:
        rounds = samples[figure.key]
        ours, peer = times(figure, rounds)
        found[figure.key] = round(ratio(figure, rounds), 4)
        # Where one time of ours stands beside several others', the first one is told.
        found.setdefault(ours_key(figure), round(ours, 4))
        found[peer_key(figure)] = round(peer, 4)
    return found
