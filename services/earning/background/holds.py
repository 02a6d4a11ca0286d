"""Holds: while a program's history is being published, and until it is decided, none of its members is swept.

Otherwise a publisher that pauses for a minute would make old facts look like all there is, and points would end that
later facts of the same history spend.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path

import asyncpg
from aiokafka import TopicPartition

from shared.postgres import Queries

QUERIES = Queries(Path(__file__).parents[1] / "sql" / "holds.sql")

TERM = timedelta(minutes=2)
"""How long a hold lasts that isn't renewed: a publisher that died holds nobody for longer."""


async def hold(session: asyncpg.Connection, programs: Sequence[str], holder: str, term: timedelta = TERM) -> None:
    """Begin a hold, or renew it for another term.

    Raises:
        asyncpg.PostgresError, OSError: the hold is as it was.
    """
    await session.execute(QUERIES["hold"], programs, holder, term)


async def hold_to_the_end(
    session: asyncpg.Connection, programs: Sequence[str], holder: str, ends: Mapping[TopicPartition, int]
) -> None:
    """All is published: the hold is over by itself once everything before these offsets is decided.

    Raises:
        asyncpg.PostgresError, OSError: the hold is as it was.
    """
    topics, partitions = [one.topic for one in ends], [one.partition for one in ends]
    await session.execute(QUERIES["hold_to_the_end"], programs, holder, topics, partitions, list(ends.values()))


async def held(session: asyncpg.Connection) -> list[str]:
    """The programs that are held now; holds that are over are cleared away."""
    await session.execute(QUERIES["clear_holds"])
    return [row["program"] for row in await session.fetch(QUERIES["held"])]
