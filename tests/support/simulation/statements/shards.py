"""The double of services/earning/sql/shards.sql: what its statements do to the simulated tables."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date
from functools import partial
from typing import Any

from tests.support.simulation.postgres import Backend, Waits, statement
from tests.support.simulation.tables import (
    Shard,
)

Rows = list[tuple[Any, ...]]


def _month(backend: Backend) -> date:
    return backend.now().astimezone(UTC).date().replace(day=1)


def _lock_shards(backend: Backend, shards: Sequence[int]) -> Waits:
    found: Rows = []
    for shard in sorted(set(shards)):
        row = yield from backend.lock(Shard, (shard,))
        if row is not None:
            found.append((row.shard, row.position, row.chain, _month(backend)))
    return found


def _all_heads(backend: Backend) -> Rows:
    return sorted(backend.rows(Shard))


def _update_shards(backend: Backend, shards: Sequence[int], positions: Sequence[int], chains: Sequence[str]) -> Waits:
    return backend.update(
        Shard,
        (
            ((shard,), partial(Shard._replace, position=position, chain=chain))
            for shard, position, chain in zip(shards, positions, chains, strict=True)
        ),
    )


STATEMENTS = [
    statement("lock_shards", "shard position chain month", _lock_shards),
    statement("heads", "shard position chain", _all_heads),
    statement("update_shards", "", _update_shards),
]
