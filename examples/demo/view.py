# SPDX-License-Identifier: MIT
"""What the demo shows while it runs: a live display on a terminal, a few plain lines elsewhere.

Rules: it only looks at the books (counts.py) and never writes into them.
"""

from __future__ import annotations

import time
from collections import deque

from counts import Counts
from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

EVENTS = 6  # lines of what happened last
STEP_S = 0.1  # between two looks


class View:
    """The display; used as a context, look() as often as there is time."""

    def __init__(self, counts: Counts, title: str, console: Console | None = None) -> None:
        self.damaged = 0
        self._counts = counts
        self._title = title
        self._console = console or Console(highlight=False)
        self._events: deque[str] = deque(maxlen=EVENTS)
        self._live: Live | None = None
        self._looked = 0.0

    def __enter__(self) -> View:
        if self._console.is_terminal:
            self._live = Live(
                self._picture(), console=self._console, auto_refresh=False, transient=True
            )
            self._live.start()
        else:
            self._print(self._title)
        return self

    def __exit__(self, kind: object, value: object, trace: object) -> None:
        if self._live is not None:
            self._live.stop()
            self._console.print(self._picture())
            self._live = None

    def _print(self, text: str) -> None:
        self._console.print(Text(f"demo: {text}"), soft_wrap=True)

    def say(self, text: str) -> None:
        """Show something that happened; elsewhere than on a terminal, a line of its own."""
        at = f"{time.monotonic() - self._counts.start:5.2f} s  " if self._counts.start else ""
        self._events.append(at + text)
        if self._live is None:
            self._print(at + text)

    def look(self) -> None:
        """Bring the display up to date, at most ten times a second."""
        if self._live is not None and time.monotonic() - self._looked >= STEP_S:
            self._looked = time.monotonic()
            self._live.update(self._picture(), refresh=True)

    def _picture(self) -> Panel:
        counts = self._counts
        now = time.monotonic()
        for_s = (counts.stop or now) - counts.start if counts.start else 0.0
        table = Table.grid(padding=(0, 3))
        table.add_column(style="bold")
        table.add_column(justify="right")
        table.add_column(style="dim")
        rate = len(counts.requests) / for_s if for_s > 0 else 0.0
        table.add_row(
            "requests", str(len(counts.requests)), f"{rate:.1f}/s, refused {counts.refused}"
        )
        trips = f"{counts.rtt_ms(0.5):.1f} ms, 99 % within {counts.rtt_ms(0.99):.1f} ms"
        table.add_row("replies", str(counts.replies), f"half of them within {trips}")
        names = ", ".join(f"{name} {n}" for name, n in sorted(counts.statuses.items()))
        table.add_row("statuses", str(sum(counts.statuses.values())), names)
        table.add_row("still out", str(counts.unanswered), "")
        heard = f"light {counts.light}, temperature {counts.temperature / 100:.2f} °C"
        table.add_row(
            "announcements", str(counts.announcements), f"missed {counts.missed}; {heard}"
        )
        line = f"{self.damaged} frames damaged, {len(counts.resets)} resets"
        table.add_row("line", "", line)
        wrong = Text("; ".join(counts.wrong[-2:]), style="bold red")
        events = Text("\n".join(self._events), style="cyan")
        return Panel(Group(table, Text(), events, wrong), title=f"{self._title}, {for_s:.1f} s")
