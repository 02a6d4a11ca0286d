"""A rebuild from beginning to end: new tables, read, keys, catch up, compare, and the swap of the views."""

from __future__ import annotations

import os
import time
from contextlib import AsyncExitStack

import asyncpg
from aiokafka.admin import AIOKafkaAdminClient

from services.projections import generations, store
from services.projections.models import Model, registered
from services.projections.rebuild.catch_up import NO_END, catch_up
from services.projections.rebuild.compare import compare, take_snapshot
from services.projections.rebuild.read import OWNER, Done, Job, reader
from services.projections.rebuild.report import OnProgress, Progress, Report
from services.projections.rebuild.swap import drop, swap
from services.projections.rebuild.workers import read_in_processes, share_out
from shared.broker import REQUEST_TIMEOUT_MS
from shared.consumer_watch import SupervisedConsumer
from shared.errors import ConfigurationError, TransientError
from shared.postgres import LONG_WORK_SETTINGS, connect
from shared.topics import Topics

CLOSE = 2000
ROUNDS_MAX = 10
PROCESSES_MAX = 4


async def rebuild(
    dsn: str,
    bootstrap_servers: str,
    topics: Topics,
    *,
    check_only: bool = False,
    progress: OnProgress = lambda _: None,
    processes: int = 0,
    differences_max: int = 20,
) -> Report:
    """Fold `loyalty.points` from its beginning into new tables, compare them with those in use, and swap the views.

    Services go on meanwhile. With `check_only` the new tables are dropped after the comparison. An interrupted rebuild
    leaves tables that no view shows; the next one drops them. `processes` 0: as many as there are cores, at most 4.
    `dsn` needs a user who may act as loyalty_owner.

    Raises:
        TransientError: another rebuild is running, or somebody reads the views without end.
        ReadingFailedError: the log holds another history or an event that this code can't read. Nothing was changed.
        KafkaError, asyncpg.PostgresError, OSError: a server is away. Nothing was changed.
    """
    began = time.monotonic()
    async with AsyncExitStack() as stack:
        sessions = [await _session(stack, dsn, name) for name in ("tallystick-rebuild", "tallystick-rebuild-fold")]
        consumer = reader(bootstrap_servers)
        await consumer.start()
        stack.push_async_callback(consumer.stop)
        work = _Rebuild(dsn, bootstrap_servers, topics.points, sessions, consumer, progress)
        await work.prepare()
        await work.read(processes or min(os.cpu_count() or 1, PROCESSES_MAX))
        await work.compare(check_only=check_only, limit=differences_max)
        await work.finish(check_only=check_only)
    work.report.seconds = time.monotonic() - began
    return work.report


async def _session(stack: AsyncExitStack, dsn: str, name: str) -> asyncpg.Connection:
    session = await connect(dsn, role=OWNER, application=name, settings=LONG_WORK_SETTINGS)
    stack.callback(session.terminate)
    return session


