# SPDX-License-Identifier: MIT
"""Hot sends in detail: the short and the careful way do the same; what is staged; gaps."""

import unittest

from buses import SERIAL_MAX, AskingCase, gaps, hot_take, read
from hots import Bell, held, shown, taken, texts
from limpet import MessageView
from limpet.errors import (
    EADDRNOTAVAIL,
    EAGAIN,
    EALREADY,
    EBADF,
    ECONNREFUSED,
    EINVAL,
    EMSGSIZE,
)
from limpet.send import ALL_OR_WAIT, CAUSES, STAGED, URGENT
from limpet.slots import REPLY


class Case(AskingCase):
    """As AskingCase; other listens to $.B."""

    def setUp(self):
        super().setUp()
        self.other.bind("$.B")
        self.heard = self.bus.name("$.B")


class TestArguments(Case):
    """What is wrong is refused by both ways, with the same errno and without a number."""

    def test_deadlines(self):
        before = self.other.announce("$.Nobody")
        for bad in (1 << 29, 1 << 40, -1, 1000.0, "1"):
            for size in (-1, 0):
                code = self.asker.hot.request(self.name, b"", size, 0, bad)
                self.assertEqual(code, -EINVAL, repr(bad))
        self.assertEqual(self.other.announce("$.Nobody"), before + 1)
        self.assertEqual((held(self.bus), self.bus.answers.timed_count), (0, 0))

    def test_no_buffer(self):
        """By neither way, and nothing is used up."""
        self.asker.request("$.A")
        view = hot_take(self.replier)
        before = self.other.announce("$.Nobody")
        used = held(self.bus)
        for bad in ("abc", 5, None):
            for flags in (0, URGENT, STAGED):
                self.assertRaises(TypeError, self.asker.hot.announce, self.heard, bad, -1, flags)
                self.assertRaises(TypeError, self.asker.hot.request, self.name, bad, -1, flags)
                self.assertRaises(TypeError, self.replier.hot.reply, view, bad, -1, flags)
        self.assertEqual((self.other.announce("$.Nobody"), held(self.bus)), (before + 1, used))
        self.assertTrue(self.replier.hot.reply(view, b"") > 0)
        self.assertEqual((texts(self.asker), texts(self.replier)), ([b""], []))

    def test_a_size_of_nothing(self):
        """Size 0 sends nothing of what the buffer has."""
        self.asker.hot.announce(self.heard, b"xyz", 0)
        self.asker.hot.request(self.name, b"xyz", 0)
        view = hot_take(self.replier)
        self.assertEqual((view.size, shown(hot_take(self.other))), (0, b""))
        self.replier.hot.reply(view, b"xyz", 0)
        self.assertEqual(texts(self.asker), [b""])

    def test_what_counts_ends_at_the_largest_small_int(self):
        """Counters of what was refused stay there."""
        hot = self.asker.hot
        i = CAUSES.index(EADDRNOTAVAIL)
        hot.refused[i] = SERIAL_MAX - 1
        for _ in range(3):
            hot.request(self.bus.name("$.None"), b"")
        self.assertEqual(hot.refused[i], SERIAL_MAX)
        self.assertEqual(sum(hot.refused), SERIAL_MAX)


