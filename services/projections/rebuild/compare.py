"""Comparing two generations at the same positions, in one snapshot: counts, checksums, and the members that differ."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import asyncpg

from services.projections.rebuild.report import Difference, Report, TableReport
from shared.postgres import Queries

TABLES = ("members", "history")
ROWS_SHOWN = 3
_QUERIES = Queries(Path(__file__).parent.parent / "sql" / "compare.sql")


async def take_snapshot(session: asyncpg.Connection) -> None:
    """Fix what a repeatable-read transaction sees: the present, until it ends."""
    await session.execute(_QUERIES["snapshot"])


async def compare(session: asyncpg.Connection, live: int, rebuilt: int, report: Report, limit: int) -> None:
    """Fill the report's tables and differences; `session` is in a snapshot that holds both at the same positions."""
    for row in await session.fetch(_statement("differing_positions", live=live, rebuilt=rebuilt)):
        values = (_text(row["live"]), _text(row["rebuilt"]))
        report.differences.append(Difference("positions", row["partition"], "", "", "position", *values))
    for table in TABLES:
        columns = await _columns(session, table, live, rebuilt)
        (ours,) = await session.fetch(_statement("digest", table=table, columns=columns, generation=live))
        (theirs,) = await session.fetch(_statement("digest", table=table, columns=columns, generation=rebuilt))
        found = TableReport(table, ours["rows"], theirs["rows"], ours["checksum"], theirs["checksum"])
        report.tables.append(found)
        if not found.identical:
            await _name_members(session, (table, columns, live, rebuilt), report, limit)


async def _columns(session: asyncpg.Connection, table: str, live: int, rebuilt: int) -> str:
    names = await session.fetch(_QUERIES["columns"], f"projections.{table}_{live}", f"projections.{table}_{rebuilt}")
    return ", ".join(f'"{row[0]}"' for row in names)


async def _name_members(
    session: asyncpg.Connection, tables: tuple[str, str, int, int], report: Report, limit: int
) -> None:
    table, columns, live, rebuilt = tables
    named = _statement("differing_members", table=table, columns=columns, live=live, rebuilt=rebuilt)
    rows = await session.fetch(named, limit)
    report.differing_members = max(report.differing_members, rows[0]["total"] if rows else 0)
    for row in rows:
        who = (row["program"], row["member"], row["partition"])
        both = [
            {
                found["sequence"]: found
                for found in map(
                    json.loads,
                    await _first_column(
                        session, _statement("rows_of_member", table=table, columns=columns, generation=generation), who
                    ),
                )
            }
            for generation in (live, rebuilt)
        ]
        report.differences += _differences(table, who, both[0], both[1])


async def _first_column(session: asyncpg.Connection, statement: str, who: tuple[str, str, int]) -> list[str]:
    return [row[0] for row in await session.fetch(statement, *who)]


def _differences(
    table: str, who: tuple[str, str, int], live: dict[int, Any], rebuilt: dict[int, Any]
) -> list[Difference]:
    """What differs for a member; of their rows that do, the first few."""
    program, member, partition = who
    if table == "members":  # one row on either side, perhaps at another sequence
        live, rebuilt = ({0: next(iter(side.values()))} if side else {} for side in (live, rebuilt))
    found: list[Difference] = []
    for sequence in sorted(live.keys() | rebuilt.keys()):
        ours, theirs = live.get(sequence), rebuilt.get(sequence)
        row = f"row {sequence}" if table == "history" else "row"
        if ours is None or theirs is None:
            words = ("there" if ours else None, "there" if theirs else None)
            found.append(Difference(table, partition, program, member, row, *words))
            continue
        prefix = f"{row} " if table == "history" else ""
        found += [
            Difference(table, partition, program, member, f"{prefix}{name}", _text(ours[name]), _text(theirs[name]))
            for name in ours
            if ours[name] != theirs[name]
        ]
    return found[:ROWS_SHOWN]


def _statement(name: str, **names: object) -> str:
    text = _QUERIES[name]
    for placeholder, value in names.items():
        text = text.replace("{" + placeholder + "}", str(value))
    return text


def _text(value: object) -> str | None:
    return None if value is None else str(value)
