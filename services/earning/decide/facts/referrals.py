"""Referrals at their referee: whether one qualifies, by its facts and its order. The referrer is asked, and answers.

Rules 26 and 67.

A referral's rewards follow its order: both sides are given them once the referrer has room, and lose them again when
the order is cancelled, refunded below the minimum, or the referral is voided.
"""

from __future__ import annotations

from typing import NamedTuple

from msgspec.structs import replace

from services.earning.decide.core.case import Case, Prepared
from services.earning.decide.core.content import content_hash
from services.earning.decide.core.decision import Outcome
from services.earning.decide.core.draft import Draft, event_key, state_of
from services.earning.decide.core.lifecycle import is_active, with_change
from services.earning.decide.points.pending import AT_ONCE, Release, release_of
from services.earning.decide.points.settlement import Settlement, multiplied, nothing, program_of
from services.earning.decide.value.order_state import known_of
from services.earning.decide.value.valuation import value_of
from services.earning.program.terms import Program
from services.earning.source_events.messages import ReferralAnswered, ReferralAsked
from services.earning.state.keys import Asking, ClickState, OrderState, Pin, ReferralState, Referred
from services.earning.state.standing import BusinessKey, KeyRow, Referral
from shared.errors import PermanentError
from shared.facts.referrals import ReferralClicked, ReferralCompleted, ReferralJoined, ReferralUnblock, ReferralVoided
from shared.point_events import FactRecorded, ReferralBlocked, ReferralReversed, ReferralRewarded
from shared.reasons import Reason

REFERRAL = "referral"
"""The kind of grant, as multipliers name it."""

REFEREE, REFERRER = "referee", "referrer"
"""The two sides of a referral, as its events call them."""

ASKED, ANSWERED = "tallystick.referral.asked.v1", "tallystick.referral.answered.v1"

FOLLOWED_MAX = 64
"""Referrals of one member that follow their orders; of more the oldest is let go."""

_SIGNALS = (Reason.SAME_IP, Reason.SAME_DEVICE, Reason.SAME_PAYMENT)
_BLOCKS = {Reason.SELF_REFERRAL, Reason.NOT_A_NEW_CUSTOMER, *_SIGNALS}
_STATUS: dict[type, tuple[str, int]] = {
    ReferralJoined: ("joined", 0),
    ReferralCompleted: ("completed", 1),
    ReferralVoided: ("voided", 2),
    ReferralUnblock: ("unblocked", 3),
}

ReferralFact = ReferralJoined | ReferralCompleted | ReferralVoided | ReferralUnblock


def prepare_click(case: Case, _: ReferralClicked) -> Prepared | None:
    """Count a click on a link, once for its referral. None: it is known already."""
    if case.row is not None:
        return None

    def note(draft: Draft) -> Outcome:
        draft.put(case.key, ClickState())
        draft.record(FactRecorded(key=event_key(case.key), reason=Reason.REFERRAL_CLICKED))
        return Outcome.APPLIED

    return note


def prepare_referral(case: Case, data: ReferralFact) -> Prepared | None:
    """Take a fact into its referral's book; None: it is known already.

    Raises:
        PermanentError: `conflict`, where it names another referrer than was told before.
    """
    book = case.state(ReferralState)
    status, rank = _STATUS[type(data)]
    new_hash = content_hash(case.fact)
    changes = with_change(book.changes, case.fact, status, rank, new_hash)
    if changes is None:
        return None
    referrer = data.referrer_id if isinstance(data, ReferralJoined | ReferralCompleted) else book.referrer
    if book.referrer and referrer != book.referrer:
        message = f"referral {case.key.id!r} is known to be of another referrer"
        raise PermanentError(Reason.CONFLICT, message, field="data.referrer_id")
    known = replace(book, changes=changes, referrer=referrer, completed=_newest(book, case, data, new_hash))

    def settle(draft: Draft) -> Outcome:
        row = draft.put(case.key, known)
        recorded = len(draft.events)
        reason = _follow(draft, row, known, "voided")
        if len(draft.events) == recorded:
            reason = Reason.REFERRAL_JOINED if status == "joined" else reason
            draft.record(FactRecorded(key=event_key(case.key), reason=reason))
        return Outcome.APPLIED

    return settle


