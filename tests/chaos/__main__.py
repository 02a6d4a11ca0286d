"""`python -m tests.chaos`: a campaign on a stack of its own; exit code 1 where anything was wrong."""

from __future__ import annotations

import asyncio
import logging
import secrets
import shutil
import signal
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tests.chaos.campaign import campaign
from tests.chaos.faults import KINDS
from tests.chaos.schedule import Plan
from tests.chaos.servers import Servers
from tests.chaos.summary import Summary

app = typer.Typer(add_completion=False)


@app.command()
def main(  # noqa: PLR0913 (typer's way: an option is an argument)
    *,
    minutes: Annotated[float, typer.Option(help="How long; the round under way is ended early.")] = 5,
    seed: Annotated[int | None, typer.Option(help="Which faults and facts; default: by chance.")] = None,
    from_round: Annotated[int, typer.Option(help="Begin with this round of the seed.")] = 0,
    rounds: Annotated[int | None, typer.Option(help="So many rounds at most.")] = None,
    rate: Annotated[int, typer.Option(help="Facts a second.")] = 1_000,
    workers: Annotated[int, typer.Option(help="Workers of each service.", min=1, max=4)] = 2,
    only: Annotated[list[str] | None, typer.Option(help=f"Only these kinds of fault: {', '.join(KINDS)}.")] = None,
    once: Annotated[bool, typer.Option("--once", help="Each kind of fault once before any comes again.")] = False,
    together: Annotated[bool, typer.Option("--together", help="Many faults a round, side by side.")] = False,
    rounds_a_world: Annotated[int, typer.Option(help="Rounds until all begins anew in an empty database.")] = 20,
    derive_each: Annotated[int, typer.Option(help="Derive standings again after each so many-eth world.")] = 1,
    go_on: Annotated[bool, typer.Option("--go-on", help="Go on after something was wrong.")] = False,
) -> None:
    """Harm a running installation for some minutes, check every invariant after each round, and tell what happened."""
    plan = Plan(
        seed=secrets.randbelow(1_000_000) if seed is None else seed,
        seconds=minutes * 60,
        round_from=from_round,
        rounds_max=rounds,
        rate=rate,
        workers=workers,
        kinds=tuple(only or (name for name, kind in KINDS.items() if kind.cards)),
        once=once,
        go_on=go_on,
        together=together,
        rounds_a_world=rounds_a_world,
        derive_each=derive_each,
    )
    logging.getLogger("aiokafka").setLevel(
        logging.CRITICAL
    )  # the shop's and the checker's clients would tell every fault
    console = Console()
    directory = Path(tempfile.mkdtemp(prefix="tallystick-chaos-"))
    began = time.monotonic()
    summary = Summary()
    try:
        asyncio.run(run(directory, plan, console, summary))
    finally:
        summary.show(console)
    console.print(f"seed {plan.seed}, {(time.monotonic() - began) / 60:.1f} minutes")
    if summary.wrong:
        console.print(f"[bold red]{len(summary.wrong)} violations[/]; logs of the workers: {directory}")
        raise typer.Exit(1)
    shutil.rmtree(directory, ignore_errors=True)


async def run(directory: Path, plan: Plan, console: Console, summary: Summary) -> None:
    """The campaign on servers of its own."""
    servers = Servers(directory)
    began = time.monotonic()

    def say(what: str) -> None:
        console.print(f"{time.monotonic() - began:7.1f} {what}", highlight=False, soft_wrap=True, markup=False)

    ourselves = asyncio.current_task()
    assert ourselves is not None
    # Whoever ends a campaign early leaves no server behind.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ourselves.cancel)
    try:
        await servers.start()
        await campaign(servers, plan, say, summary)
    finally:
        await servers.stop()


if __name__ == "__main__":
    app()
