"""How tiers rise, stay and fall: rules 5, 22, 23, 59, 60 and 62."""

from __future__ import annotations

from fractions import Fraction

import pytest

from services.earning.program.terms import Pending, Rule, Versions
from shared.facts.adjustments import PointsAdjust
from shared.facts.imports import BalanceImport, ImportRevert
from shared.facts.members import TierAssigned
from shared.point_events import TierChanged, TierRetained
from tests.unit.earning.decide.story import (
    Story,
    Told,
    cancelled,
    instant,
    ladder,
    paid,
    program,
    refunded,
    story,
    updated,
)

YEAR = {"window": "calendar_year"}
OPEN_YEAR = ladder(("silver", 500, "1"), ("gold", 1000, "1"), window="calendar_year", open_refund="at_once")


def of_tiers(**tiers: object) -> Story:
    return Story(Versions((program(tiers=ladder(("silver", 500, "1"), ("gold", 1000, "1"), **YEAR | tiers)),)))


def adjusted(name: str, points: int) -> PointsAdjust:
    return PointsAdjust(adjustment_id=name, points=points, actor_id="me", reason="why", qualifying=True)


def given(tier: str, until: str | None = None) -> TierAssigned:
    return TierAssigned(tier=tier, until=instant(until) if until else None)


DAYS_14 = {"pending": Pending(days=14)}


@pytest.mark.rule(23)
def test_rule_23_gold_lasts_to_the_end_of_the_year_after() -> None:
    told = of_tiers().tell(Told("2025-03-01", paid("a", "400")), Told("2025-12-20", paid("b", "600")))
    event = told.events[-1]
    assert isinstance(event, TierChanged)
    assert (event.before, event.after, event.valid_until) == ("bronze", "gold", instant("2027-01-01"))
    told.until("2026-12-31 23:59:59")
    assert told.ann.tier == "gold"
    told.until("2027-01-01")
    assert told.said[-1] == "tier gold → bronze, window_ended"
    assert told.events[-1].decided_at == instant("2027-01-01")


@pytest.mark.rule(23)
def test_rule_23_a_refund_that_takes_a_closed_year_below_lowers_at_once() -> None:
    told = of_tiers().tell(Told("2025-03-01", paid("a", "400")), Told("2025-12-20", paid("b", "600")))
    told.tell(Told("2026-01-10", cancelled("b")))
    assert told.said[-1] == "tier gold → bronze, reversed"
    assert told.ann.qualifying["2025-01-01"] == 400


@pytest.mark.rule(23)
def test_rule_23_an_open_year_lowers_at_its_end() -> None:
    told = of_tiers().tell(Told("2025-03-01", paid("a", "1000")), Told("2025-04-01", cancelled("a")))
    assert told.ann.tier == "gold"
    assert told.said[-1] == "tier.retained gold"
    assert told.ann.tier_until == instant("2026-01-01")
    assert told.until("2026-01-01").ann.tier == "bronze"


@pytest.mark.rule(23)
def test_rule_23_grace_comes_after_the_end() -> None:
    told = of_tiers(grace_days=30).tell(Told("2025-03-01", paid("a", "1000")))
    assert told.ann.tier_until == instant("2027-01-31")
    assert told.until("2027-01-30 23:59").ann.tier == "gold"
    assert told.until("2027-01-31").ann.tier == "bronze"


@pytest.mark.rule(23)
def test_rule_23_no_fall_before_grace_is_over() -> None:
    told = of_tiers(grace_days=30).tell(Told("2025-03-01", paid("a", "1000")), Told("2026-01-10", cancelled("a")))
    assert told.ann.tier == "gold"
    assert told.until("2026-01-31").said[-1] == "tier gold → bronze, window_ended"


@pytest.mark.rule(23)
def test_rule_23_one_level_a_year() -> None:
    told = of_tiers(fall="one_level").tell(Told("2025-03-01", paid("a", "1000")))
    assert told.until("2027-01-01").ann.tier == "silver"
    assert told.until("2028-01-01").ann.tier == "bronze"


@pytest.mark.rule(23)
def test_rule_23_a_late_fact_lifts_through_a_closed_year() -> None:
    told = of_tiers().tell(Told("2025-12-20", paid("a", "600")))
    told.tell(Told("2025-12-30", paid("b", "400"), received="2026-01-05"))
    assert told.said[-1] == "tier silver → gold, qualified"
    assert told.ann.tier_until == instant("2027-01-01")


