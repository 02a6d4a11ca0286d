"""Deciding: the two ways a standing moves on, by a fact or by time alone. Rules 17, 37, 51 and 72."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any, NamedTuple

from services.earning.decide.core.case import Case, Prepared
from services.earning.decide.core.decision import SETTLE, Decision, Needs, Outcome
from services.earning.decide.core.draft import Draft, event_key
from services.earning.decide.facts.activities import declared_only, prepare_activity
from services.earning.decide.facts.adjustments import prepare_adjustment, prepare_reinstatement
from services.earning.decide.facts.claims import forward, prepare_claim, prepare_handing, prepare_refusal
from services.earning.decide.facts.imports import batch_id, batch_key, prepare_import, prepare_revert, row_id
from services.earning.decide.facts.members import new_standing, prepare_close, prepare_member, prepare_tier
from services.earning.decide.facts.merges import prepare_taking, prepare_taking_v1
from services.earning.decide.facts.orders import prepare_order
from services.earning.decide.facts.redemptions import prepare_redemption, prepare_return
from services.earning.decide.facts.referrals import prepare_answer, prepare_click, prepare_referral
from services.earning.decide.facts.referrers import prepare_question
from services.earning.decide.facts.reviews import prepare_review
from services.earning.decide.points.timers import run_due, schedule_next
from services.earning.program.terms import Versions
from services.earning.source_events.facts import Fact, LoggedFact
from services.earning.source_events.handover import ClaimGiven
from services.earning.source_events.handover_v1 import ClaimGivenV1
from services.earning.source_events.messages import (
    ClaimAsked,
    ClaimRefused,
    MessageData,
    ReferralAnswered,
    ReferralAsked,
)
from services.earning.state.standing import BusinessKey, Rows, Standing
from shared.errors import PermanentError
from shared.facts.activities import ActivityRecorded, ActivityWithdrawn
from shared.facts.adjustments import PointsAdjust, PointsReinstate
from shared.facts.imports import BalanceImport, ImportRevert
from shared.facts.members import MemberClaimed, MemberClosed, MemberEnrolled, MemberUpdated, TierAssigned
from shared.facts.orders import OrderCancelled, OrderFulfilled, OrderPaid, OrderRefunded, OrderUpdated
from shared.facts.redemptions import RedemptionCancelled, RedemptionRequested
from shared.facts.referrals import ReferralClicked, ReferralCompleted, ReferralJoined, ReferralUnblock, ReferralVoided
from shared.facts.reviews import ReviewPublished, ReviewRemoved, ReviewUpdated
from shared.point_events import FactRecorded
from shared.reasons import Reason

FUTURE_MAX = timedelta(minutes=5)
"""How far a fact's time may lie after its record's: publishers' clocks differ."""


class _Kind(NamedTuple):
    """What facts of a type are about: the kind of their business key, its id, and how they are decided."""

    kind: str
    id_of: Callable[[Fact], str]
    prepare: Callable[[Case, Any], Prepared | None]


_ORDER = _Kind("order", attrgetter("data.order_id"), prepare_order)
_REVIEW = _Kind("review", attrgetter("data.review_id"), prepare_review)
_ACTIVITY = _Kind("activity", attrgetter("data.activity_id"), prepare_activity)
_REFERRAL = _Kind("referral", attrgetter("data.referral_id"), prepare_referral)
_MEMBER = _Kind("member", attrgetter("member"), prepare_member)
_REDEMPTION_ID = attrgetter("data.redemption_id")

_KINDS: dict[type, _Kind] = {
    OrderPaid: _ORDER,
    OrderUpdated: _ORDER,
    OrderRefunded: _ORDER,
    OrderCancelled: _ORDER,
    OrderFulfilled: _ORDER,
    ReviewPublished: _REVIEW,
    ReviewUpdated: _REVIEW,
    ReviewRemoved: _REVIEW,
    ActivityRecorded: _ACTIVITY,
    ActivityWithdrawn: _ACTIVITY,
    ReferralClicked: _Kind("referral_click", attrgetter("data.referral_id"), prepare_click),
    ReferralJoined: _REFERRAL,
    ReferralCompleted: _REFERRAL,
    ReferralVoided: _REFERRAL,
    ReferralUnblock: _REFERRAL,
    ReferralAsked: _Kind("referrer", attrgetter("data.referral_id"), prepare_question),
    ReferralAnswered: _Kind("referral", attrgetter("data.referral_id"), prepare_answer),
    MemberEnrolled: _MEMBER,
    MemberUpdated: _MEMBER,
    MemberClaimed: _Kind("claim", attrgetter("data.guest"), prepare_claim),
    ClaimAsked: _Kind("claimed_by", attrgetter("data.by"), prepare_handing),
    ClaimRefused: _Kind("claim_refused", attrgetter("data.guest"), prepare_refusal),
    ClaimGiven: _Kind("alias", attrgetter("data.guest"), prepare_taking),
    ClaimGivenV1: _Kind("alias", attrgetter("data.guest"), prepare_taking_v1),
    MemberClosed: _MEMBER._replace(prepare=prepare_close),
    TierAssigned: _Kind("tier_assignment", attrgetter("member"), prepare_tier),
    RedemptionRequested: _Kind("redemption", _REDEMPTION_ID, prepare_redemption),
    RedemptionCancelled: _Kind("redemption", _REDEMPTION_ID, prepare_return),
    PointsAdjust: _Kind("adjustment", attrgetter("data.adjustment_id"), prepare_adjustment),
    PointsReinstate: _Kind("reinstatement", attrgetter("data.reinstate_id"), prepare_reinstatement),
    BalanceImport: _Kind("import", row_id, prepare_import),
    ImportRevert: _Kind("import_batch", batch_id, prepare_revert),
}


