"""A shop that misbehaves as shops do: orders, partial refunds, cancels, updates, facts twice and out of order.

The same facts for the same seed, with timestamps of their own, so that two runs over them can be compared line by line.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import msgspec

from shared.broker import Outgoing
from shared.facts.builders import Publisher, record
from shared.shards import shard_of
from tests.support.builders.programs import GROCER, document
from tests.support.builders.sending import by_partition

PROGRAM = "shop"
SHOP = Publisher(PROGRAM, "shop-eu")
DOCUMENT = document(
    GROCER,
    """
tiers:
  measure: points_earned
  window: calendar_year
  levels:
    - {id: bronze}
    - {id: silver, threshold: 300, multiplier: 1.25}
    - {id: gold, threshold: 900, multiplier: 1.5}
""",
)
BEGAN = datetime(2025, 11, 1, tzinfo=UTC)
STEP = timedelta(minutes=20)


class Said(NamedTuple):
    """One record of the shop: whose, when it was received, and its bytes."""

    member: str
    received_at: datetime
    value: bytes


def facts(orders: int, *, members: int = 60, seed: int = 7) -> list[Said]:
    """`orders` orders with what follows of them; about a third more facts than orders, in order of arrival."""
    draw = random.Random(seed)  # noqa: S311 - the same facts for the same seed is the point
    said: list[Said] = []
    for number in range(orders):
        at = BEGAN + number * STEP
        member = f"m-{int(members * draw.random() ** 2):04d}"
        said += life_of_an_order(number, member, at, draw)
    return sorted(said, key=lambda one: one.received_at)


def life_of_an_order(number: int, member: str, at: datetime, draw: random.Random) -> Iterator[Said]:
    """An order and what follows of it, mostly in order of time: perhaps sent twice, refunded, cancelled or updated."""
    order = _order(number, draw)
    paid = _event(number, "paid", member, at, order)
    yield Said(member, at, paid)
    if draw.random() < 0.05:  # a platform that sends twice
        yield Said(member, at + timedelta(minutes=draw.randrange(600)), paid)
    fate = draw.random()
    later = at + timedelta(hours=draw.randrange(1, 900))
    if fate < 0.12:
        for part in range(draw.choice((1, 1, 2))):
            refund = {"order_id": order["order_id"], "refund_id": f"r-{number}-{part}", **_refunded(order, part, draw)}
            # One in eight is told before its order arrives.
            received = at - timedelta(minutes=3) if draw.random() < 0.12 else later + timedelta(days=part)
            occurred = min(received, later)
            yield Said(member, received, _event(number, f"refunded-{part}", member, occurred, refund))
    elif fate < 0.15:
        yield Said(member, later, _event(number, "cancelled", member, later, {"order_id": order["order_id"]}))
    elif fate < 0.20:
        bigger = order | {"lines": [*order["lines"], _line(9, draw)], "status": "paid", "refunds": []}
        yield Said(member, later, _event(number, "updated", member, later, bigger))


def _order(number: int, draw: random.Random) -> dict[str, Any]:
    lines = [_line(line, draw) for line in range(1, draw.randrange(2, 6))]
    order: dict[str, Any] = {"order_id": f"o-{number:06d}", "currency": "EUR", "lines": lines}
    if draw.random() < 0.2:
        order["discount"] = f"{draw.randrange(1, 4)}.{draw.randrange(100):02d}"
    return order


def _line(line: int, draw: random.Random) -> dict[str, Any]:
    return {
        "line_id": str(line),
        "sku": f"sku-{draw.randrange(500)}",
        "quantity": draw.randrange(1, 4),
        "subtotal": f"{draw.randrange(4, 40)}.{draw.randrange(100):02d}",
        "categories": [draw.choice(("FRESH", "DRY", "HOUSE"))],
    }


def _refunded(order: dict[str, Any], part: int, draw: random.Random) -> dict[str, Any]:
    lines = order["lines"]
    if draw.random() < 0.5:
        line = lines[part % len(lines)]
        return {"lines": [{"line_id": line["line_id"], "amount": line["subtotal"], "quantity": line["quantity"]}]}
    return {"amount": f"{draw.randrange(1, 15)}.{draw.randrange(100):02d}"}


def _event(number: int, what: str, member: str, at: datetime, data: dict[str, Any]) -> bytes:
    kind = what.partition("-")[0]
    event = SHOP.event(f"commerce.order.{kind}.v1", data, id=f"e-{number}-{what}", member=member, time=at)
    return msgspec.json.encode(event)


def records(said: list[Said], shards: int, program: str = PROGRAM) -> dict[int, list[Outgoing]]:
    """A program's facts as records by partition, keyed and timed as a well-behaved publisher does."""
    return by_partition(
        (shard_of(program, member, shards), record(value, program, member, received_at))
        for member, received_at, value in said
    )
