"""Sweep: members whose time has come are brought forward, though no fact of theirs arrives.

It only writes sooner what their next fact would have written before itself: a slow, fast or dead sweeper changes when
a line is written, never what is decided. What it leaves of a member is a function of the log: a standing moves to the
instant of its last event, not to where the sweeper looked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import asyncpg
import structlog

from services.earning import failpoints
from services.earning.background import holds
from services.earning.background.watermark import watermark
from services.earning.decide import SETTLE, advance
from services.earning.ledger.journal import Entry
from services.earning.ledger.ledger import Ledger
from services.earning.ledger.load import read_standing
from services.earning.ledger.transaction import OnCommitted, heads_locked, transaction
from services.earning.ledger.working_set import LoadedMember
from services.earning.program.registry import ProgramCache
from services.earning.program.terms import Versions
from services.earning.replay.recover import Recovery
from services.earning.settings import EarningSettings
from services.earning.tasks.leases import Leases
from services.earning.tasks.retry import OnProgress
from shared.broker import reading
from shared.errors import PermanentError
from shared.postgres import DATA_ERRORS, Queries, connect
from shared.settings import Connections
from shared.waiting import wait_for_event

log = structlog.get_logger(__name__)

QUERIES = Queries(Path(__file__).parents[1] / "sql" / "sweep.sql")

MEMBERS_MAX = 500
"""Standings a transaction at most: facts of the shard wait for it."""

MOMENT = timedelta(seconds=1)
"""The least time until a member is looked at again, so that nobody is twice in a round."""


class Swept(NamedTuple):
    """What one transaction did."""

    members: int
    entries: list[Entry]


@dataclass
class Sweeper:
    """Sweeps the shards it has leased, round after round."""

    connections: Connections
    topics: Sequence[str]
    shards: int
    settings: EarningSettings
    on_committed: OnCommitted
    recovery: Recovery
    stopping: asyncio.Event
    programs: ProgramCache = field(default_factory=ProgramCache)
    members_max: int = MEMBERS_MAX

    async def attempt(self, on_progress: OnProgress) -> None:
        """Sweep until told to stop.

        Raises:
            KafkaError, asyncpg.PostgresError, OSError, TimeoutError: begin again later.
        """
        leases = Leases("sweep", range(self.shards), self.settings.owner, self.settings.lease_s)
        idle = timedelta(seconds=self.settings.idle_s)
        session = await connect(self.connections.postgres_dsn, role="earning", application="tallystick-earning-sweep")
        try:
            await self.recovery.ensure_level(session)
            async with reading(self.connections.kafka_bootstrap_servers) as consumer:
                while not self.stopping.is_set():
                    reached = await watermark(session, consumer, self.topics, self.shards, idle)
                    if reached is not None:
                        await self._round(session, leases, reached - SETTLE)
                    on_progress()
                    await wait_for_event(self.stopping, self.settings.sweep_poll_ms / 1000)
                await leases.release(session)
        finally:
            session.terminate()

    async def _round(self, session: asyncpg.Connection, leases: Leases, until: datetime) -> None:
        """Everything that is due by then on the shards that are ours."""
        held = await holds.held(session)
        await leases.renew(session)
        await mark_versions(session, sorted(leases.mine), until, held)
        for shard in sorted(leases.mine):
            more = True
            while more and not self.stopping.is_set():
                if leases.due:
                    await leases.renew(session)
                if shard not in leases.mine:
                    break
                at_most = self.members_max
                # It may be too much for the time a transaction has, and facts wait for it: where it fails, the next
                # one is half as large.
                self.members_max = max(1, at_most // 2)
                try:
                    swept = await sweep(session, self.programs, self.shards, shard, until, held, at_most)
                except DATA_ERRORS:
                    log.exception("shard not swept", shard=shard)
                    break
                self.members_max = min(MEMBERS_MAX, at_most * 2)
                self.on_committed(swept.entries, swept.members)
                more = swept.members == at_most


async def mark_versions(
    session: asyncpg.Connection, shards: Sequence[int], until: datetime, held: Sequence[str]
) -> None:
    """A version of a program that has taken force may mean something to every member: have them looked at once.

    Raises:
        asyncpg.PostgresError, OSError: some shards may be marked and some not; mark again.
    """
    for shard, program, version, since in await session.fetch(QUERIES["new_versions"], shards, until, held):
        async with heads_locked(session, [shard]):
            await session.execute(QUERIES["mark_due"], shard, program, since)
            await session.execute(QUERIES["marked"], shard, program, version)
        log.info("marked due", shard=shard, program=program, version=version)


async def sweep(
    session: asyncpg.Connection,
    programs: ProgramCache,
    shards: int,
    shard: int,
    until: datetime,
    held: Sequence[str] = (),
    at_most: int = MEMBERS_MAX,
) -> Swept:
    """Bring members of a shard to an instant, those longest due first and at most so many; one transaction.

    Members of `held` programs are left alone.

    Raises:
        asyncpg.PostgresError, OSError, TimeoutError: nothing was done; try again.
    """
    async with transaction(session, shards, [shard], failpoints.COMMIT) as ledger:
        for program, name, body in await session.fetch(QUERIES["due"], shard, until, held, at_most):
            member = ledger.member(program, name)
            member.standing, member.stored, member.whole = read_standing(body), True, False
        members = list(ledger.working_set.members.values())
        versions = await programs.load(session, ledger.programs)
        await ledger.rows.load_due(until)
        next_dues = [await _advance(ledger, member, versions[member.program], until) for member in members]
        await ledger.save()
        if members:
            names = [member.program for member in members], [member.member for member in members]
            await session.execute(QUERIES["look_again"], *names, next_dues)
    return Swept(len(members), ledger.journal.entries)


async def _advance(ledger: Ledger, member: LoadedMember, versions: Versions, until: datetime) -> datetime | None:
    """Bring a member to an instant; gives when to look again.

    A member who can't be advanced isn't looked at again: their next fact will say why, as a dead letter.
    """
    standing = member.standing
    if standing is None:
        return None
    decision = await ledger.attempt(member, (), lambda rows: advance(versions, standing, rows, until), keep=False)
    if isinstance(decision, PermanentError):
        _give_up(member, decision)
        return None
    look_at = decision.standing.next_due
    if look_at is not None:
        look_at = max(look_at, until + MOMENT)
    if decision.events:
        # The same events, and a standing that is a function of the log: where we looked leaves no trace in it.
        last = decision.events[-1].occurred_at
        recorded = await ledger.attempt(member, (), lambda rows: advance(versions, standing, rows, last))
        if isinstance(recorded, PermanentError):
            _give_up(member, recorded)
    return look_at


def _give_up(member: LoadedMember, error: PermanentError) -> None:
    log.error("member not swept", program=member.program, member=member.member, error=str(error))
