"""Tables: the rows of the simulated database, one class a table, with the columns and keys of the migrations."""

from __future__ import annotations

from collections import namedtuple
from pathlib import Path
from typing import Any, NamedTuple

from services.projections.models import Model, registered
from tests.support.simulation.schema import rows_of

SERVICES = Path(__file__).parents[3] / "services"
EARNING = rows_of(SERVICES / "earning" / "sql" / "migrations", "earning")
"""Table of earning → the class of its rows, and the columns of its primary key."""

PROJECTIONS = rows_of(SERVICES / "projections" / "sql" / "migrations", "projections")
"""The same of projections, but for the tables of a generation."""

Installation = EARNING["installation"][0]
Shard = EARNING["shards"][0]
Emission = EARNING["emissions"][0]
FenceRow = EARNING["fences"][0]
StandingRow = EARNING["standings"][0]
KeyRow = EARNING["keys"][0]
LotRow = EARNING["lots"][0]
InboxRow = EARNING["inbox"][0]
JournalRow = EARNING["journal"][0]
Lease = EARNING["leases"][0]
DeadLetterRow = EARNING["dead_letters"][0]
Registry = EARNING["program_registry"][0]
ProgramRow = EARNING["program_versions"][0]
VersionSweep = EARNING["version_sweeps"][0]
ForeignRow = PROJECTIONS["dead_letters"][0]


class Generation(NamedTuple):
    """projections.generation."""

    current: int
    partitions: int | None = None


class PositionRow(NamedTuple):
    """projections.positions_1."""

    partition: int
    position: int = 0
    hash: bytes = b""
    next_offset: int = 0
    successor: int | None = None


def _row_of(model: Model) -> Any:
    return namedtuple(f"{model.name.capitalize()}Row", model.columns)  # noqa: PYI024 (columns as the model has them)


ROWS: dict[str, Any] = {model.name: _row_of(model) for model in registered()}
"""Read model → its table's rows: projections.<name>_1, with the columns that its fold fills."""

KEYS: dict[Any, tuple[str, ...]] = {
    **dict(EARNING.values()),
    JournalRow: ("shard", "position"),  # and the month, in which no two writers differ
    Generation: (),
    PositionRow: ("partition",),
    ForeignRow: PROJECTIONS["dead_letters"][1],
    **{ROWS[model.name]: model.key for model in registered()},
}
"""Table → the columns of its primary key."""
