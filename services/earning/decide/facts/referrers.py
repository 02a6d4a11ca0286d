"""Referrals at their referrer: the newest question of the referee's side is answered, by the program's limit.

Rules 26 and 67.
"""

from __future__ import annotations

from typing import Any

from services.earning.decide.core.case import Case, Prepared
from services.earning.decide.core.decision import Outcome
from services.earning.decide.core.draft import Draft, event_key
from services.earning.decide.facts.referrals import ANSWERED, REFERRAL
from services.earning.decide.points.pending import Release
from services.earning.decide.points.settlement import Settlement, multiplied, nothing, pinned
from services.earning.decide.value.limits import leave_place, take_place
from services.earning.program.terms import Versions
from services.earning.source_events.messages import ReferralAnswered, ReferralAsked
from services.earning.state.keys import Grant, ReferrerState
from services.earning.state.standing import KeyRow
from shared.point_events import FactRecorded, ReferralBlocked, ReferralReversed, ReferralRewarded
from shared.reasons import Reason


def prepare_question(case: Case, data: ReferralAsked) -> Prepared | None:
    """Reward the referrer or take it back, and answer. None: a newer question is known."""
    book = case.row.book if case.row is not None and isinstance(case.row.book, ReferrerState) else ReferrerState()
    if data.version <= book.version:
        return None

    def settle(draft: Draft) -> Outcome:
        row = KeyRow(case.key, draft.standing.member, book, case.row.lots if case.row is not None else [])
        draft.keys[case.key] = row
        place, blocked = _place(draft, case.versions, book, data)
        counts = data.qualifies and not blocked
        granting = Settlement(draft, case.versions, "reversed", Release(data.waits, data.release_at))
        grant = book.grant
        if counts and not book.qualifies:
            grant = _reward(granting, row, grant, data)
        elif book.qualifies and not counts:
            draft.say(
                ReferralReversed, key=event_key(row.key), reason="reversed", order=data.order_id, **_told(row, data)
            )
            grant = granting.bring(row, grant, nothing(Reason.NOTHING_CHANGED), quiet=True)
        elif blocked:
            draft.say(ReferralBlocked, key=event_key(row.key), reason=blocked, **_told(row, data))
        else:
            granting.wait_anew(row)
            draft.say(FactRecorded, key=event_key(row.key), reason=Reason.NOTHING_CHANGED)
        row.book = ReferrerState(data.version, counts, grant, place, blocked)
        if data.qualifies:
            answer = ReferralAnswered(referral_id=data.referral_id, version=data.version, blocked=blocked)
            draft.send(data.referee, row.key, ANSWERED, data.version, answer)
        granting.settle(row)
        return Outcome.APPLIED

    return settle


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


def _reward(granting: Settlement, row: KeyRow, grant: Grant, data: ReferralAsked) -> Grant:
    """Points by the tier held before the referee's order; anew for each time that it qualifies."""
    draft, versions = granting.draft, granting.versions
    grant = pinned(draft, versions, Grant(None, {}, grant.qualified, grant.window), data.when)
    program = versions.at(data.when)
    deserved = nothing(Reason.NOTHING_ELIGIBLE)
    if program is not None and program.referrals is not None and grant.pin is not None:
        deserved = multiplied(program, grant.pin, "referrer", REFERRAL, program.referrals.referrer)
    points = 0 if draft.standing.closed else deserved.points
    version, order = program.version if program is not None else 0, data.order_id
    draft.say(ReferralRewarded, key=event_key(row.key), version=version, points=points, order=order, **_told(row, data))
    return granting.bring(row, grant, deserved, quiet=True)


def _told(row: KeyRow, data: ReferralAsked) -> dict[str, Any]:
    """What every event of a referral says on this side."""
    return {"referral": row.key.id, "role": "referrer", "other": data.referee}
