# SPDX-License-Identifier: MIT
"""Two tiles side by side: services of one's own beside the bus, events, and MFMT.

A display lies in the west of a sensor. The sensor puts packets of service 20 to that side: the
alarm must arrive, a value may be lost. The display answers. Replace the loopback by UARTDriver,
and each half is a program. Runs as it is on a board and on a host:
python examples/example_services.py, or mpremote run.
"""

from limpet import Bus
from limpet.header import DIRECTIONS, EROR, opposite
from limpet.link import UP
from limpet.neighbour import CONNECTED
from limpet.transport.loopback import loopback

WEST = DIRECTIONS.index("WT")
EAST = opposite(WEST)

VALUES = 20  # services 16 to 47 are for programs
RELIABLE = 0x40  # in byte 1, beside the service
TO_WEST = 0x80 + WEST  # byte 0 of a service's packet
MFMT_TO_WEST = 0xA0 + WEST  # ... and of an MFMT packet


def until(ready, buses):
    """Take turns of both buses; in a program of its own bus.run(), or a call that waits, does."""
    while not ready():
        for bus in buses:
            bus.runner.turn()


def tell_events(say, neighbour):
    """Tell what became of the link since the last call."""
    event = bytearray(2)
    while neighbour.take(event):
        say("connected" if event[1] == CONNECTED else "disconnected")


def services(say, display, sensor):
    """Packets of a service: put to a side, or sent to a neighbour."""
    values = display.tile.open(VALUES)
    answers = sensor.tile.open(VALUES)  # also for what comes back, as it could not go out

    sensor.tile.put(bytes([TO_WEST, VALUES | RELIABLE]) + b"too hot")
    sensor.tile.put(bytes([TO_WEST, VALUES]) + b"61.5")  # not reliable
    until(lambda: values.count == 2, (display, sensor))
    for _ in range(2):
        packet = values.read()  # byte 0: where it came from; byte 1: class and service
        say("from " + DIRECTIONS[packet[0] & 7] + ": " + packet[2:].decode())

    heard = []
    answers.on_packet = heard.append  # called in the turns of its bus
    display.tile.send(display.tile.neighbours[values.via], VALUES, b"thanks")
    until(lambda: heard, (display, sensor))
    say("the sensor hears: " + heard[0][2:].decode())


def mfmt(say, display, sensor):
    """The application's own packets, between tiles with the same compatibility string."""
    sand = display.tile.mfmt
    back = sensor.tile.mfmt  # for what can't go out
    sensor.tile.put(bytes([MFMT_TO_WEST]) + b"a grain of sand")
    until(lambda: sand.count > 0, (display, sensor))
    say("MFMT: " + sand.read()[1:].decode())

    display.tile.set_compatibility("sand 2")  # ends the session, and another one begins
    link = sensor.limpets[0].link
    sessions = link.stats.sessions
    until(lambda: link.state == UP and link.stats.sessions > sessions, (display, sensor))
    sensor.tile.put(bytes([MFMT_TO_WEST]) + b"more sand")
    say("came back" if back.read()[0] & EROR else "went out")


def main(say=print):
    """Run the example; `say` gets its lines."""
    display = Bus(node="display")
    sensor = Bus(node="sensor")
    for bus in (display, sensor):
        bus.tile.set_compatibility("sand 1")
    ends = loopback(delay_ms=1)
    display.join(ends[0], direction=EAST)
    sensor.join(ends[1], direction=WEST)

    neighbour = sensor.tile.neighbour(WEST)
    until(lambda: neighbour.state == UP, (display, sensor))
    tell_events(say, neighbour)
    services(say, display, sensor)
    mfmt(say, display, sensor)
    display.close()  # says so; the sensor need not wait for its silence limit
    until(lambda: neighbour.state != UP, (sensor,))
    tell_events(say, neighbour)
    sensor.close()


if __name__ == "__main__":
    main()