def needs(fact: Fact) -> Needs:
    """The business keys whose rows, with the lots they name, a fact's decision reads; its own comes first."""
    own, data = key_of(fact), fact.data
    if isinstance(data, BalanceImport):
        return Needs((own, batch_key(fact)))
    if isinstance(data, PointsReinstate):
        return Needs((own, BusinessKey(fact.program, fact.source, "order", data.award)))
    return Needs((own,))


def key_of(fact: Fact) -> BusinessKey:
    """What a fact is about: it has one effect, however often and in whatever order its facts arrive."""
    kind, id_of, _ = _KINDS[type(fact.data)]
    return BusinessKey(fact.program, fact.source, kind, id_of(fact))


def decided_at(standing: Standing | None, fact: Fact) -> datetime:
    """When a fact is decided, by stream time: when it was received, but never before the decision before it."""
    return fact.received_at if standing is None else max(standing.decided_at, fact.received_at)


def decide(versions: Versions, standing: Standing | None, rows: Rows, fact: Fact, decided_at: datetime) -> Decision:
    """What a fact means for its member now.

    The standing advances first: events of what was due come first in the decision. A duplicate changes nothing.

    Raises:
        PermanentError: the fact can't be decided, now or later: it is a dead letter.
        RowsMissingError: more rows or lots must be loaded; decide again then.
    """
    _refuse(versions, fact)
    if isinstance(fact.data, ActivityRecorded) and fact.data.attributes:
        fact = declared_only(versions, fact, fact.data)
    key = key_of(fact)
    if standing is not None and standing.claimed_by and not isinstance(fact.data, ClaimAsked):
        draft = _begun(versions, standing, rows, fact, decided_at)
        forward(draft, fact, event_key(key))
        return draft.decision(Outcome.APPLIED)
    row = rows.keys.get(key)
    if row is not None and row.member != fact.member:
        message = f"{key.kind} {key.id!r} of {key.source!r} belongs to another member"
        raise PermanentError(Reason.OWNED_BY_ANOTHER_MEMBER, message)
    prepared = _KINDS[type(fact.data)].prepare(Case(versions, rows, fact, key, row), fact.data)
    if prepared is None and standing is not None:
        return Decision(standing, {}, {}, [], Outcome.DUPLICATE)
    draft = _begun(versions, standing, rows, fact, decided_at)
    outcome = prepared(draft) if prepared is not None else Outcome.DUPLICATE
    schedule_next(draft)
    return draft.decision(outcome)


def decide_message(
    versions: Versions, standing: Standing | None, rows: Rows, fact: Fact, decided_at: datetime
) -> Decision:
    """What a fact means that another member's decision has sent on: a message, or a fact told under a claimed id.

    As such a fact was taken in under that id, it can't be a dead letter any more: where it can't be decided, an event
    says so, with the reason.

    Raises:
        PermanentError: a message can't be decided, which is a fault of ours.
        RowsMissingError: more rows or lots must be loaded; decide again then.
    """
    try:
        return decide(versions, standing, rows, fact, decided_at)
    except PermanentError as error:
        if isinstance(fact.data, MessageData):
            raise
        return refuse(versions, standing, rows, fact, decided_at, error.reason)


def refuse(
    versions: Versions, standing: Standing | None, rows: Rows, fact: Fact, decided_at: datetime, reason: str
) -> Decision:
    """Say that a fact told under a claimed id can't be decided, and why.

    Where a row of another shard is why, whoever decides a log again goes by what it says.

    Raises:
        RowsMissingError: lots that are due must be loaded; refuse again then.
    """
    draft = _begun(versions, standing, rows, fact, decided_at)
    draft.record(FactRecorded(key=event_key(key_of(fact)), reason=reason))
    schedule_next(draft)
    return draft.decision(Outcome.REJECTED)


def advance(versions: Versions, standing: Standing, rows: Rows, until: datetime) -> Decision:
    """Bring a standing to an instant: do all that is due by then. Advancing to a, then b, is advancing to b.

    Raises:
        RowsMissingError: lots that are due must be loaded; advance again then.
    """
    draft = Draft(versions, standing, rows)
    run_due(draft, until)
    schedule_next(draft)
    if not draft.events:
        draft.standing.decision -= 1
    return draft.decision(Outcome.APPLIED)


def _refuse(versions: Versions, fact: Fact) -> None:
    """Refuse what can't be decided whatever is known of the member."""
    if not versions.all:
        raise PermanentError(Reason.UNKNOWN_PROGRAM, f"no program {fact.program!r} has been published")
    if fact.occurred_at > fact.received_at + FUTURE_MAX:
        ahead = fact.occurred_at - fact.received_at
        raise PermanentError(Reason.OCCURRED_IN_FUTURE, f"its time is {ahead} after that of its record", field="time")


def _begun(versions: Versions, standing: Standing | None, rows: Rows, fact: Fact, decided_at: datetime) -> Draft:
    """A draft that has advanced to where the fact meets the member, and speaks for the fact from now on."""
    clock = max(min(fact.occurred_at, decided_at), decided_at - SETTLE)
    if standing is None:
        standing = new_standing(versions, fact, clock, decided_at)
    draft = Draft(versions, standing, rows)
    if clock > standing.clock:
        run_due(draft, clock)
    draft.at(fact.occurred_at, decided_at, fact.cause, LoggedFact.of(fact))
    return draft
