# SPDX-License-Identifier: MIT
"""Build what is published into dist/: the sdist, the wheel made from it, and a zip for boards.

Rules: the wheel is made from the sdist, so that an sdist that lacks a file cannot go unnoticed;
the wheel must hold exactly the modules of the tree. The zip unpacks into a board's /lib.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile

import mpy
from layout import BUILD, ROOT, Trouble, modules, version


def check_wheel() -> str:
    """Compare the wheel's modules with the tree and return its name."""
    (wheel,) = (ROOT / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as z:
        held = {name for name in z.namelist() if name.endswith(".py")}
    wanted = set(modules("cpython"))
    if held != wanted:
        raise Trouble(f"{wheel.name} differs from the tree: {sorted(held ^ wanted)}.")
    return wheel.name


def board_zip() -> str:
    """Write the zip with the .mpy files; native code stays source, the board may compile it."""
    work = BUILD / "dist-mpy"
    shutil.rmtree(work, ignore_errors=True)
    name = f"limpet-{version()}-mpy.zip"
    with zipfile.ZipFile(ROOT / "dist" / name, "w", zipfile.ZIP_DEFLATED) as z:
        for inside, path in mpy.compile_tree(modules("micropython"), work, "").items():
            z.write(path, inside)
        z.write(ROOT / "LICENSE", "limpet/LICENSE")
    return name


def main() -> None:
    """Build all three."""
    shutil.rmtree(ROOT / "dist", ignore_errors=True)
    command = [sys.executable, "-m", "build", "--outdir", "dist", "."]
    if subprocess.run(command, cwd=ROOT, check=False).returncode:
        raise Trouble("the sdist or the wheel could not be built; see above.")
    print(f"dist: dist/{check_wheel()}, its sdist, and dist/{board_zip()}")


if __name__ == "__main__":
    try:
        main()
    except Trouble as problem:
        sys.exit(f"dist: {problem}")
