# SPDX-License-Identifier: MIT
"""Layouts: the same bytes, values, refusals and hash on every VM; fields read where they lie."""

import unittest

from limpet import Bus, MessageView
from limpet.bus import node_id
from limpet.layout import Layout

# format, names, values, bytes in hex, hash
VECTORS = (
    ("<hH", "celsius_x100 humidity", (2150, 40), "66082800", 975183310),
    (">hH", "celsius_x100 humidity", (-2, 0xFFFF), "fffeffff", 1031826098),
    ("<bB", "a b", (-128, 255), "80ff", 490671204),
    ("<iI", "a b", (-(1 << 31), (1 << 32) - 1), "00000080ffffffff", 901890476),
    (">iI", "a b", (-(1 << 29), 1 << 29), "e000000020000000", 878447500),
    ("<qQ", "a b", (-(1 << 63), (1 << 64) - 1), "0000000000000080" + "ff" * 8, 28047327),
    (">qQ", "a b", (-2, 1), "fffffffffffffffe0000000000000001", 286001085),
    ("<3h", "x y z", (1, -1, 256), "0100ffff0001", 641005361),
    ("<?B?", "on level off", (True, 7, False), "010700", 784024005),
    ("<2xB3xBx", "a b", (1, 2), "0000010000000200", 294992699),
    (">5sBs", "id n end", (b"abcde", 9, b"\xff"), "616263646509ff", 340106621),
    (">fd", "f d", (0.5, -2.0), "3f000000c000000000000000", 40804378),
    ("<fd", "f d", (-1.5, 0.25), "0000c0bf000000000000d03f", 626287824),
)

# format, names, a word that the refusal says
BAD = (
    ("", "", "first"),
    ("hH", "a b", "first"),
    ("@h", "a", "first"),
    ("=h", "a", "first"),
    ("!h", "a", "first"),
    ("h<", "a", "first"),
    ("<", "", "one field"),
    ("<4x", "", "one field"),
    ("<hH", "a", "1 names for 2"),
    ("<hH", "a b c", "3 names for 2"),
    ("<h2xh", "a b c", "3 names for 2"),
    ("<5s", "a b c d e", "5 names for 1"),
    ("<hh", "a a", "twice"),
    ("<h", "a-b", "a-b"),
    ("<h", "a.b", "a.b"),
    ("<h", "\xe9", "letters"),
    ("<l", "a", "'l'"),
    ("<c", "a", "'c'"),
    ("<P", "a", "'P'"),
    ("<h<h", "a b", "'<'"),
    ("<-1h", "a", "'-'"),
    ("<2", "a", "count"),
    ("<h2", "a", "count"),
    ("<2 h", "a b", "blank"),
    ("<0h", "", "count of 0"),
    ("<h0x", "a", "count of 0"),
    ("<65536s", "a", "65535"),
    ("<99999q", "a", "65535"),
    ("<40000sx30000x", "a", "65535"),
    ("<" + "9" * 5000 + "h", "a", "five digits"),
)


def said(function, *args, **named):
    """Call and return the text of the ValueError, or what else happened."""
    try:
        return "returned %r" % (function(*args, **named),)
    except ValueError as e:
        return str(e)


