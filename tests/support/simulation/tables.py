"""Tables: the rows of the simulated database, one class a table, with the columns and keys of the migrations."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from tests.support.simulation.schema import rows_of

EARNING = rows_of(Path(__file__).parents[3] / "services" / "earning" / "sql" / "migrations", "earning")
"""Table of earning → the class of its rows, and the columns of its primary key."""

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


class Generation(NamedTuple):
    """projection.generation."""

    current: int
    partitions: int | None = None


class PositionRow(NamedTuple):
    """projection.positions_1."""

    partition: int
    position: int = 0
    hash: bytes = b""
    next_offset: int = 0
    successor: int | None = None


class MemberRow(NamedTuple):
    """projection.members_1."""

    partition: int
    program: str
    member: str
    sequence: int
    booked_at: datetime
    available: int
    pending: int
    deficit: int
    earned: int
    restored: int
    adjusted: int
    imported: int
    expired_reversed: int
    forgiven: int
    reinstated: int
    transferred_in: int
    transferred_out: int
    reversed: int
    redeemed: int
    expired: int
    reverted: int
    tier: str | None = None
    tier_since: datetime | None = None
    tier_until: datetime | None = None
    qualifying: Decimal | None = None
    to_next: Decimal | None = None
    to_keep: Decimal | None = None


class HistoryRow(NamedTuple):
    """projection.history_1."""

    partition: int
    position: int
    program: str
    member: str
    sequence: int
    kind: str
    occurred_at: datetime
    booked_at: datetime
    change: int
    balance: int
    pending: int
    deficit: int
    net: int
    source: str
    key_kind: str | None
    key_id: str | None
    reason: str | None
    rules: str | None
    tier: str | None
    program_version: int
    hash: bytes


class ForeignRow(NamedTuple):
    """projection.dead_letters."""

    topic: str
    partition: int
    record_offset: int
    reason: str
    message: str
    key: bytes | None
    value: bytes | None
    headers: str
    received_at: datetime
    relayed_at: datetime | None = None


KEYS: dict[Any, tuple[str, ...]] = {
    **dict(EARNING.values()),
    JournalRow: ("shard", "position"),  # and the month, in which no two writers differ
    Generation: (),
    PositionRow: ("partition",),
    MemberRow: ("program", "member", "partition"),
    HistoryRow: ("program", "member", "sequence", "partition"),
    ForeignRow: ("topic", "partition", "record_offset"),
}
"""Table → the columns of its primary key."""
