# SPDX-License-Identifier: MIT
"""Announcements: who hears them, in which order, what is counted as missed, what is refused."""

import unittest
from array import array

from buses import ThreeCase, data, gaps, hot_take, names, read
from limpet import Closed, MessageView, TooLarge
from limpet.errors import EAGAIN, EBADF, EINVAL, EMSGSIZE
from limpet.send import STAGED
from limpet.slots import ANNOUNCEMENT


class TestDelivery(ThreeCase):
    def test_everybody_hears_the_same_order(self):
        """All listeners see what they share in the same order, whoever sent it."""
        for ks in (self.a, self.b):
            ks.bind("$.*")
        for i in range(4):
            self.a.announce("$.A", b"a%d" % i)
            self.c.announce("$.B", b"c%d" % i)
        heard = data(self.a)
        self.assertEqual(heard, [b"a0", b"c0", b"a1", b"c1", b"a2", b"c2", b"a3", b"c3"])
        self.assertEqual(data(self.b), heard)

    def test_what_a_message_tells(self):
        """Kind, name, data, number and sender are those of the send."""
        self.a.bind("$.*")
        number = self.c.announce("$.A.B", "d\xe9ta")
        message = self.a.next()
        self.assertEqual(message.kind, "announcement")
        self.assertEqual((message.name, message.text), ("$.A.B", "d\xe9ta"))
        self.assertEqual((message.id, message.sender), ((0, number), (0, self.c.id)))
        self.assertEqual((message.missed, message.in_reply_to, message.wants_reply), (0, 0, False))
        self.assertIn("$.A.B", repr(message))

    def test_the_view_tells_the_same(self):
        """The hot layer shows the same message, as ints and bytes by index."""
        self.a.bind("$.A")
        number = self.c.hot.announce(self.name, b"abc")
        view = hot_take(self.a)
        self.assertEqual((view.kind, view.name, view.size, len(view)), (ANNOUNCEMENT, "$.A", 3, 3))
        self.assertEqual([view[0], view[1], view[2]], [97, 98, 99])
        self.assertEqual((view.id_net, view.id_serial), (0, number))
        self.assertEqual((view.sender_net, view.sender), (0, self.c.id))
        self.assertEqual((view.flags, view.reply_serial, view.missed), (0, 0, 0))
        self.assertIs(view.name, self.name.text)

    def test_nobody_listens(self):
        """An announcement for nobody is sent and vanishes; it has a number all the same."""
        first = self.a.announce("$.A", b"x")
        self.assertEqual(self.a.announce("$.A", b"x"), first + 1)
        self.assertEqual(self.bus.pool.free_count(), self.bus.pool.count)

    def test_repliers_do_not_hear_announcements(self):
        """Only listeners do."""
        self.a.bind("$.A", True)
        self.c.announce("$.A")
        self.assertEqual(read(self.a), [])

    def test_not_those_who_bind_later(self):
        """Who listens now hears it; who binds after the send does not."""
        self.c.announce("$.A")
        self.a.bind("$.A")
        self.assertEqual(read(self.a), [])

    def test_the_sender_hears_itself(self):
        """Who listens to its own name gets its copy like all others."""
        self.a.bind("$.A")
        self.a.announce("$.A", b"me")
        self.assertEqual(data(self.a), [b"me"])

    def test_data_is_copied(self):
        """What happens to the buffer after the call does not change the message."""
        self.a.bind("$.A")
        buf = bytearray(b"before")
        self.c.hot.announce(self.name, buf)
        buf[:] = b"after!"
        self.assertEqual(data(self.a), [b"before"])

    def test_kinds_of_data(self):
        """bytes, bytearray, memoryview and str are data; other things are a TypeError."""
        self.a.bind("$.A")
        for what in (b"xy", bytearray(b"xy"), memoryview(b"xy"), "xy"):
            self.c.announce("$.A", what)
        self.assertEqual(data(self.a), [b"xy"] * 4)
        for what in (None, 5, ["x"], 1.5):
            self.assertRaises(TypeError, self.c.announce, "$.A", what)
        self.assertEqual(read(self.a), [])

    def test_messages_do_not_change_under_their_reader(self):
        """A Message stays right whatever comes after it; a view until its Ksock's next take."""
        self.a.bind("$.A")
        self.c.announce("$.A", b"first")
        message = self.a.next()
        self.c.announce("$.A", b"view!")
        view = hot_take(self.a)
        for _ in range(3 * self.bus.pool.count):
            self.c.announce("$.A", b"later")
        self.assertEqual(message.data, b"first")
        self.assertEqual(bytes([view[i] for i in range(view.size)]), b"view!")
        read(self.a)


