# SPDX-License-Identifier: MIT
"""What the tests of limpet.kbus share: a bus under number 0, Ksocks on it, errnos.

Rules: after each test the bus is closed clean. The library is imported in the functions: one level
of imports more is too deep for the 32-bit VM.
"""

import unittest

from buses import closed_clean, make_bus

ENOENT = 2
EBADF = 9
EAGAIN = 11
EBUSY = 16
EINVAL = 22
EPIPE = 32
ENAMETOOLONG = 36
ENOLCK = 37
ENOMSG = 42
EBADMSG = 74
EMSGSIZE = 90
EADDRINUSE = 98
EADDRNOTAVAIL = 99
ECONNREFUSED = 111
EALREADY = 114

EVENT = "$.KBUS.ReplierBindEvent"
LOST = "$.KBUS.UnbindEventsLost"
GONE_AWAY = "$.KBUS.Replier.GoneAway"
IGNORED = "$.KBUS.Replier.Ignored"
UNBOUND = "$.KBUS.Replier.Unbound"
DISAPPEARED = "$.KBUS.Replier.Disappeared"
ERROR_SENDING = "$.KBUS.ErrorSending"


def renamed(message, name):
    """Return a message like `message` with any name, also one that no constructor takes."""
    parts = list(message.extract())
    parts[7] = name
    return type(message).from_sequence(parts)


def data(ks):
    """Read all there is: the data of each message."""
    return [message.data for message in ks]


def names(ks):
    """Read all there is: the name of each message."""
    return [message.name for message in ks]


def ends(ks):
    """Read all there is: (name, number of what it answers) of each message."""
    return [(m.name, m.in_reply_to and m.in_reply_to.serial_num) for m in ks]


def events(ks):
    """Read all there is, bind events as (is_bind, binder, name), others by their name."""
    from limpet.kbus import split_replier_bind_event_data

    return [split_replier_bind_event_data(m.data) if m.name == EVENT else m.name for m in ks]


class KbusCase(unittest.TestCase):
    """A fresh bus under number 0; open() opens Ksocks on it."""

    SIZES = {}

    def setUp(self):
        from limpet import kbus

        self.kbus = kbus
        sizes = {"slot_count": 64, "slot_size": 64, "queue_size": 100}
        self.bus = make_bus(**dict(sizes, **self.SIZES))
        kbus.serve(0, self.bus)
        self.addCleanup(self.clean)

    def clean(self):
        self.kbus.unserve(0)
        closed_clean(self, self.bus)

    def open(self, mode="rw"):
        """Open a Ksock."""
        return self.kbus.Ksock(0, mode)

    def limited(self, limit):
        """Open a Ksock whose queue takes `limit` messages."""
        ks = self.open()
        ks.set_max_messages(limit)
        return ks

    def replier(self, *bound):
        """Open a Ksock that is replier for these names."""
        ks = self.open()
        for name in bound:
            ks.bind(name, True)
        return ks

    def listener(self, *bound):
        """Open a Ksock that listens to these names."""
        ks = self.open()
        for name in bound:
            ks.bind(name)
        return ks

    def full(self, *bound):
        """Open a Ksock that listens to these names, has one message of name $.Full and no room."""
        ks = self.limited(1)
        ks.bind("$.Full")
        with self.open() as filler:
            filler.send_msg(self.kbus.Message("$.Full"))
        self.assertEqual(ks.num_messages(), 1)
        for name in bound:
            ks.bind(name)
        return ks

    def fails(self, errno, call, *arguments, **named):
        """Call, and check that it raises OSError with that errno."""
        try:
            result = call(*arguments, **named)
        except OSError as e:
            self.assertEqual(e.errno, errno, "%r" % e)
            return
        raise AssertionError("%r instead of errno %d" % (result, errno))

    def number(self):
        """Use up a number and return it."""
        with self.open() as ks:
            return ks.send_msg(self.kbus.Announcement("$.N")).serial_num
