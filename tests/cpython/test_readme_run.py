# SPDX-License-Identifier: MIT
"""The README's examples do what it says: here with CPython at both ends of a real tty pair.

The same with a MicroPython VM as the board is run by `make readme`.
"""

import os
import sys

import pytest

from layout import BUILD, ROOT
from readme_blocks import blocks
from readme_talk import SAYS, check, run_block, talk


def environment():
    """Return an environment in which `limpet` is the staged tree, or else the installed one."""
    return {**os.environ, "PYTHONPATH": str(BUILD / "cpython")}


def test_the_board_and_the_host_talk():
    check(talk([sys.executable], environment()))


@pytest.mark.parametrize("name", sorted(SAYS))
def test_an_example_prints_what_it_should(name):
    assert run_block(name, [sys.executable], environment()) == SAYS[name]


def test_every_example_is_run():
    assert set(blocks(ROOT / "README.md")) == {"board", "host", *SAYS}
