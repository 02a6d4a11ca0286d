"""A second, independent count of the demo: what every member should have, from the file of facts alone.

It imports nothing of the product and shares none of its code: its own reading of the program `grocer` (the words in
`PROGRAM`), of discounts, refunds, waiting, ends, spending and tiers, in exact fractions, one fact after the other.
Only the order in which a member's facts were decided is taken from outside: orders and redemptions come on two topics.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

PROGRAM = {
    "base": "1 point for 1 USD, fuel and postal services apart; times the tier's multiplier; rounded down",
    "fresh": "half a point more for 1 USD of produce and seafood; times the tier's multiplier; rounded down",
    "big-basket": "25 points for 100 USD or more, everything counted; no multiplier",
    "tiers": "by points of the calendar year: silver from 1,500 (1.25), gold from 4,000 (1.5), as held before",
    "pending": "spendable after 7 whole days that follow the day of payment",
    "expiry": "gone when the day ends that is 6 months after that; late points live 30 days from now at least",
    "rewards": "five-dollars for 500 points; hamper for 1,500, gold members only",
}
NO_BASE = {"FUEL", "POSTAL CENTER"}
FRESH = {"PRODUCE", "SEAFOOD", "SEAFOOD-PCKGD"}
BIG, BIG_POINTS = 100_00, 25  # cents, points
TIERS = (("bronze", 0, Fraction(1)), ("silver", 1500, Fraction(5, 4)), ("gold", 4000, Fraction(3, 2)))
REWARDS = {"five-dollars": (500, 0), "hamper": (1500, 2)}  # points, level needed
LATE = timedelta(hours=1)
WAIT_DAYS, LIFE_MONTHS, LATE_LIFE_DAYS = 7, 6, 30
NEW_YORK = ZoneInfo("America/New_York")

Cents = Mapping[str, int | Fraction]
"""Line → money in cents; whole but for what an amount without lines leaves."""


@dataclass
class Lot:
    """The points of an order: those that are left, when they can be spent, and how many had ended."""

    number: int
    earned_at: datetime
    left: int
    spendable_at: datetime
    waits: bool
    ends_at: datetime | None = None
    ended: int = 0


@dataclass
class Order:
    """An order as known by now; `multiplier` is pinned when it is first awarded."""

    paid: dict[str, Any] | None = None
    paid_at: datetime | None = None
    refunds: dict[str, dict[str, Any]] = field(default_factory=dict)
    cancelled: bool = False
    multiplier: Fraction | None = None
    points: int = 0
    lot: Lot | None = None


@dataclass
class Member:
    """A member's account: points owed, gross sums, lots, and every tier with the instant since which it is held."""

    deficit: int = 0
    earned: int = 0
    reversed: int = 0
    redeemed: int = 0
    expired: int = 0
    expired_reversed: int = 0
    qualifying: int = 0
    tiers: list[tuple[datetime | None, int]] = field(default_factory=lambda: [(None, 0)])
    clock: datetime | None = None
    decided: datetime | None = None
    orders: dict[str, Order] = field(default_factory=dict)
    lots: list[Lot] = field(default_factory=list)

    @property
    def tier(self) -> str:
        """The tier held now."""
        return TIERS[self.tiers[-1][1]][0]

    @property
    def available(self) -> int:
        """Points that can be spent."""
        return sum(lot.left for lot in self.lots if not lot.waits)

    @property
    def pending(self) -> int:
        """Points that wait."""
        return sum(lot.left for lot in self.lots if lot.waits)

    @property
    def adds_up(self) -> bool:
        """Whether what there is is what came less what went."""
        came, went = self.earned + self.expired_reversed, self.reversed + self.redeemed + self.expired
        return self.available + self.pending - self.deficit == came - went

    def tier_at(self, instant: datetime) -> int:
        """The tier held at an instant."""
        return next(level for since, level in reversed(self.tiers) if since is None or since <= instant)


def recount(lines: Iterable[bytes]) -> dict[str, Member]:
    """Every member's account after all facts, in the order given; a fact that was there before counts once."""
    members: dict[str, Member] = {}
    for line in lines:
        fact = json.loads(line)
        _take(members.setdefault(fact["subject"], Member()), fact)
    return members


def _take(member: Member, fact: dict[str, Any]) -> None:
    data = fact["data"]
    known = member.orders.get(data.get("order_id", ""))
    if known is not None and known.paid == data:
        return
    occurred = datetime.fromisoformat(fact["time"])
    received = datetime.fromisoformat(fact.get("receivedat", fact["time"]))
    _tick(member, occurred, received)
    if fact["type"] == "loyalty.redemption.requested.v1":
        _redeem(member, data, occurred)
        return
    order = member.orders.setdefault(data["order_id"], Order())
    _note(order, fact, occurred)
    _settle(member, order, occurred)


