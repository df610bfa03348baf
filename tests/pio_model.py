# SPDX-License-Identifier: MIT
"""A little RP2040: state machines that run the words of PIO programs, pins, DMA and an assembler.

Rules: as the datasheet has it (chapter 3), and only what the SPI peripheral uses; anything else is
an error. One step() is one cycle of the system's clock; inputs are seen two cycles late, as behind
the synchronizers. Enough of the modules `rp2` and `machine` to run the port's own file on it.

    word    15..13 instruction, 12..8 side-set and delay, 7..0 what to do
"""

import array
import types

PINS = 8  # that are looked at in each cycle: few, for speed
SYNCHRONIZER = 2


class Bank:
    """The pins: what the PIO drives, what others drive, and what all see."""

    def __init__(self):
        self.now = 0  # cycles
        self.values = [0] * PINS  # driven by the PIO, where it drives
        self.drives = [0] * PINS
        self.outside = [None] * PINS  # driven by others, None: nobody does
        self.pulls = [0] * PINS
        self.belongs = [False] * PINS  # to the PIO
        self.own = [None] * PINS  # driven by the processor
        self._seen = [self._levels()] * (SYNCHRONIZER + 1)
        self.machines = []
        self.channels = []
        self.clashes = 0  # cycles in which two drove a pin against each other

    def level(self, pin):
        """Return the level of a pin as it is now."""
        if self.belongs[pin] and self.drives[pin]:
            if self.outside[pin] not in (None, self.values[pin]):
                self.clashes += 1
            return self.values[pin]
        if not self.belongs[pin] and self.own[pin] is not None:
            return self.own[pin]
        return self.pulls[pin] if self.outside[pin] is None else self.outside[pin]

    def is_driven(self, pin):
        """Return whether the board drives the pin itself."""
        return bool(self.belongs[pin] and self.drives[pin])

    def _levels(self):
        return [self.level(pin) for pin in range(PINS)]

    def seen(self, pin):
        """Return the level that a state machine sees."""
        return self._seen[0][pin]

    def step(self, count=1):
        """Let so many cycles pass."""
        for _ in range(count):
            self._seen = self._seen[1:] + [self._levels()]
            for machine in self.machines:
                machine.step()
            for channel in self.channels:
                channel.step()
            self.now += 1


class Fifo:
    """Four words."""

    def __init__(self):
        self.words = []

    def put(self, word):
        if len(self.words) == 4:
            return False
        self.words.append(word)
        return True


