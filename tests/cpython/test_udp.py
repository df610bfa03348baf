# SPDX-License-Identifier: MIT
"""Links over real UDP: between processes and VMs, over a bad network; peers that come and go."""

import heapq
import random
import select
import socket
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path

import pytest

import vms
from limpet import Bus, NoReply
from limpet.host.udp_socket import UDPSocket
from limpet.port import open_device, ticks_ms
from limpet.port import udp as port_udp
from limpet.transport.udp import UDPDriver

LIMIT_S = 10  # nothing here takes so long, unless it is broken
LOCAL = "127.0.0.1"
NODE = Path(__file__).with_name("udp_node.py")
KEY = bytes(range(16))


def free_ports(count):
    """Return numbers of ports that nobody uses now."""
    made = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(count)]
    for one in made:
        one.bind((LOCAL, 0))
    numbers = [one.getsockname()[1] for one in made]
    for one in made:
        one.close()
    return numbers


@pytest.fixture
def ports():
    """Two free ports."""
    return free_ports(2)


@pytest.fixture
def make_bus():
    """A function that makes buses, which are closed in the end."""
    made = []

    def make(node, *drivers, **options):
        bus = Bus(node=node)
        made.append(bus)
        for driver in drivers:
            bus.join(driver, **options)
        bus.start()
        return bus

    yield make
    for bus in made:
        bus.close()


def wait_until(done):
    until = time.monotonic() + LIMIT_S
    while not done():
        assert time.monotonic() < until, "took too long"
        time.sleep(0.005)


def driver(numbers, side):
    """Return the driver of one side of a pair of ports."""
    return UDPDriver((LOCAL, numbers[1 - side]), bind=(LOCAL, numbers[side]))


def serve_echo(bus, name="$.Echo"):
    ks = bus.ksock()
    seen = []

    @ks.replier(name)
    def echo(msg):
        seen.append(msg.data)
        return b"<" + msg.data + b">"

    return seen


def ask(bus, name="$.Echo", rounds=20):
    bus.wait_for_replier(name, timeout_ms=LIMIT_S * 1000)
    ks = bus.ksock()
    for number in range(rounds):
        assert ks.call(name, b"%d" % number).data == b"<%d>" % number
    ks.close()


# Between processes.

VMS = {"cpython": None, **{f"unix{b}": b for b in vms.BITS if vms.launcher(b).exists()}}


def start_node(name, *arguments):
    bits = VMS[name]
    command = [sys.executable if bits is None else str(vms.vm(bits)), str(NODE), *arguments]
    environment = None if bits is None else vms.environment()
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=environment, stdout=pipe, stderr=pipe, text=True)


@pytest.mark.parametrize(
    ("near", "far"), [(a, b) for a in VMS for b in VMS if a != b or a in ("cpython", "unix32")]
)
def test_two_processes(near, far, ports):
    """Whatever VMs they run on, and whoever starts first: each frame is right, one session."""
    a, b = (str(number) for number in ports)
    nodes = [start_node(near, "ask", a, b), start_node(far, "serve", b, a)]
    try:
        said = [node.communicate(timeout=LIMIT_S) for node in nodes]
    finally:
        for node in nodes:
            node.kill()
            node.wait()
    assert said[0][0] == "OK 1 0\n", said
    assert [node.returncode for node in nodes] == [0, 0], said


# Over a bad network.


