# SPDX-License-Identifier: MIT
"""The allocation test reaches what it says: each function in HOT is called by one of its scenes.

Functions that CPython does not have (the port's own on MicroPython) are looked at by name only.
"""

import sys

import test_alloc


def reached(calls):
    """Return "module.Qualified.name" of every function of the library that the calls run."""
    seen = set()

    def profile(frame, event, _):
        if event == "call":
            module = frame.f_globals.get("__name__", "")
            if module.startswith("limpet"):
                name = f"{module}.{frame.f_code.co_qualname}"
                seen.add(name.removeprefix("limpet."))

    sys.setprofile(profile)
    try:
        for call in calls:
            call[-1]()
    finally:
        sys.setprofile(None)
    return seen


def test_every_hot_function_is_run_by_a_scene():
    calls = [call for source in test_alloc.SOURCES for call in source.calls()]
    seen = reached(calls)
    missing = [n for n in test_alloc.HOT if n not in seen and not n.startswith("port.")]
    assert missing == []


def test_a_function_that_nothing_runs_is_found():
    assert "hot.Hot.take" not in reached([("nothing", lambda: None)])
