"""The double of services/earning/sql/holds.sql: what its statements do to the simulated tables."""

from __future__ import annotations

from tests.support.simulation.postgres import Backend, statement
from tests.support.simulation.statements.shapes import Rows


def _held(_: Backend) -> Rows:
    # Nobody publishes history by the command here, so nobody holds a program.
    return []


def _clear_holds(_: Backend) -> None:
    return


STATEMENTS = [
    statement("held", "program", _held),
    statement("clear_holds", "", _clear_holds),
]
