"""What seldom happens, and is as right as the rest: rules 10, 13, 23, 27, 32, 35 and 71."""

from __future__ import annotations

from fractions import Fraction

import pytest

from services.earning.program.terms import Activity, Expiry, Limit, Reviews, TierLevel, Tiers, Versions
from shared.facts.activities import ActivityRecorded, ActivityWithdrawn
from shared.facts.adjustments import PointsReinstate
from shared.facts.fact import FactData
from shared.facts.imports import BalanceImport, ImportRevert
from shared.facts.members import MemberClosed, MemberEnrolled
from shared.facts.redemptions import RedemptionRequested
from shared.facts.reviews import ReviewPublished
from shared.point_events import DeficitForgiven, ImportReverted, PointsReversed
from tests.unit.earning.decide.story import Story, Told, cancelled, ladder, paid, program, refunded

YEAR = ladder(("silver", 500, "1"), ("gold", 1000, "1"), window="calendar_year", open_refund="at_once")
QUIZ = Activity("quiz", 7)


def story(**settings: object) -> Story:
    return Story(Versions((program(**settings),)))


@pytest.mark.rule(23)
@pytest.mark.parametrize(
    ("amount", "word"), [("1", "tier gold → silver, reversed"), ("501", "tier gold → bronze, reversed")]
)
def test_rule_23_an_open_year_lowers_at_once_where_the_program_says_so(amount: str, word: str) -> None:
    told = story(tiers=YEAR).tell(Told("2025-03-01", paid("a", "1000")), Told("2025-04-01", refunded("a", "r", amount)))
    assert told.said[-1] == word


@pytest.mark.rule(23)
def test_rule_23_what_last_year_holds_up_is_not_lost_by_this_one() -> None:
    told = story(tiers=YEAR).tell(Told("2025-03-01", paid("a", "1000")), Told("2026-03-01", paid("b", "1200")))
    assert told.tell(Told("2026-04-01", cancelled("b"))).said[-1] == "tier.retained gold"
    assert told.tell(Told("2026-04-02", refunded("a", "r", "1"))).said[-1] == "tier gold → silver, reversed"


@pytest.mark.rule(71)
def test_rule_71_who_is_closed_already_or_came_back_since_is_not_closed() -> None:
    told = story().tell(Told("2026-01-01", paid("o", "10")), Told("2026-01-02", MemberClosed()))
    again = told.tell(Told("2026-01-03", MemberClosed())).events[-1]
    assert told.said[-1] == "fact.recorded nothing_changed"
    assert again.key is not None
    assert (again.key.kind, again.key.id) == ("member", "ann")
    told.tell(Told("2026-01-05", MemberEnrolled()), Told("2026-01-04", MemberClosed(), received="2026-01-06"))
    assert told.said[-1] == "fact.recorded nothing_changed"
    assert not told.ann.closed


@pytest.mark.rule(13, 71)
def test_rule_71_what_is_owed_at_the_end_is_forgiven() -> None:
    told = story().tell(Told("2026-01-01", paid("o", "10")))
    told.tell(Told("2026-01-02", RedemptionRequested(redemption_id="x", points=10)), Told("2026-01-03", cancelled("o")))
    told.tell(Told("2026-01-04", MemberClosed()))
    forgiven = next(event for event in told.events if isinstance(event, DeficitForgiven))
    assert (forgiven.points, forgiven.reason, forgiven.program_version) == (10, "closed", 0)
    assert forgiven.key is not None
    assert (forgiven.key.kind, forgiven.key.id) == ("member", "ann")


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


@pytest.mark.rule(32)
@pytest.mark.parametrize("batch", ["a/b", "a%b", "a%2Fb", "a/b%c/d"])
def test_rule_32_a_batch_is_known_by_its_whole_name(batch: str) -> None:
    told = story().tell(
        Told("2026-01-01", BalanceImport(batch_id=batch, row="1/2%", points=5)),
        Told("2026-01-01", BalanceImport(batch_id="a", row="b/1/2%", points=3)),
    )
    assert told.ann.balances.imported == 8
    told.tell(Told("2026-01-02", ImportRevert(batch_id=batch)))
    (back,) = (event for event in told.events if isinstance(event, ImportReverted))
    assert (back.batch, back.row, told.ann.balances.available) == (batch, "1/2%", 3)


@pytest.mark.rule(35, 71)
def test_rule_35_nothing_is_given_back_to_a_closed_member() -> None:
    told = story(expiry=Expiry("after_available", 1)).tell(Told("2026-01-01", paid("o", "10")))
    told.tell(Told("2026-03-01", MemberClosed()))
    told.tell(Told("2026-03-02", PointsReinstate(reinstate_id="i", award="o", points=10, reason="goodwill")))
    assert told.said[-1] == "fact.recorded member_closed"
    assert told.events[-1].key is not None
    assert told.events[-1].key.kind == "reinstatement"
    assert told.ann.balances.available == 0


@pytest.mark.rule(35)
def test_rule_35_all_that_has_expired_can_be_given_back() -> None:
    told = story(expiry=Expiry("after_available", 1)).tell(Told("2026-01-01", paid("o", "10")))
    told.tell(Told("2026-03-02", PointsReinstate(reinstate_id="i", award="o", points=10, reason="goodwill")))
    assert told.ann.balances.available == 10


@pytest.mark.rule(25)
def test_rule_25_where_only_pictures_earn_a_review_without_one_earns_nothing() -> None:
    told = story(reviews=Reviews(0, photo=15, video=20))
    told.tell(Told("2026-01-01", ReviewPublished(review_id="r", product_id="tea", rating=5)))
    assert told.said == ["fact.recorded nothing_eligible"]


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
