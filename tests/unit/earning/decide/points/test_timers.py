"""In which order due things happen, before the fact and after it: rule 72."""

from __future__ import annotations

import pytest

from services.earning.program.terms import Expiry, Pending, TierLevel, Tiers
from tests.unit.earning.decide.story import (
    Told,
    fulfilled,
    ladder,
    paid,
    story,
    updated,
)

DAYS_14 = {"pending": Pending(days=14)}


MONTHS_12 = {"expiry": Expiry("after_available", 12)}


@pytest.mark.rule(72)
def test_rule_72_all_is_released_before_the_tier_moves() -> None:
    levels = (TierLevel("bronze", 0), TierLevel("gold", 50, entry_bonus=7))
    told = story(pending=Pending("fulfilled"), tiers=Tiers("bronze", levels))
    told.tell(Told("2026-06-01", paid("o", "50")), Told("2026-06-02", updated("o", "50", "50")))
    told.tell(Told("2026-06-03", fulfilled("o")))
    assert told.said[2:] == ["released 50", "released 50", "tier bronze → gold, qualified", "earned 7"]
    told = story(**DAYS_14, tiers=Tiers("bronze", levels))
    told.tell(Told("2026-06-01", paid("o", "50")), Told("2026-06-01 12:00", paid("p", "50"))).until("2026-06-16")
    assert told.said[2:] == ["released 50", "released 50", "tier bronze → gold, qualified", "earned 7"]


@pytest.mark.rule(72)
def test_rule_72_due_things_come_first_then_the_fact_then_tier_and_bonus() -> None:
    tiers = ladder(("gold", 100, "1"))
    levels = (tiers.levels[0], type(tiers.levels[1])("gold", 100, entry_bonus=7))
    settings = {**MONTHS_12, "tiers": type(tiers)("bronze", levels)}
    told = story(**settings).tell(Told("2025-01-01", paid("a", "50")), Told("2026-02-01", paid("b", "50")))
    assert told.said[1:] == ["expired 50 expired", "earned 50", "tier bronze → gold, qualified", "earned 7"]
    assert [event.index for event in told.events[1:]] == [0, 1, 2, 3]
    assert [event.fact is not None for event in told.events[1:]] == [False, True, False, False]
