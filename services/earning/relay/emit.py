"""Emit: the relay publishes the journal to the points topic, each shard in the order of its positions.

At least once: what was published and not recorded is published again. Readers know a position they have, and drop it.
Two relays of one shard add such copies, never disorder: each publishes without a gap, from where the log is known to
be.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from itertools import groupby
from operator import attrgetter

import asyncpg
import structlog
from aiokafka import AIOKafkaProducer

from services.earning import failpoints
from services.earning.ledger.emissions import record_emitted, record_lost
from services.earning.ledger.journal import Entry, entries_after
from services.earning.metrics import Metrics
from services.earning.relay.buffer import RelayBuffer
from services.earning.relay.log_check import Finding, LogCheck
from services.earning.replay.recover import Recovery
from services.earning.settings import EarningSettings
from services.earning.tasks.leases import Leases
from services.earning.tasks.retry import OnProgress
from shared.broker import KAFKA_TRANSIENT, Outgoing, producer, publish, timestamp_ms_of
from shared.codec import headers_of
from shared.postgres import connect
from shared.settings import Connections
from shared.waiting import wait_for_event

log = structlog.get_logger(__name__)

STOP_TIMEOUT_S = 1.0
RECORDS_A_SHARD_MIN = 100


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
        self._buffer = RelayBuffer()
        self._check = LogCheck(connections.kafka_bootstrap_servers, topic)
        self._emitted: dict[int, int] = {}
        self._poll_journal_at = 0.0

    def offer(self, entries: Sequence[Entry]) -> None:
        """Rows that this process has just committed: they needn't be read back to be published."""
        self._buffer.add(entries)
        self._news.set()

    async def attempt(self, on_progress: OnProgress) -> None:
        """Relay until told to stop, with a new producer.

        Raises:
            KafkaError, asyncpg.PostgresError, OSError, TimeoutError: begin again later.
        """
        leases = Leases("emit", range(self._shards), self._settings.owner, self._settings.lease_s)
        async with publishing(self._connections, "tallystick-relay") as (session, publisher):
            await self._recovery.ensure_level(session)
            try:
                while not self._stopping.is_set():
                    if leases.due:
                        await self._renew(session, leases)
                    if (finding := await self._check.take_finding(session, leases.mine)) is not None:
                        await self._go_by_the_log(session, finding)
                    entries = await self._next(session, leases)
                    if entries:
                        await self._publish(session, publisher, entries)
                    on_progress()
                    if not entries:
                        await self._wait()
            finally:
                self._check.give_up()
            await leases.release(session)

    async def _renew(self, session: asyncpg.Connection, leases: Leases) -> None:
        """Renew the leases; of a shard newly mine, and now and then of all, find out how far its log is."""
        gained = await leases.renew(session)
        if gained:
            await self._go_by_the_log(session, await self._check.check(session, gained))
            log.info("relaying", shards=sorted(leases.mine))
        await self._check.begin_when_due(session, leases.mine - gained)

    async def _go_by_the_log(self, session: asyncpg.Connection, finding: Finding) -> None:
        """Go on after the last position that the log itself has; what it lost since we published it comes again."""
        for shard, position in finding.whole_to.items():
            self._emitted[shard] = max(position, self._emitted.get(shard, 0))
        await self._go_back(session, finding.lost_after)

    async def _next(self, session: asyncpg.Connection, leases: Leases) -> list[Entry]:
        """Journal rows not published yet, some of every shard that is mine, each shard's in order and without a gap."""
        shards = sorted(leases.mine)
        at_most = max(RECORDS_A_SHARD_MIN, self._settings.relay_records // max(1, len(shards)))
        buffered = {shard: self._buffer.after(shard, self._emitted[shard], at_most) for shard in shards}
        entries = [entry for run in buffered.values() for entry in run]
        others = {shard: self._emitted[shard] for shard in shards if not buffered[shard]}
        now = asyncio.get_running_loop().time()
        if others and (not entries or now >= self._poll_journal_at):
            # What others have committed, or we have before this process, is found in the journal only.
            self._poll_journal_at = now + self._settings.relay_poll_ms / 1000
            entries += await entries_after(session, others, at_most)
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
            lost_after = await self._check.check_published(session, by_shard, written)
            come = {shard: rows[-1].position for shard, rows in by_shard.items() if shard not in lost_after}
            await record_emitted(session, come)
        self._emitted.update(come)
        self._metrics.emitted(len(entries))
        await self._go_back(session, lost_after)

    async def _go_back(self, session: asyncpg.Connection, positions: Mapping[int, int]) -> None:
        """Publish again what comes after these positions, by shard: the log has lost it."""
        if positions:
            log.warning("the log lacks what was published: publishing again", after=positions)
            await record_lost(session, positions)
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
            timestamp_ms_of(entry.decided_at),
        )
        for entry in entries
    ]
