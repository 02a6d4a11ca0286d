"""Bookmarks of the inputs: each fence remembers the last record it covers, and a log that no longer has it has changed.

Offsets of another log mean other records: taken for those that were decided, they would vanish without a word.

What asks the database here raises `asyncpg.PostgresError` or `OSError` where it is away.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg
from aiokafka import TopicPartition

from services.earning.ledger.batch import Input, Partition
from shared.bookmarks import Found, crc_of, look
from shared.broker import instant_of, reading, timestamp_ms_of
from shared.postgres import Queries

QUERIES = Queries(Path(__file__).parents[1] / "sql" / "fences.sql")

AGAIN = timedelta(minutes=10)
"""How far before the bookmark's time a changed log is read again: publishers' clocks, and copies that lag, differ."""


class Bookmark(NamedTuple):
    """The last record that a fence covers: its offset, timestamp, and the checksum of its key and value."""

    offset: int
    received_at: datetime
    crc: int


class Fence(NamedTuple):
    """Up to which offset a partition is decided, in which of its logs, and its bookmark (None: nothing was read)."""

    partition: TopicPartition
    stored: int
    log: int
    bookmark: Bookmark | None


class Change(NamedTuple):
    """A log that isn't the one its fence belongs to, or lacks part of it: why, and from where it is to be read."""

    fence: Fence
    why: str
    read_from: int


def bookmark_of(inputs: Sequence[Input]) -> Bookmark | None:
    """The bookmark of a run of one partition's inputs: its last."""
    if not inputs:
        return None
    last = inputs[-1]
    return Bookmark(last.offset, last.received_at, crc_of(last.key, last.value))


async def fences(session: asyncpg.Connection, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, Fence]:
    """The fences of those of the partitions that have one."""
    found = {}
    for topic, number, stored, log, offset, received_at, crc in await session.fetch(
        QUERIES["fences"], *_columns(partitions)
    ):
        bookmark = None if offset is None else Bookmark(offset, received_at, crc)
        partition = TopicPartition(topic, number)
        found[partition] = Fence(partition, stored, log, bookmark)
    return found


async def changes(bootstrap_servers: str, known: Iterable[Fence]) -> list[Change]:
    """Those of the partitions whose logs are not as their fences remember them.

    Raises:
        KafkaError, OSError, TimeoutError: Kafka fails, or doesn't answer in time.
    """
    by_partition = {fence.partition: fence for fence in known}
    offsets = {one: fence.bookmark.offset if fence.bookmark else -1 for one, fence in by_partition.items()}
    found = await look(bootstrap_servers, offsets)
    changed = []
    for one, fence in by_partition.items():
        why = _why(fence, found[one])
        if why:
            changed.append(Change(fence, why, await _read_from(bootstrap_servers, fence, found[one])))
    return changed


def _why(fence: Fence, found: Found) -> str:
    """What is wrong with a log; empty where nothing is."""
    bookmark, record = fence.bookmark, found.record
    if fence.stored > found.end:
        return f"it ends at {found.end}, and was decided to {fence.stored}: cut, or made anew"
    if fence.stored < found.begin:
        return (
            f"it begins at {found.begin}, and was decided to {fence.stored}: records are gone that nobody has decided"
        )
    if bookmark is None or bookmark.offset < found.begin:
        return ""
    if record is None or (instant_of(record.timestamp), crc_of(record.key, record.value)) != bookmark[1:]:
        return f"another record lies at {bookmark.offset}: made anew"
    return ""


async def _read_from(bootstrap_servers: str, fence: Fence, found: Found) -> int:
    """Where a changed log has all that may be new: what was decided before is a duplicate when it comes again."""
    if fence.bookmark is None or fence.stored < found.begin:
        return found.begin
    since_ms = max(0, timestamp_ms_of(fence.bookmark.received_at - AGAIN))
    async with reading(bootstrap_servers) as consumer:
        at = (await consumer.offsets_for_times({fence.partition: since_ms}))[fence.partition]
    # A log with nothing so young tells nothing of where it parts from the one that was known.
    return found.begin if at is None else at.offset


async def begin_again(session: asyncpg.Connection, change: Change) -> bool:
    """Put a fence where its changed log is to be read from; False: somebody else has done so."""
    partition, log = change.fence.partition, change.fence.log
    done = await session.fetchval(
        QUERIES["begin_again"], partition.topic, partition.partition, log, change.read_from, change.why, AGAIN
    )
    return done is not None


async def begin(session: asyncpg.Connection, beginnings: Mapping[TopicPartition, int]) -> None:
    """Make the fences of partitions never seen, at these offsets; one that is there already stays where it is."""
    await session.execute(QUERIES["new_fences"], *_columns(beginnings), list(beginnings.values()))


async def lock(session: asyncpg.Connection, partitions: Iterable[Partition]) -> dict[Partition, tuple[int, int]]:
    """Partition → the offset up to which it is decided, and in which of its logs; locked until the transaction ends."""
    rows = await session.fetch(QUERIES["lock_fences"], *_columns(partitions))
    return {(topic, partition): (stored, log) for topic, partition, stored, log in rows}


async def move(session: asyncpg.Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    """Move fences: topic, partition, offset, what to add to the four counts, last timestamp, and the bookmark."""
    if rows:
        await session.execute(QUERIES["update_fences"], *zip(*rows, strict=True))


class StreamTime(NamedTuple):
    """How far a partition is decided, when its last record was received, and whether it has not moved for a while."""

    stored: int
    received_at_last: datetime | None
    is_idle: bool
    present: datetime


async def stream_times(
    session: asyncpg.Connection, topics: Sequence[str], idle: timedelta
) -> dict[TopicPartition, StreamTime]:
    """The stream time of every partition that has a fence; `present` is the database's clock."""
    rows = await session.fetch(QUERIES["received_at_last"], list(topics), idle)
    return {TopicPartition(topic, partition): StreamTime(*told) for topic, partition, *told in rows}


def _columns(partitions: Iterable[tuple[str, int]]) -> tuple[list[str], list[int]]:
    pairs = list(partitions)
    return [topic for topic, _ in pairs], [partition for _, partition in pairs]
