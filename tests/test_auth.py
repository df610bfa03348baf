# SPDX-License-Identifier: MIT
"""The keyed mode's parts: known answers, what is let in once, and all that is not let in.

tests/test_link_keyed.py has what two links make of it.
"""

import unittest
from hashlib import sha256

from limpet.auth import HELO_EXTRA, MAC, NONCE, TRAILER, Auth, Hmac
from limpet.rand import Random

KEY = bytes(range(32))
END = 0x3FFFFFFF  # no frame has this counter
LOW, HIGH = 0x00A15A5A, 0x0B2C3D4E  # session epochs

# RFC 4231 section 4: key, data, HMAC-SHA256 (of case 5 the RFC gives 16 bytes). Keys of more than
# a block, in 6 and 7, stand for their hash; an Auth takes none.
_LONG = sha256(b"\xaa" * 131).digest()
RFC4231 = (
    (
        b"\x0b" * 20,
        b"Hi There",
        "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
    ),
    (
        b"Jefe",
        b"what do ya want for nothing?",
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
    ),
    (
        b"\xaa" * 20,
        b"\xdd" * 50,
        "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
    ),
    (
        bytes(range(1, 26)),
        b"\xcd" * 50,
        "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b",
    ),
    (b"\x0c" * 20, b"Test With Truncation", "a3b6167473100ee06e0c796c2955552b"),
    (
        _LONG,
        b"Test Using Larger Than Block-Size Key - Hash Key First",
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
    ),
    (
        _LONG,
        b"This is a test using a larger than block-size key and a larger than block-size data."
        b" The key needs to be hashed before being used by the HMAC algorithm.",
        "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
    ),
)


def auth(seed=1, key=KEY):
    """Return an Auth whose nonces hang on `seed`."""
    return Auth(key, Random(seed).next)


def offer(a, b, mine=LOW, theirs=HIGH):
    """Let both derive the candidate of one session, as after right HELOs."""
    nonces = a.nonce, b.nonce
    a.offer(mine, nonces[0], theirs, nonces[1])
    b.offer(theirs, nonces[1], mine, nonces[0])


def session(a=None, b=None):
    """Return two Auths in one session."""
    a = a or auth(1)
    b = b or auth(2)
    offer(a, b)
    a.adopt()
    b.adopt()
    return a, b


def frame(sender, packet=b"\x80\x42packet"):
    """Return the packet, sealed."""
    buf = bytearray(packet + b"\xa5" * 12)
    size = sender.seal(buf, len(packet))
    assert size == len(packet) + TRAILER, size
    assert bytes(buf[: len(packet)]) == packet and bytes(buf[size:]) == b"\xa5\xa5"
    return bytes(buf[:size])


def opened(receiver, data, candidate=False):
    """Return what open() says; the frame itself must not be changed."""
    buf = bytearray(data + b"\xa5\xa5")
    size = receiver.open(buf, len(data), candidate)
    assert bytes(buf) == data + b"\xa5\xa5"
    return size


