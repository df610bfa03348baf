# SPDX-License-Identifier: MIT
"""mpy-cross as the tools use it: which files need a processor named, and how one is compiled.

Rules: a file with viper or native code compiles only for a named processor; any other file is the
same for all of them.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from layout import Trouble

# The processors that the boards have; each file of native code must compile for all of them.
MARCHES = ("armv6m", "armv7m", "xtensawin")
_NATIVE = re.compile(r"^\s*@(micropython\.)?(viper|native|asm_\w+)\b", re.MULTILINE)


def is_native(path: Path) -> bool:
    """Return True if the file has functions that are compiled to machine code."""
    return _NATIVE.search(path.read_text(encoding="utf-8")) is not None


def compile_file(source: Path, target: Path, march: str = "", name: str = "") -> str:
    """Compile one file with -O2 and return what mpy-cross says against it, empty for nothing.

    name: the file name that tracebacks show. The target's folder is made.
    """
    tool = Path(sys.executable).with_name("mpy-cross")
    if not tool.exists():
        raise Trouble(f"{tool} is missing: run this by make, which sets build/venv up.")
    target.parent.mkdir(parents=True, exist_ok=True)
    command = [str(tool), "-O2", "-s", name or source.name, "-o", str(target)]
    if march:
        command.append(f"-march={march}")
    done = subprocess.run([*command, str(source)], capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else (done.stderr or done.stdout).strip()


def compile_tree(files: dict[str, Path], target: Path, march: str) -> dict[str, Path]:
    """Compile {"limpet/bus.py": source, ...} into `target`; return {"limpet/bus.mpy": file, ...}.

    Without a march, files of native code are left as sources: the board compiles them itself, or
    falls back to the plain ones.
    """
    made = {}
    for name, source in files.items():
        native = is_native(source)
        if native and not march:
            made[name] = source
            continue
        compiled = name[:-3] + ".mpy"
        said = compile_file(source, target / compiled, march if native else "", name)
        if said:
            raise Trouble(f"{source} does not compile: {said}")
        made[compiled] = target / compiled
    return made
