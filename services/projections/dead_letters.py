"""Dead letters of the points topic: rows of the folding transaction, relayed at least once; later discarded."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import asyncpg
from aiokafka import AIOKafkaProducer

from services.projections.decode import SERVICE
from shared.broker import publish
from shared.dead_letters import DeadLetter, RecordLocation, StoredDeadLetter
from shared.postgres import Queries

CHUNK = 100
_SQL = Path(__file__).parent / "sql"
_QUERIES = Queries(_SQL / "store.sql")
_OPERATORS = Queries(_SQL / "dead_letters.sql")


async def add(session: asyncpg.Connection, letters: Sequence[DeadLetter]) -> None:
    """Set records aside; one that already is stays as it was."""
    for letter in letters:
        await session.execute(_QUERIES["add_dead_letter"], *letter.to_row())


async def waiting(session: asyncpg.Connection) -> bool:
    """Whether any dead letter has yet to be relayed."""
    found: bool = await session.fetchval(_QUERIES["dead_letters_wait"])
    return found


async def count_open(session: asyncpg.Connection) -> dict[str, int]:
    """How many nobody has dealt with yet, by reason."""
    return dict(tuple(row) for row in await session.fetch(_QUERIES["open_dead_letters"]))


async def relay(session: asyncpg.Connection, producer: AIOKafkaProducer, topic: str) -> int:
    """Publish up to 100 dead letters that weren't yet, then note that they are; gives how many.

    Raises:
        KafkaError, TimeoutError: the producer is spent; the letters stay to be relayed.
    """
    async with session.transaction():
        rows = await session.fetch(_QUERIES["unrelayed_dead_letters"], CHUNK)
        if rows:
            await publish(producer, topic, {0: [DeadLetter.from_row(row, service=SERVICE).to_record() for row in rows]})
            await session.execute(_QUERIES["mark_relayed"], *map(list, zip(*(row[:3] for row in rows), strict=True)))
    return len(rows)


async def listed(session: asyncpg.Connection, reason: str | None, *, every: bool, limit: int) -> list[asyncpg.Record]:
    """The newest, at most so many: the open ones, or `every` one."""
    rows: list[asyncpg.Record] = await session.fetch(_OPERATORS["list"], reason, every, limit)
    return rows


async def counts(session: asyncpg.Connection) -> list[asyncpg.Record]:
    """By reason: how many there are, not relayed, retried, discarded; those with the most open ones first."""
    rows: list[asyncpg.Record] = await session.fetch(_OPERATORS["counts"])
    return rows


async def find(session: asyncpg.Connection, location: RecordLocation) -> StoredDeadLetter | None:
    """The dead letter of a record, if there is one."""
    row = await session.fetchrow(_OPERATORS["find"], *location)
    return None if row is None else StoredDeadLetter.from_row(row, service=SERVICE)


async def discard(session: asyncpg.Connection, stored: StoredDeadLetter, why: str) -> None:
    """Note that nothing comes of it, if it is open."""
    await session.execute(_OPERATORS["discard"], *stored.location, why)


async def count_open_until(session: asyncpg.Connection, reason: str, at: datetime) -> int:
    """The open ones of a reason that were recorded until then."""
    count: int = await session.fetchval(_OPERATORS["count_open"], reason, at)
    return count


async def discard_all(session: asyncpg.Connection, reason: str, at: datetime, why: str) -> int:
    """Note that nothing comes of the open ones of a reason that were recorded until then; gives how many."""
    count: int = await session.fetchval(_OPERATORS["discard_all"], reason, at, why)
    return count


async def republish(session: asyncpg.Connection) -> int:
    """Have every one put on the dead-letter topic again; gives how many."""
    count: int = await session.fetchval(_OPERATORS["republish"])
    return count
