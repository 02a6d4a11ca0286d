"""Facts from baskets: each visit an order; what the data hasn't (refunds, redemptions, reviews, …) by a fixed seed.

The file is in order of arrival: JSON lines of CloudEvents, as `tallystick publish --history` and `tallystick try` take
them. A fact that arrives later than it happened says so in its extension `receivedat`.
"""

from __future__ import annotations

import heapq
import json
import os
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from deploy.local_stack.jars import cache_directory
from services.cli.demo.baskets import Basket, Line, baskets, rows, visits
from services.cli.demo.envelopes import SEED, YEAR_END, Event, fact, late
from services.cli.demo.referrals import Referrals, referrals_of
from services.cli.demo.reviews import reviews_of

CURRENCY = "USD"

_EDITION = 4  # in the file's name: a file of an older edition of these modules is not used again

# Of 10,000 baskets so many …
_ONE_LINE_REFUNDED = 200
_CANCELLED = 50
_AMOUNT_REFUNDED = 50
_DELIVERED_TWICE = 50
_REFUND_FIRST = 30
_REDEEMED = 600
_OUT_OF = 10_000
_BOUNCES_AFTER_DAYS = 60, 150
_GOODWILL_CENTS = 500
_WISHES = ({"reward": "five-dollars"}, {"reward": "hamper"}, {"points": 100}, {"points": 250})
"""What a household that redeems asks for; whether it has the points is for the program to say."""


@dataclass(frozen=True)
class Counts:
    """What is in a file of facts.

    `facts` = orders + line_refunds + amount_refunds + cancels + redelivered + redemptions + reviews + review_edits +
    review_removals + 3 × referrals (a click, a sign-up, an order each). `cancels` has `charged_back` in it,
    `reviews` has `reviews_with_photo`, `review_removals` has `removals_before_review`.
    """

    facts: int
    orders: int
    lines: int
    households: int
    line_refunds: int
    amount_refunds: int
    cancels: int
    redelivered: int
    redemptions: int
    refund_before_order: int
    reviews: int
    reviews_with_photo: int
    review_edits: int
    review_removals: int
    removals_before_review: int
    referrals: int
    charged_back: int
    paid_cents: int


@dataclass(frozen=True)
class FactsFile:
    """A file of facts and what is in it."""

    path: Path
    counts: Counts


def facts_file(*, one_household_in: int, progress: Callable[[int, int], None]) -> FactsFile:
    """The file of facts, made where the cache has none; `progress(rows read, rows in all)` while it is made."""
    path = cache_directory() / "demo" / f"grocer-{_EDITION}-{one_household_in}.jsonl"
    summary = path.with_suffix(".counts.json")
    if not summary.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        _make(path, summary, one_household_in, progress)
    return FactsFile(path, Counts(**json.loads(summary.read_text("utf-8"))))


def _make(path: Path, summary: Path, one_household_in: int, progress: Callable[[int, int], None]) -> None:
    """Write beside, then rename, the counts last: a file that has its counts is whole."""
    total = rows()
    unfinished = path.with_suffix(f".{os.getpid()}")
    made: Counter[str] = Counter()
    households: set[int] = set()
    with unfinished.open("wb") as out:
        for read, event in _in_order_of_arrival(one_household_in, made, households):
            out.write(msgspec.json.encode(event) + b"\n")
            made["facts"] += 1
            if made["facts"] % 1_000 == 0:
                progress(read, total)
    progress(total, total)
    unfinished.replace(path)
    summary.write_text(json.dumps(asdict(Counts(**made, households=len(households))), indent=2) + "\n", "utf-8")


def _in_order_of_arrival(
    one_household_in: int, made: Counter[str], households: set[int]
) -> Iterator[tuple[int, Event]]:
    """Every fact with the number of rows read, by the instant at which it arrives."""
    made.update(dict.fromkeys(Counts.__dataclass_fields__, 0))
    del made["households"]
    referrals = referrals_of(visits(one_household_in=one_household_in), made)
    later = [(arrival, number, event) for number, (arrival, event) in enumerate(referrals.facts)]
    heapq.heapify(later)
    number = len(later)
    read = 0
    for read, basket in baskets(one_household_in=one_household_in):
        while later and later[0][0] <= basket.time:
            yield read, heapq.heappop(later)[2]
        households.add(basket.household)
        for arrival, event in _all_of(basket, referrals, made):
            if arrival <= basket.time:
                yield read, event
            else:
                number += 1
                heapq.heappush(later, (arrival, number, event))
    while later:
        yield read, heapq.heappop(later)[2]


def _all_of(basket: Basket, referrals: Referrals, made: Counter[str]) -> Iterator[tuple[datetime, Event]]:
    """Everything that follows from a visit, each fact with its arrival."""
    yield from _facts_of(basket, made, charged_back=basket.id in referrals.charged_back)
    yield from _redemptions_of(basket, made)
    yield from reviews_of(basket, made)


