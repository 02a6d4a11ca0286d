"""Timers: what happens to a member because its time has come, in the order of instants; then release, expire, tier.

Rules 15 to 17, 53, 58, 70 and 72.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from services.earning.decide.core.draft import DUE, Draft, event_key, in_parts, lot_change, postings_of
from services.earning.decide.points.ladder import ladder_of, present_ladder
from services.earning.decide.points.lifetimes import begin_life_released, end_after, ends_at
from services.earning.decide.points.lots import note_due
from services.earning.decide.points.tiers import Qualified, evaluate, lift, move_tier, qualify, tier_due
from services.earning.program.terms import Program
from services.earning.state.standing import Lot, RowsMissingError
from shared.point_events import LotChange, PointsExpired, PointsReleased


def run_due(draft: Draft, until: datetime) -> None:
    """Do all that is due up to an instant, inclusive, and bring the standing's clock there.

    Each event is booked at its own instant (never before the member's last booking), so that who works it off, and how
    late, leaves no trace.

    Raises:
        RowsMissingError: lots that are due were not loaded.
    """
    standing = draft.standing
    while (instant := _next_instant(draft, until)) is not None:
        standing.clock = instant
        draft.at(instant, max(standing.decided_at, instant), DUE)
        released = _release(draft, instant)
        expire(draft, instant)
        move_tier(draft, present_ladder(draft), released, None)
        _check_tier(draft, instant)
        _note_lots_due(draft, instant)
        schedule_next(draft)
    standing.clock = max(standing.clock, until)


def schedule_next(draft: Draft) -> datetime | None:
    """Write down when the member is due next; None: never."""
    standing = draft.standing
    standing.tier_check = tier_due(standing, present_ladder(draft))
    lots_due = None if standing.provisional else standing.lots_due
    dues = [due for due in (lots_due, standing.inactive_at, standing.tier_check) if due is not None]
    standing.next_due = min(dues) if dues else None
    return standing.next_due


def _next_instant(draft: Draft, until: datetime) -> datetime | None:
    """The next instant at which something is due by then; its lots are there."""
    standing = draft.standing
    instants = [
        program.in_force_from for program in draft.versions.all if standing.clock < program.in_force_from <= until
    ]
    due = standing.next_due
    if due is not None and due <= until:
        _ask_for_lots(draft, until)
        _note_lots_due(draft, until)
        due = schedule_next(draft)
    if due is not None and due <= until:
        instants.append(due)
    return max(min(instants), standing.clock) if instants else None


def _ask_for_lots(draft: Draft, until: datetime) -> None:
    rows, standing = draft.rows, draft.standing
    if rows.all_lots:
        return
    if standing.inactive_at is not None and standing.inactive_at <= until:
        raise RowsMissingError(everything=True)
    lots_due = standing.lots_due
    if lots_due is not None and lots_due <= until and (rows.due_until is None or rows.due_until < until):
        raise RowsMissingError(due_until=until)


def _note_lots_due(draft: Draft, instant: datetime) -> None:
    """Find the earliest due of any lot, once the one noted has come.

    Not sooner, though it may be known: what is noted must not depend on which lots happen to be there.
    """
    rows, standing = draft.rows, draft.standing
    if standing.lots_due is None or standing.lots_due > instant:
        return
    dues = [due for lot in draft.visible_lots() if (due := lot.due) is not None]
    if not rows.all_lots and rows.next_due is not None:
        dues.append(rows.next_due)
    standing.lots_due = min(dues) if dues else None


def _due_lots(draft: Draft, instant: datetime) -> Iterator[Lot]:
    lots = [lot for lot in draft.visible_lots() if (due := lot.due) is not None and due <= instant]
    return iter(sorted(lots, key=lambda lot: lot.lot))


def _release(draft: Draft, instant: datetime) -> list[Qualified]:
    if draft.standing.provisional:
        return []
    return [
        release_lot(draft, lot.lot, lot.release_at)
        for lot in _due_lots(draft, instant)
        if lot.available_at is None and lot.release_at is not None
    ]


def release_lot(draft: Draft, number: int, instant: datetime) -> Qualified:
    """Make a pending lot available: pay what is owed, begin its life, count it for its tier window.

    What it changed there is given back: the tier moves when all is released.
    """
    standing = draft.standing
    lot = draft.own_lot(number)
    program = draft.versions.numbered(lot.version)
    points = lot.remaining
    paid = min(points, standing.balances.deficit)
    lot.available_at, lot.release_at = instant, None
    lot.remaining -= paid
    if points:
        begin_life_released(draft, lot, program)
        note_due(standing, lot)
    window, amount = _qualifies(draft, program, lot)
    qualified = qualify(standing, present_ladder(draft, program), {window: amount} if amount else {})
    draft.record(
        PointsReleased(
            key=event_key(lot.key),
            program_version=lot.version,
            postings=postings_of(available=points - paid, deficit=paid, pending=-points),
            points=points,
            lots=[lot_change(lot, -paid)],
        ),
        qualified.progress,
    )
    if lot.remaining and lot.expires_at is not None and lot.expires_at <= standing.clock:
        record_expired(draft, [expire_lot(draft, number)], "expired")  # its own date came while it waited
    return qualified


def _qualifies(draft: Draft, program: Program, lot: Lot) -> tuple[str, int]:
    """What a lot adds to which tier window now that it is available; it has nothing more to add then."""
    ladder = ladder_of(program)
    amount, lot.qualifies = lot.qualifies, 0
    if ladder is None:
        return "", 0
    return ladder.key(draft.standing, lot.when or lot.earned_at), amount


def expire(draft: Draft, instant: datetime) -> None:
    """End the lots whose time is over; where activity counts, those that follow it end with it."""
    standing = draft.standing
    inactive = standing.inactive_at is not None and standing.inactive_at <= instant
    program = draft.versions.at(instant)
    counting = program is not None and program.expiry.mode == "inactivity"
    changes: list[LotChange] = []
    for lot in sorted(draft.visible_lots(), key=lambda lot: lot.lot):
        if not lot.remaining or lot.available_at is None:
            continue
        if inactive and not counting and lot.expires_at is None:
            continue
        end = ends_at(standing, lot)
        if end is not None and end <= instant:
            changes.append(expire_lot(draft, lot.lot))
        elif lot.expires_at is not None and lot.expires_at <= instant:
            draft.own_lot(lot.lot).expires_at = None  # its own date is over: activity alone keeps it
    if inactive:
        standing.inactive_at = None
    record_expired(draft, changes, "expired")


def expire_lot(draft: Draft, number: int) -> LotChange:
    """End a lot: what remained of it has expired."""
    lot = draft.own_lot(number)
    lot.expired += lot.remaining
    return draft.change_lot(number, -lot.remaining)


def record_expired(draft: Draft, changes: list[LotChange], reason: str) -> None:
    """Say which lots ended, if any did; where they are very many, in several events."""
    for some in in_parts(changes):
        pending = -sum(change.change for change in some if change.pending)
        points = -sum(change.change for change in some)
        postings = postings_of(available=pending - points, pending=-pending, expired=points)
        draft.record(PointsExpired(postings=postings, points=points, reason=reason, lots=some))


def _check_tier(draft: Draft, instant: datetime) -> None:
    """At the end of a window or an assignment, and when a version takes force."""
    due = draft.standing.tier_check
    program = draft.versions.at(instant)
    if program is not None and program.in_force_from == instant:
        _take_force(draft, program)
    ladder = ladder_of(program)
    if ladder is not None and due is not None and due <= instant:
        evaluate(draft, ladder)


def _take_force(draft: Draft, program: Program) -> None:
    """A version lifts at once; where it makes inactivity count, everybody's clock starts then."""
    standing = draft.standing
    before = draft.versions.numbered(program.version - 1) if program.version > 1 else None
    if program.expiry.mode == "inactivity" and (before is None or before.expiry.mode != "inactivity"):
        end = end_after(program, program.in_force_from, program.expiry.months)
        standing.inactive_at = max(end, standing.inactive_at or end)
    ladder = ladder_of(program)
    if ladder is not None:
        lift(draft, ladder, "program_changed")
