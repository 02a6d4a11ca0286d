"""Generations: one full set of the read models' tables is made, shown by the views, and dropped."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import asyncpg

from services.projections.models import Model, StateModel
from shared.postgres import Queries

QUERIES = Queries(Path(__file__).parent / "sql" / "generations.sql")


async def create(session: asyncpg.Connection, generation: int, models: Iterable[Model]) -> None:
    """Make the empty tables of a generation, without keys."""
    async with session.transaction():
        await session.execute(QUERIES.filled("create_positions", generation=generation))
        for model in models:
            await session.execute(model.text("table", generation))
            await session.execute(QUERIES.filled("grant", table=model.name, generation=generation))
            if isinstance(model, StateModel):
                await session.execute(QUERIES.filled("grant_update", table=model.name, generation=generation))


async def add_keys(session: asyncpg.Connection, generation: int, models: Iterable[Model]) -> None:
    """Build the primary keys of a generation."""
    keys = {"positions": ("partition",)} | {model.name: model.key for model in models}
    for table, key in keys.items():
        await session.execute(QUERIES.filled("add_key", table=table, generation=generation, key=", ".join(key)))


async def show(session: asyncpg.Connection, generation: int, models: Iterable[Model]) -> None:
    """Put the views over a generation. Replacing a view keeps the views over it."""
    for model in models:
        await session.execute(model.text("view", generation))


async def there(session: asyncpg.Connection) -> list[int]:
    """The generations that have tables."""
    return [row["generation"] for row in await session.fetch(QUERIES["generations"])]


async def analyze(session: asyncpg.Connection, generation: int) -> None:
    """Have Postgres learn what the tables of a generation hold."""
    await session.execute(QUERIES.filled("analyze", tables=await _tables(session, generation)))


async def drop(session: asyncpg.Connection, generation: int) -> None:
    """Drop the tables of a generation that no view shows."""
    if tables := await _tables(session, generation):
        await session.execute(QUERIES.filled("drop_tables", tables=tables))


async def _tables(session: asyncpg.Connection, generation: int) -> str:
    """All of them, also of read models that this code doesn't know."""
    return ", ".join([row["name"] for row in await session.fetch(QUERIES["tables"], generation)])
