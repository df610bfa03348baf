# SPDX-License-Identifier: MIT
"""The model of T-MIN behaves as T-MIN does: its frames, and what was measured of the original."""

import pytest

from bench import tmin
from bench.line import Kind

# Share of the line, by size and baud, at 0, 1 and 5 % of frames lost; the receiver takes 1 ms at
# the most. Measured of the original, in runs of 30 s.
MEASURED = {
    (200, 115200): (0.11, 0.11, 0.11),
    (200, 921600): (0.94, 0.84, 0.58),
    (32, 115200): (0.74, 0.71, 0.60),
    (32, 921600): (0.74, 0.35, 0.14),
}


def test_a_frame():
    """Three 0xAA, header, payload, CRC-32, 0x55: eleven bytes beside the payload."""
    wire = tmin.frame(0x80, 7, b"abc")
    assert wire == b"\xaa\xaa\xaa\x80\x07\x03abc\xc5\x82\x5e\x55\x55"
    assert tmin.parse(wire) == (0x80, 7, b"abc")


def test_two_bytes_of_a_header_are_stuffed():
    wire = tmin.frame(0x80, 1, b"\xaa\xaa\xaa\xaa\xaa")
    assert wire[6:13] == b"\xaa\xaa\x55\xaa\xaa\x55\xaa"
    assert tmin.parse(wire) == (0x80, 1, b"\xaa" * 5)
    assert tmin.parse(tmin.frame(0xFF, 0xAA, b"")) == (0xFF, 0xAA, b"")


def test_damage_is_seen():
    wire = tmin.frame(0x80, 9, bytes(range(150, 200)))
    for at in range(len(wire)):
        for change in (1, 0x80, 0xFF):
            broken = bytearray(wire)
            broken[at] ^= change
            assert tmin.parse(bytes(broken)) is None


@pytest.mark.parametrize(("size", "baud"), MEASURED)
def test_it_reaches_what_the_original_reached(size, baud):
    kind = Kind(baud, work_us=500, jitter_us=500)
    for loss, share in zip((0, 0.01, 0.05), MEASURED[size, baud]):
        found = tmin.saturated(kind._replace(loss=loss), size, 20_000_000)
        assert abs(found - share) <= 0.035, (loss, found)


def test_it_is_its_timer_that_costs_it_the_slow_line():
    """With a timer that suits, or a port that queues little, it fills the line as well."""
    kind = Kind(work_us=500, jitter_us=500)
    assert tmin.saturated(kind, 200, 10_000_000, resend_ms=250) > 0.93
    assert tmin.saturated(kind, 200, 10_000_000, queued_max=256) > 0.93


def test_each_frame_has_an_ack_of_its_own():
    forward, back = tmin.paced(Kind(), 8, 10_000, 5_000_000)
    assert forward == pytest.approx(11, abs=0.1)
    assert back == pytest.approx(12, abs=0.1)


def test_everything_arrives_in_order():
    pair = tmin.Pair(Kind(loss=0.2), 3)
    sent = [bytes([i & 255, i >> 8, 170, 170]) for i in range(600)]
    pair.one.queue.extend(sent)
    assert pair.line.run(600_000_000, lambda: len(pair.two.got) == len(sent))
    assert pair.two.got == sent
    assert pair.one.repeated > 50


def test_a_payload_comes_back():
    times = tmin.requests(Kind(), 16, 20, (20_000, 80_000))
    assert times[0] >= 2 * (27 * 10_000_000 // 115200 + 1100) and times[-1] < 12_000
