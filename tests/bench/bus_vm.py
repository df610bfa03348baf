# SPDX-License-Identifier: MIT
"""Runs works on the 32-bit VM: the library compiled to .mpy files, as on a board. And the bus's.

Rules: one VM for the announcements, which it measures by turns; two new VMs in each round for the
sizes of the heap. Output that is not what was asked for is an error that shows it.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import mpy
import vms
from layout import BUILD, Trouble, modules

from .figures import Samples
from .measure import BURST

_BITS = 32
_MARCH = "x86"  # of that VM, for the native code
_MODULE = "bus_micropython"
_KEYS = {
    "1": "bus.micropython.announce_1_1.vs_deque",
    "10": "bus.micropython.announce_1_10.vs_deque",
}
_HEAP_KEY = "bus.micropython.heap_8m.vs_128k"
_TIMEOUT_S = 120


def compile_all() -> Path:
    """Compile the library and the works; return the folder that the VM imports from."""
    target = BUILD / "bench"
    files = modules("micropython")
    for path in Path(__file__).parent.glob("*_micropython.py"):
        files[path.name] = path
    mpy.compile_tree(files, target, _MARCH)
    return target


def lines(folder: Path, heap: str, *args: object, module: str = _MODULE) -> list[list[str]]:
    """Run a work on the VM with so much heap; return the words of each line it prints."""
    command = [str(vms.vm(_BITS)), "-X", f"heapsize={heap}", "-m", module]
    try:
        done = subprocess.run(
            [*command, *[str(arg) for arg in args]],
            env={**vms.environment(), "MICROPYPATH": f"{folder}:.frozen"},
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as e:
        raise Trouble(f"{module} {args[0]} did not end within {_TIMEOUT_S} s.") from e
    if done.returncode:
        said = (done.stderr + done.stdout).strip()
        raise Trouble(f"{module} {args[0]} failed in a heap of {heap}: {said}")
    return [line.split() for line in done.stdout.splitlines()]


def announce(folder: Path, rounds: int, quick: bool) -> Samples:
    """Measure beside deques."""
    counts = (BURST, BURST) if quick else (BURST * 200, BURST * 50)
    samples: Samples = {key: [] for key in _KEYS.values()}
    for listeners, ours, peer in lines(folder, "1m", "announce", rounds, *counts):
        samples[_KEYS[listeners]].append((float(ours), float(peer)))
    for key, found in samples.items():
        if len(found) != rounds:
            raise Trouble(f"{key}: {len(found)} rounds were measured, not {rounds}.")
    return samples


def heap(folder: Path, rounds: int, quick: bool, each: Callable[[], None]) -> Samples:
    """Measure in a large heap and in a small one, by turns."""
    count = BURST if quick else BURST * 200
    found = []
    for _ in range(rounds):
        times = []
        for size in ("8m", "128k"):
            times.append(min(float(line[0]) for line in lines(folder, size, "heap", count)))
        found.append((times[0], times[1]))
        each()
    return {_HEAP_KEY: found}
