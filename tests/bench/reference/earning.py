"""The minimal earning loop: orders in, one transaction a batch, a hash-chained journal, point events out.

`python -m tests.bench.reference.earning BOOTSTRAP DSN ORDERS_TOPIC POINTS_TOPIC SHARDS` prints `rate=…` (orders/s).
"""

from __future__ import annotations

import asyncio
import sys
import time
from dataclasses import dataclass, field
from hashlib import blake2b

import asyncpg
import msgspec
import uvloop

from shared.broker import Outgoing, producer, publish
from shared.money import MICROS, micros
from tests.bench.reference.reading import Fetch, read_whole

BATCH = 4000
SCHEMA = """
DROP SCHEMA IF EXISTS reference CASCADE;
CREATE SCHEMA reference;
CREATE TABLE reference.shards (shard int PRIMARY KEY, position bigint NOT NULL, chain bytea NOT NULL);
CREATE TABLE reference.fences (partition int PRIMARY KEY, stored bigint NOT NULL, applied bigint NOT NULL);
CREATE TABLE reference.standings (member text PRIMARY KEY, available bigint, earned bigint, sequence bigint)
    WITH (fillfactor = 70);
CREATE TABLE reference.awards (source text, id text, member text, body bytea, PRIMARY KEY (source, id));
CREATE TABLE reference.lots (member text, lot bigint, remaining bigint, PRIMARY KEY (member, lot));
CREATE TABLE reference.journal (shard int, position bigint, bytes bytea, PRIMARY KEY (shard, position));
"""
UPSERT = """
INSERT INTO reference.standings SELECT * FROM changed ON CONFLICT (member) DO UPDATE
SET available = excluded.available, earned = excluded.earned, sequence = excluded.sequence
"""
MOVE_SHARDS = """
UPDATE reference.shards s SET position = n.position, chain = n.chain
FROM unnest($1::int[], $2::bigint[], $3::bytea[]) AS n (shard, position, chain) WHERE s.shard = n.shard
"""
MOVE_FENCES = """
INSERT INTO reference.fences AS f SELECT * FROM unnest($1::int[], $2::bigint[], $3::bigint[])
ON CONFLICT (partition) DO UPDATE SET stored = excluded.stored, applied = f.applied + excluded.applied
"""


class Line(msgspec.Struct):
    """What the trivial rule reads of a line."""

    line_id: str
    subtotal: str


class Data(msgspec.Struct):
    """What the trivial rule reads of an order."""

    order_id: str
    lines: list[Line]


class Order(msgspec.Struct):
    """What the trivial rule reads of an order's envelope."""

    id: str
    source: str
    type: str
    subject: str
    time: str
    program: str
    data: Data


@dataclass
class Changes:
    """What one batch writes."""

    journal: list[tuple[int, int, bytes]] = field(default_factory=list)
    awards: list[tuple[str, str, str, bytes]] = field(default_factory=list)
    lots: list[tuple[str, int, int]] = field(default_factory=list)
    standings: dict[str, list[int]] = field(default_factory=dict)
    events: dict[int, list[Outgoing]] = field(default_factory=dict)


decode = msgspec.json.Decoder(Order).decode
encode = msgspec.json.Encoder().encode


def decide(shard: int, order: Order, place: list[int], standing: list[int], chain: bytes, into: Changes) -> bytes:
    """One point for each unit of money; gives the hash of the event's bytes."""
    points = sum(micros(line.subtotal) for line in order.data.lines) // MICROS
    standing[0] += points
    standing[1] += points
    standing[2] += 1
    place[0] += 1
    value = encode(
        {
            "specversion": "1.0",
            "id": f"{order.program}/{order.subject}/{standing[2]}",
            "source": "reference",
            "type": "points.earned",
            "subject": order.subject,
            "time": order.time,
            "program": order.program,
            "data": {
                "position": place[0],
                "chain": chain.hex(),
                "sequence": standing[2],
                "cause": {"type": order.type, "id": order.id, "source": order.source},
                "points": points,
                "balances": {"available": standing[0], "earned": standing[1]},
                "postings": {"available": points, "earned": -points},
                "rules": [{"rule": "base", "rate": "1", "points": points}],
                "fact": order.data,
            },
        }
    )
    into.journal.append((shard, place[0], value))
    into.awards.append((order.source, order.data.order_id, order.subject, value[:240]))
    into.lots.append((order.subject, standing[2], points))
    into.events.setdefault(shard, []).append(Outgoing(f"{order.program}/{order.subject}".encode(), value))
    return blake2b(value, digest_size=16).digest()


