"""`tallystick try`: what a program makes of a list of facts; the pure core alone, no servers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from services.cli.connections import Json
from services.cli.console import Exit
from services.cli.convergence import Comparison, compare_repeated, compare_shuffled, duplicated, shuffled
from services.cli.fact_files import STDIN, read_arrivals
from services.cli.program import read_document
from services.cli.try_report import print_comparison, print_comparison_line, print_lines, print_run
from services.earning.program.compile import compile_versions
from services.earning.program.document import Document
from services.earning.program.terms import Versions
from services.earning.program.values import read_instant
from services.earning.simulate import run

Programs = Annotated[
    list[Path],
    typer.Option(
        "--program", help="A program's document. Several of one program are its versions 1, 2, …", show_default=False
    ),
]
Facts = Annotated[
    Path, typer.Option(help="JSON lines of CloudEvents in order of arrival; `-` for stdin.", show_default=False)
]
Until = Annotated[str, typer.Option(metavar="INSTANT", help="Then bring every member up to this instant.")]
Duplicate = Annotated[bool, typer.Option("--duplicate", help="Run again with every fact repeated; compare the ends.")]
Shuffle = Annotated[
    int | None,
    typer.Option(
        metavar="SEED", help="Run again with the facts of each business key in another order; compare the ends."
    ),
]


def try_program(
    program: Programs,
    facts: Facts,
    *,
    until: Until = "",
    duplicate: Duplicate = False,
    shuffle: Shuffle = None,
    as_json: Json = False,
) -> None:
    """Try a program on a list of facts: what each one earns, and where every member stands at the end.

    Needs no servers: this is the deciding core alone, so the answer is what the pipeline would decide. A fact's time
    of arrival is its extension `receivedat`, or else its own time. Input and output are described in
    docs/reference/try.md.

    Example: `tallystick try --program deploy/programs/grocer.yaml --facts facts.jsonl --until 2018-01-01T00:00:00Z`

    Exit codes: 0, also where facts are dead letters; 1 for an invalid program, or where a second run ended otherwise.
    """
    instant = _instant(until)
    programs = read_programs(program)
    if facts != STDIN and not facts.is_file():
        raise typer.BadParameter(f"there is no file {facts}", param_hint="--facts")
    arrivals = list(read_arrivals(facts))
    first = run(programs, arrivals, instant)
    (print_lines if as_json else print_run)(first)
    comparisons: list[Comparison] = []
    if duplicate:
        comparisons.append(compare_repeated(first, run(programs, duplicated(arrivals), instant)))
    if shuffle is not None:
        comparisons.append(compare_shuffled(first, run(programs, shuffled(arrivals, shuffle), instant), shuffle))
    for comparison in comparisons:
        (print_comparison_line if as_json else print_comparison)(comparison)
    if any(comparison.differences for comparison in comparisons):
        raise typer.Exit(Exit.FINDING)


def read_programs(files: Iterable[Path]) -> dict[str, Versions]:
    """Programs by name; the files of one name are its versions, each in force from its own `effective_from`.

    Raises:
        ProgramInvalidError: of the first file that is no valid program.
    """
    documents: dict[str, list[Document]] = defaultdict(list)
    for file in files:
        if not file.is_file():
            raise typer.BadParameter(f"there is no file {file}", param_hint="--program")
        document = read_document(file)
        documents[document.program].append(document)
    return {
        name: compile_versions([(document, document.effective_from) for document in versions])
        for name, versions in documents.items()
    }


def _instant(text: str) -> datetime | None:
    if not text:
        return None
    try:
        return read_instant(text).astimezone(UTC)
    except ValueError as error:
        raise typer.BadParameter("write it like 2027-01-01T00:00:00-05:00", param_hint="--until") from error
