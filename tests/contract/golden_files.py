"""Golden files: records as every released version wrote them. They are never changed, only joined by new ones."""

import json
from pathlib import Path
from typing import Any

from shared.facts.fact import FACT_TYPES

FACTS = Path(__file__).parent / "golden" / "facts"
POINT_EVENTS = Path(__file__).parent / "golden" / "point_events"


def names(folder: Path, pattern: str = "*.json") -> list[str]:
    """`type/file` of every golden file of a folder; those of facts that earning doesn't take yet wait there unread."""
    found = sorted(file.relative_to(folder).as_posix() for file in folder.glob(f"*/{pattern}"))
    return [name for name in found if folder != FACTS or name.partition("/")[0] in FACT_TYPES]


def read(folder: Path, name: str) -> bytes:
    """The bytes of a record's value (the file ends with a line feed that is not part of it)."""
    return (folder / name).read_bytes().removesuffix(b"\n")


def read_binary(name: str) -> tuple[list[tuple[str, bytes | None]], bytes]:
    """Headers and value of a fact in binary mode: `headers` (name → text) and `data` of the file."""
    record: dict[str, Any] = json.loads(read(FACTS, name))
    value = json.dumps(record["data"], separators=(",", ":"), ensure_ascii=False).encode()
    return [(header, text.encode()) for header, text in record["headers"].items()], value
