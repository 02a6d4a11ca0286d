"""The watermark and what holds sweeps back: how far a sweeper may look."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from aiokafka import TopicPartition

from services.earning.background import holds
from services.earning.background.watermark import watermark
from tests.integration.earning.earning_rig import BEGAN, SHARDS, TOPIC, Counter, paid, span
from tests.support.databases import execute

IDLE = timedelta(seconds=60)


class Ends:
    """Kafka, as far as the watermark asks it: where partitions end."""

    def __init__(self, ends: Mapping[int, int]) -> None:
        self._ends = ends

    async def end_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        return {one: self._ends.get(one.partition, 0) for one in partitions}


async def reached(counter: Counter, ends: Mapping[int, int]) -> datetime | None:
    return await watermark(counter.session, Ends(ends), [TOPIC], SHARDS, IDLE)


async def long_idle(counter: Counter, *but: int) -> None:
    await counter.session.execute(
        "UPDATE earning.fences SET moved_at = now() - interval '2 min' WHERE partition <> ALL ($1::integer[])", but
    )


async def test_nothing_is_known_while_a_partition_has_told_nothing_and_may_still_begin(counter: Counter) -> None:
    await counter.earn(span([paid("1")]))
    assert await reached(counter, {0: 1}) is None


async def test_it_is_the_least_of_what_the_partitions_have_told(counter: Counter) -> None:
    for partition in range(SHARDS):
        await counter.earn(span([paid(f"{partition}")], start=0, partition=partition))
    await counter.earn(span([paid("later")], start=1, partition=2))
    assert await reached(counter, dict.fromkeys(range(SHARDS), 1)) == BEGAN


async def test_a_partition_long_at_its_end_is_as_late_as_now(counter: Counter) -> None:
    await counter.earn(span([paid("1")], partition=1))
    await long_idle(counter, 1)
    assert await reached(counter, {1: 1}) == BEGAN  # partition 1 has only just come to its end
    await long_idle(counter)
    now = await reached(counter, {1: 1})
    assert now is not None
    assert now > datetime.now(UTC) - timedelta(minutes=5)
    assert await reached(counter, {1: 2}) == BEGAN  # there is more to decide


async def test_a_hold_lasts_its_term_and_then_until_all_is_decided(counter: Counter) -> None:
    session = counter.session
    await holds.hold(session, ["shop", "other"], "one")
    assert sorted(await holds.held(session)) == ["other", "shop"]
    await holds.hold_to_the_end(session, ["shop", "other"], "one", {TopicPartition(TOPIC, 0): 1})
    assert sorted(await holds.held(session)) == ["other", "shop"]
    await counter.earn(span([paid("1")]))
    assert await holds.held(session) == []


async def test_a_hold_of_a_publisher_that_died_ends_with_its_term(counter: Counter) -> None:
    await holds.hold(counter.session, ["shop"], "one")
    await execute(counter.dsn, "UPDATE earning.sweep_holds SET until = now() - interval '1 s'")
    assert await holds.held(counter.session) == []
