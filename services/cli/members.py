"""`tallystick balance` and `tallystick history`: what a member has, and how it came to be."""

from __future__ import annotations

import asyncio
from datetime import datetime
from pathlib import Path
from typing import Annotated

import asyncpg
import typer

from services.cli.console import err, out, print_json, print_table
from services.cli.servers import Dsn, Json, dsn_or_local, postgres
from shared.errors import TallystickError
from shared.postgres import Queries

QUERIES = Queries(Path(__file__).parent / "sql" / "members.sql")

Program = Annotated[str, typer.Argument(help="The program's name.")]
Member = Annotated[str, typer.Argument(help="The member's id, as the shop's facts have it in `subject`.")]
Limit = Annotated[int, typer.Option("--limit", "-n", min=1, max=1_000_000, help="The newest rows, at most so many.")]

GROWING = ("earned", "restored", "adjusted", "imported", "expired_reversed", "forgiven", "reinstated", "transferred_in")
SHRINKING = ("transferred_out", "reversed", "redeemed", "expired", "reverted")


class UnknownMemberError(TallystickError):
    """Nothing is known of a member.

    Attributes:
        program: the program asked for.
        member: the member asked for.
    """

    def __init__(self, program: str, member: str) -> None:
        super().__init__(
            f"{program}/{member} has no points and no history.",
            cure="Check both ids; `tallystick status` tells what still waits, `dead-letters list` what failed.",
        )
        self.program = program
        self.member = member


def balance(program: Program, member: Member, *, dsn: Dsn = "", as_json: Json = False) -> None:
    """Show what a member has: points available, pending and owed, gross sums, tier.

    Example: `tallystick balance grocer household-1`
    """
    row = asyncio.run(_balance(dsn_or_local(dsn), program, member))
    if as_json:
        print_json(dict(row))
        return
    columns = ("available", "pending", "deficit")
    print_table(f"{program}/{member}", columns, [tuple(row[column] for column in columns)])
    out().print(equation(row))
    out().print(_tier(row))


async def _balance(dsn: str, program: str, member: str) -> asyncpg.Record:
    async with postgres(dsn, role="projector") as session:
        return await balance_of(session, program, member)


async def balance_of(session: asyncpg.Connection, program: str, member: str) -> asyncpg.Record:
    """A member's row of balances and tier.

    Raises:
        UnknownMemberError: there is none.
    """
    row = await session.fetchrow(QUERIES["balance"], program, member)
    if row is None:
        raise UnknownMemberError(program, member)
    return row


def equation(row: asyncpg.Record) -> str:
    """Where the points come from and where they went: both sides of the books, in one line."""
    held = f"{row['available']:,} available + {row['pending']:,} pending − {row['deficit']:,} owed"
    came = [f"+ {row[name]:,} {_words(name)}" for name in GROWING if row[name]]
    went = [f"− {row[name]:,} {_words(name)}" for name in SHRINKING if row[name]]
    return f"{held} = {' '.join([*came, *went]).removeprefix('+ ') or '0'}"


def _words(name: str) -> str:
    return name.replace("_", " ")


def _tier(row: asyncpg.Record) -> str:
    if row["tier"] is None:
        return "No tier has been reached yet."
    until = f", at least until {instant(row['tier_until'])}" if row["tier_until"] else ""
    further = f"; {row['to_next'].normalize():f} more to the next" if row["to_next"] else ""
    return f"{row['tier']} since {instant(row['tier_since'])}{until}{further}"


def history(program: Program, member: Member, *, limit: Limit = 20, dsn: Dsn = "", as_json: Json = False) -> None:
    """Show a member's point events, the newest last, each with the balance after it.

    Example: `tallystick history grocer household-1 --limit 50`
    """
    rows = asyncio.run(_history(dsn_or_local(dsn), program, member, limit))
    if as_json:
        for row in rows:
            print_json(dict(row))
        return
    print_history(f"{program}/{member}", rows)
    if rows[0]["sequence"] > 1:
        err().print(f"{rows[0]['sequence'] - 1:,} earlier ones are not shown (--limit)")


async def _history(dsn: str, program: str, member: str, limit: int) -> list[asyncpg.Record]:
    async with postgres(dsn, role="projector") as session:
        rows = await history_of(session, program, member, limit)
    if not rows:
        raise UnknownMemberError(program, member)
    return rows


async def history_of(session: asyncpg.Connection, program: str, member: str, limit: int) -> list[asyncpg.Record]:
    """A member's newest rows of history, the newest last."""
    return (await session.fetch(QUERIES["history"], program, member, limit))[::-1]


def print_history(title: str, rows: list[asyncpg.Record]) -> None:
    """Rows of history as a table for people."""
    columns = ("#", "happened", "what and why", "of", "change", "balance", "pending", "owed")
    print_table(title, columns, [_history_row(row) for row in rows])


def _history_row(row: asyncpg.Record) -> tuple[object, ...]:
    points = (row["change"], row["balance"], row["pending"], row["deficit"])
    return (row["sequence"], instant(row["occurred_at"]), row["why"], _subject(row), *points)


def _subject(row: asyncpg.Record) -> str:
    return f"{row['key_kind']} {row['key_id']}" if row["key_id"] else ""


def instant(value: datetime | None) -> str:
    """An instant for people: to the minute, in UTC."""
    return "" if value is None else f"{value:%Y-%m-%d %H:%M}"
