"""`python -m tests.chaos.defects`: plant each defect in a copy of the code, and see that its check fails.

A defect that no longer fits is an error: the code has changed, and nobody knows any more what would be noticed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from tests.chaos.defects import DEFECTS
from tests.chaos.defects.planting import Defect, MisfitError, namesakes
from tests.conftest import new_stack

TOP = Path(__file__).parents[3]
COPIED = ("services", "shared", "deploy", "tests", "pyproject.toml")
PREFIX = "tallystick-defect-"
SECONDS_MAX = 400
TESTS_FAILED = 1

ON_GIVEN_SERVERS = "tests/integration/"
"""These checks share servers that run all the time; others bring their own, to harm them."""

app = typer.Typer(add_completion=False)


@dataclass(frozen=True)
class Verdict:
    """What became of a defect: caught or not, or why that can't be said."""

    defect: Defect
    word: str
    caught_by: str
    seconds: float


@app.command()
def main(
    only: Annotated[str, typer.Option(help="Only defects whose name contains this.")] = "",
    *,
    proof: Annotated[bool, typer.Option("--proof", help="See first that each check passes without a defect.")] = False,
    fit: Annotated[bool, typer.Option("--fit", help="Only show what doesn't fit, and the code.")] = False,
) -> None:
    """Plant every defect, one at a time; exit code 1 where one isn't caught, or no longer fits the code."""
    console = Console()
    defects = sorted((defect for defect in DEFECTS if only in defect.name), key=lambda defect: defect.name)
    if fit:
        raise typer.Exit(show_misfits(defects, console))
    with new_stack() as stack:
        servers = {
            "KAFKA_BOOTSTRAP_SERVERS": stack.endpoints.bootstrap_servers,
            "POSTGRES_DSN": stack.endpoints.dsn,
        }
        verdicts = plant_all(defects, servers, console, proof=proof)
    show(verdicts, console)
    if any(verdict.word != "caught" for verdict in verdicts):
        raise typer.Exit(1)


def show_misfits(defects: Sequence[Defect], console: Console) -> int:
    """Print each defect that doesn't fit the code, with its function as it is now; return how many."""
    misfits = [(defect, error) for defect in defects if (error := misfit(defect)) is not None]
    for defect, error in misfits:
        code = error.source or "\n".join(["of this name are:", *namesakes(error.change, TOP)])
        console.print(f"{defect.name}\n{error}\n{code}\n", highlight=False, markup=False, soft_wrap=True)
    console.print(f"{len(misfits)} of {len(defects)} don't fit")
    return len(misfits)


def misfit(defect: Defect) -> MisfitError | None:
    """Why a defect doesn't fit the code; None where it does."""
    try:
        defect.changed(TOP)
    except MisfitError as error:
        return error
    return None


def plant_all(defects: Sequence[Defect], servers: Mapping[str, str], console: Console, *, proof: bool) -> list[Verdict]:
    """Plant one defect after the other; `servers` is where checks find Kafka and Postgres."""
    verdicts = list(_proven(defects, servers, console)) if proof else []
    for defect in defects:
        verdicts.append(planted(defect, servers))
        console.print(f"{verdicts[-1].word:12} {defect.name} ({verdicts[-1].seconds:.0f} s)", highlight=False)
    return verdicts


def planted(defect: Defect, servers: Mapping[str, str]) -> Verdict:
    """Plant one defect in a copy, and run its checks there until one fails."""
    began = time.monotonic()

    def verdict(word: str, caught_by: str = "") -> Verdict:
        return Verdict(defect, word, caught_by, time.monotonic() - began)

    with tempfile.TemporaryDirectory(prefix=PREFIX) as directory:
        copy = Path(directory)
        plant_code(copy)
        try:
            texts = defect.changed(copy)
        except MisfitError as error:
            return verdict("DOESN'T FIT", str(error))
        for file, text in texts.items():
            (copy / file).write_text(text, "utf-8")
        for check in defect.caught_by:
            done = _check(copy, servers, check)
            if done.returncode == TESTS_FAILED:
                failed = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
                return verdict("caught", failed[0].split(" ")[1].rpartition("/")[2] if failed else check)
            if done.returncode:
                return verdict("BROKEN", done.stdout[-300:])
    return verdict("NOT CAUGHT")


def _proven(defects: Sequence[Defect], servers: Mapping[str, str], console: Console) -> Iterator[Verdict]:
    """A check that fails anyway catches nothing."""
    checks = sorted({check for defect in defects for check in defect.caught_by})
    with tempfile.TemporaryDirectory(prefix=PREFIX) as directory:
        copy = Path(directory)
        plant_code(copy)
        for check in checks:
            done = _check(copy, servers, check)
            console.print(f"{'passes' if not done.returncode else 'FAILS ANYWAY':12} {check}", highlight=False)
            if done.returncode:
                yield Verdict(Defect("none", "nothing was planted", (check,)), "FAILS ANYWAY", check, 0.0)


def plant_code(copy: Path) -> None:
    """Copy the code; the environment is shared."""
    for name in COPIED:
        source = TOP / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, copy / name)
    copy.chmod(0o755)


def _check(copy: Path, servers: Mapping[str, str], check: str) -> subprocess.CompletedProcess[str]:
    given = servers if check.startswith(ON_GIVEN_SERVERS) else {}
    return _run(copy, given, sys.executable, "-m", "pytest", "-x", "-q", "--no-header", "-p", "no:cacheprovider", check)


def _run(copy: Path, further: Mapping[str, str], *command: str) -> subprocess.CompletedProcess[str]:
    # Not as a part of whatever repository the temporary folder may lie in.
    environment = {**os.environ, **further, "GIT_CEILING_DIRECTORIES": str(copy.parent), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        command, cwd=copy, env=environment, capture_output=True, text=True, check=False, timeout=SECONDS_MAX
    )


def show(verdicts: list[Verdict], console: Console) -> None:
    """One line a defect."""
    table = Table("defect", "breaks", "", "by", title="Planted defects")
    for verdict in verdicts:
        table.add_row(verdict.defect.name, verdict.defect.breaks, verdict.word, verdict.caught_by)
    console.print(table)
    console.print(f"{sum(v.word == 'caught' for v in verdicts)} of {len(verdicts)} caught")


if __name__ == "__main__":
    app()
