# SPDX-License-Identifier: MIT
"""Captures: what went in comes out of both forms of file, whatever the pieces; nothing raises."""

import io
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import wire_decoder as wire
from helpers_bus import Pair, Reader
from limpet.host import pcapng
from limpet.host.capture import Capture, Entry, dump, read
from limpet.host.explain import Explainer

VECTORS = Path(__file__).parents[1] / "vectors"
SECONDS = 1_700_000_000.25
EPOCHS = (0x00A15A5A, 0x0B2C3D4E)
ZERO_MS = 1_700_000_000_250


class Line:
    """What a capture knows of a driver."""

    def __init__(self) -> None:
        self.tap = None

    def pass_(self, out: int, data: bytes, now_ms: int) -> None:
        if self.tap is not None:
            self.tap(out, bytearray(b"\xaa" + data + b"\xbb"), 1, len(data), now_ms)


def clock() -> float:
    return SECONDS


def wire_rows() -> dict[str, bytes]:
    lines = (VECTORS / "wire.txt").read_text().splitlines()
    rows = [line.split(" ", 4) for line in lines if not line.startswith("#")]
    return {row[0]: bytes.fromhex(row[3]) for row in rows}


def expected(pieces: list[tuple[int, int, bytes, int]]) -> list[tuple[str, bool, bytes]]:
    """Return the entries of pieces (link, out, data, pause), told the long way round."""
    rest: dict[tuple[int, int], bytes] = {}
    found = []
    for link, out, data, _ in pieces:
        for b in data:
            run = rest.get((link, out), b"") + bytes([b])
            if (not b and run.strip(b"\0")) or len(run) == 1024:
                found.append(("link%d" % link, bool(out), run))
                run = b""
            rest[link, out] = run
    for link in range(2):
        for out in range(2):
            if rest.get((link, out)):
                found.append(("link%d" % link, bool(out), rest[link, out]))
    return found


PIECES = st.lists(
    st.tuples(
        st.integers(0, 1),
        st.integers(0, 1),
        st.one_of(
            st.binary(min_size=1, max_size=40),
            st.lists(st.sampled_from([b"\0", b"\x03ab", b"\x01"]), min_size=1).map(b"".join),
            st.integers(1000, 1100).map(lambda n: b"\x55" * n),
        ),
        st.integers(0, 5000),
    ),
    max_size=20,
)


@pytest.mark.parametrize("name", ["talk.pcapng", "talk.txt"])
@given(pieces=PIECES)
def test_what_goes_in_comes_out(
    tmp_path_factory: pytest.TempPathFactory, name: str, pieces: list[tuple[int, int, bytes, int]]
) -> None:
    path = tmp_path_factory.mktemp("capture") / name
    lines = [Line(), Line()]
    with Capture(path, clock=clock) as capture:
        for line in lines:
            capture.attach(line)
        now = 0x3FFFFFFF - 4000  # it wraps
        times = []
        for link, out, data, pause in pieces:
            now = (now + pause) & 0x3FFFFFFF
            times.append(pause)
            lines[link].pass_(out, data, now)
    entries = list(read(path))
    assert [entry[1:] for entry in entries] == expected(pieces)
    assert all(ZERO_MS <= e.time_ms <= ZERO_MS + sum(times) for e in entries)
    assert capture.missed == 0 and capture.error is None and not capture.full
    assert [line.tap for line in lines] == [None, None]


@given(data=st.binary(max_size=300))
def test_nothing_raises_when_it_is_explained(data: bytes) -> None:
    explainer = Explainer()
    for out in (True, False):
        text = explainer.explain(out, data)
        assert text and "\n" not in text and "|" not in text


@given(packets=st.lists(st.tuples(st.booleans(), st.booleans(), st.binary(max_size=80))))
def test_nothing_raises_whatever_right_frames_have_in_them(
    packets: list[tuple[bool, bool, bytes]],
) -> None:
    """Also where check and session are right: cut off, unknown and senseless packets."""
    explainer = Explainer()
    explainer.explain(True, wire_rows()["helo_confirm"])
    for out, sense, data in packets:
        head = b"\x82\x42" if sense else b""
        start = wire.session_start(*(EPOCHS if out else EPOCHS[::-1]))
        text = explainer.explain(out, wire.frame(head + data + b"\x01", start))
        assert text and "\n" not in text and "|" not in text and "damaged" not in text
        explainer.explain(out, wire.frame(b"\x82\x01" + data + b"\x01", 0xFFFF))


