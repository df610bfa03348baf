# SPDX-License-Identifier: MIT
"""What a bus should do, as plain lists: no rings, no slots, no tables, nothing compiled.

Rules: written from the design and from KBUS's rules, not from the library, and slow on purpose. A
message is in use while an entry of a queue or a view refers to it; a request that is out keeps one
place and the room of one message for its answer. Every call returns what the hot layer returns.
"""

EAGAIN, EBADF, EBUSY, EINVAL, EPIPE = 11, 9, 16, 22, 32
ENOLCK, EMSGSIZE, EADDRINUSE, EADDRNOTAVAIL, ENOBUFS, ECONNREFUSED = 37, 90, 98, 99, 105, 111
SERIAL_MAX = (1 << 30) - 1


def matches(pattern: str, name: str) -> bool:
    """Tell whether `pattern` means `name`, word by word."""
    want, have = pattern.split("."), name.split(".")
    if want[-1] == "*":
        return len(have) >= len(want) and have[: len(want) - 1] == want[:-1]
    if want[-1] == "%":
        return len(have) == len(want) and have[:-1] == want[:-1]
    return want == have


def rank(pattern: str) -> tuple[int, int]:
    """Return what orders patterns: the larger one is more specific."""
    words = pattern.split(".")
    if words[-1] in "*%":
        return (len(".".join(words[:-1])), words[-1] == "%")
    return (10000, 0)


class Msg:
    """One message."""

    def __init__(self, kind: str, name: str, serial: int, sender: int, data: bytes) -> None:
        self.kind, self.name, self.serial, self.sender = kind, name, serial, sender
        self.data = data
        self.in_reply_to = 0


class Out:
    """One request that is out."""

    def __init__(self, asker: "Ks", holder: "Ks", msg: Msg, due: "int | None") -> None:
        self.asker: Ks | None = asker
        self.holder, self.msg, self.due = holder, msg, due
        self.read_at = -1


class Binding:
    """One Ksock bound to one pattern."""

    def __init__(self, ks: "Ks", pattern: str, replier: bool) -> None:
        self.ks, self.pattern, self.replier = ks, pattern, replier


class Entry:
    """One message in one queue."""

    def __init__(self, msg: Msg, role: str, binding: Binding | None, missed: int) -> None:
        self.msg, self.role, self.binding, self.missed = msg, role, binding, missed


class Ks:
    """One connection."""

    def __init__(self, number: int, limit: int) -> None:
        self.id, self.limit = number, limit
        self.queue: list[Entry] = []
        self.missed = 0  # since the last entry
        self.view: Msg | None = None
        self.once = False
        self.last = 0
        self.closed = False


