"""Deciding: the two ways a standing moves on, by a fact or by time alone."""

from __future__ import annotations

from datetime import datetime, timedelta

from services.earning.books import OrderBook
from services.earning.decide.decision import SETTLE, Decision, Needs, Outcome
from services.earning.decide.draft import Draft
from services.earning.decide.dues import plan_next, work_off
from services.earning.decide.members import enrol, enrolment_known, new_standing
from services.earning.decide.order_state import OrderFact, merged
from services.earning.decide.orders import settle_order
from services.earning.decide.worth import exchange_of
from services.earning.program.terms import Versions
from services.earning.source_events.facts import Fact, LoggedFact, MemberEnrolled, Order
from services.earning.standing import BusinessKey, KeyRow, Rows, Standing
from shared.errors import PermanentError
from shared.reasons import Reason

FUTURE_MAX = timedelta(minutes=5)
"""How far a fact's time may lie after its record's: publishers' clocks differ."""


def needs(fact: Fact) -> Needs:
    """The business keys whose rows, with the lots they name, a fact's decision reads."""
    return Needs((key_of(fact),))


def key_of(fact: Fact) -> BusinessKey:
    """What a fact is about: it has one effect, however often and in whatever order its facts arrive."""
    data = fact.data
    if isinstance(data, MemberEnrolled):
        return BusinessKey(fact.program, fact.source, "member", fact.member)
    return BusinessKey(fact.program, fact.source, "order", data.order_id)


def decide(versions: Versions, standing: Standing | None, rows: Rows, fact: Fact, decided_at: datetime) -> Decision:
    """What a fact means for its member now.

    The standing advances first: events of what was due come first in the decision. A duplicate changes nothing, so it
    needs no standing to have been made for it.

    Raises:
        PermanentError: the fact can't be decided, now or later: it is a dead letter.
        RowsMissingError: more lots must be loaded; decide again then.
    """
    _refuse(versions, fact)
    key = key_of(fact)
    row = rows.keys.get(key)
    if row is not None and row.member != fact.member:
        raise PermanentError(
            Reason.OWNED_BY_ANOTHER_MEMBER, f"{key.kind} {key.id!r} of {key.source!r} belongs to another member"
        )
    data = fact.data
    if isinstance(data, MemberEnrolled):
        if standing is not None and enrolment_known(row, fact):
            return Decision(standing, {}, {}, [], Outcome.DUPLICATE)
        draft = _begun(versions, standing, rows, fact, decided_at)
        enrol(draft, key, row, fact, data)
    else:
        book = _order_book(versions, row, fact, data)
        if book is None and standing is not None:
            return Decision(standing, {}, {}, [], Outcome.DUPLICATE)
        draft = _begun(versions, standing, rows, fact, decided_at)
        settle_order(draft, versions, key, row, book or OrderBook(), data)
    plan_next(draft, versions)
    return draft.decision(Outcome.APPLIED)


def advance(versions: Versions, standing: Standing, rows: Rows, until: datetime) -> Decision:
    """Bring a standing to an instant: do all that is due by then. Advancing to a, then b, is advancing to b."""
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


def _order_book(versions: Versions, row: KeyRow | None, fact: Fact, data: OrderFact) -> OrderBook | None:
    """The order's book with the fact taken in; None: it is known already."""
    known = row.book if row is not None and isinstance(row.book, OrderBook) else OrderBook()
    book = merged(known, fact, data)
    if book is not None and isinstance(data, Order):
        program = versions.at(fact.occurred_at) or versions.all[0]
        exchange_of(book, program.currency)
    return book
