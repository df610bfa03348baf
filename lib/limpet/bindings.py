# SPDX-License-Identifier: MIT
"""Who is bound to what: the names a bus knows, and for each the listeners and the replier.

Rules: all matching is done here, when a name is first used and when a binding comes or goes; a
message only follows the lists that its Name carries. A binding made by a limpet for the far side
is a *proxy*: it never keeps a local Ksock from binding, and loses against an equally specific
local one. A Name stays known while somebody refers to it: the user by `bus.name` (kept), a request
that is out or a link's context (pins). Others are a cache, given up when the table is full.
"""

from . import names
from .errors import EADDRINUSE, EINVAL, ENOSPC
from .port import const
from .slots import ANNOUNCEMENT

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from collections.abc import Callable

    from .context import Context
    from .message import Message
    from .queue import Queue
    from .slots import Slot


class Name:
    """A plain name with its routes: what `bus.name` returns and sends take."""

    __slots__ = ("text", "listeners", "replier", "local_replier", "pins", "kept", "contexts")

    def __init__(self, text: str) -> None:
        self.text = text
        self.listeners: tuple[Binding, ...] = ()
        self.replier: Binding | None = None  # who gets a request of this bus
        self.local_replier: Binding | None = None  # who gets a request from a link
        self.pins = 0
        self.kept = False
        self.contexts: Context | None = None  # chain of the links' contexts with this name

    def offer(self, slot: "Slot") -> None:  # hot:
        """Give every listener its copy; over a link only announcements go, and only our own."""
        for binding in self.listeners:
            if not (binding.proxy and (slot.net or slot.kind != ANNOUNCEMENT)):
                binding.queue.offer(slot, binding)

    def __repr__(self) -> str:
        return "Name(" + self.text + ")"


class Binding:
    """One Ksock bound to one name or pattern."""

    __slots__ = ("text", "queue", "replier", "proxy", "handler", "order")

    def __init__(self, text: str, queue: "Queue", replier: bool, proxy: bool) -> None:
        self.text = text
        self.queue = queue
        self.replier = replier
        self.proxy = proxy
        # Function of the comfortable layer that is called with each Message:
        self.handler: Callable[[Message], object] | None = None
        self.order = 0  # bindings are numbered as they are made


def _better(a: Binding, b: "Binding | None") -> bool:
    # Does replier `a` beat `b`? The most specific, then a local one, then the newest.
    if b is None:
        return True
    pa = names.precision(a.text)
    pb = names.precision(b.text)
    if pa != pb:
        return pa > pb
    if a.proxy != b.proxy:
        return b.proxy
    return a.order > b.order


class Bindings:
    """All names and bindings of a bus. Nothing here is hot but following a Name."""

    def __init__(self, name_count: int, binding_count: int) -> None:
        self.name_count = name_count
        self.binding_count = binding_count
        self.version = 0  # changes with every binding that is not a proxy's
        self.all: list[Binding] = []  # in the order they were made
        self._names: dict[str, Name] = {}
        self._order = 0

    def name(self, text: str) -> "Name | None":
        """Return the Name of a legal plain name, made on first use; None if the table is full."""
        name = self._names.get(text)
        if name is None:
            if len(self._names) >= self.name_count and not self._make_room():
                return None
            name = Name(text)
            self._compile(name)
            self._names[text] = name
        return name

    def known(self, text: str) -> "Name | None":
        """Return the Name if it is in the table, else None."""
        return self._names.get(text)

    def add(self, binding: Binding) -> int:
        """Bind; 0, -EADDRINUSE (a local replier has exactly this text already) or -ENOSPC."""
        if binding.replier and not binding.proxy:
            for b in self.all:
                if b.replier and not b.proxy and b.text == binding.text:
                    return -EADDRINUSE
        if not self.has_room():
            return -ENOSPC
        self._order += 1
        binding.order = self._order
        self.all.append(binding)
        self._changed(binding)
        return 0

    def has_room(self) -> bool:  # hot:
        """Tell whether one more binding would find a place."""
        return len(self.all) < self.binding_count

    def find(self, queue: "Queue", text: str, replier: bool) -> "Binding | None":
        """Return the newest such binding of a Ksock, or None."""
        found = None
        for b in self.all:
            if b.queue is queue and b.replier == replier and b.text == text:
                found = b
        return found

    def remove(self, binding: Binding) -> int:
        """Unbind; 0, or -EINVAL if it is not there."""
        if binding not in self.all:
            return -EINVAL
        self.all.remove(binding)
        self._changed(binding)
        return 0

    def of(self, queue: "Queue") -> "list[Binding]":
        """Return the bindings of a Ksock, the newest first."""
        found = [b for b in self.all if b.queue is queue]
        found.reverse()
        return found

    def has_replier(self, text: str) -> bool:
        """Tell whether a request of this bus with that name would find a replier now."""
        for b in self.all:
            if b.replier and names.matches(b.text, text):
                return True
        return False

    def _changed(self, binding: Binding) -> None:
        if not binding.proxy:
            self.version += 1
        if names.is_wildcard(binding.text):
            for text in self._names:
                if names.matches(binding.text, text):
                    self._compile(self._names[text])
        else:
            name = self._names.get(binding.text)
            if name is not None:
                self._compile(name)

    def _compile(self, name: Name) -> None:
        listeners = []
        replier = local = None
        for b in self.all:
            if not names.matches(b.text, name.text):
                continue
            if not b.replier:
                listeners.append(b)
                continue
            if _better(b, replier):
                replier = b
            if not b.proxy and _better(b, local):
                local = b
        name.listeners = tuple(listeners)
        name.replier = replier
        name.local_replier = local

    def _make_room(self) -> bool:
        for text in self._names:
            name = self._names[text]
            if not name.kept and name.pins == 0:
                del self._names[text]
                return True
        return False
