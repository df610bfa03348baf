# SPDX-License-Identifier: MIT
"""The keyed mode against Python's own hmac: digests, HELOs, sessions and frames of any size."""

import hmac

from hypothesis import given, settings
from hypothesis import strategies as st

from limpet.auth import Auth, Hmac
from limpet.rand import Random

KEYS = st.binary(min_size=16, max_size=64)
NONCES = st.binary(min_size=8, max_size=8)
EPOCHS = st.integers(1, 0x3FFFFFFF)
COUNTERS = st.integers(0, 0x3FFFFFFE)


def oracle(key, data):
    return hmac.digest(key, data, "sha256")


def auth(key):
    return Auth(key, Random(1).next)


@given(st.binary(max_size=64), st.binary(max_size=300), st.data())
def test_digests(key, text, data):
    k = data.draw(st.integers(0, len(text)))
    rest = bytearray(text[k:] + b"more")
    assert Hmac(key).digest(text[:k], rest, len(text) - k) == oracle(key, text)


@given(KEYS, st.binary(max_size=72), NONCES, NONCES, st.binary(max_size=5))
def test_helos(key, packet, nonce, echo, behind):
    hello = bytearray(packet + bytes(24) + behind)
    size = auth(key).sign_helo(hello, len(packet), nonce, echo)
    assert hello[:size] == packet + nonce + echo + oracle(key, packet + nonce + echo)[:8]
    assert hello[size:] == behind
    reader = auth(key)
    assert reader.check_helo(hello, len(packet), len(hello))
    assert (reader.their_nonce, reader.echo_nonce) == (nonce, echo)


@given(KEYS, EPOCHS, NONCES, EPOCHS, NONCES, st.binary(min_size=1, max_size=255), COUNTERS)
def test_sessions(key, epoch, nonce, their_epoch, their_nonce, packet, counter):
    if epoch == their_epoch:
        their_epoch ^= 1
    mine = epoch.to_bytes(4, "big") + nonce
    theirs = their_epoch.to_bytes(4, "big") + their_nonce
    lower, higher = (mine, theirs) if epoch < their_epoch else (theirs, mine)
    secret = oracle(key, b"limpet 1" + lower + higher)
    key_out = oracle(secret, b"<" if mine == lower else b">")
    sealed = packet + (counter & 0xFFFF).to_bytes(2, "big")
    sealed += oracle(key_out, counter.to_bytes(4, "big") + packet)[:8]

    sender = auth(key)
    sender.offer(epoch, nonce, their_epoch, their_nonce)
    sender.adopt()
    sender._session.sent = counter
    buf = bytearray(packet + bytes(10))
    assert sender.seal(buf, len(packet)) == len(sealed)
    assert buf == sealed

    receiver = auth(key)
    receiver.offer(their_epoch, their_nonce, epoch, nonce)
    receiver.adopt()
    receiver._session.highest = max(-1, counter - 0x8000)
    assert receiver.open(sealed, len(sealed), False) == len(packet)
    assert receiver.open(sealed, len(sealed), False) == -2
    assert sender.open(sealed, len(sealed), False) == -1


@given(st.binary(max_size=300), st.booleans())
def test_garbage_is_refused_and_nothing_is_raised(data, candidate):
    receiver = auth(bytes(16))
    assert receiver.open(data, len(data), candidate) == -1
    receiver.offer(1, bytes(8), 2, bytes(8))
    if not candidate:
        receiver.adopt()
    assert receiver.open(data, len(data), candidate) == -1
    for at in (0, 27, 72):
        assert not receiver.check_helo(data, at, len(data))


@settings(max_examples=30)
@given(st.lists(st.integers(-40, 70), max_size=150), st.integers(0, 0x3FFF0000))
def test_counters_against_a_set(steps, base):
    receiver = auth(bytes(16))
    receiver.offer(1, bytes(8), 2, bytes(8))
    receiver.adopt()
    keys = receiver._session
    keys.highest = base
    keys.seen = 1
    taken, highest = {base}, base
    for step in steps:
        counter = max(0, highest + step)
        fits = counter > highest - 30 and counter not in taken
        assert keys.whole(counter & 0xFFFF) == counter
        assert keys.accept(counter) == fits
        taken.add(counter)
        highest = max(highest, counter)
