# SPDX-License-Identifier: MIT
"""CRC-16, frames and block copies: known answers, round trips, bad input; each codec here."""

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
SIZES = (0, 1, 250, 251, 252, 253, 300)
WITH_ZERO = (b"\x00", b"\x02\x11\x00", b"\xff" + b"\x07" * 254 + b"\x00")


def codecs():
    """Return the codecs that this port has: on MicroPython two, which must not differ."""
    if port.NAME == "micropython":
        from limpet.port import codec_plain, codec_viper

        return [codec_viper, codec_plain]
    from limpet.port import codec

    return [codec]


def cobs(plain):
    """Return COBS of `plain` and its delimiter, as the paper has it: block by block."""
    wire = bytearray()
    block = bytearray()
    for b in plain:
        if len(block) == 254:
            wire.append(255)
            wire.extend(block)
            block = bytearray()
        if b:
            block.append(b)
        else:
            wire.append(len(block) + 1)
            wire.extend(block)
            block = bytearray()
    wire.append(len(block) + 1)
    return bytes(wire + block + b"\x00")


def sealed(codec, packet, start, at=0):
    """Return the frame of `packet`, written at `at`; nothing else may be touched."""
    room = len(packet) + (len(packet) + 2) // 254 + 4
    out = bytearray(b"\xa5" * (at + room + 3))
    source = bytearray(packet)
    size = codec.seal(out, at, source, len(packet), start)
    assert source == packet
    assert bytes(out[:at]) == b"\xa5" * at
    assert bytes(out[at + size :]) == b"\xa5" * (room + 3 - size)
    return bytes(out[at : at + size])


def unsealed(codec, wire, start):
    """Return what unseal() says, and all bytes that it has decoded, with the check."""
    buf = bytearray(wire + b"\xa5\xa5\xa5")
    size = codec.unseal(buf, len(wire), start)
    assert bytes(buf[len(wire) :]) == b"\xa5\xa5\xa5"
    return size, b"" if size == -1 else bytes(buf[: size + 2 if size >= 0 else -size])


def decoded(codec, wire):
    """Return the decoding of `wire`, None if refused."""
    size, plain = unsealed(codec, wire, 0x5A5A)
    return None if size == -1 else plain


def with_check(codec, packet, start):
    """Return a packet with its check behind it."""
    check = codec.crc16(packet, 0, len(packet), start) ^ 0xFFFF
    return bytes(packet) + bytes([check >> 8, check & 255])


class TestVectors(unittest.TestCase):
    def test_the_oracle(self):
        """What encodes for these tests gives the known answers itself."""
        for what, plain, wire in VECTORS:
            with self.subTest(what=what):
                self.assertEqual(cobs(plain), wire)

    def test_encode(self):
        """Known data gets its encoding with its check in it, wherever it is written."""
        for codec in codecs():
            for what, plain, _ in VECTORS:
                for at in (0, 1, 9):
                    with self.subTest(codec=codec, what=what, at=at):
                        frame = cobs(with_check(codec, plain, 0xBEEF))
                        self.assertEqual(sealed(codec, plain, 0xBEEF, at), frame)

    def test_decode(self):
        """The known encodings give the data back, as far as two bytes could be a check."""
        for codec in codecs():
            for what, plain, wire in VECTORS:
                with self.subTest(codec=codec, what=what):
                    expected = plain if len(plain) > 1 else None
                    self.assertEqual(decoded(codec, wire[:-1]), expected)

    def test_a_decoder_takes_an_empty_last_block(self):
        """Some encoders end a full run with a block of nothing; it means the same."""
        for codec in codecs():
            wire = b"\xff" + b"\x07" * 254 + b"\x01"
            self.assertEqual(decoded(codec, wire), b"\x07" * 254)

    def test_illegal(self):
        """What no encoder makes is refused with -1; never an exception."""
        for codec in codecs():
            for wire in ILLEGAL + ILLEGAL_LATER + WITH_ZERO:
                with self.subTest(codec=codec, wire=wire):
                    self.assertIsNone(decoded(codec, wire))


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


class TestFrames(unittest.TestCase):
    def test_a_known_frame(self):
        """The check of nine digits, 0x29B1, stands behind them, inverted."""
        for codec in codecs():
            wire = sealed(codec, b"123456789", 0xFFFF)
            self.assertEqual(wire, b"\x0c123456789\xd6\x4e\x00")
            self.assertEqual(unsealed(codec, wire[:-1], 0xFFFF)[0], 9)

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
                plain = with_check(port, packet, start)
                frame = cobs(plain)
                for codec in codecs():
                    self.assertEqual(sealed(codec, packet, start, size % 3), frame)
                    self.assertEqual(unsealed(codec, frame[:-1], start), (size, plain))

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
                    self.assertEqual(unsealed(codec, wire[:-1], start)[0], 6)
            self.assertEqual(seen, 511)

    def test_another_start(self):
        """A wrong check tells how much was decoded, and leaves it there for another try."""
        for codec in codecs():
            for size in (0, 1, 40, 252, 253, 300):
                plain = with_check(codec, bytes([i * 7 & 255 for i in range(size)]), 0x1234)
                wire = cobs(plain)[:-1]
                self.assertEqual(unsealed(codec, wire, 0x1235), (-size - 2, plain))

    def test_damage(self):
        """No frame with a byte changed passes."""
        for codec in codecs():
            wire = sealed(codec, b"\x82\x42\x00\x07 some data", 0xBEEF)[:-1]
            for at in range(len(wire)):
                for change in (1, 0x80, 0xFF):
                    broken = bytearray(wire)
                    broken[at] ^= change
                    self.assertTrue(codec.unseal(broken, len(wire), 0xBEEF) < 0)

    def test_no_frames(self):
        """What is no COBS, or too short for a check, is -1 from any start."""
        for codec in codecs():
            for wire in (b"", b"\x01", b"\x02\x11", b"\x01\x01") + ILLEGAL:
                for start in (0, 0x1D0F, 0xFFFF):
                    with self.subTest(codec=codec, wire=wire):
                        self.assertEqual(codec.unseal(bytearray(wire), len(wire), start), -1)

    def test_noise(self):
        """Codecs agree on noise without delimiters; what is legal is encoded as it came."""
        random = Random(10)
        refused = 0
        for _ in range(2000):
            top = (255, 20, 4)[random.below(3)]
            wire = bytes([1 + random.below(top) for _ in range(random.below(40))])
            answers = [unsealed(codec, wire, 0x5A5A) for codec in codecs()]
            size, plain = answers[0]
            for answer in answers:
                self.assertEqual(answer, answers[0])
            if size == -1:
                refused += 1
            else:
                self.assertTrue(size == -len(plain) or size == len(plain) - 2)
                self.assertEqual(cobs(plain)[:-1], wire)
        self.assertTrue(100 < refused < 1950)


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
        seal, unseal = codec.seal, codec.unseal
        size = seal(wire, 0, data, count, 0xBEEF)
        self.assertEqual(cost(lambda: seal(wire, 0, data, count, 0xBEEF)), "")
        self.assertEqual(cost(lambda: unseal(wire, size - 1, 0xBEEF)), "")


if __name__ == "__main__":
    unittest.main()
