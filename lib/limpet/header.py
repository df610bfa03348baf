# SPDX-License-Identifier: MIT
"""What the first byte of a tile packet says: its form, a side of the tile, and what befell it.

byte 0:  1 0 MFMT OVRN EROR DIR2..0   routed; DIR: destination when written, source when read
         1 1 reserved TYP4..0         local standard, never leaves the board
         0 ...                        non-standard, which nobody here knows
"""

from .port import const

_ROUTED = const(0x80)
_LOCL = const(0x40)
_MFMT = const(0x20)

DIRECTIONS = ("NT", "NE", "ET", "SE", "ST", "SW", "WT", "NW")
NONE = const(8)  # the direction of a link that is on no side

# Forms of packets, by their byte 0.
NON_STANDARD = const(0)
ROUTED = const(1)
ROUTED_MFMT = const(2)
LOCAL = const(3)

# What is set in byte 0 of a packet that came back.
OVRN = const(0x10)
EROR = const(0x08)

# Byte 0 of local standard packets; 0xC4 is an event (neighbour.py), others are to be ignored.
LABELLED_VALUE = const(0xC1)
DEBUG_TAG = const(0xC2)
THREAD_STATUS = const(0xC3)


def opposite(direction: int) -> int:
    """Return the direction in which a neighbour that lies in `direction` sees us."""
    return (direction + 4) & 7 if direction < NONE else NONE


def form(byte0: int) -> int:
    """Return the form of a packet: NON_STANDARD, ROUTED (a service's), ROUTED_MFMT or LOCAL."""
    if not byte0 & _ROUTED:
        return NON_STANDARD
    if byte0 & _LOCL:
        return LOCAL
    return ROUTED_MFMT if byte0 & _MFMT else ROUTED
