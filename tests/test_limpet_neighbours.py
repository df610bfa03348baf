# SPDX-License-Identifier: MIT
"""Who is at the other end: twins, another protocol version, echoes; clear words, and it heals."""

import unittest

from helpers_bus import START_MS, Pair, Reader
from limpet import Bus, NoReplier, port
from limpet.rand import Random
from limpet.transport.loopback import loopback

HELO = 1


def rewritten(buf, start, count, change):
    """Return the frames in buf[start:start+count], each HELO changed by change(packet)."""
    out = b""
    for run in bytes(buf[start : start + count]).split(b"\0")[:-1]:
        packet = bytearray(run)
        size = port.unseal(packet, len(packet), 0xFFFF) if run else -1
        if size > 2 and packet[1] == HELO:
            change(packet)
            coded = bytearray(size + 8)
            out += bytes(coded[: port.seal(coded, 0, packet, size, 0xFFFF)])
        else:
            out += run + b"\0"
    return out


def intercept(pipe, change):
    """Have each HELO on a pipe changed; return a function that undoes it."""
    write = pipe.write

    def put(buf, start, count, now_ms):
        data = bytearray(rewritten(buf, start, count, change))
        done = write(data, 0, len(data), now_ms)
        if done != len(data):
            raise AssertionError("the line is full")
        return count

    pipe.write = put

    def undo():
        pipe.write = write

    return undo


def no_replier(pair, side):
    """Return what wait_for_replier says when nobody comes; on the real clock, so it goes last."""
    try:
        pair.buses[side].wait_for_replier("$.Nobody", 0)
    except NoReplier as e:
        return str(e)
    raise AssertionError("there is a replier")


class TestTwins(unittest.TestCase):
    def test_two_nodes_of_one_id(self):
        """Both sides refuse, and both say which id and what to do; nothing passes."""
        pair = Pair(a={"node": 77}, b={"node": 77})
        Reader(pair.buses[1], replier=["$.Far"])
        pair.run(2000)
        for side in range(2):
            told = pair.limpets[side].describe()
            self.assertIn("77", told)
            self.assertIn("node id", told)
            self.assertGreater(pair.limpets[side].link.stats.helo_refused, 0)
            self.assertEqual(pair.limpets[side].link.stats.sessions, 0)
        self.assertEqual(pair.buses[0].bindings.all(), [])
        for side in range(2):
            self.assertIn(pair.limpets[side].describe(), no_replier(pair, side))
        pair.close()

    def test_it_heals(self):
        """When one of them comes back with another id, all is well within two seconds."""
        for side in range(2):
            pair = Pair(a={"node": 77}, b={"node": 77})
            pair.run(3000)
            pair.reset(side, node=78)
            self.assertTrue(0 <= pair.until(pair.up) <= 2000)
            self.assertIn("is up", pair.limpets[0].describe())
            self.assertEqual(pair.limpets[0].link.refusal, "")
            pair.close()

    def test_a_twin_does_not_end_a_session(self):
        """A HELO with our own id, in the midst of a session, changes nothing."""
        pair = Pair()
        far = Reader(pair.buses[1], replier=["$.Far"])
        near = Reader(pair.buses[0])
        pair.connect()
        twin = Bus(node=11, seed=99)
        one, other = loopback()
        twin.join(one)
        twin.runner.step(START_MS)
        other._now_ms = START_MS
        frame = bytearray(200)
        size = other._read(frame)
        self.assertGreater(size, 20)
        pair.pipes[1].write(frame, 0, size, pair.now)
        serial = near.ks.request("$.Far", b"?", None)
        pair.run(50)
        far.ks.reply(far.read()[0], b"!")
        pair.run(50)
        self.assertEqual(near.answer(serial), ("reply", b"!"))
        self.assertEqual(pair.limpets[0].link.stats.sessions, 1)
        self.assertGreater(pair.limpets[0].link.stats.helo_refused, 0)
        pair.close()


