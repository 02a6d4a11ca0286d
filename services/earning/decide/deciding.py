"""Deciding: the two ways a standing moves on, by a fact or by time alone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from services.earning.decide.adjustments import prepare_adjustment, prepare_reinstatement
from services.earning.decide.case import Case, Prepared
from services.earning.decide.decision import SETTLE, Decision, Needs, Outcome
from services.earning.decide.draft import Draft
from services.earning.decide.dues import plan_next, work_off
from services.earning.decide.imports import batch_key, prepare_import, prepare_revert, row_key
from services.earning.decide.members import new_standing, prepare_close, prepare_member, prepare_tier
from services.earning.decide.orders import prepare_order
from services.earning.decide.redemptions import prepare_redemption, prepare_return
from services.earning.program.terms import Versions
from services.earning.source_events.commands import (
    BalanceImport,
    ImportRevert,
    MemberClosed,
    MemberUpdated,
    PointsAdjust,
    PointsReinstate,
    RedemptionCancelled,
    RedemptionRequested,
    TierAssigned,
)
from services.earning.source_events.facts import (
    Fact,
    LoggedFact,
    MemberEnrolled,
    OrderCancelled,
    OrderFulfilled,
    OrderPaid,
    OrderRefunded,
    OrderUpdated,
)
from services.earning.standing import BusinessKey, Rows, Standing
from shared.errors import PermanentError
from shared.reasons import Reason

_ORDER_FACTS = (OrderPaid, OrderRefunded, OrderUpdated, OrderCancelled, OrderFulfilled)

FUTURE_MAX = timedelta(minutes=5)
"""How far a fact's time may lie after its record's: publishers' clocks differ."""

_PREPARED: dict[type, Callable[[Case, Any], Prepared | None]] = {
    OrderPaid: prepare_order,
    OrderUpdated: prepare_order,
    OrderRefunded: prepare_order,
    OrderCancelled: prepare_order,
    OrderFulfilled: prepare_order,
    MemberEnrolled: prepare_member,
    MemberUpdated: prepare_member,
    MemberClosed: prepare_close,
    TierAssigned: prepare_tier,
    RedemptionRequested: prepare_redemption,
    RedemptionCancelled: prepare_return,
    PointsAdjust: prepare_adjustment,
    PointsReinstate: prepare_reinstatement,
    BalanceImport: prepare_import,
    ImportRevert: prepare_revert,
}


def needs(fact: Fact) -> Needs:
    """The business keys whose rows, with the lots they name, a fact's decision reads; its own comes first."""
    data = fact.data
    if isinstance(data, BalanceImport):
        return Needs((key_of(fact), batch_key(fact, data.batch_id)))
    if isinstance(data, PointsReinstate):
        return Needs((key_of(fact), BusinessKey(fact.program, fact.source, "order", data.award)))
    return Needs((key_of(fact),))


def key_of(fact: Fact) -> BusinessKey:
    """What a fact is about: it has one effect, however often and in whatever order its facts arrive."""
    data = fact.data
    if isinstance(data, _ORDER_FACTS):
        return BusinessKey(fact.program, fact.source, "order", data.order_id)
    match data:
        case MemberEnrolled() | MemberUpdated() | MemberClosed():
            kind, name = "member", fact.member
        case TierAssigned():
            kind, name = "tier_assignment", fact.member
        case RedemptionRequested(redemption_id=name) | RedemptionCancelled(redemption_id=name):
            kind = "redemption"
        case PointsAdjust(adjustment_id=name):
            kind = "adjustment"
        case PointsReinstate(reinstate_id=name):
            kind = "reinstatement"
        case BalanceImport() as row:
            return row_key(fact, row.batch_id, str(row.row))
        case ImportRevert() as revert:
            return batch_key(fact, revert.batch_id)
    return BusinessKey(fact.program, fact.source, kind, name)


def decide(versions: Versions, standing: Standing | None, rows: Rows, fact: Fact, decided_at: datetime) -> Decision:
    """What a fact means for its member now.

    The standing advances first: events of what was due come first in the decision. A duplicate changes nothing.

    Raises:
        PermanentError: the fact can't be decided, now or later: it is a dead letter.
        RowsMissingError: more rows or lots must be loaded; decide again then.
    """
    _refuse(versions, fact)
    key = key_of(fact)
    row = rows.keys.get(key)
    if row is not None and row.member != fact.member:
        message = f"{key.kind} {key.id!r} of {key.source!r} belongs to another member"
        raise PermanentError(Reason.OWNED_BY_ANOTHER_MEMBER, message)
    prepared = _PREPARED[type(fact.data)](Case(versions, rows, fact, key, row), fact.data)
    if prepared is None and standing is not None:
        return Decision(standing, {}, {}, [], Outcome.DUPLICATE)
    draft = _begun(versions, standing, rows, fact, decided_at)
    outcome = prepared(draft) if prepared is not None else Outcome.DUPLICATE
    plan_next(draft, versions)
    return draft.decision(outcome)


def advance(versions: Versions, standing: Standing, rows: Rows, until: datetime) -> Decision:
    """Bring a standing to an instant: do all that is due by then. Advancing to a, then b, is advancing to b.

    Raises:
        RowsMissingError: lots that are due must be loaded; advance again then.
    """
    draft = Draft(standing, rows)
    work_off(draft, versions, until)
    plan_next(draft, versions)
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
    draft = Draft(standing, rows)
    if clock > standing.clock:
        work_off(draft, versions, clock)
    draft.at(fact.occurred_at, decided_at, fact.cause, LoggedFact.of(fact))
    return draft
