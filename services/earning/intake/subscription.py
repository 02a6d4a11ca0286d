"""Consume: the subscription, who of the lanes has which partition, and what happens when Kafka gives or takes some."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from faststream import AckPolicy
from faststream.kafka import KafkaBroker

from services.earning.intake.lane import Lane, LaneContext
from services.earning.settings import EarningSettings
from shared.broker import CONSUMER_SETTINGS, KAFKA_TRANSIENT, Backoff
from shared.consumer_watch import count_replaced, watch
from shared.errors import TransientError
from shared.topics import Topics

log = structlog.get_logger(__name__)

WATCH_EVERY_S = 2.0
"""How often the logs' ends are asked for: it shows the lag, and whether Kafka is there."""

ANSWER_TIMEOUT_S = 5.0
STOP_TIMEOUT_S = 12.0
"""Longer than a transaction may take: a lane that was told to stop ends its batch."""


class Subscription(ConsumerRebalanceListener):  # type: ignore[misc] # aiokafka has no types
    """The subscription to the input topics, shared out to lanes: partition p of every topic to lane p mod lanes."""

    def __init__(self, broker: KafkaBroker, topics: Topics, settings: EarningSettings) -> None:
        self._broker = broker
        self._lanes = settings.lanes
        self._assigned: frozenset[TopicPartition] = frozenset()
        self._generation = 0
        self._change = asyncio.Event()
        consumer_settings: dict[str, Any] = dict(CONSUMER_SETTINGS)
        # No handler: FastStream makes and joins the consumer, and our lanes read from it.
        self._subscriber = broker.subscriber(
            *topics.inputs,
            group_id=settings.group,
            group_instance_id=settings.instance,
            ack_policy=AckPolicy.MANUAL,
            listener=self,
            **consumer_settings,
        )

    async def start(self) -> None:
        """Join the group.

        Raises:
            KafkaError, OSError, TimeoutError: Kafka can't be reached.
        """
        await self._broker.start()

    async def stop(self) -> None:
        """Leave the group."""
        self._reassign(())
        await self._broker.stop()

    @property
    def consumer(self) -> AIOKafkaConsumer:
        """The consumer that the subscriber has made.

        Raises:
            TransientError: there is none just now.
        """
        if self._subscriber.consumer is None:
            raise TransientError("The consumer is not started.")
        return self._subscriber.consumer

    @property
    def generation(self) -> int:
        """Grows with every change of the assignment."""
        return self._generation

    @property
    def assigned(self) -> frozenset[TopicPartition]:
        """Every partition this process has."""
        return self._assigned

    def partitions_of(self, lane: int) -> tuple[TopicPartition, ...]:
        """The assigned partitions that a lane takes, in order."""
        return tuple(sorted(one for one in self._assigned if one.partition % self._lanes == lane))

    async def changed(self, generation: int) -> None:
        """Wait until the assignment is newer than `generation`, or somebody wakes all who wait."""
        if self._generation == generation:
            await self._change.wait()

    def wake(self) -> None:
        """Let everybody who waits look around: it is time to stop."""
        self._change.set()

    def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:  # noqa: ARG002 - every rebalance takes all
        """All are taken: a batch under way may still end well, for the fences decide that."""
        self._reassign(())

    def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """Pause first: nothing may be fetched before the lanes have sought where the fences are."""
        self.consumer.pause(*assigned)
        self._reassign(assigned)
        log.info("assigned", partitions=[f"{one.topic}/{one.partition}" for one in sorted(assigned)])

    def _reassign(self, partitions: set[TopicPartition] | tuple[()]) -> None:
        self._assigned = frozenset(partitions)
        self._generation += 1
        changed, self._change = self._change, asyncio.Event()
        changed.set()


async def consume(intake: Subscription, context: LaneContext, stopping: asyncio.Event, lanes: int) -> None:
    """Decide what comes until told to stop. Kafka away: wait with backoff, and go on by itself."""
    backoff = Backoff(stopping)
    while not stopping.is_set():
        try:
            await intake.start()
            await _run_lanes(intake, context, stopping, lanes)
        except* KAFKA_TRANSIENT as errors:
            count_replaced(errors, context.readiness)
            why = ", ".join(f"{type(error).__name__}: {error}" for error in leaves(errors))
            if context.readiness.waits("kafka", why):
                log.warning("kafka is away", error=why)
        finally:
            await _stopped(intake)
        await backoff.wait()


def leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    """The errors of a group, out of the groups within it."""
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from leaves(error)
        else:
            yield error


async def _stopped(intake: Subscription) -> None:
    try:
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            await intake.stop()
    except* KAFKA_TRANSIENT as errors:  # FastStream tells them as a group
        # The group notices by its session timeout.
        log.info("left without saying goodbye", error=repr(errors.exceptions))


async def _run_lanes(intake: Subscription, context: LaneContext, stopping: asyncio.Event, number: int) -> None:
    lanes = [Lane(at, context, intake, stopping) for at in range(number)]
    async with asyncio.TaskGroup() as tasks:
        working = [tasks.create_task(lane.run()) for lane in lanes]
        watching = tasks.create_task(_watch(intake, lanes, context))
        guarding = tasks.create_task(watch(intake.consumer, "intake"))
        stop = tasks.create_task(stopping.wait())
        await asyncio.wait([*working, stop], return_when=asyncio.FIRST_COMPLETED)
        intake.wake()
        await asyncio.wait(working, timeout=STOP_TIMEOUT_S)
        for task in (*working, watching, guarding, stop):
            task.cancel()


async def _watch(intake: Subscription, lanes: list[Lane], context: LaneContext) -> None:
    """See how far behind we are, whether Kafka answers; leave positions with the group, as a hint for its tools."""
    while True:
        positions = {one: offset for lane in lanes for one, offset in lane.positions.items()}
        with _kafka_seen(context):
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                ends: Mapping[TopicPartition, int] = await intake.consumer.end_offsets(list(positions))
                context.metrics.not_mine()
                for one, offset in positions.items():
                    context.metrics.lag(one.topic, one.partition, max(0, ends[one] - offset))
                if positions:
                    await intake.consumer.commit(positions)
        await asyncio.sleep(WATCH_EVERY_S)


@contextmanager
def _kafka_seen(context: LaneContext) -> Iterator[None]:
    try:
        yield
    except KAFKA_TRANSIENT as error:
        if context.readiness.waits("kafka", f"{type(error).__name__}: {error}"):
            log.warning("kafka is away", error=repr(error))
    else:
        if context.readiness.has("kafka"):
            log.info("kafka is back")
