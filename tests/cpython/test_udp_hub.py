# SPDX-License-Identifier: MIT
"""A hub finds its neighbours: by multicast over the loopback interface, or when they speak to it.

Where a machine has no multicast there, a group that is made of single datagrams stands in.
"""

import os
import random
import socket
import time
import warnings

import pytest

from limpet import Bus
from limpet.host import udp_hub as hub_module
from limpet.host.udp_hub import UDPHub
from limpet.port import open_device
from limpet.port.udp import UDPShared
from limpet.transport.udp import UDPDriver

LIMIT_S = 10  # nothing here takes so long, unless it is broken
LOCAL = "127.0.0.1"
GROUP = "239.255.76.81"
KEY = bytes(range(16))


def wait_until(done):
    until = time.monotonic() + LIMIT_S
    while not done():
        assert time.monotonic() < until, "took too long"
        time.sleep(0.005)


def free_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind((LOCAL, 0))
        return int(one.getsockname()[1])


class Group(UDPShared):
    """A member of a group that stands in: what is sent goes to every member."""

    members = []
    opened = 0
    refuse = False  # there is no network
    deaf = False  # nothing gets through

    def __init__(self):
        if Group.refuse:
            raise OSError(19, "no such device")
        super().__init__((LOCAL, 0), None, LOCAL)
        Group.members.append(self)
        Group.opened += 1

    def send(self, buf, start, count, peer):
        for member in list(Group.members):
            if not Group.deaf:
                super().send(buf, start, count, member.address)
        return count

    def close(self):
        super().close()
        if self in Group.members:
            Group.members.remove(self)


@pytest.fixture
def injected(monkeypatch):
    """Have hubs use the group that stands in; return it."""

    def opened(kind, settings):
        return Group() if "group" in settings else open_device(kind, settings)

    monkeypatch.setattr(hub_module, "open_device", opened)
    monkeypatch.setattr(Group, "members", [])
    monkeypatch.setattr(Group, "opened", 0)
    return Group


def has_multicast():
    """Tell whether the loopback interface of this machine carries multicast."""
    settings = {"group": (GROUP, free_port()), "interface": LOCAL}
    try:
        one = open_device("udp", settings)
    except OSError:
        return False
    one.send(bytearray(b"x"), 0, 1, one.address)
    time.sleep(0.02)
    came = one.receive(bytearray(10))
    one.close()
    return came == 1


@pytest.fixture(params=["lo", "injected"])
def group(request):
    """A group to use."""
    if request.param == "injected" or not has_multicast():
        request.getfixturevalue("injected")
    return (GROUP, free_port())


@pytest.fixture
def make_hub():
    """A function that makes a bus with a hub; they end with the test."""
    made = []

    def make(node, group=None, bus=None, **options):
        bus = bus or Bus(node=node)
        made.append(bus)
        options.setdefault("announce_ms", 50)
        options.setdefault("port", 0)
        hub = UDPHub(bus, group=group, bind=LOCAL, interface=LOCAL, **options)
        bus.start()
        return bus, hub

    yield make
    for bus in made:
        bus.close()


def serve_echo(bus, name):
    ks = bus.ksock()
    ks.replier(name)(lambda msg: b"<" + msg.data + b">")


def ask(bus, name, rounds=5):
    bus.wait_for_replier(name, timeout_ms=LIMIT_S * 1000)
    ks = bus.ksock()
    for number in range(rounds):
        assert ks.call(name, b"%d" % number).data == b"<%d>" % number
    ks.close()


def nodes(hub):
    """Return the nodes that a hub is joined with now."""
    links = [limpet.link for limpet in hub.limpets]
    return sorted(link.peer_node for link in links if link.state == 1)


# Finding.


