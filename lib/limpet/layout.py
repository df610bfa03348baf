# SPDX-License-Identifier: MIT
"""Layouts: the fields of a struct by name, packed alike by every VM.

    CLIMATE = Layout("<hH", "celsius_x100 humidity")
    ks.announce("$.Climate", CLIMATE.pack(2150, 40))
    humidity = CLIMATE.field("humidity")  # once; then, without allocating:
    humidity.get(view.data)

| code | field | | code | field |
|---|---|---|---|---|
| b B | int, 1 byte, signed and not | | f d | float, 4 and 8 bytes |
| h H | int, 2 bytes | | ? | bool, 1 byte |
| i I | int, 4 bytes | | 5s | bytes, 5; packed from fewer: NULs behind |
| q Q | int, 8 bytes | | 3x | 3 bytes of padding: zeros, no name |

Rules: `<` (low byte first) or `>` comes first, so that a layout means the same on both ends; 3h is
hhh; nothing is aligned. The struct module of MicroPython writes what does not fit cut off, and
zeros for what is missing; here both are ValueErrors on every VM. get() and set() of a Field look
at single bytes, since unpack_from makes a tuple.
"""

import struct

from .port import const, copy

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any

    from .send import Data
    from .view import MessageView

_SIZE_MAX = const(0xFFFF)  # of a slot, too
_DIGITS = "0123456789"
_SIZES = {"b": 1, "h": 2, "i": 4, "q": 8, "B": 1, "H": 2, "I": 4, "Q": 8, "f": 4, "d": 8}
_SIZES.update({"?": 1, "s": 1, "x": 1})
# A name for it: a tuple written where it is used would be made at each use.
_BUFFERS = (bytes, bytearray, memoryview)


class Field:
    """One field of a Layout: `name`, `code`, `offset` and `size` in bytes; made by Layout only."""

    def __init__(self, name: str, code: str, offset: int, size: int, order: str) -> None:
        self.name = name
        self.code = code
        self.offset = offset
        self.size = size
        self._format = order + code

    def get(self, buf: "Data | MessageView", base: int = 0) -> "Any":
        """Return the value out of `buf`, whose struct begins at `base`.

        buf: buffer; for all but f, d and s also a MessageView. That it holds a whole struct is the
        caller's to know, from Layout.fits; behind its end IndexError or struct's error. Ints of up
        to 30 bits and bools allocate nothing.
        """
        raise NotImplementedError

    def set(self, buf: "bytearray | memoryview", value: "Any", base: int = 0) -> bool:
        """Put the value into `buf`; False if it does not fit the field, and nothing is written.

        buf, base: as in get(). Raises TypeError for what is no such value. Ints of up to 30 bits,
        bools and bytes allocate nothing.
        """
        raise NotImplementedError

    def takes(self) -> str:
        """Return what fits, for people."""
        raise NotImplementedError


class _Int(Field):
    """Whole numbers, by Horner's rule: nothing on the way is larger than the value itself."""

    def __init__(self, name: str, code: str, offset: int, size: int, order: str) -> None:
        super().__init__(name, code, offset, size, order)
        self._signed = code in "bhiq"
        self._bits = 8 * size - (1 if self._signed else 0)  # without the sign
        self._wrap = 128 if self._signed else 256  # a high byte from here on is a negative one
        self._step = 1 if order == ">" else -1  # to the next lower byte
        self._last = offset + size - 1
        self._high = offset if order == ">" else self._last  # offset of the high byte
        self._low = self._last if order == ">" else offset

    def get(self, buf: "Data | MessageView", base: int = 0) -> int:  # hot:
        i = base + self._high
        value = buf[i]
        if value >= self._wrap:
            value -= 256
        left = self.size
        while left > 1:
            left -= 1
            i += self._step
            value = value << 8 | buf[i]
        return value

    def set(self, buf: "bytearray | memoryview", value: int, base: int = 0) -> bool:  # hot:
        top = value >> self._bits
        if top and not (self._signed and top == -1):
            return False
        buf[base + self._last]  # raises before anything is written
        i = base + self._low
        left = self.size
        while left:
            left -= 1
            buf[i] = value & 0xFF
            value >>= 8
            i -= self._step
        return True

    def takes(self) -> str:
        low = -(1 << self._bits) if self._signed else 0
        return f"{low} to {(1 << self._bits) - 1}"


