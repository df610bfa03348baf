# SPDX-License-Identifier: MIT
"""The things of the model of a bus, as plain lists: messages, queues, and what counts as in use.

Rules: written from the design and from KBUS's rules, not from the library, and slow on purpose. A
slot is in use exactly while its message is in a queue, viewed or waiting to be sent, and one more
while a request is out (for its answer). Nothing here decides what is sent to whom: see
bus_model.py.
"""

ANNOUNCEMENT, REQUEST, REPLY, STATUS = 0, 1, 2, 3
SYNTHETIC, URGENT, ALL_OR_WAIT, ALL_OR_FAIL, STAGED = 0x4, 0x8, 0x100, 0x200, 0x10000
EAGAIN, EBADF, EBUSY, EINVAL, ENOSPC, EPIPE, ENAMETOOLONG, ENOLCK = 11, 9, 16, 22, 28, 32, 36, 37
ENOMSG, EBADMSG, EMSGSIZE, EADDRINUSE, EADDRNOTAVAIL, ENOBUFS = 42, 74, 90, 98, 99, 105
ECONNREFUSED, EALREADY = 111, 114
SERIAL_MAX = (1 << 30) - 1
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


def check_name(text: str, wildcard: bool) -> int:
    """Return 0 if `text` is a name (or, if `wildcard`, a pattern), else -errno."""
    if len(text) > 1000:
        return -ENAMETOOLONG
    words = text.split(".")
    if words[0] != "$" or len(words) < 2:
        return -EBADMSG
    if wildcard and words[-1] in ("*", "%"):
        words[-1] = "a"
    for word in words[1:]:
        if not word or not all(c in LETTERS for c in word):
            return -EBADMSG
    return 0


def matches(pattern: str, name: str) -> bool:
    """Tell whether `pattern` means `name`, word by word."""
    want, have = pattern.split("."), name.split(".")
    if want[-1] == "*":
        return len(have) >= len(want) and have[: len(want) - 1] == want[:-1]
    if want[-1] == "%":
        return len(have) == len(want) and have[:-1] == want[:-1]
    return want == have


def rank(pattern: str) -> "tuple[int, int]":
    """Return what orders patterns: the larger one is more specific."""
    words = pattern.split(".")
    if words[-1] in ("*", "%"):
        return (len(".".join(words[:-1])), int(words[-1] == "%"))
    return (10000, 0)


class Msg:
    """One message; its attributes are those of a MessageView."""

    def __init__(self, kind: int, name: str, net: int, serial: int, sender: int) -> None:
        self.kind, self.name, self.net, self.serial, self.sender = kind, name, net, serial, sender
        self.data = b""
        self.age = 0  # smaller for what was made earlier
        self.sender_net = 0
        self.foreign = False  # it came over a link
        self.to = self.flags = self.user = self.cookie = 0
        self.carry: object = None
        self.reply_net = self.reply_serial = 0


class Binding:
    """One Ksock bound to one pattern; a proxy stands for somebody on another node."""

    def __init__(self, ks: "Ks", text: str, replier: bool, proxy: bool) -> None:
        self.ks, self.text, self.replier, self.proxy = ks, text, replier, proxy


class Entry:
    """One message in one queue.

    why: "ask" (a request to be answered here), "answer" (a reply or status to a request of this
    Ksock), "copy" (a listener's), "replay" (a bind event that was asked for).
    """

    def __init__(self, msg: Msg, why: str, binding: "Binding | None", missed: int) -> None:
        self.msg, self.why, self.binding, self.missed = msg, why, binding, missed


class Out:
    """One request that is out, from its delivery to its end."""

    def __init__(self, asker: "Ks", holder: "Ks", msg: Msg, due: "int | None") -> None:
        self.asker: Ks | None = asker  # None: it has closed
        self.holder, self.msg, self.due = holder, msg, due
        self.read_at = -1  # which reading of the bus it was; -1: unread
        self.cookie = 0


class Pending:
    """A message that ALL_OR_WAIT keeps at its sender."""

    def __init__(self, msg: Msg, due: "int | None", cookie: int) -> None:
        self.msg, self.due, self.cookie = msg, due, cookie


class Aside:
    """One unbind event that waits for room in one Ksock's queue."""

    def __init__(self, ks: "Ks", msg: Msg, lost: bool) -> None:
        self.ks, self.msg, self.lost = ks, msg, lost


class Ks:
    """One connection."""

    def __init__(self, number: int, limit: int) -> None:
        self.id, self.limit = number, limit
        self.queue: list[Entry] = []
        self.missed = 0  # copies lost since the last entry came
        self.missed_total = 0
        self.view: Msg | None = None
        self.pending: Pending | None = None
        self.once = False
        self.last = (-1, -1)  # id of what came last
        self.last_id = (0, 0)  # id of the last send
        self.pushed = 0  # messages that came, to see that somebody was woken
        self.closed = False