@pytest.mark.parametrize("key", [None, KEY])
def test_two_find_each_other(make_hub, group, key):
    """Each has one limpet, told of once, and no address is known before."""
    told = []
    a, hub_a = make_hub(1, group, key=key, on_join=told.append)
    b, hub_b = make_hub(2, group, key=key)
    serve_echo(a, "$.A")
    serve_echo(b, "$.B")
    ask(a, "$.B")
    ask(b, "$.A")
    time.sleep(0.2)  # some more announcements
    assert told == hub_a.limpets == a.limpets
    assert (nodes(hub_a), nodes(hub_b)) == ([2], [1])
    for hub in (hub_a, hub_b):
        assert (hub.garbage, hub.forged, hub.refused) == (0, 0, 0)


def test_one_too_many(make_hub, group, monkeypatch):
    """There are no more neighbours than that; who stays away makes room."""
    hub_bus, hub = make_hub(1, group, peer_max=2)
    others = [make_hub(10 + i, group)[0] for i in range(3)]
    wait_until(lambda: len(nodes(hub)) == 2 and hub.refused > 5)
    assert len(hub.limpets) == len(hub_bus.limpets) == 2
    (third,) = {10, 11, 12} - set(nodes(hub))
    leaver = nodes(hub)[0]
    others[leaver - 10].close()
    wait_until(lambda: len(nodes(hub)) == 1)
    time.sleep(0.2)
    assert len(nodes(hub)) == 1  # for a while, its place is kept
    monkeypatch.setattr(hub_module, "_AWAY_MS", 200)
    wait_until(lambda: third in nodes(hub))
    assert len(hub.limpets) == len(hub_bus.limpets) == 2
    serve_echo(others[third - 10], "$.Third")
    ask(hub_bus, "$.Third")


def test_who_never_comes_makes_room(make_hub, monkeypatch):
    """A place is lent to an address for some seconds, whoever gave it."""
    bus, hub = make_hub(1, peer_max=1)
    said = hub._announcement(5, 6, 7)
    with bus.waiter.lock:
        hub._announced(said, (LOCAL, 1))
        hub._announced(hub._announcement(8, 6, 9), (LOCAL, 1))
    assert (len(hub.limpets), hub.refused) == (1, 1)
    monkeypatch.setattr(hub_module, "_NEVER_MS", -1)
    other = Bus(node=9)
    other.join(UDPDriver(hub.socket.address))
    other.start()
    wait_until(lambda: nodes(hub) == [9])
    assert len(hub.limpets) == 1
    other.close()


def test_alone(make_hub, group):
    """Our own announcements come back, and are known."""
    _, hub = make_hub(1, group)
    wait_until(lambda: hub._group.unreachable or hub._missed == 0)
    time.sleep(0.3)
    assert hub.limpets == [] and hub._missed <= 1
    assert (hub.garbage, hub.forged) == (0, 0)


def test_a_board_that_knows_the_address(make_hub):
    """Without a group: who speaks to the hub is a neighbour; its first HELO counts."""
    bus, hub = make_hub(1)
    serve_echo(bus, "$.Hub")
    board = Bus(node=2)
    board.join(UDPDriver(hub.socket.address))
    board.start()
    ask(board, "$.Hub")
    assert nodes(hub) == [2]
    assert hub.socket.strangers == 1
    board.close()


def test_a_board_that_comes_from_elsewhere(make_hub):
    """After a reset it has another port: it gets its own limpet again, not one more."""
    bus, hub = make_hub(1, peer_max=1)
    serve_echo(bus, "$.Hub")
    for _ in range(3):
        board = Bus(node=2)
        board.join(UDPDriver(hub.socket.address, bind=(LOCAL, 0)))
        board.start()
        ask(board, "$.Hub")
        board.close()
    assert len(hub.limpets) == 1
    assert hub.limpets[0].link.stats.sessions == 3


def test_a_node_that_is_there(make_hub):
    """A HELO with its node id from elsewhere moves it nowhere, and makes no second limpet."""
    bus, hub = make_hub(1)
    serve_echo(bus, "$.Hub")
    board = Bus(node=9)
    board.join(UDPDriver(hub.socket.address))
    board.start()
    ask(board, "$.Hub")
    helo = a_helo()
    with bus.waiter.lock:
        hub._stranger((LOCAL, 1), bytearray(helo), len(helo), 0)
    ask(board, "$.Hub")
    assert (len(hub.limpets), hub.limpets[0].link.stats.sessions) == (1, 1)
    board.close()


