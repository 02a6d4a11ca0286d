"""Runs: the shop's facts through both services, undisturbed or not, ending with the checker's word."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from services.verify.checker import verify
from tests.e2e import shop
from tests.e2e.pipeline import Pipeline, Tables

ORDERS = 1_500
SMALL_BATCHES = {
    "EARNING_BATCH": "50",
    "EARNING_RELAY_RECORDS": "50",
    "EARNING_IDLE_S": "3600",
    "PROJECTIONS_BATCH": "50",
}
"""Many transactions for few facts: so many moments at which something can break between two of them.

Nobody counts as idle: on a busy machine the sweeper would come before the run is compared, and write what time brings.
"""

Disturbance = Callable[[Pipeline, int], Awaitable[None]]
"""Starts the services itself, and does them harm; given the number of inputs."""


async def start_both(pipeline: Pipeline, _inputs: int) -> None:
    """One process of each service, and no harm."""
    pipeline.start("earning", SMALL_BATCHES)
    pipeline.start("projections", SMALL_BATCHES)


async def run(pipeline: Pipeline, disturb: Disturbance = start_both) -> Tables:
    """Take all facts through; gives what analysts see at the end, once the independent checker agrees with it."""
    await pipeline.prepare(shop.DOCUMENT)
    inputs = await pipeline.publish(shop.records(shop.facts(ORDERS), pipeline.shards))
    await disturb(pipeline, inputs)
    await pipeline.settled(inputs)
    report = await verify(pipeline.bootstrap_servers, pipeline.dsn, pipeline.topics)
    assert report.findings == []
    assert report.checked["inputs"] == inputs
    return await pipeline.tables()
