"""Reviews as facts: published, edited, removed."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from shared.facts.fact import FactData
from shared.facts.values import Count, Id, Rating


class ReviewPublished(FactData, frozen=True, kw_only=True, omit_defaults=True):
    """A member's review of a product went public."""

    TYPE = "commerce.review.published.v1"
    TOPIC = "reviews"

    review_id: Annotated[
        Id, Meta(description="The review's id in its shop; with `source` its business key.", examples=["rv-1"])
    ]
    product_id: Annotated[Id, Meta(description="The product reviewed.")]
    rating: Annotated[Rating, Meta(description="What the member gave it, on the shop's own scale.", examples=[5])]
    verified: Annotated[bool, Meta(description="Whether the shop knows that the member bought the product.")] = False
    photos: Annotated[Count, Meta(description="How many photos it has.")] = 0
    videos: Annotated[Count, Meta(description="How many videos it has.")] = 0
    length: Annotated[Count, Meta(description="How many characters its text has; the text itself is never sent.")] = 0


class ReviewUpdated(ReviewPublished, frozen=True, kw_only=True, omit_defaults=True):
    """A review was edited: its whole present state."""

    TYPE = "commerce.review.updated.v1"


class ReviewRemoved(FactData, frozen=True, kw_only=True, omit_defaults=True):
    """A review was taken down, or withdrawn by its author."""

    TYPE = "commerce.review.removed.v1"
    TOPIC = "reviews"

    review_id: Annotated[Id, Meta(description="The review removed. Its publication may arrive later.")]