def test_a_twin(make_hub):
    """A second node with our own id is told so, as on any link; it is no echo of ours."""
    bus, hub = make_hub(1)
    twin = Bus(node=1)
    limpet = twin.join(UDPDriver(hub.socket.address))
    twin.start()
    wait_until(lambda: limpet.link.refusal)
    assert len(hub.limpets) == 1
    twin.close()


def test_a_neighbour_that_is_named(make_hub, group):
    """It is not found a second time."""
    port = free_port()
    a, hub_a = make_hub(1, group)
    limpet = hub_a.join((LOCAL, port))
    b, hub_b = make_hub(2, group, port=port)
    wait_until(lambda: nodes(hub_b) == [1] and limpet.link.state == 1)
    time.sleep(0.2)
    assert hub_a.limpets == [] and len(a.limpets) == len(b.limpets) == 1


# Keys.


@pytest.mark.parametrize("keys", [(KEY, None), (KEY, bytes(16))])
def test_who_has_another_key(make_hub, group, keys):
    """No neighbour on either side, by announcements or by HELOs; all that is counted."""
    _, hub_a = make_hub(1, group, key=keys[0])
    _, hub_b = make_hub(2, group, key=keys[1])
    board = Bus(node=3)
    board.join(UDPDriver(hub_a.socket.address), key=keys[1])
    board.start()
    wait_until(lambda: hub_a.forged > 5 and hub_b.forged > 2)
    assert hub_a.limpets == hub_b.limpets == []
    board.close()


def test_a_changed_announcement(make_hub):
    """Every byte is covered by the MAC."""
    _, hub = make_hub(1, key=KEY)
    said = hub._announcement(7, 8, 9)
    for at in range(5, len(said)):
        bad = bytearray(said)
        bad[at] ^= 0x10
        hub._announced(bytes(bad), (LOCAL, 7399))
    assert hub.forged == len(said) - 5
    assert hub.limpets == []
    hub._announced(said, (LOCAL, 7399))
    assert len(hub.limpets) == 1


def test_a_bad_key():
    before = len(os.listdir("/proc/self/fd"))
    with Bus(node=1) as bus, pytest.raises(ValueError, match="16..64"):
        UDPHub(bus, port=0, group=None, key=b"short")
    assert len(os.listdir("/proc/self/fd")) == before


# Garbage.


