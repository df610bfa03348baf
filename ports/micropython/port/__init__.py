# SPDX-License-Identifier: MIT
"""limpet.port on MicroPython: everything that the library needs from its platform.

Rule: the names are the table in ports/README.md, the same on every platform and nothing else.
"""

from .device import open_device
from .kbus import KBUS
from .system import NAME, buffer, const, entropy, print_exception, ticks_ms, unique_id
from .waiter import Waiter

try:
    from .codec_viper import copy, crc16, seal, store, unseal
except (ImportError, SyntaxError, ValueError):  # no viper here, or .mpy files of another machine
    from .codec_plain import copy, crc16, seal, store, unseal

__all__ = (
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
)
