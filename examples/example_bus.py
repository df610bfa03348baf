# SPDX-License-Identifier: MIT
"""One bus: an announcement with two listeners, a request that is answered and two that are not.

Runs as it is on a board and on a host: python examples/example_bus.py, or mpremote run.
"""

from limpet import Bus, NoReply


def main(say=print):
    """Run the example; `say` gets its lines."""
    with Bus() as bus:
        sensor = bus.ksock()
        log = bus.ksock()
        lamp = bus.ksock()

        log.bind("$.Sensors.*")  # everything below $.Sensors
        lamp.bind("$.Sensors.Light")
        sensor.announce("$.Sensors.Light", "300")
        for ks in (log, lamp):
            msg = ks.next()
            say(f"Ksock {ks.id} heard {msg.name} {msg.text}")

        @lamp.replier("$.Lamp.Set")
        def set_lamp(msg):
            if msg.text not in ("on", "off"):
                raise ValueError("a lamp is on or off")
            return "was off"

        say("the lamp " + log.call("$.Lamp.Set", "on").text)
        for name, data in (("$.Lamp.Set", "blue"), ("$.Oven.Set", "on")):
            try:
                log.call(name, data)
            except NoReply as e:
                say(f"{name} {data}: {e.status}, executed: {e.executed}")


if __name__ == "__main__":
    main()
