"""Leases: who does a shard's side work just now, by rows with a short term on the database clock.

A lease only saves work. Two holders at once (one was paused and doesn't know that its term is over) do the same work
twice, which everything that is leased must bear.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

import asyncpg

from shared.postgres import Queries

QUERIES = Queries(Path(__file__).parents[1] / "sql" / "leases.sql")

RENEWALS_A_TERM = 3


class Leases:
    """One process's leases of one kind."""

    def __init__(self, kind: str, shards: Iterable[int], owner: str, term_s: float) -> None:
        self._kind = kind
        self._shards = sorted(shards)
        self._owner = f"{owner} {kind}"
        self._term = timedelta(seconds=term_s)
        self._renew_at = 0.0
        self.mine: frozenset[int] = frozenset()

    @property
    def due(self) -> bool:
        """Whether it is time to renew."""
        return asyncio.get_running_loop().time() >= self._renew_at

    async def renew(self, session: asyncpg.Connection) -> frozenset[int]:
        """Renew what is mine, take what is free; gives the shards that are mine from now on and were not before."""
        rows = await session.fetch(QUERIES["lease"], self._kind, self._owner, self._shards, self._term)
        before, self.mine = self.mine, frozenset(row["shard"] for row in rows)
        self._renew_at = asyncio.get_running_loop().time() + self._term.total_seconds() / RENEWALS_A_TERM
        return self.mine - before

    async def release(self, session: asyncpg.Connection) -> None:
        """Give all back, so that another process goes on at once."""
        self.mine = frozenset()
        await session.execute(QUERIES["release"], self._owner)
