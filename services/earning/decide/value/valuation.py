"""Worth: what an order's book says it should be worth now, under what is pinned. Rules 6, 8, 9 and 49."""

from __future__ import annotations

import msgspec

from services.earning.decide.core.numbers import number_text
from services.earning.decide.value.award import SAME_CURRENCY, Award, Exchange, award_of, bases_left, deal_of, firing
from services.earning.decide.value.basis import Amount, Lines, lines_of
from services.earning.decide.value.conditions import applying
from services.earning.decide.value.order_state import rate_of
from services.earning.decide.value.plans import plan_of
from services.earning.decide.value.refunds import Share, shares_left
from services.earning.program.terms import Basis, Program
from services.earning.state.keys import OrderState, Pin, RefundKnown, SoldLine
from shared.errors import PermanentError
from shared.money import MICROS
from shared.reasons import Reason

NOTHING = Award(0, [])


class Valuation(msgspec.Struct, frozen=True):
    """What an order is worth before caps: its award, its basis (micros of program currency), if anything is left.

    `is_due`: its gate is passed. `reason` says why it earns nothing, where it does. `rate` is the exchange rate, empty
    in the program's currency. `lines` are those the award's places mean.
    """

    award: Award
    spend: int
    counts: bool
    is_due: bool
    reason: Reason
    rate: str
    lines: tuple[SoldLine, ...]


def value_of(program: Program | None, basis: Basis, book: OrderState, status: str) -> Valuation:
    """What an order is worth under the version pinned; None: no version was in force at its time.

    `basis` is that version's, or else the first version's: it says what of the order is left in any case.
    """
    sold = book.sold
    if sold is None or book.pin is None or sold.test:
        return _worthless(Reason.TEST_ORDER)
    if status not in {"paid", "fulfilled"}:
        return _worthless(Reason.NOTHING_CHANGED if status == "cancelled" else Reason.WAITS_FOR_PAYMENT)
    lines = lines_of(sold, basis)
    left = left_of(book, basis, lines)
    counts = bool(sold.lines) if left is None else any(left[: len(sold.lines)])
    if program is None:
        return _worthless(Reason.NOT_IN_FORCE, counts=counts)
    if program.gate == "fulfilled" and status != "fulfilled":
        return _worthless(Reason.WAITS_FOR_FULFILMENT, counts=counts)
    exchange = exchange_of(book, program.currency)
    award, total, reason = _awarded(program, book.pin, lines, left, exchange)
    spend, rate = int(total), ""
    if exchange is not SAME_CURRENCY:
        spend = total * exchange.numerator // exchange.denominator
        rate = number_text(exchange.numerator, exchange.denominator)
    return Valuation(award, spend, counts, is_due=True, reason=reason, rate=rate, lines=lines.sold)


def _worthless(reason: Reason, *, counts: bool = False) -> Valuation:
    return Valuation(NOTHING, 0, counts, is_due=False, reason=reason, rate="", lines=())


def left_of(book: OrderState, basis: Basis, lines: Lines) -> list[Share] | None:
    """The share of each line that is left; None where nothing came back."""
    if not book.refunds:
        return None
    refunds = counted(book, basis)
    if not refunds or book.sold is None:
        return None
    return shares_left(lines, refunds, tax_included=book.sold.prices_include_tax)


def counted(book: OrderState, basis: Basis) -> list[RefundKnown]:
    """The refunds that take something: all, or those that are not to store credit."""
    refunds: list[RefundKnown] = list(book.refunds.values())
    if not basis.store_credit_refunds:
        refunds = [refund for refund in refunds if refund.tender != "store_credit"]
    return refunds


def exchange_of(book: OrderState, currency: str) -> Exchange:
    """What turns the order's money into the program's.

    Raises:
        PermanentError: `no_exchange_rate`, where the order is in another currency and names none.
    """
    if book.sold is None or book.sold.currency == currency:
        return SAME_CURRENCY
    rate = rate_of(book)
    if not rate:
        message = f"the order is in {book.sold.currency}, the program in {currency}, and no exchange_rate came with it"
        raise PermanentError(Reason.NO_EXCHANGE_RATE, message, field="data.exchange_rate")
    return Exchange(rate, MICROS)


def _awarded(
    program: Program, pin: Pin, lines: Lines, left: list[Share] | None, exchange: Exchange
) -> tuple[Award, Amount, Reason]:
    """The award of what is left, never above that of the whole; the basis left; and why it is nothing.

    What is left earns under the rules that fired for the whole order, those whose minimum it still reaches.
    """
    plan = plan_of(program)
    deal = deal_of(plan, pin.tier, lines, exchange)
    among = applying(plan, pin)
    total = sum(lines.bases)
    fired = firing(deal, among, total)
    award = award_of(deal, fired, lines.bases, None)
    reason = Reason.NOTHING_ELIGIBLE
    if not award.points and len(fired.rated) + len(fired.fixed) < len(among.rated) + len(among.fixed):
        reason = Reason.BELOW_MINIMUM
    if left is None:
        return award, total, reason
    bases = bases_left(lines, left)
    total = sum(bases)
    rest = award_of(deal, firing(deal, fired, total), bases, left)
    return (rest if rest.points <= award.points else award), total, reason
