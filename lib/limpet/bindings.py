# SPDX-License-Identifier: MIT
"""Who is bound to what: the names a bus knows, and for each the listeners and the replier.

Rules: all matching is done here, when a name is first used and when a binding comes or goes; a
message only follows what its Name carries. A binding made by a limpet for the far side is a
*proxy*: it never keeps a local Ksock from binding, and loses against an equally specific local
one. A Name stays known while somebody refers to it: the user by `bus.name` (kept), a link's
context (pins), a request that is out. Others are a cache, given up when the table is full.
"""

from .log import Log
from .names import is_wildcard, matches, precision
from .port import const
from .slots import ANNOUNCEMENT, PARKED

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from collections.abc import Callable

    from .context import Context
    from .hot import Hot
    from .message import Message
    from .pool import Pool
    from .slots import Slot

_URGENT = const(8)
_ALL_OR_FAIL = const(0x200)
_EAGAIN = const(11)
_EBUSY = const(16)
_ENOSPC = const(28)
_EADDRINUSE = const(98)


class Name:
    """A plain name with its routes: what `bus.name` returns and sends take."""

    __slots__ = "text log listeners replier local_replier pins kept contexts".split()

    def __init__(self, text: str) -> None:
        self.text = text
        # Of those who listen; the pool's no_log: nobody, its pushed: some Ksock more than once.
        self.log: Log = None  # type: ignore[assignment]
        self.listeners: tuple[Binding, ...] = ()  # the newest first
        self.replier: Binding | None = None  # who gets a request of this bus
        self.local_replier: Binding | None = None  # who gets a request from a link
        self.pins = 0
        self.kept = False
        self.contexts: Context | None = None  # chain of the links' contexts with this name

    def binding_of(self, hot: "Hot") -> "Binding | None":  # hot:
        """Return the newest binding by which a Ksock listens, None if it does not."""
        for binding in self.listeners:
            if binding.hot is hot:
                return binding
        return None

    def room_for(self, flags: int) -> int:  # hot:
        """Return 0 if all listeners have room, -EBUSY (ALL_OR_FAIL) or -EAGAIN if one has not.

        With ALL_OR_WAIT those without room are told to wake senders when they have some. Links do
        not count: what they lose, they tell.
        """
        code = 0
        for binding in self.listeners:
            if not binding.proxy and binding.hot.room() <= 0:
                if flags & _ALL_OR_FAIL:
                    return -_EBUSY
                binding.hot.block()
                code = -_EAGAIN
        return code

    def look(self) -> None:  # hot:
        """Note which listeners have room, before any of them gets a copy by offer()."""
        for binding in self.listeners:
            binding.hot.fits = binding.hot.room() > 0

    def offer(self, slot: "Slot") -> None:  # hot:
        """Give every listener its copy; over a link only announcements go, and only our own."""
        for binding in self.listeners:
            if not (binding.proxy and (slot.net or slot.kind != ANNOUNCEMENT)):
                binding.hot.offer(slot, binding)

    def spread(self, slot: "Slot") -> None:  # hot:
        """Give an announcement to all listeners, by their log where that is possible."""
        log = self.log
        if slot.flags & _URGENT or slot.net or not log.readers:
            self.look()
            self.offer(slot)
            return
        if log.end >= log.limit:
            log.renew()
        self._reach(slot)
        if log.heard:
            log.heard = False
            slot.refs += 1
            log.append(slot)
        if log.joiner is not None:
            log.joiner.attach(log)
            log.joiner = None

    def _reach(self, slot: "Slot") -> None:  # hot:
        for binding in self.listeners:
            binding.hot.receive(slot, binding)

    def __repr__(self) -> str:
        return "Name(" + self.text + ")"


class Binding:
    """One Ksock bound to one name or pattern."""

    __slots__ = "text hot replier proxy handler order".split()

    def __init__(self, text: str, hot: "Hot", replier: bool, proxy: bool) -> None:
        self.text = text
        self.hot = hot
        self.replier = replier
        self.proxy = proxy
        # Function of the comfortable layer that is called with each Message:
        self.handler: Callable[[Message], object] | None = None
        self.order = 0  # bindings are numbered as they are made


def _better(a: Binding, b: "Binding | None") -> bool:
    # Does replier `a` beat `b`? The most specific, then a local one, then the newest.
    if b is None:
        return True
    pa = precision(a.text)
    pb = precision(b.text)
    if pa != pb:
        return pa > pb
    if a.proxy != b.proxy:
        return b.proxy
    return a.order > b.order


def _order_of(binding: Binding) -> int:
    return binding.order


