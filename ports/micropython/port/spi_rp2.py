# SPDX-License-Identifier: MIT
# ruff: noqa: F821
"""The peripheral's end of an SPI on RP2040 and RP2350, by PIO: their own SPI cannot do it.

Rule 1: two state machines. One moves the bits of one block, fed and emptied by DMA, and is set up
anew for each block, so that a bit that slipped is forgotten. The other one only watches chip
select: at its end it lets go of MISO and calls the interrupt handler.
Rule 2: a block begins where chip select falls, never in its middle. Without a block, MISO is not
driven: the controller reads what its pull-up or pull-down says, which is no block.
Rule 3: the attention line falls with chip select, by the state machine, not by the processor, so
the controller never takes an old call for a new one.
Rule 4: nothing here allocates once it is open. The bits are sampled where SCK rises and change
where it falls (mode 0), the highest first; up to a sixteenth of the processor's clock.
"""

import machine
import rp2
from micropython import const

from .spi import Edge

_EBUSY = const(16)
_ATTENTION_ON = const(0xB842)  # nop().side(1)
_OSR_FULL = const(0xA0E3)  # mov(osr, null)
_OSR_EMPTY = const(0x6060)  # out(null, 32)


def bit_program(sck, cs):
    """Return the program that moves the bits of one block; side-set is the attention line."""
    pio = rp2.PIO

    # The names within are the assembler's.
    @rp2.asm_pio(
        out_init=pio.IN_LOW,
        set_init=pio.IN_LOW,
        sideset_init=pio.OUT_LOW,
        in_shiftdir=pio.SHIFT_LEFT,
        out_shiftdir=pio.SHIFT_LEFT,
        autopush=True,
        autopull=True,
        push_thresh=8,
        pull_thresh=8,
    )
    def program():
        wait(1, gpio, cs)  # not in the middle of an exchange
        wait(0, gpio, cs)
        set(pindirs, 1).side(0)  # drive MISO, attention falls
        wrap_target()
        out(pins, 1)
        wait(1, gpio, sck)
        in_(pins, 1)
        wait(0, gpio, sck)
        wrap()

    return program


def watch_program(cs):
    """Return the program that tells when chip select is released."""

    @rp2.asm_pio(set_init=rp2.PIO.IN_LOW)
    def program():
        wrap_target()
        wait(0, gpio, cs)
        wait(1, gpio, cs)
        set(pindirs, 0)  # let go of MISO
        irq(rel(0))
        wrap()

    return program


class Peripheral:
    """The pins "sck", "mosi", "miso", "cs" and "attention"; "pio": which PIO block, else 0.

    "machines": the numbers of two state machines of that block, (0, 1) unless said.
    """

    def __init__(self, settings):
        self.blocked = False
        self.wired = True
        self.pollable = Edge()
        self._settings = settings
        self._size = settings["block"]
        self._programs = (
            bit_program(settings["sck"], settings["cs"]),
            watch_program(settings["cs"]),
        )
        self._bits = self._watcher = self._receive = self._send = None
        self.reopen()

    def reopen(self):
        """Open it, again after close(). This never takes long: True, or OSError."""
        settings = self._settings
        pin = machine.Pin
        # As inputs first: on RP2350 a pin that nobody has set up is cut off from everything.
        self._mosi = pin(settings["mosi"], pin.IN)
        self._miso = pin(settings["miso"], pin.IN)
        pin(settings["sck"], pin.IN, pin.PULL_DOWN)
        self._cs = pin(settings["cs"], pin.IN, pin.PULL_UP)
        self._line = pin(settings["attention"], pin.OUT, value=0)
        number = settings.get("pio", 0)
        bits, watcher = settings.get("machines", (0, 1))
        try:
            self._bits = rp2.StateMachine(4 * number + bits)
            self._watcher = rp2.StateMachine(4 * number + watcher)
            self._set_up()
            self._watcher.init(self._programs[1], set_base=self._miso)
            self._receive = rp2.DMA()
            self._send = rp2.DMA()
        except (OSError, ValueError) as e:
            self.close()
            raise OSError(
                _EBUSY,
                'PIO %d has no room, or no DMA is free: name another "pio" or "machines": %s'
                % (number, e),
            )
        # The requests of a PIO block to the DMA: four to send, then four to receive.
        request = 8 * number + bits
        self._receive_control = self._receive.pack_ctrl(
            size=0, inc_read=False, inc_write=True, treq_sel=request + 4
        )
        self._send_control = self._send.pack_ctrl(
            size=0, inc_read=True, inc_write=False, treq_sel=request
        )
        self.pollable.count = 0
        self._watcher.irq(self.pollable.add, hard=True)
        self._watcher.active(1)
        return True

    def _set_up(self):  # as all that runs for each block, without a call that allocates
        self._bits.init(
            self._programs[0],
            in_base=self._mosi,
            out_base=self._miso,
            set_base=self._miso,
            sideset_base=self._line,
        )
        # Whatever was left in the output shift register: the first bit comes from the FIFO.
        self._bits.exec(_OSR_FULL)
        self._bits.exec(_OSR_EMPTY)

    def begin(self, out, into, attention):
        """Wait for the controller with the block `out`; what comes goes to `into`.

        Both stay in use until has_ended(), or begin() again, which is_busy() must allow.
        attention: raise the line, too.
        """
        self._bits.active(0)
        self._send.ctrl = 0  # a channel must not be enabled when it is stopped (RP2350-E5)
        self._send.active(0)
        self._receive.ctrl = 0
        self._receive.active(0)
        self._set_up()
        self._receive.config(
            read=self._bits,
            write=into,
            count=self._size,
            ctrl=self._receive_control,
            trigger=True,
        )
        self._send.config(
            read=out, write=self._bits, count=self._size, ctrl=self._send_control, trigger=True
        )
        self._bits.active(1)
        if attention:
            self._bits.exec(_ATTENTION_ON)

    def has_ended(self):
        """Return whether an exchange has ended, since the last end(), with a block or without."""
        return self.pollable.count > 0

    def end(self):
        """Stop: what comes now is not ours until begin(). Return how many exchanges have ended."""
        self._bits.active(0)
        count = self.pollable.count
        self.pollable.count = 0
        return count

    def is_busy(self):
        """Return whether an exchange is under way, or has ended since the last end()."""
        return self.pollable.count > 0 or not self._cs()

    def close(self):
        """Close it; twice does no harm."""
        if self._watcher is not None:
            self._watcher.irq(None)
            self._watcher.active(0)
        if self._bits is not None:
            self._bits.active(0)
        for dma in (self._send, self._receive):
            if dma is not None:
                dma.close()
        self._bits = self._watcher = self._receive = self._send = None
        self._line.init(machine.Pin.OUT, value=0)
        self._miso.init(machine.Pin.IN)
        for program in self._programs:
            try:
                rp2.PIO(self._settings.get("pio", 0)).remove_program(program)
            except ValueError:
                pass  # it was never there, or is not any more
