# SPDX-License-Identifier: MIT
"""What passes on a link, kept in a file: as pcapng, or as text that people and programs can read.

    capture = Capture("talk.pcapng")      # or "talk.txt"
    capture.attach(driver)                # before or after bus.join(driver)
    ...
    capture.close()
    for entry in read("talk.pcapng"): ...

`python -m limpet.host.capture talk.pcapng` prints a file as text.

Rules: one entry for each frame, with its delimiter and the lone delimiters before it; bytes of
which no frame becomes are kept as they came. What goes out is kept when the device has taken it,
what comes in when it was read, at the time of the frame's last byte. A capture never disturbs its
link: it raises nothing, waits only for the file, and stops when that is full or fails.

    pcapng   link type 147 (USER0); the direction is in each packet's flags; see pcapng.py
    text     time link direction meaning | bytes       one line per entry; > is out, < is in
"""

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING, Protocol

from ..ticks import ticks_diff
from . import pcapng
from .explain import Explainer
from .pcapng import Entry

if TYPE_CHECKING:
    from types import TracebackType

_RUN_MAX = 1024  # bytes without a delimiter that are kept together
_FILE_MIN = 8192  # room for any entry
_TEXT_HEAD = "# limpet capture, text 1: time (UTC), link, > out or < in, meaning | bytes\n"


class Tapped(Protocol):
    """A driver, as far as a capture knows it."""

    tap: "Callable[[int, bytearray, int, int, int], None] | None"


