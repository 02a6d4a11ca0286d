"""Activities, their limits, and the multipliers that name them: rules 24, 27, 65 and 68."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from msgspec.structs import replace

from services.earning.decide import Outcome
from services.earning.program.terms import (
    Activity,
    Campaign,
    Card,
    Conditions,
    Expiry,
    Limit,
    Reviews,
    TierLevel,
    Tiers,
    Versions,
)
from shared.facts.activities import ActivityRecorded, ActivityWithdrawn
from shared.facts.fact import FactData
from shared.facts.members import MemberClosed, MemberEnrolled, MemberUpdated
from shared.facts.redemptions import RedemptionRequested
from shared.facts.reviews import ReviewPublished
from shared.point_events import DeficitForgiven, FactRecorded, PointsEarned, PointsReversed
from tests.unit.earning.decide.story import Story, Told, instant, paid, program, story

REVIEWS = Reviews(10, photo=15, video=20)


NEWS = Activity("newsletter", 50, limit=Limit(1))


def review(review_id: str = "r", product: str = "tea", **more: Any) -> ReviewPublished:
    return ReviewPublished(review_id=review_id, product_id=product, rating=5, **more)


def did(activity_id: str, kind: str = "newsletter", **more: Any) -> ActivityRecorded:
    return ActivityRecorded(activity_id=activity_id, kind=kind, **more)


def undid(activity_id: str, kind: str = "newsletter") -> ActivityWithdrawn:
    return ActivityWithdrawn(activity_id=activity_id, kind=kind)


def days(*facts: FactData) -> list[Told]:
    """Facts of the days from 1 June on, one a day."""
    return [Told(f"2026-06-{day:02}", data) for day, data in enumerate(facts, 1)]


RUNNERS = TierLevel("gold", 100, Fraction(3), activities=(("run", Fraction(2)),))


GOLD = Tiers("bronze", (TierLevel("bronze", 0), RUNNERS))


WEEKEND = Campaign(
    "weekend",
    Fraction(3, 2),
    activities=frozenset({"run", "review"}),
    conditions=Conditions(weekdays=frozenset({6, 7})),
)


QUIZ = Activity("quiz", 7)


@pytest.mark.rule(22, 70)
def test_rule_70_what_turns_out_to_be_before_the_program_counts_for_no_tier() -> None:
    told = story(tiers=GOLD, activities=(Activity("quiz", 100),), in_force_from=instant("2026-06-01"))
    told.tell(Told("2026-06-02", did("a", "quiz")), Told("2026-05-02", did("a", "quiz"), received="2026-06-03"))
    assert told.said[2:] == ["reversed 100 edited", "tier gold → bronze, reversed"]
    assert not any(told.ann.qualifying.values())


@pytest.mark.rule(27)
def test_rule_27_points_once_withdrawn_none() -> None:
    told = story(activities=(NEWS,)).tell(*days(did("a"), did("a"), undid("a")))
    assert told.said == ["earned 50", "fact.recorded nothing_changed", "reversed 50 withdrawn"]


@pytest.mark.rule(27)
@pytest.mark.parametrize(
    ("per", "dates", "points"),
    [
        ("lifetime", ["2026-06-01", "2031-06-01"], [50, 0]),
        ("day", ["2026-06-01 01:00", "2026-06-01 23:00", "2026-06-02"], [50, 0, 50]),
        ("week", ["2026-06-01", "2026-06-07", "2026-06-08"], [50, 0, 50]),
        ("month", ["2026-06-01", "2026-06-30", "2026-07-01"], [50, 0, 50]),
        ("year", ["2026-06-01", "2026-12-31", "2027-01-01"], [50, 0, 50]),
    ],
)
def test_rule_27_a_limit_by_period(per: str, dates: list[str], points: list[int]) -> None:
    told = story(activities=(Activity("newsletter", 50, limit=Limit(1, per)),))
    told.tell(*(Told(date, did(f"a{i}")) for i, date in enumerate(dates)))
    assert [getattr(event, "points", 0) for event in told.events] == points


@pytest.mark.rule(68)
def test_rule_68_a_withdrawal_frees_its_place_for_later_ones() -> None:
    told = story(activities=(NEWS,)).tell(*days(did("a"), did("b"), undid("a"), undid("b"), did("c"), did("d")))
    assert told.said == [
        "earned 50",
        "fact.recorded limit_reached",
        "reversed 50 withdrawn",
        "fact.recorded nothing_changed",
        "earned 50",
        "fact.recorded limit_reached",
    ]


@pytest.mark.rule(68)
def test_rule_68_who_is_refused_stays_so_until_withdrawn_or_of_another_kind() -> None:
    told = story(activities=(NEWS, Activity("quiz", 7, limit=Limit(1))))
    told.tell(*days(did("a"), did("b"), did("b", "nap"), undid("a"), did("b"), did("b", "quiz")))
    assert told.said[2:] == [
        "fact.recorded unknown_activity",
        "reversed 50 withdrawn",
        "earned 50",  # told of another kind meanwhile, it was decided anew
        "reversed 43 edited",
    ]
    told.tell(Told("2026-06-10", did("c", "quiz")), Told("2026-06-11", undid("b")))
    told.tell(Told("2026-06-12", did("c", "quiz", quantity=2)), Told("2026-06-13", did("d", "quiz")))
    assert told.said[6:] == [
        "fact.recorded limit_reached",
        "reversed 7 withdrawn",
        "fact.recorded limit_reached",
        "earned 7",
    ]


@pytest.mark.rule(27, 68)
def test_rule_68_a_kind_in_another_ones_name_has_places_of_its_own() -> None:
    told = story(activities=(Activity("run", 5, limit=Limit(1)), Activity("run/long", 9, limit=Limit(1))))
    told.tell(*days(did("a", "run/long"), did("b", "run"), did("a", "run")))
    assert told.said == ["earned 9", "earned 5", "reversed 9 edited"]


@pytest.mark.rule(68)
def test_rule_68_points_per_fact_unless_per_unit() -> None:
    run = {"activities": (Activity("run", 3), Activity("pot", 2, per_unit=True))}
    told = story(**run).tell(*days(did("a", "run", quantity=5), did("b", "pot", quantity=5), did("b", "pot")))
    assert told.said == ["earned 3", "earned 10", "reversed 8 edited"]


@pytest.mark.rule(68)
def test_rule_68_attributes_that_are_not_declared_are_not_kept() -> None:
    social = Activity("social_tag", 5, attributes=frozenset({"network"}))
    fact = did("a", "social_tag", attributes={"network": "x", "handle": "@ann"})
    told = story(activities=(social,)).tell(*days(fact), *days(fact))
    assert told.events[0].fact.data.attributes == {"network": "x"}
    assert told.said == ["earned 5"]


@pytest.mark.rule(27)
def test_rule_27_a_kind_that_the_program_does_not_know_and_one_at_another_time() -> None:
    evening = Activity("workout", 5, conditions=Conditions(hours=frozenset({18})))
    told = story(activities=(evening,))
    told.tell(Told("2026-06-01 18:30", did("a", "workout")), Told("2026-06-01 19:30", did("b", "workout")))
    told.tell(Told("2026-06-01 19:40", did("c", "yoga")))
    assert told.said == ["earned 5", "fact.recorded nothing_eligible", "fact.recorded unknown_activity"]


@pytest.mark.rule(24, 29, 65)
def test_rule_65_multipliers_touch_activities_only_where_they_name_them() -> None:
    told = story(
        tiers=GOLD, campaigns=(WEEKEND,), reviews=REVIEWS, activities=(Activity("run", 5), Activity("yoga", 5))
    )
    told.tell(Told("2026-06-01", paid("o", "100")))
    told.tell(Told("2026-06-02", did("a", "run")), Told("2026-06-02", did("b", "yoga")))
    told.tell(Told("2026-06-06", did("c", "run")), Told("2026-06-06", review()), Told("2026-06-06", paid("p", "10")))
    assert told.said == ["earned 100", "tier bronze → gold, qualified", *(f"earned {n}" for n in (10, 5, 15, 15, 30))]
    third = told.events[4]
    assert isinstance(third, PointsEarned)
    (share,) = third.rules
    assert (share.rule, share.rate, share.multiplier, share.raw) == ("run", "5", "3", "15")


@pytest.mark.rule(24, 65)
def test_rule_65_what_is_taken_back_says_how_it_came_to_nothing_and_a_record_says_no_rule() -> None:
    runs = Activity("run", 5, per_unit=True)
    told = story(campaigns=(WEEKEND,), activities=(runs,))
    told.tell(Told("2026-06-06", did("a", "run", quantity=2)), Told("2026-06-06", did("b", "run", quantity=0)))
    told.tell(Told("2026-06-07", did("a", "run", quantity=0), received="2026-06-07"))
    assert told.said == ["earned 15", "fact.recorded nothing_eligible", "reversed 15 edited"]
    _, recorded, reversed_ = told.events
    assert isinstance(recorded, FactRecorded)
    assert isinstance(reversed_, PointsReversed)
    assert recorded.rules == []
    (share,) = reversed_.rules
    assert (share.rule, share.points, share.rate, share.multiplier, share.raw) == ("run", 15, "0", "1.5", "0")


@pytest.mark.rule(24, 2)
def test_rule_24_of_several_multipliers_only_the_highest_where_the_program_says_so() -> None:
    told = story(tiers=GOLD, campaigns=(WEEKEND,), activities=(Activity("run", 5),), multipliers="highest")
    told.tell(Told("2026-06-01", paid("o", "100")), Told("2026-06-06", did("c", "run")))
    assert told.said[-1] == "earned 10"


@pytest.mark.rule(22, 27)
def test_rule_22_points_of_activities_qualify_and_leave_again() -> None:
    told = story(tiers=GOLD, activities=(Activity("quiz", 100),)).tell(*days(did("a", "quiz"), undid("a", "quiz")))
    assert told.said == [
        "earned 100",
        "tier bronze → gold, qualified",
        "reversed 100 withdrawn",
        "tier gold → bronze, reversed",
    ]
    assert set(told.ann.qualifying.values()) == {0}


@pytest.mark.rule(27, 37)
def test_rule_37_a_late_activity_is_valued_at_its_own_time_and_lives_from_now() -> None:
    old = program(activities=(Activity("quiz", 7),), expiry=Expiry("after_available", 1))
    new = program(version=2, in_force_from=instant("2026-06-10"), activities=(Activity("quiz", 9),))
    told = Story(Versions((old, new)))
    told.tell(Told("2026-06-20", did("a", "quiz")), Told("2026-06-01", did("b", "quiz"), received="2026-08-01"))
    assert told.said == ["earned 9", "earned 7"]
    lot = told.lots["ann"][2]
    assert lot.expires_at == instant("2026-09-01")


@pytest.mark.rule(71)
def test_rule_71_a_closed_member_earns_nothing_more_and_a_withdrawal_still_converges() -> None:
    told = story(activities=(NEWS, Activity("quiz", 7))).tell(
        *days(did("a"), MemberClosed(), did("b", "quiz"), undid("a"))
    )
    assert told.said == [
        "earned 50",
        "expired 50 closed",
        "member.closed",
        "fact.recorded member_closed",
        "reversed 50 withdrawn",
    ]
    assert told.ann.balances.deficit == 0


@pytest.mark.rule(66, 68, 71)
def test_rule_71_who_is_closed_takes_no_place_from_those_that_count_later() -> None:
    told = story(reviews=REVIEWS, activities=(NEWS,))
    told.tell(*days(MemberClosed(), did("a"), review("a"), MemberEnrolled(), did("b"), review("b")))
    assert [word for word in told.said if "earned" in word] == ["earned 50", "earned 10"]


@pytest.mark.rule(36)
def test_rule_36_who_and_when_are_answered_when_it_first_stands() -> None:
    vip = Campaign("vip", Fraction(2), activities=frozenset({"newsletter"}))
    vip = replace(vip, conditions=Conditions(segments=frozenset({"vip"})))
    told = story(activities=(NEWS,), campaigns=(vip,))
    told.tell(
        Told("2026-06-02", undid("a"), received="2026-06-10"),
        Told("2026-06-01", did("a"), received="2026-06-11"),
        Told("2026-06-12", MemberUpdated(segments=("vip",))),
        Told("2026-06-13", did("a")),
    )
    assert told.said[-1] == "earned 100"


@pytest.mark.rule(48, 68)
def test_rule_48_what_holds_stamps_and_does_not_change_says_so() -> None:
    told = story(activities=(Activity("pot"), Activity("nap")), cards=(Card("masks", 5, "pot", points=1),))
    told.tell(*days(did("a", "pot"), did("a", "pot"), did("b", "nap"), MemberClosed(), did("c", "pot")))
    assert told.said == [
        "stamp.collected",
        "fact.recorded nothing_changed",
        "fact.recorded nothing_eligible",
        "member.closed",
        "fact.recorded member_closed",
    ]


@pytest.mark.rule(25)
def test_a_fact_told_twice_is_a_duplicate() -> None:
    told = story(reviews=REVIEWS, activities=(NEWS,))
    for data in (review(), did("a")):
        first, second = (told.take(Told("2026-06-01", data).fact(number)) for number in (1, 2))
        assert (first.outcome, second.outcome) == (Outcome.APPLIED, Outcome.DUPLICATE)


@pytest.mark.rule(13, 27)
@pytest.mark.parametrize(("deficit", "owed"), [("forgive", 0), ("carry", 7)])
def test_rule_27_points_of_an_activity_that_were_spent_are_owed_or_forgiven(deficit: str, owed: int) -> None:
    told = story(deficit=deficit, activities=(QUIZ,))
    told.tell(Told("2026-01-01", ActivityRecorded(activity_id="q", kind="quiz")))
    told.tell(Told("2026-01-02", RedemptionRequested(redemption_id="x", points=7)))
    told.tell(Told("2026-01-03", ActivityWithdrawn(activity_id="q", kind="quiz")))
    back = next(event for event in told.events if isinstance(event, PointsReversed))
    assert (back.points, back.reason, back.to_deficit, back.program_version) == (7, "withdrawn", 7, 1)
    forgiven = [event for event in told.events if isinstance(event, DeficitForgiven)]
    assert [(one.points, one.reason, one.key, one.program_version) for one in forgiven] == [
        (7, "withdrawn", back.key, 1)
    ][: not owed]
    assert told.ann.balances.deficit == owed


@pytest.mark.rule(27, 46)
def test_rule_27_what_is_taken_back_says_how_it_was_reckoned() -> None:
    tiers = Tiers("bronze", (TierLevel("bronze", 0, Fraction(3, 2)),))
    told = story(activities=(QUIZ,), tiers=tiers)
    told.tell(Told("2026-01-01", ActivityRecorded(activity_id="q", kind="quiz")))
    told.tell(Told("2026-01-03", ActivityWithdrawn(activity_id="q", kind="quiz")))
    earned, back = (event.rules for event in told.events if hasattr(event, "rules") and event.rules)
    assert earned == back


@pytest.mark.rule(25, 27, 71)
@pytest.mark.parametrize(
    "fact",
    [
        ReviewPublished(review_id="r", product_id="tea", rating=5),
        ActivityRecorded(activity_id="q", kind="once"),
    ],
)
def test_rule_71_who_is_closed_takes_no_place_and_is_told_so(fact: FactData) -> None:
    once = Activity("once", 7, limit=Limit(1))
    told = story(reviews=Reviews(10, once_per_product=True), activities=(once,))
    told.tell(Told("2026-01-01", MemberClosed()), Told("2026-01-02", fact))
    assert told.said[-1] == "fact.recorded member_closed"
