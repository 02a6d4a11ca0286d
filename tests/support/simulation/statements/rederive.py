"""The double of services/earning/sql/rederive.sql: what its statements do to the simulated tables."""

from __future__ import annotations

from typing import Any

from tests.support.simulation.postgres import Backend, Waits, statement
from tests.support.simulation.tables import (
    JournalRow,
    KeyRow,
    LotRow,
    Shard,
    StandingRow,
)

Rows = list[tuple[Any, ...]]


def _heads(backend: Backend) -> Rows:
    return sorted((row.shard, row.position) for row in backend.rows(Shard))


def _lock_shard(backend: Backend, shard: int) -> Waits:
    row = yield from backend.lock(Shard, (shard,))
    return [] if row is None else [(row.position,)]


def _journal(backend: Backend, shard: int, after: int, at_most: int) -> Rows:
    rows = sorted(row for row in backend.rows(JournalRow) if row.shard == shard and row.position > after)
    return rows[:at_most]


def _all_standings(backend: Backend, shard: int) -> Rows:
    return [row for row in backend.rows(StandingRow) if row.shard == shard]


def _all_keys(backend: Backend, shard: int) -> Rows:
    return [row for row in backend.rows(KeyRow) if row.shard == shard]


def _all_lots(backend: Backend, shard: int) -> Rows:
    return [row for row in backend.rows(LotRow) if row.shard == shard]


STATEMENTS = [
    statement("heads", "shard position", _heads),
    statement("lock_shard", "position", _lock_shard),
    statement("journal", "position type bytes", _journal),
    statement("standings", "program member body", _all_standings),
    statement("keys", "program source kind id member lots body", _all_keys),
    statement("lots", " ".join(LotRow._fields), _all_lots),
]
