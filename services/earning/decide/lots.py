"""Lots: points that come in. What becomes available first pays a deficit."""

from __future__ import annotations

from datetime import datetime

from services.earning.decide.draft import Draft, told
from services.earning.standing import KeyRow, Lot
from shared.point_events import LotChange


def available_from(draft: Draft) -> datetime:
    """When points of the present fact become available: at its own time, or now where it comes late."""
    return draft.decided_at if draft.occurred_at < draft.standing.clock else min(draft.occurred_at, draft.decided_at)


def new_lot(draft: Draft, row: KeyRow, points: int) -> tuple[LotChange, dict[str, int]]:
    """Put points into a further lot of a key, a deficit paid first; the change of the lot, and its postings."""
    standing = draft.standing
    standing.lots += 1
    paid = min(points, standing.balances.deficit)
    lot = Lot(standing.lots, row.key, points, points - paid, draft.occurred_at, available_from(draft))
    draft.lots[lot.lot] = lot
    row.lots = [*row.lots, lot.lot]
    postings = {"available": points - paid} if points > paid else {}
    if paid:
        postings["deficit"] = paid
    return told(lot, points - paid), postings
