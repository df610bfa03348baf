# SPDX-License-Identifier: MIT
"""The counter (service 3): a number in a file, told to the neighbours. T2's smallest daemon.

Rules: the file is read again when its time or size has changed, looked at each second, and before
the number is told: two changes may share a time. A file without a number counts as `bad` and
changes nothing. The number goes to each neighbour when it changes, when a session begins and about
every minute, as a bulk, unreliable packet: what is lost is told again. What a neighbour has told
is forgotten when its session ends. Read this to see how a service is written.

    operation (1: this is my number), the number (4 bytes); more bytes are ignored
"""

import os

from .port import const
from .rand import Random
from .ticks import ticks_add, ticks_diff

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from .neighbour import Neighbour
    from .tile import Tile

_TELL = const(1)
_LOOK_MS = const(1000)
_PERIOD_MS = const(45000)
_JITTER_MS = const(30000)


class Counter:
    """Service 3: `bus.tile.add(Counter(bus.tile, "counter.txt", bus.random))`."""

    number = 3

    def __init__(self, tile: "Tile", path: str, random: Random) -> None:
        self.value = 0
        self.heard: dict[int, int] = {}  # by index of the neighbour
        self.bad = 0  # times that the file had no number in it
        self._tile = tile
        self._path = path
        self._random = random
        self._seen = (0, 0)  # time and size of the file that was read
        self._look_at = self._tell_at = -1  # when, as ticks; -1: now

    def connected(self, neighbour: "Neighbour") -> None:
        """Tell it, and the others, soon."""
        self._tell_at = -1

    def disconnected(self, neighbour: "Neighbour") -> None:
        """Forget its number."""
        self.heard.pop(neighbour.index, None)

    def room(self, packet: bytearray, size: int) -> bool:
        """Tell that there is always room."""
        return True

    def receive(self, neighbour: "Neighbour", packet: bytearray, start: int, end: int) -> None:
        """Note a neighbour's number."""
        if end - start >= 5 and packet[start] == _TELL:
            self.heard[neighbour.index] = int.from_bytes(packet[start + 1 : start + 5], "big")
            if end - start > 5:
                neighbour.stats.count("rx_trailing")

    def poll(self, now_ms: int) -> int:
        """Look at the file and tell the neighbours, when it is time to; return ms until then."""
        if self._look_at < 0 or ticks_diff(self._look_at, now_ms) <= 0:
            self._look_at = ticks_add(now_ms, _LOOK_MS)
            self._read()
        if self._tell_at < 0 or ticks_diff(self._tell_at, now_ms) <= 0:
            self._seen = (0, 0)
            self._read()
            self._tell_at = ticks_add(now_ms, _PERIOD_MS + self._random.below(_JITTER_MS))
            data = bytes([_TELL]) + self.value.to_bytes(4, "big")
            for neighbour in self._tile.neighbours:
                self._tile.send(neighbour, 3, data, -1, True, False)
        return min(ticks_diff(self._look_at, now_ms), ticks_diff(self._tell_at, now_ms))

    def _read(self) -> None:
        try:
            found = os.stat(self._path)
            seen = (int(found[8]), found[6])
            if seen == self._seen:
                return
            self._seen = seen
            with open(self._path) as file:
                value = int(file.read(20))
            if not 0 <= value <= 0xFFFFFFFF:
                raise ValueError
        except OSError:
            return  # there is none now
        except ValueError:
            self.bad += 1
            return
        if value != self.value:
            self.value = value
            self._tell_at = -1
