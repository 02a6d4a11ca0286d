"""Copying: COPY into the simulated tables, with the constraints of the migrations that a decision could break."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from tests.support.simulation.postgres import Backend, Table, Waits
from tests.support.simulation.statements.shapes import checked
from tests.support.simulation.tables import EARNING, ROWS, DeadLetterRow, InboxRow

CHANGED = "changed_"

TABLES: dict[tuple[str, str], Table] = {
    **{("earning", name): row for name, (row, _) in EARNING.items()},
    **{("projections", f"{name}_1"): row for name, row in ROWS.items()},
    **{("", f"{CHANGED}{name}"): row for name, row in ROWS.items()},
}


@cache
def work(schema: str, table: str, columns: Sequence[str]) -> Callable[[Backend, list[Sequence[Any]]], Any]:
    """What the server does for a COPY of these columns into a table."""
    into = TABLES[schema, table]
    fields: tuple[str, ...] = into._fields  # type: ignore[attr-defined]

    def copied(backend: Backend, records: list[Sequence[Any]]) -> Waits:
        # Constraints of rows are looked at before any of them is put into an index: those of all rows come first.
        for row in [checked(_completed(backend, into, dict(zip(columns, values, strict=True)))) for values in records]:
            yield from backend.insert(row)

    def noted(backend: Backend, records: list[Sequence[Any]]) -> None:
        rows = [into(**dict(zip(columns, values, strict=True))) for values in records]
        backend.changed[table.removeprefix(CHANGED)] = rows

    if set(columns) - set(fields):
        msg = f"the double of {schema}.{table} doesn't know its columns {sorted(set(columns) - set(fields))}"
        raise AssertionError(msg)
    return noted if table.startswith(CHANGED) else copied


def _completed(backend: Backend, into: Any, row: dict[str, Any]) -> Any:
    """The row, with what the server puts into it by itself."""
    if into is DeadLetterRow:
        row["recorded_at"] = backend.now()
    if into is InboxRow:
        row["id"] = backend.server.next_number()
    return into(**row)
