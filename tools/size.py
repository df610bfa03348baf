# SPDX-License-Identifier: MIT
"""Measure what the library costs a board: the bytes of each .mpy, the RAM that importing takes.

Rules: mpy-cross -O2, KB = 1000 bytes. Every module is in one group of GROUPS, and a module that is
in none fails. RAM is measured on the 32-bit VM from .mpy files, module by module, each after those
that it imports, under an empty limpet/__init__, so that each group shows what it adds by itself;
`all` is a real `import limpet` with the uart driver. Writes build/size.json.
"""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
import sys
from pathlib import Path

import mpy
import vms
from layout import BUILD, Trouble, modules

# What a board needs of the bus (its core and hot layer), of a link with its uart driver, of a
# limpet.
GROUPS: dict[str, tuple[str, ...]] = {
    "bus": (
        "limpet/answers",
        "limpet/bindings",
        "limpet/core",
        "limpet/hot",
        "limpet/log",
        "limpet/names",
        "limpet/pool",
        "limpet/queue",
        "limpet/send",
        "limpet/slots",
        "limpet/status",
        "limpet/ticks",
        "limpet/view",
    ),
    "link": (
        "limpet/frame",
        "limpet/header",
        "limpet/input",
        "limpet/link",
        "limpet/neighbour",
        "limpet/output",
        "limpet/rand",
        "limpet/reception",
        "limpet/session",
        "limpet/stats",
        "limpet/tile",
        "limpet/window",
        "limpet/transport/__init__",
        "limpet/transport/pump",
        "limpet/transport/uart",
    ),
    "limpet": (
        "limpet/context",
        "limpet/inbox",
        "limpet/interest",
        "limpet/limpet",
        "limpet/outbox",
        "limpet/record",
    ),
    # Imported only where they are used.
    "extra": (
        "limpet/auth",
        "limpet/channel",
        "limpet/counted",
        "limpet/counter",
        "limpet/events",
        "limpet/irq",
        "limpet/keyed",
        "limpet/layout",
        "limpet/liveness",
        "limpet/stream",
        "limpet/usage",
    ),
    # Each instead of the uart driver, or beside it.
    "drivers": (
        "limpet/transport/spi",
        "limpet/transport/spi_block",
        "limpet/transport/udp",
    ),
    "kbus": (
        "limpet/kbus/__init__",
        "limpet/kbus/device",
        "limpet/kbus/ids",
        "limpet/kbus/kinds",
        "limpet/kbus/ksock",
        "limpet/kbus/message",
        "limpet/kbus/sender",
        "limpet/kbus/wire",
        "limpet/kbus/writer",
    ),
    "other": (
        "limpet/__init__",
        "limpet/aio",
        "limpet/bus",
        "limpet/errors",
        "limpet/handlers",
        "limpet/ksock",
        "limpet/message",
        "limpet/run",
        "limpet/watch",
        "limpet/transport/loopback",
    ),
}
# What only a certain board can import: its RAM is not measured.
_BOARD_ONLY = ("limpet.port.spi_rp2",)
# Everything of the port counts as other, whatever its files are called.
_OTHER_FOLDERS = ("limpet/port/",)
# Pico's processor for the sizes, the VM's own for the RAM.
_SIZE_MARCH, _VM_MARCH = "armv6m", "x86"

_MEASURE = """
import gc, sys
out = []
for name in {names!r}:
    gc.collect()
    before = gc.mem_alloc()
    __import__(name)
    gc.collect()
    out.append(gc.mem_alloc() - before)
print(*out)
"""


def group_of(module: str) -> str:
    """Return the group of a module ("limpet/bus"), or raise Trouble if the table lacks it."""
    if module.startswith(_OTHER_FOLDERS):
        return "other"
    for group, names in GROUPS.items():
        if module in names:
            return group
    raise Trouble(f"{module} is in no group: add it to GROUPS in tools/size.py.")


def dotted(module: str) -> str:
    """Return the import name of a module: "limpet/port/__init__" is "limpet.port"."""
    return module.removesuffix("/__init__").replace("/", ".")


