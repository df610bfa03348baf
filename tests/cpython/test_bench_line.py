# SPDX-License-Identifier: MIT
"""The line in virtual time: what it does to frames, and that buses on it are measured honestly."""

import pytest

from bench import line_bus, link_bus
from bench.line import NEVER, Kind, Line
from limpet.hot import Hot


class Recorder:
    """An end that writes down what arrives, and sends what it is given when the wire is free."""

    def __init__(self, line, side):
        self.line, self.side = line, side
        self.wake_us = NEVER
        self.got = []
        self.queue = []

    def arrive(self, frame):
        self.got.append((self.line.now_us, frame))

    def turn(self):
        self.wake_us = NEVER
        if self.queue:
            if self.line.is_free(self.side):
                self.line.put(self.side, self.queue.pop(0))
            self.wake_us = self.line.wires[self.side].free_us

    def send(self, *frames):
        self.queue += frames
        self.wake_us = self.line.now_us


def ends(kind, seed=1):
    line = Line(kind, seed)
    line.ends = [Recorder(line, 0), Recorder(line, 1)]
    return line, *line.ends


EXACT = Kind(115200, prop_us=100, work_us=1000, jitter_us=0)


def test_a_byte_takes_ten_bits():
    """A frame arrives when its last byte has, and the receiver has had its time."""
    line, one, two = ends(EXACT)
    one.send(b"x" * 115)
    line.run(1_000_000)
    assert two.got == [(115 * 10_000_000 // 115200 + 1100, b"x" * 115)]
    assert line.now_us == 1_000_000 and line.wires[0].bytes == 115


def test_frames_wait_for_the_wire():
    """The second one is sent when the first one has gone, not when it has arrived."""
    line, one, two = ends(Kind(1_000_000, prop_us=50_000, work_us=0, jitter_us=0))
    one.send(b"a" * 100, b"b" * 100, b"c" * 100)
    line.run(2500)
    assert line.wires[0].frames == 3 and not two.got
    line.run(100_000)
    assert [when for when, _ in two.got] == [51_000, 52_000, 53_000]


def test_a_receiver_takes_its_time_and_keeps_the_order():
    """Each frame waits for 1 to 2 ms, and none overtakes another."""
    line, one, two = ends(Kind(12_000_000))
    one.send(*[bytes([i]) * 12 for i in range(200)])
    line.run(1_000_000)
    assert [frame[0] for _, frame in two.got] == list(range(200))
    delays = [when - 10 * (i + 1) - 100 for i, (when, _) in enumerate(two.got)]
    assert min(delays) >= 1000 and max(delays) <= 2000
    assert max(delays) - min(delays) > 500


def test_damage_is_one_byte_of_a_frame_and_no_delimiter():
    line, one, two = ends(EXACT._replace(loss=0.3))
    frame = bytes(range(1, 100)) + b"\0"
    one.send(*[frame] * 400)
    line.run(60_000_000)
    wrong = [got for _, got in two.got if got != frame]
    assert len(two.got) == 400 and len(wrong) == line.wires[0].damaged
    assert 80 <= len(wrong) <= 160
    for got in wrong:
        assert len(got) == 100 and got[-1] == 0 and 0 not in got[:-1]
        assert sum(a != b for a, b in zip(got, frame)) <= 1


def test_datagrams_are_lost_doubled_and_overtaken():
    kind = Kind(10_000_000, 0.1, 100, 100, 0, datagrams=True, double=0.1, late=0.1, late_us=5000)
    line, one, two = ends(kind)
    frames = [i.to_bytes(2, "big") * 50 for i in range(1000)]
    one.send(*frames)
    line.run(10_000_000)
    numbers = [int.from_bytes(frame[:2], "big") for _, frame in two.got]
    assert all(frame in frames for _, frame in two.got)
    assert 60 <= 1000 - len(set(numbers)) <= 140
    assert 60 <= len(numbers) - len(set(numbers)) <= 140
    assert any(b < a for a, b in zip(numbers, numbers[1:]))


def test_hooks_come_at_their_time():
    line, _, _ = ends(EXACT)
    seen = []
    line.after(500, lambda: seen.append(line.now_us))
    line.after(100, lambda: line.after(100, lambda: seen.append(line.now_us)))
    assert not line.run(1000)
    assert seen == [200, 500]
    assert line.run(1000, lambda: True) and line.now_us == 1000


def test_an_end_that_is_always_due_is_found_out():
    line, one, _ = ends(EXACT)
    one.wake_us = 0
    one.turn = lambda: None
    with pytest.raises(RuntimeError, match="due for ever"):
        line.run(1000)


def test_a_run_depends_on_its_seed_alone():
    kind = Kind(loss=0.05)
    once = link_bus.saturated(kind, 200, 2_000_000, 5)
    assert once == link_bus.saturated(kind, 200, 2_000_000, 5)
    assert once != link_bus.saturated(kind, 200, 2_000_000, 6)
    assert link_bus.requests(kind, 16, 20, 5) == link_bus.requests(kind, 16, 20, 5)


def test_what_an_announcement_costs():
    """8 bytes travel in a frame of their own; nothing that the line carried is left out."""
    traffic = link_bus.paced(Kind(), 8, 10_000, 5_000_000)
    assert 499 <= traffic.messages <= 501
    per_message = traffic.forward / traffic.messages - 8
    assert 8 <= per_message <= 11.1  # a frame without any record has 8
    assert 0.5 <= traffic.back / traffic.messages <= 2


def test_goodput_stays_below_what_the_line_can_carry():
    """No frame has less than 8 bytes beside its data, and what is damaged brings nothing."""
    traffic = link_bus.saturated(Kind(), 200, 5_000_000)
    assert 0.9 < traffic.goodput(200, 115200) <= 200 / 209
    lossy = link_bus.saturated(Kind(loss=0.2), 200, 5_000_000)
    assert 0.5 < lossy.goodput(200, 115200) < 0.85
    assert lossy.repeated > 30


def test_a_request_takes_as_long_as_its_bytes_at_least():
    """Two frames of 16 bytes with their headers, and each receiver's 1.1 ms."""
    times = link_bus.requests(Kind(), 16, 50)
    assert len(times) == 50 and times == sorted(times)
    assert times[0] >= 2 * ((16 + 11) * 10_000_000 // 115200 + 1100)
    assert link_bus.p99(times) == times[49] / 1000
    assert link_bus.p99(list(range(1000, 101000, 1000))) == 99.0


def test_bulk_fills_the_line_behind_requests(monkeypatch):
    """With it a request waits for a frame at the most; the line is busy all the time."""
    pairs = []
    connect = line_bus.Pair.connect

    def noted(self):
        pairs.append(self)
        connect(self)

    monkeypatch.setattr(line_bus.Pair, "connect", noted)
    alone = link_bus.requests(Kind(), 16, 30, pause_us=link_bus.OFTEN_US)
    busy = link_bus.requests(Kind(), 16, 30, pause_us=link_bus.OFTEN_US, bulk=1)
    assert busy[15] > alone[15] + 3000
    lines = [pair.line for pair in pairs]
    shares = [line.wires[0].bytes * 10_000_000 / (line.now_us * 115200) for line in lines]
    assert shares[0] < 0.1 and shares[1] > 0.5  # a second of that is before the bulk
    wires = lines[1].wires
    assert wires[0].bytes > 10 * wires[1].bytes  # only acks and replies go back


def test_a_message_lost_is_no_figure(monkeypatch):
    announce = Hot.announce
    count = [0]

    def lossy(self, name, data, *rest):
        count[0] += not rest  # the limpet of the other side announces, too
        return 1 if count[0] == 40 and not rest else announce(self, name, data, *rest)

    monkeypatch.setattr(Hot, "announce", lossy)
    with pytest.raises(RuntimeError, match="message 39 is not what was sent"):
        link_bus.saturated(Kind(), 32, 1_000_000)


def test_a_line_that_breaks_is_no_figure():
    pair, _, listener = link_bus._pair(Kind(), 1, 8)
    try:
        pair.line.kind = Kind(loss=1.0)
        with pytest.raises(RuntimeError, match="session ended"):
            link_bus._run(pair, listener, 10_000_000)
    finally:
        pair.close()
