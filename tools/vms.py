# SPDX-License-Identifier: MIT
"""The MicroPython VMs under build/: where they are, what they are, and how they are run.

Rules: every tool runs a VM through its launcher build/vm<bits>/micropython, whether the VM was
fetched or named by the user; a VM counts only after it has told its own version and the width of
its small ints.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from layout import BUILD, ROOT, Trouble

BITS = (32, 64)
VERSION_MIN = (1, 24)
_MAXSIZE = {32: 0x7FFFFFFF, 64: 0x7FFFFFFFFFFFFFFF}
_ASK = "import sys\nprint(sys.implementation[0], sys.maxsize, *sys.implementation[1][:3])\n"


def launcher(bits: int) -> Path:
    """Return where the VM of that width is started."""
    return BUILD / f"vm{bits}" / "micropython"


def probe(command: str | Path, bits: int) -> str:
    """Run a VM and return its version, or raise Trouble that says what is wrong with it."""
    try:
        done = subprocess.run(
            [str(command), "-c", _ASK], capture_output=True, text=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as e:
        raise Trouble(f"{command} does not run: {e}.") from e
    words = done.stdout.split()
    if done.returncode != 0 or len(words) < 5:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise Trouble(f"{command} does not run: {said[-1] if said else done.returncode}.")
    if words[0] != "micropython":
        raise Trouble(f"{command} is {words[0]}, not MicroPython.")
    if int(words[1]) != _MAXSIZE[bits]:
        raise Trouble(f"{command} is not a {bits}-bit MicroPython (sys.maxsize is {words[1]}).")
    if (int(words[2]), int(words[3])) < VERSION_MIN:
        raise Trouble(f"{command} is MicroPython {'.'.join(words[2:5])}; 1.24 or newer is needed.")
    return ".".join(words[2:5])


def vm(bits: int) -> Path:
    """Return the launcher of a VM that is set up, or raise Trouble."""
    path = launcher(bits)
    if not path.exists():
        raise Trouble(f"There is no {bits}-bit MicroPython yet: run `make vm`.")
    return path


def environment(*folders: Path) -> dict[str, str]:
    """Return the environment for a VM that imports from `folders` and the staged tree."""
    places = [*folders, BUILD / "micropython", ROOT / "tests" / "upy"]
    path = ":".join([str(place) for place in places] + [".frozen"])
    return {**os.environ, "MICROPYPATH": path}
