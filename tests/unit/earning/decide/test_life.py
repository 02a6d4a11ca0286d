"""Pending and expiry: rules 13, 15, 16, 17, 37, 52 and 53."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from services.earning.program.terms import Expiry, Pending, Rule, TierLevel, Tiers, Versions
from shared.facts.imports import BalanceImport
from shared.facts.redemptions import RedemptionRequested
from shared.point_events import PointsReversed
from tests.unit.earning.decide.story import (
    Story,
    Told,
    cancelled,
    fulfilled,
    instant,
    ladder,
    paid,
    program,
    refunded,
    updated,
)

DAYS_14 = {"pending": Pending(days=14)}
MONTHS_12 = {"expiry": Expiry("after_available", 12)}
INACTIVE_6 = {"expiry": Expiry("inactivity", 6)}


def story(**settings: Any) -> Story:
    return Story(Versions((program(**settings),)))


def balances(told: Story) -> tuple[int, int, int]:
    return told.ann.balances.available, told.ann.balances.pending, told.ann.balances.deficit


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


@pytest.mark.rule(16)
@pytest.mark.parametrize(
    ("day", "months", "ends"),
    [("2026-01-31", 1, "2026-03-01"), ("2024-01-31", 1, "2024-03-01"), ("2026-03-28 12:00", 12, "2027-03-29")],
)
def test_rule_16_months_after_becoming_available(day: str, months: int, ends: str) -> None:
    told = story(expiry=Expiry("after_available", months)).tell(Told(day, paid("o", "100")))
    assert told.lots["ann"][1].expires_at == instant(ends)
    assert told.ann.next_due == instant(ends)
    told.until(ends)
    assert told.said == ["earned 100", "expired 100 expired"]
    assert (told.ann.balances.available, told.ann.balances.expired) == (0, 100)


@pytest.mark.rule(52)
def test_rule_52_the_months_count_from_the_release() -> None:
    told = story(**DAYS_14, **MONTHS_12).tell(Told("2026-06-01", paid("o", "100"))).until("2026-06-16")
    assert told.lots["ann"][1].expires_at == instant("2027-06-17")
    assert told.lots["ann"][1].earned_at == instant("2026-06-01")


@pytest.mark.rule(37)
def test_rule_37_a_late_fact_lives_thirty_days_from_now() -> None:
    told = story(**MONTHS_12).tell(Told("2025-01-10", paid("o", "100"), received="2026-02-01"))
    assert balances(told) == (100, 0, 0)
    assert told.lots["ann"][1].expires_at == instant("2026-03-04")


@pytest.mark.rule(52)
def test_rule_52_points_are_not_available_before_the_fact_that_made_them() -> None:
    told = story(expiry=Expiry("after_available", 1), pending=Pending(days=0))
    told.tell(Told("2026-01-01", paid("o")), Told("2026-07-20", updated("o", "33")))
    assert told.lots["ann"][1].expires_at == instant("2026-08-21")
    assert balances(told.until("2026-07-21")) == (33, 0, 0)


@pytest.mark.rule(37)
def test_rule_37_points_released_by_a_late_fulfilment_live_thirty_days_from_now() -> None:
    for expiry in (Expiry("inactivity", 3), Expiry("after_available", 3)):
        told = story(expiry=expiry, pending=Pending("fulfilled", 14)).tell(Told("2027-11-30", paid("o", "10")))
        told.tell(Told("2028-03-09", fulfilled("o"), received="2029-04-13"))
        assert told.said[-1] == "released 10"
        assert balances(told.until("2029-05-13 23:59")) == (10, 0, 0)
        assert balances(told.until("2029-05-14")) == (0, 0, 0)


@pytest.mark.rule(16)
def test_rule_16_inactivity_ends_everything_and_activity_keeps_it() -> None:
    told = story(**INACTIVE_6).tell(Told("2026-01-10", paid("o", "100")), Told("2026-05-31", paid("p", "10")))
    assert told.ann.inactive_at == instant("2026-12-01")
    told.until("2026-11-30 23:59")
    assert balances(told) == (110, 0, 0)
    assert balances(told.until("2026-12-01")) == (0, 0, 0)
    assert told.said[-1] == "expired 110 expired"


@pytest.mark.rule(16)
def test_rule_16_refunds_and_imports_are_no_activity_pending_lots_are_kept() -> None:
    told = story(**INACTIVE_6, **DAYS_14).tell(Told("2026-01-10", paid("o", "100")))
    told.tell(
        Told("2026-06-01", refunded("o", "r", "10")), Told("2026-06-02", BalanceImport(batch_id="b", row=1, points=5))
    )
    told.until("2026-07-26")
    assert balances(told) == (5, 0, 0)
    assert balances(told.until("2026-12-03")) == (0, 0, 0)


@pytest.mark.rule(53)
def test_rule_53_a_release_moves_the_date_and_pending_lots_never_expire() -> None:
    told = story(expiry=Expiry("inactivity", 1), pending=Pending(days=60)).tell(Told("2026-01-10", paid("o", "100")))
    assert balances(told.until("2026-03-12")) == (100, 0, 0)
    assert told.ann.inactive_at == instant("2026-04-13")


@pytest.mark.rule(53)
def test_rule_53_a_lot_with_a_date_of_its_own_never_moves() -> None:
    row = BalanceImport(batch_id="b", row=1, points=5, expires_at=instant("2026-02-01"))
    told = story(**INACTIVE_6).tell(Told("2026-01-10", row), Told("2026-01-11", paid("o", "100"))).until("2026-02-01")
    assert balances(told) == (100, 0, 0)


@pytest.mark.rule(16)
def test_rule_16_switching_inactivity_on_starts_everybodys_clock() -> None:
    newer = program(version=2, in_force_from=instant("2026-03-01"), **INACTIVE_6)
    told = Story(Versions((program(), newer))).tell(Told("2026-01-10", paid("o", "100"))).until("2026-03-01")
    assert told.ann.inactive_at == instant("2026-09-02")
    assert balances(told.until("2026-09-02")) == (0, 0, 0)


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


@pytest.mark.rule(23)
def test_rule_23_gold_from_the_release_to_the_end_of_the_year_after() -> None:
    tiers = ladder(("gold", 1000, "1"), window="calendar_year")
    told = story(**DAYS_14, tiers=tiers).tell(
        Told("2025-03-01", paid("a", "400")), Told("2025-12-20", paid("b", "600"))
    )
    told.until("2026-01-04")
    assert told.said[-2:] == ["released 600", "tier bronze → gold, qualified"]
    assert (told.ann.tier, told.ann.tier_until) == ("gold", instant("2027-01-01"))
    assert told.ann.qualifying["2025-01-01"] == 1000
    told.tell(Told("2026-01-10", cancelled("b")))
    assert told.said[-1] == "tier gold → bronze, reversed"


@pytest.mark.rule(22)
@pytest.mark.parametrize(("measure", "threshold"), [("spend", 100_000_000), ("order_count", 1)])
def test_rule_22_spend_and_orders_qualify_when_the_pending_time_is_over(measure: str, threshold: int) -> None:
    tiers = ladder(("gold", threshold, "1"), measure=measure)
    rules = (Rule("r", rate=Fraction(1), minimum_micros=999_000_000),)
    told = story(**DAYS_14, tiers=tiers, rules=rules).tell(Told("2026-06-01", paid("o", "100")))
    assert told.ann.tier == "bronze"
    told.until("2026-06-16")
    assert told.said == ["fact.recorded below_minimum", "released 0", "tier bronze → gold, qualified"]
    told.tell(Told("2026-06-20", cancelled("o")))
    assert told.ann.tier == "bronze"


@pytest.mark.rule(22)
def test_rule_22_an_order_paid_again_waits_again() -> None:
    tiers = ladder(("gold", 1, "1"), measure="order_count", window="calendar_year")
    told = story(**DAYS_14, tiers=tiers).tell(Told("2026-06-01", paid("o", "100"))).until("2026-06-16")
    told.tell(Told("2026-06-20", cancelled("o")), Told("2026-06-25", updated("o", "100")))
    assert told.ann.qualifying == {"2026-01-01": 0}
    assert told.until("2026-07-10").ann.qualifying == {"2026-01-01": 1}


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


@pytest.mark.rule(52)
def test_rule_52_points_are_never_available_before_what_earned_them() -> None:
    told = story(pending=Pending(days=0), expiry=Expiry("after_available", 1))
    told.tell(Told("2026-01-01", paid("o")), Told("2026-07-20 12:00", updated("o", "33.15")))
    lot = told.lots["ann"][1]
    assert (lot.available_at, lot.expires_at) == (instant("2026-07-20 12:00"), instant("2026-08-21"))
