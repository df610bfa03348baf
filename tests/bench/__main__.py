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

from . import bus, bus_peers, codec, figures, link, link_real, measure, report, values
from .figures import FIGURES, ROUNDS_MIN, Samples
from .values import VALUES, Readings

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


def run(rounds: int, quick: bool) -> tuple[Samples, Readings, int | None]:
    """Measure with a bar on stderr that shows how far it is; return the CPU too, if it is one.

    First what wants all CPUs: virtual time, and what two processes do at once.
    """
    columns = (TextColumn("bench: {task.description}"), BarColumn(), TimeElapsedColumn())
    total = len(link.jobs()) + 3 * rounds + bus.heap_rounds(rounds, quick)
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("setting up", total=total)

        def each(part: str, done: int = 1) -> None:
            progress.update(task, description=part, advance=done)

        readings = link.run(quick, lambda key: each("links in virtual time"))
        samples = measure.together(
            lambda: link_real.block_pairs(quick), rounds, lambda: each("a link through a pty")
        )
        cpu = measure.pin()
        samples.update(
            measure.together(
                lambda: codec.pairs(quick) + link_real.ping_pairs(quick),
                rounds,
                lambda: each("codec, pings"),
            )
        )
        samples.update(bus.run(rounds, quick, each))
    readings["link.pty_MBps"] = link_real.throughput(samples)
    return samples, readings, cpu


def told(rounds: int, cpu: int | None) -> str:
    """Return the sentence that says on what was measured."""
    peers = ", ".join(f"{name} {version}" for name, version in bus_peers.versions().items())
    pinned = "one CPU for all of it" if cpu is not None else "not kept on one CPU"
    return (
        f"Measured with {report.machine()}, {pinned}; MicroPython "
        f"{vms.probe(vms.vm(32), 32)}, 32-bit; {peers}; {rounds} rounds."
    )


def flat(samples: Samples, readings: Readings) -> dict[str, float]:
    """Return all of it as it goes into the JSON."""
    return {**figures.flat(samples), **values.flat(readings)}


def write(samples: Samples, readings: Readings, rounds: int, cpu: int | None) -> None:
    """Write what is kept."""
    BUILD.mkdir(exist_ok=True)
    (BUILD / "bench.json").write_text(json.dumps(flat(samples, readings), indent=2) + "\n")
    print("bench: build/bench.json written", file=sys.stderr)
    name = _DOCUMENT.relative_to(ROOT)
    if rounds < ROUNDS_MIN:
        print(f"bench: {name} stays as it is: {rounds} rounds are too few", file=sys.stderr)
        return
    text = _DOCUMENT.read_text(encoding="utf-8")
    tables = report.markdown(samples, readings, told(rounds, cpu))
    _DOCUMENT.write_text(report.fill(text, tables), encoding="utf-8")
    print(f"bench: {name} written", file=sys.stderr)


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(prog="bench", description="Measure Limpet beside others.")
    parser.add_argument("--quick", action="store_true", help="run all of it once, write nothing")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    options = parser.parse_args()
    rounds = rounds_wanted(options.quick)
    samples, readings, cpu = run(rounds, options.quick)
    if not options.quick:
        write(samples, readings, rounds, cpu)
    if options.json:
        print(json.dumps(flat(samples, readings), indent=2))
    elif options.quick:
        count = len(FIGURES) + len(VALUES)
        print(f"bench: {count} figures can be made; too quick to tell them")
    else:
        Console().print(report.terminal(samples))
        Console().print(report.terminal_values(readings))


if __name__ == "__main__":
    try:
        main()
    except Trouble as problem:
        sys.exit(f"bench: {problem}")
