# SPDX-License-Identifier: MIT
"""What limpet.kbus needs of CPython: how large a bus is that it makes, and one exception."""

import io


class KBUS:
    """As ports/README.md has it."""

    # KBUS's own limits: messages of 409600 bytes with the header, 1000 set-aside events. The pool
    # grows as long as messages wait to be read; tables are so large that programs never see it.
    SIZES = {
        "slot_count": 64,
        "slot_count_max": 16384,
        "slot_size": 409504,
        "queue_size": 100,
        "ksock_count": 16384,
        "name_count": 4096,
        "binding_count": 65536,
        "event_count": 1000,
    }

    @staticmethod
    def not_writable() -> OSError:
        """Return the exception for writing to what was opened for reading: as of any file."""
        return io.UnsupportedOperation("File not open for writing")
