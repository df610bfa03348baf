# SPDX-License-Identifier: MIT
"""Listens to both directions of a line and holds what it hears to the rules of docs/wire.md.

Rules: as wire_decoder.py, nothing of limpet is imported. It hears what each side *sends*, in the
order of sending, undamaged: what the line does to it afterwards is not its business. `problems`
has a sentence for each broken rule; `seen` counts the forms of packets and kinds of records.
"""

import wire_decoder as wire


def matches(pattern, name):
    """Return whether a binding's text covers a name."""
    if pattern[-2:] == ".*":
        return name.startswith(pattern[:-1])
    if pattern[-2:] == ".%":
        return name.startswith(pattern[:-1]) and "." not in name[len(pattern) - 1 :]
    return pattern == name


class Way:
    """One direction of a session, as its sender has it."""

    def __init__(self, start, key):
        self.start = start  # of the checks
        self.key = key
        self.counter = 0  # of the next frame
        self.sent = 0  # reliable frames, each once
        self.packets = {}  # (service, bulk, payload) by number, those that may be sent again
        self.acked = 0  # frames of the other way that this one has acknowledged
        self.heard = 0  # frames of this way that the other one may have kept
        self.closed = False
        self.contexts = {}
        self.number = 0
        self.numbers = set()  # of messages
        self.open = set()  # tags that wait for an answer
        self.bound = set()
        self.ever = set()  # what was ever bound
        self.piece = b""


class Session:
    """A pair of epochs, [of side 0, of side 1], and both of its ways."""

    def __init__(self, epochs, keys, slots, flags):
        self.epochs = epochs
        self.slots = slots
        self.stream = flags & wire.STREAM > 0
        self.counted = flags & wire.COUNTED > 0
        self.begun = [False, False]  # the side has sent a frame
        self.known = [False, False]  # the side has been told its own epoch
        self.ways = []
        for i in range(2):
            start = wire.session_start(epochs[i], epochs[1 - i])
            self.ways.append(Way(start, keys[i] if keys else None))


