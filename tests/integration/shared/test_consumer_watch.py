"""The watchdog on aiokafka's own clients: where they keep their tasks, and that it sees whatever dies in them."""

from __future__ import annotations

import asyncio
from operator import attrgetter
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from shared import consumer_watch
from shared.broker import CONSUMER_SETTINGS, Outgoing, producer, publish, reading
from shared.consumer_watch import (
    FETCH,
    LONER_TASKS,
    MEMBER_TASKS,
    PASSING_TASKS,
    PRODUCER_TASKS,
    SEND,
    STANDSTILL,
    ClientDiedError,
    Inside,
    SupervisedConsumer,
    Watchdog,
    watched,
)
from shared.topics import Topics
from tests.dying import end_fetching, end_sending, started
from tests.eventually import eventually
from tests.integration.projections.kafka_log import make_topics
from tests.support.simulation.cases_kafka import started as running

VALUES = [b"1", b"2", b"3"]


@pytest.fixture
async def where(bootstrap_servers: str, topics: Topics) -> TopicPartition:
    """A partition with three records."""
    await make_topics(bootstrap_servers, [topics.points], 1)
    async with running(producer(bootstrap_servers, "test")) as to:
        await publish(to, topics.points, {0: [Outgoing(b"key", value) for value in VALUES]})
    return TopicPartition(topics.points, 0)


def member(bootstrap_servers: str, topic: str) -> Any:
    settings = CONSUMER_SETTINGS | {"bootstrap_servers": bootstrap_servers, "group_id": topic}
    return AIOKafkaConsumer(topic, enable_auto_commit=False, **settings)


def loner(bootstrap_servers: str) -> Any:
    return AIOKafkaConsumer(bootstrap_servers=bootstrap_servers, group_id=None, auto_offset_reset="none")


async def test_aiokafka_keeps_its_tasks_where_the_watchdog_looks(bootstrap_servers: str, where: TopicPartition) -> None:
    """Another version of aiokafka may have other tasks: then the watchdog must learn of them first."""
    async with (
        running(member(bootstrap_servers, where.topic)) as one,
        running(loner(bootstrap_servers)) as other,
        running(producer(bootstrap_servers, "test")) as to,
    ):
        for client, tasks in ((one, MEMBER_TASKS | PASSING_TASKS), (other, LONER_TASKS), (to, PRODUCER_TASKS)):
            kept = {name: attrgetter(place)(client) for name, place in tasks.items()}
            assert all(isinstance(task, asyncio.Task) and not task.done() for task in kept.values())
            assert Inside(client).tasks().items() <= tasks.items()
            assert list(Inside(client).ended()) == []
        inside = Inside(one)
        await eventually(inside.is_answered, what="the group has answered")
        one.pause(where)
        one.seek(where, 1)
        assert inside.positions() == {where: 1}
        assert inside.fetching() == set()
        one.resume(where)
        await eventually(lambda: not inside.fetching(), what="its records lie ready")
        assert (await one.getmany(timeout_ms=30_000))[where][0].value == b"2"
        assert inside.positions() == {where: 3}


@pytest.mark.parametrize("name", [*MEMBER_TASKS, *PASSING_TASKS])
async def test_a_consumer_is_dead_when_any_of_its_tasks_is_and_stops_all_the_same(
    bootstrap_servers: str, where: TopicPartition, name: str
) -> None:
    async def fail() -> None:
        raise KeyError("nobody expected this")

    consumer = member(bootstrap_servers, where.topic)
    async with running(consumer):
        watchdog = Watchdog(consumer, "test")
        await watchdog.look()
        owner, _, attribute = (MEMBER_TASKS | PASSING_TASKS)[name].rpartition(".")
        alive = attrgetter(f"{owner}.{attribute}")(consumer)
        dead = asyncio.ensure_future(fail())
        await asyncio.wait([dead])
        setattr(attrgetter(owner)(consumer), attribute, dead)
        with pytest.raises(ClientDiedError, match="nobody expected this") as died:
            await watchdog.look()
        assert (died.value.client, died.value.reason) == ("test", name)
        alive.cancel()
    assert not any(connection.connected() for connection in consumer._client._conns.values())


async def test_a_fetch_that_dies_as_in_issue_983_is_seen_and_the_consumer_stops_all_the_same(
    bootstrap_servers: str, where: TopicPartition
) -> None:
    consumer = loner(bootstrap_servers)
    async with running(consumer):
        consumer.assign([where])
        end_fetching(consumer)
        with pytest.raises(ClientDiedError, match="fetch task has ended"):
            async with watched(consumer, "test"):
                await consumer.seek_to_beginning(where)
    assert not any(connection.connected() for connection in consumer._client._conns.values())


async def test_a_producer_that_sends_no_more_is_seen_before_its_records_are_given_up(
    bootstrap_servers: str, where: TopicPartition
) -> None:
    async with running(producer(bootstrap_servers, "test")) as to:
        end_sending(to)
        with pytest.raises(ClientDiedError) as died:
            await publish(to, where.topic, {0: [Outgoing(b"key", b"4")]})
        assert died.value.reason == SEND


async def test_a_consumer_that_gives_nothing_though_its_log_is_ahead_is_seen(
    bootstrap_servers: str, where: TopicPartition, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LOOK_EVERY_S", "ASK_EVERY_S", "STANDSTILL_S"):
        monkeypatch.setattr(consumer_watch, name, 0.2)

    async def read_for_ever() -> None:
        async with reading(bootstrap_servers) as consumer:
            consumer._fetcher._get_actions_per_node = lambda _: ([], {}, 0.2, False, [])
            consumer.assign([where])
            consumer.seek(where, 0)
            await asyncio.Event().wait()

    with pytest.raises(ClientDiedError) as died:
        await read_for_ever()
    assert died.value.reason == STANDSTILL


async def test_a_supervised_consumer_goes_on_where_the_one_that_died_was(
    bootstrap_servers: str, where: TopicPartition, monkeypatch: pytest.MonkeyPatch
) -> None:
    clients = started(monkeypatch)
    consumer = SupervisedConsumer(lambda: loner(bootstrap_servers), "test")
    try:
        await consumer.start()
        consumer.assign([where])
        consumer.seek(where, 0)
        values = []
        while await consumer.position(where) < (await consumer.end_offsets([where]))[where]:
            for record in (await consumer.getmany(where, timeout_ms=500, max_records=1)).get(where, ()):
                values.append(record.value)
                if len(clients) == 1:
                    end_fetching(clients[0])
                    await eventually(lambda: any(Inside(clients[0]).ended()), what="it fetches no more")
                    await consumer.seek_to_beginning(where)
        assert values == [b"1", *VALUES]
        assert len(clients) > 1
    finally:
        await consumer.stop()
    assert FETCH in Inside(clients[-1]).tasks()
