# SPDX-License-Identifier: MIT
"""The golden tables and the library against crcmod, `cobs` and hmac, which know nothing of either.

And the document against the tables: every row stands in it.
"""

import hmac
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import crcmod
from cobs import cobs
from hypothesis import given
from hypothesis import strategies as st

from limpet.auth import Hmac
from limpet.frame import Splitter
from limpet.host.udp_hub import UDPHub
from limpet.port import seal
from limpet.session import check_start
from limpet.stats import Stats
from limpet.transport.spi_block import Blocks

TESTS = Path(__file__).parents[1]
EPOCHS = {"A": 0x00A15A5A, "B": 0x0B2C3D4E}


def rows() -> list[list[str]]:
    lines = (TESTS / "vectors" / "wire.txt").read_text().splitlines()
    return [line.split(" ", 4) for line in lines if not line.startswith("#")]


def oracle(packet: bytes, start: int) -> bytes:
    check = crcmod.mkCrcFun(0x11021, initCrc=start ^ 0xFFFF, rev=False, xorOut=0xFFFF)(packet)
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


def keys() -> dict[str, bytes]:
    lines = (TESTS / "vectors" / "keys.txt").read_text().splitlines()
    rows = [line.split() for line in lines if not line.startswith("#")]
    return {name: bytes.fromhex(value) for name, value in rows}


def test_keys_and_macs_of_the_table() -> None:
    """The standard library makes the same keys, MACs and trailers."""
    k = keys()

    def mac(key: bytes, *parts: bytes) -> bytes:
        return hmac.new(key, b"".join(parts), "sha256").digest()

    low = k["epoch_A"] + k["nonce_A"]
    assert mac(k["key"], b"limpet 1", low, k["epoch_B"], k["nonce_B"]) == k["S"]
    assert (mac(k["S"], b"<"), mac(k["S"], b">")) == (k["K_low"], k["K_high"])
    counters = {"keyed_data": 0, "keyed_ack": 0, "keyed_late": 0x12345}
    seen = 0
    for name, start, packet, _, _ in rows():
        data = bytes.fromhex(packet)
        if name.startswith("helo_keyed"):
            assert data[-8:] == mac(k["key"], data[:-8])[:8], name
            seen += 1
        if name in counters:
            count = counters[name].to_bytes(4, "big")
            way = k["K_low"] if start == "98eb" else k["K_high"]
            assert data[-10:] == count[2:] + mac(way, count, data[:-10])[:8], name
            seen += 1
    assert seen == 6


def test_counts_of_the_table() -> None:
    counts = {"counted_data": 0, "counted_ack": 0, "counted_wrap": 0xFFFF}
    packets = {row[0]: bytes.fromhex(row[2]) for row in rows()}
    for name, count in counts.items():
        assert packets[name][-2:] == count.to_bytes(2, "big"), name
    assert packets["counted_data"][:-2] == packets["data_first"]
    assert packets["counted_ack"][:-2] == packets["ack"]
    assert packets["counted_wrap"][:-2] == packets["null_probe"]


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
    for name, data in (other_rows("spi.txt") | other_rows("udp.txt")).items():
        assert shown.pop(name, None) == data.hex(), name
    for name in ("S", "K_low", "K_high"):
        assert shown.pop(name, None) == keys()[name].hex(), name
    for name, _, _, wire, _ in rows():
        if name != "largest":
            assert shown.pop(name, None) == wire, name
    assert not shown


def other_rows(table: str) -> dict[str, bytes]:
    lines = (TESTS / "vectors" / table).read_text().splitlines()
    rows = [line.split(" ", 2) for line in lines if not line.startswith("#")]
    return {row[0]: bytes.fromhex(row[1]) for row in rows}


def test_the_blocks_of_spi() -> None:
    wanted = other_rows("spi.txt")["spi_block"]
    data = next(bytes.fromhex(row[3]) for row in rows() if row[0] == "ack")
    check = crcmod.mkCrcFun(0x11021, initCrc=0xFFFF ^ 16, rev=False, xorOut=0)
    assert int.from_bytes(wanted[:2], "big") == check(wanted[2 : 4 + len(data)])
    assert wanted[3 : 4 + len(data)] == bytes([len(data)]) + data
    controller, peripheral = Blocks(16, False), Blocks(16, True)
    peripheral.put(bytearray(b"x"), 0, 1)
    controller.into[:] = peripheral.build()
    assert controller.took() == 1  # so that the peripheral's block 1 is expected
    controller.put(bytearray(data), 0, len(data))
    assert bytes(controller.build()) == wanted


def test_announcements_over_udp() -> None:
    wanted = other_rows("udp.txt")
    key = keys()["key"]
    plain = wanted["udp_announcement"]
    assert wanted["udp_announcement_keyed"] == plain + hmac.digest(key, plain, "sha256")[:8]
    for name, made in (("udp_announcement", None), ("udp_announcement_keyed", Hmac(key))):
        hub: Any = SimpleNamespace(_hmac=made)
        assert UDPHub._announcement(hub, 11, 0x01234567, 7400) == wanted[name]


def test_the_document_shows_every_record() -> None:
    text = (TESTS.parent / "docs" / "wire.md").read_text()
    lines = (TESTS / "vectors" / "records.txt").read_text().splitlines()
    talk = [line.split(" ", 3) for line in lines if not line.startswith("#")]
    talk_lines = [line.split(None, 2) for line in text.splitlines() if line[:3] in ("A  ", "B  ")]
    assert talk_lines == [row[1:] for row in talk]


@given(
    packet=st.binary(min_size=1, max_size=255), start=st.integers(0, 0xFFFF), zeros=st.booleans()
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
        if len(run) <= 259 and len(frame) >= 3:
            wanted.append(frame)
    assert frames == wanted