class _Bool(Field):
    """One byte, 0 or 1; read as struct does: all but 0 is True."""

    def get(self, buf: "Data | MessageView", base: int = 0) -> bool:  # hot:
        return buf[base + self.offset] != 0

    def set(self, buf: "bytearray | memoryview", value: object, base: int = 0) -> bool:  # hot:
        buf[base + self.offset] = 1 if value else 0
        return True

    def takes(self) -> str:
        return "True or False"


class _Float(Field):
    """Floats. A board whose floats have 32 bits packs and reads no more of a d, either."""

    def get(self, buf: "Data | MessageView", base: int = 0) -> float:
        return struct.unpack_from(self._format, buf, base + self.offset)[0]  # type: ignore

    def set(self, buf: "bytearray | memoryview", value: float, base: int = 0) -> bool:
        # What is too large is an exception of CPython's, and infinite in MicroPython.
        finite = value * 0 == 0
        try:
            data = struct.pack(self._format, value * 1.0)
        except OverflowError:
            return False
        if finite and struct.unpack(self._format, data)[0] * 0 != 0:
            return False
        struct.pack_into(self._format, buf, base + self.offset, value * 1.0)
        return True

    def takes(self) -> str:
        return f"a float of {8 * self.size} bits"


class _Bytes(Field):
    """A fixed number of bytes."""

    def get(self, buf: "Data | MessageView", base: int = 0) -> bytes:
        i = base + self.offset
        buf[i + self.size - 1]  # raises: a slice would only be shorter
        return bytes(buf[i : i + self.size])  # type: ignore

    def set(self, buf: "bytearray | memoryview", value: "Data", base: int = 0) -> bool:  # hot:
        if not isinstance(value, _BUFFERS):
            raise TypeError(self.takes())
        size = len(value)
        if size > self.size:
            return False
        base += self.offset
        buf[base + self.size - 1]  # raises: copy() does not look where a buffer ends
        copy(buf, base, value, 0, size)
        while size < self.size:
            buf[base + size] = 0
            size += 1
        return True

    def takes(self) -> str:
        return f"at most {self.size} bytes"


class Layout:
    """The fields of a struct; what is wrong with a bad one, a ValueError says.

    format: order and codes as in the table above; blanks between codes are ignored. names:
    letters, digits and _ between blanks, one for each field. `fields`: the Fields; `size`: bytes
    of the whole; `text`: format and names in one form for all ways to write them; `hash`: 30 bits
    made of that text, never 0, so that two ends can compare.
    """

    def __init__(self, format: str, names: str) -> None:
        if not isinstance(format, str) or not isinstance(names, str):
            raise TypeError("a layout's format and names are two strings")
        order, items = _parse(format)
        words = names.split()
        _check_names(words, [item for item in items if item[0] != "x"])
        self.size = 0
        fields: list[Field] = []
        text = self._struct = order
        for code, size in items:
            if code != "x":
                fields.append(_field(words[len(fields)], code, self.size, size, order))
            written = f"{size}{code}" if code in "sx" else code
            text += written
            self._struct += "B" if code == "?" else written  # MicroPython's has no ?
            self.size += size
        self.fields = tuple(fields)
        self.text = " ".join([text] + words)
        self.hash = _hash(self.text.encode())
        self._has_bools = "?" in text
        self._by_name = {field.name: field for field in fields}

    def field(self, name: str) -> Field:
        """Return one of the fields; it may be kept. ValueError if there is none of that name."""
        if name not in self._by_name:
            raise ValueError(f"no field {name!r} in {self!r}")
        return self._by_name[name]

    def fits(self, data: "Data | MessageView") -> bool:  # hot:
        """Tell whether `data`, a buffer or a MessageView, has the size of this layout.

        Ask it of everything that comes from elsewhere.
        """
        return len(data) == self.size

    def pack(self, *values: "Any", **named: "Any") -> bytes:
        """Return the bytes for one value per field: in order, by name, or the first in order.

        Raises ValueError for a value missing, one too many or one that does not fit, TypeError for
        what is no such value.
        """
        if len(values) + len(named) != len(self.fields):
            count = len(values) + len(named)
            raise ValueError(f"{count} values for the {len(self.fields)} fields of {self!r}")
        buf = bytearray(self.size)
        for i, field in enumerate(self.fields):
            if i < len(values):
                value = values[i]
            elif field.name in named:
                value = named[field.name]
            else:
                raise ValueError(f"no value for {field.name}")
            try:
                good = field.set(buf, value)
            except TypeError:
                raise TypeError(f"{field.name} is {value!r}, possible: {field.takes()}")
            if not good:
                raise ValueError(f"{field.name} is {value!r}, possible: {field.takes()}")
        return bytes(buf)

    def unpack(self, data: "Data") -> "tuple[Any, ...]":
        """Return the values in order. Raises ValueError unless `data` has just the right size."""
        if not self.fits(data):
            raise ValueError(f"{len(data)} bytes, but {self!r} has {self.size}")
        values = struct.unpack(self._struct, data)
        if not self._has_bools:
            return values
        pairs = zip(self.fields, values)
        return tuple([value != 0 if field.code == "?" else value for field, value in pairs])

    def read(self, data: "Data") -> "dict[str, Any]":
        """Return {name: value}; else as unpack(). pack(**fields) makes the same bytes again."""
        values = self.unpack(data)
        return {field.name: value for field, value in zip(self.fields, values)}

    def __repr__(self) -> str:
        format, names = self.text.split(" ", 1)
        return f"Layout({format!r}, {names!r})"


