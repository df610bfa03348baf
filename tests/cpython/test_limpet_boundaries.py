# SPDX-License-Identifier: MIT
"""Power lost, or the line cut, behind every single byte of a session; and long runs of faults."""

import pytest

import test_limpet_faults
from world import World

BYTES = 220  # about what a side sends in the scenario


@pytest.mark.parametrize("victims", test_limpet_faults.VICTIMS)
@pytest.mark.parametrize("side", [0, 1])
def test_every_byte(side: int, victims: tuple[int, ...]) -> None:
    """However far the bytes of one side come, the promise holds and all goes on by itself."""
    for budget in range(BYTES):
        assert test_limpet_faults.cut_at(budget, side, victims) == "", f"after {budget} bytes"


@pytest.mark.parametrize("seed", range(100, 130))
def test_all_faults_at_once(seed: int) -> None:
    """Harm to frames, cuts, resets, repliers that go, little room, slow lines: never a lie."""
    world = World(seed, {"delay_ms": seed % 5, "capacity": (4096, 70)[seed % 2]}, sizes(seed))
    for i in range(2):
        world.pair.pipes[i].faults = test_limpet_faults.noise(seed + i, seed % 3 * 10)
    for _ in range(120):
        world.turn(1 + world.random.below(30))
        chance = world.random.below(60)
        if chance == 0:
            world.reset(world.random.below(2))
        elif chance == 1:
            world.actors[world.random.below(2)].rebind()
        elif chance == 2:
            world.pair.pipes[world.random.below(2)].cut = True
        elif chance > 55:
            world.pair.cut(False)
    assert world.finish() == ""
    assert world.ledger.counts["requests"] > 50


def sizes(seed: int) -> dict[str, int]:
    if seed % 4:
        return {}
    return {"slot_count": 5 + seed % 9, "queue_size": 2 + seed % 7, "name_count": 8}


@pytest.mark.parametrize(
    ("plant", "finding"),
    [
        ("lost is called down", "it ran, but Link.Down"),
        ("a failure is called a reply", "a reply that nobody gave"),
        ("requests are sent twice", "ran twice"),
        ("requests are forgotten", "no end"),
    ],
)
def test_the_checker_finds_what_is_planted(
    plant: str, finding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A checker that finds nothing in a broken library would prove nothing."""
    from limpet import limpet, outbox, status
    from limpet.answers import Answers

    if plant == "lost is called down":
        monkeypatch.setattr(limpet, "LINK_LOST", status.LINK_DOWN)
    elif plant == "a failure is called a reply":
        monkeypatch.setattr(
            Answers, "end_failed", lambda self, answer, data, size: self.reply(answer, answer.name)
        )
    elif plant == "requests are forgotten":
        monkeypatch.setattr(Answers, "end_read", lambda self, queue, code: None)
    else:
        put = outbox.Outbox._put_request

        def twice(self: outbox.Outbox, context: object) -> bool:
            before = self._cursor.i
            more = put(self, context)
            cursor = self._cursor
            record = bytes(cursor.buf[before : cursor.i])
            if more and len(record) < cursor.left():
                for b in record:
                    cursor.put(b)
            return more

        monkeypatch.setattr(outbox.Outbox, "_put_request", twice)
    faults = ""
    for seed in range(100, 104):
        world = World(seed)
        for _ in range(100):
            world.turn(10)
            if world.random.below(20) == 0:
                world.reset(world.random.below(2))
        try:
            faults += world.finish()
        except AssertionError as e:
            faults += str(e)
    assert finding in faults
