# SPDX-License-Identifier: MIT
"""The demo's line: two ttys in raw mode, and a relay that passes bytes between them, both ways.

    relay.py LOSS HOST_TTY BOARD_TTY    the share of frames to damage; the names for the ttys

It knows that a frame is what stands before a 0x00; in a damaged one, one byte is replaced. It also
knows a HELO when it sees one, because it is the one that can tell when a new board spoke first.
Like a wire, it waits for nobody: what a tty does not take is lost. It ends when its input does.
Events go to its output, one JSON list per line: ["ready"], ["hello", time], ["damaged", count].
"""

from __future__ import annotations

import json
import os
import pty
import random
import select
import sys
import time
import tty

from limpet.port import unseal

FRAME_MAX = 2048  # what is longer is no frame, and passed on in pieces
HELO = 1  # docs/wire.md: byte 1 of a HELO, the node epoch in bytes 8..11
HELO_START = 0xFFFF  # of its check


def tell(*event: object) -> None:
    """Write an event."""
    print(json.dumps(event), flush=True)


class Way:
    """One direction of the line."""

    def __init__(self, source: int, target: int, loss: float) -> None:
        self.source = source
        self.damaged = 0
        self.lost = 0  # bytes
        self.frame = b""  # the last one that was passed on whole
        self._target = target
        self._loss = loss
        self._begun = b""  # of a frame whose end has not come

    def move(self) -> list[bytes]:
        """Pass on what is there; return the whole frames that went undamaged."""
        *frames, rest = (self._begun + os.read(self.source, 4096)).split(b"\0")
        self._begun = rest if len(rest) < FRAME_MAX else b""
        whole = []
        out = b""
        for frame in frames:
            if frame and random.random() < self._loss:
                out += damage(frame) + b"\0"
                self.damaged += 1
            else:
                out += frame + b"\0"
                whole.append(frame)
        if not self._begun:
            out += rest
        self._write(out)
        return whole

    def _write(self, data: bytes) -> None:
        try:
            taken = os.write(self._target, data)
        except BlockingIOError:
            taken = 0
        self.lost += len(data) - taken


def damage(frame: bytes) -> bytes:
    """Return the frame with one byte replaced by another."""
    at = random.randrange(len(frame))
    return frame[:at] + bytes([frame[at] ^ random.randrange(1, 256)]) + frame[at + 1 :]


def node_epoch(frame: bytes) -> bytes:
    """Return the node epoch of a frame that is a HELO, else nothing."""
    packet = bytearray(frame)
    size = unseal(packet, len(packet), HELO_START)
    return bytes(packet[8:12]) if size > 12 and packet[1] == HELO else b""


def open_tty(name: str) -> int:
    """Make a tty in raw mode that is known as `name`; return the line's end of it."""
    master, slave = pty.openpty()
    tty.setraw(slave)  # the slave stays open here, so that the line outlives a killed board
    os.set_blocking(master, False)
    os.symlink(os.ttyname(slave), name)
    return master


def main() -> None:
    """Relay until the input ends."""
    loss, host_name, board_name = float(sys.argv[1]), sys.argv[2], sys.argv[3]
    host, board = open_tty(host_name), open_tty(board_name)
    to_board, to_host = Way(host, board, loss), Way(board, host, loss)
    epoch = b""
    damaged = 0
    tell("ready")
    while True:
        ready, _, _ = select.select([host, board, sys.stdin.fileno()], [], [])
        if host in ready:
            to_board.move()
        if board in ready:
            for frame in to_host.move():
                if node_epoch(frame) not in (b"", epoch):
                    epoch = node_epoch(frame)
                    tell("hello", time.monotonic())
        if to_board.damaged + to_host.damaged > damaged:
            damaged = to_board.damaged + to_host.damaged
            tell("damaged", damaged)
        if sys.stdin.fileno() in ready and not os.read(sys.stdin.fileno(), 1024):
            return


if __name__ == "__main__":
    main()
