"""Reviews, activities, and the multipliers that name them: rules 24, 25, 27, 65, 66 and 68."""

from __future__ import annotations

from fractions import Fraction
from itertools import permutations
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
from shared.facts.reviews import ReviewPublished, ReviewRemoved, ReviewUpdated
from shared.point_events import PointsEarned
from tests.unit.earning.decide.story import Story, Told, instant, paid, program

REVIEWS = Reviews(10, photo=15, video=20)
NEWS = Activity("newsletter", 50, limit=Limit(1))


def story(**settings: Any) -> Story:
    return Story(Versions((program(**settings),)))


def review(review_id: str = "r", product: str = "tea", **more: Any) -> ReviewPublished:
    return ReviewPublished(review_id=review_id, product_id=product, rating=5, **more)


def edited(review_id: str = "r", product: str = "tea", **more: Any) -> ReviewUpdated:
    return ReviewUpdated(review_id=review_id, product_id=product, rating=5, **more)


def removed(review_id: str = "r") -> ReviewRemoved:
    return ReviewRemoved(review_id=review_id)


def did(activity_id: str, kind: str = "newsletter", **more: Any) -> ActivityRecorded:
    return ActivityRecorded(activity_id=activity_id, kind=kind, **more)


def undid(activity_id: str, kind: str = "newsletter") -> ActivityWithdrawn:
    return ActivityWithdrawn(activity_id=activity_id, kind=kind)


def days(*facts: FactData) -> list[Told]:
    """Facts of the days from 1 June on, one a day."""
    return [Told(f"2026-06-{day:02}", data) for day, data in enumerate(facts, 1)]


@pytest.mark.rule(25)
def test_rule_25_a_review_is_worth_what_it_is_now() -> None:
    told = story(reviews=REVIEWS).tell(*days(review(), edited(photos=1), edited(photos=1), removed()))
    assert told.said == ["earned 10", "earned 5", "fact.recorded nothing_changed", "reversed 15 removed"]
    assert told.ann.balances.available == 0


@pytest.mark.rule(25, 51)
def test_rule_25_any_order_of_arrival_and_any_repetition_ends_the_same() -> None:
    facts: list[FactData] = [review(), edited(photos=1), removed(), review(videos=1)]
    for order in permutations(days(*facts)):
        arrived = [Told(one.at, one.data, received="2026-06-10") for one in order]
        told = story(reviews=REVIEWS).tell(*arrived, *arrived)
        assert told.ann.balances.available == 20
        assert len(told.events) <= len(facts)


@pytest.mark.rule(25)
def test_rule_25_a_removal_that_comes_first_counts() -> None:
    told = story(reviews=REVIEWS)
    told.tell(Told("2026-06-02", removed()), Told("2026-06-01", review(), received="2026-06-03"))
    assert told.said == ["fact.recorded nothing_changed"] * 2


@pytest.mark.rule(25)
@pytest.mark.parametrize(
    ("terms", "fact", "said"),
    [
        (Reviews(10, verified_only=True), review(), "fact.recorded not_verified"),
        (Reviews(10, verified_only=True), review(verified=True), "earned 10"),
        (Reviews(10, length_min=20), review(length=19), "fact.recorded too_short"),
        (Reviews(10, length_min=20), review(length=20), "earned 10"),
        (None, review(), "fact.recorded nothing_eligible"),
    ],
)
def test_rule_25_what_a_program_asks_of_a_review(terms: Reviews | None, fact: FactData, said: str) -> None:
    assert story(reviews=terms).tell(*days(fact)).said == [said]


@pytest.mark.rule(22, 70)
def test_rule_70_what_turns_out_to_be_before_the_program_counts_for_no_tier() -> None:
    told = story(tiers=GOLD, activities=(Activity("quiz", 100),), in_force_from=instant("2026-06-01"))
    told.tell(Told("2026-06-02", did("a", "quiz")), Told("2026-05-02", did("a", "quiz"), received="2026-06-03"))
    assert told.said[2:] == ["reversed 100 edited", "tier gold → bronze, reversed"]
    assert not any(told.ann.qualifying.values())


@pytest.mark.rule(25)
def test_rule_25_before_the_program_there_is_nothing() -> None:
    told = story(reviews=REVIEWS, in_force_from=instant("2026-07-01")).tell(*days(review()))
    assert told.said == ["fact.recorded not_in_force"]


@pytest.mark.rule(66)
def test_rule_66_of_photo_and_video_the_higher_counts_and_never_less_than_a_plain_review() -> None:
    assert story(reviews=REVIEWS).tell(*days(review(photos=2, videos=1))).said == ["earned 20"]
    assert story(reviews=Reviews(10, photo=5)).tell(*days(review(photos=2))).said == ["earned 10"]


@pytest.mark.rule(25, 66)
def test_rule_66_one_review_for_a_product_and_a_removal_frees_it_for_later_ones() -> None:
    told = story(reviews=REVIEWS)
    told.tell(*days(review("a"), review("b"), removed("a"), edited("b", photos=1), review("c"), review("d", "coffee")))
    assert told.said == [
        "earned 10",
        "fact.recorded product_reviewed",
        "reversed 10 removed",
        "fact.recorded product_reviewed",  # decided already, and not again
        "earned 10",
        "earned 10",
    ]


@pytest.mark.rule(66)
def test_rule_66_a_review_that_moves_to_another_product_leaves_its_own() -> None:
    told = story(reviews=REVIEWS).tell(*days(review("a"), edited("a", "coffee"), review("b"), review("c", "coffee")))
    assert told.said == ["earned 10", "fact.recorded nothing_changed", "earned 10", "fact.recorded product_reviewed"]


@pytest.mark.rule(6, 25)
@pytest.mark.parametrize("length", range(6))
def test_rule_25_of_one_time_an_edit_counts_before_the_publication(length: int) -> None:
    facts = Told("2026-06-01", review()), Told("2026-06-01", edited(photos=1, length=length), received="2026-06-02")
    for order in permutations(facts):
        assert story(reviews=REVIEWS).tell(*order).ann.balances.available == 15


@pytest.mark.rule(66)
def test_rule_66_who_is_refused_stays_so_until_removed_or_of_another_product() -> None:
    told = story(reviews=Reviews(10, length_min=5))
    told.tell(*days(review("a", length=9), review("b", length=9), edited("b"), removed("a"), edited("b", length=9)))
    assert told.said[3:] == ["reversed 10 removed", "fact.recorded product_reviewed"]
    told.tell(Told("2026-06-10", edited("b", "coffee", length=9)), Told("2026-06-11", edited("b", length=9)))
    assert told.said[5:] == ["earned 10", "fact.recorded nothing_changed"]


@pytest.mark.rule(25)
def test_rule_25_every_review_counts_where_the_program_says_so() -> None:
    told = story(reviews=Reviews(10, once_per_product=False)).tell(*days(review("a"), review("b")))
    assert told.said == ["earned 10"] * 2


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


RUNNERS = TierLevel("gold", 100, Fraction(3), activities=(("run", Fraction(2)),))
GOLD = Tiers("bronze", (TierLevel("bronze", 0), RUNNERS))
WEEKEND = Campaign(
    "weekend",
    Fraction(3, 2),
    activities=frozenset({"run", "review"}),
    conditions=Conditions(weekdays=frozenset({6, 7})),
)


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
