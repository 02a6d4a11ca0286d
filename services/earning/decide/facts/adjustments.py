"""Adjustments and reinstatements: points that people give or take, once for an id. Rules 21, 54, 59 and 71."""

from __future__ import annotations

from datetime import datetime, timedelta

from services.earning.decide.core.case import Case, Prepared
from services.earning.decide.core.content import command_hash
from services.earning.decide.core.decision import Outcome
from services.earning.decide.core.draft import Draft, event_key
from services.earning.decide.core.local_days import end_of_day, local_date
from services.earning.decide.points.ladder import ladder_of, present_ladder
from services.earning.decide.points.lifetimes import LATE_DAYS_MIN
from services.earning.decide.points.lots import give_lot
from services.earning.decide.points.reversal import forgive_owed, take_back
from services.earning.decide.points.tiers import UNMOVED, Qualified, move_tier, qualify
from services.earning.program.terms import Program
from services.earning.state.keys import CommandState
from services.earning.state.standing import BusinessKey, KeyRow
from shared.errors import PermanentError
from shared.facts.adjustments import PointsAdjust, PointsReinstate
from shared.point_events import FactRecorded, LotChange, PointsAdjusted, PointsReinstated
from shared.reasons import Reason


def known_command(case: Case) -> bool:
    """Whether a command was decided before.

    Raises:
        PermanentError: `conflict`, where its id is known with another content.
    """
    if case.row is None:
        return False
    if case.state(CommandState).content_hash == command_hash(case.fact):
        return True
    raise PermanentError(Reason.CONFLICT, f"{case.key.kind} {case.key.id!r} is known with another content")


def check_date(expires_at: datetime | None, now: datetime) -> None:
    """Refuse a date that is over.

    Raises:
        PermanentError: `expires_in_past`.
    """
    if expires_at is not None and expires_at <= now:
        raise PermanentError(Reason.EXPIRES_IN_PAST, f"{expires_at.isoformat()} is over", field="data.expires_at")


def qualify_points(draft: Draft, program: Program, points: int) -> Qualified:
    """Count points for the tier window of the fact's time, where points earned are the measure (rule 59)."""
    ladder = ladder_of(program)
    if ladder is None or not program.qualifies_by_points or not points:
        return UNMOVED
    window = ladder.key(draft.standing, draft.occurred_at)
    return qualify(draft.standing, present_ladder(draft, program), {window: points})


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
        row = draft.put(case.key, CommandState(command_hash(case.fact)))
        if draft.standing.closed:
            draft.record(FactRecorded(key=event_key(case.key), reason=Reason.MEMBER_CLOSED))
            return Outcome.APPLIED
        program = case.program
        qualified = qualify_points(draft, program, data.points if data.qualifying else 0)
        lots, postings, owed = _moved(draft, row, program, data)
        draft.record(
            PointsAdjusted(
                key=event_key(case.key),
                program_version=program.version,
                postings={**postings, "adjusted": -data.points},
                points=data.points,
                reason=data.reason,
                actor=data.actor_id,
                note=data.note_id or "",
                lots=lots,
                to_deficit=owed,
            ),
            qualified.progress,
        )
        forgive_owed(draft, program, event_key(case.key), owed, data.reason)
        move_tier(draft, present_ladder(draft, program), [qualified], case.key)
        return Outcome.APPLIED

    return adjust


def _moved(
    draft: Draft, row: KeyRow, program: Program, data: PointsAdjust
) -> tuple[list[LotChange], dict[str, int], int]:
    """Give or take the points: the lots touched, the postings' left side, and what is owed then."""
    if data.points > 0:
        change, postings = give_lot(draft, row, data.points, program, data.expires_at)
        return [change], postings, 0
    taken = take_back(draft, None, -data.points)
    return taken.lots, taken.postings, taken.to_deficit


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
    if award is None or award.member != case.fact.member:
        raise PermanentError(Reason.UNKNOWN_AWARD, f"the member has no award {data.award!r}", field="data.award")

    def reinstate(draft: Draft) -> Outcome:
        expired = sum(draft.lot(number).expired for number in award.lots)
        if data.points > expired:
            message = f"{expired} points of it have expired, {data.points} should come back"
            raise PermanentError(Reason.UNKNOWN_AWARD, message, field="data.points")
        key = event_key(case.key)
        draft.put(case.key, CommandState(command_hash(case.fact)))
        if draft.standing.closed:
            draft.record(FactRecorded(key=key, reason=Reason.MEMBER_CLOSED))
            return Outcome.APPLIED
        program = case.program
        qualified = _revive(draft, program, award, data.points)
        last = local_date(program.zone, draft.decided_at) + timedelta(days=LATE_DAYS_MIN)
        expires_at = data.expires_at or end_of_day(program.zone, last)
        change, postings = give_lot(draft, draft.put(award.key, award.book), data.points, program, expires_at)
        draft.record(
            PointsReinstated(
                key=key,
                program_version=program.version,
                postings={**postings, "reinstated": -data.points},
                points=data.points,
                reason=data.reason,
                award=event_key(award.key),
                lots=[change],
            ),
            qualified.progress,
        )
        move_tier(draft, present_ladder(draft, program), [qualified], case.key)
        return Outcome.APPLIED

    return reinstate


def _revive(draft: Draft, program: Program, award: KeyRow, points: int) -> Qualified:
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
        ladder = ladder_of(draft.versions.numbered(lot.version)) if lot.available_at is None else None
        if ladder is not None and ladder.program.qualifies_by_points:
            lot.qualifies -= part
            window = ladder.key(draft.standing, lot.when or lot.earned_at)
            changes[window] = changes.get(window, 0) + part
    return qualify(draft.standing, present_ladder(draft, program), changes)
