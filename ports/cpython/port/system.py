# SPDX-License-Identifier: MIT
"""Clock, identity, randomness and block copies on CPython.

Rule: `ticks_ms` wraps at 2**30 as on a board: a program that mishandles the wrap fails here too.
"""

import mmap
import os
import sys
import time
import traceback
import uuid

NAME = "cpython"

_MASK = 0x3FFFFFFF
_LARGE = 1 << 20
_MACHINE_ID_FILES = ("/etc/machine-id", "/var/lib/dbus/machine-id")


def const(x: int) -> int:
    """Return x; MicroPython's compiler folds it."""
    return x


def copy(
    target: bytearray | memoryview,
    ti: int,
    source: bytes | bytearray | memoryview,
    si: int,
    count: int,
) -> None:
    """Copy source[si:si+count] over target[ti:ti+count]; both must have that many. May overlap."""
    assert 0 <= ti <= len(target) - count and 0 <= si <= len(source) - count
    target[ti : ti + count] = source[si : si + count]


def store(target: memoryview, source: bytes | bytearray | memoryview) -> int:
    """Copy the whole of `source` to the start of `target`.

    Returns its size, or -1 if it does not fit. Raises TypeError if it is no buffer of bytes.
    """
    size = len(source)
    if size > len(target):
        return -1
    target[:size] = source
    return size


def buffer(size: int) -> memoryview:
    """Return `size` bytes of zeros as a view; the memory of large ones is taken on use."""
    if size < _LARGE:
        return memoryview(bytearray(size))
    return memoryview(mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))


def ticks_ms() -> int:
    """Return a monotonic time in ms, 0..2**30-1, that wraps."""
    return time.monotonic_ns() // 1000000 & _MASK


def entropy() -> int:
    """Return 30 random bits, to seed limpet.rand.Random with."""
    return int.from_bytes(os.urandom(4), "little") & _MASK


def unique_id() -> bytes:
    """Return bytes that each start of this program on this machine shares, and no other."""
    machine = b""
    for path in _MACHINE_ID_FILES:
        try:
            with open(path, "rb") as file:
                machine = file.read().strip()
        except OSError:
            continue
        if machine:
            break
    if not machine:
        machine = uuid.getnode().to_bytes(6, "big")
    program = sys.argv[0] if sys.argv and sys.argv[0] not in ("", "-c", "-m") else sys.executable
    return machine + b"\0" + os.fsencode(os.path.realpath(program))


def print_exception(e: BaseException) -> None:
    """Print the exception with its traceback to the error stream."""
    traceback.print_exception(e)
