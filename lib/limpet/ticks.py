# SPDX-License-Identifier: MIT
"""Arithmetic of milliseconds that wrap at 2**30.

Rules: a time is an int in 0..2**30-1 as port.ticks_ms() gives it; only differences of less than
half the period (six days) mean anything. No intermediate result leaves the 31-bit small ints of a
board, so nothing here allocates.
"""

from .port import const

_MASK = const(0x3FFFFFFF)
_HALF = const(0x20000000)

MS_MAX = const(0x1FFFFFFF)  # the longest span that ticks_diff can tell, and "not due at all"


def check_ms(what: str, ms: "int | None") -> None:
    """Raise TypeError or ValueError unless `ms` is a span that can be waited for, or None."""
    if ms is None:
        return
    if not isinstance(ms, int):
        raise TypeError(f"{what} is {ms!r}: whole milliseconds are needed, or None for ever")
    if not 0 <= ms <= MS_MAX:
        raise ValueError(
            f"{what} is {ms}: 0 to {MS_MAX} (six days) are possible, or None for ever"
        )


def ticks_diff(a: int, b: int) -> int:  # hot:
    """Return how many ms `a` is after `b` (negative: before)."""
    d = (a - b) & _MASK
    # 2**30 itself is no small int on a board: go below zero in two steps.
    return d if d < _HALF else d - _HALF - _HALF


def ticks_add(t: int, ms: int) -> int:  # hot:
    """Return the time `ms` after `t`; 0 <= ms <= MS_MAX."""
    d = t - _HALF + ms  # at most 2**30 - 1: stays small
    return d + _HALF if d < _HALF else d - _HALF
