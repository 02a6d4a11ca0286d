"""`tallystick balance` and `tallystick history`: what a member has, and how it came to be."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import asyncpg
import typer

from services.cli.connections import Dsn, Json, dsn_or_local, postgres
from services.cli.console import err, out, print_json, print_table
from services.projections import query
from services.projections.query import Balance, HistoryEntry, Tier
from shared.errors import TallystickError

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
    found = asyncio.run(_balance(dsn_or_local(dsn), program, member))
    if as_json:
        print_json(found)
        return
    row = (found.available, found.pending, found.deficit)
    print_table(f"{program}/{member}", ("available", "pending", "owed"), [row])
    out().print(equation(found))
    out().print(_tier(found.tier))


async def _balance(dsn: str, program: str, member: str) -> Balance:
    async with postgres(dsn, role="projector") as session:
        return await balance_of(session, program, member)


async def balance_of(session: asyncpg.Connection, program: str, member: str) -> Balance:
    """What a member has.

    Raises:
        UnknownMemberError: nothing was ever decided for them.
    """
    found = await query.balance(session, program, member)
    if found is None:
        raise UnknownMemberError(program, member)
    return found


def equation(found: Balance) -> str:
    """Where the points come from and where they went: both sides of the books, in one line."""
    held = f"{found.available:,} available + {found.pending:,} pending − {found.deficit:,} owed"
    came = [f"+ {found.gross[name]:,} {_words(name)}" for name in GROWING if found.gross[name]]
    went = [f"− {found.gross[name]:,} {_words(name)}" for name in SHRINKING if found.gross[name]]
    return f"{held} = {' '.join([*came, *went]).removeprefix('+ ') or '0'}"


def _words(name: str) -> str:
    return name.replace("_", " ")


def _tier(held: Tier | None) -> str:
    if held is None or held.tier is None:
        return "The tier is the one everybody begins with."
    until = f", at least until {instant(held.valid_until)}" if held.valid_until else ""
    further = f"; {held.to_next.normalize():f} more to the next" if held.to_next else ""
    return f"{held.tier} since {instant(held.since)}{until}{further}"


def history(program: Program, member: Member, *, limit: Limit = 20, dsn: Dsn = "", as_json: Json = False) -> None:
    """Show a member's point events, the newest last, each with the balance after it.

    Example: `tallystick history grocer household-1 --limit 50`
    """
    entries = asyncio.run(_history(dsn_or_local(dsn), program, member, limit))
    if as_json:
        for entry in entries:
            print_json(entry)
        return
    print_history(f"{program}/{member}", entries)
    if entries[0].sequence > 1:
        err().print(f"{entries[0].sequence - 1:,} earlier ones are not shown (--limit)")


async def _history(dsn: str, program: str, member: str, limit: int) -> list[HistoryEntry]:
    async with postgres(dsn, role="projector") as session:
        entries = await query.history(session, program, member, limit)
    if not entries:
        raise UnknownMemberError(program, member)
    return entries


def print_history(title: str, entries: Sequence[HistoryEntry]) -> None:
    """Lines of history as a table for people."""
    columns = ("#", "happened", "what and why", "order", "change", "balance", "pending", "owed")
    print_table(title, columns, [_history_row(entry) for entry in entries])


def _history_row(entry: HistoryEntry) -> tuple[object, ...]:
    points = (entry.change, entry.balance, entry.pending, entry.deficit)
    return (entry.sequence, instant(entry.occurred_at), entry.why, entry.order_id or "", *points)


def instant(value: datetime | None) -> str:
    """An instant for people: to the minute, in UTC."""
    return "" if value is None else f"{value:%Y-%m-%d %H:%M}"
