"""Referrals at their referrer: the newest question of the referee's side is answered, by the program's limit.

Rules 26 and 67.
"""

from __future__ import annotations

from services.earning.decide.core.case import Case, Prepared
from services.earning.decide.core.decision import Outcome
from services.earning.decide.core.draft import Draft, event_key
from services.earning.decide.facts.referrals import ANSWERED, REFERRAL, REFERRER
from services.earning.decide.points.pending import Release
from services.earning.decide.points.settlement import Settlement, granted_anew, multiplied, nothing
from services.earning.decide.value.limits import leave_place, take_place
from services.earning.program.terms import Versions
from services.earning.source_events.messages import ReferralAnswered, ReferralAsked
from services.earning.state.keys import Grant, ReferrerState
from services.earning.state.standing import KeyRow
from shared.point_events import FactRecorded, ReferralBlocked, ReferralReversed, ReferralRewarded
from shared.reasons import Reason


def prepare_question(case: Case, data: ReferralAsked) -> Prepared | None:
    """Reward the referrer or take it back, and answer. None: a newer question is known."""
    book = case.state(ReferrerState)
    if data.version <= book.version:
        return None

    def settle(draft: Draft) -> Outcome:
        row = draft.put(case.key, book)
        place, blocked = _place(draft, case.versions, book, data)
        counts = data.qualifies and not blocked
        settlement = Settlement(draft, "reversed", Release(data.waits, data.release_at))
        grant = _settle(settlement, row, book, data, blocked)
        row.book = ReferrerState(data.version, counts, grant, place, blocked)
        if data.qualifies:
            answer = ReferralAnswered(referral_id=data.referral_id, version=data.version, blocked=blocked)
            draft.send(data.referee, row.key, ANSWERED, data.version, answer)
        settlement.move_tier(row)
        return Outcome.APPLIED

    return settle


def _settle(settlement: Settlement, row: KeyRow, book: ReferrerState, data: ReferralAsked, blocked: str) -> Grant:
    """Bring the reward to what the referral is worth to its referrer now, and say so."""
    draft, key, referral = settlement.draft, event_key(row.key), row.key.id
    if data.qualifies and not blocked and not book.qualifies:
        return _reward(settlement, row, book.grant, data)
    if book.qualifies and (blocked or not data.qualifies):
        draft.record(
            ReferralReversed(
                key=key,
                referral=referral,
                role=REFERRER,
                other=data.referee,
                order=data.order_id,
                reason=settlement.reason,
            )
        )
        return settlement.settle(row, book.grant, nothing(Reason.NOTHING_CHANGED), only_if_points_move=True)
    if blocked:
        event = ReferralBlocked(key=key, referral=referral, role=REFERRER, other=data.referee, reason=blocked)
        draft.record(event)
        return book.grant
    settlement.wait_anew(row, book.grant)
    draft.record(FactRecorded(key=key, reason=Reason.NOTHING_CHANGED))
    return book.grant


def _place(draft: Draft, versions: Versions, book: ReferrerState, data: ReferralAsked) -> tuple[str, str]:
    """The place under the referrer's limit, and why there is none.

    Who was refused stays so while the referral qualifies, until a person unblocks it.

    Raises:
        RowsMissingError: the limit's row was not looked for yet.
    """
    if not data.qualifies:
        leave_place(draft, book.place)
        return "", ""
    program = versions.at(data.when)
    limit = program.referrals.limit if program is not None and program.referrals is not None else None
    if program is None or limit is None or book.place:
        return book.place, ""
    if book.blocked and not data.unblocked:
        return "", book.blocked
    place = take_place(draft, program, limit, REFERRAL, data.when, beyond=data.unblocked)
    return place, "" if place else Reason.REFERRER_CAP


def _reward(settlement: Settlement, row: KeyRow, grant: Grant, data: ReferralAsked) -> Grant:
    """Points by the tier held before the referee's order; anew for each time that it qualifies."""
    draft = settlement.draft
    held = granted_anew(draft, grant, data.when)
    program = draft.versions.at(data.when)
    deserved = nothing(Reason.NOTHING_ELIGIBLE)
    if program is not None and program.referrals is not None and held.pin is not None:
        deserved = multiplied(program, held.pin, REFERRER, REFERRAL, program.referrals.referrer)
    draft.record(
        ReferralRewarded(
            key=event_key(row.key),
            program_version=program.version if program is not None else 0,
            referral=row.key.id,
            role=REFERRER,
            other=data.referee,
            order=data.order_id,
            points=0 if draft.standing.closed else deserved.points,
        )
    )
    return settlement.settle(row, held, deserved, only_if_points_move=True)
