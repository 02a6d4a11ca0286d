"""The double of services/earning/sql/emissions.sql: what its statements do to the simulated tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from tests.support.simulation.postgres import Backend, Waits, statement
from tests.support.simulation.statements.shapes import Rows
from tests.support.simulation.tables import Emission


def _emitted(backend: Backend, shards: Sequence[int]) -> Rows:
    return [row for row in backend.rows(Emission) if row.shard in shards]


def _record(
    choose: Callable[[int, int], int], backend: Backend, shards: Sequence[int], emitted: Sequence[int]
) -> Waits:
    def moved(position: int, row: Emission) -> Emission:
        return row._replace(emitted=choose(row.emitted, position))

    positions = zip(shards, emitted, strict=True)
    return backend.update(Emission, (((shard,), partial(moved, position)) for shard, position in positions))


def _record_look(backend: Backend, shards: Sequence[int], *columns: Sequence[int]) -> Waits:
    looks = {(shard,): values for shard, *values in zip(shards, *columns, strict=True)}
    return backend.update(Emission, ((key, partial(_looked_at, *values)) for key, values in looks.items()))


def _looked_at(whole_to_before: int, looked_to_before: int, whole_to: int, looked_to: int, row: Emission) -> Emission:
    if (row.whole_to, row.looked_to) != (whole_to_before, looked_to_before):
        return row
    return row._replace(whole_to=whole_to, looked_to=looked_to)


STATEMENTS = [
    statement("emitted", "shard emitted whole_to looked_to", _emitted),
    statement("record_emitted", "", partial(_record, max)),
    statement("record_lost", "", partial(_record, min)),
    statement("record_look", "", _record_look),
]