@pytest.mark.rule(23)
def test_rule_23_qualifying_again_keeps_the_tier_a_year_longer() -> None:
    told = of_tiers().tell(Told("2025-03-01", paid("a", "1000")), Told("2026-03-01", paid("b", "999")))
    assert told.said[-1] == "earned 999"
    told.tell(Told("2026-04-01", paid("c", "1")))
    event = told.events[-1]
    assert isinstance(event, TierRetained)
    assert event.valid_until == instant("2028-01-01")
    assert told.until("2027-01-01").ann.tier == "gold"


@pytest.mark.rule(62)
def test_rule_62_the_running_year_can_be_the_better() -> None:
    told = of_tiers(grace_days=30).tell(Told("2025-03-01", paid("a", "1000")), Told("2027-01-20", paid("b", "700")))
    assert told.until("2027-01-31").said[-1] == "tier gold → silver, window_ended"


@pytest.mark.rule(22)
def test_rule_22_spend_qualifies_where_nothing_is_earned() -> None:
    tiers = ladder(("gold", 1_000_000_000, "1"), measure="spend")
    told = Story(Versions((program(tiers=tiers, rules=(Rule("r", points=1),)),)))
    told.tell(Told("2025-03-01", paid("a", "999.99")), Told("2025-03-02", paid("b", "0.01")))
    assert told.said[-1] == "tier bronze → gold, qualified"
    assert (told.events[0].qualifies, told.events[0].qualifying, told.events[0].to_next) == ("999.99", "999.99", "0.01")


@pytest.mark.rule(59)
def test_rule_59_points_earned_are_net_of_reversals() -> None:
    told = of_tiers().tell(Told("2025-03-01", paid("a", "400")), Told("2025-03-02", refunded("a", "r", "100")))
    event = told.events[-1]
    assert (event.qualifies, event.qualifying, event.to_next) == ("-100", "300", "200")


@pytest.mark.rule(60)
def test_rule_60_a_lifetime_lowers_at_once() -> None:
    told = of_tiers(window="lifetime").tell(Told("2025-03-01", paid("a", "1000")))
    assert told.ann.tier_until is None
    told.tell(Told("2029-01-01", refunded("a", "r", "1")))
    assert told.said[-1] == "tier gold → silver, reversed"


@pytest.mark.rule(24)
def test_rule_24_a_new_version_lifts_at_once_and_lowers_at_valid_until() -> None:
    easier = program(version=2, in_force_from=instant("2025-06-01"), tiers=ladder(("gold", 300, "1"), **YEAR))
    harder = program(version=3, in_force_from=instant("2025-07-01"), tiers=ladder(("gold", 900, "1"), **YEAR))
    told = Story(Versions((program(tiers=ladder(("gold", 500, "1"), **YEAR)), easier, harder)))
    told.tell(Told("2025-03-01", paid("a", "400"))).until("2025-06-01")
    assert told.said[-1] == "tier bronze → gold, program_changed"
    assert told.until("2025-12-31").ann.tier == "gold"
    assert told.until("2027-01-01").ann.tier == "bronze"


@pytest.mark.rule(61)
@pytest.mark.parametrize("grace", [0, 30])
def test_rule_61_a_day_below_zero_that_leaves_lifts_at_that_midnight(grace: int) -> None:
    levels = ladder(("silver", 36, "1"), ("gold", 52, "1"), window="rolling", months=12, grace_days=grace)
    told = Story(Versions((program(tiers=levels),)))
    told.tell(Told("2028-01-01 12:00", adjusted("a", -11)), Told("2028-06-01 12:00", adjusted("b", 44)))
    assert told.until("2029-01-01 23:59:59").ann.tier == "bronze"
    assert told.until("2029-01-02").said[-1] == "tier bronze → silver, qualified"
    assert told.events[-1].decided_at == instant("2029-01-02")


@pytest.mark.rule(34, 22)
def test_rule_34_an_order_that_was_placed_before_there_was_a_program_leaves_its_window() -> None:
    tiers = ladder(("gold", 100_000_000, "1"), measure="spend", **YEAR)
    told = Story(Versions((program(tiers=tiers, in_force_from=instant("2024-01-01")),)))
    told.tell(Told("2024-05-01", paid("o", "100")), Told("2023-12-30", paid("o", "100"), received="2024-05-02"))
    assert told.said[-2:] == ["reversed 100 updated", "tier.retained gold"]
    assert told.ann.qualifying["2024-01-01"] == 0
    assert told.until("2025-01-01").said[-1] == "tier gold → bronze, window_ended"


