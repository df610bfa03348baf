# SPDX-License-Identifier: MIT
"""Two ends of an SPI joined by wires, mode 0: what each one reads, whatever happens to the edges.

Rules: this knows nothing of the library: no block, no frame. by_edges() is the truth, one edge
after the other; by_slices() computes the same from where the faults are, and tests compare the
two. Chance comes from the seed only.

A fault is (kind, clock), clocks count from 0 in each exchange:
    SLIP    the peripheral does not see this clock
    EXTRA   it sees one more behind it, while MOSI has not changed yet
    MOSI    the bit is inverted where the peripheral samples
    MISO    the bit is inverted where the controller samples
    SELECT  before this clock, chip select goes high for a moment: the peripheral is out of it
"""

SLIP = 0
EXTRA = 1
MOSI = 2
MISO = 3
SELECT = 4

KINDS = 5


class ShiftRegister:
    """The peripheral as hardware has it: samples where SCK rises, shifts where it falls.

    `received` has the bits that came; `miso` is the level that it drives, None: none.
    """

    def __init__(self):
        self.reply = None
        self.received = []
        self.miso = None
        self._position = 0
        self._selected = False

    def arm(self, reply):
        """Have the bits of a block to send with the next exchange."""
        self.reply = reply
        self.received = []
        self._position = 0

    def select(self, level):
        """Chip select changes: low begins, high ends."""
        self._selected = not level and self.reply is not None
        if self._selected:
            self.miso = self.reply[0]
        else:
            self.miso = None
            self.reply = None

    def rise(self, mosi):
        """SCK rises while MOSI has this level."""
        if self._selected:
            self.received.append(mosi)

    def fall(self):
        """SCK falls."""
        if self._selected:
            self._position += 1
            if self._position < len(self.reply):
                self.miso = self.reply[self._position]


def bits_of(block):
    """Return the bits of a block as a string of 0 and 1, highest first."""
    text = "{:b}".format(int.from_bytes(block, "big"))
    return "0" * (8 * len(block) - len(text)) + text


def bytes_of(bits):
    """Return the whole bytes in a string of bits."""
    size = len(bits) // 8
    return int(bits[: 8 * size], 2).to_bytes(size, "big") if size else b""


def flipped(bit):
    """Return the other bit."""
    return "1" if bit == "0" else "0"


def by_edges(out, reply, faults, pull="1"):
    """Carry out one exchange edge by edge; return (what the controller read, the peripheral).

    out: the controller's block. reply: the peripheral's, or None: it is not ready. pull: what the
    controller reads where nobody drives MISO. The peripheral's: whole bytes, None: not ready.
    """
    register = ShiftRegister()
    if reply is not None:
        register.arm(bits_of(reply))
    register.select(0)
    read = []
    for clock, mosi in enumerate(bits_of(out)):
        here = [kind for kind, at in faults if at == clock]
        if SELECT in here:
            register.select(1)
            register.select(0)
        level = pull if register.miso is None else register.miso
        read.append(flipped(level) if MISO in here else level)
        if SLIP not in here:
            register.rise(flipped(mosi) if MOSI in here else mosi)
            register.fall()
        if EXTRA in here:
            register.rise(mosi)
            register.fall()
    received = None if reply is None else bytes_of("".join(register.received))
    register.select(1)
    return bytes_of("".join(read)), received


def _flip_at(text, kind, faults):
    for which, at in faults:
        if which == kind:
            text = text[:at] + flipped(text[at]) + text[at + 1 :]
    return text


def by_slices(out, reply, faults, pull="1"):
    """Return what by_edges() does, faster."""
    count = 8 * len(out)
    if reply is None:
        return bytes_of(_flip_at(pull * count, MISO, faults)), None
    if not faults:
        return bytes(reply), bytes(out)
    mosi = bits_of(out)
    flipped_mosi = _flip_at(mosi, MOSI, faults)
    # What the peripheral still drives when all of its bits have gone: the last one.
    drive = bits_of(reply)
    drive += drive[-1] * count
    end = min([count] + [at for kind, at in faults if kind == SELECT])
    read = ""
    received = ""
    begin = 0
    shift = 0
    for kind, at in sorted((f for f in faults if f[0] <= EXTRA), key=lambda f: (f[1], f[0])):
        if at >= end:
            break
        # Up to and with this clock the controller reads as before; then the register is off.
        if at + 1 > begin:
            read += drive[begin + shift : at + 1 + shift]
            received += flipped_mosi[begin : at + 1]
            begin = at + 1
        if kind == SLIP:
            received = received[:-1]
            shift -= 1
        else:
            received += mosi[at]
            shift += 1
    if end > begin:
        read += drive[begin + shift : end + shift]
        received += flipped_mosi[begin:end]
    read += pull * (count - end)
    return bytes_of(_flip_at(read, MISO, faults)), bytes_of(received)


