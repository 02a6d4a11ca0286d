"""`tallystick waiting`: what was taken in and waits: refunds for orders never seen, cancels of unknown redemptions."""

from __future__ import annotations

import asyncio

import asyncpg
import typer

from services.cli.connections import Dsn, Json, dsn_or_local, postgres
from services.cli.console import Exit, out, print_json, print_table
from services.cli.members import Limit, Program, instant
from services.projections import query
from shared.reasons import MEANINGS, Reason


def waiting(program: Program, *, limit: Limit = 100, dsn: Dsn = "", as_json: Json = False) -> None:
    """List what waits for another fact, those that wait longest first: an order, its payment, a redemption's request.

    Such a fact counts as soon as the other one arrives, whenever that is. The exit code is 1 where something waits.

    Example: `tallystick waiting grocer`
    """
    rows = asyncio.run(_waiting(dsn_or_local(dsn), program, limit))
    if as_json:
        for row in rows:
            print_json(dict(row))
    elif rows:
        columns = ("since", "member", "what", "of", "waits")
        print_table(f"{program}: what waits", columns, [_row(row) for row in rows])
    else:
        out().print(f"{program}: nothing waits")
    if rows:
        raise typer.Exit(Exit.FINDING)


async def _waiting(dsn: str, program: str, limit: int) -> list[asyncpg.Record]:
    async with postgres(dsn, role="projector") as session:
        return await query.waiting(session, program, limit)


def _row(row: asyncpg.Record) -> tuple[object, ...]:
    meaning = MEANINGS[Reason(row["reason"])][0] if row["reason"] in set(Reason) else row["reason"]
    return (instant(row["booked_at"]), row["member"], f"{row['key_kind']} {row['key_id']}", row["source"], meaning)
