"""Tables: what analysts and operators would look at first, printed once the year is through."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import asyncpg
from rich.console import Console

from deploy.demo.envelopes import PROGRAM, ZONE
from deploy.demo.facts import Counts
from services.cli.console import print_table
from services.cli.explain import explanation, print_explanation
from services.cli.members import print_history
from services.projections import query
from services.projections.query import PointsStatus
from shared.postgres import Queries

YEAR = datetime(2017, 1, 1, tzinfo=ZONE), datetime(2018, 1, 1, tzinfo=ZONE)
HISTORY_SHOWN = 24
LOTS_SHOWN = 3
EARNERS_SHOWN = 8

_QUERIES = Queries(Path(__file__).parent / "queries.sql")


async def show_all(
    console: Console, earning: asyncpg.Connection, projector: asyncpg.Connection, counts: Counts
) -> tuple[PointsStatus, str]:
    """Print every table; gives the books of the year, for the checks, and the member shown."""
    status = await query.points_status(projector, PROGRAM, *YEAR)
    _show_status(console, status)
    await _show_tiers(console, projector)
    await _show_earners(console, projector)
    await _show_refunds(console, projector, counts)
    member: str = await projector.fetchval(_QUERIES["member_to_show"], PROGRAM)
    console.print()
    entries = await query.history(projector, PROGRAM, member, HISTORY_SHOWN)
    print_history(f"History of {member}, each line with the balance after it", entries)
    console.print("\n[bold]Where that balance comes from[/]")
    print_explanation(await explanation(earning, projector, PROGRAM, member, LOTS_SHOWN))
    return status, member


def _show_status(console: Console, status: PointsStatus) -> None:
    console.print()
    begin, end = (f"{instant.astimezone(ZONE):%Y-%m-%d}" for instant in (status.begin, status.end))
    rows: list[tuple[object, ...]] = [(f"opening, {begin}", None, status.opening)]
    rows += [(movement.kind, movement.events, movement.net) for movement in status.movements]
    rows += [(f"closing, {end}", None, status.closing), (f"sum over {status.members:,} members now", None, status.now)]
    print_table("Points status of the year: opening + movements = closing", ("", "events", "points"), rows)


async def _show_tiers(console: Console, projector: asyncpg.Connection) -> None:
    console.print()
    members = await projector.fetchval(_QUERIES["members"], PROGRAM)
    counts = await query.tier_counts(projector, PROGRAM)
    higher = [(each.tier or "", each.members) for each in counts if each.tier]
    base = members - sum(number for _, number in higher)
    print_table("Tiers at the end of the year", ("tier", "members"), [("bronze, where all begin", base), *higher[::-1]])


async def _show_earners(console: Console, projector: asyncpg.Connection) -> None:
    console.print()
    earners = await query.top_earners(projector, PROGRAM, EARNERS_SHOWN)
    rows = [(each.member, each.tier or "", each.earned, each.reversed, each.available) for each in earners]
    print_table("Top earners", ("member", "tier", "earned", "taken back", "available"), rows)


async def _show_refunds(console: Console, projector: asyncpg.Connection, counts: Counts) -> None:
    console.print()
    rows = [tuple(row) for row in await projector.fetch(_QUERIES["reversals"], PROGRAM)]
    print_table("Refunds and cancels applied", ("why", "times", "members", "points taken back"), rows)
    console.print(
        f"[dim]Not in the data, so derived from it by a fixed seed: {counts.line_refunds:,} refunds of a line "
        f"({counts.refund_before_order:,} of them before their order), {counts.amount_refunds:,} of an amount, "
        f"{counts.cancels:,} cancels, {counts.redelivered:,} orders twice, {counts.redemptions:,} redemptions: "
        "without the points or the tier they are refused. A refund of a line that earned "
        "nothing, or before its order, takes nothing back.[/]"
    )
