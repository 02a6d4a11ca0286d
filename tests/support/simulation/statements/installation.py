"""The double of services/earning/sql/installation.sql: what its statements do to the simulated tables."""

from __future__ import annotations

from typing import Any

from tests.support.simulation.postgres import Backend, Waits, statement
from tests.support.simulation.tables import (
    Emission,
    Installation,
    Shard,
)

Rows = list[tuple[Any, ...]]


def _shards(backend: Backend) -> Rows:
    return [(row.shards,) for row in backend.rows(Installation)]


def _install(backend: Backend, shards: int, state_format: int) -> Waits:
    yield from backend.insert(Installation(single=True, shards=shards, state_format=state_format), unless_there=True)


def _state_format(backend: Backend) -> Rows:
    return [(row.state_format,) for row in backend.rows(Installation)]


def _make_shards(backend: Backend) -> Waits:
    for ((shards,),) in [_shards(backend)]:
        for shard in range(shards):
            yield from backend.insert(Shard(shard), unless_there=True)


def _make_emissions(backend: Backend) -> Waits:
    for ((shards,),) in [_shards(backend)]:
        for shard in range(shards):
            yield from backend.insert(Emission(shard), unless_there=True)


def _prepare_journal(_: Backend) -> Rows:
    return [(0,)]


STATEMENTS = [
    statement("shards", "shards", _shards),
    statement("install", "", _install),
    statement("state_format", "state_format", _state_format),
    statement("make_shards", "", _make_shards),
    statement("make_emissions", "", _make_emissions),
    statement("prepare_journal", "prepare_journal", _prepare_journal),
]
