# SPDX-License-Identifier: MIT
"""What `make bench` leaves behind: the tables in docs/performance.md, and one for the terminal.

Rules: only what stands between the two markers of the document is written by this program, and
there must be one of each. A target that is missed is told, and is no error.
"""

from __future__ import annotations

import os
import platform
from pathlib import Path

from rich.table import Table

from layout import Trouble

from . import values
from .figures import FIGURES, Figure, Samples, middle, ratio, times
from .values import VALUES, Readings, Value

BEGIN = "<!-- bench: begin -->"
END = "<!-- bench: end -->"
_HEAD = ("what", "ours", "beside", "theirs", "ratio", "middle half", "target")
_VALUE_HEAD = ("what", "ours", "T-MIN", "T-MIN, tuned", "target")
_VALUE_HEAD_SHORT = ("figure", "ours", "T-MIN", "tuned", "target")


def within(figure: Figure, value: float) -> bool:
    """Tell whether a ratio keeps to its target, as it is shown."""
    return figure.target is None or round(value, 2) <= figure.target


def row(figure: Figure, rounds: list[tuple[float, float]]) -> list[str]:
    """Return the cells of one line."""
    ours, peer = times(figure, rounds)
    value = ratio(figure, rounds)
    low, high = middle(rounds)
    target = "" if figure.target is None else f"{figure.target:.2f}"
    if not within(figure, value):
        target += " missed"
    return [
        figure.what,
        f"{ours:.2f}",
        figure.peer,
        f"{peer:.2f}",
        f"{value:.2f}",
        f"{low:.2f}-{high:.2f}",
        target,
    ]


def groups() -> dict[str, list[Figure]]:
    """Return the figures by the table that they are in, in order."""
    found: dict[str, list[Figure]] = {}
    for figure in FIGURES:
        found.setdefault(figure.group, []).append(figure)
    return found


def value_groups() -> dict[str, dict[str, list[Value]]]:
    """Return the values by their table and its lines, in order."""
    found: dict[str, dict[str, list[Value]]] = {}
    for value in VALUES:
        found.setdefault(value.group, {}).setdefault(value.what, []).append(value)
    return found


def machine() -> str:
    """Return what Python and processor this is."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                name = line.partition(":")[2].strip()
                break
    return f"CPython {platform.python_version()} on {name}, {os.cpu_count()} CPUs"


def _table(name: str, head: tuple[str, ...], rows: list[list[str]]) -> list[str]:
    rule = ["--:" if cell not in ("what", "beside") else "---" for cell in head]
    lines = ["", f"**{name}**", "", "| " + " | ".join(head) + " |", "|" + "|".join(rule) + "|"]
    return lines + ["| " + " | ".join(cells) + " |" for cells in rows]


def markdown(samples: Samples, readings: Readings, told: str) -> str:
    """Return the tables of the document; `told` says on what they were measured."""
    lines = [told]
    for group, figures in groups().items():
        lines += _table(group, _HEAD, [row(f, samples[f.key]) for f in figures])
    for group, found in value_groups().items():
        # A column that nothing stands in says nothing.
        rows = [values.row(line, readings) for line in found.values()]
        shown = [i for i in range(len(_VALUE_HEAD)) if any(cells[i] for cells in rows)]
        head = tuple(_VALUE_HEAD[i] for i in shown)
        lines += _table(group, head, [[cells[i] for i in shown] for cells in rows])
    return "\n".join(lines)


def fill(text: str, tables: str) -> str:
    """Return the document with the tables between its markers."""
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise Trouble(f"the document needs one line {BEGIN} and one line {END} after it.")
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    return f"{before}{BEGIN}\n\n{tables}\n\n{END}{after}"


def _terminal(title: str, head: tuple[str, ...]) -> Table:
    table = Table(box=None, pad_edge=False, title=title)
    for i, cell in enumerate(head):
        table.add_column(cell, justify="right" if i else "left", no_wrap=True)
    return table


def terminal(samples: Samples) -> Table:
    """Return the table for people in front of the machine."""
    head = ("figure", "ours", "theirs", "ratio", "target", "")
    table = _terminal("microseconds, and ours / theirs", head)
    for figure in FIGURES:
        _, ours, _, peer, value, _, target = row(figure, samples[figure.key])
        target, _, missed = target.partition(" ")
        style = "yellow" if missed else None
        table.add_row(figure.key, ours, peer, value, target, missed, style=style)
    return table


def terminal_values(readings: Readings) -> Table:
    """Return the one of the values."""
    table = _terminal("link.*: the share of the line, ms, bytes, MB/s", _VALUE_HEAD_SHORT)
    for value in VALUES:
        _, *shown, target = values.row([value], readings)
        style = "yellow" if target.endswith("missed") else None
        target = target.replace("at most", "<=").replace("at least", ">=")
        table.add_row(value.key.removeprefix("link."), *shown, target, style=style)
    return table
