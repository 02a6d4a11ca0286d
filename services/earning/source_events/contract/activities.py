"""The contract of reviews and activities: published, updated, removed; recorded, withdrawn."""

from __future__ import annotations

from pydantic import Field

from services.earning.source_events.contract.fields import Contract, Count, Id, Labels, Quantity, Rating


class ReviewPublished(Contract):
    """A member's review of a product went public."""

    review_id: Id = Field(description="The review's id in its shop; with `source` its business key.", examples=["rv-1"])
    product_id: Id = Field(description="The product reviewed.")
    rating: Rating = Field(description="What the member gave it, on the shop's own scale.", examples=[5])
    verified: bool = Field(default=False, description="Whether the shop knows that the member bought the product.")
    photos: Count = Field(0, description="How many photos it has.")
    videos: Count = Field(0, description="How many videos it has.")
    length: Count = Field(0, description="How many characters its text has; the text itself is never sent.")


class ReviewUpdated(ReviewPublished):
    """A review was edited: its whole present state."""


class ReviewRemoved(Contract):
    """A review was taken down, or withdrawn by its author."""

    review_id: Id = Field(description="The review removed. Its publication may arrive later.")


class ActivityRecorded(Contract):
    """A member did something that the program rewards: any kind that its document names."""

    activity_id: Id = Field(description="The activity's id in its shop: it counts once.", examples=["ac-1"])
    kind: Id = Field(description="Its kind, as the program's document names it.", examples=["newsletter"])
    attributes: Labels = Field(
        default_factory=dict, description="Properties that the program declares for the kind; others are not kept."
    )
    quantity: Quantity = Field(1, description="How many units of it: pots returned, kilometres run.")


class ActivityWithdrawn(Contract):
    """An activity did not happen after all, or was undone."""

    activity_id: Id = Field(description="The activity withdrawn. Its record may arrive later.")
    kind: Id = Field(description="Its kind.")
