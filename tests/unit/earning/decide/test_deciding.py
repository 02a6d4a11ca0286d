"""Stream time, and facts that come late: rules 31, 34, 36, 37 and 70."""

from __future__ import annotations

from fractions import Fraction

import pytest

from services.earning.program.terms import (
    Campaign,
    Conditions,
    Rule,
    Versions,
)
from shared.facts.members import MemberEnrolled
from tests.unit.earning.decide.story import Story, Told, cancelled, instant, ladder, paid, program, refunded

WEEKEND = Campaign(
    "weekend",
    Fraction(2),
    conditions=Conditions(starts_at=instant("2026-06-01"), ends_at=instant("2026-06-03")),
)


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


@pytest.mark.rule(70)
def test_rule_70_a_version_is_in_force_from_its_instant_on() -> None:
    later = program(version=2, in_force_from=instant("2026-07-01"), rules=())
    told = Story(Versions((program(), later)))
    told.tell(Told("2026-06-30 23:59", paid("a", "10")), Told("2026-07-01", paid("b", "10")))
    assert told.said == ["earned 10", "fact.recorded nothing_eligible"]
