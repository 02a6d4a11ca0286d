"""Activities as facts: anything else that a program knows and a member does."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from shared.facts.fact import FactData
from shared.facts.values import Id, Labels, Quantity


class ActivityRecorded(FactData, frozen=True, kw_only=True, omit_defaults=True):
    """A member did something that the program rewards: any kind that its document names."""

    TYPE = "commerce.activity.recorded.v1"
    TOPIC = "activities"

    activity_id: Annotated[Id, Meta(description="The activity's id in its shop: it counts once.", examples=["ac-1"])]
    kind: Annotated[Id, Meta(description="Its kind, as the program's document names it.", examples=["newsletter"])]
    attributes: Annotated[
        Labels, Meta(description="Properties that the program declares for the kind; others are not kept.")
    ] = msgspec.field(default_factory=dict)
    quantity: Annotated[Quantity, Meta(description="How many units of it: pots returned, kilometres run.")] = 1


class ActivityWithdrawn(FactData, frozen=True, kw_only=True, omit_defaults=True):
    """An activity did not happen after all, or was undone."""

    TYPE = "commerce.activity.withdrawn.v1"
    TOPIC = "activities"

    activity_id: Annotated[Id, Meta(description="The activity withdrawn. Its record may arrive later.")]
    kind: Annotated[Id, Meta(description="Its kind.")]
