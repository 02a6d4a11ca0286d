"""The subscription: who of the lanes has which partition, and what happens when Kafka gives or takes some."""

from __future__ import annotations

import asyncio
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from faststream import AckPolicy
from faststream.kafka import KafkaBroker

from services.earning.settings import EarningSettings
from shared.broker import CONSUMER_SETTINGS
from shared.errors import TransientError
from shared.topics import Topics

log = structlog.get_logger(__name__)


class Subscription(ConsumerRebalanceListener):  # type: ignore[misc] # aiokafka has no types
    """The subscription to the input topics, shared out to lanes: partition p of every topic to lane p mod lanes.

    `generation` grows with every change of the assignment.
    """

    def __init__(self, broker: KafkaBroker, topics: Topics, settings: EarningSettings) -> None:
        self._broker = broker
        self._lanes = settings.lanes
        self._assigned: frozenset[TopicPartition] = frozenset()
        self.generation = 0
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

    def partitions_of(self, lane: int) -> tuple[TopicPartition, ...]:
        """The assigned partitions that a lane takes, in order."""
        return tuple(sorted(one for one in self._assigned if one.partition % self._lanes == lane))

    async def changed(self, generation: int) -> None:
        """Wait until the assignment is newer than `generation`, or somebody wakes all who wait."""
        if self.generation == generation:
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
        self.generation += 1
        changed, self._change = self._change, asyncio.Event()
        changed.set()
