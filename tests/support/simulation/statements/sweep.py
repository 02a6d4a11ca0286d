"""The double of services/earning/sql/sweep.sql: what its statements do to the simulated tables."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial

from tests.support.simulation.postgres import Backend, Waits, statement
from tests.support.simulation.statements.shapes import Rows, having, updating
from tests.support.simulation.tables import ProgramRow, StandingRow, VersionSweep

_versions = having(ProgramRow, "program")


def _new_versions(backend: Backend, shards: Sequence[int], until: datetime, held: Sequence[str]) -> Rows:
    found: Rows = []
    for shard in shards:
        for program in sorted({row.program for row in backend.rows(ProgramRow)} - set(held)):
            done = backend.get(VersionSweep, (shard, program))
            marked = max(1, done.version if done is not None else 1)
            rows = _versions(backend, program)
            new = [row for row in rows if row.version > marked and row.in_force_from <= until]
            if new:
                newest, since = max(row.version for row in new), min(row.in_force_from for row in new)
                found.append((shard, program, newest, since))
    return found


def _mark_due(backend: Backend, shard: int, program: str, since: datetime) -> Waits:
    rows = (row for row in backend.rows(StandingRow) if (row.shard, row.program) == (shard, program))
    later = [row for row in rows if row.next_due is None or row.next_due > since]
    marked = partial(StandingRow._replace, next_due=since)
    return backend.update(StandingRow, [((row.program, row.member), marked) for row in later])


def _marked(backend: Backend, shard: int, program: str, version: int) -> Waits:
    yield from backend.lock(VersionSweep, (shard, program))
    backend.put(VersionSweep(shard, program, version))


def _due(backend: Backend, shard: int, until: datetime, held: Sequence[str], at_most: int) -> Rows:
    due = [
        row
        for row in backend.rows(StandingRow)
        if row.shard == shard and row.next_due is not None and row.next_due <= until and row.program not in held
    ]
    due.sort(key=lambda row: (row.next_due, row.program, row.member))
    return due[:at_most]


STATEMENTS = [
    statement("new_versions", "shard program version from", _new_versions),
    statement("mark_due", "", _mark_due),
    statement("marked", "", _marked),
    statement("due", "program member body", _due),
    statement("look_again", "", updating(StandingRow, "next_due")),
]
