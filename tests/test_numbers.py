# SPDX-License-Identifier: MIT
"""Numbers of messages: they wrap, and none is given while a request that is out has it."""

import unittest

from buses import SERIAL_MAX, AskingCase, data, hot_take, read
from hots import texts
from limpet.send import STAGED, URGENT


class TestNumbers(AskingCase):
    """Numbers go to 2**30-1 and on at 1, past those of requests that are out, by all ways."""

    SIZES = {"slot_count": 32, "queue_size": 64}

    def begin_at(self, serial):
        """Let `serial` be the number given last."""
        pool = self.bus.pool
        pool.serial, pool.serial_stop = serial - 1, 0
        self.assertEqual(pool.next_serial(), serial)

    def check(self, send, start, out):
        """Send from `start` until far behind `out`; no number comes twice or is left out."""
        self.begin_at(start)
        left = out + 40 - start
        given = 0
        while left > 0:
            for number in send():
                given += 1
                expected = start + given
                while expected in self.out:
                    given += 1
                    expected = start + given
                self.assertEqual(number, expected)
                left -= 1

    def begin_out(self, *numbers):
        """Let requests be out under these numbers."""
        for number in numbers:
            self.bus.pool.serial, self.bus.pool.serial_stop = number - 1, 0
            self.assertEqual(self.asker.hot.request(self.name, b""), number)
            hot_take(self.replier)
        self.out = numbers

    def ways(self):
        """Return functions that use numbers up, and return those that they used."""
        self.other.bind("$.B")
        self.replier.bind("$.C", True)
        log, asked = self.bus.name("$.B"), self.bus.name("$.C")
        nobody = self.bus.name("$.Nobody")

        def on_a_log():
            number = self.asker.hot.announce(log, b"")
            hot_take(self.other)
            return (number,)

        def to_nobody():
            return (self.asker.hot.announce(nobody, b""),)

        def ask():
            number = self.other.hot.request(asked, b"")
            answer = self.replier.hot.reply(hot_take(self.replier), b"")
            hot_take(self.other)
            return (number, answer)

        def ask_slowly():
            number = self.other.hot.request(asked, b"", -1, URGENT)
            answer = self.replier.hot.reply(hot_take(self.replier), b"", -1, STAGED)
            hot_take(self.other)
            return (number, answer)

        def refused():
            self.other.hot.request(asked, b"", 0, 0, None, 999)
            return (self.other.hot.last_serial,)

        return on_a_log, to_nobody, ask, ask_slowly, refused

    def test_each_way_stops_before_one_that_is_out(self):
        """However far away it was when the way was taken first."""
        self.begin_out(200, 201, 210)
        ways = self.ways()
        for way in ways:
            for start in (20, 150, 198, 199, 205):
                self.check(way, start, 210)

    def test_all_ways_in_turn(self):
        """One way does not run into what another one has brought near."""
        self.begin_out(300, 340)
        ways = self.ways()
        turn = [0]

        def mixed():
            turn[0] += 1
            return ways[turn[0] * turn[0] % 7 % 5]()

        for start in (10, 250, 270):
            self.check(mixed, start, 340)

    def test_many_unread_in_a_log(self):
        """Those that are let through at once stop as well."""
        self.begin_out(100)
        log = self.ways()[0]
        self.check(log, 10, 60)
        self.other.hot.set_limit(1000)
        name = self.bus.name("$.B")
        for _ in range(3):
            self.begin_at(80)
            self.assertEqual(self.asker.hot.announce(name, b""), 81)
            numbers = [self.asker.hot.announce(name, b"") for _ in range(25)]
            self.assertEqual(numbers, [n for n in range(82, 108) if n != 100])
            texts(self.other)

    def test_free_again(self):
        """Once the request has ended its number is given like any other."""
        self.begin_out(50)
        self.replier.close()
        self.assertEqual(len(read(self.asker)), 1)
        self.begin_at(48)
        numbers = [self.asker.announce("$.Nobody") for _ in range(3)]
        self.assertEqual(numbers, [49, 50, 51])

    def test_those_of_other_nodes_do_not_count(self):
        """A request from elsewhere may have any number."""
        hot = self.asker.hot
        hot.net, hot.serial = 7, 60
        self.assertTrue(hot.request(self.name, b"", -1, STAGED) > 0)
        hot.unstage()
        self.begin_at(58)
        numbers = [self.asker.announce("$.Nobody") for _ in range(3)]
        self.assertEqual(numbers, [59, 60, 61])

    def test_announcements_on_a_log(self):
        """The short way takes no number that is out."""
        self.other.bind("$.B")
        name = self.bus.name("$.B")
        self.begin_at(3)
        sent = [self.asker.hot.request(self.name, b"") for _ in range(2)]
        self.assertEqual(sent, [4, 5])
        self.begin_at(SERIAL_MAX - 6)
        expected = [SERIAL_MAX - i for i in (5, 4, 3, 2, 1, 0)] + [1, 2, 3, 6, 7, 8, 9]
        found = []
        for _ in expected:
            found.append(self.asker.hot.announce(name, b""))
            hot_take(self.other)
        self.assertEqual(found, expected)
        self.assertIs(self.other.hot.log, name.log)

    def test_requests_and_replies(self):
        """They do not either; the answers find their requests."""
        self.begin_at(1)
        first = self.asker.hot.request(self.name, b"first")
        view = hot_take(self.replier)
        self.begin_at(SERIAL_MAX - 4)
        found = []
        for i in range(4):
            found.append(self.other.hot.request(self.name, b"%d" % i))
            request = hot_take(self.replier)
            found.append(self.replier.hot.reply(request, b"r%d" % i))
            self.assertEqual(data(self.other), [b"r%d" % i])
        self.assertEqual(first, 2)
        self.assertEqual(found, [SERIAL_MAX - i for i in (3, 2, 1, 0)] + [1, 3, 4, 5])
        self.assertEqual(self.replier.hot.reply(view, b"r"), 6)
        self.assertEqual([m.in_reply_to for m in read(self.asker)], [first])

    def test_the_oldest_across_the_wrap(self):
        """What was sent before the wrap is older than what was sent behind it."""
        self.other.bind("$.B")
        self.replier.bind("$.C")
        self.begin_at(SERIAL_MAX - 3)
        for i in range(36):
            self.asker.announce("$.B" if i % 2 else "$.C", b"%d" % i)
        self.assertEqual(texts(self.other), [b"%d" % i for i in range(5, 36, 2)])
        self.assertEqual(texts(self.replier), [b"%d" % i for i in range(4, 36, 2)])

    def test_many_are_out(self):
        """With all slots in use: there is always a number."""
        for _ in range(16):
            self.assertTrue(self.asker.hot.request(self.name, b"") > 0)
        for start in (SERIAL_MAX - 2, 1, 2, 15, SERIAL_MAX):
            self.bus.pool.serial, self.bus.pool.serial_stop = start, 0
            found = [self.asker.hot.announce(self.bus.name("$.No"), b"") for _ in range(4)]
            self.assertEqual(len(set(found) - set(range(1, 17))), 4)
            self.assertTrue(0 < min(found) and max(found) <= SERIAL_MAX)


if __name__ == "__main__":
    unittest.main()
