# SPDX-License-Identifier: MIT
"""The benchmarks measure what they say: ratios, turns, sums that a broken bus cannot reach."""

import ast
import gc
import io
import json
import os
import subprocess
import sys
import time

import pytest
from rich.console import Console

import layout
from bench import __main__ as program
from bench import (
    bus,
    bus_ours,
    bus_peers,
    bus_vm,
    codec,
    codec_vm,
    figures,
    link,
    link_real,
    measure,
    report,
    values,
)
from bench.measure import BURST, BURST_SUM, PAYLOADS, Pair
from limpet.hot import Hot

KEYS = {
    "bus.announce_1_1.vs_pyzmq",
    "bus.announce_1_10.vs_pyzmq",
    "bus.by_name_1_1.vs_pyzmq",
    "bus.comfortable_1_1.vs_pyzmq",
    "bus.request_1.vs_pyzmq",
    "bus.call_async_1.vs_event",
    "bus.announce_1_1.vs_pybusline",
    "bus.announce_1_1.vs_blinker",
    "bus.announce_1_1.vs_pypubsub",
    "bus.announce_bindings_1000.vs_10",
    "bus.micropython.announce_1_1.vs_deque",
    "bus.micropython.announce_1_10.vs_deque",
    "bus.micropython.heap_8m.vs_128k",
    "codec.32B.vs_c",
    "codec.200B.vs_c",
    "codec.micropython_200B.vs_crc32",
    "link.udp_ping.vs_raw",
    "link.udp_driver_ping.vs_raw",
    "link.pty.vs_raw",
}
READINGS = {value.key: values.Reading(0.9, 0.5, None) for value in values.VALUES}
SAMPLES = {key: [(1.0, 2.0), (6.0, 2.0), (2.0, 1.0)] for key in KEYS}


class FakeWork:
    """A work that reads what it should, and writes down when it was called."""

    readers = 1

    def __init__(self, name, calls, wrong=0, unread=0):
        self.name, self.calls, self.wrong, self.unread = name, calls, wrong, unread

    def __call__(self, count):
        self.calls.append((self.name, count, gc.isenabled()))
        return count // BURST * BURST_SUM + self.wrong

    def left(self):
        return self.unread

    def close(self):
        self.calls.append((self.name, "closed"))


def ticking():
    """Return a clock that goes on by one second at each look."""
    now = [0]

    def clock():
        now[0] += 1
        return now[0]

    return clock


def figure(key):
    return next(f for f in figures.FIGURES if f.key == key)


def test_a_figure_is_the_median_of_the_ratios_of_the_rounds():
    rounds = [(1.0, 2.0), (6.0, 2.0), (2.0, 1.0)]
    assert figures.ratio(figure("bus.request_1.vs_pyzmq"), rounds) == 2.0
    assert figures.times(figure("bus.request_1.vs_pyzmq"), rounds) == (2.0, 2.0)
    assert figures.middle(rounds) == (1.25, 2.5)
    assert figures.middle(rounds[:1]) == (0.5, 0.5)


def test_the_heap_is_judged_by_the_fastest_rounds():
    rounds = [(3.0, 2.0), (6.0, 1.0), (4.0, 5.0)]
    heap = figure("bus.micropython.heap_8m.vs_128k")
    assert figures.ratio(heap, rounds) == 3.0
    assert figures.times(heap, rounds) == (3.0, 1.0)
    assert bus.heap_rounds(9, quick=False) >= 15
    assert bus.heap_rounds(40, quick=False) == 40
    assert bus.heap_rounds(1, quick=True) == 1


def test_the_json_has_every_key_and_is_flat():
    found = json.loads(json.dumps(figures.flat(SAMPLES)))
    assert {key for key in found if ".vs_" in key} == KEYS
    assert not set(found) & set(values.flat(READINGS))
    assert all(isinstance(value, float) for value in found.values())
    assert found["bus.announce_1_1.vs_pyzmq"] == 2.0
    assert found["bus.announce_1_1.us"] == 2.0
    assert found["bus.announce_1_1.blinker_us"] == 2.0
    assert found["bus.micropython.heap_8m.128k_us"] == 1.0


def test_our_time_is_that_beside_the_first_peer():
    samples = {**SAMPLES, "bus.announce_1_1.vs_pypubsub": [(9.0, 9.0)]}
    assert figures.flat(samples)["bus.announce_1_1.us"] == 2.0


