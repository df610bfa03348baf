# SPDX-License-Identifier: MIT
"""The peripheral's PIO programs, run word by word, and the port's file that sets them up.

Rules: ports/micropython/port/spi_rp2.py runs as it is, on the modules of pio_model.py; the wires
are moved edge by edge here, and what comes of it is compared with spi_model.by_edges().
"""

import pytest

import spi_model
from limpet.transport.spi import SPIPeripheralDriver
from pio_model import Board
from spi_model import Chance, by_edges
from spi_talk import Talk, opened

SCK, MOSI, MISO, CS, LINE = 1, 2, 3, 4, 5
PINS = {"sck": SCK, "mosi": MOSI, "miso": MISO, "cs": CS, "attention": LINE}
HALF = 8  # cycles of the processor in half a clock: the fastest that is promised


@pytest.fixture
def board(upy_port):
    """A board, with the port's module as `board.module`."""
    made = Board()
    made.module, made.spi = upy_port("spi_rp2", "spi", machine=made.machine, rp2=made.rp2)
    yield made
    assert made.bank.clashes == 0


class Bench:
    """The controller's side of the wires, and a peripheral of the port's."""

    def __init__(self, board, size=16, half=HALF, pull=0, **settings):
        self.bank = board.bank
        self.half = half
        self.bank.outside[SCK] = 0
        self.bank.outside[CS] = 1
        self.bank.outside[MOSI] = 0
        self.bank.step(5)
        self.device = board.module.Peripheral(dict(PINS, block=size, **settings))
        self.bank.pulls[MISO] = pull
        self.bank.step(20)

    def line(self):
        return self.bank.level(LINE)

    def select(self, level, cycles=20):
        self.bank.outside[CS] = level
        self.bank.step(cycles)

    def pulse(self):
        self.bank.outside[SCK] = 1
        self.bank.step(self.half)
        self.bank.outside[SCK] = 0
        self.bank.step(self.half)

    def exchange(self, out, faults=(), select=True):
        """Clock a block; return what the controller reads."""
        if select:
            self.select(0)
        read = ""
        for clock, mosi in enumerate(spi_model.bits_of(out)):
            here = [kind for kind, at in faults if at == clock]
            if spi_model.SELECT in here:
                self.select(1, 6)
                self.select(0, 6)
            level = int(mosi)
            self.bank.outside[MOSI] = level ^ (spi_model.MOSI in here)
            self.bank.step(2)
            bit = str(self.bank.level(MISO))
            read += spi_model.flipped(bit) if spi_model.MISO in here else bit
            if spi_model.SLIP not in here:
                self.pulse()
            if spi_model.EXTRA in here:
                self.bank.outside[MOSI] = level
                self.bank.step(2)
                self.pulse()
        if select:
            self.select(1)
        return spi_model.bytes_of(read)


def blocks(chance, size):
    return [bytes(chance.below(256) for _ in range(size)) for _ in range(2)]


def test_words(board):
    """The programs are these words; MicroPython's own assembler makes the same of them."""
    words, target, last, settings = board.module.bit_program(18, 17)
    assert [hex(w) for w in words] == [
        *("0x2091", "0x2011", "0xf081", "0x6001", "0x2092", "0x4001", "0x2012")
    ]
    assert (target, last) == (3, 6)
    assert settings["push_thresh"] == settings["pull_thresh"] == 8
    words, target, last, _ = board.module.watch_program(17)
    assert [hex(w) for w in words] == ["0x2011", "0x2091", "0xe080", "0xc010"]
    assert (target, last) == (0, 3)


def test_a_block_each_way(board):
    bench = Bench(board)
    chance = Chance(1)
    for _ in range(5):
        out, reply = blocks(chance, 16)
        into = bytearray(16)
        bench.device.begin(reply, into, True)
        bench.bank.step(10)
        assert bench.line() == 1
        assert not bench.device.is_busy() and not bench.device.has_ended()
        assert not bench.bank.is_driven(MISO)
        bench.select(0)
        assert bench.line() == 0, "attention falls with chip select"
        assert bench.bank.is_driven(MISO) and bench.device.is_busy()
        assert bench.exchange(out, select=False) == reply
        assert not bench.device.has_ended()
        bench.select(1)
        assert bench.device.has_ended() and bench.device.end() == 1
        assert bytes(into) == out
        assert not bench.bank.is_driven(MISO)


def test_attention_is_raised_only_when_asked_for(board):
    bench = Bench(board)
    bench.device.begin(bytes(16), bytearray(16), False)
    bench.bank.step(10)
    assert bench.line() == 0
    bench.device.begin(bytes(16), bytearray(16), True)
    bench.bank.step(10)
    assert bench.line() == 1
    bench.device.end()
    bench.device.begin(bytes(16), bytearray(16), False)
    bench.bank.step(10)
    assert bench.line() == 0


@pytest.mark.parametrize("pull", (0, 1))
def test_faults_are_those_of_the_model(board, pull):
    """Every kind of fault, and after each the next block is as if nothing had happened."""
    bench = Bench(board, 8, pull=pull)
    chance = Chance(2 + pull)
    for number in range(60):
        out, reply = blocks(chance, 8)
        faults = chance.faults(64, 2) if number & 1 else ()
        into = bytearray(8)
        bench.device.begin(reply, into, True)
        expected_read, expected = by_edges(out, reply, faults, str(pull))
        read = bench.exchange(out, faults)
        bench.device.end()
        # More clocks than the block has bits: they are not kept, and what is sent is the last bit.
        expected = expected[:8]
        assert bytes(into[: len(expected)]) == expected, (number, faults)
        assert read == expected_read, (number, faults)


