# SPDX-License-Identifier: MIT
"""The tree keeps its rules, and each rule is seen to fail on a source that breaks it."""

import pytest

import structure
from structure import source

_HEAD = '# SPDX-License-Identifier: MIT\n"""What it is for."""\n'


def test_the_tree_keeps_its_rules():
    sources = structure.read_tree()
    areas = {one.area for one in sources}
    assert {"lib", "transport", "ports/cpython", "ports/micropython", "tools"} <= areas
    assert structure.check(sources) == []


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("lib/limpet/bus.py", "import time"),
        ("lib/limpet/bus.py", "import random"),
        ("lib/limpet/bus.py", "import errno"),
        ("lib/limpet/bus.py", "import asyncio"),
        ("lib/limpet/bus.py", "import transport.uart"),
        ("lib/limpet/bus.py", "from .transport import uart"),
        ("lib/limpet/bus.py", "from .transport.uart import UARTDriver"),
        ("lib/limpet/bus.py", "from . import transport"),
        ("lib/limpet/bus.py", "from limpet import transport"),
        ("lib/limpet/bus.py", "from .host import x"),
        ("lib/limpet/bus.py", "from .port.codec import crc16"),
        ("lib/limpet/bus.py", "import limpet.port.codec"),
        ("lib/limpet/bus.py", "def f():\n    import os"),
        ("lib/limpet/bus.py", "os = __import__('os')"),
        ("lib/limpet/bus.py", "if 1:\n    from typing import Any"),
        ("lib/limpet/files/map.py", "from ..transport import uart"),
        ("lib/limpet/kbus/__init__.py", "from .. import transport"),
        ("lib/limpet/kbus/__init__.py", "from ..transport.uart import UARTDriver"),
        ("lib/limpet/kbus/ksock.py", "from ..host import x"),
        ("lib/limpet/kbus/ksock.py", "from ..port.codec import crc16"),
        ("lib/limpet/kbus/ksock.py", "from ...port import const"),
        ("transport/uart.py", "from ..host import x"),
        ("transport/uart.py", "from limpet.host import x"),
        ("transport/uart.py", "import serial"),
        ("transport/uart.py", "import machine"),
        ("transport/uart.py", "import dataclasses"),
        ("ports/cpython/port/__init__.py", "from ..bus import Bus"),
        ("ports/cpython/port/__init__.py", "from limpet import Bus"),
        ("ports/micropython/port/__init__.py", "import enum"),
        ("boards/x/board.py", "import machine"),
        ("boards/x/board.py", "from limpet import Bus"),
        ("boards/x/main.py", "from limpet.host import x"),
        ("boards/x/main.py", "from limpet.port.uart import x"),
        ("examples/example_a.py", "import machine"),
        ("examples/example_a.py", "from transport import uart"),
        ("tests/test_a.py", "from dataclasses import dataclass"),
        ("tests/test_a.py", "import ports.cpython"),
        ("tests/cpython/test_a.py", "import transport"),
        ("ports/cpython/host/a.py", "import transport"),
    ],
)
def test_a_forbidden_import_is_found(path, line):
    assert len(structure.check_imports(source(path, line))) == 1


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("lib/limpet/bus.py", "import struct"),
        ("boards/x/main.py", "import machine"),
        ("lib/limpet/bus.py", "from .port import const"),
        ("lib/limpet/bus.py", "from . import names"),
        (
            "lib/limpet/bus.py",
            "TYPE_CHECKING = False\nif TYPE_CHECKING:\n    from typing import Any",
        ),
        ("lib/limpet/aio.py", "import asyncio"),
        ("lib/limpet/files/map.py", "from ..port import const"),
        ("lib/limpet/kbus/__init__.py", "from ..core import Core\nfrom .ksock import Ksock"),
        ("lib/limpet/kbus/ksock.py", "from .. import names, port"),
        ("transport/uart.py", "from ..link import Link\nfrom limpet.port import open_uart"),
        ("ports/cpython/port/__init__.py", "import os, serial\nfrom .codec import crc16"),
        ("ports/micropython/port/__init__.py", "import machine\nfrom . import codec"),
        ("ports/cpython/host/a.py", "from ..transport.uart import UARTDriver\nimport typing"),
        (
            "boards/x/main.py",
            "import board, sys\nfrom limpet import Bus\nfrom limpet.port import NAME",
        ),
        ("tests/test_a.py", "import unittest\nfrom limpet.transport import loopback"),
        ("tests/cpython/test_a.py", "from dataclasses import dataclass"),
    ],
)
def test_an_allowed_import_is_left_alone(path, line):
    assert structure.check_imports(source(path, line)) == []


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("lib/limpet/bus.py", "import sys\nx = sys.platform"),
        ("boards/x/main.py", "import sys\nx = sys.implementation.name"),
        ("tests/test_a.py", "import os\nx = os.uname"),
        ("lib/limpet/bus.py", "async def f(): pass"),
        ("lib/limpet/hot.py", "async def f():\n    await g()"),
        ("lib/limpet/bus.py", "try:\n    import machine\nexcept ImportError:\n    pass"),
        ("transport/uart.py", "try:\n    import a\nexcept (OSError, ImportError):\n    pass"),
        ("lib/limpet/bus.py", "match x:\n    case 1: pass"),
        ("ports/micropython/port/a.py", "def f(a, /): pass"),
        ("tests/test_a.py", "try:\n    f()\nexcept TimeoutError:\n    pass"),
        ("lib/limpet/bus.py", "x = memoryview(b'').cast('I')"),
        ("lib/limpet/bus.py", "print(1)"),
        ("transport/uart.py", "f = open('x')"),
    ],
)
def test_a_forbidden_construct_is_found(path, text):
    assert structure.check_constructs(source(path, text)) != []


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("lib/limpet/aio.py", "async def f():\n    await g()"),
        ("ports/cpython/port/__init__.py", "import sys\nx = sys.platform\nasync def f(): pass"),
        ("ports/micropython/port/a.py", "try:\n    import machine\nexcept ImportError:\n    pass"),
        ("tools/a.py", "import sys\nx = sys.platform"),
        ("boards/x/main.py", "print(1)"),
    ],
)
def test_an_allowed_construct_is_left_alone(path, text):
    assert structure.check_constructs(source(path, text)) == []


