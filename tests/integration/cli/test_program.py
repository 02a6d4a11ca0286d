"""`tallystick program` on real servers: published once, on the topic, listed and shown."""

import json
from pathlib import Path

from deploy.topics import create
from shared.topics import Topics
from tests.integration.cli.conftest import Command, records_of

GROCER = Path(__file__).parents[3] / "deploy" / "programs" / "grocer.yaml"
UNREACHABLE = "127.0.0.1:1"


async def test_a_program_is_published_once_and_for_ever(
    command: Command, bootstrap_servers: str, topics: Topics
) -> None:
    await create(bootstrap_servers, topics, 1)
    first = await command("program", "publish", str(GROCER))
    again = await command("program", "publish", str(GROCER))
    assert first.exit_code == again.exit_code == 0, first.output + again.output
    assert "published grocer version 1, in force from 2016-12-31T05:00:00+00:00" in first.stdout
    assert "grocer version 1 says the same already" in again.stdout
    (record,) = await records_of(bootstrap_servers, topics.programs, partitions=1)
    assert (record.key, json.loads(record.value)["id"]) == (b"grocer", "grocer/1")


async def test_a_published_program_is_listed_and_shown(
    command: Command, bootstrap_servers: str, topics: Topics
) -> None:
    await create(bootstrap_servers, topics, 1)
    await command("program", "publish", str(GROCER))
    (listed,) = (await command("program", "list", "--json")).stdout.splitlines()
    row = json.loads(listed)
    assert (row["program"], row["version"]) == ("grocer", 1)
    assert row["relayed_at"] is not None
    shown = await command("program", "show", "grocer")
    assert "grocer, version 1" in shown.stdout
    assert "base: 1 point for each 1 USD" in shown.stdout


async def test_an_unknown_program_or_version_is_a_finding(command: Command) -> None:
    result = await command("program", "show", "grocer", "--version", "2")
    assert result.exit_code == 1
    assert "No program is called grocer" in result.stderr


async def test_without_its_topic_it_says_what_to_create_and_publishes_nothing(command: Command) -> None:
    result = await command("program", "publish", str(GROCER))
    assert result.exit_code == 2
    assert "tallystick topics create" in result.stderr
    assert (await command("program", "list", "--json")).stdout == ""


async def test_without_kafka_nothing_is_published(command: Command) -> None:
    result = await command("program", "publish", str(GROCER), "--bootstrap-servers", UNREACHABLE)
    assert result.exit_code == 3
    assert "Kafka at 127.0.0.1:1 does not answer" in result.stderr
    assert (await command("program", "list", "--json")).stdout == ""
