"""Commands as values: redemptions, adjustments, imports, tiers and memberships, as platforms and operators send them.

They are facts like all others: each happened somewhere, has a business key, and is decided once.
"""

from __future__ import annotations

import msgspec

from services.earning.source_events.kinds import Id, Ids, Instant, Labels, Points, PointsGiven, PointsHeld, Row, Why


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


class BalanceImport(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`loyalty.balance.import.v1`: one row of a batch that brings a member's points from another system."""

    batch_id: Id
    row: Row
    points: PointsHeld
    expires_at: Instant | None = None
    tier: Id | None = None
    lifetime_points: PointsHeld | None = None


class ImportRevert(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`loyalty.import.revert.v1`: a member's rows of a batch are taken out again."""

    batch_id: Id
    keep_spent: bool = False


class TierAssigned(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`loyalty.tier.assigned.v1`: a person gives a tier, until an instant or the end of the next window."""

    tier: Id
    until: Instant | None = None


class MemberUpdated(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`loyalty.member.updated.v1`: what is given replaces what was known; what is left out stays."""

    segments: Ids | None = None
    attributes: Labels | None = None


class MemberClaimed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename={"guest": "from"}):
    """`loyalty.member.claimed.v1`: another id (a guest's, a second account's) is the subject, too, from now on."""

    guest: Id


class MemberClosed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`loyalty.member.closed.v1`: the membership ends."""
