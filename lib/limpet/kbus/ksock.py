# SPDX-License-Identifier: MIT
"""The Ksock of `limpet.kbus`: KBUS's own calls on a Limpet bus.

Rules: orders of checks and errnos are KBUS's. It has a comfortable Ksock inside, so whoever waits
here pumps the bus and its links; calls lock the bus and may come from any thread of a host. What
next_msg() pops is kept as a Message, and becomes bytes only for who reads it as such.
"""

from ..errors import error
from ..names import check
from ..port import KBUS, const
from ..ticks import MS_MAX
from ..view import MessageView
from ..watch import open_gate
from .device import find, make_next
from .ids import MessageId
from .message import Message
from .sender import receive, send
from .writer import Writer, check_name

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from ..hot import Hot

_MESSAGES_MAX = const(100)

_EBADF = const(9)
_EAGAIN = const(11)
_EINVAL = const(22)
_ENAMETOOLONG = const(36)
_EALREADY = const(114)


class Ksock:
    """A connection to the bus of number `which`; mode "r" may do all but write.

    Raises ENOENT if there is no such bus, ENOSPC if it has no room for another Ksock.
    """

    def __init__(self, which: int = 0, mode: str = "rw") -> None:
        if mode not in ("r", "rw"):
            raise ValueError(f"the mode of a Ksock is 'r' or 'rw', not {mode!r}")
        self._device = find(which)
        self.which = which
        self.name = f"/dev/kbus{which}"
        self.mode = "read" if mode == "r" else "read/write"
        self._writes = mode == "rw"
        self._bus = self._device.bus
        self._lock = self._bus.waiter.lock
        self._ks = self._bus.ksock(_MESSAGES_MAX)
        self._max = _MESSAGES_MAX
        self._writer = Writer(self._device)
        self._view = MessageView()
        self._reading: Message | None = None  # what next_msg() has popped
        self._bytes: bytes | None = None  # what of it is left to read, once reading has begun

    def __str__(self) -> str:
        if self._ks.hot.closed:
            return f"Ksock device {self.which} (closed)"
        return f"Ksock device {self.which}, id {self.ksock_id()}, mode {self.mode}"

    def __repr__(self) -> str:
        if self._ks.hot.closed:
            return f"<Ksock {self.name} closed>"
        return f"<Ksock {self.name} open for {self.mode}>"

    def _open(self) -> "Hot":
        # Return the hot layer of a Ksock that is not closed.
        hot = self._ks.hot
        if hot.closed:
            raise error(-_EBADF, "this Ksock is closed")
        return hot

    def close(self) -> None:
        """Close: what it has bound, read and not answered, written and not sent goes with it.

        Twice does no harm.
        """
        with self._lock:
            self._drop()
            self._writer.clear()
            self._ks.close()

    def __enter__(self) -> "Ksock":
        return self

    def __exit__(self, kind: object, value: object, trace: object) -> None:
        self.close()

    @property
    def fd(self) -> "Ksock | None":
        """What reads and writes bytes: the Ksock itself, None once it is closed."""
        return None if self._ks.hot.closed else self

    def ksock_id(self) -> int:
        """Return its number on its bus; others never have had it."""
        return self._open().id

    # Binding

    def bind(self, name: str, replier: bool = False) -> None:
        """Listen to a name, or become its replier.

        Raises EBADMSG, ENAMETOOLONG, EADDRINUSE (a replier for exactly this name is there), EAGAIN
        (somebody who listens to bind events is full), ENOSPC.
        """
        with self._lock:
            hot = self._open()
            code = check_name(name) or self._bus.bind(hot, name, bool(replier))
        if code < 0:
            raise error(code, f"{name} not bound")

    def unbind(self, name: str, replier: bool = False) -> None:
        """Undo the newest such bind; messages that it brought are gone.

        Raises EBADMSG, ENAMETOOLONG, EINVAL (nothing to undo), EAGAIN as bind().
        """
        with self._lock:
            hot = self._open()
            code = check_name(name) or self._bus.unbind(hot, name, bool(replier))
            self._ks.show()
        if code < 0:
            raise error(code, f"{name} not unbound")

    def find_replier(self, name: str) -> "int | None":
        """Return the id of the Ksock that a request of that name would reach now, or None.

        For a wildcard: who has bound exactly that. Raises ENAMETOOLONG, also for an empty name.
        """
        with self._lock:
            self._open()
            if not name or check_name(name):
                raise error(-_ENAMETOOLONG, "a name has 1 to 1000 bytes")
            if not check(name, False):
                return self._bus.find_replier(name) or None
            for binding in self._bus.bindings.all():
                if binding.replier and binding.text == name:
                    return binding.hot.id
        return None

    # Reading

    def next_msg(self) -> int:
        """Go on to the next message; return its size in bytes, 0 if there is none.

        What was not read of the one before is gone.
        """
        with self._lock:
            hot = self._open()
            self._drop()
            if hot.take(self._view) < 0:
                return 0
            self._reading = receive(self._view)
            hot.release()
            self._ks.show()
            return self._reading.total_length()

    def _drop(self) -> None:
        self._reading = self._bytes = None

    def len_left(self) -> int:
        """Return how many bytes of the current message are left to read."""
        self._open()
        if self._bytes is not None:
            return len(self._bytes)
        return self._reading.total_length() if self._reading is not None else 0

    def read_data(self, count: int) -> bytes:
        """Return the next `count` bytes of the current message, or what is left of it."""
        with self._lock:
            self._open()
            if self._bytes is None:
                self._bytes = self._reading.to_bytes() if self._reading is not None else b""
                self._reading = None
            if count < 0:
                count = len(self._bytes)
            data, self._bytes = self._bytes[:count], self._bytes[count:]
            return data

    def read(self, count: int = -1) -> bytes:
        """As read_data(), but all that is left unless a count is given."""
        return self.read_data(count)

    def read_msg(self, length: int) -> "Message | None":
        """Return the current message, `length` what next_msg() gave; None if nothing is left.

        Raises ValueError where so many bytes are no message.
        """
        with self._lock:
            self._open()
            message = self._reading
            if message is not None and length >= message.total_length():
                self._drop()
                return message  # as good as its bytes
            data = self.read_data(length)
            return Message.from_bytes(data) if data else None

    def read_next_msg(self) -> "Message | None":
        """Return the next message, None if there is none."""
        with self._lock:
            return self.read_msg(self.next_msg())

    def wait_for_msg(self, timeout: "float | None" = None) -> "Message | None":
        """Wait for the next message, `timeout` seconds at most (None: for ever), and return it."""
        timeout_ms = None
        if timeout is not None:
            if timeout < 0:
                raise ValueError(f"a timeout of {timeout} s is over before it begins")
            timeout_ms = MS_MAX if timeout > MS_MAX // 1000 else int(timeout * 1000 + 0.999)
        hot = self._open()
        self._bus.runner.wait(lambda: hot.closed or self.can_read(), timeout_ms, hot)
        return self.read_next_msg()

    def __iter__(self) -> "Ksock":
        return self

    def __next__(self) -> Message:
        message = self.read_next_msg()
        if message is None:
            raise StopIteration
        return message

    # Writing and sending

    def write_msg(self, message: Message) -> None:
        """Write a message, to be sent by send().

        Raises EALREADY (one waits to be sent), ENAMETOOLONG, EINVAL (both ALL_OR_*), EMSGSIZE (too
        large, or one was written before); then nothing is left written.
        """
        with self._lock:
            self._check_writable()
            code = self._writer.put(message)
        if code:
            raise error(code, f"{message.name} not written")

    def write_data(self, data: "bytes | bytearray | memoryview") -> int:
        """Write the next bytes of a message as to_bytes() gives them; return how many.

        Raises as write_msg(), and EINVAL for what is no message, EBADMSG for its name.
        """
        with self._lock:
            self._check_writable()
            code = self._writer.write(data)
        if code:
            raise error(code, "not written")
        return len(data)

    def write(self, data: "bytes | bytearray | memoryview") -> int:
        """As write_data()."""
        return self.write_data(data)

    def _check_writable(self) -> None:
        hot = self._open()
        if not self._writes:
            raise KBUS.not_writable()
        if hot.pending is not None:
            raise error(-_EALREADY, "a message waits to be sent: send() or discard() it")

    def send(self) -> MessageId:
        """Send what was written, or try again what ALL_OR_WAIT made wait; return its id.

        Raises ENOMSG, EINVAL (not complete), EBADMSG; ENOLCK; EADDRNOTAVAIL, ECONNREFUSED, EPIPE,
        EBUSY, EAGAIN (it waits), ENOBUFS. All but EAGAIN forget the message.
        """
        with self._lock:
            hot = self._open()
            if hot.pending is not None:
                code = hot.retry()
            else:
                message = self._writer.take()
                code = message if isinstance(message, int) else send(self._bus, hot, message)
            sent = MessageId(hot.last_net, hot.last_serial)
            self._ks.show()
        if code < 0:
            raise error(code, "nothing is sent yet" if code == -_EAGAIN else "not sent")
        return sent

    def send_msg(self, message: Message) -> MessageId:
        """Write a message and send it; raises as write_msg() and send()."""
        with self._lock:
            self.write_msg(message)
            return self.send()

    def discard(self) -> None:
        """Forget what was written, also if it waits to be sent."""
        with self._lock:
            hot = self._open()
            self._writer.clear()
            if hot.pending is not None:
                hot.discard()
                self._ks.show()

    def last_msg_id(self) -> MessageId:
        """Return the id of the last message that got one, sent or not; (0, 0) before."""
        hot = self._open()
        return MessageId(hot.last_net, hot.last_serial)

    # Readiness

    def fileno(self) -> int:
        """Return a file descriptor for select and poll (hosts only; elsewhere OSError 38).

        Readable while there is a message; writable unless a message waits to be sent, which is
        tried again when there is room, and never in mode "r". Sleeping in select pumps nothing.
        """
        with self._lock:
            unread = self._open().unread
            return open_gate(self._ks, lambda: unread() > 0, self._writes).fileno()

    def can_read(self) -> bool:
        """Tell whether there is a message; tries again first what waits to be sent."""
        with self._lock:
            hot = self._open()
            self.can_write()
            return hot.unread() > 0

    def can_write(self) -> bool:
        """Tell whether a message can be written; what waits to be sent is tried again first."""
        with self._lock:
            writable = self._open().poll_pending() and self._writes
            self._ks.show()
            return writable

    # Limits and questions

    def max_messages(self) -> int:
        """Return how many messages its queue takes."""
        return self.set_max_messages(0)

    def set_max_messages(self, count: int) -> int:
        """Set how many messages its queue takes, and return it; 0 asks. Nothing is dropped."""
        if count < 0:
            raise error(-_EINVAL, f"{count} messages: at least 1 is needed")
        with self._lock:
            hot = self._open()
            if count:
                pool = self._bus.pool  # more places than slots are of no use
                hot.set_limit(min(count, max(pool.count, pool.count_max)))
                self._max = count
            return self._max

    def num_messages(self) -> int:
        """Return how many messages wait to be read."""
        return self._open().message_count()

    def num_unreplied_to(self) -> int:
        """Return how many requests have been read and are not answered."""
        return self._open().owed_count()

    def max_message_size(self) -> int:
        """Return the largest message, in bytes of to_bytes(), that this bus takes."""
        return self.set_max_message_size(0)

    def set_max_message_size(self, count: int) -> int:
        """Set the largest message of this bus, and return it; 0 asks, 1 asks what is possible.

        Raises EINVAL below 100 and above that.
        """
        with self._lock:
            self._open()
            size = self._device.set_size(count)
        if size < 0:
            raise error(size, f"{count} bytes: 100 to {self._device.size_max} are possible")
        return size

    def want_messages_once(self, only_once: bool = False, just_ask: bool = False) -> int:
        """Set whether it gets each message once, however often it is bound; return what was."""
        with self._lock:
            hot = self._open()
            before = int(hot.once)
            if not just_ask:
                hot.want_once(bool(only_once))
            return before

    def report_replier_binds(self, report_events: bool = True, just_ask: bool = False) -> int:
        """Set whether this bus tells listeners of $.KBUS.ReplierBindEvent; return what was.

        Switched on, it tells this Ksock who is replier already; EBUSY if that is too much for it.
        """
        with self._lock:
            hot = self._open()
            before = int(self._bus.reporting)
            code = 0 if just_ask else self._bus.report_binds(hot, bool(report_events))
        if code < 0:
            raise error(code, "the queue is full of replier bindings; the rest is not told")
        return before

    def kernel_module_verbose(self, verbose: bool = True, just_ask: bool = False) -> int:
        """Set a flag of this bus that means nothing here; return what it was."""
        self._open()
        before = self._device.verbose
        if not just_ask:
            self._device.verbose = int(bool(verbose))
        return before

    def new_device(self) -> int:
        """Make a new bus and return its number; EINVAL if there are 256."""
        self._open()
        return make_next()
