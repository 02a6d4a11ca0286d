"""Write the generated reference, or with `--check` say which files have drifted from the code (exit code 1)."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from deploy.reference.asyncapi import asyncapi
from deploy.reference.likes import like_pages
from deploy.reference.pages import facts_page, point_events_page, reason_codes_page
from deploy.reference.programs import program_page, program_schema, try_page
from deploy.reference.schemas import fact_schema, point_event_schema
from deploy.reference.tables import Schema
from shared.facts.fact import FACT_TYPES
from shared.point_events import EVENT_TYPES
from shared.topics import Topics

PROJECT = Path(__file__).parents[2]

_OURS = ("facts", "point-events", "programs")
"""Folders in which every file is ours."""


def documents(project: Path = PROJECT) -> dict[Path, str]:
    """File → what it should say, by the code as it is now. Topics have the names that the documents use."""
    reference = project / "docs" / "reference"
    golden = project / "tests" / "contract" / "golden"
    topics = Topics.model_construct()
    made = {
        reference / "facts.md": facts_page(golden, topics),
        reference / "point-events.md": point_events_page(golden),
        reference / "reason-codes.md": reason_codes_page(),
        reference / "asyncapi.yaml": asyncapi(topics),
        reference / "program.md": program_page(project),
        reference / "program.schema.json": program_schema(),
        reference / "try.md": try_page(project),
    }
    made |= {reference / "programs" / f"{name}.md": text for name, text in like_pages(project).items()}
    for fact_type, data_class in FACT_TYPES.items():
        made[reference / "schemas" / "facts" / f"{fact_type}.json"] = _text(fact_schema(data_class))
    for event_type, event_class in EVENT_TYPES.items():
        made[reference / "schemas" / "point-events" / f"{event_type}.json"] = _text(point_event_schema(event_class))
    return made


def _text(schema: Schema) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def drifted(project: Path = PROJECT) -> list[Path]:
    """Files that are missing, or not what the code would write now; and schemas of types that are no more."""
    wanted = documents(project)
    stale = [file for folder in {file.parent for file in wanted} if folder.name in _OURS for file in folder.glob("*")]
    return sorted(
        {file for file, text in wanted.items() if not file.exists() or file.read_text(encoding="utf-8") != text}
        | {file for file in stale if file not in wanted}
    )


def main(*, check: Annotated[bool, typer.Option(help="Change nothing; say what would change.")] = False) -> None:
    """Write docs/reference from the code."""
    changed = drifted()
    if check:
        for file in changed:
            sys.stderr.write(f"{file.relative_to(PROJECT)} is not what the code says; run `make docs`\n")
        raise typer.Exit(1 if changed else 0)
    wanted = documents(PROJECT)
    for file in changed:
        if file not in wanted:
            file.unlink()
            continue
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(wanted[file], encoding="utf-8")
        sys.stdout.write(f"{file.relative_to(PROJECT)}\n")


if __name__ == "__main__":
    typer.run(main)
