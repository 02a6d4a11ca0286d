"""Stream time, late facts, local days: rules 17, 31, 34, 36 and 37."""

from __future__ import annotations

from datetime import date, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest

from services.earning.decide.core.local_days import add_months, local_date, start_of_day
from services.earning.program.terms import Campaign, Conditions, Rule, Versions
from shared.facts.members import MemberEnrolled
from tests.unit.earning.decide.story import Story, Told, cancelled, instant, ladder, paid, program, refunded


@pytest.mark.rule(17)
@pytest.mark.parametrize(
    ("zone", "day", "first"),
    [
        ("Europe/Berlin", "2026-06-16", "2026-06-15T22:00:00+00:00"),
        ("America/Sao_Paulo", "2018-11-04", "2018-11-04T03:00:00+00:00"),
        ("America/Havana", "2026-11-01", "2026-11-01T04:00:00+00:00"),
        ("Asia/Beirut", "2022-03-27", "2022-03-26T22:00:00+00:00"),
        ("Pacific/Apia", "2011-12-30", "2011-12-30T10:00:00+00:00"),
        ("Africa/Cairo", "2026-04-24", "2026-04-23T22:00:00+00:00"),
    ],
)
def test_rule_17_a_day_begins_at_its_first_instant(zone: str, day: str, first: str) -> None:
    where, wanted = ZoneInfo(zone), date.fromisoformat(day)
    start = start_of_day(where, wanted)
    assert start.isoformat() == first
    assert local_date(where, start) >= wanted > local_date(where, start - timedelta(seconds=1))


@pytest.mark.rule(16)
@pytest.mark.parametrize(
    ("day", "months", "then"),
    [
        ("2026-01-31", 1, "2026-02-28"),
        ("2024-01-31", 1, "2024-02-29"),
        ("2026-01-31", 12, "2027-01-31"),
        ("2024-02-29", 12, "2025-02-28"),
        ("2026-03-31", -1, "2026-02-28"),
        ("2026-11-30", 3, "2027-02-28"),
    ],
)
def test_rule_16_month_ends_clamp(day: str, months: int, then: str) -> None:
    assert add_months(date.fromisoformat(day), months) == date.fromisoformat(then)


@pytest.mark.rule(31)
def test_rule_31_reversed_grows_and_the_books_balance() -> None:
    story = Story(Versions((program(),))).tell(
        Told("2026-06-01", paid("o", "49")),
        Told("2026-06-02", refunded("o", "r", "9")),
        Told("2026-06-03", cancelled("o")),
    )
    balances = story.ann.balances
    assert (balances.available, balances.earned, balances.reversed) == (0, 49, 49)
    assert story.events[1].postings == {"available": -9, "reversed": 9}


WEEKEND = Campaign(
    "weekend",
    Fraction(2),
    conditions=Conditions(starts_at=instant("2026-06-01"), ends_at=instant("2026-06-03")),
)


@pytest.mark.rule(34)
def test_rule_34_placed_at_chooses_the_campaign() -> None:
    story = Story(Versions((program(campaigns=(WEEKEND,)),)))
    story.tell(Told("2026-06-04", paid("o", "10", placed_at=instant("2026-06-02"))))
    assert story.said == ["earned 20"]


@pytest.mark.rule(34)
def test_rule_34_an_earlier_payment_chooses_anew() -> None:
    story = Story(Versions((program(campaigns=(WEEKEND,)),)))
    story.tell(Told("2026-06-04", paid("o", "10")), Told("2026-06-02", paid("o", "10"), received="2026-06-05"))
    assert story.said == ["earned 10", "earned 10"]
    assert story.ann.balances.available == 20


@pytest.mark.rule(34)
def test_rule_34_who_the_member_was_stays() -> None:
    rules = (Rule("vip", rate=Fraction(1), conditions=Conditions(segments=frozenset({"vip"}))),)
    story = Story(Versions((program(rules=rules),)))
    story.tell(
        Told("2026-05-01", MemberEnrolled(segments=("vip",))),
        Told("2026-06-04", paid("o", "10")),
        Told("2026-06-05", MemberEnrolled()),
        Told("2026-06-02", paid("o", "10"), received="2026-06-06"),
    )
    assert story.ann.balances.available == 10


@pytest.mark.rule(36)
def test_rule_36_joined_at_never_moves() -> None:
    story = Story(Versions((program(),)))
    story.tell(
        Told("2026-05-01", MemberEnrolled(joined_at=instant("2020-02-29"))),
        Told("2026-06-01", MemberEnrolled(joined_at=instant("2021-01-01"), segments=("vip",))),
        Told("2026-05-15", MemberEnrolled(segments=("late",)), received="2026-06-02"),
    )
    assert (story.ann.joined_at, story.ann.segments) == (instant("2020-02-29"), ("vip",))


@pytest.mark.rule(37)
def test_rule_37_a_late_fact_earns_by_the_tier_and_version_of_its_own_time() -> None:
    tiers = ladder(("gold", 100, "2"))
    newer = program(version=2, in_force_from=instant("2026-02-01"), rules=(Rule("r", rate=Fraction(5)),), tiers=tiers)
    story = Story(Versions((program(tiers=tiers), newer)))
    story.tell(Told("2026-01-10", paid("a", "100")), Told("2026-03-01", paid("b", "1")))
    story.tell(Told("2026-01-09", paid("c", "10"), received="2026-03-02"))
    story.tell(Told("2026-01-11", paid("d", "10"), received="2026-03-02"))
    assert story.said == ["earned 100", "tier bronze → gold, qualified", "earned 10", "earned 10", "earned 20"]
    assert story.lots["ann"][3].earned_at == instant("2026-01-09")


@pytest.mark.rule(37)
def test_rule_37_older_than_the_tier_history_is_the_base_tier() -> None:
    story = Story(Versions((program(tiers=ladder(("gold", 100, "2"))),)))
    story.tell(Told("2021-01-10", paid("a", "100")), Told("2026-03-01", paid("b", "1")))
    story.tell(Told("2023-01-10", paid("c", "10"), received="2026-03-02"))
    assert story.said[-1] == "earned 10" if len(story.ann.tier_history) > 1 else "earned 20"