def _hash(text: bytes) -> int:
    # FNV-1a, 32 bits, folded to 30, as node ids are made in bus.py: a board that has a Core only
    # does without that file.
    value = 0x811C9DC5
    for byte in text:
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    return (value >> 30 ^ value) & 0x3FFFFFFF or 1


def _field(name: str, code: str, offset: int, size: int, order: str) -> Field:
    if code == "?":
        return _Bool(name, code, offset, size, order)
    if code == "s":
        return _Bytes(name, code, offset, size, order)
    return (_Float if code in "fd" else _Int)(name, code, offset, size, order)


def _parse(format: str) -> "tuple[str, list[tuple[str, int]]]":
    """Return the order and (code, bytes) of every field and of every stretch of padding."""
    text = format.strip()
    if text[:1] not in ("<", ">"):
        raise ValueError(f"format {format!r}: < (low byte first) or > has to come first")
    items: list[tuple[str, int]] = []
    digits = ""
    total = 0
    for c in text[1:]:
        if c in _DIGITS:
            digits += c
            continue
        if c.isspace():
            if digits:
                raise ValueError(f"format {format!r}: a blank between a count and its code")
            continue
        if c not in _SIZES:
            raise ValueError(f"format {format!r}: no code {c!r}, there are bBhHiIqQfd?sx")
        count = _count(format, digits)
        digits = ""
        total += count * _SIZES[c]
        if total > _SIZE_MAX:
            raise ValueError(f"format {format!r}: more than {_SIZE_MAX} bytes")
        if c == "x" and items and items[-1][0] == "x":
            items[-1] = ("x", items[-1][1] + count)
        elif c in "sx":
            items.append((c, count))
        else:
            items += [(c, _SIZES[c])] * count
    if digits:
        raise ValueError(f"format {format!r}: no code behind the count {digits}")
    return text[0], items


def _count(format: str, digits: str) -> int:
    # Not int() of any number of digits: CPython refuses, a board calculates for long.
    if len(digits) > 5:
        raise ValueError(f"format {format!r}: a count of more than five digits")
    count = int(digits) if digits else 1
    if not count:
        raise ValueError(f"format {format!r}: a count of 0")
    return count


def _check_names(words: "list[str]", fields: "list[tuple[str, int]]") -> None:
    if not fields:
        raise ValueError("a layout has at least one field")
    for i, word in enumerate(words):
        for c in word:
            if not (c in _DIGITS or c == "_" or "a" <= c <= "z" or "A" <= c <= "Z"):
                raise ValueError(f"name {word!r}: letters, digits and _ are possible")
        if word in words[:i]:
            raise ValueError(f"name {word!r} is there twice")
    if len(words) != len(fields):
        raise ValueError(f"{len(words)} names for {len(fields)} fields")
