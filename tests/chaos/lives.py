"""Lives: what shops, members and operators say, order after order, with everything that may follow of each.

The same facts for the same seed, with times of their own. They span New Year, so that a tier's window ends among them;
orders wait a day for their points, and some points given by hand end within hours: the sweeper has work, too.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import msgspec

from shared.facts.builders import Publisher
from shared.facts.fact import FACT_TYPES
from tests.support.builders.programs import GROCER, document

PROGRAM = "shop"
SHOP = Publisher(PROGRAM, "shop-eu")
DOCUMENT = document(
    GROCER,
    """
  - {id: regulars, rate: 0.1, when: {segments: [regular], tiers: [silver, gold]}}
orders:
  pending: {days: 1}
  caps: {day: 2000}
expiry: {mode: after_available, months: 1}
reviews: {points: 10, photo: 15, verified_only: true, minimum_length: 50}
activities:
  - {id: pot, points: 1, per_unit: true}
  - {id: newsletter, points: 20, limit: {times: 1, per: lifetime}}
cards:
  - {id: mask, every: 5, activity: pot, reward: a face mask}
  - {id: weekly, every: 7, activity: pot, points: 15}
referrals: {referrer: 40, referee: 20, minimum: 30, blocks: [same_device], limit: {times: 20, per: month}}
rewards:
  - {id: mug, points: 60}
  - {id: hamper, points: 400, tiers: [gold]}
tiers:
  measure: points_earned
  window: calendar_year
  levels:
    - {id: bronze}
    - {id: silver, threshold: 300, multiplier: 1.25}
    - {id: gold, threshold: 900, multiplier: 1.5, entry_bonus: 50}
