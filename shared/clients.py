"""The clients of Kafka and PostgreSQL that the services work with: whoever makes one takes it from here.

A process has those of the libraries. The simulation of the tests hands in its own, here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import asyncpg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient

if TYPE_CHECKING:
    from faststream.kafka import KafkaBroker


class Clients(NamedTuple):
    """What makes each client, with the arguments of its library."""

    connect: Callable[..., Awaitable[asyncpg.Connection]]
    """Awaited, it gives a session with Postgres."""
    consumer: Callable[..., AIOKafkaConsumer]
    producer: Callable[..., AIOKafkaProducer]
    admin: Callable[..., AIOKafkaAdminClient]
    subscriptions: Callable[..., KafkaBroker]
    """FastStream's broker, which has the consumers that belong to a group."""


def _subscriptions(*servers: str, **settings: Any) -> KafkaBroker:  # noqa: ANN401 (the client's own settings)
    from faststream.kafka import KafkaBroker  # noqa: PLC0415 (0.2 s that no command of the operator needs)

    return KafkaBroker(*servers, **settings)


CLIENTS = Clients(asyncpg.connect, AIOKafkaConsumer, AIOKafkaProducer, AIOKafkaAdminClient, _subscriptions)


def clients() -> Clients:
    """What makes the clients of this process."""
    return CLIENTS
