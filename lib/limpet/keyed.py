# SPDX-License-Identifier: MIT
"""The session of a link with a key: only who knows the key begins, keeps or ends one.

Rules: a HELO counts if its MAC is right (auth.py), and begins or touches a session only if it
gives back the nonce that belongs to the epoch that it echoes: so a recording of an earlier
session does neither. One without a MAC is refused, whatever it says: no key on one side means no
session. What is refused costs one HMAC and changes nothing of what the session knows.
"""

from .auth import Auth
from .port import const
from .rand import Random
from .session import Session
from .ticks import ticks_diff

_NONE = bytes(8)

_FORGED = const(5)
_KEYED = const(16)
_STALE_MS = const(5000)
_CONFIRM = const(2)
_MANY = const(1000)


class KeyedSession(Session):
    """A Session with nonces beside its epochs."""

    def __init__(
        self, random: Random, node: int, fields: "tuple[int, ...]", flags: int, auth: Auth
    ) -> None:
        Session.__init__(self, random, node, fields, flags | _KEYED)
        self._auth = auth
        # Nonces as the epochs: of the running session, and the stranger's for the next one.
        self._my_nonce = self._peer_nonce = self._their_nonce = _NONE
        self._offers = 0  # since our last HELO
        self._drawn = 0  # when the nonce of the next session was, while there is no session

    def begin(self, now_ms: int) -> None:
        """Look for a session, with a new epoch and nonce, from now on."""
        self._their_nonce = _NONE
        self._drawn = now_ms
        Session.begin(self, now_ms)

    def write(self, up: bool, now_ms: int) -> int:
        """Make `hello` the HELO that is due; return its size."""
        if not (up or self.answer) and ticks_diff(now_ms, self._drawn) > _STALE_MS:
            # What answers a challenge of long ago was held back: whoever it is has given up.
            self._drawn = now_ms
            self._theirs = 0
            self._their_nonce = _NONE
            self._mine = self._fresh()
        return Session.write(self, up, now_ms)

    def _fresh(self) -> int:
        self._auth.renew()
        return Session._fresh(self)

    def _unfit(self, epoch: int) -> bool:
        # The MAC tells other sessions' frames apart. Who has many recorded HELOs must not be able
        # to have an epoch dropped that the peer is about to echo.
        return not epoch or epoch == self._theirs

    def adopt(self) -> None:
        """Begin the session that is offered."""
        self._auth.adopt()
        self._my_nonce = self._auth.nonce
        self._peer_nonce = self._their_nonce
        self._their_nonce = _NONE
        Session.adopt(self)

    def _trusts(self, packet: bytearray, end: int, size: int, flags: int) -> int:
        if not flags & _KEYED:
            self._refuse("neighbour has no key: give it the same as this side (key=)")
        elif self._auth.check_helo(packet, end, size):
            return 0
        else:
            self._refuse("neighbour has another key, or somebody else is on the line")
        return _FORGED

    def _knows(self, ahead: bool) -> bool:
        auth = self._auth
        if ahead:
            return auth.echo_nonce == auth.nonce
        return auth.echo_nonce == self._my_nonce and auth.their_nonce == self._peer_nonce

    def _crowded(self) -> bool:
        # Recorded HELOs may come faster than we can answer. Each offer since our last HELO has the
        # same chance to be answered, so the real one soon is; the latest would always be Eve's.
        if self.answer == _CONFIRM:
            return True
        self._offers = self._offers + 1 if self.answer else 1
        return self._random.below(min(self._offers, _MANY)) > 0

    def _propose(self) -> None:
        Session._propose(self)
        self._their_nonce = self._auth.their_nonce
        self._auth.offer(self._mine, self._auth.nonce, self._theirs, self._their_nonce)

    def _signed(self, end: int, ahead: bool) -> int:
        if ahead:
            return self._auth.sign_helo(self.hello, end, self._auth.nonce, self._their_nonce)
        return self._auth.sign_helo(self.hello, end, self._my_nonce, self._peer_nonce)