def _newest(book: ReferralState, case: Case, data: ReferralFact, new_hash: int) -> Referred | None:
    known, told = book.completed, (case.fact.occurred_at, new_hash)
    if not isinstance(data, ReferralCompleted) or (known is not None and told < (known.time, known.content_hash)):
        return known
    return Referred(*told, data.order_id, tuple(sorted(name for name, seen in data.signals.items() if seen)))


def follow_order(draft: Draft, order: BusinessKey, reason: str) -> None:
    """An order has changed: bring the referrals that follow it to what it means for them.

    Raises:
        RowsMissingError: a referral's row was not looked for yet.
    """
    for source, order_id, referral_id in draft.standing.referred:
        if (source, order_id) != (order.source, order.id):
            continue
        known = draft.row(BusinessKey(order.program, source, REFERRAL, referral_id))
        if known is not None and isinstance(known.book, ReferralState):
            row = KeyRow(known.key, known.member, known.book, known.lots)
            draft.keys[row.key] = row
            _follow(draft, row, known.book, reason)


class _State(NamedTuple):
    """Whether a referral qualifies (no reason), else why not; its program, and who and when by its order."""

    reason: Reason | None
    program: Program | None = None
    pin: Pin | None = None
    release: Release = AT_ONCE


def _follow(draft: Draft, row: KeyRow, book: ReferralState, reason: str) -> Reason:
    """Bring a referral to what its facts and its order say; gives what is to be said where nothing else is."""
    if book.completed is not None and book.is_new is None:
        book = replace(book, is_new=not draft.standing.lifetime)
    state = _state(draft, row, book)
    blocked = state.reason if state.reason in _BLOCKS else None
    _remember(draft, row, book)
    asking = _asking(book, state)
    settlement = Settlement(draft, reason, state.release)
    grant = book.grant
    if blocked is not None and blocked != book.blocked:
        _record_blocked(draft, row, book, blocked)
    if book.granted and not asking.qualifies:
        draft.record(
            ReferralReversed(
                key=event_key(row.key),
                referral=row.key.id,
                role=REFEREE,
                other=book.referrer,
                order=book.asked.order_id,
                reason=blocked or reason,
            )
        )
        grant = settlement.settle(row, grant, nothing(Reason.NOTHING_CHANGED), only_if_points_move=True)
    elif book.granted:
        settlement.wait_anew(row, grant)
    row.book = _asked(draft, row, replace(book, grant=grant, blocked=_why_blocked(book, asking, blocked)), asking)
    settlement.move_tier(row)
    return state.reason or (Reason.NOTHING_CHANGED if book.granted else Reason.WAITS_FOR_REFERRER)


def _record_blocked(draft: Draft, row: KeyRow, book: ReferralState, reason: str) -> None:
    draft.record(
        ReferralBlocked(key=event_key(row.key), referral=row.key.id, role=REFEREE, other=book.referrer, reason=reason)
    )


def _why_blocked(book: ReferralState, asking: Asking, blocked: Reason | None) -> str:
    """The referrer's own block stays until they answer otherwise."""
    return blocked or (book.blocked if asking.qualifies and book.asked.qualifies else "")


def _remember(draft: Draft, row: KeyRow, book: ReferralState) -> None:
    """Let the referral follow the order that its newest completion names, even where it is blocked.

    An order that turns out to have been paid earlier chooses another version, which may not block.
    """
    standing = draft.standing
    others = tuple(one for one in standing.referred if (one.source, one.referral_id) != (row.key.source, row.key.id))
    if book.completed is not None:
        own = Referral(row.key.source, book.completed.order_id, row.key.id)
        standing.referred = (*others, own)[-FOLLOWED_MAX:]
    else:
        standing.referred = others


