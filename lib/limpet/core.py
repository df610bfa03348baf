# SPDX-License-Identifier: MIT
"""The core of a bus: its tables, who is connected and bound, and the poll.

Rules: no exception but for sizes that make no sense: results are small ints, >= 0 fine, < 0 a
negative errno, with KBUS's checks in KBUS's order. A board that is content with the hot layer
needs nothing above this file; Bus (bus.py) puts the comfortable calls and links on top. Everything
is sized by the constructor, and ram_size() tells what that costs before it is taken.
"""

from .answers import Answers
from .bindings import Binding, Bindings, Name
from .hot import Hot
from .names import check as check_name
from .pool import SHUT, Pool
from .port import const
from .status import GONE_AWAY, IGNORED, UNBOUND

_ID_MAX = const(0x3FFFFFFF)
_EBADF = const(9)
_EINVAL = const(22)
_ENOSPC = const(28)
_EBADMSG = const(74)

_BIND_EVENT = "$.KBUS.ReplierBindEvent"


def check_size(what: str, value: int, low: int) -> None:
    """Raise ValueError that names the number unless it is an int of at least `low`."""
    if not isinstance(value, int) or not low <= value < 1 << 28:
        raise ValueError(f"{what} is {value!r}: {low} to 2**28 - 1 are possible")


def check_sizes(
    slot_count: int,
    slot_size: int,
    queue_size: int,
    ksock_count: int,
    name_count: int,
    binding_count: int,
) -> None:
    """Raise ValueError that names the number that is wrong, if there is one."""
    check_size("slot_count", slot_count, 1)
    check_size("slot_size", slot_size, 1)
    check_size("queue_size", queue_size, 1)
    check_size("ksock_count", ksock_count, 0)
    check_size("name_count", name_count, 1)
    check_size("binding_count", binding_count, 0)