class StateMachine:
    """One state machine, with the calls of rp2.StateMachine."""

    def __init__(self, bank, number):
        self.bank = bank
        self.number = number
        self.enabled = False
        self.tx = Fifo()
        self.rx = Fifo()
        self.pc = 0
        self.isr = self.isr_count = 0
        self.osr = 0
        self.osr_count = 32
        self.delay = 0
        self.forced = None  # a word that exec() has given and that has not ended
        self.handler = None
        self.interrupts = 0
        self.prog = None

    # The calls of MicroPython.

    def init(self, prog, freq=-1, in_base=None, out_base=None, set_base=None, sideset_base=None):
        """As in ports/rp2/rp2_pio.c: everything is new but the output shift register's bits."""
        words, self.wrap_target, self.wrap, self.config = prog
        self.enabled = False
        self.words = words
        self.prog = prog
        self.bases = {
            "in": in_base and in_base.number,
            "out": out_base and out_base.number,
            "set": set_base and set_base.number,
            "side": sideset_base and sideset_base.number,
        }
        self.tx = Fifo()
        self.rx = Fifo()
        self.isr = self.isr_count = self.delay = self.pc = 0
        self.osr_count = 32
        self.forced = None
        for name, key in (("out", "out_init"), ("set", "set_init"), ("side", "sideset_init")):
            if self.bases[name] is not None and self.config.get(key) is not None:
                pin = self.bases[name]
                self.bank.values[pin] = self.config[key] & 1
                self.bank.drives[pin] = self.config[key] >> 1
                self.bank.belongs[pin] = True

    def active(self, value=None):
        if value is not None:
            self.enabled = bool(value)
        return self.enabled

    def exec(self, word):
        """Run one instruction now; if it must wait, until it has ended."""
        self.forced = word
        if not self.enabled:
            self.step(True)

    def irq(self, handler=None, trigger=1, hard=False):
        self.handler = handler

    # What the hardware does.

    def step(self, forced=False):
        """One cycle."""
        if not self.enabled and not forced:
            return
        self._refill()
        if self.forced is not None:
            if self._run(self.forced, True):
                self.forced = None
            return
        if self.delay:
            self.delay -= 1
            return
        word = self.words[self.pc]
        if self._run(word, False):
            self.delay = self._side(word)[1]
            self.pc = self.wrap_target if self.pc == self.wrap else (self.pc + 1) % 32

    def _refill(self):
        if self.config.get("autopull") and self.osr_count >= self.config["pull_thresh"]:
            if self.tx.words:
                self.osr = self.tx.words.pop(0)
                self.osr_count = 0

    def _side(self, word):
        """Return (level for side-set or None, delay)."""
        field = word >> 8 & 31
        count = self.config.get("side_bits", 0)  # with the bit that enables it
        if not count:
            return None, field
        value = field >> 5 - count
        enabled = value >> count - 1
        return (value & 1 if enabled else None), field & (1 << 5 - count) - 1

    def _run(self, word, forced):
        """Run an instruction; return False if it stalls. Side-set happens even then."""
        side, _ = self._side(word)
        if side is not None:
            self.bank.values[self.bases["side"]] = side
        what, low = word >> 13, word & 0xFF
        if what == 1:
            return self._wait(low)
        if what == 2:
            return self._in(low)
        if what == 3:
            return self._out(low)
        if what == 5:
            return self._mov(low)
        if what == 6:
            return self._irq(low)
        if what == 7:
            return self._set(low)
        raise NotImplementedError(hex(word))

    def _wait(self, low):
        if low >> 5 & 3:
            raise NotImplementedError("wait for anything but gpio")
        return self.bank.seen(low & 31) == low >> 7

    def _in(self, low):
        if low != 1:
            raise NotImplementedError("in_ of anything but one pin")
        limit = self.config["push_thresh"]
        if self.isr_count >= limit and not self._push():
            return False
        self.isr = (self.isr << 1 | self.bank.seen(self.bases["in"])) & 0xFFFFFFFF
        self.isr_count += 1
        if self.config["autopush"] and self.isr_count >= limit:
            return self._push()
        return True

    def _push(self):
        if not self.rx.put(self.isr):
            self.isr_count = max(self.isr_count, self.config["push_thresh"])
            return False
        self.isr = self.isr_count = 0
        return True

    def _out(self, low):
        count = low & 31 or 32
        target = low >> 5
        if self.config.get("autopull") and self.osr_count >= self.config["pull_thresh"]:
            return False  # the register is empty, and so was the FIFO at the start of the cycle
        bits = self.osr >> 32 - count
        self.osr = self.osr << count & 0xFFFFFFFF
        self.osr_count = min(32, self.osr_count + count)
        if target == 0:
            self.bank.values[self.bases["out"]] = bits & 1
        elif target != 3:
            raise NotImplementedError("out to anything but pins and null")
        return True

    def _mov(self, low):
        target, source = low >> 5, low & 31
        if (target, source) == (2, 2):
            return True  # nop
        if (target, source) != (7, 3):
            raise NotImplementedError("mov of anything but null to osr")
        self.osr = self.osr_count = 0
        return True

    def _irq(self, low):
        if low != 0x10:
            raise NotImplementedError("irq but for irq(rel(0))")
        self.interrupts += 1
        if self.handler is not None:
            self.handler(self)
        return True

    def _set(self, low):
        if low >> 5 != 4:
            raise NotImplementedError("set of anything but pindirs")
        self.bank.drives[self.bases["set"]] = low & 1
        return True


