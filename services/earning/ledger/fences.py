"""Bookmarks of the inputs: each fence remembers the last record it covers, and a log that no longer has it has changed.

Offsets of another log mean other records: taken for those that were decided, they would vanish without a word.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import asyncpg
from aiokafka import TopicPartition

from services.earning.ledger.batch import Input
from services.earning.ledger.load import QUERIES
from shared.bookmarks import Found, crc_of, look
from shared.broker import reading

AGAIN = timedelta(minutes=10)
"""How far before the bookmark's time a changed log is read again: publishers' clocks, and copies that lag, differ."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)


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
    """The fences of those of the partitions that have one.

    Raises:
        asyncpg.PostgresError, OSError: Postgres is away.
    """
    found = {}
    for topic, number, stored, log, offset, received_at, crc in await session.fetch(
        QUERIES["fences"], *names_and_numbers(partitions)
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
    if record is None or (_received_at(record.timestamp), crc_of(record.key, record.value)) != bookmark[1:]:
        return f"another record lies at {bookmark.offset}: made anew"
    return ""


def _received_at(timestamp_ms: int) -> datetime:
    return EPOCH + timedelta(milliseconds=timestamp_ms)


async def _read_from(bootstrap_servers: str, fence: Fence, found: Found) -> int:
    """Where a changed log has all that may be new: what was decided before is a duplicate when it comes again."""
    if fence.bookmark is None or fence.stored < found.begin:
        return found.begin
    since_ms = max(0, (fence.bookmark.received_at - AGAIN - EPOCH) // MILLISECOND)
    async with reading(bootstrap_servers) as consumer:
        at = (await consumer.offsets_for_times({fence.partition: since_ms}))[fence.partition]
    # A log with nothing so young tells nothing of where it parts from the one that was known.
    return found.begin if at is None else at.offset


async def begin_again(session: asyncpg.Connection, change: Change) -> bool:
    """Put a fence where its changed log is to be read from; False: somebody else has done so.

    Raises:
        asyncpg.PostgresError, OSError: Postgres is away.
    """
    partition, log = change.fence.partition, change.fence.log
    done = await session.fetchval(
        QUERIES["begin_again"], partition.topic, partition.partition, log, change.read_from, change.why, AGAIN
    )
    return done is not None


def names_and_numbers(partitions: Iterable[TopicPartition]) -> tuple[list[str], list[int]]:
    """Partitions as two columns."""
    pairs = list(partitions)
    return [one.topic for one in pairs], [one.partition for one in pairs]
