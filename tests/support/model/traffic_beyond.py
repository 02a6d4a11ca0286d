"""Lives of reviews and activities as lists of facts with times of their own, to be sent in any order of arrival."""

from __future__ import annotations

from datetime import timedelta

from msgspec.structs import replace

from services.earning.program.terms import Card, Conditions, Program, Versions
from shared.facts.activities import ActivityRecorded, ActivityWithdrawn
from shared.facts.fact import FactData
from shared.facts.reviews import ReviewPublished, ReviewRemoved, ReviewUpdated
from tests.support.model.chance import Chance
from tests.support.model.facts import START
from tests.support.model.programs import KINDS
from tests.support.model.traffic import Happening, steady

HOURS = 9_000
PRODUCTS = ("tea", "mug")


def steady_beyond(versions: Versions) -> Versions:
    """The same program without anything that is first come, first served; its cards are the same in all versions."""
    cards = versions.all[0].cards
    return Versions(tuple(_steady(program, cards) for program in steady(versions).all))


def _steady(program: Program, cards: tuple[Card, ...]) -> Program:
    activities = [replace(one, limit=None, conditions=_alone(one.conditions)) for one in program.activities]
    reviews = program.reviews and replace(program.reviews, once_per_product=False)
    return replace(program, activities=tuple(activities), reviews=reviews, cards=cards)


def _alone(conditions: Conditions) -> Conditions:
    return replace(conditions, tiers=frozenset(), segments=frozenset())


def review_life(chance: Chance, review_id: str, member: str) -> list[Happening]:
    """Published, edited, removed, in any number and order, each at a time of its own."""
    contents: list[FactData] = []
    for _ in range(chance.number(1, 5)):
        says = chance.one(ReviewPublished, ReviewPublished, ReviewUpdated, None)
        if says is None:
            contents.append(ReviewRemoved(review_id=review_id))
            continue
        said = says(
            review_id=review_id,
            product_id=chance.one(PRODUCTS[0], *PRODUCTS),
            rating=5,
            verified=not chance.once_in(4),
            photos=chance.one(0, 1),
            videos=chance.one(0, 0, 1),
            length=chance.one(19, 20, 300),
        )
        contents.append(said)
    return _at_times(chance, member, contents)


def activity_life(chance: Chance, activity_id: str, member: str) -> list[Happening]:
    """Recorded and withdrawn, in any number and order, each at a time of its own."""
    contents: list[FactData] = []
    kind = chance.among(KINDS)
    for _ in range(chance.number(1, 5)):
        named = chance.one(kind, kind, kind, *KINDS)
        if chance.once_in(3):
            contents.append(ActivityWithdrawn(activity_id=activity_id, kind=named))
        else:
            contents.append(ActivityRecorded(activity_id=activity_id, kind=named, quantity=chance.number(0, 7)))
    return _at_times(chance, member, contents)


def _at_times(chance: Chance, member: str, contents: list[FactData]) -> list[Happening]:
    hours = sorted(chance.subset(range(HOURS), len(contents), len(contents)))
    pairs = zip(hours, contents, strict=True)
    return [Happening(member, START + timedelta(hours=hour), content) for hour, content in pairs]


def lives_beyond(chance: Chance, member: str) -> list[Happening]:
    """Some reviews of two products and some activities of a member, one life after the other."""
    reviews = [review_life(chance, f"v{number}", member) for number in range(1, 4)]
    activities = [activity_life(chance, f"did{number}", member) for number in range(1, 5)]
    return [happening for life in (*reviews, *activities) for happening in life]


def taken_back() -> list[FactData]:
    """What takes all of these back."""
    removed = [ReviewRemoved(review_id=f"v{number}") for number in range(1, 4)]
    return [*removed, *(ActivityWithdrawn(activity_id=f"did{number}", kind=KINDS[0]) for number in range(1, 5))]