def test_what_a_neighbour_says_does_nothing_to_a_terminal() -> None:
    explainer = Explainer()
    explainer.explain(True, wire_rows()["helo_confirm"])
    said = b"\x82\x42\x00\x00" + wire.control(2, "$.a|\n\x1b[2J\x7fb") + b"\x62\xff"
    text = explainer.explain(True, wire.frame(said, wire.session_start(*EPOCHS)))
    assert text.endswith("listen $.a???[2J?b; listen $.?")


def test_times_go_on_over_the_wrap(tmp_path: Path) -> None:
    line = Line()
    with Capture(tmp_path / "x.pcapng", clock=clock) as capture:
        capture.attach(line, "uart 0")
        line.pass_(1, b"\x02a\0", 0x3FFFFFFF)
        line.pass_(0, b"\x02", 4)
        line.pass_(0, b"b\0", 9)
    found = list(read(tmp_path / "x.pcapng"))
    assert found == [
        Entry(ZERO_MS, "uart_0", True, b"\x02a\0"),
        Entry(ZERO_MS + 10, "uart_0", False, b"\x02b\0"),
    ]


def golden_talk(path: Path) -> None:
    rows = wire_rows()
    line = Line()
    with Capture(path, clock=clock) as capture:
        capture.attach(line, "a")
        now = 100
        for name in "helo_first helo_offer helo_confirm data_first ack data_early ack_gap".split():
            now += 7
            out = 0 if name in ("helo_offer", "ack", "ack_gap") else 1
            line.pass_(out, rows[name], now)
        line.pass_(0, b"\x09noise", now + 1)
        line.pass_(0, b"\0", now + 2)
        line.pass_(1, rows["data_lost"][:4], now + 3)


def test_the_golden_file(tmp_path: Path) -> None:
    """The bytes of a small pcapng file, which other programs have read, do not change."""
    golden_talk(tmp_path / "golden.pcapng")
    wanted = bytes.fromhex("".join((VECTORS / "capture.txt").read_text().split("\n\n")[1].split()))
    assert (tmp_path / "golden.pcapng").read_bytes() == wanted


def test_the_same_as_text(tmp_path: Path) -> None:
    golden_talk(tmp_path / "golden.pcapng")
    golden_talk(tmp_path / "golden.txt")
    out = io.StringIO()
    dump(read(tmp_path / "golden.pcapng"), out)
    assert (tmp_path / "golden.txt").read_text() == out.getvalue()
    lines = [line.split(" | ")[0] for line in out.getvalue().splitlines()[1:]]
    assert lines[0] == (
        "2023-11-14T22:13:20.250Z a > HELO NEED node 11.01234567 epoch 00a15a5a echo 00000000 "
        "packets 255 slots 8 ack each 2 or 40 ms silence 1000 ms"
    )
    session = "%08x" % (0x00A15A5A ^ 0x0B2C3D4E)
    assert [line[25:] for line in lines[3:]] == [
        f"a > {session} to ET seq 0 ack 0 limpet: control 12 5 bytes",
        f"a < {session} to WT ack 1",
        f"a > {session} to ET seq 2 ack 0 limpet: announcement context 0 number +2 0 bytes",
        f"a < {session} to WT ack 1 credit 8 has 2",
        "a < 7 bytes that are no frame",
        "a > 4 bytes without a delimiter",
    ]


def test_a_program_prints_it(tmp_path: Path) -> None:
    golden_talk(tmp_path / "golden.pcapng")
    command = [sys.executable, "-m", "limpet.host.capture"]
    shown = subprocess.run(
        command + [str(tmp_path / "golden.pcapng")], capture_output=True, text=True, timeout=60
    )
    out = io.StringIO()
    dump(read(tmp_path / "golden.pcapng"), out)
    assert (shown.returncode, shown.stdout) == (0, out.getvalue())
    (tmp_path / "x").write_bytes(b"GIF89a")
    shown = subprocess.run(
        command + [str(tmp_path / "x")], capture_output=True, text=True, timeout=60
    )
    assert shown.returncode == 1 and "is no capture" in shown.stderr


