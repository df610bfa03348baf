# SPDX-License-Identifier: MIT
"""What a limpet has told the far side about the bindings of this bus, and what is to be told.

Rules: the far side knows nothing when a session begins. What came and went in between is not told.
A wildcard passes whatever the link's filter says: it may match what is allowed.
"""

from . import record
from .names import is_wildcard
from .port import const

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from .limpet import Limpet


class Interest:
    """Bindings as control records: (operation, pattern)."""

    def __init__(self, limpet: "Limpet") -> None:
        self._limpet = limpet
        self._bindings = limpet.bus.bindings
        self._version = -1  # of the bindings that `changes` was made from
        self.changes: list[tuple[int, str]] = []  # to be told, in order
        self._told: list[tuple[int, str]] = []  # what the far side knows

    def reset(self) -> None:
        """Begin anew: the far side knows nothing."""
        self._version = -1
        self.changes = []
        self._told = []

    def pending(self) -> bool:  # hot:
        """Return whether there may be something to tell."""
        return self._version != self._bindings.version or len(self.changes) > 0

    def refresh(self) -> None:  # hot:
        """Bring `changes` up to date."""
        if self._version != self._bindings.version:
            self._compare()

    def said(self) -> None:
        """Note that the first of `changes` has been told."""
        operation, text = self.changes.pop(0)
        if operation == record.LISTEN or operation == record.REPLY:
            self._told.append((operation, text))
        else:
            self._told.remove((operation - 1, text))

    def _compare(self) -> None:
        # What is bound here now, against what the far side knows.
        wanted: list[tuple[int, str]] = []
        known = set()
        for b in self._bindings.all():
            entry = (record.REPLY if b.replier else record.LISTEN, b.text)
            if b.proxy or entry in known:
                continue
            if is_wildcard(b.text) or self._limpet.permits(b.text):
                known.add(entry)
                wanted.append(entry)
        told = set(self._told)
        self.changes = [(op + 1, text) for op, text in self._told if (op, text) not in known]
        self.changes += [entry for entry in wanted if entry not in told]
        self._version = self._bindings.version
