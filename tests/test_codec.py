# SPDX-License-Identifier: MIT
"""CRC-16, COBS, frames and block copies: known answers, round trips, bad input; each codec."""

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
    """Return the codecs that this port has: on MicroPython two, which must not differ."""
    if port.NAME == "micropython":
        from limpet.port import codec_plain, codec_viper

        return [codec_viper, codec_plain]
    from limpet.port import codec

    return [codec]


def cobs():
    """Return those that do COBS by itself, too: viper has it in seal() and unseal() only."""
    return [codec for codec in codecs() if hasattr(codec, "cobs_encode")]


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
        for codec in cobs():
            for what, plain, wire in VECTORS:
                for at in (0, 1, 9):
                    with self.subTest(codec=codec, what=what, at=at):
                        self.assertEqual(encoded(codec, plain, at), wire)

    def test_decode(self):
        """The known encodings give the data back."""
        for codec in cobs():
            for what, plain, wire in VECTORS:
                with self.subTest(codec=codec, what=what):
                    self.assertEqual(decoded(codec, wire[:-1]), plain)

    def test_a_decoder_takes_an_empty_last_block(self):
        """Some encoders end a full run with a block of nothing; it means the same."""
        for codec in cobs():
            wire = b"\xff" + b"\x07" * 254 + b"\x01"
            self.assertEqual(decoded(codec, wire), b"\x07" * 254)

    def test_nothing_decodes_to_nothing(self):
        for codec in cobs():
            self.assertEqual(decoded(codec, b""), b"")

    def test_illegal(self):
        """What no encoder makes is refused with -1; never an exception."""
        for codec in cobs():
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
                for codec in cobs():
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
            answers = [decoded(codec, wire) for codec in cobs()]
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


def sealed(codec, packet, start, at=0):
    """Return the frame of `packet`, written at `at`; nothing else may be touched."""
    room = len(packet) + (len(packet) + 2) // 254 + 4
    out = bytearray(b"\xa5" * (at + room + 3))
    source = bytearray(packet)
    size = codec.seal(out, at, source, len(packet), start)
    assert source == packet
    assert bytes(out[:at]) == b"\xa5" * at and bytes(out[at + size :]) == b"\xa5" * (
        room + 3 - size
    )
    return bytes(out[at : at + size])


def unsealed(codec, wire, start):
    """Return what unseal() says, and as many bytes as it has decoded, without the check."""
    buf = bytearray(wire + b"\xa5\xa5\xa5")
    size = codec.unseal(buf, len(wire), start)
    assert bytes(buf[len(wire) :]) == b"\xa5\xa5\xa5"
    return size, bytes(buf[: size if size >= 0 else max(-size - 2, 0)])


class TestFrames(unittest.TestCase):
    def test_a_known_frame(self):
        """The check of nine digits, 0x29B1, stands behind them, inverted."""
        for codec in codecs():
            wire = sealed(codec, b"123456789", 0xFFFF)
            self.assertEqual(wire, b"\x0c123456789\xd6\x4e\x00")
            self.assertEqual(unsealed(codec, wire[:-1], 0xFFFF), (9, b"123456789"))

    def test_every_length_and_density(self):
        """A frame is COBS of packet and check, whatever is zero in them; it comes back whole."""
        random = Random(9)
        for size in range(301):
            for zeros in (0, 2, 50, 100):
                packet = bytearray(size)
                for i in range(size):
                    if random.below(100) >= zeros:
                        packet[i] = 1 + random.below(255)
                start = random.below(0x10000)
                for codec in codecs():
                    check = codec.crc16(packet, 0, size, start) ^ 0xFFFF
                    plain = bytes(packet) + bytes([check >> 8, check & 255])
                    wire = sealed(codec, packet, start, size % 3)
                    self.assertEqual(wire, encoded(cobs()[0], plain))
                    self.assertEqual(unsealed(codec, wire[:-1], start), (size, bytes(packet)))

    def test_checks_with_zeros(self):
        """Either byte of the check may be zero, or both: of all starts some are so."""
        packet = b"limpet"
        for codec in codecs():
            seen = 0
            for start in range(0x10000):
                check = codec.crc16(packet, 0, 6, start) ^ 0xFFFF
                if check < 256 or not check & 255:
                    wire = sealed(codec, packet, start)
                    seen += 1
                    self.assertEqual(wire.find(b"\x00"), len(wire) - 1)
                    self.assertEqual(unsealed(codec, wire[:-1], start), (6, packet))
            self.assertEqual(seen, 511)

    def test_another_start(self):
        """A wrong check tells how much was decoded, and leaves it there for another try."""
        for codec in codecs():
            for size in (0, 1, 40, 252, 253, 300):
                packet = bytes([i * 7 & 255 for i in range(size)])
                wire = sealed(codec, packet, 0x1234)[:-1]
                self.assertEqual(unsealed(codec, wire, 0x1235), (-size - 2, packet))

    def test_damage(self):
        """No frame with a byte changed passes."""
        for codec in codecs():
            wire = sealed(codec, b"\x82\x42\x00\x07 some data", 0xBEEF)[:-1]
            for at in range(len(wire)):
                for change in (1, 0x80, 0xFF):
                    broken = bytearray(wire)
                    broken[at] ^= change
                    size = codec.unseal(broken, len(wire), 0xBEEF)
                    self.assertTrue(size < 0)

    def test_no_frames(self):
        """What is no COBS, or too short for a check, is -1 from any start."""
        short = (b"", b"\x01", b"\x02\x11", b"\x01\x01")
        for codec in codecs():
            for wire in short + ILLEGAL + ILLEGAL_LATER + WITH_ZERO[:2]:
                for start in (0, 0x1D0F, 0xFFFF):
                    with self.subTest(codec=codec, wire=wire):
                        self.assertEqual(codec.unseal(bytearray(wire), len(wire), start), -1)

    def test_noise(self):
        """Codecs agree on noise without delimiters."""
        random = Random(10)
        for _ in range(2000):
            top = (255, 20, 4)[random.below(3)]
            wire = bytes([1 + random.below(top) for _ in range(random.below(40))])
            answers = [unsealed(codec, wire, 0x5A5A) for codec in codecs()]
            plain = decoded(cobs()[0], wire)
            size = -1 if plain is None or len(plain) < 2 else -len(plain)
            for answer in answers:
                self.assertEqual(answer, answers[0])
                self.assertTrue(answer[0] == size or answer[0] == -size - 2)


class TestCopy(unittest.TestCase):
    def copies(self):
        return [port.copy] + [codec.copy for codec in codecs() if hasattr(codec, "copy")]

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
        crc16, copy = codec.crc16, getattr(codec, "copy", port.copy)
        self.assertEqual(cost(lambda: crc16(data, 0, count, 0xFFFF)), "")
        self.assertEqual(cost(lambda: copy(wire, 3, data, 0, count)), "")
        if codec in cobs():
            encode, decode = codec.cobs_encode, codec.cobs_decode
            size = encode(wire, 0, data, count)
            self.assertEqual(cost(lambda: encode(wire, 0, data, count)), "")
            self.assertEqual(cost(lambda: decode(wire, size - 1)), "")
        seal, unseal = codec.seal, codec.unseal
        size = seal(wire, 0, data, count, 0xBEEF)
        self.assertEqual(cost(lambda: seal(wire, 0, data, count, 0xBEEF)), "")
        self.assertEqual(cost(lambda: unseal(wire, size - 1, 0xBEEF)), "")


if __name__ == "__main__":
    unittest.main()
