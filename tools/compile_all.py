# SPDX-License-Identifier: MIT
"""Compile with mpy-cross everything that is meant to run on MicroPython.

Rules: lib/, transport/, ports/micropython/, boards/, the portable tests with their runner, and the
examples that are not for the host alone; files with native code for every processor that boards
have.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import mpy
from layout import ROOT, Trouble

_PLACES = (
    "lib/**/*.py",
    "transport/**/*.py",
    "ports/micropython/**/*.py",
    "boards/**/*.py",
    "tests/*.py",
    "tests/upy/*.py",
    "tests/vectors/*.py",
    "examples/**/*.py",
)
# Programs of the host: they use processes, pyserial and the like, and are not for boards.
_HOST_ONLY = ("tests/conftest.py", "tests/readme_", "examples/demo/", "examples/host")


def sources(root: Path = ROOT) -> list[Path]:
    """Return the files that must compile."""
    found = {path for place in _PLACES for path in root.glob(place)}
    names = sorted(str(path.relative_to(root)) for path in found)
    return [root / name for name in names if not name.startswith(_HOST_ONLY)]


def main() -> None:
    """Compile them all and tell every one that does not."""
    troubles, count = [], 0
    with tempfile.TemporaryDirectory() as folder:
        for path in sources():
            for march in mpy.MARCHES if mpy.is_native(path) else ("",):
                count += 1
                said = mpy.compile_file(path, Path(folder) / "out.mpy", march)
                if said:
                    troubles.append(f"{path.relative_to(ROOT)} {march}: {said}")
    for trouble in troubles:
        print(trouble)
    if troubles or not count:
        raise Trouble(f"{len(troubles)} of {count} do not compile.")
    print(f"compile: {count} files compile with mpy-cross")


if __name__ == "__main__":
    try:
        main()
    except Trouble as problem:
        sys.exit(f"compile: {problem}")
