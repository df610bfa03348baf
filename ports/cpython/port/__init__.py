# SPDX-License-Identifier: MIT
"""limpet.port on CPython: everything that the library needs from its platform.

Rule: the names are the table in ports/README.md, the same on every platform and nothing else.
"""

from .codec import crc16, seal, unseal
from .device import open_device
from .kbus import KBUS
from .system import (
    NAME,
    buffer,
    const,
    copy,
    entropy,
    print_exception,
    store,
    ticks_ms,
    unique_id,
)
from .waiter import Waiter

__all__ = [
    "KBUS",
    "NAME",
    "Waiter",
    "buffer",
    "const",
    "copy",
    "crc16",
    "entropy",
    "open_device",
    "print_exception",
    "seal",
    "store",
    "ticks_ms",
    "unique_id",
    "unseal",
]
