# SPDX-License-Identifier: MIT
"""CRC-16, COBS and block copies: known answers, round trips, bad input; each codec here."""

import unittest

from costs import cost
from limpet import port
from limpet.rand import Random

# (what, plain, encoded with its delimiter); the first ones from the paper by Cheshire & Baker.
VECTORS = (
    ("nothing", b"", b"\x01\x00"),
    ("a zero", b"\x00", b"\x01\x01\x00"),
    ("two zeros", b"\x00\x00", b"\x01\x01\x01\x00"),
    ("zero inside", b"\x00\x11\x00", b"\x01\x02\x11\x01\x00"),
    ("some of each", b"\x11\x22\x00\x33", b"\x03\x11\x22\x02\x33\x00"),
    ("no zero", b"\x11\x22\x33\x44", b"\x05\x11\x22\x33\x44\x00"),
    ("zeros behind", b"\x11\x00\x00\x00", b"\x02\x11\x01\x01\x01\x00"),
    ("run of 253", b"\x07" * 253, b"\xfe" + b"\x07" * 253 + b"\x00"),
    ("run of 254", b"\x07" * 254, b"\xff" + b"\x07" * 254 + b"\x00"),
    ("run of 255", b"\x07" * 255, b"\xff" + b"\x07" * 254 + b"\x02\x07\x00"),
    ("zero, run of 254", b"\x00" + b"\x07" * 254, b"\x01\xff" + b"\x07" * 254 + b"\x00"),
    ("run of 254, zero", b"\x07" * 254 + b"\x00", b"\xff" + b"\x07" * 254 + b"\x01\x01\x00"),
    ("run of 253, zero", b"\x07" * 253 + b"\x00", b"\xfe" + b"\x07" * 253 + b"\x01\x00"),
    (
        "two full runs",
        b"\x07" * 508,
        b"\xff" + b"\x07" * 254 + b"\xff" + b"\x07" * 254 + b"\x00",
    ),
)

# What no encoder makes: a block that ends behind the data, or a zero where a length belongs.
ILLEGAL = (b"\x02", b"\x05\x11\x22\x33", b"\xff", b"\x01\x03\x11", b"\xff" + b"\x07" * 253)
ILLEGAL_LATER = (b"\xff" + b"\x07" * 254 + b"\x03\x11", b"\x02\x11\xff" + b"\x07" * 253)
SIZES = (0, 1, 253, 254, 255, 300)
WITH_ZERO = (b"\x00", b"\x02\x11\x00", b"\xff" + b"\x07" * 254 + b"\x00")


def codecs():
    """Return the codecs that this port has: on MicroPython both, for they must not differ."""
    found = [port]
    if port.NAME == "micropython":
        from limpet.port import codec_plain, codec_viper

        found += [codec_plain, codec_viper]
    return found


def encoded(codec, plain, at=0):
    """Return the encoding of `plain`, written at `at`; nothing else may be touched."""
    room = len(plain) + len(plain) // 254 + 2
    target = bytearray(b"\xa5" * (at + room + 3))
    source = bytearray(plain)
    size = codec.cobs_encode(target, at, source, len(plain))
    assert size <= room
    assert bytes(source) == plain
    assert bytes(target[:at]) == b"\xa5" * at
    assert bytes(target[at + room :]) == b"\xa5" * 3
    return bytes(target[at : at + size])


def decoded(codec, wire):
    """Return the decoding of `wire`, None if refused; nothing else may be touched."""
    buf = bytearray(wire + b"\xa5\xa5\xa5")
    size = codec.cobs_decode(buf, len(wire))
    assert bytes(buf[len(wire) :]) == b"\xa5\xa5\xa5"
    return None if size < 0 else bytes(buf[:size])


class TestVectors(unittest.TestCase):
    def test_encode(self):
        """Known data gets the known encoding, wherever it is written."""
        for codec in codecs():
            for what, plain, wire in VECTORS:
                for at in (0, 1, 9):
                    with self.subTest(codec=codec, what=what, at=at):
                        self.assertEqual(encoded(codec, plain, at), wire)

    def test_decode(self):
        """The known encodings give the data back."""
        for codec in codecs():
            for what, plain, wire in VECTORS:
                with self.subTest(codec=codec, what=what):
                    self.assertEqual(decoded(codec, wire[:-1]), plain)

    def test_a_decoder_takes_an_empty_last_block(self):
        """Some encoders end a full run with a block of nothing; it means the same."""
        for codec in codecs():
            wire = b"\xff" + b"\x07" * 254 + b"\x01"
            self.assertEqual(decoded(codec, wire), b"\x07" * 254)

    def test_nothing_decodes_to_nothing(self):
        for codec in codecs():
            self.assertEqual(decoded(codec, b""), b"")

    def test_illegal(self):
        """What no encoder makes is refused with -1; never an exception."""
        for codec in codecs():
            for wire in ILLEGAL + ILLEGAL_LATER + WITH_ZERO:
                with self.subTest(codec=codec, wire=wire):
                    self.assertIsNone(decoded(codec, wire))


