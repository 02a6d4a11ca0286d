"""The double of services/projections/sql/store.sql, {generation} being 1: what its statements do to the tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from tests.support.simulation.postgres import Backend, Waits, statement
from tests.support.simulation.statements.shapes import Rows, inserted, locked, updating
from tests.support.simulation.tables import ROWS, ForeignRow, Generation, PositionRow


def _generation(backend: Backend) -> Generation:
    return backend.get(Generation, ()) or Generation(1)


def _current_generation(backend: Backend) -> Rows:
    return [(_generation(backend).current,)]


def _installation(backend: Backend) -> Rows:
    return [_generation(backend)]


def _set_partitions(backend: Backend, partitions: int) -> Waits:
    row = (yield from backend.lock(Generation, ())) or Generation(1)
    if row.partitions is None:
        backend.put(row._replace(partitions=partitions))


def _add_positions(backend: Backend, partitions: int) -> Waits:
    return inserted(backend, map(PositionRow, range(partitions)))


def _read_positions(backend: Backend) -> Rows:
    return sorted(row[:4] for row in backend.rows(PositionRow))


def _lock_positions(backend: Backend, partitions: Sequence[int]) -> Waits:
    return locked(backend, PositionRow, ((partition,) for partition in partitions))


def _columns(_: Backend, names: Sequence[str]) -> Rows:
    return [(name, list(ROWS[name]._fields)) for name in names]


def _find_fork(backend: Backend, *columns: Sequence[Any]) -> Rows:
    def other() -> Iterator[tuple[int, int]]:
        for partition, position, program, member, sequence, digest in zip(*columns, strict=True):
            row: Any = backend.get(ROWS["history"], (program, member, sequence, partition))
            if row is None or (row.position, row.hash) != (position, digest):
                yield partition, position

    return list(sorted(other())[:1])


def _add_dead_letter(backend: Backend, *values: Any) -> Waits:
    return inserted(backend, [ForeignRow(*values)])


def _dead_letters_wait(backend: Backend) -> Rows:
    return [(any(row.relayed_at is None for row in backend.rows(ForeignRow)),)]


def _open_dead_letters(backend: Backend) -> Rows:
    return sorted(Counter(row.reason for row in backend.rows(ForeignRow)).items())


def _unrelayed_dead_letters(backend: Backend, at_most: int) -> Waits:
    waiting = sorted((row for row in backend.rows(ForeignRow) if row.relayed_at is None), key=lambda row: row[:3])
    found: Rows = []
    for row in waiting:
        # SKIP LOCKED: what another relay has just now is its own.
        if len(found) < at_most and backend.server.grant(backend, (ForeignRow, row[:3])):
            found.append(row[:10])
    yield from ()
    return found


def _mark_relayed(backend: Backend, *columns: Sequence[Any]) -> Waits:
    relayed = partial(ForeignRow._replace, relayed_at=backend.now())
    return backend.update(ForeignRow, ((key, relayed) for key in zip(*columns, strict=True)))


LETTER = "topic partition offset reason text field key value headers received_at"

STATEMENTS = [
    statement("current_generation", "current", _current_generation),
    statement("installation", "current partitions", _installation),
    statement("set_partitions", "", _set_partitions),
    statement("add_positions", "", _add_positions),
    statement("read_positions", "partition position hash next_offset", _read_positions),
    statement("lock_positions", "partition position hash next_offset successor", _lock_positions),
    statement("move_positions", "", updating(PositionRow, "position hash next_offset")),
    statement("columns", "name columns", _columns),
    statement("find_fork", "partition position", _find_fork),
    statement("add_dead_letter", "", _add_dead_letter),
    statement("dead_letters_wait", "exists", _dead_letters_wait),
    statement("open_dead_letters", "reason number", _open_dead_letters),
    statement("unrelayed_dead_letters", LETTER, _unrelayed_dead_letters),
    statement("mark_relayed", "", _mark_relayed),
]
