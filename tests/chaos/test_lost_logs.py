"""Logs that changed behind our back: records lost by a broker, topics made anew, a database restored from a backup."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from deploy.local_stack import LocalStack
from deploy.migrate import migrate
from services.earning.relay import log_check
from services.projections import last_read
from services.verify.checker import verify
from shared.broker import Outgoing
from shared.topics import Topics
from tests.eventually import eventually
from tests.integration.earning.earning_rig import BEGAN, SHARDS, paid, shard
from tests.integration.earning.worker import Town, positions
from tests.integration.projections.projection_rig import Desk
from tests.support.databases import copy_of, empty_database
from tests.unit.projections.points_log import PointsLog

STAMP = int(BEGAN.timestamp() * 1000)
MEMBERS = tuple(f"m-{number}" for number in range(12))


def orders(begin: int, end: int, *, step_ms: int = 1000) -> dict[int, list[Outgoing]]:
    """Orders number `begin` to `end`, by partition, each received `step_ms` after the one before."""
    by_partition: dict[int, list[Outgoing]] = {}
    for number in range(begin, end):
        member = MEMBERS[number % len(MEMBERS)]
        value = paid(f"o-{number}", member=member, amount=f"{10 + number % 7}.00")
        row = Outgoing(f"shop/{member}".encode(), value, (), STAMP + number * step_ms)
        by_partition.setdefault(shard(member), []).append(row)
    return by_partition


@pytest.fixture
async def town(own_stack: LocalStack, topics: Topics) -> AsyncIterator[Town]:
    """A town on servers that may be harmed."""
    own_stack.up()
    async with empty_database(own_stack.endpoints.dsn) as dsn:
        await migrate(dsn)
        town = Town(own_stack.endpoints.bootstrap_servers, dsn, topics)
        await town.build()
        yield town


def sizes(stack: LocalStack, topic: str) -> dict[Path, int]:
    """The files of a topic's logs, and how long each is."""
    files = (stack.directory / "kafka" / "data").glob(f"{topic}-*/*.log")
    return {file: file.stat().st_size for file in files}


def lose_tails(stack: LocalStack, topic: str, *, keep: float) -> None:
    """The broker dies and has lost the end of a topic's logs, as after a power cut: what it acknowledged is gone."""
    lose_beyond(stack, {file: int(size * keep) for file, size in sizes(stack, topic).items()})


def lose_beyond(stack: LocalStack, lengths: Mapping[Path, int]) -> None:
    """The broker dies, and of these files only so much is left when it comes back."""
    stack.kafka.kill()
    for file, length in lengths.items():
        with file.open("r+b") as log:
            log.truncate(length)
        for kind in ("*.index", "*.timeindex", "*.snapshot"):
            for index in file.parent.glob(kind):
                index.unlink()
    stack.kafka.start()


async def decided_before(town: Town, number: int, **settings: int) -> None:
    """So many orders were decided, and their events published, by a worker that is gone."""
    async with town.worker(**settings):
        await town.decided(await town.publish(orders(0, number)))
        await town.emitted()


async def whole(town: Town) -> bool:
    """Whether each shard's log tells every position of its journal, none before the one that precedes it."""
    heads = dict(await town.fetch("SELECT shard, position FROM earning.shards WHERE position > 0"))
    told = positions(await town.log())
    reached = dict.fromkeys(heads, 0)
    for number, told_there in told.items():
        for position in told_there:
            reached[number] = max(reached[number], position) if position <= reached[number] + 1 else reached[number]
    return reached == heads


async def test_what_a_broker_has_lost_is_published_again_by_a_relay_that_starts(
    own_stack: LocalStack, town: Town
) -> None:
    await decided_before(town, 200, relay_records=10)
    lose_tails(own_stack, town.topics.points, keep=0.4)
    assert not await whole(town)
    async with town.worker():
        await eventually(lambda: whole(town), what="the log is whole again")
    assert (await verify(town.bootstrap_servers, town.dsn, town.topics)).findings == []


