"""Inbox: messages from members to members are decided, each shard's in a transaction that ends with them gone.

The transaction that made a message wrote it here; so however often either side dies, both sides come to what the facts
say, once. In which order messages arrive, and how often, is of no matter: the newest word of each counts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import asyncpg
import msgspec
import structlog

from services.earning import failpoints
from services.earning.decide import Decision, decide_message, needs
from services.earning.ledger import journal
from services.earning.ledger.guard import catch_faults
from services.earning.ledger.journal import Entry, Head, Journal
from services.earning.ledger.load import NONE_ASKED, LoadedMember, WorkingSet, load, supply
from services.earning.ledger.load import QUERIES as EARN
from services.earning.ledger.save import save
from services.earning.program.registry import ProgramCache
from services.earning.program.terms import Versions
from services.earning.replay.recover import Recovery
from services.earning.settings import EarningSettings
from services.earning.source_events.facts import Fact, restored_fact
from services.earning.state.standing import RowsMissingError
from services.earning.tasks.leases import Leases
from services.earning.tasks.retry import OnProgress
from shared.errors import PermanentError
from shared.postgres import DATA_ERRORS, Queries, connect
from shared.settings import Connections
from shared.waiting import wait_for_event

log = structlog.get_logger(__name__)

QUERIES = Queries(Path(__file__).parents[1] / "sql" / "inbox.sql")

MESSAGES_MAX = 500
"""Messages a transaction at most: facts of the shard wait for it."""

_read = msgspec.msgpack.Decoder().decode

OnTaken = Callable[[Sequence[Entry], int], None]
"""Told after each commit: the journal rows written, and how many messages were decided."""


class Taken(NamedTuple):
    """What one transaction did."""

    messages: int
    entries: list[Entry]


class Inbox:
    """Decides the messages of the shards it has leased."""

    def __init__(
        self,
        connections: Connections,
        shards: int,
        settings: EarningSettings,
        on_taken: OnTaken,
        recovery: Recovery,
        stopping: asyncio.Event,
    ) -> None:
        self._connections = connections
        self._shards = shards
        self._settings = settings
        self._on_taken = on_taken
        self._recovery = recovery
        self._stopping = stopping
        self._programs = ProgramCache()

    async def attempt(self, works: OnProgress) -> None:
        """Decide what comes until told to stop.

        Raises:
            asyncpg.PostgresError, OSError, TimeoutError: begin again later.
        """
        leases = Leases("inbox", range(self._shards), self._settings.owner, self._settings.lease_s)
        session = await connect(self._connections.postgres_dsn, role="earning", application="tallystick-earning-inbox")
        try:
            await self._recovery.see_to(session)
            while not self._stopping.is_set():
                if leases.due:
                    await leases.renew(session)
                taken = 0
                for (shard,) in await session.fetch(QUERIES["shards"], sorted(leases.mine)):
                    taken += await self._take(session, shard)
                works()
                if not taken:  # an answer may be here already: under a backlog messages must not lag behind facts
                    await wait_for_event(self._stopping, self._settings.inbox_poll_ms / 1000)
            await leases.release(session)
        finally:
            session.terminate()

    async def _take(self, session: asyncpg.Connection, shard: int) -> int:
        """Decide a shard's messages; where the database refuses the data of some, each by itself. Gives how many."""
        try:
            taken = await take(session, self._programs, self._shards, shard)
        except DATA_ERRORS:
            log.exception("messages refused", shard=shard)
            taken = await self._one_by_one(session, shard)
        self._on_taken(taken.entries, taken.messages)
        return taken.messages

    async def _one_by_one(self, session: asyncpg.Connection, shard: int) -> Taken:
        try:
            return await take(session, self._programs, self._shards, shard, at_most=1)
        except DATA_ERRORS as error:
            ((number, *_),) = await session.fetch(QUERIES["messages"], shard, 1)
            await _fail(session, shard, number, error)
            return Taken(0, [])


async def take(
    session: asyncpg.Connection, programs: ProgramCache, shards: int, shard: int, at_most: int = MESSAGES_MAX
) -> Taken:
    """Decide a shard's oldest messages; one transaction, after which they are gone.

    Raises:
        asyncpg.PostgresError, OSError, TimeoutError: nothing was done; try again.
    """
    async with session.transaction():
        ((_, position, chain, month),) = await session.fetch(EARN["lock_shards"], [shard])
        book = Journal({shard: Head(position, chain)}, month)
        messages = {
            number: restored_fact(_read(fact), program, member)
            for number, program, member, fact in await session.fetch(QUERIES["messages"], shard, at_most)
        }
        holdings = WorkingSet(shards)
        wallets = {number: holdings.wallet(fact.program, fact.member) for number, fact in messages.items()}
        versions = await programs.load(session, {fact.program for fact in messages.values()})
        latest = max((fact.received_at for fact in messages.values()), default=None)
        await load(session, holdings, {key for fact in messages.values() for key in needs(fact).keys}, latest)
        done = []
        for number, fact in messages.items():
            decision = await _decided(session, holdings, wallets[number], versions[fact.program], fact)
            if isinstance(decision, Exception):
                await _fail(session, shard, number, decision)
                continue
            done.append(number)
            book.append(shard, decision.events)
            holdings.apply(wallets[number], decision)
        await journal.write(session, book.entries)
        await save(session, holdings)
        await session.execute(QUERIES["done"], shard, done)
        if book.entries:
            await session.execute(EARN["update_shards"], *zip(*book.moved, strict=True))
        failpoints.reached(failpoints.Moment.BEFORE_INBOX_COMMIT)
    failpoints.reached(failpoints.Moment.AFTER_INBOX_COMMIT)
    return Taken(len(messages), book.entries)


async def _decided(
    session: asyncpg.Connection, holdings: WorkingSet, wallet: LoadedMember, versions: Versions, fact: Fact
) -> Decision | Exception:
    """What a message means for its member, or why that can't be decided: a fault of ours."""
    standing, asked, keys = wallet.standing, NONE_ASKED, needs(fact).keys
    decided_at = fact.received_at if standing is None else max(standing.decided_at, fact.received_at)
    while True:
        try:
            return catch_faults(
                decide_message, versions, standing, holdings.rows_for(wallet, keys, asked), fact, decided_at
            )
        except RowsMissingError as missing:
            known = asked.issuperset(missing.keys) if missing.keys else False
            if known or not await supply(session, holdings, wallet, missing):
                return missing
            asked = asked.union(missing.keys)


async def _fail(session: asyncpg.Connection, shard: int, number: int, error: BaseException) -> None:
    reason = error.reason if isinstance(error, PermanentError) else type(error).__name__
    log.error("message not decided", shard=shard, id=number, reason=reason, error=str(error))
    await session.execute(QUERIES["failed"], shard, number, f"{reason}: {error}")