class Talk:
    """What two sides say. key: of the line, None where there is none."""

    def __init__(self, key=None):
        self.key = key
        self.problems = []
        self.seen = {}
        self.records = []  # (side, Record), whole ones
        self.packets = []  # (side, packet as decoded)
        self._splitters = [wire.Splitter(), wire.Splitter()]
        self._offers = [{}, {}]  # the HELO by epoch, of each side
        self._sessions = []  # those that a side may be in, oldest first
        self._current = [None, None]

    def restarted(self, side):
        """Note that a side has lost its power: it may be within a frame, and knows nothing."""
        self._splitters[side] = wire.Splitter()
        self._current[side] = None

    def says(self, side, data):
        """Take bytes that a side has sent."""
        for run in self._splitters[side].push(data):
            try:
                self._frame(side, wire.uncobs(run))
            except wire.Bad as e:
                self._problem(side, str(e))

    def _problem(self, side, text):
        self.problems.append("side %d: %s" % (side, text))

    def _count(self, what):
        self.seen[what] = self.seen.get(what, 0) + 1

    def _frame(self, side, frame):
        if len(frame) > 1 and frame[0] & 0xE0 == 0x80 and frame[1] == wire.HELO:
            if not wire.is_right(frame, 0xFFFF):
                raise wire.Bad("a HELO whose check is wrong")
            self._helo(side, wire.parse(frame[:-2]))
            return
        session = self._find(side, frame)
        way = session.ways[side]
        if way.closed:
            raise wire.Bad("a frame behind CLOSE")
        packet = frame[:-2]
        if way.key is not None:
            packet = self._unsealed(way, packet)
        elif session.counted:
            packet = self._uncounted(way, packet)
        packet = wire.parse(packet)
        self.packets.append((side, packet))
        if isinstance(packet, wire.Null):
            self._count("null")
            self._null(session, side, packet)
        elif isinstance(packet, wire.Mfmt):
            self._count("mfmt")
        elif packet.seq is None:
            self._count("unreliable")
        else:
            self._reliable(session, side, packet)

    def _unsealed(self, way, packet):
        if len(packet) < 11:
            raise wire.Bad("a frame without its trailer")
        packet, trailer = packet[:-10], packet[-10:]
        if trailer != wire.trailer(way.key, way.counter, packet):
            raise wire.Bad("the counter or the MAC is wrong")
        way.counter += 1
        return packet

    def _uncounted(self, way, packet):
        if packet[-2:] != wire.count(way.counter):
            raise wire.Bad("the count of frames is wrong")
        way.counter += 1
        self._count("counted")
        return packet[:-2]

    # Sessions

    def _helo(self, side, helo):
        self._count("helo")
        self.packets.append((side, helo))
        if self.key is not None:
            if not helo.flags & wire.KEYED:
                raise wire.Bad("a HELO without the key")
            if wire.hmac(self.key, helo.signed)[:8] != helo.mac:
                raise wire.Bad("a HELO whose MAC is wrong")
            if helo.flags & wire.COUNTED:
                raise wire.Bad("a HELO with a key and COUNTED")
        offers = self._offers[side]
        old = offers.get(helo.epoch)
        if old is None:
            if len(offers) and max(o.node_epoch != helo.node_epoch for o in offers.values()):
                offers.clear()  # it has started anew
            offers[helo.epoch] = helo
        elif old.nonce != helo.nonce:
            raise wire.Bad("another nonce for one epoch")
        if not helo.echo:
            if helo.echo_nonce is not None and helo.echo_nonce != bytes(8):
                raise wire.Bad("an echoed nonce without an echo")
            return
        self._echo(side, helo)

    def _echo(self, side, helo):
        for session in self._sessions:
            if session.epochs[side] == helo.epoch and session.epochs[1 - side] == helo.echo:
                if helo.flags & wire.CLOSE:
                    self._count("close")
                    session.ways[side].closed = True
                session.known[1 - side] = True
                return
        theirs = self._offers[1 - side].get(helo.echo)
        if theirs is None:
            # What it echoes was said before the other side's start; that one will ignore it.
            self._count("stale echo")
            return
        if helo.echo_nonce != theirs.nonce:
            raise wire.Bad("the echoed nonce is not the epoch's")
        keys = None
        if self.key is not None:
            keys = wire.way_keys(self.key, (helo.epoch, helo.nonce), (theirs.epoch, theirs.nonce))
        epochs = [helo.epoch, helo.echo]
        if side:
            epochs.reverse()
            keys = keys and keys[::-1]
        word = (helo.epoch ^ helo.echo) & 0xFFFF
        if word in (0, 0xFFFF, 0x1D0F, 0xE2F0) and keys is None:
            raise wire.Bad("a session word that must not be")
        if (helo.flags ^ theirs.flags) & (wire.STREAM | wire.COUNTED):
            self._count("refused")
            return
        made = Session(epochs, keys, min(helo.slots, theirs.slots), helo.flags)
        made.known[1 - side] = True
        self._sessions.append(made)
        del self._sessions[:-12]

    def _find(self, side, frame):
        """Return the session that a frame is of."""
        current = self._current[side]
        for session in ([current] if current else []) + self._sessions[::-1]:
            if wire.is_right(frame, session.ways[side].start):
                if session is not current:
                    self._enter(side, session)
                return session
        raise wire.Bad("a frame of no session")

    def _enter(self, side, session):
        if session.begun[side]:
            raise wire.Bad("a session that it had left goes on")
        if not (session.known[side] or session.begun[1 - side]):
            raise wire.Bad("a session begins before the other side has echoed its epoch")
        self._count("sessions")
        session.begun[side] = True
        self._current[side] = session

    # The reliable channel

    def _null(self, session, side, packet):
        if session.stream and packet.ack:
            raise wire.Bad("an ack in a STREAM session")
        end = self._ack(session, side, packet.ack)
        there = session.ways[1 - side]
        for k in packet.bits:
            if end + 1 + k >= there.sent:
                raise wire.Bad("bits for a frame that was never sent")
            if k > session.slots - 2:
                raise wire.Bad("bits for more than the slots")
            there.heard = max(there.heard, end + 2 + k)
        for what in ("probe", "twice"):
            if getattr(packet, what):
                self._count(what)
        if packet.credit is not None:
            self._count("credit")
            if packet.credit == 0:
                self._count("no credit")
        if packet.bits:
            self._count("gap")

    def _ack(self, session, side, ack):
        """Take an ack; return the number of the frame that is expected next."""
        here, there = session.ways[side], session.ways[1 - side]
        end = here.acked + ((ack - here.acked) & 255)
        if session.stream:
            return 0
        if end > there.sent:
            raise wire.Bad("an ack of frame %d, but %d were sent" % (end, there.sent))
        for number in range(here.acked, end):
            there.packets.pop(number, None)
        here.acked = end
        there.heard = max(there.heard, end)
        return end

    def _reliable(self, session, side, packet):
        here, there = session.ways[side], session.ways[1 - side]
        self._ack(session, side, packet.ack)
        number = here.sent - 128 + ((packet.seq - here.sent + 128) & 255)
        what = (packet.service, packet.bulk, packet.payload)
        if number == here.sent:
            if not session.stream and number >= there.acked + session.slots:
                raise wire.Bad("more frames on their way than slots")
            here.sent += 1
            here.packets[number] = what
            if session.stream:
                here.packets.pop(number)
            self._count("reliable")
            if packet.service == wire.LIMPET:
                self._records(session, side, packet.payload)
            return
        if number > here.sent or session.stream:
            raise wire.Bad("sequence number %d instead of %d" % (packet.seq, here.sent & 255))
        self._count("again")
        if here.packets.get(number, what) != what:
            raise wire.Bad("frame %d has changed since it was first sent" % packet.seq)
        if number < here.sent - session.slots:
            raise wire.Bad("a frame is sent again that has left the window")

    # Records

    def _records(self, session, side, payload):
        for record in wire.parse_records(payload):
            if record.kind == "context" and record.open:
                raise wire.Bad("a control record without a length")
            self._record(session, side, record)

    def _record(self, session, side, record, whole=False):
        here, there = session.ways[side], session.ways[1 - side]
        self._count(record.kind)
        if record.kind in ("piece", "last"):
            if not record.data or whole:
                raise wire.Bad("a piece that is none")
            here.piece += record.data
            if record.kind == "last":
                data, here.piece = here.piece, b""
                if data[0] & 0x80:
                    raise wire.Bad("a record in pieces has a length")
                self._count("in pieces")
                self._record(session, side, wire.parse_record(data[0], data[1:], True), True)
            return
        if here.piece and record.kind not in ("announcement", "request", "reply"):
            raise wire.Bad("%s between two pieces" % record.kind)
        if here.piece and here.piece[0] & 0x60 == 0x60:
            raise wire.Bad("something overtakes a control record in pieces")
        self.records.append((side, record))
        if record.kind in ("listen", "replier", "unlisten", "unreplier"):
            self._bind(here, record)
        elif record.kind == "context":
            self._assign(here, record)
        else:
            self._message(here, there, record, whole)

    def _bind(self, here, record):
        entry = ("replier" if "repl" in record.kind else "listen", record.text)
        if record.kind.startswith("un"):
            if entry not in here.bound:
                raise wire.Bad("%s of what is not bound" % record.kind)
            here.bound.remove(entry)
        elif entry in here.bound:
            raise wire.Bad("%s is told twice" % record.text)
        else:
            here.bound.add(entry)
            here.ever.add(entry)

    def _assign(self, here, record):
        if record.context > 31:
            raise wire.Bad("context %d" % record.context)
        if record.text[-1:] in "*%." or not record.text.isascii() or len(record.text) < 3:
            raise wire.Bad("%r is no message name" % record.text)
        here.contexts[record.context] = (record.text, record.number)

    def _message(self, here, there, record, whole):
        name = None
        if record.context is not None:
            if record.context not in here.contexts:
                raise wire.Bad("context %d is used before it is assigned" % record.context)
            name = here.contexts[record.context][0]
            number = record.number
            if not whole:
                number = here.number = (here.number + number) & 0x3FFFFFFF
            if number in here.numbers:
                raise wire.Bad("message %d is sent twice" % number)
            here.numbers.add(number)
        if record.kind in ("reply", "status"):
            if record.tag not in there.open:
                raise wire.Bad("an answer to tag %d, which no request has" % record.tag)
            there.open.remove(record.tag)
            if record.kind == "status" and not 0 < record.code <= 12:
                raise wire.Bad("status %d" % record.code)
            return
        wanted = "listen"
        if record.kind == "request":
            wanted = "replier"
            if record.tag in here.open or record.tag > 254:
                raise wire.Bad("tag %d is given twice" % record.tag)
            here.open.add(record.tag)
        if not any(kind == wanted and matches(text, name) for kind, text in there.ever):
            raise wire.Bad("%s, which nobody there wants" % name)
