"""A second, independent count of the demo: what every member should have, from the file of facts alone.

It imports nothing of the product and shares none of its code: its own reading of the program `grocer` (the words in
`PROGRAM`), of discounts, refunds and tiers, in exact fractions, one fact after the other in order of arrival.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any

PROGRAM = {
    "base": "1 point for 1 USD, fuel and postal services apart; times the tier's multiplier; rounded down",
    "fresh": "half a point more for 1 USD of produce and seafood; times the tier's multiplier; rounded down",
    "big-basket": "25 points for 100 USD or more, everything counted; no multiplier",
    "tiers": "by points of the calendar year: silver from 1,500 (1.25), gold from 4,000 (1.5), as held before",
}
NO_BASE = {"FUEL", "POSTAL CENTER"}
FRESH = {"PRODUCE", "SEAFOOD", "SEAFOOD-PCKGD"}
BIG, BIG_POINTS = 100_00, 25  # cents, points
TIERS = (("bronze", 0, Fraction(1)), ("silver", 1500, Fraction(5, 4)), ("gold", 4000, Fraction(3, 2)))
LATE = timedelta(hours=1)

Cents = Mapping[str, int | Fraction]
"""Line → money in cents; whole but for what an amount without lines leaves."""


@dataclass
class Order:
    """An order as known by now; `multiplier` is pinned when it is first awarded."""

    paid: dict[str, Any] | None = None
    refunds: dict[str, dict[str, Any]] = field(default_factory=dict)
    cancelled: bool = False
    multiplier: Fraction | None = None
    points: int = 0


@dataclass
class Member:
    """A member's account: points, gross sums, and every tier with the instant since which it is held."""

    points: int = 0
    earned: int = 0
    reversed: int = 0
    qualifying: int = 0
    tiers: list[tuple[datetime | None, int]] = field(default_factory=lambda: [(None, 0)])
    clock: datetime | None = None
    decided: datetime | None = None
    orders: dict[str, Order] = field(default_factory=dict)

    @property
    def tier(self) -> str:
        """The tier held now."""
        return TIERS[self.tiers[-1][1]][0]

    def tier_at(self, instant: datetime) -> int:
        """The tier held at an instant."""
        return next(level for since, level in reversed(self.tiers) if since is None or since <= instant)


def recount(lines: Iterable[bytes]) -> dict[str, Member]:
    """Every member's account after all facts."""
    members: dict[str, Member] = {}
    for line in lines:
        fact = json.loads(line)
        member = members.setdefault(fact["subject"], Member())
        occurred = datetime.fromisoformat(fact["time"])
        received = datetime.fromisoformat(fact.get("receivedat", fact["time"]))
        _tick(member, occurred, received)
        order = member.orders.setdefault(fact["data"]["order_id"], Order())
        _note(order, fact)
        _settle(member, order, occurred)
    return members


def _tick(member: Member, occurred: datetime, received: datetime) -> None:
    decided = max(member.decided, received) if member.decided else received
    now = max(min(occurred, decided), decided - LATE)
    member.clock = max(member.clock, now) if member.clock else now
    member.decided = decided


def _note(order: Order, fact: dict[str, Any]) -> None:
    data = fact["data"]
    match fact["type"]:
        case "commerce.order.paid.v1":
            order.paid = data
        case "commerce.order.refunded.v1":
            order.refunds[data["refund_id"]] = data
        case "commerce.order.cancelled.v1":
            order.cancelled = True
        case other:
            message = f"the recount knows no {other}"
            raise ValueError(message)


def _settle(member: Member, order: Order, occurred: datetime) -> None:
    if order.paid is None:
        return
    if order.multiplier is None:
        order.multiplier = TIERS[member.tier_at(occurred)][2]
    should = _worth(order, order.multiplier)
    change = should - order.points
    order.points = should
    member.points += change
    member.qualifying += change
    if change > 0:
        member.earned += change
    else:
        member.reversed -= change
    reached = max(level for level, (_, threshold, _) in enumerate(TIERS) if threshold <= member.qualifying)
    if reached > member.tiers[-1][1]:  # within the year nobody falls
        member.tiers.append((member.clock, reached))


def _worth(order: Order, multiplier: Fraction) -> int:
    assert order.paid is not None
    if order.cancelled:
        return 0
    values = _values(order.paid)
    categories = {line["line_id"]: set(line.get("categories", ())) for line in order.paid["lines"]}
    big = sum(values.values()) >= BIG
    whole = _points(values, categories, multiplier, big=big)
    return min(whole, _points(_left(order, values), categories, multiplier, big=big)) if order.refunds else whole


def _points(values: Cents, categories: dict[str, set[str]], multiplier: Fraction, *, big: bool) -> int:
    base = sum(value for line, value in values.items() if not categories[line] & NO_BASE)
    fresh = sum(value for line, value in values.items() if categories[line] & FRESH)
    per_cent = multiplier / 100
    points = base * per_cent.numerator // per_cent.denominator + fresh * per_cent.numerator // (
        2 * per_cent.denominator
    )
    return points + (BIG_POINTS if big and sum(values.values()) >= BIG else 0)


def _values(paid: dict[str, Any]) -> Cents:
    """What each line cost after its own discount and its share of the order's, spread in whole cents."""
    before = {line["line_id"]: _cents(line["subtotal"]) - _cents(line.get("discount", "0")) for line in paid["lines"]}
    discount, total = _cents(paid.get("discount", "0")), sum(before.values())
    if not discount or not total:
        return dict(before)
    taken = {line: discount * value // total for line, value in before.items()}
    over = discount - sum(taken.values())
    for line in sorted(before, key=lambda line: (-(discount * before[line] % total), line))[:over]:
        taken[line] += 1
    return {line: value - taken[line] for line, value in before.items()}


def _left(order: Order, values: Cents) -> Cents:
    gone = dict.fromkeys(values, 0)
    amounts = 0
    for refund in order.refunds.values():
        for line in refund.get("lines", ()):
            gone[line["line_id"]] += _cents(line["amount"])
        amounts += _cents(refund.get("amount", "0"))
    left = {line: max(value - gone[line], 0) for line, value in values.items()}
    total = sum(left.values())
    share = min(Fraction(amounts, 1) / total, Fraction(1)) if total else Fraction(1)
    return {line: value * (1 - share) for line, value in left.items()}


def _cents(amount: str) -> int:
    whole, _, places = amount.partition(".")
    return int(whole) * 100 + int(places.ljust(2, "0"))