class Bindings:
    """All names and bindings of a bus. Nothing here is hot but following a Name."""

    def __init__(self, pool: "Pool", name_count: int, binding_count: int) -> None:
        self.name_count = name_count
        self.binding_count = binding_count
        self.count = 0
        self.version = 0  # changes with every binding that is not a proxy's
        self._pool = pool
        self.names: dict[str, Name] = {}  # by text
        self._exact: dict[str, list[Binding]] = {}  # by text, in the order they were made
        self._wild: list[Binding] = []  # those with a wildcard
        self._logs: dict[tuple[int, ...], Log] = {}  # by the ids of their readers
        self._order = 0

    def name(self, text: str) -> "Name | None":
        """Return the Name of a legal plain name, made on first use; None if the table is full."""
        name = self.names.get(text)
        if name is None:
            if len(self.names) >= self.name_count and not self._make_room():
                return None
            name = Name(text)
            self.compile(name)
            self.names[text] = name
        return name

    def _same(self, text: str) -> "list[Binding]":
        # The list in which bindings to `text` are.
        return self._wild if is_wildcard(text) else self._exact.get(text, [])

    def check(self, text: str, replier: bool) -> int:
        """Return 0 if a local Ksock may bind, -EADDRINUSE or -ENOSPC."""
        if replier:
            for b in self._same(text):
                if b.replier and not b.proxy and b.text == text:
                    return -_EADDRINUSE
        return 0 if self.has_room() else -_ENOSPC

    def add(self, binding: Binding) -> None:
        """Bind, after check()."""
        self._order += 1
        binding.order = self._order
        binding.hot.bound.append(binding)
        self.count += 1
        if is_wildcard(binding.text):
            self._wild.append(binding)
        else:
            self._exact.setdefault(binding.text, []).append(binding)
        self._changed(binding)

    def has_room(self) -> bool:  # hot:
        """Tell whether one more binding would find a place."""
        return self.count < self.binding_count

    def find(self, hot: "Hot", text: str, replier: bool) -> "Binding | None":
        """Return the newest such binding of a Ksock, or None."""
        found = None
        for b in self._same(text):
            if b.hot is hot and b.replier == replier and b.text == text:
                found = b
        return found

    def remove(self, binding: Binding) -> None:
        """Unbind what is bound."""
        same = self._same(binding.text)
        same.remove(binding)
        if not same:
            self._exact.pop(binding.text, None)
        binding.hot.bound.remove(binding)
        self.count -= 1
        self._changed(binding)

    def all(self) -> "list[Binding]":
        """Return all bindings, in the order they were made. Cost: O(bindings)."""
        found = list(self._wild)
        for same in self._exact.values():
            found += same
        found.sort(key=_order_of)
        return found

    def replier_of(self, text: str) -> "Binding | None":
        """Return the binding that a request with that plain name would reach now."""
        best = None
        for b in self._exact.get(text, []) + self._wild:
            if b.replier and matches(b.text, text) and _better(b, best):
                best = b
        return best

    def _changed(self, binding: Binding) -> None:
        if not binding.proxy:
            self.version += 1
        if is_wildcard(binding.text):
            for text in list(self.names):
                if matches(binding.text, text):
                    self.compile(self.names[text])
        else:
            name = self.names.get(binding.text)
            if name is not None:
                self.compile(name)

    def compile(self, name: Name) -> None:
        """Find the routes of a name."""
        listeners = []
        replier = local = None
        for b in self._exact.get(name.text, []) + self._wild:
            if not matches(b.text, name.text):
                continue
            if not b.replier:
                listeners.append(b)
                continue
            if _better(b, replier):
                replier = b
            if not b.proxy and _better(b, local):
                local = b
        listeners.sort(key=_order_of)
        listeners.reverse()
        name.listeners = tuple(listeners)
        name.replier = replier
        name.local_replier = local
        self._use_log(name, self._log_of(listeners))

    def _log_of(self, listeners: "list[Binding]") -> Log:
        if not listeners:
            return self._pool.no_log
        key = sorted([b.hot.id for b in listeners])
        for i in range(1, len(key)):
            if key[i] == key[i - 1]:
                return self._pool.pushed
        log = self._logs.get(tuple(key))
        if log is None:
            log = Log(self._pool, tuple([b.hot for b in listeners]))
            self._logs[tuple(key)] = log
            for hot in log.readers:
                if hot.log is self._pool.no_log:
                    hot.attach(log)
        return log

    def _use_log(self, name: Name, log: Log) -> None:
        # Let a Name use another log; one that no Name uses any more is emptied and forgotten.
        old = name.log
        log.names += 1
        name.log = log
        if old is None:
            return
        old.names -= 1
        if old.names == 0 and old.readers:
            old.scatter()
            self._pool.forget(old)
            del self._logs[tuple(sorted([hot.id for hot in old.readers]))]

    def _make_room(self) -> bool:
        for text in self.names:
            name = self.names[text]
            if not name.kept and name.pins == 0 and not self._is_asked(name):
                del self.names[text]
                self._use_log(name, self._pool.no_log)
                return True
        return False

    def _is_asked(self, name: Name) -> bool:
        for slot in self._pool.slots:
            if slot.kind == PARKED and slot.name is name:
                return True
        for hot in self._pool.hots:
            if hot.pending is not None and hot.pending.name is name:
                return True
        return False
