"""Emit: the relay publishes the journal to the points topic, each shard in the order of its positions.

At least once: what was published and not recorded is published again. Readers know a position they have, and drop it.
Two relays of one shard add such copies, never disorder: each publishes without a gap, from where the log is known to
be.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from itertools import groupby
from operator import attrgetter

import asyncpg
import structlog
from aiokafka import AIOKafkaProducer

from services.earning import failpoints
from services.earning.ledger.journal import Entry
from services.earning.metrics import Metrics
from services.earning.relay.buffer import RelayBuffer
from services.earning.relay.log_check import LogCheck, Noted
from services.earning.relay.log_end import LogEnd, log_ends
from services.earning.replay.recover import Recovery, compare
from services.earning.settings import EarningSettings
from services.earning.tasks.leases import QUERIES, Leases
from services.earning.tasks.retry import OnProgress
from shared.broker import KAFKA_TRANSIENT, Outgoing, Written, producer, publish
from shared.codec import headers_of
from shared.postgres import connect
from shared.settings import Connections
from shared.waiting import wait_for_event

log = structlog.get_logger(__name__)

STOP_TIMEOUT_S = 1.0
RECORDS_A_SHARD_MIN = 100
LOOK_AT_LOG_S = 15.0
"""How often a relay without news looks whether its logs still end where it left them."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)