class Proxy:
    """Stands between two ports: loses, doubles and delays datagrams by chance, so that many are
    overtaken."""

    def __init__(self, seed, loss, double, delay_ms):
        self.chance = random.Random(seed)
        self.loss, self.double, self.delay_s = loss, double, delay_ms / 1000
        self.counts = {"passed": 0, "lost": 0, "doubled": 0, "overtaken": 0}
        self.ends = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
        for end in self.ends:
            end.bind((LOCAL, 0))
            end.setblocking(False)
        self.ports = [end.getsockname()[1] for end in self.ends]
        self.targets = [None, None]
        self.stopped = False
        self.thread = threading.Thread(target=self.run)

    def run(self):
        waiting = []
        sent = [0, 0]
        number = 0
        while not self.stopped:
            now = time.monotonic()
            while waiting and waiting[0][0] <= now:
                _, order, side, data = heapq.heappop(waiting)
                self.counts["overtaken"] += order < sent[side]
                sent[side] = max(sent[side], order)
                self.ends[1 - side].sendto(data, self.targets[1 - side])
            for end in select.select(self.ends, [], [], 0.001)[0]:
                side = self.ends.index(end)
                data, self.targets[side] = end.recvfrom(4096)
                if self.chance.random() < self.loss or self.targets[1 - side] is None:
                    self.counts["lost"] += 1
                    continue
                copies = 1 + (self.chance.random() < self.double)
                self.counts["passed"] += 1
                self.counts["doubled"] += copies - 1
                for _ in range(copies):
                    number += 1
                    due = now + self.chance.random() * self.delay_s
                    heapq.heappush(waiting, (due, number, side, data))

    def stop(self):
        self.stopped = True
        self.thread.join(LIMIT_S)
        for end in self.ends:
            end.close()


@pytest.fixture
def make_proxy():
    made = []

    def make(*arguments):
        made.append(Proxy(*arguments))
        made[-1].thread.start()
        return made[-1]

    yield make
    for one in made:
        one.stop()


@pytest.mark.parametrize("key", [None, KEY])
def test_a_bad_network(make_bus, make_proxy, key):
    """Lost, doubled and overtaken datagrams: each request once, announcements in order."""
    proxy = make_proxy(7, 0.05, 0.1, 6)
    near = make_bus(1, UDPDriver((LOCAL, proxy.ports[0]), bind=(LOCAL, 0)), key=key)
    far = make_bus(2, UDPDriver((LOCAL, proxy.ports[1]), bind=(LOCAL, 0)), key=key)
    seen = serve_echo(far)
    listener, teller = near.ksock(queue_size=64), far.ksock()
    listener.bind("$.Count")
    near.wait_for_replier("$.Echo", timeout_ms=LIMIT_S * 1000)
    wait_until(lambda: teller.announce("$.Count", b"0") and listener.wait_for_msg(20))
    numbers = []
    asker = near.ksock()
    for number in range(100):
        teller.announce("$.Count", b"%d" % (number + 1))
        assert asker.call("$.Echo", b"%d" % number).data == b"<%d>" % number
        while (msg := listener.next()) is not None:
            numbers.append(int(msg.data))
    while not numbers or numbers[-1] < 100:
        numbers.append(int(listener.wait_for_msg(LIMIT_S * 1000).data))
    assert seen == [b"%d" % number for number in range(100)]
    assert numbers[-100:] == list(range(1, 101))
    assert min(proxy.counts.values()) > 5, proxy.counts
    assert [bus.limpets[0].link.stats.sessions for bus in (near, far)] == [1, 1]


# Peers that come and go.


def test_a_peer_that_starts_late(make_bus, ports):
    """Until then, what the network says is counted; nothing is lost but datagrams."""
    ours = driver(ports, 0)
    near = make_bus(1, ours)
    wait_until(lambda: ours.unreachable > 1)
    assert ours.is_open and near.limpets[0].link.stats.device_lost == 0
    serve_echo(make_bus(2, driver(ports, 1)))
    ask(near)


def test_a_peer_that_starts_again(make_bus, ports):
    """Its bus is a new one: the link comes up again, and requests find it."""
    near = make_bus(1, driver(ports, 0))
    for number in range(3):
        far = Bus(node=2)
        far.join(driver(ports, 1))
        far.start()
        serve_echo(far, f"$.Echo{number}")
        ask(near, f"$.Echo{number}")
        far.close()
    assert near.limpets[0].link.stats.sessions == 3


def test_a_network_that_goes_and_comes(make_bus, ports, monkeypatch):
    """The socket is opened again every 500 ms, from the same port, until that works."""
    ours = driver(ports, 0)
    near = make_bus(1, ours)
    serve_echo(make_bus(2, driver(ports, 1)))
    ask(near)
    down = [True]

    class Down(socket.socket):
        def connect(self, address):
            if down[0]:
                raise OSError(101, "Network is unreachable")
            super().connect(address)

    class Dead:
        def fileno(self):
            return -1

        def recv_into(self, buf):
            raise OSError(101, "Network is unreachable")

        def close(self):
            pass

    monkeypatch.setattr(port_udp.socket, "socket", Down)
    with near.waiter.lock:
        ours._opened._socket.close()
        ours._opened._socket = Dead()
    wait_until(lambda: not ours.is_open)
    time.sleep(0.6)
    assert not ours.is_open
    assert near.limpets[0].link.stats.device_lost == 1
    down[0] = False
    wait_until(lambda: ours.is_open)
    assert ours._opened._socket.getsockname() == (LOCAL, ports[0])
    ask(near)


