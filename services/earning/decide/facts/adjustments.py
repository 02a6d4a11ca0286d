"""Adjustments and reinstatements: points that people give or take, once for an id. Rules 21, 54, 59 and 71."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from services.earning.decide.core.case import Case, Prepared
from services.earning.decide.core.content import command_hash
from services.earning.decide.core.decision import Outcome
from services.earning.decide.core.draft import Draft, event_key
from services.earning.decide.core.local_days import end_of_day, local_date
from services.earning.decide.points.ladder import ladder_of
from services.earning.decide.points.lifetimes import LATE_DAYS_MIN, begin_life
from services.earning.decide.points.lots import fill_available, new_lot
from services.earning.decide.points.reversal import forgive, take_back
from services.earning.decide.points.tiers import Qualified, move_tier, qualify
from services.earning.state.keys import CommandState, OrderState
from services.earning.state.standing import BusinessKey, KeyRow
from shared.errors import PermanentError
from shared.facts.adjustments import PointsAdjust, PointsReinstate
from shared.point_events import FactRecorded, PointsAdjusted, PointsReinstated
from shared.reasons import Reason


def known_command(case: Case) -> bool:
    """Whether a command was decided before.

    Raises:
        PermanentError: `conflict`, where its id is known with another content.
    """
    if case.row is None:
        return False
    if isinstance(case.row.book, CommandState) and case.row.book.content_hash == command_hash(case.fact):
        return True
    raise PermanentError(Reason.CONFLICT, f"{case.key.kind} {case.key.id!r} is known with another content")


def check_date(expires_at: datetime | None, now: datetime) -> None:
    """Refuse a date that is over.

    Raises:
        PermanentError: `expires_in_past`.
    """
    if expires_at is not None and expires_at <= now:
        raise PermanentError(Reason.EXPIRES_IN_PAST, f"{expires_at.isoformat()} is over", field="data.expires_at")


def qualify_points(case: Case, draft: Draft, points: int) -> Qualified:
    """Count points for the tier window of the fact's time, where points earned are the measure."""
    ladder = ladder_of(case.program)
    present = ladder_of(case.versions.at(draft.standing.clock)) or ladder
    if ladder is None or ladder.tiers.measure != "points_earned" or not points:
        return qualify(draft.standing, None, {})
    window = ladder.key(draft.standing, case.fact.occurred_at)
    return qualify(draft.standing, present, {window: points})


def settle_tier(case: Case, draft: Draft, qualified: Qualified) -> None:
    """Rise or fall by what was counted."""
    present = ladder_of(case.versions.at(draft.standing.clock)) or ladder_of(case.program)
    if present is not None and qualified.changes:
        move_tier(draft, present, qualified, event_key(case.key))


def prepare_adjustment(case: Case, data: PointsAdjust) -> Prepared | None:
    """Give or take points; taken ones come from the member's lots in the order of consumption, the rest is owed.

    None: it is known already.

    Raises:
        PermanentError: `conflict`, or `expires_in_past`.
    """
    if known_command(case):
        return None
    check_date(data.expires_at, case.fact.received_at)

    def adjust(draft: Draft) -> Outcome:
        row = KeyRow(case.key, draft.standing.member, CommandState(command_hash(case.fact)))
        draft.keys[case.key] = row
        if draft.standing.closed:
            draft.say(FactRecorded, key=event_key(case.key), reason=Reason.MEMBER_CLOSED)
            return Outcome.APPLIED
        program = case.program
        version = program.version
        qualified = qualify_points(case, draft, data.points if data.qualifying else 0)
        own: dict[str, Any] = {"points": data.points, "reason": data.reason, "actor": data.actor_id}
        own["note"] = data.note_id or ""
        if data.points > 0:
            lot = new_lot(draft, row, data.points, version)
            lot.expires_at = data.expires_at
            if data.expires_at is None:
                begin_life(draft, lot, program, own_clock=True)
            change, postings = fill_available(draft, lot)
            own |= {"lots": [change]}
        else:
            taken = take_back(draft, None, -data.points)
            postings = taken.postings
            own |= {"lots": taken.lots, "to_deficit": taken.to_deficit}
        postings["adjusted"] = -data.points
        draft.say(PointsAdjusted, key=event_key(case.key), version=version, postings=postings, **own, **qualified.told)
        owed = own.get("to_deficit", 0)
        if owed and program.deficit == "forgive":
            forgive(draft, event_key(case.key), version, owed, data.reason)
        settle_tier(case, draft, qualified)
        return Outcome.APPLIED

    return adjust


def award_key(case: Case, data: PointsReinstate) -> BusinessKey:
    """The order whose expired points are given back."""
    return BusinessKey(case.fact.program, case.fact.source, "order", data.award)


def prepare_reinstatement(case: Case, data: PointsReinstate) -> Prepared | None:
    """Give back expired points of an award, in a further lot of it. None: it is known already.

    Raises:
        PermanentError: `conflict`, `expires_in_past`, or `unknown_award` where so much has not expired of it.
    """
    if known_command(case):
        return None
    check_date(data.expires_at, case.fact.received_at)
    award = case.rows.keys.get(award_key(case, data))
    owned = award is not None and award.member == case.fact.member and isinstance(award.book, OrderState)
    if award is None or not owned:
        raise PermanentError(Reason.UNKNOWN_AWARD, f"the member has no award {data.award!r}", field="data.award")

    def reinstate(draft: Draft) -> Outcome:
        expired = sum(draft.lot(number).expired for number in award.lots)
        if data.points > expired:
            message = f"{expired} points of it have expired, {data.points} should come back"
            raise PermanentError(Reason.UNKNOWN_AWARD, message, field="data.points")
        draft.keys[case.key] = KeyRow(case.key, draft.standing.member, CommandState(command_hash(case.fact)))
        if draft.standing.closed:
            draft.say(FactRecorded, key=event_key(case.key), reason=Reason.MEMBER_CLOSED)
            return Outcome.APPLIED
        qualified = _revive(case, draft, award, data.points)
        row = KeyRow(award.key, award.member, award.book, award.lots)
        draft.keys[award.key] = row
        version = case.program.version
        lot = new_lot(draft, row, data.points, version)
        zone = case.program.zone
        last = local_date(zone, draft.decided_at) + timedelta(days=LATE_DAYS_MIN)
        lot.expires_at = data.expires_at or end_of_day(zone, last)
        change, postings = fill_available(draft, lot)
        draft.say(
            PointsReinstated,
            key=event_key(case.key),
            version=version,
            postings={**postings, "reinstated": -data.points},
            points=data.points,
            reason=data.reason,
            award=event_key(award.key),
            lots=[change],
            **qualified.told,
        )
        settle_tier(case, draft, qualified)
        return Outcome.APPLIED

    return reinstate


def _revive(case: Case, draft: Draft, award: KeyRow, points: int) -> Qualified:
    """Lower an award's expired part, its newest lots first; what ended while it waited qualifies from now on."""
    changes: dict[str, int] = {}
    for number in reversed(award.lots):
        lot = draft.lot(number)
        part = min(points, lot.expired)
        if not part:
            continue
        points -= part
        lot = draft.own_lot(number)
        lot.expired -= part
        ladder = ladder_of(case.versions.numbered(lot.version)) if lot.available_at is None else None
        if ladder is not None and ladder.tiers.measure == "points_earned":
            lot.qualifies -= part
            window = ladder.key(draft.standing, lot.when or lot.earned_at)
            changes[window] = changes.get(window, 0) + part
    return qualify(
        draft.standing, ladder_of(case.versions.at(draft.standing.clock)) or ladder_of(case.program), changes
    )
