"""Which lots a reversal takes from: rule 12."""

from __future__ import annotations

import pytest

from services.earning.program.terms import Expiry
from shared.facts.redemptions import RedemptionRequested
from shared.point_events import PointsReversed
from tests.unit.earning.decide.story import (
    Told,
    balances,
    paid,
    refunded,
    story,
    updated,
)

MONTHS_12 = {"expiry": Expiry("after_available", 12)}


@pytest.mark.rule(12)
def test_rule_12_a_reversal_takes_the_awards_newest_lot_first() -> None:
    told = story(expiry=Expiry("after_available", 1)).tell(
        Told("2026-01-01", paid("o", "100")),
        Told("2026-01-20", updated("o", "100", "50")),
        Told("2026-01-21", refunded("o", "r", "50")),
    )
    assert [lot.remaining for lot in told.lots["ann"].values()] == [100, 0]
    assert told.until("2026-02-10").said == ["earned 100", "earned 50", "reversed 50 refunded", "expired 100 expired"]


@pytest.mark.rule(12)
def test_rule_12_what_expired_of_an_award_is_not_taken_twice() -> None:
    told = story(**MONTHS_12).tell(Told("2025-01-01", paid("o", "100")))
    told.tell(
        Told("2025-02-01", RedemptionRequested(redemption_id="x", points=40)), Told("2025-06-01", paid("p", "50"))
    )
    told.tell(Told("2026-01-10", refunded("o", "r", "100")))
    assert told.said[-2:] == ["expired 60 expired", "reversed 100 refunded"]
    event = told.events[-1]
    assert isinstance(event, PointsReversed)
    assert (event.from_expired, event.to_deficit) == (60, 0)
    assert event.postings == {"available": -40, "expired_reversed": -60, "reversed": 100}
    assert balances(told) == (10, 0, 0)
