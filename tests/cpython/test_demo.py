# SPDX-License-Identifier: MIT
"""The demo's books are not fooled: each broken promise makes it fail. It leaves nothing behind."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

DEMO = Path(__file__).resolve().parents[2] / "examples/demo"
sys.path.insert(0, str(DEMO))

import counts  # noqa: E402
import relay  # noqa: E402
import run  # noqa: E402

BOOT = 123456789
LINE = re.compile(
    r"demo: requests=\d+ replies=\d+ statuses=\d+ unanswered=\d+ duplicated=\d+ announcements=\d+ "
    r"missed=\d+ retransmits=\d+ damaged=\d+ resets=\d+ reset_ms=\d+ rtt_ms_p50=\d+\.\d "
    r"rtt_ms_p99=\d+\.\d"
)


def reply(number, answered, boot=BOOT):
    return counts.REPLY.pack(number, boot, answered, 2150)


def light(number, boot=BOOT):
    return counts.ANNOUNCEMENT.pack(boot, number, 300)


def play(reset=None, skip=(), requests=500, announcements=100, at=100.0):
    """Return the books of a run of ten seconds, as it should be but for what is skipped.

    reset: the second of a kill; what is asked in the half second after it ends in a status, 30 ms
    after the new board's HELO. skip: numbers of requests that are left without an end, for a test
    to end them its own way.
    """
    books = counts.Counts()
    books.start, books.stop = at, at + 10
    back = 20.0 if reset is None else reset + 0.5  # when the next board is there
    notes = []
    answered = {BOOT: 0, BOOT + 1: 0}
    for i in range(requests):
        sent = i * 10 / requests
        books.asked(i + 1, at + sent)
        boot = BOOT + (sent >= back)
        if i + 1 in skip:
            continue
        if reset is not None and reset <= sent < back:
            end = ("$.KBUS.Link.Lost", "unknown", at + back + 0.03)
            notes.append((back + 0.03, books.told, i + 1, *end))
        else:
            answered[boot] += 1
            data = reply(i + 1, answered[boot], boot)
            notes.append((sent + 0.002, books.replied, i + 1, data, at + sent + 0.002))
    for i in range(announcements):
        heard = i * 10 / announcements
        if reset is None or not reset <= heard < back:
            notes.append((heard, books.heard, light(i + 1, BOOT + (heard >= back)), at + heard))
    for _, note, *fields in sorted(notes, key=lambda note: note[0]):
        note(*fields)
    if reset is not None:
        times = {"hello": at + back, "silent": at + reset + 1}
        books.resets.append(counts.Reset(at + reset, **times))
    return books


def only_problem(books):
    (problem,) = books.problems()
    return problem


@pytest.mark.parametrize("reset", [None, 5.0])
def test_a_run_as_it_should_be_has_no_problems(reset):
    assert play(reset).problems() == []


def test_the_last_line_has_the_agreed_form_and_the_counted_numbers():
    line = play(5.0).line(retransmits=7, damaged=9)
    assert LINE.fullmatch(line)
    assert line.startswith("demo: requests=500 replies=475 statuses=25 unanswered=0 duplicated=0 ")
    assert "announcements=95 missed=0 retransmits=7 damaged=9 resets=1 reset_ms=30 " in line
    assert line.endswith("rtt_ms_p50=2.0 rtt_ms_p99=2.0")


def test_a_request_without_an_end_is_a_failure():
    books = play()
    books.asked(501, 109.99)
    assert only_problem(books) == "1 requests have not ended"
    assert " unanswered=1 " in books.line(0, 0)


@pytest.mark.parametrize("status", [False, True])
def test_a_second_end_is_a_failure(status):
    books = play()
    if status:
        books.told(300, "$.KBUS.Replier.Expired", "unknown", 108.0)
    else:
        books.replied(300, reply(300, 300), 106.1)
    assert "request 300 ended reply and" in only_problem(books)
    assert " duplicated=1 " in books.line(0, 0)


def test_a_reply_after_the_status_is_a_failure():
    books = play(skip=[300])
    books.told(300, "$.KBUS.Replier.Expired", "unknown", 108.0)
    books.replied(300, reply(300, 300), 108.1)
    assert any("ended $.KBUS.Replier.Expired and reply" in p for p in books.problems())


def test_an_end_that_nobody_asked_for_is_a_failure():
    books = play()
    books.told(777, "$.KBUS.Link.Lost", "unknown", 105.0)
    assert "request 777, which nobody has sent" in only_problem(books)


def test_replies_out_of_order_are_a_failure():
    books = play(skip=[499, 500])
    books.replied(500, reply(500, 499), 109.99)
    books.replied(499, reply(499, 500), 110.0)
    assert only_problem(books) == "the reply to request 499 came after that to 500"


def test_a_reply_to_another_request_is_a_lie():
    books = play(skip=[499, 500])
    books.replied(499, reply(500, 499), 109.99)
    books.replied(500, reply(499, 500), 110.0)
    assert [p.split(":")[0] for p in books.problems()] == ["a lie", "a lie"]


@pytest.mark.parametrize(
    ("status", "executed", "ran", "is_lie"),
    [
        ("$.KBUS.Link.Down", "no", False, False),
        ("$.KBUS.Link.Down", "no", True, True),
        ("$.KBUS.Link.Lost", "unknown", False, False),
        ("$.KBUS.Link.Lost", "unknown", True, False),
    ],
)
def test_a_status_must_tell_truly_whether_the_request_ran(status, executed, ran, is_lie):
    books = play(skip=[499, 500])
    books.told(499, status, executed, 109.99)
    books.replied(500, reply(500, 500 if ran else 499), 110.0)
    problems = books.problems()
    assert [p.split(":")[0] for p in problems] == (["a lie"] if is_lie else [])


def test_a_request_that_ran_twice_is_a_lie():
    books = play(skip=[500])
    books.replied(500, reply(500, 501), 110.0)
    assert "the board ran 1 others" in only_problem(books)


def test_a_request_that_ran_twice_on_a_new_board_is_a_lie():
    books = counts.Counts()
    for number in (1, 2, 3):
        books.asked(number, 100.0)
    books.replied(1, reply(1, 1), 100.0)
    books.told(2, "$.KBUS.Link.Down", "no", 100.0)
    books.replied(3, reply(3, 2, BOOT + 1), 100.0)
    assert any("a lie: before request 3 the board ran 1" in p for p in books.problems())


def test_an_announcement_that_comes_twice_is_a_failure():
    books = play()
    books.heard(light(100), 109.99)
    assert only_problem(books) == "announcement 100 came twice"
    assert " duplicated=1 " in books.line(0, 0)


def test_announcements_out_of_order_are_a_failure():
    books = play(announcements=99)
    books.heard(light(101), 109.95)
    books.heard(light(100), 109.99)
    assert only_problem(books) == "announcement 100 came after 101"


def test_gaps_in_the_announcements_are_counted_and_are_no_failure():
    books = play(announcements=95)
    books.heard(light(99), 109.99)
    assert books.problems() == []
    assert " announcements=96 missed=3 " in books.line(0, 0)


def test_numbers_may_begin_again_only_with_a_new_board():
    books = play()
    books.heard(light(1, BOOT + 1), 109.99)
    assert books.problems() == []
    books.heard(light(1), 109.99)
    assert any("earlier board" in p for p in books.problems())


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"requests": 440, "announcements": 100}, "only 44.0 requests a second, 45 are due"),
        ({"requests": 500, "announcements": 89}, "only 8.9 announcements a second, 9 are due"),
        ({"requests": 0, "announcements": 100}, "only 0.0 requests a second, 45 are due"),
    ],
)
def test_too_little_traffic_is_a_failure(changes, sentence):
    assert only_problem(play(**changes)) == sentence


def test_too_few_replies_are_a_failure():
    books = play(skip=range(495, 501))
    for number in range(495, 501):
        books.told(number, "$.KBUS.Replier.Expired", "unknown", 113.0)
    assert only_problem(books) == "only 494 replies to 500 requests away from resets"


@pytest.mark.parametrize(
    ("first", "last", "is_excused"), [(201, 300, True), (201, 306, False), (194, 300, False)]
)
def test_a_reset_excuses_one_second_around_it_and_no_more(first, last, is_excused):
    lost = range(first, last + 1)  # sent within one second of the kill: requests 201 to 300
    books = play(5.0, skip=lost)
    for number in lost:
        books.told(number, "$.KBUS.Link.Lost", "unknown", 105.53)
    late = [p for p in books.problems() if p.endswith("away from resets")]
    assert len(late) != is_excused


def test_ends_that_come_late_after_the_new_board_are_a_failure():
    books = play(5.0)
    books.resets[0].hello = 105.42
    problem = "requests ended 110 ms after the new board's HELO, 100 are allowed"
    assert only_problem(books) == problem


@pytest.mark.parametrize("hello", [0.0, 106.5])
@pytest.mark.parametrize(("took_ms", "is_late"), [(990, False), (1010, True)])
def test_without_a_new_board_requests_end_by_the_silence_limit(hello, took_ms, is_late):
    books = counts.Counts()
    books.asked(1, 104.99)
    books.told(1, "$.KBUS.Link.Lost", "unknown", 105 + took_ms / 1000)
    books.resets.append(counts.Reset(105.0, hello=hello, silent=106.0))
    assert books.reset_ms(books.resets[0]) == pytest.approx(took_ms)
    late = [p for p in books.problems() if "after the kill, 1000 are allowed" in p]
    assert len(late) == is_late


def test_a_board_that_does_not_come_back_is_a_failure():
    books = play(5.0)
    books.resets[0].hello = 0.0
    assert any("has sent no HELO" in p for p in books.problems())


# The line


@pytest.fixture
def pipes():
    """Two pipes: what is written into the first can be read from the last, once passed on."""
    source, feed = os.pipe()
    drain, target = os.pipe()
    os.set_blocking(target, False)
    yield feed, source, target, drain
    for fd in (feed, source, target, drain):
        os.close(fd)


def test_an_undamaged_line_passes_every_byte_however_it_is_cut(pipes):
    feed, source, target, drain = pipes
    way = relay.Way(source, target, 0.0)
    sent = b"\0abc\0\0d\0" + bytes(range(1, 256)) + b"\0"
    whole = []
    for i in range(len(sent)):
        os.write(feed, sent[i : i + 1])
        whole += way.move()
    assert os.read(drain, 4096) == sent
    assert [f for f in whole if f] == [b"abc", b"d", bytes(range(1, 256))]
    assert way.damaged == 0


def test_a_damaged_frame_differs_and_is_counted(pipes):
    feed, source, target, drain = pipes
    way = relay.Way(source, target, 1.0)
    for frame in (b"\x01", b"abc", bytes(range(1, 256))):
        damaged = way.damaged
        os.write(feed, frame + b"\0\0")
        assert not any(way.move())
        got = os.read(drain, 4096)
        assert len(got) == len(frame) + 2
        assert sum(a != b for a, b in zip(frame, got)) == 1
        assert way.damaged == damaged + 1


def test_bytes_that_are_no_frame_pass_too(pipes):
    feed, source, target, drain = pipes
    way = relay.Way(source, target, 0.0)
    os.write(feed, b"x" * (relay.FRAME_MAX + 1))
    way.move()
    assert os.read(drain, 4096) == b"x" * (relay.FRAME_MAX + 1)


@pytest.mark.parametrize("frame", [b"", b"\x05abc", b"\x03\x80\x02", b"\x01", bytes(range(1, 30))])
def test_only_a_hello_is_taken_for_one(frame):
    assert relay.node_epoch(frame) == b""


# The program

ENV = {"LIMPET_VM32": sys.executable, "LIMPET_VM64": sys.executable}


def test_options_have_defaults():
    options = run.Options.of({**ENV, "DEMO_LOSS": "", "DEMO_VM": ""})
    assert (options.seconds, options.loss, options.reset, options.vm) == (10, 0, False, "unix32")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DEMO_SECONDS", "ten"),
        ("DEMO_SECONDS", "0"),
        ("DEMO_SECONDS", "nan"),
        ("DEMO_LOSS", "5%"),
        ("DEMO_LOSS", "1.5"),
        ("DEMO_RESET", "yes"),
        ("DEMO_VM", "wasm32"),
        ("LIMPET_VM32", "/nowhere"),
    ],
)
def test_a_bad_option_is_named(name, value):
    with pytest.raises(run.Trouble, match=f"{name}.*{value}"):
        run.Options.of({**ENV, name: value})


def test_a_reset_needs_time_around_it():
    with pytest.raises(run.Trouble, match="at least 3"):
        run.Options.of({**ENV, "DEMO_RESET": "1", "DEMO_SECONDS": "2"})


def start(tmp_path, script):
    """Start the demo with a script in the place of the board's MicroPython."""
    vm = tmp_path / "vm"
    vm.write_text("#!/bin/sh\n" + script)
    vm.chmod(0o755)
    env = {**os.environ, "LIMPET_VM32": str(vm), "TMPDIR": str(tmp_path)}
    env["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    env.update(DEMO_SECONDS="3", DEMO_LOSS="0", DEMO_RESET="0", DEMO_VM="unix32")
    return subprocess.Popen(
        [sys.executable, str(DEMO / "run.py")],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_board_that_does_not_start_is_told_with_its_own_words(tmp_path):
    demo = start(tmp_path, "echo no such opcode >&2; exit 3\n")
    _, errors = demo.communicate(timeout=60)
    assert demo.returncode == 1
    assert errors == ("demo: the board process has ended (exit status 3): no such opcode\n")
    assert [p.name for p in tmp_path.iterdir()] == ["vm"]


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_nothing_is_left_when_it_is_stopped(tmp_path, number, status):
    pids = tmp_path / "pids"
    os.mkfifo(pids)
    demo = start(tmp_path, f"echo $$ > {pids}\nexec sleep 1000\n")
    board = int(pids.read_text())
    demo.send_signal(number)
    _, errors = demo.communicate(timeout=60)
    assert demo.returncode == status
    assert "Traceback" not in errors
    with pytest.raises(ProcessLookupError):
        os.kill(board, 0)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["pids", "vm"]
