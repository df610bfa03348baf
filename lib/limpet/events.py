# SPDX-License-Identifier: MIT
"""Replier bind events: announcements by the bus that a replier has come or gone.

Rules: while a bus reports, each replier bind and unbind is announced before it happens, to all who
listen, or to nobody: then it does not happen (EAGAIN). Closing a Ksock can't be refused, so the
event for a listener without room is *set aside*, a record that becomes a message as soon as there
is room for it; later events queue up behind it. When `limit` records are set aside, each listener
that loses events gets one `UnbindEventsLost` behind those it has, and more are lost until all
records are delivered. Data: uint32 is_bind, binder and size of the name in the byte order of the
machine, the name, NUL bytes up to a multiple of four.
"""

import struct

from .port import const, store

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from .bindings import Binding, Bindings, Name
    from .hot import Hot
    from .pool import Pool

_EAGAIN = const(11)
_EBUSY = const(16)
_EMSGSIZE = const(90)
_ENOBUFS = const(105)
_FLAGS = const(0x204)  # SYNTHETIC, ALL_OR_FAIL

BIND_EVENT = "$.KBUS.ReplierBindEvent"
EVENTS_LOST = "$.KBUS.UnbindEventsLost"


class Events:
    """The bind events of one bus. None of this is hot: binding may allocate."""

    def __init__(self, pool: "Pool", bindings: "Bindings", limit: int) -> None:
        self.reporting = False
        self.limit = limit  # records set aside at most
        bindings.name_count += 2  # so that there is room for these two
        self.name: Name = bindings.name(BIND_EVENT)  # type: ignore[assignment]
        self.name_lost: Name = bindings.name(EVENTS_LOST)  # type: ignore[assignment]
        self.name.kept = self.name_lost.kept = True
        self._pool = pool
        self._aside: list[tuple[Hot, bytes, int]] = []  # listener, data, number; no data: lost
        self._losing = False

    def tell(self, is_bind: bool, binding: "Binding", may_fail: bool) -> int:
        """Announce a change that is about to happen; 0, -EAGAIN or -EMSGSIZE."""
        if not self.reporting:
            return 0
        serial = self._pool.next_serial()
        data = _event(is_bind, binding)
        if not may_fail:
            self._tell_surely(data, serial)
            return 0
        if not self.name.listeners:
            return 0
        if len(data) > self._pool.size:
            return -_EMSGSIZE
        for b in self.name.listeners:
            if not b.proxy and (b.hot.aside or b.hot.room() <= 0):
                return -_EAGAIN
        return self._send(data, serial, None, None) and -_EAGAIN

    def _tell_surely(self, data: bytes, serial: int) -> None:
        if not self._aside:
            self._losing = False
        full = []
        done: list[Hot] = []
        for b in self.name.listeners:
            hot = b.hot
            if hot.closed or (hot.once and hot in done):
                continue
            done.append(hot)
            fits = hot.aside == 0 and hot.room() > 0 and len(data) <= self._pool.size
            if fits and self._send(data, serial, hot, b) == 0:
                continue
            if b.proxy or len(data) > self._pool.size:
                hot.lose()
            else:
                full.append(hot)
        if full and len(self._aside) + len(full) > self.limit:
            self._losing = True
        if not self._losing:
            for hot in full:
                self._set_aside(hot, data, serial)
            return
        serial = 0
        for hot in full:
            if not hot.loses:  # one message says so to all
                serial = serial or self._pool.next_serial()
                hot.loses = True
                self._set_aside(hot, b"", serial)

    def _set_aside(self, hot: "Hot", data: bytes, serial: int) -> None:
        self._aside.append((hot, data, serial))
        hot.aside += 1
        hot.quick = None

    def _send(self, data: bytes, serial: int, to: "Hot | None", via: "Binding | None") -> int:
        # Announce to one Ksock as brought by `via`, or to all who listen; no data: events lost.
        pool = self._pool
        name = self.name if data else self.name_lost
        if not pool.need(1):
            return -_ENOBUFS
        slot = pool.get()
        slot.flags = _FLAGS if data else 4
        slot.size = store(slot.data, data)
        slot.name = name
        slot.sender = 0
        slot.serial = serial
        if to is None:
            name.look()
            name.offer(slot)
        else:
            to.push(slot, via)
        pool.let_go(slot)
        return 0

    def replay(self, hot: "Hot", repliers: "list[Binding]") -> int:
        """Send `hot` one bind event for each replier, in that order; 0 or -EBUSY."""
        for binding in repliers:
            if hot.aside or hot.room() <= 0:
                return -_EBUSY
            data = _event(True, binding)
            if len(data) > self._pool.size:
                hot.lose()
            elif self._send(data, self._pool.next_serial(), hot, _NOWHERE) < 0:
                return -_EBUSY
        return 0

    def deliver(self, hot: "Hot") -> None:
        """Turn records for a Ksock into messages, as far as it has room."""
        i = 0
        while i < len(self._aside) and hot.aside and hot.room() > 0:
            if self._aside[i][0] is not hot:
                i += 1
                continue
            _, data, serial = self._aside[i]
            if self._send(data, serial, hot, self.name.binding_of(hot) or _NOWHERE) < 0:
                return
            self._aside.pop(i)
            hot.aside -= 1
        if hot.aside == 0:
            hot.loses = False

    def poll(self) -> None:  # hot:
        """Deliver what had room but found no slot."""
        if self._aside:
            for hot in self._pool.hots:
                if hot.aside:
                    self.deliver(hot)

    def unbound(self, hot: "Hot") -> None:
        """Drop the records for a Ksock if it no longer listens."""
        if self.name.binding_of(hot) is None:
            self.forget(hot)

    def forget(self, hot: "Hot") -> None:
        """Drop the records for a Ksock that closes."""
        self._aside = [record for record in self._aside if record[0] is not hot]
        hot.aside = 0
        hot.loses = False


class _Nowhere:
    # Stands for the binding of events told again: no unbind removes them.
    text = ""
    replier = False
    handler = None
    proxy = False


_NOWHERE: "Binding" = _Nowhere()  # type: ignore[assignment]


def _event(is_bind: bool, binding: "Binding") -> bytes:
    name = binding.text.encode()
    size = 4 * ((len(name) + 4) // 4)
    head = struct.pack("III", is_bind, binding.hot.id, len(name))
    return head + name + bytes(size - len(name))
