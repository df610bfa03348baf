# SPDX-License-Identifier: MIT
"""A Raspberry Pi Pico on a bus: its thermometer is asked for, its light sensor announces itself.

Each value has a number in front, which tells a receiver what was lost, doubled or out of order,
and the boot number (the bus's epoch, new at each start) says that they begin again.
"""

import struct

import board
import machine

from limpet import Bus
from limpet.transport.uart import UARTDriver

thermometer = machine.ADC(board.TEMPERATURE_ADC)
light = machine.ADC(board.LIGHT_ADC)

bus = Bus(**board.BUS)
bus.join(UARTDriver(board.LINK))
ks = bus.ksock()
turns = 0
replies = 0


def read_celsius():
    """Return hundredths of a degree: 706 mV are 27 degrees, and each 1.721 mV less one more."""
    microvolts = thermometer.read_u16() * 5035 // 100  # 3.3 V is 65535
    return 2700 - (microvolts - 706000) * 100 // 1721


@ks.replier("$.Sensors.Kitchen.Temperature")
def temperature(msg):
    """Reply: the request's number, the boot, how many since then, hundredths of a degree."""
    global replies
    replies += 1
    return msg.data[:4] + struct.pack("<IIh", bus.epoch, replies, read_celsius())


def announce_light():
    """Announce the boot, a running number, then the light as 0..32767."""
    global turns
    ks.announce(
        "$.Sensors.Kitchen.Light", struct.pack("<IIh", bus.epoch, turns, light.read_u16() >> 1)
    )
    turns += 1


bus.every(100, announce_light)
bus.run()
