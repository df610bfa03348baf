# SPDX-License-Identifier: MIT
"""What a bus and its Ksocks use, refused and missed, as one small object; and the RAM of a bus.

Rules: a Usage is a copy that stays as it is. What is refused is told
by cause, under the errno's name; what is missed was told to its listener too (`msg.missed`).
"""

from .core import check_sizes
from .errors import ERRNO_NAMES
from .port import const
from .send import CAUSES

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from .core import Core
    from .hot import Hot
    from .pool import Pool


# What things take, in words of the machine.
_CORE_WORDS = const(245)
_SLOT_WORDS = const(58)
_KSOCK_WORDS = const(164)
_PLACE_WORDS = const(3)  # one place of a queue
_NAME_WORDS = const(32)
_BINDING_WORDS = const(55)  # of a listener, with the log; a replier takes less


class Usage:
    """What bus.usage() and ks.usage() return.

    used, limit: of a bus: its slots; of a Ksock: places of its queue, with those kept for answers.
    refused: {errno name: sends}, only what occurred. missed: copies that found no room or were
    dropped. dropped: messages of which all copies went to make room for others; late: replies
    whose request had ended (both of a bus only, else 0).
    """

    def __init__(self, used: int, limit: int, hots: "list[Hot]") -> None:
        self.used = used
        self.limit = limit
        self.missed = 0
        self.dropped = 0
        self.late = 0
        self.refused: dict[str, int] = {}
        for hot in hots:
            self._add(hot)

    def _add(self, hot: "Hot") -> None:
        self.missed += hot.missed_total
        for i in range(len(CAUSES)):
            if hot.refused[i]:
                cause = ERRNO_NAMES[CAUSES[i]]
                self.refused[cause] = self.refused.get(cause, 0) + hot.refused[i]

    def __repr__(self) -> str:
        text = f"<{self.used} of {self.limit} used, {self.missed} missed"
        for cause in sorted(self.refused):
            text += f", {self.refused[cause]} {cause}"
        return text + ">"


def of_ksock(hot: "Hot") -> Usage:
    """Return the usage of a Ksock."""
    return Usage(hot.unread() + hot.reserved, hot.limit, [hot])


def _free(pool: "Pool") -> int:
    # As Pool.free_count(), but the logs stay as they are.
    pool.renew()
    count = 0
    slot = pool.free
    while slot is not None:
        count += 1
        slot = slot.next
    log = pool.logs
    while log is not None:
        if log.head is not log.first and not log.is_viewed(log.head):
            count += 1  # all have read it, it only marks the place
        log = log.following
    return count


def of_bus(core: "Core") -> Usage:
    """Return the usage of a bus; refused and missed: of the Ksocks that are open."""
    pool = core.pool
    usage = Usage(pool.count - _free(pool), pool.count, core.hots)
    usage.dropped = pool.dropped
    usage.late = core.answers.late
    return usage


def ram_size(
    slot_count: int = 32,
    slot_size: int = 128,
    queue_size: int = 16,
    ksock_count: int = 32,
    name_count: int = 256,
    binding_count: int = 256,
    word_size: int = 4,
) -> int:
    """Return the bytes of RAM that a bus takes on MicroPython with all of these in use.

    The arguments are those of Bus, or how many will be used; word_size: 4 on boards, 8 on a 64-bit
    machine. Not counted: the library itself, links, the texts of names, the comfortable layer's
    object for each Ksock. Raises ValueError that says which number is wrong. Measured with
    MicroPython 1.25, and checked to be within 10 % by tests/test_usage.py.
    """
    check_sizes(slot_count, slot_size, queue_size, ksock_count, name_count, binding_count)
    if word_size not in (4, 8):
        raise ValueError(f"word_size is {word_size!r}: 4 or 8")
    words = _CORE_WORDS + slot_count * _SLOT_WORDS
    words += ksock_count * (_KSOCK_WORDS + _PLACE_WORDS * queue_size)
    words += name_count * _NAME_WORDS + binding_count * _BINDING_WORDS
    return words * word_size + slot_count * slot_size