class Core:
    """A bus without the comfortable calls.

    slot_count: messages that the bus holds, with the answers kept for requests that are out;
    slot_size: bytes of the largest message; queue_size: messages that one Ksock's queue takes,
    unless open() says otherwise; ksock_count, name_count, binding_count: limits of those tables;
    slot_count_max: if it is larger than slot_count, the slots double up to it when they run out
    (this allocates); event_count: unbind events set aside for listeners that are full. Raises
    ValueError that says which number is wrong.
    """

    def __init__(
        self,
        slot_count: int = 32,
        slot_size: int = 128,
        queue_size: int = 16,
        ksock_count: int = 32,
        name_count: int = 256,
        binding_count: int = 256,
        slot_count_max: int = 0,
        event_count: int = 32,
    ) -> None:
        check_sizes(slot_count, slot_size, queue_size, ksock_count, name_count, binding_count)
        check_size("event_count", event_count, 0)
        check_size("slot_count_max", slot_count_max, slot_count if slot_count_max else 0)
        self.slot_size = slot_size
        self.queue_size = queue_size
        self.ksock_count = ksock_count
        self.pool = Pool(slot_count, slot_size, slot_count_max)
        self.answers = Answers(self.pool)
        self.bindings = Bindings(self.pool, name_count, binding_count)
        self.event_count = event_count
        self.hots = self.pool.hots
        self.closed = False
        self._ksock_id = 0
        self._wrapped = False  # ids begin anew: those of open Ksocks are left out

    def lookup(self, text: str) -> "Name | int":
        """Return the Name to send under once; -EBADMSG, -ENAMETOOLONG, -ENOSPC if there is none.

        The table may forget it later, unless its `kept` is set.
        """
        name = self.bindings.names.get(text)
        if name is None:
            code = check_name(text, False)
            if code:
                return code
            name = self.bindings.name(text)
        return -_ENOSPC if name is None else name

    def open(self, queue_size: int = 0) -> "Hot | int":
        """Open a connection, its queue of `queue_size` messages (0: the bus's)."""
        # -EBADF: the bus is closed; -ENOSPC: ksock_count are open.
        if self.closed:
            return -_EBADF
        if len(self.hots) >= self.ksock_count:
            return -_ENOSPC
        self._next_id()
        while self._wrapped and self._is_open(self._ksock_id):
            self._next_id()
        hot = Hot(self.pool, self.answers, self._ksock_id, queue_size or self.queue_size)
        self.hots.append(hot)
        return hot

    def _next_id(self) -> None:
        self._wrapped = self._wrapped or self._ksock_id == _ID_MAX
        self._ksock_id = self._ksock_id % _ID_MAX + 1

    def _is_open(self, ksock_id: int) -> bool:
        return any(hot.id == ksock_id for hot in self.hots)

    def shut(self, hot: Hot) -> None:
        """Close a connection: every request that it held ends, every slot comes back."""
        hot.release()
        hot.discard()
        hot.closed = True
        hot.supply = SHUT
        self.answers.forget_asker(hot)
        hot.detach()
        self.answers.end_unread(hot, None, GONE_AWAY)
        while hot.count:
            hot.drop(0)
        for binding in reversed(list(hot.bound)):
            self.forget(binding)
        if hot.aside:
            self.pool.events.forget(hot)  # type: ignore[union-attr]
        self.answers.end_read(hot, IGNORED)
        self.hots.remove(hot)
        self.pool.wake_senders()  # who waits for a message of it waits in vain

    def forget(self, binding: Binding) -> None:
        """Remove a binding of a Ksock or link that is gone."""
        self._tell_surely(binding)
        self.bindings.remove(binding)

    def _tell_surely(self, binding: Binding) -> None:
        if binding.replier and self.pool.events is not None:
            self.pool.events.tell(False, binding, False)

    def bind(self, hot: Hot, text: str, replier: bool, proxy: bool = False) -> int:
        """Bind a Ksock to a name or pattern.

        Returns 0, -EBADF, -EBADMSG, -ENAMETOOLONG, -EADDRINUSE, -ENOSPC; -EAGAIN or -EMSGSIZE
        if the bus reports binds and this one can't be told. Cost: O(names) for a pattern.
        """
        code = self._check(hot, text, replier)
        if code == 0 and not proxy:
            code = self.bindings.check(text, replier)
        elif code == 0 and not self.bindings.has_room():
            code = -_ENOSPC
        if code:
            return code
        binding = Binding(text, hot, replier, proxy)
        code = self._tell(True, binding)
        if code:
            return code
        hot.settle()  # what it has not read was brought by the bindings that it had
        hot.set_spare(len(hot.bound) + 3)
        self.bindings.add(binding)
        self.pool.wake_senders()  # who waits for a replier looks again; links tell the far side
        return 0

    def unbind(self, hot: Hot, text: str, replier: bool, status: int = UNBOUND) -> int:
        """Remove the newest such binding and just the messages that it brought.

        Unread requests among them end in `status`. Returns as bind(); -EINVAL: none such.
        """
        code = self._check(hot, text, replier)
        if code:
            return code
        binding = self.bindings.find(hot, text, replier)
        if binding is None:
            return -_EINVAL
        if binding.proxy:  # the far side has unbound, that can't be refused
            self._tell_surely(binding)
        else:
            code = self._tell(False, binding)
            if code:
                return code
        hot.settle()
        self.answers.end_unread(hot, binding, status)
        self.bindings.remove(binding)
        if hot.aside:
            self.pool.events.unbound(hot)  # type: ignore[union-attr]
        hot.freed()
        self.pool.wake_senders()
        return 0

    def _check(self, hot: Hot, text: str, replier: bool) -> int:
        if hot.closed:
            return -_EBADF
        code = check_name(text, True)
        return -_EBADMSG if code == 0 and replier and text == _BIND_EVENT else code

    def find_replier(self, text: str) -> int:
        """Return the id of the Ksock that a request with that plain name would reach, 0: none."""
        binding = self.bindings.replier_of(text)
        return 0 if binding is None else binding.hot.id

    @property
    def reporting(self) -> bool:
        """Are replier binds and unbinds reported?"""
        return self.pool.events is not None and self.pool.events.reporting

    def report_binds(self, hot: Hot, on: bool) -> int:
        """Report replier binds and unbinds from now on, or no more.

        On also tells `hot` of each replier that is bound, the newest first. Returns 0, -EBADF, or
        -EBUSY: its queue is full, and the rest was not told. Follows KBUS's report_replier_binds.
        """
        if hot.closed:
            return -_EBADF
        events = self.pool.events
        if events is None:
            if not on:
                return 0
            from .events import Events  # a board that reports nothing has no need of it

            events = self.pool.events = Events(self.pool, self.bindings, self.event_count)
        events.reporting = on
        if not on:
            return 0
        return events.replay(hot, [b for b in reversed(self.bindings.all()) if b.replier])

    def _tell(self, is_bind: bool, binding: Binding) -> int:
        if not binding.replier or self.pool.events is None:
            return 0
        return self.pool.events.tell(is_bind, binding, True)

    def poll(self, now_ms: int) -> int:  # hot:
        """Let requests end that are past their deadline; return ms until the next, at most MS_MAX.

        now_ms: port.ticks_ms() or a test's clock, wraps at 2**30.
        """
        if self.pool.events is not None:
            self.pool.events.poll()
        if self.pool.roomy:
            self.pool.wake_senders()
        return self.answers.poll(now_ms)
