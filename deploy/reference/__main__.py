"""Write the generated reference, or with `--check` say which files have drifted from the code (exit code 1)."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from deploy.reference.documents import PROJECT, documents


def drifted(project: Path = PROJECT) -> list[Path]:
    """Files that are missing, or not what the code would write now; and schemas of types that are no more."""
    wanted = documents(project)
    stale = [file for folder in {file.parent for file in wanted} if folder.name in _OURS for file in folder.glob("*")]
    return sorted(
        {file for file, text in wanted.items() if not file.exists() or file.read_text(encoding="utf-8") != text}
        | {file for file in stale if file not in wanted}
    )


_OURS = ("facts", "point-events", "programs")


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
