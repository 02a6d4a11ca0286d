"""Orders: what an order should be worth now less what it has becomes points earned, points reversed, or a record.

Rules 6, 7, 9, 13, 34 to 36, 48 and 50.
"""

from __future__ import annotations

from functools import partial

from services.earning.decide.core.case import Case, Prepared
from services.earning.decide.core.decision import Outcome
from services.earning.decide.core.draft import Draft, event_key
from services.earning.decide.facts.referrals import follow_order
from services.earning.decide.facts.stamps import collect, stamps_of_order
from services.earning.decide.points.pending import release_of
from services.earning.decide.points.settlement import Deserved, Settlement, kept, pinned, program_of
from services.earning.decide.value.award import Split, split_of
from services.earning.decide.value.caps import room_for, use, windows_of
from services.earning.decide.value.order_state import Known, OrderFact, known_of, merged
from services.earning.decide.value.valuation import Valuation, exchange_of, value_of
from services.earning.program.terms import Program
from services.earning.state.keys import Grant, OrderState
from services.earning.state.standing import KeyRow
from shared.facts.orders import Order, OrderCancelled, OrderRefunded
from shared.point_events import FactRecorded
from shared.reasons import Reason

_TAKING: dict[type, str] = {OrderRefunded: "refunded", OrderCancelled: "cancelled"}
"""Facts that only take, and why points are taken back then."""


def prepare_order(case: Case, data: OrderFact) -> Prepared | None:
    """Take a fact into its order's book; None: it is known already.

    Raises:
        PermanentError: `no_exchange_rate`.
    """
    before = case.state(OrderState)
    book = merged(before, case.fact, data)
    if book is None:
        return None
    if isinstance(data, Order) and data.currency != case.versions.all[0].currency:
        exchange_of(book, case.program.currency)

    def settle(draft: Draft) -> Outcome:
        row = draft.put(case.key, book)
        known = known_of(book.changes)
        waits = _waits(book, known)
        if waits is not None:
            draft.record(FactRecorded(key=event_key(row.key), reason=waits))
        else:
            _settle(draft, row, book, before, known, data)
        if draft.standing.referred:
            follow_order(draft, case.key, _reason(data))
        return Outcome.APPLIED

    return settle


def _settle(draft: Draft, row: KeyRow, book: OrderState, before: OrderState, known: Known, data: OrderFact) -> None:
    """Bring the order to what its book says it is worth now; the book has it then."""
    program = _pin(draft, row, book, known)
    basis = (program or draft.versions.all[0]).basis
    worth = value_of(program, basis, book, known.status)
    draft.standing.orders_open += worth.counts - book.counts
    book.counts = worth.counts
    held = Grant(book.pin, book.rules, book.qualified, book.window)
    deserved = _deserved(draft, program, book, before, worth, data)
    release = release_of(program, known, None)
    raised = partial(release_of, program, known) if release.waits else None
    settlement = Settlement(draft, _reason(data), release, raised)
    grant = settlement.settle(row, held, deserved, book.lines)
    book.lines, book.rules, book.qualified, book.window = deserved.lines, grant.rules, grant.qualified, grant.window
    if book.stamps or (program is not None and program.cards):
        settlement.moved += _collect(draft, row, book, program, worth).moved
    settlement.move_tier(row, program)


def _pin(draft: Draft, row: KeyRow, book: OrderState, known: Known) -> Program | None:
    """Pin who and when, the first time; choose the version anew when an earlier payment turned up (rule 34)."""
    when, pin = book.placed_at or known.paid_at or draft.occurred_at, book.pin
    book.pin = pinned(draft, pin, when, book.channel, book.store)
    program = program_of(draft.versions, book.pin)
    if pin is None and program is not None:
        book.caps = windows_of(program, when)
    if pin is not None and pin.when != when:
        for lot in row.lots:
            if draft.lot(lot).available_at is None:
                draft.own_lot(lot).when = when
    return program


def _deserved(
    draft: Draft, program: Program | None, book: OrderState, before: OrderState, worth: Valuation, data: OrderFact
) -> Deserved:
    """What the order should have: its award as far as the program's caps leave room; nothing more, who is closed."""
    if draft.standing.closed and worth.award.points > book.points:
        split, reason = Split(book.points, kept(book.rules), book.lines), Reason.MEMBER_CLOSED
    elif program is not None and (program.caps.order is not None or book.caps):
        split, reason = _capped(draft, program, book, before, worth)
    else:
        split, reason = split_of(worth.award, worth.lines), worth.reason
    if type(data) in _TAKING:
        reason = Reason.NOTHING_CHANGED
    counts = worth.counts and worth.is_due
    return Deserved(split.points, split.rules, reason, split.lines, worth.rate, worth.spend, counts=counts)


def _capped(
    draft: Draft, program: Program, book: OrderState, before: OrderState, worth: Valuation
) -> tuple[Split, Reason]:
    """The award as far as there is room, split over lines; and why it is nothing, where it is (rules 7, 46)."""
    renewed = book.sold != before.sold or known_of(before.changes).status not in {"paid", "fulfilled"}
    room = room_for(draft, program, book, renewed=renewed)
    split = split_of(worth.award, worth.lines, room)
    deserved = book.uncapped = worth.award.points
    use(draft, book.caps, split.points - book.points)
    return split, Reason.CAP_REACHED if deserved and not split.points else worth.reason


def _collect(draft: Draft, row: KeyRow, book: OrderState, program: Program | None, worth: Valuation) -> Settlement:
    """Stamps of the order's units, and what the cards then have more or less of; who is closed collects no more."""
    stamps = stamps_of_order(program, book) if program is not None and worth.is_due else {}
    if draft.standing.closed:
        stamps = {card: min(number, book.stamps.get(card, 0)) for card, number in stamps.items()}
    settlement = Settlement(draft, "stamps_lost")
    collect(settlement, row, program, book.stamps, stamps)
    book.stamps = stamps
    return settlement


def _waits(book: OrderState, known: Known) -> Reason | None:
    """Why an order can't be decided yet: who and when are pinned once it is known, and paid or fulfilled."""
    if book.sold is None:
        return Reason.WAITS_FOR_ORDER
    if book.pin is None and known.status not in {"paid", "fulfilled"}:
        return Reason.NOTHING_CHANGED if known.status == "cancelled" else Reason.WAITS_FOR_PAYMENT
    return None


def _reason(data: OrderFact) -> str:
    """Why points are taken back: what happened to the order."""
    return _TAKING.get(type(data), "updated")
