"""Sweep: members whose time has come are brought forward, though no fact of theirs arrives.

It only writes sooner what their next fact would have written before itself: a slow, fast or dead sweeper changes when
a line is written, never what is decided. What it leaves of a member is a function of the log: a standing moves to the
instant of its last event, not to where the sweeper looked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import asyncpg
import structlog

from services.earning import failpoints
from services.earning.background import holds
from services.earning.background.watermark import QUERIES, watermark
from services.earning.decide import SETTLE, Decision, advance
from services.earning.ledger import journal
from services.earning.ledger.guard import catch_faults
from services.earning.ledger.journal import Entry, Head, Journal
from services.earning.ledger.load import NONE_ASKED, LoadedMember, WorkingSet, load_due, read_standing, supply
from services.earning.ledger.load import QUERIES as EARN
from services.earning.ledger.save import save
from services.earning.program.registry import ProgramCache
from services.earning.program.terms import Versions
from services.earning.replay.recover import Recovery
from services.earning.settings import EarningSettings
from services.earning.state.standing import RowsMissingError, Standing
from services.earning.tasks.leases import Leases
from services.earning.tasks.retry import OnProgress
from shared.broker import reading
from shared.errors import PermanentError
from shared.postgres import DATA_ERRORS, connect
from shared.settings import Connections
from shared.waiting import wait_for_event

log = structlog.get_logger(__name__)

MEMBERS_MAX = 500
"""Standings a transaction at most: facts of the shard wait for it."""

MOMENT = timedelta(seconds=1)
"""The least time until a member is looked at again, so that nobody is twice in a round."""

OnSwept = Callable[[Sequence[Entry], int], None]
"""Told after each commit: the journal rows written, and how many members were looked at."""


class Swept(NamedTuple):
    """What one transaction did."""

    members: int
    entries: list[Entry]


class Sweeper:
    """Sweeps the shards it has leased, round after round."""

    def __init__(
        self,
        connections: Connections,
        topics: Sequence[str],
        shards: int,
        settings: EarningSettings,
        on_swept: OnSwept,
        recovery: Recovery,
        stopping: asyncio.Event,
    ) -> None:
        self._connections = connections
        self._topics = topics
        self._shards = shards
        self._settings = settings
        self._on_swept = on_swept
        self._recovery = recovery
        self._stopping = stopping
        self._programs = ProgramCache()
        self._members_max = MEMBERS_MAX

    async def attempt(self, works: OnProgress) -> None:
        """Sweep until told to stop.

        Raises:
            KafkaError, asyncpg.PostgresError, OSError, TimeoutError: begin again later.
        """
        leases = Leases("sweep", range(self._shards), self._settings.owner, self._settings.lease_s)
        idle = timedelta(seconds=self._settings.idle_s)
        session = await connect(self._connections.postgres_dsn, role="earning", application="tallystick-earning-sweep")
        try:
            await self._recovery.see_to(session)
            async with reading(self._connections.kafka_bootstrap_servers) as consumer:
                while not self._stopping.is_set():
                    reached = await watermark(session, consumer, self._topics, self._shards, idle)
                    if reached is not None:
                        await self._round(session, leases, reached - SETTLE)
                    works()
                    await wait_for_event(self._stopping, self._settings.sweep_poll_ms / 1000)
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
            while more and not self._stopping.is_set():
                if leases.due:
                    await leases.renew(session)
                if shard not in leases.mine:
                    break
                at_most = self._members_max
                # It may be too much for the time a transaction has, and facts wait for it: where it fails, the next
                # one is half as large.
                self._members_max = max(1, at_most // 2)
                try:
                    swept = await sweep(session, self._programs, self._shards, shard, until, held, at_most)
                except DATA_ERRORS:
                    log.exception("shard not swept", shard=shard)
                    break
                self._members_max = min(MEMBERS_MAX, at_most * 2)
                self._on_swept(swept.entries, swept.members)
                more = swept.members == at_most


async def mark_versions(
    session: asyncpg.Connection, shards: Sequence[int], until: datetime, held: Sequence[str]
) -> None:
    """A version of a program that has taken force may mean something to every member: have them looked at once.

    Raises:
        asyncpg.PostgresError, OSError: some shards may be marked and some not; mark again.
    """
    for shard, program, version, since in await session.fetch(QUERIES["new_versions"], shards, until, held):
        async with session.transaction():
            await session.fetch(EARN["lock_shards"], [shard])
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
    async with session.transaction():
        ((_, position, chain, month),) = await session.fetch(EARN["lock_shards"], [shard])
        book = Journal({shard: Head(position, chain)}, month)
        holdings = WorkingSet(shards)
        for program, member, body in await session.fetch(QUERIES["due"], shard, until, held, at_most):
            wallet = holdings.wallet(program, member)
            wallet.standing, wallet.stored, wallet.whole = read_standing(body), True, False
        wallets = list(holdings.wallets.values())
        versions = await programs.load(session, {wallet.program for wallet in wallets})
        await load_due(session, holdings, until)
        looks = [await _advance(session, holdings, wallet, versions[wallet.program], book, until) for wallet in wallets]
        if wallets:
            await journal.write(session, book.entries)
            await save(session, holdings)
            names = [wallet.program for wallet in wallets], [wallet.member for wallet in wallets]
            await session.execute(QUERIES["look_again"], *names, looks)
        if book.entries:
            await session.execute(EARN["update_shards"], *zip(*book.moved, strict=True))
        failpoints.reached(failpoints.Moment.BEFORE_COMMIT)
    failpoints.reached(failpoints.Moment.AFTER_COMMIT)
    return Swept(len(wallets), book.entries)


async def _advance(
    session: asyncpg.Connection,
    holdings: WorkingSet,
    wallet: LoadedMember,
    versions: Versions,
    book: Journal,
    until: datetime,
) -> datetime | None:
    """Bring a member to an instant; gives when to look again.

    A member who can't be advanced isn't looked at again: their next fact will say why, as a dead letter.
    """
    standing = wallet.standing
    decision = await _decided(session, holdings, wallet, versions, until)
    if standing is None or decision is None:
        return None
    look_at = decision.standing.next_due
    if look_at is not None:
        look_at = max(look_at, until + MOMENT)
    if decision.events:
        # The same events, and a standing that is a function of the log: where we looked leaves no trace in it.
        decision = await _decided(session, holdings, wallet, versions, decision.events[-1].occurred_at)
    if decision is not None and decision.events:
        book.append(wallet.shard, decision.events)
        holdings.apply(wallet, decision)
    return look_at


async def _decided(
    session: asyncpg.Connection, holdings: WorkingSet, wallet: LoadedMember, versions: Versions, until: datetime
) -> Decision | None:
    standing, asked = wallet.standing, NONE_ASKED
    while standing is not None:
        try:
            decision = catch_faults(advance, versions, standing, holdings.rows_for(wallet, (), asked), until)
        except RowsMissingError as missing:
            known = asked.issuperset(missing.keys) if missing.keys else False
            if known or not await supply(session, holdings, wallet, missing):
                _give_up(standing, missing)
                return None
            asked = asked.union(missing.keys)
        else:
            if not isinstance(decision, PermanentError):
                return decision
            _give_up(standing, decision)
            return None
    return None


def _give_up(standing: Standing, error: Exception) -> None:
    log.error("member not swept", program=standing.program, member=standing.member, error=str(error))
