# SPDX-License-Identifier: MIT
"""What the machine's own apt sources say: which mirrors it uses, and which keys it trusts.

Rules: both notations are read, the one-line *.list and the deb822 *.sources; only archives that
carry a suite of Debian itself count, security archives do not (they lack most packages). Nothing
is written.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

_SUITES = re.compile(
    r"^(buster|bullseye|bookworm|trixie|forky|duke|sid|oldoldstable|oldstable|stable|testing|unstable)"
    r"(-updates|-backports)?$"
)
_KEYRINGS = (
    "usr/share/keyrings/debian-archive-keyring.gpg",
    "usr/share/keyrings/debian-archive-keyring.pgp",
)


class Mirror(NamedTuple):
    """One archive that may be asked: its address, and the options that a sources list gives it."""

    uri: str
    options: tuple[str, ...]

    def line(self, suite: str) -> str:
        """Return the line of a sources list that asks this mirror for `suite`."""
        options = f"[{' '.join(self.options)}] " if self.options else ""
        return f"deb {options}{self.uri} {suite} main\n"


def stanzas(text: str) -> list[dict[str, str]]:
    """Parse deb822: a list of fields by lower-case name, continued lines joined."""
    found: list[dict[str, str]] = [{}]
    name = ""
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        if not line.strip():
            found.append({})
        elif line[0] in " \t":
            found[-1][name] = found[-1].get(name, "") + " " + line.strip()
        elif ":" in line:
            name, _, value = line.partition(":")
            name = name.strip().lower()
            found[-1][name] = value.strip()
    return [fields for fields in found if fields]


def from_deb822(text: str) -> list[dict[str, list[str]]]:
    """Return the usable entries of a *.sources file as lists of words."""
    return [
        {key: value.split() for key, value in fields.items()}
        for fields in stanzas(text)
        if fields.get("enabled", "yes").lower() not in ("no", "false", "0")
    ]


def from_list(text: str) -> list[dict[str, list[str]]]:
    """Return the entries of a one-line style file in the same shape."""
    found = []
    for line in text.splitlines():
        match = re.match(r"^\s*deb\s+(?:\[([^]]*)\]\s+)?(\S+)\s+(\S+)\s*([^#]*)", line)
        if match is None:
            continue
        entry = {
            "types": ["deb"],
            "uris": [match[2]],
            "suites": [match[3]],
            "components": match[4].split(),
        }
        for option in (match[1] or "").split():
            key, _, value = option.partition("=")
            entry[key.lower()] = value.split(",")
        found.append(entry)
    return found


def _options(entry: dict[str, list[str]], root: Path) -> list[tuple[str, ...]]:
    """Return the ways in which this machine may check that archive, best first."""
    if entry.get("trusted") == ["yes"]:
        return [("trusted=yes",)]
    keys = [k for k in entry.get("signed-by", []) if k.startswith("/") and (root / k[1:]).exists()]
    keys += [f"/{k}" for k in _KEYRINGS if (root / k).exists() and f"/{k}" not in keys]
    return [(f"signed-by={root / k[1:]}",) for k in keys] or [()]


def mirrors(root: Path = Path("/")) -> list[Mirror]:
    """Return what may be asked, in the order of the machine's own files, without repetition."""
    etc = root / "etc/apt"
    entries = []
    for path in [etc / "sources.list", *sorted((etc / "sources.list.d").glob("*"))]:
        if path.is_file() and path.suffix in (".list", ".sources"):
            text = path.read_text(encoding="utf-8", errors="replace")
            entries += from_deb822(text) if path.suffix == ".sources" else from_list(text)
    found: list[Mirror] = []
    for entry in entries:
        if "deb" not in entry.get("types", []) or "main" not in entry.get("components", []):
            continue
        if not any(_SUITES.match(suite) for suite in entry.get("suites", [])):
            continue
        for uri in entry.get("uris", []):
            if uri.startswith("cdrom:"):
                continue
            found += [Mirror(uri.rstrip("/"), options) for options in _options(entry, root)]
    return list(dict.fromkeys(found))
