# SPDX-License-Identifier: MIT
"""The link's part in virtual time: which runs there are, ours and T-MIN's for the same line.

Rules: a value is the mean over its seeds, a percentile that of all its requests together; each
depends on the code alone, not on the machine. T-MIN's come from one seed. The lines are as
line.Kind has them unless said: receivers take 1 to 2 ms, a window is 16 frames. Runs are
independent, so they share the CPUs.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import Any, NamedTuple

from . import link_bus as ours
from . import tmin
from .line import Kind
from .values import Reading, Readings

SEEDS = 3
_RUN_US = 30_000_000
_FAST_US = 2_000_000  # for lines of several Mbit/s
_QUICK_US = 200_000
_REQUESTS = 2000
_BULK_REQUESTS = 400
_QUICK_REQUESTS = 3
_SIZE = 16  # of a request and of its reply
_TUNED = {"window": 16, "queued_max": 256}

LOSSES = {"loss0": 0.0, "loss1": 0.01, "loss5": 0.05}
LINES = {
    "9600": Kind(9600),
    "115200": Kind(),
    "921600": Kind(921_600),
    "12M": Kind(12_000_000),
    "115200_50ms": Kind(prop_us=50_000, work_us=500, jitter_us=500),
    "udp": Kind(
        10_000_000, prop_us=100, work_us=100, jitter_us=50, datagrams=True, double=0.01, late=0.05
    )._replace(late_us=2000),
}


class Job(NamedTuple):
    """One value to find: `function(quick, *args)` gives its Reading."""

    key: str
    function: Callable[..., Reading]
    args: tuple[Any, ...] = ()


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def _seeds(quick: bool) -> range:
    return range(1, 2 if quick else SEEDS + 1)


def overhead(quick: bool, forward: bool) -> Reading:
    """Bytes that an announcement of 8 bytes costs, at 100 a second."""
    us = _QUICK_US if quick else _RUN_US
    index = 0 if forward else 1
    found = []
    for seed in _seeds(quick):
        traffic = ours.paced(LINES["115200"], 8, 10_000, us, seed)
        bytes_sent = (traffic.forward / traffic.messages - 8, traffic.back / traffic.messages)
        found.append(bytes_sent[index])
    return Reading(_mean(found), tmin.paced(LINES["115200"], 8, 10_000, us)[index])


def overhead_saturated(quick: bool) -> Reading:
    """The same with as many as the line takes."""
    found = []
    for seed in _seeds(quick):
        traffic = ours.saturated(LINES["115200"], 8, _QUICK_US if quick else _RUN_US, seed)
        found.append(traffic.forward / traffic.messages - 8)
    return Reading(_mean(found))


def goodput(quick: bool, line: str, loss: str, size: int) -> Reading:
    """The share of the line that messages of `size` bytes get."""
    kind = LINES[line]._replace(loss=LOSSES[loss])
    us = _RUN_US if kind.baud < 1_000_000 else _FAST_US
    if quick:
        us = max(_QUICK_US, size * 40_000_000 // kind.baud)
    seeds = _seeds(quick)
    found = [ours.saturated(kind, size, us, seed).goodput(size, kind.baud) for seed in seeds]
    if line not in ("115200", "921600"):
        return Reading(_mean(found))
    tuned = tmin.saturated(kind, size, us, **_TUNED)
    return Reading(_mean(found), tmin.saturated(kind, size, us), tuned)


def request(quick: bool, line: str, loss: str, how: str) -> Reading:
    """The 99th percentile of how long a request takes, in ms.

    how: "idle", "often" (the next one follows 20 to 80 ms later), "bulk" (one way), "bulk_both".
    """
    kind = LINES[line]._replace(loss=LOSSES[loss])
    bulk = {"bulk": 1, "bulk_both": 2}.get(how, 0)
    count = _QUICK_REQUESTS if quick else _BULK_REQUESTS if bulk else _REQUESTS
    pause_us = ours.LONE_US if how == "idle" else ours.OFTEN_US
    found: list[int] = []
    for seed in _seeds(quick):
        found += ours.requests(kind, _SIZE, count, seed, pause_us, bulk)
    p99 = ours.p99(sorted(found))
    return Reading(p99, None if bulk else ours.p99(tmin.requests(kind, _SIZE, count, pause_us)))


def jobs() -> list[Job]:
    """Return all values to find, the longest runs first."""
    made = [
        Job("link.overhead_bytes", overhead, (True,)),
        Job("link.overhead_bytes_back", overhead, (False,)),
        Job("link.overhead_bytes_saturated", overhead_saturated),
    ]
    for loss in LOSSES:
        for size in (200, 32):
            for line in ("115200", "921600"):
                made.append(
                    Job(f"link.goodput_{size}B_{line}.{loss}", goodput, (line, loss, size))
                )
        for line in ("9600", "12M", "115200_50ms", "udp"):
            made.append(Job(f"link.goodput_200B_{line}.{loss}", goodput, (line, loss, 200)))
        for line in ("115200", "921600"):
            for how in ("idle", "often", "bulk", "bulk_both"):
                end = line if loss == "loss0" else f"{line}_{loss}"
                if line == "115200" or not how.endswith("both"):
                    made.append(
                        Job(f"link.request_p99_ms.{how}_{end}", request, (line, loss, how))
                    )
    return sorted(made, key=lambda job: -LINES[job.args[0]].baud if len(job.args) > 1 else 0)


def _work(index: int) -> tuple[str, Reading]:
    job = jobs()[index]
    return job.key, job.function(False, *job.args)


def run(quick: bool, each: Callable[[str], None]) -> Readings:
    """Find all values; each(key) is called after each of them."""
    found: Readings = {}
    if quick:
        for job in jobs():
            found[job.key] = job.function(True, *job.args)
            each(job.key)
        return found
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(os.cpu_count(), mp_context=context) as pool:
        for done in as_completed([pool.submit(_work, index) for index in range(len(jobs()))]):
            key, reading = done.result()
            found[key] = reading
            each(key)
    return found
