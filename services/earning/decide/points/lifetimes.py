"""Lifetimes: when points become available, and when they end. Rules 15 to 17, 37 and 52 to 54."""

from __future__ import annotations

from datetime import datetime, timedelta

from services.earning.decide.core.draft import Draft
from services.earning.decide.core.local_days import add_months, end_of_day, local_date, start_of_day
from services.earning.program.terms import Pending, Program
from services.earning.state.standing import Lot, Standing

LATE_DAYS_MIN = 30
"""The least time to spend points of a fact that came late, where the program gives new ones as much."""


def release_after(program: Program, pending: Pending, begins: datetime) -> datetime:
    """When points of something that began then become available: whole days later, at the start of the next."""
    if pending.after == "fulfilled" and not pending.days:
        return begins
    return start_of_day(program.zone, local_date(program.zone, begins) + timedelta(days=pending.days + 1))


def end_after(program: Program, instant: datetime, months: int) -> datetime:
    """The end of the local day so many months after an instant's."""
    return end_of_day(program.zone, add_months(local_date(program.zone, instant), months))


def begin_life(draft: Draft, lot: Lot, program: Program, *, own_clock: bool = False) -> None:
    """Give a lot that is available from now on its end, by the program; a late fact's lot lives a while from now.

    With `own_clock` (imports, adjustments) inactivity starts for this lot alone. A guest's lots live once released.
    """
    expiry = program.expiry
    if expiry.mode == "never" or lot.available_at is None or draft.standing.provisional:
        return
    lot.follows = expiry.mode == "inactivity"
    if lot.follows and not draft.is_late and not own_clock:
        return
    lot.expires_at = _end(draft, program, lot.available_at)


def _end(draft: Draft, program: Program, available_at: datetime) -> datetime:
    """The program's months after becoming available; of a late fact's lot not before a while from now."""
    months = program.expiry.months
    day = add_months(local_date(program.zone, available_at), months)
    if draft.is_late:
        today = local_date(program.zone, draft.decided_at)
        day = max(day, min(today + timedelta(days=LATE_DAYS_MIN), add_months(today, months)))
    return end_of_day(program.zone, day)


def begin_life_released(draft: Draft, lot: Lot, program: Program) -> None:
    """Give a lot that was pending its end, by the version that awarded it; its release counts for inactivity.

    A date of its own, which a person or an import gave a guest's lot, stays.
    """
    expiry, standing = program.expiry, draft.standing
    if expiry.mode == "never" or lot.available_at is None or lot.expires_at is not None:
        return
    if expiry.mode == "inactivity":
        lot.follows = True
        end = end_after(program, lot.available_at, expiry.months)
        standing.inactive_at = max(end, standing.inactive_at or end)
    if not lot.follows or draft.is_late:
        lot.expires_at = _end(draft, program, lot.available_at)


def mark_active(standing: Standing, program: Program, occurred_at: datetime) -> None:
    """The member earned or redeemed something: lots that follow activity live on."""
    if program.expiry.mode != "inactivity":
        return
    end = end_after(program, occurred_at, program.expiry.months)
    standing.inactive_at = max(end, standing.inactive_at or end)


def ends_at(standing: Standing, lot: Lot) -> datetime | None:
    """When an available lot ends as things stand; None: never."""
    if standing.inactive_at is None or not (lot.follows or lot.expires_at is None):
        return lot.expires_at
    return max(lot.expires_at or standing.inactive_at, standing.inactive_at)
