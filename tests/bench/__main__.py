# SPDX-License-Identifier: MIT
"""`make bench`: measure, show, write build/bench.json and the tables of docs/performance.md.

Rules: --quick only runs all of it once, for the sake of what the benchmarks themselves need; it
writes nothing. BENCH_ROUNDS sets the number of rounds; with fewer than nine the document stays as
it is. Progress goes to stderr, so that --json has stdout for itself.
"""

from __future__ import annotations

import argparse
import json
import os
import sys

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

import vms
from layout import BUILD, ROOT, Trouble

from . import bus, bus_peers, measure, report
from .figures import FIGURES, ROUNDS_MIN, Samples, flat

_ROUNDS = 25
_DOCUMENT = ROOT / "docs" / "performance.md"


def rounds_wanted(quick: bool) -> int:
    """Return how many rounds to measure."""
    if quick:
        return 1
    text = os.environ.get("BENCH_ROUNDS") or str(_ROUNDS)
    if not text.isdigit() or int(text) < 1:
        raise Trouble(f"BENCH_ROUNDS is {text!r}; a number of rounds, at least 1, is needed.")
    return int(text)


def run(rounds: int, quick: bool) -> Samples:
    """Measure with a bar on stderr that shows how far it is."""
    columns = (TextColumn("bench: {task.description}"), BarColumn(), TimeElapsedColumn())
    total = rounds + bus.heap_rounds(rounds, quick)
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("setting up", total=total)
        parts: list[str] = []

        def each(part: str) -> None:
            parts.append(part)
            rounds_done = sum(part in ("CPython", "its heaps") for part in parts)
            progress.update(task, description=part, completed=rounds_done)

        return bus.run(rounds, quick, each)


def told(rounds: int, cpu: int | None) -> str:
    """Return the sentence that says on what was measured."""
    peers = ", ".join(f"{name} {version}" for name, version in bus_peers.versions().items())
    pinned = "one CPU for all of it" if cpu is not None else "not kept on one CPU"
    return (
        f"Measured with {report.machine()}, {pinned}; MicroPython "
        f"{vms.probe(vms.vm(32), 32)}, 32-bit; {peers}; {rounds} rounds."
    )


def write(samples: Samples, rounds: int, cpu: int | None) -> None:
    """Write what is kept."""
    BUILD.mkdir(exist_ok=True)
    (BUILD / "bench.json").write_text(json.dumps(flat(samples), indent=2) + "\n")
    print("bench: build/bench.json written", file=sys.stderr)
    name = _DOCUMENT.relative_to(ROOT)
    if rounds < ROUNDS_MIN:
        print(f"bench: {name} stays as it is: {rounds} rounds are too few", file=sys.stderr)
        return
    text = _DOCUMENT.read_text(encoding="utf-8")
    tables = report.markdown(samples, told(rounds, cpu))
    _DOCUMENT.write_text(report.fill(text, tables), encoding="utf-8")
    print(f"bench: {name} written", file=sys.stderr)


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(prog="bench", description="Measure Limpet beside others.")
    parser.add_argument("--quick", action="store_true", help="run all of it once, write nothing")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    options = parser.parse_args()
    rounds = rounds_wanted(options.quick)
    cpu = measure.pin()
    samples = run(rounds, options.quick)
    if not options.quick:
        write(samples, rounds, cpu)
    if options.json:
        print(json.dumps(flat(samples), indent=2))
    elif options.quick:
        print(f"bench: {len(FIGURES)} figures can be made; too quick to tell them")
    else:
        Console().print(report.terminal(samples))


if __name__ == "__main__":
    try:
        main()
    except Trouble as problem:
        sys.exit(f"bench: {problem}")
