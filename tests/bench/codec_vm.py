# SPDX-License-Identifier: MIT
"""Runs codec_micropython.py on the 32-bit VM."""

from __future__ import annotations

from pathlib import Path

from layout import Trouble

from .bus_vm import lines
from .figures import Samples
from .measure import BURST

KEY = "codec.micropython_200B.vs_crc32"
_MODULE = "codec_micropython"


def run(folder: Path, rounds: int, quick: bool) -> Samples:
    """Measure in one VM, by turns."""
    count = BURST if quick else BURST * 60
    found = [
        (float(ours), float(peer))
        for ours, peer in lines(folder, "1m", rounds, count, module=_MODULE)
    ]
    if len(found) != rounds:
        raise Trouble(f"{KEY}: {len(found)} rounds were measured, not {rounds}.")
    return {KEY: found}
