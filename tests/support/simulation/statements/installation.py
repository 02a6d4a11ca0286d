"""The double of services/earning/sql/installation.sql: what its statements do to the simulated tables."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from tests.support.simulation.postgres import Backend, Waits, statement
from tests.support.simulation.statements.shapes import Rows, having, inserted
from tests.support.simulation.tables import Emission, Installation, Shard

Row = tuple[Any, ...]


def _install(backend: Backend, shards: int, state_format: int) -> Waits:
    return inserted(backend, [Installation(single=True, shards=shards, state_format=state_format)])


def _make(table: Callable[[int], Row], backend: Backend) -> Waits:
    ((shards,),) = ([row.shards] for row in backend.rows(Installation))
    return inserted(backend, map(table, range(shards)))


def _prepare_journal(_: Backend) -> Rows:
    return [(0,)]


def _database(backend: Backend) -> Rows:
    return [(1, backend.server.running_since)]


STATEMENTS = [
    statement("shards", "shards", having(Installation)),
    statement("install", "", _install),
    statement("state_format", "state_format", having(Installation)),
    statement("make_shards", "", partial(_make, Shard)),
    statement("make_emissions", "", partial(_make, Emission)),
    statement("prepare_journal", "prepare_journal", _prepare_journal),
    statement("database", "oid running_since", _database),
]
