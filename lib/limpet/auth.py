# SPDX-License-Identifier: MIT
"""The keyed mode: who does not know the key gets no session, and puts no frame into one.

Rules: everything made from a key is in this file; nothing here knows links, sessions or time.
Each HELO carries a MAC by the pre-shared key and a challenge (nonce) that the other side has to
give back, so a session's keys are new whenever one of the two nonces is. Each frame carries a
counter and a MAC by its direction's key of that session: what was altered, made up, sent back to
its sender or recorded earlier fails. This mode may allocate. Layout: docs/wire.md.

    HELO    packet up to the compatibility string, nonce 8, echo of the other's nonce 8, MAC 8
    frame   packet, low 16 bits of the counter, MAC 8
    keys    S = HMAC(K, "limpet 1", lower session epoch, its side's nonce, higher one, its nonce)
            frames of the side with the lower epoch: HMAC(S, "<"); of the other one: HMAC(S, ">")
"""

from hashlib import sha256
from struct import pack

from .port import const

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from collections.abc import Callable

NONCE = const(8)
MAC = const(8)
TRAILER = const(10)  # behind a frame's packet: counter and MAC
HELO_EXTRA = const(24)  # behind a HELO's compatibility string: nonce, echo and MAC

_NONCE = const(8)
_MAC = const(8)
_TRAILER = const(10)
_NONCES = const(16)

_KEY_MIN = const(16)
_BLOCK = const(64)  # bytes that SHA-256 takes at a time: HMAC's longest key

_FORGED = const(-1)
_REPLAYED = const(-2)

_WINDOW = const(30)  # counters that may still come, so that the bits fit a small int
_MASK30 = const(0x3FFFFFFF)
_COUNTER_END = const(0x3FFFFFFF)  # no frame has this counter or a higher one


class Hmac:
    """HMAC-SHA256 (RFC 2104) with one key of up to 64 bytes.

    Both padded keys are kept: MicroPython's hashes have no copy(), so each starts from them.
    """

    def __init__(self, key: bytes) -> None:
        self._inner = bytes([b ^ 0x36 for b in key]) + b"\x36" * (_BLOCK - len(key))
        self._outer = bytes([b ^ 0x5C for b in key]) + b"\x5c" * (_BLOCK - len(key))

    def digest(self, head: bytes, data: "bytes | bytearray" = b"", size: int = 0) -> bytes:
        """Return the 32 bytes for head + data[0:size]."""
        inner = sha256(self._inner)
        inner.update(head)
        inner.update(memoryview(data)[:size])
        return sha256(self._outer + inner.digest()).digest()


def _same(mac: bytes, packet: "bytes | bytearray", at: int) -> bool:
    # Looks at all bytes whatever it finds, so that the time tells nobody how many were right.
    difference = 0
    for i in range(_MAC):
        difference |= mac[i] ^ packet[at + i]
    return difference == 0


class _Keys:
    """One session's keys and counters, in both directions."""

    def __init__(self, secret: bytes, lower: bool) -> None:
        session = Hmac(secret)
        self.out = Hmac(session.digest(b"<" if lower else b">"))
        self.into = Hmac(session.digest(b">" if lower else b"<"))
        self.sent = 0  # counter of the next frame out
        self.highest = -1  # counter of a frame that came; bit k of seen: highest - k came, too
        self.seen = 0

    def whole(self, low: int) -> int:
        """Return the counter, from 0 on, with these low 16 bits that is nearest to the highest."""
        counter = self.highest + 1
        ahead = (low - counter) & 0xFFFF
        counter += ahead
        return counter - 0x10000 if ahead >= 0x8000 and counter >= 0x10000 else counter

    def accept(self, counter: int) -> bool:
        """Note a counter; return False if it has come before, or is older than the window."""
        ahead = counter - self.highest
        if ahead > 0:
            self.seen = (self.seen << ahead | 1) & _MASK30 if ahead < _WINDOW else 1
            self.highest = counter
            return True
        if ahead <= -_WINDOW or self.seen >> -ahead & 1:
            return False
        self.seen |= 1 << -ahead
        return True


