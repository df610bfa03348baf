# SPDX-License-Identifier: MIT
"""HELO: how two neighbours agree on a session, and notice that the other one is new.

Rule 1: a session is a pair of epochs, one drawn by each side, new after every disconnect.
Rule 2: another epoch of the peer counts once the peer has echoed ours, in a HELO or by a frame
    whose check fits the pair. So a HELO of yesterday, wherever it was kept, ends nothing.
Rule 3: a side in a session only *probes* a stranger's epoch, and a side in a session ignores
    probes. Without this, one stale HELO has two living sides question each other for ever.
Rule 4: what the check of a session's frames starts at differs by direction, too: what a line
    echoes back fails like any other broken frame.
Keys (a challenge in the HELO) will be checked here, too. Layout: docs/wire.md section 3.
"""

from struct import pack, pack_into, unpack_from

from .port import const, crc16
from .rand import Random
from .ticks import MS_MAX, ticks_add, ticks_diff

# What heard() has found.
_BAD = const(0)
_REFUSED = const(1)
_IGNORED = const(2)  # right, and nothing to do but perhaps to answer
_ALIVE = const(3)  # the session's peer still means this session
_ADOPT = const(4)  # the peer has echoed our new epoch: call adopt()

_VERSION = const(1)

_NEED = const(1)  # flag: answer me, I am not in this session yet
_PROBE = const(2)  # flag: I am in a session, this is for the epoch that is echoed
_SIZE = const(27)  # of a HELO without compatibility string
_PACKET_MIN = const(64)  # what every node must take: the largest HELO
_SILENCE_MIN = const(20)  # ms, as for a Link: a keep-alive goes each quarter of the limit
_MASK30 = const(0x3FFFFFFF)
# Behind DIR, service and version: flags, node, node epoch, session epoch, echo, largest packet,
# window slots, frames per ack, ack delay, silence limit, size of the compatibility string.
_FIELDS = ">B4I4BHB"
_AT = const(3)
_EPOCHS_AT = const(12)

_NOTHING = const(0)  # to be answered
_OFFER = const(1)  # with our new epoch and the stranger's
_CONFIRM = const(2)  # with the running session's epochs

_BACKOFF_MS = const(50)
_BACKOFF_MAX = const(5)  # doublings: 1600 ms


def check_start(sender: int, receiver: int) -> int:
    """Return what the check of frames from `sender` to `receiver` (session epochs) starts at."""
    word = (sender ^ receiver) & 0xFFFF
    return word ^ 0xFFFF if sender < receiver else word


