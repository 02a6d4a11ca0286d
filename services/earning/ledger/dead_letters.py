"""Dead letters: inputs that could not be decoded or decided, kept as they came; later given again, or discarded.

What asks the database here raises `asyncpg.PostgresError` or `OSError` where it is away.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import asyncpg
from aiokafka import AIOKafkaProducer

from services.earning.ledger.batch import Input, Span
from shared import broker
from shared.broker import Outgoing
from shared.dead_letters import COLUMNS, DeadLetter, DeadLetterTable, StoredDeadLetter
from shared.errors import PermanentError
from shared.postgres import Queries
from shared.reasons import Reason

QUERIES = Queries(Path(__file__).parents[1] / "sql" / "dead_letters.sql")

SERVICE = "earning"
RETRIED_AT_ONCE = 500

TABLE = DeadLetterTable(QUERIES, SERVICE)
"""What an operator asks and does about them; their role is `earning`."""


def internal_error(error: BaseException) -> PermanentError:
    """A fault of ours, as the reason of a dead letter."""
    return PermanentError(Reason.INTERNAL_ERROR, f"{type(error).__name__}: {error}")


async def write(session: asyncpg.Connection, spans: Iterable[Span]) -> None:
    """Put those of the inputs that have an error into the table, in the transaction that moves the fences past them."""
    rows = [(*_row(one, one.error), span.log) for span in spans for one in span.inputs if one.error is not None]
    if rows:
        columns = (*COLUMNS, "log")
        await session.copy_records_to_table("dead_letters", schema_name="earning", columns=columns, records=rows)


def _row(one: Input, error: PermanentError) -> tuple[Any, ...]:
    return DeadLetter.of(error, service=SERVICE, record=one, received_at=one.received_at).to_row()


def read(row: Iterable[Any]) -> DeadLetter:
    """A row of the table, with the columns of `COLUMNS`, as the dead letter it is."""
    return DeadLetter.from_row(row, service=SERVICE)


async def now(session: asyncpg.Connection) -> datetime:
    """The present, by the clock that says when dead letters were recorded."""
    at: datetime = await session.fetchval(QUERIES["now"])
    return at


async def retry(
    session: asyncpg.Connection, producer: AIOKafkaProducer, letters: Sequence[StoredDeadLetter], *, history: bool
) -> None:
    """Publish the original records again, then note that they were; a failure in between gives some twice.

    With `history` they keep their own timestamps; else they arrive now.
    """
    records: dict[str, dict[int, list[Outgoing]]] = defaultdict(lambda: defaultdict(list))
    for letter in (stored.letter for stored in letters):
        timestamp_ms = int(letter.received_at.timestamp() * 1000) if history else None
        record = Outgoing(letter.key, letter.value, letter.headers, timestamp_ms)
        records[letter.topic][letter.partition].append(record)
    for topic, partitions in records.items():
        await broker.publish(producer, topic, partitions)
    places = zip(*((*stored.location, stored.log) for stored in letters), strict=True)
    await session.execute(QUERIES["mark_retried"], *map(list, places))


async def retry_all(session: asyncpg.Connection, producer: AIOKafkaProducer, reason: str, *, history: bool) -> int:
    """Give all open ones of a reason again; what fails again meanwhile is for another time. Gives how many."""
    count, begun = 0, await now(session)
    while rows := await session.fetch(QUERIES["to_retry"], reason, begun, RETRIED_AT_ONCE):
        letters = [StoredDeadLetter.from_row(row, service=SERVICE) for row in rows]
        await retry(session, producer, letters, history=history)
        count += len(letters)
    return count


async def to_relay(session: asyncpg.Connection, at_most: int) -> list[tuple[DeadLetter, int]]:
    """The oldest dead letters that are not on their topic yet, each with the number of its log."""
    return [(read(row[:-1]), row["log"]) for row in await session.fetch(QUERIES["to_relay"], at_most)]


async def record_relayed(session: asyncpg.Connection, letters: Sequence[tuple[DeadLetter, int]]) -> None:
    """Record that these are on their topic."""
    places = ((letter.topic, letter.partition, letter.offset, log) for letter, log in letters)
    await session.execute(QUERIES["record_relayed"], *map(list, zip(*places, strict=True)))
