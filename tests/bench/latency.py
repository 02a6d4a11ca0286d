"""End-to-end latency: from the call that publishes an order to its line in the history, at a fixed rate."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from statistics import quantiles

import asyncpg

from shared.broker import Outgoing, producer
from shared.shards import member_key, shard_of
from tests.bench.orders import PROGRAM, orders

POLL_S = 0.002
WARM_UP = 50
"""Orders that are not counted, and are waited for: leases, connections, plans and caches are made for them."""

_NEW = "SELECT member FROM loyalty.history WHERE program = $1 AND source = 'latency' AND member = ANY($2)"


async def latencies(
    bootstrap_servers: str, session: asyncpg.Connection, topic: str, shards: int, *, rate: int, seconds: int
) -> list[float]:
    """Seconds from publishing to visible, sorted, of an order each for `rate` × `seconds` new members."""
    to = producer(bootstrap_servers, "bench-latency")
    await to.start()
    sent: dict[str, float] = {}
    seen: dict[str, float] = {}
    count = WARM_UP + rate * seconds
    warm = asyncio.Event()
    watching = asyncio.create_task(_watch(session, sent, seen, count, warm))
    try:
        began = time.perf_counter()
        for number, (_, _, value) in enumerate(orders(count, members=1, seed=3)):
            if number == WARM_UP:
                await warm.wait()
                began = time.perf_counter() - number / rate
            await asyncio.sleep(max(0.0, began + number / rate - time.perf_counter()))
            member = f"latency-{number:06d}"
            record = _now(value, member)
            sent[member] = time.perf_counter()
            await to.send(topic, record.value, key=record.key, partition=shard_of(PROGRAM, member, shards))
        await watching
    finally:
        watching.cancel()
        await to.stop()
    counted = [f"latency-{number:06d}" for number in range(WARM_UP, count)]
    return sorted(seen[member] - sent[member] for member in counted)


def _now(value: bytes, member: str) -> Outgoing:
    """The order as one of this moment, of a member of its own and a shop of its own."""
    moment = datetime.now(UTC).isoformat().encode()
    value = value.replace(b'"m-000000"', f'"{member}"'.encode()).replace(b'"source":"shop"', b'"source":"latency"')
    head, _, rest = value.partition(b'"time":"')
    return Outgoing(member_key(PROGRAM, member).encode(), head + b'"time":"' + moment + b'"' + rest.partition(b'"')[2])


async def _watch(
    session: asyncpg.Connection, sent: dict[str, float], seen: dict[str, float], count: int, warm: asyncio.Event
) -> None:
    while len(seen) < count:
        waiting = [member for member in sent if member not in seen]
        rows = await session.fetch(_NEW, PROGRAM, waiting)
        now = time.perf_counter()
        for row in rows:
            seen.setdefault(row["member"], now)
        if len(seen) >= WARM_UP:
            warm.set()
        await asyncio.sleep(POLL_S)


def percentiles(sorted_seconds: list[float]) -> tuple[float, float]:
    """p50 and p99, in milliseconds."""
    cuts = quantiles(sorted_seconds, n=100)
    return 1e3 * cuts[49], 1e3 * cuts[98]
