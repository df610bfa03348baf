# SPDX-License-Identifier: MIT
"""Assemble build/<port>/limpet out of symlinks: both VMs import the very files that are edited.

Rules: only what differs is touched, so that staging is safe while something else runs from the
tree; links are relative, so that a moved checkout still works.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from layout import BUILD, PORTS, ROOT


def wanted(port: str, root: Path = ROOT) -> dict[str, Path]:
    """Return what build/<port>/limpet shall hold: {name in it: source}."""
    links = {}
    for path in sorted((root / "lib/limpet").iterdir()):
        if path.name != "__pycache__":
            links[path.name] = path
    links["transport"] = root / "transport"
    for folder in sorted((root / "ports" / port).iterdir()):
        if folder.is_dir() and folder.name != "__pycache__":
            links[folder.name] = folder
    return links


def stage(port: str, root: Path = ROOT, build: Path = BUILD) -> int:
    """Make build/<port>/limpet right and return the number of links that had to change."""
    top = build / port / "limpet"
    top.mkdir(parents=True, exist_ok=True)
    links = {name: os.path.relpath(path, top) for name, path in wanted(port, root).items()}
    changed = 0
    for path in top.iterdir():
        if path.name == "__pycache__":
            continue
        if path.is_symlink() and links.get(path.name) == os.readlink(path):
            del links[path.name]
        else:
            changed += 1
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
    for name, source in links.items():
        (top / name).symlink_to(source)
    return changed + len(links)


def main() -> None:
    """Stage both ports."""
    for port in PORTS:
        changed = stage(port)
        print(f"stage: build/{port}/limpet" + (f", {changed} links changed" if changed else ""))


if __name__ == "__main__":
    main()
