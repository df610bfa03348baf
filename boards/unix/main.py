# SPDX-License-Identifier: MIT
"""The Unix MicroPython as a board: micropython boards/unix/main.py /dev/pts/3

It answers requests for the kitchen's temperature and announces its light ten times a second. The
values are made up; the numbers in front tell a receiver what was lost, doubled or out of order,
and the boot number (the bus's epoch, new at each start) says that they begin again.
"""

import struct
import sys

import board

from limpet import Bus
from limpet.transport.uart import UARTDriver

if len(sys.argv) != 2:
    print("usage: micropython boards/unix/main.py TTY")
    sys.exit(2)

bus = Bus(**board.BUS)
try:
    bus.join(UARTDriver(sys.argv[1], **board.LINK))
except OSError as e:
    print(e)
    sys.exit(1)
ks = bus.ksock()
turns = 0
replies = 0


@ks.replier("$.Sensors.Kitchen.Temperature")
def temperature(msg):
    """Reply: the request's number, the boot, how many since then, hundredths of a degree."""
    global replies
    replies += 1
    return msg.data[:4] + struct.pack("<IIh", bus.epoch, replies, 2100 + turns % 50)


def announce_light():
    """Announce the boot, a running number, then lux."""
    global turns
    ks.announce("$.Sensors.Kitchen.Light", struct.pack("<IIh", bus.epoch, turns, 300 + turns % 40))
    turns += 1


bus.every(100, announce_light)
bus.run()
