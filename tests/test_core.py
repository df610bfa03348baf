# SPDX-License-Identifier: MIT
"""A Core without anything above it: what a board has that is content with the hot layer."""

import unittest

from hots import Bell
from limpet import MessageView
from limpet.core import Core
from limpet.errors import EAGAIN
from limpet.send import ALL_OR_WAIT


class TestBareCore(unittest.TestCase):
    """A Core without anything above it does all of this."""

    def test_requests_with_deadlines(self):
        core = Core()
        a, b = core.open(), core.open()
        self.assertEqual(core.bind(a, "$.A", True), 0)
        name = core.lookup("$.A")
        core.poll(7)
        sent = b.request(name, b"", deadline_ms=10)
        self.assertEqual((core.poll(16), core.poll(17) > 1000), (1, True))
        view = MessageView()
        self.assertEqual(b.take(view), 0)
        self.assertEqual((view.name, view.reply_serial), ("$.KBUS.Replier.Overdue", sent))
        a.set_limit(1)
        b.request(name, b"")
        self.assertEqual(b.request(name, b"w", -1, ALL_OR_WAIT), -EAGAIN)
        a.take(view)
        a.reply(view, b"")
        self.assertTrue(b.poll_pending())
        for hot in (a, b):
            core.shut(hot)
        self.assertEqual(core.pool.free_count(), 32)

    def test_closing_wakes(self):
        """Who waits for anything of the bus."""
        core = Core()
        core.pool.watch = bell = Bell()
        hot = core.open()
        core.shut(hot)
        self.assertTrue(bell.rung())

    def test_sizes(self):
        """Only whole numbers."""
        sizes = "slot_count slot_size queue_size name_count event_count ksock_count binding_count"
        for what in sizes.split():
            for bad in (2.0, "2", None, -1):
                self.assertRaises(ValueError, Core, **{what: bad})
        self.assertTrue(Core(ksock_count=0, binding_count=0, event_count=0).open() < 0)


if __name__ == "__main__":
    unittest.main()