class Store:
    """Ksocks, queues, slots and numbers of one bus."""

    def __init__(self, slot_count: int) -> None:
        self.slot_count = slot_count
        self.kss: list[Ks] = []  # those that are open, in the order of their ids
        self.out: list[Out] = []
        self.serial = 0
        self.reads = 0
        self.made = 0  # counts messages as they are made
        self.dropped = 0

    def reserved(self, ks: Ks) -> int:
        """Return how many answers this Ksock keeps places for."""
        return len([o for o in self.out if o.asker is ks])

    def used(self, ks: Ks) -> int:
        """Return how many places of a queue are taken."""
        return len(ks.queue) + self.reserved(ks)

    def full(self, ks: Ks) -> bool:
        """Tell whether a queue takes nothing more."""
        return self.used(ks) >= ks.limit

    def number(self) -> int:
        """Return a new number of this bus."""
        while True:
            self.serial = self.serial % SERIAL_MAX + 1
            taken = [o.msg for o in self.out]
            taken += [p.msg for p in self.asking()]
            if all(m.net or m.serial != self.serial for m in taken):
                return self.serial

    def asking(self) -> "list[Pending]":
        """Return the requests that wait to be sent."""
        found = [ks.pending for ks in self.kss if ks.pending is not None]
        return [p for p in found if p.msg.kind == REQUEST]

    # Slots

    def protected(self) -> "list[Msg]":
        """Return the messages that must not be dropped."""
        found = [ks.view for ks in self.kss if ks.view is not None]
        found += [ks.pending.msg for ks in self.kss if ks.pending is not None]
        found += [e.msg for ks in self.kss for e in ks.queue if e.why in ("ask", "answer")]
        return found

    def slots_used(self) -> int:
        """Return how many slots are in use."""
        seen = {id(m) for m in self.protected()}
        seen |= {id(e.msg) for ks in self.kss for e in ks.queue}
        return len(seen) + len(self.out) + len(self.asking())

    def droppable(self, ks: Ks) -> "list[Msg]":
        """Return what lies in a queue and is held by listeners only, in its order."""
        keep = {id(m) for m in self.protected()}
        return [e.msg for e in ks.queue if id(e.msg) not in keep]

    def oldest(self) -> Msg:
        """Return what goes first: in each queue the first copy, but urgent ones lie in front."""
        found: list[Msg] = []
        for ks in self.kss:
            for msg in self.droppable(ks):
                found.append(msg)
                if not msg.flags & URGENT:
                    break
        # Several copies of one event may be as old as each other.
        return sorted(found, key=lambda m: (m.age, found.index(m)))[0]

    def can(self, count: int) -> bool:
        """Tell whether make_room() would find so many slots."""
        more = {id(m) for ks in self.kss for m in self.droppable(ks)}
        return self.slot_count - self.slots_used() + len(more) >= count

    def make_room(self, count: int) -> None:
        """Drop the oldest messages until so many slots are free; can() was asked before."""
        while self.slot_count - self.slots_used() < count:
            victim = self.oldest()
            self.dropped += 1
            for ks in self.kss:
                for entry in [e for e in ks.queue if e.msg is victim]:
                    self.remove(ks, entry, True)

    def new(self, kind: int, name: str, net: int, serial: int, sender: int) -> Msg:
        """Make a message: the newest one."""
        msg = Msg(kind, name, net, serial, sender)
        self.made += 1
        msg.age = self.made
        return msg

    # Queues

    def push(self, ks: Ks, msg: Msg, why: str, binding: "Binding | None") -> None:
        """Put a message into a queue, whatever its limit says."""
        entry = Entry(msg, why, binding, 0)
        if msg.flags & URGENT and ks.queue:
            ks.queue.insert(0, entry)  # it overtakes the gap
        else:
            ks.queue.append(entry)
            entry.missed = ks.missed
            ks.missed = 0
        ks.last = (msg.net, msg.serial)
        ks.pushed += 1

    def remove(self, ks: Ks, entry: Entry, lost: bool) -> None:
        """Take an entry out; its gap, and it if it is lost, are told by what is behind it."""
        i = ks.queue.index(entry)
        del ks.queue[i]
        ks.missed_total += lost
        gap = entry.missed + lost
        if i < len(ks.queue):
            ks.queue[i].missed += gap
        else:
            ks.missed += gap

    def lose(self, ks: Ks) -> None:
        """Count a copy for which there is no room."""
        ks.missed += 1
        ks.missed_total += 1

    def copies(self, msg: Msg, bindings: "list[Binding]", rooms: "list[bool]") -> None:
        """Give listeners their copies; rooms: where there was room before anything was pushed."""
        for binding, room in zip(bindings, rooms):
            ks = binding.ks
            if binding.proxy and (msg.net or msg.kind != ANNOUNCEMENT):
                continue  # only our own announcements go over links
            if ks.once and ks.last == (msg.net, msg.serial):
                continue
            if room:
                self.push(ks, msg, "copy", binding)
            else:
                self.lose(ks)
                ks.last = (msg.net, msg.serial)  # who wants messages once misses them once