""",
)
BEGAN = datetime(2025, 12, 30, 22, tzinfo=UTC)
STEP = timedelta(milliseconds=500)
"""Stream time between two happenings."""

SKUS = 500


class Told(NamedTuple):
    """One fact: its topic by its name in `Topics`, member, when it was received, its bytes, its key (kind and id)."""

    topic: str
    member: str
    received_at: datetime
    value: bytes
    about: tuple[str, int]


class Lives:
    """Everything that happens in a shop of so many members."""

    def __init__(self, draw: random.Random, members: int) -> None:
        self._draw = draw
        self._members = members
        self._met: set[str] = set()
        self._shares = (
            (0.66, self._order),
            (0.80, self._redemption),
            (0.84, self._adjustment),
            (0.86, self._import),
            (0.92, self._review),
            (0.96, self._activity),
            (0.98, self._referral),
            (0.998, self._guest),
            (1.0, self._merge),
        )

    def happening(self, number: int) -> Iterator[Told]:
        """Something new, and what follows of it at its time."""
        at = BEGAN + number * STEP
        draw = self._draw
        member = f"m-{int(self._members * draw.random() ** 2):05d}"
        if member not in self._met:
            self._met.add(member)
            if draw.random() < 0.5:
                segments = {"segments": ["regular"]} if draw.random() < 0.5 else {}
                yield _told("loyalty.member.enrolled.v1", member, number, at, segments, about=("enrolment", number))
        chance = draw.random()
        kinds = (happens for share, happens in self._shares if chance < share)
        yield from next(kinds)(number, member, at)

    def _order(self, number: int, member: str, at: datetime) -> Iterator[Told]:
        draw = self._draw
        order = self._sold(number)

        def told(what: str, when: datetime, data: dict[str, Any], received_at: datetime | None = None) -> Told:
            kind = what.partition("-")[0]
            return _told(
                f"commerce.order.{kind}.v1",
                member,
                number,
                when,
                {"order_id": order["order_id"]} | data,
                what=what,
                received_at=received_at,
                about=("order", number),
            )

        yield told("paid", at, order)
        fate = draw.random()
        later = at + self._after()
        if fate < 0.14:
            for part in range(draw.choice((1, 1, 2))):
                refund = {"refund_id": f"r-{number}-{part}", **self._refunded(order, part)}
                # One in eight is told before its order arrives.
                early = at - timedelta(minutes=3) if draw.random() < 0.12 else None
                yield told(f"refunded-{part}", early or later, refund, early)
        elif fate < 0.18:
            yield told("cancelled", later, {})
            if draw.random() < 0.2:  # and it is paid after all
                yield told("paid-again", later + timedelta(minutes=7), order)
        elif fate < 0.24:
            bigger = {"lines": [*order["lines"], self._line(9)], "status": "paid", "refunds": []}
            yield told("updated", later, order | bigger)
        elif fate < 0.30:
            yield told("fulfilled", later, {})

    def _sold(self, number: int) -> dict[str, Any]:
        draw = self._draw
        lines = [self._line(line) for line in range(1, draw.randrange(2, 5))]
        order: dict[str, Any] = {"order_id": f"o-{number}", "currency": "EUR", "lines": lines}
        if draw.random() < 0.2:
            order["discount"] = f"{draw.randrange(1, 4)}.{draw.randrange(100):02d}"
        return order

    def _line(self, line: int) -> dict[str, Any]:
        draw = self._draw
        return {
            "line_id": str(line),
            "sku": f"sku-{draw.randrange(SKUS)}",
            "quantity": draw.randrange(1, 4),
            "subtotal": f"{draw.randrange(4, 40)}.{draw.randrange(100):02d}",
            "categories": [draw.choice(("FRESH", "DRY", "HOUSE"))],
        }

    def _refunded(self, order: dict[str, Any], part: int) -> dict[str, Any]:
        lines = order["lines"]
        if self._draw.random() < 0.5:
            line = lines[part % len(lines)]
            return {"lines": [{"line_id": line["line_id"], "amount": line["subtotal"], "quantity": line["quantity"]}]}
        return {"amount": f"{self._draw.randrange(1, 15)}.{self._draw.randrange(100):02d}"}

    def _redemption(self, number: int, member: str, at: datetime) -> Iterator[Told]:
        draw = self._draw
        wanted = {"reward": draw.choice(("mug", "hamper"))} if draw.random() < 0.3 else {"points": draw.randrange(200)}
        name = {"redemption_id": f"rd-{number}"}
        about = ("redemption", number)
        yield _told("loyalty.redemption.requested.v1", member, number, at, name | wanted, about=about)
        kind = "loyalty.redemption.cancelled.v1"
        if draw.random() < 0.1:
            yield _told(kind, member, number, at + self._after(), name, what="cancelled", about=about)
        elif draw.random() < 0.1:
            for part in range(draw.randrange(1, 3)):
                some = name | {"cancel_id": f"c-{part}", "points": draw.randrange(1, 60)}
                yield _told(kind, member, number, at + self._after(), some, what=f"cancelled-{part}", about=about)

    def _adjustment(self, number: int, member: str, at: datetime) -> Iterator[Told]:
        draw = self._draw
        points = draw.choice((-30, -5, 10, 50))
        ends = {"expires_at": (at + self._after()).isoformat()} if points > 0 and draw.random() < 0.7 else {}
        data = {"adjustment_id": f"a-{number}", "points": points, "actor_id": "agent-1", "reason": "goodwill"}
        about = ("adjustment", number)
        yield _told("loyalty.points.adjust.v1", member, number, at, data | ends, about=about)

    def _import(self, number: int, member: str, at: datetime) -> Iterator[Told]:
        draw = self._draw
        row = {"batch_id": f"b-{number}", "row": 1, "points": draw.randrange(300)}
        yield _told("loyalty.balance.import.v1", member, number, at, row, about=("import", number))
        if draw.random() < 0.3:
            batch = {"batch_id": f"b-{number}", "keep_spent": draw.random() < 0.3}
            later = at + self._after()
            yield _told("loyalty.import.revert.v1", member, number, later, batch, about=("revert", number))

    def _review(self, number: int, member: str, at: datetime) -> Iterator[Told]:
        draw = self._draw
        review = {"review_id": f"v-{number}", "product_id": f"p-{draw.randrange(SKUS)}", "rating": 5, "verified": True}
        about = ("review", number)
        yield _told("commerce.review.published.v1", member, number, at, review | {"length": 80}, about=about)
        fate = draw.random()
        if fate < 0.2:
            edited = review | {"length": 90, "photos": 1}
            yield _told("commerce.review.updated.v1", member, number, at + self._after(), edited, about=about)
        elif fate < 0.3:
            gone = {"review_id": review["review_id"]}
            yield _told("commerce.review.removed.v1", member, number, at + self._after(), gone, about=about)

    def _activity(self, number: int, member: str, at: datetime) -> Iterator[Told]:
        draw = self._draw
        activity: dict[str, Any] = {"activity_id": f"ac-{number}", "kind": draw.choice(("pot", "pot", "newsletter"))}
        about = ("activity", number)
        units = {"quantity": draw.randrange(1, 6)}
        yield _told("commerce.activity.recorded.v1", member, number, at, activity | units, about=about)
        if draw.random() < 0.15:
            # One in five is withdrawn before it is heard of.
            later = at + self._after() if draw.random() < 0.8 else at - timedelta(minutes=1)
            yield _told("commerce.activity.withdrawn.v1", member, number, later, activity, about=about)

    def _referral(self, number: int, referrer: str, at: datetime) -> Iterator[Told]:
        """Somebody new is brought, and orders: before or after it is said who has brought them."""
        draw, referee, about = self._draw, f"n-{number}", ("referral", number)
        name = {"referral_id": f"rf-{number}", "referrer_id": referrer}
        minutes = timedelta(minutes=1)

        def told(what: str, when: datetime, data: dict[str, Any]) -> Told:
            return _told(f"commerce.referral.{what}.v1", referee, number, when, data, about=about)

        if draw.random() < 0.5:
            yield told("joined", at - minutes, name)
        signals = {"signals": {"same_device": True}} if draw.random() < 0.15 else {}
        order = {"order_id": f"o-{number}"}
        yield told("completed", at + draw.choice((-minutes, 3 * minutes)), name | order | signals)
        yield from self._order(number, referee, at)
        unblocked = {"referral_id": name["referral_id"]}
        if signals and draw.random() < 0.5:
            kind = "loyalty.referral.unblock.v1"
            yield _told(kind, referee, number, at + self._after(), unblocked, about=about)
        elif draw.random() < 0.1:
            yield told("voided", at + self._after(), unblocked)

    def _guest(self, number: int, member: str, at: datetime) -> Iterator[Told]:
        """A guest's order, and what follows of it, perhaps after a member has claimed it."""
        guest = f"g-{number}"
        yield from self._order(number, guest, at)
        yield self._claimed(number, member, guest, at + self._after())

    def _merge(self, number: int, member: str, at: datetime) -> Iterator[Told]:
        """A member claims another one: whoever speaks of either afterwards speaks of both."""
        other = f"m-{self._draw.randrange(self._members // 2, self._members):05d}"
        yield self._claimed(number, member, other, at)

    def _claimed(self, number: int, member: str, other: str, at: datetime) -> Told:
        kind = "loyalty.member.claimed.v1"
        return _told(kind, member, number, at, {"from": other}, about=("claim", number))

    def _after(self) -> timedelta:
        """Mostly within the hour, sometimes days later."""
        return timedelta(minutes=1 + 60 * self._draw.paretovariate(1.2) * self._draw.random())


def _told(  # noqa: PLR0913 (a fact has many parts)
    kind: str,
    member: str,
    number: int,
    at: datetime,
    data: dict[str, Any],
    *,
    about: tuple[str, int],
    what: str = "",
    received_at: datetime | None = None,
) -> Told:
    event = SHOP.event(kind, data, id=f"e-{number}-{what or kind}", member=member, time=at)
    return Told(FACT_TYPES[kind].TOPIC, member, received_at or at, msgspec.json.encode(event), about)
