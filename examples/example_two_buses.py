# SPDX-License-Identifier: MIT
"""Two buses and a line between them, all in this program: what a board and a host do over a UART.

The line loses one frame in ten. Replace the loopback by UARTDriver, and each half is a program.
"""

from limpet import Bus
from limpet.transport.loopback import loopback


def main(say=print):
    """Run the example; `say` gets its lines."""
    host = Bus(node="host")
    board = Bus(node="board")
    for bus, driver in zip((host, board), loopback(loss=0.1, delay_ms=1)):
        bus.join(driver)

    replier = board.ksock()

    @replier.replier("$.Board.Double")
    def double(msg):
        return str(2 * int(msg.text))

    # Whoever waits pumps its own bus; the other one is pumped from here.
    host.every(1, lambda: board.runner.turn())

    asker = host.ksock()
    asker.bind("$.Board.Count")
    host.wait_for_replier("$.Board.Double", timeout_ms=5000)
    say(
        "the board answers "
        + " ".join([asker.call("$.Board.Double", str(n)).text for n in range(8)])
    )
    for n in range(3):
        replier.announce("$.Board.Count", str(n))
    say("the host heard " + " ".join([msg.text for msg in asker.messages(timeout_ms=500)]))
    host.close()
    board.close()


if __name__ == "__main__":
    main()
