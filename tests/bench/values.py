# SPDX-License-Identifier: MIT
"""Figures that are no ratios: what a link gets out of its line. And those of T-MIN beside them.

Rules: `key` is the name in the JSON; T-MIN's stand there as `key.tmin` and `key.tmin_tuned`. A
target is the least that a value may be, or the most, as it is shown.
"""

from __future__ import annotations

from typing import NamedTuple


class Reading(NamedTuple):
    """A value of ours, and what T-MIN reaches: as it is, and where it was tuned."""

    ours: float
    tmin: float | None = None
    tuned: float | None = None


Readings = dict[str, Reading]


class Value(NamedTuple):
    """A cell of a table. digits: behind the point, as it is shown. most: so is the target.

    Those of a group with the same `what` stand in one line.
    """

    key: str
    group: str
    what: str
    digits: int
    target: float | None = None
    most: bool = True


_BYTES = "Link: bytes for an announcement of 8 bytes, 115200 baud"
_LOST = "with 0 / 1 / 5 % of frames lost"
_SHARE = f"Link: share of the line that the data of announcements gets, {_LOST}"
_P99 = f"Link: ms for a request of 16 bytes and its reply, 99th percentile, {_LOST}"
_PTY = "Link: MB/s through a pty between two processes"

LOSSES = ("loss0", "loss1", "loss5")
_SHARES = {
    ("200B", "115200"): ("200 bytes, 115200 baud", (0.94, 0.93, 0.88)),
    ("200B", "921600"): ("200 bytes, 921600 baud", (0.94, 0.93, 0.88)),
    ("32B", "115200"): ("32 bytes, 115200 baud", (0.84, 0.83, 0.79)),
    ("32B", "921600"): ("32 bytes, 921600 baud", (None,) * 3),
    ("200B", "9600"): ("200 bytes, 9600 baud", (None,) * 3),
    ("200B", "12M"): ("200 bytes, 12 Mbit/s", (None,) * 3),
    ("200B", "115200_50ms"): ("200 bytes, 115200 baud, 50 ms each way", (None,) * 3),
    ("200B", "udp"): ("200 bytes, UDP at 10 Mbit/s, 5 % overtaken", (None,) * 3),
}
_HOWS = {
    "idle": "now and then",
    "often": "each 20 to 80 ms",
    "bulk": "bulk one way",
    "bulk_both": "bulk both ways",
}
_LINES = {"115200": ("idle", "often", "bulk", "bulk_both"), "921600": ("idle", "often", "bulk")}
_P99_MAX = {"idle_115200": 10.0, "bulk_115200": 30.0}


def _values() -> list[Value]:
    made = [
        Value("link.overhead_bytes", _BYTES, "beyond its own, 100 a second", 2, 11.0),
        Value("link.overhead_bytes_back", _BYTES, "the other way", 2, 2.0),
        Value("link.overhead_bytes_saturated", _BYTES, "beyond its own, line full", 2, 5.0),
    ]
    for (size, line), (what, targets) in _SHARES.items():
        for loss, target in zip(LOSSES, targets):
            key = f"link.goodput_{size}_{line}.{loss}"
            made.append(Value(key, _SHARE, what, 3, target, most=False))
    for line, hows in _LINES.items():
        for how in hows:
            what = f"{line} baud, {_HOWS[how]}"
            for loss in LOSSES:
                end = f"{how}_{line}" + ("" if loss == "loss0" else f"_{loss}")
                made.append(Value(f"link.request_p99_ms.{end}", _P99, what, 1, _P99_MAX.get(end)))
    made.append(Value("link.pty_MBps", _PTY, "blocks of 200 bytes", 1, 10.0, most=False))
    return made


VALUES = tuple(_values())


def within(value: Value, found: float) -> bool:
    """Tell whether a value keeps to its target."""
    if value.target is None:
        return True
    shown = round(found, value.digits)
    return shown <= value.target if value.most else shown >= value.target


def _joined(cells: list[str]) -> str:
    return " / ".join(cell or "-" for cell in cells) if any(cells) else ""


def row(found: list[Value], readings: Readings) -> list[str]:
    """Return the cells of one line of a table, in which these values stand side by side."""
    columns = zip(*[readings[value.key] for value in found])
    digits = found[0].digits
    shown = [
        _joined(["" if x is None else f"{x:.{digits}f}" for x in column]) for column in columns
    ]
    target = _joined(["" if v.target is None else f"{v.target:g}" for v in found])
    if target:
        target = ("at most " if found[0].most else "at least ") + target
    if not all(within(value, readings[value.key].ours) for value in found):
        target += " missed"
    return [found[0].what, *shown, target]


def flat(readings: Readings) -> dict[str, float]:
    """Return everything as it goes into the JSON."""
    found: dict[str, float] = {}
    for value in VALUES:
        reading = readings[value.key]
        found[value.key] = round(reading.ours, 4)
        if reading.tmin is not None:
            found[f"{value.key}.tmin"] = round(reading.tmin, 4)
        if reading.tuned is not None:
            found[f"{value.key}.tmin_tuned"] = round(reading.tuned, 4)
    return found
