# SPDX-License-Identifier: MIT
"""What two buses get over a line: bytes per announcement, goodput, how long a request takes.

Rules: virtual time, so a figure depends on the code and the seed only. A run that reads another
sequence of messages than was sent is an error, never a figure.
"""

from __future__ import annotations

from typing import NamedTuple

from limpet import MessageView
from limpet.link import UP

from .line import Kind
from .line_bus import BusEnd, Pair

_NAME = "$.A.B"
_ASKED = "$.A.Q"
_AHEAD = 24  # messages that wait for the line while it is to be saturated
_EAGAIN = 11


class Traffic(NamedTuple):
    """What a run has brought. us: its time; messages: read; bytes: sent each way, both sides."""

    us: int
    messages: int
    forward: int
    back: int
    repeated: int  # frames sent once more
    timeouts: int

    def goodput(self, size: int, baud: int) -> float:
        """Return the share of the line that the messages' data took."""
        return self.messages * size * 10_000_000 / (self.us * baud)


def _message(number: int, size: int) -> bytes:
    """Return a message whose bytes tell which one it is."""
    return (number.to_bytes(4, "big") + bytes((number * 7 + i) & 255 for i in range(4, size)))[
        :size
    ]


class _Listener:
    """Reads at one side all that comes, and insists on its order."""

    def __init__(self, end: BusEnd, size: int) -> None:
        self.size = size
        self.count = 0
        self._ksock = end.bus.ksock(120)
        self._ksock.bind(_NAME)
        self._view = MessageView()

    def read(self) -> None:
        """Read all that is there."""
        view = self._view
        take = self._ksock.hot.take
        while take(view) != -_EAGAIN:
            if view.missed or bytes(view.data[: view.size]) != _message(self.count, self.size):
                raise RuntimeError(f"message {self.count} is not what was sent")
            self.count += 1
        self._ksock.hot.release()


class _Speaker:
    """Announces at one side; `saturate` keeps its limpet's queue filled."""

    def __init__(self, end: BusEnd, size: int) -> None:
        self.size = size
        self.count = 0
        self._end = end
        self._ksock = end.bus.ksock()
        self._name = end.bus.name(_NAME)

    def say(self) -> None:
        """Announce one more."""
        self._ksock.hot.announce(self._name, _message(self.count, self.size))
        self.count += 1

    def saturate(self) -> None:
        """Announce as many as the limpet's queue is to hold."""
        queue = self._end.limpet.hot
        for _ in range(_AHEAD - queue.count):
            self.say()


def _pair(kind: Kind, seed: int, size: int) -> tuple[Pair, _Speaker, _Listener]:
    pair = Pair(kind, seed)
    listener = _Listener(pair.sides[1], size)
    pair.sides[1].apps.append(listener.read)
    pair.connect()
    return pair, _Speaker(pair.sides[0], size), listener


def _run(pair: Pair, listener: _Listener, us: int) -> Traffic:
    line = pair.line
    link = pair.sides[0].link
    sent = [wire.bytes for wire in line.wires]
    stats = link.stats
    before = (listener.count, stats.tx_retransmit, stats.tx_timeout)
    sessions = stats.sessions
    line.run(us)
    if link.state != UP or stats.sessions != sessions:
        raise RuntimeError("the session ended within a run")
    forward, back = (wire.bytes - was for wire, was in zip(line.wires, sent))
    return Traffic(
        us,
        listener.count - before[0],
        forward,
        back,
        stats.tx_retransmit - before[1],
        stats.tx_timeout - before[2],
    )


def saturated(kind: Kind, size: int, us: int, seed: int = 1) -> Traffic:
    """Announce messages of `size` bytes as fast as the line takes them."""
    pair, speaker, listener = _pair(kind, seed, size)
    try:
        pair.sides[0].apps.append(speaker.saturate)
        pair.sides[0].wake_us = pair.line.now_us
        pair.line.run(1_000_000)
        return _run(pair, listener, us)
    finally:
        pair.close()


def paced(kind: Kind, size: int, period_us: int, us: int, seed: int = 1) -> Traffic:
    """Announce a message each `period_us`."""
    pair, speaker, listener = _pair(kind, seed, size)
    line, end = pair.line, pair.sides[0]

    def say() -> None:
        speaker.say()
        end.wake_us = line.now_us
        line.after(period_us, say)

    try:
        say()
        line.run(1_000_000)
        traffic = _run(pair, listener, us)
        if abs(traffic.messages - us / period_us) > 4:
            raise RuntimeError("messages were lost or late")
        return traffic
    finally:
        pair.close()


