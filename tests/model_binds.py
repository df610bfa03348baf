# SPDX-License-Identifier: MIT
"""The half of the model that knows who is bound to what, and who is told of it.

Rules: an event is told before the change that it tells of. An unbind event that is set aside for a
Ksock arrives as soon as that Ksock gets room.
"""

import sys

from model_parts import (
    ALL_OR_FAIL,
    ANNOUNCEMENT,
    EADDRINUSE,
    EAGAIN,
    EBADF,
    EBADMSG,
    EBUSY,
    EMSGSIZE,
    ENOSPC,
    SYNTHETIC,
    Aside,
    Binding,
    Ks,
    Msg,
    Store,
    check_name,
    matches,
    rank,
)

EVENT = "$.KBUS.ReplierBindEvent"
LOST = "$.KBUS.UnbindEventsLost"


class Binds(Store):
    """The bindings of one bus."""

    def __init__(self, slot_count: int, slot_size: int, **sizes: int) -> None:
        super().__init__(slot_count)
        self.slot_size = slot_size
        self.ksock_count = sizes.get("ksock_count", 32)
        self.binding_count = sizes.get("binding_count", 256)
        self.event_count = sizes.get("event_count", 32)
        self.bindings: list[Binding] = []
        self.ids = 0
        self.reporting = False
        self.aside: list[Aside] = []
        self.lost = False  # unbind events are dropped until `aside` is empty

    def listeners(self, name: str) -> "list[Binding]":
        """Return the bindings that get a copy, the newest first."""
        found = [b for b in self.bindings if not b.replier and matches(b.text, name)]
        return list(reversed(found))

    def replier(self, name: str, foreign: bool = False) -> "Binding | None":
        """Return who gets a request: the most specific, one of this node first, the newest.

        A foreign request does not go to another node again.
        """
        best = None
        for b in self.bindings:
            if b.replier and matches(b.text, name) and not (foreign and b.proxy):
                if best is None or (rank(b.text), not b.proxy) >= (
                    rank(best.text),
                    not best.proxy,
                ):
                    best = b
        return best

    def find_replier(self, name: str) -> int:
        """Return the id of the Ksock that a request would reach, 0: none."""
        b = self.replier(name)
        return b.ks.id if b is not None else 0

    def message_count(self, ks: Ks) -> int:
        """Return what is queued, and set aside for this Ksock."""
        return len(ks.queue) + len([a for a in self.aside if a.ks is ks])

    # Ksocks and bindings

    def open(self, limit: int) -> "Ks | int":
        """Open a Ksock."""
        if len(self.kss) >= self.ksock_count:
            return -ENOSPC
        self.ids += 1
        ks = Ks(self.ids, limit)
        self.kss.append(ks)
        return ks

    def check_binding(self, ks: Ks, text: str, replier: bool) -> int:
        """Return what both bind and unbind look at first."""
        if ks.closed:
            return -EBADF
        error = check_name(text, True)
        return -EBADMSG if not error and replier and text == EVENT else error

    def bind(self, ks: Ks, text: str, replier: bool, proxy: bool) -> int:
        """Bind; who listens to bind events is told before."""
        error = self.check_binding(ks, text, replier)
        if error:
            return error
        local = [b for b in self.bindings if b.replier and not b.proxy]
        if replier and not proxy and any(b.text == text for b in local):
            return -EADDRINUSE
        if len(self.bindings) >= self.binding_count:
            return -ENOSPC
        error = self.tell(True, ks, text) if replier and self.reporting else 0
        if not error:
            self.bindings.append(Binding(ks, text, replier, proxy))
        return error

    # Bind events

    def event(self, is_bind: bool, binder: Ks, text: str) -> Msg:
        """Make a bind event."""
        msg = self.new(ANNOUNCEMENT, EVENT, 0, self.number(), 0)
        msg.flags = SYNTHETIC | ALL_OR_FAIL
        for number in (int(is_bind), binder.id, len(text)):
            msg.data += number.to_bytes(4, sys.byteorder)
        msg.data += text.encode() + bytes(4 - len(text) % 4)
        return msg

    def is_large(self, text: str) -> bool:
        """Tell whether no slot takes an event about that name."""
        return 12 + len(text) + 4 - len(text) % 4 > self.slot_size

    def tell(self, is_bind: bool, binder: Ks, text: str) -> int:
        """Tell all who listen to bind events, or nobody."""
        msg = self.event(is_bind, binder, text)
        listeners = self.listeners(EVENT)
        if not listeners:
            return 0
        if self.is_large(text):
            return -EMSGSIZE
        if any(self.full(b.ks) or self.is_behind(b.ks) for b in listeners if not b.proxy):
            return -EAGAIN
        if not self.can(1):
            return -EAGAIN
        self.make_room(1)
        self.copies(msg, listeners, [not self.full(b.ks) for b in listeners])
        return 0

    def tell_surely(self, binder: Ks, text: str) -> None:
        """Tell all who listen, now or later, that a Ksock is no replier any more."""
        msg = self.event(False, binder, text)
        full: list[Ks] = []
        seen: list[Ks] = []
        for b in self.listeners(EVENT):
            if b.ks.closed or (b.ks.once and b.ks in seen):
                continue
            seen.append(b.ks)
            if self.is_large(text):
                self.lose(b.ks)
            elif not (self.is_behind(b.ks) or self.full(b.ks)) and self.can(1):
                self.bring(b.ks, msg, "copy", b)
            elif b.proxy:
                self.lose(b.ks)  # a link tells what it loses
            else:
                full.append(b.ks)
        if not self.aside:
            self.lost = False
        if len(self.aside) + len(full) > self.event_count:
            self.lost = True
        told = [a.ks for a in self.aside if a.lost]
        if self.lost and any(ks not in told for ks in full):
            msg = self.new(ANNOUNCEMENT, LOST, 0, self.number(), 0)
            msg.flags = SYNTHETIC
        for ks in full:
            if not self.lost or ks not in told:
                self.aside.append(Aside(ks, msg, self.lost))
                told += [ks] if self.lost else []

    def is_behind(self, ks: Ks) -> bool:
        """Tell whether events are set aside for a Ksock."""
        return any(a.ks is ks for a in self.aside)

    def bring(self, ks: Ks, msg: Msg, why: str, binding: "Binding | None") -> None:
        """Give one Ksock an event of its own, in a slot of its own."""
        self.make_room(1)
        own = Msg(msg.kind, msg.name, 0, msg.serial, 0)
        own.data, own.flags, own.age = msg.data, msg.flags, msg.age
        self.push(ks, own, why, binding)

    def arrive(self, ks: Ks) -> None:
        """Move what was set aside for a Ksock into its queue, as far as there is room."""
        for a in [a for a in self.aside if a.ks is ks]:
            if not self.full(ks) and self.can(1):
                heard = [b for b in self.listeners(EVENT) if b.ks is ks]
                self.bring(ks, a.msg, "copy", heard[0])
                self.aside.remove(a)

    def report_binds(self, ks: Ks, on: bool) -> int:
        """Turn reporting on or off; on tells this Ksock who replies now, the newest first."""
        self.reporting = on
        if on:
            for b in [b for b in reversed(self.bindings) if b.replier]:
                if self.is_behind(ks) or self.full(ks):
                    return -EBUSY
                if self.is_large(b.text):
                    self.lose(ks)
                    continue
                msg = self.event(True, b.ks, b.text)
                if not self.can(1):
                    return -EBUSY
                self.bring(ks, msg, "replay", None)
        return 0
