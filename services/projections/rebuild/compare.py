"""Comparing two generations at the same positions, in one snapshot: counts, checksums, and the members that differ."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg

from services.projections import store
from services.projections.models import Model, Values
from services.projections.rebuild.report import Difference, Report, TableReport
from shared.postgres import Queries

ROWS_SHOWN = 3
_QUERIES = Queries(Path(__file__).parent.parent / "sql" / "compare.sql")


async def take_snapshot(session: asyncpg.Connection) -> None:
    """Fix what a repeatable-read transaction sees: the present, until it ends."""
    await session.execute(_QUERIES["snapshot"])


class _Tables(NamedTuple):
    """A read model's table in two generations, and the columns that both have."""

    model: Model
    live: int
    rebuilt: int
    columns: str

    def statement(self, name: str, **names: object) -> str:
        """A statement about them. A model without members is compared as if all its rows were those of nobody."""
        member = "member" if "member" in self.model.key else "''::text"
        key = ", ".join(self.model.key)
        both = {"table": self.model.name, "columns": self.columns, "live": self.live, "rebuilt": self.rebuilt}
        return _QUERIES.filled(name, **both, member=member, key=key, **names)


async def compare(
    session: asyncpg.Connection,
    models: Sequence[Model],
    live_and_rebuilt: tuple[int, int],
    report: Report,
    limit: int,
) -> None:
    """Fill the report's tables and differences; `session` is in a snapshot that holds both at the same positions.

    A read model that the live generation doesn't have yet can't be compared.
    """
    live, rebuilt = live_and_rebuilt
    for row in await session.fetch(_QUERIES.filled("differing_positions", live=live, rebuilt=rebuilt)):
        values = (_text(row["live"]), _text(row["rebuilt"]))
        report.differences.append(Difference("positions", row["partition"], "", "", "position", *values))
    lacking = await store.lacking_columns(session, live, models)
    for model in models:
        if lacking[model.name] is not None:
            tables = _Tables(model, live, rebuilt, await _columns(session, model.name, live, rebuilt))
            await _compare(session, tables, report, limit)


async def _compare(session: asyncpg.Connection, tables: _Tables, report: Report, limit: int) -> None:
    (ours,) = await session.fetch(tables.statement("digest", generation=tables.live))
    (theirs,) = await session.fetch(tables.statement("digest", generation=tables.rebuilt))
    found = TableReport(tables.model.name, ours["rows"], theirs["rows"], ours["checksum"], theirs["checksum"])
    report.tables.append(found)
    if not found.identical:
        await _name_members(session, tables, report, limit)


async def _columns(session: asyncpg.Connection, table: str, live: int, rebuilt: int) -> str:
    names = await session.fetch(_QUERIES["columns"], f"projections.{table}_{live}", f"projections.{table}_{rebuilt}")
    return ", ".join(f'"{row[0]}"' for row in names)


async def _name_members(session: asyncpg.Connection, tables: _Tables, report: Report, limit: int) -> None:
    rows = await session.fetch(tables.statement("differing_members"), limit)
    report.differing_members = max(report.differing_members, rows[0]["total"] if rows else 0)
    for row in rows:
        who = (row["program"], row["member"], row["partition"])
        live, rebuilt = [await _rows(session, tables, generation, who) for generation in (tables.live, tables.rebuilt)]
        report.differences += _differences(tables.model, who, live, rebuilt)


async def _rows(
    session: asyncpg.Connection, tables: _Tables, generation: int, who: tuple[str, str, int]
) -> dict[Values, Any]:
    """A member's rows, by what tells them apart; empty where there is only one."""
    found = await session.fetch(tables.statement("rows_of_member", generation=generation), *who)
    rows = [json.loads(row[0]) for row in found]
    return {tuple(row[column] for column in tables.model.subject): row for row in rows}


def _differences(
    model: Model, who: tuple[str, str, int], live: dict[Values, Any], rebuilt: dict[Values, Any]
) -> list[Difference]:
    """What differs for a member; of their rows that do, the first few."""
    program, member, partition = who
    place = model.name, partition, program, member
    found: list[Difference] = []
    for subject in sorted(live.keys() | rebuilt.keys()):
        ours, theirs = live.get(subject), rebuilt.get(subject)
        row = " ".join(map(str, ("row", *subject)))
        if ours is None or theirs is None:
            words = ("there" if ours else None, "there" if theirs else None)
            found.append(Difference(*place, row, *words))
            continue
        prefix = f"{row} " if subject else ""
        found += [
            Difference(*place, f"{prefix}{name}", _text(ours[name]), _text(theirs[name]))
            for name in ours
            if ours[name] != theirs[name]
        ]
    return found[:ROWS_SHOWN]


def _text(value: object) -> str | None:
    return None if value is None else str(value)
