"""`tallystick publish` on a real Kafka: right topic, key, partition and timestamp; history only where it is kept."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from deploy import topics as plan
from shared.facts.builders import Publisher
from shared.facts.orders import OrderPaid
from shared.shards import shard_of
from shared.topics import Topics
from tests.integration.cli.conftest import SHARDS, Command, records_of

OLD = datetime.fromisoformat("2017-03-04T05:06:07-05:00")
SHOP = Publisher("grocer", "shop")


def fact(number: int, **changes: object) -> dict[str, Any]:
    data = {"order_id": str(number)}
    return SHOP.event(OrderPaid.TYPE, data, id=f"e-{number}", member=f"m-{number}", time=OLD) | changes


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Forty orders of as many members, and an enrolment."""
    facts = [*map(fact, range(40)), fact(40, type="loyalty.member.enrolled.v1")]
    path = tmp_path / "facts.jsonl"
    path.write_text("".join(json.dumps(each) + "\n" for each in facts))
    return path


async def test_every_fact_goes_to_its_topic_and_its_members_partition(
    command: Command, file: Path, bootstrap_servers: str, topics: Topics
) -> None:
    await command("topics", "create")
    done = await command("publish", str(file), "--json")
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["topics"] == {topics.orders: 40, topics.commands: 1}
    records = await records_of(bootstrap_servers, topics.orders)
    assert len(records) == 40
    for record in records:
        said = json.loads(record.value)
        assert record.key == f"grocer/{said['subject']}".encode()
        assert record.partition == shard_of("grocer", said["subject"], SHARDS)
        assert record.headers == (("content-type", b"application/cloudevents+json"),)
        assert record.timestamp > OLD.timestamp() * 1000
    assert len({record.partition for record in records}) == SHARDS


async def test_history_that_would_be_deleted_is_refused_with_the_cure(
    command: Command, file: Path, bootstrap_servers: str, topics: Topics
) -> None:
    await command("topics", "create")
    refused = await command("publish", str(file), "--history")
    assert refused.exit_code == 2
    assert "the oldest fact is of 2017-03-04" in refused.stderr.replace("\n", " ")
    assert "--fix-retention" in refused.stderr
    assert await records_of(bootstrap_servers, topics.orders) == []

    done = await command("publish", str(file), "--history", "--fix-retention", "--json")
    assert set(json.loads(done.stdout)["retention_changed"]) == {topics.orders, topics.commands}
    stamps = {record.timestamp for record in await records_of(bootstrap_servers, topics.orders)}
    assert stamps == {int(OLD.timestamp() * 1000)}
    settings = (await plan.settings_of(bootstrap_servers, [topics.orders]))[topics.orders]
    assert settings["retention.ms"].value == "-1"


async def test_history_from_the_future_is_refused(command: Command, tmp_path: Path) -> None:
    await command("topics", "create")
    file = tmp_path / "future.jsonl"
    file.write_text(json.dumps(fact(1, time="2999-01-01T00:00:00Z")) + "\n")
    refused = await command("publish", str(file), "--history", "--fix-retention")
    assert refused.exit_code == 2
    assert "refuses records from the future" in refused.stderr


async def test_nothing_is_published_where_a_line_is_no_fact(
    command: Command, file: Path, bootstrap_servers: str, topics: Topics
) -> None:
    await command("topics", "create")
    with file.open("a") as end:
        end.write("no fact\n")
    refused = await command("publish", str(file))
    assert refused.exit_code == 1
    assert f"{file}:42: JSON is malformed" in refused.stderr
    assert await records_of(bootstrap_servers, topics.orders) == []


async def test_topics_that_are_not_there_are_named(command: Command, file: Path, topics: Topics) -> None:
    refused = await command("publish", str(file))
    assert refused.exit_code == 2
    assert topics.orders in refused.stderr
    assert "tallystick topics create" in refused.stderr
