"""`python -m tests.support.simulation`: one seed again, telling what happens, or many; exit code 1 if any was wrong."""

from __future__ import annotations

import gc
import logging
import os
import sys
import time
from collections import Counter
from typing import Annotated

import structlog
import typer
from rich.console import Console
from rich.table import Table

from services.cli.progress import board
from tests.support.simulation.loop import name_of_host, time_of_loop
from tests.support.simulation.world import Outcome, World

FOUND_MAX = 20
"""After so many seeds with violations there is enough to look at."""

app = typer.Typer(add_completion=False)


@app.command()
def main(
    *,
    seed: Annotated[int | None, typer.Option(help="One run, with its log lines.")] = None,
    seeds: Annotated[str, typer.Option(help="First and last seed of many runs: 1..1000.")] = "1..1000",
) -> None:
    """Run both services in a simulated world, by seed, and check every promise after each run."""
    console = Console()
    if seed is not None:
        tell_logs()
        found = [World(seed).run()]
    else:
        quiet()
        # Worlds are short-lived and in circles: looking for those less often saves a quarter of the time.
        gc.freeze()
        gc.set_threshold(100_000, 50, 50)
        first, _, last = seeds.partition("..")
        found = many(range(int(first), int(last or first) + 1), console)
    for outcome in found:
        for violation in outcome.violations:
            console.print(f"seed {outcome.seed}: {violation}", highlight=False, soft_wrap=True, markup=False)
    wrong = [outcome for outcome in found if outcome.violations]
    if seed is not None:
        console.print(
            f"{found[0].steps} steps, {found[0].facts} facts, digest {found[0].digest}, {dict(found[0].harms)}"
        )
    if wrong:
        console.print(f"Again: PYTHONHASHSEED=0 python -m tests.support.simulation --seed {wrong[0].seed}")
        raise typer.Exit(1)


def many(seeds: range, console: Console) -> list[Outcome]:
    """Run seeds one after the other, tell what was done in all, and give those with violations."""
    harms: Counter[str] = Counter()
    wrong: list[Outcome] = []
    facts = ran = 0
    began = time.monotonic()
    with board(console) as bars:
        bar = bars.bar("seeds", total=len(seeds))
        for one in seeds:
            outcome = World(one).run()
            ran += 1
            facts += outcome.facts
            harms += outcome.harms
            wrong += [outcome] if outcome.violations else []
            bar.to(ran, note=f"{len(wrong)} with violations")
            if len(wrong) == FOUND_MAX:
                break
    table = Table("harm", "times")
    for harm, times in sorted(harms.items()):
        table.add_row(harm, f"{times:,}")
    console.print(table)
    rate = ran / (time.monotonic() - began) * 60
    console.print(f"{ran:,} seeds, {facts:,} facts, {len(wrong)} with violations, {rate:,.0f} seeds a minute")
    return wrong


def quiet() -> None:
    """No log lines."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


def tell_logs() -> None:
    """Log lines with the time and the host of the simulation."""

    def placed(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        event["event"] = f"{time_of_loop():9.3f} {name_of_host():16} {event['event']}"
        return event

    structlog.configure(processors=[placed, structlog.processors.KeyValueRenderer(key_order=["event"])])


if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":
        # A seed is to mean the same in every process: sets of texts sort by their hashes.
        arguments = [sys.executable, "-m", "tests.support.simulation", *sys.argv[1:]]
        os.execve(sys.executable, arguments, os.environ | {"PYTHONHASHSEED": "0"})  # noqa: S606 (this program again)
    app()
