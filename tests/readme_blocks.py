# SPDX-License-Identifier: MIT
"""The Python examples of a Markdown file, so that tests can run what the reader is told to type.

Rules: each ```python block has a name, in a comment on the line before it: `<!-- test: board -->`.
A block without a name, a name without a block, and a name used twice are mistakes.
"""

import re

_NAME = re.compile(r"^<!-- test: ([a-z0-9_-]+) -->$")


def blocks(path):
    """Return {name: code} of the Python blocks in the file, in their order."""
    found = {}
    name = ""
    code = None
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            text = line.strip()
            if code is not None:
                if text == "```":
                    found[name] = "".join(code)
                    name, code = "", None
                else:
                    code.append(line)
            elif text.startswith("```python"):
                if not name:
                    raise ValueError(
                        f"{path}:{number}: a Python block without `<!-- test: name -->`"
                    )
                code = []
            elif name and text:
                raise ValueError(f"{path}:{number}: `test: {name}` stands before no Python block")
            else:
                match = _NAME.match(text)
                name = match[1] if match else name
                if name in found:
                    raise ValueError(f"{path}:{number}: two blocks are named {name}")
    if code is not None or name:
        raise ValueError(f"{path}: the block {name} does not end")
    return found
