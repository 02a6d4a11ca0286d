"""Consuming: where a worker begins, what it shares with others, and when it refuses to work."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, RecordsToDelete
from aiokafka.structs import TopicPartition

from deploy import topics as topics_plan
from shared.errors import ConfigurationError
from tests.eventually import eventually
from tests.integration.earning.earning_rig import BEGAN, paid
from tests.integration.earning.worker import PATIENCE_S, Town, sent

AT_MS = int(BEGAN.timestamp() * 1000)


@asynccontextmanager
async def admin(town: Town) -> AsyncIterator[AIOKafkaAdminClient]:
    client = AIOKafkaAdminClient(bootstrap_servers=town.bootstrap_servers)
    try:
        await client.start()
        yield client
    finally:
        await client.close()


def orders(name: str, number: int) -> list[bytes]:
    return [paid(f"{name}-{at}") for at in range(number)]


async def test_a_log_that_begins_later_is_read_from_where_it_begins(town: Town) -> None:
    await town.publish({0: sent(orders("a", 5), timestamp_ms=AT_MS)})
    async with admin(town) as client:
        await client.delete_records({TopicPartition(town.topics.orders, 0): RecordsToDelete(before_offset=3)})
    async with town.worker():
        await town.decided(2)
    assert await town.totals() == (2, 0, 0, 0)


async def test_a_worker_goes_on_where_the_last_one_stopped_whatever_the_group_says(town: Town) -> None:
    await town.publish({0: sent(orders("a", 5), timestamp_ms=AT_MS)})
    async with town.worker():
        await town.decided(5)
    await town.publish({0: sent(orders("b", 5), timestamp_ms=AT_MS)})
    async with town.worker(group="a group without positions"):
        await town.decided(10)
    assert await town.totals() == (10, 0, 0, 0)


async def test_a_lane_that_is_ahead_of_its_fence_goes_back(town: Town) -> None:
    await town.publish({1: sent(orders("a", 5), timestamp_ms=AT_MS)})
    async with town.worker(batch=2):
        await town.decided(5)
        await town.execute("UPDATE earning.fences SET stored = 3 WHERE stored = 5")
        await town.publish({1: sent(orders("b", 1), timestamp_ms=AT_MS)})
        await town.decided(8)
    assert await town.totals() == (6, 2, 0, 0)


async def test_records_that_retention_took_undecided_are_told_and_reading_goes_on_behind_them(town: Town) -> None:
    await town.publish({0: sent(orders("a", 2), timestamp_ms=AT_MS)})
    async with town.worker():
        await town.decided(2)
    await town.publish({0: sent(orders("b", 3), timestamp_ms=AT_MS)})
    async with admin(town) as client:
        await client.delete_records({TopicPartition(town.topics.orders, 0): RecordsToDelete(before_offset=4)})
    await town.publish({1: sent(orders("c", 3), timestamp_ms=AT_MS)})
    async with town.worker() as worker:
        await town.decided(6)
        labels = {"topic": town.topics.orders, "partition": "0"}
        assert worker.registry.get_sample_value("tallystick_earning_log_changes_total", labels) == 1
    assert await town.totals() == (6, 0, 0, 0)
    told = "SELECT partition, log, begun, counted_before, change FROM earning.fences WHERE changed_at IS NOT NULL"
    why = "it begins at 4, and was decided to 2: records are gone that nobody has decided"
    assert await town.fetch(told) == [(0, 1, 4, 2, why)]


async def test_another_number_of_partitions_than_at_the_beginning_is_refused(town: Town) -> None:
    async with town.worker() as worker:
        await eventually(lambda: worker.shards == 4, what="the installation is open", seconds=PATIENCE_S)
    async with admin(town) as client:
        await client.create_partitions({town.topics.orders: NewPartitions(total_count=6)})

    async def grown() -> bool:
        partitions = await topics_plan.partitions_of(town.bootstrap_servers, [town.topics.orders])
        return partitions[town.topics.orders] == 6

    await eventually(grown, what="the topic has grown", seconds=PATIENCE_S)
    with pytest.raises(ConfigurationError, match=r"has 4 shards, but .*orders has 6"):
        await town.worker_ends()


@asynccontextmanager
async def paused_while_copying(town: Town) -> AsyncIterator[None]:
    """A worker that holds every shard's lock, and stands still in the middle of the rows it sends."""
    session = await asyncpg.connect(town.dsn, server_settings={"application_name": "tallystick-earning-0"})
    stands = asyncio.Event()

    async def never_done() -> AsyncIterator[bytes]:
        yield b""
        stands.set()
        await asyncio.Event().wait()

    async def copy() -> None:
        async with session.transaction():
            await session.execute("SELECT FROM earning.shards FOR UPDATE")
            await session.copy_to_table("journal", schema_name="earning", source=never_done())

    paused = asyncio.create_task(copy())
    try:
        await asyncio.wait_for(stands.wait(), PATIENCE_S)
        yield
    finally:
        paused.cancel()
        session.terminate()
        await asyncio.gather(paused, return_exceptions=True)


async def test_a_worker_paused_in_the_middle_of_a_copy_loses_its_locks(town: Town) -> None:
    await town.publish({0: sent(orders("a", 5), timestamp_ms=AT_MS)})
    async with paused_while_copying(town), town.worker():
        await town.decided(5)
    assert await town.totals() == (5, 0, 0, 0)


async def test_the_four_counts_are_told_by_partition(town: Town) -> None:
    values = [*orders("a", 2), paid("a-0"), b"nonsense"]
    await town.publish({3: sent(values, timestamp_ms=AT_MS)})
    async with town.worker() as worker:
        await town.decided(4)
    rows = await town.fetch(
        "SELECT partition, stored, applied, duplicate, rejected, dead_letter FROM earning.fences WHERE stored > 0"
    )
    assert rows == [(3, 4, 2, 1, 0, 1)]
    labels = {"topic": town.topics.orders, "partition": "3", "outcome": "duplicate"}
    assert worker.registry.get_sample_value("tallystick_earning_inputs_total", labels) == 1
    assert worker.registry.get_sample_value("tallystick_earning_dead_letters_total", {"reason": "not_json"}) == 1
