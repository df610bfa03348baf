# SPDX-License-Identifier: MIT
"""Contexts: name and sender of a message as one byte, per link, direction and session.

Rules: the sending side assigns, in band, before the first use; the channel is ordered, so a byte
may be given to something else at any time without a fault. When all are in use the one assigned
longest ago goes. Both tables keep their Names known to the bus (pins) for as long as they refer to
them.
"""

from .port import const

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from .bindings import Name


class Context:
    """One assignment of the sending side, in the chain of its Name."""

    __slots__ = ("table", "index", "name", "sender", "permitted", "next")

    def __init__(self, table: "SendContexts", index: int) -> None:
        self.table = table
        self.index = index
        self.name: Name | None = None
        self.sender = 0
        self.permitted = True  # the link's filter lets the name pass
        self.next: Context | None = None


class SendContexts:
    """What this side has assigned."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._entries: list[Context] = []  # made as they are needed: few links need all
        self._oldest = 0

    def find(self, name: "Name", sender: int) -> "Context | None":  # hot:
        """Return the context of a name and sender, None if it has none."""
        context = name.contexts
        while context is not None:
            if context.table is self and context.sender == sender:
                return context
            context = context.next
        return None

    def assign(self, name: "Name", sender: int) -> Context:  # hot:
        """Give the context that was assigned longest ago to a name and sender."""
        if self._oldest == len(self._entries):
            self._entries.append(Context(self, self._oldest))  # the first use of a name
        context = self._entries[self._oldest]
        self._oldest += 1
        if self._oldest == self._count:
            self._oldest = 0
        self._free(context)
        context.name = name
        context.sender = sender
        context.next = name.contexts
        name.contexts = context
        name.pins += 1
        return context

    def reset(self) -> None:
        """Forget all."""
        for context in self._entries:
            self._free(context)

    def _free(self, context: Context) -> None:  # hot:
        name = context.name
        if name is None:
            return
        context.name = None
        name.pins -= 1
        other = name.contexts
        if other is context:
            name.contexts = context.next
            return
        while other is not None:
            if other.next is context:
                other.next = context.next
                return
            other = other.next


class ReceiveContexts:
    """What the other side has assigned."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._names: list[Name | None] = [None] * count
        self._senders = [0] * count
        self._texts = [""] * count

    def name(self, index: int) -> "Name | None":  # hot:
        """Return the Name of a context, None if it is not assigned or not permitted."""
        return self._names[index] if index < self.count else None

    def sender(self, index: int) -> int:  # hot:
        """Return the sender's number of a context."""
        return self._senders[index] if index < self.count else 0

    def text(self, index: int) -> str:  # hot:
        """Return the text of a context that has no Name only for want of room, else ""."""
        return self._texts[index] if index < self.count else ""

    def assign(self, index: int, name: "Name | None", sender: int, text: str = "") -> bool:
        """Note an assignment; False if there is no such context.

        name: None if it is not permitted, or if there was no room for it; then `text` tells it.
        """
        if index >= self.count:
            return False
        old = self._names[index]
        if old is not None:
            old.pins -= 1
        if name is not None:
            name.pins += 1
        self._names[index] = name
        self._senders[index] = sender
        self._texts[index] = "" if name is not None else text
        return True

    def reset(self) -> None:
        """Forget all."""
        for i in range(self.count):
            self.assign(i, None, 0)
