"""Cases of the contract with Kafka: what the services rely on of producers, consumers and groups.

Each runs on the double (tests/unit/simulation) and on the real broker (tests/integration/simulation).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiokafka import ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import (
    ConsumerStoppedError,
    IllegalStateError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
)

from shared import consumer_watch
from shared.broker import Outgoing, Written, publish
from shared.consumer_watch import ClientDiedError, Watchdog
from tests.eventually import eventually
from tests.support.simulation.servers import Case, Door, taking

WAIT_MS = 30_000
"""Far longer than a record takes to come; who waits for nothing to come waits shorter."""


@asynccontextmanager
async def started(client: Any) -> AsyncIterator[Any]:
    """A client for the length of the block."""
    try:
        await client.start()
        yield client
    finally:
        await client.stop()


async def written(door: Door, values: list[bytes], partition: int = 0) -> TopicPartition:
    """A partition of a new topic, with these values in it."""
    where = TopicPartition(await door.topic(), partition)
    await write(door, where, values)
    return where


async def write(door: Door, where: TopicPartition, values: list[bytes]) -> Written:
    """Publish values; gives where they lie."""
    to = await door.producer()
    try:
        records = [Outgoing(b"key", value, [("name", b"value")], 1_000 + at) for at, value in enumerate(values)]
        return (await publish(to, where.topic, {where.partition: records}))[where.partition]
    finally:
        await to.stop()


async def read(consumer: Any, where: TopicPartition, records: int) -> list[bytes]:
    """So many values, as they come."""
    values: list[bytes] = []
    while len(values) < records:
        fetched = await consumer.getmany(where, timeout_ms=WAIT_MS)
        values += [record.value for record in fetched.get(where, ())]
    return values


async def records_lie_in_the_order_in_which_they_were_published(door: Door) -> None:
    where = await written(door, [b"1", b"2", b"3", b"4", b"5", b"6"])
    at = await write(door, where, [b"7"])
    async with started(door.consumer()) as consumer:
        consumer.assign([where])
        assert (await consumer.end_offsets([where]))[where] == at.next == at.first + 1
        consumer.seek(where, (await consumer.beginning_offsets([where]))[where])
        assert await read(consumer, where, 7) == [b"1", b"2", b"3", b"4", b"5", b"6", b"7"]
        assert await consumer.position(where) == at.next


async def a_record_comes_with_its_key_headers_and_timestamp(door: Door) -> None:
    where = await written(door, [b"1"])
    async with started(door.consumer()) as consumer:
        consumer.assign([where])
        consumer.seek(where, 0)
        ((record,),) = (await consumer.getmany(where, timeout_ms=WAIT_MS)).values()
        assert (record.topic, record.partition, record.offset) == (*where, 0)
        assert (record.key, record.value, tuple(record.headers)) == (b"key", b"1", (("name", b"value"),))
        assert record.timestamp == 1_000


async def a_fetch_gives_no_more_than_asked_for_and_goes_on_there(door: Door) -> None:
    where = await written(door, [b"1", b"2", b"3"])
    async with started(door.consumer()) as consumer:
        consumer.assign([where])
        consumer.seek(where, 0)
        (records,) = (await consumer.getmany(where, timeout_ms=WAIT_MS, max_records=2)).values()
        assert [record.value for record in records] == [b"1", b"2"]
        assert await consumer.position(where) == records[-1].offset + 1
        assert await read(consumer, where, 1) == [b"3"]


async def what_is_paused_gives_nothing_until_it_is_resumed(door: Door) -> None:
    where = await written(door, [b"1"])
    async with started(door.consumer()) as consumer:
        consumer.assign([where])
        consumer.seek(where, 0)
        consumer.pause(where)
        assert await consumer.getmany(where, timeout_ms=300) == {}
        consumer.resume(where)
        assert await read(consumer, where, 1) == [b"1"]


async def nothing_comes_of_what_is_empty_or_not_assigned(door: Door) -> None:
    where = TopicPartition(await door.topic(), 0)
    other = where._replace(partition=1)
    async with started(door.consumer()) as consumer:
        consumer.assign([where])
        consumer.seek(where, 0)
        assert await consumer.getmany(where, timeout_ms=100) == {}
        assert await consumer.getmany(TopicPartition("", 0), timeout_ms=0) == {}
        for refused in (consumer.pause, consumer.resume):
            with pytest.raises(IllegalStateError):
                refused(other)
        with pytest.raises(IllegalStateError):
            consumer.seek(other, 0)
        with pytest.raises(IllegalStateError):
            await consumer.position(other)


async def an_offset_that_a_log_lacks_is_said(door: Door) -> None:
    where = await written(door, [b"1"])
    async with started(door.consumer()) as consumer:
        consumer.assign([where])
        consumer.seek(where, 99)
        with pytest.raises(OffsetOutOfRangeError) as said:
            await consumer.getmany(where, timeout_ms=WAIT_MS)
        assert said.value.args[0] == {where: 99}
        await consumer.seek_to_beginning(where)
        assert await read(consumer, where, 1) == [b"1"]


async def offsets_are_found_by_time(door: Door) -> None:
    where = await written(door, [b"1", b"2"])
    async with started(door.consumer()) as consumer:
        consumer.assign([where])
        found = {since: (await consumer.offsets_for_times({where: since}))[where] for since in (1_001, 9_999)}
        assert found[1_001].timestamp == 1_001
        assert found[9_999] is None


async def a_consumer_that_has_stopped_says_so(door: Door) -> None:
    where = await written(door, [b"1"])
    consumer = door.consumer()
    async with started(consumer):
        consumer.assign([where])
        consumer.seek(where, 0)
        assert await read(consumer, where, 1) == [b"1"]
    with pytest.raises(ConsumerStoppedError):
        await consumer.getmany(where, timeout_ms=0)


class Told(ConsumerRebalanceListener):  # type: ignore[misc] # aiokafka is not typed
    """What a member of a group has now, and how often it was asked to give it up."""

    def __init__(self) -> None:
        self.owned: set[TopicPartition] = set()
        self.revoked = 0

    def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        assert self.owned == set(revoked)
        self.owned, self.revoked = set(), self.revoked + 1

    def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        self.owned = set(assigned)


async def partitions_are_shared_out_by_range_and_go_back_to_who_stays(door: Door) -> None:
    topics = sorted([await door.topic(), await door.topic()])
    first, second = Told(), Told()
    both = {TopicPartition(topic, number) for topic in topics for number in (0, 1)}
    async with started(door.consumer(*topics, group=topics[0], listener=first)):
        await eventually(lambda: first.owned == both, what="the first has all")
        async with started(door.consumer(*topics, group=topics[0], listener=second)):
            await eventually(lambda: bool(first.owned and second.owned), what="both have some")
            assert {frozenset(one.partition for one in told.owned) for told in (first, second)} == {
                frozenset({0}),
                frozenset({1}),
            }
            assert first.owned | second.owned == both
        await eventually(lambda: first.owned == both, what="the first has all again")
    assert first.revoked >= 2


async def where_a_group_has_left_no_offset_that_is_said_and_else_it_is_begun_there(door: Door) -> None:
    where = await written(door, [b"1", b"2"])
    told = Told()
    async with started(door.consumer(where.topic, group=where.topic, listener=told)) as consumer:
        await eventually(lambda: where in told.owned, what="it has its partitions")
        with pytest.raises(NoOffsetForPartitionError):
            await consumer.getmany(where, timeout_ms=WAIT_MS)
        await consumer.commit({where: 1, where._replace(partition=1): 0})
    async with started(door.consumer(where.topic, group=where.topic, listener=Told())) as consumer:
        assert await read(consumer, where, 1) == [b"2"]


async def what_somebody_else_has_is_not_ours_to_commit(door: Door) -> None:
    where = await written(door, [b"1"])
    told, late = Told(), Told()
    first = door.consumer(where.topic, group=where.topic, listener=told)
    async with started(first), started(door.consumer(where.topic, group=where.topic, listener=late)):
        await eventually(lambda: bool(told.owned and late.owned), what="both have some")
        (not_mine,) = {where, where._replace(partition=1)} - told.owned
        with pytest.raises(IllegalStateError):
            await first.commit({not_mine: 1})


async def a_consumer_that_fetches_no_more_gives_nothing_and_only_its_watchdog_says_so(door: Door) -> None:
    where = await written(door, [b"1"])
    async with started(door.consumer()) as consumer:
        consumer.assign([where])
        watchdog = Watchdog(consumer, "test")
        await watchdog.look()
        door.end_fetching(consumer)
        await eventually(lambda: any(consumer_watch.Inside(consumer).ended()), what="it fetches no more")
        consumer.seek(where, 0)
        assert await consumer.getmany(where, timeout_ms=500) == {}
        with pytest.raises(ClientDiedError, match="fetch task has ended"):
            await watchdog.look()


KAFKA: tuple[Case, ...] = taking(globals(), door="Door")
