# SPDX-License-Identifier: MIT
"""What limpet.kbus needs of MicroPython: how large a bus is that it makes, and one of its
exceptions.
"""


class KBUS:
    """As ports/README.md has it."""

    # KBUS's own default inside a kernel: messages of 1024 bytes with the header. 30 KB of slots.
    SIZES = {
        "slot_count": 32,
        "slot_size": 928,
        "queue_size": 100,
        "ksock_count": 32,
        "name_count": 128,
        "binding_count": 128,
        "event_count": 32,
    }

    @staticmethod
    def not_writable():
        """Return the exception for writing to what was opened for reading."""
        return OSError(9, "File not open for writing")
