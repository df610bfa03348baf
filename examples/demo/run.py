# SPDX-License-Identifier: MIT
"""The demo: a host process and a MicroPython board process talk over a tty pair; books are kept.

Run by `make demo`. Options, from the environment: DEMO_SECONDS (10), DEMO_LOSS (0: the share of
frames that the line damages), DEMO_RESET=1 (the board is killed half-way and a new one started),
DEMO_VM (unix32, unix64). Exit status: 0 if counts.py finds nothing wrong, 1 if it does or if
something does not start, 2 for bad options. Nothing that was started here outlives this process.
"""

from __future__ import annotations

import ctypes
import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from counts import AROUND_S, Counts, Reset
from view import View

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
VMS = {"unix32": "LIMPET_VM32", "unix64": "LIMPET_VM64"}
EXTRA_S = 30.0  # start and last ends take less than this, or something hangs
PR_SET_PDEATHSIG = 1

_libc = ctypes.CDLL(None)


class Trouble(Exception):
    """Something that a user can read and act on."""


class Stopped(Exception):
    """Somebody wants the demo to end; its argument is the signal's number."""


@dataclass
class Options:
    """What the environment asks for."""

    seconds: float
    loss: float
    reset: bool
    vm: str
    vm_path: str

    @classmethod
    def of(cls, env: dict[str, str]) -> Options:
        """Read them, or raise Trouble that names the one that is wrong."""
        reset = env.get("DEMO_RESET", "0") or "0"
        if reset not in ("0", "1"):
            raise Trouble(f"DEMO_RESET={reset}: it is 0 or 1")
        seconds = _number(env, "DEMO_SECONDS", 10.0, 1.0, 86400.0)
        if reset == "1" and seconds < 2 * AROUND_S + 1:
            raise Trouble(f"DEMO_SECONDS={seconds:g}: with DEMO_RESET=1 at least 3 are needed")
        loss = _number(env, "DEMO_LOSS", 0.0, 0.0, 1.0)
        vm = env.get("DEMO_VM", "") or "unix32"
        if vm not in VMS:
            raise Trouble(f"DEMO_VM={vm}: it is one of {', '.join(VMS)}")
        path = env.get(VMS[vm], "")
        if not os.access(path, os.X_OK):
            raise Trouble(f"no MicroPython at {VMS[vm]}={path!r}: `make demo` fetches one")
        return cls(seconds, loss, reset == "1", vm, path)


def _number(env: dict[str, str], name: str, default: float, least: float, most: float) -> float:
    text = env.get(name, "") or str(default)
    try:
        value = float(text)
    except ValueError:
        raise Trouble(f"{name}={text}: it is a number") from None
    if not least <= value <= most:
        raise Trouble(f"{name}={text}: it is {least:g} to {most:g}")
    return value


def _tie() -> None:
    """In a new process: die when the demo does, even if that was killed."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


class Worker:
    """One process of the demo, in a group of its own."""

    def __init__(self, name: str, command: list[str], folder: Path, **env: str) -> None:
        self.name = name
        self._said = folder / f"{name}.err"
        with self._said.open("ab") as errors:
            self.process = subprocess.Popen(
                command,
                env={**os.environ, **env},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE if name != "board" else errors,
                stderr=errors,
                start_new_session=True,
                preexec_fn=_tie,
            )

    @property
    def output(self) -> IO[bytes]:
        """What it writes events to."""
        assert self.process.stdout is not None
        return self.process.stdout

    def check(self) -> None:
        """Raise Trouble with what it said if it has ended."""
        code = self.process.poll()
        if code is not None:
            said = self._said.read_text(errors="replace").strip() or "it said nothing"
            raise Trouble(f"the {self.name} process has ended (exit status {code}): {said}")

    def kill(self) -> None:
        """End it at once (SIGKILL), with all that it started."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()


