"""Tables: what analysts and operators would look at first, printed once the year is through."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path

import asyncpg

from deploy.programs import FOLDER
from services.cli.console import out, print_table
from services.cli.demo.envelopes import PROGRAM, ZONE
from services.cli.demo.facts import Counts
from services.cli.explain import explanation, print_explanation
from services.cli.members import print_history
from services.earning.program.authoring.check import check
from services.projections import query
from services.projections.query import PointsStatus
from shared.postgres import Queries

YEAR = datetime(2017, 1, 1, tzinfo=ZONE), datetime(2018, 1, 1, tzinfo=ZONE)
HISTORY_SHOWN = 24
LOTS_SHOWN = 3
EARNERS_SHOWN = 5
PROGRAM_FILE = FOLDER / "grocer.yaml"

_QUERIES = Queries(Path(__file__).parent / "queries.sql")


async def show_all(
    earning: asyncpg.Connection, projector: asyncpg.Connection, counts: Counts
) -> tuple[PointsStatus, str]:
    """Print every table; gives the books of the year, for the checks, and the member shown."""
    status = await query.points_status(projector, PROGRAM, *YEAR)
    _show_status(status)
    await _show_sources(projector)
    await _show_referrals(projector)
    await _show_bonus_weekend(projector)
    await _show_tiers(projector)
    await _show_earners(projector)
    await _show_reversals(projector, counts)
    member: str = await projector.fetchval(_QUERIES["member_to_show"], PROGRAM, HISTORY_SHOWN)
    entries = await query.history(projector, PROGRAM, member, HISTORY_SHOWN)
    out().print()
    print_history(f"History of {member}, each line with the balance after it", entries)
    out().print("\n[bold]Where that balance comes from[/]")
    print_explanation(await explanation(earning, projector, PROGRAM, member, LOTS_SHOWN))
    return status, member


def _print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table with an empty line before it."""
    out().print()
    print_table(title, columns, rows)


def _show_status(status: PointsStatus) -> None:
    begin, end = (f"{instant.astimezone(ZONE):%Y-%m-%d}" for instant in (status.begin, status.end))
    rows: list[tuple[object, ...]] = [(f"opening, {begin}", None, status.opening)]
    rows += [(movement.kind, movement.events, movement.net) for movement in status.movements]
    rows += [(f"closing, {end}", None, status.closing), (f"sum over {status.members:,} members now", None, status.now)]
    _print_table("Points status of the year: opening + movements = closing", ("", "events", "points"), rows)


async def _show_sources(projector: asyncpg.Connection) -> None:
    """Points by rule, and how many cards were filled."""
    rows = map(tuple, await projector.fetch(_QUERIES["sources"], PROGRAM))
    _print_table("Where points come from", ("kind", "rule", "times", "points", "taken back"), rows)
    (card,) = check(PROGRAM_FILE.read_bytes(), PROGRAM_FILE.name).cards
    (filled,) = await projector.fetch(_QUERIES["cards"], PROGRAM)
    each = card.points or 1
    out().print(
        f"[dim]Stamp cards: {filled['earned'] // each:,} times {card.every} pieces from the {card.id}, by "
        f"{filled['members']:,} households; {filled['reversed'] // each:,} were lost again to refunds.[/]"
    )


async def _show_referrals(projector: asyncpg.Connection) -> None:
    rows = [
        (_outcome(kind, reason), count, referee, referrer)
        for kind, reason, count, referee, referrer in await projector.fetch(_QUERIES["referrals"], PROGRAM)
    ]
    columns = ("what became of it", "referrals", "points for who came", "points for who brought them")
    _print_table("Referrals: households that others brought", columns, rows)


def _outcome(kind: str, reason: str | None) -> str:
    """What became of a referral, in words."""
    if kind == "referral.rewarded":
        return "both were rewarded"
    if kind == "fact.recorded":
        return "no reward: the order was too small, or came back first"
    return f"{kind.removeprefix('referral.')}: {reason}"


async def _show_bonus_weekend(projector: asyncpg.Connection) -> None:
    (campaign,) = check(PROGRAM_FILE.read_bytes(), PROGRAM_FILE.name).campaigns
    begin, end = campaign.from_ or YEAR[0], campaign.until or YEAR[1]
    found = await projector.fetch(_QUERIES["weekends"], PROGRAM, begin, end, ZONE.key)
    rows: list[tuple[object, ...]] = []
    for bonus, orders, points, weekends, doubled in found:
        name = "the bonus weekend" if bonus else f"each of {weekends} other weekends"
        rows.append((name, orders // weekends, points // weekends, points // orders, doubled if bonus else 0))
    title = f"Bonus weekend from {begin.astimezone(ZONE):%-d %B}: everything counts twice"
    _print_table(title, ("", "orders that earned", "points", "for each order", "given by doubling"), rows)


async def _show_tiers(projector: asyncpg.Connection) -> None:
    members = await projector.fetchval(_QUERIES["members"], PROGRAM)
    counts = await query.tier_counts(projector, PROGRAM)
    higher = [(each.tier or "", each.members) for each in counts if each.tier]
    base = members - sum(number for _, number in higher)
    _print_table(
        "Tiers at the end of the year", ("tier", "members"), [("bronze, where all begin", base), *higher[::-1]]
    )


async def _show_earners(projector: asyncpg.Connection) -> None:
    earners = await query.top_earners(projector, PROGRAM, EARNERS_SHOWN)
    rows = [(each.member, each.tier or "", each.earned, each.reversed, each.available) for each in earners]
    _print_table("Top earners", ("member", "tier", "earned", "taken back", "available"), rows)


async def _show_reversals(projector: asyncpg.Connection, counts: Counts) -> None:
    rows = map(tuple, await projector.fetch(_QUERIES["reversals"], PROGRAM))
    _print_table("Points taken back", ("kind", "why", "times", "households", "points"), rows)
    out().print(
        f"[dim]{counts.line_refunds:,} refunds were of a line ({counts.refund_before_order:,} came before their "
        f"order), {counts.amount_refunds:,} of an amount; {counts.cancels:,} orders were cancelled. A refund of a line "
        "that earned nothing, or before its order, takes nothing back.[/]"
    )
