# SPDX-License-Identifier: MIT
"""Contexts: who has which byte, eviction, and that no Name stays pinned."""

import unittest

from helpers_bus import Pair, Reader
from limpet.bindings import Name
from limpet.context import ReceiveContexts, SendContexts
from limpet.outbox import CONTEXT_COUNT
from limpet.rand import Random


def names(count):
    return [Name("$.N%d" % i) for i in range(count)]


class TestSendContexts(unittest.TestCase):
    def test_a_name_and_sender_have_one(self):
        """The same name from two senders are two contexts; another table's are not found."""
        table, other = SendContexts(4), SendContexts(4)
        (name,) = names(1)
        a = table.assign(name, 1)
        b = table.assign(name, 2)
        self.assertNotEqual(a.index, b.index)
        self.assertIs(table.find(name, 1), a)
        self.assertIs(table.find(name, 2), b)
        self.assertIsNone(table.find(name, 3))
        self.assertIsNone(other.find(name, 1))
        c = other.assign(name, 1)
        self.assertIs(table.find(name, 1), a)
        self.assertIs(other.find(name, 1), c)
        self.assertEqual(name.pins, 3)
        table.reset()
        self.assertEqual(name.pins, 1)
        self.assertIs(other.find(name, 1), c)
        other.reset()
        self.assertEqual((name.pins, name.contexts), (0, None))

    def test_the_one_assigned_longest_ago_goes(self):
        table = SendContexts(3)
        four = names(4)
        for name in four:
            table.assign(name, 1)
        self.assertEqual([n.pins for n in four], [0, 1, 1, 1])
        self.assertIsNone(table.find(four[0], 1))
        self.assertIsNone(four[0].contexts)
        table.assign(four[0], 1)
        self.assertEqual([n.pins for n in four], [1, 0, 1, 1])

    def test_any_order_leaves_nothing(self):
        """Two tables, random assignments: find() is always right, and reset() frees every pin."""
        random = Random(7)
        tables = [SendContexts(3), SendContexts(5)]
        models = [[], []]
        some = names(4)
        for _ in range(400):
            k = random.below(2)
            name, sender = some[random.below(4)], random.below(3)
            found = tables[k].find(name, sender)
            model = [c for c in models[k] if c.name is name and c.sender == sender]
            self.assertIs(found, model[0] if model else None)
            if found is None:
                context = tables[k].assign(name, sender)
                models[k] = [c for c in models[k] if c is not context] + [context]
            self.assertEqual(sum([n.pins for n in some]), len(models[0]) + len(models[1]))
        for table in tables:
            table.reset()
        self.assertEqual([(n.pins, n.contexts) for n in some], [(0, None)] * 4)


class TestReceiveContexts(unittest.TestCase):
    def test_assign_and_again(self):
        """A byte may get another meaning at any time; pins follow."""
        table = ReceiveContexts(2)
        a, b = names(2)
        self.assertTrue(table.assign(0, a, 7))
        self.assertTrue(table.assign(1, a, 8))
        self.assertEqual((a.pins, table.sender(1)), (2, 8))
        self.assertTrue(table.assign(1, b, 9))
        self.assertEqual((a.pins, b.pins, table.sender(1)), (1, 1, 9))
        self.assertIs(table.name(1), b)
        self.assertTrue(table.assign(1, None, 9))  # not permitted: no name, but a sender
        self.assertEqual((b.pins, table.name(1), table.sender(1)), (0, None, 9))
        table.reset()
        self.assertEqual((a.pins, table.name(0), table.sender(0)), (0, None, 0))

    def test_there_are_no_others(self):
        """A byte beyond the table is refused and means nothing."""
        table = ReceiveContexts(2)
        (a,) = names(1)
        for index in (2, 3, 255):
            self.assertFalse(table.assign(index, a, 1))
            self.assertIsNone(table.name(index))
            self.assertEqual(table.sender(index), 0)
        self.assertEqual(a.pins, 0)


class TestManyNames(unittest.TestCase):
    def test_more_names_and_senders_than_contexts(self):
        """With three times as many as there are bytes, every message has its name and sender."""
        pair = Pair()
        far = Reader(pair.buses[1], listen=["$.*"], queue_size=64)
        senders = [pair.buses[0].ksock() for _ in range(3)]
        pair.connect()
        random = Random(3)
        sent = []
        for i in range(400):
            sender, k = senders[random.below(3)], random.below(CONTEXT_COUNT)
            sender.announce("$.Word.N%d" % k, b"%d" % i)
            sent.append(("$.Word.N%d" % k, b"%d" % i, (11, sender.id)))
            if i % 7 == 0:
                pair.run(20)
                far.read()
        pair.run(100)
        far.read()
        got = [(m.name, m.data, m.sender) for m in far.messages]
        self.assertEqual(got, sent)
        pair.close()
        self.assertEqual(pair.leaks(), "")

    def test_pins_go_with_the_session(self):
        """When the link dies, no name of either bus stays pinned."""
        pair = Pair(a={"name_count": 40}, b={"name_count": 40})
        far = Reader(pair.buses[1], listen=["$.*"])
        ks = pair.buses[0].ksock()
        pair.connect()
        for i in range(60):
            ks.announce("$.N%d" % i, b"x")
            pair.run(10)
            far.read()
        self.assertEqual([d for _, _, d in far.heard], [b"x"] * 60)
        pair.cut()
        self.assertTrue(pair.until(lambda: not pair.up()) >= 0)
        pair.run(3000)
        for side in range(2):
            known = pair.buses[side].bindings.names.values()
            self.assertEqual([n.text for n in known if n.pins or n.contexts is not None], [])
        pair.close()
        self.assertEqual(pair.leaks(), "")

    def test_a_full_name_table_loses_no_request(self):
        """If the far side can take no more names, requests under new ones end; later ones work."""
        pair = Pair(b={"name_count": 4})
        far = Reader(pair.buses[1], replier=["$.A.*"])
        near = Reader(pair.buses[0])
        kept = [pair.buses[1].name("$.Kept%d" % i) for i in range(4)]
        pair.connect()
        serial = near.ks.request("$.A.B", b"?", None)
        pair.run(100)
        self.assertEqual(near.answer(serial)[0], "RemoteError.ENOSPC")
        self.assertEqual(far.read(), [])
        for name in kept:
            name.kept = False
        serial = near.ks.request("$.A.B", b"?", None)
        pair.run(100)
        for message in far.read():
            far.ks.reply(message, b"!")
        pair.run(100)
        self.assertEqual(near.answer(serial), ("reply", b"!"))
        pair.close()
        self.assertEqual(pair.leaks(), "")


if __name__ == "__main__":
    unittest.main()
