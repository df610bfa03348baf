# SPDX-License-Identifier: MIT
"""Put the library and a board's program on a board: `flash.py BOARD PORT [--dry-run]`.

Rules: what is copied is the staged tree, compiled for the board's processor (MARCH in its
board.py; without one, files of native code stay sources), then the board's board.py and main.py,
then a reset. What an earlier flash left in /lib/limpet goes first, because an old .py would hide a
new .mpy. Every failure is one sentence that says what to do.
"""

from __future__ import annotations

import argparse
import os
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import mpy
from layout import BUILD, ROOT, Trouble, boards, modules

_TIMEOUT_S = 180
# Runs on the board: forget the library of an earlier flash, whatever kind of files it had.
_FORGET = """
import os
def forget(path):
    try:
        names = os.listdir(path)
    except OSError:
        return
    for name in names:
        name = path + "/" + name
        if os.stat(name)[0] & 0x4000:
            forget(name)
        else:
            os.remove(name)
    os.rmdir(path)
forget("/lib/limpet")
"""


def board_data(board: str, root: Path = ROOT) -> dict[str, object]:
    """Return the data of a board, or raise Trouble that names those there are."""
    names = ", ".join(boards(root)) or "none yet"
    if not board:
        raise Trouble(f"say which board: make flash BOARD=name PORT=device (boards: {names}).")
    folder = root / "boards" / board
    for name in ("board.py", "main.py"):
        if os.sep in board or not (folder / name).is_file():
            raise Trouble(f"boards/{board}/{name} does not exist (boards: {names}).")
    return runpy.run_path(str(folder / "board.py"))


def check_port(port: str) -> None:
    """Raise Trouble if nothing can be reached at `port`."""
    if not port:
        raise Trouble("say where the board is: make flash BOARD=name PORT=/dev/ttyACM0.")
    if not port.startswith("/"):
        return  # socket://..., rfc2217://..., COM3: mpremote finds out
    if not os.path.exists(port):
        raise Trouble(
            f"{port} does not exist: plug the board in, or look for it with `mpremote devs`."
        )
    if not os.access(port, os.R_OK | os.W_OK):
        raise Trouble(
            f"{port} may not be opened by you: join its group (often dialout) and log in anew."
        )


def plan(board: str, root: Path = ROOT) -> list[tuple[str, Path]]:
    """Return what goes onto the board, in order: (name on the board, source in the tree)."""
    march = board_data(board, root).get("MARCH", "")
    files = []
    for name, source in modules("micropython", root).items():
        as_source = not march and mpy.is_native(source)
        files.append(("lib/" + (name if as_source else name[:-3] + ".mpy"), source))
    folder = root / "boards" / board
    return [*files, ("board.py", folder / "board.py"), ("main.py", folder / "main.py")]


def build(board: str, target: Path, root: Path = ROOT) -> None:
    """Make in `target` the files as they shall be on the board."""
    march = str(board_data(board, root).get("MARCH", ""))
    shutil.rmtree(target, ignore_errors=True)
    made = mpy.compile_tree(modules("micropython", root), target / "lib", march)
    for name, path in made.items():
        if path != target / "lib" / name:
            (target / "lib" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target / "lib" / name)
    for name in ("board.py", "main.py"):
        shutil.copyfile(root / "boards" / board / name, target / name)


def mpremote(port: str, where: Path, *commands: str) -> None:
    """Run mpremote commands on the board, or raise Trouble with the last thing it said."""
    tool = Path(sys.executable).with_name("mpremote")
    if not tool.exists():
        raise Trouble(f"{tool} is missing: run this by `make flash`, which sets build/venv up.")
    command = [str(tool), "connect", port, *commands]
    try:
        done = subprocess.run(
            command, cwd=where, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired as e:
        raise Trouble(
            f"the board at {port} does not answer: reset it, or unplug it and plug it in again."
        ) from e
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip() or "nothing said").splitlines()[-1]
        raise Trouble(
            f"mpremote failed ({said}): see that {port} is the board, that nothing else has it "
            "open, and that MicroPython is on it."
        )


def main() -> None:
    """Flash one board, or with --dry-run say what would be copied."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("board", nargs="?", default="")
    parser.add_argument("port", nargs="?", default="")
    parser.add_argument("--dry-run", action="store_true", help="only print what would be copied")
    options = parser.parse_args()
    files = plan(options.board)
    if options.dry_run:
        for name, source in files:
            print(f"{source.relative_to(ROOT)} -> :/{name}")
        print(f"flash: {len(files)} files for {options.board}, nothing copied")
        return
    check_port(options.port)
    target = BUILD / "flash" / options.board
    build(options.board, target)
    print(f"flash: {len(files)} files to {options.board} at {options.port}", flush=True)
    mpremote(options.port, target, "exec", _FORGET)
    copies = ["fs", "cp", "-r", "lib", ":/", "+", "fs", "cp", "board.py", "main.py", ":/"]
    mpremote(options.port, target, *copies, "+", "reset")
    print("flash: done, the board runs its main.py")


if __name__ == "__main__":
    try:
        main()
    except Trouble as problem:
        sys.exit(f"flash: {problem}")
