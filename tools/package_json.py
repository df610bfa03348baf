# SPDX-License-Identifier: MIT
"""Write package.json, from which `mip` installs on a board; with --check, only compare.

Rules: generated, never edited; it lists every module that a board has, under the name it has
there.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from layout import ROOT, Trouble, modules, version


def text(root: Path = ROOT) -> str:
    """Return what package.json shall be."""
    files = modules("micropython", root)
    urls = [[name, str(path.relative_to(root))] for name, path in sorted(files.items())]
    lines = ",\n".join("    " + json.dumps(pair) for pair in urls)
    return f'{{\n  "version": "{version(root)}",\n  "deps": [],\n  "urls": [\n{lines}\n  ]\n}}\n'


def main() -> None:
    """Write the file, or tell that it has drifted."""
    path = ROOT / "package.json"
    if sys.argv[1:] == ["--check"]:
        if not path.exists() or path.read_text(encoding="utf-8") != text():
            raise Trouble("it differs from the tree: run `make package.json` and commit it.")
    else:
        path.write_text(text(), encoding="utf-8")
    print("package.json: up to date")


if __name__ == "__main__":
    try:
        main()
    except Trouble as problem:
        sys.exit(f"package.json: {problem}")
