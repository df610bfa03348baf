# SPDX-License-Identifier: MIT
"""Counters: of one link, the same whatever carries it, and the base that limpets' share.

Rules: counting never raises and never allocates; a counter stops just below 2**30 instead of
wrapping. What is counted here has been dealt with; nobody has to act on it.
"""

from .port import const

_MAX = const(0x3FFFFFFF)


class Counters:
    """Attributes that count."""

    def count(self, name: str, more: int = 1) -> None:  # hot:
        """Add to the counter `name`."""
        value = getattr(self, name)
        setattr(self, name, value + more if value < _MAX - more else _MAX)


class Stats(Counters):
    """One link's counters, by name."""

    rx_bytes: int  # bytes that the driver has read
    tx_bytes: int  # bytes that the driver has written
    device_lost: int  # times that the device disappeared
    rx_frames: int  # frames that were right and of this session, HELO included
    tx_frames: int  # frames built, HELO included
    rx_bad: int  # no legal COBS, wrong check, malformed, or another session's
    rx_forged: int  # keyed: right check, but no or a wrong authentication code
    rx_replayed: int  # keyed: the code was right once, but this frame has come before
    rx_overlong: int  # runs of bytes without a delimiter that no frame can have
    rx_duplicate: int  # reliable frames that had come before
    rx_unknown: int  # right frames that nobody here serves
    rx_closed: int  # MFMT packets of a neighbour that is not compatible
    rx_trailing: int  # packets with bytes behind what this version knows, which it ignored
    rx_dropped: int  # right packets that found no room, or were held for too long
    tx_retransmit: int  # reliable frames sent once more
    tx_timeout: int  # of these: a timer ran out, instead of a later frame being acknowledged
    tx_dropped: int  # packets of services that a session's end took back
    acks_sent: int  # null frames sent: acks, also to keep alive
    probes_sent: int  # of these: asked a full neighbour for its credit
    helo_sent: int
    helo_received: int
    helo_refused: int  # a twin's, another protocol version's, our own echo, or a mismatch
    sessions: int  # sessions begun
    closes: int  # of these: closed by the neighbour in good order
    events_lost: int  # Tile Event Packets dropped because nobody took them

    def __init__(self) -> None:
        for name in NAMES:
            setattr(self, name, 0)


NAMES = (
    "rx_bytes tx_bytes device_lost rx_frames tx_frames rx_bad rx_forged rx_replayed rx_overlong "
    "rx_duplicate rx_unknown rx_closed rx_trailing rx_dropped tx_retransmit tx_timeout tx_dropped "
    "acks_sent probes_sent helo_sent helo_received helo_refused sessions closes events_lost"
).split()
