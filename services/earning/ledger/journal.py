"""Journal: point events get their positions and their place in the chain, and become the bytes that are published.

What asks the database here raises `asyncpg.PostgresError` or `OSError` where it is away.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import NamedTuple

import asyncpg
import msgspec

from shared.codec import chain_of, encode_data
from shared.point_events import EventData
from shared.postgres import Queries
from shared.shards import member_key

QUERIES = Queries(Path(__file__).parents[1] / "sql" / "journal.sql")


class Entry(NamedTuple):
    """A row of the journal: one event's record on the points topic, as it was and will be published."""

    shard: int
    position: int
    month: date
    key: str
    type: str
    decided_at: datetime
    bytes: bytes


COLUMNS = Entry._fields


class Head(msgspec.Struct):
    """The end of a shard: position and hash of its newest event."""

    position: int
    chain: str


class Journal:
    """What one transaction appends. It holds the locks of its shards: positions are given in the order of commits."""

    def __init__(self, heads: dict[int, Head], month: date) -> None:
        self.heads = heads
        self._month = month
        self.entries: list[Entry] = []

    def append(self, shard: int, events: Iterable[EventData]) -> list[Entry]:
        """Put a decision's events at the end of a locked shard; gives their rows. Sets their shard, position and chain.

        All of them or, where one can't be encoded, none.
        """
        head = self.heads[shard]
        position, chain = head.position, head.chain
        entries = []
        for event in events:
            position += 1
            event.shard = shard
            event.position = position
            event.chain = chain
            value = encode_data(event)
            chain = chain_of(value)
            key = member_key(event.program, event.member)
            entries.append(Entry(shard, position, self._month, key, event.TYPE, event.decided_at, value))
        head.position, head.chain = position, chain
        self.entries += entries
        return entries

    @property
    def moved(self) -> list[tuple[int, int, str]]:
        """Shard, position and chain of every shard that got events."""
        shards = sorted({entry.shard for entry in self.entries})
        return [(shard, self.heads[shard].position, self.heads[shard].chain) for shard in shards]


async def write(session: asyncpg.Connection, entries: Sequence[Entry]) -> None:
    """Append rows to the journal's table."""
    if entries:
        await session.copy_records_to_table("journal", schema_name="earning", columns=COLUMNS, records=entries)


async def entries_after(session: asyncpg.Connection, positions: Mapping[int, int], at_most: int) -> list[Entry]:
    """Rows behind a position, at most so many of each shard, each shard's in order."""
    rows = await session.fetch(QUERIES["after"], list(positions), list(positions.values()), at_most)
    return [Entry(*row) for row in rows]


async def records_after(
    session: asyncpg.Connection, shard: int, position: int, at_most: int
) -> list[tuple[int, str, bytes]]:
    """Position, type and bytes of what comes after a position of a shard, in order."""
    return [tuple(row) for row in await session.fetch(QUERIES["after_in_shard"], shard, position, at_most)]


async def bytes_at(session: asyncpg.Connection, positions: Mapping[int, int]) -> dict[int, bytes]:
    """Shard → the bytes at its position; shards that have none there are left out."""
    rows = await session.fetch(QUERIES["bytes_at"], list(positions), list(positions.values()))
    return {row["shard"]: row["bytes"] for row in rows}
