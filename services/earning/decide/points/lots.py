"""Lots: points that come in, become available and pay what is owed; and those that can be spent, in their order.

Rules 18 and 58.
"""

from __future__ import annotations

from datetime import UTC, datetime

from services.earning.decide.core.draft import Draft, lot_change
from services.earning.decide.points.lifetimes import begin_life, ends_at
from services.earning.program.terms import Program
from services.earning.state.standing import KeyRow, Lot, RowsMissingError, SpendingOrder, Standing
from shared.point_events import LotChange

_NEVER = datetime.max.replace(tzinfo=UTC)


def new_lot(draft: Draft, row: KeyRow, points: int, version: int) -> Lot:
    """A further lot of a key, empty and available at the fact's time; `row` names it."""
    standing = draft.standing
    standing.lots += 1
    lot = Lot(standing.lots, row.key, points, 0, draft.occurred_at, draft.occurred_at, version=version)
    draft.lots[lot.lot] = lot
    row.lots = [*row.lots, lot.lot]
    return lot


def give_lot(
    draft: Draft, row: KeyRow, points: int, program: Program, expires_at: datetime | None
) -> tuple[LotChange, dict[str, int]]:
    """Put points that nobody earned into a further lot of a key, with a date of its own or a life by the program.

    The change of the lot, and its postings' left side.
    """
    lot = new_lot(draft, row, points, program.version)
    lot.expires_at = expires_at
    if expires_at is None:
        begin_life(draft, lot, program, own_clock=True)
    return fill_available(draft, lot)


def fill_available(draft: Draft, lot: Lot) -> tuple[LotChange, dict[str, int]]:
    """Put a lot's points into it, what is owed paid first; the change of the lot, and its postings' left side.

    A guest's points wait for their enrolment.
    """
    if draft.standing.provisional:
        return fill_pending(draft, lot, lot.available_at)
    paid = min(lot.points, draft.standing.balances.deficit)
    lot.remaining = lot.points - paid
    postings = {"available": lot.remaining} if lot.remaining else {}
    if paid:
        postings["deficit"] = paid
    note_due(draft.standing, lot)
    return lot_change(lot, lot.remaining), postings


def fill_pending(draft: Draft, lot: Lot, release_at: datetime | None) -> tuple[LotChange, dict[str, int]]:
    """Put a lot's points into it to wait; the change of the lot, and its postings' left side."""
    lot.remaining = lot.points
    lot.available_at = None
    lot.release_at = release_at
    note_due(draft.standing, lot)
    return lot_change(lot, lot.points), {"pending": lot.points}


def note_due(standing: Standing, lot: Lot) -> None:
    """Remember when a lot is due, if nothing of the member is sooner."""
    due = lot.due
    if due is not None and (standing.lots_due is None or due < standing.lots_due):
        standing.lots_due = due


def spending_order(standing: Standing, lot: Lot) -> SpendingOrder:
    """Where a lot stands among those that are spent: soonest end, then age, then number."""
    end = ends_at(standing, lot)
    return SpendingOrder(end is None, end or _NEVER, lot.earned_at, lot.lot)


def spendable(draft: Draft, points: int, but: KeyRow | None = None) -> list[Lot]:
    """Lots to spend in the order of consumption, worth at least `points`; without those of a key.

    Raises:
        RowsMissingError: there are more than were loaded, and they are needed.
    """
    rows, standing = draft.rows, draft.standing
    own = but.key if but is not None else None
    horizon = rows.horizon and rows.horizon._replace(expires_at=rows.horizon.expires_at or _NEVER)
    lots = [lot for lot in draft.visible_lots() if lot.remaining and lot.available_at is not None and lot.key != own]
    if not rows.all_lots:
        if standing.inactive_at is not None:
            raise RowsMissingError(points, everything=True)
        # A lot that this decision made may come after stored ones that were not loaded: they all count by the horizon.
        lots = [lot for lot in lots if horizon is not None and spending_order(standing, lot) <= horizon]
    missing = points - sum(lot.remaining for lot in lots)
    if missing > 0:
        raise RowsMissingError(missing)
    return sorted(lots, key=lambda lot: spending_order(standing, lot))