class Channel:
    """A DMA channel between a buffer and a state machine, a byte in each cycle at most."""

    def __init__(self, bank):
        self.bank = bank
        self.enabled = False
        self.closed = False
        self.count = 0
        self._control = 0
        bank.channels.append(self)

    def pack_ctrl(self, size=2, inc_read=True, inc_write=True, treq_sel=63):
        return 1 | size << 2 | inc_read << 4 | inc_write << 5 | treq_sel << 15

    @property
    def ctrl(self):
        return self._control

    @ctrl.setter
    def ctrl(self, value):
        self._control = value

    def active(self, value=None):
        if value is not None:
            if not value and self._control & 1:
                raise AssertionError("stopped while enabled (RP2350-E5)")
            self.enabled = bool(value)
        return self.enabled and self.count > 0

    def config(self, read, write, count, ctrl, trigger=False):
        self._source, self._target = read, write
        self.count = count
        self._control = ctrl
        self._at = 0
        request = ctrl >> 15 & 63
        machine = read if isinstance(read, StateMachine) else write
        sends = machine is write
        assert request == machine.number % 4 + 8 * (machine.number // 4) + (0 if sends else 4)
        assert ctrl & 1 and ctrl >> 2 & 3 == 0
        assert (ctrl >> 4 & 1, ctrl >> 5 & 1) == ((1, 0) if sends else (0, 1))
        self.enabled = trigger

    def step(self):
        if not self.enabled or not self.count:
            return
        if isinstance(self._target, StateMachine):
            word = self._source[self._at] * 0x01010101  # a narrow write appears on all lanes
            if not self._target.tx.put(word):
                return
        else:
            if not self._source.rx.words:
                return
            self._target[self._at] = self._source.rx.words.pop(0) & 0xFF
        self._at += 1
        self.count -= 1

    def close(self):
        assert not self.closed
        self.closed = True
        self.enabled = False
        self.bank.channels.remove(self)


class Assembler:
    """What rp2.asm_pio makes of a function: two passes, the second one with labels known."""

    NAMES = {"gpio": 0, "pins": 0, "null": 3, "pindirs": 4, "osr": 7}

    def __init__(self, config):
        self.config = config
        self.words = []
        self.sides = []  # (index of the word, level)
        self.target = 0
        self.last = None

    def names(self):
        found = dict(self.NAMES)
        found["rel"] = lambda index: index | 0x10
        for name in ("wrap_target", "wrap", "wait", "in_", "out", "set", "irq", "nop"):
            found[name] = getattr(self, name)
        return found

    def _word(self, word):
        self.words.append(word)
        return self

    def side(self, level):
        self.sides.append((len(self.words) - 1, level))
        return self

    def wrap_target(self):
        self.target = len(self.words)

    def wrap(self):
        self.last = len(self.words) - 1

    def wait(self, level, source, index):
        return self._word(0x2000 | level << 7 | source << 5 | index)

    def in_(self, source, count):
        return self._word(0x4000 | source << 5 | count & 31)

    def out(self, target, count):
        return self._word(0x6000 | target << 5 | count & 31)

    def set(self, target, value):
        return self._word(0xE000 | target << 5 | value)

    def irq(self, index):
        return self._word(0xC000 | index)

    def nop(self):
        return self._word(0xA042)

    def program(self):
        """Return (words, wrap target, last word, settings)."""
        optional = len(self.sides) != len(self.words)
        if self.config.get("sideset_init") is not None:
            self.config["side_bits"] = 2 if optional else 1
        for index, level in self.sides:
            self.words[index] |= level << 11 | 1 << 12 if optional else level << 12
        last = len(self.words) - 1 if self.last is None else self.last
        return array.array("H", self.words), self.target, last, self.config


class Board:
    """One RP2040: `rp2` and `machine` are modules to import its parts from."""

    def __init__(self):
        self.bank = bank = Bank()
        self.programs = []  # in the instruction memory
        self.claimed = []
        board = self

        class Pin:
            IN = 0
            OUT = 1
            PULL_UP = 1
            PULL_DOWN = 2

            def __init__(self, number, mode=-1, pull=None, value=None):
                self.number = number
                self.init(mode, pull, value)

            def init(self, mode=-1, pull=None, value=None):
                if mode >= 0:
                    bank.belongs[self.number] = False
                    bank.own[self.number] = (value or 0) if mode else None
                if pull is not None:
                    bank.pulls[self.number] = int(pull == self.PULL_UP)

            def __call__(self):
                return bank.level(self.number)

        class PIO:
            SHIFT_LEFT = 0
            IN_LOW = 0
            OUT_LOW = 2

            def __init__(self, number):
                if not 0 <= number < 2:
                    raise ValueError("invalid PIO")

            def remove_program(self, prog):
                if prog not in board.programs:
                    raise ValueError("prog not in instruction memory")
                board.programs.remove(prog)

        machines = [StateMachine(bank, number) for number in range(8)]
        bank.machines = machines

        def state_machine(number):
            if not 0 <= number < 8:
                raise ValueError("invalid StateMachine")
            if number in board.claimed:
                raise ValueError("StateMachine claimed by external resource")
            return machines[number]

        self.machines = machines
        self.rp2 = types.ModuleType("rp2")
        self.rp2.PIO = PIO
        self.rp2.StateMachine = state_machine
        self.rp2.DMA = lambda: Channel(bank)
        self.rp2.asm_pio = asm_pio
        self.machine = types.ModuleType("machine")
        self.machine.Pin = Pin
        for machine in machines:
            machine.init = self._counting(machine.init)

    def _counting(self, init):
        def inner(prog, *more, **named):
            if prog not in self.programs:
                self.programs.append(prog)
            if sum(len(p[0]) for p in self.programs) > 32:
                raise OSError(12, "no room for the program")
            return init(prog, *more, **named)

        return inner


def asm_pio(**config):
    """Assemble a function into (words, wrap target, last word, settings)."""
    for name in ("in_shiftdir", "out_shiftdir"):
        if config.get(name, 0):
            raise NotImplementedError("shifts to the right")

    def decorate(function):
        made = Assembler(config)
        names = function.__globals__
        kept = dict(names)
        names.clear()
        try:
            names.update(made.names())
            function()
        finally:
            names.clear()
            names.update(kept)
        return made.program()

    return decorate