async def write(session: asyncpg.Connection, fetch: Fetch) -> Changes:
    """Load, decide and save one batch in one transaction; gives what is to be published."""
    decoded = [(place.partition, decode(record.value)) for place, records in fetch.items() for record in records]
    shards = sorted({shard for shard, _ in decoded})
    members = list({order.subject for _, order in decoded})
    changes = Changes()
    async with session.transaction():
        rows = await session.fetch(
            "SELECT * FROM reference.shards WHERE shard = ANY($1) ORDER BY shard FOR UPDATE", shards
        )
        places = {row["shard"]: [row["position"]] for row in rows}
        chains = {row["shard"]: row["chain"] for row in rows}
        known = await session.fetch("SELECT * FROM reference.standings WHERE member = ANY($1)", members)
        await session.fetch(
            "SELECT * FROM reference.awards WHERE source = 'shop' AND id = ANY($1)",
            [order.data.order_id for _, order in decoded],
        )
        changes.standings = {row["member"]: [row["available"], row["earned"], row["sequence"]] for row in known}
        for shard, order in decoded:
            standing = changes.standings.setdefault(order.subject, [0, 0, 0])
            chains[shard] = decide(shard, order, places[shard], standing, chains[shard], changes)
        await save(session, changes)
        await session.execute(MOVE_SHARDS, list(places), [place[0] for place in places.values()], list(chains.values()))
        await session.execute(
            MOVE_FENCES,
            [place.partition for place in fetch],
            [records[-1].offset + 1 for records in fetch.values()],
            [len(records) for records in fetch.values()],
        )
    return changes


async def save(session: asyncpg.Connection, changes: Changes) -> None:
    """Write the batch's rows."""
    await session.copy_records_to_table("journal", schema_name="reference", records=changes.journal)
    await session.copy_records_to_table("awards", schema_name="reference", records=changes.awards)
    await session.copy_records_to_table("lots", schema_name="reference", records=changes.lots)
    rows = [(member, *values) for member, values in changes.standings.items()]
    await session.copy_records_to_table("changed", records=rows)
    await session.execute(UPSERT)


async def run(bootstrap_servers: str, dsn: str, orders_topic: str, points_topic: str, shards: int) -> float:
    """Take the whole topic through the loop; gives orders per second."""
    session = await asyncpg.connect(dsn)
    await session.execute(SCHEMA)
    await session.execute("INSERT INTO reference.shards SELECT s, 0, '' FROM generate_series(0, $1::int - 1) s", shards)
    await session.execute("CREATE TEMP TABLE changed (LIKE reference.standings) ON COMMIT DELETE ROWS")
    to = producer(bootstrap_servers, "reference-earning")
    await to.start()
    relayed, orders, began = None, 0, time.perf_counter()
    async for fetch in read_whole(bootstrap_servers, orders_topic, list(range(shards)), BATCH):
        changes = await write(session, fetch)
        if relayed:
            await relayed
        relayed = asyncio.ensure_future(publish(to, points_topic, changes.events))
        orders += len(changes.journal)
    if relayed:
        await relayed
    seconds = time.perf_counter() - began
    await to.stop()
    await session.close()
    return orders / seconds


def main() -> None:
    """Read the places from the command line, print the rate."""
    bootstrap_servers, dsn, orders_topic, points_topic, shards = sys.argv[1:]
    rate = uvloop.run(run(bootstrap_servers, dsn, orders_topic, points_topic, int(shards)))
    sys.stdout.write(f"rate={rate:.0f}\n")


if __name__ == "__main__":
    main()
