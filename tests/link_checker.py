# SPDX-License-Identifier: MIT
"""Two links that are fed numbered payloads, and a judge who knows only the promise.

Rules: a payload says who made it, which one it is of all that side ever made, which one of its
session, and is filled by these numbers. So each that comes shows by itself whether it is whole,
new, and the next one of its session: nothing twice, stale, out of order, or missing in between.
Each end has a clock of its own, in ms; faults and times come from one seed, as in helpers_link.
"""

from helpers_link import START_MS, Line
from limpet.link import Link
from limpet.port import NAME
from limpet.rand import Random
from limpet.ticks import ticks_add

# MicroPython takes every fifth case of long tables: the same code, less often.
STEP = 1 if NAME == "cpython" else 5

_HEAD = 9  # side, number (4), number in the session (4)


def payload(side, number, index, size):
    """Return what `side` says as its `number`, `index` of the session, in `size` bytes."""
    head = bytes([side]) + number.to_bytes(4, "big") + index.to_bytes(4, "big")
    return head + bytes([(number * 7 + 13 * side + index) & 255]) * (size - _HEAD)


class Talker:
    """A client that says `left` payloads, of `size` bytes, and judges what it hears."""

    def __init__(self, side, judge):
        self.side = side
        self.judge = judge
        self.left = 0  # payloads to say, -1 = for ever
        self.size = 60
        self.number = 0  # said so far, over all sessions
        self.said = 0  # in this session
        self.heard = 0  # in this session
        self.total = 0  # heard, over all sessions
        self.log = []  # sessions: + begun, - ended

    def ready(self):
        return self.left != 0

    def fill(self, buf, start, end):
        if not self.left:
            return 0
        if self.left > 0:
            self.left -= 1
        size = min(end - start, self.size)
        buf[start : start + size] = payload(self.side, self.number, self.said, size)
        self.number += 1
        self.said += 1
        return size

    def receive(self, buf, start, end):
        self.total += 1
        self.judge.hear(self, bytes(buf[start:end]))

    def connected(self):
        self.said = self.heard = 0
        self.log.append("+")

    def disconnected(self):
        self.log.append("-")
        if self.log[-2:] != ["+", "-"]:
            self.judge.fault("an end without a beginning")


class Judge:
    """Collects what breaks the promise, as short sentences."""

    def __init__(self):
        self.faults = []
        self._latest = [-1, -1]  # number of what each side heard last

    def fault(self, sentence):
        if sentence not in self.faults:
            self.faults.append(sentence)

    def hear(self, app, data):
        """Judge what `app` has heard."""
        number = int.from_bytes(data[1:5], "big")
        index = int.from_bytes(data[5:9], "big")
        if data[0] != 1 - app.side:
            self.fault("from the wrong side")
        elif data != payload(data[0], number, index, len(data)):
            self.fault("damaged")
        elif number <= self._latest[app.side]:
            self.fault("twice or out of order")
        elif index != app.heard:
            self.fault("not the next of this session")
        app.heard += 1
        self._latest[app.side] = max(number, self._latest[app.side])


class Nobody:
    """What is at an end that has no power."""

    state = 0

    def feed(self, buf, count, now_ms):
        return count

    def take(self, out, now_ms):
        return 0

    def poll(self, now_ms):
        return 60000


class Clocks(Line):
    """A Line whose ends have clocks of their own: `clocks`, ms at the beginning."""

    def __init__(self, seed, make, **options):
        self.clocks = [START_MS, START_MS]
        self.side = 0
        Line.__init__(self, seed, make, **options)

    def now(self):
        return ticks_add(self.clocks[self.side], self.now_us // 1000)

    def _transmit(self, i):
        self.side = i
        return Line._transmit(self, i)

    def _arrive(self, i):
        self.side = i
        Line._arrive(self, i)

    def jump(self, i, ms):
        """Let the clock at end i jump."""
        self.clocks[i] = ticks_add(self.clocks[i], ms)
        self.wake[i] = self.now_us


class Bench:
    """Two Talkers on a Clocks line; `options`: of both links, or a list with those of each."""

    line_class = Clocks

    def __init__(self, seed=1, options=None, line=None, client=Talker):
        self.judge = Judge()
        self.apps = [client(i, self.judge) for i in range(2)]
        self.options = options if isinstance(options, list) else [options or {}] * 2
        self.line = self.line_class(seed, self._make, **(line or {}))
        self.random = Random(seed + 77)
        self.noise_until = 0

    def _make(self, i, random):
        arguments = {"window": 8}
        arguments.update(self.options[i])
        if "key" in arguments:
            from limpet.auth import Auth

            arguments["auth"] = Auth(arguments.pop("key"), random.next)
        return Link(11 + i, random.next(), Random(random.next()), self.apps[i], **arguments)

    def say(self, i, count, size=60):
        """Let end i say `count` more payloads, -1 = for ever."""
        app = self.apps[i]
        app.left = count if count < 0 else max(app.left, 0) + count
        app.size = size
        self.line.wake[i] = self.line.now_us

    def hush(self):
        """Let both ends say nothing more."""
        for app in self.apps:
            app.left = 0

    def connect(self):
        assert self.line.until(self.line.up, 5000), "does not connect"
        return self

    def arrived(self):
        """Return whether all that was said in the running sessions has been heard."""
        a, b = self.apps
        return a.left == b.left == 0 and (a.said, b.said) == (b.heard, a.heard)

    def remove(self, i):
        """Take the power from end i."""
        self.line.links[i] = Nobody()

    def cut(self, *sides):
        """Cut the wires that carry what these sides send; mend the others."""
        for i in range(2):
            self.line.wires[i].cut = i in sides

    def feed(self, i, data):
        """Let end i read these bytes now."""
        self.line.side = i
        self.line.links[i].feed(bytearray(data), len(data), self.line.now())
        self.line.wake[i] = self.line.now_us

    def noise(self, i, every_us, most=30, until_us=0):
        """Feed end i up to `most` random bytes, each `every_us` on average, for a while."""
        line = self.line
        self.feed(i, [self.random.below(256) for _ in range(1 + self.random.below(most))])
        wait = every_us // 2 + self.random.below(every_us)
        if line.now_us + wait < until_us:
            line.at(wait, lambda: self.noise(i, every_us, most, until_us))

    def flows(self, within_ms=2500, count=20):
        """Return "" if a session is there within that time and carries payloads both ways."""
        self.hush()
        line = self.line
        if not line.until(line.up, within_ms):
            return "no session"
        for i in range(2):
            self.say(i, count)
        if not line.until(self.arrived, 2500):
            return "stuck"
        return "; ".join(self.judge.faults)
