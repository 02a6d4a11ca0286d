"""The double of services/earning/sql/programs.sql: what its statements do to the simulated tables."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from tests.support.simulation.postgres import Backend, Waits, statement
from tests.support.simulation.statements.shapes import Rows, having
from tests.support.simulation.tables import ProgramRow, Registry

ONLY = (True,)
"""The key of the registry's only row."""

VERSION = "program version document checksum published_at in_force_from relayed_at"


def _lock(backend: Backend) -> Waits:
    return [(yield from backend.lock(Registry, ONLY))]


def _move_serial(backend: Backend, serial: int) -> Waits:
    yield from backend.lock(Registry, ONLY)
    backend.put(Registry(serial=serial))


def _versions(backend: Backend, programs: Sequence[str]) -> Rows:
    return [row for row in _list(backend) if row.program in programs]


def _list(backend: Backend) -> Rows:
    return sorted(backend.rows(ProgramRow))


def _insert(backend: Backend, *values: Any) -> Waits:
    *said, serial = values
    yield from backend.insert(ProgramRow(*said, serial=serial))


def _mark_relayed(backend: Backend, program: str, version: int) -> Waits:
    return backend.update(
        ProgramRow, [((program, version), partial(ProgramRow._replace, relayed_at=backend.server.clock()))]
    )


STATEMENTS = [
    statement("serial", "serial", having(Registry)),
    statement("lock", "serial", _lock),
    statement("move_serial", "", _move_serial),
    statement("versions", VERSION, _versions),
    statement("list", VERSION, _list),
    statement("insert", "", _insert),
    statement("mark_relayed", "", _mark_relayed),
]
