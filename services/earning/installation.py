"""The installation: its number of shards, fixed at the first start, and refused when the topics have another."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import asyncpg

from shared.errors import ConfigurationError
from shared.postgres import Queries

QUERIES = Queries(Path(__file__).parent / "sql" / "installation.sql")

Database = tuple[int, datetime]
"""Which database, and since when its server runs."""


async def install(session: asyncpg.Connection, shards: int) -> int:
    """Fix the number of shards, and make their rows; gives the number that counts.

    An installation that has one keeps it, whatever is asked for. Anybody may call it, any number of times.
    """
    async with session.transaction():
        await session.execute(QUERIES["install"], shards)
        await session.execute(QUERIES["make_shards"])
        await session.execute(QUERIES["make_emissions"])
        number: int = await session.fetchval(QUERIES["shards"])
    return number


async def shards_of(session: asyncpg.Connection) -> int | None:
    """The installation's number of shards; None: nothing is installed yet."""
    number: int | None = await session.fetchval(QUERIES["shards"])
    return number


async def open_for_work(session: asyncpg.Connection, partitions: Mapping[str, int]) -> int:
    """Make ready for deciding: installation, shards, the journal's months; gives the number of shards.

    `partitions` has the number of partitions of every input topic and of the points topic.

    Raises:
        ConfigurationError: a topic has another number of partitions than the installation has shards.
    """
    shards = await shards_of(session) or max(partitions.values())
    wrong = {topic: number for topic, number in partitions.items() if number != shards}
    if wrong:
        named = ", ".join(f"{topic} has {number}" for topic, number in sorted(wrong.items()))
        raise ConfigurationError(
            f"This installation has {shards} shards, but {named} partitions.",
            cure="Input topics and the points topic need one partition a shard: `tallystick topics create` makes them.",
        )
    await install(session, shards)
    await prepare_journal(session)
    return shards


async def prepare_journal(session: asyncpg.Connection) -> None:
    """Make the journal's partitions of this month and the next two; to be called at the start and once a day."""
    await session.fetchval(QUERIES["prepare_journal"])


async def database_of(session: asyncpg.Connection) -> Database:
    """The database behind a session: another one, or one whose server has started anew, may hold less than it did.

    Raises:
        asyncpg.PostgresError, OSError: Postgres is away.
    """
    ((oid, running_since),) = await session.fetch(QUERIES["database"])
    return oid, running_since
