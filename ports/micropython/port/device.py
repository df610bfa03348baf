# SPDX-License-Identifier: MIT
"""What moves a link's bytes on MicroPython, by kind.

Rule: the module of a kind is imported when the first device of that kind is opened: a board has
the files and the memory for what it uses.
"""


def open_device(kind, settings):
    """Open a device: "uart", a byte stream, "udp", a socket, "spi": see ports/README.md.

    Raises OSError with a sentence that says what to do; ValueError for settings that cannot be.
    """
    if kind == "uart":
        from .uart import open_uart

        return open_uart(settings)
    if kind == "udp":
        from .udp import open_udp

        return open_udp(settings)
    if kind == "spi":
        from .spi import open_spi

        return open_spi(settings)
    raise ValueError('no devices of kind "%s" here' % kind)
