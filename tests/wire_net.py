# SPDX-License-Identifier: MIT
"""The two ends of a helpers_bus.Pair over a network of its own: UDP's driver, without sockets.

Rules: times come from the Pair, chance from one seed, so a run is the same each time.
"""

from limpet.rand import Random
from limpet.ticks import ticks_add, ticks_diff
from limpet.transport.udp import UDPDriver


class Net:
    """One direction of a network: some datagrams are lost, come twice, or are overtaken."""

    def __init__(self, seed):
        self.random = Random(seed)
        self.flight = []  # (when it arrives, what)
        self.overtaken = self.packed = 0  # datagrams; with more than one frame in them

    def carry(self, data, now):
        r = self.random
        self.packed += data.strip(b"\0").count(b"\0") > 0
        for _ in range((1, 1, 1, 2)[r.below(4)] if r.below(20) else 0):
            late = 1 + (0 if r.below(10) else r.below(40))
            self.overtaken += bool(self.flight) and ticks_diff(self.flight[-1][0], now) > late
            self.flight.append((ticks_add(now, late), data))

    def due_in(self, now):
        return min([max(0, ticks_diff(due, now)) for due, _ in self.flight], default=10000)

    def arrived(self, now):
        for one in self.flight:
            if ticks_diff(one[0], now) <= 0:
                self.flight.remove(one)
                return one[1]
        return b""


class Datagrams(UDPDriver):
    """An end of a Pair that has a network to itself. It stands in for its socket, too."""

    is_local = True
    blocked = False

    def __init__(self, outgoing, incoming):
        UDPDriver.__init__(self, ("far", 7400))
        self.now = 0
        self.line = outgoing
        nets = [vars(pipe).setdefault("net", Net(3)) for pipe in (outgoing, incoming)]
        self.there, self.back = nets

    def _open(self):
        self._opened = self

    def _reopen(self):
        return True

    def _close(self):
        pass

    def pump(self, now_ms):
        self.now = now_ms
        return UDPDriver.pump(self, now_ms)

    def due(self, now_ms):
        return min(UDPDriver.due(self, now_ms), self.back.due_in(now_ms))

    def _read(self, buf):
        data = self.back.arrived(self.now)
        buf[: len(data)] = data
        return len(data)

    def _write(self, buf, start, count):
        if not self.line.cut:
            self.there.carry(bytes(buf[start : start + count]), self.now)
        return count
