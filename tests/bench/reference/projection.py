"""The minimal live projection and the minimal rebuild of the same point events: balances, tiers, history, positions.

`python -m tests.bench.reference.projection live|rebuild BOOTSTRAP DSN POINTS_TOPIC SHARDS` prints `rate=…` (events/s).
"""

from __future__ import annotations

import asyncio
import sys
import time
from datetime import datetime

import asyncpg
import msgspec
import uvloop

from tests.bench.reference.reading import Fetch, read_whole

BATCH = 5000
TABLES = """
DROP SCHEMA IF EXISTS reference CASCADE;
CREATE SCHEMA reference;
CREATE TABLE reference.positions (partition int PRIMARY KEY, position bigint NOT NULL);
CREATE TABLE reference.history (partition int, position bigint, program text, member text, sequence bigint, type text,
    points bigint, available bigint, source text, id text, occurred_at timestamptz, decided_at timestamptz);
CREATE TABLE reference.balances (program text, member text, available bigint, earned bigint, reversed bigint,
    sequence bigint, updated_at timestamptz) WITH (fillfactor = 70);
CREATE TABLE reference.tiers (program text, member text, tier text, since timestamptz);
"""
KEYS = (
    "ALTER TABLE reference.history ADD PRIMARY KEY (program, member, sequence)",
    "ALTER TABLE reference.balances ADD PRIMARY KEY (program, member)",
    "ALTER TABLE reference.tiers ADD PRIMARY KEY (program, member)",
)
UPSERT_BALANCES = """
INSERT INTO reference.balances SELECT * FROM changed_balances ON CONFLICT (program, member) DO UPDATE SET
available = excluded.available, earned = excluded.earned, reversed = excluded.reversed, sequence = excluded.sequence,
updated_at = excluded.updated_at
"""
UPSERT_TIERS = """
INSERT INTO reference.tiers SELECT * FROM changed_tiers ON CONFLICT (program, member) DO UPDATE
SET tier = excluded.tier, since = excluded.since
"""
MOVE = """
UPDATE reference.positions p SET position = n.position
FROM unnest($1::int[], $2::bigint[]) AS n (partition, position) WHERE p.partition = n.partition
"""


class Balances(msgspec.Struct):
    """What a balance row keeps."""

    available: int = 0
    earned: int = 0
    reversed: int = 0


class Cause(msgspec.Struct):
    """What a history row keeps of the cause."""

    source: str
    id: str


class Data(msgspec.Struct):
    """What the rows keep of a point event."""

    program: str
    member: str
    position: int
    sequence: int
    occurred_at: datetime
    decided_at: datetime
    cause: Cause
    balances: Balances
    points: int = 0
    after: str | None = None


class Event(msgspec.Struct):
    """A point event."""

    type: str
    data: Data


Rows = tuple[
    list[tuple[object, ...]], dict[tuple[str, str], tuple[object, ...]], dict[tuple[str, str], tuple[object, ...]]
]

decode = msgspec.json.Decoder(Event).decode


def fold(fetch: Fetch) -> Rows:
    """History rows, and the last balance and tier of each member."""
    history: list[tuple[object, ...]] = []
    balances: dict[tuple[str, str], tuple[object, ...]] = {}
    tiers: dict[tuple[str, str], tuple[object, ...]] = {}
    for place, records in fetch.items():
        for record in records:
            event = decode(record.value)
            d, b = event.data, event.data.balances
            history.append((place.partition, d.position, d.program, d.member, d.sequence, event.type, d.points,
                            b.available, d.cause.source, d.cause.id, d.occurred_at, d.decided_at))  # fmt: skip
            member = (d.program, d.member)
            balances[member] = (*member, b.available, b.earned, b.reversed, d.sequence, d.decided_at)
            if d.after is not None:
                tiers[member] = (*member, d.after, d.decided_at)
    return history, balances, tiers


async def store(session: asyncpg.Connection, fetch: Fetch, rows: Rows) -> None:
    """One transaction: history, balances, tiers, positions."""
    history, balances, tiers = rows
    async with session.transaction():
        await session.copy_records_to_table("history", schema_name="reference", records=history)
        await session.copy_records_to_table("changed_balances", records=balances.values())
        await session.execute(UPSERT_BALANCES)
        if tiers:
            await session.copy_records_to_table("changed_tiers", records=tiers.values())
            await session.execute(UPSERT_TIERS)
        moved = [(place.partition, records[-1].offset) for place, records in fetch.items()]
        await session.execute(MOVE, *(list(column) for column in zip(*moved, strict=True)))


async def live(bootstrap_servers: str, dsn: str, topic: str, shards: int) -> float:
    """Project the whole topic as a live projection does; gives events per second."""
    session = await asyncpg.connect(dsn)
    for statement in (TABLES, *KEYS):
        await session.execute(statement)
    await session.execute("INSERT INTO reference.positions SELECT p, -1 FROM generate_series(0, $1::int - 1) p", shards)
    for table in ("balances", "tiers"):
        await session.execute(f"CREATE TEMP TABLE changed_{table} (LIKE reference.{table}) ON COMMIT DELETE ROWS")
    writing, events, began = None, 0, time.perf_counter()
    async for fetch in read_whole(bootstrap_servers, topic, list(range(shards)), BATCH):
        rows = fold(fetch)
        if writing:
            await writing
        writing = asyncio.ensure_future(store(session, fetch, rows))
        events += len(rows[0])
        await asyncio.sleep(0)
    if writing:
        await writing
    seconds = time.perf_counter() - began
    await session.close()
    return events / seconds


async def rebuild(bootstrap_servers: str, dsn: str, topic: str, shards: int) -> float:
    """Fold the whole topic in memory, copy, and make the keys afterwards; gives events per second."""
    session = await asyncpg.connect(dsn)
    await session.execute(TABLES)
    balances: dict[tuple[str, str], tuple[object, ...]] = {}
    tiers: dict[tuple[str, str], tuple[object, ...]] = {}
    writing, events, began = None, 0, time.perf_counter()
    async for fetch in read_whole(bootstrap_servers, topic, list(range(shards)), BATCH):
        history, latest, risen = fold(fetch)
        balances |= latest
        tiers |= risen
        events += len(history)
        if writing:
            await writing
        writing = asyncio.ensure_future(
            session.copy_records_to_table("history", schema_name="reference", records=history)
        )
        await asyncio.sleep(0)
    if writing:
        await writing
    await session.copy_records_to_table("balances", schema_name="reference", records=balances.values())
    await session.copy_records_to_table("tiers", schema_name="reference", records=tiers.values())
    await session.execute("SET maintenance_work_mem = '256MB'")
    for statement in KEYS:
        await session.execute(statement)
    seconds = time.perf_counter() - began
    await session.close()
    return events / seconds


def main() -> None:
    """Read the places from the command line, print the rate."""
    mode, bootstrap_servers, dsn, topic, shards = sys.argv[1:]
    loop = {"live": live, "rebuild": rebuild}[mode]
    rate = uvloop.run(loop(bootstrap_servers, dsn, topic, int(shards)))
    sys.stdout.write(f"rate={rate:.0f}\n")


if __name__ == "__main__":
    main()
