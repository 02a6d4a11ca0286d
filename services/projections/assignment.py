"""The assignment: which partitions the consumer group gives this process, and which of them have yet to be sought."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import IllegalStateError


class Assignment(ConsumerRebalanceListener):  # type: ignore[misc] # aiokafka is not typed
    """The partitions of one topic that this process has.

    A partition just assigned is paused at once, before a record of it can arrive; the lane it falls to seeks it to
    the position in Postgres (`take`) and resumes it.
    """

    def __init__(self, topic: str, consumer: Callable[[], AIOKafkaConsumer]) -> None:
        self._topic = topic
        self._consumer = consumer
        self._fresh: set[int] = set()
        self.owned: frozenset[int] = frozenset()
        self.changed = asyncio.Event()

    def topic_partition(self, partition: int) -> TopicPartition:
        """The partition as aiokafka names it."""
        return TopicPartition(self._topic, partition)

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:  # noqa: ARG002 (aiokafka's name)
        """All partitions go, before others come: rebalances are eager."""
        self._set(frozenset())

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Partitions come."""
        ours = list(assigned)
        self._consumer().pause(*ours)
        self._set(frozenset(partition.partition for partition in ours))

    def _set(self, partitions: frozenset[int]) -> None:
        self.owned = partitions
        self._fresh = set(partitions)
        self.changed.set()

    def fresh(self, lane: int, lanes: int) -> set[int]:
        """The partitions of a lane that have yet to be sought."""
        return {partition for partition in self._fresh if partition % lanes == lane}

    def take(self, partition: int, offset: int) -> None:
        """Read the partition from `offset` on; nothing happens when it is no longer ours."""
        where = self.topic_partition(partition)
        with suppress(IllegalStateError):
            self._consumer().seek(where, offset)
            self._consumer().resume(where)
        self._fresh.discard(partition)

    def stop(self, partition: int) -> None:
        """Read the partition no further, until it is assigned anew."""
        with suppress(IllegalStateError):
            self._consumer().pause(self.topic_partition(partition))