class TestVersions(unittest.TestCase):
    def test_another_protocol_version(self):
        """Refused, and told with both numbers; when the peer is updated, it connects by itself."""
        pair = Pair()
        Reader(pair.buses[1], replier=["$.Far"])

        def newer(packet):
            packet[2] = 9

        undo = intercept(pair.pipes[1], newer)
        pair.run(2000)
        told = pair.limpets[0].describe()
        self.assertIn("version 9", told)
        self.assertIn("update", told)
        self.assertIn("is down", pair.limpets[1].describe())
        undo()
        self.assertTrue(0 <= pair.until(pair.up, 4000))
        pair.connect()
        self.assertTrue(pair.buses[0].find_replier("$.Far"))
        intercept(pair.pipes[1], newer)
        pair.reset(1)
        pair.run(4000)
        self.assertIn("version 9", no_replier(pair, 0))
        pair.close()

    def test_impossible_fields(self):
        """A HELO whose check is right and whose fields can't be is dropped and counted as bad."""

        def no_node(packet):
            packet[4:8] = b"\0\0\0\0"

        def large_node(packet):
            packet[4] = 0xFF

        def large_epoch(packet):
            packet[12] = 0xFF

        def no_epoch(packet):
            packet[12:16] = b"\0\0\0\0"

        def no_packet(packet):
            packet[20] = 3

        def no_window(packet):
            packet[21] = 0

        def long_text(packet):
            packet[26] = 200

        for change in (
            no_node,
            large_node,
            large_epoch,
            no_epoch,
            no_packet,
            no_window,
            long_text,
        ):
            with self.subTest(change=change.__name__):
                pair = Pair()
                undo = intercept(pair.pipes[1], change)
                pair.run(2000)
                self.assertEqual(pair.limpets[0].link.stats.sessions, 0)
                self.assertGreater(pair.limpets[0].link.stats.rx_bad, 0)
                undo()
                self.assertTrue(0 <= pair.until(pair.up, 4000))
                pair.close()


class TestBegin(unittest.TestCase):
    def test_one_session_is_enough(self):
        """Sides that are both there agree on one session, and what is sent at once is not lost."""
        for seed in range(1, 20):
            pair = Pair(seed=seed)
            Reader(pair.buses[1], replier=["$.Far"])
            near = Reader(pair.buses[0])
            self.assertTrue(pair.until(lambda p=pair: p.buses[0].find_replier("$.Far")) >= 0)
            serial = near.ks.request("$.Far", b"?", None)
            pair.run(500)
            self.assertEqual(near.answer(serial), ("", b""))
            self.assertEqual([m.link.stats.sessions for m in pair.limpets], [1, 1])
            # A side that starts anew, with the other's HELO or frames in its ear, does so, too.
            far = Reader(pair.reset(1), replier=["$.Far"])
            pair.run(3000)
            self.assertEqual(near.answer(serial)[0], "Link.Lost")
            self.assertEqual([m.link.stats.sessions for m in pair.limpets], [2, 1])
            far.ks.close()
            pair.close()


class Drawn:
    """A source of epochs that gives those of a list first."""

    def __init__(self, *epochs):
        self.epochs = list(epochs)
        self.random = Random(7)

    def next(self):
        return self.epochs.pop(0) if self.epochs else self.random.next()

    def below(self, n):
        return self.random.below(n)


