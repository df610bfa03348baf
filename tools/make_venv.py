# SPDX-License-Identifier: MIT
"""Make build/venv with everything that the targets need, and an editable install of this tree.

Rules: run by any Python >= 3.11 with nothing but its standard library; asks whatever package index
the machine's own pip is set up for; done again only when pyproject.toml or the interpreter has
changed.
"""

from __future__ import annotations

import hashlib
import importlib.util
import shutil
import subprocess
import sys
import venv

# The module itself is imported by a Python that may be too old for the rest: say so first.
if sys.version_info < (3, 11):  # noqa: UP036
    sys.exit(
        f"venv: Python 3.11 or newer is needed, {sys.executable} is {sys.version.split()[0]}."
    )

from layout import BUILD, ROOT, Trouble

_VENV = BUILD / "venv"
_STAMP = _VENV / "limpet.stamp"


def stamp() -> str:
    """Return what the venv depends on."""
    project = (ROOT / "pyproject.toml").read_bytes()
    return f"{ROOT} {sys.version} {hashlib.sha256(project).hexdigest()}\n"


def pip() -> list[str]:
    """Make the venv and return the pip that installs into it."""
    shutil.rmtree(_VENV, ignore_errors=True)
    if importlib.util.find_spec("ensurepip") is not None:
        venv.create(_VENV, with_pip=True, symlinks=True)
        return [str(_VENV / "bin/python"), "-m", "pip"]
    # Some distributions take ensurepip out; a pip beside this Python can serve the venv as well.
    if importlib.util.find_spec("pip") is None:
        raise Trouble(
            f"{sys.executable} has neither ensurepip nor pip: install python3-venv or python3-pip."
        )
    venv.create(_VENV, with_pip=False, symlinks=True)
    return [sys.executable, "-m", "pip", "--python", str(_VENV / "bin/python")]


def main() -> None:
    """Bring build/venv up to date."""
    if _STAMP.exists() and _STAMP.read_text() == stamp():
        print("venv: build/venv is up to date")
        return
    print(f"venv: making build/venv with {sys.executable} {sys.version.split()[0]}", flush=True)
    options = ["--quiet", "--disable-pip-version-check"]
    command = [*pip(), "install", *options, "-e", ".[test,dev,bench]"]
    print("venv:", " ".join(command), flush=True)
    if subprocess.run(command, cwd=ROOT, check=False).returncode:
        raise Trouble("pip could not install the packages that pyproject.toml names; see above.")
    _STAMP.write_text(stamp())


if __name__ == "__main__":
    try:
        main()
    except (Trouble, OSError, subprocess.CalledProcessError) as problem:
        sys.exit(f"venv: {problem}")
