# SPDX-License-Identifier: MIT
"""HELO: how two neighbours agree on a session, and notice that the other one is new.

Rule 1: a session is a pair of epochs, one drawn by each side, new after every disconnect.
Rule 2: another epoch of the peer counts once the peer has echoed ours, in a HELO or by a frame
    whose check fits the pair. So a HELO of yesterday, wherever it was kept, ends nothing.
Rule 3: a side in a session only *probes* a stranger's epoch, and a side in a session ignores
    probes. Without this, one stale HELO has two living sides question each other for ever.
Rule 4: what the check of a session's frames starts at differs by direction, too: what a line
    echoes back fails like any other broken frame.
Rule 5: a HELO of the running session's two epochs may end it (CLOSE) and changes nothing else; it
    is no sign of life either: it may be a recording.
Layout: docs/wire.md section 3. With a key: keyed.py.
"""

from struct import pack_into, unpack_from

from .port import const, crc16
from .rand import Random
from .ticks import ticks_add, ticks_diff

# What heard() has found.
_BAD = const(0)
_REFUSED = const(1)
_IGNORED = const(2)  # right, and nothing to do but perhaps to answer
_ADOPT = const(3)  # the peer has echoed our new epoch: call adopt()
_CLOSED = const(4)  # the peer has ended the session
_FORGED = const(5)  # keyed: not from who knows the key

_VERSION = const(1)

_NEED = const(1)  # flag: answer me, I am not in this session yet
_PROBE = const(2)  # flag: I am in a session, this is for the epoch that is echoed
_CLOSE = const(4)  # flag: the session of these two epochs is over
_STREAM = const(8)  # flag: the wire is reliable by itself
_KEYED = const(16)  # flag: nonces and a MAC follow
_COUNTED = const(32)  # flag: frames may overtake each other, and carry a count
_SIZE = const(27)  # of a HELO without compatibility string
_TEXT_MAX = const(45)
_KEYED_SIZE = const(24)  # nonces and MAC
_PACKET_MIN = const(96)  # what every node must take: the largest HELO, with its nonces and MAC
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
_LEAVE = const(3)  # with these, and that it is over

_RESIDUE = const(0x1D0F)  # frame.RESIDUE
_BACKOFF_MS = const(50)
_BACKOFF_MAX = const(5)  # doublings: 1600 ms
_WAIT_MAX = const(2000)  # that, and a quarter more


def check_start(sender: int, receiver: int) -> int:
    """Return what the check of frames from `sender` to `receiver` (session epochs) starts at."""
    word = (sender ^ receiver) & 0xFFFF
    return word ^ 0xFFFF if sender < receiver else word


