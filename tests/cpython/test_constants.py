# SPDX-License-Identifier: MIT
"""Copies of constants in other modules are the same as what they are copies of.

A module that needs another's constant in a hot path has a copy of its own, because only a private
one is folded away by mpy-cross.
"""

import pytest

from limpet import link, session, tile
from limpet.transport import loopback

COPIES = (
    (link, session, ("_BAD", "_REFUSED", "_ALIVE", "_ADOPT")),
    (link, tile, ("CONNECTED", "DISCONNECTED")),
    (loopback, loopback, ("DELIVER", "LOSE", "CORRUPT", "DUPLICATE", "TRUNCATE")),
)


@pytest.mark.parametrize(("copier", "owner", "names"), COPIES)
def test_a_copy_is_the_same(copier, owner, names):
    for name in names:
        assert getattr(copier, "_" + name.lstrip("_")) == getattr(owner, name), name
