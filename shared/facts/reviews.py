"""Reviews as facts."""

from __future__ import annotations

import msgspec

from shared.facts.values import Count, Id, Rating


class ReviewPublished(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`commerce.review.published.v1`: photos and videos are counts, `length` is in characters."""

    review_id: Id
    product_id: Id
    rating: Rating
    verified: bool = False
    photos: Count = 0
    videos: Count = 0
    length: Count = 0


class ReviewUpdated(ReviewPublished, frozen=True, kw_only=True, omit_defaults=True):
    """`commerce.review.updated.v1`: the whole review as it stands now."""


class ReviewRemoved(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`commerce.review.removed.v1`."""

    review_id: Id
