# SPDX-License-Identifier: MIT
"""The Makefile's tools say what is wrong in one sentence, and never pass by finding nothing."""

import subprocess
import sys

import pytest

import alloc
import apt_sources
import compile_all
import fetch_micropython
import flash
import frames
import mpy
import size
import vms
from layout import ROOT, Trouble, boards, modules
from structure import source

_DEB822 = """# a comment
Types: deb deb-src
# another
URIs: http://mirror.example/debian/
Suites: bookworm
 bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main

Enabled: no
Types: deb
URIs: http://off.example/debian
Suites: trixie
Components: main
"""
_ONE_LINE = """
# deb http://commented.example/debian stable main
deb [arch=amd64 trusted=yes] http://inner.example/deb trixie main contrib # fast
deb-src http://mirror.example/debian trixie main
deb http://contrib.example/debian trixie contrib
deb http://other.example/tool nodistro main
deb cdrom:[Debian]/ bookworm main
"""


def _apt(root, deb822="", one_line=""):
    folder = root / "etc/apt/sources.list.d"
    folder.mkdir(parents=True)
    (folder / "debian.sources").write_text(deb822)
    (root / "etc/apt/sources.list").write_text(one_line)
    (folder / "old.sources.disabled").write_text(_DEB822)
    keys = root / "usr/share/keyrings"
    keys.mkdir(parents=True)
    (keys / "debian-archive-keyring.gpg").touch()
    return f"signed-by={root}/usr/share/keyrings/debian-archive-keyring.gpg"


def test_mirrors_come_from_both_kinds_of_apt_sources(tmp_path):
    key = _apt(tmp_path, _DEB822, _ONE_LINE)
    assert apt_sources.mirrors(tmp_path) == [
        apt_sources.Mirror("http://inner.example/deb", ("trusted=yes",)),
        apt_sources.Mirror("http://mirror.example/debian", (key,)),
    ]
    line = apt_sources.Mirror("http://a.example/debian", (key,)).line("trixie")
    assert line == f"deb [{key}] http://a.example/debian trixie main\n"


def test_no_usable_source_is_no_mirror(tmp_path):
    _apt(tmp_path)
    assert apt_sources.mirrors(tmp_path) == []
    assert apt_sources.mirrors(tmp_path / "nothing") == []


def test_fetching_where_it_cannot_work_says_what_to_do(monkeypatch):
    monkeypatch.setattr(fetch_micropython, "mirrors", list)
    monkeypatch.setattr(fetch_micropython.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(fetch_micropython.shutil, "which", lambda name: f"/usr/bin/{name}")
    with pytest.raises(Trouble, match="apt sources.*MICROPYTHON32=.*MICROPYTHON="):
        fetch_micropython.fetch([32, 64])
    monkeypatch.setattr(fetch_micropython.shutil, "which", lambda name: None)
    with pytest.raises(Trouble, match="apt-get and dpkg missing.*MICROPYTHON32="):
        fetch_micropython.fetch([32])
    monkeypatch.setattr(fetch_micropython.platform, "machine", lambda: "riscv64")
    with pytest.raises(Trouble, match="MICROPYTHON="):
        fetch_micropython.fetch([64])


@pytest.fixture
def pretend(tmp_path):
    """A program that answers as a VM with the words given."""

    def make(words):
        path = tmp_path / "vm"
        path.write_text(f"#!/bin/sh\necho {words}\n")
        path.chmod(0o755)
        return path

    return make


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("micropython 9223372036854775807 1 25 0", "not a 32-bit"),
        ("micropython 2147483647 1 23 0", "1.24 or newer"),
        ("cpython 2147483647 3 11 0", "not MicroPython"),
        ("hello", "does not run"),
        ("", "does not run"),
    ],
)
def test_a_wrong_vm_is_refused(pretend, words, why):
    with pytest.raises(Trouble, match=why):
        vms.probe(pretend(words), 32)