@pytest.mark.parametrize("name", ["talk.pcapng", "talk.txt"])
def test_a_file_without_its_end(tmp_path: Path, name: str) -> None:
    """Wherever a file is cut, what is before is read; below four bytes it is no capture."""
    golden_talk(tmp_path / name)
    whole = (tmp_path / name).read_bytes()
    entries = list(read(tmp_path / name))
    counts = set()
    for size in range(0, len(whole), 3):
        (tmp_path / "cut").write_bytes(whole[:size])
        if size < 4:
            with pytest.raises(ValueError, match="is no capture"):
                list(read(tmp_path / "cut"))
            continue
        found = list(read(tmp_path / "cut"))
        assert found == entries[: len(found)]
        counts.add(len(found))
    assert counts == set(range(len(entries)))


@pytest.mark.parametrize("name", ["talk.pcapng", "talk.txt"])
def test_damaged_files(tmp_path: Path, name: str) -> None:
    """A changed byte gives other entries or a ValueError that names the file, and nothing else."""
    golden_talk(tmp_path / name)
    whole = (tmp_path / name).read_bytes()
    refused = 0
    for at in range(0, len(whole), 3):
        broken = bytearray(whole)
        broken[at] ^= 0x90
        (tmp_path / "broken").write_bytes(broken)
        try:
            for entry in read(tmp_path / "broken"):
                assert isinstance(entry, Entry)
        except ValueError as e:
            assert str(tmp_path / "broken") in str(e)
            refused += 1
    assert refused > 20


def test_a_block_with_two_sizes(tmp_path: Path) -> None:
    golden_talk(tmp_path / "x.pcapng")
    whole = bytearray((tmp_path / "x.pcapng").read_bytes())
    whole[-4] ^= 4
    (tmp_path / "x.pcapng").write_bytes(whole)
    with pytest.raises(ValueError, match="has two sizes"):
        list(read(tmp_path / "x.pcapng"))


def test_foreign_files(tmp_path: Path) -> None:
    path = tmp_path / "foreign"
    for data in (b"", b"GIF89a", b"\xd4\xc3\xb2\xa1" + bytes(20)):
        path.write_bytes(data)
        with pytest.raises(ValueError, match="is no capture"):
            list(read(path))
    golden_talk(tmp_path / "x.pcapng")
    whole = bytearray((tmp_path / "x.pcapng").read_bytes())
    whole[whole.index(b"\x93\0\0\0")] = 1  # Ethernet
    path.write_bytes(whole)
    with pytest.raises(ValueError, match="147"):
        list(read(path))
    with pytest.raises(FileNotFoundError):
        list(read(tmp_path / "absent"))


def test_other_writers(tmp_path: Path) -> None:
    """Big-endian, us, an unknown block, an interface of another type and a second section."""
    section = bytes.fromhex("0a0d0d0a 0000001c 1a2b3c4d 00010000 ffffffffffffffff 0000001c")
    ethernet = bytes.fromhex("00000001 00000014 00010000 00000000 00000014")
    user0 = bytes.fromhex("00000001 00000014 00930000 00000000 00000014")
    unknown = bytes.fromhex("00000bad 00000010 12345678 00000010")
    micros = (ZERO_MS * 1000 + 999).to_bytes(8, "big").hex()
    packets = [
        bytes.fromhex(f"00000006 00000024 0000000{i} {micros} 00000003 00000003 02610000 00000024")
        for i in range(2)
    ]
    path = tmp_path / "big"
    path.write_bytes(section + ethernet + user0 + unknown + packets[0] + packets[1])
    entry = Entry(ZERO_MS, "link1", False, b"\x02a\0")
    assert list(read(path)) == [entry]
    path.write_bytes((section + user0 + packets[0]) * 2)
    assert list(read(path)) == [entry._replace(link="link0")] * 2


