"""Pending: how long points earned wait, and what they hold back from tier windows meanwhile.

Rules 13, 15, 22 and 65.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import msgspec

from services.earning.decide.core.draft import Draft
from services.earning.decide.points.lifetimes import begin_life, mark_active, release_after
from services.earning.decide.points.lots import fill_available, fill_pending, new_lot, note_due
from services.earning.decide.value.order_state import Known
from services.earning.program.terms import Program
from services.earning.state.standing import KeyRow, Lot
from shared.point_events import LotChange


class Release(msgspec.Struct, frozen=True):
    """Whether points wait, and until when (none: for a fulfilment)."""

    waits: bool
    at: datetime | None


AT_ONCE = Release(waits=False, at=None)
"""Points that don't wait."""

Raised = Callable[[datetime], Release]
"""When points become available with which a fact of that time raised an award that had points already (rule 13)."""


def release_of(program: Program | None, known: Known, raised_at: datetime | None) -> Release:
    """When points of an order become available: counted from its payment, or from its first fulfilment after that.

    `raised_at` is the time of the fact that raised an order which has had points already: theirs count from there.
    """
    pending = program.pending if program is not None else None
    if program is None or pending is None:
        return AT_ONCE
    if pending.after == "paid":
        begins = raised_at or known.counting or known.paid_at
    else:
        begins = known.fulfilled_at
        if begins is not None and raised_at is not None:
            begins = max(begins, raised_at)
    return Release(waits=True, at=None if begins is None else release_after(program, pending, begins))


def earn_lot(
    draft: Draft, row: KeyRow, points: int, program: Program | None, release: Release, when: datetime | None
) -> tuple[LotChange, dict[str, int]]:
    """Put points earned into a further lot of a key, to wait where they must; the change of the lot, and the postings.

    `when` is the time whose tier window they count in. Without a version (a card completed by what happened before the
    first) they never end.
    """
    lot = new_lot(draft, row, points, program.version if program is not None else 0)
    lot.when = when
    if release.waits and (release.at is None or release.at > draft.standing.clock):
        change, postings = fill_pending(draft, lot, release.at)
    else:
        lot.available_at = max(release.at or draft.occurred_at, draft.occurred_at)
        if program is not None:
            begin_life(draft, lot, program)
        change, postings = fill_available(draft, lot)
    if program is not None:
        mark_active(draft.standing, program, draft.occurred_at)
    postings["earned"] = -points
    return change, postings


def wait_anew(
    draft: Draft, row: KeyRow, program: Program, release: Release, raised: Raised | None
) -> list[tuple[int, datetime]]:
    """Give lots that wait their date, now that another may be known; number and date of those whose date has come.

    A lot with points waits from the fact that raised its award; the first, and one without points, from the beginning.
    """
    come, first = [], first_with_points(draft, row)
    for number in row.lots:
        lot = draft.lot(number)
        if lot.available_at is not None or (lot.expired and program.qualifies_by_points):
            continue
        at = raised(lot.earned_at).at if raised is not None and lot.points and number != first else release.at
        if at != lot.release_at:
            lot = draft.own_lot(number)
            lot.release_at = at
            note_due(draft.standing, lot)
        is_time = at is not None and at <= draft.standing.clock and not draft.standing.provisional
        if at is not None and is_time and (lot.remaining or lot.qualifies):
            come.append((number, at))
    return come


def first_with_points(draft: Draft, row: KeyRow) -> int | None:
    """The number of a key's first lot that was made for points; None: there is none yet."""
    return next((number for number in row.lots if draft.lot(number).points), None)


def waiting_sum(draft: Draft, row: KeyRow) -> int:
    """What a key's pending lots hold back from tier windows."""
    return sum([lot.qualifies for lot in _waiting(draft, row)])


def wait_with_points(draft: Draft, row: KeyRow) -> int:
    """Let points that wait qualify when they are released; how much that is together.

    What expired while it waited (the membership ended) never qualifies: it is held back for good.
    """
    held_back = 0
    for number in row.lots:
        lot = draft.lot(number)
        if lot.available_at is None:
            held_back += _hold_back(draft, lot, lot.remaining + lot.expired)
    return held_back


def wait_as_one(draft: Draft, row: KeyRow, qualified: int, carrier: int | None) -> int:
    """Let what of an order qualifies wait with one lot: the carrier given, or the one it waits with already.

    How much the lots hold back then.
    """
    waiting = _waiting(draft, row)
    return sum([_hold_back(draft, lot, qualified if lot.qualifies or lot.lot == carrier else 0) for lot in waiting])


def _hold_back(draft: Draft, lot: Lot, amount: int) -> int:
    if amount != lot.qualifies:
        own = draft.own_lot(lot.lot)
        own.qualifies = amount
        note_due(draft.standing, own)
    return amount


def _waiting(draft: Draft, row: KeyRow) -> list[Lot]:
    return [lot for number in row.lots if (lot := draft.lot(number)).available_at is None]
