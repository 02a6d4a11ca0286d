"""Dead letters of the points topic: rows of the folding transaction, relayed at least once; later discarded."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import asyncpg
from aiokafka import AIOKafkaProducer

from services.projections.decode import SERVICE
from shared.broker import publish
from shared.dead_letters import DeadLetter, DeadLetterTable
from shared.postgres import Queries

CHUNK = 100
_SQL = Path(__file__).parent / "sql"
_QUERIES = Queries(_SQL / "store.sql")

TABLE = DeadLetterTable(Queries(_SQL / "dead_letters.sql"), SERVICE)
"""What an operator asks and does about them; their role is `projector`."""


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
