"""Refunds: what of each line is left. Computed from their set, so that their order of arrival doesn't matter."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from services.earning.books import RefundedLine, RefundKnown
from services.earning.decide.basis import SHIPPING, Amount, Lines

Share = int | Fraction
"""A part of a whole: 0 to 1."""


def shares_left(lines: Lines, refunds: Iterable[RefundKnown], *, tax_included: bool) -> list[Share]:
    """The share of each line that is left, place by place: 1 untouched, 0 gone.

    Line amounts take their share of the line's value; what a refund names beyond its lines and shipping, in cash, is
    spread over what is left of everything.
    """
    place = {line.line_id: i for i, line in enumerate(lines.sold)}
    taken: list[Share] = [0] * len(lines.sold)
    quantities = [0] * len(lines.sold)
    beyond: Amount = 0
    for refund in refunds:
        named = _named_shares(lines, place, refund, quantities)
        for i, share in named.items():
            taken[i] += share
        if refund.amount is not None:
            cash = sum(min(1, share) * lines.cashes[i] for i, share in named.items())
            unknown = [line for line in refund.lines if line.line_id not in place]
            cash += sum(_cash_of_unknown(line, tax_included=tax_included) for line in unknown)
            beyond += max(0, refund.amount - cash)
    for i, line in enumerate(lines.sold):
        if not lines.values[i] and line.quantity and quantities[i] >= line.quantity:
            taken[i] = 1
    left = [1 - min(1, share) for share in taken]
    cash_left = sum(share * cash for share, cash in zip(left, lines.cashes, strict=True))
    return _without_lines(left, beyond, cash_left)


def _named_shares(
    lines: Lines, place: dict[str, int], refund: RefundKnown, quantities: list[int]
) -> dict[int, Share]:
    """What a refund takes by name: place of a line → share of its value; counts quantities that came back."""
    named: dict[int, Share] = {}
    for line in refund.lines:
        i = place.get(line.line_id)
        if i is None:
            continue
        quantities[i] += lines.sold[i].quantity if line.quantity is None else line.quantity
        if lines.values[i]:
            named[i] = named.get(i, 0) + Fraction(line.amount, lines.values[i])
    shipping = place.get(SHIPPING)
    if refund.shipping and shipping is not None and lines.values[shipping]:
        named[shipping] = Fraction(refund.shipping, lines.values[shipping])
    return named


def _cash_of_unknown(line: RefundedLine, *, tax_included: bool) -> int:
    """The cash a refund names for a line that the order lacks: it takes nothing, and stays out of the rest."""
    return line.amount if tax_included else line.amount + line.tax


def _without_lines(left: list[Share], beyond: Amount, cash_left: Amount) -> list[Share]:
    """Take amounts without lines from all that is left, in equal shares."""
    if not beyond:
        return left
    kept: Share = 0 if beyond >= cash_left else 1 - Fraction(beyond) / cash_left
    return [share * kept for share in left]
