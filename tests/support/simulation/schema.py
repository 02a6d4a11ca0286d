"""Rows as the migrations have them: a class a table, with its columns, defaults and primary key."""

from __future__ import annotations

import re
from collections import namedtuple
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg

CHANGE = re.compile(
    r"^(?:CREATE|ALTER) TABLE (\w+)\.(\w+)\s+(?!PARTITION OF)(?:\(\n(.*?)\n\)|([^(].*?);)", re.MULTILINE | re.DOTALL
)
"""A statement on a table: schema, name, and its columns where it is created, or what is changed of it."""

PART = re.compile(r",\s*\n|,\s*(?=ADD )")
COMMENT = re.compile(r"--.*")
KEY = re.compile(r"(?:ADD )?PRIMARY KEY \((.*)\)")
COLUMN = re.compile(r'(?:ADD COLUMN )?"?([a-z_]+)"? [a-z]+')
NO_DEFAULT = re.compile(r"ALTER COLUMN (\w+) DROP DEFAULT")
OF_NO_COLUMN = re.compile(r"(?:ADD |DROP )?CONSTRAINT |ALTER COLUMN \w+ SET STORAGE ")
DEFAULT = re.compile(r"DEFAULT (?:'([^']*)'|(\d+)|(true))")


class SchemaError(Exception):
    """A migration does what this reader doesn't know."""


@dataclass
class _Table:
    """Columns → what a row has where none is given, those that must be given, and those of the primary key."""

    columns: dict[str, Any] = field(default_factory=dict)
    required: set[str] = field(default_factory=set)
    key: tuple[str, ...] = ()


def rows_of(migrations: Path, schema: str) -> dict[str, tuple[Any, tuple[str, ...]]]:
    """Table → the class of its rows, and the columns of its primary key, after all migrations.

    Where SQL calls a function for what isn't given, now() or an identity, a row has None: doubles fill it in.

    Raises:
        SchemaError: a statement changes a table in a way that is not known here.
    """
    tables: dict[str, _Table] = {}
    for file in sorted(migrations.glob("*.sql")):
        for of, name, columns, changes in CHANGE.findall(file.read_text("utf-8")):
            if of == schema:
                table = tables.setdefault(name, _Table())
                for part in _parts(columns or changes):
                    _change(table, part, f"{file.name}, {name}")
    return {name: (_class(name, table), table.key) for name, table in tables.items()}


def _parts(text: str) -> Iterator[str]:
    yield from (part.strip() for part in PART.split(COMMENT.sub("", text)) if part.strip())


def _change(table: _Table, part: str, where: str) -> None:
    if OF_NO_COLUMN.match(part):
        return
    if bare := NO_DEFAULT.match(part):
        table.columns[bare[1]] = None
        table.required.add(bare[1])
    elif key := KEY.match(part):
        table.key = tuple(name.strip(' "') for name in key[1].split(","))
    elif column := COLUMN.match(part):
        name = column[1]
        table.columns[name] = _default(part)
        if "NOT NULL" in part and " DEFAULT " not in part:
            table.required.add(name)
        if "PRIMARY KEY" in part:
            table.key = (name,)
    else:
        msg = f"{where}: {part}"
        raise SchemaError(msg)


def _default(column: str) -> Any:
    found = DEFAULT.search(column)
    if found is None:
        return None
    text, number, truth = found.groups()
    return text if text is not None else int(number) if number else bool(truth)


def _class(name: str, table: _Table) -> Any:
    tuples: Any = namedtuple  # noqa: PYI024 (which columns there are is known at run time alone)

    class Row(tuples(name, table.columns)):  # type: ignore[misc] # (the same)
        __slots__ = ()

        def __new__(cls, *values: Any, **named: Any) -> Any:
            given = dict(zip(table.columns, values, strict=False)) | named
            if missing := table.required - given.keys():
                msg = f"null value in column of {name} violates not-null constraint: {sorted(missing)}"
                raise asyncpg.NotNullViolationError(msg)
            return super().__new__(cls, **{**table.columns, **given})

    Row.__name__ = name
    return Row