class Chance:
    """A small generator of its own: the next numbers depend on the seed alone."""

    def __init__(self, seed):
        self._state = seed * 2654435 + 12345 & 0x3FFFFFFF

    def below(self, limit):
        """Return 0..limit-1."""
        self._state = self._state * 1103515 + 12345 & 0x3FFFFFFF
        return (self._state >> 8) * limit >> 22

    def faults(self, clocks, count):
        """Return up to `count` different faults of one exchange, at least one."""
        drawn = []
        for _ in range(1 + self.below(count)):
            fault = (self.below(KINDS), self.below(clocks))
            if fault not in drawn:
                drawn.append(fault)
        return drawn


class Wires:
    """The wires between a Controller and a Peripheral, and what happens on them.

    per_mille: exchanges that have faults, of 1000. count: up to how many faults each. cut: nothing
    passes. stuck: None, or the level that attention has whatever the peripheral does. missed: how
    many rises of the attention line, of 1000, never reach the controller.
    """

    def __init__(self, seed=1, per_mille=0, count=3, pull="1", carry=by_slices):
        self.chance = Chance(seed)
        self.per_mille = per_mille
        self.count = count
        self.pull = pull
        self.carry = carry
        self.script = None  # or a function: index of the exchange -> faults
        self.cut = False
        self.stuck = None
        self.missed = 0  # per mille
        self.exchanges = 0
        self.faulty = 0
        self.unready = 0
        self.clocks = 0
        self.attention = False
        self.controller = Controller(self)
        self.peripheral = Peripheral(self)

    def rise(self):
        """The peripheral calls."""
        self.attention = not self.chance.below(1000) < self.missed

    def exchange(self, out):
        """Carry one block each way; return what the controller read."""
        self.attention = False
        clocks = 8 * len(out)
        self.clocks += clocks
        faults = ()
        if self.script is not None:
            faults = self.script(self.exchanges)
        elif self.chance.below(1000) < self.per_mille:
            faults = self.chance.faults(clocks, self.count)
        self.exchanges += 1
        if faults:
            self.faulty += 1
        if self.cut:
            return bytes_of(self.pull * clocks)
        reply = self.peripheral.ready
        if reply is None:
            self.unready += 1
        read, received = self.carry(out, reply, faults, self.pull)
        self.peripheral.passed(received)
        return read


class Controller:
    """The device of a controller's driver."""

    def __init__(self, wires):
        self.blocked = False
        self.wired = True
        self.wires = wires
        self.pollable = None
        self.is_open = True
        self.broken = False
        self.looks = 0  # how often attention was asked for

    def fileno(self):
        return -1

    def exchange(self, out, into):
        if self.broken:
            raise OSError(5, "gone")
        into[:] = self.wires.exchange(bytes(out))

    def attention(self):
        self.looks += 1
        if not self.wired:
            return False
        return self.wires.attention if self.wires.stuck is None else self.wires.stuck

    def reopen(self):
        if self.broken:
            raise OSError(19, "not there")
        self.is_open = True
        return True

    def close(self):
        self.is_open = False


class Peripheral:
    """The device of a peripheral's driver."""

    def __init__(self, wires):
        self.blocked = False
        self.wired = True
        self.wires = wires
        self.pollable = None
        self.ready = None  # the block for the next exchange
        self.is_low = False  # chip select, for tests that stop within an exchange
        self.begun = 0
        self._into = None
        self._ended = 0

    def fileno(self):
        return -1

    def begin(self, out, into, attention):
        self.ready = bytes(out)
        self._into = into
        self.begun += 1
        self.wires.attention = False
        if attention:
            self.wires.rise()

    def passed(self, received):
        """An exchange is over; `received` are whole bytes, or None if there was no block."""
        self._ended += 1
        self.ready = None
        if received is not None:
            self._into[: len(received)] = received[: len(self._into)]

    def has_ended(self):
        return self._ended > 0

    def end(self):
        count = self._ended
        self._ended = 0
        self.ready = None
        return count

    def is_busy(self):
        return self._ended > 0 or self.is_low

    def reopen(self):
        self.ready = None
        self._ended = 0
        return True

    def close(self):
        self.ready = None
        self.wires.attention = False
