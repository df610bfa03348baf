# SPDX-License-Identifier: MIT
"""The examples that are for hosts alone run, and say what they should."""

import sys

from layout import ROOT

sys.path.insert(0, str(ROOT / "examples"))


def test_capture() -> None:
    import example_capture

    lines: list[str] = []
    example_capture.main(lines.append)
    links = {line.split()[1] for line in lines[1:-1]}
    said = [line.split(" ", 2)[2].partition(" | ")[0] for line in lines[1:-1]]
    assert links == {"uart0"}
    assert said[0].startswith("> HELO NEED node ")
    assert said[-1].startswith("> HELO CLOSE node ")
    asked = [line for line in said if "request $.Lamp.Get from Ksock " in line]
    told = [line for line in said if "reply to tag 1 $.Lamp.Get " in line]
    assert [line[0] for line in asked + told] == [">", "<"]
    assert lines[-1].startswith(f"{len(said)} entries, ")