def test_a_right_vm_is_taken(pretend, tmp_path):
    assert vms.probe(pretend("micropython 2147483647 1 24 1"), 32) == "1.24.1"
    with pytest.raises(Trouble, match="does not run"):
        vms.probe(tmp_path / "nothing", 32)
    with pytest.raises(Trouble, match="does not run|not MicroPython"):
        vms.probe(sys.executable, 32)


def test_a_vm_that_does_not_run_leaves_no_launcher(pretend, tmp_path, monkeypatch):
    monkeypatch.setattr(vms, "BUILD", tmp_path)
    text = f"#!/bin/sh\n# named by the user\nexec {pretend('nothing')}\n"
    with pytest.raises(Trouble):
        fetch_micropython.install(64, text)
    assert list((tmp_path / "vm64").iterdir()) == []
    good = text.replace("named", "NAMED")
    pretend("micropython 9223372036854775807 1 25 0")
    fetch_micropython.install(64, good)
    assert fetch_micropython.current(64, "# NAMED")
    assert not fetch_micropython.current(64, "# fetched")
    pretend("broken")
    assert not fetch_micropython.current(64, "# NAMED")


_DUMP = """File a.py, code block '<module>' (descriptor: f7, bytecode @f8 14 bytes)
arg names:
(N_STATE 3)
(N_EXC_STACK 0)
  bc=0 line=1
File a.py, code block 'f' (descriptor: f7, bytecode @f8 22 bytes)
arg names: self a
(N_STATE 6)
(N_EXC_STACK 2)
  bc=0 line=1
  bc=3 line=3
File a.py, code block 'f' (descriptor: f7, bytecode @f8 22 bytes)
arg names: self
(N_STATE 9)
(N_EXC_STACK 0)
  bc=0 line=6
"""


def test_the_frames_of_hot_functions_are_counted_in_words():
    text = "class A:\n    def f(self, a):  # hot: x\n        pass\n"
    one = source("lib/limpet/a.py", text + text.replace("A", "B"))
    assert frames.words_of(one, _DUMP) == {"a.A.f": 12, "a.B.f": 9}
    with pytest.raises(Trouble, match="a.B.f is not in"):
        frames.words_of(one, _DUMP[: _DUMP.rindex("File")])


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ("", 0),
        ("all well\n", 0),
        ("alloc: 0 calls checked, 0 allocate\n", 0),
        ("alloc: 9 calls checked, 1 allocate\n", 1),
        ("alloc: 9 calls checked, 0 allocate\n", 1),
        ("alloc: 9 calls checked, 0 allocate\nTraceback\n", 0),
    ],
)
def test_the_allocation_test_must_end_with_its_line(said, status):
    with pytest.raises(Trouble):
        alloc.verdict(said, status)
    assert alloc.verdict("x\nalloc: 9 calls checked, 0 allocate\n", 0) == 9


def test_every_module_is_in_one_group_of_the_sizes():
    for name in modules("micropython"):
        assert size.group_of(name.removesuffix(".py")) in size.GROUPS
    listed = [name for names in size.GROUPS.values() for name in names]
    assert len(listed) == len(set(listed))
    with pytest.raises(Trouble, match="GROUPS"):
        size.group_of("limpet/unheard_of")


def test_the_sizes_table_names_nothing_that_is_gone():
    there = {name.removesuffix(".py") for name in modules("micropython")}
    assert {name for names in size.GROUPS.values() for name in names} - there == set()


