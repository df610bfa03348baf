# SPDX-License-Identifier: MIT
"""What a bus should do: who gets what, in which order, and how every request ends.

Rules: written from the design and from KBUS's rules, not from the library. Every call returns what
the hot layer returns. Here: sending, waiting, answering, closing; model_binds.py has the bindings,
model_parts.py the queues and slots.
"""

from model_binds import EVENT, Binds
from model_parts import (
    ALL_OR_FAIL,
    ALL_OR_WAIT,
    ANNOUNCEMENT,
    EADDRNOTAVAIL,
    EAGAIN,
    EALREADY,
    EBADF,
    EBUSY,
    ECONNREFUSED,
    EINVAL,
    EMSGSIZE,
    ENOBUFS,
    ENOLCK,
    ENOMSG,
    EPIPE,
    REPLY,
    REQUEST,
    STATUS,
    SYNTHETIC,
    Entry,
    Ks,
    Msg,
    Out,
    Pending,
)


class Staged:
    """What is staged for one send; net 0: the bus gives the id; sender -1: it is this Ksock."""

    def __init__(self, net: int = 0, serial: int = 0, sender: int = -1) -> None:
        self.net, self.serial, self.sender = net, serial, sender
        self.user = self.to = self.cookie = 0
        self.carry: object = None
        self.name: str | None = None


