# SPDX-License-Identifier: MIT
"""See what passes on a link: a host keeps it in a file, and tells it in words.

A request and its answer on a line between two buses; docs/wire.md explains the words.
For a host, as boards have no files to spare: python examples/example_capture.py
"""

import os
import tempfile

from limpet import Bus
from limpet.host.capture import Capture, read
from limpet.transport.loopback import loopback


def talk(path):
    """Have a host ask a board, and keep in a file what passes at the host."""
    host = Bus(node="host")
    board = Bus(node="board")
    lamp = board.ksock()
    ends = loopback()
    with Capture(path) as capture:
        capture.attach(ends[0], "uart0")
        host.join(ends[0])
        board.join(ends[1])

        @lamp.replier("$.Lamp.Get")
        def get(msg):
            return "off"

        host.every(1, lambda: board.runner.turn())
        host.wait_for_replier("$.Lamp.Get", timeout_ms=5000)
        host.ksock().call("$.Lamp.Get")
        host.close()
        board.close()


def main(say=print):
    """Run the example; `say` gets its lines."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "talk.txt")  # or "talk.pcapng", for other programs
        talk(path)
        with open(path) as file:
            for line in file:
                say(line.rstrip())
        entries = list(read(path))
    sent = sum(len(entry.data) for entry in entries if entry.out)
    say(f"{len(entries)} entries, {sent} bytes went out")


if __name__ == "__main__":
    main()
