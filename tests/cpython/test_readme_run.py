# SPDX-License-Identifier: MIT
"""The README's examples do what it says: here with CPython at both ends of a real tty pair.

The same with a MicroPython VM as the board is run by `make test-micropython`.
"""

import os
import subprocess
import sys

from layout import BUILD, ROOT
from readme_blocks import blocks
from readme_talk import check, talk


def environment():
    """Return an environment in which `limpet` is the staged tree, or else the installed one."""
    return {**os.environ, "PYTHONPATH": str(BUILD / "cpython")}


def test_the_board_and_the_host_talk():
    check(talk([sys.executable], environment()))


def test_the_asyncio_example_prints_its_replies():
    code = blocks(ROOT / "README.md")["asyncio"]
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
    )
    assert done.stdout == "['0', '2', '4']\n"
