"""The application: everything built and joined; the work of the process."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import asyncpg
import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError
from faststream import AckPolicy
from prometheus_client import CollectorRegistry

from services.projections import dead_letters, store
from services.projections.assignment import Assignment
from services.projections.consume import APPLICATION, ROLE, Lane
from services.projections.metrics import Metrics
from services.projections.schema import schema
from services.projections.settings import ProjectionsSettings
from shared import migrations
from shared.broker import CONSUMER_SETTINGS, KAFKA_TRANSIENT, METADATA_MAX_AGE_MS, REQUEST_TIMEOUT_MS, Backoff, producer
from shared.clients import clients
from shared.consumer_watch import ClientDiedError, Watchdog, count_replaced, getmany
from shared.postgres import TRANSIENT_ERRORS, connect
from shared.settings import Connections
from shared.topics import Topics
from shared.waiting import is_asked_to_stop, wait_for_event

SERVERS = "kafka and postgres"
WATCH_S = 2.0
ANSWER_S = 5.0
NOT_YET: tuple[type[BaseException], ...] = (*KAFKA_TRANSIENT, *TRANSIENT_ERRORS, store.GenerationChangedError)
"""Why a start is tried again."""

log = structlog.get_logger(__name__)


class App:
    """One process of projections."""

    def __init__(self, connections: Connections, topics: Topics, settings: ProjectionsSettings) -> None:
        self._connections = connections
        self._topics = topics
        self._settings = settings
        self.registry = CollectorRegistry()
        self.metrics = Metrics(self.registry)
        self.metrics.readiness.waits(SERVERS, "not reached yet")
        self.assignment = Assignment(topics.points, self._consumer)
        self.broker = clients().subscriptions(
            connections.kafka_bootstrap_servers,
            client_id=APPLICATION,
            request_timeout_ms=REQUEST_TIMEOUT_MS,
            metadata_max_age_ms=METADATA_MAX_AGE_MS,
            allow_auto_create_topics=False,
            apply_types=False,
            acks="all",
            logger=None,
        )
        # Without a handler: it gives us a consumer to loop over ourselves, and a place in the AsyncAPI document.
        self._subscriber = self.broker.subscriber(
            topics.points,
            group_id=settings.group,
            group_instance_id=settings.instance,
            ack_policy=AckPolicy.MANUAL,
            listener=self.assignment,
            **CONSUMER_SETTINGS,
        )
        self._lanes: list[Lane] = []

    def _consumer(self) -> AIOKafkaConsumer:
        consumer = self._subscriber.consumer
        if consumer is None:
            raise RuntimeError("the broker is not started")
        return consumer

    async def work(self, stopping: asyncio.Event) -> None:
        """Fold until we are to stop.

        Raises:
            ConfigurationError: the schema isn't this code's, or the topic has another number of partitions than the
                read models were made from.
        """
        try:
            while await self._start(stopping):
                await self._fold(stopping)
        finally:
            await self._hint()
            await self._stop()

    async def _fold(self, stopping: asyncio.Event) -> None:
        """Fold until we are to stop, or until the client has died and another one must be started."""
        self._lanes = [
            Lane(
                number,
                self._connections.postgres_dsn,
                self._consumer(),
                self.assignment,
                self._settings,
                self.metrics,
            )
            for number in range(self._settings.lanes)
        ]
        try:
            async with asyncio.TaskGroup() as tasks:
                for lane in self._lanes:
                    tasks.create_task(lane.run(stopping))
                tasks.create_task(self._watch(stopping))
                tasks.create_task(self._relay(stopping))
        except* ClientDiedError as died:
            self.metrics.readiness.waits(SERVERS, repr(died.exceptions))
            count_replaced(died, self.metrics.readiness)
            await self._stop()

    async def _stop(self) -> None:
        """Leave the group; where Kafka can't hear it, it notices by its session timeout."""
        await self.assignment.on_partitions_revoked(())
        try:
            async with asyncio.timeout(ANSWER_S):
                await self.broker.stop()
        except* KAFKA_TRANSIENT as errors:  # FastStream tells them as a group
            log.info("left without saying goodbye", error=repr(errors.exceptions))

    async def _start(self, stopping: asyncio.Event) -> bool:
        """Wait for Kafka, the topic and Postgres; gives False when we are to stop before."""
        backoff, first = Backoff(stopping), True
        while not stopping.is_set():
            try:
                await self.broker.start()
                await self._settle()
            except NOT_YET as error:
                self.metrics.readiness.waits(SERVERS, repr(error))
                if first:
                    log.warning("waiting for kafka and postgres", error=repr(error))
                first = False
                await self._stop()
                await backoff.wait()
            else:
                self.metrics.readiness.has(SERVERS)
                return True
        return False

    async def _settle(self) -> None:
        consumer = self._consumer()
        await consumer.topics()
        partitions = consumer.partitions_for_topic(self._topics.points)
        if not partitions:
            raise TimeoutError(f"topic {self._topics.points} is not there: `tallystick topics create`")
        await migrations.check(self._connections.postgres_dsn, [schema()])
        session = await connect(self._connections.postgres_dsn, role=ROLE, application=APPLICATION)
        try:
            await store.settle_partitions(session, len(partitions))
            await store.models_of(session, await store.current_generation(session))
        finally:
            await session.close()

    async def _watch(self, stopping: asyncio.Event) -> None:
        """Measure the lag, notice when Kafka is away or our client dead, and stay in the group while Postgres is."""
        watchdog = Watchdog(self._consumer(), "projections")
        while not await wait_for_event(stopping, WATCH_S):
            await watchdog.look()
            try:
                async with asyncio.timeout(ANSWER_S):
                    # Any poll counts as a sign of life in the group; this one asks for no record of ours.
                    await getmany(self._consumer(), TopicPartition("", 0), timeout_ms=0)
                    ends = await self._consumer().end_offsets(
                        [self.assignment.topic_partition(p) for p in self.assignment.owned or {0}]
                    )
            except KAFKA_TRANSIENT as error:
                if is_asked_to_stop():
                    raise asyncio.CancelledError from error  # it took its place
                if self.metrics.readiness.waits("kafka", repr(error)):
                    log.warning("waiting for kafka", error=repr(error))
                continue
            if self.metrics.readiness.has("kafka"):
                log.info("goes on", after="kafka")
            fences = {p: fence for lane in self._lanes for p, fence in lane.fences.items()}
            for where, end in ends.items():
                if where.partition in fences and where.partition in self.assignment.owned:
                    self.metrics.lag(where.partition, max(0, end - fences[where.partition].next_offset))
            await self._hint()

    async def _hint(self) -> None:
        """Tell the group how far we are: a hint for tools that show lag, nothing relies on it."""
        offsets = {
            self.assignment.topic_partition(partition): fence.next_offset
            for lane in self._lanes
            for partition, fence in lane.fences.items()
            if partition in self.assignment.owned
        }
        if offsets and self._subscriber.consumer is not None:
            with suppress(*KAFKA_TRANSIENT, CommitFailedError, IllegalStateError):
                async with asyncio.timeout(ANSWER_S):
                    await self._subscriber.consumer.commit(offsets)

    async def _relay(self, stopping: asyncio.Event) -> None:
        """Publish dead letters that were set aside; rare, so that sessions and producers are made when needed."""
        while not await wait_for_event(stopping, WATCH_S):
            try:
                session = await connect(self._connections.postgres_dsn, role=ROLE, application=f"{APPLICATION}-relay")
                try:
                    self.metrics.open_dead_letters(await dead_letters.count_open(session))
                    if await dead_letters.waiting(session):
                        await self._publish(session)
                finally:
                    await session.close()
            except (*KAFKA_TRANSIENT, *TRANSIENT_ERRORS) as error:
                count_replaced(error, self.metrics.readiness)
                log.info("dead letters wait", error=repr(error))
            if is_asked_to_stop():
                raise asyncio.CancelledError  # an error of the client took its place

    async def _publish(self, session: asyncpg.Connection) -> None:
        to = producer(self._connections.kafka_bootstrap_servers, f"{APPLICATION}-dead-letters")
        try:
            await to.start()
            while await dead_letters.relay(session, to, self._topics.dead_letters):
                continue
        finally:
            await to.stop()
