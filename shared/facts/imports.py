"""Imports as facts: points that a member brings from another system."""

from __future__ import annotations

import msgspec

from shared.facts.values import Id, Instant, PointsHeld, Row


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