def imported(module: str, source: Path, known: set[str]) -> list[str]:
    """Return which of the `known` import names a module imports when it is itself imported.

    Those of its own package come last: whoever imports one of them imports the rest through the
    package's __init__.
    """
    package = module.rsplit("/", 1)[0].split("/")
    found = []
    body = [n for n in ast.walk(ast.parse(source.read_text(encoding="utf-8")))]
    for node in body:
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            top = ".".join([*base, *([node.module] if node.module else [])])
            found += [top] + [f"{top}.{alias.name}" for alias in node.names]
    own = ".".join(package) + "."
    return sorted(set(found) & known, key=lambda name: (name.startswith(own), name))


def in_order(files: dict[str, Path]) -> list[str]:
    """Return the modules so that each comes after those it imports; loops are cut where met."""
    names = {dotted(module): module for module in files}
    order: list[str] = []
    busy: set[str] = set()

    def visit(name: str) -> None:
        if name in busy:
            return
        busy.add(name)
        module = names[name]
        for other in imported(module, files[module], set(names)):
            visit(other)
        order.append(name)

    for name in sorted(names):
        visit(name)
    return [name for name in order if name != "limpet" and name not in _BOARD_ONLY]


def measure(folder: Path, names: list[str]) -> list[int]:
    """Import the names in turn on the 32-bit VM; return what each added to its heap."""
    done = subprocess.run(
        [vms.vm(32), "-X", "heapsize=1m", "-c", _MEASURE.format(names=names)],
        env={**vms.environment(), "MICROPYPATH": f"{folder}:.frozen"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if done.returncode:
        raise Trouble(f"importing the .mpy files failed: {(done.stderr or done.stdout).strip()}")
    return [int(word) for word in done.stdout.split()]


def import_ram(files: dict[str, Path], work: Path) -> dict[str, int]:
    """Return the RAM in bytes that importing takes, by group and in all."""
    whole, bare = work / "whole", work / "bare"
    mpy.compile_tree(files, whole, _VM_MARCH)
    empty = work / "__init__.py"
    empty.write_text('__version__ = "0"\n')  # what some ask it for
    mpy.compile_tree({**files, "limpet/__init__.py": empty}, bare, _VM_MARCH)
    modules_by_name = {dotted(name[:-3]): name[:-3] for name in files}
    order = in_order({name[:-3]: path for name, path in files.items()})
    ram = dict.fromkeys(GROUPS, 0)
    for name, size in zip(order, measure(bare, ["limpet", *order])[1:], strict=True):
        ram[group_of(modules_by_name[name])] += size
    ram["all"] = sum(measure(whole, ["limpet", "limpet.transport.uart"]))
    return ram


def main() -> None:
    """Measure, print the table, write build/size.json."""
    work = BUILD / "size"
    shutil.rmtree(work, ignore_errors=True)
    files = modules("micropython")
    compiled = mpy.compile_tree(files, work / "board", _SIZE_MARCH)
    sizes = {name[:-4]: path.stat().st_size for name, path in sorted(compiled.items())}
    groups = dict.fromkeys(GROUPS, 0)
    for module, size in sizes.items():
        groups[group_of(module)] += size
    ram = import_ram(files, work)
    for group in GROUPS:
        for module, size in sizes.items():
            if group_of(module) == group:
                print(f"{group:8} {module:28} {size:7}")
    print(f"\n{'group':8} {'.mpy KB':>8} {'RAM KB':>8}")
    for group, total in {**groups, "all": sum(groups.values())}.items():
        print(f"{group:8} {total / 1000:8.2f} {ram[group] / 1000:8.2f}")
    report = {"modules": sizes, "groups": groups, "import_ram": ram}
    (BUILD / "size.json").write_text(json.dumps(report, indent=2) + "\n")
    print("size: build/size.json written")


if __name__ == "__main__":
    try:
        main()
    except Trouble as problem:
        sys.exit(f"size: {problem}")
