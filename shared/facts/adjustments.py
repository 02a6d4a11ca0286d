"""Adjustments as facts: a person gives or takes points, or gives expired ones back."""

from __future__ import annotations

import msgspec

from shared.facts.values import Id, Instant, Points, PointsGiven, Why


class PointsAdjust(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`loyalty.points.adjust.v1`: a person gives (+) or takes (−) points; never 0, never without a reason."""

    adjustment_id: Id
    points: Points
    actor_id: Id
    reason: Why = ""
    note_id: Id | None = None
    expires_at: Instant | None = None
    qualifying: bool = False


class PointsReinstate(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`loyalty.points.reinstate.v1`: expired points of one award are given back."""

    reinstate_id: Id
    award: Id
    points: PointsGiven
    reason: Why = ""
    expires_at: Instant | None = None