class _Bulk:
    """Fills what the requests leave of the line: packets of a service, bulk and reliable."""

    _SERVICE = 20
    _SIZE = 200

    def __init__(self, sender: BusEnd, receiver: BusEnd) -> None:
        self.count = 0
        self._tile = sender.bus.tile
        self._neighbour = sender.limpet.neighbour
        self._data = bytes(i & 255 for i in range(self._SIZE))
        self._channel = receiver.bus.tile.open(self._SERVICE, 4096)
        self._packet = bytearray(256)

    def send(self) -> None:
        """Send as much as there is room for."""
        while self._tile.send(self._neighbour, self._SERVICE, self._data, bulk=True) > 0:
            pass

    def read(self) -> None:
        """Take all that has come."""
        while self._channel.take(self._packet):
            self.count += 1


class _Asker:
    """Asks, waits for the answer, pauses, and asks again; notes how long each answer took."""

    def __init__(self, pair: Pair, size: int, pause_us: tuple[int, int]) -> None:
        self.took_us: list[int] = []
        self._line = pair.line
        self._end = pair.sides[0]
        self._data = bytes(range(1, size + 1))
        self._pause_us = pause_us
        self._asked_us = -1
        self._ksock = self._end.bus.ksock()
        self._name = self._end.bus.name(_ASKED)
        self._view = MessageView()

    def ask(self) -> None:
        """Send a request."""
        if self._ksock.hot.request(self._name, self._data) < 0:
            raise RuntimeError("a request was refused")
        self._asked_us = self._end.wake_us = self._line.now_us

    def read(self) -> None:
        """Read the answer, if it has come."""
        if self._asked_us >= 0 and self._ksock.hot.take(self._view) != -_EAGAIN:
            if bytes(self._view.data[: self._view.size]) != self._data:
                raise RuntimeError("a request got another answer than its reply")
            self.took_us.append(self._line.now_us - self._asked_us)
            self._asked_us = -1
            self._ksock.hot.release()
            self._line.after(self._line.random.randint(*self._pause_us), self.ask)


class _Replier:
    """Replies to each request with its own data."""

    def __init__(self, end: BusEnd) -> None:
        self._ksock = end.bus.ksock()
        self._ksock.bind(_ASKED, replier=True)
        self._view = MessageView()

    def read(self) -> None:
        """Reply to what is there."""
        hot = self._ksock.hot
        while hot.take(self._view) != -_EAGAIN:
            data = bytes(self._view.data[: self._view.size])
            if hot.reply(self._view, data) < 0:
                raise RuntimeError("a reply was refused")


LONE_US = (200_000, 400_000)  # between an answer and the next request
OFTEN_US = (20_000, 80_000)


def requests(
    kind: Kind,
    size: int,
    count: int,
    seed: int = 1,
    pause_us: tuple[int, int] = LONE_US,
    bulk: int = 0,
) -> list[int]:
    """Return the microseconds that each of `count` lone requests took, sorted.

    bulk: 1: the asker's side fills the rest of the line with bulk; 2: the replier's does, too.
    """
    pair = Pair(kind, seed)
    try:
        one, two = pair.sides
        replier = _Replier(two)
        two.apps.append(replier.read)
        pair.connect()
        asker = _Asker(pair, size, pause_us)
        one.apps.append(asker.read)
        bulks = [_Bulk(one, two), _Bulk(two, one)][:bulk]
        for bulk_one, sender, receiver in zip(bulks, (one, two), (two, one)):
            sender.apps.append(bulk_one.send)
            receiver.apps.append(bulk_one.read)
        one.wake_us = two.wake_us = pair.line.now_us
        pair.line.run(500_000)
        asker.ask()
        limit_us = count * (pause_us[1] + 500_000)
        if not pair.line.run(limit_us, lambda: len(asker.took_us) >= count):
            raise RuntimeError("requests were not answered")
        return sorted(asker.took_us)
    finally:
        pair.close()


def p99(times: list[int]) -> float:
    """Return the 99th percentile of sorted microseconds, in ms."""
    return times[min(len(times) - 1, -(-len(times) * 99 // 100) - 1)] / 1000
