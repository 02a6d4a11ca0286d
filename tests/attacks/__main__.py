"""`python -m tests.attacks`: every attack on a fresh installation each, and a table of what happened."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from deploy.local_stack import LocalStack
from tests.attacks.catalogue import Attack
from tests.attacks.registered import ATTACKS, OPEN
from tests.attacks.striking import Outcome, fresh_stack, new_template, strike
from tests.support.databases import copy_of

app = typer.Typer(add_completion=False)


@app.command()
def main(
    *,
    only: Annotated[list[str] | None, typer.Option(help="Only these, by id; F2 is also F2-forged.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Only the cheap ones, which the tests run, too.")] = False,
) -> None:
    """Attack one fresh installation after the other; exit code 1 where a promise didn't hold."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # clients of the rig tell of what the rig itself does
    chosen = [
        attack for attack in ATTACKS.values() if (attack.quick or not quick) and (not only or _named(attack, only))
    ]
    if not chosen:
        raise typer.BadParameter(f"There are: {', '.join(ATTACKS)}", param_hint="--only")
    console = Console()
    began = time.monotonic()
    with fresh_stack() as stack:
        outcomes = asyncio.run(run(stack, chosen, console))
    show(outcomes, console)
    failed = [outcome.attack.id for outcome in outcomes if not outcome.held]
    console.print(f"{len(outcomes)} attacks, {len(failed)} succeeded, {(time.monotonic() - began) / 60:.1f} minutes")
    if failed:
        raise typer.Exit(1)


def _named(attack: Attack, only: list[str]) -> bool:
    return any(attack.id == name or attack.id.startswith(f"{name}-") for name in only)


async def run(stack: LocalStack, attacks: list[Attack], console: Console) -> list[Outcome]:
    """One attack after the other, each on a database and topics of its own."""
    outcomes = []
    async with new_template(stack.endpoints.dsn) as template:
        for attack in attacks:
            async with copy_of(template) as own:
                outcome = await strike(attack, stack.endpoints.bootstrap_servers, own)
            word = "held" if outcome.held else "FAIL"
            told = f"{word} {attack.id:12} {outcome.seconds:5.0f} s  {outcome.what}"
            console.print(told, highlight=False, markup=False, soft_wrap=True)
            outcomes.append(outcome)
    return outcomes


def show(outcomes: list[Outcome], console: Console) -> None:
    """The table."""
    table = Table("attack", "promised", "what happened", "verdict", show_lines=True)
    for attack, held, what, _ in outcomes:
        verdict = "[green]held[/]" if held else ("[red]FAIL[/]" if attack.id not in OPEN else "[red]FAIL[/] (known)")
        table.add_row(f"{attack.id}\n{attack.how}", attack.promise, what, verdict)
    console.print(table)


if __name__ == "__main__":
    app()
