"""Journal: point events get their positions and their place in the chain, and become the bytes that are published."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import NamedTuple

import asyncpg
import msgspec

from shared.codec import chain_of, encode_data
from shared.point_events import EventData
from shared.shards import member_key


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
        self._heads = heads
        self._month = month
        self.entries: list[Entry] = []

    def append(self, shard: int, events: Iterable[EventData]) -> None:
        """Put a decision's events at the end of a locked shard. Sets their shard, position and chain.

        All of them or, where one can't be encoded, none.
        """
        head = self._heads[shard]
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

    @property
    def moved(self) -> list[tuple[int, int, str]]:
        """Shard, position and chain of every shard that got events."""
        shards = sorted({entry.shard for entry in self.entries})
        return [(shard, self._heads[shard].position, self._heads[shard].chain) for shard in shards]


async def write(session: asyncpg.Connection, entries: Sequence[Entry]) -> None:
    """Append rows to the journal's table."""
    await session.copy_records_to_table("journal", schema_name="earning", columns=COLUMNS, records=entries)
