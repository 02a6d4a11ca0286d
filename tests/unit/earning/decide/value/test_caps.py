"""Caps, entry bonuses, given tiers and every other window: rules 7, 23, 24, 46, 59, 61, 63 and 64."""

from __future__ import annotations

from fractions import Fraction

import pytest

from services.earning.program.terms import Caps, Rule, TierLevel, Tiers
from shared.errors import PermanentError
from shared.facts.imports import BalanceImport
from shared.facts.members import MemberEnrolled, TierAssigned
from shared.point_events import PointsEarned
from tests.unit.earning.decide.story import (
    Told,
    cancelled,
    instant,
    ladder,
    paid,
    refunded,
    story,
    updated,
)


@pytest.mark.rule(7)
def test_rule_07_worked_number() -> None:
    told = story(caps=Caps(day=500))
    told.tell(Told("2026-06-01 09:00", paid("a", "1000")), Told("2026-06-01 10:00", paid("b", "300")))
    told.tell(Told("2026-06-01 11:00", refunded("a", "r", "400")), Told("2026-06-01 12:00", refunded("a", "s", "300")))
    told.tell(Told("2026-06-01 13:00", paid("c", "300")))
    assert told.said == [
        "earned 500",
        "fact.recorded cap_reached",
        "fact.recorded nothing_changed",
        "reversed 200 refunded",
        "earned 200",
    ]


@pytest.mark.rule(7)
@pytest.mark.parametrize(
    ("caps", "days", "points"),
    [
        (Caps(order=60), ["01", "01"], [60, 60]),
        (Caps(day=150), ["01", "01", "02"], [100, 50, 100]),
        (Caps(week=150), ["01", "07", "08"], [100, 50, 100]),
        (Caps(month=150), ["01", "30"], [100, 50]),
        (Caps(day=150, month=220), ["01", "01", "02", "03"], [100, 50, 70, 0]),
    ],
)
def test_rule_07_caps_of_an_order_a_day_a_week_a_month(caps: Caps, days: list[str], points: list[int]) -> None:
    told = story(caps=caps)
    told.tell(*(Told(f"2026-06-{day} 1{i}:00", paid(f"o{i}", "100")) for i, day in enumerate(days)))
    assert [getattr(event, "points", 0) for event in told.events] == points


@pytest.mark.rule(7)
def test_rule_07_a_refund_gives_room_back_long_after() -> None:
    told = story(caps=Caps(day=100)).tell(Told("2026-06-01", paid("a", "100")))
    told.tell(*(Told(f"2026-06-{day:02}", paid(f"o{day}", "50")) for day in range(2, 9)))
    told.tell(Told("2026-06-09", refunded("a", "r", "40")))
    told.tell(Told("2026-06-01 12:00", paid("late", "100"), received="2026-06-10"))
    assert told.said[-2:] == ["reversed 40 refunded", "earned 40"]
    assert len(told.ann.caps) == 3


@pytest.mark.rule(7)
def test_rule_07_an_update_that_changes_no_amount_tops_nothing_up() -> None:
    told = story(caps=Caps(day=100))
    told.tell(Told("2026-06-01 09:00", paid("a", "100")), Told("2026-06-01 10:00", paid("b", "50")))
    told.tell(Told("2026-06-01 11:00", cancelled("a")), Told("2026-06-01 12:00", updated("b", "50")))
    assert told.ann.balances.available == 0
    told.tell(Told("2026-06-01 13:00", updated("b", "60")))
    assert told.ann.balances.available == 60


@pytest.mark.rule(46)
def test_rule_46_the_last_rule_is_cut_first_and_split_anew() -> None:
    rules = (Rule("base", rate=Fraction(1)), Rule("extra", rate=Fraction(1)))
    told = story(caps=Caps(order=50), rules=rules).tell(Told("2026-06-01", paid("o", "10", "30")))
    event = told.events[0]
    assert isinstance(event, PointsEarned)
    assert [(share.rule, share.points) for share in event.rules] == [("base", 40), ("extra", 10)]
    assert event.lines == {"1": 13, "2": 37}


BONUS = Tiers(
    "bronze",
    (TierLevel("bronze", 0), TierLevel("silver", 100, entry_bonus=10), TierLevel("gold", 200, entry_bonus=20)),
)


