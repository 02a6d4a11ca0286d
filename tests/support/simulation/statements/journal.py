"""The double of services/earning/sql/journal.sql: what its statements do to the simulated tables."""

from __future__ import annotations

from collections.abc import Sequence

from tests.support.simulation.postgres import Backend, statement
from tests.support.simulation.statements.shapes import Rows, at_keys
from tests.support.simulation.tables import JournalRow


def _after(backend: Backend, shards: Sequence[int], after: Sequence[int], at_most: int) -> Rows:
    found: Rows = []
    for shard, position in zip(shards, after, strict=True):
        # Positions are looked up one after the other: a hole would end it, where the real statement steps over it.
        found += _after_in_shard(backend, shard, position, at_most)
    return found


def _after_in_shard(backend: Backend, shard: int, after: int, at_most: int) -> Rows:
    rows = sorted(row for row in backend.rows(JournalRow) if row.shard == shard and row.position > after)
    return rows[:at_most]


def _bytes_at(backend: Backend, shards: Sequence[int], positions: Sequence[int]) -> Rows:
    return at_keys(backend, JournalRow, zip(shards, positions, strict=True))


STATEMENTS = [
    statement("after", "shard position month key type decided_at bytes", _after),
    statement("after_in_shard", "position type bytes", _after_in_shard),
    statement("bytes_at", "shard bytes", _bytes_at),
]