@pytest.mark.parametrize("name", ["talk.pcapng", "talk.txt"])
def test_a_full_file_takes_no_more(tmp_path: Path, name: str) -> None:
    line = Line()
    capture = Capture(tmp_path / name, max_bytes=8192)
    capture.attach(line)
    for _ in range(1000):
        line.pass_(1, b"\x15" + b"x" * 20 + b"\0", 0)
    assert capture.full and 7900 < (tmp_path / name).stat().st_size <= 8192
    capture.close()
    assert len(list(read(tmp_path / name))) + capture.missed == 1000
    with pytest.raises(ValueError):
        Capture(tmp_path / name, max_bytes=8191)


@pytest.mark.parametrize("name", ["talk.pcapng", "talk.txt"])
def test_a_file_that_rotates_keeps_the_latest(tmp_path: Path, name: str) -> None:
    line = Line()
    capture = Capture(tmp_path / name, max_bytes=8192, rotate=True)
    capture.attach(line, "x")
    for k in range(1000):
        line.pass_(1, b"\x05%04d\0" % k, k)
    capture.close()
    assert not capture.full and capture.missed == 0
    paths = [tmp_path / (name + ".1"), tmp_path / name]
    assert all(path.stat().st_size <= 8192 for path in paths)
    found = [entry for path in paths for entry in read(path)]
    assert [e.data for e in found] == [b"\x05%04d\0" % k for k in range(1000 - len(found), 1000)]
    assert len(found) > 50 and {e.link for e in found} == {"x"}


def test_a_device_without_room_stops_the_capture_and_nothing_else() -> None:
    line = Line()
    capture = Capture("/dev/full")
    capture.attach(line)
    line.pass_(1, b"\x02a\0", 0)
    assert isinstance(capture.error, OSError) and capture.missed == 1
    capture.close()
    assert line.tap is None


def test_one_driver_has_one_capture(tmp_path: Path) -> None:
    line = Line()
    first = Capture(tmp_path / "first.pcapng")
    second = Capture(tmp_path / "second.pcapng")
    first.attach(line)
    line.pass_(1, b"\x02a\0", 0)
    second.attach(line)
    line.pass_(1, b"\x02b\0", 0)
    first.close()
    line.pass_(1, b"\x02c\0", 0)
    second.detach(line)
    line.pass_(1, b"\x02d\0", 0)
    second.close()
    assert [e.data for e in read(tmp_path / "first.pcapng")] == [b"\x02a\0"]
    assert [e.data for e in read(tmp_path / "second.pcapng")] == [b"\x02b\0", b"\x02c\0"]


