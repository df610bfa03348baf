# SPDX-License-Identifier: MIT
"""Run tests/test_alloc.py as a program on both MicroPython VMs: every hot call, heap locked.

Rules: each VM must end with `alloc: N calls checked, 0 allocate` with N > 0 and the same N on
both; the last line printed here is that line.
"""

from __future__ import annotations

import re
import subprocess
import sys

import vms
from layout import ROOT, Trouble

_LAST = re.compile(r"^alloc: (\d+) calls checked, (\d+) allocate$")


def verdict(said: str, status: int) -> int:
    """Return the number of calls that one VM has checked, or raise Trouble."""
    lines = said.strip().splitlines()
    match = _LAST.match(lines[-1]) if lines else None
    if match is None:
        raise Trouble(f"tests/test_alloc.py did not end with its line (status {status}).")
    if status != 0 or int(match[2]) != 0:
        raise Trouble(f"{match[2]} of {match[1]} hot calls allocate (status {status}).")
    if int(match[1]) == 0:
        raise Trouble("tests/test_alloc.py checked nothing.")
    return int(match[1])


def main() -> None:
    """Run it on both VMs."""
    counts = []
    for bits in vms.BITS:
        done = subprocess.run(
            [vms.vm(bits), "tests/test_alloc.py"],
            cwd=ROOT,
            env=vms.environment(ROOT / "tests"),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        print(f"unix{bits}:\n{done.stdout.rstrip()}", flush=True)
        counts.append(verdict(done.stdout, done.returncode))
    if len(set(counts)) != 1:
        raise Trouble(f"the VMs checked different numbers of calls: {counts}.")
    print(f"alloc: {counts[0]} calls checked, 0 allocate")


if __name__ == "__main__":
    try:
        main()
    except (Trouble, subprocess.TimeoutExpired) as problem:
        sys.exit(f"alloc: {problem}")
