# SPDX-License-Identifier: MIT
"""Copies of constants in other modules are the same as what they are copies of.

A module that needs another's constant in a hot path has a copy of its own, because only a private
one is folded away by mpy-cross.
"""

import ast

import pytest

from layout import ROOT
from limpet import (
    channel,
    errors,
    frame,
    link,
    neighbour,
    output,
    reception,
    send,
    session,
    slots,
    status,
    tile,
    window,
)
from limpet import input as link_input
from limpet.transport import loopback

COPIES = (
    (link, session, ("_BAD", "_REFUSED", "_ADOPT", "_CLOSED", "_FORGED")),
    (link, neighbour, ("CONNECTED", "DISCONNECTED")),
    (tile, link, ("UP",)),
    (channel, tile, ("EROR", "_MFMT_NUMBER")),
    (link, frame, ("HELO_START",)),
    (link_input, frame, ("RESIDUE", "HELO_START")),
    (output, frame, ("HELO_START",)),
    (session, frame, ("RESIDUE",)),
    (reception, window, ("_PROMPT_MS",)),
    (loopback, loopback, ("DELIVER", "LOSE", "CORRUPT", "DUPLICATE", "TRUNCATE")),
)


@pytest.mark.parametrize(("copier", "owner", "names"), COPIES)
def test_a_copy_is_the_same(copier, owner, names):
    for name in names:
        assert getattr(copier, "_" + name.lstrip("_")) == getattr(owner, name), name


def private_constants():
    """Yield (file, name, value) of every `_NAME = const(number)` in lib."""
    for path in sorted((ROOT / "lib/limpet").glob("**/*.py")):
        if path.name == "session.py":  # its _IGNORED is no status
            continue
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Assign) and ast.unparse(node.value).startswith("const("):
                name = ast.unparse(node.targets[0])
                if name.startswith("_") and isinstance(node.value.args[0], ast.Constant):
                    yield path.name, name, node.value.args[0].value


def test_copies_in_the_bus_are_the_same():
    """A private constant with the name of an errno, status, kind or flag has its number."""
    owners = {}
    for module in (errors, status, slots, send):
        for name, value in vars(module).items():
            if name.isupper() and not name.startswith("_") and isinstance(value, int):
                owners["_" + name] = value
    copies = [(where, name) for where, name, _ in private_constants() if name in owners]
    wrong = [(w, n, v) for w, n, v in private_constants() if owners.get(n, v) != v]
    assert wrong == []
    assert len(copies) > 40
