# SPDX-License-Identifier: MIT
"""Raspberry Pi Pico and Pico W: data only. The wiring is in README.md."""

NAME = "rpi_pico"
MARCH = "armv6m"

BUS = {"slot_count": 32, "slot_size": 64, "queue_size": 16}
LINK = {"uart": 0, "tx": 0, "rx": 1, "baud": 115200}

TEMPERATURE_ADC = 4  # the channel of the chip's own thermometer
LIGHT_ADC = 26  # GP26: a light sensor between 3V3 and ground, or nothing
