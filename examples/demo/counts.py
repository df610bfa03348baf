# SPDX-License-Identifier: MIT
"""The demo's books: what the application has sent and got, and whether that is what was promised.

Rules: only numbers that the two applications put into their own data count here, never the
library's counters. Every check is a sentence in problems(); no sentence, no failure. Times are
seconds of one clock (CLOCK_MONOTONIC), which all processes of the machine share.

    request       u32 number
    reply         u32 the request's number, u32 boot, u32 how many it has answered, i16 value
    announcement  u32 boot, u32 running number of this boot, i16 value

The boot number is another one each time the board starts, so that its numbers may begin again. How
many it has answered tells what nobody else could: whether a request ran twice, or ran although
its status said no.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

REQUEST = struct.Struct("<I")
REPLY = struct.Struct("<IIIh")
ANNOUNCEMENT = struct.Struct("<IIh")

AROUND_S = 1.0  # rates are not measured so close to a reset
REQUESTS_MIN = 45  # a second
ANNOUNCEMENTS_MIN = 9  # a second
REPLIES_MIN = 0.99  # of the requests
END_MAX_S = 0.1  # from a new board's HELO to the last end of what was out


@dataclass
class Asked:
    """One request that the bus has accepted."""

    sent: float
    ends: list[str] = field(default_factory=list)  # "reply" or a status' name
    ended: float = 0.0
    may_have_run: bool = True


@dataclass
class Reset:
    """One kill of the board, and what came of it."""

    killed: float
    hello: float = 0.0  # when the first HELO of the next board reached the host's tty; 0 = not yet
    silent: float = 0.0  # when the silence limit had passed


class Counts:
    """What has happened so far. All methods but problems() and line() only take notes."""

    def __init__(self) -> None:
        self.requests: dict[int, Asked] = {}
        self.refused = 0  # sends that the bus did not accept: they are no requests
        self.replies = 0
        self.statuses: dict[str, int] = {}
        self.duplicated = 0
        self.announcements = 0
        self.missed = 0
        self.resets: list[Reset] = []
        self.light = 0
        self.temperature = 0
        self.start = self.stop = 0.0
        self.wrong: list[str] = []  # what must not happen, as it happened
        self._heard_at: list[float] = []
        self._boots: list[int] = []  # in the order in which they were first heard of
        self._numbers: dict[int, int] = {}  # by boot: the last announcement's
        self._answers: list[tuple[int, int, int]] = []  # boot, how many answered, request's number

    # Notes

    def asked(self, number: int, at: float) -> None:
        """Note a request that was accepted."""
        if number in self.requests:
            self.wrong.append(f"request number {number} was used twice")
        self.requests[number] = Asked(at)

    def replied(self, number: int, data: bytes, at: float) -> None:
        """Note a reply; `number` is that of the request which the library says it answers."""
        self.replies += 1
        if len(data) != REPLY.size:
            self.wrong.append(f"the reply to request {number} has {len(data)} bytes")
            return
        echoed, boot, answered, self.temperature = REPLY.unpack(data)
        if echoed != number:
            self.wrong.append(f"a lie: request {number} got the reply to request {echoed}")
        self._note_boot(boot)
        if self._end(number, "reply", at):
            self._answers.append((boot, answered, number))

    def told(self, number: int, status: str, executed: str, at: float) -> None:
        """Note the status that ended a request; executed: "no", "yes" or "unknown"."""
        self.statuses[status] = self.statuses.get(status, 0) + 1
        if self._end(number, status, at):
            self.requests[number].may_have_run = executed != "no"

    def _end(self, number: int, how: str, at: float) -> bool:
        # True for the first end of a request that was sent.
        asked = self.requests.get(number)
        if asked is None:
            self.wrong.append(f"an end ({how}) of request {number}, which nobody has sent")
            return False
        asked.ends.append(how)
        if len(asked.ends) > 1:
            self.duplicated += 1
            self.wrong.append(f"request {number} ended {' and '.join(asked.ends)}")
            return False
        asked.ended = at
        return True

    def heard(self, data: bytes, at: float) -> None:
        """Note an announcement."""
        self.announcements += 1
        self._heard_at.append(at)
        if len(data) != ANNOUNCEMENT.size:
            self.wrong.append(f"an announcement has {len(data)} bytes")
            return
        boot, number, self.light = ANNOUNCEMENT.unpack(data)
        self._note_boot(boot)
        last = self._numbers.get(boot)
        if last is not None and number == last:
            self.duplicated += 1
            self.wrong.append(f"announcement {number} came twice")
        elif last is not None and number < last:
            self.wrong.append(f"announcement {number} came after {last}")
        else:
            self.missed += number - last - 1 if last is not None else 0
            self._numbers[boot] = number

    def _note_boot(self, boot: int) -> None:
        if boot not in self._boots:
            self._boots.append(boot)
        elif boot != self._boots[-1]:
            self.wrong.append("something of an earlier board came after the next one's")

    # Findings

    @property
    def unanswered(self) -> int:
        """Requests that have not ended."""
        return sum(not asked.ends for asked in self.requests.values())

    def rtt_ms(self, share: float) -> float:
        """Return the time within which that share of the replies came."""
        done = [a for a in self.requests.values() if a.ends[:1] == ["reply"]]
        trips = sorted(1000 * (a.ended - a.sent) for a in done)
        return trips[min(len(trips) - 1, int(share * len(trips)))] if trips else 0.0

    def reset_ms(self, reset: Reset) -> float:
        """Return how long the requests that were out at a reset took to end, in ms.

        It runs from when the new board's first HELO reached the host's tty, or, if the silence
        limit had passed by then, from the kill; to the last end of the requests that were out
        then: all sent before, also after the kill, of which nobody knew. 0: all had ended.
        """
        silent = not reset.hello or reset.hello > reset.silent
        begin, known = (reset.killed, reset.silent) if silent else (reset.hello, reset.hello)
        out = [a for a in self.requests.values() if a.ends and a.sent <= known and a.ended > begin]
        return 1000 * max((a.ended - begin for a in out), default=0.0)

    def pieces(self) -> list[tuple[float, float]]:
        """Return the spans of time in which rates are measured: away from resets."""
        left, found = self.start, []
        for reset in self.resets:
            found.append((left, reset.killed - AROUND_S))
            left = reset.killed + AROUND_S
        found.append((left, self.stop))
        return [(a, b) for a, b in found if b > a]

    def problems(self) -> list[str]:
        """Return a sentence for each promise that was broken."""
        found = self.wrong[:10]
        if len(self.wrong) > 10:
            found.append(f"and {len(self.wrong) - 10} more like these")
        if self.unanswered:
            found.append(f"{self.unanswered} requests have not ended")
        return (
            found
            + self._problems_of_runs()
            + self._problems_of_rates()
            + self._problems_of_resets()
        )

    def _problems_of_runs(self) -> list[str]:
        """Compare how often the board ran its handler with what the ends say."""
        found = []
        for before, after in zip([(0, 0, 0), *self._answers], self._answers, strict=False):
            if before[0] != after[0]:
                before = (after[0], 0, before[2])  # this board's first: from its first request on
            if after[2] <= before[2]:
                found.append(f"the reply to request {after[2]} came after that to {before[2]}")
                continue
            between = range(before[2] + 1, after[2])
            silent = [self.requests[n] for n in between if n in self.requests]
            most = sum(a.may_have_run and "reply" not in a.ends for a in silent)
            runs = after[1] - before[1] - 1
            if not 0 <= runs <= most:
                found.append(
                    f"a lie: before request {after[2]} the board ran {runs} others without reply, "
                    f"but only {most} ended in a status that allows it"
                )
        return found

    def _problems_of_rates(self) -> list[str]:
        pieces = self.pieces()
        span = sum(b - a for a, b in pieces)
        sent = [a for a in self.requests.values() if _within(a.sent, pieces)]
        heard = [at for at in self._heard_at if _within(at, pieces)]
        replies = sum(a.ends == ["reply"] for a in sent)
        # Where a piece is cut off by a reset, the phase of a regular series can cost one.
        slack = len(pieces) - 1
        if not span:
            return ["there was no time to measure in, away from the resets"]
        found = []
        for what, count, least in (
            ("requests", len(sent), REQUESTS_MIN),
            ("announcements", len(heard), ANNOUNCEMENTS_MIN),
        ):
            if count + slack < least * span:
                found.append(f"only {count / span:.1f} {what} a second, {least} are due")
        if replies < REPLIES_MIN * len(sent):
            found.append(f"only {replies} replies to {len(sent)} requests away from resets")
        return found

    def _problems_of_resets(self) -> list[str]:
        found = []
        for reset in self.resets:
            took = self.reset_ms(reset)
            if not reset.hello:
                found.append("the board that was started after the kill has sent no HELO")
            if reset.hello and reset.hello <= reset.silent:
                limit, since = 1000 * END_MAX_S, "the new board's HELO"
            else:
                limit, since = 1000 * (reset.silent - reset.killed), "the kill"
            if took > limit:
                found.append(
                    f"requests ended {took:.0f} ms after {since}, {limit:.0f} are allowed"
                )
        return found

    def line(self, retransmits: int, damaged: int) -> str:
        """Return the demo's last line."""
        reset_ms = max((self.reset_ms(reset) for reset in self.resets), default=0.0)
        return (
            f"demo: requests={len(self.requests)} replies={self.replies}"
            f" statuses={sum(self.statuses.values())} unanswered={self.unanswered}"
            f" duplicated={self.duplicated} announcements={self.announcements}"
            f" missed={self.missed} retransmits={retransmits} damaged={damaged}"
            f" resets={len(self.resets)} reset_ms={reset_ms:.0f}"
            f" rtt_ms_p50={self.rtt_ms(0.5):.1f} rtt_ms_p99={self.rtt_ms(0.99):.1f}"
        )


def _within(at: float, pieces: list[tuple[float, float]]) -> bool:
    return any(a <= at < b for a, b in pieces)
