"""Points that wait before they can be spent: rules 13, 15, 17, 34, 51 and 58."""

from __future__ import annotations

import pytest

from services.earning.program.terms import Pending
from shared.facts.redemptions import RedemptionRequested
from tests.unit.earning.decide.story import (
    Told,
    balances,
    cancelled,
    fulfilled,
    instant,
    paid,
    refunded,
    story,
    updated,
)

DAYS_14 = {"pending": Pending(days=14)}


@pytest.mark.rule(17)
def test_rule_17_paid_on_1_june_spendable_from_16_june() -> None:
    told = story(**DAYS_14).tell(Told("2026-06-01 15:00", paid("o", "100")))
    assert balances(told) == (0, 100, 0)
    assert balances(told.until("2026-06-15 23:59:59")) == (0, 100, 0)
    assert balances(told.until("2026-06-16")) == (100, 0, 0)
    assert told.said == ["earned 100", "released 100"]
    assert told.events[-1].decided_at == instant("2026-06-16")
    assert told.lots["ann"][1].available_at == instant("2026-06-16")


@pytest.mark.rule(15)
def test_rule_15_refunds_while_pending_shrink_the_pending_lot() -> None:
    told = story(**DAYS_14).tell(Told("2026-06-01", paid("o", "100")), Told("2026-06-02", refunded("o", "r", "30")))
    assert balances(told) == (0, 70, 0)
    assert balances(told.until("2026-07-01")) == (70, 0, 0)


@pytest.mark.rule(15, 34)
@pytest.mark.parametrize("first", ["2026-06-01", "2026-06-20"])
def test_rule_34_the_days_run_from_the_earliest_payment_whichever_was_told_first(first: str) -> None:
    days = [first, *({"2026-06-01", "2026-06-20"} - {first})]
    facts = [Told(day, paid("o", "100"), received="2026-06-21") for day in days]
    told = story(**DAYS_14).tell(*facts)
    assert balances(told) == (100, 0, 0)
    assert told.lots["ann"][1].available_at == instant("2026-06-16")


@pytest.mark.rule(15)
@pytest.mark.parametrize(("days", "spendable"), [(0, "2026-06-10 12:00"), (7, "2026-06-18")])
def test_rule_15_pending_until_fulfilled(days: int, spendable: str) -> None:
    told = story(pending=Pending("fulfilled", days)).tell(Told("2026-06-01", paid("o", "100")))
    assert balances(told.until("2026-06-10")) == (0, 100, 0)
    told.tell(Told("2026-06-10 12:00", fulfilled("o"))).until(spendable)
    assert balances(told) == (100, 0, 0)
    assert told.said == ["earned 100", *(["fact.recorded nothing_changed"] if days else []), "released 100"]


@pytest.mark.rule(51)
def test_rule_51_a_second_fulfilment_restarts_nothing() -> None:
    told = story(pending=Pending("fulfilled", 7)).tell(
        Told("2026-06-01", paid("o", "100")), Told("2026-06-10", fulfilled("o")), Told("2026-06-12", fulfilled("o"))
    )
    assert balances(told.until("2026-06-18")) == (100, 0, 0)


@pytest.mark.rule(13)
def test_rule_13_an_increase_waits_from_the_fact_that_raised_it() -> None:
    told = story(**DAYS_14).tell(Told("2026-06-01", paid("o", "100")), Told("2026-06-10", updated("o", "100", "50")))
    assert balances(told.until("2026-06-16")) == (100, 50, 0)
    assert balances(told.until("2026-06-25")) == (150, 0, 0)


@pytest.mark.rule(58)
def test_rule_58_released_points_pay_a_deficit_pending_ones_dont() -> None:
    told = story(**DAYS_14).tell(Told("2026-06-01", paid("o", "100"))).until("2026-06-16")
    told.tell(Told("2026-06-17", RedemptionRequested(redemption_id="x", points=60)), Told("2026-06-18", cancelled("o")))
    assert balances(told) == (0, 0, 60)
    told.tell(Told("2026-06-19", paid("p", "80")))
    assert balances(told) == (0, 80, 60)
    assert balances(told.until("2026-07-04")) == (20, 0, 0)
