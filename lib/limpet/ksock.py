# SPDX-License-Identifier: MIT
"""The comfortable layer of a Ksock: names as text, messages as objects, errors as exceptions,
waiting.

Rules: it only wraps the hot layer, so both behave alike. Calls lock the bus, so other threads of a
host may use them beside bus.start(). A call that waits pumps the bus if nobody else does, and is
refused inside a handler (WouldDeadlock). Data is bytes or str (sent as UTF-8).
"""

from .errors import (
    EADDRNOTAVAIL,
    EAGAIN,
    BusError,
    Closed,
    NotExpected,
    bind_error,
    error,
)
from .message import Message, encode, no_reply
from .port import const
from .slots import STATUS
from .ticks import check_ms
from .view import MessageView
from .watch import open_gate, unwatch, watch

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeVar

    from .bus import Bus
    from .hot import Hot
    from .port.gate import Gate
    from .send import Data
    from .usage import Usage

    F = TypeVar("F", bound=Callable[[Message], object])

DEADLINE_MS = 5000


class Ksock:
    """A connection to a bus, made by bus.ksock(); `hot` is its hot layer, `id` its number."""

    def __init__(self, bus: "Bus", hot: "Hot") -> None:
        self.bus = bus
        self.hot = hot
        self.id = hot.id
        self.handled = 0  # bindings with a handler
        self.waits = False  # an ALL_OR_WAIT send of this layer is to be tried again
        self.calls: list[int] = []  # requests whose answers calls wait for
        self._lock = bus.waiter.lock
        self._names = bus.bindings.names
        self._answers = bus.answers
        self._runner = bus.runner
        self._view = MessageView()  # nobody else uses it, so between calls it shows nothing
        self.gate: Gate | None = None  # what fileno() has made (open_gate)

    # Binding

    def bind(self, name: str, replier: bool = False) -> None:
        """Listen to a name or pattern, or become its replier.

        Raises BadName, NameTooLong, AlreadyBound (replier), TableFull, Closed, BusError EAGAIN.
        """
        with self._lock:
            self._bind(name, replier)

    def _bind(self, name: str, replier: bool) -> None:
        code = self.bus.bind(self.hot, name, replier)
        if code:
            raise self._not_bound(name, code)

    def _not_bound(self, name: str, code: int) -> BusError:
        if self.hot.closed:
            return Closed("this Ksock is closed")
        return bind_error(code, name, self.bus.bindings.binding_count)

    def unbind(self, name: str, replier: bool = False) -> None:
        """Undo the newest such bind; unread requests that it brought end in Replier.Unbound."""
        with self._lock:
            binding = self.bus.bindings.find(self.hot, name, replier)
            code = self.bus.unbind(self.hot, name, replier)
            if code:
                raise self._not_bound(name, code)
            if binding is not None and binding.handler is not None:
                self.handled -= 1
                if self.handled == 0:
                    unwatch(self.hot, self.bus.waiter)

    def listener(self, name: str) -> "Callable[[F], F]":
        """Decorator: bind the function as a listener; it is called with each Message."""
        return self._handler(name, False)

    def replier(self, name: str) -> "Callable[[F], F]":
        """Decorator: make the function the replier; it gets the Message, returns the reply's data.

        None sends an empty reply, LATER none yet: ks.reply(msg, data) follows. When it raises, the
        request ends in Replier.Failed, with the exception's name as data, and the bus goes on.
        """
        return self._handler(name, True)

    def _handler(self, name: str, replier: bool) -> "Callable[[F], F]":
        def bind(function: "F") -> "F":
            with self._lock:
                self._bind(name, replier)
                binding = self.bus.bindings.find(self.hot, name, replier)
                assert binding is not None
                binding.handler = function
                self.handled += 1
                if self.handled == 1:
                    watch(self.hot, self.bus.waiter)  # who pumps is to call it at once
            return function

        return bind

    # Sending

    def announce(self, name: str, data: "Data | str" = b"", flags: int = 0) -> int:
        """Send an announcement; returns its number.

        flags: URGENT: in front of what waits; ALL_OR_FAIL: to all who listen, or QueueFull;
        ALL_OR_WAIT: if a listener is full, Pending is raised, and the message goes when there
        is room and somebody pumps. Raises BadName, TooLarge, NoSlot, QueueFull, Pending, Closed.
        """
        lock = self._lock
        lock.acquire()  # quicker than `with`, which this call would notice
        try:
            known = self._names.get(name) or self.bus.find_name(name)
            if type(data) is not bytes:
                data = encode(data)
            sent = self.hot.announce(known, data, -1, flags)
            if sent == -EAGAIN:
                self.waits = True
                self.show()
        finally:
            lock.release()
        if sent < 0:
            raise error(sent, f"announcement {name} not sent")
        return sent

    def request(
        self,
        name: str,
        data: "Data | str" = b"",
        deadline_ms: "int | None" = DEADLINE_MS,
        to: int = 0,
        flags: int = 0,
    ) -> int:
        """Send a request; returns its number, which its reply or status has as `in_reply_to`.

        deadline_ms: when it ends by itself, at most six days; None: for ever. to: the Ksock that
        has to be the replier (a stateful request), 0: any. flags: as for announce(). Raises
        BadName, TooLarge, Closed; NoReplier, QueueFull, NoReplyRoom, NotThatReplier, Pending.
        """
        return self.ask(name, data, deadline_ms, to, flags, False)

    def ask(
        self, name: str, data: "Data | str", ms: "int | None", to: int, flags: int, is_call: bool
    ) -> int:
        """Send a request; of a call, nobody else may take the answer until it has left `calls`."""
        lock = self._lock
        lock.acquire()
        try:
            if ms is not None:
                self._answers.now_ms = self._runner.now()  # the deadline counts from now
            known = self._names.get(name) or self.bus.find_name(name)
            if type(data) is not bytes:
                data = encode(data)
            sent = self.hot.request(known, data, -1, flags, ms, to)
            if sent >= 0:
                if is_call:
                    self.calls.append(sent)
                return sent
            if sent == -EAGAIN:
                self.waits = True
                self.show()
        finally:
            lock.release()
        check_ms("deadline_ms", ms)
        raise error(sent, f"request {name} not sent")

    def reply(self, request: Message, data: "Data | str" = b"", flags: int = 0) -> int:
        """Answer a request that this Ksock has read; returns the reply's number. flags: URGENT.

        Raises TooLarge, NotExpected (EADDRNOTAVAIL: the asker has closed), Closed.
        """
        if type(data) is not bytes:
            data = encode(data)
        lock = self._lock
        lock.acquire()
        try:
            code = self.hot.reply(request, data, -1, flags)
        finally:
            lock.release()
        if code >= 0:
            return code
        if code == -EADDRNOTAVAIL:
            raise NotExpected(f"reply to {request.name}: the asker has closed", EADDRNOTAVAIL)
        raise error(code, f"reply to {request.name} not sent")

    def call(
        self,
        name: str,
        data: "Data | str" = b"",
        deadline_ms: "int | None" = DEADLINE_MS,
        to: int = 0,
    ) -> Message:
        """Send a request and wait for its end; returns the reply.

        Raises NoReply (with `status` and `executed`) for everything that can happen once the
        arguments are right, a refused send included.
        """
        runner = self.bus.runner
        runner.check_may_wait()
        serial = self.ask(name, data, deadline_ms, to, 0, True)
        hot = self.hot
        try:
            runner.wait(lambda: hot.find_answer(serial) >= 0 or hot.closed, None, hot)
            return self.take_answer(serial, name)
        finally:
            if serial in self.calls:
                self.end_call(serial)

    def end_call(self, serial: int) -> None:
        """Let go of a call's request that has no answer yet, or none was taken: it is nobody's."""
        with self._lock:
            self.calls.remove(serial)
            if not self.hot.closed:
                self.bus.answers.forget(self.hot, serial)
            self.show()

    def take_answer(self, serial: int, name: str) -> Message:
        """Take the answer to request `serial`, which has come; raise NoReply if it is a status."""
        message = self.find_answer(serial, name)
        if message is None:
            e = Closed("the Ksock was closed during the call")
            e.executed = "unknown"
            raise e
        return message

    def find_answer(self, serial: int, name: str) -> "Message | None":
        """Take the answer if it has come; else as take_answer()."""
        lock = self._lock
        lock.acquire()
        try:
            index = self.hot.find_answer(serial)
            if index < 0:
                return None
            message = self.take(index)
            self.calls.remove(serial)
        finally:
            lock.release()
        if message.kind_code == STATUS:
            raise no_reply(message, name)
        return message

    # Reading

    def next(self) -> "Message | None":
        """Return the next message that no handler and no call waits for; None if there is none."""
        lock = self._lock
        lock.acquire()  # quicker than `with`, which this call would notice
        try:
            hot = self.hot
            slot = hot.cursor.next
            if slot is None or hot.quick is not self._view:
                if hot.count and not self.handled and not self.calls:
                    return self.take(0)  # nobody else waits for any of them
                return self._next()
            # An announcement out of a log, by the short way of hot.take().
            hot.cursor = self._view.slot = slot
            message = Message(slot, hot, self._view if slot.flags else None)
            return message
        finally:
            if self.gate is not None:
                self.gate.update()
            lock.release()

    def _next(self) -> "Message | None":
        hot = self.hot
        if hot.count == 0 and hot.missed_next == 0 and hot.aside == 0:
            if hot.take(self._view) < 0:
                return None
            message = Message(self._view.slot, hot, self._view)
            if hot.viewed is None:
                hot.viewing = False  # so that next() may take the short way
            else:
                hot.release()
            return message
        index = self.find_next()
        if index < 0:
            hot.release()
            hot.freed()  # an event that was set aside may have waited for the slot
            index = self.find_next()
        return None if index < 0 else self.take(index)

    def take(self, index: int) -> Message:
        """Take the message that is `index` places behind the oldest; the bus is locked."""
        view = self._view
        hot = self.hot
        if index:
            hot.bring(index)
        hot.take(view)
        message = Message(view.slot, hot, view)
        hot.release()
        if self.gate is not None:
            self.gate.update()
        return message

    def find_next(self) -> int:
        """Return the index of what next() would give, -1: nothing."""
        hot = self.hot
        with self._lock:
            hot.settle()
            for i in range(hot.count):
                binding = hot.binding_at(i)
                if binding is None:
                    if hot.slot_at(i).reply_serial not in self.calls:
                        return i
                elif binding.handler is None:
                    return i
        return -1

    def wait_for_msg(self, timeout_ms: "int | None" = None) -> "Message | None":
        """Wait for the next message; None when timeout_ms have passed without one."""
        hot = self.hot
        self.bus.runner.wait(lambda: self.find_next() >= 0 or hot.closed, timeout_ms, hot)
        return self.next()

    # Waiting with select and poll

    def fileno(self) -> int:
        """Return a file descriptor for select, poll and event loops (hosts only; else OSError).

        It is readable while next() would give a message, and writable unless an ALL_OR_WAIT send
        waits, which is tried again as soon as there is room. A program that sleeps in select pumps
        nothing: links and handlers need bus.start() then. It is closed with the Ksock.
        """
        return open_gate(self, lambda: self.find_next() >= 0, True).fileno()

    def show(self) -> None:
        """See that fileno() shows how things are after a call here; the bus is locked."""
        if self.gate is not None:
            self.gate.update()

    def wait_writable(self, timeout_ms: "int | None" = None) -> bool:
        """Wait until no ALL_OR_WAIT send waits for room; it is tried again when there is some.

        False when timeout_ms have passed, or the Ksock closed.
        """
        hot = self.hot
        self.bus.runner.wait(lambda: hot.closed or hot.poll_pending(), timeout_ms, hot)
        return hot.pending is None and not hot.closed

    def messages(self, timeout_ms: "int | None" = None) -> "Iterator[Message]":
        """Yield messages as they come; end when timeout_ms pass without one, or it closes."""
        while True:
            message = self.wait_for_msg(timeout_ms)
            if message is None:
                return
            yield message

    def usage(self) -> "Usage":
        """Return what this Ksock uses, was refused and missed (usage.py)."""
        from .usage import of_ksock

        with self._lock:
            return of_ksock(self.hot)

    def close(self) -> None:
        """Close: what it was to answer ends in statuses, its own requests are forgotten."""
        with self._lock:
            if not self.hot.closed:
                if self.gate is not None:
                    self.gate.close()
                self.bus.shut(self.hot)
                if self.hot.watch is not None:
                    self.hot.watch.wake()  # who waits here waits in vain
                self.bus.ksocks.remove(self)
                self.handled = 0

    def __repr__(self) -> str:
        return f"<Ksock {self.id}{', closed' if self.hot.closed else ''}>"

    def __enter__(self) -> "Ksock":
        return self

    def __exit__(self, kind: object, value: object, trace: object) -> None:
        self.close()
