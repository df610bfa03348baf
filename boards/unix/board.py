# SPDX-License-Identifier: MIT
"""A process of the Unix MicroPython as a board: data only."""

NAME = "unix"
MARCH = ""  # no machine code of its own: sources are compiled as they are loaded

BUS = {"slot_count": 32, "slot_size": 64, "queue_size": 16}
LINK = {"baud": 115200}  # the tty is the program's argument
