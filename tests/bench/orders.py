"""Orders to measure with: four lines of about 600 bytes, members by a skewed draw; the same for the same seed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import msgspec

from shared.broker import Outgoing, producer, publish
from shared.facts.builders import Publisher
from shared.facts.orders import OrderPaid
from shared.shards import member_key, shard_of

PROGRAM = "bench"
SHOP = Publisher(PROGRAM, "shop")
BEGAN = datetime(2025, 1, 1, tzinfo=UTC)
STEP = timedelta(seconds=20)
CATEGORIES = ("GROCERY", "PRODUCE", "DELI", "DRUG", "FUEL")
CHUNK = 20_000

_encode = msgspec.json.Encoder().encode


def orders(count: int, *, members: int, seed: int) -> Iterator[tuple[str, datetime, bytes]]:
    """Yield (member, when, value) of `count` orders in the order of their time."""
    draw = random.Random(seed)  # noqa: S311 - the same data for the same seed is the point
    for number in range(count):
        member = f"m-{int(members * draw.random() ** 2):06d}"
        when = BEGAN + number * STEP
        yield member, when, _encode(_order(number, member, when, draw))


def _order(number: int, member: str, when: datetime, draw: random.Random) -> dict[str, object]:
    lines = [
        {
            "line_id": str(line),
            "sku": f"sku-{draw.randrange(5000)}",
            "quantity": 1,
            "subtotal": f"{draw.randrange(1, 40)}.{draw.randrange(100):02d}",
            "discount": "0.00",
            "categories": [draw.choice(CATEGORIES)],
        }
        for line in range(1, 5)
    ]
    data = {"order_id": f"o-{number:08d}", "currency": "EUR", "lines": lines}
    return SHOP.event(OrderPaid.TYPE, data, id=f"e-{number:08d}", member=member, time=when)


async def fill(bootstrap_servers: str, topic: str, count: int, *, members: int, seed: int, shards: int) -> None:
    """Publish the orders into `topic`, keyed and timed as a well-behaved platform does."""
    to = producer(bootstrap_servers, "bench-fill")
    try:
        await to.start()
        waiting: dict[int, list[Outgoing]] = {}
        for number, (member, when, value) in enumerate(orders(count, members=members, seed=seed), start=1):
            record = Outgoing(member_key(PROGRAM, member).encode(), value, (), int(when.timestamp() * 1000))
            waiting.setdefault(shard_of(PROGRAM, member, shards), []).append(record)
            if number % CHUNK == 0:
                await publish(to, topic, waiting)
                waiting = {}
        await publish(to, topic, waiting)
    finally:
        await to.stop()