class Model(Binds):
    """One bus."""

    def __init__(self, slot_count: int, slot_size: int, **sizes: int) -> None:
        super().__init__(slot_count, slot_size, **sizes)
        self.now = 0  # here time does not wrap

    # Sending

    def check(self, ks: Ks, data: bytes, flags: int) -> int:
        """Return what every send looks at first."""
        if ks.closed:
            return -EBADF
        if ks.pending is not None:
            return -EALREADY
        if flags & ALL_OR_WAIT and flags & ALL_OR_FAIL:
            return -EINVAL
        return -EMSGSIZE if len(data) > self.slot_size else 0

    def make(self, kind: int, ks: Ks, name: str, data: bytes, flags: int, staged: Staged) -> Msg:
        """Make a message; this takes its id."""
        if staged.net:
            msg = self.new(kind, name, staged.net, staged.serial, ks.id)
        else:
            msg = self.new(kind, name, 0, self.number(), ks.id)
        if staged.sender >= 0:
            msg.sender, msg.sender_net, msg.foreign = staged.sender, staged.net, True
        msg.data, msg.flags, msg.user, msg.carry = data, flags, staged.user, staged.carry
        ks.last_id = (msg.net, msg.serial)
        return msg

    def announce(self, ks: Ks, name: str, data: bytes, flags: int, staged: Staged) -> int:
        """Send an announcement."""
        error = self.check(ks, data, flags)
        if error:
            return error
        if self.listeners(name) and not self.can(1):
            return -ENOBUFS
        msg = self.make(ANNOUNCEMENT, ks, name, data, flags, staged)
        msg.to = staged.to
        return self.first_try(ks, Pending(msg, None, staged.cookie))

    def request(
        self,
        ks: Ks,
        name: str,
        data: bytes,
        flags: int,
        staged: Staged,
        deadline: "int | None",
        to: int,
    ) -> int:
        """Send a request."""
        error = self.check(ks, data, flags)
        if error:
            return error
        if self.full(ks) or not self.can(2):
            return -ENOLCK
        msg = self.make(REQUEST, ks, name, data, flags, staged)
        msg.to = to
        due = None if deadline is None else self.now + deadline
        return self.first_try(ks, Pending(msg, due, staged.cookie))

    def first_try(self, ks: Ks, send: Pending) -> int:
        """Deliver a new message, or keep it."""
        error = self.why_not(send.msg)
        if error and error != -EAGAIN:
            return error
        if send.msg.kind == REQUEST or error or self.listeners(send.msg.name):
            self.make_room(2 if send.msg.kind == REQUEST else 1)
            error = self.why_not(send.msg)  # what was dropped may have made room
        if error:
            ks.pending = send
            return error
        return self.deliver(ks, send)

    def why_not(self, msg: Msg) -> int:
        """Return 0 if a message could be delivered now, else -errno."""
        full = -EAGAIN if msg.flags & ALL_OR_WAIT else -EBUSY
        if msg.kind == REQUEST:
            b = self.replier(msg.name, msg.foreign)
            if b is None:
                return -EADDRNOTAVAIL
            if msg.to and (b.proxy or b.ks.id != msg.to):  # over a link `to` means nothing yet
                return -EPIPE
            if self.full(b.ks):
                return full
        if msg.flags & (ALL_OR_WAIT | ALL_OR_FAIL):
            if any(self.full(b.ks) for b in self.listeners(msg.name) if not b.proxy):
                return full
        return 0

    def deliver(self, ks: Ks, send: Pending) -> int:
        """Give everybody the message; nothing can fail any more."""
        msg = send.msg
        listeners = self.listeners(msg.name)
        rooms = [not self.full(b.ks) for b in listeners]
        if msg.kind == REQUEST:
            b = self.replier(msg.name, msg.foreign)
            assert b is not None
            self.push(b.ks, msg, "ask", b)
            out = Out(ks, b.ks, msg, send.due)
            out.cookie = send.cookie
            self.out.append(out)
        self.copies(msg, listeners, rooms)
        return msg.serial

    # What ALL_OR_WAIT keeps

    def retry(self, ks: Ks) -> int:
        """Try again what waits; the message goes on any error but EAGAIN."""
        if ks.closed:
            return -EBADF
        send = ks.pending
        if send is None:
            return -ENOMSG
        error = -ENOLCK if send.msg.kind == REQUEST and self.full(ks) else 0
        error = error or self.why_not(send.msg)
        if error == -EAGAIN:
            return error
        ks.pending = None
        return error or self.deliver(ks, send)

    def poll_pending(self, ks: Ks) -> bool:
        """Try again what waits, and tell in a status how that failed; True: no more waiting."""
        send = ks.pending
        if send is None:
            return True
        error = self.why_not(send.msg)
        if error == -EAGAIN:
            return False
        ks.pending = None
        if not error:
            self.deliver(ks, send)
        elif error == -EADDRNOTAVAIL:
            self.status(ks, 0, send, "Replier.Disappeared")
        elif send.msg.kind == REQUEST:
            self.status(ks, 0, send, "ErrorSending")
        return True

    def discard(self, ks: Ks) -> None:
        """Forget what waits."""
        ks.pending = None

    # How requests end

    def owed(self, ks: Ks) -> "list[Out]":
        """Return the requests that a Ksock has read and not answered, the one read last first."""
        mine = [o for o in self.out if o.holder is ks and o.read_at >= 0]
        return sorted(mine, key=lambda o: -o.read_at)

    def out_of(self, msg: Msg) -> Out:
        """Return what is known of a request that is out."""
        return [o for o in self.out if o.msg is msg][0]

    def reply(self, ks: Ks, out: "Out | None", data: bytes, flags: int, staged: Staged) -> int:
        """Answer a request that this Ksock has read."""
        error = self.check(ks, data, flags)
        if error:
            return error
        mine = out is not None and out in self.out and out.holder is ks and out.read_at >= 0
        if not mine or out is None:
            self.make(REPLY, ks, "", data, flags, staged)
            return -ECONNREFUSED
        name = out.msg.name if staged.name is None else staged.name
        msg = self.make(REPLY, ks, name, data, flags, staged)
        listeners = self.listeners(name)
        rooms = [not self.full(b.ks) for b in listeners]  # while the place for it is reserved
        self.out.remove(out)
        if out.asker is None:
            return -EADDRNOTAVAIL
        self.answer(out.asker, out, msg)
        self.copies(msg, listeners, rooms)
        return msg.serial

    def answer(self, asker: Ks, out: "Out | Pending", msg: Msg) -> None:
        """Give a request's answer to who asked."""
        msg.to, msg.cookie = asker.id, out.cookie
        msg.reply_net, msg.reply_serial = out.msg.net, out.msg.serial
        self.push(asker, msg, "answer", None)

    def status(self, asker: Ks, sender: int, out: "Out | Pending", name: str) -> None:
        """End a request in a status."""
        msg = self.new(STATUS, "$.KBUS." + name, 0, self.number(), sender)
        msg.flags = SYNTHETIC
        self.answer(asker, out, msg)

    def end(self, out: Out, name: str) -> None:
        """End a request that nobody will answer."""
        # Its number is free as soon as it has ended; its status may be the next to have it.
        self.out.remove(out)
        if out.asker is not None:
            self.status(out.asker, out.holder.id, out, name)
        else:
            self.number()  # the status is made, but for nobody

    def unbind(self, ks: Ks, text: str, replier: bool) -> int:
        """Remove the newest such binding, what it brought and what is set aside because of it."""
        error = self.check_binding(ks, text, replier)
        if error:
            return error
        mine = [b for b in self.bindings if b.ks is ks and b.text == text and b.replier == replier]
        if not mine:
            return -EINVAL
        binding = mine[-1]
        error = 0
        if replier and self.reporting and binding.proxy:
            self.tell_surely(ks, text)  # the far side has unbound, that can't be refused
        elif replier and self.reporting:
            error = self.tell(False, ks, text)
        if error:
            return error
        for e in [e for e in ks.queue if e.binding is binding]:
            self.remove(ks, e, False)
            if e.why == "ask":
                self.end(self.out_of(e.msg), "Replier.Unbound")
        self.bindings.remove(binding)
        if not any(b.ks is ks for b in self.listeners(EVENT)):
            self.aside = [a for a in self.aside if a.ks is not ks]
        self.arrive(ks)
        return 0

    def close(self, ks: Ks) -> None:
        """Close a Ksock."""
        if ks.closed:
            return
        ks.closed = True
        ks.view = ks.pending = None
        for out in self.out:
            if out.asker is ks:
                out.asker = None
        unread = [e for e in ks.queue if e.why == "ask"]
        ks.queue = []
        for e in unread:
            self.end(self.out_of(e.msg), "Replier.GoneAway")
        for b in [b for b in reversed(self.bindings) if b.ks is ks]:
            if b.replier and self.reporting:
                self.tell_surely(ks, b.text)
            self.bindings.remove(b)
        self.aside = [a for a in self.aside if a.ks is not ks]
        for out in self.owed(ks):
            self.end(out, "Replier.Ignored")
        self.kss.remove(ks)

    def poll(self, now: int) -> None:
        """Let time pass: requests end, what is due first first, of several what was sent first."""
        self.now = now
        for ks in self.kss:
            self.arrive(ks)  # what had room, but found no slot
        ends = [(o.due, o.msg.age, o) for o in self.out if o.due is not None]
        for ks in self.kss:
            if ks.pending is not None and ks.pending.due is not None:
                ends.append((ks.pending.due, ks.pending.msg.age, ks))
        for due, _, what in sorted(ends, key=lambda end: end[:2]):
            if due <= now and isinstance(what, Out):
                self.expire(what)
            elif due <= now:
                send, what.pending = what.pending, None
                self.status(what, 0, send, "Replier.Overdue")

    def next_due(self) -> "int | None":
        """Return when the next request ends."""
        found = [o.due for o in self.out] + [p.due for p in self.asking()]
        return min([due for due in found if due is not None] or [None])

    def expire(self, out: Out) -> None:
        """End a request whose time is over."""
        for e in [e for e in out.holder.queue if e.msg is out.msg and e.why == "ask"]:
            self.remove(out.holder, e, False)
        self.end(out, "Replier.Expired" if out.read_at >= 0 else "Replier.Overdue")
        if out.read_at < 0:
            self.arrive(out.holder)

    # Reading

    def take(self, ks: Ks, index: int) -> "tuple[Entry, Out | None] | int":
        """Take a message; what was viewed before is let go."""
        ks.view = None
        if ks.closed:
            return -EBADF
        if not ks.queue:
            self.arrive(ks)  # what was viewed may have been the slot that was missing
        if not ks.queue:
            return -EAGAIN
        entry = ks.queue.pop(index)
        ks.view = entry.msg
        out = None
        if entry.why == "ask":
            out = self.out_of(entry.msg)
            self.reads += 1
            out.read_at = self.reads
        self.arrive(ks)
        return entry, out