class TestOfALink:
    """Two limpets talk; one side's capture tells the talk."""

    def talk(self, path: Path, late: bool = False, **options: object) -> str:
        pair = Pair(**options)
        capture = Capture(path, clock=clock)
        if not late:
            capture.attach(pair.drivers[0])
        far = Reader(pair.buses[1], ["$.News.*"], ["$.Ask"])
        pair.connect()
        if late:
            capture.attach(pair.drivers[0])
        ks = pair.buses[0].ksock()
        for text in (b"one", b"two"):
            ks.announce("$.News.Today", text)
            pair.run(100)
        ks.request("$.Ask", b"?", 1000)
        pair.run(50)
        for message in far.read():
            if message.wants_reply:
                far.ks.reply(message, b"!!")
        pair.run(50)
        ks.request("$.Ask", b"", None)
        far.ks.unbind("$.Ask", True)
        pair.run(100)
        capture.close()
        out = io.StringIO()
        dump(read(path), out)
        return out.getvalue()

    def test_records_have_their_names(self, tmp_path: Path) -> None:
        text = self.talk(tmp_path / "x.pcapng")
        for told in (
            r"> HELO NEED node 11\.\w+ epoch",
            r"< \w+ seq 0 ack \d limpet: listen \$\.News\.\*; replier \$\.Ask",
            r"context 0 is \$\.News\.Today from Ksock \d+; announcement \$\.News\.Today from "
            r"Ksock \d+ number 1 3 bytes",
            r"> \w+ seq 1 ack 1 limpet: announcement \$\.News\.Today from Ksock \d+ number 2 3 by",
            r"request \$\.Ask from Ksock \d+ number 3 tag \d+ within 1000 ms 1 bytes",
            r"< .* reply to tag \d+ \$\.Ask from Ksock \d+ number \d+ 2 bytes",
            r"< .* tag \d+ ends in \$\.KBUS\.RemoteError\.EADDRNOTAVAIL 0 bytes",
            r"< \w+ ack 3",
        ):
            assert re.search(told, text), told
        assert "malformed" not in text and "unknown" not in text

    def test_keys_and_pieces(self, tmp_path: Path) -> None:
        """The trailer is no part of the records, and a record in pieces is told at its end."""
        key = {"key": bytes(range(32)), "packet_size": 96}
        with Capture(tmp_path / "x.txt", clock=clock) as capture:
            size = {"slot_size": 300}
            pair = Pair(a=size, b=size, join_a=key, join_b=key)
            capture.attach(pair.drivers[0])
            far = Reader(pair.buses[1], ["$.News.*"])
            pair.connect()
            ks = pair.buses[0].ksock()
            for size in (2, 200, 3):
                ks.announce("$.News.Today", bytes(size))
                pair.run(100)
        assert [len(m.data) for m in far.read()] == [2, 200, 3]
        text = (tmp_path / "x.txt").read_text()
        assert re.search(r"> HELO NEED KEYED node", text)
        assert re.search(r"< \w+ counter \.\.0000 seq 0 ack 0 limpet: listen \$\.News\.\* ", text)
        assert re.search(
            r"limpet: the last piece \d+ bytes of announcement \$\.News\.Today from Ksock \d+ "
            r"number 2 200 bytes",
            text,
        )
        assert re.search(
            r"limpet: announcement \$\.News\.Today from Ksock \d+ number 3 3 bytes", text
        )

    def test_the_count_of_datagrams(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """It is no part of the packet either."""
        monkeypatch.setattr("helpers_bus.End.datagrams", True)
        text = self.talk(tmp_path / "x.pcapng")
        for told in (
            r"> HELO NEED COUNTED node",
            r"> \w+ count 000\d seq 1 ack 1 limpet: announcement \$\.News\.Today from Ksock \d+ "
            r"number 2 3 bytes",
            r"< \w+ count 000\d ack 3",
        ):
            assert re.search(told, text), told
        assert "malformed" not in text and "unknown" not in text

    def test_one_that_begins_within_a_session(self, tmp_path: Path) -> None:
        text = self.talk(tmp_path / "x.pcapng", late=True)
        lines = text.splitlines()[1:]
        assert "unknown session" in lines[0]
        assert sum("session ?" in line for line in lines) >= len(lines) - 2
        assert "ends in $.KBUS.RemoteError.EADDRNOTAVAIL" in text

    def test_a_bad_line_is_told_as_it_is(self, tmp_path: Path) -> None:
        line = {"corrupt": 0.2, "loss": 0.1}
        text = self.talk(tmp_path / "x.txt", seed=4, line=line)
        assert re.search(r"< .*(damaged|no frame|without)", text)
        assert re.search(r"> \w+ again seq", text)
        assert (tmp_path / "x.txt").read_text() == text

    def test_both_ends_of_a_line_in_one_file(self, tmp_path: Path) -> None:
        pair = Pair()
        with Capture(tmp_path / "x.pcapng", clock=clock) as capture:
            for k in range(2):
                capture.attach(pair.drivers[k], "end%d" % k)
            pair.connect()
            pair.run(100)
        sent = {"end0": b"", "end1": b""}
        heard = {"end0": b"", "end1": b""}
        for entry in read(tmp_path / "x.pcapng"):
            where = sent if entry.out else heard
            where[entry.link] += entry.data
        assert sent["end0"] == heard["end1"] and sent["end1"] == heard["end0"]
        assert sent["end0"] and sent["end1"]


def test_links_are_numbered_in_blocks() -> None:
    """A block of each kind has the size that it says, twice."""
    writer = pcapng.Writer()
    for block in (
        writer.head(),
        writer.link("uart0"),
        writer.entry(0, Entry(1 << 40, "uart0", True, b"\x02a\0")),
    ):
        assert len(block) % 4 == 0
        assert block[4:8] == block[-4:] == len(block).to_bytes(4, "little")
