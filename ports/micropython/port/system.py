# SPDX-License-Identifier: MIT
"""Clock, identity and randomness on MicroPython.

Rule: `ticks_ms` wraps at 2**30 on the 64-bit VM too, whose own clock wraps far later.
"""

import os
import sys
import time

from micropython import const

NAME = "micropython"

_MASK = const(0x3FFFFFFF)
_MACHINE_ID_FILE = "/etc/machine-id"


def buffer(size: int):
    """Return `size` bytes of zeros as a view."""
    return memoryview(bytearray(size))


def ticks_ms() -> int:  # hot:
    """Return a monotonic time in ms, 0..2**30-1, that wraps."""
    return time.ticks_ms() & _MASK


def entropy() -> int:
    """Return 30 random bits, to seed limpet.rand.Random with."""
    try:
        b = os.urandom(4)
    except AttributeError:  # no source on this board: the clocks since power-up have to do
        t = time.ticks_us()
        b = bytes((t & 255, t >> 8 & 255, t >> 16 & 255, time.ticks_cpu() & 255))
    return (b[3] & 0x3F) << 24 | b[2] << 16 | b[1] << 8 | b[0]


def unique_id() -> bytes:
    """Return bytes that are the same at each start, and no other board's or program's."""
    try:
        import machine

        return machine.unique_id()
    except (ImportError, AttributeError):
        pass
    try:
        with open(_MACHINE_ID_FILE, "rb") as file:
            host = file.read().strip()
    except OSError:
        host = (os.getenv("HOSTNAME") or "").encode()
    path = sys.argv[0] if sys.argv else ""
    if path[:1] != "/":
        path = os.getcwd() + "/" + path
    return host + b"\0" + path.encode()


def print_exception(e: BaseException) -> None:
    """Print the exception with its traceback to the error stream."""
    sys.print_exception(e, sys.stderr)
