"""Shapes: what many statements do alike, whatever the table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import asyncpg

from tests.support.simulation.postgres import Backend, Key, Waits, key_of
from tests.support.simulation.tables import KEYS, LotRow

Rows = list[Any]


def at_keys(backend: Backend, table: Any, keys: Iterable[Key]) -> Rows:
    """SELECT: the rows of these keys that are there."""
    return [row for key in keys if (row := backend.get(table, key)) is not None]


def having(table: Any, columns: str = "") -> Callable[..., Rows]:
    """SELECT: every row that has the values asked for in these columns."""

    def select(backend: Backend, *values: Any) -> Rows:
        wanted = dict(zip(columns.split(), values, strict=True))
        return [row for row in backend.rows(table) if all(getattr(row, name) == wanted[name] for name in wanted)]

    return select


def locked(backend: Backend, table: Any, keys: Iterable[Key]) -> Waits:
    """SELECT FOR UPDATE: lock the rows that are there, in the order of their keys; gives them as they are then."""
    found: Rows = []
    for row in at_keys(backend, table, sorted(set(keys))):
        now = yield from backend.lock(table, key_of(row))
        found += [] if now is None else [now]
    return found


def inserted(backend: Backend, rows: Iterable[tuple[Any, ...]]) -> Waits:
    """INSERT … ON CONFLICT DO NOTHING."""
    for row in rows:
        yield from backend.insert(row, unless_there=True)


def updating(table: Any, columns: str) -> Callable[..., Waits]:
    """UPDATE … FROM unnest(…): the columns of the primary key come first, then those that are set."""
    names, key = columns.split(), len(KEYS[table])

    def update(backend: Backend, *values: Sequence[Any]) -> Waits:
        rows = zip(*values, strict=True)
        return backend.update(
            table, ((row[:key], partial(_set, dict(zip(names, row[key:], strict=True)))) for row in rows)
        )

    return update


def _set(values: dict[str, Any], row: Any) -> Any:
    return checked(row._replace(**values))


def checked(row: Any) -> Any:
    """The row.

    Raises:
        asyncpg.CheckViolationError: a constraint of the migrations that a decision could break doesn't hold.
    """
    if isinstance(row, LotRow) and row.remaining < 0:
        msg = "new row for relation violates check constraint lots_remaining_check"
        raise asyncpg.CheckViolationError(msg)
    return row