def test_the_port_of_before_is_kept():
    """A socket that chose its port keeps it when it is opened again, if it is still free."""
    stream = open_device("udp", {"peer": (LOCAL, 9)})
    before = stream._socket.getsockname()[1]
    stream.close()
    stream.reopen()
    assert stream._socket.getsockname()[1] == before
    stream.close()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind((LOCAL, before))
        with pytest.raises(OSError):
            stream.reopen()
        assert stream.reopen()
        assert stream._socket.getsockname()[1] != before
        stream.close()


# Many peers on one socket.


def test_many_peers_on_one_socket(make_bus):
    """Each has its own link; the socket is read once for all."""
    numbers = free_ports(7)
    shared = UDPSocket((LOCAL, numbers[0]))
    drivers = [UDPDriver((LOCAL, number), socket=shared) for number in numbers[1:]]
    hub = make_bus(1, *drivers)
    for i, number in enumerate(numbers[1:]):
        there = UDPDriver((LOCAL, numbers[0]), bind=(LOCAL, number))
        serve_echo(make_bus(10 + i, there), f"$.Echo{i}")
    for i in range(6):
        ask(hub, f"$.Echo{i}")
    assert shared.strangers == 0
    assert all(one.stream is None for one in drivers)  # one file to sleep on, the socket's
    assert [limpet.link.peer_node for limpet in hub.limpets] == [10, 11, 12, 13, 14, 15]
    hub.close()
    assert shared._socket is None  # so another program may have it
    other = UDPDriver((LOCAL, 9), bind=(LOCAL, numbers[0]))
    other.open()
    other.close()


def test_one_reader(monkeypatch):
    """A turn in which nothing comes looks at the socket once, however many share it."""
    shared = UDPSocket((LOCAL, 0))
    with Bus(node=1) as bus:
        drivers = [UDPDriver((LOCAL, 1 + i), socket=shared) for i in range(5)]
        for one in drivers:
            bus.join(one)
        bus.runner.turn()
        looks = []
        receive = shared._socket.receive
        monkeypatch.setattr(shared._socket, "receive", lambda buf: looks.append(1) or receive(buf))
        bus.runner.turn()
        assert len(looks) == 1
        drivers[0].close()
        drivers[0]._retry_at = ticks_ms()
        bus.runner.turn()
        assert len(looks) == 2
        assert drivers[0].is_open  # again, and now another one reads
        assert shared._users[0] is drivers[1]


def test_strangers_on_a_shared_socket(make_bus, ports):
    """Garbage of any size from anywhere is dropped and counted; the link does not notice."""
    shared = UDPSocket((LOCAL, ports[0]))
    near = make_bus(1, UDPDriver((LOCAL, ports[1]), socket=shared))
    serve_echo(make_bus(2, driver(ports, 1)))
    ask(near)
    chance = random.Random(3)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        for size in [0, 1, 2, 27, 100, 255, 2047, 2048, 2049, 9000, 60000]:
            for _ in range(5):
                stranger.sendto(chance.randbytes(size), (LOCAL, ports[0]))
                ask(near, rounds=1)
    stats = near.limpets[0].link.stats
    assert shared.strangers == 50  # empty ones are nothing
    assert (stats.sessions, stats.rx_bad, stats.rx_overlong) == (1, 0, 0)


def test_garbage_from_the_peer_itself(make_bus):
    """Long, empty and random datagrams from the right address cost no session."""
    sender, numbers = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), free_ports(2)
    near = make_bus(1, driver(numbers, 0))
    far_driver = driver(numbers, 1)
    serve_echo(make_bus(2, far_driver))
    ask(near)
    chance = random.Random(4)
    for size in (0, 1, 20, 300, 2047, 2048, 2500, 5000, 60000):
        for data in (chance.randbytes(size), b"\1" * size):
            far_driver._opened._socket.send(data)
        ask(near, rounds=3)
    stats = near.limpets[0].link.stats
    assert stats.sessions == 1 and stats.rx_bad + stats.rx_overlong > 5
    sender.close()


