"""The command on this test's servers and topics."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from typer.testing import CliRunner, Result

from services.cli.main import app
from shared.topics import Topics

SHARDS = 4

Command = Callable[..., Awaitable[Result]]


@pytest.fixture
def environment(bootstrap_servers: str, dsn: str, topics: Topics, tmp_path: Path) -> dict[str, str]:
    """Everything that the command reads from its environment."""
    return {f"TOPIC_{name.upper()}": value for name, value in topics.model_dump().items()} | {
        "KAFKA_BOOTSTRAP_SERVERS": bootstrap_servers,
        "POSTGRES_DSN": dsn,
        "POINTS_PARTITIONS": str(SHARDS),
        "TALLYSTICK_DIRECTORY": str(tmp_path),
    }


@pytest.fixture
def command(environment: dict[str, str]) -> Command:
    """Run `tallystick` with these arguments. It has an event loop of its own, so it runs beside the test's."""

    async def run(*arguments: str, **changed: str) -> Result:
        return await asyncio.to_thread(CliRunner().invoke, app, arguments, env=environment | changed)

    return run


async def records_of(bootstrap_servers: str, topic: str, partitions: int = SHARDS) -> list[ConsumerRecord]:
    """All records of a topic."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap_servers, auto_offset_reset="earliest")
    try:
        await consumer.start()
        wanted = [TopicPartition(topic, number) for number in range(partitions)]
        consumer.assign(wanted)
        count = sum((await consumer.end_offsets(wanted)).values())
        found: list[ConsumerRecord] = []
        while len(found) < count:
            for records in (await consumer.getmany(timeout_ms=500)).values():
                found += records
        return found
    finally:
        await consumer.stop()