def _state(draft: Draft, row: KeyRow, book: ReferralState) -> _State:
    """Whether a referral qualifies by what is known now.

    Raises:
        RowsMissingError: its order's row was not looked for yet.
    """
    if book.completed is None:
        return _State(Reason.WAITS_FOR_REFERRAL)
    if not is_active(book.changes, "completed", "voided"):
        return _State(Reason.NOTHING_CHANGED)
    held = draft.row(BusinessKey(row.key.program, row.key.source, "order", book.completed.order_id))
    order = state_of(held if held is not None and held.member == row.member else None, OrderState)
    if order.pin is None:
        return _State(Reason.WAITS_FOR_ORDER)
    program = program_of(draft.versions, order.pin)
    if program is None or program.referrals is None:
        return _State(Reason.NOTHING_ELIGIBLE)
    known = known_of(order.changes)
    worth = value_of(program, program.basis, order, known.status)
    reason = None if worth.is_due and worth.counts else worth.reason
    if reason is None and worth.spend < program.referrals.minimum_micros:
        reason = Reason.BELOW_MINIMUM
    if reason is None:
        reason = _block(program, row, book, order.pin)
    return _State(reason, program, order.pin, release_of(program, known, None))


def _block(program: Program, row: KeyRow, book: ReferralState, pin: Pin) -> Reason | None:
    """Why a referral that would qualify is blocked; a person who has looked unblocks it for good."""
    if program.referrals is None or book.completed is None or _is_unblocked(book):
        return None
    if book.referrer == row.member:
        return Reason.SELF_REFERRAL
    if not (pin.first_order and book.is_new):
        return Reason.NOT_A_NEW_CUSTOMER
    seen = program.referrals.blocks.intersection(book.completed.signals)
    return next((signal for signal in _SIGNALS if signal in seen), None)


def _is_unblocked(book: ReferralState) -> bool:
    return any(change.status == "unblocked" for change in book.changes)


def _asking(book: ReferralState, state: _State) -> Asking:
    if state.reason is not None or state.pin is None or book.completed is None:
        return Asking()
    return Asking(
        qualifies=True,
        order_id=book.completed.order_id,
        when=state.pin.when,
        waits=state.release.waits,
        release_at=state.release.at,
        unblocked=_is_unblocked(book),
    )


def _asked(draft: Draft, row: KeyRow, book: ReferralState, asking: Asking) -> ReferralState:
    """Ask the referrer, where there is something to ask anew."""
    if asking == book.asked:
        return book
    version = book.version + 1
    since = version if asking.qualifies and not book.asked.qualifies else book.since
    question = ReferralAsked(
        referral_id=row.key.id,
        referee=row.member,
        version=version,
        qualifies=asking.qualifies,
        order_id=asking.order_id,
        when=asking.when or draft.occurred_at,
        unblocked=asking.unblocked,
        waits=asking.waits,
        release_at=asking.release_at,
    )
    draft.send(book.referrer, row.key, ASKED, version, question)
    granted = book.granted and asking.qualifies
    return replace(book, asked=asking, version=version, since=since, granted=granted)


def prepare_answer(case: Case, data: ReferralAnswered) -> Prepared | None:
    """Reward the referee, or don't, as the referrer's side has answered. None: it isn't the newest answer."""
    book = case.state(ReferralState)
    if not book.asked.qualifies or data.version < book.since or data.version <= book.answered:
        return None

    def settle(draft: Draft) -> Outcome:
        known = replace(book, answered=data.version, blocked=data.blocked)
        row = draft.put(case.key, known)
        if data.blocked:
            _record_blocked(draft, row, known, data.blocked)
        elif book.granted:
            draft.record(FactRecorded(key=event_key(row.key), reason=Reason.NOTHING_CHANGED))
        else:
            _reward(draft, row, known)
        return Outcome.APPLIED

    return settle


def _reward(draft: Draft, row: KeyRow, book: ReferralState) -> None:
    state = _state(draft, row, book)
    program, pin = state.program, state.pin
    terms = program.referrals if program is not None else None
    if program is None or pin is None or terms is None:
        reason = state.reason or Reason.NOTHING_ELIGIBLE
        draft.record(FactRecorded(key=event_key(row.key), reason=reason))
        return
    deserved = multiplied(program, pin, REFEREE, REFERRAL, terms.referee)
    draft.record(
        ReferralRewarded(
            key=event_key(row.key),
            program_version=program.version,
            referral=row.key.id,
            role=REFEREE,
            other=book.referrer,
            order=book.asked.order_id,
            points=0 if draft.standing.closed else deserved.points,
        )
    )
    held, settlement = replace(book.grant, pin=pin), Settlement(draft, "", state.release)
    grant = settlement.settle(row, held, deserved, only_if_points_move=True)
    row.book = replace(book, grant=grant, granted=True)
    settlement.move_tier(row)
