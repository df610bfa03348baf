# SPDX-License-Identifier: MIT
"""What limpets say is, byte for byte, what docs/wire.md section 6 shows.

Two limpets talk without a link: each payload must be the next row of the golden table, and is then
given to the other side, so the same bytes drive both directions.
"""

import unittest

HERE = __file__.rsplit("/", 1)[0] if "/" in __file__ else "."
A, B = 0x0B, 0x16  # node ids


def rows():
    """Return (name, sender, payload, meaning) of the golden table."""
    found = []
    with open(HERE + "/vectors/records.txt") as table:
        for line in table:
            if line.strip() and not line.startswith("#"):
                name, sender, text, meaning = line.strip().split(" ", 3)
                payload = bytes([int(text[i : i + 2], 16) for i in range(0, len(text), 2)])
                found.append((name, sender, payload, meaning))
    return found


class Side:
    """A bus, its limpet in a made-up session, and a Ksock."""

    def __init__(self, node, peer):
        from limpet import Bus
        from limpet.transport.loopback import loopback

        self.bus = Bus(node=node, seed=node, queue_size=4)
        self.ks = self.bus.ksock()
        self.limpet = self.bus.join(loopback()[0])
        self.limpet.link.peer_node = peer
        self.limpet.connected()
        self.bus.poll(0)

    def said(self, room):
        """Return what the limpet would put into the next frame, with room for so many bytes."""
        buf = bytearray(260)
        size = self.limpet.fill(buf, 4, 4 + room)
        return bytes(buf[4 : 4 + size])

    def hear(self, payload):
        """Give the limpet a payload as if it came in a frame."""
        buf = bytearray(4) + bytearray(payload)
        self.limpet.receive(buf, 4, len(buf))


class TestGoldenRecords(unittest.TestCase):
    def setUp(self):
        self.rows = rows()
        self.seen = []
        self.a = Side(A, B)
        self.b = Side(B, A)
        self.a.bus.runner.now = self.b.bus.runner.now = lambda: 0

    def passes(self, sender, expected, room=251):
        """Let one side say the row `expected`, and the other one hear it."""
        name, side, payload, _ = self.rows[len(self.seen)]
        self.assertEqual((name, side), (expected, sender))
        source, target = (self.a, self.b) if sender == "A" else (self.b, self.a)
        said = source.said(room)
        text = "".join(["%02x" % b for b in said])
        self.assertEqual(said, payload, "%s: %s" % (name, text))
        target.hear(said)
        self.seen.append(name)

    def test_a_talk(self):
        from limpet import URGENT

        a, b = self.a.ks, self.b.ks
        a.bind("$.T.*")
        a.bind("$.Q", True)
        self.passes("A", "bindings")
        b.bind("$.R", True)
        self.passes("B", "binding")
        b.announce("$.T.X", b"12345678")
        self.passes("B", "announcement_first")
        b.announce("$.T.X", b"12345678")
        self.passes("B", "announcement")
        self.assertEqual([m.id for m in (a.next(), a.next())], [(B, 1), (B, 2)])
        for _ in range(3):
            b.announce("$.T.X", b"x")
        self.passes("B", "announcements")
        self.assertEqual([a.next().data for _ in range(3)], [b"x", b"x", b"x"])
        number = a.request("$.R", b"?", 1000)
        self.passes("A", "request")
        request = b.next()
        self.assertEqual((request.id, request.sender, request.data), ((A, 1), (A, a.id), b"?"))
        b.reply(request, b"!")
        self.passes("B", "reply")
        reply = a.next()
        self.assertEqual((reply.in_reply_to, reply.id, reply.data), (number, (B, 6), b"!"))
        a.request("$.R", b"", None)
        self.passes("A", "request_without_deadline")
        b.hot.fail(b.next(), b"KeyError")
        self.passes("B", "status")
        self.assertEqual((a.next().name, a.next()), ("$.KBUS.Replier.Failed", None))
        a.request("$.R", b"", None)
        b.unbind("$.R", True)
        self.passes("A", "request_too_late")
        self.passes("B", "unbinding_and_refusal")
        self.assertEqual(a.next().name, "$.KBUS.RemoteError.EADDRNOTAVAIL")
        b.announce("$.T.X", b"a long message of 32 bytes, in 3")
        self.passes("B", "piece_first", 16)
        b.announce("$.T.X", b"!", URGENT)
        self.passes("B", "piece_second", 20)
        self.passes("B", "piece_last", 20)
        self.assertEqual([m.id for m in (a.next(), a.next())], [(B, 9), (B, 8)])
        self.assertEqual(self.seen, [row[0] for row in self.rows])
        self.assertEqual((self.a.limpet.stats.bad, self.b.limpet.stats.bad), (0, 0))