class Session:
    """The epochs of one link, and what the peer's HELO said."""

    def __init__(self, random: Random, node: int, fields: "tuple[int, ...]", text: bytes) -> None:
        """Get ready. fields: what _FIELDS names; text: the compatibility string."""
        self._node = node
        self._random = random
        self._text = text
        # Our HELO and room for its check; flags and session epochs are filled in when it goes.
        self.hello = bytearray(b"\x80\x01\x01" + pack(_FIELDS, *fields) + text + b"\0\0")
        # The running session's epochs, ours and the peer's, 0 = there was none yet; what checks of
        # its frames start at.
        self.me = self.peer = self.start_out = self.start_in = 0
        # Epochs of the next session, likewise, and what the check of its first frame starts at.
        self._mine = self._theirs = self._candidate = 0
        self._answer = _NOTHING
        self._step = 0  # of the back-off
        self._due = -1  # when the next HELO goes; -1 = begin() has not been called
        self.refusal = ""  # why the neighbour is refused; "" = it is not
        self.offered: tuple[int, ...] = ()  # _FIELDS of the peer whose epoch `_theirs` is
        self.compatible = False  # both compatibility strings are the same

    def begin(self, now_ms: int) -> None:
        """Look for a session, with a new epoch, from now on."""
        self._theirs = 0
        self._mine = self._fresh()
        self._answer = _NOTHING
        self._step = 0
        self._due = now_ms

    def _fresh(self) -> int:
        epoch = 0
        while self._unfit(epoch):
            epoch = self._random.next()
        return epoch

    def _unfit(self, epoch: int) -> bool:
        # Where checks start must not be what the latest session had, nor a HELO's; nor 0, where
        # two frames that have lost the delimiter between them would pass as one.
        word = (epoch ^ self._theirs) & 0xFFFF
        return (
            not epoch
            or word in (0, 0xFFFF)
            or (word ^ self.me ^ self.peer) & 0xFFFF in (0, 0xFFFF)
        )

    def due_in(self, up: bool, now_ms: int) -> int:  # hot:
        """Return ms until a HELO is to be sent; 0 or less = now."""
        if self._answer:
            return 0
        if up:
            return MS_MAX
        if self._due < 0:
            self.begin(now_ms)
        return ticks_diff(self._due, now_ms)

    def write(self, up: bool, now_ms: int) -> int:  # hot:
        """Make `hello` the HELO that is due; return its size."""
        if self._answer == _CONFIRM:
            self.hello[_AT] = 0
            pack_into(">II", self.hello, _EPOCHS_AT, self.me, self.peer)
        else:
            self.hello[_AT] = _NEED | _PROBE if up else _NEED
            pack_into(">II", self.hello, _EPOCHS_AT, self._mine, self._theirs)
        if not self._answer:
            wait = _BACKOFF_MS << self._step
            wait += self._random.below(wait >> 1) - (wait >> 2)
            self._due = ticks_add(now_ms, wait)
            if self._step < _BACKOFF_MAX:
                self._step += 1
        self._answer = _NOTHING
        return len(self.hello) - 2

    def heard(self, packet: bytearray, size: int, up: bool) -> int:
        """Take a HELO whose check was right; return what it means."""
        if packet[2] != _VERSION:
            return self._refuse(
                "neighbour has protocol version %d, this side %d: update one"
                % (packet[2], _VERSION)
            )
        if size < _SIZE:
            return _BAD
        fields = unpack_from(_FIELDS, packet, _AT)
        flags, node, node_epoch, epoch, echo, packet_size, slots = fields[:7]
        if max(node, node_epoch, epoch, echo) > _MASK30:
            return _BAD
        if node == self._node:
            if epoch in (self._mine, self.me):
                return self._refuse("own HELO came back: the line echoes")
            return self._refuse("neighbour has the same node id %d: change one" % node)
        if (
            not node
            or not epoch
            or packet_size < _PACKET_MIN
            or not slots
            or fields[9] < _SILENCE_MIN
            or _SIZE + fields[-1] > size
        ):
            return _BAD
        if up:
            if epoch == self.peer:
                if echo != self.me:
                    return _IGNORED
                if flags & _NEED:
                    self._answer = _CONFIRM
                return _ALIVE
            if flags & _PROBE:
                return _IGNORED
        self.refusal = ""
        self.offered = fields
        self.compatible = packet[_SIZE : _SIZE + fields[-1]] == self._text
        if epoch != self._theirs:
            self._theirs = epoch
            self._step = 0
            if up or self._unfit(self._mine):
                self._mine = self._fresh()
            self._candidate = check_start(epoch, self._mine)
        if not echo or echo != self._mine:
            self._answer = _OFFER
            return _IGNORED
        if flags & _NEED:
            self._answer = _CONFIRM
        return _ADOPT

    def _refuse(self, sentence: str) -> int:
        self.refusal = sentence
        self._step = _BACKOFF_MAX
        return _REFUSED

    def fits(self, packet: bytearray, size: int) -> bool:  # hot:
        """Return whether a frame belongs to the session that is offered but not begun."""
        return self._theirs != 0 and not crc16(packet, 0, size, self._candidate)

    def adopt(self) -> None:
        """Begin the session that is offered."""
        self.me = self._mine
        self.peer = self._theirs
        self.start_out = check_start(self.me, self.peer)
        self.start_in = check_start(self.peer, self.me)
        self._theirs = 0
        self._mine = self._fresh()