def test_pairs_are_measured_by_turns_without_the_collector():
    calls = []
    pairs = [
        Pair(key, FakeWork(key + "1", calls), FakeWork(key + "2", calls), 128, 192)
        for key in ("a", "b")
    ]
    rounds = []
    samples = measure.run(pairs, 2, lambda: rounds.append(len(calls)), ticking())
    turn = [("a1", 128, False), ("a2", 192, False), ("b1", 128, False), ("b2", 192, False)]
    assert calls[4:] == turn + turn
    assert rounds == [8, 12]
    assert samples["a"] == [(1e6 / 128, 1e6 / 192)] * 2
    assert gc.isenabled()


@pytest.mark.parametrize(
    ("fault", "said"),
    [({"wrong": -1}, "not what was sent"), ({"unread": 3}, "3 messages were left")],
)
def test_a_work_that_went_wrong_is_not_measured(fault, said):
    bad = FakeWork("bad", [], **fault)
    with pytest.raises(layout.Trouble, match=said):
        measure.timed(bad, 64, "bad", ticking())
    assert gc.isenabled()


def test_the_sum_shows_each_message_that_is_missing():
    """Whoever reads on without a message sees the first byte of the last one again."""
    firsts = [data[0] for data in PAYLOADS]
    assert len(set(firsts)) == BURST and {len(data) for data in PAYLOADS} == {32}
    for lost in range(BURST):
        heard = firsts[:lost] + firsts[lost + 1 :]
        assert sum(heard) + heard[-1] != BURST_SUM


@pytest.mark.parametrize(
    "name", ["Announce", "ByName", "Comfortable", "Request", "Call"], ids=lambda n: n
)
def test_our_works_do_what_they_are_measured_for(name):
    work = getattr(bus_ours, name)()
    try:
        assert work(2 * BURST) == 2 * BURST_SUM * work.readers
        assert work.left() == 0
    finally:
        work.close()


def test_a_bus_that_loses_a_message_is_found_out(monkeypatch):
    work = bus_ours.Announce(2)
    announce = Hot.announce

    def lossy(self, name, data):
        return 1 if data is PAYLOADS[7] else announce(self, name, data)

    monkeypatch.setattr(Hot, "announce", lossy)
    with pytest.raises(layout.Trouble, match="not what was sent"):
        measure.timed(work, BURST, "lossy", ticking())
    monkeypatch.undo()
    while work.left():
        pass
    work.sender.hot.announce(work.name, b"one too many")
    assert work.left() == 2
    work.close()


def test_other_names_are_bound_where_they_are_counted():
    work = bus_ours.Announce(1, 1000)
    assert len(work.bus.ksocks) == 102
    work.close()


def test_the_tables_fit_a_terminal():
    readings = {**READINGS, "link.overhead_bytes": values.Reading(12.345, 11.0, 11.0)}
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(report.terminal(SAMPLES))
    console.print(report.terminal_values(readings))
    text = console.export_text()
    assert "…" not in text and "missed" in text
    lines = [line.split() for line in text.splitlines()]
    assert ["overhead_bytes", "12.35", "11.00", "11.00", "<=", "11", "missed"] in lines
    assert len([words for words in lines if words]) == 4 + len(KEYS) + len(values.VALUES)


def test_a_missing_peer_is_told():
    with pytest.raises(layout.Trouble, match=r"blinker does not import.*make bench"):
        bus_peers.need("no_such_module", "blinker")


def test_every_figure_is_measured_somewhere(monkeypatch):
    """With our own works in place of the peers, which `make bench-quick` runs in earnest."""
    for peer in ("ZmqPubSub", "Busline", "Blinker", "PyPubSub"):
        monkeypatch.setattr(bus_peers, peer, bus_ours.Announce)
    monkeypatch.setattr(bus_peers, "ZmqRequest", bus_ours.Request)
    samples = {}
    for make in (bus.pairs, codec.pairs, link_real.ping_pairs, link_real.block_pairs):
        samples.update(measure.together(lambda make=make: make(quick=True), 1))
    keys = [*samples, *bus_vm._KEYS.values(), bus_vm._HEAP_KEY, codec_vm.KEY]
    assert len(keys) == len(set(keys))
    assert set(keys) == KEYS == {f.key for f in figures.FIGURES}
    assert all(ours > 0 and peer > 0 for [(ours, peer)] in samples.values())


