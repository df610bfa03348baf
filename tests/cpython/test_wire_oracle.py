# SPDX-License-Identifier: MIT
"""The golden table and the library against crcmod and `cobs`, which know nothing of either."""

from pathlib import Path

import crcmod
from cobs import cobs
from hypothesis import given
from hypothesis import strategies as st

from limpet.frame import Splitter, seal
from limpet.session import check_start
from limpet.stats import Stats

TESTS = Path(__file__).parents[1]
EPOCHS = {"A": 0x00A15A5A, "B": 0x0B2C3D4E}


def rows() -> list[list[str]]:
    lines = (TESTS / "vectors" / "wire.txt").read_text().splitlines()
    return [line.split(" ", 4) for line in lines if not line.startswith("#")]


def oracle(packet: bytes, start: int) -> bytes:
    check = crcmod.mkCrcFun(0x11021, initCrc=start, rev=False, xorOut=0)(packet)
    return cobs.encode(packet + check.to_bytes(2, "big")) + b"\x00"


def test_the_table_is_what_the_oracles_say() -> None:
    for name, start, packet, wire, _ in rows():
        lead = b"\x00" if name.startswith("helo") else b""
        assert bytes.fromhex(wire) == lead + oracle(bytes.fromhex(packet), int(start, 16)), name


def test_session_words_of_the_table() -> None:
    word = (EPOCHS["A"] ^ EPOCHS["B"]) & 0xFFFF
    starts = {"0xffff", f"{word ^ 0xFFFF:#06x}", f"{word:#06x}"}
    assert {"0x" + row[1] for row in rows()} == starts
    assert check_start(EPOCHS["A"], EPOCHS["B"]) == word ^ 0xFFFF
    assert check_start(EPOCHS["B"], EPOCHS["A"]) == word


def test_the_document_shows_every_row() -> None:
    text = (TESTS.parent / "docs" / "wire.md").read_text()
    shown = {}
    for line in text.splitlines():
        words = line.split()
        if (
            len(words) >= 2
            and words[0].isidentifier()
            and set("".join(words[1:])) <= set("0123456789abcdef")
        ):
            shown[words[0]] = "".join(words[1:])
    for name, _, _, wire, _ in rows():
        if name != "largest":
            assert shown.pop(name, None) == wire, name
    assert not shown


@given(
    packet=st.binary(min_size=3, max_size=255), start=st.integers(0, 0xFFFF), zeros=st.booleans()
)
def test_any_packet_both_ways(packet: bytes, start: int, zeros: bool) -> None:
    if zeros:
        packet = bytes(byte & 1 for byte in packet)
    buf = bytearray(packet) + bytearray(2)
    out = bytearray(300)
    size = seal(out, 0, buf, len(packet), start)
    wire = oracle(packet, start)
    assert bytes(out[:size]) == wire
    splitter = Splitter(255, Stats())
    assert splitter.push(bytearray(wire), 0, len(wire)) == len(wire)
    assert cobs.decode(wire[:-1]) == bytes(splitter.buffer[: splitter.size])


@given(data=st.binary(max_size=600))
def test_any_bytes_split_as_the_oracle_does(data: bytes) -> None:
    splitter = Splitter(255, Stats())
    frames = []
    at = 0
    stream = bytearray(data)
    while at < len(stream):
        at = splitter.push(stream, at, len(stream))
        if splitter.size:
            frames.append(bytes(splitter.buffer[: splitter.size]))
    wanted = []
    for run in data.split(b"\x00")[:-1]:
        try:
            frame = cobs.decode(run)
        except cobs.DecodeError:
            continue
        if len(run) <= 259 and len(frame) >= 5:
            wanted.append(frame)
    assert frames == wanted
