"""The double of services/earning/sql/rows.sql: what its statements do to the simulated tables."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from tests.support.simulation.postgres import Backend, Waits, statement
from tests.support.simulation.statements.shapes import Rows, at_keys, having, updating
from tests.support.simulation.tables import KeyRow, LotRow, StandingRow

FAR = datetime.max.replace(tzinfo=UTC)
KEY = "program source kind id member lots body"


def _standings(backend: Backend, program: str, members: Sequence[str]) -> Rows:
    return at_keys(backend, StandingRow, ((program, member) for member in members))


def _keys(backend: Backend, program: str, source: str, kind: str, ids: Sequence[str]) -> Rows:
    return at_keys(backend, KeyRow, ((program, source, kind, id) for id in dict.fromkeys(ids)))


def _lots(backend: Backend, programs: Sequence[str], members: Sequence[str], lots: Sequence[int]) -> Rows:
    return at_keys(backend, LotRow, zip(programs, members, lots, strict=True))


_of = having(LotRow, "program member")


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


_move_keys = updating(KeyRow, "shard member lots body")


def _update_keys(backend: Backend, *columns: Sequence[Any]) -> Waits:
    *others, lots, bodies = columns
    numbers = [[int(lot) for lot in text.strip("{}").split(",") if lot] for text in lots]
    return _move_keys(backend, *others, numbers, bodies)


STATEMENTS = [
    statement("standings", "program member body", _standings),
    statement("keys", KEY, _keys),
    statement("lots", "program member body", _lots),
    statement("keys_of_member", KEY, having(KeyRow, "program member")),
    statement("lots_of_member", "program member body", _of),
    statement("lots_left", "program member body", _lots_left),
    statement("due_lots", "program member body", _due_lots),
    statement("next_dues", "program member lot due", _next_dues),
    statement("update_standings", "", updating(StandingRow, "next_due body")),
    statement("update_keys", "", _update_keys),
    statement("update_lots", "", updating(LotRow, "points remaining available_at expires_at due body")),
    statement("standings_of_shard", "program member body", having(StandingRow, "shard")),
    statement("keys_of_shard", KEY, having(KeyRow, "shard")),
    statement("lots_of_shard", " ".join(LotRow._fields), having(LotRow, "shard")),
]
