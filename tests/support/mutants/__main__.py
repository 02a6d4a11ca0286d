"""`python -m tests.support.mutants`: plant mistakes in the pure rooms one by one, count those that a test notices.

Which rooms, and which tests: `[tool.mutmut]` in pyproject.toml. Mutants of unchanged functions keep their verdict, so a
run that was cut off goes on where it ended.
"""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

TOP = Path(__file__).parents[3]
MUTMUT = Path(sys.executable).with_name("mutmut")
FIRST = "services.projections.models.members.fold.*"
"""The smallest room: trying it first makes all mutants and learns which test runs which function."""

NOTICED = {"killed", "timeout", "suspicious", "segfault", "caught by type check"}
UNTRIED = {"not checked", "skipped"}
FOUND_AT_LEAST = 85
"""The per cent of mutants that must be noticed."""

app = typer.Typer(add_completion=False)


def try_out(names: Sequence[str], processes: int = 1) -> None:
    """Run the tests on mutants, whatever is known of them."""
    command = [str(MUTMUT), "run", "--max-children", str(processes), *names]
    ended = subprocess.run(command, cwd=TOP, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if ended.returncode:
        sys.exit(ended.stdout[-4_000:])


def verdicts() -> dict[str, str]:
    """What became of each mutant so far."""
    command = [str(MUTMUT), "results", "--all", "true"]
    told = subprocess.run(command, cwd=TOP, capture_output=True, text=True, check=True).stdout
    return dict(line.strip().split(": ", 1) for line in told.splitlines() if ": " in line)


def mistake(name: str) -> str:
    """The lines that a mutant changes."""
    told = subprocess.run([str(MUTMUT), "show", name], cwd=TOP, capture_output=True, text=True, check=True).stdout
    lines = [line for line in told.splitlines() if line[:1] in {"-", "+"} and line[:3] not in {"---", "+++"}]
    return "\n".join(lines)


def chosen(names: Sequence[str], only: str, sample: int, seed: int) -> list[str]:
    """Mutants of the modules meant; of these a sample, the same for the same seed."""
    fitting = sorted(name for name in names if only in name)
    if not sample or sample >= len(fitting):
        return fitting
    return Random(seed).sample(fitting, sample)  # noqa: S311 (the same seed must choose the same)


def score(found: Counter[str]) -> float:
    """The per cent noticed of those tried."""
    tried = sum(count for word, count in found.items() if word not in UNTRIED)
    return 100 * sum(found[word] for word in NOTICED) / max(1, tried)


def by_module(tried: dict[str, str]) -> Table:
    """A row for each module: mutants, those noticed, the score."""
    table = Table("module", "mutants", "noticed", "%", title=f"{len(tried)} mutants")
    modules = sorted({name.rpartition(".")[0] for name in tried})
    for module in modules:
        found = Counter(word for name, word in tried.items() if name.rpartition(".")[0] == module)
        noticed = sum(found[word] for word in NOTICED)
        short = module.removeprefix("services.")
        table.add_row(short, str(found.total()), str(noticed), f"{score(found):.0f}")
    return table


@app.command()
def main(
    only: Annotated[str, typer.Option(help="A part of a module's name; all, where it is left out.")] = "",
    sample: Annotated[int, typer.Option(help="So many mutants, chosen by the seed; 0: all.")] = 0,
    seed: Annotated[int, typer.Option(help="Another seed, another sample.")] = 1,
    *,
    again: Annotated[bool, typer.Option(help="Try those once more that no test noticed: there are new tests.")] = False,
    processes: Annotated[int, typer.Option(min=1, help="How many are tried at the same time.")] = 1,
) -> None:
    """Plant mistakes, and say which of them no test has noticed."""
    console = Console()
    try_out([FIRST])
    before = verdicts()
    names = chosen(list(before), only, sample, seed)
    open_ = [name for name in names if before[name] in UNTRIED or (again and before[name] not in NOTICED)]
    console.print(f"{len(names)} mutants, of which {len(open_)} are tried now; all together take about two hours.")
    if open_:
        try_out(open_, processes)
    after = verdicts()
    tried = {name: after[name] for name in names}
    for name, word in tried.items():
        if word not in NOTICED | UNTRIED:
            console.print(f"[bold]{name}[/]: {word}\n{mistake(name)}", highlight=False)
    found = Counter(tried.values())
    console.print(by_module(tried))
    console.print(f"{score(found):.1f} % noticed: {dict(found)}")
    sys.exit(score(found) < FOUND_AT_LEAST)


if __name__ == "__main__":
    app()
