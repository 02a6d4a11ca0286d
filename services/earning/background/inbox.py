"""Inbox: messages from members to members are decided, each shard's in a transaction that ends with them gone.

The transaction that made a message wrote it here; so however often either side dies, both sides come to what the facts
say, once. In which order messages arrive, and how often, is of no matter: the newest word of each counts.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import asyncpg
import msgspec
import structlog

from services.earning import failpoints
from services.earning.decide import decide_message, needs
from services.earning.ledger.journal import Entry
from services.earning.ledger.ledger import deciding
from services.earning.ledger.transaction import OnCommitted, transaction
from services.earning.program.registry import ProgramCache
from services.earning.replay.recover import Recovery
from services.earning.settings import EarningSettings
from services.earning.source_events.facts import restored_fact
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


class DecidedMessages(NamedTuple):
    """What one transaction did."""

    messages: int
    entries: list[Entry]


@dataclass
class Inbox:
    """Decides the messages of the shards it has leased."""

    connections: Connections
    shards: int
    settings: EarningSettings
    on_committed: OnCommitted
    recovery: Recovery
    stopping: asyncio.Event
    programs: ProgramCache = field(default_factory=ProgramCache)

    async def attempt(self, on_progress: OnProgress) -> None:
        """Decide what comes until told to stop.

        Raises:
            asyncpg.PostgresError, OSError, TimeoutError: begin again later.
        """
        leases = Leases("inbox", range(self.shards), self.settings.owner, self.settings.lease_s)
        session = await connect(self.connections.postgres_dsn, role="earning", application="tallystick-earning-inbox")
        try:
            await self.recovery.ensure_level(session)
            while not self.stopping.is_set():
                if leases.due:
                    await leases.renew(session)
                decided = 0
                for (shard,) in await session.fetch(QUERIES["shards"], sorted(leases.mine)):
                    decided += await self._decide(session, shard)
                on_progress()
                if not decided:  # an answer may be here already: under a backlog messages must not lag behind facts
                    await wait_for_event(self.stopping, self.settings.inbox_poll_ms / 1000)
            await leases.release(session)
        finally:
            session.terminate()

    async def _decide(self, session: asyncpg.Connection, shard: int) -> int:
        """Decide a shard's messages; where the database refuses the data of some, each by itself. Gives how many."""
        try:
            decided = await decide_messages(session, self.programs, self.shards, shard)
        except DATA_ERRORS:
            log.exception("messages refused", shard=shard)
            decided = await self._one_by_one(session, shard)
        self.on_committed(decided.entries, decided.messages)
        return decided.messages

    async def _one_by_one(self, session: asyncpg.Connection, shard: int) -> DecidedMessages:
        try:
            return await decide_messages(session, self.programs, self.shards, shard, at_most=1)
        except DATA_ERRORS as error:
            ((number, *_),) = await session.fetch(QUERIES["messages"], shard, 1)
            await _fail(session, shard, number, error)
            return DecidedMessages(0, [])


async def decide_messages(
    session: asyncpg.Connection, programs: ProgramCache, shards: int, shard: int, at_most: int = MESSAGES_MAX
) -> DecidedMessages:
    """Decide a shard's oldest messages; one transaction, after which they are gone.

    Raises:
        asyncpg.PostgresError, OSError, TimeoutError: nothing was done; try again.
    """
    async with transaction(session, shards, [shard], failpoints.INBOX_COMMIT) as ledger:
        messages = {
            number: restored_fact(_read(fact), program, member)
            for number, program, member, fact in await session.fetch(QUERIES["messages"], shard, at_most)
        }
        members = {number: ledger.member(fact.program, fact.member) for number, fact in messages.items()}
        versions = await programs.load(session, ledger.programs)
        latest = max((fact.received_at for fact in messages.values()), default=None)
        await ledger.rows.load({key for fact in messages.values() for key in needs(fact).keys}, latest)
        done = []
        for number, fact in messages.items():
            member = members[number]
            work = deciding(decide_message, versions[fact.program], member.standing, fact)
            decision = await ledger.attempt(member, needs(fact).keys, work)
            if isinstance(decision, PermanentError):
                await _fail(session, shard, number, decision)
            else:
                done.append(number)
        await ledger.save()
        await session.execute(QUERIES["done"], shard, done)
    return DecidedMessages(len(messages), ledger.journal.entries)


async def _fail(session: asyncpg.Connection, shard: int, number: int, error: BaseException) -> None:
    reason = error.reason if isinstance(error, PermanentError) else type(error).__name__
    log.error("message not decided", shard=shard, id=number, reason=reason, error=str(error))
    await session.execute(QUERIES["failed"], shard, number, f"{reason}: {error}")
