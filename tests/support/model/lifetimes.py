"""When points are released and when they end (rules 15-17, 37, 52-54)."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from services.earning.program.terms import Program
from tests.support.model.account import NaiveLot
from tests.support.model.days import day_start, local_date, plus_months
from tests.support.model.member import NaiveMember
from tests.support.model.order_facts import OrderView

LATE_DAYS = 30


def end_of(day: date, program: Program) -> datetime:
    """The first instant after a local day."""
    return day_start(day + timedelta(days=1), program.zone)


def days_after(instant: datetime, days: int, program: Program) -> datetime:
    """The start of the day after so many whole days (paid 1 June, 14 days: 16 June)."""
    return day_start(local_date(instant, program.zone) + timedelta(days=days + 1), program.zone)


def release_of(order: OrderView, program: Program, raised_at: datetime | None) -> tuple[bool, datetime | None]:
    """Whether points wait at all, and until when (none: until something happens).

    `raised_at` is the time of the fact that raised an order which has lots already.
    """
    pending = program.pending
    if pending is None:
        return False, None
    if pending.after == "paid":
        base = raised_at or order.counting
        return True, days_after(base, pending.days, program) if base else None
    if order.fulfilled is None:
        return True, None
    base = max(order.fulfilled, raised_at) if raised_at else order.fulfilled
    return True, days_after(base, pending.days, program) if pending.days else base


def start_life(member: NaiveMember, lot: NaiveLot, program: Program, fact_at: datetime, decided_at: datetime) -> None:
    """The date on which a lot ends that becomes available with the fact that made it (rules 16, 37)."""
    expiry = program.expiry
    if expiry.mode == "never" or member.provisional:
        return
    available = local_date(lot.available_at or fact_at, program.zone)
    own = plus_months(available, expiry.months)
    lot.follows = expiry.mode == "inactivity"
    if fact_at < member.now:
        today = local_date(decided_at, program.zone)
        own = max(own, min(today + timedelta(days=LATE_DAYS), plus_months(today, expiry.months)))
    if not lot.follows or fact_at < member.now:
        lot.expires_at = end_of(own, program)


def start_own_life(
    member: NaiveMember, lot: NaiveLot, program: Program, fact_at: datetime, decided_at: datetime
) -> None:
    """The same for imports and adjustments, which start the clock for their own lot only (rules 53, 54)."""
    start_life(member, lot, program, fact_at, decided_at)
    if lot.follows and lot.expires_at is None and not member.provisional:
        lot.expires_at = end_of(plus_months(local_date(fact_at, program.zone), program.expiry.months), program)


def release(member: NaiveMember, lot: NaiveLot, program: Program, *, late: bool = False) -> None:
    """A pending lot becomes available at its instant; its life starts, the deficit is paid.

    Released by a late fact, it has the days that late awards have (rule 37). A date of its own never moves (rule 53).
    """
    assert lot.release_at is not None
    lot.pending, lot.available_at = False, lot.release_at
    expiry = program.expiry
    if lot.expires_at is not None:
        member.account.pay_deficit(lot)
        if lot.expires_at <= member.now:
            member.account.expire(lot)
        return
    lasts = end_of(plus_months(local_date(lot.release_at, program.zone), expiry.months), program)
    if expiry.mode == "after_available":
        lot.expires_at = lasts
    elif expiry.mode == "inactivity":
        lot.follows = True
        member.account.inactive_at = max(lasts, member.account.inactive_at or lasts)
    if late and expiry.mode != "never":
        today = local_date(member.decided_at or member.now, program.zone)
        least = end_of(min(today + timedelta(days=LATE_DAYS), plus_months(today, expiry.months)), program)
        lot.expires_at = max(least, lasts)
    member.account.pay_deficit(lot)


def active(member: NaiveMember, program: Program, at: datetime) -> None:
    """The member earned or redeemed something (rule 53)."""
    expiry = program.expiry
    if expiry.mode == "inactivity":
        lasts = end_of(plus_months(local_date(at, program.zone), expiry.months), program)
        member.account.inactive_at = max(lasts, member.account.inactive_at or lasts)