class Capture:
    """A file that the bytes of one or several drivers go to."""

    def __init__(
        self,
        path: "str | os.PathLike[str]",
        max_bytes: int = 16 << 20,
        rotate: bool = False,
        text: bool | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Create the file, or empty it. Raises OSError.

        max_bytes: the file never gets larger, at least 8192. Then the capture stops (`full`), or,
        with `rotate`, the file becomes `path` + ".1", in place of an older one, and a new one
        begins.
        text: write text; None: if the path ends in ".txt".
        clock: seconds since 1970, asked once for each driver; the rest is the driver's time.
        All drivers of a capture are pumped by one bus, or by one thread.
        """
        if max_bytes < _FILE_MIN:
            raise ValueError("max_bytes is at least %d" % _FILE_MIN)
        self.path = os.fspath(path)
        self.full = False  # an entry found no room
        self.missed = 0  # entries that are not in the file
        self.error: OSError | None = None  # what the file failed with: the capture has stopped
        self._max = max_bytes
        self._rotate = rotate
        self._clock = clock
        self._format = _Text() if self._is_text(text) else pcapng.Writer()
        self._taps: list[_Tap] = []
        self._drivers: list[Tapped] = []
        self._file: IO[bytes] | None = open(self.path, "wb")  # noqa: SIM115
        self._size = 0
        self._begin()

    def _is_text(self, text: bool | None) -> bool:
        return self.path.endswith(".txt") if text is None else text

    def attach(self, driver: Tapped, name: str = "") -> None:
        """Keep what passes at `driver` from now on.

        name: of the link; else it is called link0, link1 ...
        A driver has one tap: an earlier capture of the same driver gets nothing any more.
        """
        tap = _Tap(self, "_".join(name.split()) or "link%d" % len(self._taps), len(self._taps))
        self._taps.append(tap)
        self._drivers.append(driver)
        self._write(self._format.link(tap.name))
        driver.tap = tap

    def detach(self, driver: Tapped) -> None:
        """Keep nothing more of `driver`; what has come of an unfinished frame is kept."""
        tap = driver.tap
        if isinstance(tap, _Tap) and tap.capture is self:
            driver.tap = None
            tap.finish()

    def close(self) -> None:
        """Close the file, with what has come of unfinished frames; twice does no harm."""
        for driver in self._drivers:
            self.detach(driver)
        if self._file is not None:
            self._file.close()
            self._file = None

    def __enter__(self) -> "Capture":
        return self

    def __exit__(
        self,
        kind: "type[BaseException] | None",
        error: BaseException | None,
        trace: "TracebackType | None",
    ) -> None:
        self.close()

    def now_ms(self) -> int:
        """Return the time in ms since 1970."""
        return int(self._clock() * 1000)

    def add(self, tap: "_Tap", out: bool, data: bytes, time_ms: int) -> None:
        """Write an entry of a link of this capture."""
        block = self._format.entry(tap.index, Entry(time_ms, tap.name, out, data))
        if self._size + len(block) > self._max and self._rotate:
            self._next_file()
        if not self._write(block):
            self.missed += 1

    def _write(self, block: bytes) -> bool:
        if self._file is None or self.full:
            return False
        if self._size + len(block) > self._max:
            self.full = True
            return False
        try:
            self._file.write(block)
            self._file.flush()
        except OSError as e:
            self._fail(e)
            return False
        self._size += len(block)
        return True

    def _fail(self, e: OSError) -> None:
        self.error = e
        file, self._file = self._file, None
        try:
            if file is not None:
                file.close()
        except OSError:
            pass

    def _begin(self) -> None:
        self._write(self._format.head())
        for tap in self._taps:
            self._write(self._format.link(tap.name))

    def _next_file(self) -> None:
        if self._file is None:
            return
        try:
            self._file.close()
            os.replace(self.path, self.path + ".1")
            self._file = open(self.path, "wb")  # noqa: SIM115
        except OSError as e:
            self._fail(e)
        self._size = 0
        self._begin()


class _Tap:
    """What a driver calls: cuts its bytes into entries."""

    def __init__(self, capture: Capture, name: str, index: int) -> None:
        self.capture = capture
        self.name = name
        self.index = index
        self._rest = [bytearray(), bytearray()]  # in, out
        self._time = -1  # of the latest piece, ms since 1970; -1: nothing has come
        self._tick = 0  # the same in the driver's time

    def __call__(self, out: int, buf: bytearray, start: int, count: int, now_ms: int) -> None:
        """Take buf[start:start+count]."""
        if self._time < 0:
            self._time = self.capture.now_ms()
            self._tick = now_ms
        # Ticks wrap; a driver's time may stand still, but does not go back.
        self._time += max(0, ticks_diff(now_ms, self._tick))
        self._tick = now_ms
        rest = self._rest[out]
        rest += memoryview(buf)[start : start + count]
        while rest:
            first = len(rest) - len(rest.lstrip(b"\0"))
            end = rest.find(b"\0", first) + 1
            if not end and len(rest) < _RUN_MAX:
                return
            self._keep(out, min(end or _RUN_MAX, _RUN_MAX))

    def _keep(self, out: int, size: int) -> None:
        data = bytes(self._rest[out][:size])
        del self._rest[out][:size]
        self.capture.add(self, bool(out), data, self._time)

    def finish(self) -> None:
        """Keep what is left of unfinished frames."""
        for out in range(2):
            if self._rest[out]:
                self._keep(out, _RUN_MAX)


class _Text:
    """Lines. What they mean is told by all that came before: one Explainer per link."""

    def __init__(self) -> None:
        self._explainers: dict[int, Explainer] = {}

    def head(self) -> bytes:
        return _TEXT_HEAD.encode()

    def link(self, name: str) -> bytes:
        return b""

    def entry(self, index: int, entry: Entry) -> bytes:
        explainer = self._explainers.setdefault(index, Explainer())
        return line(entry, explainer).encode()


def line(entry: Entry, explainer: Explainer) -> str:
    """Return an entry as a line of text."""
    when = datetime.fromtimestamp(entry.time_ms // 1000, UTC)
    return "%s.%03dZ %s %s %s | %s\n" % (
        when.strftime("%Y-%m-%dT%H:%M:%S"),
        entry.time_ms % 1000,
        entry.link,
        ">" if entry.out else "<",
        explainer.explain(entry.out, entry.data),
        entry.data.hex(),
    )


def dump(entries: Iterable[Entry], out: IO[str]) -> None:
    """Write entries, as read() gives them, as text."""
    explainers: dict[str, Explainer] = {}
    out.write(_TEXT_HEAD)
    for entry in entries:
        out.write(line(entry, explainers.setdefault(entry.link, Explainer())))


def read(path: "str | os.PathLike[str]") -> Iterator[Entry]:
    """Return what a file holds, either form, entry for entry.

    A file whose end is missing ends with its last whole entry. Raises OSError, and ValueError
    with a sentence for a file that is no capture, or is damaged.
    """
    with open(path, "rb") as file:
        head = file.read(4)
        file.seek(0)
        if head == pcapng.MAGIC:
            yield from pcapng.read(file, os.fspath(path))
        elif head == _TEXT_HEAD[:4].encode():
            yield from _read_text(file, os.fspath(path))
        else:
            raise ValueError("%s is no capture: it begins with %r" % (os.fspath(path), head))


def _read_text(file: IO[bytes], path: str) -> Iterator[Entry]:
    for number, raw in enumerate(file, 1):
        if not raw.endswith(b"\n"):
            return
        try:
            text = raw.decode()
            if text.startswith("#") or not text.strip():
                continue
            when, link, arrow, rest = text.split(" ", 3)
            data = bytes.fromhex(rest.rsplit("|", 1)[1])
            time_ms = round(datetime.fromisoformat(when).timestamp() * 1000)
            yield Entry(time_ms, link, {">": True, "<": False}[arrow], data)
        except (ValueError, KeyError, IndexError) as e:
            raise ValueError("%s: line %d is no entry of a capture" % (path, number)) from e


def main() -> None:
    """Print the file named on the command line as text."""
    if len(sys.argv) != 2:
        sys.exit("usage: python -m limpet.host.capture FILE")
    try:
        dump(read(sys.argv[1]), sys.stdout)
    except (OSError, ValueError) as e:
        sys.exit(str(e))


if __name__ == "__main__":
    main()
