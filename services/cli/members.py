"""`tallystick balance`, `history` and `waiting`: what a member has, how it came to be, and what waits to count."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import asyncpg
import typer

from services.cli.connections import Dsn, Json, answered
from services.cli.console import Exit, err, out, print_json, print_table
from services.projections import query
from services.projections.query import Balance, HistoryEntry, Tier
from shared.errors import TallystickError
from shared.reasons import MEANINGS, Reason

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
    found = answered(dsn, "projector", lambda session: balance_of(session, program, member))
    if as_json:
        print_json(found)
        return
    row = (found.available, found.pending, found.deficit)
    print_table(f"{program}/{member}", ("available", "pending", "owed"), [row])
    out().print(equation(found))
    out().print(_tier(found.tier))


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
    entries = answered(dsn, "projector", lambda session: query.history(session, program, member, limit))
    if not entries:
        raise UnknownMemberError(program, member)
    if as_json:
        print_json(*entries)
        return
    print_history(f"{program}/{member}", entries)
    if entries[0].sequence > 1:
        err().print(f"{entries[0].sequence - 1:,} earlier ones are not shown (--limit)")


def print_history(title: str, entries: Sequence[HistoryEntry]) -> None:
    """Lines of history as a table for people."""
    columns = ("#", "happened", "what and why", "order", "change", "balance", "pending", "owed")
    print_table(title, columns, [_history_row(entry) for entry in entries])


def _history_row(entry: HistoryEntry) -> tuple[object, ...]:
    points = (entry.change, entry.balance, entry.pending, entry.deficit)
    return (entry.sequence, instant(entry.occurred_at), entry.why, entry.order_id or "", *points)


def waiting(program: Program, *, limit: Limit = 100, dsn: Dsn = "", as_json: Json = False) -> None:
    """List what waits for another fact, those that wait longest first: an order, its payment, a redemption's request.

    Such a fact counts as soon as the other one arrives, whenever that is. The exit code is 1 where something waits.

    Example: `tallystick waiting grocer`
    """
    rows = answered(dsn, "projector", lambda session: query.waiting(session, program, limit))
    if as_json:
        print_json(*map(dict, rows))
    elif rows:
        columns = ("since", "member", "what", "of", "waits")
        print_table(f"{program}: what waits", columns, [_waiting_row(row) for row in rows])
    else:
        out().print(f"{program}: nothing waits")
    if rows:
        raise typer.Exit(Exit.FINDING)


def _waiting_row(row: asyncpg.Record) -> tuple[object, ...]:
    meaning = MEANINGS[Reason(row["reason"])][0] if row["reason"] in set(Reason) else row["reason"]
    return (instant(row["booked_at"]), row["member"], f"{row['key_kind']} {row['key_id']}", row["source"], meaning)


def instant(value: datetime | None) -> str:
    """An instant for people: to the minute, in UTC."""
    return "" if value is None else f"{value:%Y-%m-%d %H:%M}"
