# SPDX-License-Identifier: MIT
"""The codec against two that others wrote: crcmod and the `cobs` package.

The CPython codec and MicroPython's plain one are compared; test_codec.py holds viper to the
latter.
"""

import importlib.util
from pathlib import Path

import crcmod
import pytest
from cobs import cobs
from hypothesis import given
from hypothesis import strategies as st

from limpet.port import codec as fast

ROOT = Path(__file__).parents[2]


def _plain():
    path = ROOT / "ports" / "micropython" / "port" / "codec_plain.py"
    spec = importlib.util.spec_from_file_location("codec_plain", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


CODECS = pytest.mark.parametrize("codec", [fast, _plain()], ids=["cpython", "plain"])


def check_both_ways(codec, data, start=0xBEEF):
    """Encode with the check as the oracle does, decode back, touch nothing beside."""
    check = crcmod.mkCrcFun(0x11021, initCrc=start, rev=False, xorOut=0)(data)
    plain = data + (check ^ 0xFFFF).to_bytes(2, "big")
    room = len(plain) + len(plain) // 254 + 2
    target = bytearray(b"\xa5" * (room + 5))
    size = codec.seal(target, 2, bytearray(data), len(data), start)
    wire = bytes(target[2 : 2 + size])
    assert wire == cobs.encode(plain) + b"\0"
    assert target[:2] == b"\xa5\xa5" and target[2 + room :] == b"\xa5\xa5\xa5"
    buf = bytearray(wire)
    assert codec.unseal(buf, size - 1, start) == len(data)
    assert buf[: len(plain)] == plain and len(buf) == size


@CODECS
@pytest.mark.parametrize("fill", [b"\x00", b"\x01", b"\xff", b"\x01\x00", b"\x00\x01\x02"])
def test_every_length(codec, fill):
    """Every length up to 300 of zeros only, of no zeros, and of both in turn."""
    for size in range(301):
        check_both_ways(codec, (fill * size)[:size])


@CODECS
@pytest.mark.parametrize("run", [252, 253, 254, 255, 256, 507, 508, 509, 762, 763])
@pytest.mark.parametrize("before", [b"", b"\0", b"\x09\0", b"\0\0\x09"])
@pytest.mark.parametrize("behind", [b"", b"\0", b"\0\x09", b"\0\0", b"\0" + b"\x05" * 254])
def test_runs_about_a_block(codec, run, before, behind):
    """Runs that just do or do not fill blocks, alone and between zeros."""
    check_both_ways(codec, before + b"\x07" * run + behind)


RUNS = st.lists(st.tuples(st.booleans(), st.integers(0, 260)), max_size=5).map(
    lambda runs: b"".join((b"\0" if zero else b"\x03") * size for zero, size in runs)
)


@CODECS
@given(data=st.one_of(st.binary(max_size=600), RUNS), start=st.integers(0, 0xFFFF))
def test_any_data(codec, data, start):
    check_both_ways(codec, data, start)


BLOCKS = st.lists(
    st.one_of(
        st.integers(1, 255).map(lambda code: bytes([code]) + b"\x06" * (code - 1)),
        st.binary(max_size=30).map(lambda b: b.replace(b"\0", b"")),
    ),
    max_size=5,
).map(b"".join)


@CODECS
@given(wire=BLOCKS)
def test_any_bytes_from_a_wire(codec, wire):
    """What has no delimiter in it is decoded as the oracle does, or refused as the oracle does."""
    try:
        expected = cobs.decode(wire)
    except cobs.DecodeError:
        expected = None
    if expected is not None and len(expected) < 2:
        expected = None  # too short for a check
    buf = bytearray(wire + b"\xa5")
    size = codec.unseal(buf, len(wire), 0xBEEF)
    decoded = None
    if size != -1:
        decoded = bytes(buf[: size + 2 if size >= 0 else -size])
        assert (size >= 0) == (crcmod.mkCrcFun(0x11021, 0xBEEF, False, 0)(decoded) == 0x1D0F)
    assert decoded == expected
    assert len(buf) == len(wire) + 1 and buf[-1] == 0xA5


@CODECS
@given(data=st.binary(max_size=300), seed=st.integers(0, 0xFFFF), cut=st.integers(0, 300))
def test_crc(codec, data, seed, cut):
    """The CRC of any part, from any start value, is crcmod's."""
    oracle = crcmod.mkCrcFun(0x11021, initCrc=seed, rev=False, xorOut=0)
    start = min(cut, len(data))
    for buf in (data, bytearray(data), memoryview(data)):
        assert codec.crc16(buf, start, len(data), seed) == oracle(data[start:])
        assert codec.crc16(buf, 0, start, seed) == oracle(data[:start])
