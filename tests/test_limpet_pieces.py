# SPDX-License-Identifier: MIT
"""What is larger than a packet comes over in pieces: whole, once, in order, or not at all."""

import unittest

from helpers_bus import Case
from limpet import URGENT
from limpet.record import CONTROL, LAST, PIECE

SIZE = 1500  # of a slot


def data_of(size, start=0):
    return bytes([(start + i * 7) & 255 for i in range(size)])


class Pieces(Case):
    def make_both(self, **options):
        self.make(a={"slot_size": SIZE}, b={"slot_size": SIZE}, **options)

    def numbers(self):
        return [m.id[1] for m in self.far.messages]

    def test_every_size_around_the_limits(self):
        """Requests and their replies: what fits one or two frames, and one byte to each side."""
        self.make_both()
        sizes = list(range(225, 262)) + list(range(480, 515)) + [SIZE - 1, SIZE]
        for size in sizes:
            data = data_of(size, size)
            serial = self.ask(data)
            self.serve(data=None)  # echoes
            self.assertEqual(self.near.answer(serial), ("reply", data))
        self.done()

    def test_announcements_keep_their_order(self):
        self.make_both(far={"listen": ["$.A", "$.B"]})
        said = []
        for i, size in enumerate((3, SIZE, 0, 700, 1, 255, 254, 253, 2)):
            said.append(data_of(size, i))
            self.near.ks.announce("$.B" if i & 1 else "$.A", said[-1])
            if i % 4 == 3:
                self.serve()
        self.serve()
        self.assertEqual([d for _, _, d in self.far.heard], said)
        self.assertEqual(self.pair.limpets[1].stats.bad, 0)
        self.done()

    def test_ids_stay(self):
        """The number of a message is its own, whatever came between its pieces."""
        self.make_both(far={"listen": ["$.A"]})
        numbers = []
        for size in (1, SIZE, 2, SIZE, 3):
            numbers.append(self.near.ks.announce("$.A", data_of(size)))
        self.serve()
        self.assertEqual(self.numbers(), numbers)
        self.done()

    def test_urgent_goes_between(self):
        """While a large one is on its way, an urgent one overtakes it; both keep their ids."""
        self.make_both(far={"listen": ["$.A"]})
        first = self.near.ks.announce("$.A", b"first")  # so that there is a context
        self.serve()
        large = self.near.ks.announce("$.A", data_of(SIZE))
        limpet = self.pair.limpets[0]
        frame = bytearray(251)
        pieces = [bytes(frame[: limpet.fill(frame, 0, 251)])]
        urgent = self.near.ks.announce("$.A", b"now", flags=URGENT)
        after = self.near.ks.announce("$.A", b"after")
        while limpet.ready():
            pieces.append(bytes(frame[: limpet.fill(frame, 0, 251)]))
        for piece in pieces:
            buf = bytearray(piece)
            self.pair.limpets[1].receive(buf, 0, len(buf))
        self.serve()
        self.assertEqual(self.numbers(), [first, urgent, large, after])
        self.assertEqual(self.far.heard[2][2], data_of(SIZE))
        self.done()

    def test_a_long_name(self):
        """Bindings and contexts, too: names of up to 1000 characters."""
        for size in (240, 260, 998):
            name = "$." + "N" * size
            self.make(far={"replier": [name]})
            serial = self.ask(b"data", name=name)
            self.serve()
            self.ends(serial, "reply", "yes")
            self.assertEqual([d for _, _, d in self.far.heard], [b"data"])
            self.assertEqual(self.pair.limpets[1].stats.refused, 0)
            self.done()

    def test_a_long_name_after_a_large_message(self):
        """The buffer that was made for messages grows once, for the longest name."""
        name = "$." + "N" * 900
        self.make(a={"slot_size": 300}, b={"slot_size": 300}, far={"listen": ["$.*"]})
        self.near.ks.announce("$.A", data_of(300))
        self.serve()
        self.near.ks.announce(name, b"data")
        self.serve()
        self.assertEqual([h[1:] for h in self.far.heard], [("$.A", data_of(300)), (name, b"data")])
        self.assertEqual(self.pair.limpets[1].stats.bad, 0)
        self.done()

    def test_a_length_only_where_something_follows(self):
        """A message that fills its frame but for a few bytes has no length byte."""
        self.make_both(far={"listen": ["$.A"]})
        self.near.ks.announce("$.A", b"first")
        self.serve()
        for _ in range(3):
            self.near.ks.announce("$.A", data_of(200))
        frame = bytearray(255)
        limpet = self.pair.limpets[0]
        sizes = [limpet.fill(frame, 4, 255) for _ in range(3)]
        self.assertEqual(sizes, [203, 203, 203])
        for _ in range(3):
            self.near.ks.announce("$.A", data_of(20))
        self.assertEqual(limpet.fill(frame, 4, 255), 24 + 24 + 23)

    def test_a_link_that_ends_in_the_middle(self):
        """The request is Lost, its slot comes back, and the next session begins clean."""
        self.make_both()
        serial = self.ask(data_of(SIZE))
        limpet = self.pair.limpets[0]
        frame = bytearray(251)
        limpet.fill(frame, 0, 251)  # the context
        limpet.fill(frame, 0, 251)
        limpet.link.close(self.pair.now)
        self.ends(serial, "Link.Lost", "unknown")
        self.assertEqual(self.far.heard, [])


class Garbage(Case):
    """What the far side may send all the same."""

    def feed(self, *records):
        limpet = self.pair.limpets[1]
        for r in records:
            buf = bytearray(r)
            limpet.receive(buf, 0, len(buf))
        return limpet.stats

    def test_too_large(self):
        """A record that is larger than any slot is dropped and counted; memory is bounded."""
        self.make(b={"slot_size": 64}, far={"listen": ["$.A"]})
        context = b"\xe1\x03\x00\x01A"
        piece = bytes([CONTROL | PIECE])
        last = bytes([CONTROL | LAST])
        stats = self.feed(context, piece + b"\x00\x00\x05" + bytes(200))
        for _ in range(50):
            self.feed(piece + bytes(250))
        whole = len(self.pair.limpets[1].inbox._whole)
        self.feed(last + b"x")
        self.assertTrue(whole < 100)
        self.assertEqual((stats.dropped, stats.bad), (1, 0))
        self.feed(last + b"\x00\x00\x06abc")
        self.serve()
        self.assertEqual([d for _, _, d in self.far.heard], [b"abc"])

    def test_pieces_in_pieces(self):
        self.make()
        head = bytes([CONTROL | LAST, CONTROL | LAST])
        stats = self.feed(head + b"\x00\x00\x05abc")
        self.assertEqual(stats.bad, 1)
        self.assertEqual(self.feed(bytes([CONTROL | LAST])).bad, 2)  # nothing at all

    def test_a_name_without_end(self):
        self.make()
        stats = self.feed(bytes([CONTROL | PIECE, CONTROL | 2]) + b"N" * 200)
        for _ in range(30):
            self.feed(bytes([CONTROL | PIECE]) + b"N" * 240)
        self.assertEqual(len(self.pair.limpets[1].inbox._whole), 1010)
        self.feed(bytes([CONTROL | LAST]) + b"N")
        self.assertEqual(stats.bad, 1)


if __name__ == "__main__":
    unittest.main()