class Model:
    """One bus."""

    def __init__(self, slot_count: int, slot_size: int) -> None:
        self.slot_count, self.slot_size = slot_count, slot_size
        self.bindings: list[Binding] = []
        self.kss: list[Ks] = []
        self.out: list[Out] = []
        self.serial = 0
        self.ids = 0
        self.now = 0  # here time does not wrap
        self.reads = 0
        self.age: list[Msg] = []  # every message that is in use, the oldest first

    # Counting

    def used(self) -> int:
        seen = {id(e.msg) for ks in self.kss for e in ks.queue}
        seen |= {id(ks.view) for ks in self.kss if ks.view is not None}
        return len(seen) + len(self.out)

    def room(self, ks: Ks) -> int:
        return ks.limit - len(ks.queue) - sum(o.asker is ks for o in self.out)

    def droppable(self) -> list[Msg]:
        """Return what only listeners hold, the oldest first."""
        held = [ks.view for ks in self.kss if ks.view is not None]
        held += [e.msg for ks in self.kss for e in ks.queue if e.role != "copy"]
        found: list[Msg] = []
        for msg in self.age:
            queued = any(e.msg is msg for ks in self.kss for e in ks.queue)
            if queued and not any(msg is h for h in held):
                found.append(msg)
        return found

    def can(self, count: int) -> bool:
        return self.slot_count - self.used() + len(self.droppable()) >= count

    def make_room(self, count: int) -> None:
        while self.slot_count - self.used() < count:
            victim = self.droppable()[0]
            for ks in self.kss:
                self.remove(ks, [e for e in ks.queue if e.msg is victim], True)

    def remove(self, ks: Ks, entries: list[Entry], lost: bool) -> None:
        """Take entries out; gaps move on to what is behind."""
        for gone in entries:
            i = ks.queue.index(gone)
            del ks.queue[i]
            gap = gone.missed + lost
            if i < len(ks.queue):
                ks.queue[i].missed += gap
            else:
                ks.missed += gap

    def number(self) -> int:
        while True:
            self.serial = self.serial % SERIAL_MAX + 1
            if all(o.msg.serial != self.serial for o in self.out):
                return self.serial

    # Delivering

    def push(self, ks: Ks, msg: Msg, role: str, binding: Binding | None) -> None:
        ks.queue.append(Entry(msg, role, binding, ks.missed))
        ks.missed = 0
        ks.last = msg.serial

    def copies(self, msg: Msg) -> None:
        for b in self.bindings:
            if b.replier or not matches(b.pattern, msg.name):
                continue
            if b.ks.once and b.ks.last == msg.serial:
                continue
            if self.room(b.ks) > 0:
                self.push(b.ks, msg, "copy", b)
            else:
                b.ks.missed += 1
                b.ks.last = msg.serial  # who wants messages once misses them once

    def replier(self, name: str) -> Binding | None:
        found = [b for b in self.bindings if b.replier and matches(b.pattern, name)]
        return max(found, key=lambda b: rank(b.pattern), default=None)

    # What users call

    def open(self, limit: int) -> Ks:
        self.ids += 1
        ks = Ks(self.ids, limit)
        self.kss.append(ks)
        return ks

    def bind(self, ks: Ks, pattern: str, replier: bool) -> int:
        if ks.closed:
            return -EBADF
        if replier and any(b.replier and b.pattern == pattern for b in self.bindings):
            return -EADDRINUSE
        self.bindings.append(Binding(ks, pattern, replier))
        return 0

    def unbind(self, ks: Ks, pattern: str, replier: bool) -> int:
        if ks.closed:
            return -EBADF
        for b in reversed(self.bindings):
            if b.ks is ks and b.pattern == pattern and b.replier == replier:
                for e in [e for e in ks.queue if e.binding is b]:
                    self.remove(ks, [e], False)
                    if e.role == "request":
                        self.status(self.out_of(e.msg), "Replier.Unbound")
                self.bindings.remove(b)
                return 0
        return -EINVAL

    def check(self, ks: Ks, data: bytes) -> int:
        if ks.closed:
            return -EBADF
        return -EMSGSIZE if len(data) > self.slot_size else 0

    def announce(self, ks: Ks, name: str, data: bytes) -> int:
        error = self.check(ks, data)
        if error:
            return error
        if not any(not b.replier and matches(b.pattern, name) for b in self.bindings):
            return self.number()
        if not self.can(1):
            return -ENOBUFS
        self.make_room(1)
        msg = Msg("announcement", name, self.number(), ks.id, data)
        self.age.append(msg)
        self.copies(msg)
        return msg.serial

    def request(self, ks: Ks, name: str, data: bytes, deadline: int | None, to: int) -> int:
        error = self.check(ks, data)
        if error:
            return error
        if self.room(ks) <= 0 or not self.can(2):
            return -ENOLCK
        b = self.replier(name)
        if b is None:
            error = -EADDRNOTAVAIL
        elif to and b.ks.id != to:
            error = -EPIPE
        elif self.room(b.ks) <= (b.ks is ks):
            error = -EBUSY
        if error or b is None:
            self.number()
            return error
        self.make_room(2)
        msg = Msg("request", name, self.number(), ks.id, data)
        self.age.append(msg)
        due = None if deadline is None else self.now + deadline
        self.out.append(Out(ks, b.ks, msg, due))
        self.push(b.ks, msg, "request", b)
        self.copies(msg)
        return msg.serial

    def take(self, ks: Ks) -> tuple[Entry, Out | None] | None:
        ks.view = None
        if not ks.queue:
            return None
        entry = ks.queue.pop(0)
        ks.view = entry.msg
        out = None
        if entry.role == "request":
            out = self.out_of(entry.msg)
            self.reads += 1
            out.read_at = self.reads
        return entry, out

    def release(self, ks: Ks) -> None:
        ks.view = None

    def reply(self, ks: Ks, out: Out | None, data: bytes) -> int:
        error = self.check(ks, data)
        if error:
            return error
        if out is None or out not in self.out or out.holder is not ks:
            return -ECONNREFUSED
        msg = Msg("reply", out.msg.name, self.number(), ks.id, data)
        self.out.remove(out)
        if out.asker is None:
            return -EADDRNOTAVAIL
        msg.in_reply_to = out.msg.serial
        self.age.append(msg)
        self.push(out.asker, msg, "answer", None)
        self.copies(msg)
        return 0

    def out_of(self, msg: Msg) -> Out:
        return next(o for o in self.out if o.msg is msg)

    def status(self, out: Out, name: str) -> None:
        self.out.remove(out)
        if out.asker is None:
            return
        # The number of a request is free as soon as it has ended; its status may be the next.
        msg = Msg("status", "$.KBUS." + name, self.number(), out.holder.id, b"")
        msg.in_reply_to = out.msg.serial
        self.age.append(msg)
        self.push(out.asker, msg, "answer", None)

    def close(self, ks: Ks) -> None:
        if ks.closed:
            return
        ks.closed = True
        ks.view = None
        for out in self.out:
            if out.asker is ks:
                out.asker = None
        for e in [e for e in ks.queue if e.role == "request"]:
            self.status(self.out_of(e.msg), "Replier.GoneAway")
        ks.queue = []
        self.bindings = [b for b in self.bindings if b.ks is not ks]
        mine = [o for o in self.out if o.holder is ks]
        for out in sorted(mine, key=lambda o: -o.read_at):
            self.status(out, "Replier.Ignored")
        self.kss.remove(ks)

    def poll(self, now: int) -> list[Out]:
        """Return the requests whose time has come; the caller ends them in any order."""
        self.now = now
        return [o for o in self.out if o.due is not None and o.due <= now]

    def expire(self, out: Out) -> None:
        for e in [e for e in out.holder.queue if e.msg is out.msg and e.role == "request"]:
            self.remove(out.holder, [e], False)
        self.status(out, "Replier.Expired" if out.read_at >= 0 else "Replier.Overdue")
