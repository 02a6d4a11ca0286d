"""The double of services/earning/sql/earn.sql: what its statements do to the simulated tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any

import asyncpg

from tests.support.simulation.postgres import Backend, Key, Waits, statement
from tests.support.simulation.tables import (
    FenceRow,
    KeyRow,
    LotRow,
    Shard,
    StandingRow,
)

Rows = list[tuple[Any, ...]]
Counts = tuple[int, int, int, int]
Bookmark = tuple[int | None, datetime | None, int | None]

FAR = datetime.max.replace(tzinfo=UTC)


def _month(backend: Backend) -> date:
    return backend.now().astimezone(UTC).date().replace(day=1)


def _lock_shards(backend: Backend, shards: Sequence[int]) -> Waits:
    found: Rows = []
    for shard in sorted(set(shards)):
        row = yield from backend.lock(Shard, (shard,))
        if row is not None:
            found.append((row.shard, row.position, row.chain, _month(backend)))
    return found


def _lock_fences(backend: Backend, topics: Sequence[str], partitions: Sequence[int]) -> Waits:
    found: Rows = []
    for key in sorted(zip(topics, partitions, strict=True)):
        if backend.get(FenceRow, key) is None:
            continue
        row = yield from backend.lock(FenceRow, key)
        if row is not None:
            found.append(row)
    return found


def _fences(backend: Backend, topics: Sequence[str], partitions: Sequence[int]) -> Rows:
    rows = (backend.get(FenceRow, key) for key in zip(topics, partitions, strict=True))
    return [row for row in rows if row is not None]


def _new_fences(backend: Backend, topics: Sequence[str], partitions: Sequence[int], stored: Sequence[int]) -> Waits:
    for topic, partition, offset in sorted(zip(topics, partitions, stored, strict=True)):
        row = FenceRow(topic, partition, offset, moved_at=backend.now(), begun=offset)
        yield from backend.insert(row, unless_there=True)


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


def _standings(backend: Backend, program: str, members: Sequence[str]) -> Rows:
    rows = (backend.get(StandingRow, (program, member)) for member in members)
    return [row for row in rows if row is not None]


def _keys(backend: Backend, program: str, source: str, kind: str, ids: Sequence[str]) -> Rows:
    rows = (backend.get(KeyRow, (program, source, kind, id)) for id in dict.fromkeys(ids))
    return [row for row in rows if row is not None]


def _lots(backend: Backend, programs: Sequence[str], members: Sequence[str], lots: Sequence[int]) -> Rows:
    rows = (backend.get(LotRow, key) for key in zip(programs, members, lots, strict=True))
    return [row for row in rows if row is not None]


def _of(backend: Backend, program: str, member: str) -> list[LotRow]:
    return [row for row in backend.rows(LotRow) if row.program == program and row.member == member]


def _lots_left(backend: Backend, program: str, member: str, at_most: int | None) -> Rows:
    left = [row for row in _of(backend, program, member) if row.remaining > 0 or row.available_at is None]
    left.sort(key=lambda row: (row.expires_at or FAR, row.earned_at, row.lot))
    return left[:at_most]


def _due_lots(backend: Backend, programs: Sequence[str], members: Sequence[str], untils: Sequence[datetime]) -> Rows:
    return [
        row
        for program, member, until in zip(programs, members, untils, strict=True)
        for row in _of(backend, program, member)
        if row.due is not None and row.due <= until
    ]


def _next_dues(
    backend: Backend,
    programs: Sequence[str],
    members: Sequence[str],
    untils: Sequence[datetime],
    known: Sequence[int],
) -> Rows:
    found: list[tuple[str, str, int, datetime]] = []
    for program, member, until, number in zip(programs, members, untils, known, strict=True):
        later = [
            (row.program, row.member, row.lot, row.due)
            for row in _of(backend, program, member)
            if row.due is not None and row.due > until
        ]
        found += sorted(later, key=lambda row: row[3])[: number + 1]
    return sorted(found, key=lambda row: row[3])


def _update_standings(
    backend: Backend, programs: Sequence[str], members: Sequence[str], dues: Sequence[Any], bodies: Sequence[bytes]
) -> Waits:
    def changed() -> Iterable[tuple[Key, Callable[[StandingRow], StandingRow]]]:
        for program, member, due, body in zip(programs, members, dues, bodies, strict=True):
            yield (program, member), partial(StandingRow._replace, next_due=due, body=body)

    return backend.update(StandingRow, changed())


def _keys_of_member(backend: Backend, program: str, member: str) -> Rows:
    return [row for row in backend.rows(KeyRow) if row.program == program and row.member == member]


def _lots_of_member(backend: Backend, program: str, member: str) -> Rows:
    return _of(backend, program, member)


def _update_keys(backend: Backend, *columns: Sequence[Any]) -> Waits:
    def changed() -> Iterable[tuple[Key, Callable[[KeyRow], KeyRow]]]:
        for *key, shard, member, lots, body in zip(*columns, strict=True):
            numbers = [int(lot) for lot in lots.strip("{}").split(",") if lot]
            yield tuple(key), partial(KeyRow._replace, shard=shard, member=member, lots=numbers, body=body)

    return backend.update(KeyRow, changed())


def _update_lots(backend: Backend, *columns: Sequence[Any]) -> Waits:
    def changed() -> Iterable[tuple[Key, Callable[[LotRow], LotRow]]]:
        for program, member, lot, points, remaining, available_at, expires_at, due, body in zip(*columns, strict=True):
            if remaining < 0:
                msg = "new row for relation violates check constraint lots_remaining_check"
                raise asyncpg.CheckViolationError(msg)
            new = {"points": points, "remaining": remaining, "available_at": available_at}
            yield (
                (program, member, lot),
                partial(LotRow._replace, **new, expires_at=expires_at, due=due, body=body),
            )

    return backend.update(LotRow, changed())


def _update_shards(backend: Backend, shards: Sequence[int], positions: Sequence[int], chains: Sequence[str]) -> Waits:
    return backend.update(
        Shard,
        (
            ((shard,), partial(Shard._replace, position=position, chain=chain))
            for shard, position, chain in zip(shards, positions, chains, strict=True)
        ),
    )


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


STATEMENTS = [
    statement("lock_shards", "shard position chain month", _lock_shards),
    statement("lock_fences", "topic partition stored log", _lock_fences),
    statement("fences", "topic partition stored log bookmark_offset bookmark_timestamp bookmark_crc", _fences),
    statement("new_fences", "", _new_fences),
    statement("begin_again", "log", _begin_again),
    statement("standings", "program member body", _standings),
    statement("keys", "program source kind id member lots body", _keys),
    statement("lots", "program member body", _lots),
    statement("keys_of_member", "program source kind id member lots body", _keys_of_member),
    statement("lots_of_member", "program member body", _lots_of_member),
    statement("lots_left", "program member body", _lots_left),
    statement("due_lots", "program member body", _due_lots),
    statement("next_dues", "program member lot due", _next_dues),
    statement("update_standings", "", _update_standings),
    statement("update_keys", "", _update_keys),
    statement("update_lots", "", _update_lots),
    statement("update_shards", "", _update_shards),
    statement("update_fences", "", _update_fences),
]
