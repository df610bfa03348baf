# SPDX-License-Identifier: MIT
"""A bus and a plain model of it live through the same random lives, and never differ.

Rules: hypothesis chooses the steps, and a number for each of which bus_script.py makes all others,
and finds the shortest script that fails; seeds make five times as many, less tidy ones. Both are
the same in every run. MODEL_STEPS= in the environment says how many steps hypothesis takes (20000
unless said). A failure prints a script: `twin`, and `ops` for `twin.do(op)`.
"""

from __future__ import annotations

import os
import unittest
from collections import Counter
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)

import bus_script
from bus_script import VERBS, Writer, head
from bus_twin import Difference, Twin
from limpet.rand import Random

STEPS = int(os.environ.get("MODEL_STEPS", "20000"))
LIFE = 80  # steps of one bus
NUMBERS = st.integers(0, 0xFFFF)  # each stands for all numbers of a step
CASE = unittest.TestCase()
# Without these the lives would have been dull.
OUTCOMES = (
    *("announce 0", "announce -16", "announce -11", "announce -114", "announce -105"),
    *("announce -90", "request 0", "request -37", "request -99", "request -32", "request -16"),
    *("request -11", "request -22", "request -114", "reply 0", "reply -111", "reply -99"),
    *("reply_parked 0", "bind 0", "bind -98", "bind -74", "bind -36", "bind -28", "bind -11"),
    *("unbind 0", "unbind -22", "unbind -11", "report 0", "report -16", "retry 0", "retry -11"),
    *("retry -42", "retry -37", "retry -99", "retry -32", "take -11", "taken", "missed"),
    *("$.KBUS.ReplierBindEvent", "$.KBUS.UnbindEventsLost", "$.KBUS.ErrorSending"),
    *(
        "$.KBUS.Replier." + name
        for name in ("Unbound", "GoneAway", "Ignored", "Overdue", "Expired", "Disappeared")
    ),
)


def end(twin: Twin) -> None:
    """Read all there is, close, and look for what is left."""
    twin.drain()
    twin.close(CASE)


class Machine(RuleBasedStateMachine):
    """One bus and its model; a rule for each kind of step."""

    steps = 0

    def __init__(self) -> None:
        super().__init__()
        self.twin: Twin | None = None

    @initialize(numbers=NUMBERS)
    def start(self, numbers: int) -> None:
        pick = Random(numbers).below
        self.twin = Twin(head(pick))
        self.writer = Writer(self.twin, pick)
        self.step("begin", numbers)

    def step(self, verb: str, numbers: int) -> None:
        """Do one step; what goes wrong is told with the script that led to it."""
        assert self.twin is not None
        Machine.steps += 1
        self.writer.pick = Random(numbers).below
        try:
            self.writer.step(verb)
        except Exception as e:
            raise AssertionError(f"{e!r}\n{self.twin.script()}") from e

    def teardown(self) -> None:
        if self.twin is None:
            return
        twin, self.twin = self.twin, None
        try:
            end(twin)
        except Exception as e:
            raise AssertionError(f"{e!r}\n{twin.script()}") from e


def _add_rule(name: str, verb: str) -> None:
    def function(self: Machine, numbers: int) -> None:
        self.step(verb, numbers)

    function.__name__ = name
    setattr(Machine, name, rule(numbers=NUMBERS)(function))


for _i, _verb in enumerate(VERBS):  # what is there twice is twice as likely
    _add_rule(f"{_verb}_{_i}", _verb)


def fails(start: tuple[int, ...], ops: list[Any]) -> str:
    """Return what goes wrong with a script, "" if nothing does."""
    try:
        twin = Twin(start)
        for op in ops:
            twin.do(op)
        end(twin)
    except Exception as e:
        return f"{e!r}\n{twin.script()}"
    return ""


def shortest(start: tuple[int, ...], ops: list[Any]) -> list[Any]:
    """Leave steps out of a script that fails, as long as it does."""
    size = len(ops) // 2
    while size:
        i = 0
        while i < len(ops):
            fewer = ops[:i] + ops[i + size :]
            if fails(start, fewer):
                ops = fewer
            else:
                i += size
        size //= 2
    return ops


def test_lives_that_hypothesis_chooses() -> None:
    """Whatever is done in whatever order, the bus does what the model does."""
    Machine.steps = 0
    examples = STEPS // (LIFE - 5) + 1  # some lives are shorter
    run_state_machine_as_test(
        Machine, settings=settings(max_examples=examples, stateful_step_count=LIFE)
    )
    assert Machine.steps >= STEPS


def test_lives_from_seeds() -> None:
    """The same; and all that can happen to a message or a call does happen."""
    met: Counter[str] = Counter()
    steps = seed = 0
    while steps < 5 * STEPS:
        seed += 1
        twin = bus_script.begin(seed)
        try:
            bus_script.play(twin, LIFE)
            end(twin)
        except Exception:
            ops = shortest(twin.head, twin.ops)
            pytest.fail(f"seed {seed}: {fails(twin.head, ops)}")
        steps += LIFE
        met.update(twin.met)
    if STEPS >= 20000:
        assert [what for what in OUTCOMES if not met[what]] == []


def test_a_difference_is_found_and_its_script_made_short() -> None:
    twin = Twin((8, 24, 8, 8, 8, 16, 0, 0, 0))
    ops = [("open", 3), ("bind", 1, "$.A", 0), ("find", "$.A"), ("bind", 1, "$.B", 0)]
    ops += [("odd",), ("find", "$.B"), ("announce", 1, "$.A", b"", 0, ())]
    assert "odd" in fails(twin.head, ops)
    assert shortest(twin.head, ops) == [("odd",)]
    assert fails(twin.head, ops[:4]) == ""
    for op in ops[:4]:
        twin.do(op)
    twin.model.bindings.clear()
    with pytest.raises(Difference, match="messages, owed"):
        twin.do(ops[-1])
