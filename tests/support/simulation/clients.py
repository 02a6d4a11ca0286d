"""Kafka's other clients, simulated: aiokafka's admin, and FastStream's broker as far as it has subscribers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from aiokafka.errors import KafkaConnectionError

from tests.support.simulation.consumer import Consumer
from tests.support.simulation.faults import Fates
from tests.support.simulation.kafka import Broker
from tests.support.simulation.wire import Client


class Admin(Client):
    """aiokafka's admin client."""

    async def describe_topics(self, topics: Sequence[str]) -> list[dict[str, Any]]:
        """Topics and their partitions."""
        await self._ask()
        return [
            {
                "topic": topic,
                "error_code": 0 if self._broker.partitions(topic) else 3,
                "partitions": [{"partition": number} for number in range(self._broker.partitions(topic))],
            }
            for topic in topics
        ]

    async def close(self) -> None:
        """Disconnect."""
        await self.stop()


class _Subscriber:
    """FastStream's subscriber without a handler: it makes a consumer, and leaves it to others."""

    def __init__(self, make: Callable[[], Consumer]) -> None:
        self._make = make
        self.consumer: Consumer | None = None

    async def start(self) -> None:
        self.consumer = self._make()
        await self.consumer.start()

    async def stop(self) -> None:
        consumer, self.consumer = self.consumer, None
        if consumer is not None:
            await consumer.stop()


class Stream:
    """FastStream's broker, as far as it has subscribers."""

    def __init__(self, broker: Broker, fates: Fates) -> None:
        self._broker = broker
        self._fates = fates
        self._subscribers: list[_Subscriber] = []

    def subscriber(self, *topics: str, group_id: str, **settings: Any) -> _Subscriber:
        """A subscription."""
        make = partial(Consumer, self._broker, self._fates, topics=topics, group=group_id, **settings)
        subscriber = _Subscriber(make)
        self._subscribers.append(subscriber)
        return subscriber

    async def start(self) -> None:
        """Start every subscriber."""
        for subscriber in self._subscribers:
            await subscriber.start()

    async def stop(self) -> None:
        """Stop every subscriber. What goes wrong is told as a group, as FastStream does."""
        for subscriber in self._subscribers:
            await subscriber.stop()
        if not self._broker.up:
            raise ExceptionGroup("Failed to stop subscribers", [KafkaConnectionError("the broker is down")])
