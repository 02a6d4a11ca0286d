"""The double of services/earning/sql/fences.sql: what its statements do to the simulated tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from tests.support.simulation.postgres import Backend, Key, Waits, statement
from tests.support.simulation.statements.shapes import Rows, at_keys, inserted, locked
from tests.support.simulation.tables import FenceRow

Counts = tuple[int, int, int, int]
Bookmark = tuple[int | None, datetime | None, int | None]


def _lock_fences(backend: Backend, topics: Sequence[str], partitions: Sequence[int]) -> Waits:
    return locked(backend, FenceRow, zip(topics, partitions, strict=True))


def _fences(backend: Backend, topics: Sequence[str], partitions: Sequence[int]) -> Rows:
    return at_keys(backend, FenceRow, zip(topics, partitions, strict=True))


def _new_fences(backend: Backend, topics: Sequence[str], partitions: Sequence[int], stored: Sequence[int]) -> Waits:
    rows = sorted(zip(topics, partitions, stored, strict=True))
    return inserted(backend, (FenceRow(*row, moved_at=backend.now(), begun=row[-1]) for row in rows))


def _begin_again(
    backend: Backend, topic: str, partition: int, log: int, read_from: int, _: str, back: timedelta
) -> Waits:
    row = yield from backend.lock(FenceRow, (topic, partition))
    if row is None or row.log != log:
        return []
    at = row.bookmark_timestamp
    again = row._replace(
        log=log + 1,
        stored=read_from,
        begun=read_from,
        moved_at=backend.now(),
        counted_before=row.applied + row.duplicate + row.rejected + row.dead_letter,
        received_at_last=None if at is None else at - back,
        bookmark_offset=None,
        bookmark_timestamp=None,
        bookmark_crc=None,
    )
    backend.put(again)
    return [(again.log,)]


def _update_fences(backend: Backend, *columns: Sequence[Any]) -> Waits:
    def moved(row: FenceRow, stored: int, counts: Counts, received_at: datetime | None, bookmark: Bookmark) -> FenceRow:
        applied, duplicate, rejected, dead_letter = counts
        known = [instant for instant in (row.received_at_last, received_at) if instant is not None]
        offset, timestamp, crc = bookmark
        return row._replace(
            stored=stored,
            moved_at=backend.now(),
            applied=row.applied + applied,
            duplicate=row.duplicate + duplicate,
            rejected=row.rejected + rejected,
            dead_letter=row.dead_letter + dead_letter,
            received_at_last=max(known, default=None),
            bookmark_offset=row.bookmark_offset if offset is None else offset,
            bookmark_timestamp=row.bookmark_timestamp if timestamp is None else timestamp,
            bookmark_crc=row.bookmark_crc if crc is None else crc,
        )

    def changed() -> Iterable[tuple[Key, Callable[[FenceRow], FenceRow]]]:
        for topic, partition, stored, a, d, r, x, received_at, *mark in zip(*columns, strict=True):
            new = {"counts": (a, d, r, x), "received_at": received_at, "bookmark": tuple(mark)}
            yield (topic, partition), partial(moved, stored=stored, **new)

    return backend.update(FenceRow, changed())


def _received_at_last(backend: Backend, topics: Sequence[str], idle: timedelta) -> Rows:
    now = backend.now()
    return [
        (row.topic, row.partition, row.stored, row.received_at_last, row.moved_at < now - idle, now)
        for row in backend.rows(FenceRow)
        if row.topic in topics
    ]


STATEMENTS = [
    statement("lock_fences", "topic partition stored log", _lock_fences),
    statement("fences", "topic partition stored log bookmark_offset bookmark_timestamp bookmark_crc", _fences),
    statement("new_fences", "", _new_fences),
    statement("begin_again", "log", _begin_again),
    statement("update_fences", "", _update_fences),
    statement("received_at_last", "topic partition stored received_at_last idle present", _received_at_last),
]
