"""Reviews: what one is worth as it is now, and one place for each product: rules 25 and 66."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from services.earning.program.terms import (
    Reviews,
)
from shared.facts.fact import FactData
from shared.facts.reviews import ReviewPublished, ReviewRemoved, ReviewUpdated
from tests.unit.earning.decide.story import Told, instant, story

REVIEWS = Reviews(10, photo=15, video=20)


def review(review_id: str = "r", product: str = "tea", **more: Any) -> ReviewPublished:
    return ReviewPublished(review_id=review_id, product_id=product, rating=5, **more)


def edited(review_id: str = "r", product: str = "tea", **more: Any) -> ReviewUpdated:
    return ReviewUpdated(review_id=review_id, product_id=product, rating=5, **more)


def removed(review_id: str = "r") -> ReviewRemoved:
    return ReviewRemoved(review_id=review_id)


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


@pytest.mark.rule(25)
def test_rule_25_where_only_pictures_earn_a_review_without_one_earns_nothing() -> None:
    told = story(reviews=Reviews(0, photo=15, video=20))
    told.tell(Told("2026-01-01", ReviewPublished(review_id="r", product_id="tea", rating=5)))
    assert told.said == ["fact.recorded nothing_eligible"]
