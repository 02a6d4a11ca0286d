"""Emissions: how far each shard is published, and how far its log was found whole, as Postgres has it.

What asks the database here raises `asyncpg.PostgresError` or `OSError` where it is away.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import asyncpg

from shared.postgres import Queries

QUERIES = Queries(Path(__file__).parents[1] / "sql" / "emissions.sql")


class RecordedProgress(NamedTuple):
    """How far a shard is published, how far its log was found whole, and to which offset it was looked at."""

    shard: int
    emitted: int
    whole_to: int
    looked_to: int


async def recorded(session: asyncpg.Connection, shards: Iterable[int]) -> list[RecordedProgress]:
    """What is recorded of these shards."""
    return [RecordedProgress(*row) for row in await session.fetch(QUERIES["emitted"], sorted(shards))]


async def record_emitted(session: asyncpg.Connection, positions: Mapping[int, int]) -> None:
    """Record up to which position shards are published; it never goes back."""
    await session.execute(QUERIES["record_emitted"], list(positions), list(positions.values()))


async def record_lost(session: asyncpg.Connection, positions: Mapping[int, int]) -> None:
    """Record that logs have lost what came after these positions: the one case in which it goes back."""
    await session.execute(QUERIES["record_lost"], list(positions), list(positions.values()))


async def record_check(session: asyncpg.Connection, checked: Iterable[tuple[RecordedProgress, int, int]]) -> None:
    """Record the position up to which each log was found whole, and the offset, unless another has done so since."""
    rows = [(one.shard, one.whole_to, one.looked_to, position, offset) for one, position, offset in checked]
    if rows:
        await session.execute(QUERIES["record_look"], *map(list, zip(*rows, strict=True)))
