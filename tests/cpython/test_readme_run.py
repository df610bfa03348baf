# SPDX-License-Identifier: MIT
"""The README's examples do what it says: here with CPython at both ends of a real tty pair.

The same with a MicroPython VM as the board is run by `make readme`.
"""

import os
import sys

from layout import BUILD
from readme_talk import ASYNCIO_SAYS, check, run_asyncio, talk


def environment():
    """Return an environment in which `limpet` is the staged tree, or else the installed one."""
    return {**os.environ, "PYTHONPATH": str(BUILD / "cpython")}


def test_the_board_and_the_host_talk():
    check(talk([sys.executable], environment()))


def test_the_asyncio_example_prints_its_replies():
    assert run_asyncio([sys.executable], environment()) == ASYNCIO_SAYS
