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


def talk(seed=1, loss=0, late=0, options=None, **other):
    """Return (line, app, link maker's last responder): a link at end 0, a responder at end 1."""
    app = App()

    def make(i, random):
        if i:
            return Responder(22, random.next(), **other)
        arguments = dict(options or {})
        if "datagrams" in other:
            arguments["datagrams"] = True
        if "key" in other:
            from limpet.auth import Auth

            arguments["auth"] = Auth(other["key"], Random(seed).next)
        return Link(11, random.next(), Random(random.next()), app, **arguments)

    line = Line(seed, make)
    line.datagrams = "datagrams" in other
    for wire_ in line.wires:
        wire_.loss = loss
        wire_.late = late
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
        line = self.exchange(270, 1)  # more than there are sequence numbers
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

    def test_over_datagrams(self):
        """Some lost, some overtaken; with a key that counts as well as without."""
        for seed, more in ((12, {}), (13, {"key": KEY})):
            line = self.exchange(100, seed, datagrams=True, loss=30, late=30, **more)
            link, far = line.links
            self.assertEqual((link.stats.sessions, far.sessions), (1, 1))

    def test_what_is_30_frames_late_is_not_taken(self):
        """Each side is shown frames of the other one's once more, when many have followed."""
        line = self.exchange(60, 14, datagrams=True)
        link, far = line.links
        caught = [[], []]
        for end in range(2):
            line.wires[end].script = lambda index, data, end=end: caught[end].append(data) or data
        app = link._client
        for k in range(80):
            far.queue.append((LIMPET, False, b"%d" % k))
            app.queue.append(b"%d" % k)
        self.assertTrue(line.until(lambda: len(far.got) == 140 and len(app.got) == 140))
        line.run(300)
        frames = [[d.lstrip(b"\0") for d in side] for side in caught]
        del caught[0][:], caught[1][:]
        for end in range(2):
            other = line.links[1 - end]
            late = (link.stats.rx_replayed, far.late)[1 - end]
            for data in frames[end][:20]:
                other.feed(bytearray(data), len(data), line.now())
            now = (link.stats.rx_replayed, far.late)[1 - end]
            self.assertEqual(now - late, 20, end)
        line.run(100)
        self.assertEqual((len(far.got), len(app.got)), (140, 140))
        self.assertEqual((link.stats.sessions, far.sessions), (1, 1))

    def test_who_disagrees_gets_no_session(self):
        for name, options in (
            ("a key on one side", {"key": KEY, "options": {"auth": None}}),
            ("another key", {"key": KEY}),
            ("a stream on one side", {"stream": True}),
            ("datagrams on one side", {"datagrams": True}),
        ):
            with self.subTest(name):
                line, _ = talk(6, **options)
                if name == "another key":
                    line.links[1].key = b"another key than that"
                if name in ("a key on one side", "datagrams on one side"):
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


class TestRecords(unittest.TestCase):
    """A bus and its limpet at one end, a responder with hand-made records at the other."""

    def setUp(self):
        from limpet import Bus
        from limpet.stats import Stats
        from limpet.transport.loopback import loopback

        self.now = 0x3FFFFFFF - 100
        self.bus = Bus(node=11, seed=1)
        self.bus.runner.now = lambda: self.now
        near, driver = loopback()
        self.bus.join(near)
        self.far = Responder(22, 9)
        self.far.stats = Stats()
        self.far.wire_size = 300
        driver.attach(self.far)
        self.driver = driver
        self.ks = self.bus.ksock()

    def run_ms(self, ms):
        for _ in range(ms):
            self.now = (self.now + 1) & 0x3FFFFFFF
            self.bus.runner.step(self.now)
            self.driver.pump(self.now)
            self.driver.due(self.now)

    def say(self, *records):
        self.far.queue.append((LIMPET, False, b"".join(records)))
        self.run_ms(40)

    def heard(self):
        """Return the records that the responder has heard since it was last asked."""
        found = []
        for packet in self.far.got:
            found += wire.parse_records(packet.payload)
        self.far.got = []
        return found

    def test_a_talk(self):
        self.ks.bind("$.News")
        self.ks.bind("$.Ask", True)
        self.run_ms(60)
        told = sorted([(r.kind, r.text) for r in self.heard()])
        self.assertEqual(told, [("listen", "$.News"), ("replier", "$.Ask")])
        # It announces, and asks.
        self.say(
            wire.control(1, "$.News", b"\x00" + wire.varint(300)),
            wire.record(0x00, b"\x00" + wire.varint(1000) + b"today"),
            wire.control(1, "$.Ask", b"\x07" + wire.varint(301)),
            wire.record(0x21, b"\x07" + wire.varint(2) + b"\xfe" + wire.varint(500) + b"?"),
        )
        m = self.ks.next()
        self.assertEqual(
            (m.name, m.id, m.sender, m.data), ("$.News", (22, 1000), (22, 300), b"today")
        )
        m = self.ks.next()
        self.assertEqual((m.name, m.id, m.data), ("$.Ask", (22, 1002), b"?"))
        self.ks.reply(m, b"!")
        self.run_ms(40)
        context, reply = self.heard()
        self.assertEqual((context.kind, context.text), ("context", "$.Ask"))
        self.assertEqual(
            (reply.kind, reply.tag, reply.context, reply.data),
            ("reply", 254, context.context, b"!"),
        )
        # It listens, and is asked.
        self.say(wire.control(2, "$.Hot.*"), wire.control(4, "$.Far"))
        self.ks.announce("$.Hot.Stuff", b"42")
        serial = self.ks.request("$.Far", b"who?", 1000)
        self.run_ms(40)
        found = self.heard()
        self.assertEqual(
            [r.kind for r in found], ["context", "announcement", "context", "request"]
        )
        self.assertEqual((found[1].data, found[3].data), (b"42", b"who?"))
        self.assertTrue(0 < found[3].ms <= 1000)
        self.say(wire.record(0x40, bytes([found[3].tag]) + b"\x00" + wire.varint(1) + b"me"))
        m = self.ks.next()
        self.assertEqual((m.in_reply_to, m.data), (serial, b"me"))
        # It refuses, and sends in pieces.
        self.ks.request("$.Far", b"", 1000)
        self.run_ms(40)
        tag = self.heard()[-1].tag
        whole = b"\x00\x00" + wire.varint(77) + b"in pieces"
        self.say(
            wire.record(0x66, whole[:5]),
            wire.record(0x41, bytes([tag, 8, 28])),
            wire.record(0x66, whole[5:6]),
            wire.record(0x67, whole[6:]),
        )
        self.assertEqual(self.ks.next().name, "$.KBUS.RemoteError.ENOSPC")
        m = self.ks.next()
        self.assertEqual((m.name, m.id, m.data), ("$.News", (22, 77), b"in pieces"))
        self.assertEqual(self.bus.limpets[0].stats.bad, 0)


if __name__ == "__main__":
    unittest.main()
