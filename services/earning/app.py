"""The application: earning's parts put together from the settings, and their life from start to stop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import structlog
from faststream.kafka import KafkaBroker
from prometheus_client import CollectorRegistry

from services.earning import installation
from services.earning.background.backlog import Backlog
from services.earning.background.inbox import Inbox
from services.earning.background.sweep import Sweeper
from services.earning.intake.lane import consume
from services.earning.intake.subscription import Subscription
from services.earning.ledger.batch import Earned
from services.earning.ledger.journal import Entry
from services.earning.metrics import Metrics
from services.earning.relay.dead_letters import DeadLetterRelay
from services.earning.relay.emit import Relay
from services.earning.replay.recover import Recovery
from services.earning.settings import EarningSettings
from services.earning.tasks.garbage import collect_each_minute
from services.earning.tasks.retry import Attempt, OnProgress, retry_until_stopped
from shared import migrations, service
from shared.broker import METADATA_MAX_AGE_MS
from shared.clients import clients
from shared.errors import ConfigurationError
from shared.postgres import connect
from shared.settings import Connections, Http
from shared.telemetry import Readiness
from shared.topics import Topics
from shared.waiting import wait_for_event

log = structlog.get_logger(__name__)

DAY_S = 24 * 60 * 60
ADMIN_TIMEOUT_MS = 10_000
SCHEMA = migrations.Schema("earning", Path(__file__).parent / "sql" / "migrations")


@dataclass
class App:
    """Everything of one process of earning; also what its lanes share."""

    settings: EarningSettings
    connections: Connections
    topics: Topics
    http: Http
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)

    def __post_init__(self) -> None:
        self.metrics = Metrics(self.registry)
        self.readiness = Readiness(self.registry)
        self.dsn = self.connections.postgres_dsn
        self.batch = self.settings.batch
        self.ranks = {topic: rank for rank, topic in enumerate(self.topics.inputs)}
        self.shards = 0
        self.recovery = Recovery(self.connections, self.topics)
        self.relay: Relay | None = None

    def on_earned(self, earned: Earned, entries: Sequence[Entry]) -> None:
        """A batch is committed: count it, and hand its events to the relay."""
        self.metrics.earned(earned)
        self._offer(entries)

    def on_committed(self, count: Callable[[int, int], None], entries: Sequence[Entry], number: int) -> None:
        """A sweep, or messages, are committed: count them and their events, and hand these to the relay."""
        count(number, len(entries))
        self._offer(entries)

    def _offer(self, entries: Sequence[Entry]) -> None:
        if entries and self.relay is not None:
            self.relay.offer(entries)

    async def run(self) -> None:
        """Work and answer HTTP until SIGTERM.

        Raises:
            ConfigurationError: schema, topics or settings are not what this code needs.
        """
        broker = self.broker()

        async def work(stopping: asyncio.Event) -> None:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(collect_each_minute(stopping))
                await self.work(broker, stopping)
                stopping.set()

        await service.serve(work, service.health_routes(self.readiness, self.registry), self.http)

    def broker(self) -> KafkaBroker:
        """FastStream's broker, from which the intake has its consumer; it publishes nothing."""
        return clients().subscriptions(
            self.connections.kafka_bootstrap_servers,
            client_id="tallystick-earning",
            metadata_max_age_ms=METADATA_MAX_AGE_MS,
            acks="all",
            enable_idempotence=True,
            allow_auto_create_topics=False,
            apply_types=False,
            consumer_only=True,
            logger=None,
        )

    async def work(self, broker: KafkaBroker, stopping: asyncio.Event) -> None:
        """Do what the roles say until told to stop.

        Raises:
            ConfigurationError: schema or topics are not what this code needs; in a group where it comes from a task.
        """
        self.readiness.waits("start", "opening the installation")
        await retry_until_stopped("start", self._open, self.dsn, self.readiness, stopping)
        if stopping.is_set():
            return
        async with asyncio.TaskGroup() as tasks:
            for name, attempt in self._attempts(stopping):
                tasks.create_task(retry_until_stopped(name, attempt, self.dsn, self.readiness, stopping))
            if "decide" in self.settings.roles:
                intake = Subscription(broker, self.topics, self.settings)
                tasks.create_task(consume(intake, self, stopping, self.settings.lanes))

    def _attempts(self, stopping: asyncio.Event) -> Iterator[tuple[str, Attempt]]:
        """What goes on beside the intake, by the roles: names, and the work."""
        connections, shards, settings, recovery = self.connections, self.shards, self.settings, self.recovery
        if "relay" in settings.roles:
            self.relay = Relay(connections, self.topics.points, shards, settings, self.metrics, recovery, stopping)
            yield "relay", self.relay.attempt
            yield "dead letters", DeadLetterRelay(connections, self.topics.dead_letters, settings, stopping).attempt
        if "decide" in settings.roles:
            counted = partial(self.on_committed, self.metrics.messages)
            yield "inbox", Inbox(connections, shards, settings, counted, recovery, stopping).attempt
        if "sweep" in settings.roles:
            counted = partial(self.on_committed, self.metrics.swept)
            sweeper = Sweeper(connections, self.topics.inputs, shards, settings, counted, recovery, stopping)
            yield "sweeper", sweeper.attempt
        yield "backlog", Backlog(self.dsn, self.registry, stopping).attempt
        yield "journal's months", partial(self._prepare_daily, stopping)

    async def _open(self, on_progress: OnProgress) -> None:
        """See that schema, topics and journal are what this code needs, and make the rows and months it works on."""
        await migrations.check(self.dsn, [SCHEMA])
        partitions = await _partitions(
            self.connections.kafka_bootstrap_servers, (*self.topics.inputs, self.topics.points)
        )
        session = await connect(self.dsn, role="earning", application="tallystick-earning")
        try:
            self.shards = await installation.open_for_work(session, partitions)
            await self.recovery.ensure_level(session)
        finally:
            await session.close()
        on_progress()
        log.info("open", shards=self.shards, roles=sorted(self.settings.roles))

    async def _prepare_daily(self, stopping: asyncio.Event, on_progress: OnProgress) -> None:
        while not stopping.is_set():
            session = await connect(self.dsn, role="earning", application="tallystick-earning")
            try:
                await installation.prepare_journal(session)
            finally:
                await session.close()
            on_progress()
            await wait_for_event(stopping, DAY_S)


async def _partitions(bootstrap_servers: str, topics: Sequence[str]) -> dict[str, int]:
    """Topic → the number of its partitions.

    Raises:
        ConfigurationError: a topic doesn't exist.
        KafkaError, OSError, TimeoutError: Kafka can't be reached.
    """
    admin = clients().admin(bootstrap_servers=bootstrap_servers, request_timeout_ms=ADMIN_TIMEOUT_MS)
    try:
        await admin.start()
        described = await admin.describe_topics(list(topics))
    finally:
        await admin.close()
    found = {topic["topic"]: len(topic["partitions"]) for topic in described if not topic["error_code"]}
    missing = sorted(set(topics) - found.keys())
    if missing:
        raise ConfigurationError(
            f"Kafka has no topic {', '.join(missing)}.",
            cure="Run `tallystick topics create`, or correct TOPIC_… settings.",
        )
    return found