def a_helo():
    """Return a datagram with a HELO in it, always the same."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ear, Bus(node=9, seed=9) as bus:
        ear.bind((LOCAL, 0))
        ear.settimeout(LIMIT_S)
        bus.join(UDPDriver(ear.getsockname()))
        bus.runner.turn()
        return ear.recv(2048)


def test_garbage(make_hub, group):
    """Random and mutated datagrams to socket and group: counted, and nobody joins."""
    bus, hub = make_hub(1, group)
    _, other = make_hub(2, group)
    wait_until(lambda: nodes(hub) == [2])
    chance = random.Random(5)
    seeds = [a_helo(), hub._announcement(3, 4, 5), b"LMPT\1", bytes(30)]
    garbage = hub.garbage
    with bus.waiter.lock:
        for _ in range(5000):
            data = bytearray(chance.choice(seeds))
            for _ in range(chance.randrange(1, 4)):
                data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
            data += chance.randbytes(chance.choice((0, 0, 1, 200)))
            if seeds[0].strip(b"\0") in data:
                continue  # what was changed is not the frame
            hub._stranger((LOCAL, 1), data, len(data), 0)
            said = bytes(data)
            if len(said) != 15 or said[:5] != b"LMPT\1":
                hub._announced(said, (LOCAL, 1))
    assert hub.garbage - garbage > 8000
    assert len(hub.limpets) == 1
    assert nodes(hub) == [2]
    with bus.waiter.lock:
        hub._stranger((LOCAL, 1), bytearray(seeds[0]), len(seeds[0]), 0)
    assert len(hub.limpets) == 2  # so it was a good one
    assert hub.limpets[1].link.stats.helo_received == 1  # and it counts


def test_garbage_on_the_wire(make_hub, group):
    bus, hub = make_hub(1, group)
    port = hub.socket.address[1]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(LOCAL))
        for size in (0, 1, 15, 600, 3000):
            stranger.sendto(bytes(size), (LOCAL, port))
            stranger.sendto(bytes(size), hub._group.address)
    wait_until(lambda: hub.garbage >= 8)
    assert hub.limpets == []


# Networks that go and come.


def test_a_network_that_goes_and_comes(make_hub, injected):
    """While our own announcements do not come back, the group is joined anew; no exception."""
    _, hub = make_hub(1, (GROUP, 7399))
    time.sleep(0.3)
    assert injected.opened == 1
    injected.deaf = injected.refuse = True
    try:
        wait_until(lambda: hub._group is None)
        time.sleep(0.2)
        injected.refuse = False
        wait_until(lambda: injected.opened >= 2)
    finally:
        injected.deaf = injected.refuse = False
    _, other = make_hub(2, (GROUP, 7399))
    wait_until(lambda: nodes(hub) == [2] and nodes(other) == [1])


def test_no_network_at_the_start(injected):
    """That is told, and nothing stays open."""
    before = len(os.listdir("/proc/self/fd"))
    injected.refuse = True
    try:
        with Bus(node=1) as bus, pytest.raises(OSError, match="no such device"):
            UDPHub(bus, port=0)
    finally:
        injected.refuse = False
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_port_in_use(make_hub):
    _, hub = make_hub(1)
    with Bus(node=2) as bus, pytest.raises(OSError, match="is in use by another program"):
        UDPHub(bus, port=hub.socket.address[1], group=None, bind=LOCAL)


# Ends.


def test_a_hub_that_is_closed(make_hub, group):
    """It finds nobody any more; whoever was found stays. The bus gives everything back."""
    before = len(os.listdir("/proc/self/fd"))
    a, hub_a = make_hub(1, group)
    b, hub_b = make_hub(2, group)
    serve_echo(b, "$.B")
    ask(a, "$.B")
    hub_a.close()
    hub_a.close()
    make_hub(3, group)
    wait_until(lambda: nodes(hub_b) == [1, 3])
    ask(a, "$.B")
    assert nodes(hub_a) == [2]
    for bus in (a, b):
        bus.close()
    wait_until(lambda: len(os.listdir("/proc/self/fd")) <= before + 6)  # the third bus


def test_a_bus_without_room(make_hub):
    """It is counted; the bus goes on."""
    bus, hub = make_hub(1, bus=Bus(node=1, ksock_count=2))
    board = Bus(node=2)
    serve_echo(bus, "$.Hub")
    other = bus.ksock()
    board.join(UDPDriver(hub.socket.address))
    board.start()
    wait_until(lambda: hub.refused > 1)
    assert hub.limpets == []
    other.close()
    ask(board, "$.Hub")
    board.close()


def test_exposed_hubs_warn(make_hub, monkeypatch):
    """Once, when the first neighbour that is not on this machine joins without a key."""
    monkeypatch.setattr("limpet.port.udp._is_loopback", lambda address: False)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        bus, hub = make_hub(1)
        for port in (1, 2, 3):
            hub.join((LOCAL, port))
    assert len(caught) == 1


def test_the_announcement():
    """As docs/links.md has it."""
    with Bus(node=0x01020304) as bus:
        hub = UDPHub(bus, port=0, group=None, bind=LOCAL)
        assert hub._announcement(0x01020304, 0x05060708, 0x1CE8).hex() == (
            "4c4d50540101020304050607081ce8"
        )
        hub.close()
