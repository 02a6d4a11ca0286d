"""The programs we ship: documents to read, to try and to start from; each has a story of facts."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent
SUFFIX = "-like"


def likes() -> dict[str, Path]:
    """Name → the program's file: `smile`, `lush`, …."""
    return {file.stem.removesuffix(SUFFIX): file for file in sorted(FOLDER.glob(f"*{SUFFIX}.yaml"))}
