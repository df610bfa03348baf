# SPDX-License-Identifier: MIT
"""The play on limpet.kbus says the same on every VM, line by line."""

import sys
import unittest

HERE = __file__.rsplit("/", 1)[0] if "/" in __file__ else "."
sys.path.insert(0, HERE + "/../examples")

LINES = [
    "Ksock device 0, id 1, mode read/write",
    "Rosencrantz: Ahem. [0:1]",
    "Rosencrantz: Ahem. [0:2]",
    "   the audience hears <Announcement '$.Actor.Speak', id=[0:2], from=1, data=b'Ahem'>",
    "Guildenstern: Pssst! [0:3]",
    "   Guildenstern hears <Announcement '$.Actor.Speak', id=[0:3], from=3, data=b'Pssst!'>",
    "   Rosencrantz hears <Announcement '$.Actor.Speak', id=[0:3], from=3, data=b'Pssst!'>",
    "   the audience hears <Announcement '$.Actor.Speak', id=[0:3], from=3, data=b'Pssst!'>",
    "   the audience hears <Announcement '$.Actor.Speak', id=[0:3], from=3, data=b'Pssst!'>",
    "Rosencrantz: Were you speaking to me? [0:4]",
    "   Guildenstern hears <Request '$.Actor.Ask.Guildenstern', id=[0:4], from=1, "
    "flags=0x3 (REQ,YOU), data=b'Were you speaking to me?'>",
    "   He is to answer: True",
    "Guildenstern: Yes, I was. [0:5]",
    "   Rosencrantz hears <Reply '$.Actor.Ask.Guildenstern', id=[0:5], to=1, from=3, "
    "in_reply_to=[0:4], data=b'Yes, I was'>",
    "   the audience hears <Request '$.Actor.Ask.Guildenstern', id=[0:4], from=1, "
    "flags=0x1 (REQ), data=b'Were you speaking to me?'>",
    "   the audience hears <Reply '$.Actor.Ask.Guildenstern', id=[0:5], to=1, "
    "from=3, in_reply_to=[0:4], data=b'Yes, I was'>",
    "Rosencrantz has a promise from 3",
    "Guildenstern: A head - amazing",
    "Rosencrantz: So, Head count is 1",
    "Guildenstern: A head - amazing",
    "Rosencrantz: So, Head count is 2",
    "Guildenstern: Bah, tails",
    "Rosencrantz: So, Head count is 2",
    "Guildenstern: A head - amazing",
    "Rosencrantz: So, Head count is 3",
    "Guildenstern: Ouch. Falstaff is the one for coins now",
    "Rosencrantz: Skulduggery! errno 32",
    "   Falstaff hears <Request '$.Actor.CoinToss', id=[0:17], from=1, flags=0x3 "
    "(REQ,YOU), data=b'Head, whoever you are'>",
    "   Rosencrantz hears <Status '$.KBUS.Replier.Ignored', id=[0:18], to=1, from=4, "
    "in_reply_to=[0:17], flags=0x4 (SYN)>",
    "The audience has heard 11 messages more",
]


class TestRosencrantz(unittest.TestCase):
    def tearDown(self):
        from limpet.kbus import unserve

        unserve(0).close()

    def test_what_is_said(self):
        import rosencrantz

        found = []
        rosencrantz.main(found.append)
        for i in range(max(len(found), len(LINES))):
            self.assertEqual(found[i : i + 1], LINES[i : i + 1], "line %d" % i)


if __name__ == "__main__":
    unittest.main()