class TestNumbers(ThreeCase):
    def test_each_send_has_the_next_number(self):
        """Numbers begin at 1 and go up by one for each message of the bus."""
        sent = [ks.announce("$.A") for ks in (self.a, self.b, self.c, self.a)]
        self.assertEqual(sent, [1, 2, 3, 4])

    def test_refused_sends_take_none(self):
        """Too large, unknown flags, closed: no number is used up."""
        before = self.a.announce("$.A")
        self.assertRaises(TooLarge, self.a.announce, "$.A", bytes(129))
        self.assertEqual(self.a.hot.announce(self.name, b"", -1, 1), -EINVAL)
        self.b.close()
        self.assertRaises(Closed, self.b.announce, "$.A")
        self.assertEqual(self.a.announce("$.A"), before + 1)
        self.assertEqual(self.a.hot.last_serial, before + 1)


class TestSize(ThreeCase):
    SIZES = {"slot_size": 8}

    def test_limit_and_one_past(self):
        """A slot's size of bytes can be sent; one more is refused, with and without listeners."""
        for listens in (False, True):
            if listens:
                self.a.bind("$.A")
            self.c.announce("$.A", b"12345678")
            with self.assertRaises(TooLarge) as caught:
                self.c.announce("$.A", b"123456789")
            self.assertEqual(caught.exception.errno, EMSGSIZE)
        self.assertEqual(data(self.a), [b"12345678"])

    def test_nothing(self):
        """No data at all is fine."""
        self.a.bind("$.A")
        self.c.announce("$.A")
        self.c.announce("$.A", "")
        self.assertEqual(data(self.a), [b"", b""])

    def test_a_short_message_after_a_long_one(self):
        """What was in a slot before is never seen again."""
        self.a.bind("$.A")
        for _ in range(40):
            self.c.announce("$.A", b"longlong")
            self.c.announce("$.A", b"s")
            self.assertEqual(data(self.a), [b"longlong", b"s"])

    def test_text_counts_in_bytes(self):
        """A str is as large as its UTF-8."""
        self.c.announce("$.A", "\xe9\xe9\xe9\xe9")
        self.assertRaises(TooLarge, self.c.announce, "$.A", "\xe9\xe9\xe9\xe9x")


class TestView(ThreeCase):
    def test_a_view_without_data_is_still_a_message(self):
        """`if view` is about the view, len(view) about the data."""
        view = MessageView()
        self.b.bind("$.A")
        self.a.hot.announce(self.name, b"")
        self.assertEqual(self.b.hot.take(view), 0)
        self.assertTrue(view)
        self.assertEqual(len(view), 0)


