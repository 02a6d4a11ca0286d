"""Worlds by seed: the promises hold in each, a seed gives the same run again, and planted defects are noticed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest
import structlog

from tests.support.simulation.__main__ import quiet
from tests.support.simulation.defects import DEFECTS, Plant
from tests.support.simulation.faults import Fate
from tests.support.simulation.world import HARMS, World

SEEDS = range(1, 101)
SEEDS_TO_FIND_A_DEFECT = range(400)
"""Most take ten; a reader that skips what is missing needs a broker that lost it, just then."""


@pytest.fixture(autouse=True)
def no_log() -> Iterator[None]:
    quiet()
    yield
    structlog.reset_defaults()


def test_the_promises_hold_whatever_fails() -> None:
    outcomes = [World(seed).run() for seed in SEEDS]
    assert {outcome.seed: outcome.violations for outcome in outcomes if outcome.violations} == {}
    harms = sum((outcome.harms for outcome in outcomes), Counter[str]())
    assert set(harms) == {*HARMS, *(fate for fate in Fate if fate is not Fate.GOES_WELL)}


@pytest.mark.parametrize("seed", [12, 27, 40])
def test_a_seed_gives_the_same_run_again(seed: int) -> None:
    assert World(seed).run() == World(seed).run()


@pytest.mark.parametrize("plant", DEFECTS, ids=lambda plant: plant.__name__.replace("_", " "))
def test_a_planted_defect_is_noticed(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch)
    assert any(World(seed).run().violations for seed in SEEDS_TO_FIND_A_DEFECT)
