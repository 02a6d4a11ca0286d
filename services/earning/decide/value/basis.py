"""The basis: what of an order's money earns, line by line. Micros of the order's currency; exact, nothing rounded.

Rules 1 and 38 to 41.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import msgspec

from services.earning.program.terms import Basis
from services.earning.state.keys import Sold, SoldLine
from shared.currencies import PLACES

Amount = int | Fraction
"""Micros, whole wherever they can be."""

SHIPPING = ""
"""The line_id under which shipping earns; no line of a shop has an empty id."""

_MICRO_PLACES = 6


class Lines(msgspec.Struct, frozen=True):
    """An order's lines by line_id, shipping last (where there is any), each with its money at the same place.

    `values` are after all discounts, in the order's tax mode; `bases` what earns; `points_shares` what of the lines was
    paid with points (empty: nothing). Lines at `hidden` places are seen by no rule.
    """

    sold: tuple[SoldLine, ...]
    values: list[int]
    bases: Sequence[Amount]
    points_shares: list[int]
    hidden: tuple[int, ...]


def lines_of(sold: Sold, basis: Basis) -> Lines:
    """Every line with its value and basis."""
    values, gift_cards = _values(sold)
    shares = _points_shares(sold, values) if sold.points_payment else []
    bases: list[Amount]
    if basis.after_discounts and not shares and basis.tax is sold.prices_include_tax:
        bases = [*values]
    else:
        bases = [_line_basis(sold, basis, i, value, shares[i] if shares else 0) for i, value in enumerate(values)]
    if gift_cards and not basis.gift_cards:
        bases = [0 if line.gift_card else amount for line, amount in zip(sold.lines, bases, strict=True)]
    lines = Lines(sold.lines, values, bases, shares, ())
    return _with_shipping(lines, sold, basis) if sold.shipping or sold.shipping_tax else lines


def cashes_of(lines: Lines, *, tax_included: bool) -> list[int]:
    """What was paid for each line in money, tax included."""
    shares = [*lines.points_shares, *[0] * (len(lines.sold) - len(lines.points_shares))]
    taxes = [0 if tax_included else line.tax for line in lines.sold]
    return [value + tax - share for value, tax, share in zip(lines.values, taxes, shares, strict=True)]


def _line_basis(sold: Sold, basis: Basis, place: int, value: int, points_share: int) -> Amount:
    line = sold.lines[place]
    amount = value if basis.after_discounts else line.subtotal
    if sold.prices_include_tax and not basis.tax:
        amount -= line.tax
    elif basis.tax and not sold.prices_include_tax:
        amount += line.tax
    if not points_share or basis.points_payment:
        return max(0, amount)
    if sold.prices_include_tax or (amount == value and not line.tax):
        return max(0, amount - points_share)
    return max(Fraction(0), amount * (1 - Fraction(points_share, value + line.tax)))


def _with_shipping(lines: Lines, sold: Sold, basis: Basis) -> Lines:
    """The lines, and shipping as one more, which discounts and points don't touch."""
    amount = sold.shipping
    if sold.prices_include_tax and not basis.tax:
        amount = max(0, amount - sold.shipping_tax)
    elif basis.tax and not sold.prices_include_tax:
        amount += sold.shipping_tax
    line = SoldLine(SHIPPING, SHIPPING, (), 1, sold.shipping, 0, sold.shipping_tax, gift_card=False)
    return Lines(
        (*lines.sold, line),
        [*lines.values, sold.shipping],
        [*lines.bases, amount if basis.shipping else 0],
        lines.points_shares,
        lines.hidden if basis.shipping and amount else (*lines.hidden, len(lines.sold)),
    )


def _values(sold: Sold) -> tuple[list[int], bool]:
    """Values after discounts, and whether there are gift cards.

    Each line clamps at 0, and what its own discount had too much goes to the others.
    """
    values = [line.subtotal - line.discount for line in sold.lines]
    discount = sold.discount
    if min(values, default=0) < 0:
        discount -= sum([value for value in values if value < 0])
        values = [max(0, value) for value in values]
    if discount:
        shares = spread(discount, values, _unit(sold))
        values = [value - share for value, share in zip(values, shares, strict=True)]
    return values, True in [line.gift_card for line in sold.lines]


def _points_shares(sold: Sold, values: list[int]) -> list[int]:
    """What of each line was paid with points: spread like a discount, over tax too where it comes on top."""
    if sold.prices_include_tax:
        return spread(sold.points_payment, values, _unit(sold, sold.points_payment))
    taxes = [line.tax for line in sold.lines]
    with_tax = [value + tax for value, tax in zip(values, taxes, strict=True)]
    return spread(sold.points_payment, with_tax, _unit(sold, sold.points_payment, *taxes))


def _unit(sold: Sold, *others: int) -> int:
    """The step of spreading: the currency's minor unit, or finer where prices, discounts or the others are."""
    unit = int(10 ** (_MICRO_PLACES - PLACES.get(sold.currency, 2)))
    amounts = [sold.discount, *others]
    for line in sold.lines:
        amounts += (line.subtotal, line.discount)
    while any(amount % unit for amount in amounts):
        unit //= 10
    return unit


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
        for i in sorted(range(len(weights)), key=remainders.__getitem__, reverse=True)[:missing]:
            shares[i] += 1
    return [share * unit for share in shares]
