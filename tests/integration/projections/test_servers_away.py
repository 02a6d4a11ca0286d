"""Kafka or Postgres away: a worker waits, says so, loses nothing, and goes on by itself."""

from collections.abc import AsyncIterator

import pytest

from deploy.local_stack import LocalStack
from deploy.migrate import migrate
from tests.conftest import new_topics
from tests.eventually import eventually
from tests.integration.projections.conftest import SHARDS
from tests.integration.projections.kafka_log import make_topics
from tests.integration.projections.projection_rig import Desk
from tests.support.databases import execute
from tests.unit.projections.points_log import PointsLog


@pytest.fixture
async def fragile(own_stack: LocalStack) -> AsyncIterator[Desk]:
    """A desk on servers that a test may kill."""
    endpoints, topics = own_stack.endpoints, new_topics()
    await make_topics(endpoints.bootstrap_servers, [topics.points, topics.dead_letters], SHARDS)
    await migrate(endpoints.dsn)
    desk = Desk(endpoints.bootstrap_servers, endpoints.dsn, topics, PointsLog(shards=SHARDS))
    yield desk
    truncate = "TRUNCATE projections.members_1, projections.history_1, projections.positions_1"
    await execute(endpoints.dsn, truncate, "UPDATE projections.generation SET partitions = NULL")


async def grow(desk: Desk, seed: int) -> None:
    before = len(desk.log.entries)
    desk.log.busy(100, seed=seed)
    await desk.publish(desk.log.entries[before:])


async def test_postgres_away(fragile: Desk, own_stack: LocalStack) -> None:
    await grow(fragile, 1)
    async with fragile.worker() as worker:
        await fragile.folded()
        own_stack.postgres.kill()
        await grow(fragile, 2)
        await eventually(lambda: "postgres" in worker.metrics.readiness.waiting, what="the worker says it waits")
        own_stack.postgres.start()
        await fragile.folded()
        await eventually(lambda: worker.metrics.readiness.waiting == {}, what="the worker is ready again")
    assert await fragile.balances() == fragile.balances_of_log()


async def test_kafka_away(fragile: Desk, own_stack: LocalStack) -> None:
    await grow(fragile, 1)
    async with fragile.worker() as worker:
        await fragile.folded()
        own_stack.kafka.kill()
        await eventually(lambda: "kafka" in worker.metrics.readiness.waiting, what="the worker says it waits")
        own_stack.kafka.start()
        await grow(fragile, 2)
        await fragile.folded()
        await eventually(lambda: worker.metrics.readiness.waiting == {}, what="the worker is ready again")
    assert await fragile.balances() == fragile.balances_of_log()


async def test_both_away_at_the_start(fragile: Desk, own_stack: LocalStack) -> None:
    await grow(fragile, 1)
    own_stack.kafka.kill()
    own_stack.postgres.kill()
    async with fragile.worker() as worker:
        assert worker.metrics.readiness.waiting
        own_stack.postgres.start()
        own_stack.kafka.start()
        await fragile.folded()
        await eventually(lambda: worker.metrics.readiness.waiting == {}, what="the worker is ready")
    assert await fragile.balances() == fragile.balances_of_log()


async def test_a_worker_stops_although_both_are_away(fragile: Desk, own_stack: LocalStack) -> None:
    await grow(fragile, 1)
    try:
        async with fragile.worker():
            await fragile.folded()
            own_stack.kafka.kill()
            own_stack.postgres.kill()
    finally:
        own_stack.postgres.start()
        own_stack.kafka.start()
