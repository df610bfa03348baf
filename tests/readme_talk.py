# SPDX-License-Identifier: MIT
"""Run the README's board and host examples as two processes on a tty pair, and look at what is
said; and its other examples by themselves.

Rules: the examples run as they stand, but for the host's device name. The board's `board.py` is
data that names the tty. As a program: `python tests/readme_talk.py BOARD-COMMAND...`.
"""

import os
import select
import subprocess
import sys
import tempfile
import threading
import tty
from pathlib import Path

from readme_blocks import blocks

ROOT = Path(__file__).resolve().parent.parent
DEVICE = "/dev/ttyUSB0"
LINES = 4  # of the host's output: the reply, then announcements
LIMIT_S = 20
# What the blocks print that need no other process.
SAYS = {
    "asyncio": "['0', '2', '4']\n",
    "layout": "2150 40\n",
    "kbus": "b'hello yourself'\n",
}


class Line:
    """Two ttys joined to a line; what is written to one is read from the other."""

    def __init__(self):
        self.masters = []
        self.slaves = []
        for _ in range(2):
            master, slave = os.openpty()
            tty.setraw(slave)
            self.masters.append(master)
            self.slaves.append(slave)
        self.names = [os.ttyname(slave) for slave in self.slaves]
        self._end, self._stop = os.pipe()
        self._thread = threading.Thread(target=self._relay, daemon=True)
        self._thread.start()

    def _relay(self):
        while True:
            ready = select.select([*self.masters, self._end], [], [])[0]
            if self._end in ready:
                return
            for master in ready:
                other = self.masters[1 - self.masters.index(master)]
                os.write(other, os.read(master, 4096))

    def close(self):
        """Take the line away."""
        os.write(self._stop, b"\0")
        self._thread.join()
        for fd in [*self.masters, *self.slaves, self._end, self._stop]:
            os.close(fd)


def talk(board_command, environment):
    """Run both examples; return the host's first lines."""
    code = blocks(ROOT / "README.md")
    line = Line()
    with tempfile.TemporaryDirectory() as folder:
        board = Path(folder, "board")
        board.mkdir()
        (board / "main.py").write_text(code["board"])
        (board / "board.py").write_text(f'LINK = {{"port": "{line.names[0]}", "baud": 115200}}\n')
        host = Path(folder, "host.py")
        assert DEVICE in code["host"]
        host.write_text(code["host"].replace(DEVICE, line.names[1]))
        processes = [
            subprocess.Popen([*board_command, "main.py"], cwd=board, env=environment),
            subprocess.Popen(
                [sys.executable, "-u", str(host)],
                env={**os.environ, "PYTHONPATH": str(ROOT / "build/cpython")},
                stdout=subprocess.PIPE,
                text=True,
            ),
        ]
        limit = threading.Timer(LIMIT_S, processes[1].kill)
        limit.start()
        try:
            return [processes[1].stdout.readline().strip() for _ in range(LINES)]
        finally:
            limit.cancel()
            for process in processes:
                process.kill()
                process.wait()
            processes[1].stdout.close()
            line.close()


def check(lines):
    """Raise AssertionError unless the host said what the README promises."""
    assert lines[0] == "21.5", lines
    numbers = [int(line.split()[1]) for line in lines[1:]]
    assert all(line.startswith("$.Kitchen.Light ") for line in lines[1:]), lines
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers))), lines
    assert all(line.endswith(" 0") for line in lines[1:]), lines


def run_block(name, command, environment):
    """Run the example of that name by itself; return what it prints."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "main.py")
        path.write_text(blocks(ROOT / "README.md")[name])
        done = subprocess.run(
            [*command, str(path)],
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
            timeout=LIMIT_S,
            check=True,
        )
        return done.stdout


if __name__ == "__main__":
    path = f"{ROOT / 'build/micropython'}:.frozen"
    env = {**os.environ, "MICROPYPATH": path}
    said = talk(sys.argv[1:], env)
    print("\n".join(said))
    check(said)
    for name, expected in SAYS.items():
        said = run_block(name, sys.argv[1:], env)
        print(said, end="")
        assert said == expected, said
