# SPDX-License-Identifier: MIT
"""The demo's host: asks the board for a temperature every 20 ms, and listens to all sensors.

    host.py TTY SECONDS

Requests are sent from the pump, on a strict schedule, whatever became of those before; each
carries its number. What happens goes to the output, a JSON list per line, the time in the end:
["up", silence_ms], ["asked", number], ["refused", why], ["replied", number, data],
["told", number, status, executed], ["heard", data], ["stopped"], ["ended", retransmits].
"""

from __future__ import annotations

import json
import struct
import sys
import time

from limpet import Bus, BusError, Message
from limpet.transport.uart import UARTDriver

TEMPERATURE = "$.Sensors.Kitchen.Temperature"
PERIOD_MS = 20
DEADLINE_MS = 3000
START_MS = 10000
ENDS_S = 4.0  # after the last request all must have ended
LINGER_S = 0.2  # and nothing may come twice


def tell(*event: object) -> None:
    """Write an event; the last of its fields is the time."""
    print(json.dumps(event), flush=True)


class Asker:
    """Sends numbered requests and notes how each of them ends."""

    def __init__(self, bus: Bus) -> None:
        self.ks = bus.ksock(queue_size=256)
        self.asking = True
        self.out = 0  # requests that have not ended
        self._number = 0
        self._numbers: dict[int, int] = {}  # ours by the bus's, also of those that have ended

    def ask(self) -> None:
        """Send the next request; called by the pump."""
        if not self.asking:
            return
        now = time.monotonic()
        number = self._number + 1
        try:
            serial = self.ks.request(TEMPERATURE, struct.pack("<I", number), DEADLINE_MS)
        except BusError as e:
            tell("refused", type(e).__name__, now)
            return
        self._number = number
        self._numbers[serial] = number
        self.out += 1
        tell("asked", number, now)

    def note(self, message: Message) -> None:
        """Note the end of a request."""
        now = time.monotonic()
        self.out -= 1
        number = self._numbers.get(message.in_reply_to, 0)
        if message.kind == "reply":
            tell("replied", number, message.data.hex(), now)
        else:
            tell("told", number, message.name, message.executed, now)


def main() -> None:
    """Ask for SECONDS, then wait for the last ends."""
    bus = Bus(slot_count=600, queue_size=128)
    limpet = bus.join(UARTDriver(sys.argv[1]))
    listener = bus.ksock()

    @listener.listener("$.Sensors.*")
    def heard(msg: Message) -> None:
        if msg.kind == "announcement":  # a listener also sees our own requests and their replies
            tell("heard", msg.data.hex(), time.monotonic())

    bus.wait_for_replier(TEMPERATURE, timeout_ms=START_MS)
    start = time.monotonic()
    stop = start + float(sys.argv[2])
    tell("up", limpet.link.silence_ms, start)
    asker = Asker(bus)
    bus.every(PERIOD_MS, asker.ask)
    end = stop + LINGER_S
    while time.monotonic() < end:
        message = asker.ks.wait_for_msg(timeout_ms=10)
        if message is not None:
            asker.note(message)
        now = time.monotonic()
        if asker.asking and now >= stop:
            asker.asking = False
            tell("stopped", now)
        if asker.out and stop <= now < stop + ENDS_S:
            end = now + LINGER_S
    tell("ended", limpet.link.stats.tx_retransmit, time.monotonic())
    bus.close()


if __name__ == "__main__":
    try:
        main()
    except (OSError, BusError) as e:
        sys.exit(str(e.strerror or e))
