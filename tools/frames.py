# SPDX-License-Identifier: MIT
"""Check that the frame of every hot function fits the C stack: none of their calls uses the heap.

Rules: MicroPython takes a frame from the heap when its state (arguments, locals, stack, three
words for each try) is larger than FRAME_WORDS_MAX, and gives it back on return; the heap lock does
not see that, so the bytecode of each function marked `# hot:` is looked at here, whatever paths a
test reaches.
"""

from __future__ import annotations

import re
import subprocess
import sys

import mpy
import structure
import vms
from layout import ROOT, Trouble

# VM_MAX_STATE_ON_STACK of MicroPython's py/objfun.c; a word for each slot, three for each try.
FRAME_WORDS_MAX = 11
_TRY_WORDS = 3
_LINE = re.compile(r"^  bc=-?\d+ line=(\d+)$", re.MULTILINE)


def blocks(dump: str) -> list[tuple[str, int, int]]:
    """Return (function, last line, words) of every code block in what the VM dumps."""
    found = []
    for block in dump.split(", code block '")[1:]:
        state = re.search(r"^\(N_STATE (\d+)\)$", block, re.MULTILINE)
        tries = re.search(r"^\(N_EXC_STACK (\d+)\)$", block, re.MULTILINE)
        lines = [int(line) for line in _LINE.findall(block)]
        if state is None or tries is None or not lines:
            raise Trouble("the VM's dump of bytecode is not as expected.")
        words = int(state[1]) + _TRY_WORDS * int(tries[1])
        found.append((block.split("'", 1)[0], max(lines), words))
    return found


def words_of(one: structure.Source, dump: str) -> dict[str, int]:
    """Return the words of each hot function of a file by its name in HOT."""
    names, _ = structure.hot_functions(one)
    spans = {name: (first, end) for name, first, _, end in structure.functions(one.tree)}
    module = structure.module_of(one)
    found = {}
    for name in names:
        inner = name[len(module) + 1 :] if module else name
        first, end = spans[inner]
        sizes = [
            words
            for block, line, words in blocks(dump)
            if block == inner.rsplit(".", 1)[-1] and first <= line <= end
        ]
        if not sizes:
            raise Trouble(f"{name} is not in what the VM compiled.")
        found[name] = max(sizes)
    return found


def measure() -> dict[str, int]:
    """Return the words of every hot function of the tree that is compiled to bytecode."""
    found: dict[str, int] = {}
    for one in structure.read_tree():
        if (
            not structure.may_be_hot(one)
            or mpy.is_native(ROOT / one.path)
            or not structure.hot_functions(one)[0]
        ):
            continue
        done = subprocess.run(
            [vms.vm(32), "-X", "compile-only", "-v", "-v", one.path],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise Trouble(f"{one.path} does not compile: {done.stderr or done.stdout}")
        found.update(words_of(one, done.stdout))
    return found


def main() -> None:
    """Check them all."""
    sizes = measure()
    large = {name: words for name, words in sizes.items() if words > FRAME_WORDS_MAX}
    for name, words in sorted(large.items()):
        print(f"{name}: {words} words, more than {FRAME_WORDS_MAX}")
    if large or not sizes:
        raise Trouble(f"{len(large)} of {len(sizes)} hot functions have frames on the heap.")
    print(f"frames: {len(sizes)} hot functions, each within {FRAME_WORDS_MAX} words")


if __name__ == "__main__":
    try:
        main()
    except Trouble as problem:
        sys.exit(f"frames: {problem}")
