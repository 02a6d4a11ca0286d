"""Reviews of what households bought: with photos or without, edited, removed, told twice for one product.

None is in the data set: who writes what is drawn by the seed and the basket's number.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta

from services.cli.demo.baskets import Basket
from services.cli.demo.envelopes import SEED, YEAR_END, Event, fact, late

_BASKETS_REVIEWED = 100  # of 10,000
_OUT_OF = 10_000

# Of 100 reviews so many …
_WITH_PHOTO = 30
_UNVERIFIED = 4
_EDITED = 20
_REMOVED = 10
_TOLD_AFTER_REMOVAL = 2
_AGAIN = 4

_NOT_REVIEWED = {"", "COUPON", "FUEL", "MISCELLANEOUS", "POSTAL CENTER", "CHARITABLE CONT"}
_RATINGS = (5, 5, 5, 4, 4, 3, 2, 1)


def reviews_of(basket: Basket, made: Counter[str]) -> Iterator[tuple[datetime, Event]]:
    """After some visits a household reviews one of the products it bought; the facts of that, with their arrivals."""
    draw = random.Random(f"{SEED}/review/{basket.id}")  # noqa: S311 (it must be repeatable, and guards nothing)
    if draw.randrange(_OUT_OF) >= _BASKETS_REVIEWED:
        return
    products = [line.product for line in basket.lines if line.value and line.department not in _NOT_REVIEWED]
    published = basket.time + timedelta(seconds=draw.randrange(3_600, 14 * 86_400))
    if products and published < YEAR_END:
        yield from _life(basket, draw.choice(products), published, draw, made)


def _life(
    basket: Basket, product: int, published: datetime, draw: random.Random, made: Counter[str]
) -> Iterator[tuple[datetime, Event]]:
    """A review from its publication on."""
    review = _review(basket, product, draw)
    first = _told("published", basket, published, review)
    edited = published + timedelta(seconds=draw.randrange(3_600, 10 * 86_400))
    removed = edited + timedelta(seconds=draw.randrange(86_400, 20 * 86_400))
    removed_first = removed + timedelta(hours=1)
    removal = _told("removed", basket, removed, {"review_id": review["review_id"]})
    change = draw.randrange(100)
    made["reviews"] += 1
    made["reviews_with_photo"] += bool(review["photos"])
    if change < _TOLD_AFTER_REMOVAL and removed_first < YEAR_END:
        made["review_removals"] += 1
        made["removals_before_review"] += 1
        yield removed, removal
        yield removed_first, late(first, removed_first)
        return
    yield published, first
    if change < _REMOVED and removed < YEAR_END:
        made["review_removals"] += 1
        yield removed, removal
    elif change < _REMOVED + _EDITED and edited < YEAR_END:
        made["review_edits"] += 1
        yield edited, _told("updated", basket, edited, _edited(review, draw))
    elif change < _REMOVED + _EDITED + _AGAIN and edited < YEAR_END:
        made["reviews"] += 1
        made["reviews_with_photo"] += bool(review["photos"])
        yield edited, _told("published", basket, edited, review | {"review_id": f"{review['review_id']}-again"})


def _review(basket: Basket, product: int, draw: random.Random) -> Event:
    return {
        "review_id": f"review-{basket.id}",
        "product_id": str(product),
        "rating": draw.choice(_RATINGS),
        "verified": draw.randrange(100) >= _UNVERIFIED,
        "photos": draw.randrange(1, 4) if draw.randrange(100) < _WITH_PHOTO else 0,
        "length": draw.randrange(10, 400),
    }


def _edited(review: Event, draw: random.Random) -> Event:
    """Most who edit add a photo, some take theirs away, the rest write more."""
    photos = draw.choice((review["photos"] + 1, review["photos"] + 1, 0, review["photos"]))
    return review | {"photos": photos, "length": review["length"] + draw.randrange(1, 200)}


def _told(change: str, basket: Basket, time: datetime, data: Event) -> Event:
    return fact(f"commerce.review.{change}", f"{data['review_id']}-{change}", basket.household, time, data)