def test_form_is_checked():
    lines = "".join(f"a{i} = {i}\n" for i in range(structure.FILE_LINES_MAX - 2))
    body = "".join(f"    a{i} = {i}\n" for i in range(structure.FUNCTION_LINES_MAX - 1))
    deep = "".join(f"        a{i} = {i}\n" for i in range(structure.FUNCTION_LINES_MAX))
    good = [
        source("lib/limpet/a.py", _HEAD + lines),
        source("lib/limpet/a.py", f"{_HEAD}def f():\n{body}"),
        source("tests/test_a.py", f"{_HEAD}{lines}a = 1\n"),
    ]
    bad = [
        source("lib/limpet/a.py", '"""What it is for."""\n'),
        source("lib/limpet/a.py", "# SPDX-License-Identifier: MIT\na = 1\n"),
        source("lib/limpet/a.py", ""),
        source("lib/limpet/a.py", f"{_HEAD}{lines}a = 1\n"),
        source("lib/limpet/a.py", f"{_HEAD}def f():\n{body}    a = 1\n"),
        source("lib/limpet/a.py", f"{_HEAD}class A:\n    async def f(self):\n{deep}"),
    ]
    for one in good:
        assert structure.check_form(one) == []
    for one in bad:
        assert len(structure.check_form(one)) in (1, 2)


_HOT = (
    "class A:\n    def f(self):  # hot: tests/test_alloc.py\n        pass\n"
    "    def g(\n        self,\n    ):  # hot: tests/test_alloc.py\n        pass\n"
    "def h(): pass  # hot: tests/test_alloc.py\n"
    "def cold(): pass\n"
)


def _table(*names):
    return source("tests/test_alloc.py", f"HOT = ({''.join(repr(n) + ',' for n in names)})\n")


def test_hot_functions_are_named_after_their_place():
    for path, prefix in (
        ("lib/limpet/a.py", "a."),
        ("transport/pump.py", "transport.pump."),
        ("ports/micropython/port/__init__.py", "port."),
        ("lib/limpet/files/map.py", "files.map."),
    ):
        names = [prefix + "A.f", prefix + "A.g", prefix + "h"]
        assert structure.hot_functions(source(path, _HOT)) == (names, [])


def test_hot_functions_and_the_table_must_be_the_same():
    hot = source("lib/limpet/a.py", _HOT)
    elsewhere = source("ports/cpython/port/a.py", _HOT)
    assert structure.check_hot([hot, elsewhere, _table("a.A.f", "a.A.g", "a.h")]) == []
    assert len(structure.check_hot([hot, _table("a.A.f", "a.A.g")])) == 1
    assert len(structure.check_hot([hot, _table("a.A.f", "a.A.g", "a.h", "a.cold")])) == 1
    assert len(structure.check_hot([hot, _table("a.A.f", "a.A.g", "a.h", "a.h")])) == 1
    assert len(structure.check_hot([hot])) == 3
    astray = source("lib/limpet/b.py", "def f():\n    x = 1  # hot: tests/test_alloc.py\n")
    assert len(structure.check_hot([astray])) == 1


def _ports(one, other):
    return [
        source("ports/cpython/port/__init__.py", one),
        source("ports/micropython/port/__init__.py", other),
    ]


def test_the_seam_is_the_same_and_small():
    good = "from .a import b\nX: str = 1\ndef f(): pass\n__all__ = ['b', 'X', 'f']\n"
    tried = (
        "try:\n    from .a import b\nexcept ImportError:\n    from .c import b\n__all__ = ['b']\n"
    )
    assert structure.check_seam(_ports(good, good)) == []
    assert structure.check_seam(_ports(tried, tried)) == []
    many = "".join(f"a{i} = 1\n" for i in range(16))
    many += f"__all__ = {[f'a{i}' for i in range(16)]}\n"
    assert len(structure.check_seam(_ports(many, many))) == 2
    assert len(structure.check_seam(_ports(good, tried))) == 2
    assert len(structure.check_seam(_ports(good, "b = X = f = 1\n"))) == 1
    assert len(structure.check_seam(_ports(good, "__all__ = ['b']\n"))) == 1
    assert len(structure.check_seam(_ports(good, good)[:1])) == 1
