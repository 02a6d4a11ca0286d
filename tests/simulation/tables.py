"""Tables: the rows of the simulated database, one class a table, with the columns and keys of the migrations."""

from __future__ import annotations

from collections import namedtuple
from datetime import datetime
from typing import Any, NamedTuple

from services.projections.models import Model, registered


class Installation(NamedTuple):
    """earning.installation."""

    single: bool
    shards: int


class Shard(NamedTuple):
    """earning.shards."""

    shard: int
    position: int = 0
    chain: str = ""


class Emission(NamedTuple):
    """earning.emissions."""

    shard: int
    emitted: int = 0
    whole_to: int = 0
    looked_to: int = 0


class FenceRow(NamedTuple):
    """earning.fences."""

    topic: str
    partition: int
    stored: int
    moved_at: datetime
    applied: int = 0
    duplicate: int = 0
    rejected: int = 0
    dead_letter: int = 0
    received_at_last: datetime | None = None
    log: int = 0
    begun: int = 0
    counted_before: int = 0
    bookmark_offset: int | None = None
    bookmark_timestamp: datetime | None = None
    bookmark_crc: int | None = None


class StandingRow(NamedTuple):
    """earning.standings."""

    shard: int
    program: str
    member: str
    next_due: datetime | None
    body: bytes


class KeyRow(NamedTuple):
    """earning.keys."""

    shard: int
    program: str
    source: str
    kind: str
    id: str
    member: str
    lots: list[int]
    body: bytes


class LotRow(NamedTuple):
    """earning.lots."""

    shard: int
    program: str
    member: str
    lot: int
    source: str
    kind: str
    id: str
    points: int
    remaining: int
    earned_at: datetime
    available_at: datetime | None
    expires_at: datetime | None
    due: datetime | None
    body: bytes


class InboxRow(NamedTuple):
    """earning.inbox."""

    shard: int
    id: int
    program: str
    member: str
    fact: bytes
    failed: str | None = None


class JournalRow(NamedTuple):
    """earning.journal."""

    shard: int
    position: int
    month: Any
    key: str
    type: str
    decided_at: datetime
    bytes: bytes


class Lease(NamedTuple):
    """earning.leases."""

    kind: str
    shard: int
    owner: str
    until: datetime


class DeadLetterRow(NamedTuple):
    """earning.dead_letters."""

    topic: str
    partition: int
    offset: int
    reason: str
    text: str
    field: str
    key: bytes | None
    value: bytes | None
    headers: bytes
    received_at: datetime
    recorded_at: datetime
    relayed_at: datetime | None = None
    log: int = 0


class Registry(NamedTuple):
    """earning.program_registry."""

    serial: int = 0


class ProgramRow(NamedTuple):
    """earning.program_versions."""

    program: str
    version: int
    document: str
    checksum: str
    published_at: datetime
    in_force_from: datetime
    relayed_at: datetime | None
    serial: int


class VersionSweep(NamedTuple):
    """earning.version_sweeps."""

    shard: int
    program: str
    version: int


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


class ForeignRow(NamedTuple):
    """projections.dead_letters."""

    topic: str
    partition: int
    offset: int
    reason: str
    text: str
    field: str
    key: bytes | None
    value: bytes | None
    headers: bytes
    received_at: datetime
    relayed_at: datetime | None = None


def _row_of(model: Model) -> type[tuple[Any, ...]]:
    return namedtuple(f"{model.name.capitalize()}Row", model.columns)  # noqa: PYI024 (columns as the model has them)


ROWS: dict[str, type[tuple[Any, ...]]] = {model.name: _row_of(model) for model in registered()}
"""Read model → its table's rows: projections.<name>_1, with the columns that its fold fills."""

KEYS: dict[type[tuple[Any, ...]], tuple[str, ...]] = {
    Installation: ("single",),
    Shard: ("shard",),
    Emission: ("shard",),
    FenceRow: ("topic", "partition"),
    StandingRow: ("program", "member"),
    KeyRow: ("program", "source", "kind", "id"),
    LotRow: ("program", "member", "lot"),
    InboxRow: ("shard", "id"),
    JournalRow: ("shard", "position"),
    Lease: ("kind", "shard"),
    DeadLetterRow: ("topic", "partition", "offset", "log"),
    Registry: (),
    ProgramRow: ("program", "version"),
    VersionSweep: ("shard", "program"),
    Generation: (),
    PositionRow: ("partition",),
    ForeignRow: ("topic", "partition", "offset"),
    **{ROWS[model.name]: model.key for model in registered()},
}
"""Table → the columns of its primary key. (The journal's has the month in it, too, which no two writers differ in.)"""