class TestHot(ThreeCase):
    def test_size_and_offset(self):
        """`size` bytes from `offset` on are sent."""
        self.a.bind("$.A")
        buf = bytearray(b"0123456789")
        self.c.hot.announce(self.name, buf, 4)
        self.c.hot.offset = 6
        self.c.hot.announce(self.name, buf, 4, STAGED)
        self.c.hot.announce(self.name, buf, 0, STAGED)
        self.assertEqual(data(self.a), [b"0123", b"6789", b""])

    def test_more_than_the_buffer_has(self):
        """A size that the buffer does not have is refused; nothing is raised or lost."""
        self.a.bind("$.A")
        self.b.bind("$.A", True)
        hot = self.c.hot
        before = self.c.announce("$.None")
        free = self.bus.pool.free_count()
        for offset, size in ((0, 4), (1, 3), (3, 1), (4, 0), (100, 1)):
            hot.offset = offset
            self.assertEqual(hot.announce(self.name, b"123", size, STAGED), -EINVAL)
            self.assertEqual(hot.request(self.name, b"123", size, STAGED), -EINVAL)
        hot.offset = 4
        self.assertEqual(hot.announce(self.name, b"123", -1, STAGED), -EINVAL)
        hot.offset = 0
        self.assertEqual(self.bus.pool.free_count(), free)
        self.assertEqual(self.c.announce("$.None"), before + 1)
        self.c.request("$.A")
        request = self.b.next()
        self.assertEqual(self.b.hot.reply(request, b"123", 4), -EINVAL)
        self.assertTrue(self.b.hot.reply(request, b"123", 3) > 0)

    def test_what_is_no_buffer(self):
        """Text and lists are a TypeError; nothing is sent or taken."""
        self.a.bind("$.A")
        self.b.bind("$.A", True)
        for bad in ("123", [1, 2], 5, None):
            self.assertRaises(TypeError, self.c.hot.announce, self.name, bad)
            self.assertRaises(TypeError, self.c.hot.request, self.name, bad)
        self.assertEqual((read(self.a), read(self.b)), ([], []))
        self.assertEqual(self.bus.pool.free_count(), self.bus.pool.count)

    def test_buffers_of_larger_items(self):
        """The comfortable layer sends all their bytes; a slot never changes its size."""
        self.a.bind("$.A")
        items = array("H", [0x0102, 0x0304, 0x0506])
        self.c.announce("$.A", memoryview(items))
        self.assertEqual(data(self.a), [bytes(memoryview(items))])
        for _ in range(3):
            try:
                self.c.hot.announce(self.name, memoryview(items))
            except ValueError:
                pass  # CPython's; on a board the sizes are those of bytes
        data(self.a)
        self.assertEqual(self.bus.pool.free_count(), self.bus.pool.count)
        slot = self.bus.pool.free
        while slot is not None:
            self.assertEqual(len(slot.data), self.bus.slot_size)
            slot = slot.next

    def test_take_of_nothing(self):
        """An empty queue gives EAGAIN, and lets go of what was shown before."""
        self.a.bind("$.A")
        view = MessageView()
        self.assertEqual(self.a.hot.take(view), -EAGAIN)
        self.c.announce("$.A", b"x")
        self.assertEqual(self.a.hot.take(view), 1)
        self.assertEqual(self.bus.pool.free_count(), self.bus.pool.count - 1)
        self.assertEqual(self.a.hot.take(view), -EAGAIN)
        self.assertEqual(self.bus.pool.free_count(), self.bus.pool.count)

    def test_closed(self):
        """After close each hot send returns EBADF and raises nothing."""
        self.b.bind("$.A", True)
        self.c.request("$.A")
        request = self.b.next()
        self.b.close()
        self.assertEqual(self.b.hot.announce(self.name, b""), -EBADF)
        self.assertEqual(self.b.hot.request(self.name, b""), -EBADF)
        self.assertEqual(self.b.hot.reply(request, b""), -EBADF)
        self.assertTrue(self.b.hot.take(MessageView()) < 0)


