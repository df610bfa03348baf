# SPDX-License-Identifier: MIT
"""The blocks that an SPI exchange carries: a byte stream in pieces, with checks and acks. No I/O.

Rule 1: each exchange is one block each way, of one size. A block that is damaged, cut or was not
there at all fails its check, and nothing of it is used.
Rule 2: a block is kept until the other end asks for the next one, and up to two are on their way:
an answer cannot tell of the block that passes with it, only of the one before.
Rule 3: there is no handshake. A block gets the number that the other end asks for; so whatever
the two ends remember, after a good exchange they agree again. What a reset cost, the link finds.

    0, 1  CRC-16 from byte 2 to the end of the data, from 0xFFFF xor the size of a block
    2     0x50 the controller's, 0xA0 the peripheral's; + 4 * number of this block, + the number
          that is expected from the other end; numbers are 0..3
    3     count of data bytes; a block without data has no number of its own
    4..   data, then bytes that mean nothing up to the size of a block
"""

from ..port import const, copy, crc16

SIZE_MIN = const(16)
SIZE_MAX = const(256)

_HEAD = const(4)
_CONTROLLER = const(0x50)
_PERIPHERAL = const(0xA0)
_KIND = const(0xF0)
_COUNT_MAX = const(0x3FFFFFFF)


class Blocks:
    """One end: what it sends and what has come. `count_max` is the room for data in a block."""

    def __init__(self, size: int, peripheral: bool) -> None:
        if not SIZE_MIN <= size <= SIZE_MAX:
            raise ValueError("block is %d, it must be %d..%d" % (size, SIZE_MIN, SIZE_MAX))
        self.size = size
        self.count_max = size - _HEAD
        self.into = bytearray(size)  # what comes; the data are into[4:4 + took()]
        self.news = False  # the other end does not know yet what came from it
        # Blocks that came well and with new data, damaged or not at all, with data known already,
        # and how often the other end did not know our numbers (it was reset, or this end was).
        self.good = self.bad = self.repeated = self.renumbered = 0
        self._start = 0xFFFF ^ size
        self._mine = _PERIPHERAL if peripheral else _CONTROLLER
        self._theirs = _CONTROLLER if peripheral else _PERIPHERAL
        self._idle = bytearray(size)
        self._blocks = (bytearray(size), bytearray(size))  # byte 3 is kept up to date
        self._first = 0  # which of the two is the older one
        self._closed = 0  # blocks that get no more data, 0..2; the one after these is filled
        self._next = 0  # of the closed ones, which goes next; all have gone: = _closed
        self._sent = 0  # so many of the closed ones have been sent at least once
        self._known = 0  # ... before the exchange at hand
        self._latest = -1  # which goes in the exchange at hand, < 0: none
        self._number = 0  # of the older block
        self._expected = 0  # from the other end
        self._source = self._idle  # put()'s buffer
        self._told = False  # the block at hand tells the news

    def has_room(self) -> bool:  # hot:
        """Return whether put() would take a byte."""
        return self._closed < 2

    def has_fresh(self) -> bool:  # hot:
        """Return whether there are data that were never sent."""
        return self._sent < 2 and self._at(self._sent)[3] > 0

    def is_waiting(self) -> bool:  # hot:
        """Return whether data were sent and not acknowledged."""
        return self._sent > 0

    def wants(self) -> bool:  # hot:
        """Return whether there is something to tell: data, or what became of the other end's."""
        return self.news or self._at(0)[3] > 0

    def put(self, buf: bytearray, start: int, count: int) -> int:  # hot:
        """Take from buf[start:start+count] what there is room for; return how many bytes."""
        self._source = buf
        left = count
        while left and self._closed < 2:
            at = self._fill(start, left)
            start += at
            left -= at
        return count - left

    def _at(self, index: int) -> bytearray:  # hot:
        return self._blocks[(self._first + index) & 1]

    def _fill(self, start: int, count: int) -> int:  # hot:
        block = self._at(self._closed)
        count = min(count, self.count_max - block[3])
        copy(block, _HEAD + block[3], self._source, start, count)
        block[3] += count
        if block[3] == self.count_max:
            self._closed += 1
        return count

    def build(self) -> bytearray:  # hot:
        """Return the block for the next exchange, which stays as it is until took() or recall().

        into[0:4] is cleared: where nothing comes, nothing that came before is taken for it.
        """
        index = self._next
        if index == self._closed and index < 2 and self._at(index)[3]:
            self._closed += 1
        self._known = self._sent
        if index < self._closed:
            block = self._at(index)
            self._latest = index
            self._next = index + 1
            self._sent = max(self._sent, self._next)
        else:
            block = self._idle
            self._latest = -1
        self._told = self.news
        self.news = False
        block[2] = self._mine | (self._number + index & 3) << 2 | self._expected
        self._sign(block)
        copy(self.into, 0, self._idle, _HEAD, _HEAD)
        return block

    def _sign(self, block: bytearray) -> None:  # hot:
        check = crc16(block, 2, _HEAD + block[3], self._start)
        block[0] = check >> 8
        block[1] = check & 0xFF

    def recall(self) -> None:  # hot:
        """Forget the last build(): its block has not gone and will not."""
        if self._latest >= 0:
            self._next = self._latest
        self._sent = self._known
        self.news = self.news or self._told

    def took(self) -> int:  # hot:
        """Look at what came; return the count of new data in the block, -1 if it is none."""
        block = self.into
        count = block[3]
        if (
            count > self.count_max
            or block[2] & _KIND != self._theirs
            or crc16(block, 2, _HEAD + count, self._start) != block[0] << 8 | block[1]
        ):
            self.bad = self.bad + 1 & _COUNT_MAX
            self._next = 0  # what became of ours is not known either
            self.news = True
            return -1
        self._acked(block[2] & 3)
        if not count:
            return 0
        self.news = True
        if block[2] >> 2 & 3 != self._expected:
            self.repeated = self.repeated + 1 & _COUNT_MAX
            return 0
        self.good = self.good + 1 & _COUNT_MAX
        self._expected = self._expected + 1 & 3
        return count

    def _acked(self, expected: int) -> None:  # hot:
        """Let go of what the other end has; see what it lacks."""
        count = expected - self._number & 3
        self._number = expected
        if count > self._known:
            # This end does not have what the other one asks for: it goes on from there.
            self.renumbered = self.renumbered + 1 & _COUNT_MAX
            self._next = 0
            return
        while count:
            count -= 1
            self._blocks[self._first][3] = 0
            self._first ^= 1
            self._closed -= 1
            self._sent -= 1
            self._latest -= 1
        # Of the block that went at the same time nothing can be said yet, unless it follows a
        # lost one: then it is lost, too.
        self._next = 1 if self._latest == 0 else 0
