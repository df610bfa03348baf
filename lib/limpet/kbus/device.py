# SPDX-License-Identifier: MIT
"""The buses that `limpet.kbus` knows by number, as KBUS has its devices /dev/kbus0, /dev/kbus1...

Rules: bus 0 is always there and is made when it is first opened; new_device() makes others.
serve() puts any Bus under a number, so that programs written for KBUS share it with others and
with the boards behind its links. A number stays a bus's own until unserve().
"""

from ..bus import Bus, node_id
from ..errors import AlreadyBound, error
from ..names import NAME_SIZE_MAX
from ..port import KBUS, const, unique_id
from .wire import OVERHEAD, padded_data, total

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import TypeVar

    T = TypeVar("T")

_COUNT_MAX = const(256)
_SIZE_MIN = const(100)
_ASK = const(0)
_ASK_MAX = const(1)

_ENOENT = const(2)
_EINVAL = const(22)


class Device:
    """A bus with its number, and what KBUS keeps of each."""

    def __init__(self, number: int, bus: Bus, size_max: int) -> None:
        self.number = number
        self.bus = bus
        self.size_max = size_max  # of an entire message, in bytes: what `size` may be set to
        self.size = size_max
        self.verbose = 0  # only remembered

    def set_size(self, size: int) -> int:
        """Set the largest entire message, 100 to size_max; return it, or -EINVAL.

        0 asks what it is, 1 what it may be set to.
        """
        if size == _ASK_MAX:
            return self.size_max
        if size != _ASK:
            if not _SIZE_MIN <= size <= self.size_max:
                return -_EINVAL
            self.size = size
        return self.size


_devices: "dict[int, Device]" = {}


def find(which: int) -> Device:
    """Return the device of that number; bus 0 is made now if nobody has opened it before.

    Raises ENOENT if there is none.
    """
    device = _devices.get(which)
    if device is None:
        if which != 0:
            raise error(-_ENOENT, f"there is no KBUS {which}")
        device = _put(_make(0))
    return device


def make_next() -> int:
    """Make a bus under the lowest free number, and return that; EINVAL if all 256 are there."""
    for number in range(1, _COUNT_MAX):
        if number not in _devices:
            device = _make(number)
            if _put(device) is device:
                return number
    raise error(-_EINVAL, f"there are {_COUNT_MAX} buses already")


def _make(number: int) -> Device:
    # Each is a node of its own when it gets links.
    node = node_id(unique_id() + b"kbus%d" % number) if number else None
    sizes = KBUS.SIZES
    return Device(number, Bus(node=node, **sizes), sizes["slot_size"] + OVERHEAD)


def _put(device: Device) -> Device:
    # Return what is there then: another thread may have been quicker with a bus that it made.
    there = _devices.setdefault(device.number, device)
    if there is not device:
        device.bus.close()
    return there


def serve(which: int, bus: Bus) -> None:
    """Let Ksock(which) open `bus`, 0 <= which < 256.

    Its largest message is the one with the longest name and a full slot; a shorter name does not
    make room for more data than a slot takes (EMSGSIZE from send). Raises EADDRINUSE if another
    bus has that number, so serve bus 0 before anybody opens it.
    """
    if not 0 <= which < _COUNT_MAX:
        raise error(-_EINVAL, f"the number of a bus is 0 to {_COUNT_MAX - 1}, not {which}")
    device = Device(which, bus, total(NAME_SIZE_MAX, padded_data(bus.slot_size)))
    if _devices.setdefault(which, device) is not device:
        raise AlreadyBound(f"there is a KBUS {which} already")


def unserve(which: int) -> Bus:
    """Take a bus off its number, and return it; Ksocks that are open stay so.

    A bus that nobody served is nobody else's: close it. Raises ENOENT if there is none.
    """
    if which not in _devices:
        raise error(-_ENOENT, f"there is no KBUS {which}")
    return _devices.pop(which).bus


def read_bindings(names: "dict[int, T]") -> "list[tuple[int | T, bool, str]]":
    """Return what is bound on all buses: (Ksock, is it the replier, name) of each binding.

    names: what to put in place of a Ksock's id, where there is something.
    """
    found = []
    for number in sorted(_devices):
        bus = _devices[number].bus
        with bus.waiter.lock:
            for binding in bus.bindings.all():
                ksock = binding.hot.id
                found.append((names.get(ksock, ksock), binding.replier, binding.text))
    return found