async def test_what_a_broker_has_lost_is_published_again_by_a_relay_that_works_on(
    own_stack: LocalStack, town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It sees by where its next records lie; it needn't look at the log from time to time for that."""
    monkeypatch.setattr(log_check, "CHECK_LOG_EVERY_S", 3600)
    async with town.worker(relay_records=10, lease_s=2):
        await town.decided(await town.publish(orders(0, 200)))
        await town.emitted()
        lose_tails(own_stack, town.topics.points, keep=0.4)
        await town.decided(200 + await town.publish(orders(200, 220)))
        await eventually(lambda: whole(town), what="the log is whole again")
    assert (await verify(town.bootstrap_servers, town.dsn, town.topics)).findings == []


async def test_what_a_broker_has_lost_is_published_again_although_nothing_new_happens(
    own_stack: LocalStack, town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_check, "CHECK_LOG_EVERY_S", 1)
    async with town.worker(relay_records=10, lease_s=2):
        await town.decided(await town.publish(orders(0, 100)))
        await town.emitted()
        lose_tails(own_stack, town.topics.points, keep=0.4)
        await eventually(lambda: whole(town), what="the log is whole again")


async def test_what_comes_in_the_place_of_a_record_of_others_that_a_broker_has_lost_is_folded(
    own_stack: LocalStack, town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It lies before where the reader goes on, whose log is not shorter than before."""
    monkeypatch.setattr(last_read, "LOOK_AGAIN_S", 1)
    desk = Desk(town.bootstrap_servers, town.dsn, town.topics, PointsLog(shards=SHARDS))
    for _ in range(3):
        desk.log.earn("ann", 10)
    await desk.publish()
    before, here = sizes(own_stack, town.topics.points), desk.log.entries[0].shard
    await desk.publish_raw(here, Outgoing(b"?", b"not ours"))
    async with desk.worker():
        await desk.folded()
        await eventually(lambda: letters(town), what="the other's record is set aside")
        lose_beyond(own_stack, before)
        desk.log.earn("ann", 10)
        await desk.publish(desk.log.entries[3:])
        await desk.folded()


async def letters(town: Town) -> bool:
    return await town.fetch("SELECT count(*)::int FROM projections.dead_letters") == [(1,)]


async def test_postgres_restored_from_a_backup_learns_from_the_log_what_it_had_decided(town: Town) -> None:
    """The facts since the backup come again in other batches and another order, and are told as they were told."""
    await decided_before(town, 100)
    async with copy_of(town.dsn) as backup:
        # Received later, told earlier: each is decided alone, so that the next time batches of many give another order.
        async with town.worker(batch=1):
            await town.decided(100 + await town.publish(orders(100, 200, step_ms=-1000)))
            await town.emitted()
        restored = Town(town.bootstrap_servers, backup, town.topics)
        async with restored.worker():
            await restored.decided(200 + await restored.publish(orders(200, 240)))
            await restored.emitted()
        assert (await verify(restored.bootstrap_servers, restored.dsn, restored.topics)).findings == []


async def test_an_input_topic_that_was_made_anew_is_noticed_and_read_from_its_beginning(town: Town) -> None:
    """Its records have the offsets of others that were decided long ago: none may pass for one of those."""
    await decided_before(town, 40)
    await make_anew(town)
    await town.publish(orders(40, 140, step_ms=60_000))
    async with town.worker():
        await knows(town, 140)
    await told_of(town, "made anew")


async def test_an_input_topic_that_is_made_anew_while_a_worker_reads_it_is_noticed_too(town: Town) -> None:
    async with town.worker():
        await town.decided(await town.publish(orders(0, 40)))
        await make_anew(town)
        await town.publish(orders(40, 140, step_ms=60_000))
        await knows(town, 140)
    await told_of(town, "made anew")


async def test_an_input_whose_tail_a_broker_has_lost_is_read_again_and_what_comes_in_its_place_is_decided(
    own_stack: LocalStack, town: Town
) -> None:
    """New records lie where old ones lay that are decided: by their offsets they would seem to be decided, too."""
    for at in range(10):
        await town.publish(orders(at * 10, at * 10 + 10))
    async with town.worker():
        await town.decided(100)
        await town.emitted()
    lose_tails(own_stack, town.topics.orders, keep=0.7)
    await town.publish(orders(100, 112))
    async with town.worker():
        await knows(town, 112)
    await told_of(town, "cut, or made anew")


async def test_dead_letters_of_a_topic_made_anew_lie_where_others_lay(town: Town) -> None:
    nonsense = [Outgoing(b"shop/ann", b"nonsense", (), STAMP + 3_600_000 + at) for at in range(3)]
    await town.publish({0: nonsense})
    async with town.worker():
        await town.decided(3)
    await make_anew(town)
    other = [row._replace(value=b"other nonsense") for row in nonsense]
    await town.publish({0: other})
    async with town.worker():
        await town.decided(6)

        async def relayed() -> bool:
            return await town.fetch("SELECT count(*)::int FROM earning.dead_letters WHERE relayed_at IS NULL") == [(0,)]

        await eventually(relayed, what="all are on their topic")
    values = [record.value for record in await town.log(town.topics.dead_letters)]
    assert values == [b"nonsense"] * 3 + [b"other nonsense"] * 3


async def make_anew(town: Town) -> None:
    """Delete the orders topic with all that is in it, and create it again."""
    admin = AIOKafkaAdminClient(bootstrap_servers=town.bootstrap_servers)
    try:
        await admin.start()
        await admin.delete_topics([town.topics.orders])
        await eventually(lambda: gone(admin, town.topics.orders), what="the topic is gone")
        # Kept for ever: these orders are old, and Kafka would delete them within minutes.
        again = NewTopic(town.topics.orders, SHARDS, 1, topic_configs={"retention.ms": "-1"})
        await admin.create_topics([again])
    finally:
        await admin.close()


async def knows(town: Town, number: int) -> None:
    """Wait until so many orders are known, and every event is published."""

    async def enough() -> bool:
        return await town.fetch("SELECT count(*)::int FROM earning.keys") == [(number,)]

    await eventually(enough, what=f"{number} orders are known")
    await town.emitted()


async def told_of(town: Town, what: str) -> None:
    """Whether the change is kept for `tallystick status`, and everything adds up."""
    changes = await town.fetch("SELECT change FROM earning.fences WHERE changed_at IS NOT NULL")
    assert changes
    assert all(what in change for (change,) in changes)
    assert (await verify(town.bootstrap_servers, town.dsn, town.topics)).findings == []


async def gone(admin: AIOKafkaAdminClient, topic: str) -> bool:
    return topic not in await admin.list_topics()
