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

from struct import pack_into, unpack_from

from .port import const, copy, crc16
from .rand import Random
from .ticks import MS_MAX, ticks_add, ticks_diff

VERSION = const(1)
HELO_START = const(0xFFFF)  # what the check of a HELO starts at

# What heard() has found.
BAD = const(0)
REFUSED = const(1)
IGNORED = const(2)  # right, and nothing to do but perhaps to answer
ALIVE = const(3)  # the session's peer still means this session
ADOPT = const(4)  # the peer has echoed our new epoch: call adopt()

_NEED = const(1)  # flag: answer me, I am not in this session yet
_PROBE = const(2)  # flag: I am in a session, this is for the epoch that is echoed
_SIZE = const(27)  # of a HELO without compatibility string
_PACKET_MIN = const(64)  # what every node must take: the largest HELO
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

    def __init__(
        self,
        node: int,
        node_epoch: int,
        random: Random,
        packet_size: int,
        window: int,
        ack_delay_ms: int,
        silence_ms: int,
        compatibility: bytes,
    ) -> None:
        self._node = node
        self._random = random
        self._text = compatibility
        # Our HELO; flags and session epochs are filled in when it goes.
        self._own = bytearray(_SIZE)
        pack_into(
            _FIELDS,
            self._own,
            _AT,
            0,
            node,
            node_epoch,
            0,
            0,
            packet_size,
            window,
            max(1, min(4, window // 4)),
            ack_delay_ms,
            silence_ms,
            len(compatibility),
        )
        self._own[1] = 1
        self._own[2] = VERSION
        self._own += compatibility
        self.me = 0  # the running session's epochs, ours and the peer's; 0 = there was none yet
        self.peer = 0
        self.start_out = 0  # what checks of the running session start at
        self.start_in = 0
        self._mine = 0  # epochs of the next session, ours and the peer's; 0 = none offered
        self._theirs = 0
        self._candidate = 0  # what the check of the peer's first frame in it would start at
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
        # Neither direction's start of the running session may come again.
        epoch = 0
        while not epoch or (epoch ^ self._theirs ^ self.me ^ self.peer) & 0xFFFF in (0, 0xFFFF):
            epoch = self._random.next()
        return epoch

    def due_in(self, up: bool, now_ms: int) -> int:  # hot: tests/test_alloc.py
        """Return ms until a HELO is to be sent; 0 or less = now."""
        if self._answer:
            return 0
        if up:
            return MS_MAX
        if self._due < 0:
            self.begin(now_ms)
        return ticks_diff(self._due, now_ms)

    def write(self, out: bytearray, up: bool, now_ms: int) -> int:  # hot: tests/test_alloc.py
        """Put the HELO that is due into out, all but byte 0; return its size."""
        if self._answer == _CONFIRM:
            self._own[_AT] = 0
            pack_into(">II", self._own, _EPOCHS_AT, self.me, self.peer)
        else:
            self._own[_AT] = _NEED | _PROBE if up else _NEED
            pack_into(">II", self._own, _EPOCHS_AT, self._mine, self._theirs)
        if not self._answer:
            up = _BACKOFF_MS << self._step
            if self._step < _BACKOFF_MAX:
                self._step += 1
            self._due = ticks_add(now_ms, up - (up >> 2) + self._random.below(up >> 1))
        self._answer = _NOTHING
        now_ms = len(self._own)
        copy(out, 1, self._own, 1, now_ms - 1)
        return now_ms

    def heard(self, packet: bytearray, size: int, up: bool) -> int:
        """Take a HELO whose check was right; return what it means."""
        if packet[2] != VERSION:
            return self._refuse(
                "the neighbour speaks protocol version %d, this side %d: update one of them"
                % (packet[2], VERSION)
            )
        if size < _SIZE:
            return BAD
        fields = unpack_from(_FIELDS, packet, _AT)
        flags, node, node_epoch, epoch, echo, packet_size, slots = fields[:7]
        if max(node, node_epoch, epoch, echo) > _MASK30:
            return BAD
        if node == self._node:
            if epoch in (self._mine, self.me):
                return self._refuse("what is sent comes back: the line echoes, or ends at itself")
            return self._refuse(
                "the neighbour has this side's node id %d: give one of them another" % node
            )
        if not epoch or packet_size < _PACKET_MIN or not slots or _SIZE + fields[-1] > size:
            return BAD
        if up:
            if epoch == self.peer:
                if echo != self.me:
                    return IGNORED
                if flags & _NEED:
                    self._answer = _CONFIRM
                return ALIVE
            if flags & _PROBE:
                return IGNORED
        self.refusal = ""
        self.offered = fields
        self.compatible = packet[_SIZE : _SIZE + fields[-1]] == self._text
        if epoch != self._theirs:
            self._theirs = epoch
            self._step = 0
            if up or not self._mine or epoch == self._mine:
                self._mine = self._fresh()
            self._candidate = check_start(epoch, self._mine)
        if not echo or echo != self._mine:
            self._answer = _OFFER
            return IGNORED
        if flags & _NEED:
            self._answer = _CONFIRM
        return ADOPT

    def _refuse(self, sentence: str) -> int:
        self.refusal = sentence
        self._step = _BACKOFF_MAX
        return REFUSED

    def fits(self, packet: bytearray, size: int) -> bool:  # hot: tests/test_alloc.py
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
