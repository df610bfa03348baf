# SPDX-License-Identifier: MIT
"""What the allocation test calls of the drivers, the pump and the port, and the whole way at once.

Rule: a call leaves what it uses as it found it, so that it can be made any number of times.
"""

from limpet import Bus, MessageView
from limpet.port import Waiter, copy, crc16, seal, ticks_ms, unseal
from limpet.stats import Stats
from limpet.ticks import ticks_add
from limpet.transport.loopback import CORRUPT, DELIVER, DUPLICATE, LOSE, TRUNCATE, loopback
from limpet.transport.uart import UARTDriver
from limpet.transport.udp import UDPDriver, ended

DATA = bytes(range(32))


class System:
    """Two buses and a line; the far one has a replier and a listener."""

    def __init__(self):
        self.now_ms = 0x3FFFF000
        self.near = Bus(node=1, seed=1)
        self.far = Bus(node=2, seed=2)
        self.line = loopback(seed=3, delay_ms=1)
        self.near.join(self.line[0])
        self.far.join(self.line[1])
        self.asker = self.near.ksock().hot
        self.replier = self.far.ksock().hot
        self.listener = self.far.ksock().hot
        self.far.bind(self.replier, "$.Q", True)
        self.far.bind(self.listener, "$.A.*", False)
        self.q = self.near.name("$.Q")
        self.a = self.near.name("$.A.B")
        self.view = MessageView()
        self.asked = MessageView()
        self.run(400)
        assert self.near.limpets[0].link.state == self.far.limpets[0].link.state == 1

    def run(self, turns):
        while turns:
            turns -= 1
            self.now_ms = ticks_add(self.now_ms, 1)
            self.near.runner.step(self.now_ms)
            self.far.runner.step(self.now_ms)

    def announce(self):
        assert self.asker.announce(self.a, DATA, 32) > 0
        while self.listener.take(self.view) < 0:
            self.run(1)
        assert self.view[31] == 31 and self.view.id_net == 1
        self.listener.release()

    def request(self):
        assert self.asker.request(self.q, DATA, 32, 0, 5000) > 0
        while self.replier.take(self.asked) < 0:
            self.run(1)
        assert self.replier.reply(self.asked, DATA, 8) > 0
        self.replier.release()
        while self.asker.take(self.view) < 0:
            self.run(1)
        assert self.view.kind == 2 and self.view.sender_net == 2
        self.asker.release()

    def many(self):
        for _ in range(8):
            assert self.asker.announce(self.a, DATA, 32) > 0
        for _ in range(8):
            while self.listener.take(self.view) < 0:
                self.run(1)
        self.listener.release()

    def faulty(self, fate):
        self.line[0].faults = None
        self.line[0].faults = self.fates[fate]
        self.announce()
        self.request()
        self.run(60)
        self.line[0].faults = None

    # A function of the frame's number, so that the first three frames after a change meet it.
    fates = {}


def fate_once(fate):
    """Return a function that lets every fifth frame meet the fate."""

    def decide(index):
        return fate if index % 5 == 0 else DELIVER

    return decide


class Turns:
    """A bus with a timer, and a handler's Ksock that has a message which no handler is for."""

    def __init__(self):
        self.bus = Bus(node=3, seed=3)
        self.ks = self.bus.ksock()
        self.ks.listener("$.Handled")(len)
        self.ks.bind("$.Other")
        self.name = self.bus.name("$.Other")
        self.view = MessageView()
        self.count = 0
        self.bus.every(1, self.tick)

    def tick(self):
        self.count += 1

    def take(self):
        assert self.ks.hot.announce(self.name, DATA, 4) > 0
        self.count = 0
        while self.count < 3:
            self.bus.runner.turn()
        assert not self.bus.runner.writing()
        assert self.ks.hot.take(self.view) == 4
        self.ks.hot.release()