class Relay:
    """Publishes the shards it has leased; woken by this process's commits, and looking for those of others."""

    def __init__(
        self,
        connections: Connections,
        topic: str,
        shards: int,
        settings: EarningSettings,
        metrics: Metrics,
        recovery: Recovery,
        stopping: asyncio.Event,
    ) -> None:
        self._connections = connections
        self._topic = topic
        self._shards = shards
        self._settings = settings
        self._metrics = metrics
        self._recovery = recovery
        self._stopping = stopping
        self._news = asyncio.Event()
        self._emitted: dict[int, int] = {}
        self._log_ends: dict[int, int] = {}
        self._look: LogCheck | None = None
        self._look_at_log = 0.0
        self._fresh = RelayBuffer()
        self._look_at = 0.0

    def take(self, entries: Sequence[Entry]) -> None:
        """Rows that this process has just committed: they needn't be read back to be published."""
        self._fresh.add(entries)
        self._news.set()

    async def attempt(self, works: OnProgress) -> None:
        """Relay until told to stop, with a new producer.

        Raises:
            KafkaError, asyncpg.PostgresError, OSError, TimeoutError: begin again later.
        """
        leases = Leases("emit", range(self._shards), self._settings.owner, self._settings.lease_s)
        async with publishing(self._connections, "tallystick-relay") as (session, publisher):
            await self._recovery.see_to(session)
            try:
                while not self._stopping.is_set():
                    if leases.due:
                        await self._take(session, leases)
                    if self._look is not None and self._look.is_over:
                        await self._end_look(session, self._look, leases.mine)
                    entries = await self._next(session, leases)
                    if entries:
                        await self._publish(session, publisher, entries)
                    works()
                    if not entries:
                        await self._wait()
            finally:
                if self._look is not None:
                    self._look.give_up()
                    self._look = None
            await leases.release(session)

    async def _take(self, session: asyncpg.Connection, leases: Leases) -> None:
        """Renew the leases; of a shard newly mine, and now and then of all, find out how far its log is."""
        gained = await leases.renew(session)
        now = asyncio.get_running_loop().time()
        if gained:
            look = await self._begin_look(session, gained)
            await self._go_by_the_log(session, look.noted, await look.ends())
            log.info("relaying", shards=sorted(leases.mine))
        if now >= self._look_at_log and self._look is None:
            # Publishing goes on meanwhile: after a great deal of news a look takes a second or two.
            self._look_at_log = now + LOOK_AT_LOG_S
            self._look = await self._begin_look(session, leases.mine - gained)

    async def _begin_look(self, session: asyncpg.Connection, shards: Collection[int]) -> LogCheck:
        return await LogCheck.begin(session, self._connections.kafka_bootstrap_servers, self._topic, shards)

    async def _end_look(self, session: asyncpg.Connection, look: LogCheck, mine: Collection[int]) -> None:
        """Go by what a look beside the publishing has found, as far as it is still about shards of mine."""
        self._look = None
        ends = {shard: end for shard, end in (await look.ends()).items() if shard in mine}
        await self._go_by_the_log(session, [one for one in look.noted if one.shard in ends], ends)

    async def _go_by_the_log(
        self, session: asyncpg.Connection, noted: Sequence[Noted], ends: Mapping[int, LogEnd]
    ) -> None:
        """Go on after the last position that the log itself has; what it lost since we published it comes again.

        What was recorded before the log was read is in it, unless it was lost: then what was published since lies
        behind a hole. What was published while it was read is known to us alone.
        """
        await compare(session, ends)
        told = {shard: end.position for shard, end in ends.items()}
        if told:
            await session.execute(QUERIES["record_emitted"], list(told), list(told.values()))
            looks = [
                (one.shard, one.whole_to, one.looked_to, ends[one.shard].position, ends[one.shard].offset)
                for one in noted
            ]
            await session.execute(QUERIES["record_look"], *map(list, zip(*looks, strict=True)))
        for shard, end in ends.items():
            self._emitted[shard] = max(end.position, self._emitted.get(shard, 0))
            self._log_ends[shard] = max(end.offset, self._log_ends.get(shard, 0))
        lost = {one.shard: ends[one.shard].position for one in noted if ends[one.shard].position < one.emitted}
        await self._go_back(session, lost)

    async def _next(self, session: asyncpg.Connection, leases: Leases) -> list[Entry]:
        """Journal rows not published yet, some of every shard that is mine, each shard's in order and without a gap."""
        shards = sorted(leases.mine)
        at_most = max(RECORDS_A_SHARD_MIN, self._settings.relay_records // max(1, len(shards)))
        fresh = {shard: self._fresh.after(shard, self._emitted[shard], at_most) for shard in shards}
        entries = [entry for run in fresh.values() for entry in run]
        others = [shard for shard in shards if not fresh[shard]]
        now = asyncio.get_running_loop().time()
        if others and (not entries or now >= self._look_at):
            # What others have committed, or we have before this process, is found in the journal only.
            self._look_at = now + self._settings.relay_poll_ms / 1000
            positions = [self._emitted[shard] for shard in others]
            rows = await session.fetch(QUERIES["to_emit"], others, positions, at_most)
            entries += [Entry(*row) for row in rows]
        return entries

    async def _publish(
        self, session: asyncpg.Connection, publisher: AIOKafkaProducer, entries: Sequence[Entry]
    ) -> None:
        with self._metrics.clock.measure("emit", len(entries)):
            by_shard = {shard: list(rows) for shard, rows in groupby(entries, attrgetter("shard"))}
            records = {shard: _records(rows) for shard, rows in by_shard.items()}
            written = await publish(publisher, self._topic, records)
            failpoints.reached(failpoints.Moment.AFTER_EMIT)
            # Before it is recorded: nobody after us would look for a hole below what is.
            lost = await self._holes(session, by_shard, written)
            come = {shard: rows[-1].position for shard, rows in by_shard.items() if shard not in lost}
            await session.execute(QUERIES["record_emitted"], list(come), list(come.values()))
        self._emitted.update(come)
        self._metrics.emitted(len(entries))
        await self._go_back(session, lost)

    async def _holes(
        self, session: asyncpg.Connection, published: Mapping[int, Sequence[Entry]], written: Mapping[int, Written]
    ) -> dict[int, int]:
        """Records that don't lie right after our last, or each other: somebody else wrote there, or some were lost.

        Then look at the log; gives the last position before a hole, for each shard that has one.
        """
        rows = {
            shard: published[shard]
            for shard, at in written.items()
            if at.first != self._log_ends.get(shard) or at.next - at.first != len(published[shard])
        }
        self._log_ends.update({shard: at.next for shard, at in written.items()})
        if not rows:
            return {}
        known = {shard: those[0].position - 1 for shard, those in rows.items()}
        ends = await log_ends(self._connections.kafka_bootstrap_servers, self._topic, known)
        await compare(session, ends)
        return {shard: end.position for shard, end in ends.items() if end.position < rows[shard][-1].position}

    async def _go_back(self, session: asyncpg.Connection, positions: Mapping[int, int]) -> None:
        """Publish again what comes after these positions, by shard: the log has lost it."""
        if positions:
            log.warning("the log lacks what was published: publishing again", after=positions)
            await session.execute(QUERIES["record_lost"], list(positions), list(positions.values()))
            self._emitted.update(positions)

    async def _wait(self) -> None:
        """Until there is news of this process, or it is time to look for that of others."""
        await wait_for_event(self._news, self._settings.relay_poll_ms / 1000)
        self._news.clear()


@asynccontextmanager
async def publishing(connections: Connections, name: str) -> AsyncIterator[tuple[asyncpg.Connection, AIOKafkaProducer]]:
    """A session to read from and a producer to publish with, both new, both given up at the end.

    Raises:
        KafkaError, asyncpg.PostgresError, OSError, TimeoutError: one of them can't be had.
    """
    session = await connect(connections.postgres_dsn, role="earning", application=name)
    publisher = producer(connections.kafka_bootstrap_servers, name)
    try:
        await publisher.start()
        yield session, publisher
    finally:
        session.terminate()
        # A producer that can't even say goodbye is left behind: after a failure none is used again.
        with suppress(*KAFKA_TRANSIENT):
            async with asyncio.timeout(STOP_TIMEOUT_S):
                await publisher.stop()


def _records(entries: Iterable[Entry]) -> list[Outgoing]:
    return [
        Outgoing(
            entry.key.encode(),
            entry.bytes,
            headers_of(entry.shard, entry.position, entry.type),
            (entry.decided_at - EPOCH) // MILLISECOND,
        )
        for entry in entries
    ]
