"""Imports as facts: points that a member brings from another system."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from shared.facts.fact import FactData
from shared.facts.values import Id, Instant, PointsHeld, Row


class BalanceImport(FactData, frozen=True, kw_only=True, omit_defaults=True):
    """A member's points come from another system."""

    TYPE = "loyalty.balance.import.v1"
    TOPIC = "commands"

    batch_id: Annotated[Id, Meta(description="The import.", examples=["import-2026-01"])]
    row: Annotated[Row, Meta(description='The row within the import, by number or id; 7 and `"7"` are the same row.')]
    points: Annotated[PointsHeld, Meta(description="Points to spend.")]
    expires_at: Annotated[
        Instant | None, Meta(description="First instant at which they can't be spent; else by program.")
    ] = None
    tier: Annotated[Id | None, Meta(description="The tier held there.")] = None
    lifetime_points: Annotated[
        PointsHeld | None, Meta(description="Points ever earned there; they count for tiers.")
    ] = None


class ImportRevert(FactData, frozen=True, kw_only=True, omit_defaults=True):
    """A member's rows of an import are taken out again."""

    TYPE = "loyalty.import.revert.v1"
    TOPIC = "commands"

    batch_id: Annotated[Id, Meta(description="The import.")]
    keep_spent: Annotated[bool, Meta(description="Whether the member keeps what is spent already.")] = False