def test_far_ends_end_with_their_parent():
    """Also with one that was killed, and whatever they wait for."""
    script = """
import os
from bench import link_real
works = [w for make in (link_real.ping_pairs, link_real.block_pairs) for w in make(True)]
print(*[work._far._pid for pair in works for work in (pair.ours, pair.peer)], flush=True)
os._exit(1)
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        timeout=30,
    )
    left = [int(pid) for pid in done.stdout.split()]
    assert len(left) == 6
    limit = time.monotonic() + 10
    while left and time.monotonic() < limit:
        time.sleep(0.05)
        left = [pid for pid in left if os.path.exists(f"/proc/{pid}/fd/0")]
    assert not left


def test_every_value_is_found_somewhere():
    keys = [job.key for job in link.jobs()]
    assert len(keys) == len(set(keys))
    assert {*keys, "link.pty_MBps"} == {value.key for value in values.VALUES}
    wanted = ["link.overhead_bytes", "link.overhead_bytes_back", "link.overhead_bytes_saturated"]
    wanted += [
        f"link.goodput_{size}B_{baud}.loss{loss}"
        for size in (200, 32)
        for baud in (115200, 921600)
        for loss in (0, 1, 5)
    ]
    wanted += ["link.request_p99_ms.idle_115200", "link.request_p99_ms.bulk_115200"]
    assert set(wanted) <= set(keys)


def test_values_stand_beside_those_of_t_min():
    found = values.flat(
        {**READINGS, "link.goodput_200B_115200.loss0": values.Reading(0.95, 0.11, 0.94)}
    )
    assert found["link.goodput_200B_115200.loss0"] == 0.95
    assert found["link.goodput_200B_115200.loss0.tmin"] == 0.11
    assert found["link.goodput_200B_115200.loss0.tmin_tuned"] == 0.94
    assert "link.pty_MBps.tmin_tuned" not in found
    assert all(isinstance(value, float) for value in found.values())


def test_the_least_and_the_most():
    by_key = {value.key: value for value in values.VALUES}
    share = by_key["link.goodput_200B_115200.loss0"]
    assert values.within(share, 0.9397) and not values.within(share, 0.9394)
    bytes_sent = by_key["link.overhead_bytes"]
    assert values.within(bytes_sent, 11.004) and not values.within(bytes_sent, 11.006)
    assert values.within(by_key["link.goodput_200B_12M.loss0"], 0.0)
    readings = {share.key: values.Reading(0.93, 0.11, None)}
    assert values.row([share], readings)[1:] == ["0.930", "0.110", "", "at least 0.94 missed"]


def test_losses_stand_side_by_side():
    found = report.value_groups()
    lines = [line for lines in found.values() for line in lines.values()]
    assert {len(line) for line in lines} == {1, 3}
    assert sum(map(len, lines)) == len(values.VALUES)
    line = [v for v in values.VALUES if v.key.startswith("link.request_p99_ms.idle_115200")]
    readings = {v.key: values.Reading(8.0 + i, 9.0) for i, v in enumerate(line)}
    cells = ["8.0 / 9.0 / 10.0", "9.0 / 9.0 / 9.0", "", "at most 10 / - / -"]
    assert values.row(line, readings)[1:] == cells


def test_micropython_has_the_same_messages():
    path = layout.ROOT / "tests/bench/bus_micropython.py"
    names = {}
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]).isupper():
            exec(ast.unparse(node), names)
    assert (names["BURST"], names["PAYLOADS"]) == (BURST, PAYLOADS)
    assert names["BURST_SUM"] == BURST_SUM
    assert names["NAME"] == bus_ours.NAME == bus_peers._NAME


@pytest.fixture
def fake_vm(tmp_path, monkeypatch):
    """Have bus_vm run a script instead of the VM."""

    def become(script):
        path = tmp_path / "vm"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        monkeypatch.setattr(bus_vm.vms, "vm", lambda bits: path)
        return tmp_path

    return become


def test_what_the_vm_prints_is_read(fake_vm):
    folder = fake_vm('test "$5" = announce && echo "1 4.5 0.5"; echo "10 20 1"')
    samples = bus_vm.announce(folder, 1, quick=True)
    assert samples[bus_vm._KEYS["1"]] == [(4.5, 0.5)]
    assert samples[bus_vm._KEYS["10"]] == [(20.0, 1.0)]


def test_heaps_are_measured_by_turns(fake_vm):
    folder = fake_vm('echo "$2" >> "$0.log"; echo 3; test "$2" = heapsize=8m && echo 2 || echo 4')
    rounds = []
    assert bus_vm.heap(folder, 2, True, lambda: rounds.append(1)) == {
        bus_vm._HEAP_KEY: [(2.0, 3.0), (2.0, 3.0)]
    }
    asked = (folder / "vm.log").read_text().split()
    assert asked == ["heapsize=8m", "heapsize=128k"] * 2
    assert len(rounds) == 2


def test_a_vm_that_fails_is_told(fake_vm):
    folder = fake_vm("echo MemoryError: no room >&2; exit 1")
    with pytest.raises(layout.Trouble, match="heap of 1m: MemoryError: no room"):
        bus_vm.announce(folder, 1, quick=True)
    folder = fake_vm('echo "1 4.5 0.5"')
    with pytest.raises(layout.Trouble, match="0 rounds were measured, not 1"):
        bus_vm.announce(folder, 1, quick=True)


def test_the_tables_go_between_the_markers():
    tables = report.markdown(SAMPLES, READINGS, "Measured with care.")
    text = f"# Before\n{report.BEGIN}\nold\n{report.END}\nAfter\n"
    once = report.fill(text, tables)
    assert once.startswith(f"# Before\n{report.BEGIN}\n\nMeasured with care.\n")
    assert once.endswith(f" |\n\n{report.END}\nAfter\n")
    assert "old" not in once
    assert report.fill(once, tables) == once
    rows = [line for line in tables.splitlines() if line.startswith("| ")]
    ratios = [line for line in rows if line.count("|") == 8]
    assert len(ratios) == len(KEYS) + len(report.groups())
    lines = [line for lines in report.value_groups().values() for line in lines]
    assert len(rows) == len(ratios) + len(lines) + len(report.value_groups())
    # No column stays empty: T-MIN was tuned in none of these.
    assert {line.count("|") for line in rows} <= {8, 4, 5}
    asked = "| request, read, reply, read; one thread | 2.00 | pyzmq DEALER/ROUTER | 2.00 | 2.00 |"
    assert asked + " 1.25-2.50 | 0.35 missed |" in rows


@pytest.mark.parametrize(
    "text",
    ["", report.BEGIN, report.END + report.BEGIN, report.BEGIN * 2 + report.END],
    ids=["none", "no end", "wrong order", "twice"],
)
def test_a_document_without_its_markers_is_refused(text):
    with pytest.raises(layout.Trouble, match="the document needs"):
        report.fill(text, "tables")


def test_the_document_has_its_markers():
    report.fill(program._DOCUMENT.read_text(encoding="utf-8"), "tables")


def test_a_target_is_met_as_it_is_shown():
    request = figure("bus.request_1.vs_pyzmq")
    assert report.within(request, 0.354)
    assert not report.within(request, 0.356)
    assert report.within(request._replace(target=None), 99.0)


@pytest.fixture
def measured(tmp_path, monkeypatch):
    """Run the program without measuring: returns (the file names written, what was asked for)."""
    asked = []

    def run(rounds, quick):
        asked.append((rounds, quick))
        return SAMPLES, READINGS, None

    document = tmp_path / "performance.md"
    document.write_text(f"{report.BEGIN}\n{report.END}\n")
    for name, value in (("BUILD", tmp_path), ("ROOT", tmp_path), ("_DOCUMENT", document)):
        monkeypatch.setattr(program, name, value)
    monkeypatch.setattr(program, "run", run)
    monkeypatch.setattr(program, "told", lambda rounds, cpu: f"{rounds} rounds.")
    monkeypatch.delenv("BENCH_ROUNDS", raising=False)

    def start(*args):
        monkeypatch.setattr(sys, "argv", ["bench", *args])
        program.main()
        changed = ["document"] if "rounds." in document.read_text() else []
        return asked, changed + [path.name for path in tmp_path.glob("*.json")]

    return start


def test_a_quick_run_writes_nothing(measured, capsys):
    assert measured("--quick") == ([(1, True)], [])
    assert f"{len(KEYS) + len(values.VALUES)} figures" in capsys.readouterr().out


def test_a_full_run_writes_both(measured, capsys):
    asked, written = measured("--json")
    assert asked == [(25, False)] and written == ["document", "bench.json"]
    found = json.loads(capsys.readouterr().out)
    assert found == {**figures.flat(SAMPLES), **values.flat(READINGS)}


def test_few_rounds_leave_the_document_alone(measured, monkeypatch, capsys):
    monkeypatch.setenv("BENCH_ROUNDS", "8")
    assert measured() == ([(8, False)], ["bench.json"])
    assert "bus.announce_1_1.vs_pyzmq" in capsys.readouterr().out
    monkeypatch.setenv("BENCH_ROUNDS", "many")
    with pytest.raises(layout.Trouble, match="'many'"):
        measured()
