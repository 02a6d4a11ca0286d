"""`tallystick verify`: a second implementation checks the whole installation, also while it runs."""

from __future__ import annotations

import asyncio

import typer

from services.cli.connections import Bootstrap, Dsn, Json, bootstrap_or_local, dsn_or_local, kafka
from services.cli.console import Exit, err, out, print_json, print_table
from services.cli.progress import Bar, board
from services.verify.checker import verify as check
from services.verify.findings import INVARIANTS, Report
from shared.topics import Topics


def verify(*, dsn: Dsn = "", bootstrap_servers: Bootstrap = "", json: Json = False) -> None:
    """Check every promise against what is there: inputs, journal, hash chains, log, balances, history.

    Reads everything once with a decoder and a fold of its own, and writes nothing: safe on a live system. Exit code 1
    where anything is wrong; the first violation is named with its member, shard and position.

    Example: `tallystick verify`
    """
    dsn, bootstrap_servers = dsn_or_local(dsn), bootstrap_or_local(bootstrap_servers)
    bars: dict[str, Bar] = {}
    with board(err()) as shown, kafka(bootstrap_servers):

        def progress(what: str, done: int, whole: int) -> None:
            if what not in bars:
                bars[what] = shown.bar(what, whole)
            bars[what].to(done)

        report = asyncio.run(check(bootstrap_servers, dsn, Topics(), progress))
    if json:
        print_json(
            {"clean": report.clean, "found": report.found, "checked": report.checked, "findings": report.findings}
        )
    else:
        _show(report)
    if not report.clean:
        raise typer.Exit(Exit.FINDING)


def _show(report: Report) -> None:
    print_table("Checked", ("what", "how many"), sorted(report.checked.items()))
    if report.clean:
        out().print(f"[green]No violation[/green] of {len(INVARIANTS)} promises: {', '.join(INVARIANTS)}.")
        return
    rows = [(finding.invariant, finding.where, finding.what) for finding in report.findings]
    print_table(f"{report.found} violations, the first {len(rows)}", ("promise", "where", "what"), rows)
    for invariant in sorted({finding.invariant for finding in report.findings}):
        out().print(f"[bold]{invariant}[/bold] {INVARIANTS[invariant]}")
