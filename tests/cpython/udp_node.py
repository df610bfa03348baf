# SPDX-License-Identifier: MIT
"""A program for any VM that joins another one over UDP: udp_node.py ask|serve OUR_PORT ITS_PORT

`serve` answers requests and announces a count until it is told to stop. `ask` asks 100 times, with
long and short questions, listens to 20 announcements, tells `serve` to stop, and prints OK.
"""

import sys

from limpet import Bus
from limpet.transport.udp import UDPDriver

ROUNDS = 100
COUNTS = 20
LOCAL = "127.0.0.1"


def question(number):
    return b"%d " % number + b"x" * (number * 7 % 90)


def serve(bus, ks):
    count = 0

    def tick():
        nonlocal count
        ks.announce("$.Count", b"%d" % count)
        count += 1

    @ks.replier("$.Echo")
    def echo(msg):
        return b"<" + msg.data + b">"

    @ks.replier("$.Stop")
    def stop(msg):
        bus.every(50, bus.stop)
        return b""

    bus.every(5, tick)
    bus.run()


def ask(bus, ks):
    listener = bus.ksock(queue_size=64)
    listener.bind("$.Count")
    bus.wait_for_replier("$.Echo", timeout_ms=5000)
    bus.wait_for_replier("$.Stop", timeout_ms=5000)
    for number in range(ROUNDS):
        data = question(number)
        assert ks.call("$.Echo", data).data == b"<" + data + b">"
    last = -1
    for _ in range(COUNTS):
        number = int(listener.wait_for_msg(5000).data)
        assert number > last
        last = number
    ks.call("$.Stop", b"")
    stats = bus.limpets[0].link.stats
    print("OK", stats.sessions, stats.rx_bad)


def main(what, ours, its):
    bus = Bus(node=1 if what == "ask" else 2)
    bus.join(UDPDriver({"peer": (LOCAL, int(its)), "bind": (LOCAL, int(ours))}))
    (ask if what == "ask" else serve)(bus, bus.ksock())
    bus.close()


main(*sys.argv[1:])
