"""Claims that find something in their way: a debt, a refusal. Rule 30."""

from __future__ import annotations

import pytest

from shared.facts.redemptions import RedemptionRequested
from tests.unit.earning.decide.facts.test_claims import claim, guest, held, story
from tests.unit.earning.decide.story import Told, cancelled, paid


@pytest.mark.rule(30, 58)
def test_rule_30_what_is_owed_is_paid_by_one_lot_after_the_other() -> None:
    told = story().tell(Told("2026-06-01", paid("a", "15")))
    told.tell(Told("2026-06-02", RedemptionRequested(redemption_id="r", points=15)), Told("2026-06-03", cancelled("a")))
    assert held(told)["ann"] == (0, 0, 15)
    told.tell(guest("2026-06-04", paid("b", "10")), guest("2026-06-05", paid("c", "10")), claim("2026-06-06"))
    assert held(told) == {"guest": (0, 0, 0), "ann": (5, 0, 0)}


@pytest.mark.rule(30)
def test_rule_30_a_claim_that_was_refused_can_be_made_again() -> None:
    told = story().tell(guest("2026-06-01", paid("o", "10")), Told("2026-06-01", paid("z", "5"), member="zoe"))
    told.holding = True
    told.tell(claim("2026-06-02", "zoe", "guest"), claim("2026-06-03"))
    while told.inbox:
        told.deliver(-1)
    assert (held(told)["guest"], "fact.recorded claim_refused" in told.said) == ((15, 0, 0), True)
    told.holding = False
    told.tell(claim("2026-06-04"))
    assert held(told) == {"guest": (0, 0, 0), "zoe": (0, 0, 0), "ann": (15, 0, 0)}