class TestVectors(unittest.TestCase):
    def test_bytes_and_values(self):
        """pack, unpack, read and every field agree with the table, both ways."""
        for format, names, values, hexed, _ in VECTORS:
            with self.subTest(format=format):
                data = bytes.fromhex(hexed)
                layout = Layout(format, names)
                self.assertEqual(layout.size, len(data))
                self.assertEqual(layout.pack(*values), data)
                self.assertEqual(layout.unpack(data), values)
                named = layout.read(data)
                self.assertEqual(named, dict(zip(names.split(), values)))
                self.assertEqual(layout.pack(**named), data)

    def test_fields(self):
        """get() and set() of each field are right at any place of any buffer."""
        for format, names, values, hexed, _ in VECTORS:
            with self.subTest(format=format):
                data = bytes.fromhex(hexed)
                layout = Layout(format, names)
                buf = bytearray(b"\0" * (len(data) + 5))
                buf[3 : 3 + len(data)] = data
                self.assertEqual([f.get(buf, 3) for f in layout.fields], list(values))
                self.assertEqual([f.get(data) for f in layout.fields], list(values))
                made = bytearray(len(buf))
                view = memoryview(made)
                for name, value in zip(names.split(), values):
                    self.assertTrue(layout.field(name).set(view, value, 3))
                self.assertEqual(made, buf)

    def test_hashes(self):
        """The hash is that of the table: it may never change."""
        for format, names, _, _, hashed in VECTORS:
            self.assertEqual((format, Layout(format, names).hash), (format, hashed))

    def test_a_field_knows_where_it_is(self):
        layout = Layout(">b2xH5sd", "a b c d")
        found = [(f.name, f.code, f.offset, f.size) for f in layout.fields]
        self.assertEqual(
            found, [("a", "b", 0, 1), ("b", "H", 3, 2), ("c", "s", 5, 5), ("d", "d", 10, 8)]
        )


class TestHash(unittest.TestCase):
    def test_equal_however_it_is_written(self):
        """Blanks, counts and their absence make no difference where the bytes are the same."""
        one = Layout("<hhh4s3xB", "a b c d e")
        for format, names in (
            ("<3h4s3xB", "a b c d e"),
            (" < h h h 4s xxx B ", "  a  b\tc d e\n"),
            ("<2hh4s2xxB", "a b c d e"),
            ("<h2h04sx2xB", "a b c d e"),
        ):
            same = Layout(format, names)
            self.assertEqual((same.hash, same.text), (one.hash, one.text), format)
            self.assertEqual(same.size, one.size)
        self.assertEqual(one.text, "<hhh4s3xB a b c d e")
        self.assertEqual(repr(one), "Layout('<hhh4s3xB', 'a b c d e')")

    def test_different_for_another_meaning(self):
        """Renamed, in another order, of another type or at another place: no two are alike."""
        layouts = (
            ("<hH", "a b"),
            ("<hH", "b a"),
            ("<hH", "a c"),
            ("<hH", "A b"),
            ("<Hh", "a b"),
            (">hH", "a b"),
            ("<hh", "a b"),
            ("<hHx", "a b"),
            ("<hxH", "a b"),
            ("<iI", "a b"),
            ("<hHb", "a b c"),
            ("<4s", "a"),
            ("<sB2x", "a b"),
            ("<BB2x", "a b"),
            ("<?B2x", "a b"),
            ("<f", "a"),
            ("<i", "a"),
            ("<i", "ab"),
            ("<I", "a"),
        )
        hashes = [Layout(*one).hash for one in layouts]
        self.assertEqual(len(set(hashes)), len(layouts))

    def test_thirty_bits_never_none(self):
        """It is the hash that makes node ids, of the one text, so a small number of any board."""
        for format, names, _, _, _ in VECTORS:
            layout = Layout(format, names)
            self.assertEqual(layout.hash, node_id(layout.text.encode()))
            self.assertTrue(0 < layout.hash < 1 << 30)


class TestBadLayouts(unittest.TestCase):
    def test_each_is_told(self):
        """What is wrong with a format or names is a ValueError that says it."""
        for format, names, word in BAD:
            text = said(Layout, format, names)
            self.assertIn(word, text, format[:20])
            self.assertFalse(text.startswith("returned"), format[:20])

    def test_what_is_no_text(self):
        for format, names in (("<h", ["a"]), (b"<h", "a"), (None, "a"), ("<h", 5)):
            with self.assertRaises(TypeError):
                Layout(format, names)

    def test_an_unknown_field(self):
        self.assertIn("'c'", said(Layout("<hH", "a b").field, "c"))


