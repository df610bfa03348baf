# SPDX-License-Identifier: MIT
"""A link with a key: who does not have it gets no session, and so no message passes.

A door, its owner, and somebody who would like to be the owner. Replace the loopback by UARTDriver
or UDPDriver, and each of them is a program. Runs as it is on a board and on a host:
python examples/example_keyed.py, or mpremote run.
"""

import os

from limpet import Bus
from limpet.transport.loopback import loopback


def ask(say, door, door_key, who, key):
    """Join `who` to the door, ask it to open, and tell what became of that."""
    ends = loopback(delay_ms=1)
    door.join(ends[0], key=door_key)
    limpet = who.join(ends[1], key=key)

    # Whoever waits pumps its own bus; the other one is pumped from here.
    timer = who.every(1, lambda: door.runner.turn())
    try:
        who.wait_for_replier("$.Door.Open", timeout_ms=500)
        say(who.ksock().call("$.Door.Open").text)
    except OSError:  # NoReplier
        say(limpet.describe())
    timer.cancel()
    who.close()


def main(say=print):
    """Run the example; `say` gets its lines."""
    door = Bus(node="door")
    lock = door.ksock()

    @lock.replier("$.Door.Open")
    def open_it(msg):
        return "the door is open"

    # 16 to 64 random bytes for one link, made once and kept in a file of both ends.
    key = os.urandom(32)
    ask(say, door, key, Bus(node="thief"), os.urandom(32))
    ask(say, door, key, Bus(node="burglar"), None)
    ask(say, door, key, Bus(node="owner"), key)
    door.close()


if __name__ == "__main__":
    main()
