# SPDX-License-Identifier: MIT
"""Every row of the golden table is what a Link says, in the situation that the table tells.

Two links with the epochs of docs/wire.md are led through their talk by hand, row for row: what
one says must be the next row, and a row that the other one is to hear comes byte by byte.
"""

import unittest

import wire_decoder as wire
from limpet.auth import Auth
from limpet.link import DOWN, UP
from limpet.stats import NAMES
from wire_sides import EPOCHS, Bell, Box, Drawn, Shelf, make, rows

KEY = bytes(range(32))
NONCES = (bytes(range(0xA0, 0xA8)), bytes(range(0xB0, 0xB8)))
# Rows that no Link of this version says, and why they are there.
ONLY_HEARD = (
    "helo_string",  # by a later version
    "helo_other_version",
    "service_unknown",
    "service_reliable_unknown",
    "largest",
)


class Talk(unittest.TestCase):
    def setUp(self):
        self.rows = rows()
        self.now = 0x3FFFFFFF - 50
        self.seen = []

    def later(self, ms):
        self.now = (self.now + ms) & 0x3FFFFFFF

    def says(self, link, name):
        """Have `link` say its next frame, which must be this row."""
        out = bytearray(300)
        link.poll(self.now)
        # In a session others go between two HELO, if there are any.
        size = link.take(out, self.now) or link.take(out, self.now)
        said = bytes(out[:size])
        if said[:1] == b"\0" and self.rows[name][1][:1] != b"\0":
            said = said[1:]  # after a pause
        text = "".join(["%02x" % b for b in said])
        self.assertEqual(said, self.rows[name][1], "%s: %s" % (name, text))
        self.seen.append(name)

    def hears(self, link, *names):
        """Have `link` hear rows, byte by byte."""
        for name in names:
            before = link.stats.rx_frames
            for b in self.rows[name][1]:
                link.feed(bytearray([b]), 1, self.now)
            self.assertEqual(link.stats.rx_frames, before + 1, name)

    def up(self, *links):
        """Return A and B in the session of the table."""
        a, b = links or (make(0), make(1))
        self.says(a, "helo_first")
        self.hears(b, "helo_first")
        self.says(b, "helo_offer")
        self.hears(a, "helo_offer")
        self.says(a, "helo_confirm")
        self.hears(b, "helo_confirm")
        self.assertEqual((a.state, b.state), (UP, UP))
        return a, b

    def test_a_session_with_a_gap(self):
        a, b = self.up()
        a._client.queue += [b"limpet", b"\x00", b"\x01\x00\x02"]
        self.says(a, "data_first")
        self.hears(b, "data_first")
        self.later(6)  # the first frame after a pause is acknowledged soon
        self.says(b, "ack")
        self.hears(a, "ack")
        self.says(a, "data_lost")
        self.says(a, "data_early")
        self.hears(b, "data_early")
        self.says(b, "ack_gap")
        self.hears(a, "ack_gap")
        self.says(a, "data_lost")
        self.hears(b, "data_lost")
        b._client.queue.append(b"yes")
        self.says(b, "data_back")
        self.hears(a, "data_back")
        self.assertEqual(b._client.got, [b"limpet", b"\x00", b"\x01\x00\x02"])
        self.assertEqual(a._client.got, [b"yes"])
        self.assertEqual((a.unacked(), a.stats.tx_retransmit), (0, 1))

    def test_the_end_of_a_session(self):
        a, b = self.up()
        a.close(self.now)
        self.says(a, "helo_close")
        self.says(a, "helo_close")
        self.assertEqual(a.take(bytearray(300), self.now), 0)
        self.hears(b, "helo_close")
        self.assertEqual((a.state, b.state, b.stats.closes), (DOWN, DOWN, 1))

    def test_a_stranger_is_asked(self):
        b = make(1, epochs=(EPOCHS[1], 0x1F00D00D))
        self.hears(b, "helo_first", "helo_confirm")
        b.take(bytearray(300), self.now)
        stranger = wire.helo(6, 1, 33, 5, 0x2BADCAFE, 0, 255, 8, 2, 40, 1000, b"")
        data = bytearray(wire.frame(stranger, 0xFFFF))
        b.feed(data, len(data), self.now)
        self.says(b, "helo_probe")

    def test_credit(self):
        a, b = self.up()
        a.neighbour.out = Box()
        b.neighbour.tile = Shelf()
        b.neighbour.tile.left = 0
        out = bytearray(300)
        for k in range(8):
            a.neighbour.out.ranks[1].append((0x50, b"%d" % k))
            size = a.take(out, self.now)
            b.feed(out, size, self.now)
        a.neighbour.out.ranks[1].append((0x50, b"hi"))
        self.says(b, "null_credit_none")
        self.hears(a, "null_credit_none")
        self.assertEqual(a.take(out, self.now), 0)
        self.later(240)  # a quarter of the silence limit: it waits no longer
        b.poll(self.now)
        self.later(11)
        self.says(a, "null_probe")
        self.hears(b, "null_probe")
        self.says(b, "null_credit_none")
        self.hears(a, "null_credit_none")
        b.neighbour.tile.left = 5
        b.poll(self.now)
        self.says(b, "null_credit")
        self.hears(a, "null_credit")
        self.says(a, "reliable_urgent")
        a.neighbour.out.ranks[2].append((0xD0, b"\xff"))
        self.says(a, "reliable_bulk")
        b.neighbour.tile.left = 5
        self.hears(b, "reliable_urgent", "reliable_bulk")
        self.assertEqual(b.neighbour.tile.got[-2:], [(0x86, 0x50, b"hi"), (0x86, 0xD0, b"\xff")])

    def test_packets_that_go_once(self):
        a, b = self.up()
        box = a.neighbour.out = Box()
        shelf = b.neighbour.tile = Shelf()
        for name, rank, packet in (
            ("unreliable_urgent", 1, (0x10, b"hi")),
            ("unreliable_bulk", 2, (0x90, b"h")),
            ("unreliable_empty", 1, (0x11, b"")),
            ("mfmt", 0, (None, b"\x40\x01")),
            ("mfmt_one_byte", 0, (None, b"")),
        ):
            box.ranks[rank].append(packet)
            self.says(a, name)
            self.hears(b, name)
            kind = 0xA6 if rank == 0 else 0x86
            self.assertEqual(shelf.got.pop(), (kind, packet[0], packet[1]), name)

    def test_liveness_and_counter(self):
        from limpet import liveness
        from limpet.counter import Counter
        from limpet.tile import Tile

        before = liveness.__version__
        liveness.__version__ = "0.1.0"
        try:
            services = []
            links = (make(0), make(1))
            for link in links:
                tile = Tile(Bell(), 1, 1)
                tile.attach(link.neighbour)
                services.append(liveness.Liveness(tile, Drawn()))
                tile.add(services[-1])
        finally:
            liveness.__version__ = before
        a, b = self.up(*links)
        services[0]._token = 6
        services[1].set_stamp(0x080A1B2C)
        a.neighbour.tile.poll(self.now)
        self.later(250)
        a.neighbour.tile.poll(self.now)
        self.says(a, "liveness_ask")
        self.hears(b, "liveness_ask")
        self.says(b, "liveness_answer")
        self.later(4)
        self.hears(a, "liveness_answer")
        near, far = a.neighbour, b.neighbour
        self.assertEqual((near.rtt_ms, near.version, near.stamp), (4, "0.1.0", 0x080A1B2C))
        self.assertEqual((far.rtt_ms, far.version, far.stamp), (-1, "0.1.0", 0))
        counter = Counter(a.neighbour.tile, "/there/is/none", Drawn())
        other = Counter(b.neighbour.tile, "/there/is/none", Drawn())
        counter.value = 42
        b.neighbour.tile.add(other)
        counter.poll(self.now)
        self.says(a, "counter")
        self.hears(b, "counter")
        self.assertEqual(other.heard, {0: 42})

    def test_what_came_twice(self):
        _, b = self.up()
        for k in (0, 1, 2, 3, 3):
            data = wire.frame(b"\x82\x42%c\x00x" % k, 0x98EB)
            b.feed(bytearray(data), len(data), self.now)
        self.says(b, "null_twice")

    def test_many_bits(self):
        b = make(1, window=64)
        hello = wire.helo(2, 0, 11, 1, EPOCHS[0], EPOCHS[1], 255, 64, 4, 40, 1000, b"")
        data = wire.frame(hello, 0xFFFF)
        b.poll(self.now)
        b.take(bytearray(300), self.now)
        b.feed(bytearray(data), len(data), self.now)
        for k in list(range(254)) + [255, 257, 278]:
            data = wire.frame(b"\x82\x42%c\x00x" % (k & 255), 0x98EB)
            b.feed(bytearray(data), len(data), self.now)
        self.assertEqual(len(b._client.got), 254)
        self.says(b, "null_many_bits")

    def test_a_stream(self):
        self.says(make(0, reliable=True), "helo_stream")

    def test_a_count_over_datagrams(self):
        a, b = make(0, datagrams=True), make(1, datagrams=True)
        self.says(a, "helo_counted")
        self.hears(b, "helo_counted")
        for link, other in ((b, a), (a, b)):
            out = bytearray(300)
            other.feed(out, link.take(out, self.now), self.now)
        self.assertEqual((a.state, b.state), (UP, UP))
        a._client.queue.append(b"limpet")
        self.says(a, "counted_data")
        self.hears(b, "counted_data")
        self.later(6)
        self.says(b, "counted_ack")
        self.hears(a, "counted_ack")
        self.assertEqual((b._client.got, a.unacked()), ([b"limpet"], 0))
        # As if there had been many.
        a._counted._sent = 0xFFFF
        b._counted._highest = 0xFFFE
        a._tx.probe = True
        self.says(a, "counted_wrap")
        self.hears(b, "counted_wrap")
        self.assertEqual((a._counted._sent, b._counted._highest), (0, 0xFFFF))
        for count, late in ((0, False), (0xFFE3, False), (0xFFE2, True), (0x1D, False)):
            before = b.stats.rx_replayed
            data = wire.frame(b"\x82\x00\x00", 0x98EB, wire.count(count))
            b.feed(bytearray(data), len(data), self.now)
            self.assertEqual(b.stats.rx_replayed - before, late, count)
        data = wire.frame(b"\x82\x42", 0x98EB)
        b.feed(bytearray(data), len(data), self.now)
        self.assertEqual(b.stats.rx_forged, 1)

    def test_keys(self):
        links = []
        for side in range(2):
            auth = Auth(KEY, Drawn().next)
            links.append(make(side, auth=auth))
            links[side].poll(self.now)  # which draws an epoch and a nonce
            auth.nonce = NONCES[side]
        a, b = links
        self.says(a, "helo_keyed")
        self.hears(b, "helo_keyed")
        self.says(b, "helo_keyed_offer")
        self.hears(a, "helo_keyed_offer")
        self.says(a, "helo_keyed_confirm")
        self.hears(b, "helo_keyed_confirm")
        a._client.queue.append(b"limpet")
        self.says(a, "keyed_data")
        self.hears(b, "keyed_data")
        self.later(6)
        self.says(b, "keyed_ack")
        self.hears(a, "keyed_ack")
        self.assertEqual(b._client.got, [b"limpet"])
        out = bytearray(300)
        for _ in range(3):
            b._client.queue.append(b"x")
            a.feed(out, b.take(out, self.now), self.now)
        # As if there had been many: the upper bits are found as the nearest ones.
        a.auth._session.sent = 0x12345
        b.auth._session.highest = 0x12340
        a._tx.probe = True
        self.says(a, "keyed_late")
        self.hears(b, "keyed_late")

    def test_what_is_only_heard(self):
        """A side that hears what it does not know counts it and lives on."""
        for name, counter in (
            ("service_unknown", "rx_unknown"),
            ("service_reliable_unknown", "rx_unknown"),
            ("mfmt", "rx_unknown"),
            ("helo_other_version", "helo_refused"),
        ):
            with self.subTest(name):
                _, b = self.up()
                before = dict([(n, getattr(b.stats, n)) for n in NAMES])
                self.hears(b, name)
                moved = [n for n in NAMES if getattr(b.stats, n) != before[n]]
                wanted = ["rx_frames", counter]
                if name.startswith("helo"):
                    wanted.append("helo_received")
                self.assertEqual(sorted(moved), sorted(wanted))
                self.assertEqual(b.state, UP)
        _, b = self.up()
        self.hears(b, "largest")
        self.assertEqual(b._client.got, [bytes(range(1, 252))])
        c = make(1)
        self.hears(c, "helo_string")
        self.assertEqual(c._session.offered[1:3], (33, 0x3FFFFFFF))

    def test_bytes_of_later_versions(self):
        """What is behind the known ones is ignored and counted, once for each packet."""
        b = make(1)
        self.hears(b, "helo_string")
        self.assertEqual(b.stats.rx_trailing, 1)
        a, b = self.up()
        for size, more in ((3, 0), (4, 0), (12, 0), (13, 1), (255, 1)):
            before = a.stats.rx_trailing
            data = wire.frame((b"\x86\x00\x00\x08" + bytes(251))[:size], 0x6714)
            a.feed(bytearray(data), len(data), self.now)
            self.assertEqual(a.stats.rx_trailing - before, more, size)
        hello = self.rows["helo_confirm"][0] + b"\xff"
        data = wire.frame(hello, 0xFFFF)
        b.feed(bytearray(data), len(data), self.now)
        self.assertEqual((a.stats.rx_trailing, b.stats.rx_trailing), (2, 1))
        self.assertEqual((a.state, b.state), (UP, UP))

    def test_every_row_has_been_said(self):
        for name in dir(self):
            if name.startswith("test_") and name != "test_every_row_has_been_said":
                getattr(self, name)()
        missing = set(self.rows) - set(self.seen) - set(ONLY_HEARD)
        self.assertEqual(missing, set())


if __name__ == "__main__":
    unittest.main()