class TestRefusals(unittest.TestCase):
    """A value that does not fit is refused, told, and nothing is written."""

    LIMITS = {
        "b": (-(1 << 7), (1 << 7) - 1),
        "B": (0, (1 << 8) - 1),
        "h": (-(1 << 15), (1 << 15) - 1),
        "H": (0, (1 << 16) - 1),
        "i": (-(1 << 31), (1 << 31) - 1),
        "I": (0, (1 << 32) - 1),
        "q": (-(1 << 63), (1 << 63) - 1),
        "Q": (0, (1 << 64) - 1),
    }

    def test_whole_numbers(self):
        for code, (low, high) in self.LIMITS.items():
            for order in "<>":
                layout = Layout(order + code, "a")
                field = layout.field("a")
                for value in (low, high, 0, 1):
                    self.assertEqual(layout.unpack(layout.pack(value)), (value,), code)
                for value in (low - 1, high + 1, low - (1 << 40), high + (1 << 70), -(1 << 70)):
                    buf = bytearray(b"\x5a" * layout.size)
                    self.assertIs(field.set(buf, value), False)
                    self.assertEqual(buf, b"\x5a" * layout.size)
                    text = said(layout.pack, value)
                    self.assertIn("a is %d, possible: %d to %d" % (value, low, high), text)

    def test_floats(self):
        """What is too large for its 32 bits is refused; infinite and no number are packed."""
        layout = Layout("<f", "a")
        big = 1e38 * 3
        self.assertTrue(abs(layout.unpack(layout.pack(big))[0] / big - 1) < 1e-6)
        buf = bytearray(b"\x5a" * 4)
        for value in (10**400, -(10**400)):
            self.assertIs(layout.field("a").set(buf, value), False)
            self.assertIn("possible", said(layout.pack, value))
        self.assertEqual(buf, b"\x5a" * 4)
        self.assertIn("possible", said(Layout("<d", "a").pack, 10**400))
        infinite = float("inf")
        self.assertEqual(layout.unpack(layout.pack(infinite)), (infinite,))
        nan = layout.unpack(layout.pack(float("nan")))[0]
        self.assertNotEqual(nan, nan)
        self.assertEqual(layout.pack(-0.0), b"\0\0\0\x80")
        self.assertEqual(layout.pack(3), layout.pack(3.0))

    def test_bytes(self):
        """Fewer are filled up with NULs, which are read as they are; more are refused."""
        layout = Layout("<Bs3s", "a b c")
        self.assertEqual(layout.pack(1, b"", b"xy"), b"\1\0xy\0")
        self.assertEqual(layout.unpack(b"\1\0xy\0"), (1, b"\0", b"xy\0"))
        for value in (bytearray(b"xyz"), memoryview(b"xyz")):
            self.assertEqual(layout.pack(1, b"b", value), b"\1bxyz")
        buf = bytearray(b"\x5a" * 5)
        self.assertIs(layout.field("c").set(buf, b"wxyz"), False)
        self.assertEqual(buf, b"\x5a" * 5)
        self.assertIn("at most 3 bytes", said(layout.pack, 1, b"", b"wxyz"))
        self.assertTrue(layout.field("c").set(buf, b"x"))
        self.assertEqual(buf, b"\x5a\x5ax\0\0")

    def test_bools(self):
        """Every byte but 0 is True, as struct has it; what is set is 0 or 1."""
        layout = Layout("<?B?", "a b c")
        self.assertEqual(layout.unpack(b"\xff\x02\x00"), (True, 2, False))
        self.assertIs(layout.field("a").get(b"\xff\x02\x00"), True)
        self.assertEqual(layout.pack(2, 2, ""), b"\1\2\0")
        self.assertEqual(Layout("<bI", "a b").pack(True, False), b"\1\0\0\0\0")

    def test_types(self):
        """What is no such value is a TypeError that names the field."""
        for code, values in (
            ("h", (1.5, "1", None, b"1")),
            ("Q", (1.0, "", [])),
            ("f", ("1", None, b"1", [1])),
            ("d", ("1.5", ())),
            ("3s", ("abc", 3, None, [1, 2])),
        ):
            layout = Layout("<B" + code, "first second")
            for value in values:
                with self.assertRaises(TypeError) as caught:
                    layout.pack(0, value)
                self.assertIn("second is %r" % (value,), str(caught.exception))

    def test_the_number_of_values(self):
        layout = Layout("<hH", "a b")
        for values, named in (
            ((), {}),
            ((1,), {}),
            ((1, 2, 3), {}),
            ((1, 2), {"c": 3}),
            ((1,), {"a": 2}),
            ((1,), {"c": 2}),
            ((), {"a": 1}),
            ((), {"a": 1, "c": 2}),
            ((1,), {"a": 1, "b": 2}),
        ):
            text = said(layout.pack, *values, **named)
            self.assertTrue("fields" in text or "no value for" in text, text)
        self.assertEqual(layout.pack(1, b=2), b"\1\0\2\0")
        self.assertEqual(layout.pack(b=2, a=1), b"\1\0\2\0")

    def test_a_wrong_size(self):
        """What comes from elsewhere can be asked before, and raises if it was not."""
        layout = Layout("<hH", "a b")
        for size in range(9):
            data = bytes(size)
            self.assertIs(layout.fits(data), size == 4)
            if size != 4:
                for function in (layout.unpack, layout.read):
                    self.assertIn("%d bytes" % size, said(function, data))

    def test_behind_the_end(self):
        """A field that would lie outside the buffer raises, and writes nothing."""
        for order in "<>":
            layout = Layout(order + "Bh3sfQ?", "a b c d e f")
            whole = layout.pack(1, -2, b"xyz", 1.5, 1 << 60, True)
            for field in layout.fields:
                end = field.offset + field.size
                value = field.get(whole[:end])
                self.assertTrue(field.set(bytearray(end), value))
                for base in (0, 3):
                    short = bytearray(b"\x5a" * (end + base - 1))
                    # IndexError; of floats ValueError or struct.error, which is none of these.
                    with self.assertRaises(Exception):  # noqa: B017
                        field.get(short, base)
                    with self.assertRaises(Exception):  # noqa: B017
                        field.set(short, value, base)
                    self.assertEqual(short, b"\x5a" * (end + base - 1))


