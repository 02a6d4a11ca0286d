"""`tallystick program` on real servers: published once, on the topic, listed and shown."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from typer.testing import CliRunner, Result

from deploy.topics import create
from services.cli.main import app
from shared.topics import Topics

GROCER = Path(__file__).parents[3] / "deploy" / "programs" / "grocer.yaml"
UNREACHABLE = "127.0.0.1:1"

Tallystick = Callable[..., Result]


@pytest.fixture
def tallystick(bootstrap_servers: str, dsn: str, topics: Topics) -> Tallystick:
    """The command, with this test's servers and topics in its environment."""
    environment = {"KAFKA_BOOTSTRAP_SERVERS": bootstrap_servers, "POSTGRES_DSN": dsn, "TOPIC_PROGRAMS": topics.programs}

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(app, arguments, env=environment)

    return run


async def in_thread(run: Tallystick, *arguments: str) -> Result:
    """The command has an event loop of its own, so it runs beside the test's."""
    return await asyncio.to_thread(run, *arguments)


async def published(bootstrap_servers: str, topic: str) -> list[tuple[bytes, dict[str, object]]]:
    """Key and event of every record of the topic."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap_servers, auto_offset_reset="earliest")
    try:
        await consumer.start()
        partition = TopicPartition(topic, 0)
        consumer.assign([partition])
        end = (await consumer.end_offsets([partition]))[partition]
        found: list[tuple[bytes, dict[str, object]]] = []
        while await consumer.position(partition) < end:
            for records in (await consumer.getmany(timeout_ms=500)).values():
                found += [(record.key, json.loads(record.value)) for record in records]
        return found
    finally:
        await consumer.stop()


async def test_a_program_is_published_once_and_for_ever(
    tallystick: Tallystick, bootstrap_servers: str, topics: Topics
) -> None:
    await create(bootstrap_servers, topics, 1)
    first = await in_thread(tallystick, "program", "publish", str(GROCER))
    again = await in_thread(tallystick, "program", "publish", str(GROCER))
    assert first.exit_code == again.exit_code == 0, first.output + again.output
    assert "published grocer version 1, in force from 2016-12-31T05:00:00+00:00" in first.stdout
    assert "grocer version 1 says the same already" in again.stdout
    ((key, event),) = await published(bootstrap_servers, topics.programs)
    assert (key, event["id"]) == (b"grocer", "grocer/1")


async def test_a_published_program_is_listed_and_shown(
    tallystick: Tallystick, bootstrap_servers: str, topics: Topics
) -> None:
    await create(bootstrap_servers, topics, 1)
    await in_thread(tallystick, "program", "publish", str(GROCER))
    (listed,) = (await in_thread(tallystick, "program", "list", "--json")).stdout.splitlines()
    row = json.loads(listed)
    assert (row["program"], row["version"]) == ("grocer", 1)
    assert row["relayed_at"] is not None
    shown = await in_thread(tallystick, "program", "show", "grocer")
    assert "grocer, version 1" in shown.stdout
    assert "base: 1 point for each 1 USD" in shown.stdout


async def test_an_unknown_program_or_version_is_a_finding(tallystick: Tallystick) -> None:
    result = await in_thread(tallystick, "program", "show", "grocer", "--version", "2")
    assert result.exit_code == 1
    assert "No program is called grocer" in result.stderr


async def test_without_its_topic_it_says_what_to_create_and_publishes_nothing(tallystick: Tallystick) -> None:
    result = await in_thread(tallystick, "program", "publish", str(GROCER))
    assert result.exit_code == 2
    assert "tallystick topics create" in result.stderr
    assert (await in_thread(tallystick, "program", "list", "--json")).stdout == ""


async def test_without_kafka_nothing_is_published(tallystick: Tallystick) -> None:
    result = await in_thread(tallystick, "program", "publish", str(GROCER), "--bootstrap-servers", UNREACHABLE)
    assert result.exit_code == 3
    assert "Kafka at 127.0.0.1:1 does not answer" in result.stderr
    assert (await in_thread(tallystick, "program", "list", "--json")).stdout == ""