def test_one_driver_for_an_address():
    shared = UDPSocket((LOCAL, 0))
    first = UDPDriver((LOCAL, 7400), socket=shared)
    first.open()
    with pytest.raises(OSError, match="has a driver on this socket"):
        UDPDriver((LOCAL, 7400), socket=shared).open()
    first.close()
    assert shared._socket is None
    with pytest.raises(ValueError, match="bind the socket"):
        UDPDriver((LOCAL, 7400), bind=(LOCAL, 1), socket=shared)


def test_one_bus_for_a_socket(make_bus):
    """Two threads would read it."""
    shared = UDPSocket((LOCAL, 0))
    make_bus(1, UDPDriver((LOCAL, 7400), socket=shared))
    with pytest.raises(ValueError, match="belongs to one bus"):
        make_bus(2, UDPDriver((LOCAL, 7401), socket=shared))


# Refusals and warnings.


def test_a_name_that_nobody_has(monkeypatch):
    def refuse(*arguments):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(port_udp.socket, "getaddrinfo", refuse)
    with pytest.raises(OSError, match="no host of that name: .*nowhere.*is it right"):
        open_device("udp", {"peer": ("nowhere", 7400)})
    with pytest.raises(OSError, match="no host of that name"):
        open_device("udp", {"peer": ("nowhere", 7400)})


def test_no_network(monkeypatch):
    def refuse(self, address):
        raise OSError(101, "Network is unreachable")

    monkeypatch.setattr(port_udp.UDPStream, "reopen", lambda self: refuse(self, None))
    with pytest.raises(OSError, match="no way to .*: is the network there"):
        open_device("udp", {"peer": ("192.0.2.9", 7400)})


def test_a_group_that_is_none():
    with pytest.raises(OSError, match="cannot use"):
        open_device("udp", {"group": (LOCAL, 7399), "interface": LOCAL})


@pytest.mark.parametrize(
    ("address", "local"),
    [("127.0.0.1", True), ("127.8.9.1", True), ("192.168.1.9", False), ("::1", True)]
    + [("fe80::1%eth0", False), ("::ffff:127.0.0.1", False)],
)
def test_what_is_loopback(address, local):
    assert port_udp._is_loopback((address, 7400)) is local


def test_the_warning():
    """Whoever runs the program is told, as other libraries tell."""
    stream = open_device("udp", {"peer": (LOCAL, 7400)})
    with pytest.warns(RuntimeWarning, match="without a key"):
        stream.warn("UDP without a key")
    stream.close()


def test_a_shared_socket_warns_once(monkeypatch):
    shared = UDPSocket((LOCAL, 0))
    drivers = [UDPDriver((LOCAL, 7400 + i), socket=shared) for i in range(3)]
    monkeypatch.setattr(UDPSocket, "is_local", lambda self, address: False)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with Bus(node=1) as bus:
            for one in drivers:
                bus.join(one)
            assert all(one.is_exposed for one in drivers)
            bus.close()
    assert len(caught) == 1
    assert "without a key" in str(caught[0].message)


def test_a_key_keeps_the_warning_away(monkeypatch):
    monkeypatch.setattr(port_udp, "_is_loopback", lambda address: False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with Bus(node=1) as bus:
            one = UDPDriver((LOCAL, 7400))
            bus.join(one, key=KEY)
            assert not one.is_exposed
        with Bus(node=1) as bus, pytest.raises(RuntimeWarning):
            bus.join(UDPDriver((LOCAL, 7400)))


def test_a_request_to_who_has_gone(make_bus, ports):
    """The silence limit tells, as on every link."""
    near = make_bus(1, driver(ports, 0))
    far = Bus(node=2)
    far.join(driver(ports, 1))
    far.start()
    serve_echo(far)
    ask(near)
    far.close()
    ks = near.ksock()
    start = ticks_ms()
    with pytest.raises(NoReply):
        while True:
            ks.call("$.Echo", b"x")
    assert ticks_ms() - start < 5000
