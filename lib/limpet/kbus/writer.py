# SPDX-License-Identifier: MIT
"""What is written to a Ksock of `limpet.kbus` and not sent yet: a message, or bytes of one.

Rules: results are 0 or a negative errno, and on an error nothing is left written. Bytes are
looked at as soon as they are there, in the order of KBUS: the header, the name, the last guard. A
Message's name is looked at when it is sent.
"""

from ..names import NAME_SIZE_MAX, check
from ..port import const
from .message import ALL_OR_FAIL, ALL_OR_WAIT, Message
from .wire import HEADER_SIZE, Header, is_tail

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from .device import Device

_EINVAL = const(22)
_ENAMETOOLONG = const(36)
_ENOMSG = const(42)
_EBADMSG = const(74)
_EMSGSIZE = const(90)


def check_name(name: "str | bytes") -> int:
    """Return -ENAMETOOLONG for a name above 1000 bytes, else 0."""
    size = len(name.encode() if isinstance(name, str) else name)
    return -_ENAMETOOLONG if size > NAME_SIZE_MAX else 0


class Writer:
    """Collects one message."""

    def __init__(self, device: "Device") -> None:
        self.message: Message | None = None  # once it is complete
        self._device = device
        self._data = bytearray()  # what has been written of it
        self._header: Header | None = None  # once that is there
        self._named = False  # the name was looked at

    def clear(self) -> None:
        """Forget what was written."""
        self.message = self._header = None
        self._data = bytearray()
        self._named = False

    def put(self, message: Message) -> int:
        """Write a whole message, a copy of which is kept."""
        if self._data:  # whatever it is the start of, it goes on with these bytes
            return self.write(message.to_bytes())
        code = -_EMSGSIZE if self.message is not None else self._check(message)
        if code:
            self.clear()
        else:
            self.message = Message.from_sequence(message.extract())
        return code

    def write(self, data: "bytes | bytearray | memoryview") -> int:
        """Write the next bytes of an entire message."""
        code = -_EMSGSIZE if self.message is not None and len(data) else 0
        if not code:
            self._data += data
            code = self._look()
        if code:
            self.clear()
        return code

    def take(self) -> "Message | int":
        """Return the message and forget it, or -ENOMSG, -EINVAL (it is not complete)."""
        message = self.message
        begun = len(self._data)
        self.clear()
        return message or (-_EINVAL if begun else -_ENOMSG)

    def _check(self, message: Message) -> int:
        if not message.name:
            return -_EINVAL
        return check_name(message.name) or self._check_rest(message.flags, message.total_length())

    def _check_rest(self, flags: int, size: int) -> int:
        both = ALL_OR_WAIT | ALL_OR_FAIL
        if flags & both == both:
            return -_EINVAL
        return -_EMSGSIZE if size > self._device.size else 0

    def _look(self) -> int:
        # Look at the parts that have become complete.
        size = len(self._data)
        if self._header is None:
            if size < HEADER_SIZE:
                return 0
            self._header = header = Header(self._data)
            code = self._check_header(header)
            if code:
                return code
        header = self._header
        name_end = HEADER_SIZE + header.name_size
        if not self._named and size >= header.data_at():
            self._named = True
            if not _is_plain(self._data[HEADER_SIZE:name_end]):
                return -_EBADMSG
        if size < header.total():
            return 0
        if not is_tail(self._data, header.tail_at()):
            return -_EINVAL
        if size > header.total():
            return -_EMSGSIZE
        self.message = Message.from_bytes(bytes(self._data))
        self._data = bytearray()
        return 0

    def _check_header(self, header: Header) -> int:
        if not header.is_guarded() or header.name_size == 0:
            return -_EINVAL
        if header.name_size > NAME_SIZE_MAX:
            return -_ENAMETOOLONG
        if header.pointers != (0, 0):  # they would point into the memory of who wrote them
            return -_EINVAL
        return self._check_rest(header.flags, header.total())


def _is_plain(name: "bytes | bytearray") -> bool:
    for byte in name:
        if byte >= 0x80:
            return False
    return check(bytes(name).decode(), False) == 0
