# SPDX-License-Identifier: MIT
"""Where things are: the one table of source folders and packages that the tools and tests share.

Rules: `limpet` is one import package out of several folders; which port fills `limpet.port` is
decided by the folder that is staged, never by an `if`. Everything here reads the tree, nothing
imports it.
"""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"
PORTS = ("cpython", "micropython")


class Trouble(Exception):
    """Something the user can mend: its text is one sentence that says how."""


def packages(port: str, root: Path = ROOT) -> dict[str, Path]:
    """Return the folder of every package of `limpet` as `port` sees it, by dotted name."""
    found = {"limpet": root / "lib/limpet"}
    for init in sorted((root / "lib/limpet").glob("*/**/__init__.py")):
        found[".".join(init.parent.relative_to(root / "lib").parts)] = init.parent
    found["limpet.transport"] = root / "transport"
    for folder in sorted((root / "ports" / port).iterdir()):
        if any(folder.glob("*.py")):
            found["limpet." + folder.name] = folder
    return found


def modules(port: str, root: Path = ROOT) -> dict[str, Path]:
    """Return every module as `port` sees it: {"limpet/bus.py": lib/limpet/bus.py, ...}."""
    found = {}
    for name, folder in packages(port, root).items():
        for path in sorted(folder.glob("*.py")):
            found[name.replace(".", "/") + "/" + path.name] = path
    return found


def version(root: Path = ROOT) -> str:
    """Return `__version__` of lib/limpet/__init__.py without importing it."""
    text = (root / "lib/limpet/__init__.py").read_text(encoding="utf-8")
    found = re.search(r'^__version__ = "([^"]+)"$', text, re.MULTILINE)
    if found is None:
        raise Trouble('lib/limpet/__init__.py needs a line like __version__ = "0.1.0".')
    return found[1]


def boards(root: Path = ROOT) -> list[str]:
    """Return the names of the boards that have both board.py and main.py."""
    return sorted(p.parent.name for p in (root / "boards").glob("*/board.py"))
