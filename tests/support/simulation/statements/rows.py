"""The double of services/earning/sql/rows.sql: what its statements do to the simulated tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

import asyncpg

from tests.support.simulation.postgres import Backend, Key, Waits, statement
from tests.support.simulation.tables import (
    KeyRow,
    LotRow,
    StandingRow,
)

Rows = list[tuple[Any, ...]]

FAR = datetime.max.replace(tzinfo=UTC)


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


def _all_standings(backend: Backend, shard: int) -> Rows:
    return [row for row in backend.rows(StandingRow) if row.shard == shard]


def _all_keys(backend: Backend, shard: int) -> Rows:
    return [row for row in backend.rows(KeyRow) if row.shard == shard]


def _all_lots(backend: Backend, shard: int) -> Rows:
    return [row for row in backend.rows(LotRow) if row.shard == shard]


STATEMENTS = [
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
    statement("standings_of_shard", "program member body", _all_standings),
    statement("keys_of_shard", "program source kind id member lots body", _all_keys),
    statement("lots_of_shard", " ".join(LotRow._fields), _all_lots),
]
