"""How long points live: rules 16, 37, 52 and 53."""

from __future__ import annotations

import pytest

from services.earning.program.terms import Expiry, Pending, Versions
from shared.facts.imports import BalanceImport
from tests.unit.earning.decide.story import (
    Story,
    Told,
    balances,
    fulfilled,
    instant,
    paid,
    program,
    refunded,
    story,
    updated,
)

DAYS_14 = {"pending": Pending(days=14)}


MONTHS_12 = {"expiry": Expiry("after_available", 12)}


INACTIVE_6 = {"expiry": Expiry("inactivity", 6)}


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


@pytest.mark.rule(52)
def test_rule_52_points_are_never_available_before_what_earned_them() -> None:
    told = story(pending=Pending(days=0), expiry=Expiry("after_available", 1))
    told.tell(Told("2026-01-01", paid("o")), Told("2026-07-20 12:00", updated("o", "33.15")))
    lot = told.lots["ann"][1]
    assert (lot.available_at, lot.expires_at) == (instant("2026-07-20 12:00"), instant("2026-08-21"))
