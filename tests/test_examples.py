# SPDX-License-Identifier: MIT
"""The examples run on every VM and say what they should."""

import sys
import unittest

HERE = __file__.rsplit("/", 1)[0] if "/" in __file__ else "."
sys.path.insert(0, HERE + "/../examples")


class TestExamples(unittest.TestCase):
    def lines(self, name):
        """Run an example; return its lines."""
        found = []
        __import__(name).main(found.append)
        return found

    def test_bus(self):
        from buses import Tracebacks

        with Tracebacks() as tracebacks:
            lines = self.lines("example_bus")
        self.assertEqual(
            lines,
            [
                "Ksock 2 heard $.Sensors.Light 300",
                "Ksock 3 heard $.Sensors.Light 300",
                "the lamp was off",
                "$.Lamp.Set blue: $.KBUS.Replier.Failed, executed: yes",
                "$.Oven.Set on: None, executed: no",
            ],
        )
        self.assertEqual(len(tracebacks.found), 1)

    def test_two_buses(self):
        self.assertEqual(
            self.lines("example_two_buses"),
            ["the board answers 0 2 4 6 8 10 12 14", "the host heard 0 1 2"],
        )

    def test_layout(self):
        self.assertEqual(
            self.lines("example_layout"),
            [
                "both mean the same",
                "21.5 degrees, 300 lux",
                "21.63 degrees, 305 lux",
                "-0.4 degrees, 2 lux",
                "the coldest was 19",
                "celsius_x100 is 40000, possible: -32768 to 32767",
            ],
        )

    def test_services(self):
        self.assertEqual(
            self.lines("example_services"),
            [
                "connected",
                "from ET: too hot",
                "from ET: 61.5",
                "the sensor hears: thanks",
                "MFMT: a grain of sand",
                "came back",
                "disconnected",
                "connected",
                "disconnected",
            ],
        )

    def test_keyed(self):
        self.assertEqual(
            self.lines("example_keyed"),
            [
                "link 0 is down: neighbour has another key, or somebody else is on the line",
                "link 0 is down: neighbour has a key: give this side the same (key=)",
                "the door is open",
            ],
        )
