"""Reading the read models: what the command and other readers ask, as values.

Each function takes a session that may read the views (`analyst` will do); `shown` needs one of role `projector`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg

from services.projections import store
from shared.point_events import Key
from shared.postgres import Queries

_QUERIES = Queries(Path(__file__).parent / "sql" / "query.sql")


@dataclass(frozen=True)
class Tier:
    """The tier a member holds (None: the program's base); see view `loyalty.tiers`."""

    tier: str | None
    since: datetime | None
    valid_until: datetime | None
    qualifying: Decimal | None
    to_next: Decimal | None
    to_keep: Decimal | None


@dataclass(frozen=True)
class Balance:
    """A member's points; `gross` has the lifetime counters by name, `tier` None where nothing was said of tiers."""

    program: str
    member: str
    available: int
    pending: int
    deficit: int
    gross: dict[str, int]
    next_expiry_at: datetime | None
    next_expiry_points: int | None
    booked_at: datetime
    sequence: int
    tier: Tier | None


@dataclass(frozen=True)
class HistoryEntry:
    """A line of a member's history; see view `loyalty.history`."""

    sequence: int
    occurred_at: datetime
    booked_at: datetime
    kind: str
    why: str
    change: int
    balance: int
    pending: int
    deficit: int
    net: int
    source: str
    order_id: str | None
    reason: str | None
    rules: str | None
    tier: str | None
    program_version: int
    partition: int
    position: int


@dataclass(frozen=True)
class Movement:
    """What events of one kind moved in a period: `net` is the change of available + pending - deficit."""

    kind: str
    events: int
    net: int


@dataclass(frozen=True)
class PointsStatus:
    """The books of a program for a period: opening + movements = closing.

    `opening` and `closing` are the sums over members of available + pending - deficit at begin and end, by the
    resulting balances of their last rows; `now` is the same sum by the balances as they are.
    """

    program: str
    begin: datetime
    end: datetime
    opening: int
    movements: tuple[Movement, ...]
    closing: int
    now: int
    members: int

    @property
    def balanced(self) -> bool:
        """Whether the movements explain how the sum over members changed."""
        return self.opening + sum(movement.net for movement in self.movements) == self.closing


@dataclass(frozen=True)
class TierCount:
    """How many members hold a tier (None: the program's base)."""

    tier: str | None
    members: int


@dataclass(frozen=True)
class Earner:
    """A member by what they earned, net of what was taken back."""

    member: str
    earned: int
    reversed: int
    available: int
    tier: str | None


@dataclass(frozen=True)
class Shown:
    """Which generation the views show, and how many point events are folded into it."""

    generation: int
    events: int


async def balance(session: asyncpg.Connection, program: str, member: str) -> Balance | None:
    """A member's points and tier; None: nothing was ever decided for them."""
    rows = await session.fetch(_QUERIES["balance"], program, member)
    if not rows:
        return None
    held = dict(rows[0])
    tier = [held.pop(name) for name in ("tier", "tier_since", "tier_valid_until", "qualifying", "to_next", "to_keep")]
    own = {name: held.pop(name) for name in Balance.__dataclass_fields__ if name in held}
    return Balance(**own, gross=held, tier=Tier(*tier) if any(value is not None for value in tier) else None)


async def history(session: asyncpg.Connection, program: str, member: str, limit: int = 50) -> list[HistoryEntry]:
    """The latest lines of a member's history, oldest first."""
    rows = await session.fetch(_QUERIES["history"], program, member, limit)
    return [_of(HistoryEntry, row) for row in reversed(rows)]


async def points_status(session: asyncpg.Connection, program: str, begin: datetime, end: datetime) -> PointsStatus:
    """The books of a program from `begin` (inclusive) to `end` (exclusive), by when events were decided."""
    async with session.transaction(isolation="repeatable_read", readonly=True):
        (opening,) = await session.fetch(_QUERIES["total_at"], program, begin)
        rows = await session.fetch(_QUERIES["movements"], program, begin, end)
        (closing,) = await session.fetch(_QUERIES["total_at"], program, end)
        (now,) = await session.fetch(_QUERIES["total_now"], program)
    movements = tuple(Movement(row["kind"], row["events"], int(row["net"])) for row in rows)
    return PointsStatus(
        program, begin, end, opening["total"], movements, closing["total"], now["total"], closing["members"]
    )


async def tier_counts(session: asyncpg.Connection, program: str) -> list[TierCount]:
    """How many members hold each tier, most first."""
    return [_of(TierCount, row) for row in await session.fetch(_QUERIES["tier_counts"], program)]


async def top_earners(session: asyncpg.Connection, program: str, limit: int = 10) -> list[Earner]:
    """Who earned most, net of what was taken back."""
    return [_of(Earner, row) for row in await session.fetch(_QUERIES["top_earners"], program, limit)]


async def shown(session: asyncpg.Connection) -> Shown:
    """What the views show just now."""
    while True:
        generation = await store.current_generation(session)
        try:
            fences = await store.read_fences(session, generation)
        except store.GenerationChangedError:  # dropped between the two statements
            continue
        return Shown(generation, sum(fence.position for fence in fences.values()))


async def waiting(session: asyncpg.Connection, program: str, limit: int) -> list[asyncpg.Record]:
    """Facts that were taken in and wait for another one, those that wait longest first."""
    rows: list[asyncpg.Record] = await session.fetch(_QUERIES["waiting"], program, limit)
    return rows


async def positions_of_keys(
    session: asyncpg.Connection, program: str, member: str, keys: Sequence[Key]
) -> list[tuple[int, int]]:
    """Partition and position of each point event about these business keys of a member, by sequence."""
    columns = zip(*((key.source, key.kind, key.id) for key in keys), strict=True) if keys else ([], [], [])
    rows = await session.fetch(_QUERIES["positions_of_keys"], program, member, *map(list, columns))
    return [(row["partition"], row["position"]) for row in rows]


def _of(kind: Any, row: asyncpg.Record) -> Any:  # noqa: ANN401 (any of the classes above, from a row that has its fields)
    return kind(**{name: row[name] for name in kind.__dataclass_fields__})
