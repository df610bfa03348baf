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


@pytest.mark.parametrize("name", [name for name in dir(checks) if name.startswith("check_")])
def test_on_cpython(module, monkeypatch, name):
    monkeypatch.setitem(sys.modules, "machine", None)
    getattr(checks, name)(module, sys.modules)


@pytest.mark.parametrize("bits", [bits for bits in vms.BITS if vms.launcher(bits).exists()])
def test_on_a_vm(bits):
    code = RUN.format(folder=str(ROOT / "tests"))
    done = subprocess.run(
        [vms.vm(bits), "-c", code],
        env=vms.environment(),
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "OK\n"), done.stderr + done.stdout