class Demo:
    """Starts the processes, listens to them, kills the board if that is asked for."""

    def __init__(self, options: Options, folder: Path, view: View, counts: Counts) -> None:
        self._options = options
        self._folder = folder
        self._view = view
        self._counts = counts
        self._workers: list[Worker] = []
        self._selector = selectors.DefaultSelector()
        self._rest: dict[str, bytes] = {}  # of a line whose end has not come
        self._ready = False  # the line is there
        self._kill_at = 0.0
        self._silence_s = 0.0
        self.ended = False
        self.signal = 0  # what somebody has sent to end the demo
        self.retransmits = 0
        self.damaged = 0

    def run(self) -> None:
        """Run the demo to its end; raises Trouble if something breaks, Stopped by a signal."""
        # Signals are only noted, so that none comes between a process and the list it belongs to.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)
        give_up = time.monotonic() + self._options.seconds + EXTRA_S
        try:
            ttys = [str(self._folder / name) for name in ("host-tty", "board-tty")]
            self._start(
                "relay", [sys.executable, str(HERE / "relay.py"), str(self._options.loss), *ttys]
            )
            while not self._ready:
                self._turn(give_up)
            self._start_board()
            self._start(
                "host",
                [sys.executable, str(HERE / "host.py"), ttys[0], str(self._options.seconds)],
            )
            while not self.ended:
                self._turn(give_up)
                if self._kill_at and time.monotonic() >= self._kill_at:
                    self._reset()
        finally:
            for worker in self._workers:
                worker.kill()
            self._selector.close()

    def _start(self, name: str, command: list[str], **env: str) -> Worker:
        worker = Worker(name, command, self._folder, **env)
        self._workers.append(worker)
        if worker.process.stdout is not None:
            os.set_blocking(worker.output.fileno(), False)
            self._selector.register(worker.output, selectors.EVENT_READ, worker)
        return worker

    def _start_board(self) -> None:
        main = ROOT / "boards/unix/main.py"
        path = f"{ROOT / 'build/micropython'}:.frozen"
        command = [self._options.vm_path, str(main), str(self._folder / "board-tty")]
        self._board = self._start("board", command, MICROPYPATH=path)

    def _reset(self) -> None:
        self._kill_at = 0.0
        killed = time.monotonic()
        self._board.kill()
        self._workers.remove(self._board)
        self._counts.resets.append(Reset(killed, silent=killed + self._silence_s))
        self._view.say("the board is killed, a new one starts")
        self._start_board()

    def _turn(self, give_up: float) -> None:
        if self.signal:
            raise Stopped(self.signal)
        if time.monotonic() > give_up:
            raise Trouble("it hangs: the host did not come to its end")
        for key, _ in self._selector.select(0.02):
            self._read(key.data)
        if not self.ended:
            for worker in self._workers:
                worker.check()
        self._view.look()

    def _read(self, worker: Worker) -> None:
        data = os.read(worker.output.fileno(), 65536)
        if not data:
            self._selector.unregister(worker.output)
            return
        *lines, rest = (self._rest.get(worker.name, b"") + data).split(b"\n")
        self._rest[worker.name] = rest
        for line in lines:
            self._note(*json.loads(line))

    def _note(self, what: str, *fields: Any) -> None:
        getattr(self, f"_on_{what}")(*fields)

    def _on_signal(self, number: int, frame: object) -> None:
        self.signal = number

    # Events: of the relay

    def _on_ready(self) -> None:
        self._ready = True

    def _on_damaged(self, count: int) -> None:
        self.damaged = self._view.damaged = count

    def _on_hello(self, at: float) -> None:
        for reset in self._counts.resets:
            if not reset.hello:
                reset.hello = at
                self._view.say("the new board says HELO")

    # Events: of the host

    def _on_up(self, silence_ms: int, at: float) -> None:
        self._counts.start = at
        self._silence_s = silence_ms / 1000
        if self._options.reset:
            self._kill_at = at + self._options.seconds / 2
        self._view.say("the board's replier is known, requests begin")

    def _on_asked(self, number: int, at: float) -> None:
        self._counts.asked(number, at)

    def _on_refused(self, why: str, at: float) -> None:
        if not self._counts.refused:
            self._view.say(f"a request was refused: {why}")
        self._counts.refused += 1

    def _on_replied(self, number: int, data: str, at: float) -> None:
        self._counts.replied(number, bytes.fromhex(data), at)

    def _on_told(self, number: int, status: str, executed: str, at: float) -> None:
        self._view.say(f"request {number} ended in {status}, executed: {executed}")
        self._counts.told(number, status, executed, at)

    def _on_heard(self, data: str, at: float) -> None:
        if self._counts.start:
            self._counts.heard(bytes.fromhex(data), at)

    def _on_stopped(self, at: float) -> None:
        self._counts.stop = at
        self._view.say("no more requests; waiting for the last ends")

    def _on_ended(self, retransmits: int, at: float) -> None:
        self.ended = True
        self.retransmits = retransmits


def title(options: Options) -> str:
    """Return a line that says what is run."""
    line = f", {100 * options.loss:g} % of the frames damaged" if options.loss else ""
    reset = ", the board killed half-way" if options.reset else ""
    return f"CPython <-> MicroPython {options.vm}, {options.seconds:g} s{line}{reset}"


def main() -> int:
    """Run the demo; return the exit status."""
    try:
        options = Options.of(dict(os.environ))
    except Trouble as e:
        print(f"demo: {e}", file=sys.stderr)
        return 2
    counts = Counts()
    try:
        with tempfile.TemporaryDirectory(prefix="limpet-demo-") as folder:
            with View(counts, title(options)) as view:
                demo = Demo(options, Path(folder), view, counts)
                demo.run()
    except Trouble as e:
        print(f"demo: {e}", file=sys.stderr)
        return 1
    except Stopped as e:
        print("demo: stopped", file=sys.stderr)
        return 128 + int(e.args[0])
    problems = counts.problems()
    if options.loss and not demo.damaged:
        problems.append("the line was to damage frames, and damaged none")
    if options.reset and not counts.resets:
        problems.append("the board was to be killed, and was not")
    for problem in problems:
        print(f"demo: failed: {problem}")
    print(counts.line(demo.retransmits, demo.damaged), flush=True)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