class TestStaged(Case):
    """Staged fields count for sends with STAGED only, and for these until they are changed."""

    def stage(self):
        hot = self.asker.hot
        hot.user, hot.to, hot.carry, hot.cookie, hot.offset = 3, 4, "c", 5, 1
        hot.net, hot.serial, hot.sender = 9, 100, 6
        return hot

    def nothing(self, view):
        """Check that a view shows none of it."""
        self.assertEqual((view.user, view.carry, view.id_net, view.sender_net), (0, None, 0, 0))
        self.assertEqual((view.sender, shown(view)), (self.asker.id, b"abc"))

    def test_without_the_flag(self):
        hot = self.stage()
        for flags in (0, URGENT):
            for size in (-1, 3):
                self.assertTrue(hot.announce(self.heard, b"abc", size, flags) > 0)
                view = hot_take(self.other)
                self.nothing(view)
                self.assertEqual(view.to, 0)
                self.assertTrue(hot.request(self.name, b"abc", size, flags) > 0)
                view = hot_take(self.replier)
                self.nothing(view)
                self.replier.hot.reply(view, b"")
                answer = hot_take(self.asker)
                self.assertEqual((answer.cookie, answer.to), (0, self.asker.id))

    def test_with_it(self):
        hot = self.stage()
        for _ in range(2):
            self.assertEqual(hot.announce(self.heard, b"abc", -1, STAGED), 100)
            view = hot_take(self.other)
            self.assertEqual((view.user, view.to, view.carry), (3, 4, "c"))
            self.assertEqual((view.id_net, view.id_serial), (9, 100))
            self.assertEqual((view.sender_net, view.sender, shown(view)), (9, 6, b"bc"))
            self.assertEqual(view.flags, 0)
            self.assertEqual((hot.last_net, hot.last_serial), (9, 100))
        hot.unstage()
        self.assertTrue(hot.request(self.name, b"", -1, STAGED) > 0)
        self.replier.hot.reply(hot_take(self.replier), b"")
        self.assertEqual(hot_take(self.asker).cookie, 0)
        self.assertTrue(hot.announce(self.heard, b"abc", -1, STAGED) > 0)
        view = hot_take(self.other)
        self.nothing(view)
        self.assertEqual((view.to, hot.last_net), (0, 0))

    def test_sender_0(self):
        """The bus of another node may have sent it."""
        hot = self.asker.hot
        hot.net, hot.serial, hot.sender = 9, 100, 0
        hot.announce(self.heard, b"", -1, STAGED)
        view = hot_take(self.other)
        self.assertEqual((view.sender_net, view.sender), (9, 0))

    def test_the_slot_is_plain_again(self):
        """Nothing of it is seen in the next message that uses the slot."""
        for _ in range(2 * self.bus.pool.count):
            hot = self.stage()
            hot.net = 0
            hot.announce(self.heard, b"abc", -1, STAGED)
            texts(self.other)
            hot.unstage()
            hot.announce(self.heard, b"abc")
            self.nothing(hot_take(self.other))
            self.other.hot.release()

    def test_replies(self):
        """Keep the asker's cookie, go to the asker; a name of their own counts with the flag."""
        names = self.bus.name("$.C"), self.bus.name("$.D")
        self.other.bind("$.C")
        for flags, name in (
            (STAGED, "$.C"),
            (0, "$.A"),
            (URGENT, "$.A"),
            (STAGED | URGENT, "$.C"),
        ):
            self.asker.hot.cookie = 77
            sent = self.asker.hot.request(self.name, b"", -1, STAGED)
            view = hot_take(self.replier)
            hot = self.replier.hot
            hot.name, hot.to, hot.cookie, hot.user = names[0], 55, 66, 7
            self.assertTrue(hot.reply(view, b"r", -1, flags) > 0)
            got = hot_take(self.asker)
            self.assertEqual((got.kind, got.name, got.reply_serial), (REPLY, name, sent))
            self.assertEqual((got.cookie, got.to), (77, self.asker.id))
            self.assertEqual(got.user, 7 if flags & STAGED else 0)
            self.assertEqual(len(read(self.other)), 1 if flags & STAGED else 0)

    def test_from_a_link_to_local_repliers_only(self):
        """What came over a link does not go out over another one."""
        self.bus.bind(self.other.hot, "$.A.B", True, True)
        hot = self.asker.hot
        name = self.bus.name("$.A.B")
        self.assertTrue(hot.request(name, b"", -1, STAGED) > 0)  # staged, but of this bus
        self.assertEqual(len(read(self.other)), 1)
        hot.net, hot.serial, hot.sender = 9, 100, 6
        self.assertEqual(hot.request(name, b"", -1, STAGED), -EADDRNOTAVAIL)
        hot.sender = 0
        self.assertEqual(hot.request(name, b"", -1, STAGED), -EADDRNOTAVAIL)
        self.replier.bind("$.A.*", True)
        self.assertEqual(hot.request(name, b"", -1, STAGED), 100)
        hot.sender = -1
        self.assertEqual(hot.request(name, b"", -1, STAGED), 100)
        self.assertEqual((len(read(self.replier)), len(read(self.other))), (1, 1))
        hot.sender = 6
        self.assertTrue(hot.request(name, b"") > 0)  # not staged: of this bus
        self.assertEqual(len(read(self.other)), 1)


