"""Refunds: what of each line is left. Computed from their set, so that their order of arrival doesn't matter.

Rules 9 to 11, 42 and 43.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from services.earning.decide.value.basis import SHIPPING, Amount, Lines, cashes_of
from services.earning.state.keys import RefundedLine, RefundKnown

Share = int | Fraction
"""A part of a whole: 0 to 1."""


def shares_left(lines: Lines, refunds: Iterable[RefundKnown], *, tax_included: bool) -> list[Share]:
    """The share of each line that is left, place by place: 1 untouched, 0 gone.

    Line amounts take their share of the line's value; what a refund names beyond its lines and shipping, in cash, is
    spread over what is left of everything.
    """
    taking = _Taking(lines, tax_included=tax_included)
    beyond: Amount = 0
    for refund in refunds:
        named = sum([taking.line(line) for line in refund.lines]) + taking.shipping(refund.shipping)
        if refund.amount is not None:
            beyond += max(0, refund.amount - named)
    left = taking.left()
    cash_left = sum(share * cash for share, cash in zip(left, taking.cashes, strict=True))
    return _without_lines(left, beyond, cash_left)


class _Taking:
    """What refunds take by name, summed up; each taking says the cash it names.

    That cash is not cut to the line's own: what a refund names too much never takes from another line.
    """

    def __init__(self, lines: Lines, *, tax_included: bool) -> None:
        self._lines = lines
        self.cashes = cashes_of(lines, tax_included=tax_included)
        self._tax_included = tax_included
        self._places = {line.line_id: i for i, line in enumerate(lines.sold)}
        self._taken: list[Share] = [0] * len(lines.sold)
        self._quantities = [0] * len(lines.sold)

    def line(self, refunded: RefundedLine) -> Amount:
        """Take what came back for a line.

        One that the order lacks takes nothing, and its cash stays out of the rest.
        """
        cash = refunded.amount if self._tax_included else refunded.amount + refunded.tax
        i = self._places.get(refunded.line_id)
        if i is None:
            return cash
        if self._lines.values[i]:
            return self._take(i, refunded.amount)
        self._quantities[i] += refunded.quantity or 0
        self._taken[i] += 1 if refunded.amount else 0
        return cash

    def shipping(self, amount: int) -> Amount:
        """Take what came back for shipping."""
        i = self._places.get(SHIPPING)
        if not amount or i is None or not self._lines.values[i]:
            return amount
        return self._take(i, amount)

    def _take(self, place: int, amount: int) -> Amount:
        share = Fraction(amount, self._lines.values[place])
        self._taken[place] += share
        return share * self.cashes[place]

    def left(self) -> list[Share]:
        """What is left of each line. One of no value is gone when its quantity came back."""
        for i, line in enumerate(self._lines.sold):
            if not self._lines.values[i] and line.quantity and self._quantities[i] >= line.quantity:
                self._taken[i] = 1
        return [1 - min(1, share) for share in self._taken]


def _without_lines(left: list[Share], beyond: Amount, cash_left: Amount) -> list[Share]:
    """Take amounts without lines from all that is left, in equal shares."""
    if not beyond:
        return left
    kept: Share = 0 if beyond >= cash_left else 1 - Fraction(beyond) / cash_left
    return [share * kept for share in left]
