# SPDX-License-Identifier: MIT
"""The interrupt inbox: what an interrupt handler posts, the bus announces in its next poll.

    inbox = bus.irq_inbox(ks, "$.Button", count=8, size=1)
    pin.irq(lambda pin: inbox.post_int(pin.value()), hard=True)

A ring of places made beforehand, for one writer and one reader:

    writer, post():   fills the place at _tail, then moves _tail on    _tail is written here only
    reader, drain():  announces the place at _head, then moves _head on    _head, here only

Rules: post() allocates nothing, takes no lock and touches nothing of the bus but the flag that
ends its sleep, so a hard interrupt may call it at any step of anything that the bus does, and so
may a signal handler or another thread. An inbox has one writer: each interrupt has its own inbox,
and a handler that its own interrupt can interrupt must not post. What does not fit is not posted:
the handler is told, it is counted in `lost`, and listeners find it in `missed` of the next
message. All that was posted is announced once and in its order.
"""

from .errors import Closed
from .port import const, copy
from .ticks import MS_MAX

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from .bindings import Binding, Name
    from .hot import Hot
    from .port import Waiter
    from .send import Data

_COUNT_MAX = const(0x3FFFFFFF)
_RETRY_MS = const(5)  # when the bus has no slot for an entry


class IrqInbox:
    """What one interrupt posts to; made by Bus.irq_inbox."""

    def __init__(
        self,
        boxes: "list[IrqInbox]",
        waiter: "Waiter",
        hot: "Hot",
        name: "Name",
        count: int,
        size: int,
    ) -> None:
        if count < 1:
            raise ValueError(f"count is {count}, at least 1 is needed")
        if not 1 <= size <= hot.pool.size:
            raise ValueError(f"size is {size}, 1 to {hot.pool.size} (slot_size) are possible")
        if hot.closed:
            raise Closed("this Ksock is closed")
        self.name = name
        self.size = size  # bytes that an entry may have
        self.lost = 0  # posts that were refused, ever
        self.closed = False
        self._boxes = boxes  # those that the bus drains, this one among them until it is closed
        self._waiter = waiter
        self._hot = hot
        self._places = count + 1  # one stays empty: else full would look like empty
        self._cells = [memoryview(bytearray(size)) for _ in range(self._places)]
        self._sizes = [0] * self._places  # -1: all of it, which the bus sends faster
        self._losses = [0] * self._places  # `lost` when the place was filled
        self._head = 0  # place of the oldest entry, moved by drain() only
        self._tail = 0  # place of the next entry, moved by post() only
        self._told = 0  # how much of `lost` the listeners know of
        boxes.append(self)

    def post(self, buf: "Data", size: int = -1) -> bool:  # hot:
        """Have the bus announce `buf`.

        buf: buffer, uint8[size], copied; size -1: all of it. Returns False if the inbox is full or
        closed, or the size is wrong: then `lost` is one more. Context: hard IRQ, too. Cost:
        O(size).
        """
        if size < 0:
            size = len(buf)
        if size > len(buf) or size > self.size or self._is_full():
            return self._lose()
        copy(self._cells[self._tail], 0, buf, 0, size)
        return self._put(size)

    def post_int(self, value: int) -> bool:  # hot:
        """Have the bus announce a number of up to 30 bits, as `size` bytes, low byte first.

        Below zero it is as a Layout's signed field has it. Returns False as post(), also if the
        number does not fit.
        """
        top = value >> (8 * self.size - 1)
        if not -1 <= top <= 1 or self._is_full():
            return self._lose()
        cell = self._cells[self._tail]
        for i in range(self.size):
            cell[i] = value & 0xFF
            value >>= 8
        return self._put(self.size)

    def _is_full(self) -> bool:  # hot:
        i = self._tail + 1
        if i == self._places:
            i = 0
        return i == self._head or self.closed or self._hot.closed

    def _put(self, size: int) -> bool:  # hot:
        i = self._tail
        self._sizes[i] = size if size < self.size else -1
        self._losses[i] = self.lost
        i += 1
        self._tail = i if i < self._places else 0  # last: from here on the bus may read it
        self._waiter.wake()
        return True

    def _lose(self) -> bool:  # hot:
        if self.lost < _COUNT_MAX:
            self.lost += 1
        return False

    def drain(self) -> int:  # hot:
        """Announce what has been posted until now; return the ms until there is more to do.

        Called in the bus's poll. An entry for which there is no slot stays, and those behind it.
        """
        if self._hot.closed:
            self.close()
            return MS_MAX
        end = self._tail  # what comes meanwhile is for the next time: others have their turn, too
        while self._head != end:
            i = self._head
            self._tell(self._losses[i])
            if self._hot.announce(self.name, self._cells[i], self._sizes[i]) < 0:
                return _RETRY_MS
            i += 1
            self._head = i if i < self._places else 0  # last: from here on it is filled again
        lost = self.lost
        if self._tail != end:
            return 0
        self._tell(lost)  # nothing has come behind these: they are not another entry's to tell
        return MS_MAX

    def _tell(self, lost: int) -> None:  # hot:
        # Count what was refused between two entries as missed by all who would have heard it.
        lost -= self._told
        if lost:
            self._told += lost
            for binding in self.name.listeners:
                self._miss(binding, lost)

    def _miss(self, binding: "Binding", lost: int) -> None:  # hot:
        hot = binding.hot
        if not hot.once or self.name.binding_of(hot) is binding:
            hot.lose(lost)

    def close(self) -> None:
        """Announce nothing more; what is still in it is thrown away. Twice does no harm.

        Closing its Ksock or the bus does this too. Context: the bus's thread.
        """
        self.closed = True
        if self in self._boxes:
            self._boxes.remove(self)
