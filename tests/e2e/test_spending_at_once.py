"""Spending at once: what many requests for the same points come to, whoever sends them and wherever they arrive."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import asyncpg
import msgspec

from shared.broker import Outgoing
from shared.facts import builders
from shared.shards import shard_of
from tests.e2e import shop
from tests.e2e.pipeline import Pipeline
from tests.support.builders.programs import ONE_A_EURO, document

MEMBER = "m-spends"
REQUESTS, PRODUCERS, COVERED = 500, 5, 100
AT = datetime.now(UTC) - timedelta(minutes=10)  # topics keep what is of today
DOCUMENT = document(ONE_A_EURO)


def fact(kind: str, name: str, data: dict[str, object]) -> bytes:
    """A fact of the one member."""
    told = shop.SHOP.event(f"{kind}.v1", data, id=f"e-{name}", member=MEMBER, time=AT)
    return msgspec.json.encode(told)


def record(value: bytes, *, minutes: int = 0) -> Outgoing:
    return builders.record(value, shop.PROGRAM, MEMBER, AT + timedelta(minutes=minutes))


async def test_points_for_a_hundred_of_five_hundred_requests_are_spent_a_hundred_times(pipeline: Pipeline) -> None:
    await pipeline.prepare(DOCUMENT)
    lines = [{"line_id": "1", "sku": "tea", "quantity": 1, "subtotal": "100.00"}]
    orders = [
        record(fact("commerce.order.paid", f"o-{n}", {"order_id": f"o-{n}", "currency": "EUR", "lines": lines}))
        for n in range(10)
    ]
    home = shard_of(shop.PROGRAM, MEMBER, pipeline.shards)
    await pipeline.publish({home: orders})
    pipeline.start("earning", {"EARNING_BATCH": "40"})
    pipeline.start("earning", {"EARNING_BATCH": "40"}, number=2)
    pipeline.start("projections", {})
    await pipeline.decided(len(orders))

    requests = [
        record(fact("loyalty.redemption.requested", f"r-{n}", {"redemption_id": f"r-{n}", "points": 10}), minutes=1)
        for n in range(REQUESTS)
    ]
    # Each producer sends its share to all partitions: most of them are not the member's own.
    for producer in range(PRODUCERS):
        own = requests[producer::PRODUCERS]
        spread = {number: own[number :: pipeline.shards] for number in range(pipeline.shards)}
        await pipeline.publish(spread, pipeline.topics.commands)
    await pipeline.settled(len(orders) + REQUESTS)

    session = await asyncpg.connect(pipeline.dsn)
    try:
        statuses = await session.fetch(
            "SELECT status, reason, count(*), sum(points)::int FROM loyalty.redemptions GROUP BY 1, 2 ORDER BY 1"
        )
        balances = await session.fetch("SELECT available, deficit, redeemed FROM loyalty.balances")
        lots = await session.fetchval("SELECT sum(remaining)::int FROM earning.lots")
        counts = await session.fetch("SELECT sum(applied)::int, sum(rejected)::int FROM earning.fences")
    finally:
        await session.close()
    assert [tuple(row) for row in statuses] == [
        ("redeemed", None, COVERED, COVERED * 10),
        ("rejected", "insufficient_points", REQUESTS - COVERED, 0),
    ]
    assert [tuple(row) for row in balances] == [(0, 0, COVERED * 10)]
    assert lots == 0
    assert [tuple(row) for row in counts] == [(len(orders) + COVERED, REQUESTS - COVERED)]
