"""`tallystick topics` on a real Kafka: made with every setting, checked, set right."""

import json

from deploy import topics as plan
from shared.topics import Topics
from tests.integration.cli.conftest import SHARDS, Command


async def test_topics_are_made_once_with_every_setting(
    command: Command, bootstrap_servers: str, topics: Topics
) -> None:
    first = await command("topics", "create", "--json")
    assert (first.exit_code, set(json.loads(first.stdout)["created"])) == (0, set(topics.all))
    again = await command("topics", "create")
    assert (again.exit_code, again.stdout) == (0, "nothing to do: all topics are there\n")
    assert await plan.partitions_of(bootstrap_servers, topics.inputs) == dict.fromkeys(topics.inputs, SHARDS)
    assert (await command("topics", "check")).exit_code == 0
    found = (await plan.settings_of(bootstrap_servers, [topics.points]))[topics.points]
    planned = next(topic for topic in plan.planned(topics, SHARDS, 1) if topic.name == topics.points)
    assert {name: (found[name].value, found[name].own) for name in planned.settings} == {
        name: (value, True) for name, value in planned.settings.items()
    }


async def test_a_difference_is_told_with_its_cure_and_set_right(
    command: Command, bootstrap_servers: str, topics: Topics
) -> None:
    await command("topics", "create")
    await plan.change(bootstrap_servers, topics.points, {"retention.ms": "604800000"})
    told = await command("topics", "check", "--json")
    difference = json.loads(told.stdout)
    assert told.exit_code == 1
    assert (difference["topic"], difference["setting"], difference["wanted"]) == (topics.points, "retention.ms", "-1")
    assert difference["cure"] == "tallystick topics check --fix"
    assert (await command("topics", "check", "--fix")).exit_code == 0
    kept = (await plan.settings_of(bootstrap_servers, [topics.points]))[topics.points]
    assert (kept["retention.ms"].value, kept["cleanup.policy"].own) == ("-1", True)


async def test_another_number_of_partitions_is_told(command: Command) -> None:
    await command("topics", "create")
    told = await command("topics", "check", "--json", POINTS_PARTITIONS="5")
    found = [json.loads(line) for line in told.stdout.splitlines()]
    assert told.exit_code == 1
    assert {each["setting"] for each in found} == {"partitions"}
    assert f"POINTS_PARTITIONS={SHARDS}" in found[0]["cure"]


async def test_missing_topics_are_told(command: Command, topics: Topics) -> None:
    told = await command("topics", "check", "--json")
    assert [json.loads(line)["found"] for line in told.stdout.splitlines()] == ["missing"] * len(topics.all)


async def test_a_kafka_that_does_not_answer_is_said(command: Command) -> None:
    told = await command("topics", "check", KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:1")
    assert told.exit_code == 3
    assert "Kafka at 127.0.0.1:1 does not answer" in told.stderr
    assert "tallystick up" in told.stderr
