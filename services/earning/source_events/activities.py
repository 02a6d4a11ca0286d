"""Reviews and activities as values: what members do besides ordering, as platforms tell it."""

from __future__ import annotations

import msgspec

from services.earning.source_events.kinds import Count, Id, Labels, Quantity, Rating


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


class ActivityRecorded(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`commerce.activity.recorded.v1`: something of a kind that the program knows; how many units of it."""

    activity_id: Id
    kind: Id
    attributes: Labels = {}
    quantity: Quantity = 1


class ActivityWithdrawn(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`commerce.activity.withdrawn.v1`: it didn't happen after all, or was undone."""

    activity_id: Id
    kind: Id