class TestEpochs(unittest.TestCase):
    """Where the check of a session's frames starts, whatever the epochs that chance gives."""

    def words(self, pair):
        self.assertTrue(pair.until(pair.up) >= 0)
        sessions = [m.link._session for m in pair.limpets]
        self.assertEqual(sessions[0].start_in, sessions[1].start_out)
        self.assertEqual(sessions[0].start_out, sessions[1].start_in)
        return [sessions[0].start_in, sessions[0].start_out]

    def test_it_is_neither_0_nor_that_of_a_helo(self):
        """From 0, two frames with the delimiter between them lost would pass as one."""
        for low in (0x2345, 0x2345 ^ 0xFFFF):
            for swap in (0, 1):
                pair = Pair()
                pair.limpets[swap].link._session._random = Drawn(0x1002345, 0x3332345, 0x5552345)
                other = Drawn(0x2220000 | low, 0x4440000 | low, 0x6660000 | low)
                pair.limpets[1 - swap].link._session._random = other
                for word in self.words(pair):
                    self.assertNotIn(word, (0, 0xFFFF))
                pair.close()

    def test_it_is_not_that_of_the_session_before(self):
        """Also if the side that comes back happens to draw the epoch that gives the same."""
        for flip in (0, 0xFFFF):
            pair = Pair()
            before = self.words(pair)
            session = pair.limpets[0].link._session
            pair.cut()
            pair.run(3000)
            pair.cut(False)
            pair.reset(1)
            # What side 0 has drawn for the next session, with this, gives the last one's again.
            epoch = (session._mine ^ session.me ^ session.peer) & 0xFFFF ^ flip
            pair.limpets[1].link._session._random = Drawn(0x1230000 | epoch)
            pair.run(100)
            for word in self.words(pair):
                self.assertNotIn(word, before)
            pair.close()

    def test_joined_frames(self):
        """When only the delimiter between two frames is lost, neither is taken."""
        pair = Pair()
        far = Reader(pair.buses[1], listen=["$.A"])
        near = pair.buses[0].ksock()
        pair.connect()
        write = pair.pipes[0].write
        held = []

        def join(buf, start, count, now_ms):
            held.append(bytes(buf[start : start + count]))
            if len(held) == 2:
                data = bytearray(held[0][:-1] + held[1])
                write(data, 0, len(data), now_ms)
            elif len(held) > 2:
                write(buf, start, count, now_ms)
            return count

        pair.pipes[0].write = join
        bad = pair.limpets[1].link.stats.rx_bad
        near.announce("$.A", b"1" * 100)
        pair.run(1)
        near.announce("$.A", b"2" * 100)
        pair.run(1000)
        self.assertEqual([m.data[:1] for m in far.read()], [b"1", b"2"])
        self.assertEqual(pair.limpets[1].link.stats.rx_bad, bad + 1)
        pair.close()


class TestEcho(unittest.TestCase):
    def test_a_line_that_ends_at_itself(self):
        """TX joined to RX: refused with a sentence that says so."""
        bus = Bus(node=5, seed=5)
        one, other = loopback()
        one._incoming = one._outgoing
        limpet = bus.join(one)
        for i in range(3000):
            bus.runner.step(START_MS + i & 0x3FFFFFFF)
        self.assertIn("echo", limpet.describe())
        self.assertEqual(limpet.link.stats.sessions, 0)
        bus.close()


class TestThree(unittest.TestCase):
    def test_one_hop(self):
        """What came over one link does not go on over another; each link knows its own."""
        left = Pair(a={"node": 1}, b={"node": 2})
        hub = left.buses[1]
        edge = Bus(node=3, seed=3)
        drivers = loopback(seed=9)
        limpet = hub.join(drivers[0])
        edge.join(drivers[1])
        ends = [Reader(bus, listen=["$.*"]) for bus in (left.buses[0], hub, edge)]
        ends[0].ks.bind("$.Ask", True)

        def run(ms):
            for _ in range(ms):
                left.run(1)
                edge.runner.step(left.now)

        run(500)
        self.assertEqual(
            [m.describe()[:12] for m in hub.limpets], ["link 0 is up", "link 1 is up"]
        )
        ends[0].ks.announce("$.A", b"from 1")
        ends[1].ks.announce("$.B", b"from 2")
        run(100)
        heard = [sorted([m.data for m in end.read()]) for end in ends]
        self.assertEqual(heard, [[b"from 1", b"from 2"], [b"from 1", b"from 2"], [b"from 2"]])
        self.assertFalse(edge.find_replier("$.Ask"))
        serial = ends[1].ks.request("$.Ask", b"?", None)
        run(100)
        asked = [m for m in ends[0].read() if m.wants_reply]
        ends[0].ks.reply(asked[0], b"!")
        run(100)
        self.assertEqual(ends[1].answer(serial), ("reply", b"!"))
        self.assertEqual(limpet.stats.announcements_sent, 1)
        left.close()
        edge.close()
        self.assertEqual(left.leaks(), "")


if __name__ == "__main__":
    unittest.main()