class TestRoundTrips(unittest.TestCase):
    def test_every_length_and_density(self):
        """Data of each length comes back, whether it is full of zeros or has none."""
        random = Random(7)
        for size in range(301):
            for zeros in (0, 2, 50, 100):
                plain = bytearray(size)
                for i in range(size):
                    if random.below(100) >= zeros:
                        plain[i] = 1 + random.below(255)
                first = None
                for codec in codecs():
                    wire = encoded(codec, bytes(plain))
                    self.assertEqual(wire.find(b"\x00"), len(wire) - 1)
                    self.assertEqual(decoded(codec, wire[:-1]), bytes(plain))
                    if first is None:
                        first = wire
                    self.assertEqual(wire, first)

    def test_noise(self):
        """Codecs agree on noise without delimiters, legal or not."""
        random = Random(8)
        refused = 0
        for _ in range(2000):
            top = (255, 20, 4)[random.below(3)]
            wire = bytes([1 + random.below(top) for _ in range(random.below(40))])
            answers = [decoded(codec, wire) for codec in codecs()]
            for answer in answers:
                self.assertEqual(answer, answers[0])
            if answers[0] is None:
                refused += 1
            else:
                self.assertTrue(len(answers[0]) <= len(wire))
        self.assertTrue(100 < refused < 1900)


class TestChecks(unittest.TestCase):
    def test_known_answers(self):
        """The CRC is CCITT's: 0x29B1 for the usual nine digits, 0x31C3 from zero."""
        for codec in codecs():
            self.assertEqual(codec.crc16(b"123456789", 0, 9, 0xFFFF), 0x29B1)
            self.assertEqual(codec.crc16(b"123456789", 0, 9, 0), 0x31C3)
            self.assertEqual(codec.crc16(b"", 0, 0, 0x1234), 0x1234)

    def test_parts(self):
        """A CRC can be continued, and takes exactly buf[start:end]."""
        data = bytearray([i * 7 & 255 for i in range(80)])
        for codec in codecs():
            whole = codec.crc16(data, 3, 77, 0x5A5A)
            self.assertEqual(codec.crc16(data, 20, 77, codec.crc16(data, 3, 20, 0x5A5A)), whole)
            self.assertEqual(codec.crc16(bytes(data[3:77]), 0, 74, 0x5A5A), whole)
            self.assertEqual(codec.crc16(memoryview(data), 3, 77, 0x5A5A), whole)

    def test_a_frame_checks_to_zero(self):
        """With the CRC behind the data, high byte first, the CRC of it all is 0."""
        data = bytearray(b"limpet..")
        for codec in codecs():
            crc = codec.crc16(data, 0, 6, 0xBEEF)
            data[6] = crc >> 8
            data[7] = crc & 255
            self.assertEqual(codec.crc16(data, 0, 8, 0xBEEF), 0)


class TestCopy(unittest.TestCase):
    def copies(self):
        return [codec.copy for codec in codecs()]

    def test_between_buffers(self):
        """Bytes go from any kind of buffer to the place, and nowhere else."""
        for copy in self.copies():
            for source in (b"abcdef", bytearray(b"abcdef"), memoryview(b"abcdef")):
                target = bytearray(b"........")
                copy(target, 3, source, 1, 4)
                self.assertEqual(bytes(target), b"...bcde.")
                copy(memoryview(target), 0, source, 5, 1)
                self.assertEqual(bytes(target), b"f..bcde.")
                copy(target, 8, source, 6, 0)
                self.assertEqual(bytes(target), b"f..bcde.")

    def test_within_one_buffer(self):
        """Source and target may overlap, either way."""
        for copy in self.copies():
            buf = bytearray(b"abcdef")
            copy(buf, 0, buf, 2, 4)
            self.assertEqual(bytes(buf), b"cdefef")
            buf = bytearray(b"abcdef")
            copy(buf, 2, buf, 0, 4)
            self.assertEqual(bytes(buf), b"ababcd")


class TestAllocation(unittest.TestCase):
    def test_nothing_is_allocated(self):
        """No codec of MicroPython takes memory, nor do copies: empty, short, long input."""
        for codec in codecs():
            for count in SIZES:
                with self.subTest(codec=codec, count=count):
                    self.check(codec, count)

    def check(self, codec, count):
        data = bytearray([i % 9 * 7 for i in range(count)])
        wire = bytearray(count + 9)
        size = codec.cobs_encode(wire, 0, data, count)
        crc16, copy = codec.crc16, codec.copy
        encode, decode = codec.cobs_encode, codec.cobs_decode
        self.assertEqual(cost(lambda: crc16(data, 0, count, 0xFFFF)), "")
        self.assertEqual(cost(lambda: encode(wire, 0, data, count)), "")
        self.assertEqual(cost(lambda: decode(wire, size - 1)), "")
        self.assertEqual(cost(lambda: copy(wire, 3, data, 0, count)), "")


if __name__ == "__main__":
    unittest.main()
