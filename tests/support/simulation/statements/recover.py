"""The double of services/earning/sql/recover.sql: what its statements do to the simulated tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tests.support.simulation.postgres import Backend, statement
from tests.support.simulation.tables import (
    JournalRow,
    Shard,
)

Rows = list[tuple[Any, ...]]


def _database(backend: Backend) -> Rows:
    return [(1, backend.server.running_since)]


def _all_heads(backend: Backend) -> Rows:
    return sorted(backend.rows(Shard))


def _bytes_at(backend: Backend, shards: Sequence[int], positions: Sequence[int]) -> Rows:
    rows = (backend.get(JournalRow, key) for key in zip(shards, positions, strict=True))
    return [row for row in rows if row is not None]


STATEMENTS = [
    statement("database", "oid running_since", _database),
    statement("heads", "shard position chain", _all_heads),
    statement("bytes_at", "shard bytes", _bytes_at),
]
