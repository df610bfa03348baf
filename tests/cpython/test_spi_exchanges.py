# SPDX-License-Identifier: MIT
"""100 000 exchanges of an SPI with slipped clocks, noise and resets, under real links.

Rules: the wires are spi_model's, which knows nothing of the drivers. Every payload that comes is
compared with what was sent; then the faults end, and everything must arrive. All from seeds.
"""

import pytest

import spi_model
from limpet.transport.spi_block import Blocks
from spi_model import Chance, by_edges, by_slices
from spi_talk import Talk

# Block size, exchanges of 1000 with 1..3 faults, exchanges, and the least share of the clocks'
# bytes that arrives as payload (docs/spi.md has the shares as measured).
RUNS = (
    (16, 50, 20000, 0.63),
    (64, 0, 5000, 0.88),
    (64, 10, 15000, 0.86),
    (64, 50, 20000, 0.79),
    (64, 200, 30000, 0.58),
    (256, 50, 10000, 0.83),
)


def test_there_are_enough():
    assert sum(run[2] for run in RUNS) >= 100_000


@pytest.mark.parametrize("run", RUNS, ids=lambda run: f"{run[0]}B-{run[1]}")
def test_streams_under_faults(run, record_property):
    block, per_mille, exchanges, least = run
    talk = Talk(block + per_mille, block, per_mille=per_mille)
    assert talk.until(talk.up)
    wires = talk.wires
    clocks = wires.clocks
    assert talk.until(lambda: wires.exchanges >= exchanges, 600_000)
    share = min(app.bytes for app in talk.apps) * 8 / (wires.clocks - clocks)
    record_property("share", round(share, 3))
    print(f"\n{block} bytes, {per_mille / 10} % faulty: {share:.3f} of the clocks, each way")
    wires.per_mille = 0
    assert talk.settles()
    assert talk.harm() == 0
    assert [app.missing for app in talk.apps] == [0, 0]
    assert [app.sessions for app in talk.apps] == [1, 1], "a session was lost"
    assert share >= least


def test_resets_and_cuts_under_faults():
    """Ends are reset, wires are cut, edges of attention are missed: it always goes on."""
    for seed in range(6):
        talk = Talk(seed, (16, 64, 256)[seed % 3], per_mille=40, pull="01"[seed & 1])
        chance = Chance(seed + 100)
        for _ in range(12):
            talk.wires.missed = chance.below(400)
            talk.wires.stuck = (None, None, True, False)[chance.below(4)]
            talk.run(chance.below(300))
            what = chance.below(4)
            if what < 2:
                talk.restart(what)
            elif what == 2:
                talk.wires.cut = True
                talk.run(chance.below(1500))
                talk.wires.cut = False
            else:
                talk.wires.controller.broken = True
                talk.run(chance.below(800))
                talk.wires.controller.broken = False
        talk.wires.stuck = None
        talk.wires.per_mille = talk.wires.missed = 0
        talk.run(1200)  # a session that has heard nothing for long may still end
        assert talk.until(talk.up, 3000), f"seed {seed}: no session"
        talk.run(50)
        assert talk.settles(), f"seed {seed}: something is stuck"
        assert talk.harm() == 0, f"seed {seed}"


def test_noise_instead_of_a_peripheral():
    """MISO has noise for 20 000 exchanges: nothing of it is a block."""
    chance = Chance(9)
    end = Blocks(64, False)
    for _ in range(20_000):
        end.build()
        end.into[:] = bytes(chance.below(256) for _ in range(64))
        assert end.took() < 0


def test_the_fast_model_is_the_slow_one():
    chance = Chance(11)
    for number in range(3000):
        size = (16, 16, 16, 64, 64, 256)[number % 6]
        out = bytes(chance.below(256) for _ in range(size))
        reply = bytes(chance.below(256) for _ in range(size)) if chance.below(10) else None
        faults = chance.faults(8 * size, 4)
        pull = "01"[chance.below(2)]
        assert by_slices(out, reply, faults, pull) == by_edges(out, reply, faults, pull), number


def test_every_kind_of_fault_is_drawn_and_does_harm():
    """The faults are worth the name: each kind spoils most of the blocks that it meets."""
    chance = Chance(13)
    drawn = [chance.faults(512, 3) for _ in range(4000)]
    assert {len(faults) for faults in drawn} == {1, 2, 3}
    for kind in range(spi_model.KINDS):
        alone = [f for f in drawn if len(f) == 1 and f[0][0] == kind]
        assert len(alone) > 100
        out = bytes(range(1, 65))
        spoiled = sum(by_slices(out, out, f) != (out, out) for f in alone)
        assert spoiled >= 0.95 * len(alone)