def _facts_of(basket: Basket, made: Counter[str], *, charged_back: bool) -> Iterator[tuple[datetime, Event]]:
    """A basket's facts, each with its arrival; what is not in the data is drawn by the seed and the basket's number.

    `charged_back`: its payment bounces, months later.
    """
    made["orders"] += 1
    made["lines"] += len(basket.lines)
    made["paid_cents"] += sum(line.value for line in basket.lines) - basket.coupons
    draw = random.Random(f"{SEED}/{basket.id}")  # noqa: S311 (it must be repeatable, and guards nothing)
    order = _order(basket)
    ticket = draw.randrange(_OUT_OF)
    later = basket.time + timedelta(seconds=draw.randrange(3_600, 10 * 86_400))
    paid = _paid(basket)
    if later >= YEAR_END or not any(paid):
        yield basket.time, order
    elif charged_back and (bounced := basket.time + timedelta(days=draw.randrange(*_BOUNCES_AFTER_DAYS))) < YEAR_END:
        made["charged_back"] += 1
        yield from _cancelled(basket, order, bounced, made)
    elif ticket < (drawn := _ONE_LINE_REFUNDED):
        made["line_refunds"] += 1
        yield basket.time, order
        yield later, _line_refund(basket, later, paid, draw)
    elif ticket < (drawn := drawn + _CANCELLED):
        yield from _cancelled(basket, order, later, made)
    elif ticket < (drawn := drawn + _AMOUNT_REFUNDED):
        made["amount_refunds"] += 1
        yield basket.time, order
        amount = _money(min(sum(paid), _GOODWILL_CENTS))
        yield later, _event(basket, "refunded", "goodwill", later, _refund(basket, "goodwill") | {"amount": amount})
    elif ticket < (drawn := drawn + _DELIVERED_TWICE):
        made["redelivered"] += 1
        yield basket.time, order
        yield later, late(order, later)
    elif ticket < drawn + _REFUND_FIRST:
        made["line_refunds"] += 1
        made["refund_before_order"] += 1
        yield later, _line_refund(basket, later, paid, draw)
        arrival = min(later + timedelta(hours=2), YEAR_END - timedelta(seconds=1))
        yield arrival, late(order, arrival)
    else:
        yield basket.time, order


def _cancelled(basket: Basket, order: Event, later: datetime, made: Counter[str]) -> Iterator[tuple[datetime, Event]]:
    made["cancels"] += 1
    yield basket.time, order
    yield later, _event(basket, "cancelled", "cancel", later, {"order_id": str(basket.id)})


def _redemptions_of(basket: Basket, made: Counter[str]) -> Iterator[tuple[datetime, Event]]:
    """After some visits the household asks for a reward, or spends points as such."""
    draw = random.Random(f"{SEED}/redeem/{basket.id}")  # noqa: S311 (as above)
    time = basket.time + timedelta(seconds=draw.randrange(60, 3_600))
    if draw.randrange(_OUT_OF) < _REDEEMED and time < YEAR_END:
        made["redemptions"] += 1
        data = {"redemption_id": f"redeem-{basket.id}"} | draw.choice(_WISHES)
        yield time, fact("loyalty.redemption.requested", f"redeem-{basket.id}", basket.household, time, data)


def _order(basket: Basket) -> Event:
    data: Event = {
        "order_id": str(basket.id),
        "currency": CURRENCY,
        "lines": [_line(number, line) for number, line in enumerate(basket.lines, start=1)],
        "store": str(basket.store),
        "channel": "store",
    }
    if basket.coupons:
        data["discount"] = _money(basket.coupons)
    return _event(basket, "paid", "order", basket.time, data)


def _line(number: int, line: Line) -> Event:
    data: Event = {
        "line_id": str(number),
        "sku": str(line.product),
        "quantity": line.quantity,
        "subtotal": _money(line.subtotal),
    }
    if line.discount:
        data["discount"] = _money(line.discount)
    if line.department:
        data["categories"] = [line.department]
    return data


def _line_refund(basket: Basket, time: datetime, paid: list[int], draw: random.Random) -> Event:
    """One line comes back: all of it, or of several units one, at the price that was paid for it."""
    chosen = draw.choice([index for index, cents in enumerate(paid) if cents])
    quantity = basket.lines[chosen].quantity
    units = 1 if 1 < quantity <= paid[chosen] and draw.random() < 1 / 2 else quantity
    line = {"line_id": str(chosen + 1), "quantity": units, "amount": _money(paid[chosen] * units // quantity)}
    return _event(basket, "refunded", "refund", time, _refund(basket, "line") | {"lines": [line]})


def _refund(basket: Basket, what: str) -> Event:
    return {"order_id": str(basket.id), "refund_id": f"{basket.id}-{what}"}


def _paid(basket: Basket) -> list[int]:
    """Each line's value less its share of the basket's coupons: largest remainder, ties to the smaller line_id."""
    values = [line.value for line in basket.lines]
    total = sum(values) or 1
    paid = [value - basket.coupons * value // total for value in values]
    by_remainder = sorted(range(len(values)), key=lambda i: (-(basket.coupons * values[i] % total), str(i + 1)))
    for index in by_remainder[: sum(paid) - sum(values) + basket.coupons]:
        paid[index] -= 1
    return paid


def _event(basket: Basket, change: str, kind: str, time: datetime, data: Event) -> Event:
    return fact(f"commerce.order.{change}", f"{kind}-{basket.id}", basket.household, time, data)


def _money(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"
