"""What of an order's money earns, and what is left of it after refunds (rules 1, 8-11, 38-44)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from services.earning.program.terms import Basis
from shared.currencies import PLACES
from shared.facts.orders import Order, OrderLine, Refund
from shared.money import micros
from tests.support.model.shares import spread

ZERO = Fraction(0)
ONE = Fraction(1)


def money(amount: str) -> Fraction:
    """Decimal text as units of its currency."""
    return Fraction(micros(amount), 1_000_000)


@dataclass(frozen=True)
class Priced:
    """A line (or shipping: no line) with what it costs, what of that is cash, what of it earns, and how much is gone.

    `price` is after all discounts in the order's tax mode; `cash` is what was paid for it in money, tax included.
    """

    line_id: str
    line: OrderLine | None
    price: Fraction
    cash: Fraction
    basis: Fraction
    gone: Fraction = ZERO

    @property
    def left(self) -> Fraction:
        return self.basis * (1 - self.gone)

    @property
    def place(self) -> tuple[bool, str]:
        """Lines by id, shipping last."""
        return (self.line is None, self.line_id)


def _places(amount: str) -> int:
    return len(amount.partition(".")[2].rstrip("0"))


def _spread_money(
    amount: Fraction, places: int, weights: Sequence[Fraction], lines: Sequence[OrderLine]
) -> list[Fraction]:
    """An amount of money over lines, in whole units of so many decimal places, never more than they are worth."""
    unit = Fraction(1, 10**places)
    amount = min(amount, sum(weights, ZERO))
    parts = spread(int(amount / unit), weights, [(False, line.line_id) for line in lines])
    return [part * unit for part in parts]


def price(order: Order, basis: Basis) -> list[Priced]:
    """Every line of an order as sold, by line_id, and shipping."""
    lines = sorted(order.lines, key=lambda line: line.line_id)
    subtotals = [money(line.subtotal) for line in lines]
    own = [money(line.discount) for line in lines]
    taxes = [money(line.tax) for line in lines]
    included = order.prices_include_tax
    values = [max(ZERO, subtotal - discount) for subtotal, discount in zip(subtotals, own, strict=True)]
    excess = sum((max(ZERO, discount - subtotal) for subtotal, discount in zip(subtotals, own, strict=True)), ZERO)
    texts = [order.discount, *(line.subtotal for line in lines), *(line.discount for line in lines)]
    places = max(PLACES[order.currency], *map(_places, texts))
    discounts = _spread_money(money(order.discount) + excess, places, values, lines)
    prices = [value - discount for value, discount in zip(values, discounts, strict=True)]
    whole = prices if included else [net + tax for net, tax in zip(prices, taxes, strict=True)]
    texts = [order.points_payment, *([] if included else [line.tax for line in lines])]
    by_points = _spread_money(money(order.points_payment), max(places, *map(_places, texts)), whole, lines)
    priced = []
    for i, line in enumerate(lines):
        start = prices[i] if basis.after_discounts else subtotals[i]
        priced.append(
            Priced(
                line.line_id,
                line,
                prices[i],
                whole[i] - by_points[i],
                _line_basis(line, basis, start, taxes[i], included=included, whole=whole[i], by_points=by_points[i]),
            )
        )
    return [*priced, _shipping(order, basis)]


def _line_basis(
    line: OrderLine,
    basis: Basis,
    start: Fraction,
    tax: Fraction,
    *,
    included: bool,
    whole: Fraction,
    by_points: Fraction,
) -> Fraction:
    if line.gift_card and not basis.gift_cards:
        return ZERO
    if included:
        earning = start if basis.tax else start - tax
        return max(ZERO, earning if basis.points_payment else earning - by_points)
    earning = start + tax if basis.tax else start
    if basis.points_payment or whole == 0:
        return earning
    return earning * (1 - by_points / whole)


def _shipping(order: Order, basis: Basis) -> Priced:
    shipping, tax = money(order.shipping), money(order.shipping_tax)
    if order.prices_include_tax:
        earning = shipping if basis.tax else max(ZERO, shipping - tax)
        cash = shipping
    else:
        earning = shipping + tax if basis.tax else shipping
        cash = shipping + tax
    return Priced("", None, shipping, cash, earning if basis.shipping else ZERO)


def _named(priced: Priced, refunds: Sequence[Refund]) -> Fraction:
    """The share of a line (or of shipping) that refunds have named; not capped."""
    if priced.line is None:
        amount = sum((money(refund.shipping) for refund in refunds), ZERO)
        return amount / priced.price if priced.price else ZERO
    named = [line for refund in refunds for line in refund.lines if line.line_id == priced.line_id]
    if priced.price:
        return sum((money(line.amount) for line in named), ZERO) / priced.price
    counts = [line.quantity for line in named if line.quantity is not None]
    paid = any(money(line.amount) for line in named)
    return ONE if paid or (counts and sum(counts) >= priced.line.quantity) else ZERO


def _beyond(refund: Refund, order: Order, priced: Sequence[Priced]) -> Fraction:
    """What a refund paid back beyond the lines and the shipping it names, in cash."""
    if refund.amount is None:
        return ZERO
    known = {line.line_id: line for line in priced if line.line is not None}
    beyond = money(refund.amount)
    for line in refund.lines:
        if line.line_id in known and known[line.line_id].price:
            beyond -= _named(known[line.line_id], [Refund(refund_id="", lines=(line,))]) * known[line.line_id].cash
        else:
            beyond -= money(line.amount) + (ZERO if order.prices_include_tax else money(line.tax))
    shipping = priced[-1]
    back = money(refund.shipping)
    beyond -= back / shipping.price * shipping.cash if shipping.price else back
    return max(ZERO, beyond)


def refunded(priced: Sequence[Priced], order: Order, refunds: Sequence[Refund], basis: Basis) -> list[Priced]:
    """The same lines with what is gone of each: computed from the set of all refunds."""
    counted = [refund for refund in refunds if basis.store_credit_refunds or refund.tender == "cash"]
    shares = [min(ONE, _named(line, counted)) for line in priced]
    total = sum((line.cash for line in priced), ZERO)
    rest = total - sum((share * line.cash for share, line in zip(shares, priced, strict=True)), ZERO)
    inferred = sum((_beyond(refund, order, priced) for refund in counted), ZERO)
    part = ZERO if not inferred else ONE if rest <= 0 else min(ONE, inferred / rest)
    return [replace(line, gone=1 - (1 - share) * (1 - part)) for line, share in zip(priced, shares, strict=True)]
