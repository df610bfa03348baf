# SPDX-License-Identifier: MIT
"""A sensor board's struct as a Layout: announced in seven bytes, read by name and in place.

Both ends have the same Layout, in a file of their own, say. Whether they really have, its hash
tells: the board answers with it. Runs as it is on a board and on a host:
python examples/example_layout.py, or mpremote run.
"""

from limpet import Bus, MessageView
from limpet.layout import Layout

CLIMATE = Layout("<hHHB", "celsius_x100 humidity_x100 light battery_percent")
HASH = Layout("<I", "hash")

SAMPLES = ((2150, 4012, 300, 98), (2163, 3998, 305, 98), (-40, 8700, 2, 97))


def comfortable(say, board, host):
    """Announce and read with the calls on Ksocks: a dict for each message."""
    host.bind("$.Garden.Climate")
    for sample in SAMPLES:
        board.announce("$.Garden.Climate", CLIMATE.pack(*sample))
    for msg in host.messages(timeout_ms=0):
        climate = CLIMATE.read(msg.data)
        say(f"{climate['celsius_x100'] / 100} degrees, {climate['light']} lux")


def hot(say, bus, board, host):
    """Do the same in the hot layer: announcing and reading allocates nothing."""
    name = bus.name("$.Garden.Climate")
    celsius = CLIMATE.field("celsius_x100")
    light = CLIMATE.field("light")
    buf = bytearray(CLIMATE.size)
    view = MessageView()

    for value in (19, 20, 21):
        celsius.set(buf, 100 * value)  # False, and nothing written, if it does not fit
        light.set(buf, 300)
        board.hot.announce(name, buf)
    coldest = 0x7FFF
    while host.hot.take(view) >= 0:
        if CLIMATE.fits(view):  # ask it of all that comes from elsewhere
            coldest = min(coldest, celsius.get(view.data))
    host.hot.release()
    say(f"the coldest was {coldest // 100}")


def main(say=print):
    """Run the example; `say` gets its lines."""
    with Bus() as bus:
        board = bus.ksock()
        host = bus.ksock()

        @board.replier("$.Garden.Climate.Layout")
        def layout(msg):
            return HASH.pack(CLIMATE.hash)

        (theirs,) = HASH.unpack(host.call("$.Garden.Climate.Layout").data)
        say("both mean the same" if theirs == CLIMATE.hash else "one of us is out of date")
        comfortable(say, board, host)
        hot(say, bus, board, host)
        try:
            CLIMATE.pack(40000, 4000, 300, 98)
        except ValueError as e:
            say(str(e))


if __name__ == "__main__":
    main()
