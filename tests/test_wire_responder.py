# SPDX-License-Identifier: MIT
"""A Link talks with an implementation that was written from docs/wire.md alone.

Line, time and faults are those of the links' own tests.
"""

import unittest

import wire_decoder as wire
from helpers_link import App, Line
from limpet.link import UP, Link
from limpet.rand import Random
from wire_responder import Responder

LIMPET = 2
KEY = b"0123456789abcdef"


def talk(seed=1, loss=0, late=False, options=None, **other):
    """Return (line, app, link maker's last responder): a link at end 0, a responder at end 1."""
    app = App()

    def make(i, random):
        if i:
            return Responder(22, random.next(), **other)
        arguments = dict(options or {})
        if "key" in other:
            from limpet.auth import Auth

            arguments["auth"] = Auth(other["key"], Random(seed).next)
        return Link(11, random.next(), Random(random.next()), app, **arguments)

    line = Line(seed, make)
    for wire_ in line.wires:
        wire_.loss = loss
    return line, app


def payload(k):
    return b"%d:" % k + bytes([k & 255]) * (k * 37 % 200)


class TestResponder(unittest.TestCase):
    def exchange(self, count, seed, **options):
        """Have both sides send payloads; each must arrive once and in order at the other one."""
        line, app = talk(seed, **options)
        self.assertTrue(line.until(line.up), "no session")
        far = line.links[1]
        for k in range(count):
            app.queue.append(payload(k))
            far.queue.append((LIMPET, False, payload(k)))
        wanted = [payload(k) for k in range(count)]
        self.assertTrue(line.until(lambda: len(app.got) == count and len(far.got) == count))
        self.assertTrue(app.got == wanted)
        self.assertTrue([p.payload for p in far.got] == wanted)
        return line

    def test_it_exchanges_data(self):
        line = self.exchange(40, 1)
        self.assertEqual(line.links[0].stats.sessions, 1)
        self.assertEqual((line.links[0].stats.rx_bad, line.links[1].bad), (0, 0))

    def test_on_a_bad_line(self):
        line = self.exchange(40, 2, loss=100)
        self.assertEqual(line.links[1].sessions, line.links[0].stats.sessions)
        self.assertTrue(line.links[1].bad > 0)

    def test_with_a_key(self):
        line = self.exchange(20, 3, key=KEY)
        self.assertEqual((line.links[0].stats.rx_forged, line.links[1].bad), (0, 0))

    def test_with_a_key_on_a_bad_line(self):
        self.exchange(20, 4, key=KEY, loss=100)

    def test_over_a_reliable_stream(self):
        line = self.exchange(300, 5, stream=True, options={"reliable": True})
        self.assertEqual(line.links[0].stats.acks_sent, 0)

    def test_who_disagrees_gets_no_session(self):
        for name, options in (
            ("a key on one side", {"key": KEY, "options": {"auth": None}}),
            ("another key", {"key": KEY}),
            ("a stream on one side", {"stream": True}),
        ):
            with self.subTest(name):
                line, _ = talk(6, **options)
                if name == "another key":
                    line.links[1].key = b"another key than that"
                if name == "a key on one side":
                    line.links[0] = Link(11, 5, Random(5), App())
                line.run(3000)
                self.assertEqual((line.links[0].state == UP, line.links[1].state), (False, 0))
                self.assertTrue(line.links[0].refusal)

    def test_it_is_told_of_a_close(self):
        for end in range(2):
            with self.subTest(end):
                line, app = talk(7)
                self.assertTrue(line.until(line.up))
                if end:
                    data = line.links[1].close()
                    line.links[0].feed(bytearray(data), len(data), line.now())
                    self.assertEqual(line.links[0].stats.closes, 1)
                else:
                    line.links[0].close(line.now())
                    line.wake[0] = line.now_us
                    line.run(50)
                self.assertNotEqual(line.links[1 - end].state, UP)

    def test_both_start_anew_at_any_time(self):
        line, app = talk(8)
        for end in (0, 1, 1, 0, 0, 1):
            self.assertTrue(line.until(line.up))
            line.run(130)
            line.restart(end)
            self.assertFalse(line.up())
        self.assertTrue(line.until(line.up))
        line.links[1].queue.append((LIMPET, False, b"after all"))
        self.assertTrue(line.until(lambda: b"after all" in app.got))

    def test_what_is_idle_stays_up(self):
        line, _ = talk(9)
        self.assertTrue(line.until(line.up))
        line.run(30000)
        self.assertEqual((line.links[0].stats.sessions, line.links[1].sessions), (1, 1))

    def test_unreliable_and_mfmt_packets_and_unknown_ones(self):
        line, _ = talk(10)
        self.assertTrue(line.until(line.up))
        link, far = line.links
        unknown = link.stats.rx_unknown
        far.once += [b"\x80\x10hi", b"\x80\x90", b"\x80\x3f", b"\xa0", b"\xa0\x01", b"\xc0\x01"]
        far.queue += [(63, True, b""), (LIMPET, True, b"bulk")]
        line.run(500)
        self.assertEqual(link.stats.rx_unknown - unknown, 7)
        self.assertEqual((link.stats.rx_bad, link.stats.sessions), (0, 1))

    def test_a_probe_is_answered_with_credit(self):
        """The answer is a null packet also when there is data that could carry the ack."""
        line, app = talk(11, slots=8)
        self.assertTrue(line.until(line.up))
        heard = []
        packet = line.links[1]._packet

        def note(one):
            heard.append(one)
            packet(one)

        line.links[1]._packet = note
        app.source = lambda: bytes(100)
        line.run(100)
        for _ in range(10):
            del heard[:]
            line.links[1].once.append(b"\x80\x80\x00\x01")
            line.run(60)
            found = [p for p in heard if isinstance(p, wire.Null)]
            self.assertTrue(found and found[0].credit in (None, 8), heard)


if __name__ == "__main__":
    unittest.main()
