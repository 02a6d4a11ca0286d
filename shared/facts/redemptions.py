"""Redemptions as facts: points are asked for, and given back."""

from __future__ import annotations

import msgspec

from shared.facts.values import Id, Points, PointsGiven


class RedemptionRequested(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`loyalty.redemption.requested.v1`: either a reward of the catalogue or a number of points.

    Points of 0 or less are understood, and rejected by the rules.
    """

    redemption_id: Id
    reward: Id | None = None
    points: Points | None = None
    order_id: Id | None = None


class RedemptionCancelled(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`loyalty.redemption.cancelled.v1`: in whole, or for some of its points."""

    redemption_id: Id
    cancel_id: Id | None = None
    points: PointsGiven | None = None
