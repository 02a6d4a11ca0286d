"""The basis: what of an order's money earns, line by line. Micros of the order's currency; exact, nothing rounded."""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

from services.earning.books import Sold, SoldLine
from services.earning.program.terms import Basis
from shared.currencies import PLACES
from shared.money import MICROS

Amount = int | Fraction
"""Micros, whole wherever they can be."""

SHIPPING = ""
"""The line_id under which shipping earns; no line of a shop has an empty id."""

_MICRO_PLACES = 6


class Line(NamedTuple):
    """A line with its money.

    `value` is after all discounts, in the order's tax mode; `cash` what was paid for it in money, tax included; `basis`
    what earns. `eligible`: rules may see it.
    """

    line_id: str
    sku: str
    categories: tuple[str, ...]
    quantity: int
    value: int
    cash: int
    basis: Amount
    eligible: bool


def lines_of(sold: Sold, basis: Basis) -> list[Line]:
    """Every line with its value, cash and basis; shipping is the last, under an id of its own."""
    values = _values(sold)
    paid_in_points = _points_shares(sold, values) if sold.points_payment else None
    lines = []
    for i, (line, value) in enumerate(zip(sold.lines, values, strict=True)):
        points_share = paid_in_points[i] if paid_in_points else 0
        eligible = basis.gift_cards or not line.gift_card
        lines.append(
            Line(
                line.line_id,
                line.sku,
                line.categories,
                line.quantity,
                value,
                value + (0 if sold.prices_include_tax else line.tax) - points_share,
                _line_basis(sold, basis, line, value, points_share) if eligible else 0,
                eligible,
            )
        )
    if sold.shipping or sold.shipping_tax:
        lines.append(_shipping(sold, basis))
    return lines


def _line_basis(sold: Sold, basis: Basis, line: SoldLine, value: int, points_share: int) -> Amount:
    amount = value if basis.after_discounts else line.subtotal
    if sold.prices_include_tax and not basis.tax:
        amount -= line.tax
    elif basis.tax and not sold.prices_include_tax:
        amount += line.tax
    if not points_share or basis.points_payment:
        return max(0, amount)
    if sold.prices_include_tax or not line.tax:
        return max(0, amount - points_share)
    return max(Fraction(0), amount * (1 - Fraction(points_share, value + line.tax)))


def _shipping(sold: Sold, basis: Basis) -> Line:
    amount = sold.shipping
    if sold.prices_include_tax and not basis.tax:
        amount = max(0, amount - sold.shipping_tax)
    elif basis.tax and not sold.prices_include_tax:
        amount += sold.shipping_tax
    cash = sold.shipping + (0 if sold.prices_include_tax else sold.shipping_tax)
    return Line(
        SHIPPING, SHIPPING, (), 1, sold.shipping, cash, amount if basis.shipping else 0, eligible=basis.shipping
    )


def _values(sold: Sold) -> list[int]:
    """Values after discounts: each line clamps at 0, and what its own discount had too much goes to the others."""
    values = [line.subtotal - line.discount for line in sold.lines]
    discount = sold.discount
    if min(values, default=0) < 0:
        discount -= sum(value for value in values if value < 0)
        values = [max(0, value) for value in values]
    if not discount:
        return values
    shares = spread(discount, values, _unit(sold))
    return [value - share for value, share in zip(values, shares, strict=True)]


def _points_shares(sold: Sold, values: list[int]) -> list[int]:
    """What of each line was paid with points: spread like a discount, over tax too where it comes on top."""
    if sold.prices_include_tax:
        return spread(sold.points_payment, values, _unit(sold))
    with_tax = [value + line.tax for value, line in zip(values, sold.lines, strict=True)]
    return spread(sold.points_payment, with_tax, _unit(sold))


def _unit(sold: Sold) -> int:
    """The step of spreading: the currency's minor unit, or finer where an amount of the order is."""
    unit = int(10 ** (_MICRO_PLACES - PLACES.get(sold.currency, 2)))
    amounts = [sold.discount, sold.points_payment]
    for line in sold.lines:
        amounts += (line.subtotal, line.discount, line.tax)
    while any(amount % unit for amount in amounts):
        unit //= 10
    return min(unit, MICROS)


def spread(total: int, weights: list[int], unit: int = 1) -> list[int]:
    """`total` shared out by weight in whole units, the largest remainders first, ties to the earlier.

    No share is above its weight: a total above all weights takes them whole.
    """
    whole = sum(weights)
    if total >= whole:
        return list(weights)
    units = total // unit
    shares = [units * weight // whole for weight in weights]
    missing = units - sum(shares)
    if missing:
        remainders = [units * weight % whole for weight in weights]
        for i in sorted(range(len(weights)), key=lambda i: -remainders[i])[:missing]:
            shares[i] += 1
    return [share * unit for share in shares]
