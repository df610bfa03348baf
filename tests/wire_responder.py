# SPDX-License-Identifier: MIT
"""The smallest neighbour that docs/wire.md allows: sessions, and one frame on its way.

Rules: as wire_decoder.py, nothing of limpet is imported. It has the calls of a link (feed, take,
poll), so that it can stand at the end of any line. It takes only what comes in order, acknowledges
each frame at once, and sends a frame again until it is acknowledged.
"""

import wire_decoder as wire

_KNOCK_MS = 100  # between two HELO
_AGAIN_MS = 60  # until a frame is sent again
_ALIVE_MS = 100  # between two frames, at most
_SILENCE_MS = 1000
_TICKS = 0x40000000
_PACKET_MAX = 255


class Responder:
    """One side. node: its id; seed: of its epochs; key: bytes or None.

    stream: no acks; datagrams: frames may overtake each other.
    """

    def __init__(self, node, seed, key=None, stream=False, text=b"", slots=1, datagrams=False):
        self.node = node
        self.key = key
        self.stream = stream
        self.counted = datagrams and key is None
        self.text = text
        self.slots = slots
        self.seed = seed
        self.node_epoch = self._random()
        self.state = 0  # 1: in a session
        self.sessions = 0
        self.got = []  # what came, as wire_decoder.Data and Mfmt
        self.bad = 0
        self.late = 0
        self.peer = None  # the HELO of the running session's other side
        self.queue = []  # (service, bulk, data) to be sent reliably
        self.once = []  # whole packets to be sent once
        self._splitter = wire.Splitter()
        self._nonce = bytes(8)
        self._epoch = 0
        self._renew()
        self._me = (0, bytes(8))  # epoch and nonce in the session
        self._offer = None  # the HELO that was heard last, of the next session
        self._hello = -1  # flags of a HELO that is due, -1: none
        self._knocked = None
        self._now = 0

    def _random(self):
        self.seed = (self.seed * 16807 + 11) % 0x3FFFFFFF
        return self.seed or 1

    def _renew(self):
        self._epoch = self._random()
        self._nonce = wire.hmac(b"responder", b"%d" % self._random())[:8]

    # A link's calls

    def feed(self, buf, count, now_ms, at=0):
        """Take bytes from the wire."""
        self._now = now_ms
        for run in self._splitter.push(bytes(buf[at:count])):
            try:
                self._frame(wire.uncobs(run))
            except wire.Bad:
                self.bad += 1
        return count

    def take(self, out, now_ms):
        """Put the next frame into out; return its size, 0: there is nothing to say."""
        self._now = now_ms
        data = self._next()
        out[: len(data)] = data
        return len(data)

    def poll(self, now_ms):
        """Return the ms until there may be something to say."""
        self._now = now_ms
        if self.state and self._since(self._heard) > _SILENCE_MS:
            self._leave()
        return 0 if self._has_next() else 5

    def _since(self, then):
        return (self._now - then) % _TICKS

    # What comes in

    def _frame(self, frame):
        if len(frame) > 4 and frame[0] & 0xE0 == 0x80 and frame[1] == wire.HELO:
            if not wire.is_right(frame, 0xFFFF):
                raise wire.Bad("check")
            self._helo(wire.parse(frame[:-2]))
            return
        if not self.state or not wire.is_right(frame, self._start(False)):
            if self._offer is None:
                raise wire.Bad("no session")
            start = wire.session_start(self._offer.epoch, self._epoch)
            if not wire.is_right(frame, start):
                raise wire.Bad("another session")
            self._adopt()
        packet = frame[:-2]
        if self.key is not None:
            packet = self._opened(packet)
        elif self.counted:
            packet = self._uncounted(packet)
        self._heard = self._now
        self._packet(wire.parse(packet))

    def _opened(self, packet):
        counter = self._keyed_in
        # Those that are lost leave gaps; what comes late is not taken here.
        counter += (packet[-10] << 8 | packet[-9]) - counter & 0xFFFF
        if packet[-10:] != wire.trailer(self._ways[1], counter, packet[:-10]):
            raise wire.Bad("forged")
        self._keyed_in = counter + 1
        return packet[:-10]

    def _uncounted(self, packet):
        # What is 30 or more behind the highest is too late.
        ahead = (packet[-2] << 8 | packet[-1]) - self._count_in & 0xFFFF
        if self._count_in >= 0 and 0x8000 < ahead <= 0x10000 - 30:
            self.late += 1
            raise wire.Bad("late")
        self._newest = self._count_in < 0 or 0 < ahead <= 0x8000
        if self._newest:
            self._count_in = packet[-2] << 8 | packet[-1]
        return packet[:-2]

    def _packet(self, packet):
        if isinstance(packet, wire.Null):
            self._acked(packet.ack)
            self._tell = self._tell or packet.probe
        elif isinstance(packet, wire.Mfmt):
            self.got.append(packet)
        elif packet.seq is None:
            self.got.append(packet)
        else:
            self._acked(packet.ack)
            if packet.seq == self._expected:
                self._expected = (self._expected + 1) & 255
                self.got.append(packet)
            elif self.stream:
                self._leave()
                return
            self._tell = True

    def _acked(self, ack):
        if self._newest and self._out is not None and (ack - self._out[0]) & 255 == 1:
            self._out = None
            self._number = (self._number + 1) & 255

    # Sessions

    def _helo(self, helo):
        if helo.version != 1:
            return
        if self.key is not None:
            if helo.mac is None or wire.hmac(self.key, helo.signed)[:8] != helo.mac:
                raise wire.Bad("forged")
        elif helo.flags & wire.KEYED:
            return
        if helo.node == self.node or bool(helo.flags & wire.STREAM) != self.stream:
            return
        if bool(helo.flags & wire.COUNTED) != self.counted:
            return
        if self.state and (helo.epoch == self.peer.epoch or helo.flags & wire.PROBE):
            if helo.epoch != self.peer.epoch:
                return
            if helo.flags & wire.NEED:
                self._hello = 0
            elif helo.flags & wire.CLOSE and helo.echo == self._me[0]:
                self._leave()
            return
        if helo.flags & wire.CLOSE:
            return
        self._offer = helo
        while (self._epoch ^ helo.epoch) & 0xFFFF in (0, 0xFFFF, 0x1D0F, 0xE2F0):
            self._renew()
        echoed = helo.echo == self._epoch
        if echoed and self.key is not None:
            echoed = helo.echo_nonce == self._nonce
        if not echoed:
            self._hello = wire.NEED | (wire.PROBE if self.state else 0)
            return
        if helo.flags & wire.NEED:
            self._hello = 0
        self._adopt()

    def _adopt(self):
        self.state = 1
        self.sessions += 1
        self.peer = self._offer
        self._me = (self._epoch, self._nonce)
        self._offer = None
        if self.key is not None:
            self._ways = wire.way_keys(self.key, self._me, (self.peer.epoch, self.peer.nonce))
        self._keyed_in = self._keyed_out = self._expected = self._number = 0
        self._count_in = -1  # of the latest frame
        self._count_out = 0
        self._newest = True
        self._tell = False
        self._out = None  # (number, packet) that is not acknowledged
        self._heard = self._said = self._resent = self._now
        if self._hello > 0:
            self._hello = -1  # the other side knows already
        self._renew()

    def _leave(self):
        self.state = 0
        self._offer = None
        self._knocked = None
        self._hello = -1
        self._renew()

    def close(self):
        """Return a frame that ends the session in good order."""
        data = self._helo_frame(wire.CLOSE)
        self._leave()
        return data

    # What goes out

    def _start(self, out):
        mine, theirs = self._me[0], self.peer.epoch
        return wire.session_start(mine, theirs) if out else wire.session_start(theirs, mine)

    def _has_next(self):
        if self._knocked is None or self._hello >= 0:
            return True
        if not self.state:
            return self._since(self._knocked) >= _KNOCK_MS
        return (
            self._tell
            or bool(self.once)
            or self._since(self._said) >= _ALIVE_MS
            or (self._out is None and bool(self.queue))
            or (self._out is not None and self._since(self._resent) >= _AGAIN_MS)
        )

    def _next(self):
        if not self._has_next():
            return b""
        if self._hello >= 0 or not self.state:
            flags = self._hello if self._hello >= 0 else wire.NEED
            self._hello = -1
            return self._helo_frame(flags)
        self._knocked = self._now
        if self.once:
            return self._seal(self.once.pop(0))
        if self._out is None and self.queue:
            service, bulk, data = self.queue.pop(0)
            kind = wire.RELIABLE | service | (wire.BULK if bulk else 0)
            self._out = (self._number, bytes([0x80, kind, self._number]), data)
            self._resent = (self._now - _AGAIN_MS) % _TICKS
        if self._out is not None and self._since(self._resent) >= _AGAIN_MS:
            self._resent = self._now
            number, head, data = self._out
            if self.stream:
                self._out = None
                self._number = (number + 1) & 255
            self._tell = False
            return self._seal(head + bytes([0 if self.stream else self._expected]) + data)
        self._tell = False
        if self.stream:
            return self._seal(bytes([0x80, wire.NULL, 0]))
        return self._seal(bytes([0x80, wire.NULL, self._expected, self.slots]))

    def _seal(self, packet):
        self._said = self._now
        trailer = b""
        if self.key is not None:
            trailer = wire.trailer(self._ways[0], self._keyed_out, packet)
            self._keyed_out += 1
        elif self.counted:
            trailer = wire.count(self._count_out)
            self._count_out += 1
        return wire.frame(packet, self._start(True), trailer)

    def _helo_frame(self, flags):
        self._knocked = self._now
        me, peer = (self._epoch, self._nonce), self._offer
        if not flags & wire.NEED:
            me, peer = self._me, self.peer
        if self.stream:
            flags |= wire.STREAM
        if self.counted:
            flags |= wire.COUNTED
        if self.key is not None:
            flags |= wire.KEYED
        echo = peer.epoch if peer is not None else 0
        packet = wire.helo(
            *(0, flags, self.node, self.node_epoch, me[0], echo),
            *(_PACKET_MAX, self.slots, 1, 5, _SILENCE_MS, self.text),
        )
        if self.key is not None:
            packet = wire.sign_helo(self.key, packet, me[1], peer.nonce if peer else bytes(8))
        return b"\x00" + wire.frame(packet, 0xFFFF)
