"""Points that people give, take and give back: rules 21, 35, 54 and 71."""

from __future__ import annotations

from typing import Any

import pytest

from services.earning.program.terms import Expiry
from shared.errors import PermanentError
from shared.facts.adjustments import PointsAdjust, PointsReinstate
from shared.facts.imports import BalanceImport
from shared.facts.members import MemberClosed
from tests.unit.earning.decide.story import (
    Told,
    cancelled,
    instant,
    ladder,
    paid,
    story,
)

MONTHS_12 = {"expiry": Expiry("after_available", 12)}


def adjust(name: str, points: int, **more: Any) -> PointsAdjust:
    return PointsAdjust(adjustment_id=name, points=points, actor_id="agent", reason="goodwill", **more)


def bring(points: int, row: int = 1, batch: str = "b", **more: Any) -> BalanceImport:
    return BalanceImport(batch_id=batch, row=row, points=points, **more)


@pytest.mark.rule(54)
def test_rule_54_adjustments_and_imports_follow_the_programs_expiry() -> None:
    told = story(**MONTHS_12).tell(Told("2026-01-01", adjust("a", 5)), Told("2026-01-02", bring(5)))
    told.tell(Told("2026-01-03", adjust("b", 5, expires_at=instant("2026-02-01"))))
    ends = [told.lots["ann"][number].expires_at for number in (1, 2, 3)]
    assert ends == [instant("2027-01-02"), instant("2027-01-03"), instant("2026-02-01")]


@pytest.mark.rule(21)
def test_rule_21_adjustments_qualify_only_where_they_say_so() -> None:
    told = story(tiers=ladder(("gold", 100, "1"))).tell(Told("2026-01-01", adjust("a", 100)))
    assert told.ann.tier == "bronze"
    told.tell(Told("2026-01-02", adjust("b", 100, qualifying=True)))
    assert told.said[-1] == "tier bronze → gold, qualified"
    told.tell(Told("2026-01-03", adjust("c", -1, qualifying=True)))
    assert told.ann.tier == "bronze"


@pytest.mark.rule(71)
def test_rule_71_expired_points_of_an_award_are_reinstated() -> None:
    told = story(**MONTHS_12).tell(Told("2025-01-01", paid("o", "100"))).until("2026-01-02")
    wish = PointsReinstate(reinstate_id="i", award="o", points=60, reason="goodwill")
    told.tell(Told("2026-01-10", wish), Told("2026-01-10", wish))
    assert told.said[-1] == "reinstated 60 goodwill"
    assert told.lots["ann"][2].expires_at == instant("2026-02-10")
    with pytest.raises(PermanentError) as caught:
        told.tell(Told("2026-01-11", PointsReinstate(reinstate_id="j", award="o", points=41, reason="goodwill")))
    assert caught.value.reason == "unknown_award"
    told.tell(Told("2026-01-12", cancelled("o")))
    assert told.events[-1].postings == {"available": -60, "expired_reversed": -40, "reversed": 100}


@pytest.mark.rule(35, 71)
def test_rule_35_nothing_is_given_back_to_a_closed_member() -> None:
    told = story(expiry=Expiry("after_available", 1)).tell(Told("2026-01-01", paid("o", "10")))
    told.tell(Told("2026-03-01", MemberClosed()))
    told.tell(Told("2026-03-02", PointsReinstate(reinstate_id="i", award="o", points=10, reason="goodwill")))
    assert told.said[-1] == "fact.recorded member_closed"
    assert told.events[-1].key is not None
    assert told.events[-1].key.kind == "reinstatement"
    assert told.ann.balances.available == 0


@pytest.mark.rule(35)
def test_rule_35_all_that_has_expired_can_be_given_back() -> None:
    told = story(expiry=Expiry("after_available", 1)).tell(Told("2026-01-01", paid("o", "10")))
    told.tell(Told("2026-03-02", PointsReinstate(reinstate_id="i", award="o", points=10, reason="goodwill")))
    assert told.ann.balances.available == 10