def test_modules_are_measured_after_those_they_import(tmp_path):
    texts = {
        "limpet/__init__": "from .a import x",
        "limpet/a": "from .b import y\nfrom . import c",
        "limpet/b": "import limpet.transport.d",
        "limpet/c": "from .a import x",
        "limpet/m/__init__": "from ..z import x\nfrom .e import y",
        "limpet/m/e": "from .f import x\nfrom ..y import x",
        "limpet/m/f": "",
        "limpet/y": "",
        "limpet/z": "",
        "limpet/transport/__init__": "",
        "limpet/transport/d": "from ..c import z",
    }
    files = {}
    for name, text in texts.items():
        files[name] = tmp_path / name.replace("/", "_")
        files[name].write_text(text)
    order = size.in_order(files)
    assert sorted(order) == sorted(
        size.dotted(name) for name in texts if name != "limpet/__init__"
    )
    assert order.index("limpet.b") < order.index("limpet.a")
    assert order.index("limpet.transport.d") < order.index("limpet.b")
    # Its first module brings all that the package's own file imports.
    late = ["limpet.z", "limpet.y", "limpet.m.f", "limpet.m.e", "limpet.m"]
    assert [name for name in order if name in late] == late


def test_what_runs_on_boards_is_compiled():
    names = {str(path.relative_to(ROOT)) for path in compile_all.sources()}
    assert {"lib/limpet/ticks.py", "tests/run_upy.py", "tests/upy/unittest.py"} <= names
    assert not any(name.startswith(("tests/cpython", "tools", "ports/cpython")) for name in names)
    for name in modules("micropython").values():
        assert str(name.relative_to(ROOT)) in names


def test_native_code_is_recognised(tmp_path):
    path = tmp_path / "a.py"
    for text, native in (
        ("@micropython.viper\ndef f(): pass\n", True),
        ("class A:\n    @micropython.native\n    def f(self): pass\n", True),
        ("# no @micropython.viper here\n", False),
    ):
        path.write_text(text)
        assert mpy.is_native(path) is native


@pytest.fixture
def board_tree(tmp_path):
    """A tree with one board and one module of native code."""
    for name, text in (
        ("lib/limpet/__init__.py", ""),
        ("transport/__init__.py", ""),
        ("ports/micropython/port/__init__.py", "@micropython.viper\ndef f(): pass\n"),
        ("boards/pico/board.py", 'MARCH = "armv6m"\n'),
        ("boards/pico/main.py", ""),
        ("boards/half/board.py", ""),
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_flash_copies_the_library_then_the_program(board_tree):
    names = [name for name, _ in flash.plan("pico", board_tree)]
    assert names == [
        "lib/limpet/__init__.mpy",
        "lib/limpet/transport/__init__.mpy",
        "lib/limpet/port/__init__.mpy",
        "board.py",
        "main.py",
    ]
    (board_tree / "boards/pico/board.py").write_text("")
    assert "lib/limpet/port/__init__.py" in [name for name, _ in flash.plan("pico", board_tree)]


@pytest.mark.parametrize(
    ("board", "why"), [("", "say which"), ("nix", "nix"), ("half", "main.py")]
)
def test_flash_tells_which_boards_there_are(board_tree, board, why):
    with pytest.raises(Trouble, match=f"{why}.*boards: half, pico"):
        flash.plan(board, board_tree)


def test_flash_tells_what_is_wrong_with_a_port(tmp_path, monkeypatch):
    with pytest.raises(Trouble, match="PORT=/dev/"):
        flash.check_port("")
    with pytest.raises(Trouble, match="does not exist"):
        flash.check_port(str(tmp_path / "ttyACM0"))
    monkeypatch.setattr(flash.os, "access", lambda path, mode: False)
    with pytest.raises(Trouble, match="dialout"):
        flash.check_port("/dev/null")
    flash.check_port("socket://localhost:1")


def test_a_dry_run_of_every_board_tells_its_files():
    assert boards()
    for board in boards():
        done = subprocess.run(
            [sys.executable, "tools/flash.py", board, "--dry-run"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert f"boards/{board}/main.py -> :/main.py" in done.stdout
        assert "lib/limpet/__init__.py -> :/lib/limpet/__init__.mpy" in done.stdout


def test_flash_fails_with_one_sentence():
    done = subprocess.run(
        [sys.executable, "tools/flash.py", "no_such_board", "/dev/null"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("flash: boards/no_such_board/board.py does not exist")
    assert done.stderr.count("\n") == 1