class _Rebuild:
    """One rebuild: `live` is the generation in use, `generation` the one being made."""

    def __init__(
        self,
        dsn: str,
        bootstrap_servers: str,
        topic: str,
        sessions: list[asyncpg.Connection],
        consumer: SupervisedConsumer,
        progress: OnProgress,
    ) -> None:
        self._dsn = dsn
        self._bootstrap_servers = bootstrap_servers
        self._topic = topic
        self._session, self._folding = sessions
        self._consumer = consumer
        self._progress = progress
        self._models: tuple[Model, ...] = registered()
        self._live = 0
        self._generation = 0
        self._total = 0
        self.report = Report(check_only=False, generation=0)

    async def prepare(self) -> None:
        """Make the new tables, after dropping those that an interrupted rebuild left."""
        if not await self._session.fetchval(generations.QUERIES["lock_rebuild"]):
            raise TransientError("Another rebuild is running.", cure="Wait for it to end.")
        partitions = await self._partitions()
        await store.settle_partitions(self._session, partitions)
        self._live = await store.current_generation(self._session)
        for generation in await generations.there(self._session):
            if generation != self._live:
                await drop(self._session, generation)
        self._generation = self.report.generation = self._live + 1
        await generations.create(self._session, self._generation, self._models)
        await self._session.execute(store.statement("fill_positions", self._generation), partitions)

    async def _partitions(self) -> int:
        admin = AIOKafkaAdminClient(
            bootstrap_servers=self._bootstrap_servers,
            client_id="tallystick-rebuild",
            request_timeout_ms=REQUEST_TIMEOUT_MS,
        )
        try:
            await admin.start()
            (topic,) = await admin.describe_topics([self._topic])
        finally:
            await admin.close()
        if not topic["partitions"]:
            raise ConfigurationError(f"There is no topic {self._topic}.", cure="Run `tallystick topics create`.")
        return len(topic["partitions"])

    async def read(self, processes: int) -> None:
        """Read the log up to where the live tables are now, in processes; then build the keys."""
        began = time.monotonic()
        fences = await store.read_fences(self._session, self._live)
        until = {partition: fence.position for partition, fence in fences.items() if fence.position}
        self._total = sum(until.values())
        self._tell("reading")
        shares = share_out(until, processes)
        packages = [model.package for model in self._models]
        places = self._dsn, self._bootstrap_servers, self._topic
        await read_in_processes([Job(*places, self._generation, packages, share) for share in shares], self._count)
        self._tell("keys")
        await generations.add_keys(self._session, self._generation, self._models)
        self.report.read_seconds = time.monotonic() - began
        await generations.analyze(self._session, self._generation)
        await store.prepare_session(self._folding, self._generation)

    def _count(self, done: Done) -> None:
        self.report.events += done.events
        self.report.foreign += done.foreign
        self._tell("reading")

    def _tell(self, phase: str) -> None:
        self._progress(Progress(phase, self.report.events, self._total))

    async def compare(self, *, check_only: bool, limit: int) -> None:
        """Bring the new tables to exactly the positions of the live ones, take a snapshot of both, and compare."""
        self.report.check_only = check_only
        await self._come_close()
        snapshot = await connect(
            self._dsn, role=OWNER, application="tallystick-rebuild-compare", settings=LONG_WORK_SETTINGS
        )
        try:
            async with snapshot.transaction(isolation="repeatable_read", readonly=True):
                async with self._session.transaction():
                    await self._catch_up_locked()
                    await take_snapshot(snapshot)
                self._tell("comparing")
                await compare(snapshot, self._models, (self._live, self._generation), self.report, limit)
        finally:
            snapshot.terminate()

    async def finish(self, *, check_only: bool) -> None:
        """Put the new tables in place of the live ones; or drop them, where only a check was asked for."""
        if check_only:
            await drop(self._session, self._generation)
            return
        await self._come_close(to_the_end=True)
        self._tell("swapping")
        await swap(self._session, self._models, (self._live, self._generation), self._catch_up_locked)
        self.report.swapped = True
        await drop(self._session, self._live)

    async def _come_close(self, *, to_the_end: bool = False) -> None:
        """Follow the live tables, or the log to its end, until little is missing: the live workers' wait is short."""
        self._tell("catching up")
        for _ in range(ROUNDS_MAX):
            fences = await store.read_fences(self._session, self._live)
            if await self._follow({p: NO_END if to_the_end else fence.position for p, fence in fences.items()}) < CLOSE:
                return

    async def _catch_up_locked(self) -> None:
        """Lock the live fences, and come to exactly where they are, if we are not beyond."""
        await self._session.execute(generations.QUERIES["hold_briefly"])
        partitions = await store.read_fences(self._session, self._live)
        fences = await store.lock_fences(self._session, self._live, partitions)
        await self._follow({partition: fence.position for partition, fence in fences.items()})

    async def _follow(self, until: dict[int, int]) -> int:
        folded = await catch_up(self._folding, self._consumer, self._topic, self._generation, self._models, until)
        self.report.caught_up += folded
        return folded
