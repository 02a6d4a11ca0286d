"""Balances from other systems, and taking back a batch of them: rule 32."""

from __future__ import annotations

from typing import Any

import pytest

from shared.facts.imports import BalanceImport, ImportRevert
from shared.facts.redemptions import RedemptionRequested
from shared.point_events import ImportReverted
from tests.unit.earning.decide.story import (
    Told,
    balances,
    ladder,
    story,
)


def redeem(name: str, points: int | None = None, **more: Any) -> RedemptionRequested:
    return RedemptionRequested(redemption_id=name, points=points, **more)


def bring(points: int, row: int = 1, batch: str = "b", **more: Any) -> BalanceImport:
    return BalanceImport(batch_id=batch, row=row, points=points, **more)


@pytest.mark.rule(32)
def test_rule_32_worked_number() -> None:
    told = story().tell(Told("2026-01-01", bring(500)), Told("2026-01-02", redeem("x", 200)))
    told.tell(Told("2026-01-03", ImportRevert(batch_id="b")))
    assert told.events[-1].postings == {"available": -300, "deficit": -200, "reverted": 500}
    told.tell(Told("2026-01-04", bring(400, batch="c")))
    assert balances(told) == (200, 0, 0)


@pytest.mark.rule(32)
def test_rule_32_keep_spent_forgives() -> None:
    told = story().tell(Told("2026-01-01", bring(500)), Told("2026-01-02", redeem("x", 200)))
    told.tell(Told("2026-01-03", ImportRevert(batch_id="b", keep_spent=True)))
    assert told.said[-2:] == ["import.reverted 500", "deficit.forgiven 200 reverted"]
    assert balances(told) == (0, 0, 0)


@pytest.mark.rule(32)
def test_rule_32_lifetime_points_and_tier_go_with_it() -> None:
    told = story(tiers=ladder(("gold", 1000, "1"), window="calendar_year"))
    told.tell(Told("2026-01-01", bring(0, lifetime_points=1000, tier="gold")))
    assert told.ann.tier == "gold"
    told.tell(Told("2026-01-03", ImportRevert(batch_id="b")))
    assert (told.ann.tier, told.ann.qualifying["2026-01-01"]) == ("bronze", 0)


@pytest.mark.rule(32)
@pytest.mark.parametrize("batch", ["a/b", "a%b", "a%2Fb", "a/b%c/d"])
def test_rule_32_a_batch_is_known_by_its_whole_name(batch: str) -> None:
    told = story().tell(
        Told("2026-01-01", BalanceImport(batch_id=batch, row="1/2%", points=5)),
        Told("2026-01-01", BalanceImport(batch_id="a", row="b/1/2%", points=3)),
    )
    assert told.ann.balances.imported == 8
    told.tell(Told("2026-01-02", ImportRevert(batch_id=batch)))
    (back,) = (event for event in told.events if isinstance(event, ImportReverted))
    assert (back.batch, back.row, told.ann.balances.available) == (batch, "1/2%", 3)