class Session:
    """The epochs of one link, and what the peer's HELO said."""

    def __init__(self, random: Random, node: int, fields: "tuple[int, ...]", flags: int) -> None:
        """Get ready. fields: what _FIELDS names; flags: those of every HELO, _STREAM or _KEYED."""
        self._node = node
        self._random = random
        self._flags = flags
        # Our HELO, and room for nonces and MAC; what depends on the moment is filled in when it
        # goes.
        self.hello = bytearray(_PACKET_MIN)
        self.hello[1] = self.hello[2] = _VERSION
        pack_into(_FIELDS, self.hello, _AT, *fields)
        self._end = _SIZE  # of what is in it
        # The running session's epochs, ours and the peer's, 0 = there was none yet; what checks of
        # its frames start at.
        self.me = self.peer = self.start_out = self.start_in = 0
        # Epochs of the next session, likewise, and what the check of its first frame starts at.
        self._mine = self._theirs = self._candidate = 0
        self.answer = _NOTHING  # the HELO that is to be sent at once; also said while in a session
        self._step = 0  # of the back-off
        self._due = -1  # when the next HELO goes; -1 = begin() has not been called
        self.refusal = ""  # why the neighbour is refused; "" = it is not
        self.offered: tuple[int, ...] = ()  # _FIELDS of the peer whose epoch `_theirs` is
        self.trailing = False  # the latest HELO had bytes of a later version behind it
        self.compatible = False  # its compatibility string is ours

    def set_text(self, text: bytes) -> None:
        """Have another compatibility string, from the next session on; ValueError above 45."""
        if len(text) > _TEXT_MAX:
            raise ValueError("a compatibility string has up to 45 bytes")
        self.hello[_SIZE - 1] = len(text)
        self._end = _SIZE + len(text)
        self.hello[_SIZE : self._end] = text

    def begin(self, now_ms: int) -> None:
        """Look for a session, with a new epoch, from now on."""
        self._theirs = 0
        self._mine = self._fresh()
        self.answer = _NOTHING
        self._step = 0
        self._due = now_ms

    def leave(self) -> None:
        """Have the next HELO say that the running session is over."""
        self.answer = _LEAVE

    def _fresh(self) -> int:
        epoch = 0
        while self._unfit(epoch):
            epoch = self._random.next()
        return epoch

    def _unfit(self, epoch: int) -> bool:
        # Where checks start, the word or its complement, must not be what the latest session had,
        # nor a HELO's; nor the residue, with which two frames that have lost the delimiter between
        # them would pass as one.
        word = (epoch ^ self._theirs) & 0xFFFF
        return (
            not epoch
            or word in (0, 0xFFFF, _RESIDUE, _RESIDUE ^ 0xFFFF)
            or (word ^ self.me ^ self.peer) & 0xFFFF in (0, 0xFFFF)
        )

    def due_in(self, now_ms: int) -> int:  # hot:
        """Return ms until a HELO is to be sent, without a session; 0 or less = now."""
        if self.answer:
            return 0
        if self._due < 0:
            self.begin(now_ms)
        wait = ticks_diff(self._due, now_ms)
        return wait if wait <= _WAIT_MAX else 0  # a clock has jumped

    def write(self, up: bool, now_ms: int) -> int:  # hot:
        """Make `hello` the HELO that is due; return its size."""
        flags = self._flags
        ahead = self.answer == _OFFER or not (up or self.answer)  # of the next session
        if ahead:
            flags |= _NEED | _PROBE if up else _NEED
            pack_into(">II", self.hello, _EPOCHS_AT, self._mine, self._theirs)
        else:
            if self.answer == _LEAVE:
                flags |= _CLOSE
            pack_into(">II", self.hello, _EPOCHS_AT, self.me, self.peer)
        if not self.answer:
            self._wait(now_ms)
        self.hello[_AT] = flags
        self.answer = _NOTHING
        return self._signed(self._end, ahead)

    def _wait(self, now_ms: int) -> None:  # hot:
        wait = _BACKOFF_MS << self._step
        wait += self._random.below(wait >> 1) - (wait >> 2)
        self._due = ticks_add(now_ms, wait)
        if self._step < _BACKOFF_MAX:
            self._step += 1

    def heard(self, packet: bytearray, size: int, up: bool) -> int:
        """Take a HELO whose check was right; return what it means."""
        self.trailing = False
        if packet[2] != _VERSION:
            return self._refuse(
                "neighbour has protocol version %d, this side %d: update one"
                % (packet[2], _VERSION)
            )
        if size < _SIZE:
            return _BAD
        fields = unpack_from(_FIELDS, packet, _AT)
        flags, node, node_epoch, epoch, echo, packet_size, slots = fields[:7]
        end = _SIZE + fields[-1]
        if (
            max(node, node_epoch, epoch, echo) > _MASK30
            or not (node and epoch and slots)
            or packet_size < _PACKET_MIN
            or fields[9] < _SILENCE_MIN
            or end > size
        ):
            return _BAD
        self.trailing = size > end + (_KEYED_SIZE if flags & _KEYED else 0)
        found = self._trusts(packet, end, size, flags) or self._accepts(node, epoch, flags)
        if found:
            return found
        if up and (epoch == self.peer or flags & _PROBE):
            return self._familiar(epoch, echo, flags)
        known = echo != 0 and echo == self._mine and self._knows(True)
        if flags & _CLOSE or not known and self._crowded():
            return _IGNORED
        self.refusal = ""
        self.offered = fields
        self.compatible = packet[_SIZE:end] == self.hello[_SIZE : self._end]
        if epoch != self._theirs:
            self._theirs = epoch
            self._step = 0
            if self._unfit(self._mine):
                self._mine = self._fresh()
        self._propose()
        if not known or echo != self._mine:
            self.answer = _OFFER
            return _IGNORED
        if flags & _NEED:
            self.answer = _CONFIRM
        return _ADOPT

    def _accepts(self, node: int, epoch: int, flags: int) -> int:
        if node == self._node:
            if epoch in (self._mine, self.me):
                return self._refuse("own HELO came back: the line echoes")
            return self._refuse("neighbour has the same node id %d: change one" % node)
        if (flags ^ self._flags) & _STREAM:
            return self._refuse("only one side takes this wire for reliable: make both the same")
        if (flags ^ self._flags) & _COUNTED:
            return self._refuse("only one side takes this wire for datagrams: make both the same")
        return 0

    def _familiar(self, epoch: int, echo: int, flags: int) -> int:
        # The session's peer, or one who asks for somebody else.
        if epoch == self.peer:
            if flags & _NEED:
                self.answer = _CONFIRM  # also if it echoes another: that was an older offer
            elif flags & _CLOSE and echo == self.me and self._knows(False):
                return _CLOSED
        return _IGNORED

    def _refuse(self, sentence: str) -> int:
        self.refusal = sentence
        return _REFUSED

    def fits(self, packet: bytearray, size: int) -> bool:  # hot:
        """Return whether a frame belongs to the session that is offered but not begun."""
        return self._theirs != 0 and crc16(packet, 0, size, self._candidate) == _RESIDUE

    def adopt(self) -> None:
        """Begin the session that is offered."""
        self.me = self._mine
        self.peer = self._theirs
        self.start_out = check_start(self.me, self.peer)
        self.start_in = check_start(self.peer, self.me)
        self._theirs = 0
        self._mine = self._fresh()

    # What a key changes (keyed.py)

    def _trusts(self, packet: bytearray, end: int, size: int, flags: int) -> int:
        # May this HELO, with what is behind `end`, be believed? 0, or why not.
        if flags & _KEYED:
            return self._refuse("neighbour has a key: give this side the same (key=)")
        return 0

    def _knows(self, ahead: bool) -> bool:
        # Has the HELO come from who knows our part of the next, or of the running session?
        return True

    def _crowded(self) -> bool:
        # Is this offer to be passed over, as there are more than can be answered?
        return False

    def _propose(self) -> None:
        # Get ready for frames of the session that is offered.
        self._candidate = check_start(self._theirs, self._mine)

    def _signed(self, end: int, ahead: bool) -> int:  # hot:
        # Complete hello[0:end] for the next or the running session; return its size.
        return end