@pytest.mark.rule(23)
def test_rule_23_what_an_open_year_loses_waits_for_grace_too() -> None:
    told = of_tiers(grace_days=30, open_refund="at_once").tell(Told("2025-03-01", paid("a", "1000")))
    told.tell(Told("2027-01-05", paid("b", "1000")), Told("2027-01-06", cancelled("b")))
    assert told.ann.tier == "gold"
    assert told.until("2027-01-31").said[-1] == "tier gold → bronze, window_ended"


@pytest.mark.rule(64)
def test_rule_64_an_assigned_tier_takes_nothing_from_what_was_earned() -> None:
    told = of_tiers().tell(Told("2025-03-01", paid("a", "1000")), Told("2025-04-01", cancelled("a")))
    told.tell(Told("2025-05-01", given("silver", "2025-06-01")))
    assert told.until("2025-06-01").ann.tier == "gold"
    assert told.until("2026-01-01").said[-1] == "tier gold → bronze, window_ended"


@pytest.mark.rule(64)
def test_rule_64_at_its_end_the_member_holds_what_they_have_earned_meanwhile() -> None:
    told = of_tiers().tell(Told("2025-03-01", given("gold", "2025-06-01")), Told("2025-04-01", paid("a", "500")))
    assert told.ann.tier == "gold"
    assert told.until("2025-06-01").said[-1] == "tier gold → silver, assignment_ended"
    assert told.ann.tier_until == instant("2027-01-01")


@pytest.mark.rule(64)
def test_rule_64_the_newest_assignment_counts_whenever_it_arrives() -> None:
    told = of_tiers().tell(
        Told("2025-03-02", given("silver")), Told("2025-03-01", given("gold"), received="2025-03-03")
    )
    assert told.said == [
        "fact.recorded tier_assigned",
        "tier bronze → silver, assigned",
        "fact.recorded nothing_changed",
    ]
    told.tell(Told("2025-03-04", given("gold")), Told("2025-03-05", given("silver")))
    assert told.said[-1] == "tier gold → silver, assigned"


@pytest.mark.rule(32, 63)
def test_rule_32_an_imported_tier_comes_in_one_step_and_goes_with_its_import() -> None:
    row = BalanceImport(batch_id="b", row=1, points=0, lifetime_points=500, tier="gold")
    told = of_tiers().tell(Told("2025-03-01", row))
    assert told.said[1:] == ["tier bronze → gold, imported"]
    told.tell(Told("2025-03-02", given("gold", "2025-06-01")), Told("2025-03-03", ImportRevert(batch_id="b")))
    assert told.ann.tier == "gold"
    assert told.until("2025-06-01").ann.tier == "silver"


@pytest.mark.rule(23, 32)
def test_rule_32_grace_holds_what_an_import_held() -> None:
    told = of_tiers(grace_days=30).tell(Told("2025-03-01", paid("a", "1000")))
    told.tell(Told("2027-01-05", BalanceImport(batch_id="b", row=1, points=0, tier="silver")))
    told.tell(Told("2027-01-06", ImportRevert(batch_id="b")))
    assert told.ann.tier == "gold"
    assert told.until("2027-01-31").ann.tier == "bronze"


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


@pytest.mark.rule(23)
@pytest.mark.parametrize(
    ("amount", "word"), [("1", "tier gold → silver, reversed"), ("501", "tier gold → bronze, reversed")]
)
def test_rule_23_an_open_year_lowers_at_once_where_the_program_says_so(amount: str, word: str) -> None:
    told = story(tiers=OPEN_YEAR).tell(
        Told("2025-03-01", paid("a", "1000")), Told("2025-04-01", refunded("a", "r", amount))
    )
    assert told.said[-1] == word


@pytest.mark.rule(23)
def test_rule_23_what_last_year_holds_up_is_not_lost_by_this_one() -> None:
    told = story(tiers=OPEN_YEAR).tell(Told("2025-03-01", paid("a", "1000")), Told("2026-03-01", paid("b", "1200")))
    assert told.tell(Told("2026-04-01", cancelled("b"))).said[-1] == "tier.retained gold"
    assert told.tell(Told("2026-04-02", refunded("a", "r", "1"))).said[-1] == "tier gold → silver, reversed"
