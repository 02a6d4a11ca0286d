"""What an order is worth in the second count: its lines after discounts, what of them came back, points and stamps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from typing import Any

from tests.e2e.demo.accounts import NEW_YORK, Award

NO_BASE = {"FUEL", "POSTAL CENTER"}
FRESH = {"PRODUCE", "SEAFOOD", "SEAFOOD-PCKGD"}
BAKERY = {"PASTRY"}
BIG, BIG_POINTS = 100_00, 25  # cents, points
BONUS_WEEKEND = datetime(2017, 5, 13, tzinfo=NEW_YORK), datetime(2017, 5, 15, tzinfo=NEW_YORK)

Cents = Mapping[str, int | Fraction]
"""Line → money in cents; whole but for what an amount without lines leaves."""

Shares = Mapping[str, int | Fraction]
"""Line → the part of it that is left, 0 to 1."""


@dataclass
class Order:
    """An order as known by now; when it is first awarded `multiplier` and whether it is the `first` are pinned."""

    paid: dict[str, Any] | None = None
    paid_at: datetime | None = None
    whole: dict[str, int] = field(default_factory=dict)  # line → what it cost, in cents
    refunds: dict[str, dict[str, Any]] = field(default_factory=dict)
    cancelled: bool = False
    multiplier: Fraction | None = None
    first: bool = False
    stamps: int = 0
    award: Award = field(default_factory=Award)

    def sell(self, paid: dict[str, Any], paid_at: datetime) -> None:
        """It is paid, with these lines."""
        self.paid, self.paid_at, self.whole = paid, paid_at, values(paid)

    @property
    def stands(self) -> bool:
        """Whether it is paid, and anything of it is left."""
        return self.paid is not None and not self.cancelled and any(self.shares.values())

    @property
    def left(self) -> int | Fraction:
        """Cents that are left of all its lines."""
        return sum(self.cents.values()) if self.stands else 0

    @property
    def cents(self) -> Cents:
        """What is left of each line."""
        shares = self.shares
        return {line: value * shares[line] for line, value in self.whole.items()}

    @property
    def shares(self) -> Shares:
        """What part of each line is left. Amounts without lines take the same part of everything."""
        whole = self.whole
        if not self.refunds:
            return dict.fromkeys(whole, 1)
        gone: dict[str, Fraction] = dict.fromkeys(whole, Fraction(0))
        amounts = 0
        for refund in self.refunds.values():
            for line in refund.get("lines", ()):
                if whole[line["line_id"]]:
                    gone[line["line_id"]] += Fraction(cents(line["amount"]), 1) / whole[line["line_id"]]
            amounts += cents(refund.get("amount", "0"))
        left = {line: max(1 - part, Fraction(0)) for line, part in gone.items()}
        total = sum(whole[line] * part for line, part in left.items())
        if not amounts:
            return left
        kept = 1 - min(Fraction(amounts) / total, Fraction(1)) if total else Fraction(0)
        return {line: part * kept for line, part in left.items()}

    @property
    def worth(self) -> int:
        """Its points now: those of what is left, never more than those of the whole."""
        if not self.stands:
            return 0
        big = sum(self.whole.values()) >= BIG
        points = self._points(self.whole, big=big)
        return min(points, self._points(self.cents, big=big)) if self.refunds else points

    def _points(self, money: Cents, *, big: bool) -> int:
        assert self.multiplier is not None
        categories = _categories(self)
        base = sum(value for line, value in money.items() if not categories[line] & NO_BASE)
        fresh = sum(value for line, value in money.items() if categories[line] & FRESH)
        points = int(base * self.multiplier / 100) + int(fresh * self.multiplier / 200)
        return points + (BIG_POINTS if big and sum(money.values()) >= BIG else 0)

    @property
    def units(self) -> int:
        """Units from the bakery that are left: one is gone where a refund names it, or all of its line came back."""
        if not self.stands:
            return 0
        shares, back = self.shares, dict.fromkeys(self.whole, 0)
        for refund in self.refunds.values():
            for line in refund.get("lines", ()):
                back[line["line_id"]] += line.get("quantity", 0)
        return sum(
            max(line["quantity"] - back[line["line_id"]], 0)
            for line in _lines(self)["lines"]
            if set(line.get("categories", ())) & BAKERY and shares[line["line_id"]]
        )


def values(paid: dict[str, Any]) -> dict[str, int]:
    """What each line cost after its own discount and its share of the order's, spread in whole cents."""
    before = {line["line_id"]: cents(line["subtotal"]) - cents(line.get("discount", "0")) for line in paid["lines"]}
    discount, total = cents(paid.get("discount", "0")), sum(before.values())
    if not discount or not total:
        return before
    taken = {line: discount * value // total for line, value in before.items()}
    over = discount - sum(taken.values())
    for line in sorted(before, key=lambda line: (-(discount * before[line] % total), line))[:over]:
        taken[line] += 1
    return {line: value - taken[line] for line, value in before.items()}


def cents(amount: str) -> int:
    """Money as told, in cents."""
    whole, _, places = amount.partition(".")
    return int(whole) * 100 + int(places.ljust(2, "0"))


def _lines(order: Order) -> dict[str, Any]:
    assert order.paid is not None
    return order.paid


def _categories(order: Order) -> dict[str, set[str]]:
    return {line["line_id"]: set(line.get("categories", ())) for line in _lines(order)["lines"]}
