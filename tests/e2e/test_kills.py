"""Kill anything, at any moment, and start it again: analysts see what an undisturbed run comes to, line by line."""

from __future__ import annotations

import pytest

from deploy.local_stack import LocalStack
from tests.e2e.pipeline import Pipeline, Tables
from tests.e2e.runs import SMALL_BATCHES, Disturbance, run, start_both


async def same_as_undisturbed(pipeline: Pipeline, undisturbed: Tables, disturb: Disturbance) -> None:
    tables = await run(pipeline, disturb)
    assert tables.balances == undisturbed.balances
    assert tables.tiers == undisturbed.tiers
    assert tables.history == undisturbed.history


@pytest.mark.parametrize(
    ("service", "failpoint"),
    [
        ("earning", "before_commit"),
        ("earning", "after_commit"),
        ("earning", "after_emit"),
        ("projections", "before_commit"),
        ("projections", "after_commit"),
    ],
)
async def test_a_service_dies_at_the_worst_moment(
    pipeline: Pipeline, undisturbed: Tables, service: str, failpoint: str
) -> None:
    async def die_there(pipeline: Pipeline, inputs: int) -> None:
        dying = pipeline.start(service, SMALL_BATCHES | {f"{service.upper()}_FAILPOINT": f"{failpoint}:4"})
        await start_both(pipeline, inputs)  # starts the other one; this one runs
        await pipeline.died(dying)
        await start_both(pipeline, inputs)

    await same_as_undisturbed(pipeline, undisturbed, die_there)


async def test_the_relay_as_a_process_of_its_own_is_killed(pipeline: Pipeline, undisturbed: Tables) -> None:
    async def kill_the_relay(pipeline: Pipeline, inputs: int) -> None:
        pipeline.start("earning", SMALL_BATCHES | {"EARNING_ROLES": "decide"})
        pipeline.start("projections", SMALL_BATCHES)
        for part in (4, 2):
            relay = pipeline.start("earning", SMALL_BATCHES | {"EARNING_ROLES": "relay"}, number=2)
            await pipeline.visible(inputs // part)
            relay.kill()
        pipeline.start("earning", SMALL_BATCHES | {"EARNING_ROLES": "relay"}, number=2)

    await same_as_undisturbed(pipeline, undisturbed, kill_the_relay)


async def test_kafka_is_killed(stack: LocalStack, pipeline: Pipeline, undisturbed: Tables) -> None:
    async def kill_kafka(pipeline: Pipeline, inputs: int) -> None:
        await start_both(pipeline, inputs)
        await pipeline.decided(inputs // 3)
        stack.kafka.kill()
        stack.kafka.start()

    await same_as_undisturbed(pipeline, undisturbed, kill_kafka)


async def test_postgres_is_killed(stack: LocalStack, pipeline: Pipeline, undisturbed: Tables) -> None:
    async def kill_postgres(pipeline: Pipeline, inputs: int) -> None:
        await start_both(pipeline, inputs)
        await pipeline.decided(inputs // 3)
        stack.postgres.kill()
        stack.postgres.start()

    await same_as_undisturbed(pipeline, undisturbed, kill_postgres)


async def test_everything_is_killed_at_once(stack: LocalStack, pipeline: Pipeline, undisturbed: Tables) -> None:
    async def kill_all(pipeline: Pipeline, inputs: int) -> None:
        await start_both(pipeline, inputs)
        await pipeline.decided(inputs // 3)
        for process in pipeline.processes:
            process.kill()
        stack.kafka.kill()
        stack.postgres.kill()
        stack.up()
        await start_both(pipeline, inputs)

    await same_as_undisturbed(pipeline, undisturbed, kill_all)
