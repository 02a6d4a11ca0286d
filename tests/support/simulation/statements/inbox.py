"""The double of services/earning/sql/inbox.sql: what its statements do to the simulated tables."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from tests.support.simulation.postgres import Backend, Statement, Waits, statement
from tests.support.simulation.statements.shapes import Rows
from tests.support.simulation.tables import InboxRow


def _of(backend: Backend, shard: int) -> list[InboxRow]:
    rows = [row for row in backend.rows(InboxRow) if row.shard == shard and row.failed is None]
    return sorted(rows, key=lambda row: row.id)


def _shards(backend: Backend, shards: Sequence[int]) -> Rows:
    return [(shard,) for shard in sorted(shards) if _of(backend, shard)]


def _messages(backend: Backend, shard: int, at_most: int) -> Rows:
    return _of(backend, shard)[:at_most]


def _done(backend: Backend, shard: int, ids: Sequence[int]) -> Waits:
    for number in [number for number in ids if backend.get(InboxRow, (shard, number)) is not None]:
        yield from backend.lock(InboxRow, (shard, number))
        backend.delete(InboxRow, (shard, number))


def _failed(backend: Backend, shard: int, number: int, why: str) -> Waits:
    return backend.update(InboxRow, [((shard, number), partial(InboxRow._replace, failed=why))])


STATEMENTS: list[Statement] = [
    statement("shards", "shard", _shards),
    statement("messages", "id program member fact", _messages),
    statement("done", "", _done),
    statement("failed", "", _failed),
]