class Auth:
    """The key of one link and what was made from it.

    key: 16..64 random bytes that both ends know, for this link alone; ValueError otherwise.
    entropy: gives 30 random bits at each call (port.entropy). It must not repeat after a reset:
    a side whose nonce and epoch repeat can be shown an old session once more.
    """

    def __init__(self, key: bytes, entropy: "Callable[[], int]") -> None:
        if not isinstance(key, (bytes, bytearray)) or not _KEY_MIN <= len(key) <= _BLOCK:
            raise ValueError("key is 16..64 random bytes, the same at both ends of the link")
        self._key = Hmac(key)
        self._entropy = entropy
        # What the candidate's keys are made from, and these, once they are needed.
        self._offer: tuple[int, bytes, int, bytes] | None = None
        self._candidate: _Keys | None = None
        self._session: _Keys | None = None
        self.newest = True  # what open() has found right last was the latest so far
        self.nonce = b""  # ours, for the next session epoch
        # Of the latest HELO that check_helo() has found right; zeros: it knows none of ours.
        self.their_nonce = self.echo_nonce = bytes(_NONCE)
        self.renew()

    def renew(self) -> None:
        """Draw a new nonce; the candidate, made with the old one, is forgotten: adopt() first."""
        bits = pack(">3I", self._entropy(), self._entropy(), self._entropy())
        # Each one hangs on those before: with a poor source they still differ until the reset.
        self.nonce = sha256(self.nonce + bits).digest()[:_NONCE]
        self._offer = self._candidate = None

    def sign_helo(self, hello: bytearray, at: int, nonce: bytes, echo_nonce: bytes) -> int:
        """Complete the HELO hello[0:at] with nonces and MAC; return its size, at + 24.

        nonce, echo_nonce: 8 bytes each; an echo of zeros: none of theirs is known.
        """
        hello[at : at + _NONCES] = nonce + echo_nonce
        at += _NONCES
        hello[at : at + _MAC] = self._key.digest(b"", hello, at)[:_MAC]
        return at + _MAC

    def check_helo(self, packet: "bytes | bytearray", at: int, size: int) -> bool:
        """Return whether packet[0:size] is a HELO signed with our key behind packet[0:at].

        If so, `their_nonce` and `echo_nonce` are what it says; otherwise they stay as they were.
        What is behind the MAC is not covered by it, and not looked at.
        """
        end = at + _NONCES
        if size < end + _MAC or not _same(self._key.digest(b"", packet, end), packet, end):
            return False
        self.their_nonce = bytes(packet[at : at + _NONCE])
        self.echo_nonce = bytes(packet[at + _NONCE : end])
        return True

    def offer(self, my_epoch: int, my_nonce: bytes, their_epoch: int, their_nonce: bytes) -> None:
        """Have the session that these would make as the candidate.

        Epochs: session epochs, which differ. Nonces: 8 bytes. Keys are derived when they are
        needed: recorded HELOs, which offer what nobody will take up, may come in masses.
        """
        offer = (my_epoch, my_nonce, their_epoch, their_nonce)
        if offer != self._offer:
            self._offer = offer
            self._candidate = None

    def _derive(self) -> "_Keys | None":
        if self._candidate is None and self._offer is not None:
            my_epoch, my_nonce, their_epoch, their_nonce = self._offer
            lower = my_epoch < their_epoch
            mine = pack(">I", my_epoch) + my_nonce
            theirs = pack(">I", their_epoch) + their_nonce
            secret = self._key.digest(b"limpet 1" + (mine + theirs if lower else theirs + mine))
            self._candidate = _Keys(secret, lower)
        return self._candidate

    def adopt(self) -> None:
        """Make the candidate the session; a frame that open() has found in it stays noted."""
        self._session = self._derive()
        self._offer = self._candidate = None

    def drop(self) -> None:
        """Forget the session; the candidate stays."""
        self._session = None

    def seal(self, packet: bytearray, size: int) -> int:
        """Put counter and MAC behind packet[0:size], which has room; return size + 10.

        Returns -1 when there is no session or its counters are used up: it has to end.
        """
        keys = self._session
        if keys is None or keys.sent >= _COUNTER_END:
            return -1
        counter = keys.sent
        keys.sent += 1
        mac = keys.out.digest(pack(">I", counter), packet, size)
        packet[size] = counter >> 8 & 255
        packet[size + 1] = counter & 255
        packet[size + 2 : size + _TRAILER] = mac[:_MAC]
        return size + _TRAILER

    def open(self, packet: "bytes | bytearray", size: int, candidate: bool) -> int:
        """Check packet[0:size], a packet of at least a byte and its trailer; return size - 10.

        candidate: look with the keys of the session that is offered, not of the one at hand.
        Returns -1 if it was not made with these keys or was altered, -2 if it came before or
        is older than the last 30 counters. What is more than 32768 counters old counts as -1.
        """
        keys = self._derive() if candidate else self._session
        size -= _TRAILER
        if keys is None or size < 1:
            return _FORGED
        counter = keys.whole(packet[size] << 8 | packet[size + 1])
        if counter >= _COUNTER_END or not _same(
            keys.into.digest(pack(">I", counter), packet, size), packet, size + 2
        ):
            return _FORGED
        self.newest = counter > keys.highest
        return size if keys.accept(counter) else _REPLAYED