class KnownAnswers(unittest.TestCase):
    def test_rfc_4231(self):
        for key, data, expected in RFC4231:
            with self.subTest(data):
                digest = Hmac(key).digest(b"", data, len(data))
                self.assertEqual(digest[: len(expected) // 2].hex(), expected)

    def test_head_and_data_are_taken_as_one_and_no_further_than_size(self):
        hmac = Hmac(KEY)
        whole = hmac.digest(b"head and data")
        self.assertEqual(hmac.digest(b"head", bytearray(b" and data, and more"), 9), whole)
        self.assertEqual(hmac.digest(b"", b"head and data", 13), whole)

    def test_a_session_made_by_hand(self):
        """Keys and frames as docs/wire.md has them, from nothing but HMACs."""
        a, b = auth(1), auth(2)
        mine, theirs = a.nonce, b.nonce
        session(a, b)
        text = b"limpet 1\x00\xa1\x5a\x5a" + mine + b"\x0b\x2c\x3d\x4e" + theirs
        secret = Hmac(KEY).digest(text)
        for sender, sign in ((a, b"<"), (b, b">")):
            key = Hmac(Hmac(secret).digest(sign))
            frame(sender)
            mac = key.digest(b"\0\0\0\1\x80\x00\x05")[:MAC]
            self.assertEqual(frame(sender, b"\x80\x00\x05"), b"\x80\x00\x05\0\1" + mac)

    def test_a_helo_made_by_hand(self):
        hello = bytearray(b"\x80\x01 a HELO" + bytes(HELO_EXTRA + 2))
        a = auth()
        self.assertEqual(a.sign_helo(hello, 9, b"our own ", b"theirs, "), 9 + HELO_EXTRA)
        text = b"\x80\x01 a HELOour own theirs, "
        self.assertEqual(bytes(hello), text + Hmac(KEY).digest(text)[:MAC] + b"\0\0")


class Keys(unittest.TestCase):
    def test_sizes(self):
        for size in (16, 17, 32, 63, 64):
            session(auth(1, bytes(size)), auth(2, bytes(size)))
        for key in (b"", bytes(15), bytes(65), "0123456789abcdef", 16, None, [0] * 16):
            with self.subTest(key):
                with self.assertRaises(ValueError) as caught:
                    Auth(key, Random(1).next)
                self.assertIn("16..64 random bytes", str(caught.exception))

    def test_a_bytearray_is_copied(self):
        key = bytearray(KEY)
        a = auth(1, key)
        for i in range(len(key)):
            key[i] = 0
        a, b = session(a)
        self.assertEqual(opened(b, frame(a)), 8)

    def test_one_bit_of_the_key_matters(self):
        for i in (0, 15, 31):
            other = bytearray(KEY)
            other[i] ^= 0x10
            a, b = session(None, auth(2, other))
            self.assertEqual(opened(b, frame(a)), -1)
            self.assertEqual(opened(a, frame(b)), -1)

    def test_a_key_padded_with_zeros_is_another_key_unless_hmac_says_it_is_not(self):
        """HMAC pads with zeros: keys that differ in zeros at the end are one. Told in the docs."""
        a, b = session(auth(1, KEY), auth(2, KEY + b"\0"))
        self.assertEqual(opened(b, frame(a)), 8)


class Helos(unittest.TestCase):
    def signed(self, signer, packet=b"\x80\x01\x01rest of it", nonce=None, echo=None):
        hello = bytearray(packet + bytes(HELO_EXTRA))
        size = signer.sign_helo(hello, len(packet), nonce or signer.nonce, echo or bytes(NONCE))
        return bytes(hello[:size])

    def test_right_ones_are_read(self):
        a, b = auth(1), auth(2)
        data = self.signed(a, echo=b"12345678")
        self.assertTrue(b.check_helo(data, 13, len(data)))
        self.assertEqual((b.their_nonce, b.echo_nonce), (a.nonce, b"12345678"))
        self.assertTrue(isinstance(b.their_nonce, bytes))
        self.assertTrue(b.check_helo(bytearray(data + b"later versions"), 13, len(data) + 14))

    def test_each_altered_bit_fails_and_leaves_the_nonces(self):
        a, b = auth(1), auth(2)
        data = bytearray(self.signed(a))
        for i in range(len(data) * 8):
            data[i >> 3] ^= 1 << (i & 7)
            self.assertFalse(b.check_helo(data, 13, len(data)), i)
            data[i >> 3] ^= 1 << (i & 7)
        self.assertEqual((b.their_nonce, b.echo_nonce), (bytes(8), bytes(8)))
        self.assertTrue(b.check_helo(data, 13, len(data)))

    def test_cut_off_or_moved_fails(self):
        a, b = auth(1), auth(2)
        data = self.signed(a)
        for size in range(len(data)):
            self.assertFalse(b.check_helo(data, 13, size))
        for at in (0, 3, 12):
            self.assertFalse(b.check_helo(data, at, len(data)))

    def test_another_key_fails(self):
        data = self.signed(auth(1, bytes(16)))
        self.assertFalse(auth(2).check_helo(data, 13, len(data)))

    def test_no_mac_of_a_session_signs_a_helo(self):
        """Frames are made with other keys, so what a session sends can't pass as a HELO."""
        a, b = session()
        data = frame(a, b"\x80\x01\x01rest of it" + bytes(14))
        self.assertFalse(b.check_helo(data, 13, len(data)))


class Nonces(unittest.TestCase):
    def test_each_is_new(self):
        a = auth()
        seen = [a.nonce]
        for _ in range(50):
            a.renew()
            self.assertEqual(len(a.nonce), NONCE)
            self.assertFalse(a.nonce in seen)
            seen.append(a.nonce)

    def test_also_where_there_is_no_source(self):
        a = Auth(KEY, lambda: 5)
        first = a.nonce
        a.renew()
        self.assertFalse(a.nonce == first)

    def test_more_than_two_numbers_bear_on_one(self):
        """64 bits need three numbers of 30: each of them counts."""
        found = []
        for k in range(4):
            numbers = [1, 2, 3]
            if k < 3:
                numbers[k] += 7
            found.append(Auth(KEY, lambda numbers=numbers: numbers.pop(0)).nonce)
        self.assertEqual(len(set(found)), 4)

    def test_each_part_of_an_offer_makes_other_keys(self):
        a = auth(1)
        told = (LOW, bytes(8), HIGH, b"\x01" * 8)
        a.offer(*told)
        a.adopt()
        data = frame(a)
        for k in range(5):
            b = auth(2)
            theirs = [HIGH, b"\x01" * 8, LOW, bytes(8)]
            if k < 4:
                theirs[k] = theirs[k] + 1 if k in (0, 2) else b"\x02" + theirs[k][1:]
            b.offer(*theirs)
            self.assertEqual(opened(b, data, True), 8 if k == 4 else -1)


class Frames(unittest.TestCase):
    def test_both_ways(self):
        for mine, theirs in ((LOW, HIGH), (HIGH, LOW)):
            a, b = auth(1), auth(2)
            offer(a, b, mine, theirs)
            a.adopt()
            b.adopt()
            for size in (1, 2, 4, 54, 55, 56, 255):
                packet = bytes([0x80 + k & 255 for k in range(size)])
                self.assertEqual(opened(b, frame(a, packet)), size)
                self.assertEqual(opened(a, frame(b, packet)), size)

    def test_each_altered_bit_fails_and_the_true_one_still_passes(self):
        a, b = session()
        data = bytearray(frame(a))
        for i in range(len(data) * 8):
            data[i >> 3] ^= 1 << (i & 7)
            self.assertEqual(opened(b, bytes(data)), -1, i)
            data[i >> 3] ^= 1 << (i & 7)
        self.assertEqual(opened(b, bytes(data)), 8)
        self.assertEqual(opened(b, bytes(data)), -2)

    def test_cut_off_or_longer_fails(self):
        a, b = session()
        data = frame(a)
        for size in range(len(data)):
            self.assertEqual(opened(b, data[:size]), -1)
        self.assertEqual(opened(b, frame(a, b"")), -1)
        self.assertEqual(opened(b, data + b"\0"), -1)
        self.assertEqual(opened(b, b"\0" + data), -1)
        self.assertEqual(opened(b, data), 8)

    def test_reflected_to_its_sender_it_fails(self):
        a, b = session()
        for _ in range(3):
            self.assertEqual(opened(a, frame(a)), -1)
            self.assertEqual(opened(b, frame(b)), -1)

    def test_a_frame_of_an_earlier_session_fails(self):
        a, b = session()
        data = frame(a)
        a.renew()
        session(a, b)  # same epochs, only one side's nonce is another
        self.assertEqual(opened(b, data), -1)
        self.assertEqual(opened(b, frame(a)), 8)

    def test_nothing_without_a_session(self):
        a, b = session()
        data = frame(a)
        fresh = auth(3)
        self.assertEqual(fresh.seal(bytearray(30), 8), -1)
        self.assertEqual(opened(fresh, data), -1)
        self.assertEqual(opened(fresh, data, True), -1)
        a.drop()
        b.drop()
        self.assertEqual(a.seal(bytearray(30), 8), -1)
        self.assertEqual(opened(b, data), -1)


class Candidates(unittest.TestCase):
    def setUp(self):
        self.a, self.b = session()
        self.b.renew()
        self.old = frame(self.a)
        self.other = auth(3)
        offer(self.other, self.b, LOW + 1, HIGH + 1)
        self.other.adopt()

    def test_beside_the_session(self):
        data = frame(self.other)
        self.assertEqual(opened(self.b, data), -1)
        self.assertEqual(opened(self.b, self.old, True), -1)
        self.assertEqual(opened(self.b, self.old), 8)
        self.assertEqual(opened(self.b, data, True), 8)

    def test_the_frame_that_began_a_session_is_not_taken_again(self):
        data = frame(self.other)
        self.assertEqual(opened(self.b, data, True), 8)
        self.b.drop()
        self.b.adopt()
        self.assertEqual(opened(self.b, data), -2)
        self.assertEqual(opened(self.b, frame(self.other)), 8)
        self.assertEqual(opened(self.b, self.old), -1)
        self.assertEqual(opened(self.other, frame(self.b)), 8)

    def test_nor_when_the_same_offer_comes_once_more(self):
        data = frame(self.other)
        self.assertEqual(opened(self.b, data, True), 8)
        offer(self.other, self.b, LOW + 1, HIGH + 1)
        self.assertEqual(opened(self.b, data, True), -2)

    def test_an_offer_replaces_the_one_before(self):
        data = frame(self.other)
        third = auth(4)
        offer(third, self.b, LOW + 2, HIGH + 1)
        third.adopt()
        self.assertEqual(opened(self.b, data, True), -1)
        self.assertEqual(opened(self.b, frame(third), True), 8)

    def test_a_new_nonce_ends_it(self):
        data = frame(self.other)
        self.b.renew()
        self.assertEqual(opened(self.b, data, True), -1)
        self.assertEqual(opened(self.b, self.old), 8)

    def test_after_adopting_there_is_none(self):
        self.b.adopt()
        self.assertEqual(opened(self.b, frame(self.other), True), -1)


class Counters(unittest.TestCase):
    """Which frames are taken, by counter: each once, 30 back from the highest one."""

    def setUp(self):
        self.a, self.b = session()

    def data(self, counter):
        """Return the frame with this counter."""
        self.a._session.sent = counter
        return frame(self.a)

    def takes(self, *counters):
        for counter in counters:
            self.assertEqual(opened(self.b, self.data(counter)), 8, counter)

    def refuses(self, result, *counters):
        for counter in counters:
            self.assertEqual(opened(self.b, self.data(counter)), result, counter)

    def test_in_order(self):
        for counter in range(100):
            self.takes(counter)
            self.refuses(-2, counter)

    def test_gaps_and_what_comes_late(self):
        self.takes(0, 10, 5, 39, 40)
        self.refuses(-2, 0, 10, 5, 39, 40)
        self.takes(11, 12, 38)
        self.refuses(-2, 11, 12, 38, 9, 0)

    def test_the_edge_of_the_window(self):
        self.takes(100, 71)
        self.refuses(-2, 70, 71, 69, 0)
        self.takes(129, 101)
        self.refuses(-2, 100, 99, 98)
        self.takes(159)
        self.refuses(-2, 129)
        self.takes(130)

    def test_any_order_within_the_window(self):
        order = list(range(30))
        random = Random(7)
        for i in range(29, 0, -1):
            k = random.below(i + 1)
            order[i], order[k] = order[k], order[i]
        self.takes(*order)
        self.refuses(-2, *order)

    def test_the_first_may_be_any_early_one(self):
        self.takes(20, 0, 3)
        self.refuses(-2, 0, 3, 20)

    def test_all_the_same_as_a_plain_list(self):
        random = Random(3)
        taken = set()
        highest = -1
        for _ in range(2000):
            counter = max(0, highest + 20 - random.below(70))
            fits = counter > highest - 30 and counter not in taken
            self.assertEqual(opened(self.b, self.data(counter)), 8 if fits else -2)
            taken.add(counter)
            highest = max(highest, counter)

    def test_the_transmitted_half_wraps(self):
        for start in (0xFFF0, 0x1FFF0, 0x3FFEFFF0):
            self.setUp()
            self.b._session.highest = start - 1
            for counter in range(start, start + 32):
                self.takes(counter)
            self.refuses(-2, start, start + 3, start + 31)
            self.takes(start + 60)
            self.takes(start + 40)

    def test_late_ones_across_the_wrap(self):
        self.takes(0xFFFE)
        self.takes(0x10001)
        self.takes(0xFFFF, 0x10000, 0xFFF0)
        self.refuses(-2, 0xFFFE, 0xFFFF, 0x10000, 0x10001, 0xFFF0)

    def test_a_jump(self):
        """Of up to 32768 it finds the way; what is further off can't be told from a forged one."""
        self.takes(0x8000)
        self.takes(0x10000)
        self.refuses(-1, 0x18001)
        self.takes(0x18000)
        self.refuses(-2, 0x10001)
        self.refuses(-1, 0x0FFFF)
        self.setUp()
        self.takes(0xFFFF)  # the first one: there is no lower counter with these bits

    def test_a_forged_frame_moves_nothing(self):
        self.takes(5)
        data = bytearray(self.data(2000))
        data[3] ^= 1
        self.assertEqual(opened(self.b, bytes(data)), -1)
        self.takes(6, 4)

    def test_the_end(self):
        self.b._session.highest = END - 5
        self.takes(END - 3, END - 2, END - 1)
        self.a._session.sent = END
        packet = bytearray(b"12345678" + bytes(12))
        self.assertEqual(self.a.seal(packet, 8), -1)
        self.assertEqual(bytes(packet), b"12345678" + bytes(12))
        self.refuses(-2, END - 1)
        self.a.drop()
        self.a.renew()
        session(self.a, self.b)
        self.takes(0)

    def test_no_frame_has_the_end_as_its_counter(self):
        keys = self.a._session
        self.b._session.highest = END - 5
        for counter in (END, END + 1, END + 0x10000 - 4):
            mac = keys.out.digest(
                bytes([counter >> s & 255 for s in (24, 16, 8, 0)]) + b"\x80\x42"
            )
            data = b"\x80\x42" + bytes([counter >> 8 & 255, counter & 255]) + mac[:MAC]
            self.assertEqual(opened(self.b, data), -1)

    def test_the_state_stays_small(self):
        """Only small ints, whatever came: 30 bits each."""
        random = Random(5)
        counter = 0
        for _ in range(500):
            counter += random.below(40)
            opened(self.b, self.data(counter))
            keys = self.b._session
            self.assertTrue(0 <= keys.seen <= END and keys.seen & 1)
            self.assertTrue(0 <= keys.highest <= END)