def test_without_a_block_nothing_is_driven(board):
    bench = Bench(board, 4, pull=1)
    assert bench.exchange(bytes(4)) == b"\xff" * 4
    assert bench.device.has_ended() and bench.device.end() == 1
    into = bytearray(4)
    bench.device.begin(b"abcd", into, False)
    assert bench.exchange(b"1234") == b"abcd"
    # The processor is busy elsewhere: the second exchange finds nothing, and is counted.
    assert bench.exchange(b"5678") == b"\xff" * 4
    assert bench.device.end() == 2
    assert bytes(into) == b"1234"


def test_in_the_middle_of_an_exchange(board):
    """A block that is given while others are being clocked waits for the next chip select."""
    bench = Bench(board, 4, pull=1)
    into = bytearray(4)
    bench.select(0)
    assert bench.device.is_busy()
    bench.exchange(b"1", select=False)
    bench.device.begin(b"abcd", into, True)
    assert bench.exchange(b"234", select=False) == b"\xff" * 3
    bench.select(1)
    assert bytes(into) == bytes(4)
    assert bench.exchange(b"5678") == b"abcd"
    assert bytes(into) == b"5678"


def test_a_better_block(board):
    """begin() again, before the controller came: nothing of the first one is left."""
    bench = Bench(board, 4)
    into = bytearray(4)
    bench.device.begin(b"abcd", into, False)
    bench.bank.step(50)
    bench.device.begin(b"efgh", into, True)
    bench.bank.step(50)
    assert bench.exchange(b"1234") == b"efgh"
    assert bytes(into) == b"1234"


def test_selected_without_a_clock(board):
    """It ends, nothing has come, and the next block is whole."""
    bench = Bench(board, 4)
    into = bytearray(4)
    bench.device.begin(b"abcd", into, True)
    bench.select(0, 10)
    bench.select(1, 10)
    assert bench.device.end() == 1
    assert bytes(into) == bytes(4)
    bench.device.begin(b"efgh", into, True)
    assert bench.exchange(b"1234") == b"efgh"


def test_how_fast(board):
    """A twelfth of the processor's clock works: the sixteenth that is promised has room."""
    bench = Bench(board, 16, half=6)
    into = bytearray(16)
    out, reply = blocks(Chance(5), 16)
    bench.device.begin(reply, into, True)
    assert bench.exchange(out) == reply
    assert bytes(into) == out


def test_close_and_reopen(board):
    bench = Bench(board, 4)
    assert sum(len(program[0]) for program in board.programs) == 11
    for _ in range(3):
        bench.device.begin(b"abcd", bytearray(4), True)
        bench.device.close()
        bench.device.close()
        assert not board.programs and not board.bank.channels
        assert not bench.bank.is_driven(MISO) and bench.line() == 0
        bench.device.reopen()
    into = bytearray(4)
    bench.device.begin(b"efgh", into, True)
    assert bench.exchange(b"1234") == b"efgh"


def test_no_room(board):
    board.claimed.append(1)
    with pytest.raises(OSError, match="PIO 0 has no room") as caught:
        Bench(board, 4)
    assert caught.value.errno == 16
    assert not board.programs and not board.bank.channels
    bench = Bench(board, 4, pio=1, machines=(2, 3))
    bench.device.begin(b"efgh", bytearray(4), True)
    assert bench.exchange(b"1234") == b"efgh"


def test_settings(board):
    with pytest.raises(ValueError, match='need "sck", "mosi", "miso", "cs", "attention"'):
        board.spi.open_spi({"peripheral": True, "sck": 1})
    with pytest.raises(ValueError, match='need "spi", "cs"'):
        board.spi.open_spi({"peripheral": False, "spi": 0})
    made = board.spi.open_spi(dict(PINS, peripheral=True, block=16))
    assert made.wired and not made.blocked


class OnBench:
    """Lets a Talk's controller move the bench's wires."""

    def __init__(self, talk, bench, wires):
        self.talk = talk
        self.bench = bench
        self.wires = wires

    def __call__(self, out):
        wires = self.wires
        clocks = 8 * len(out)
        wires.clocks += clocks
        wires.exchanges += 1
        faults = ()
        if wires.chance.below(1000) < wires.per_mille:
            faults = wires.chance.faults(clocks, 2)
        read = self.bench.exchange(out, faults)
        wires.attention = bool(self.bench.line())
        return read


def test_links_over_the_programs(board):
    """Drivers and links at both ends, the port's own file and programs, and faults."""
    bench = Bench(board, 32)
    talk = Talk(3, 32, per_mille=150)
    wires = talk.wires
    wires.exchange = OnBench(talk, bench, wires)
    driver = SPIPeripheralDriver(PINS, block=32)
    opened(driver, bench.device)
    driver.attach(talk.links[1])
    talk.drivers[1] = driver
    begin = bench.device.begin

    def begin_and_show(out, into, attention):
        begin(out, into, attention)
        bench.bank.step(4)
        wires.attention = bool(bench.line())

    bench.device.begin = begin_and_show
    assert talk.until(talk.up)
    assert talk.until(lambda: wires.exchanges >= 150)
    wires.per_mille = 0
    assert talk.settles()
    assert talk.harm() == 0
    assert [app.sessions for app in talk.apps] == [1, 1]
    assert min(app.bytes for app in talk.apps) > 1500
    assert driver.blocks.bad > 5
