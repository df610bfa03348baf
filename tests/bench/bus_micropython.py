# SPDX-License-Identifier: MIT
"""The bus's figures on MicroPython; run by bus_vm.py, which has compiled it as for a board.

Rules: as in measure.py. Functions of the module only: what is a closure there takes far longer.
`announce ROUNDS COUNT1 COUNT10` prints a line `listeners ours deque` for each round and number of
listeners; `heap COUNT` prints the times of three measurements. All times are microseconds per
message. The collector is off in `announce`, and on in `heap`: there it would show.
"""

import gc
import sys
import time
from collections import deque

gc.threshold(4096)  # importing leaves gaps, and a small heap has no room for them
from limpet.core import Core  # noqa: E402
from limpet.view import MessageView  # noqa: E402

gc.threshold(-1)

NAME = "$.A.B"
BURST = 64
PAYLOADS = [bytes([number]) + bytes(range(31)) for number in range(1, BURST + 1)]
BURST_SUM = BURST * (BURST + 1) // 2
_EAGAIN = 11


def announce(send, name, takes, view, count):
    """Announce in bursts and let every listener take its copies."""
    total = 0
    for _ in range(count // BURST):
        for data in PAYLOADS:
            send(name, data)
        for take in takes:
            for _ in range(BURST):
                take(view)
                total += view.data[0]
    return total


def publish(names, name, data):
    """Append to the deques of a name: the least that a bus could do."""
    for queue in names[name]:
        queue.append(data)


def deques(names, name, reads, count):
    """Do the same with deques."""
    total = 0
    for _ in range(count // BURST):
        for data in PAYLOADS:
            publish(names, name, data)
        for read in reads:
            for _ in range(BURST):
                total += read()[0]
    return total


def check(total, count, listeners):
    """Fail unless all was read that was sent."""
    wanted = count // BURST * BURST_SUM * listeners
    if total != wanted:
        raise ValueError("the sum of what was read is %d, not %d" % (total, wanted))


class OurWork:
    """A bus with one sender and its listeners."""

    def __init__(self, listeners):
        gc.collect()
        self.core = Core(72, 64, BURST)
        self.send = self.core.open(8).announce
        self.takes = []
        for _ in range(listeners):
            listener = self.core.open()
            self.core.bind(listener, NAME, False)
            self.takes.append(listener.take)
        self.name = self.core.lookup(NAME)
        self.view = MessageView()

    def run(self, count):
        """Return the microseconds that one message takes."""
        start = time.ticks_us()
        total = announce(self.send, self.name, self.takes, self.view, count)
        took = time.ticks_diff(time.ticks_us(), start)
        check(total, count, len(self.takes))
        for take in self.takes:
            if take(self.view) != -_EAGAIN or self.view.missed:
                raise ValueError("messages were left unread or missed")
        return took / count


class DequeWork:
    """A dict of deques."""

    def __init__(self, listeners):
        self.names = {NAME: [deque((), BURST) for _ in range(listeners)]}
        self.reads = [queue.popleft for queue in self.names[NAME]]

    def run(self, count):
        """Return the microseconds that one message takes."""
        start = time.ticks_us()
        total = deques(self.names, NAME, self.reads, count)
        took = time.ticks_diff(time.ticks_us(), start)
        check(total, count, len(self.reads))
        return took / count


def timed(work, count):
    """Measure one work with the collector off."""
    gc.collect()
    gc.disable()
    took = work.run(count)
    gc.enable()
    return took


def main(what, numbers):
    """Measure what is asked for."""
    if what == "heap":
        work = OurWork(1)
        work.run(BURST)
        for _ in range(3):
            gc.collect()
            print(work.run(numbers[0]))
        return
    rounds, *counts = numbers
    works = [(n, OurWork(n), DequeWork(n)) for n in (1, 10)]
    for _, ours, theirs in works:
        ours.run(BURST)
        theirs.run(BURST)
    for _ in range(rounds):
        for (listeners, ours, theirs), count in zip(works, counts):
            print(listeners, timed(ours, count), timed(theirs, count))


if __name__ == "__main__":
    main(sys.argv[1], [int(word) for word in sys.argv[2:]])
