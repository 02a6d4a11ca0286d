"""`tallystick rebuild`: fold the whole log again, compare with what is shown, and put the new tables in its place."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Annotated

import typer

from deploy.topics import partitions_of
from services.cli.connections import (
    Bootstrap,
    Dsn,
    Json,
    bootstrap_or_local,
    dsn_or_local,
    kafka,
    postgres,
    reaching_postgres,
)
from services.cli.console import Exit, err, out, print_json, print_table, yes
from services.cli.progress import board
from services.earning.installation import open_for_work
from services.earning.replay.recover import recover
from services.earning.replay.rederive import rederive
from services.projections.rebuild import Difference, Progress, Report, TableReport
from services.projections.rebuild import rebuild as fold
from shared.settings import Connections
from shared.topics import Topics

DIFFERENCES_SHOWN = 20

Check = Annotated[bool, typer.Option("--check", help="Only compare; change nothing.")]
Standings = Annotated[
    bool,
    typer.Option(
        "--standings",
        help="Instead: earning's own tables (standings, keys, lots), by deciding the whole journal again.",
    ),
]


Journal = Annotated[
    bool,
    typer.Option(
        "--journal",
        help="Instead: earning's journal and all that follows from it, into a new database, out of loyalty.points.",
    ),
]


def rebuild(
    *,
    check: Check = False,
    standings: Standings = False,
    journal: Journal = False,
    dsn: Dsn = "",
    bootstrap_servers: Bootstrap = "",
    as_json: Json = False,
) -> None:
    """Rebuild balances, tiers and history out of the log: new tables beside the old, compared, then swapped.

    Services and readers go on meanwhile. Exit code 1 where the tables in use were not what the log says; the members
    that differ are named, and after the swap they are right.

    Example: `tallystick rebuild --check`, `tallystick rebuild --standings --check`
    """
    if journal:
        _journal(bootstrap_or_local(bootstrap_servers), dsn_or_local(dsn), as_json=as_json)
        return
    if standings:
        _standings(dsn_or_local(dsn), check=check, as_json=as_json)
        return
    report = fold_again(bootstrap_or_local(bootstrap_servers), dsn_or_local(dsn), check=check)
    if as_json:
        print_json(asdict(report) | {"identical": report.identical, "rate": report.rate})
    else:
        show(report)
    if not report.identical:
        raise typer.Exit(Exit.FINDING)


def fold_again(bootstrap_servers: str, dsn: str, *, check: bool = False) -> Report:
    """Fold the whole log again, with a bar on stderr that shows how far it is; `check` changes nothing.

    Raises:
        UnreachableError: a server doesn't answer.
        ConfigurationError: the database isn't one of ours.
    """
    with board(err()) as shown, kafka(bootstrap_servers), reaching_postgres(dsn):
        bar = shown.bar("rebuilt")

        def tell(progress: Progress) -> None:
            bar.to(progress.read, total=progress.total, note=progress.phase)

        return asyncio.run(fold(dsn, bootstrap_servers, Topics(), check_only=check, progress=tell))


def show(report: Report) -> None:
    """What a rebuild found, for people."""
    print_table(
        f"{report.events:,} point events folded in {report.read_seconds:.1f} s: {report.rate:,.0f}/s",
        ("table", "rows in use", "rows rebuilt", "checksum in use", "checksum rebuilt", "same"),
        [_table_row(each) for each in report.tables],
    )
    if report.differences:
        print_table(
            f"{report.differing_members:,} members differ",
            ("member", "table", "what", "in use", "by the log"),
            [_difference(each) for each in report.differences],
        )
    swapped = f"the views show generation {report.generation} now" if report.swapped else "nothing was changed"
    out().print(("identical" if report.identical else "DIFFERENT") + f"; {swapped}")


def _table_row(table: TableReport) -> Sequence[object]:
    checksums = (table.live_checksum[:16], table.rebuilt_checksum[:16])
    return (table.table, table.live_rows, table.rebuilt_rows, *checksums, yes(good=table.identical))


def _difference(difference: Difference) -> Sequence[object]:
    who = f"{difference.program}/{difference.member}" if difference.member else f"partition {difference.partition}"
    return (who, difference.table, difference.what, difference.live or "none", difference.rebuilt or "none")


def _standings(dsn: str, *, check: bool, as_json: bool) -> None:
    with board(err()) as shown, reaching_postgres(dsn):
        bar = shown.bar("decided again")
        report = asyncio.run(rederive(dsn, check=check, progress=lambda done, total: bar.to(done, total=total)))
        rate = bar.rate
    if as_json:
        print_json(report)
    else:
        rows = [(report.events, report.shards, report.standings, report.keys, report.lots, report.different)]
        columns = ("events", "shards", "standings", "keys", "lots", "differences")
        print_table(f"The journal decided again: {rate:,.0f} events/s", columns, rows)
        if report.differences:
            shown_rows = [(f"{program}/{member}", what) for program, member, what in report.differences]
            print_table("Not as the log says", ("member", "what"), shown_rows[:DIFFERENCES_SHOWN])
        outcome = "the tables are as the log says now" if report.swapped else "nothing was changed"
        found = "of an older format, not compared" if report.reformatted else "identical"
        out().print(("DIFFERENT" if report.different else found) + f"; {outcome}")
    if report.different:
        raise typer.Exit(Exit.FINDING)


def _journal(bootstrap_servers: str, dsn: str, *, as_json: bool) -> None:
    with board(err()) as shown, kafka(bootstrap_servers), reaching_postgres(dsn):
        bar = shown.bar("learnt")
        learnt = asyncio.run(_take_over(bootstrap_servers, dsn, lambda done, total: bar.to(done, total=total)))
    if as_json:
        print_json({"learnt": learnt})
    else:
        out().print(f"{learnt:,} point events learnt from the log; earning and projections can start now")


async def _take_over(bootstrap_servers: str, dsn: str, progress: Callable[[int, int], None]) -> int:
    topics = Topics()
    sizes = await partitions_of(bootstrap_servers, (*topics.inputs, topics.points))
    async with postgres(dsn, role="earning") as session:
        await open_for_work(session, sizes)
    connections = Connections(kafka_bootstrap_servers=bootstrap_servers, postgres_dsn=dsn)
    return (await recover(connections, topics, take_over=True, progress=progress)).events
