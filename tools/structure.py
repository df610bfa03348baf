# SPDX-License-Identifier: MIT
"""The rules of the tree that a program can check: who imports whom, who knows the platform, size.

Rules: each check takes sources as text and returns problems as text, so that each can be tried
with a bad source (tests/cpython/test_structure.py does). What is checked where:
  lib        imports itself, limpet.port and modules that both VMs have; await only in aio.py
  transport  imports lib and limpet.port
  ports      imports itself, never the library that stands on it; only here the platform is known
  boards     board.py imports nothing, main.py imports lib, transport, limpet.port and board
A function marked `# hot:` on its def is in the table HOT of tests/test_alloc.py, and the other way
round.
"""

from __future__ import annotations

import ast
import io
import sys
import tokenize
from pathlib import Path
from typing import NamedTuple

from layout import PORTS, ROOT

FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 50
SEAM_NAMES_MAX = 15
_SPDX = "# SPDX-License-Identifier: MIT"
# Modules that CPython and every MicroPython have, and that neither tell the time nor do I/O.
_PORTABLE = {"array", "binascii", "collections", "deflate", "hashlib", "json", "re", "struct"}
# What MicroPython lacks, or gives only to those who install it.
_ABSENT = {
    *("abc", "contextlib", "dataclasses", "enum", "functools", "itertools"),
    *("__future__", "threading", "typing", "weakref"),
}
_ABSENT_NAMES = {"TimeoutError", "BlockingIOError"}
_PLATFORM = {("sys", "platform"), ("sys", "implementation"), ("os", "name"), ("os", "uname")}
_PLATFORM_KNOWN = {"ports/cpython", "ports/micropython", "tools", "host tests", "board main"}
# The one service that reads a file.
_FILE_READERS = {"lib/limpet/counter.py"}
# What a board's program has beside limpet: its data, its arguments, its own sensors.
_BOARD_MAIN = {"board", "sys", "machine"}
# Names of folders that are importable where the checkout itself is on the path: never meant.
_FOLDERS = {"transport", "ports", "lib", "boards"}
_SKIPPED = {"build", "dist", "__pycache__", "venv", "node_modules"}


class Source(NamedTuple):
    """One file: its path within the tree, its text and its syntax tree."""

    path: str
    text: str
    tree: ast.Module

    @property
    def area(self) -> str:
        """Return the part of the tree, as the rules know it."""
        parts = self.path.split("/")
        if parts[0] == "ports":
            return "host" if parts[2:3] == ["host"] else f"ports/{parts[1]}"
        if parts[0] == "boards":
            return "board data" if parts[-1] == "board.py" else "board main"
        if parts[0] == "tests" and (len(parts) == 2 or parts[1] in ("upy", "vectors")):
            host = parts[1].startswith(("conftest", "readme_"))
            return "host tests" if host else "portable tests"
        return "host tests" if parts[0] == "tests" else parts[0]

    @property
    def package(self) -> str:
        """Return the package that the file is in once staged, "" if it is in none."""
        parts = self.path.split("/")[:-1]
        if parts[:2] == ["lib", "limpet"]:
            return ".".join(parts[1:])
        if parts[:1] == ["transport"]:
            return ".".join(["limpet", *parts])
        return ".".join(["limpet", *parts[2:]]) if parts[:1] == ["ports"] else ""


def source(path: str, text: str) -> Source:
    """Make a Source out of text."""
    return Source(path, text, ast.parse(text, path))


def read_tree(root: Path = ROOT) -> list[Source]:
    """Read every Python file of the tree, in a fixed order."""
    found = []
    for path in sorted(root.rglob("*.py")):
        name = path.relative_to(root)
        if not any(part in _SKIPPED or part.startswith(".") for part in name.parts):
            found.append(source(str(name), path.read_text(encoding="utf-8")))
    return found


