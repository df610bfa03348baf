# SPDX-License-Identifier: MIT
"""Run the portable tests on both MicroPython VMs, each file in a process of its own.

Usage: upy_tests.py [test_name ...]. Rules: before anything counts, the runner itself is tried with
a test that fails and with a file that has no test, and must leave with status 1 both times. A file
that takes longer than a minute has hung, and fails.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import vms
from layout import ROOT, Trouble

_TIMEOUT_S = 60
_RUNNER = "tests/run_upy.py"
_FAILING = """
import unittest
class Failing(unittest.TestCase):
    def test_that_fails(self):
        self.assertEqual(1, 2)
"""


def run(bits: int, *names: str) -> tuple[int, str]:
    """Run test files on a VM and return its status and what it printed."""
    try:
        done = subprocess.run(
            [vms.vm(bits), _RUNNER, *names],
            cwd=ROOT,
            env=vms.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as e:
        said = (e.stdout or b"").decode(errors="replace")
        return -1, f"{said}\nstill running after {_TIMEOUT_S} s"
    return done.returncode, done.stdout.decode(errors="replace")


def try_runner(bits: int) -> None:
    """Make sure that the runner's status means something on this VM."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text, told in (
            ("test_failing", _FAILING, "ran 1 tests, 1 failed"),
            ("test_nothing", "import unittest\n", "has no test"),
        ):
            path = Path(folder) / f"{name}.py"
            path.write_text(text)
            status, said = run(bits, str(path))
            if status != 1 or told not in said:
                raise Trouble(f"{_RUNNER} gave status {status} for {name} on {bits} bits: {said}")


def run_files(bits: int, names: list[str]) -> list[str]:
    """Run the files on one VM, print a line for each, and return those that failed."""
    failed = []
    for name in names:
        start = time.monotonic()
        status, said = run(bits, name)
        count = re.search(r"^ran (\d+) tests, 0 failed$", said, re.MULTILINE)
        good = status == 0 and count is not None and int(count[1]) > 0
        took_ms = round((time.monotonic() - start) * 1000)
        told = f"{count[1]} tests" if good and count else f"FAILED, status {status}"
        lines = f"unix{bits}: {name}: {told}, {took_ms} ms\n"
        if not good:
            lines += said + "\n"
            failed.append(f"{name} on unix{bits}")
        print(lines, end="", flush=True)  # at once, so that those of the other VM come between
    return failed


def run_vm(bits: int, names: list[str]) -> list[str]:
    """See that the runner can fail, then run the files on one VM; return those that failed."""
    try_runner(bits)
    return run_files(bits, names)


def main() -> None:
    """Run what was named, or every portable test file, on both VMs."""
    names = sys.argv[1:] or sorted(path.stem for path in (ROOT / "tests").glob("test_*.py"))
    if not names:
        raise Trouble("there is no tests/test_*.py.")
    failed = []
    with ThreadPoolExecutor(len(vms.BITS)) as both:  # side by side: no test measures time
        for found in both.map(lambda bits: run_vm(bits, names), vms.BITS):
            failed += found
    if failed:
        raise Trouble(f"{len(failed)} failed: {', '.join(failed)}.")
    print(f"test-micropython: {len(names)} files on {len(vms.BITS)} VMs, all passed")


if __name__ == "__main__":
    try:
        main()
    except Trouble as problem:
        sys.exit(f"test-micropython: {problem}")
