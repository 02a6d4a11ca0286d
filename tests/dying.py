"""Kafka clients that die in silence: one of the tasks ends in which aiokafka does its work, and nobody is told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

Client = Any
"""Of aiokafka, which has no types."""


def end_fetching(consumer: Client) -> None:
    """The task that fetches dies of an error that nobody expected, as in aio-libs/aiokafka issue 983."""

    def fail(*_: object) -> None:
        raise KeyError("a connection that was closed meanwhile")

    consumer._fetcher._get_actions_per_node = fail


def end_sending(producer: Client) -> None:
    """The task that sends comes to an end: nothing is published any more, and nothing is said."""
    producer._sender._sender_task.cancel()


def started(patch: pytest.MonkeyPatch, then: Callable[[Client, int], None] = lambda *_: None) -> list[Client]:
    """Every client that is started from now on, in a list that grows; `then` hears of each, with its number."""
    found: list[Client] = []

    def noted(kind: Any) -> None:
        start = kind.start

        async def start_and_tell(client: Client) -> None:
            await start(client)
            found.append(client)
            then(client, len(found))

        patch.setattr(kind, "start", start_and_tell)

    noted(AIOKafkaConsumer)
    noted(AIOKafkaProducer)
    return found