class TestFullListener(ThreeCase):
    SIZES = {"queue_size": 3}

    def test_others_are_not_touched(self):
        """A full listener misses its copy; sender and other listeners see nothing of it."""
        self.a.bind("$.A")
        self.b.bind("$.A")
        for i in range(5):
            self.c.announce("$.A", b"%d" % i)
            if i != 4:
                self.assertEqual(data(self.b), [b"%d" % i])
        self.assertEqual(gaps(self.b), [(0, b"4")])
        self.assertEqual(gaps(self.a), [(0, b"0"), (0, b"1"), (0, b"2")])

    def test_the_next_message_tells(self):
        """The first copy after a gap says how many were lost, the one after it nothing."""
        self.a.bind("$.A")
        for i in range(7):
            self.c.announce("$.A", b"%d" % i)
        self.assertEqual(gaps(self.a), [(0, b"0"), (0, b"1"), (0, b"2")])
        self.c.announce("$.A", b"7")
        self.c.announce("$.A", b"8")
        self.assertEqual(gaps(self.a), [(4, b"7"), (0, b"8")])

    def test_reading_one_makes_room_for_one(self):
        """The limit counts what is queued, not what is being read."""
        self.a.bind("$.A")
        for i in range(3):
            self.c.announce("$.A", b"%d" % i)
        view = hot_take(self.a)
        self.c.announce("$.A", b"3")
        self.c.announce("$.A", b"4")  # missed
        self.assertEqual(view[0], ord("0"))
        self.assertEqual(gaps(self.a), [(0, b"1"), (0, b"2"), (0, b"3")])

    def test_a_copy_for_each_binding_counts(self):
        """With three bindings and room for two, three copies come: room is looked at once."""
        for _ in range(3):
            self.a.bind("$.A")
        self.c.announce("$.A", b"0")
        self.assertEqual(len(read(self.a)), 3)
        self.a.bind("$.B")
        self.c.announce("$.B", b"1")
        self.c.announce("$.A", b"2")
        self.c.announce("$.A", b"4")
        self.assertEqual(gaps(self.a), [(0, b"1"), (0, b"2"), (0, b"2"), (0, b"2")])
        self.c.announce("$.B", b"3")
        self.assertEqual(gaps(self.a), [(3, b"3")])

    def test_gaps_are_not_lost_with_an_unbind(self):
        """The gap before a copy that unbinding takes away is told by the copy behind it."""
        self.a.bind("$.A")
        self.a.bind("$.B")
        for i in range(4):
            self.c.announce("$.B", b"%d" % i)
        read(self.a)
        self.c.announce("$.A", b"A")  # carries the gap
        self.c.announce("$.B", b"B")
        self.a.unbind("$.A")
        self.assertEqual(gaps(self.a), [(1, b"B")])

    def test_a_limit_of_its_own(self):
        """Each Ksock may have its own queue size."""
        small, large = self.bus.ksock(1), self.bus.ksock(9)
        for ks in (small, large):
            ks.bind("$.A")
        for i in range(10):
            self.c.announce("$.A", b"%d" % i)
        self.assertEqual(data(small), [b"0"])
        self.assertEqual(data(large), [b"%d" % i for i in range(9)])

    def test_the_ring_goes_round(self):
        """Order and data are right however often the ring of a queue has gone round."""
        self.a.bind("$.A")
        expected = 0
        for i in range(50):
            self.c.announce("$.A", b"%d" % i)
            if i % 3:
                self.assertEqual(self.a.next().data, b"%d" % expected)
                expected += 1
            elif self.a.hot.unread() == 3:
                self.assertEqual(self.a.next().data, b"%d" % expected)
                expected += 1
        self.assertEqual(names(self.a), ["$.A"] * (50 - expected))


class TestOnce(ThreeCase):
    def test_one_copy_for_several_bindings(self):
        """A queue that wants messages once gets one copy, and none if it is asked to reply."""
        self.a.hot.once = True
        for name in ("$.A", "$.*", "$.A"):
            self.a.bind(name)
        self.c.announce("$.A", b"1")
        self.c.announce("$.A", b"1")
        self.assertEqual(data(self.a), [b"1", b"1"])
        self.a.bind("$.A", True)
        self.c.request("$.A", b"2")
        got = read(self.a)
        self.assertEqual([(m.kind, m.wants_reply) for m in got], [("request", True)])


if __name__ == "__main__":
    unittest.main()