class TestReplies(Case):
    """A view or ticket answers its request once, by whichever way."""

    def test_it_wants_a_reply_until_it_has_one(self):
        for flags in (0, URGENT, STAGED):
            self.asker.request("$.A")
            view = hot_take(self.replier)
            self.assertTrue(view.wants_reply)
            self.assertEqual(self.replier.hot.reply(view, bytes(999), -1, flags), -EMSGSIZE)
            self.assertTrue(view.wants_reply)
            self.assertTrue(self.replier.hot.reply(view, b"", -1, flags) > 0)
            self.assertFalse(view.wants_reply)
            self.assertEqual(self.replier.hot.reply(view, b"", -1, flags), -ECONNREFUSED)
            read(self.asker)

    def test_parked(self):
        """find_owed() tells where, reply_parked() answers it; refused as reply() is."""
        sent = [self.asker.request("$.A") for _ in range(3)]
        hot = self.replier.hot
        self.assertIsNone(hot.find_owed(0, sent[0]))
        for _ in range(2):
            hot_take(self.replier)
        self.assertEqual(hot.owed_count(), 2)
        self.assertIsNone(hot.find_owed(0, sent[2]))
        self.assertIsNone(hot.find_owed(1, sent[0]))
        self.assertIsNone(self.asker.hot.find_owed(0, sent[0]))
        slot = hot.find_owed(0, sent[1])
        self.assertEqual(hot.reply_parked(slot, bytes(129), 0), -EMSGSIZE)
        self.assertEqual(hot.reply_parked(slot, b"", 1), -EINVAL)
        self.assertEqual(hot.owed_count(), 2)
        self.assertTrue(hot.reply_parked(slot, b"parked", 0) > 0)
        self.assertEqual(hot.owed_count(), 1)
        got = read(self.asker)
        self.assertEqual([(m.in_reply_to, m.data) for m in got], [(sent[1], b"parked")])
        slot = hot.find_owed(0, sent[0])
        self.asker.close()
        self.assertEqual(hot.reply_parked(slot, b"", 0), -EADDRNOTAVAIL)
        self.assertEqual(hot.owed_count(), 0)
        hot_take(self.replier)
        slot = hot.find_owed(0, sent[2])
        self.other.hot.set_limit(1)
        self.replier.announce("$.B")
        self.assertEqual(hot.announce(self.heard, b"w", -1, ALL_OR_WAIT), -EAGAIN)
        self.assertEqual(hot.reply_parked(slot, b"", 0), -EALREADY)
        self.replier.close()
        self.assertEqual(hot.reply_parked(slot, b"", 0), -EBADF)

    def test_another_asker_closes(self):
        """Nobody else's answer is touched."""
        sent = self.asker.request("$.A")
        self.other.request("$.A")
        self.other.close()
        self.assertTrue(self.replier.hot.reply(hot_take(self.replier), b"") > 0)
        self.assertEqual([m.in_reply_to for m in read(self.asker)], [sent])

    def test_one_that_failed(self):
        """Wants no reply any more."""
        self.asker.request("$.A")
        request = self.replier.next()
        self.replier.hot.fail(request, b"why")
        self.assertFalse(request.wants_reply)
        self.assertEqual([(m.data, m.executed) for m in read(self.asker)], [(b"why", "yes")])
        self.replier.hot.fail(request, b"again")
        self.assertEqual(read(self.asker), [])

    def test_the_answer_among_copies_of_it(self):
        """Who listens to its own request's name finds the answer, not a copy."""
        self.asker.bind("$.A")
        sent = self.asker.request("$.A")
        self.replier.reply(self.replier.next(), b"", URGENT)
        hot = self.asker.hot
        self.assertEqual(hot.unread(), 3)
        hot.bring(hot.find_answer(sent))
        self.assertEqual(hot_take(self.asker).reply_serial, sent)
        self.assertTrue(hot.find_answer(sent) < 0)

    def test_who_watches_is_woken(self):
        """Of a request its replier, of an answer its asker."""
        bells = Bell(), Bell()
        self.replier.hot.set_watch(bells[0])
        self.asker.hot.set_watch(bells[1])
        for flags in (0, STAGED):
            self.asker.hot.request(self.name, b"", -1, flags)
            self.assertEqual([bell.rung() for bell in bells], [True, False])
            self.replier.hot.reply(hot_take(self.replier), b"", -1, flags)
            self.assertEqual([bell.rung() for bell in bells], [False, True])
        self.asker.request("$.A")
        bells[1].rung()
        self.replier.unbind("$.A", True)
        self.assertTrue(bells[1].rung())

    def test_a_call_that_is_given_up(self):
        """Just its answer goes, come or to come; others' stay."""
        sent = [self.asker.request("$.A") for _ in range(3)]
        views = [hot_take(self.replier, MessageView()) for _ in range(3)]
        self.replier.hot.reply(views[0], b"0")
        forget = self.bus.answers.forget
        forget(self.asker.hot, sent[0])
        self.assertEqual((read(self.asker), self.asker.hot.reserved), ([], 2))
        forget(self.asker.hot, sent[1])
        self.assertEqual(self.asker.hot.reserved, 1)
        self.assertEqual(self.replier.hot.reply(views[1], b"1"), -EADDRNOTAVAIL)
        self.assertTrue(self.replier.hot.reply(views[2], b"2") > 0)
        self.assertEqual([m.in_reply_to for m in read(self.asker)], [sent[2]])


