"""The transaction in which the books are written: the only one that moves the heads of shards.

READ COMMITTED, in this order: lock the heads, so that each statement after it sees what their last owner has left;
load; decide; append to the journal; save rows; move the heads; what else its caller has to write; commit. After it all
is there, before it nothing.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path

import asyncpg

from services.earning import failpoints
from services.earning.failpoints import Moment
from services.earning.ledger import journal
from services.earning.ledger.journal import Entry, Head, Journal
from services.earning.ledger.ledger import Ledger
from services.earning.ledger.load import PostgresRows
from services.earning.ledger.save import save
from services.earning.ledger.working_set import WorkingSet
from shared.errors import ConfigurationError
from shared.postgres import Queries

QUERIES = Queries(Path(__file__).parents[1] / "sql" / "shards.sql")


OnCommitted = Callable[[Sequence[Entry], int], None]
"""Told after each commit: the journal rows written, and how many messages were decided, or members looked at."""


class OpenLedger(Ledger):
    """The ledger of a transaction that is open, and has locked the shards it decides for."""

    journal: Journal

    def __init__(self, session: asyncpg.Connection, shards: int, journal: Journal) -> None:
        working_set = WorkingSet(shards)
        self.rows = PostgresRows(session, working_set)
        super().__init__(working_set, self.rows, journal)
        self._session = session
        self._saved = False

    @property
    def programs(self) -> set[str]:
        """The programs of the members in hand."""
        return {program for program, _ in self.working_set.members}

    async def save(self) -> None:
        """Append to the journal, save rows, move the heads: once, and nothing may be decided after it.

        Its caller calls it where statements of its own have to follow; the end of the transaction does otherwise.

        Raises:
            asyncpg.PostgresError, OSError: the transaction has failed.
        """
        if self._saved:
            return
        self._saved = True
        await journal.write(self._session, self.journal.entries)
        await save(self._session, self.working_set)
        if self.journal.entries:
            await self._session.execute(QUERIES["update_shards"], *zip(*self.journal.moved, strict=True))


@asynccontextmanager
async def transaction(
    session: asyncpg.Connection,
    shards: int,
    locked: Iterable[int],
    moments: tuple[Moment, Moment] | None = None,
) -> AsyncIterator[OpenLedger]:
    """Write the books of the shards `locked`, of an installation of so many: what the block has decided is committed.

    `moments` are the failpoints right before and after the commit.

    Raises:
        ConfigurationError: a shard has no row to lock.
        asyncpg.PostgresError, OSError, TimeoutError: nothing was written.
    """
    async with heads_locked(session, locked) as journal_of_shards:
        ledger = OpenLedger(session, shards, journal_of_shards)
        yield ledger
        await ledger.save()
        if moments is not None:
            failpoints.reached(moments[0])
    if moments is not None:
        failpoints.reached(moments[1])


@asynccontextmanager
async def heads_locked(session: asyncpg.Connection, shards: Iterable[int]) -> AsyncIterator[Journal]:
    """A transaction that nobody else decides in for these shards: their heads are locked until it ends.

    Raises:
        ConfigurationError: a shard has no row to lock.
        asyncpg.PostgresError, OSError, TimeoutError: nothing was written.
    """
    wanted = sorted(shards)
    async with session.transaction():
        rows = await session.fetch(QUERIES["lock_shards"], wanted)
        if len(rows) != len(wanted):
            raise ConfigurationError(
                "Shards have no row to lock.", cure="Restore earning.shards; see docs/how-to/operate.md."
            )
        heads = {shard: Head(position, chain) for shard, position, chain, _ in rows}
        yield Journal(heads, rows[0]["month"] if rows else date.min)


async def heads(session: asyncpg.Connection) -> dict[int, Head]:
    """Shard → position and hash of its newest event, of every shard in order.

    Raises:
        asyncpg.PostgresError, OSError: Postgres is away.
    """
    return {shard: Head(position, chain) for shard, position, chain in await session.fetch(QUERIES["heads"])}
