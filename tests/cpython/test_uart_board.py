# SPDX-License-Identifier: MIT
"""A board's UART: flow control, buffers, interrupts, on a `machine` that is made up.

MicroPython's own file is tried, on CPython and on every VM that is set up.
"""

import importlib.util
import subprocess
import sys
import types

import pytest

import uart_board_checks as checks
import vms
from layout import ROOT

FILE = ROOT / "ports/micropython/port/uart.py"
RUN = """
import sys
sys.path.insert(0, {folder!r})
import uart_board_checks as checks
from limpet.port import uart
checks.check_all(uart, sys.modules)
print("OK")
"""


@pytest.fixture
def module(monkeypatch):
    """MicroPython's port/uart.py, on CPython."""
    micropython = types.ModuleType("micropython")
    micropython.const = lambda x: x
    monkeypatch.setitem(sys.modules, "micropython", micropython)
    spec = importlib.util.spec_from_file_location("board_uart", FILE)
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


# Where: None is CPython, the others are the VMs that are set up.
CASES = [(name, None) for name in dir(checks) if name.startswith("check_")]
CASES += [("check_all", bits) for bits in vms.BITS if vms.launcher(bits).exists()]


@pytest.mark.parametrize(("name", "bits"), CASES)
def test_a_board(module, monkeypatch, name, bits):
    if bits is None:
        monkeypatch.setitem(sys.modules, "machine", None)
        getattr(checks, name)(module, sys.modules)
        return
    done = subprocess.run(
        [vms.vm(bits), "-c", RUN.format(folder=str(ROOT / "tests"))],
        env=vms.environment(),
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "OK\n"), done.stderr + done.stdout