def _is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def run_nodes(tree: ast.AST) -> list[ast.AST]:
    """Return all nodes but those that only type checkers see."""
    found = []
    todo = [tree]
    while todo:
        node = todo.pop()
        found.append(node)
        if isinstance(node, ast.If) and _is_type_checking(node):
            todo += node.orelse
        else:
            todo += ast.iter_child_nodes(node)
    return found


def imports(one: Source) -> list[tuple[int, str, str]]:
    """Return (line, module, name or "") of every import that runs, relative ones resolved."""
    found = []
    for node in run_nodes(one.tree):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name, "") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = one.package.split(".") if one.package and node.level else []
            base = base[: len(base) - node.level + 1]
            module = ".".join([*base, *([node.module] if node.module else [])])
            found += [(node.lineno, module, alias.name) for alias in node.names]
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "__import__":
            found.append((node.lineno, "__import__", ""))
    return sorted(found)


def _may_import(one: Source, module: str, name: str) -> bool:
    """Return True if the dependency rule lets this file import that."""
    area, top = one.area, module.split(".")[0]
    if module == "__import__":
        # The package itself imports what is asked for.
        return area not in ("lib", "transport") or one.path == "lib/limpet/__init__.py"
    # `from . import port` names the package in `name`, `from .port import const` in `module`.
    within = f"{module}.{name}" if name and module == "limpet" else module
    room = within.split(".")[1] if within.count(".") else ""
    if area == "board data":
        return False
    if area in ("lib", "transport", "board main"):
        if top != "limpet":
            if module == "asyncio":
                return one.path == "lib/limpet/aio.py"
            if module == "os" and one.path in _FILE_READERS:
                return True
            return module in _PORTABLE or (area == "board main" and module in _BOARD_MAIN)
        if room == "port":
            return module in ("limpet", "limpet.port")  # the seam itself, not its rooms
        return room != "host" and (area != "lib" or room != "transport")
    if area.startswith("ports/"):
        return top != "limpet" or room == "port"
    return top not in _FOLDERS


def check_imports(one: Source) -> list[str]:
    """Check the dependency rule, and that nothing is imported that MicroPython lacks."""
    problems = []
    area = one.area
    portable = area in ("lib", "transport", "ports/micropython", "portable tests")
    portable = portable or area.startswith("board ")
    for line, module, name in imports(one):
        told = f"{one.path}:{line}: imports {module}{'.' + name if name else ''}"
        if not _may_import(one, module, name):
            problems.append(f"{told}, which {area} must not")
        elif portable and module.split(".")[0] in _ABSENT:
            problems.append(f"{told}, which MicroPython does not have")
        elif module.split(".")[0] in ("machine", "platform") and area not in _PLATFORM_KNOWN:
            problems.append(f"{told}, which only a port may know")
    return problems


def _bad_node(one: Source, node: ast.AST) -> str:
    """Return what is wrong with one node for MicroPython or for its place, "" for nothing."""
    area = one.area
    in_core = area in ("lib", "transport") or area.startswith("board ")
    if isinstance(node, ast.Attribute) and not area.startswith("ports/"):
        if isinstance(node.value, ast.Name) and (node.value.id, node.attr) in _PLATFORM:
            return f"asks for {node.value.id}.{node.attr}, which only a port may"
    if isinstance(node, (ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith)):
        if in_core and one.path != "lib/limpet/aio.py":
            return "awaits, which only lib/limpet/aio.py may"
    if isinstance(node, ast.Try) and in_core and one.path != "lib/limpet/__init__.py":
        if any(h.type and "ImportError" in ast.unparse(h.type) for h in node.handlers):
            return "tries an import, which only a port may"
    if isinstance(node, ast.Match):
        return "uses match, which MicroPython does not have"
    if isinstance(node, (ast.FunctionDef, ast.Lambda)) and node.args.posonlyargs:
        return "has positional-only parameters, which MicroPython does not have"
    if isinstance(node, ast.Name) and node.id in _ABSENT_NAMES:
        return f"names {node.id}, which MicroPython does not have"
    if isinstance(node, ast.Call):
        # One without a format is no memoryview's.
        if isinstance(node.func, ast.Attribute) and node.func.attr == "cast" and node.args:
            return "casts a memoryview, which MicroPython cannot"
        if isinstance(node.func, ast.Name) and node.func.id in ("print", "open", "input"):
            if area in ("lib", "transport") and one.path not in _FILE_READERS:
                return f"calls {node.func.id}(): the library does no I/O of its own"
    return ""


