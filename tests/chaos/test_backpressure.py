"""Overload: input comes faster than it is taken; it waits in Kafka, memory stays flat, and all of it is decided."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest

from services.cli.supervise import ServiceProcess
from shared.topics import Topics
from tests.e2e import shop
from tests.e2e.pipeline import Pipeline
from tests.eventually import let_pass

WARM_UP, FLOOD = 3_000, 20_000
"""Orders; each has about a third of a fact more in its wake."""

PART = 5_000
MIB = 1 << 20
GROWTH_MAX_BYTES = 64 * MIB
"""What a service may take beyond what it had when it was warm: its fetches are bounded, and so are its batches."""

CREEP_MAX_BYTES = 16 * MIB
"""What it may take between the middle of the flood and its end."""

LOOK_EACH_S = 0.25


class Look(NamedTuple):
    """One moment: how many inputs were decided, and the memory of both services."""

    decided: int
    earning: int
    projections: int


@pytest.mark.timeout(240)
async def test_a_flood_waits_in_kafka_and_memory_stays_flat(
    tmp_path: Path, bootstrap_servers: str, dsn: str, topics: Topics
) -> None:
    pipeline = Pipeline(tmp_path, bootstrap_servers, dsn, topics)
    facts = shop.facts(WARM_UP + FLOOD, members=2_000)
    try:
        await pipeline.prepare(shop.DOCUMENT)
        services = [pipeline.start(service, {}) for service in ("earning", "projections")]
        inputs = await pipeline.publish(shop.records(facts[:WARM_UP], pipeline.shards))
        await pipeline.settled(inputs)
        warm = await look(pipeline, services)
        for part in range(WARM_UP, len(facts), PART):
            inputs += await pipeline.publish(shop.records(facts[part : part + PART], pipeline.shards))
        behind = inputs - (await look(pipeline, services)).decided
        looks = await looked(pipeline, services, inputs)
        await pipeline.settled(inputs)
    finally:
        pipeline.stop()
    assert behind > FLOOD / 4, "the input was no faster than what was taken: nothing is shown"
    later = [one for one in looks if one.decided > inputs / 2]
    for field in ("earning", "projections"):
        bytes_max = max(getattr(one, field) for one in looks)
        assert bytes_max - getattr(warm, field) < GROWTH_MAX_BYTES, f"{field} grew from {warm} to {bytes_max}"
        creep = max(getattr(one, field) for one in later) - getattr(later[0], field)
        assert creep < CREEP_MAX_BYTES, f"{field} goes on growing while input waits: {later}"


async def looked(pipeline: Pipeline, services: list[ServiceProcess], inputs: int) -> list[Look]:
    """Looks, until all inputs are decided."""
    looks: list[Look] = []
    with suppress(TimeoutError):
        async with asyncio.timeout(200):
            while not looks or looks[-1].decided < inputs:
                await let_pass(LOOK_EACH_S)
                looks.append(await look(pipeline, services))
    return looks


async def look(pipeline: Pipeline, services: list[ServiceProcess]) -> Look:
    decided = await pipeline.value(
        "SELECT sum(applied + duplicate + rejected + dead_letter)::bigint FROM earning.fences"
    )
    return Look(decided, *(psutil.Process(service.pid).memory_info().rss for service in services))