class TestWithMessages(unittest.TestCase):
    """Layouts and the bus: what a replier returns, what a view shows."""

    def setUp(self):
        self.bus = Bus(node=1, seed=1)
        self.addCleanup(self.bus.close)

    def test_a_replier_returns_a_packed_layout(self):
        layout = Layout("<hH", "celsius_x100 humidity")
        ks = self.bus.ksock()

        @ks.replier("$.Climate")
        def climate(msg):
            return layout.pack(celsius_x100=-50, humidity=99)

        reply = self.bus.ksock().call("$.Climate")
        self.assertTrue(layout.fits(reply.data))
        self.assertEqual(layout.unpack(reply.data), (-50, 99))

    def test_fields_of_a_view(self):
        """They are read in the slot; its size tells whether they are there."""
        layout = Layout(">hI?", "a b c")
        a, b, c = layout.fields
        sender = self.bus.ksock()
        reader = self.bus.ksock()
        reader.bind("$.A")
        view = MessageView()
        buf = bytearray(layout.size)
        self.assertTrue(a.set(buf, -3) and b.set(buf, 1 << 29) and c.set(buf, True))
        name = self.bus.name("$.A")
        sender.hot.announce(name, buf)
        sender.hot.announce(name, b"short")
        reader.hot.take(view)
        self.assertTrue(layout.fits(view))
        for where in (view, view.data):
            self.assertEqual((a.get(where), b.get(where), c.get(where)), (-3, 1 << 29, True))
        reader.hot.take(view)
        self.assertFalse(layout.fits(view))
        self.assertFalse(layout.fits(view.data))


if __name__ == "__main__":
    unittest.main()
