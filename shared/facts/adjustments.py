"""Adjustments as facts: a person gives or takes points, or gives expired ones back."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from shared.facts.fact import FactData
from shared.facts.values import Id, Instant, PointsGiven, PointsMoved, Why


class PointsAdjust(FactData, frozen=True, kw_only=True, omit_defaults=True):
    """A person gives points, or takes them."""

    TYPE = "loyalty.points.adjust.v1"
    TOPIC = "commands"

    adjustment_id: Annotated[Id, Meta(description="The adjustment's id: it counts once.", examples=["a-12"])]
    points: Annotated[PointsMoved, Meta(description="Points given (+) or taken (−); not 0.", examples=[50])]
    actor_id: Annotated[Id, Meta(description="Who did it: an opaque id.", examples=["agent-3"])]
    reason: Annotated[Why, Meta(description="Why: a code or a few words, no personal data.", examples=["goodwill"])] = (
        ""
    )
    note_id: Annotated[Id | None, Meta(description="Id of a note in the directory.")] = None
    expires_at: Annotated[
        Instant | None, Meta(description="First instant at which they can't be spent; else by program.")
    ] = None
    qualifying: Annotated[bool, Meta(description="Whether they count for tiers.")] = False


class PointsReinstate(FactData, frozen=True, kw_only=True, omit_defaults=True):
    """A person gives back expired points of an award."""

    TYPE = "loyalty.points.reinstate.v1"
    TOPIC = "commands"

    reinstate_id: Annotated[Id, Meta(description="The reinstatement's id: it counts once.", examples=["ri-4"])]
    award: Annotated[Id, Meta(description="The award whose points had expired: the id of its order.")]
    points: Annotated[PointsGiven, Meta(description="Points given back; at most what had expired of the award.")]
    reason: Annotated[Why, Meta(description="Why: a code or a few words, no personal data.")] = ""
    expires_at: Annotated[
        Instant | None,
        Meta(description="First instant at which they can't be spent; 30 days on, where not said."),
    ] = None
