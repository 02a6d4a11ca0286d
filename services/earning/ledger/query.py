"""Reading earning's books: how far it is, and what a member's points are made of; for the operator's command.

Each function takes a session of role `earning`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import asyncpg

from shared.codec import decoder_of
from shared.point_events import EventData
from shared.postgres import Queries

_QUERIES = Queries(Path(__file__).parents[1] / "sql" / "query.sql")


class Progress(NamedTuple):
    """How far earning is, as it was at one moment.

    `inputs` has a row a topic with its counts, and `changes` a row for each input log that was found changed. `decided`
    and `emitted` are point events; `messages` wait to be decided, those that failed don't.
    """

    inputs: dict[str, asyncpg.Record]
    decided: int
    emitted: int
    messages: int
    changes: list[asyncpg.Record]


async def progress(session: asyncpg.Connection) -> Progress:
    """How far earning is."""
    # At one moment: else the last fact could be decided between two of these answers.
    async with session.transaction(isolation="repeatable_read", readonly=True):
        [(decided, emitted)] = await session.fetch(_QUERIES["journal"])
        inputs = {row["topic"]: row for row in await session.fetch(_QUERIES["fences"])}
        messages: int = await session.fetchval(_QUERIES["messages"])
        changes = await session.fetch(_QUERIES["changes"])
    return Progress(inputs, decided, emitted, messages, changes)


async def lots_of(session: asyncpg.Connection, program: str, member: str) -> list[asyncpg.Record]:
    """A member's lots with points left, in the order in which they would be spent."""
    rows: list[asyncpg.Record] = await session.fetch(_QUERIES["lots"], program, member)
    return rows


async def events_at(session: asyncpg.Connection, positions: Sequence[tuple[int, int]]) -> list[EventData]:
    """The point events at these shards and positions, in this order."""
    places = zip(*positions, strict=True) if positions else ([], [])
    rows = await session.fetch(_QUERIES["events"], *map(list, places))
    return [decoder_of(row["type"]).decode(row["bytes"]).data for row in rows]
