# SPDX-License-Identifier: MIT
"""Names of messages: grammar and matching.

A name is "$." and one or more words of ASCII letters and digits, joined by single dots. The last
word of what one *binds* may be a wildcard: "*" stands for one or more words, "%" for exactly one.

Rules: a name is checked once, where it enters (bind, first use, from a wire); nothing below here
looks at its characters again. See docs/guarantees.md, "Names".
"""

from .errors import EBADMSG, ENAMETOOLONG
from .port import const

NAME_SIZE_MAX = const(1000)


def _is_word(word: str) -> bool:
    for c in word:
        if not ("0" <= c <= "9" or "A" <= c <= "Z" or "a" <= c <= "z"):
            return False
    return bool(word)


def is_wildcard(name: str) -> bool:
    """Tell whether a legal `name` ends in a wildcard."""
    return name.endswith("*") or name.endswith("%")


def check(name: str, wildcard: bool) -> int:
    """Return 0 if `name` is legal (with a wildcard at its end only if `wildcard`), else -errno.

    -ENAMETOOLONG above 1000 characters, which is looked at first; -EBADMSG for the rest.
    """
    if len(name) > NAME_SIZE_MAX:
        return -ENAMETOOLONG
    if not name.startswith("$."):
        return -EBADMSG
    words = name[2:].split(".")
    last = words.pop()
    for word in words:
        if not _is_word(word):
            return -EBADMSG
    if not _is_word(last) and not (wildcard and (last == "*" or last == "%")):
        return -EBADMSG
    return 0


def matches(pattern: str, name: str) -> bool:
    """Tell whether what was bound as `pattern` is meant by the plain `name`; both legal."""
    last = pattern[-1]
    if last != "*" and last != "%":
        return pattern == name
    size = len(pattern) - 1
    if len(name) <= size or not name.startswith(pattern[:size]):
        return False
    return last == "*" or name.find(".", size) < 0


def capture(pattern: str, name: str) -> str:
    """Return the words of `name` that the wildcard of `pattern` stands for, "" without one."""
    return name[len(pattern) - 1 :] if is_wildcard(pattern) else ""


def precision(pattern: str) -> int:
    """Return how specific a pattern is: of two that match the same name, the larger one wins.

    A plain name beats all, then the longer prefix, then "%" before "*".
    """
    last = pattern[-1]
    if last != "*" and last != "%":
        return 2 * NAME_SIZE_MAX + 2
    return 2 * len(pattern) + (last == "%")
