"""The double of services/earning/sql/shards.sql: what its statements do to the simulated tables."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date

from tests.support.simulation.postgres import Backend, Waits, statement
from tests.support.simulation.statements.shapes import Rows, locked, updating
from tests.support.simulation.tables import Shard


def _month(backend: Backend) -> date:
    return backend.now().astimezone(UTC).date().replace(day=1)


def _lock_shards(backend: Backend, shards: Sequence[int]) -> Waits:
    rows = yield from locked(backend, Shard, ((shard,) for shard in shards))
    return [(*row, _month(backend)) for row in rows]


def _all_heads(backend: Backend) -> Rows:
    return sorted(backend.rows(Shard))


STATEMENTS = [
    statement("lock_shards", "shard position chain month", _lock_shards),
    statement("heads", "shard position chain", _all_heads),
    statement("update_shards", "", updating(Shard, "position chain")),
]