@pytest.mark.rule(24)
def test_rule_24_entry_bonuses_once_and_taken_back_by_a_refund() -> None:
    told = story(tiers=BONUS).tell(Told("2026-06-01", paid("a", "100")), Told("2026-06-02", paid("b", "100")))
    assert told.ann.balances.available == 230
    told.tell(Told("2026-06-03", cancelled("b")))
    assert told.said[-3:] == ["reversed 100 cancelled", "tier gold → silver, reversed", "reversed 20 tier_lost"]
    told.tell(Told("2026-06-04", paid("c", "100")))
    assert told.said[-3:] == ["earned 100", "tier silver → gold, qualified", "earned 20"]
    assert told.ann.qualifying == {"lifetime": 200}


@pytest.mark.rule(63)
def test_rule_63_a_jump_pays_only_the_tier_entered() -> None:
    told = story(tiers=BONUS).tell(Told("2026-06-01", paid("a", "200")))
    assert told.said == ["earned 200", "tier bronze → gold, qualified", "earned 20"]


@pytest.mark.rule(59)
def test_rule_59_imports_qualify_only_by_lifetime_points() -> None:
    told = story(tiers=BONUS).tell(Told("2026-06-01", BalanceImport(batch_id="b", row=1, points=500)))
    assert told.ann.tier == "bronze"
    told.tell(Told("2026-06-02", BalanceImport(batch_id="b", row=2, points=0, lifetime_points=100)))
    assert told.said[-2:] == ["tier bronze → silver, qualified", "earned 10"]


@pytest.mark.rule(61)
def test_rule_61_rolling_months_to_the_day() -> None:
    told = story(tiers=ladder(("gold", 100, "1"), window="rolling", months=1))
    told.tell(Told("2026-01-31", paid("a", "60")), Told("2026-02-10", paid("b", "60")))
    assert told.said[-1] == "tier bronze → gold, qualified"
    assert told.ann.tier_until == instant("2026-03-01")
    assert told.until("2026-02-28 23:59").ann.tier == "gold"
    assert told.until("2026-03-01").said[-1] == "tier gold → bronze, window_ended"


@pytest.mark.rule(61)
def test_rule_61_a_refund_lowers_when_something_leaves_or_at_once_where_the_program_says_so() -> None:
    for setting, tier in (("window_end", "gold"), ("at_once", "bronze")):
        told = story(tiers=ladder(("gold", 100, "1"), window="rolling", months=12, open_refund=setting))
        told.tell(Told("2026-01-31", paid("a", "100")), Told("2026-02-10", cancelled("a")))
        assert told.ann.tier == tier
        assert told.until("2027-02-01").ann.tier == "bronze"


@pytest.mark.rule(23)
def test_rule_23_anniversary_years_29_february_is_the_28th() -> None:
    told = story(tiers=ladder(("gold", 100, "1"), window="anniversary"))
    told.tell(Told("2024-02-29", MemberEnrolled()), Told("2025-02-27", paid("a", "60")))
    told.tell(Told("2025-02-28", paid("b", "60")))
    assert told.ann.qualifying == {"2024-02-29": 60, "2025-02-28": 60}
    told.tell(Told("2025-03-01", paid("c", "40")))
    assert told.ann.tier_until == instant("2027-02-28")


@pytest.mark.rule(64)
def test_rule_64_an_assigned_tier_holds_to_its_date_or_the_end_of_the_next_window() -> None:
    told = story(tiers=ladder(("gold", 100, "1"), window="calendar_year"))
    told.tell(Told("2026-03-01", TierAssigned(tier="gold", until=instant("2026-06-01"))))
    assert told.said == ["fact.recorded tier_assigned", "tier bronze → gold, assigned"]
    assert told.until("2026-06-01").said[-1] == "tier gold → bronze, assignment_ended"
    told.tell(Told("2026-07-01", TierAssigned(tier="gold")))
    assert told.ann.tier_until == instant("2028-01-01")
    assert told.until("2027-12-31").ann.tier == "gold"
    assert told.until("2028-01-01").ann.tier == "bronze"


@pytest.mark.rule(64)
def test_rule_64_an_unknown_tier_is_a_dead_letter() -> None:
    with pytest.raises(PermanentError) as caught:
        story(tiers=BONUS).tell(Told("2026-03-01", TierAssigned(tier="platinum")))
    assert caught.value.reason == "unknown_tier"
