# SPDX-License-Identifier: MIT
"""Layouts against CPython's struct: the same bytes, the same values, the same refusals."""

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limpet.layout import Layout

SIGNED, UNSIGNED = "bhiq", "BHIQ"
INTS = SIGNED + UNSIGNED


def limits(code):
    """Return the smallest and the largest number of a code."""
    bits = 8 * struct.calcsize("<" + code)
    return (-(1 << bits - 1), (1 << bits - 1) - 1) if code in SIGNED else (0, (1 << bits) - 1)


def value_of(code, count):
    """Return a strategy for values that fit a field."""
    if code == "s":
        return st.binary(max_size=count)
    if code == "?":
        return st.booleans()
    if code in "fd":
        return st.floats(width=32 if code == "f" else 64)
    return st.integers(*limits(code))


@st.composite
def layouts(draw):
    """Return (format, names, values)."""
    order = draw(st.sampled_from("<>"))
    format, values = order, []
    for code in draw(st.lists(st.sampled_from(INTS + "fd?sx"), min_size=1, max_size=8)):
        count = draw(st.integers(1, 4))
        format += code if count == 1 and draw(st.booleans()) else f"{count}{code}"
        if code == "s":
            values.append(draw(value_of(code, count)))
        elif code != "x":
            values += [draw(value_of(code, count)) for _ in range(count)]
        format += draw(st.sampled_from(("", "", " ", "\t")))
    if not values:
        format += "b"
        values.append(draw(value_of("b", 1)))
    return format, " ".join(f"n{i}" for i in range(len(values))), values


def same(a, b):
    """Equal, or both no number."""
    return type(a) is type(b) and (a == b or a != a and b != b)


@given(made=layouts(), base=st.integers(0, 5))
def test_as_struct_does(made, base):
    """Size, bytes and values are struct's, at once and field by field, at any place."""
    format, names, values = made
    layout = Layout(format, names)
    data = struct.pack(format, *values)
    assert layout.size == struct.calcsize(format) == len(data)
    assert layout.pack(*values) == data
    told = struct.unpack(format, data)
    assert all(map(same, layout.unpack(data), told))
    buf = bytearray(b"\xa5" * (layout.size + base + 3))
    expected = buf[:]
    struct.pack_into(format, expected, base, *values)
    for field in layout.fields:  # what is padding, set() leaves alone
        assert field.set(buf, values[int(field.name[1:])], base)
        for other in (buf, memoryview(buf), bytes(buf)):
            assert same(field.get(other, base), told[int(field.name[1:])])
        at = base + field.offset
        assert buf[at : at + field.size] == expected[at : at + field.size]
        expected[at : at + field.size] = buf[at : at + field.size] = b"\xa5" * field.size
    assert set(buf) == {0xA5}


@given(made=layouts())
def test_another_way_to_write_it(made):
    """`text` is a layout, too: the same one."""
    format, names, values = made
    one = Layout(format, names)
    same = Layout(*one.text.split(" ", 1))
    assert (same.text, same.hash, same.size) == (one.text, one.hash, one.size)
    assert same.pack(*values) == one.pack(*values)


@given(
    code=st.sampled_from(INTS),
    order=st.sampled_from("<>"),
    value=st.integers(),
    shift=st.integers(0, 70),
)
def test_whole_numbers_that_may_not_fit(code, order, value, shift):
    """What struct refuses is refused and leaves the buffer alone."""
    value <<= shift
    layout = Layout(order + code, "a")
    buf = bytearray(b"\xa5" * layout.size)
    try:
        data = struct.pack(order + code, value)
    except struct.error:
        assert layout.field("a").set(buf, value) is False
        assert set(buf) == {0xA5}
        with pytest.raises(ValueError, match="^a is "):
            layout.pack(value)
    else:
        assert layout.field("a").set(buf, value) is True
        assert buf == data == layout.pack(value)


@given(value=st.floats())
def test_floats_that_may_not_fit(value):
    """A float too large for 32 bits is refused where struct refuses it."""
    layout = Layout("<f", "a")
    try:
        data = struct.pack("<f", value)
    except OverflowError:
        with pytest.raises(ValueError, match="^a is "):
            layout.pack(value)
    else:
        assert layout.pack(value) == data or math.isnan(value)


@given(made=layouts(), data=st.binary(max_size=40))
def test_whatever_comes(made, data):
    """Bytes from elsewhere are unpacked as struct does, or a ValueError; fits() tells which."""
    format, names, _ = made
    layout = Layout(format, names)
    try:
        told = struct.unpack(format, data)
    except struct.error:
        assert not layout.fits(data)
        with pytest.raises(ValueError, match="bytes, but Layout"):
            layout.unpack(data)
    else:
        assert layout.fits(data)
        assert all(map(same, layout.unpack(data), told))


@given(
    format=st.text("<>@=! hHbBqQ?sxlfd0123456789", max_size=8), names=st.text("ab _1-", max_size=8)
)
def test_any_text(format, names):
    """Every text is a layout or a ValueError; what is one, struct knows, and it has that size."""
    try:
        layout = Layout(format, names)
    except ValueError:
        return
    assert struct.calcsize(format) == layout.size
    assert (
        len(layout.fields) == len(names.split()) == len(struct.unpack(format, bytes(layout.size)))
    )


def fnv(data):
    """FNV-1a of 32 bits, as its authors have it, folded to 30."""
    value = 2166136261
    for byte in data:
        value = (value ^ byte) * 16777619 % 2**32
    return value // 2**30 ^ value % 2**30


@given(made=layouts())
def test_hash(made):
    format, names, _ = made
    layout = Layout(format, names)
    assert layout.hash == (fnv(layout.text.encode()) or 1)