def check_constructs(one: Source) -> list[str]:
    """Check that portable code uses only what both VMs have, and does not ask where it runs."""
    if one.area in ("tools", "host tests", "ports/cpython", "host", "manifest.py", "examples"):
        return []
    found = [(getattr(n, "lineno", 0), _bad_node(one, n)) for n in run_nodes(one.tree)]
    return [f"{one.path}:{line}: {what}" for line, what in sorted(found) if what]


def check_form(one: Source) -> list[str]:
    """Check the licence line, the docstring, and the sizes of the file and of its functions."""
    problems = []
    lines = one.text.splitlines()
    if not lines or lines[0] != _SPDX:
        problems.append(f"{one.path}:1: does not begin with {_SPDX}")
    if not ast.get_docstring(one.tree):
        problems.append(f"{one.path}:1: has no docstring that says what it is for")
    if one.path.startswith("tests/"):
        return problems
    if len(lines) > FILE_LINES_MAX:
        problems.append(f"{one.path}: has {len(lines)} lines, more than {FILE_LINES_MAX}")
    for node in ast.walk(one.tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            size = (node.end_lineno or node.lineno) - node.lineno + 1
            if size > FUNCTION_LINES_MAX:
                problems.append(
                    f"{one.path}:{node.lineno}: {node.name} has {size} lines, "
                    f"more than {FUNCTION_LINES_MAX}"
                )
    return problems


def functions(tree: ast.AST, prefix: str = "") -> list[tuple[str, int, int, int]]:
    """Return (qualified name, line of the def, line of the body, last line) of all functions."""
    found = []
    for node in ast.iter_child_nodes(tree):
        name = getattr(node, "name", "")
        inner = prefix
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            last = node.end_lineno or node.lineno
            found.append((prefix + name, node.lineno, node.body[0].lineno, last))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            inner = f"{prefix}{name}."
        found += functions(node, inner)
    return found


def module_of(one: Source) -> str:
    """Return the dotted path of a file below limpet: "link", "transport.pump", "port"."""
    stem = Path(one.path).stem
    return ".".join(one.package.split(".")[1:] + ([] if stem == "__init__" else [stem]))


def hot_functions(one: Source) -> tuple[list[str], list[str]]:
    """Return the names of the functions marked hot, as HOT has them, and problems.

    A name is the dotted path below limpet: "link.Link.take", "transport.pump.Driver.pump",
    "port.viper.crc16"; what is in an __init__.py has its package's: "port.copy".
    """
    module = module_of(one)
    names, problems = [], []
    for token in tokenize.generate_tokens(io.StringIO(one.text).readline):
        if token.type != tokenize.COMMENT or not token.string.startswith("# hot:"):
            continue
        line = token.start[0]
        owners = [
            name
            for name, first, body, _ in functions(one.tree)
            if first <= line < body or first == line == body
        ]
        if owners:
            names.append(f"{module}.{owners[-1]}".lstrip("."))
        else:
            problems.append(f"{one.path}:{line}: `# hot:` stands on no def")
    return names, problems


def hot_table(one: Source) -> list[str]:
    """Return the names in the table HOT of tests/test_alloc.py."""
    for node in one.tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "HOT":
            return [str(name) for name in ast.literal_eval(node.value)]
    return []


def may_be_hot(one: Source) -> bool:
    """Return True if the file is one of those whose hot functions are tested on MicroPython."""
    return one.area in ("lib", "transport") or one.path.startswith("ports/micropython/port/")


def check_hot(sources: list[Source]) -> list[str]:
    """Check that the marked functions and the table of the allocation test are the same."""
    marked: list[str] = []
    listed: list[str] = []
    problems = []
    for one in sources:
        if may_be_hot(one):
            names, bad = hot_functions(one)
            marked += names
            problems += bad
        elif one.path == "tests/test_alloc.py":
            listed += hot_table(one)
    for name in sorted(set(marked) - set(listed)):
        problems.append(f"{name} is marked hot, but not in HOT of tests/test_alloc.py")
    for name in sorted(set(listed) - set(marked)):
        problems.append(f"{name} is in HOT of tests/test_alloc.py, but not marked hot")
    doubled = sorted({name for name in listed if listed.count(name) > 1})
    return problems + [f"{name} is in HOT more than once" for name in doubled]


def seam(one: Source) -> list[str]:
    """Return the public names of a port: its __all__, which must be there and be true."""
    bound: set[str] = set()
    listed: list[str] | None = None
    for node in one.tree.body:
        for inner in ast.walk(node) if isinstance(node, (ast.Try, ast.If)) else [node]:
            if isinstance(inner, (ast.FunctionDef, ast.ClassDef)):
                bound.add(inner.name)
            elif isinstance(inner, (ast.Import, ast.ImportFrom)):
                bound |= {alias.asname or alias.name for alias in inner.names}
            elif isinstance(inner, (ast.Assign, ast.AnnAssign)):
                targets = inner.targets if isinstance(inner, ast.Assign) else [inner.target]
                bound |= {t.id for t in targets if isinstance(t, ast.Name)}
                if inner.value is not None and "__all__" in {ast.unparse(t) for t in targets}:
                    listed = [str(name) for name in ast.literal_eval(inner.value)]
    if listed is None:
        raise ValueError(f"{one.path}: has no __all__")
    absent = sorted(set(listed) - bound)
    if absent:
        raise ValueError(
            f"{one.path}: __all__ names {', '.join(absent)}, which it does not define"
        )
    return sorted(listed)


def check_seam(ports: list[Source]) -> list[str]:
    """Check that all ports define the same few names."""
    try:
        seams = {one.path: seam(one) for one in ports}
    except ValueError as e:
        return [str(e)]
    problems = []
    if len(ports) != 2:
        problems.append(f"ports/*/port/__init__.py: {len(ports)} found, 2 expected")
    every = set().union(*seams.values()) if seams else set()
    for path, names in seams.items():
        if len(names) > SEAM_NAMES_MAX:
            problems.append(f"{path}: has {len(names)} names, more than {SEAM_NAMES_MAX}")
        for name in sorted(every - set(names)):
            problems.append(f"{path}: lacks {name}, which another port has")
    return problems


def check(sources: list[Source]) -> list[str]:
    """Check everything and return all problems."""
    problems = []
    for one in sources:
        problems += check_form(one) + check_imports(one) + check_constructs(one)
    ports = [s for s in sources if s.path in (f"ports/{p}/port/__init__.py" for p in PORTS)]
    return problems + check_hot(sources) + check_seam(ports)


def main() -> None:
    """Check the tree, or with --hot print the table HOT as it should be."""
    sources = read_tree()
    if sys.argv[1:] == ["--hot"]:
        names = sorted(name for s in sources if may_be_hot(s) for name in hot_functions(s)[0])
        print("HOT = (", *(f'    "{name}",' for name in names), ")", sep="\n")
        return
    problems = check(sources)
    for problem in problems:
        print(problem)
    if problems or not sources:
        sys.exit(f"structure: {len(problems)} problems in {len(sources)} files")
    print(f"structure: {len(sources)} files keep the rules")


if __name__ == "__main__":
    main()