class TestGaps(Case):
    """What was missed is told once, by what comes next, whichever way that comes."""

    SIZES = {"queue_size": 2}

    def miss(self, ks, count):
        """Fill a Ksock and let it miss `count`, then read what it has."""
        for _ in range(2 + count):
            self.asker.announce("$.B")
        self.assertEqual(len(read(ks)), 2)

    def test_by_a_request(self):
        self.replier.bind("$.B")
        for flags in (0, URGENT):
            self.miss(self.replier, 3)
            read(self.other)
            self.asker.hot.request(self.name, b"", -1, flags)
            self.asker.hot.request(self.name, b"", -1, 0)
            views = [hot_take(self.replier) for _ in range(2)]
            self.assertEqual([v.missed for v in views], [3, 0])
            for view in views:
                self.replier.hot.reply(view, b"")
            read(self.asker)

    def test_by_an_answer(self):
        self.asker.bind("$.B")
        for flags in (0, STAGED):
            self.asker.hot.set_limit(3)
            self.asker.request("$.A")
            self.miss(self.asker, 3)
            read(self.other)
            self.replier.hot.reply(hot_take(self.replier), b"", -1, flags)
            self.asker.announce("$.B")
            self.assertEqual([m for m, _ in gaps(self.asker)], [3, 0])
            read(self.other)

    def test_in_a_log(self):
        """Which was joined with nothing in the queue."""
        for takes in (lambda ks, view: hot_take(ks, view).missed, lambda ks, _: ks.next().missed):
            view = MessageView()
            self.miss(self.other, 3)
            self.replier.bind("$.B")  # a new log
            self.asker.announce("$.B")
            self.assertIs(self.other.hot.log, self.heard.log)
            self.asker.announce("$.B")
            self.assertEqual([takes(self.other, view) for _ in range(2)], [3, 0])
            self.asker.announce("$.B")
            self.assertEqual(takes(self.other, view), 0)
            self.replier.unbind("$.B")
            read(self.other)

    def test_places_are_used_again(self):
        """What a place of the ring has told, the next one there does not."""
        self.other.hot.set_watch(Bell())
        missed = told = 0
        for turn in range(30):
            for _ in range(4 if turn % 3 == 0 else 1):
                self.asker.announce("$.B")
            missed += 2 if turn % 3 == 0 else 0
            for count, _ in taken(self.other):
                told += count
            self.assertEqual(told + self.other.hot.missed_next, missed)


if __name__ == "__main__":
    unittest.main()