class Stream:
    """A byte stream that takes a part of what is written, and gives it back."""

    def __init__(self):
        self.blocked = False
        self.buf = bytearray(2048)
        self.size = 0
        self.limit = 5

    def fileno(self):
        return -1

    def readinto(self, buf):
        if self.size == 0:
            return None
        copy(buf, 0, self.buf, 0, self.size)
        n = self.size
        self.size = 0
        return n

    def write(self, buf, start, count):
        count = min(count, self.limit, 2048 - self.size)
        copy(self.buf, self.size, buf, start, count)
        self.size += count
        return count

    def queued(self):
        return 0

    def close(self):
        pass


class Wired(UARTDriver):
    """A UARTDriver on a stream of our own."""

    def _open(self):
        self.stream = Stream()


class Datagrams:
    """A socket that takes every other datagram, and gives back what it took, without its end."""

    is_local = True
    blocked = False

    def __init__(self):
        self.buf = bytearray(2048)
        self.size = 0
        self.full = False

    def fileno(self):
        return -1

    def readinto(self, buf):
        if self.size == 0:
            return None
        copy(buf, 0, self.buf, 0, self.size)
        n = self.size
        self.size = 0
        return n - 1

    def write(self, buf, start, count):
        self.full = not self.full
        if self.full:
            return None
        copy(self.buf, 0, buf, start, count)
        self.size = count
        return count


class Posted(UDPDriver):
    """A UDPDriver on a socket of our own."""

    def _open(self):
        self.stream = self._opened = Datagrams()


TAPPED = [0]


def tap(out, buf, start, count, now_ms):
    """Count; a method with as many arguments would allocate."""
    TAPPED[0] += count


class FakeLink:
    """Has one frame of 40 bytes at each turn."""

    state = 1  # a session runs

    def break_off(self, now_ms):
        pass

    def __init__(self):
        self.stats = Stats()
        self.wire_size = 64
        self.window = 8
        self.want = 0

    def feed(self, buf, count, now_ms, at=0):
        return count

    def take(self, out, now_ms):
        if not self.want:
            return 0
        self.want -= 1
        out[38] = 1
        return 40

    def poll(self, now_ms):
        return 0 if self.want else 100


class Port:
    """A uart driver and the functions of the port."""

    def __init__(self):
        self.link = FakeLink()
        self.driver = Wired({"port": "none"})
        self.driver.attach(self.link)
        self.posted = Posted(("none", 1))
        self.posted.attach(self.link)
        self.posted.tap = tap
        self.waiter = Waiter()
        self.plain = bytearray(300)
        self.coded = bytearray(320)

    def pump(self):
        self.link.want = 2
        while self.link.want or self.driver.writing:
            self.driver.pump(5)
            self.driver.due(5)
        self.driver.pump(5)

    def datagrams(self):
        self.link.want = 20
        TAPPED[0] = 0
        while self.link.want or self.posted.writing:
            self.posted.pump(5)
            self.posted.due(5)
        self.posted.pump(5)
        assert TAPPED[0] == 20 * 40 + 20 * 40
        assert ended(self.plain, 300) == 300 and ended(self.plain, 299) == 300

    def codec(self):
        crc16(self.plain, 0, 300, 0xFFFF)
        self.code(0)
        self.code(40)
        self.code(300)
        ticks_ms()

    def code(self, count):
        size = seal(self.coded, 0, self.plain, count, 0xFFFF)
        assert unseal(self.coded, size - 1, 0xFFFF) == count

    def waits(self):
        self.waiter.wake()
        assert self.waiter.wait(1000, False)
        assert not self.waiter.wait(0, True)
        self.waiter.owned()


def calls():
    """Return (what, function) for each call to be made with the heap locked."""
    system = System()
    port = Port()
    turns = Turns()
    found = [
        ("announcement over a link", system.announce),
        ("request over a link", system.request),
        ("many announcements in a frame", system.many),
        ("handlers and timers", turns.take),
        ("idle", lambda: system.run(600)),
        ("uart, pump", port.pump),
        ("udp, pump", port.datagrams),
        ("codec", port.codec),
        ("waiter", port.waits),
    ]
    for name, fate in (
        ("lost", LOSE),
        ("corrupted", CORRUPT),
        ("doubled", DUPLICATE),
        ("cut short", TRUNCATE),
    ):
        System.fates[fate] = fate_once(fate)
        found.append(("frames " + name, lambda fate=fate: system.faulty(fate)))
    return found
