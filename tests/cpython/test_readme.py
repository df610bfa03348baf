# SPDX-License-Identifier: MIT
"""The README's examples can be taken out of it: every Python block has a name, and is Python."""

import re

import pytest

from layout import ROOT
from readme_blocks import blocks


def test_every_block_of_the_readme_has_a_name_and_compiles():
    found = blocks(ROOT / "README.md")
    assert {"board", "host"} <= set(found)
    for name, code in found.items():
        compile(code, f"README.md:{name}", "exec")


def test_blocks_are_found_by_name(tmp_path):
    path = tmp_path / "a.md"
    path.write_text(
        "# A\n```\nno python\n```\n\n<!-- test: one -->\n```python\na = 1\n\nb = 2\n```\ntext\n"
        "<!-- test: two -->\n\n```python\nc = 3\n```\n"
    )
    assert blocks(path) == {"one": "a = 1\n\nb = 2\n", "two": "c = 3\n"}


@pytest.mark.parametrize(
    "text",
    [
        "```python\na = 1\n```\n",
        "<!-- test: one -->\ntext\n```python\na = 1\n```\n",
        "<!-- test: one -->\n```python\na = 1\n```\n<!-- test: one -->\n```python\nb\n```\n",
        "<!-- test: one -->\n```python\na = 1\n",
        "<!-- test: one -->\n",
    ],
    ids=["no name", "name without block", "name twice", "block without end", "name at the end"],
)
def test_a_mistake_in_the_markers_is_told(tmp_path, text):
    path = tmp_path / "a.md"
    path.write_text(text)
    with pytest.raises(ValueError, match="a.md"):
        blocks(path)


def test_what_the_documents_name_is_there():
    """Every file that a document links to, or names as `folder/file`, exists."""
    folders = "|".join(path.name for path in ROOT.iterdir() if path.is_dir())
    documents = [
        path
        for path in ROOT.rglob("*.md")
        if not {"build", "dist", ".git"} & set(path.relative_to(ROOT).parts)
    ]
    assert len(documents) >= 8
    named = []
    for path in documents:
        text = path.read_text(encoding="utf-8")
        named += [(path.parent / link, path) for link in re.findall(r"\]\((?!http)([^)#]+)", text)]
        inline = rf"`((?:{folders})/[\w./-]+\.(?:py|md|txt))`"
        named += [(ROOT / name, path) for name in re.findall(inline, text)]
    missing = [f"{path.name}: {name}" for name, path in named if not name.exists()]
    assert len(named) > 20 and missing == []