def _tick(member: Member, occurred: datetime, received: datetime) -> None:
    """Time moves on for the member: points that waited come, points whose time is over go."""
    decided = max(member.decided, received) if member.decided else received
    now = max(min(occurred, decided), decided - LATE)
    member.clock = max(member.clock, now) if member.clock else now
    member.decided = decided
    while due := min(((at, kind, lot.number) for lot in member.lots for at, kind in _dues(lot)), default=None):
        at, kind, number = due
        if at > member.clock:
            break
        lot = member.lots[number]
        if kind == 0:
            lot.waits = False
            lot.ends_at = _day_after(_months_later(_day(at), LIFE_MONTHS))
            _come(member, lot, at)
        else:
            member.expired += lot.left
            lot.ended, lot.left = lot.ended + lot.left, 0


def _dues(lot: Lot) -> Iterable[tuple[datetime, int]]:
    """What is due for a lot, if anything is left of it: 0 it can be spent, 1 it ends."""
    if lot.left and lot.waits:
        yield lot.spendable_at, 0
    elif lot.left and lot.ends_at is not None:
        yield lot.ends_at, 1


def _come(member: Member, lot: Lot, now: datetime) -> None:
    """Points can be spent from now on: they pay what is owed and count for the tier."""
    member.qualifying += lot.left
    paid = min(member.deficit, lot.left)
    member.deficit -= paid
    lot.left -= paid
    reached = max(level for level, (_, threshold, _) in enumerate(TIERS) if threshold <= member.qualifying)
    if reached > member.tiers[-1][1]:  # within the year nobody falls
        member.tiers.append((now, reached))


def _redeem(member: Member, data: dict[str, Any], occurred: datetime) -> None:
    points, level = REWARDS.get(data.get("reward", ""), (data.get("points", 0), 0))
    if member.tier_at(occurred) >= level and member.available >= points:
        member.redeemed += points
        _spend(member, points)


def _spend(member: Member, points: int, but: Lot | None = None) -> int:
    """Take points out of lots that can be spent, soonest end first; what is not there is given back."""
    lots = [lot for lot in member.lots if lot.left and not lot.waits and lot is not but]
    for lot in sorted(lots, key=lambda lot: (lot.ends_at, lot.earned_at, lot.number)):
        part = min(points, lot.left)
        lot.left -= part
        points -= part
    return points


def _note(order: Order, fact: dict[str, Any], occurred: datetime) -> None:
    data = fact["data"]
    match fact["type"]:
        case "commerce.order.paid.v1":
            order.paid, order.paid_at = data, occurred
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
    if change > 0:
        _give(member, order, change, occurred)
    elif change < 0:
        _take_back(member, order, -change)


def _give(member: Member, order: Order, points: int, occurred: datetime) -> None:
    """A lot for an order that is awarded; at once where the days that it would wait are over."""
    assert order.paid_at is not None
    assert member.clock is not None
    assert member.decided is not None
    assert order.lot is None, "an order of the demo never gains"
    member.earned += points
    spendable_at = _day_after(_day(order.paid_at) + timedelta(days=WAIT_DAYS))
    order.lot = lot = Lot(len(member.lots), occurred, points, spendable_at, spendable_at > member.clock)
    member.lots.append(lot)
    if not lot.waits:
        today = _day(member.decided)
        late = min(today + timedelta(days=LATE_LIFE_DAYS), _months_later(today, LIFE_MONTHS))
        lot.ends_at = _day_after(max(_months_later(_day(spendable_at), LIFE_MONTHS), late))
        _come(member, lot, member.clock)


def _take_back(member: Member, order: Order, points: int) -> None:
    """Take points from the order's own lot, from what of it had ended, from other lots; the rest is owed."""
    lot = order.lot
    assert lot is not None
    member.reversed += points
    if not lot.waits:
        member.qualifying -= points
    part = min(points, lot.left)
    lot.left -= part
    ended = min(points - part, lot.ended)
    lot.ended -= ended
    member.expired_reversed += ended
    member.deficit += _spend(member, points - part - ended, but=lot)


def _day(instant: datetime) -> date:
    return instant.astimezone(NEW_YORK).date()


def _day_after(day: date) -> datetime:
    """The first instant of the next day; New York's midnights are never skipped."""
    return datetime.combine(day + timedelta(days=1), datetime.min.time(), NEW_YORK).astimezone(UTC)


def _months_later(day: date, months: int) -> date:
    """The same day so many months later, or the last one of that month."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    following = date(year + month // 11, (month + 1) % 12 + 1, 1)
    return min(date(year, month + 1, 1) + timedelta(days=day.day - 1), following - timedelta(days=1))


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
