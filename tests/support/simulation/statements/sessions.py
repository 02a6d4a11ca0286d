"""The double of shared/sql/sessions.sql."""

from __future__ import annotations

from tests.support.simulation.postgres import Backend, Statement, statement
from tests.support.simulation.statements.shapes import Rows


def _end_overdue(_: Backend, __: str, ___: float) -> Rows:
    # A COPY comes whole or not at all here: nobody ever stands still inside one.
    return [(0,)]


STATEMENTS: list[Statement] = [statement("end_overdue", "ended", _end_overdue)]
